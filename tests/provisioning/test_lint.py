"""cfn-lint's findings on rendered templates, and documents that are not handed to it."""

import pytest

from provisioning.cfn_yaml import MAX_DEPTH, events, too_large
from provisioning.lint import lint_template
from provisioning.problems import Problem
from provisioning.render.lines import template_line
from tests.provisioning.rendering import rendered

FILE = "infrastructure/cloudformation.yaml"
VPC = """\
AWSTemplateFormatVersion: '2010-09-09'
Resources:
  VPC:
    Type: AWS::EC2::VPC
    Properties:
      CidrBlock: 10.0.0.0/16
      EnableDnsHosting: true
      Tags:
        - Key: Name
          Value: !Sub '${AWS::StackName}-vpc'
"""


def test_a_misspelt_property_is_found_with_its_line_and_the_suggestion():
    assert lint_template(VPC, FILE) == (
        Problem(
            "/Resources/VPC/Properties/EnableDnsHosting",
            "Additional properties are not allowed ('EnableDnsHosting' was unexpected."
            " Did you mean 'EnableDnsHostnames'?)",
            line=7,
            file=FILE,
            code="E3002",
        ),
    )


def test_a_template_without_findings_has_none():
    assert lint_template(VPC.replace("EnableDnsHosting", "EnableDnsHostnames"), FILE) == ()


def test_a_template_in_json_is_linted_as_well():
    text = '{"Resources": {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {\n"TopicNam": "a"}}}}'
    assert [(p.code, p.line, p.path) for p in lint_template(text, FILE)] == [
        ("E3002", 2, "/Resources/Topic/Properties/TopicNam")
    ]


def test_warnings_are_warnings_and_information_is_left_out():
    text = VPC.replace("EnableDnsHosting: true\n", "EnableDnsSupport: true\n").replace(
        "Resources:", "Parameters:\n  Unused:\n    Type: String\nResources:"
    )
    found = lint_template(text, FILE)
    assert [(problem.severity, problem.code, problem.line) for problem in found] == [("warning", "W2001", 3)]


def test_a_text_that_is_no_yaml_is_one_problem():
    assert lint_template("A: 1\nB: [\n", FILE) == (
        Problem("", "did not find expected node content while parsing a flow node", line=3, file=FILE, code="E0000"),
    )


def test_a_text_that_is_no_template_is_a_problem():
    assert [problem.severity for problem in lint_template("- 1\n", FILE)] == ["error"]
    assert [problem.severity for problem in lint_template("", FILE)] == ["error"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "a0: &a0 [x, x]\n" + "".join(f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 9)}]\n" for n in range(9)),
            "more than 200000 values once its aliases are expanded",
        ),
        ("a: " + "[" * 5000 + "]" * 5000, f"nested more than {MAX_DEPTH} levels deep"),
    ],
)
def test_a_bomb_is_not_handed_on(text: str, message: str):
    (problem,) = lint_template(text, FILE)
    assert (problem.message, problem.code, problem.severity) == (message, "E0000", "error")


def test_ordinary_aliases_are_no_bomb():
    assert too_large(events("a: &a {b: 1}\nc: *a\nd: [*a, *a]\n")) is None


@pytest.mark.parametrize(
    ("line", "expected"),
    [(1, 1), (3, 3), (4, 4), (7, 4), (10, 7), (11, 8)],
)
def test_a_line_of_the_rendered_file_is_found_in_the_template(line: int, expected: int):
    template = "A: 1\n{% for x in [1, 2] %}\n# {{ x }}\nB{{ x }}: 1\n{% endfor %}\nC: 1\nD: {{ service.name }}\nE: 1\n"
    text = rendered(template)
    assert text == "A: 1\n\n# 1\nB1: 1\n\n# 2\nB2: 1\n\nC: 1\nD: shop\nE: 1\n"
    assert template_line(template, text, line) == expected
