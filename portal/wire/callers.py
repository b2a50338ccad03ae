"""Who is calling: the signature, then the state of the key and of its person, then how often they call."""

import hmac
import secrets
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256

from django.conf import settings

from portal import vault
from portal.actions import key_use
from portal.models import User
from portal.queries import keys
from portal.wire import sigv4, throttle
from portal.wire.sigv4 import Refused, Request, Signed

LEGACY_STS_REGION = "us-east-1"  # older clients sign for the global STS, whatever their region


@dataclass(frozen=True, slots=True)
class Authenticated:
    """The person behind a call, the AWS account that it comes from, and what it may speak about.

    ``scope`` is the ARN of one resource, or "" for all that the person may do. ``parent_id`` is the access key behind a
    short-lived one, or "".
    """

    user: User
    account_id: str
    key_id: str
    parent_id: str
    scope: str
    signed: Signed

    @property
    def is_session(self) -> bool:
        return self.key_id.startswith(keys.SESSION_PREFIX)


def authenticate(request: Request, *, service: str = "proton") -> Authenticated:
    """Raises Refused. One statement; a second one once a minute, which writes down that the key was used."""
    found: keys.Key | None = None

    def key_of(key_id: str, date: str, region: str, service: str) -> bytes:
        nonlocal found
        found = keys.find(key_id)
        if found is None:
            return _key_of_nobody(key_id, _decoy(tuple(settings.ENCRYPTION_KEYS)), date, region, service)
        return _key(key_id, found.secret, date, region, service)

    regions = {settings.PORTAL_REGION, LEGACY_STS_REGION} if service == "sts" else {settings.PORTAL_REGION}
    signed = sigv4.verify(request, key_of, service=service, regions=regions)
    if found is None:  # nobody knows the key of the decoy
        raise Refused("InvalidSignatureException", sigv4.MISMATCH)
    _check_state(found, signed)
    caller = Authenticated(found.user, found.account_id, found.key_id, found.parent_id, found.scope, signed)
    throttle.take(found.parent_id or found.key_id)
    key_use.note(found.parent_id or found.key_id)
    return caller


def _check_state(found: keys.Key, signed: Signed) -> None:
    """Said to those only who have the secret: the signature was right."""
    given = sha256(signed.token.encode("latin-1")).hexdigest() if signed.token else ""
    if not hmac.compare_digest(given, found.token_hash):
        raise Refused("UnrecognizedClientException", "The security token included in the request is invalid.")
    if found.expired:
        raise Refused("ExpiredTokenException", "The security token included in the request is expired")
    if found.revoked:
        raise Refused(
            "UnrecognizedClientException", "The access key is revoked: make a new one on the page of your keys."
        )
    if not found.user.is_active:
        raise Refused("UnrecognizedClientException", "The person of this access key is shut out. Ask an admin.")


# Keys of one day. What is stored is part of the question: another secret is another entry. Whether the key is in force
# is never answered from here. A key id that nobody knows costs the same, in a cache of the same size.
@lru_cache(maxsize=2048)
def _key(key_id: str, stored: str, date: str, region: str, service: str) -> bytes:
    return sigv4.signing_key(vault.reveal(stored, place=vault.key_place(key_id)), date, region, service)


@lru_cache(maxsize=2048)
def _key_of_nobody(key_id: str, stored: str, date: str, region: str, service: str) -> bytes:
    return sigv4.signing_key(vault.reveal(stored, place=vault.key_place("")), date, region, service)


@lru_cache(maxsize=4)
def _decoy(encryption_keys: tuple[str, ...]) -> str:
    return vault.keep(secrets.token_urlsafe(30), place=vault.key_place(""))
