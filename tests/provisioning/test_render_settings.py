"""A CodeBuild manifest is rendered text by text: commands, variables, and properties that may become lists."""

import pytest

from provisioning.context import EnvironmentFacts, ServiceFacts, environment_context, instance_context
from provisioning.problems import ProblemsFound
from provisioning.render.pool import RenderPool
from provisioning.render.settings import render_settings

FILE = "infrastructure/manifest.yaml"


def manifest(*provision: str, more: str = "") -> str:
    commands = "".join(f"          - {command}\n" for command in provision or ("'true'",))
    return (
        "infrastructure:\n  templates:\n    - rendering_engine: codebuild\n      settings:\n"
        f"        provision:\n{commands}        deprovision:\n          - destroy\n{more}"
    )


def context(**inputs: object) -> dict[str, object]:
    return environment_context(name="dev", inputs=inputs)


def refused(text: str, **inputs: object) -> list[tuple[str, int | None, str]]:
    with pytest.raises(ProblemsFound) as found:
        render_settings(text, FILE, context(**inputs))
    return [(problem.path, problem.line, problem.message) for problem in found.value.problems]


def test_commands_are_rendered_one_by_one():
    text = manifest("deploy {{ environment.name }} {{ environment.inputs.size }}", "echo done")
    found = render_settings(text, FILE, context(size=3))
    assert (found["provision"], found["deprovision"]) == (["deploy dev 3", "echo done"], ["destroy"])


def test_a_quoted_expression_that_is_a_list_becomes_a_list():
    more = (
        "        project_properties:\n          TimeoutInMinutes: '{{ environment.inputs.minutes }}'\n"
        "          VpcConfig:\n            Subnets: '{{ environment.inputs.subnets }}'\n"
        "            VpcId: '{{ environment.inputs.vpc }}'\n            Names: 'of {{ environment.inputs.vpc }}'\n"
    )
    found = render_settings(manifest(more=more), FILE, context(minutes=30, subnets=["a", "b"], vpc="vpc-1"))
    assert found["project_properties"] == {
        "TimeoutInMinutes": 30,
        "VpcConfig": {"Subnets": ["a", "b"], "VpcId": "vpc-1", "Names": "of vpc-1"},
    }


def test_a_list_in_a_command_or_a_variable_stays_text():
    more = "        env:\n          variables:\n            IDS: '{{ environment.inputs.ids | join(\",\") }}'\n"
    found = render_settings(
        manifest("echo {{ environment.inputs.ids | join(',') }}", more=more), FILE, context(ids=["a", "b"])
    )
    assert (found["provision"], found["env"]["variables"]) == (["echo a,b"], {"IDS": "a,b"})


def test_stray_braces_fail_with_file_and_line():
    assert refused(manifest("echo a", "docker inspect -f '{{.Id}}'")) == [("", 7, "unexpected '.'")]


def test_the_line_of_a_block_is_the_blocks_own():
    text = manifest("|\n            echo one\n            echo {{ environment.inputs.nope }}")
    assert [line for _, line, _ in refused(text)] == [8]


def test_every_problem_is_told_at_once():
    text = manifest("echo {{ nope }}", "echo {{ environment.inputs.gone }}")
    assert [line for _, line, _ in refused(text)] == [6, 7]


def test_a_value_that_changes_the_command_is_refused_and_its_input_named():
    [(path, line, message)] = refused(manifest("deploy {{ environment.inputs.name }}"), name="x; curl evil")
    assert (path, line) == ("/environment/inputs/name", 6)
    assert message.startswith("the value 'x; curl evil' stands outside of quotes")


def test_trusted_inputs_may_do_so():
    text = manifest("deploy {{ environment.inputs.name }}")
    found = render_settings(text, FILE, context(name="x; curl y"), trusts_inputs=True)
    assert found["provision"] == ["deploy x; curl y"]


def test_what_the_author_wrote_as_a_default_may_do_so():
    text = manifest("deploy {{ environment.inputs.name }}")
    assert render_settings(text, FILE, context(name="a b"), authored={"a b"})["provision"] == ["deploy a b"]


def test_dollars_are_no_danger_in_variables():
    more = "        env:\n          variables:\n            NAME: '{{ environment.inputs.name }}'\n"
    found = render_settings(manifest('echo "$NAME"', more=more), FILE, context(name="${x} `id`\nb"))
    assert found["env"]["variables"] == {"NAME": "${x} `id`\nb"}


def test_a_value_names_a_secret_and_no_other_part_of_it():
    more = "        env:\n          secrets_manager:\n            TOKEN: '{{ environment.inputs.secret }}:token'\n"
    whole = "arn:aws:secretsmanager:us-east-1:123456789012:secret:app/x-AbCdEf"
    for name in ("app/x", whole):
        found = render_settings(manifest(more=more), FILE, context(secret=name))
        assert found["env"]["secrets_manager"] == {"TOKEN": f"{name}:token"}
    [(path, _, message)] = refused(manifest(more=more), secret="app/x:password")
    assert (path, "another part of the secret" in message) == ("/environment/inputs/secret", True)


def test_an_instance_reads_outputs_of_its_environment():
    home = EnvironmentFacts("dev", "123456789012", {"Subnets": "a b"})
    of = instance_context(service=ServiceFacts("web"), name="prod", inputs={}, environment=home)
    found = render_settings(manifest("run {{ environment.outputs.Subnets }}"), FILE, of)
    assert found["provision"] == ["run a b"]


def test_the_pool_renders_them_in_its_children():
    pool = RenderPool(1)
    try:
        text = manifest("deploy {{ environment.inputs.size }}")
        assert pool.render_settings(text, FILE, context(size=3))["provision"] == ["deploy 3"]
        with pytest.raises(ProblemsFound):
            pool.render_settings(
                manifest("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"),
                FILE,
                context(),
            )
    finally:
        pool.close()
