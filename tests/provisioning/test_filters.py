"""AWS Proton's filters, section 4.3."""

import textwrap

import pytest
import yaml

from provisioning.context import ComponentFacts, Context
from provisioning.problems import Problem
from tests.provisioning.rendering import FILE, environment, instance, refusals, rendered

OUTPUTS = "service_instance.components.default.outputs"
ECS = f"{OUTPUTS} | proton_cfn_ecs_task_definition_formatted_env_vars"
LAMBDA = f"{OUTPUTS} | proton_cfn_lambda_function_formatted_env_vars"
POLICIES = f"{OUTPUTS} | proton_cfn_iam_policy_arns"
POLICY_1 = "arn:aws:iam::123456789012:policy/one"
POLICY_2 = "arn:aws-cn:iam::123456789012:policy/path/two"


def attached(**outputs: str) -> Context:
    return instance(ComponentFacts("component", outputs))


TWO = attached(Output1="hello", Output2="world")


def test_proton_cfn_ecs_task_definition_formatted_env_vars_makes_a_list_of_names_and_values():
    text = f"Containers:\n  - Name: web\n    Environment:\n      {{{{ {ECS} }}}}\n"
    assert rendered(text, TWO) == textwrap.dedent("""\
        Containers:
          - Name: web
            Environment:
              - Name: Output1
                Value: hello
              - Name: Output2
                Value: world
        """)


def test_proton_cfn_lambda_function_formatted_env_vars_makes_a_mapping():
    text = f"Environment:\n  Variables:\n    {{{{ {LAMBDA} }}}}\nNext: 1\n"
    assert rendered(text, TWO) == "Environment:\n  Variables:\n    Output1: hello\n    Output2: world\nNext: 1\n"


def test_proton_cfn_iam_policy_arns_appends_to_the_list_above_and_keeps_only_policies():
    context = attached(A="hello", P1=POLICY_1, R="arn:aws:iam::123456789012:role/r", P2=POLICY_2)
    text = f"ManagedPolicyArns:\n  - !Ref Base\n  {{{{ {OUTPUTS}\n      | proton_cfn_iam_policy_arns }}}}\nNext: 1\n"
    assert rendered(text, context) == (f"ManagedPolicyArns:\n  - !Ref Base\n  - {POLICY_1}\n  - {POLICY_2}\nNext: 1\n")


@pytest.mark.parametrize("filtered", [ECS, LAMBDA, POLICIES])
def test_an_empty_map_renders_to_nothing(filtered: str):
    assert rendered(f"A:\n  - 1\n  {{{{ {filtered} }}}}\nB: 2\n") == "A:\n  - 1\n  \nB: 2\n"


def test_continuation_lines_stand_at_the_placeholders_column_inside_a_loop():
    text = "{% for n in ['A', 'Long'] %}\n{{ n }}:\n  Env: &{{ n }}\n    {{ " + ECS + " }}\n{% endfor %}\n"
    variables = [{"Name": "Output1", "Value": "hello"}, {"Name": "Output2", "Value": "world"}]
    assert yaml.safe_load(rendered(text, TWO)) == {"A": {"Env": variables}, "Long": {"Env": variables}}


def test_continuation_lines_follow_the_rendered_column_after_a_value_on_the_same_line():
    text = "- {{ service.name }}: {{ service_instance.name }}\n- - {{ " + ECS + " }}\n"
    assert rendered(text, TWO).splitlines()[1:] == [
        "- - - Name: Output1",
        "      Value: hello",
        "    - Name: Output2",
        "      Value: world",
    ]


def test_the_rule_of_indentation_holds_through_macros_set_blocks_and_indent():
    macro = "{% macro env() %}{{ " + ECS + " }}{% endmacro %}A:\n   {{ env() }}\n"
    block = "{% set env %}{{ " + ECS + " }}{% endset %}A:\n   {{ env }}\n"
    indented = "A:\n   {{ " + ECS + " | indent(3) }}\n"
    expected = "A:\n   - Name: Output1\n     Value: hello\n   - Name: Output2\n     Value: world\n"
    assert [rendered(text, TWO) for text in (macro, block, indented)] == [expected] * 3


@pytest.mark.parametrize(
    "value",
    ["a b", "a: b", "a\nb: c", "- x", "'", '"', "# no", "", "null", "true", "12", "1e3", "{x}", "*a", "&a", "é", "a:"],
)
def test_values_are_quoted_where_yaml_would_read_something_else(value: str):
    context = attached(Output1=value)
    text = f"Ecs:\n  {{{{ {ECS} }}}}\nLambda:\n  {{{{ {LAMBDA} }}}}\n"
    assert yaml.safe_load(rendered(text, context)) == {
        "Ecs": [{"Name": "Output1", "Value": value}],
        "Lambda": {"Output1": value},
    }


@pytest.mark.parametrize("call", ["(False)", "(raw=False)"])
@pytest.mark.parametrize("name", ["ecs_task_definition", "lambda_function"])
def test_raw_false_accepts_only_plain_values(name: str, call: str):
    text = f"A: 1\nB:\n  {{{{ {OUTPUTS} | proton_cfn_{name}_formatted_env_vars{call} }}}}\n"
    assert "hello" in rendered(text, TWO)
    assert refusals(text, attached(Output1="hello there")) == (
        Problem(
            "",
            'Illegal character(s) detected in "hello there". Must match regex ^[a-zA-Z0-9_-]*$',
            line=3,
            file=FILE,
        ),
    )


def test_an_environments_inputs_can_be_formatted_as_well():
    text = "V:\n  {{ environment.inputs.tags | proton_cfn_lambda_function_formatted_env_vars }}\n"
    assert rendered(text, environment(tags={"n": 80, "on": True, "s": "x"})) == 'V:\n  n: 80\n  "on": true\n  s: x\n'


def test_a_formatter_of_something_that_is_no_map_fails():
    text = "{{ service.name | proton_cfn_iam_policy_arns }}"
    assert [str(problem) for problem in refusals(text)] == [
        f"{FILE}:1: this filter formats a map of names and values, not str"
    ]


@pytest.mark.parametrize(
    "value",
    ["This-is_valid_37", "", "arn:aws:some-service::123456789012:some-resource/resource-name",
     "arn:aws:s3:::bucket/key.txt", "arn:aws-us-gov:iam::123456789012:role/path/role@x"],
)  # fmt: skip
def test_proton_cfn_sanitize_passes_plain_values_and_arns(value: str):
    text = f"A: '{{{{ {OUTPUTS}.Output1 | proton_cfn_sanitize }}}}'\n"
    assert rendered(text, attached(Output1=value)) == f"A: '{value}'\n"


@pytest.mark.parametrize("value", ["this::is::incorrect", "a b", "a\n", "arn:aws:x", "arn:aws:s3:::a\nb", "é", "$"])
def test_proton_cfn_sanitize_refuses_in_protons_words(value: str):
    text = f"A: '{{{{ {OUTPUTS}.Output1 | proton_cfn_sanitize }}}}'\n"
    assert refusals(text, attached(Output1=value)) == (
        Problem(
            "",
            f'Illegal character(s) detected in "{value}". Must match regex ^[a-zA-Z0-9_-]*$ or be a valid ARN',
            line=1,
            file=FILE,
        ),
    )


def test_default_takes_an_optional_argument():
    text = f"A: '{{{{ {OUTPUTS}.test | default }}}}'\nB: {{{{ {OUTPUTS}.test | default(\"x\") }}}}\n"
    assert rendered(text) == "A: ''\nB: x\n"


def test_the_documented_example_of_a_component_renders_with_and_without_one():
    text = textwrap.dedent("""\
        Resources:
          TaskDefinition:
            Properties:
              ContainerDefinitions:
                - Name: '{{ service_instance.name }}'
                  {% if service_instance.components.default.outputs | length > 0 %}
                  Environment:
                    {{ service_instance.components.default.outputs |
                        proton_cfn_ecs_task_definition_formatted_env_vars }}
                  {% endif %}
          TaskRole:
            Properties:
              ManagedPolicyArns:
                - arn:aws:iam::aws:policy/Base
                {{ service_instance.components.default.outputs
                    | proton_cfn_iam_policy_arns }}
        """)
    base = "arn:aws:iam::aws:policy/Base"

    def read(context: Context) -> tuple[object, object]:
        resources = yaml.safe_load(rendered(text, context))["Resources"]
        container = resources["TaskDefinition"]["Properties"]["ContainerDefinitions"][0]
        return container, resources["TaskRole"]["Properties"]["ManagedPolicyArns"]

    assert read(instance()) == ({"Name": "web"}, [base])
    assert read(attached(P=POLICY_1)) == (
        {"Name": "web", "Environment": [{"Name": "P", "Value": POLICY_1}]},
        [base, POLICY_1],
    )
