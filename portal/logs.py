"""Logs: one JSON object a line on a server, plain lines on a terminal and in `make run`.

Whatever is logged while a request or a due row is worked on carries its ids: ``request_id`` and, in workers,
``deployment``, ``template_version`` or ``service_change``. Nothing that a person typed is logged.
"""

import logging
import re
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import structlog

REQUEST_ID = re.compile(r"[A-Za-z0-9._:/=+-]{1,64}")
QUIET = ("botocore", "boto3", "cfnlint", "urllib3")
HEADER = "deuteron_request_id"  # of a nudge: which request made the row due
ROWS = {"Deployment": "deployment", "TemplateVersion": "template_version", "ServiceChange": "service_change"}
TASKS = {
    "portal.tasks.drive_deployment": "deployment",
    "portal.tasks.drive_registration": "template_version",
    "portal.tasks.drive_service_change": "service_change",
}


class PlainFormatter(logging.Formatter):
    """ "2026-01-01 00:00:00,000 INFO portal.poller text key=value", with the ids that are bound at the end."""

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        bound = structlog.contextvars.get_contextvars()
        if not bound:
            return text
        first, newline, rest = text.partition("\n")
        return first + "".join(f" {name}={value}" for name, value in bound.items()) + newline + rest


def configuration(*, json: bool, level: str) -> dict[str, Any]:
    """For Django's LOGGING. ``json``: one object a line; else plain lines."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "plain": {"()": PlainFormatter, "format": "%(asctime)s %(levelname)s %(name)s %(message)s"},
            "json": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": [
                    structlog.contextvars.merge_contextvars,
                    structlog.stdlib.add_logger_name,
                    structlog.stdlib.add_log_level,
                    structlog.stdlib.ExtraAdder(),
                    structlog.processors.TimeStamper(fmt="iso", utc=True),
                ],
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    _without_what_cannot_be_written,
                    structlog.processors.format_exc_info,
                    structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
                ],
            },
        },
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "json" if json else "plain"}},
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
            **{name: {"level": "WARNING"} for name in QUIET},
            "django": {"handlers": [], "level": "NOTSET", "propagate": True},  # not a second time, in another form
            "django.server": {"handlers": [], "level": "NOTSET", "propagate": True},
        },
    }


def for_people() -> bool:
    """Whether somebody reads along."""
    return sys.stderr.isatty()


def _without_what_cannot_be_written(_: object, __: str, event: dict[str, Any]) -> dict[str, Any]:
    """Django adds the request itself to its records."""
    event.pop("request", None)
    return event


def new_request_id(asked_for: str = "") -> str:
    """The id that the client or its proxy chose, when it is one; else one of our own."""
    return asked_for if REQUEST_ID.fullmatch(asked_for) else uuid.uuid4().hex


def request_id() -> str:
    """Of the request that is answered, or that made the row due which is worked on; "" where there is none."""
    return str(structlog.contextvars.get_contextvars().get("request_id", ""))


@contextmanager
def bound(**ids: object) -> Iterator[None]:
    """Whatever this thread logs inside carries ``ids``."""
    before = structlog.contextvars.bind_contextvars(**{name: str(value) for name, value in ids.items()})
    try:
        yield
    finally:
        structlog.contextvars.reset_contextvars(**before)


def connect_to_celery() -> None:
    """A nudge carries the id of its request; the task that it starts logs with it and with the id of its row."""
    from celery import signals

    signals.before_task_publish.connect(_send_request_id, weak=False)
    signals.task_prerun.connect(_bind_task, weak=False)
    signals.task_postrun.connect(_unbind_task, weak=False)
    signals.setup_logging.connect(_leave_logging_alone, weak=False)


def _send_request_id(headers: dict[str, Any] | None = None, **_: object) -> None:
    if headers is not None and (known := request_id()):
        headers[HEADER] = known


def _bind_task(task: Any = None, args: tuple[object, ...] = (), **_: object) -> None:
    structlog.contextvars.clear_contextvars()
    headers: Mapping[str, Any] = task.request.headers or {}
    if known := headers.get(HEADER):
        structlog.contextvars.bind_contextvars(request_id=str(known))
    if args and task.name in TASKS:
        structlog.contextvars.bind_contextvars(**{TASKS[task.name]: str(args[0])})


def _unbind_task(**_: object) -> None:
    structlog.contextvars.clear_contextvars()


def _leave_logging_alone(**_: object) -> None:
    """Celery sees a receiver and configures nothing: Django has done it."""
