"""Jinja as AWS Proton's samples use it, section 4.2, and what a rendering says when it cannot be made."""

import json

import pytest
import yaml

from provisioning.context import EnvironmentFacts, InstanceFacts, pipeline_context
from provisioning.problems import Problem
from provisioning.render import render_file, render_plain
from provisioning.render.errors import SYNTAX
from tests.provisioning.rendering import ENVIRONMENT, FILE, SERVICE, environment, instance, problems, refusals, rendered

PIPELINE = pipeline_context(
    service=SERVICE,
    inputs={"environment_account_ids": "111111111111,222222222222", "unit_test_command": "echo 'add your tests here'"},
    instances=[
        InstanceFacts("web", {"tier": "a"}, {"LambdaRuntime": "python3.11"}, ENVIRONMENT),
        InstanceFacts("worker", {}, {}, EnvironmentFacts("test", "333333333333")),
    ],
)


def test_if_elif_and_else_choose_by_equality():
    size = "service_instance.inputs.size"
    text = f"{{% if {size} == 'l' %}}A: 1{{% elif {size} == 'm' %}}A: 2{{% else %}}A: 3{{% endif %}}"
    assert [rendered(text, instance(size=size)) for size in ("l", "m", "s")] == ["A: 1", "A: 2", "A: 3"]


def test_a_loop_over_service_instances_numbers_its_resources():
    text = (
        "{% for service_instance in service_instances %}\n"
        "Deploy{{loop.index}}:\n  Name: '{{service_instance.name}}'\n"
        '  Principal: "arn:aws:iam::{{service_instance.environment.account_id}}:root"\n'
        "{% endfor %}"
    )
    assert yaml.safe_load(rendered(text, PIPELINE)) == {
        "Deploy1": {"Name": "web", "Principal": "arn:aws:iam::123456789012:root"},
        "Deploy2": {"Name": "worker", "Principal": "arn:aws:iam::333333333333:root"},
    }


def test_set_unpacks_a_split_string():
    text = "{% set a, b = service_instance.inputs.pair.split('=') %}{{ a }}: {{ b }}"
    assert rendered(text, instance(pair="left=right")) == "left: right"


def test_a_comma_list_of_an_input_becomes_a_list_through_split_and_a_loop():
    text = (
        "AWS:\n  {% set ids = pipeline.inputs.environment_account_ids.split(',') %}\n"
        '  {% for id in ids %}\n  - "arn:aws:iam::{{id}}:root"\n  {% endfor %}\n'
    )
    assert yaml.safe_load(rendered(text, PIPELINE)) == {
        "AWS": ["arn:aws:iam::111111111111:root", "arn:aws:iam::222222222222:root"]
    }


def test_truncate_takes_protons_four_arguments():
    text = "Name: '{{(service.name~\"--\"~service_instance.name)|truncate(6, true, 'zzz', 0)}}'"
    assert rendered(text) == "Name: 'shozzz'"


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("service.name ~ '-' ~ 1", "shop-1"),
        ("service.name[:2]", "sh"),
        ("service.name[1:-1]", "ho"),
        ("'a,b'.split(',')[1]", "b"),
        ("service.repository_id.split('/') | last", "shop"),
        ("service.name.replace('-', '').upper()", "SHOP"),
        ("environment.outputs.SubnetIds.split(',') | length", "2"),
        ("'yes' if service.name is string else 'no'", "yes"),
        ("'yes' if service.name in ['shop'] and not service_instance.inputs.x else 'no'", "yes"),
        ("[1, 2] | sum", "3"),
        ("'%s-%05d' | format(service.name, 7)", "shop-00007"),
        ("'{}/{}'.format(service.name, 1)", "shop/1"),
        ("{'prod': 'large'}[environment.name]", "large"),
        ("7 // 2 ** 1 % 4", "3"),
        ("'-' * 3 + 'x'", "---x"),
        ("service | tojson | length > 10", "True"),
    ],
)
def test_the_full_language_is_there(expression: str, result: str):
    assert rendered(f"A: '{{{{ {expression} }}}}'") == f"A: '{result}'"


def test_raw_blocks_and_quoted_literals_pass_dynamic_references():
    text = (
        "A: '{% raw %}{{resolve:secretsmanager:db:SecretString:password}}{% endraw %}'\n"
        "B: '{{ '{{resolve:ssm:name}}' }}'\n"
        'C: \'{{ "{{resolve:ssm:/" ~ service.name ~ "}}" }}\'\n'
    )
    assert yaml.safe_load(rendered(text)) == {
        "A": "{{resolve:secretsmanager:db:SecretString:password}}",
        "B": "{{resolve:ssm:name}}",
        "C": "{{resolve:ssm:/shop}}",
    }


def test_the_raw_text_is_rendered_comments_included():
    assert rendered("# for {{ service.name }}\nA: 1\n") == "# for shop\nA: 1\n"


def test_a_template_need_not_be_yaml_before_it_is_rendered():
    text = (
        "Cpu: !FindInMap [TaskSize, {{service_instance.inputs.size}}, cpu]\n"
        "{% if true %}\nB: {{ environment.outputs.VpcId }}\n{% endif %}"
    )
    assert rendered(text, instance(size="x-small")) == ("Cpu: !FindInMap [TaskSize, x-small, cpu]\n\nB: vpc-1\n")


@pytest.mark.parametrize("text", ["A: 1", "A: 1\n", "A: |\n  x\n\n"])
def test_trailing_newlines_are_kept(text: str):
    assert rendered(text) == text


def test_the_legacy_alias_reads_the_environment_of_an_instance():
    assert rendered("A: {{ service_instance.environment.outputs.VpcId }}") == "A: vpc-1"


def test_a_map_of_constants_is_looked_up_and_printed_as_json():
    text = (
        'BuildSpec: >-\n  {\n    "runtime-versions": {{\n'
        '      {"python3.11": {"python": "3.11"},\n       "go1.x": {"golang": "1.x"}\n'
        "      }[service_instances[0].outputs.LambdaRuntime] | tojson | safe }},\n"
        '    "commands": ["{{ pipeline.inputs.unit_test_command }}"]\n  }\n'
    )
    assert json.loads(yaml.safe_load(rendered(text, PIPELINE))["BuildSpec"]) == {
        "runtime-versions": {"python": "3.11"},
        "commands": ["echo 'add your tests here'"],
    }


def test_outputs_of_the_environment_may_carry_structure():
    text = (
        "Subnets: [{{ environment.outputs.SubnetIds }}]\n"
        "Other:\n  - {{ environment.outputs.SubnetIds.split(',') | join('\\n  - ') }}\n"
    )
    subnets = ["subnet-1", "subnet-2"]
    assert yaml.safe_load(rendered(text)) == {"Subnets": subnets, "Other": subnets}


def test_choices_between_constants_may_carry_structure():
    text = (
        "{% set extra = {'l': '\\n  C: 3'}[service_instance.inputs.size] %}"
        "A:\n  B: 1{{ '\\n  D: 4' if service_instance.inputs.size == 'l' else '' }}{{ extra }}\n"
    )
    assert yaml.safe_load(rendered(text, instance(size="l"))) == {"A": {"B": 1, "C": 3, "D": 4}}


def test_macros_and_set_blocks_may_write_structure_around_values():
    text = (
        "{% macro tag(key, value) %}\n  - Key: {{ key }}\n    Value: '{{ value }}'{% endmacro %}"
        "{% set name %}{{ service.name }}-{{ service_instance.name }}{% endset %}"
        "Tags:{{ tag('Name', name) }}{{ tag('Team', service_instance.inputs.team) }}\n"
    )
    assert yaml.safe_load(rendered(text, instance(team="a b"))) == {
        "Tags": [{"Key": "Name", "Value": "shop-web"}, {"Key": "Team", "Value": "a b"}]
    }


def test_lists_and_maps_of_inputs_print_as_flow_collections():
    context = instance(list=["a", "it's", 'say "x"', 3, True], map={"k": "v: w"})
    text = (
        "A: {{ service_instance.inputs.list }}\nB: {{ service_instance.inputs.map }}\n"
        "C: [{{ service_instance.inputs.list[:2] | join(', ') }}]\n"
    )
    assert yaml.safe_load(rendered(text, context)) == {
        "A": ["a", "it's", 'say "x"', 3, True],
        "B": {"k": "v: w"},
        "C": ["a", "it's"],
    }


@pytest.mark.parametrize(
    "value", ["it's", 'say "x"', "a: b", "a\nb", "<&>", "é", "\\d", "{x}", ["a", {"b": None}], {"k": "- v"}]
)
def test_tojson_prints_any_value_safely(value: object):
    assert yaml.safe_load(rendered("A: {{ environment.inputs.x | tojson }}\n", environment(x=value))) == {"A": value}


def test_tojson_inside_a_block_scalar_is_text():
    text = "A: |\n  {{ environment.inputs.x | tojson(indent=2) | indent(2) }}\n"
    value = {"k": "it's <b>", "l": [1, 2]}
    assert json.loads(yaml.safe_load(rendered(text, environment(x=value)))["A"]) == value


def test_indent_knows_the_argument_of_jinja_2_11():
    text = "A: |\n{{ environment.inputs.script | indent(width=2, indentfirst=True) }}\n"
    assert yaml.safe_load(rendered(text, environment(script="one\ntwo"))) == {"A": "one\ntwo\n"}


def test_a_template_in_json_renders_also_with_tabs():
    text = (
        '{\n\t"Resources": {\n'
        '\t\t"{{ service_instance.inputs.id }}Bucket": {"Type": "AWS::S3::Bucket", "Slash": "a\\/b"}\n\t}\n}\n'
    )
    assert json.loads(rendered(text, instance(id="Web"))) == {
        "Resources": {"WebBucket": {"Type": "AWS::S3::Bucket", "Slash": "a/b"}}
    }


def test_without_the_guard_the_same_text_comes_out():
    text = "A: '{{ service.name }}'\n{% for x in [1, 2] %}\n- {{ x }}{% endfor %}"
    assert render_plain(text, FILE, instance()).text == "A: 'shop'\n\n- 1\n- 2"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("A: 1\nB: {{ x\nC: 2", 3, "expected token 'end of print statement', got 'C'"),
        ("A: 1\n{% if true %}\nB: 2\n", 2, "Unexpected end of template. Jinja was looking for the following tags: "
         "'elif' or 'else' or 'endif'. The innermost block that needs to be closed is 'if'."),
        ("A: 1\n{% end %}", 2, "Encountered unknown tag 'end'."),
        ("A: {{ 1 | nope }}", 1, "No filter named 'nope'."),
        ("A: {{resolve:secretsmanager:x}}", 1, "expected token 'end of print statement', got ':'"),
        ("\n{% autoescape true %}{{ service.name }}{% endautoescape %}", 2,
         "autoescape has no place in an infrastructure template"),
        ("{% call service.name.upper() %}{% endcall %}", 1, "a call block can only call a macro of the same template"),
    ],
)  # fmt: skip
def test_a_template_that_jinja_cannot_read_says_where(text: str, line: int, message: str):
    assert refusals(text) == (Problem("", message, line=line, file=FILE, code=SYNTAX),)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("A: 1\nB: {{ 1 / 0 }}", 2, "division by zero"),
        ("A: 1\nB: {{ 'x' + 1 }}", 2, 'can only concatenate str (not "int") to str'),
        ("\n\n{% include 'other.yaml' %}", 3, "a template cannot include, import or extend other files"),
        ("{% set a, b = 'x'.split('=') %}", 1, "not enough values to unpack (expected 2, got 1)"),
        ("{{ ['a'][3].x }}", 1, "list object has no element 3"),
        ("\n{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", 2, "the template calls itself too often"),
    ],
)
def test_a_template_that_fails_while_it_runs_says_where(text: str, line: int, message: str):
    assert refusals(text) == (Problem("", message, line=line, file=FILE),)


def test_a_result_that_is_no_yaml_gives_its_line_and_the_templates():
    text = "A: 1\n{% for x in [1, 2, 3] %}\nB{{ x }}: 2\n{% endfor %}\nC:\n - 1\n D: 2\n"
    assert refusals(text) == (
        Problem(
            "",
            "the rendered file is not valid YAML at its line 11:"
            " did not find expected '-' indicator while parsing a block collection",
            line=7,
            file=FILE,
        ),
    )


def test_a_tab_or_a_control_character_of_the_template_is_named_with_its_line():
    assert [(p.line, p.message) for p in refusals("A: 1\nB:\tx: 2\n")] == [
        (2, "the rendered file is not valid YAML at its line 2: mapping values are not allowed in this context")
    ]
    assert [(p.line, p.message) for p in refusals("A: 1\nB: \x01\n")] == [
        (2, "the rendered file is not valid YAML at its line 2: the character 1 is not allowed")
    ]


def test_a_rendering_over_the_limit_is_refused():
    text = "{% for x in range(1000) %}\n- é{{ x }}{% endfor %}"
    assert [p.message for p in problems(render_file, text, FILE, instance(), limit=1000)] == [
        "the rendered file is larger than 1000 bytes"
    ]
    assert [p.message for p in problems(render_file, "- " + "é" * 600, FILE, instance(), limit=1000)] == [
        "the rendered file is larger than 1000 bytes"
    ]
