"""P-V1 and P-V2: check one deployment's inputs and render its template, warm, in this process."""

import contextlib
import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import yaml
from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from provisioning.problems import errors
from provisioning.render import render_file
from provisioning.spec import check_inputs
from tests.bench import samples
from tests.bench.measuring import Call, Effort, Line, compare_calls, milliseconds
from tests.bench.site import Place


def ours(sample: samples.Sample) -> Callable[[], str]:
    """What a deployment does: check the inputs, merge the defaults, gather the namespaces, render with the guard."""
    input_type, template, file = sample.input_type, sample.template, sample.file

    def deploy() -> str:
        inputs, problems = check_inputs(sample.inputs, input_type)
        assert not errors(problems)
        return render_file(template, file, sample.context(inputs)).text

    return deploy


class _Loader(yaml.CSafeLoader):
    """Reads CloudFormation's short tags as plain values."""


def _untagged(loader: Any, tag: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_mapping(node, deep=True)


_Loader.add_multi_constructor("!", _untagged)


def limit(sample: samples.Sample) -> Call:
    """The fastest known parts put together: a compiled schema, a compiled template in Jinja's own sandbox, the C
    parser. It neither merges defaults nor looks for values that change the structure."""
    validator = jsonschema_rs.validator_for(dict(sample.input_type.raw))
    template = ImmutableSandboxedEnvironment(undefined=StrictUndefined).from_string(sample.template)
    inputs, _ = check_inputs(sample.inputs, sample.input_type)
    context = sample.context(inputs)

    def deploy() -> Any:
        assert not list(validator.iter_errors(sample.inputs))
        return yaml.load(template.render(context), _Loader)

    return deploy


def row_v1(effort: Effort, _: Place) -> Iterator[Line]:
    for name, sample in (("an environment", samples.environment()), ("a service", samples.service())):
        found = compare_calls(ours(sample), limit(sample), effort)
        yield Line(
            "P-V1",
            f"check and render {name}",
            found.ratio,
            milliseconds(found.ours),
            milliseconds(found.theirs),
            "at most 2.6",
        )


def _translated(template: str, root: str) -> str:
    """The environment's template with its inputs where another renderer keeps its answers."""
    return re.sub(r"environment\.inputs\.", root, template)


def cookiecutter(sample: samples.Sample, folder: Path) -> Call:
    """Cookiecutter's API on the same template, answers given."""
    from cookiecutter.main import cookiecutter as render  # type: ignore[import-untyped]

    template, output = folder / "cookiecutter", folder / "cookiecutter-output"
    project = template / "{{ cookiecutter.project }}"
    project.mkdir(parents=True)
    answers = dict.fromkeys(sample.input_type.by_name, "") | {"project": "made"}
    (template / "cookiecutter.json").write_text(json.dumps(answers))
    (project / "cloudformation.yaml").write_text(_translated(sample.template, "cookiecutter."))
    config = folder / "cookiecutter.yaml"  # instead of the one in the home directory
    places = {"cookiecutters_dir": str(folder / "c"), "replay_dir": str(folder / "r")}
    config.write_text(json.dumps(places))
    context = dict(sample.inputs)

    def run() -> str:
        return render(
            str(template),
            no_input=True,
            extra_context=context,
            output_dir=str(output),
            overwrite_if_exists=True,
            config_file=str(config),
        )

    return run


def copier(sample: samples.Sample, folder: Path) -> Call:
    """Copier's API on the same template, answers given."""
    from copier import run_copy

    template, output = folder / "copier", folder / "copier-output"
    template.mkdir()
    questions = {name: {"type": "str", "default": ""} for name in sample.input_type.by_name}
    (template / "copier.yml").write_text(yaml.safe_dump(questions))
    (template / "cloudformation.yaml.jinja").write_text(_translated(sample.template, ""))
    context = dict(sample.inputs)

    def run() -> object:
        with contextlib.redirect_stderr(io.StringIO()):
            return run_copy(str(template), output, data=context, defaults=True, overwrite=True, quiet=True)

    return run


def row_v2(effort: Effort, place: Place) -> Iterator[Line]:
    sample = samples.environment()
    own = ours(sample)
    text = own()
    peers = (
        ("cookiecutter", cookiecutter(sample, place.folder), "cookiecutter-output/made", "at most 0.16"),
        ("copier", copier(sample, place.folder), "copier-output", "at most 0.03"),
    )
    for peer, call, output, goal in peers:
        found = compare_calls(own, call, effort)
        written = (place.folder / output / "cloudformation.yaml").read_text()
        assert written.split() == text.split(), f"{peer} has rendered something else"
        what = f"check and render an environment beside {peer}"
        yield Line("P-V2", what, found.ratio, milliseconds(found.ours), milliseconds(found.theirs), goal)
