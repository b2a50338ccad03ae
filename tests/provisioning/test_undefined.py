"""What a template may do with a name that is not there."""

import pytest

from provisioning.context import ComponentFacts, EnvironmentFacts, component_context
from provisioning.problems import Problem
from provisioning.render import render_file
from provisioning.render.errors import UNKNOWN_NAME
from tests.provisioning.rendering import FILE, environment, instance, problems, refusals, rendered

ABSENT = "service_instance.inputs.size"


@pytest.mark.parametrize(
    ("text", "result"),
    [
        (f"{{% if {ABSENT} is defined %}}yes{{% else %}}no{{% endif %}}", "no"),
        (f"{{% if {ABSENT} %}}yes{{% else %}}no{{% endif %}}", "no"),
        (f"{{% if not {ABSENT} %}}no{{% endif %}}", "no"),
        (f"{{% if {ABSENT} == 'large' %}}yes{{% else %}}no{{% endif %}}", "no"),
        (f"{{% if {ABSENT} != 'large' %}}no{{% endif %}}", "no"),
        (f"{{% if {ABSENT} > 3 %}}yes{{% elif {ABSENT} <= 3 %}}yes{{% else %}}no{{% endif %}}", "no"),
        (f"{{% if 'x' in {ABSENT} %}}yes{{% else %}}no{{% endif %}}", "no"),
        (f"{{% if {ABSENT} in ['large', 'small'] %}}yes{{% else %}}no{{% endif %}}", "no"),
        (f"{{% for x in {ABSENT} %}}{{{{ x }}}}{{% else %}}no{{% endfor %}}", "no"),
        (f"{{{{ {ABSENT} | default('no') }}}}", "no"),
        (f"no{{{{ {ABSENT} | default }}}}", "no"),
        (f"{{{{ {ABSENT} | length }}}}", "0"),
        (f"{{{{ 'yes' if {ABSENT} else 'no' }}}}", "no"),
        ("{{ service_instance.inputs['size'] | default('no') }}", "no"),
        (f"{{% if {ABSENT}.of.all is defined %}}yes{{% else %}}no{{% endif %}}", "no"),
        (f"{{{{ {ABSENT}['of'].all | default('no') }}}}", "no"),
        ("{{ environment.outputs.Nope | default('no') }}", "no"),
        ("{{ service_instance.inputs.get('size', 'no') }}", "no"),
    ],
)
def test_an_absent_input_or_output_may_be_tested_compared_iterated_and_defaulted(text: str, result: str):
    assert rendered(text) == result


@pytest.mark.parametrize(
    "expression",
    [ABSENT, f"{ABSENT} ~ '-x'", f"{ABSENT} | upper", f"{ABSENT} | tojson", f"[{ABSENT}]", f"{ABSENT} + 1"],
)
def test_printing_an_absent_input_fails_with_file_line_and_name(expression: str):
    assert refusals(f"A: 1\nB: {{{{ {expression} }}}}\n") == (
        Problem("", "service_instance.inputs.size has no value", line=2, file=FILE),
    )


def test_printing_an_absent_output_fails_with_the_line_inside_a_loop():
    text = "A:\n{% for x in [1] %}\n  - {{ x }}\n  - {{ environment.outputs.Nope }}\n{% endfor %}\n"
    assert refusals(text) == (Problem("", "environment.outputs.Nope has no value", line=4, file=FILE),)


def test_an_absent_input_in_a_comment_prints_as_nothing():
    assert rendered("# was {{ service_instance.inputs.old }}\nA: 1\n") == "# was \nA: 1\n"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nope", "'nope' is undefined"),
        ("environment.nope", "environment.nope does not exist; there are account_id, name, outputs"),
        ("environment.inputs.cidr", "environment.inputs does not exist; there are account_id, name, outputs"),
        ("service['nope']", "service.nope does not exist; there are branch_name, name, repository_connection_arn,"
                            " repository_id"),
        ("pipeline.inputs.x", "'pipeline' is undefined"),
        ("service_instance.components.other", "service_instance.components.other does not exist; there are default"),
    ],
)  # fmt: skip
def test_every_other_unknown_name_fails_at_once(name: str, message: str):
    assert refusals(f"A: 1\nB: {{{{ {name} }}}}\n") == (Problem("", message, line=2, file=FILE, code=UNKNOWN_NAME),)


def test_an_unknown_name_fails_also_when_it_is_only_tested():
    assert [problem.message for problem in refusals("{% if nope %}{% endif %}")] == ["'nope' is undefined"]


def test_whether_an_unknown_name_is_defined_may_be_asked():
    context = component_context(name="bucket", environment=EnvironmentFacts("prod", "123456789012"))
    text = "{% if service_instance is defined %}attached{% else %}detached{% endif %}"
    assert rendered(text, context) == "detached"


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("service_instance.components.default | length", "0"),
        ("service_instance.components.default.outputs | length", "0"),
        ("service_instance.components.default.name | default('')", ""),
        ("service_instance.components.default.outputs.my-output | default('17')", "17"),
        ("'yes' if service_instance.components.default else 'no'", "no"),
        ("service_instance.components.default", "{}"),
    ],
)
def test_an_absent_component_is_an_empty_object(expression: str, result: str):
    assert rendered(f"{{{{ {expression} }}}}") == result


def test_an_attached_component_has_its_name_and_outputs():
    context = instance(ComponentFacts("bucket", {"my-output": "b-1"}))
    text = "{{ service_instance.components.default.name }} {{ service_instance.components.default.outputs.my-output }}"
    assert rendered(text, context) == "bucket b-1"


HYPHENS = {"my-input": "hyphen", "a": 5, "b": 3, "a-1": "named", "two-2nd-part": "parts", "map": {"in-side": "deep"}}


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("environment.inputs.my-input", "hyphen"),
        ("environment.inputs.my-input | upper", "HYPHEN"),
        ("environment.inputs['my-input']", "hyphen"),
        ("environment.inputs.two-2nd-part", "parts"),
        ("environment.inputs.map.in-side", "deep"),
        ("environment.inputs.a-1", "named"),
        ("environment.inputs.b-1", "2"),
        ("environment.inputs.a - environment.inputs.b", "2"),
        ("environment.inputs.a-environment.inputs.b", "2"),
        ("environment.inputs.my-other | default('none')", "none"),
        ("10-3", "7"),
    ],
)
def test_a_hyphenated_name_below_inputs_and_outputs_is_one_name(expression: str, result: str):
    assert rendered(f"{{{{ {expression} }}}}", environment(**HYPHENS)) == result


def test_a_hyphenated_name_is_left_alone_in_text_and_in_raw_blocks():
    text = "outputs.my-output {% raw %}{{ inputs.my-input }}{% endraw %}"
    assert rendered(text) == "outputs.my-output {{ inputs.my-input }}"


def test_whitespace_control_keeps_the_line_of_an_error():
    text = "A: 1\n\n{%- if true -%}\n\n\nB: {{ environment.outputs.not-there }}\n{% endif %}\n"
    assert problems(render_file, text, FILE, instance()) == (
        Problem("", "environment.outputs.not-there has no value", line=6, file=FILE),
    )


@pytest.mark.parametrize("name", ["items", "keys", "values", "get", "copy", "pop", "update"])
def test_an_input_may_have_the_name_of_a_method(name: str):
    assert rendered(f"{{{{ environment.inputs.{name} }}}}", environment(**{name: "mine"})) == "mine"


def test_the_entries_of_inputs_can_be_walked():
    text = "{% for k, v in environment.inputs.items() %}{{ k }}={{ v }};{% endfor %}"
    assert rendered(text, environment(a="1", b="2")) == "a=1;b=2;"
