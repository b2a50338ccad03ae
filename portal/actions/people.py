"""People, teams and access keys."""

import secrets
import string
from collections.abc import Iterable

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models.functions import Now
from django.utils.text import slugify

from portal import vault
from portal.actions import audit
from portal.actions.names import check_name, unless_taken
from portal.actions.roles import require_account_id
from portal.enums import Role
from portal.errors import Conflict, Forbidden, Invalid
from portal.models import AccessKey, ExternalIdentity, Team, User
from provisioning.problems import Problem

KEYS_PER_PERSON = 2


def _only_admins(by: User) -> None:
    if not by.at_least(Role.ADMIN):
        raise Forbidden("People and teams are managed by admins. Ask an admin.")


def _own_or_admin(by: User, owner_id: int) -> None:
    if not (by.is_active and by.pk == owner_id):
        _only_admins(by)


def _check_password(password: str, path: str, user: User | None = None) -> None:
    try:
        validate_password(password, user)
    except ValidationError as weak:
        raise Invalid(" ".join(weak.messages), [Problem(path, message) for message in weak.messages]) from None


def create_user(
    *, by: User, username: str, password: str, role: str, teams: Iterable[Team] = (), email: str = ""
) -> User:
    """Raises Invalid when the password is too weak, Conflict when the name is taken."""
    _only_admins(by)
    check_name(username, "person", path="/username")
    _check_password(password, "/password")
    with transaction.atomic():
        user = unless_taken(
            lambda: User.objects.create_user(username, email=email, password=password, role=Role(role)),
            f"{username} exists already. Choose another name.",
        )
        user.teams.set(teams)
        audit.record(by=by, action="user.create", target=f"user/{username}", role=user.role)
    return user


def update_user(
    *,
    by: User,
    user: User,
    role: str | None = None,
    teams: Iterable[Team] | None = None,
    is_active: bool | None = None,
) -> User:
    """None leaves a member as it is. A new role, or losing access, ends the person's sessions.

    Raises Conflict where nobody would be admin any more.
    """
    _only_admins(by)
    with transaction.atomic():
        admins = User.objects.select_for_update().filter(role=Role.ADMIN, is_active=True).order_by("pk")
        others = [admin for admin in admins if admin.pk != user.pk]  # locked, so that two cannot step down at once
        locked = User.objects.select_for_update().get(pk=user.pk)
        before = (locked.role, locked.is_active)
        locked.role = locked.role if role is None else Role(role)
        locked.is_active = locked.is_active if is_active is None else is_active
        if not others and not locked.is_admin:
            raise Conflict("Somebody must stay admin: make another person admin first.")
        if (locked.role, locked.is_active) != before:
            locked.end_sessions()
        locked.save(update_fields=["role", "is_active", "session_epoch"])
        if locked.is_active != before[1]:  # an admin's word: no group of the identity provider takes it back
            ExternalIdentity.objects.filter(user=locked).update(access_lost_at=None)
        if teams is not None:
            locked.teams.set(teams)
        audit.record(
            by=by, action="user.update", target=f"user/{user.username}", role=locked.role, active=locked.is_active
        )
    user.refresh_from_db(fields=["role", "is_active", "session_epoch"])
    return user


def check_own_password(user: User, password: str, path: str) -> None:
    """Raises Invalid at ``path`` unless it is theirs. Count the try first: portal.actions.sign_in."""
    if not user.check_password(password):
        message = "This is not your password."
        raise Invalid(message, [Problem(path, message)])


def change_password(*, by: User, old: str, new: str) -> None:
    """One's own. It ends all sessions of this person; access keys stay. Raises Invalid at /old or /new."""
    check_own_password(by, old, "/old")
    _check_password(new, "/new", by)
    with transaction.atomic():
        by.set_password(new)
        by.save(update_fields=["password"])
        audit.record(by=by, action="user.change_password", target=f"user/{by.username}")


def create_team(*, by: User, name: str, description: str = "") -> Team:
    """Names are lower-case words with hyphens. Raises Invalid, Conflict."""
    _only_admins(by)
    if not name or slugify(name) != name:
        message = "Use lower-case letters, digits and hyphens."
        raise Invalid(message, [Problem("/name", message)])
    with transaction.atomic():
        team = unless_taken(
            lambda: Team.objects.create(name=name, description=description), f"Team {name} exists already."
        )
        audit.record(by=by, action="team.create", target=f"team/{name}")
    return team


def update_team(*, by: User, team: Team, description: str) -> Team:
    _only_admins(by)
    with transaction.atomic():
        team.description = description[:500]
        team.save(update_fields=["description"])
        audit.record(by=by, action="team.update", target=f"team/{team.name}")
    return team


def delete_team(*, by: User, team: Team) -> None:
    """Raises Conflict while it owns a service or an environment."""
    _only_admins(by)
    owned = [*team.services.all()[:5], *team.environments.all()[:5]]
    if owned:
        raise Conflict(f"Team {team.name} owns {', '.join(str(thing) for thing in owned)}: give those away first.")
    with transaction.atomic():
        audit.record(by=by, action="team.delete", target=f"team/{team.name}")
        team.delete()


def new_key_id(prefix: str = "AKIA") -> str:
    return prefix + "".join(secrets.choice(string.ascii_uppercase + "234567") for _ in range(16))


def create_access_key(*, by: User | None, user: User, account_id: str = "") -> tuple[AccessKey, str]:
    """A key and its secret, which is shown this once. Two per person, so that they can be rotated.

    ``account_id`` is the AWS account that its calls come from, the management account when empty; another one is for
    platform engineers to say. By None: those who may run commands on the server. Raises Forbidden, Invalid, Conflict.
    """
    if by is not None:
        _own_or_admin(by, user.pk)
    account_id = account_id or settings.PORTAL_ACCOUNT_ID
    require_account_id(account_id, path="/account_id")
    if by is not None and account_id != settings.PORTAL_ACCOUNT_ID and not by.at_least(Role.PLATFORM):
        raise Forbidden("Keys for another AWS account are made by platform engineers. Ask one.")
    secret, key_id = secrets.token_urlsafe(30), new_key_id()
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        if user.access_keys.filter(revoked_at__isnull=True).count() >= KEYS_PER_PERSON:
            raise Conflict(f"{user.username} has {KEYS_PER_PERSON} access keys: revoke one first.")
        key = AccessKey.objects.create(
            key_id=key_id,
            secret=vault.keep(secret, place=vault.key_place(key_id)),
            user=user,
            account_id=account_id,
        )
        audit.record(by=by, action="access_key.create", target=f"user/{user.username}", key=key_id, account=account_id)
    return key, secret


def revoke_access_key(*, by: User | None, key: AccessKey) -> AccessKey:
    """Effective with the next request, also for the short-lived keys behind it. By None: as above."""
    if by is not None:
        _own_or_admin(by, key.user_id)
    with transaction.atomic():
        if AccessKey.objects.filter(pk=key.pk, revoked_at__isnull=True).update(revoked_at=Now()):
            audit.record(by=by, action="access_key.revoke", target=f"user/{key.user.username}", key=key.key_id)
    key.refresh_from_db()
    return key
