"""Whether roles of another account are guarded by their external id: they are assumed with it, without, and wrongly.

A role that lets the portal in without the external id lets in whoever makes the portal name it (the confused deputy).
"""

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from botocore.exceptions import BotoCoreError, ClientError

from provisioning.engines import aws_errors
from provisioning.engines.base import EngineUnavailable
from provisioning.engines.session import Sessions

Kind = Literal["right", "missing", "wrong", "unknown"]
Verdict = Literal["safe", "open", "closed", "unchecked", "nothing"]
SECONDS = 900  # the shortest session that there is; nothing is done with it


@dataclass(frozen=True)
class Probe:
    """One attempt. ``kind`` says which external id was sent, or "unknown" for a role that nobody made.

    ``said`` are AWS's words of refusal, "" when the role was assumed.
    """

    role_arn: str
    kind: Kind
    assumed: bool
    said: str
    milliseconds: int


@dataclass(frozen=True)
class Finding:
    """``verdict``: "safe"; "open" (some role is assumed without its external id); "closed" (some role is not assumed
    with it); "unchecked" (this AWS checks no trust policy at all); "nothing" (there is no role to assume)."""

    verdict: Verdict
    probes: tuple[Probe, ...]


def connect_test(
    sessions: Sessions, roles: Sequence[str], *, region: str, external_id: str, name: str, may_be_emulated: bool = False
) -> Finding:
    """Try every role with the right external id, without one and with a wrong one. Changes nothing in AWS.

    ``may_be_emulated``: first find out whether this AWS looks at trust policies, by a role that does not exist.
    Raises EngineUnavailable when AWS does not answer: nothing may be concluded then.
    """
    if not roles:
        return Finding("nothing", ())
    sts = sessions.own("sts", region)
    probes = []
    if may_be_emulated:
        nobodys = f"{roles[0].rpartition('/')[0]}/deuteron-nobodys-{secrets.token_hex(8)}"
        probes.append(_attempt(sts, nobodys, "unknown", "", name))
    for role in roles:
        for kind, sent in (("right", external_id), ("missing", ""), ("wrong", f"deuteron-{secrets.token_hex(20)}")):
            probes.append(_attempt(sts, role, kind, sent, name))  # type: ignore[arg-type]  # a literal of the line above
    return Finding(verdict_of(probes), tuple(probes))


def verdict_of(probes: Sequence[Probe]) -> Verdict:
    """Open weighs more than closed: it is the one that harms others."""
    if any(probe.assumed for probe in probes if probe.kind == "unknown"):
        return "unchecked"
    if any(probe.assumed for probe in probes if probe.kind in ("missing", "wrong")):
        return "open"
    return "safe" if all(probe.assumed for probe in probes if probe.kind == "right") else "closed"


def _attempt(sts: Any, role_arn: str, kind: Kind, external_id: str, name: str) -> Probe:
    extra = {"ExternalId": external_id} if external_id else {}
    began = time.monotonic()
    said = ""
    try:
        sts.assume_role(RoleArn=role_arn, RoleSessionName=name[:64], DurationSeconds=SECONDS, **extra)
    except ClientError as error:
        said = aws_errors.message(error)
        if aws_errors.kind(error) in ("throttled", "expired", "unavailable"):
            raise EngineUnavailable(said) from error
    except BotoCoreError as trouble:
        raise EngineUnavailable(str(trouble)) from trouble
    return Probe(role_arn, kind, not said, said, round((time.monotonic() - began) * 1000))
