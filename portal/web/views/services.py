"""Services: list, page, wizard's start, edit (add and remove instances), delete."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from portal import access
from portal.actions import services as actions
from portal.actions.instances import default_version
from portal.enums import Role, ServiceStatus, Staleness, TemplateKind
from portal.errors import Conflict, Invalid, PortalError, QuotaExceeded
from portal.models import Service, ServiceInstance, Team, User
from portal.queries import components, deployments, environments, fleet
from portal.queries import services as queries
from portal.queries.distances import Distance, distances_of
from portal.web.forms import document as documents
from portal.web.forms import sections as drawing
from portal.web.forms.details import ServiceEdit
from portal.web.forms.document import Document, Shape
from portal.web.forms.spec import Field, edit, summary
from portal.web.page import done, page
from portal.web.views.drafts import field_answer, field_at
from portal.web.views.lists import SHOWN_PULLS, Filters, deletion, state_choices
from portal.web.views.starts import start_wizard
from provisioning.problems import Problem, errors

PER_PAGE = 50
ORDER = (Staleness.BEHIND_MAJOR, Staleness.BEHIND_MINOR, Staleness.UP_TO_DATE)


def _worst(instances: Iterable[ServiceInstance], distances: dict[str, Distance]) -> Distance | None:
    """The distance of the instance that is the furthest behind."""
    found = [distances[instance.arn] for instance in instances]
    return min(found, key=lambda one: (ORDER.index(one.status), -one.versions), default=None)


@require_GET
def services(request: HttpRequest) -> HttpResponse:
    filters = Filters.of(request)
    rows = filters.search(queries.visible_to(request.user), "name", "description", "template__name", "team__name")
    if filters.state:
        rows = rows.filter(status=filters.state)
    if filters.team:
        rows = rows.filter(team__name=filters.team)
    found = Paginator(rows.order_by("name"), PER_PAGE).get_page(request.GET.get("page"))
    distances = distances_of((one, row.template) for row in found for one in row.instances.all())
    context = {
        "rows": [(row, _worst(row.instances.all(), distances)) for row in found],
        "page_obj": found,
        "filters": filters,
        "states": state_choices(ServiceStatus),
        "teams": Team.objects.all(),
        "may_create": request.user.at_least(Role.DEVELOPER),
    }
    return page(request, "services/list.html", context, partial="rows")


@require_http_methods(["GET", "POST"])
def service_new(request: HttpRequest) -> HttpResponse:
    access.require(request.user, Role.DEVELOPER)
    return start_wizard(request, TemplateKind.SERVICE)


@require_GET
def service(request: HttpRequest, name: str) -> HttpResponse:
    found = access.service(request.user, name)
    instances = list(found.instances.all())
    pipeline = getattr(found, "pipeline", None)
    targets = [*instances, *([pipeline] if pipeline else [])]
    distances = distances_of((target, found.template) for target in targets)
    change = queries.running_change(found)
    attached = components.attached_to_service(found)
    pulls = fleet.pull_requests_of(pipeline) if pipeline else []
    context = {
        "service": found,
        "instances": [(instance, distances[instance.arn], attached.get(instance.pk)) for instance in instances],
        "pipeline": pipeline,
        "pipeline_distance": distances[pipeline.arn] if pipeline else None,
        "pulls": pulls[:SHOWN_PULLS],
        "versions": fleet.versions_of(pipeline, pulls) if pipeline else None,
        "pipeline_outputs": deployments.outputs_of(pipeline) if pipeline else [],
        "pipeline_history": deployments.history_of(pipeline)[:5] if pipeline else [],
        "change": change,
        "phases": _phases(change, pipeline is not None) if change else [],
        "moving": bool(change) or found.is_busy or any(target.is_busy for target in targets),
        "ask": "" if access.may_change(request.user, found) else access.whom_to_ask(found),
    }
    return page(request, "services/detail.html", context, partial="now")


def _phases(change: Any, has_pipeline: bool) -> list[tuple[str, str]]:
    """The steps of an edit under way, each "done", "current" or "later"."""
    phase = type(change).Phase
    order = [
        phase.INSTANCES,
        *([phase.REMOVALS] if change.removes else []),
        *([phase.PIPELINE] if has_pipeline else []),
    ]
    if change.phase not in order and change.phase != phase.FINISHED:
        order.append(phase(change.phase))
    at = order.index(change.phase) if change.phase in order else len(order)
    states = ["done" if index < at else "current" if index == at else "later" for index in range(len(order))]
    return [(str(each.label), state) for each, state in zip(order, states, strict=True)]


@dataclass(frozen=True)
class Editing:
    """The edit page's form: details, instances that are kept or dropped, and new ones below ``start``."""

    user: User
    service: Service
    shape: Shape
    document: Document  # as stored
    start: int

    @classmethod
    def of(cls, user: User, service: Service) -> "Editing":
        shape = Shape.of(default_version(user, service))
        document, problems = documents.parse(service.spec, shape)
        if document is None:
            raise Invalid(f"The stored spec of {service.name} cannot be read.", problems)
        return cls(user, service, shape, document, len(document["instances"]))

    def sections(self, document: Document, problems: Iterable[Problem]) -> list[drawing.Section]:
        choices = drawing.environment_choices(environments.visible_to(self.user), self.shape.version)
        drawn = drawing.sections(document, self.shape, problems, environments=choices, secrets=True)
        return [replace(one, removable=True) for one in drawn if one.pointer][self.start :]


def _dropped(request: HttpRequest) -> set[str]:
    return set(request.POST.getlist("_drop"))


@require_http_methods(["GET", "POST"])
def service_edit(request: HttpRequest, name: str) -> HttpResponse:
    """Description and team; instances to add and to remove. Inputs of kept instances change on their own pages."""
    found = access.service(request.user, name, write=True)
    editing = Editing.of(request.user, found)
    if request.method == "GET":
        return _edit_page(request, editing, editing.document)
    document = _edited(request, editing)
    if documents.pressed(request.POST):
        return _edit_page(request, editing, document)
    if path := request.GET.get("check"):
        problems = [problem for problem in _problems(editing, document) if problem.path == path]
        return field_answer(request, field_at(editing.sections(document, problems), path), None, None)
    return _save(request, editing, document)


def _edited(request: HttpRequest, editing: Editing) -> Document:
    """The stored instances and after them the new ones as posted, after the row's button that was pressed."""
    pressed = documents.pressed(request.POST)
    new = documents.posted_instances(request.POST, editing.shape, {}, keep_blank=bool(pressed))
    document = {**editing.document, "instances": [*editing.document["instances"], *new]}
    return edit(document, *pressed, editing.shape.find) if pressed else document


def _problems(editing: Editing, document: Document) -> list[Problem]:
    """Of the new instances and of names; what is kept runs already."""
    names = {entry["name"] for entry in document["instances"][editing.start :]}
    found = documents.problems_of(document, editing.shape, names=names)
    kept = tuple(f"/instances/{index}/" for index in range(editing.start))
    return [one for one in found if not one.path.startswith((*kept, "/pipeline"))]


def _save(request: HttpRequest, editing: Editing, document: Document) -> HttpResponse:
    form = ServiceEdit(request.POST, user=request.user)
    form.is_valid()
    problems = [*form.problems(), *_problems(editing, document)]
    if errors(problems):
        return _edit_page(request, editing, document, problems, status=422)
    kept = [entry for entry in document["instances"] if entry["name"] not in _dropped(request)]
    changed = kept != editing.document["instances"]
    text = documents.text_for({**document, "instances": kept}, editing.shape, editing.service.spec)[0]
    try:
        actions.update(
            by=request.user,
            service=editing.service,
            spec=text if changed else None,
            description=form.cleaned_data["description"],
            team=Team.objects.filter(name=form.cleaned_data["team"]).first(),
        )
    except (Invalid, Conflict, QuotaExceeded) as refused:
        told = list(getattr(refused, "problems", ()))
        status = 422 if isinstance(refused, Invalid) else 409
        return _edit_page(request, editing, document, told, refusal=refused, status=status)
    return done(request, "service", editing.service.name, message="The changes are under way." if changed else "Saved.")


def _edit_page(
    request: HttpRequest,
    editing: Editing,
    document: Document,
    problems: Iterable[Problem] = (),
    *,
    refusal: PortalError | None = None,
    status: int = 200,
) -> HttpResponse:
    told = list(problems)
    kept = {
        "description": editing.service.description,
        "team": editing.service.team.name if editing.service.team else "",
    }
    form = ServiceEdit(request.POST or None, initial=kept, user=request.user)
    sections = editing.sections(document, told)
    details = form.drawn()
    drawn: list[Field] = [*details, *(field for section in sections for field in section.fields)]
    url = reverse("service-edit", args=[editing.service.name])
    context = {
        "service": editing.service,
        "version": editing.shape.version,
        "fields": details,
        "kept": list(editing.service.instances.select_related("environment")),
        "dropped": _dropped(request),
        "sections": sections,
        "problems": summary(drawn, told),
        "refusal": refusal.message if refusal and not told else "",
        "edit_url": url,
        "check_url": url,
    }
    return page(request, "services/edit.html", context, partial="spec-form", status=status)


@require_http_methods(["GET", "POST"])
def service_delete(request: HttpRequest, name: str) -> HttpResponse:
    found = access.service(request.user, name, write=True)
    context: dict[str, Any] = {
        "service": found,
        "blockers": queries.blockers_of_deletion(found),
        "instances": list(found.instances.all()),
    }
    return deletion(request, "service", name, context, partial(actions.delete, by=request.user, service=found))
