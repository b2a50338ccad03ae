"""Worker processes that start in a fraction of a second: forked from one process that has everything imported.

Each is the product's own Celery worker, in a process group of its own, and tells AWS its process id. Commands on
standard input, one answer line each:

    start <names of protections to take off, comma-separated, or -> <seconds>     the process id of a new worker

whose clock is wrong by so many seconds.
"""

import contextlib
import os
import random
import signal
import sys

OPTIONS = "--pool=threads -c 4 --without-mingle --without-gossip --without-heartbeat --loglevel=WARNING"


def main() -> None:
    import django

    django.setup()
    import celery.bin.celery  # noqa: F401  imported once for all, as what follows
    from django.core import checks

    from portal import engines, poller, tasks  # noqa: F401
    from portal.actions import registrations, runs, service_changes  # noqa: F401
    from portal.celery import app
    from tests.faults import clocks, unprotected

    engines.sessions().own("cloudformation", "us-east-1")  # its model is read once for all
    checks.run_checks()  # imports every page, as each worker does that begins
    app.finalize()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for workers that were killed
    started: list[int] = []
    print("ready", flush=True)
    for line in sys.stdin:
        _, names, skew = line.split()
        without = [name for name in names.split(",") if name != "-"]
        pid = os.fork()
        if pid:
            started.append(pid)
            print(pid, flush=True)
            continue
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.environ["AWS_SDK_UA_APP_ID"] = str(os.getpid())
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.dup2(2, 1)
        random.seed()
        unprotected.take_off(name for name in without if name not in unprotected.ONCE)
        if float(skew):
            clocks.shift(float(skew))
        app.worker_main(["worker", "-n", f"worker-{os.getpid()}@faults", *OPTIONS.split()])
        os._exit(0)
    for pid in started:  # whoever commanded them is gone
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
