import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.problems import Problem, errors
from provisioning.schema import Schema, parse_schema
from provisioning.spec import (
    CURRENT_VALUE,
    InstanceSpec,
    Kind,
    Spec,
    check_spec,
    dump_spec,
    parse_spec,
    resolve_current_values,
    with_instance,
    without_instance,
)
from tests.factories.bundles import ENVIRONMENT_SCHEMA, PIPELINE_SCHEMA, SERVICE_SCHEMA

ENVIRONMENT = "proton: EnvironmentSpec\nspec:\n  vpc_cidr: 10.0.0.0/16\n"
SERVICE = """\
proton: ServiceSpec
pipeline:
  test_command: make test
instances:
  - name: dev
    environment: env-dev
    spec:
      port: 8080
  - name: prod
    environment: env-prod
"""
DEV = InstanceSpec("dev", "env-dev", {"port": 8080})
PROD = InstanceSpec("prod", "env-prod", {})


def read(text: str, kind: Kind = "service") -> Spec:
    spec, problems = parse_spec(text, kind)
    assert spec is not None, problems
    assert problems == ()
    return spec


def refusals(text: str, kind: Kind = "service") -> list[tuple[str, int | None, str]]:
    spec, problems = parse_spec(text, kind)
    assert spec is None
    return [(problem.path, problem.line, problem.message) for problem in errors(problems)]


def schema(text: str, kind: Kind) -> Schema:
    read, problems = parse_schema(text, kind)
    assert read is not None, problems
    return read


def test_an_environment_spec() -> None:
    assert read(ENVIRONMENT, "environment") == Spec("environment", inputs={"vpc_cidr": "10.0.0.0/16"})


def test_a_service_spec() -> None:
    assert read(SERVICE) == Spec("service", instances=(DEV, PROD), pipeline={"test_command": "make test"})


@pytest.mark.parametrize(
    "header", ["proton: EnvironmentSpec", 'proton: "EnvironmentSpec"', "'proton': 'EnvironmentSpec'"]
)
def test_the_header_may_be_quoted_or_bare(header: str) -> None:
    assert read(f"{header}\nspec: {{a: 1}}", "environment").inputs == {"a": 1}


def test_the_header_may_be_left_out_and_the_spec_be_json() -> None:
    text = json.dumps({"instances": [{"name": "dev", "environment": "env-dev", "spec": {"port": 8080}}]}, indent=2)
    assert read(text) == Spec("service", instances=(DEV,))


def test_a_flow_style_spec_is_accepted() -> None:
    text = "{ proton: EnvironmentSpec, spec: { env_name: tenantA, capacity: false } }"
    assert read(text, "environment").inputs == {"env_name": "tenantA", "capacity": False}


def test_a_wrong_header_is_refused() -> None:
    assert refusals(ENVIRONMENT.replace("Environment", "Service"), "environment") == [
        ("/proton", 1, "The header must be proton: EnvironmentSpec, not ServiceSpec.")
    ]
    assert refusals("proton:\ninstances: []") == [("/proton", 1, "The header must be proton: ServiceSpec, not None.")]


def test_an_instance_may_omit_its_spec() -> None:
    assert read("instances: [{name: prod, environment: env-prod}]").instances == (PROD,)
    assert read("instances: [{name: prod, environment: env-prod, spec: }]").instances == (PROD,)


def test_an_environment_spec_may_be_empty_where_there_are_no_inputs() -> None:
    assert read("proton: EnvironmentSpec", "environment").inputs == {}
    assert read("proton: EnvironmentSpec\nspec:\n", "environment").inputs == {}


def test_inputs_beside_spec_are_not_lost_in_silence() -> None:
    assert refusals("vpc_cidr: 10.0.0.0/16", "environment") == [("", 1, "An environment's inputs go below spec:.")]


def test_instances_is_a_list() -> None:
    assert refusals("instances: {}") == [
        ("/instances", 1, "instances must be a list of entries with name and environment.")
    ]
    assert refusals("pipeline: {}") == [("", 1, "A service's spec has instances: (a list, which may be empty).")]


def test_an_empty_list_of_instances_is_accepted() -> None:
    assert read("proton: ServiceSpec\npipeline: {}\ninstances: []") == Spec("service", pipeline={})


def test_pipeline_may_be_omitted_or_empty() -> None:
    assert read("instances: []").pipeline is None
    assert read("instances: []\npipeline:").pipeline == {}


def test_instance_names_are_unique_in_the_service() -> None:
    entry = "{name: dev, environment: a}"
    assert refusals(f"instances: [{entry}, {entry}]") == [("/instances/1/name", 1, "Two instances are called dev.")]


@pytest.mark.parametrize("name", ["a", "0", "A-b_c", "x" * 100, "2024-01-01"])
def test_names_that_follow_the_rules_of_resource_names(name: str) -> None:
    assert read(f"instances: [{{name: {name}, environment: {name}}}]").instances[0].name == name


@pytest.mark.parametrize("name", ["-a", "_a", "a b", "ä", "a.b", "a/b", "x" * 101, "a\\n"])
def test_names_that_break_the_rules_of_resource_names(name: str) -> None:
    found = refusals(f'instances: [{{name: "{name}", environment: ok}}]')
    assert [(path, line) for path, line, _ in found] == [("/instances/0/name", 1)]


def test_a_name_that_yaml_takes_for_a_number_is_the_text_that_was_written() -> None:
    (instance,) = read("instances: [{name: 010, environment: yes}]").instances
    assert (instance.name, instance.environment) == ("010", "yes")


def test_every_structural_problem_is_reported_at_once() -> None:
    text = "instances:\n- 5\n- {spec: [a]}\n- {name: {}, environment: ''}\npipeline: x\n"
    assert refusals(text) == [
        ("/pipeline", 5, "pipeline must be a mapping of inputs to values."),
        ("/instances/0", 2, "An instance has a name, an environment and perhaps a spec."),
        ("/instances/1/name", 3, "The instance needs a name."),
        ("/instances/1/environment", 3, "The environment needs a name."),
        ("/instances/1/spec", 3, "spec must be a mapping of inputs to values."),
        ("/instances/2/name", 4, "The instance's name must be text."),
        ("/instances/2/environment", 4, "The environment needs a name."),
    ]


@pytest.mark.parametrize("text", ["[]", "text", "5"])
def test_a_spec_is_a_mapping(text: str) -> None:
    assert refusals(text) == [("", 1, "A spec is a mapping (keys and values).")]


def test_a_spec_has_1_to_51200_characters() -> None:
    assert read(SERVICE + "#" * (51_200 - len(SERVICE))) == read(SERVICE)
    assert refusals(SERVICE + "#" * (51_201 - len(SERVICE))) == [
        ("", None, "The spec has 51201 characters; the most is 51200.")
    ]
    assert refusals(" \n") == [("", None, "The spec is empty.")]


def test_a_spec_that_is_not_yaml_is_refused_with_its_line() -> None:
    assert [(path, line) for path, line, _ in refusals("instances:\n  - name: [\n")] == [("", 3)]


def test_keys_without_meaning_are_warnings() -> None:
    spec, problems = parse_spec(SERVICE + "    region: here\nversion: 2\n", "service")
    assert spec == read(SERVICE)
    assert problems == (
        Problem("/version", "version has no meaning in a spec and is ignored.", 12, "warning"),
        Problem("/instances/1/region", "region has no meaning in a spec and is ignored.", 11, "warning"),
    )


def test_values_are_checked_with_pointers_into_the_spec() -> None:
    found = check_spec(
        Spec(
            "service",
            instances=(DEV, InstanceSpec("b", "c", {"port": "x", "image": "i"})),
            pipeline={"test_command": 1.5},
        ),
        schema(PIPELINE_SCHEMA, "service"),
        has_pipeline=True,
    )
    assert [(problem.path, problem.severity) for problem in found] == [
        ("/instances/1/spec/image", "warning"),
        ("/instances/1/spec/port", "error"),
        ("/pipeline/test_command", "error"),
    ]
    environment = check_spec(
        Spec("environment", inputs={"vpc_cidr": []}), schema(ENVIRONMENT_SCHEMA, "environment"), has_pipeline=False
    )
    assert [problem.path for problem in environment] == ["/spec/vpc_cidr"]


def test_a_missing_input_has_the_pointer_of_its_own() -> None:
    found = check_spec(Spec("service", instances=(PROD,)), schema(SERVICE_SCHEMA, "service"), has_pipeline=False)
    assert found == (Problem("/instances/0/spec/image", "This is required."),)


def test_pipeline_is_forbidden_where_the_template_has_none() -> None:
    spec = Spec("service", pipeline={"test_command": "x"})
    (problem,) = check_spec(spec, schema(SERVICE_SCHEMA, "service"), has_pipeline=False)
    assert (problem.path, problem.message) == ("/pipeline", "The template has no pipeline; take this section out.")
    assert check_spec(Spec("service", pipeline={}), schema(SERVICE_SCHEMA, "service"), has_pipeline=False) == ()


def test_a_pipeline_with_optional_inputs_needs_no_section() -> None:
    assert check_spec(Spec("service"), schema(PIPELINE_SCHEMA, "service"), has_pipeline=True) == ()


def test_dumped_specs_have_protons_form() -> None:
    assert dump_spec(read(SERVICE)) == (
        "proton: ServiceSpec\n"
        "pipeline:\n"
        "  test_command: make test\n"
        "instances:\n"
        "- name: dev\n"
        "  environment: env-dev\n"
        "  spec:\n"
        "    port: 8080\n"
        "- name: prod\n"
        "  environment: env-prod\n"
        "  spec: {}\n"
    )
    assert dump_spec(read(ENVIRONMENT, "environment")) == ENVIRONMENT


VALUES: Any = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**15), 10**15)
    | st.floats(allow_nan=False, allow_infinity=False, width=32)
    | st.text(st.characters(codec="utf-8"), max_size=20)
    | st.sampled_from(
        ["on", "2020-01-01", "12:30", "0x10", "~", "<<", "=", "- a", "a: b", "10.0.0.0/16", " x ", "1e3"]
    ),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=3)
    ),
    max_leaves=8,
)
INPUTS = st.dictionaries(
    st.text(st.characters(codec="utf-8"), max_size=8) | st.sampled_from(["on", "<<"]), VALUES, max_size=4
)


@given(INPUTS, INPUTS, st.none() | INPUTS)
def test_a_dumped_spec_is_read_as_it_was(first: Any, second: Any, pipeline: Any) -> None:
    instances = (InstanceSpec("dev", "env", first), InstanceSpec("on", "12", second))
    for spec in (Spec("service", instances=instances, pipeline=pipeline), Spec("environment", inputs=first)):
        assert read(dump_spec(spec), spec.kind) == spec


def test_instances_are_added_replaced_and_taken_out() -> None:
    spec = read(SERVICE)
    added = InstanceSpec("beta", "env-beta", {})
    replaced = InstanceSpec("dev", "env-dev", {"port": 1})
    assert with_instance(spec, added).instances == (DEV, PROD, added)
    assert with_instance(spec, replaced).instances == (replaced, PROD)
    assert without_instance(spec, "dev").instances == (PROD,)
    assert without_instance(spec, "nobody") == spec


def test_current_val_keeps_the_stored_value_of_the_same_input() -> None:
    stored = Spec(
        "service",
        instances=(
            InstanceSpec("prod", "e", {"port": 1}),
            InstanceSpec("dev", "e", {"port": 2, "env": {"A": ["x", "y"]}}),
        ),
        pipeline={"test_command": "make"},
    )
    new = Spec(
        "service",
        instances=(
            InstanceSpec("dev", "e", {"port": CURRENT_VALUE, "env": {"A": ["z", CURRENT_VALUE]}}),
            InstanceSpec("prod", "e", {"port": CURRENT_VALUE, "image": "i"}),
        ),
        pipeline={"test_command": CURRENT_VALUE},
    )
    assert resolve_current_values(new, stored) == (
        Spec(
            "service",
            instances=(
                InstanceSpec("dev", "e", {"port": 2, "env": {"A": ["z", "y"]}}),
                InstanceSpec("prod", "e", {"port": 1, "image": "i"}),
            ),
            pipeline={"test_command": "make"},
        ),
        (),
    )


def test_current_val_is_invalid_where_nothing_is_stored() -> None:
    new = Spec("service", instances=(InstanceSpec("dev", "e", {"a": CURRENT_VALUE}),), pipeline={"b": CURRENT_VALUE})
    stored = Spec("service", instances=(InstanceSpec("other", "e", {"a": 1}),))
    for before in (None, stored):
        spec, problems = resolve_current_values(new, before)
        assert spec == new
        assert [problem.path for problem in problems] == ["/pipeline/b", "/instances/0/spec/a"]
    environment = Spec("environment", inputs={"a": CURRENT_VALUE})
    kept = resolve_current_values(environment, Spec("environment", inputs={"a": [1]}))
    assert kept == (Spec("environment", inputs={"a": [1]}), ())


@given(INPUTS)
def test_a_spec_without_current_val_stays_as_it_is(inputs: Any) -> None:
    spec = Spec("environment", inputs=inputs)
    assert resolve_current_values(spec, None) == (spec, ())
