"""Trying to come in: who must wait, and what is recorded.

A try is counted before it is checked, so that tries side by side cannot outrun the count. Unknown names are counted
like known ones, so that waiting tells nobody which names exist.
"""

import hashlib
import hmac
import ipaddress
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from portal.actions import audit
from portal.models import SignInThrottle, User

KEPT = timedelta(days=1)


@dataclass(frozen=True)
class Limit:
    """So many failures are free; then a wait of ``first``, which doubles with each further one up to ``longest``."""

    free: int
    first: timedelta
    longest: timedelta
    forget: timedelta  # after so long without a failure, counting starts anew

    def wait(self, failures: int) -> timedelta:
        over = failures - self.free
        return timedelta() if over < 0 else min(self.first * 2 ** min(over, 16), self.longest)


LIMITS = {
    "account": Limit(5, timedelta(seconds=30), timedelta(minutes=15), timedelta(hours=1)),
    "address": Limit(50, timedelta(minutes=1), timedelta(minutes=15), timedelta(minutes=15)),
    "code": Limit(5, timedelta(seconds=30), timedelta(minutes=15), timedelta(hours=1)),
}


class MustWait(Exception):
    """Too many failures. ``seconds`` is how long to wait. Only pages that ask who somebody is meet it."""

    def __init__(self, seconds: int):
        self.seconds = seconds
        self.message = f"Too many tries. Wait {_said(seconds)}, then try again."
        super().__init__(self.message)


def _said(seconds: int) -> str:
    if seconds < 100:
        return f"{seconds} second{'' if seconds == 1 else 's'}"
    return f"{-(-seconds // 60)} minutes"


def _source(address: str) -> str:
    """Who has one IPv6 address has 2^64 of them: they count as one."""
    try:
        one = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(one, ipaddress.IPv4Address):
        return str(one)
    return str(one.ipv4_mapped or ipaddress.ip_network((one, 64), strict=False))


def _key(kind: str, of: str) -> str:
    """A digest that cannot be turned back without the server's key. One name written in two ways is one key."""
    of = _source(of) if kind == "address" else of
    name = unicodedata.normalize("NFKC", of).strip().casefold()
    digest = hmac.new(settings.SECRET_KEY.encode(), f"{kind}\0{name}".encode(errors="replace"), hashlib.sha256)
    return f"{kind}:{digest.hexdigest()}"


def _take(kind: str, of: str, now: datetime) -> tuple[timedelta, timedelta]:
    """Count one try: how long to wait before it may be made at all, and before the next one should it fail."""
    limit, key = LIMITS[kind], _key(kind, of)
    SignInThrottle.objects.get_or_create(key=key, defaults={"last_at": now})
    row = SignInThrottle.objects.select_for_update().get(key=key)
    if row.blocked_until is not None and row.blocked_until > now:
        return row.blocked_until - now, timedelta()
    if row.last_at < now - limit.forget:
        row.failures = 0
    row.failures += 1
    row.last_at = now
    wait = limit.wait(row.failures)
    row.blocked_until = now + wait if wait else None
    row.save()
    return timedelta(), wait


def take_try(*, account: str, address: str = "", kind: str = "account") -> None:
    """Count a try before it is checked. Raises MustWait, and then nothing may be checked.

    ``account`` is what was typed as name, or the name of who is known already; ``kind`` a key of LIMITS.
    """
    now = timezone.now()
    wait = timedelta()
    with transaction.atomic():
        for one, of in (("address", address), (kind, account)):
            if of and not wait:
                wait, next_wait = _take(one, of, now)
                if next_wait:
                    _record_block(one, account, address, next_wait)
    if wait:
        raise MustWait(max(1, round(wait.total_seconds())))


def _record_block(kind: str, account: str, address: str, wait: timedelta) -> None:
    """What was typed is named only when it is a person's name: it may be a password."""
    known = account.isprintable() and User.objects.filter(username=account).exists()
    audit.record(
        by=None,
        action="sign_in.block",
        target=f"user/{account}" if known else "user/-",
        why=kind,
        address=address,
        seconds=round(wait.total_seconds()),
    )


def forget_tries(*, account: str, address: str = "", kind: str = "account") -> None:
    """It was the right one: the account starts anew, and the address gets the one try back."""
    with transaction.atomic():
        SignInThrottle.objects.filter(key=_key(kind, account)).delete()
        row = SignInThrottle.objects.select_for_update().filter(key=_key("address", address)).first()
        if address and row is not None and row.failures:
            row.failures -= 1
            row.blocked_until = None if not LIMITS["address"].wait(row.failures) else row.blocked_until
            row.save()
        SignInThrottle.objects.filter(last_at__lt=timezone.now() - KEPT).delete()


def may_use_password(user: User) -> bool:
    """Whether LOCAL_SIGN_IN lets this person in with a password that the portal keeps."""
    return settings.LOCAL_SIGN_IN == "true" or (settings.LOCAL_SIGN_IN == "admins" and user.is_admin)


def record_sign_in(user: User, *, method: str, address: str) -> None:
    audit.record(by=user, action="user.sign_in", target=f"user/{user.username}", method=method, address=address)
