"""Changing what runs: the inputs, or the template version, of one environment, instance or
pipeline. One form for all."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from portal import access
from portal.actions import versions
from portal.errors import Conflict, Invalid, NotFound
from portal.models import Environment, ServiceInstance, ServicePipeline, TemplateVersion, User
from portal.queries import templates as template_queries
from portal.queries.distances import distance_of
from portal.web import secret_references
from portal.web.forms import document as documents
from portal.web.forms.document import Document, Shape
from portal.web.forms.spec import Field, Posted, changes, edit, fields, flat, read, summary
from portal.web.page import done, page
from portal.web.previews import Rendered, of_update
from portal.web.views.drafts import field_answer
from provisioning.problems import Problem, errors
from provisioning.schema import InputType

Target = Environment | ServiceInstance | ServicePipeline
Deploy = Callable[..., Target]


@dataclass(frozen=True)
class Update:
    """What the form changes: ``text`` is the stored spec, ``document`` its document, ``prefix`` where this target's
    inputs are in it."""

    user: User
    target: Target
    version: TemplateVersion
    shape: Shape
    text: str
    document: Document
    prefix: str

    @property
    def inputs(self) -> InputType | None:
        schema = self.shape.schema
        if isinstance(self.target, ServicePipeline):
            return schema.pipeline
        return schema.environment if self.shape.kind == "environment" else schema.service

    def values(self, document: Document) -> dict[str, Any]:
        node: Any = document
        for part in self.prefix[1:].split("/"):
            node = node[int(part)] if isinstance(node, list) else node.get(part, {})
        return dict(node)

    def with_inputs(self, inputs: dict[str, Any]) -> Document:
        return documents.with_values(self.document, {self.prefix: inputs})

    def drawn(self, document: Document, problems: Iterable[Problem] = ()) -> list[Field]:
        current = self.target.deployed.inputs if self.target.deployed else None
        properties = self.inputs.properties if self.inputs else ()
        return fields(properties, self.values(document), problems, prefix=self.prefix, current=current)

    def problems(self, document: Document) -> list[Problem]:
        """Of this target's own inputs; the rest of the spec runs already."""
        found = documents.problems_of(document, self.shape, names=set())
        return [problem for problem in found if problem.path.startswith(self.prefix)]

    def spec(self, document: Document) -> str:
        return documents.text_for(document, self.shape, self.text)[0]


def template_of(target: Target) -> Any:
    return target.template if isinstance(target, Environment) else target.service.template


def base_version(target: Target) -> TemplateVersion:
    """The version in use, or the one of the first attempt. Raises Conflict when that is gone."""
    if target.shown_version is None:
        raise Conflict(f"{target} was never deployed and its template version is gone: delete it and create it anew.")
    return target.shown_version


def offered(user: User, target: Target) -> list[TemplateVersion]:
    """Versions that the target may move to: any minor of its major, any higher major (AWS Proton: never a lower)."""
    base = base_version(target)
    usable = template_queries.usable_versions(user, template_of(target))
    return [
        row
        for row in usable
        if row.major >= base.major and (row.has_pipeline or not isinstance(target, ServicePipeline))
    ]


def _version(request: HttpRequest, target: Target) -> TemplateVersion:
    """The version that the address names: "current", a number, or else the recommended one when it is newer."""
    base = base_version(target)
    wanted = request.GET.get("version", "")
    rows = offered(request.user, target)
    if wanted == "current" or wanted == base.number:
        return base
    if wanted:
        found = next((row for row in rows if row.number == wanted), None)
        if found is None:
            raise NotFound(f"{target} cannot move to version {wanted} of {template_of(target).name}.")
        return found
    newer = [row for row in rows if row.is_recommended and (row.major, row.minor) > (base.major, base.minor)]
    return newer[0] if newer else base


def _text(request: HttpRequest, target: Target) -> str:
    """The spec to start from: what is stored, or that of an earlier attempt ("edit and retry")."""
    if wanted := request.GET.get("from"):
        attempt = access.deployment(request.user, wanted)
        if attempt.target_arn == target.arn:
            return attempt.spec
    if not isinstance(target, Environment):
        return target.service.spec
    return target.spec or (target.latest.spec if target.latest else "")


def _update(request: HttpRequest, target: Target) -> Update:
    version = _version(request, target)
    shape = Shape.of(version)
    text = _text(request, target)
    document, problems = documents.parse(text, shape)
    if document is None:
        raise Invalid(f"The stored spec of {target} cannot be read.", problems)
    prefix = "/pipeline" if isinstance(target, ServicePipeline) else "/spec"
    if isinstance(target, ServiceInstance):
        names = [entry["name"] for entry in document["instances"]]
        if target.name not in names:
            raise Conflict(f"The spec of {target.service.name} does not list {target.name} any more.")
        prefix = f"/instances/{names.index(target.name)}/spec"
    return Update(request.user, target, version, shape, text, document, prefix)


def update(request: HttpRequest, target: Target, deploy: Deploy, urls: dict[str, str]) -> HttpResponse:
    """The page, the live check of a field, the preview, and the deployment itself.

    ``deploy`` is the action, called with deployment_type, spec, major and minor; ``urls`` has "self" and "back".
    """
    asked = _update(request, target)
    if request.method == "GET":
        return _page(request, asked, asked.document, urls)
    tree = Posted.of(request.POST)
    pressed = documents.pressed(request.POST)
    typed = read(tree, asked.inputs, asked.prefix, base=asked.values(asked.document), keep_blank=bool(pressed))
    document = asked.with_inputs(typed)
    if pressed:
        return _page(request, asked, edit(document, *pressed, asked.shape.find), urls)
    if path := request.GET.get("check"):
        problems = [problem for problem in asked.problems(document) if problem.path == path]
        problems += secret_references.problems_of(document, asked.shape, below=path)
        found = [field for field in flat(asked.drawn(document, problems)) if field.pointer == path]
        return field_answer(request, found[:1], None, None)
    if "_preview" in request.POST or "_plan" in request.POST:
        rendered = _rendered(asked, document, plan="_plan" in request.POST)
        return _page(request, asked, document, urls, rendered=rendered, partial="changes")
    problems = [*asked.problems(document), *secret_references.problems_of(document, asked.shape, below=asked.prefix)]
    if errors(problems):
        return _page(request, asked, document, urls, problems, status=422)
    return _deploy(request, asked, document, deploy, urls)


def _rendered(asked: Update, document: Document, *, plan: bool) -> Rendered:
    spec = asked.spec(document)
    return of_update(asked.user, asked.target, asked.version, document, asked.shape, spec, plan=plan)


def _unanswered(rendered: Rendered | None) -> list[Problem]:
    """Problems of the inputs, which stand before any rendering."""
    found = rendered.parts[0].problems if rendered else ()
    return [
        problem
        for problem in found
        if problem.path.startswith(("/spec", "/instances", "/pipeline")) and not problem.file
    ]


def _deploy(
    request: HttpRequest, asked: Update, document: Document, deploy: Deploy, urls: dict[str, str]
) -> HttpResponse:
    kind = versions.update_type(base_version(asked.target), asked.version)
    numbers = {} if kind == "CURRENT_VERSION" else {"major": asked.version.major, "minor": asked.version.minor}
    try:
        changed = deploy(deployment_type=kind, spec=asked.spec(document), **numbers)
    except Invalid as wrong:
        return _page(request, asked, document, urls, wrong.problems, refusal=wrong.message, status=422)
    except Conflict as refused:
        return _page(request, asked, document, urls, refusal=refused.message, status=409)
    return done(request, "deployment", changed.latest_id)


def _page(
    request: HttpRequest,
    asked: Update,
    document: Document,
    urls: dict[str, str],
    problems: Iterable[Problem] = (),
    *,
    refusal: str = "",
    rendered: Rendered | None = None,
    partial: str = "spec-form",
    status: int = 200,
) -> HttpResponse:
    told = list(problems)
    drawn = asked.drawn(document, told)
    base = base_version(asked.target)
    query = f"?{request.GET.urlencode()}" if request.GET else ""
    context = {
        "target": asked.target,
        "template": template_of(asked.target),
        "version": asked.version,
        "base": base,
        "same_version": asked.version.pk == base.pk,
        "offered": offered(request.user, asked.target),
        "distance": distance_of(asked.target, template_of(asked.target)),
        "fields": drawn,
        "new": sum(field.is_new and field.required for field in flat(drawn)),
        "changed": len(changes(drawn)),
        "problems": summary(drawn, told),
        "refusal": "" if told else refusal,
        "rendered": rendered,
        "planned": "_plan" in request.POST,
        "unanswered": summary(drawn, _unanswered(rendered)),
        "edit_url": urls["self"] + query,
        "check_url": urls["self"],
        "urls": urls,
        "may_change": access.may_change(request.user, asked.target),
        "whom": access.whom_to_ask(asked.target),
        "busy": asked.target.is_busy,
    }
    return page(request, "forms/update.html", context, partial=partial, status=status)


def urls_of(target: Target) -> dict[str, str]:
    """The addresses of the update page of one target."""
    if isinstance(target, Environment):
        args, noun = [target.name], "environment"
    elif isinstance(target, ServiceInstance):
        args, noun = [target.service.name, target.name], "instance"
    else:
        args = [target.service.name]
        return {"self": reverse("pipeline-update", args=args), "back": reverse("service", args=args) + "#pipeline"}
    return {"self": reverse(f"{noun}-update", args=args), "back": reverse(noun, args=args)}
