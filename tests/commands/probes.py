"""What commands try in order to get out of their sandbox."""

import atexit
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

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
    "fill the devices' folder": "head -c 200M /dev/zero > /dev/shm/x && echo OUT; touch /dev/x && echo OUT",
    "fill the temporary folder": "head -c 200M /dev/zero > /tmp/x && echo OUT; rm -f /tmp/x",
    "secrets on command lines": "cat /proc/[0-9]*/cmdline | tr '\\0' '\\n' | grep -x CANARY_OF_THE_RU[N] && echo OUT",
    "the credentials of the portal": "env | grep -E 'AWS_SECRET|SECRET_KEY|DATABASE_URL|CANARY' && echo OUT",
}


class Outside:
    """A secret file, a secret on a command line, and a service of this machine; ``reached`` tells who got to that."""

    def __init__(self, folder: Path, pid: int):
        self.secret = folder / "secret"
        self.secret.write_text("CANARY_OF_THE_PORTAL")
        self.reached: list[Any] = []
        self.pid = pid
        self.door = socket.create_server(("127.0.0.1", 0))
        self.port = self.door.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()
        waiting = [sys.executable, "-c", "import time; time.sleep(300)", "CANARY_OF_THE_RUN"]
        self.process = subprocess.Popen(waiting, stdin=subprocess.DEVNULL)
        atexit.register(self._end)

    def _end(self) -> None:
        self.process.kill()
        self.process.wait()

    def _accept(self) -> None:
        while True:
            client, address = self.door.accept()
            self.reached.append(address)
            client.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nOUT")
            client.close()

    def commands(self) -> tuple[list[str], dict[str, bytes]]:
        """One command for each probe, and the files that they are in."""
        files, commands = {}, []
        for number, probe in enumerate(PROBES.values()):
            for name, value in (("secret", self.secret), ("port", self.port), ("pid", self.pid)):
                probe = probe.replace("{" + name + "}", str(value))
            files[f"probes/{number}"] = probe.encode()
            commands.append(f"echo; echo probe-{number}; timeout 10 bash probes/{number} 2>/dev/null </dev/null; true")
        return commands, files


def got_out(log: str) -> Mapping[str, bool]:
    """Which probes succeeded, by what they say."""
    said = {}
    for number, name in enumerate(PROBES):
        part = log.split(f"\nprobe-{number}\n", 1)[1].split(f"\nprobe-{number + 1}\n", 1)[0]
        said[name] = any(line.endswith("OUT") for line in part.splitlines()) or "CANARY_OF_THE_PORTAL" in part
    return said
