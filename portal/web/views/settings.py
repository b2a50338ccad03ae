"""Settings: what there is to set, roles of the management account, the audit log."""

from django.conf import settings as django_settings
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from portal import access
from portal.actions import accounts as actions
from portal.enums import Role
from portal.errors import PortalError
from portal.models import AccountSettings
from portal.queries import audit as audit_queries
from portal.queries import connections, repositories
from portal.web.forms.components import ComponentRightsForm
from portal.web.forms.people import RolesForm
from portal.web.forms.repositories import PipelineRepositoryForm
from portal.web.page import done, page, posted
from portal.web.policies import PolicyDocument
from provisioning import policies

EVENTS_PER_PAGE = 100


@require_safe
def settings(request: HttpRequest) -> HttpResponse:
    context = {
        "account_id": django_settings.PORTAL_ACCOUNT_ID,
        "region": django_settings.PORTAL_REGION,
        "endpoint": django_settings.PORTAL_PUBLIC_URL,
        "command_runner": django_settings.COMMAND_RUNNER,
        "without_sandbox": django_settings.COMMANDS_WITHOUT_SANDBOX,
        "teams": list(request.user.teams.all()),
    }
    return page(request, "settings/index.html", context)


def roles(request: HttpRequest) -> HttpResponse:
    """Everybody may read them; admins change them."""
    row = AccountSettings.get()
    initial = {name: getattr(row, name) for name in RolesForm.base_fields}
    form = RolesForm(posted(request), initial=initial)
    if request.method == "POST":
        access.require(request.user, Role.ADMIN)
        if form.is_valid():
            try:
                actions.update_settings(by=request.user, **form.cleaned_data)
            except PortalError as refusal:
                form.take(refusal)
            else:
                return done(request, "roles", message="Saved.")
    context = {"form": form, "row": row, "documents": _documents()}
    return page(request, "settings/roles.html", context, status=422 if form.errors else 200)


def components(request: HttpRequest) -> HttpResponse:
    """Whether developers may use components: everybody may read it, admins change it."""
    row = AccountSettings.get()
    form = ComponentRightsForm(posted(request), initial={"developers_use_components": row.developers_use_components})
    if request.method == "POST":
        access.require(request.user, Role.ADMIN)
        if form.is_valid():
            actions.update_settings(by=request.user, **form.cleaned_data)
            return done(request, "settings-components", message="Saved.")
    return page(request, "settings/components.html", {"form": form, "row": row})


def pipelines(request: HttpRequest) -> HttpResponse:
    """The repository that pipelines are delivered to: everybody may read it, admins change it."""
    kept = AccountSettings.get().pipeline_provisioning_repository
    known = repositories.branch_choices(request.user)
    initial = {"repository": f"{kept['provider']}:{kept['name']}", "branch": kept["branch"]} if kept else {}
    form = PipelineRepositoryForm(posted(request), initial=initial, known=known)
    if request.method == "POST":
        access.require(request.user, Role.ADMIN)
        if form.is_valid():
            provider, _, name = form.cleaned_data["repository"].partition(":")
            branch = {"provider": provider, "name": name, "branch": form.cleaned_data["branch"]}
            try:
                actions.update_settings(
                    by=request.user,
                    pipeline_provisioning_repository=branch if name else None,
                    delete_pipeline_provisioning_repository=not name,
                )
            except PortalError as refusal:
                form.take(refusal)
            else:
                return done(request, "settings-pipelines", message="Saved.")
    context = {"form": form, "kept": kept, "known": known}
    return page(request, "settings/pipelines.html", context, status=422 if form.errors else 200)


def _documents() -> list[PolicyDocument]:
    """The policies of the management account's own roles: they trust the portal, which needs no external id there."""
    account, region = django_settings.PORTAL_ACCOUNT_ID, django_settings.PORTAL_REGION
    may = policies.provisioning_policy(
        account_id=account,
        region=region,
        services=connections.services_in_use(),
        template_bucket=django_settings.TEMPLATE_BUCKET,
    )
    trust = policies.trust_policy(principal=connections.principal())
    builds = policies.codebuild_trust_policy(account_id=account, region=region)
    logs = policies.codebuild_policy(account_id=account, region=region)
    found = [
        PolicyDocument("trust", "Whom provisioning roles trust", "Of pipeline, service and component roles", trust),
        PolicyDocument("permissions", "What provisioning roles may do", "Of the same roles", may),
        PolicyDocument("codebuild-trust", "Whom CodeBuild roles trust", "Of roles given to CodeBuild", builds),
        PolicyDocument("codebuild", "What CodeBuild roles may do", "The least; commands need more", logs),
    ]
    portal = policies.portal_policy(connections.assumed_roles())
    if portal:
        about = "Of the role or user that the portal runs as: every role that it assumes, or is to test"
        found.append(PolicyDocument("portal", "What the portal's own identity may do", about, portal))
    return found


@require_safe
def audit(request: HttpRequest) -> HttpResponse:
    access.require(request.user, Role.PLATFORM)
    target, actor = request.GET.get("target", "")[:400], request.GET.get("actor", "")[:150]
    rows = audit_queries.recent(target=target, actor=actor, limit=None)
    context = {
        "target": target,
        "actor": actor,
        "page_obj": Paginator(rows, EVENTS_PER_PAGE).get_page(request.GET.get("page")),
    }
    return page(request, "settings/audit.html", context, partial="events")
