"""One signed call changes something once: the same call again gets the answer of the first.

An SDK that retries within a second sends the same signature, quite legitimately; so does who recorded the call.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from django.db import DatabaseError

from portal.actions import replies
from portal.errors import Conflict, Unavailable
from portal.wire.sigv4 import Signed

log = logging.getLogger(__name__)
PATIENCE_SECONDS = 2.0
PAUSE_SECONDS = 0.05


@dataclass(frozen=True)
class Reply:
    """What goes back: the HTTP status and the body."""

    status: int
    body: bytes = field(repr=False)


def once(signed: Signed, run: Callable[[], Reply]) -> Reply:
    """``run()`` for the first call with this signature, its stored reply for every later one.

    Costs one INSERT and one UPDATE, neither in the transaction of ``run``. A failure inside (an exception, or a status
    of 500 and more) is forgotten, so that the same call may be tried again. Raises Unavailable, with nothing done, when
    the signature cannot be written down, and Conflict when the first call is running still.
    """
    who = (signed.key_id, signed.signature)
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            if replies.begin(*who):
                break
            found = replies.earlier(*who)
        except DatabaseError as trouble:
            log.error("a signature could not be written down", exc_info=True)
            raise Unavailable("The database does not answer: nothing was changed. Try again.") from trouble
        if found is not None and found[0] is not None:
            return Reply(found[0], found[1].encode())
        if time.monotonic() > until:
            raise Conflict("The same signed request is being worked on, or was broken off. Look at what it changed.")
        time.sleep(PAUSE_SECONDS)
    try:
        reply = run()
    except BaseException:
        _forget(who)
        raise
    if reply.status >= 500:
        _forget(who)
    else:
        _finish(who, reply)
    return reply


def _finish(who: tuple[str, str], reply: Reply) -> None:
    """What was changed is changed: the answer goes out whether it can be kept or not."""
    try:
        replies.finish(*who, reply.status, reply.body.decode())
    except DatabaseError:
        log.warning("an answer could not be kept: the same call again is a conflict", exc_info=True)


def _forget(who: tuple[str, str]) -> None:
    try:
        replies.forget(*who)
    except DatabaseError:
        log.warning("a call that failed could not be forgotten: the same call again is a conflict", exc_info=True)
