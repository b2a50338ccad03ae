"""The first page of both wizards: a template and its version, a draft to resume, or the answers of something made."""

from collections.abc import Iterable
from typing import Any

from django.http import HttpRequest, HttpResponse

from portal import access
from portal.actions import drafts as actions
from portal.enums import TemplateKind
from portal.errors import Conflict
from portal.models import Draft, Environment, User
from portal.queries import templates as template_queries
from portal.web.forms import document as documents
from portal.web.forms.document import Shape
from portal.web.page import done, page


def open_drafts(user: User, kind: str) -> Iterable[Draft]:
    """The person's wizards under way, newest first."""
    rows = Draft.objects.filter(user=user, result_arn="", template__kind=kind)
    return rows.select_related("template", "version").defer("spec", "version__schema", "version__problems")[:10]


def start_wizard(request: HttpRequest, kind: str) -> HttpResponse:
    """The first page of a wizard: choose a template, then its version. Posting makes the draft."""
    if like := request.POST.get("like"):
        return _like(request, kind, like)
    name = request.POST.get("template") or request.GET.get("template", "")
    noun = kind.lower()
    context: dict[str, Any] = {"kind": noun, "search": request.GET.get("q", "").strip()}
    if not name:
        templates = list(template_queries.catalogue(request.user, search=context["search"], kind=kind))
        context |= {"templates": templates, "drafts": open_drafts(request.user, kind)}
        return page(request, "drafts/start.html", context, partial="templates")
    template = access.template(request.user, kind, name)
    versions = template_queries.usable_versions(request.user, template)
    if request.method == "POST":
        chosen = next((row for row in versions if row.number == request.POST.get("version")), None)
        if chosen is not None:
            draft = actions.start(by=request.user, template=template, version=chosen)
            return done(request, "draft-details", draft.pk)
        context["problem"] = "Choose a version."
    context |= {"template": template, "versions": versions, "chosen": request.GET.get("version", "")}
    return page(
        request, "drafts/version.html", context, partial="spec-form", status=422 if "problem" in context else 200
    )


def _like(request: HttpRequest, kind: str, name: str) -> HttpResponse:
    """A draft with the answers of something that exists, its secrets left out. Only the name is asked anew."""
    fetch = access.environment if kind == TemplateKind.ENVIRONMENT else access.service
    model = fetch(request.user, name)
    if isinstance(model, Environment):
        version, text = model.shown_version, model.spec or (model.latest.spec if model.latest else "")
        details = {"proton_service_role_arn": model.proton_service_role_arn}
        details |= {"component_role_arn": model.component_role_arn}
        details |= {"codebuild_role_arn": model.codebuild_role_arn} if model.codebuild_role_arn else {}
        if model.connection is None:  # a connection is for one environment's name
            details["account_id"] = model.target_account_id
        if kept := model.provisioning_repository:
            details["provisioning_repository"] = f"{kept['provider']}:{kept['name']}"
            details["provisioning_branch"] = kept["branch"]
    else:
        shown = [one.shown_version for one in model.instances.all()]
        version = max((one for one in shown if one), key=lambda one: (one.major, one.minor), default=None)
        version, text = version or template_queries.recommended(model.template), model.spec
        details = {"repository_id": model.repository_id, "branch_name": model.branch_name}
        details |= {"repository_connection_arn": model.repository_connection_arn}
    if version is None:
        raise Conflict(f"{name} runs no template version that could be used again.")
    draft = actions.start(by=request.user, template=model.template, version=version)
    shape = Shape.of(version)
    document, _ = documents.parse(text, shape)
    if document is not None:
        text, _ = documents.text_for(documents.without_secrets(document, shape), shape)
    team = model.team.name if model.team else ""
    draft = actions.save(
        by=request.user, draft=draft, spec=text, details={**details, "description": model.description, "team": team}
    )
    return done(request, "draft-details", draft.pk, message=f"Started with the answers of {name}. Give it a name.")
