"""People, teams and access keys."""

from django.conf import settings
from django.contrib.auth import update_session_auth_hash
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from portal import access
from portal.actions import people as actions
from portal.enums import Role
from portal.errors import PortalError
from portal.queries import accounts
from portal.queries import people as queries
from portal.web.forms.people import KeyForm, NewPersonForm, NewTeamForm, PasswordForm, PersonForm, TeamForm
from portal.web.page import done, page, posted


def _ask(request: HttpRequest) -> str:
    return "" if request.user.is_admin else "an admin"


@require_safe
def people(request: HttpRequest) -> HttpResponse:
    search = request.GET.get("q", "")[:100]
    context = {"people": queries.people(search=search), "search": search, "ask": _ask(request)}
    return page(request, "people/list.html", context, partial="people")


def person_new(request: HttpRequest) -> HttpResponse:
    access.require(request.user, Role.ADMIN)
    form = NewPersonForm(posted(request))
    if request.method == "POST" and form.is_valid():
        try:
            made = actions.create_user(by=request.user, **form.cleaned_data)
        except PortalError as refusal:
            form.take(refusal)
        else:
            return done(request, "people", message=f"{made.username} can sign in now.")
    return page(request, "people/form.html", {"form": form}, status=422 if form.errors else 200)


def person(request: HttpRequest, username: str) -> HttpResponse:
    """Everybody may read; admins change."""
    found = access.user_account(request.user, username, write=request.method == "POST")
    initial = {
        "role": found.role,
        "is_active": found.is_active,
        "teams": [team.name for team in found.teams.all()],
    }
    form = PersonForm(posted(request), initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            actions.update_user(by=request.user, user=found, **form.cleaned_data)
        except PortalError as refusal:
            form.take(refusal)
            found.refresh_from_db()
        else:
            return done(request, "people", message="Saved.")
    context = {
        "person": found,
        "form": form,
        "teams": list(found.teams.all()),
        "keys": queries.keys_of(found) if request.user.is_admin else [],
        "ask": _ask(request),
    }
    return page(request, "people/person.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
def password(request: HttpRequest) -> HttpResponse:
    """One's own password. This session goes on, every other one ends."""
    form = PasswordForm(posted(request))
    if request.method == "POST" and form.is_valid():
        try:
            actions.change_password(by=request.user, old=form.cleaned_data["old"], new=form.cleaned_data["new"])
        except PortalError as refusal:
            form.take(refusal)
        else:
            update_session_auth_hash(request, request.user)
            return done(request, "settings", message="Your password is changed. Other sessions of yours have ended.")
    return page(request, "people/password.html", {"form": form}, status=422 if form.errors else 200)


@require_safe
def teams(request: HttpRequest) -> HttpResponse:
    return page(request, "people/teams.html", {"teams": queries.teams(), "ask": _ask(request)})


def team_new(request: HttpRequest) -> HttpResponse:
    access.require(request.user, Role.ADMIN)
    form = NewTeamForm(posted(request))
    if request.method == "POST" and form.is_valid():
        try:
            made = actions.create_team(by=request.user, **form.cleaned_data)
        except PortalError as refusal:
            form.take(refusal)
        else:
            return done(request, "team", made.name, message=f"Team {made.name} is there.")
    return page(request, "people/team_form.html", {"form": form}, status=422 if form.errors else 200)


def team(request: HttpRequest, name: str) -> HttpResponse:
    """Everybody may read; admins change."""
    found = access.team(request.user, name, write=request.method == "POST")
    form = TeamForm(posted(request), initial={"description": found.description})
    if request.method == "POST" and form.is_valid():
        actions.update_team(by=request.user, team=found, description=form.cleaned_data["description"])
        return done(request, "team", name, message="Saved.")
    context = {
        "team": found,
        "form": form,
        "members": found.members.order_by("username"),
        "services": found.services.order_by("name"),
        "environments": found.environments.order_by("name"),
        "ask": _ask(request),
    }
    return page(request, "people/team.html", context, status=422 if form.errors else 200)


@require_POST
def team_delete(request: HttpRequest, name: str) -> HttpResponse:
    found = access.team(request.user, name, write=True)
    actions.delete_team(by=request.user, team=found)
    return done(request, "teams", message=f"Team {name} is deleted.")


@require_safe
def keys(request: HttpRequest) -> HttpResponse:
    return page(request, "people/keys.html", _keys_context(request, _key_form(request)))


@never_cache
@require_POST
def key_new(request: HttpRequest) -> HttpResponse:
    """The answer holds the secret, this once; it is stored by nobody's cache."""
    form = _key_form(request)
    if form is not None and not form.is_valid():
        return page(request, "people/keys.html", _keys_context(request, form), status=422)
    account_id = form.cleaned_data["account_id"] if form is not None else ""
    key, secret = actions.create_access_key(by=request.user, user=request.user, account_id=account_id)
    return page(request, "people/keys.html", {**_keys_context(request), "made": key, "secret": secret})


def _key_form(request: HttpRequest) -> KeyForm | None:
    """For those who may say which account a key is for, where there is more than one."""
    if not request.user.is_platform or len(known := accounts.names()) == 1:
        return None
    initial = {"account_id": settings.PORTAL_ACCOUNT_ID}
    return KeyForm(posted(request), accounts=known, initial=initial)


def _keys_context(request: HttpRequest, form: KeyForm | None = None) -> dict[str, object]:
    rows = list(queries.keys_of(request.user))
    return {
        "form": form,
        "keys": rows,
        "full": sum(row.revoked_at is None for row in rows) >= actions.KEYS_PER_PERSON,
        "endpoint": settings.PORTAL_PUBLIC_URL,
        "region": settings.PORTAL_REGION,
    }


@require_POST
def key_revoke(request: HttpRequest, key_id: str) -> HttpResponse:
    found = access.access_key(request.user, key_id)
    actions.revoke_access_key(by=request.user, key=found)
    message = f"Access key {key_id} is revoked."
    if found.user_id == request.user.pk:
        return done(request, "keys", message=message)
    return done(request, "person", found.user.username, message=message)
