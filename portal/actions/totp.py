"""Authenticator apps (RFC 6238) and recovery codes of people who sign in with a password."""

import base64
import hashlib
import os
import secrets
import time

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor import InvalidToken
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from portal.actions import audit
from portal.enums import Role
from portal.errors import Conflict, Invalid
from portal.models import RecoveryCode, Totp, User
from portal.queries import rights
from portal.secrets import decrypt, encrypt, place_of
from provisioning.problems import Problem

STEP = 30  # seconds
DIGITS = 6
SECRET_BYTES = 20  # RFC 4226
RECOVERY_CODES = 10
ISSUER = "Deuteron"


def enabled(user: User) -> bool:
    return Totp.objects.filter(user=user, confirmed_at__isnull=False).exists()


def required(user: User) -> bool:
    """Whether REQUIRE_TOTP_FOR names the person's role."""
    return user.role in settings.REQUIRE_TOTP_FOR


def _app(row: Totp) -> TOTP:
    key = base64.b32decode(decrypt(row.secret, place=place_of(row, "secret")))
    return TOTP(key, DIGITS, SHA1(), STEP)  # noqa: S303  (what authenticator apps know)


def _refuse(message: str, path: str = "/code") -> Invalid:
    return Invalid(message, [Problem(path, message)])


def start(*, by: User) -> Totp:
    """Offer a secret; it opens nothing until ``confirm``. Raises Conflict when there is an app already."""
    with transaction.atomic():
        User.objects.select_for_update().get(pk=by.pk)
        if enabled(by):
            raise Conflict("You have an authenticator app already: turn it off first.")
        if not by.has_usable_password():
            raise Conflict("You sign in elsewhere: your identity provider asks for a second factor, if it wants one.")
        Totp.objects.filter(user=by).delete()
        row = Totp(user=by)
        secret = base64.b32encode(os.urandom(SECRET_BYTES)).decode()
        row.secret = encrypt(secret, place=place_of(row, "secret"))
        row.save(force_insert=True)
    return row


def offered(user: User) -> Totp | None:
    return Totp.objects.filter(user=user, confirmed_at__isnull=True).first()


def secret_of(row: Totp) -> str:
    """For the person's own screen while it is offered, never later."""
    if row.confirmed_at is not None:
        raise Conflict("The secret was shown when the app was set up. Turn it off to get another one.")
    return decrypt(row.secret, place=place_of(row, "secret"))


def address_of(row: Totp) -> str:
    """What the QR code says (otpauth)."""
    secret_of(row)
    return _app(row).get_provisioning_uri(row.user.username, ISSUER)


def _check(row: Totp, code: str, at: float) -> bool:
    """Take a code of the step before, this one or the next. Each one is taken once, and none that is older."""
    digits = code.replace(" ", "")
    if len(digits) != DIGITS or not (digits.isascii() and digits.isdigit()):
        return False
    app = _app(row)
    for step in range(int(at) // STEP - 1, int(at) // STEP + 2):
        try:
            app.verify(digits.encode(), step * STEP)
        except InvalidToken:
            continue
        return bool(Totp.objects.filter(pk=row.pk, last_step__lt=step).update(last_step=step))
    return False


def confirm(*, by: User, code: str) -> list[str]:
    """The app works: it is asked for from now on. The recovery codes, shown this once. Ends all sessions."""
    row = offered(by)
    if row is None:
        raise Conflict("There is nothing to confirm: set the app up first.")
    if not _check(row, code, time.time()):
        raise _refuse("This is not the code that the app shows now.")
    with transaction.atomic():
        if not Totp.objects.filter(pk=row.pk, confirmed_at__isnull=True, secret=row.secret).update(confirmed_at=Now()):
            raise Conflict("It was set up anew somewhere else: begin again.")
        codes = _new_codes(by)
        _end_sessions(by)
        audit.record(by=by, action="totp.enable", target=f"user/{by.username}")
    return codes


def _end_sessions(user: User) -> None:
    locked = User.objects.select_for_update().get(pk=user.pk)
    locked.end_sessions()
    locked.save(update_fields=["session_epoch"])
    user.session_epoch = locked.session_epoch


def _digest(code: str) -> str:
    plain = code.replace("-", "").replace(" ", "").upper()
    return hashlib.sha256(plain.encode()).hexdigest()


def _new_codes(user: User) -> list[str]:
    RecoveryCode.objects.filter(user=user).delete()
    made = [base64.b32encode(secrets.token_bytes(10)).decode() for _ in range(RECOVERY_CODES)]
    RecoveryCode.objects.bulk_create(RecoveryCode(user=user, digest=_digest(code)) for code in made)
    return ["-".join(code[at : at + 4] for at in range(0, 16, 4)) for code in made]


def renew_codes(*, by: User) -> list[str]:
    """New recovery codes, shown this once; the old ones open nothing any more."""
    if not enabled(by):
        raise Conflict("Recovery codes belong to an authenticator app: set one up first.")
    with transaction.atomic():
        codes = _new_codes(by)
        audit.record(by=by, action="totp.renew_codes", target=f"user/{by.username}")
    return codes


def codes_left(user: User) -> int:
    return RecoveryCode.objects.filter(user=user, used_at__isnull=True).count()


def check(*, user: User, code: str) -> str:
    """Take a code of the app or a recovery code: "totp" or "recovery code". Raises Invalid at /code."""
    row = Totp.objects.filter(user=user, confirmed_at__isnull=False).first()
    if row is not None and _check(row, code, time.time()):
        return "totp"
    unused = RecoveryCode.objects.filter(user=user, digest=_digest(code), used_at__isnull=True)
    if row is not None and unused.update(used_at=Now()):
        audit.record(by=user, action="totp.use_recovery_code", target=f"user/{user.username}", left=codes_left(user))
        return "recovery code"
    raise _refuse("This code is wrong, or was used already.")


def turn_off(*, by: User) -> None:
    """One's own. Raises Conflict where the role requires it. Ends all sessions."""
    if required(by):
        raise Conflict("Your role requires an authenticator app. Ask an admin to reset it when the device is lost.")
    _remove(by=by, user=by, action="totp.disable")


def reset(*, by: User | None, user: User) -> None:
    """Somebody's, when the device is lost; ``by`` is None for a command on the server. Ends their sessions."""
    if by is not None:
        rights.require(by, Role.ADMIN)
    _remove(by=by, user=user, action="totp.reset")


def _remove(*, by: User | None, user: User, action: str) -> None:
    with transaction.atomic():
        RecoveryCode.objects.filter(user=user).delete()
        if Totp.objects.filter(user=user).delete()[0]:
            _end_sessions(user)
            audit.record(by=by, action=action, target=f"user/{user.username}")
