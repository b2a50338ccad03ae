"""What commands try in order to get out of their sandbox. None of it works, and nothing is left behind."""

import os
import socket
import threading

import pytest

from tests.commands.running import finish

# Each prints OUT when it got somewhere. What needs an address of this machine has {port}, a secret file {secret}.
PROBES = {
    "read shadow": "cat /etc/shadow && echo OUT",
    "read root's home": "cd / && ls root && echo OUT",
    "read homes": "ls /home && echo OUT",
    "read the portal's files": "cat {secret} && echo OUT",
    "read var": "ls /var && echo OUT",
    "read srv": "ls /srv && echo OUT",
    "read sys": "ls /sys && echo OUT",
    "read boot": "ls /boot && echo OUT",
    "other processes": "[ $(ls -d /proc/[0-9]* | wc -l) -gt 8 ] && echo OUT",
    "environment of others": "cat /proc/[0-9]*/environ | tr '\\0' '\\n' | grep CANARY_OF_THE_PORTAL && echo OUT",
    "memory of the first process": "head -c1 /proc/1/mem && echo OUT",
    "root of the first process": "ls /proc/1/root/root && echo OUT",
    "signal the supervisor": "kill -0 {pid} && echo OUT",
    "metadata": "exec 5<>/dev/tcp/169.254.169.254/80 && echo OUT",
    "metadata over the proxy": "curl -sf -m 5 169.254.169.254/latest/meta-data/ && echo OUT",
    "metadata in IPv6": "curl -sf -m 5 '[fd00:ec2::254]/' && echo OUT",
    "a port of this machine": "exec 5<>/dev/tcp/127.0.0.1/{port} && echo OUT",
    "a port of this machine over the proxy": "curl -sf -m 5 http://127.0.0.1:{port}/ && echo OUT",
    "a port by its name": "curl -sf -m 5 http://localhost:{port}/ && echo OUT",
    "a port by CONNECT": "curl -sf -m 5 -p -x http://127.0.0.1:3128 http://127.0.0.1:{port}/ && echo OUT",
    "a port as a number": "curl -sf -m 5 http://2130706433:{port}/ && echo OUT",
    "a host that looks like an allowed one": "curl -sf -m 5 allowed.test.127.0.0.1:{port}/ && echo OUT",
    "a host that ends like an allowed one": "curl -sf -m 5 allowed.test@127.0.0.1:{port}/ && echo OUT",
    "the internet": "exec 5<>/dev/tcp/1.1.1.1/53 && echo OUT",
    "a raw socket": "ping -c1 -W1 127.0.0.1 && echo OUT",
    "sockets of the system": "ls /run/dbus /run/systemd /var/run/docker.sock 2>/dev/null && echo OUT",
    "docker": "[ -S /var/run/docker.sock ] && echo OUT",
    "mount": "mount -t tmpfs none /mnt && echo OUT",
    "remount the root": "mount -o remount,rw / && echo OUT",
    "bind over passwd": "mount --bind /dev/null /etc/passwd && echo OUT",
    "user namespace": "unshare -Ur true && echo OUT",
    "mount namespace": "unshare -m true && echo OUT",
    "network namespace": "unshare -n true && echo OUT",
    "enter another namespace": "nsenter -t 1 -a true && echo OUT",
    "sudo": "sudo -n true && echo OUT",
    "su": "su -c true && echo OUT",
    "setuid program": "cp /bin/bash /work/b; chmod u+s /work/b; [ \"$(/work/b -p -c 'id -u')\" = 0 ] && echo OUT",
    "become root": "python3 -c 'import os; os.setuid(0)' && echo OUT",
    "device node": "mknod /tmp/disk b 8 0 && echo OUT",
    "disks": "ls /dev/sd* /dev/vd* /dev/nvme* 2>/dev/null && echo OUT",
    "kernel memory": "head -c1 /dev/mem && echo OUT",
    "kernel log": "dmesg && echo OUT",
    "kernel settings": "echo 1 > /proc/sys/kernel/panic && echo OUT",
    "change the host's name": "hostname elsewhere && echo OUT",
    "change the clock": "date -s 2000-01-01 && echo OUT",
    "write to usr": "touch /usr/bin/x && echo OUT",
    "write to etc": "touch /etc/x && echo OUT",
    "write to the root": "touch /x && echo OUT",
    "write to its input": "touch /run/input/x && echo OUT",
    "write to its own script": "echo >> /run/input/script && echo OUT",
    "symlink out": "ln -s {secret} link && cat link && echo OUT",
    "chroot": "chroot /usr /bin/true && echo OUT",
    "load a module": "modprobe dummy && echo OUT",
    "keys of the kernel": "keyctl show && echo OUT",
    "cgroups": "mkdir /sys/fs/cgroup/pids/x && echo OUT",
    "the credentials of the portal": "env | grep -E 'AWS_SECRET|SECRET_KEY|DATABASE_URL|CANARY' && echo OUT",
}


@pytest.fixture(scope="module")
def outside(tmp_path_factory):
    """A secret file and a service of this machine; the service remembers whether it was ever reached."""
    secret = tmp_path_factory.mktemp("portal") / "secret"
    secret.write_text("CANARY_OF_THE_PORTAL")
    reached: list[object] = []
    door = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            client, address = door.accept()
            reached.append(address)
            client.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nOUT")
            client.close()

    threading.Thread(target=accept, daemon=True).start()
    return {"secret": secret, "port": door.getsockname()[1], "reached": reached, "pid": os.getpid()}


def test_no_probe_gets_out(tmp_path, outside, monkeypatch):
    monkeypatch.setenv("CANARY_OF_THE_PORTAL", "x")
    places = {name: str(value) for name, value in outside.items() if name != "reached"}
    files, commands = {}, []
    for number, probe in enumerate(PROBES.values()):
        for name, value in places.items():
            probe = probe.replace("{" + name + "}", value)
        files[f"probes/{number}"] = probe.encode()
        commands.append(f"echo; echo probe-{number}; timeout 10 bash probes/{number} 2>/dev/null </dev/null; true")
    result, log = finish(tmp_path / "run", *commands, files=files, hosts=("allowed.test:1",))
    said = {}
    for number, name in enumerate(PROBES):
        part = log.split(f"\nprobe-{number}\n", 1)[1].split("\n[", 1)[0]
        said[name] = "OUT" in part.splitlines() or "CANARY" in part
    assert len(PROBES) >= 40
    assert (result.code, [name for name, out in said.items() if out], outside["reached"]) == (0, [], [])


def test_killing_everything_reaches_nothing_beyond_the_run(tmp_path):
    result, log = finish(tmp_path / "run", f"(kill -9 {os.getpid()} || echo nobody) 2>/dev/null", "kill -9 -1; sleep 1")
    assert (result.code, "nobody\n" in log) == (0, True)


def test_a_fork_bomb_ends_with_its_run_and_the_machine_goes_on(tmp_path):
    result, _ = finish(tmp_path / "run", "timeout 2 bash -c ':(){ :|:& };:' 2>/dev/null; true", "sleep 0.2; true")
    assert result.code in (0, 1, 254, 125)


def test_what_a_run_leaves_behind_ends_with_it(tmp_path):
    mark = f"1{os.getpid():07d}.5"
    result, _ = finish(tmp_path / "run", f"setsid sleep {mark} & disown", f"nohup sleep {mark} >/dev/null 2>&1 &")
    assert (result.code, _sleeping(mark)) == (0, [])


def _sleeping(mark: str) -> list[str]:
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = file.read().split(b"\0")
        except OSError:
            continue
        if words[:2] == [b"sleep", mark.encode()]:
            found.append(pid)
    return found


def test_two_runs_do_not_see_each_other(tmp_path):
    finish(tmp_path / "one", "echo mine > /work/mine; echo mine > /tmp/mine")
    result, log = finish(tmp_path / "two", "ls /work /tmp")
    assert (result.code, "mine" in log) == (0, False)
