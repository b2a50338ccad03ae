"""Secrets that a form names: asked for when the form is sent, and when such a field is left."""

from collections.abc import Iterator

from portal.actions import secret_references as actions
from portal.web.forms.document import Document, Shape
from provisioning.problems import Problem
from provisioning.schema import InputType
from provisioning.secret_references import references


def problems_of(document: Document, shape: Shape, below: str = "") -> list[Problem]:
    """Of the secrets that the document names at or below a pointer. Asks AWS, so never in a transaction."""
    named = list(_named(document, shape))
    if below:
        named = [(path, name) for path, name in named if path == below or path.startswith(below + "/")]
    return actions.problems(named)


def _named(document: Document, shape: Shape) -> Iterator[tuple[str, str]]:
    schema = shape.schema
    if shape.kind == "environment":
        yield from _of(schema.environment, document.get("spec"), "/spec")
        return
    for index, entry in enumerate(document.get("instances", ())):
        yield from _of(schema.service, entry.get("spec"), f"/instances/{index}/spec")
    yield from _of(schema.pipeline, document.get("pipeline"), "/pipeline")


def _of(inputs: InputType | None, values: object, path: str) -> Iterator[tuple[str, str]]:
    if inputs is not None:
        yield from references(inputs.properties, values, path)
