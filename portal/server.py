"""How gunicorn runs the portal: gunicorn --config=python:portal.server portal.wsgi:application

How many processes is WEB_CONCURRENCY, where it listens is PORT; both are read by gunicorn itself.
"""

import os

from portal import logs

worker_class = "gthread"
threads = 8
timeout = 90  # seconds; the longest answer is a preview that asks AWS
graceful_timeout = 30
keepalive = 20
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108  (a heartbeat file, never on disk)
control_socket_disable = True
logconfig_dict = logs.configuration(json=not logs.for_people(), level=os.environ.get("LOG_LEVEL", "INFO").upper())
logconfig_dict["loggers"] |= {
    "gunicorn.error": {"handlers": [], "propagate": True},
    "gunicorn.access": {"handlers": [], "propagate": False},  # portal.requests says more
}
