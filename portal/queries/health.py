"""What works and what does not, for machines that ask. Never waits for more than a second."""

import os
import socket
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import DatabaseError, OperationalError, connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Q
from django.utils import timezone
from redis import Redis
from redis.exceptions import RedisError

from portal.enums import RUNNING
from portal.models import Deployment, ServiceChange, TemplateVersion

WAIT_SECONDS = 0.5
OVERDUE_SECONDS = 60  # a row that nobody took for this long: no worker looks
DISK_FULL = "53100"  # PostgreSQL's code
_migrated = False


def blockers() -> dict[str, str]:
    """Why the product cannot serve: {part: sentence}, {} when it can. Database and migrations only."""
    global _migrated
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        if not _has_room():
            return {"database": "The database's disk is full: nothing can be written."}
        if not _migrated:
            executor = MigrationExecutor(connection)
            missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
            if missing:
                return {"migrations": f"{len(missing)} migrations are not applied: run manage.py migrate."}
            _migrated = True
    except DatabaseError as trouble:
        return {"database": f"The database does not answer: {type(trouble).__name__}."}
    return {}


def _has_room() -> bool:
    """Whether the database's disk takes another half megabyte. A full one is read from as ever.

    The server is made to write a temporary file, which leaves neither a row nor a lock behind.
    """
    if connection.vendor != "postgresql":
        return True
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL work_mem = '64kB'")
            cursor.execute("SELECT count(*) FROM generate_series(1, 20000)")
    except OperationalError as trouble:
        if getattr(trouble.__cause__, "sqlstate", "") == DISK_FULL:
            return False
        raise
    return True


def degraded() -> dict[str, str]:
    """Parts without which pages and APIs still serve: {part: sentence}, {} when all is well."""
    found = {"broker": _broker(), "worker": _worker(), "aws": _aws()}
    return {part: sentence for part, sentence in found.items() if sentence}


def _broker() -> str:
    try:
        client = Redis.from_url(
            settings.BROKER_URL.replace("redis+socket://", "unix://"),
            socket_timeout=WAIT_SECONDS,
            socket_connect_timeout=WAIT_SECONDS,
        )
        client.ping()
    except (RedisError, ValueError, OSError):
        return "The broker does not answer: work still runs, found by polling."
    return ""


def _worker() -> str:
    late = timezone.now() - timedelta(seconds=OVERDUE_SECONDS)
    waiting = Q(due_at__lt=late) & (Q(lease_until__isnull=True) | Q(lease_until__lt=late))
    models: tuple[Any, ...] = (Deployment, TemplateVersion, ServiceChange)
    count = sum(model.objects.filter(waiting).count() for model in models)
    if count:
        return f"{count} jobs are due for over {OVERDUE_SECONDS} seconds and no worker took them."
    return ""


def _aws() -> str:
    silent = Deployment.objects.filter(status__in=RUNNING, failures__gt=0).count()
    if silent:
        return f"AWS did not answer the last step of {silent} running deployments; it is asked again."
    endpoint = urlsplit(os.environ.get("AWS_ENDPOINT_URL", ""))
    if endpoint.hostname:
        port = endpoint.port or (443 if endpoint.scheme == "https" else 80)
        try:
            socket.create_connection((endpoint.hostname, port), timeout=WAIT_SECONDS).close()
        except OSError:
            return "The AWS endpoint does not answer."
    return ""
