"""People who sign in at an identity provider. Its groups decide role and teams, anew at every sign-in.

A person is known by issuer and subject alone. Names and e-mail addresses can be chosen or change hands, so they never
lead to somebody who exists: an admin links a person who has a password here to their subject, or nobody does.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from portal.actions import audit
from portal.actions.names import unless_taken
from portal.enums import Role
from portal.errors import Conflict, Forbidden, Invalid
from portal.models import ExternalIdentity, Team, User
from portal.queries import rights
from provisioning.problems import Problem

UNUSUAL = re.compile(r"[^0-9A-Za-z_-]+")
LONGEST_SUBJECT = 255  # OpenID Connect Core 2: ASCII characters


@dataclass(frozen=True)
class Claims:
    """What the provider said of somebody, after its tokens were checked."""

    issuer: str
    subject: str
    groups: frozenset[str]
    username: str = ""
    email: str = ""
    first_name: str = ""
    last_name: str = ""


def read_claims(*, id_token: Mapping[str, Any], userinfo: Mapping[str, Any]) -> Claims:
    """One picture of both. Raises Forbidden when they are not of one person, or of another issuer than OIDC_ISSUER."""
    issuer, subject = str(id_token.get("iss", "")), str(id_token.get("sub", ""))
    if issuer.rstrip("/") != settings.OIDC_ISSUER.rstrip("/"):
        raise Forbidden("Somebody else than the identity provider of this portal answered.")
    if not _is_subject(subject) or (userinfo and str(userinfo.get("sub", "")) != subject):
        raise Forbidden("The identity provider did not say who you are.")
    told = {**id_token, **userinfo}
    groups = told.get(settings.OIDC_GROUPS_CLAIM, ())
    groups = [groups] if isinstance(groups, str) else groups if isinstance(groups, list) else []
    return Claims(
        issuer=issuer.rstrip("/"),
        subject=subject,
        groups=frozenset(str(group) for group in groups),
        username=_text(told, "preferred_username") or _text(told, "email") or subject,
        email=_text(told, "email")[:254],
        first_name=_text(told, "given_name")[:150],
        last_name=_text(told, "family_name")[:150],
    )


def _text(told: Mapping[str, Any], name: str) -> str:
    value = told.get(name)
    return "".join(char for char in value if char.isprintable()) if isinstance(value, str) else ""


def _is_subject(text: str) -> bool:
    return 0 < len(text) <= LONGEST_SUBJECT and text.isprintable()


def role_of(groups: Iterable[str]) -> Role | None:
    """The greatest role that these groups give; None for none."""
    given = {
        Role.ADMIN: settings.OIDC_ADMIN_GROUPS,
        Role.PLATFORM: settings.OIDC_PLATFORM_GROUPS,
        Role.DEVELOPER: settings.OIDC_DEVELOPER_GROUPS,
        Role.VIEWER: settings.OIDC_VIEWER_GROUPS,
    }
    mine = set(groups)
    return next((role for role, names in given.items() if mine & set(names)), None)


def teams_of(groups: Iterable[str]) -> list[Team] | None:
    """Teams of the portal that OIDC_TEAM_PREFIX and their name are a group of; None when groups do not decide teams."""
    prefix = settings.OIDC_TEAM_PREFIX
    if not prefix:
        return None
    names = [group.removeprefix(prefix) for group in groups if group.startswith(prefix)]
    return list(Team.objects.filter(name__in=names))


def username_for(claims: Claims) -> str:
    """The provider's name as one of the portal's: letters, digits, hyphens and underscores."""
    name = UNUSUAL.sub("-", claims.username.partition("@")[0]).strip("-_")[:100]
    return name or "person"


def arrive(claims: Claims) -> User:
    """Who that is, with role and teams as the groups say now. A stranger with a role becomes a person.

    Raises Forbidden, with whom to ask: no group gives a role, an admin shut the person out, or the name is taken.
    """
    role = role_of(claims.groups)
    with transaction.atomic():
        known = ExternalIdentity.objects.filter(issuer=claims.issuer, subject=claims.subject).first()
        user = User.objects.select_for_update().get(pk=known.user_id) if known else None
        if role is not None:
            if known is None or user is None:
                return _welcome(claims, role)
            _update(known, user, role, claims)
            if user.is_active:
                return user
        elif known is not None and user is not None and user.is_active:
            _shut_out(known, user)
    if role is not None:
        raise Forbidden("You are shut out of this portal. Ask an admin.")
    raise Forbidden(
        f"None of your groups at {settings.OIDC_NAME} gives you a role in this portal. Ask whoever manages the groups."
    )


def _welcome(claims: Claims, role: Role) -> User:
    username = username_for(claims)
    try:
        user = unless_taken(
            lambda: User.objects.create_user(
                username,
                email=claims.email,
                password=None,
                role=role,
                first_name=claims.first_name,
                last_name=claims.last_name,
            ),
            username,
        )
    except Conflict:
        raise Forbidden(
            f"Somebody called {username} is here already, and the portal does not take a name for a proof. If that is "
            f"you, ask an admin to link your page to this subject: {claims.subject}"
        ) from None
    user.teams.set(teams_of(claims.groups) or ())
    ExternalIdentity.objects.create(user=user, issuer=claims.issuer, subject=claims.subject)
    audit.record(by=None, action="user.create", target=f"user/{username}", role=user.role, why="identity provider")
    return user


def _update(known: ExternalIdentity, user: User, role: Role, claims: Claims) -> None:
    """Access that was lost with the groups comes back with them; access that an admin took does not."""
    before = (user.role, user.is_active)
    user.role = role
    user.is_active = user.is_active or known.access_lost_at is not None
    if (user.role, user.is_active) != before:
        user.end_sessions()
        _record(user)
    user.save(update_fields=["role", "is_active", "session_epoch"])
    if known.access_lost_at is not None:
        known.access_lost_at = None
        known.save(update_fields=["access_lost_at"])
    teams = teams_of(claims.groups)
    if teams is not None:
        user.teams.set(teams)


def _shut_out(known: ExternalIdentity, user: User) -> None:
    user.is_active = False
    user.end_sessions()
    user.save(update_fields=["is_active", "session_epoch"])
    ExternalIdentity.objects.filter(pk=known.pk).update(access_lost_at=Now())
    _record(user)


def _record(user: User) -> None:
    audit.record(
        by=None,
        action="user.update",
        target=f"user/{user.username}",
        role=user.role,
        active=user.is_active,
        why="groups of the identity provider",
    )


def link(*, by: User, user: User, subject: str) -> ExternalIdentity:
    """Whoever is ``subject`` at OIDC_ISSUER is this person from now on.

    Raises Invalid at /subject, Conflict when somebody else is linked to it.
    """
    rights.require(by, Role.ADMIN)
    subject = subject.strip()
    if not settings.OIDC_ISSUER:
        raise Conflict("There is no identity provider: OIDC_ISSUER is not set.")
    if not _is_subject(subject):
        message = "Give the subject that the provider knows the person by."
        raise Invalid(message, [Problem("/subject", message)])
    with transaction.atomic():
        made, _ = unless_taken(
            lambda: ExternalIdentity.objects.update_or_create(
                user=user,
                defaults={"issuer": settings.OIDC_ISSUER.rstrip("/"), "subject": subject, "access_lost_at": None},
            ),
            "Somebody else is linked to this subject: unlink them first.",
        )
        audit.record(by=by, action="user.link", target=f"user/{user.username}", subject=subject)
    return made


def unlink(*, by: User, user: User) -> None:
    """Nobody becomes this person at the identity provider any more. Ends their sessions."""
    rights.require(by, Role.ADMIN)
    with transaction.atomic():
        locked = User.objects.select_for_update().get(pk=user.pk)
        if ExternalIdentity.objects.filter(user=locked).delete()[0]:
            locked.end_sessions()
            locked.save(update_fields=["session_epoch"])
            audit.record(by=by, action="user.unlink", target=f"user/{user.username}")
