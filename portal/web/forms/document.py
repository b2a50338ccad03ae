"""The document behind a form: from YAML and back, from posted fields, its problems, its sections as drawn."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from portal.actions import instances
from portal.models import TemplateVersion
from portal.queries import templates as template_queries
from portal.web.forms.spec import (
    Posted,
    edit,
    is_secret,
    property_at,
    read,
    text_of,
)
from portal.web.forms.spec import without_secrets as clean
from provisioning.problems import Problem
from provisioning.schema import Property, Schema
from provisioning.spec import InstanceSpec, Kind, Spec, check_spec, dump_spec, parse_spec
from provisioning.yaml_reader import read_yaml

Document = dict[str, Any]
COMMENT = re.compile(r"(^|\s)#", re.MULTILINE)


@dataclass(frozen=True)
class Shape:
    """What a form is drawn from: the kind of its spec, the schema, and whether there is a pipeline."""

    kind: Kind
    schema: Schema
    has_pipeline: bool
    version: TemplateVersion

    @classmethod
    def of(cls, version: TemplateVersion) -> "Shape":
        bundle = template_queries.bundle_of(version)
        return cls(template_queries.kind_of(version.template), bundle.schema, bundle.has_pipeline, version)

    def properties_below(self, path: str) -> tuple[tuple[Property, ...], str]:
        """The properties that a pointer belongs to, and the prefix of their pointers."""
        if self.kind == "environment":
            return (self.schema.environment.properties if self.schema.environment else ()), "/spec"
        if path.startswith("/pipeline"):
            return (self.schema.pipeline.properties if self.schema.pipeline else ()), "/pipeline"
        parts = path.split("/")
        index = parts[2] if len(parts) > 2 else "0"
        return (self.schema.service.properties if self.schema.service else ()), f"/instances/{index}/spec"

    def find(self, path: str) -> Property | None:
        """The property at a pointer into the document."""
        properties, prefix = self.properties_below(path)
        return property_at(properties, path, prefix=prefix)

    def is_secret(self, path: str) -> bool:
        prop = self.find(path)
        return prop is not None and is_secret(prop)


def blank(shape: Shape) -> Document:
    """The document of a form that nobody has touched: a service starts with one instance."""
    return {"spec": {}} if shape.kind == "environment" else {"instances": [{}], "pipeline": {}}


def parse(text: str, shape: Shape) -> tuple[Document | None, tuple[Problem, ...]]:
    """The document of a spec's YAML. Unlike ``parse_spec`` it takes what is unfinished; None when it is not a spec."""
    if not text.strip():
        return blank(shape), ()
    read_document, problems = read_yaml(text)
    if read_document is None:
        return None, problems
    top = read_document.value
    if not isinstance(top, Mapping):
        return None, (Problem("", "A spec is a mapping (keys and values)."),)
    if shape.kind == "environment":
        given = top.get("spec") or {}
        if not isinstance(given, Mapping):
            return None, (Problem("/spec", "spec must be a mapping of inputs to values."),)
        return {"spec": dict(given)}, ()
    entries = top.get("instances") or []
    if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
        return None, (Problem("/instances", "instances must be a list of entries with name and environment."),)
    pipeline = top.get("pipeline") or {}
    if not isinstance(pipeline, Mapping) or not all(isinstance(entry.get("spec") or {}, Mapping) for entry in entries):
        return None, (Problem("", "spec and pipeline must be mappings of inputs to values."),)
    instances = [
        {
            "name": text_of(entry.get("name")),
            "environment": text_of(entry.get("environment")),
            "spec": dict(entry.get("spec") or {}),
        }
        for entry in entries
    ]
    return {"instances": instances, "pipeline": dict(pipeline)}, ()


def spec_of(document: Document, shape: Shape) -> Spec:
    if shape.kind == "environment":
        return Spec("environment", inputs=document.get("spec", {}))
    instances = tuple(
        InstanceSpec(entry.get("name", ""), entry.get("environment", ""), entry.get("spec", {}))
        for entry in document.get("instances", [])
    )
    pipeline = document.get("pipeline", {}) if shape.has_pipeline else None
    return Spec("service", instances=instances, pipeline=pipeline)


def text_for(document: Document, shape: Shape, before: str = "") -> tuple[str, bool]:
    """The document as YAML. ``before``, as it was last written, keeps its comments and layout as far as it can; the
    second value is False when comments of it had to go."""
    fresh = dump_spec(spec_of(document, shape))
    old, _ = parse(before, shape) if before.strip() else (None, ())
    if old is None:
        return fresh, not COMMENT.search(before)
    if _full(old) == _full(document):
        return before, True
    if not COMMENT.search(before):
        return fresh, True
    patched = _patched(before, old, document)
    again, _ = parse(patched, shape) if patched else (None, ())
    return (patched, True) if again is not None and _full(again) == _full(document) else (fresh, False)


def _full(document: Document) -> Document:
    """With every member that an unfinished document may lack."""
    if "spec" in document:
        return {"spec": document["spec"]}
    entries = [{"name": "", "environment": "", "spec": {}, **entry} for entry in document.get("instances", [])]
    return {"instances": entries, "pipeline": document.get("pipeline", {})}


def _patched(text: str, old: Document, new: Document) -> str:
    """The text with only its changed values written anew; "" when that cannot be done."""
    writer = YAML()
    writer.preserve_quotes = True
    writer.width = 4096
    try:
        tree = writer.load(text)
        _patch(tree, _full(old), _full(new))
        out = StringIO()
        writer.dump(tree, out)
    except (YAMLError, TypeError, KeyError, IndexError, AttributeError, ValueError):
        return ""
    return out.getvalue()


def _patch(node: Any, old: Any, new: Any) -> None:
    for key in [key for key in old if key not in new]:
        del node[key]
    for key, value in new.items():
        was = old.get(key)
        if key in old and was == value and type(was) is type(value):
            continue
        if isinstance(was, dict) and isinstance(value, dict) and was and node.get(key) is not None:
            _patch(node[key], was, value)
        elif isinstance(was, list) and isinstance(value, list) and was and node.get(key) is not None:
            _patch_list(node[key], was, value)
        else:
            node[key] = value


def _patch_list(node: Any, old: list[Any], new: list[Any]) -> None:
    for index, (was, value) in enumerate(zip(old, new, strict=False)):
        if isinstance(was, dict) and isinstance(value, dict) and was:
            _patch(node[index], was, value)
        elif was != value or type(was) is not type(value):
            node[index] = value
    del node[len(new) :]
    node.extend(new[len(old) :])


def posted(post: Mapping[str, Any], shape: Shape, base: Document, *, keep_blank: bool = False) -> Document:
    """The document of a whole posted form. ``base`` is the document that the form was drawn from."""
    tree = Posted.of(post)
    if shape.kind == "environment":
        given = read(tree, shape.schema.environment, "/spec", base=base.get("spec"), keep_blank=keep_blank)
        return {"spec": given}
    entries = posted_instances(tree, shape, base, keep_blank=keep_blank)
    made: Document = {"instances": entries, "pipeline": base.get("pipeline", {})}
    if shape.has_pipeline:
        pipeline = read(tree, shape.schema.pipeline, "/pipeline", base=base.get("pipeline"), keep_blank=keep_blank)
        made["pipeline"] = pipeline
    return made


def posted_instances(
    post: Mapping[str, Any] | Posted, shape: Shape, base: Document, *, keep_blank: bool = False
) -> list[Document]:
    """The entries of a service's instances that a form has, in its order."""
    tree = post if isinstance(post, Posted) else Posted.of(post)
    before = base.get("instances", [])
    return [
        {
            "name": (node.child("name").text or "").strip(),
            "environment": node.child("environment").text or "",
            "spec": read(
                tree,
                shape.schema.service,
                f"/instances/{index}/spec",
                base=before[index].get("spec") if index < len(before) else None,
                keep_blank=keep_blank,
            ),
        }
        for index, node in tree.at("/instances").numbered()
    ]


def pressed(post: Mapping[str, Any]) -> tuple[str, str] | None:
    """Which button inside the form was pressed: ("add" | "remove" | "restore", pointer), or None."""
    return next(((what, post[f"_{what}"]) for what in ("add", "remove", "restore") if f"_{what}" in post), None)


def edited(post: Mapping[str, Any], shape: Shape, base: Document) -> Document:
    """The posted document after the button that was pressed in it."""
    what, path = pressed(post) or ("", "")
    document = posted(post, shape, base, keep_blank=True)
    return edit(document, what, path, shape.find) if path else document


def without_secrets(document: Document, shape: Shape) -> Document:
    """A copy for a draft: what was typed into secret fields is never kept."""
    if shape.kind == "environment":
        return {"spec": clean(shape.properties_below("/spec")[0], document.get("spec", {}))}
    properties = shape.properties_below("/instances")[0]
    entries = [{**entry, "spec": clean(properties, entry.get("spec", {}))} for entry in document.get("instances", [])]
    return {"instances": entries, "pipeline": clean(shape.properties_below("/pipeline")[0], document["pipeline"])}


def with_values(document: Document, values: Mapping[str, Any]) -> Document:
    """The document with values put in at their pointers."""
    made = edit(document, "", "", lambda path: None)
    for path, value in values.items():
        node: Any = made
        *above, last = [part.replace("~1", "/").replace("~0", "~") for part in path[1:].split("/")]
        for part in above:
            node = node[int(part)] if isinstance(node, list) else node.setdefault(part, {})
        node[last] = value
    return made


def problems_of(document: Document, shape: Shape, *, names: set[str] | None = None) -> tuple[Problem, ...]:
    """Everything that is wrong with a document, from the one checker. ``names`` limits the check of environments."""
    spec = spec_of(document, shape)
    structure = [_worded(problem) for problem in parse_spec(dump_spec(spec), shape.kind)[1]]
    found = [*structure, *check_spec(spec, shape.schema, has_pipeline=shape.has_pipeline)]
    if shape.kind == "service":
        if not spec.instances:
            found.append(Problem("/instances", "A service needs at least one instance: add one."))
        said = {problem.path for problem in structure}
        fits = instances.environment_problems(spec, shape.version, names)
        found += [problem for problem in fits if problem.path not in said]
    return tuple(replace(problem, line=None) for problem in found)


def _worded(problem: Problem) -> Problem:
    if problem.path.endswith("/environment") and problem.message.endswith("needs a name."):
        return replace(problem, message="Choose an environment.")
    return problem
