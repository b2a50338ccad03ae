"""Deliveries of GitHub. Nothing of one is looked at before its signature was found to be good.

The signature covers the body only: the headers, and so the id of a delivery, are whatever the sender says.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.http.request import RawPostDataException, UnreadablePostError
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from portal import forges
from portal.actions import deliveries
from provisioning.forges import names
from provisioning.forges.errors import InvalidName

LARGEST_BODY = 2 * 1024 * 1024  # bytes; of what is larger, the next look at the forge learns
_ID = re.compile(r"[A-Za-z0-9-]{1,100}", re.ASCII)
_EVENT = re.compile(r"[a-z_]{1,50}", re.ASCII)
GREATEST = 2**31 - 1


@csrf_exempt
@login_not_required
@require_POST
def github(request: HttpRequest) -> HttpResponse:
    """202 for whatever is signed, with a word about what was done with it."""
    secrets = settings.GITHUB_WEBHOOK_SECRETS
    if not secrets:
        return _answer(403, "No webhook secret is set in the portal: set GITHUB_WEBHOOK_SECRET.")
    body = _body(request)
    if body is None:
        return _answer(413, f"A delivery has at most {LARGEST_BODY} bytes.")
    if not signed(body, request.headers.get("X-Hub-Signature-256", ""), secrets):
        return _answer(401, "The signature is missing or wrong: is the secret the same on both sides?")
    delivery_id, event = request.headers.get("X-GitHub-Delivery", ""), request.headers.get("X-GitHub-Event", "")
    if not _ID.fullmatch(delivery_id) or not _EVENT.fullmatch(event):
        return _answer(400, "X-GitHub-Delivery or X-GitHub-Event is missing.")
    try:
        said = json.loads(body)
        repository = names.repository_name(str(_of(_of(said, "repository"), "full_name") or ""))
    except InvalidName:
        return _answer(202, "Ignored: it is about no repository.")
    except (ValueError, RecursionError):
        return _answer(400, "The body is no JSON: choose the content type application/json.")
    number = _of(_of(said, "pull_request"), "number")
    taken = deliveries.take(
        source="github",
        provider=forges.github_provider(),
        delivery_id=delivery_id,
        event=event,
        repository=repository,
        number=number if type(number) is int and 0 < number <= GREATEST else None,
        body_hash=hashlib.sha256(body).hexdigest(),
    )
    return _answer(202, "Ignored: known already, or not linked." if taken is None else "Taken.")


def signed(body: bytes, signature: str, secrets: Iterable[str]) -> bool:
    """Whether one of the secrets made the signature, in a time that does not tell how much of it is right."""
    good = False
    for secret in secrets:
        wanted = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        good |= hmac.compare_digest(wanted.encode(), signature.encode(errors="replace"))
    return good


def _body(request: HttpRequest) -> bytes | None:
    """None for one that is too large or cannot be read."""
    try:
        if int(request.META.get("CONTENT_LENGTH") or 0) > LARGEST_BODY:
            return None
        body = request.read(LARGEST_BODY + 1)
    except (UnreadablePostError, RawPostDataException, ValueError):
        return None
    return body if len(body) <= LARGEST_BODY else None


def _of(mapping: Any, member: str) -> Any:
    return mapping.get(member) if isinstance(mapping, dict) else None


def _answer(status: int, text: str) -> HttpResponse:
    return HttpResponse(text + "\n", status=status, content_type="text/plain; charset=utf-8")
