"""Specs: what a developer asks for. AWS Proton's YAML, with ``proton: EnvironmentSpec`` or ``proton: ServiceSpec``."""

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import yaml

from provisioning.problems import Problem, errors, pointer
from provisioning.schema import Schema
from provisioning.spec_values import check_inputs
from provisioning.yaml_reader import Document, read_yaml

__all__ = ["CURRENT_VALUE", "InstanceSpec", "Spec", "check_inputs", "check_spec", "dump_spec", "parse_spec"]
__all__ += ["resolve_current_values", "with_instance", "without_instance"]

Kind = Literal["environment", "service"]
MAX_SPEC = 51_200  # characters; AWS Proton: SpecContents
CURRENT_VALUE = "${Proton::CURRENT_VAL}"
HEADERS: Mapping[str, str] = {"environment": "EnvironmentSpec", "service": "ServiceSpec"}
RESOURCE_NAME = re.compile(r"[0-9A-Za-z]+[0-9A-Za-z_\-]*", re.ASCII)
MAX_NAME = 100
_NO_FOLDING = 2**20


@dataclass(frozen=True)
class InstanceSpec:
    name: str
    environment: str
    inputs: Mapping[str, Any]


@dataclass(frozen=True)
class Spec:
    """``inputs`` are an environment's; ``instances`` and ``pipeline`` a service's. ``pipeline`` is None when the spec
    has no such section."""

    kind: Kind
    inputs: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    instances: tuple[InstanceSpec, ...] = ()
    pipeline: Mapping[str, Any] | None = None


def parse_spec(text: str, kind: Kind) -> tuple[Spec | None, tuple[Problem, ...]]:
    """Reads a spec's structure: YAML or JSON, 1 to 51,200 characters; the header may be left out. None on any error.

    Values are not checked against a schema: see ``check_spec``.
    """
    if not text.strip():
        return None, (Problem("", "The spec is empty."),)
    if len(text) > MAX_SPEC:
        return None, (Problem("", f"The spec has {len(text)} characters; the most is {MAX_SPEC}."),)
    document, problems = read_yaml(text)
    if document is None:
        return None, problems
    reader = _Reader(document, kind)
    spec = reader.spec()
    return (None if errors(reader.problems) else spec), tuple(reader.problems)


class _Reader:
    def __init__(self, document: Document, kind: Kind):
        self.document, self.kind = document, kind
        self.problems: list[Problem] = []

    def say(self, path: str, message: str, severity: Literal["error", "warning"] = "error") -> None:
        self.problems.append(Problem(path, message, self.document.line(path), severity))

    def spec(self) -> Spec:
        top = self.document.value
        if not isinstance(top, Mapping):
            self.say("", "A spec is a mapping (keys and values).")
            return Spec(self.kind)
        header = top.get("proton")
        if "proton" in top and header != HEADERS[self.kind]:
            self.say("/proton", f"The header must be proton: {HEADERS[self.kind]}, not {header}.")
        if self.kind == "environment":
            if "spec" not in top and top.keys() - {"proton"}:
                self.say("", "An environment's inputs go below spec:.")
                return Spec(self.kind)
            self.unknown(top, ("proton", "spec"))
            return Spec(self.kind, inputs=self.mapping("/spec", top.get("spec")))
        self.unknown(top, ("proton", "pipeline", "instances"))
        pipeline = self.mapping("/pipeline", top["pipeline"]) if "pipeline" in top else None
        return Spec(self.kind, instances=self.instances(top), pipeline=pipeline)

    def unknown(self, value: Mapping[str, Any], known: tuple[str, ...], path: str = "") -> None:
        for key in value:
            if key not in known:
                self.say(path + pointer(key), f"{key} has no meaning in a spec and is ignored.", "warning")

    def mapping(self, path: str, value: Any) -> Mapping[str, Any]:
        if value is None:
            return {}
        if isinstance(value, Mapping):
            return value
        self.say(path, f"{path.rpartition('/')[2]} must be a mapping of inputs to values.")
        return {}

    def instances(self, top: Mapping[str, Any]) -> tuple[InstanceSpec, ...]:
        entries = top.get("instances")
        if "instances" not in top:
            self.say("", "A service's spec has instances: (a list, which may be empty).")
            return ()
        if not isinstance(entries, list):
            self.say("/instances", "instances must be a list of entries with name and environment.")
            return ()
        seen: dict[str, int] = {}
        read = [self.instance(f"/instances/{at}", at, entry, seen) for at, entry in enumerate(entries)]
        return tuple(instance for instance in read if instance is not None)

    def instance(self, path: str, at: int, entry: Any, seen: dict[str, int]) -> InstanceSpec | None:
        if not isinstance(entry, Mapping):
            self.say(path, "An instance has a name, an environment and perhaps a spec.")
            return None
        self.unknown(entry, ("name", "environment", "spec"), path)
        name = self.name(path, entry, "name", "The instance")
        environment = self.name(path, entry, "environment", "The environment")
        inputs = self.mapping(path + "/spec", entry.get("spec"))
        if name and name in seen:
            self.say(path + "/name", f"Two instances are called {name}.")
        seen.setdefault(name, at)
        return InstanceSpec(name, environment, inputs)

    def name(self, path: str, entry: Mapping[str, Any], key: str, subject: str) -> str:
        where = path + pointer(key)
        value = entry.get(key)
        if value is None or value == "":
            self.say(where, f"{subject} needs a name.")
            return ""
        if not isinstance(value, str):
            written = self.document.written.get(where)
            if isinstance(value, dict | list) or written is None:
                self.say(where, f"{subject}'s name must be text.")
                return ""
            value = written
        if problem := name_problem(value):
            self.say(where, problem)
            return ""
        return str(value)


def name_problem(name: str) -> str | None:
    """What is wrong with a resource's name, or None. AWS Proton: ResourceName, 1 to 100 characters."""
    if not 1 <= len(name) <= MAX_NAME:
        return f"A name has 1 to {MAX_NAME} characters."
    if not RESOURCE_NAME.fullmatch(name):
        return f"{name} cannot be a name: use letters, digits, - and _, and start with a letter or digit."
    return None


def check_spec(spec: Spec, schema: Schema, *, has_pipeline: bool) -> tuple[Problem, ...]:
    """Every problem of a spec's values, with pointers into the spec such as /instances/0/spec/port."""
    if spec.kind == "environment":
        return check_inputs(spec.inputs, schema.environment, path="/spec")[1]
    problems: list[Problem] = []
    for at, instance in enumerate(spec.instances):
        problems += check_inputs(instance.inputs, schema.service, path=f"/instances/{at}/spec")[1]
    if has_pipeline:
        problems += check_inputs(spec.pipeline or {}, schema.pipeline, path="/pipeline")[1]
    elif spec.pipeline:
        problems.append(Problem("/pipeline", "The template has no pipeline; take this section out."))
    return tuple(problems)


def dump_spec(spec: Spec) -> str:
    """AWS Proton's YAML form, header first."""
    document: dict[str, Any] = {"proton": HEADERS[spec.kind]}
    if spec.kind == "environment":
        document["spec"] = dict(spec.inputs)
    else:
        if spec.pipeline is not None:
            document["pipeline"] = dict(spec.pipeline)
        document["instances"] = [
            {"name": one.name, "environment": one.environment, "spec": dict(one.inputs)} for one in spec.instances
        ]
    text: str = yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_NO_FOLDING)
    return text


class _Dumper(yaml.CSafeDumper):
    """Writes every value out: aliases would be correct and unreadable."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def with_instance(spec: Spec, instance: InstanceSpec) -> Spec:
    """The spec with an instance added, or replaced in its place when there is one of its name."""
    names = [one.name for one in spec.instances]
    if instance.name not in names:
        return dataclasses.replace(spec, instances=(*spec.instances, instance))
    changed = tuple(instance if one.name == instance.name else one for one in spec.instances)
    return dataclasses.replace(spec, instances=changed)


def without_instance(spec: Spec, name: str) -> Spec:
    """The spec without the instance of that name."""
    return dataclasses.replace(spec, instances=tuple(one for one in spec.instances if one.name != name))


def resolve_current_values(new: Spec, stored: Spec | None) -> tuple[Spec, tuple[Problem, ...]]:
    """AWS Proton: ``${Proton::CURRENT_VAL}`` keeps the stored value of the same input, matched by its path: the
    pipeline's input, or the instance's name and the input. An error where nothing is stored."""
    problems: list[Problem] = []
    before = {one.name: one.inputs for one in stored.instances} if stored else {}
    inputs = _resolve(new.inputs, stored.inputs if stored else None, "/spec", problems)
    pipeline = new.pipeline
    if pipeline is not None:
        pipeline = _resolve(pipeline, stored.pipeline if stored else None, "/pipeline", problems)
    instances = tuple(
        dataclasses.replace(one, inputs=_resolve(one.inputs, before.get(one.name), f"/instances/{at}/spec", problems))
        for at, one in enumerate(new.instances)
    )
    resolved = dataclasses.replace(new, inputs=inputs, pipeline=pipeline, instances=instances)
    return resolved, tuple(problems)


_NOTHING = object()


def _resolve(new: Any, old: Any, path: str, problems: list[Problem]) -> Any:
    if isinstance(new, Mapping):
        before = old if isinstance(old, Mapping) else {}
        return {
            name: _resolve(value, before.get(name, _NOTHING), path + pointer(name), problems)
            for name, value in new.items()
        }
    if isinstance(new, list):
        former = old if isinstance(old, list) else []
        padded = [*former, *[_NOTHING] * len(new)]
        return [_resolve(value, padded[at], f"{path}/{at}", problems) for at, value in enumerate(new)]
    if new != CURRENT_VALUE:
        return new
    if old is _NOTHING or old is None:
        problems.append(Problem(path, f"{CURRENT_VALUE} needs a value that is already stored; there is none here."))
        return new
    return old
