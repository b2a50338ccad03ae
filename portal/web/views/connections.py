"""Account connections: list, request, page with policies and test, decision, roles, deletion."""

from uuid import UUID

from django.conf import settings
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from portal import access
from portal.actions import connections as actions
from portal.enums import EnvironmentAccountConnectionStatus, Role
from portal.errors import Invalid, PortalError, Unavailable
from portal.models import EnvironmentAccountConnection
from portal.queries import accounts
from portal.queries import connections as queries
from portal.web.forms.connections import AcceptForm, ChangedRolesForm, ConnectionRolesForm, NewConnectionForm
from portal.web.page import done, page, posted
from portal.web.policies import PolicyDocument
from portal.web.views.lists import Filters, confirmed, state_choices
from provisioning import policies

PER_PAGE = 50
Status = EnvironmentAccountConnectionStatus


def _ask(request: HttpRequest) -> str:
    return "" if request.user.at_least(Role.PLATFORM) else "a platform engineer"


@require_safe
def connections(request: HttpRequest) -> HttpResponse:
    """Requests that the management account received, or those that one environment account sent."""
    filters = Filters.of(request)
    names = accounts.names()
    if filters.who:
        rows = queries.sent(request.user, filters.who)
    else:
        rows = queries.received(request.user, settings.PORTAL_ACCOUNT_ID)
    rows = queries.filtered(rows, statuses=[filters.state] if filters.state else [])
    rows = filters.search(rows, "environment_name", "environment_account_id", "role_arn")
    found = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "connections": found.object_list,
        "page_obj": found,
        "filters": filters,
        "states": state_choices(Status),
        "names": names,
        "senders": [(account, name) for account, name in names.items() if account != settings.PORTAL_ACCOUNT_ID],
        "management": settings.PORTAL_ACCOUNT_ID,
        "ask": _ask(request),
    }
    return page(request, "connections/list.html", context, partial="rows")


@require_http_methods(["GET", "HEAD", "POST"])
def connection_new(request: HttpRequest) -> HttpResponse:
    access.require(request.user, Role.PLATFORM)
    form = NewConnectionForm(posted(request))
    if request.method == "POST" and form.is_valid():
        asked = dict(form.cleaned_data)
        try:
            made = actions.request(
                by=request.user,
                account_id=asked.pop("environment_account_id"),
                management_account_id=settings.PORTAL_ACCOUNT_ID,
                **asked,
            )
        except PortalError as refusal:
            form.take(refusal)
        else:
            return done(request, "connection", made.pk, message="The connection is asked for. Now make its roles.")
    context = {"form": form, "management": settings.PORTAL_ACCOUNT_ID}
    return page(request, "connections/form.html", context, status=422 if form.errors else 200)


def _documents(connection: EnvironmentAccountConnection) -> list[PolicyDocument]:
    account, region = connection.environment_account_id, settings.PORTAL_REGION
    may = policies.provisioning_policy(
        account_id=account,
        region=region,
        services=queries.services_in_use(),
        template_bucket=settings.TEMPLATE_BUCKET,
    )
    trust = policies.trust_policy(principal=queries.principal(), external_id=connection.external_id)
    found = []
    if connection.role_arn or connection.component_role_arn or not connection.codebuild_role_arn:
        found += [
            PolicyDocument(
                "trust", "Whom the role trusts", "Trust policy of the role, and of the component role", trust
            ),
            PolicyDocument(
                "permissions", "What the role may do", "Permission policy of the role, and of the component role", may
            ),
        ]
    if connection.codebuild_role_arn:
        enters = (
            {} if connection.role_arn else {"principal": queries.principal(), "external_id": connection.external_id}
        )
        builds = policies.codebuild_trust_policy(account_id=account, region=region, **enters)
        starts = policies.building_policy(account_id=account, region=region, role=connection.codebuild_role_arn)
        starter = "role" if connection.role_arn else "CodeBuild role"
        logs = policies.codebuild_policy(account_id=account, region=region)
        found += [
            PolicyDocument(
                "codebuild-trust", "Whom the CodeBuild role trusts", "Trust policy of the CodeBuild role", builds
            ),
            PolicyDocument(
                "builds", "What starts builds", f"Permission policy of the {starter}, beside the other", starts
            ),
            PolicyDocument(
                "codebuild", "What the CodeBuild role may do", "Permission policy of the CodeBuild role", logs
            ),
        ]
    return found


def _page(
    request: HttpRequest, found: EnvironmentAccountConnection, form: AcceptForm | None = None, status: int = 200
) -> HttpResponse:
    context = {
        "connection": found,
        "environment": getattr(found, "environment", None),
        "names": accounts.names(),
        "documents": _documents(found),
        "form": form or AcceptForm(may_override=request.user.is_admin),
        "region": settings.PORTAL_REGION,
        "ask": _ask(request),
    }
    return page(request, "connections/detail.html", context, status=status)


@require_safe
def connection(request: HttpRequest, id: UUID) -> HttpResponse:
    return _page(request, access.connection(request.user, id))


@require_POST
def connection_test(request: HttpRequest, id: UUID) -> HttpResponse:
    found = access.connection(request.user, id, write=True)
    tested = actions.test(by=request.user, connection=found)
    return done(request, "connection", id, message=f"Tested: {tested.get_verdict_display().lower()}.")


@require_POST
def connection_accept(request: HttpRequest, id: UUID) -> HttpResponse:
    """On behalf of the management account."""
    found = access.connection(request.user, id, write=True)
    form = AcceptForm(request.POST, may_override=request.user.is_admin)
    if form.is_valid():
        try:
            actions.accept(
                by=request.user,
                account_id=found.management_account_id,
                connection=found,
                reason=form.cleaned_data["reason"],
            )
        except (Invalid, Unavailable) as refusal:
            form.take(refusal)
        else:
            message = f"Connected: environment {found.environment_name} can be created."
            return done(request, "connection", id, message=message)
    return _page(request, access.connection(request.user, id), form, status=422)


@require_POST
def connection_reject(request: HttpRequest, id: UUID) -> HttpResponse:
    """On behalf of the management account."""
    found = access.connection(request.user, id, write=True)
    actions.reject(by=request.user, account_id=found.management_account_id, connection=found)
    return done(request, "connection", id, message="The connection is rejected.")


@require_http_methods(["GET", "HEAD", "POST"])
def connection_edit(request: HttpRequest, id: UUID) -> HttpResponse:
    """Its roles, on behalf of the environment account."""
    found = access.connection(request.user, id, write=True)
    initial = {name: getattr(found, name) for name in ConnectionRolesForm.base_fields}
    overridable = found.status == Status.CONNECTED and request.user.is_admin
    form = ChangedRolesForm(posted(request), initial=initial, may_override=overridable)
    if request.method == "POST" and form.is_valid():
        try:
            actions.update_roles(
                by=request.user, account_id=found.environment_account_id, connection=found, **form.cleaned_data
            )
        except PortalError as refusal:
            form.take(refusal)
        else:
            return done(request, "connection", id, message="The roles are saved. The next deployment uses them.")
    context = {"form": form, "connection": found}
    return page(request, "connections/edit.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
def connection_delete(request: HttpRequest, id: UUID) -> HttpResponse:
    """On behalf of the environment account, which may always shut the door."""
    found = access.connection(request.user, id, write=True)
    environment = getattr(found, "environment", None)
    context: dict[str, object] = {"connection": found, "environment": environment}
    if request.method == "POST":
        if environment is None or confirmed(request, found.environment_name):
            actions.delete(by=request.user, account_id=found.environment_account_id, connection=found)
            return done(request, "connections", message=f"The connection for {found} is deleted.")
        context["problem"] = f"Type {found.environment_name} to confirm that it loses its access."
    return page(request, "connections/delete.html", context, status=422 if "problem" in context else 200)
