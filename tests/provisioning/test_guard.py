"""Developer input must not change the structure of a rendered file."""

import functools

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioning.context import ComponentFacts, EnvironmentFacts, InstanceFacts, pipeline_context
from provisioning.problems import Problem, ProblemsFound
from provisioning.render import render_file, render_plain
from tests.provisioning.hostile import POSITIONS, STRINGS, same_structure, structure
from tests.provisioning.rendering import FILE, SERVICE, environment, instance, problems, refusals, rendered

ADVICE = "choose another value, or let the template print it with {{ ... | tojson }}"


@functools.cache
def intended(text: str) -> object:
    return structure(render_plain(text, FILE, environment(x="benign")).text)


def escaped(text: str, value: str) -> bool:
    """Whether a value changed the structure and the guard let it pass."""
    try:
        result = render_file(text, FILE, environment(x=value)).text
    except ProblemsFound:
        return False
    return not same_structure(structure(result), intended(text))


def test_the_corpus_is_large_enough():
    assert len(STRINGS) >= 3000
    assert len(POSITIONS) >= 30


@pytest.mark.parametrize("position", sorted(POSITIONS))
def test_no_hostile_string_changes_the_structure_of_a_position(position: str):
    text = POSITIONS[position]
    tried = STRINGS[sorted(POSITIONS).index(position) % 11 :: 11]
    assert [value for value in tried if escaped(text, value)] == []


@given(
    position=st.sampled_from(sorted(POSITIONS)),
    value=st.text(st.sampled_from("ab1 \n\t'\"\\:-#,[]{}&*!|>%@`?=~<.$é"), max_size=12),
)
@settings(max_examples=700, deadline=None)
def test_no_mixture_of_yamls_own_characters_changes_the_structure(position: str, value: str):
    assert not escaped(POSITIONS[position], value)


def test_without_the_guard_the_same_corpus_changes_the_structure_where_no_filter_quotes():
    def broken(text: str) -> bool:
        for value in STRINGS[::7]:
            result = render_plain(text, FILE, environment(x=value)).text
            try:
                if not same_structure(structure(result), intended(text)):
                    return True
            except yaml.YAMLError:
                continue
        return False

    assert sorted(name for name, text in POSITIONS.items() if not broken(text)) == [
        "environment variables",
        "literal block, indented",
        "names of variables",
        "tojson",
    ]


@pytest.mark.parametrize("position", sorted(POSITIONS))
@pytest.mark.parametrize(
    "value",
    ["benign", "10.0.0.0/16", "public.ecr.aws/x/nginx:1.21.0", "80", "true", "on", "1e3", "2024-01-01", "a b", "rate-5",
     "arn:aws:iam::123456789012:role/r", "x" * 500, "é", "a.b+c@d=e"],
)  # fmt: skip
def test_an_ordinary_value_passes_everywhere(position: str, value: str):
    text = POSITIONS[position]
    result = render_file(text, FILE, environment(x=value)).text
    assert result == render_plain(text, FILE, environment(x=value)).text
    assert same_structure(structure(result), intended(text))


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("A: '{{ environment.inputs.x }}'", "cron(0 12 * * ? *)"),
        ("A: '{{ environment.inputs.x }}'", 'a: "b" # c, {d}'),
        ('A: "{{ environment.inputs.x }}"', "it's: - [x]"),
        ("A: {{ environment.inputs.x }}", "it's a (plain) text; with, commas: none"[:-6]),
        ("A: |\n  {{ environment.inputs.x }}", "anything: {goes} # here"),
        ('A: >-\n  { "c": ["{{ environment.inputs.x }}"] }\n', "echo 'add your unit test command here'"),
        ('A: \'{"ping":"{{ environment.inputs.x }}"}\'', "arn:aws:sns:us-east-1:123456789012:t"),
    ],
)
def test_special_characters_pass_where_the_position_bears_them(template: str, value: str):
    assert rendered(template, environment(x=value)) == template.replace("{{ environment.inputs.x }}", value)


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("A: |\n  first\n  {{ environment.inputs.x | indent(2) }}\n  last\n", "one\ntwo\n\nthree: 3"),
        ("A: '{{ environment.inputs.x }}'\n", "one\ntwo"),
        ("A:\n  - {{ environment.inputs.x | tojson }}\n", "one\ntwo: x"),
    ],
)
def test_a_newline_passes_where_the_trees_match(template: str, value: str):
    result = rendered(template, environment(x=value))
    assert same_structure(structure(result), structure(rendered(template, environment(x="benign"))))


@pytest.mark.parametrize("value", ["null", "~", "Null", "NULL"])
def test_a_text_that_would_be_read_as_null_is_refused_where_it_stands_alone(value: str):
    assert refusals("A: 1\nB: {{ environment.inputs.x }}\n", environment(x=value)) == (
        Problem(
            "/environment/inputs/x",
            f"the value '{value}' would be read as nothing at all, or as a merge, and not as text; {ADVICE}",
            line=2,
            file=FILE,
        ),
    )
    quoted = "A: '{{ environment.inputs.x }}'\nB: {{ environment.inputs.x | tojson }}\nC: x{{ environment.inputs.x }}\n"
    assert structure(rendered(quoted, environment(x=value))) is not None


@pytest.mark.parametrize("value", [80, -1, 1.5, True, None, "80", "true", "yes"])
def test_numbers_and_booleans_keep_their_type_and_text_that_looks_like_one_is_coerced_as_in_proton(value: object):
    assert rendered("A: {{ environment.inputs.x }}", environment(x=value)) == f"A: {value}"


def test_a_key_that_repeats_its_sibling_is_refused():
    template = "Resources:\n  {{ environment.inputs.x }}:\n    Type: A\n  Role:\n    Type: B\n"
    assert "Bucket:" in rendered(template, environment(x="Bucket"))
    assert [str(problem) for problem in refusals(template, environment(x="Role"))] == [
        f"{FILE}:2: /environment/inputs/x: the value 'Role' would repeat a key that is already there; {ADVICE}"
    ]


@pytest.mark.parametrize(
    "value", ["${AWS::AccountId}", "a ${x} b", "{{resolve:secretsmanager:db}}", "{{ resolve:ssm:a }}"]
)
def test_what_cloudformation_executes_is_refused_wherever_it_is_printed(value: str):
    marker = "${" if "$" in value else value[: value.index("resolve:") + 8]
    assert refusals("A: !Sub '{{ environment.inputs.x }}'", environment(x=value)) == (
        Problem(
            "/environment/inputs/x",
            f"contains '{marker}', which CloudFormation would execute;"
            " only a version whose inputs are trusted accepts it",
            file=FILE,
        ),
    )


@pytest.mark.parametrize(
    ("template", "inputs"),
    [
        ("A: !Sub '{{ I.a }}{{ I.b }}'", {"a": "$", "b": "{AWS::AccountId}"}),
        ("A: !Sub '{{ I.a ~ I.b }}'", {"a": "$", "b": "{AWS::AccountId}"}),
        ("A: !Sub '${{ I.b }}'", {"b": "{AWS::AccountId}"}),
        ("A: !Sub '{{ I.a | replace('!', '') }}'", {"a": "$!{AWS::AccountId}"}),
        ("A: '{{ I.a }}{{ I.b }}'", {"a": "{", "b": "{resolve:ssm:x}}"}),
        ("A: '{{ I.a | join('') }}'", {"a": ["{{", "resolve:ssm:x}}"]}),
        ('A: !Sub "{{ I.a }}"', {"a": "\\x24{AWS::AccountId}"}),
    ],
)
def test_what_cloudformation_executes_cannot_be_put_together_from_pieces(template: str, inputs: dict[str, object]):
    assert refusals(template.replace("I.", "environment.inputs."), environment(**inputs)) != ()


def test_an_authors_own_substitution_around_a_value_passes():
    text = "A: !Sub 'arn:${AWS::Partition}:s3:::{{ service_instance.inputs.x }}${AWS::StackName}'"
    assert rendered(text, instance(x="$5 {b}")).endswith(":s3:::$5 {b}${AWS::StackName}'")


@pytest.mark.parametrize(
    "value", ["a\x00b", "a\x1bb", "a\x7fb", "a\x85b", "a\u2028b", "a\u202eb", "a\u2066b", "a\r\nb", "\ufeffa"]
)
def test_control_and_reordering_characters_are_refused(value: str):
    assert refusals("A: 1", environment(list=[{"k/1": value}])) == (
        Problem("/environment/inputs/list/0/k~11", "contains a control character", file=FILE),
    )


def test_every_developer_string_is_looked_at_and_all_problems_are_said_at_once():
    context = pipeline_context(
        service=SERVICE,
        inputs={"a": "${x}"},
        instances=[
            InstanceFacts("${n}", {"${k}": "ok"}, {"Out": "${o}"}, EnvironmentFacts("prod", "1", {"O": "${e}"}))
        ],
    )
    assert [problem.path for problem in refusals("A: 1", context)] == [
        "/pipeline/inputs/a",
        "/service_instances/0/name",
        "/service_instances/0/inputs/${k}",
    ]
    component = instance(ComponentFacts("c", {"Out": "${x}"}))
    assert [problem.path for problem in refusals("A: 1", component)] == [
        "/service_instance/components/default/outputs/Out"
    ]


def test_each_culprit_is_named_with_its_own_line():
    text = "A: {{ environment.inputs.good }}\nB: {{ environment.inputs.bad }}\nC: '{{ environment.inputs.worse }}'\n"
    found = refusals(text, environment(good="a b", bad="x: y", worse="it's"))
    assert [(problem.path, problem.line) for problem in found] == [
        ("/environment/inputs/bad", 2),
        ("/environment/inputs/worse", 3),
    ]


def test_outputs_of_other_instances_are_values_and_those_of_the_environment_are_structure():
    def context(output: str):
        prod = EnvironmentFacts("prod", "1", {"Ids": output})
        return pipeline_context(service=SERVICE, inputs={}, instances=[InstanceFacts("web", {}, {"Ids": output}, prod)])

    text = "{% for i in service_instances %}A: [{{ i.outputs.Ids }}]\n{% endfor %}"
    assert rendered(text, context("a")) == "A: [a]\n"
    assert refusals(text, context("a, b")) != ()


def test_a_name_that_the_template_sets_in_another_branch_is_still_a_value():
    text = "{% if false %}{% set service = {'name': 'x'} %}{% endif %}A: [{{ service_instance.inputs.x }}]"
    hidden = text.replace("service = {'name': 'x'}", "service_instance = {'inputs': {'x': 'y'}}")
    assert refusals(text, instance(x="a, b")) != ()
    assert refusals(hidden, instance(x="a, b")) != ()


def test_a_list_of_something_that_cannot_be_taken_apart_is_one_value():
    text = "A: {{ [{'k': environment.inputs.x}.items()] }}"
    assert [problem.path for problem in refusals(text, environment(x="a-b"))] == ["/environment/inputs/x"]


def test_trusted_inputs_may_change_the_structure_but_the_result_must_still_be_yaml():
    text, context = "A: [{{ environment.inputs.x }}]\n", environment(x="a, '${b}'")
    assert render_file(text, FILE, context, trusts_inputs=True).text == "A: [a, '${b}']\n"
    assert [p.line for p in problems(render_file, text, FILE, environment(x="["), trusts_inputs=True)] == [1]


def test_a_default_that_the_author_wrote_may_do_what_the_author_may():
    text = "A: [{{ environment.inputs.x }}]\nB: '{{ environment.inputs.y }}'\n"
    context = environment(x="a, b", y="echo ${HOME}")
    result = render_file(text, FILE, context, authored={"a, b", "echo ${HOME}"}).text
    assert result == "A: [a, b]\nB: 'echo ${HOME}'\n"
    assert len(problems(render_file, text, FILE, context, authored={"echo ${HOME}"})) == 1


@pytest.mark.parametrize(
    "text",
    ["A: !{{ environment.inputs.x }} b", "A: &{{ environment.inputs.x }} b", "A: |{{ environment.inputs.x }}\n  b"],
)
def test_a_value_in_a_place_that_cannot_be_checked_is_refused(text: str):
    assert len(refusals(text, environment(x="Ref" if "|" not in text else "2"))) == 1
