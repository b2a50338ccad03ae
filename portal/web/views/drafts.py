"""The wizards' steps on a draft: details, inputs (as a form or as YAML), review, submit."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from portal import access
from portal.actions import drafts as actions
from portal.actions import repositories
from portal.enums import TemplateKind
from portal.errors import Conflict, Invalid, PortalError, QuotaExceeded
from portal.models import Draft, Environment, EnvironmentAccountConnection, Service, User
from portal.queries import destinations, environments
from portal.queries import templates as template_queries
from portal.web import secret_references
from portal.web.forms import document as documents
from portal.web.forms import sections as drawing
from portal.web.forms.details import Details, EnvironmentDetails, ServiceDetails, as_data
from portal.web.forms.document import Document, Shape
from portal.web.forms.spec import Field, flat, summary
from portal.web.page import done, page
from portal.web.previews import Rendered, of_draft
from provisioning.problems import Problem, errors

STEPS = (("details", "Details"), ("inputs", "Inputs"), ("review", "Review"))


def _draft(request: HttpRequest, id: UUID) -> Draft:
    return access.draft(request.user, id)


def _context(draft: Draft, step: str, **more: Any) -> dict[str, Any]:
    """What every step needs: the steps with their links, the template, and the draft."""
    order = [name for name, _ in STEPS]
    steps = [
        {
            "name": name,
            "label": label,
            "url": reverse(f"draft-{name}", args=[draft.pk]),
            "state": "current" if name == step else "done" if order.index(name) < order.index(step) else "later",
        }
        for name, label in STEPS
    ]
    kind = "environment" if draft.template.kind == TemplateKind.ENVIRONMENT else "service"
    return {
        "draft": draft,
        "kind": kind,
        "steps": steps,
        "thing": draft.details.get("name", ""),
        "new_url": reverse(f"{kind}-new"),
        "check_url": reverse("draft-field", args=[draft.pk]),
        **more,
    }


def result_url(made: Environment | Service) -> str:
    return reverse("environment" if isinstance(made, Environment) else "service", args=[made.name])


def _submitted(request: HttpRequest, draft: Draft) -> HttpResponse | None:
    """Where a draft that was submitted leads; None while it is open."""
    made = actions.result_of(draft) if draft.result_arn else None
    return redirect(result_url(made)) if made is not None else None


@require_GET
def draft(request: HttpRequest, id: UUID) -> HttpResponse:
    """Resume: the first step that is not done yet."""
    found = _draft(request, id)
    step = "details" if not found.details.get("name") else "inputs" if not found.spec else "review"
    return _submitted(request, found) or redirect(f"draft-{step}", found.pk)


def details_form(user: User, draft: Draft, data: Mapping[str, str] | None = None, **more: Any) -> Details:
    versions = template_queries.usable_versions(user, draft.template)
    kept = {"version": draft.version.number, **draft.details}
    if draft.template.kind == TemplateKind.ENVIRONMENT:
        return EnvironmentDetails(data, initial=kept, user=user, versions=versions, **more)
    if "team" not in kept and not user.is_platform:
        first = user.teams.order_by("name").first()
        kept["team"] = first.name if first else ""
    return ServiceDetails(
        data, initial=kept, user=user, versions=versions, has_pipeline=draft.version.has_pipeline, **more
    )


def _keep_details(user: User, draft: Draft, form: Details) -> Draft:
    typed = form.typed()
    number = typed.pop("version", draft.version.number)
    version = next(
        (row for row in template_queries.usable_versions(user, draft.template) if row.number == number), None
    )
    return actions.save(by=user, draft=draft, details={**draft.details, **typed}, version=version)


@require_http_methods(["GET", "POST"])
def draft_details(request: HttpRequest, id: UUID) -> HttpResponse:
    found = _draft(request, id)
    if answer := _submitted(request, found):
        return answer
    if request.method == "GET":
        return _details_page(request, found, details_form(request.user, found))
    form = details_form(request.user, found, request.POST)
    valid = form.is_valid()
    found = _keep_details(request.user, found, form)
    if "_later" in request.POST:
        return done(request, f"{_kind(found)}-new", message="The draft is saved.")
    if not valid:
        return _details_page(request, found, form, form.problems(), status=422)
    return done(request, "draft-inputs", found.pk)


def _kind(draft: Draft) -> str:
    return "environment" if draft.template.kind == TemplateKind.ENVIRONMENT else "service"


def _details_page(
    request: HttpRequest, draft: Draft, form: Details, problems: Iterable[Problem] = (), status: int = 200
) -> HttpResponse:
    fields = form.drawn()
    context = _context(draft, "details", fields=fields, problems=summary(fields, problems))
    return page(request, "drafts/details.html", context, partial="spec-form", status=status)


def _inputs(draft: Draft) -> tuple[Shape, Document | None, tuple[Problem, ...]]:
    shape = Shape.of(draft.version)
    document, problems = documents.parse(draft.spec, shape)
    return shape, document, problems


def _keep(user: User, draft: Draft, shape: Shape, document: Document) -> tuple[Draft, bool]:
    """The saved draft, and whether the comments of its YAML could be kept."""
    text, kept = documents.text_for(documents.without_secrets(document, shape), shape, draft.spec)
    return actions.save(by=user, draft=draft, spec=text), kept


def _open_problems(document: Document, shape: Shape) -> list[Problem]:
    """The problems of a draft's document, without those of secrets, which are asked for last."""
    return [problem for problem in documents.problems_of(document, shape) if not shape.is_secret(problem.path)]


@require_http_methods(["GET", "POST"])
def draft_inputs(request: HttpRequest, id: UUID) -> HttpResponse:
    found = _draft(request, id)
    if answer := _submitted(request, found):
        return answer
    shape, document, problems = _inputs(found)
    if request.GET.get("mode") == "yaml" or document is None:
        return _yaml(request, found, shape, problems)
    if request.method == "GET":
        return _inputs_page(request, found, shape, document)
    if documents.pressed(request.POST):
        document = documents.edited(request.POST, shape, document)
        found, kept = _keep(request.user, found, shape, document)
        return _inputs_page(request, found, shape, document, comments_kept=kept)
    document = documents.posted(request.POST, shape, document)
    if "_drop_comments" not in request.POST and not documents.text_for(document, shape, found.spec)[1]:
        return _inputs_page(request, found, shape, document, comments_kept=False, status=422)
    found, _ = _keep(request.user, found, shape, document)
    return _after_inputs(request, found, shape, document)


def _after_inputs(request: HttpRequest, draft: Draft, shape: Shape, document: Document) -> HttpResponse:
    if "_later" in request.POST:
        return done(request, f"{_kind(draft)}-new", message="The draft is saved.")
    if "_back" in request.POST:
        return done(request, "draft-details", draft.pk)
    if "_yaml" in request.POST:
        return done(request, reverse("draft-inputs", args=[draft.pk]) + "?mode=yaml")
    problems = [*_open_problems(document, shape), *secret_references.problems_of(document, shape)]
    if errors(problems):
        return _inputs_page(request, draft, shape, document, problems, status=422)
    return done(request, "draft-review", draft.pk)


def _sections(user: User, shape: Shape, document: Document, problems: Iterable[Problem]) -> list[drawing.Section]:
    choices = None
    if shape.kind == "service":
        choices = drawing.environment_choices(environments.visible_to(user), shape.version)
    return drawing.sections(document, shape, problems, environments=choices)


def _inputs_page(
    request: HttpRequest,
    draft: Draft,
    shape: Shape,
    document: Document,
    problems: Iterable[Problem] = (),
    *,
    comments_kept: bool = True,
    status: int = 200,
) -> HttpResponse:
    told = list(problems)
    sections = _sections(request.user, shape, document, told)
    drawn: list[Field] = [field for section in sections for field in section.fields]
    context = _context(
        draft,
        "inputs",
        sections=sections,
        problems=summary(drawn, told),
        empty=not drawn,
        secrets=drawing.secret_fields(document, shape),
        comments_lost=not comments_kept,
        edit_url=reverse("draft-inputs", args=[draft.pk]),
    )
    return page(request, "drafts/inputs.html", context, partial="spec-form", status=status)


def _yaml(request: HttpRequest, draft: Draft, shape: Shape, problems: tuple[Problem, ...]) -> HttpResponse:
    """The same spec as text. What cannot be read is kept as it is, and said."""
    if request.method == "GET":
        if not draft.spec:
            text, _ = documents.text_for(documents.blank(shape), shape)
            draft.spec = text
        return _yaml_page(request, draft, problems)
    text = request.POST.get("yaml", "").replace("\r\n", "\n")
    document, problems = documents.parse(text, shape)
    if document is None:
        draft.spec = text
        if "_later" in request.POST:
            actions.save(by=request.user, draft=draft, spec=text)
            return done(request, f"{_kind(draft)}-new", message="The draft is saved.")
        return _yaml_page(request, draft, problems, status=422)
    clean = documents.without_secrets(document, shape)
    if clean != document:
        text, _ = documents.text_for(clean, shape, text)
    draft = actions.save(by=request.user, draft=draft, spec=text)
    if "_form" in request.POST:
        return done(request, "draft-inputs", draft.pk)
    if "_later" in request.POST:
        return done(request, f"{_kind(draft)}-new", message="The draft is saved.")
    found = _open_problems(clean, shape)
    if errors(found):
        return _yaml_page(request, draft, found, status=422)
    return done(request, "draft-review", draft.pk)


def _yaml_page(request: HttpRequest, draft: Draft, problems: Iterable[Problem], status: int = 200) -> HttpResponse:
    context = _context(draft, "inputs", yaml=draft.spec, yaml_problems=list(problems))
    return page(request, "drafts/yaml.html", context, partial="spec-form", status=status)


@require_POST
def draft_field(request: HttpRequest, id: UUID) -> HttpResponse:
    """Checks one field that was left, and saves the draft on the way. Answers with the field alone."""
    found = _draft(request, id)
    path = request.GET.get("check", "")
    if not path.startswith(("/spec", "/instances", "/pipeline")):
        form = details_form(request.user, found, request.POST)
        form.is_valid()
        found = _keep_details(request.user, found, form)
        return field_answer(request, form.draw(path), found, found.pk)
    shape, document, _ = _inputs(found)
    document = documents.posted(request.POST, shape, document or documents.blank(shape))
    found, _ = _keep(request.user, found, shape, document)
    problems = [problem for problem in _open_problems(document, shape) if problem.path == path]
    problems += secret_references.problems_of(document, shape, below=path)
    sections = _sections(request.user, shape, document, problems)
    return field_answer(request, field_at(sections, path), found, found.pk)


def field_at(sections: Iterable[drawing.Section], path: str) -> list[Field]:
    return [field for section in sections for field in flat(section.fields) if field.pointer == path][:1]


def field_answer(request: HttpRequest, fields: list[Field], draft: Draft | None, id: object) -> HttpResponse:
    """One field drawn again, with the note that the draft was saved beside it (out of band)."""
    check_url = reverse("draft-field", args=[id]) if draft else request.path
    edit_url = reverse("draft-inputs", args=[id]) if draft else request.path
    context = {"fields": fields, "check_url": check_url, "edit_url": edit_url, "draft": draft, "oob": True}
    return render(request, "drafts/field.html", context)


@require_GET
def draft_review(request: HttpRequest, id: UUID) -> HttpResponse:
    found = _draft(request, id)
    if answer := _submitted(request, found):
        return answer
    shape, document, _ = _inputs(found)
    if document is None:
        return redirect(reverse("draft-inputs", args=[found.pk]) + "?mode=yaml")
    if request.GET.get("part") == "preview":
        context = _context(found, "review", rendered=of_draft(request.user, found, document, shape))
        return page(request, "drafts/review.html", context, partial="rendered")
    rendered = of_draft(request.user, found, document, shape) if "render" in request.GET else None
    return _review_page(request, found, shape, document, rendered=rendered)


def _review_page(
    request: HttpRequest,
    draft: Draft,
    shape: Shape,
    document: Document,
    problems: Iterable[Problem] = (),
    *,
    refusal: str = "",
    rendered: Rendered | None = None,
    status: int = 200,
) -> HttpResponse:
    form = details_form(request.user, draft, as_data({"version": draft.version.number, **draft.details}))
    open_problems = [*form.problems(), *_open_problems(document, shape)]
    told = [*open_problems, *problems]
    secrets = drawing.secret_fields(document, shape, told)
    connection = _connection(form)
    drawn = _sections(request.user, shape, document, ())
    context = _context(
        draft,
        "review",
        details=[(field, _shown(field)) for field in form.drawn() if field.value],
        sections=drawn,
        spec=documents.text_for(document, shape, draft.spec)[0],
        links=_links(draft, form, drawn, secrets, told),
        ready=not errors(open_problems),
        secrets=secrets,
        refusal=refusal,
        rendered=rendered,
        has_pipeline=shape.kind == "service" and destinations.pipeline_part(draft.version) is not None,
        workflows=destinations.workflow_paths(draft.version) if shape.kind == "service" else (),
        connected=connection,
        repository=repositories.chosen(draft.details) if shape.kind == "environment" else None,
        account=connection.environment_account_id
        if connection
        else draft.details.get("account_id") or settings.PORTAL_ACCOUNT_ID,
        role=connection.role_arn if connection else draft.details.get("proton_service_role_arn") or "",
        edit_urls={
            "details": reverse("draft-details", args=[draft.pk]),
            "inputs": reverse("draft-inputs", args=[draft.pk]),
        },
    )
    return page(request, "drafts/review.html", context, partial="spec-form", status=status)


def _shown(field: drawing.Field) -> str:
    """A value as people chose it."""
    return next((choice.label for choice in field.choices if choice.selected), str(field.value))


def _connection(form: Details) -> EnvironmentAccountConnection | None:
    """The one that an environment's details name, if any."""
    if not isinstance(form, EnvironmentDetails):
        return None
    return form.connections.get(str(form.data.get("/environment_account_connection_id") or ""))


def _links(
    draft: Draft,
    form: Details,
    sections: Iterable[drawing.Section],
    secrets: Iterable[Field],
    problems: Iterable[Problem],
) -> list[tuple[str, str, str]]:
    """Every error as (address of its field, label, message): on its step's page, or on this one for a secret."""
    places = {
        **{field.pointer: reverse("draft-details", args=[draft.pk]) for field in form.drawn()},
        **{
            field.pointer: reverse("draft-inputs", args=[draft.pk])
            for section in sections
            for field in flat(section.fields)
        },
        **{field.pointer: "" for field in secrets},
    }
    known = [*form.drawn(), *(field for section in sections for field in section.fields), *secrets]
    ids = {field.id: places[field.pointer] for field in flat(known) if field.pointer in places}
    return [
        (f"{ids[line.id]}#{line.id}" if line.id in ids else "", line.label, line.message)
        for line in summary(known, errors(problems))
    ]


@require_POST
def draft_submit(request: HttpRequest, id: UUID) -> HttpResponse:
    """Make it. Pressing twice makes one thing and leads to it twice."""
    found = _draft(request, id)
    if answer := _submitted(request, found):
        return answer
    shape, document, _ = _inputs(found)
    if document is None:
        return redirect(reverse("draft-inputs", args=[found.pk]) + "?mode=yaml")
    typed = {
        field.pointer: request.POST[field.pointer]
        for field in drawing.secret_fields(document, shape)
        if request.POST.get(field.pointer)
    }
    whole = documents.with_values(document, typed) if typed else document
    problems = documents.problems_of(whole, shape)
    missing = errors(secret_references.problems_of(whole, shape))
    if missing:
        return _review_page(request, found, shape, document, missing, status=422)
    if errors(problems):
        secret = [problem for problem in problems if shape.is_secret(problem.path)]
        return _review_page(request, found, shape, document, secret, status=422)
    try:
        made = actions.submit(by=request.user, draft=found, spec=documents.text_for(whole, shape, found.spec)[0])
    except (Invalid, Conflict, QuotaExceeded) as refused:
        return _refused(request, found, shape, document, refused)
    return done(request, result_url(made), message=f"{made.name} is being created.")


def _refused(
    request: HttpRequest, draft: Draft, shape: Shape, document: Document, refused: PortalError
) -> HttpResponse:
    problems = list(getattr(refused, "problems", ()))
    status = 422 if isinstance(refused, Invalid) else 409
    refusal = "" if problems else refused.message
    return _review_page(request, draft, shape, document, problems, refusal=refusal, status=status)


@require_POST
def draft_discard(request: HttpRequest, id: UUID) -> HttpResponse:
    found = _draft(request, id)
    kind = _kind(found)
    actions.discard(by=request.user, draft=found)
    return done(request, f"{kind}-new", message="The draft is discarded.")
