"""GitHub workflows: whose braces are whose, and that no value becomes an expression, a shell word or structure."""

import shlex
from itertools import product
from typing import Any

import pytest
import yaml

from provisioning.bundle import read_bundle
from provisioning.context import EnvironmentFacts, InstanceFacts, ServiceFacts, pipeline_context, workflow_context
from provisioning.problems import ProblemsFound
from provisioning.render.pool import RenderPool
from provisioning.render.workflow import render_workflow, targets
from tests.provisioning import hostile

FILE = "pipeline_infrastructure/deploy.yml"
HEAD = "on: push\njobs:\n  build:\n    runs-on: ubuntu-24.04\n"


def context(**inputs: Any) -> dict[str, Any]:
    dev = EnvironmentFacts("dev", "111111111111", {"Cluster": "arn:aws:ecs:us-east-1:111111111111:cluster/dev"})
    instances = [InstanceFacts("one", {"port": 80}, {"Url": "https://one.example.com/?a=b&c"}, dev)]
    service = ServiceFacts("web", "main", "arn:aws:codeconnections:us-east-1:111111111111:connection/1", "acme/web")
    return pipeline_context(service=service, inputs=inputs, instances=instances)


def rendered(text: str, /, **inputs: Any) -> str:
    return render_workflow(text, FILE, context(**inputs)).text


def refusals(text: str, /, **inputs: Any) -> list[str]:
    try:
        render_workflow(text, FILE, context(**inputs))
    except ProblemsFound as found:
        return [problem.path for problem in found.problems]
    return []


GENUINE = """\
name: {{ service.name }}
on:
  push:
    branches: [{{ service.branch_name }}]
env:
  AWS_REGION: {{ pipeline.inputs.region }}
  NOTE: {{ pipeline.inputs.note | tojson }}
jobs:
{%- for instance in service_instances %}
  deploy-{{ instance.name }}:
    runs-on: ubuntu-24.04
    if: github.ref == 'refs/heads/{{ service.branch_name }}'
    steps:
      - uses: actions/checkout@v4
        with:
          token: ${{ secrets.GITHUB_TOKEN }}
      - name: Deploy ${{ github.sha }} to {{ instance.environment.outputs.Cluster }}
        if: ${{ success() && contains(github.ref, '}}') }}
        run: |
          docker build -t {{ service.name }}:${{ github.sha }} {{ pipeline.inputs.folder }}
          aws ecs update-service --cluster {{ instance.environment.outputs.Cluster }} --region ${AWS_REGION}
{%- endfor %}
"""


def test_both_kinds_of_braces_mean_what_they_mean():
    text = rendered(GENUINE, region="eu-central-1", note="It's fine: # really", folder="./app")
    assert yaml.safe_load(text) == {
        "name": "web",
        True: {"push": {"branches": ["main"]}},
        "env": {"AWS_REGION": "eu-central-1", "NOTE": "It's fine: # really"},
        "jobs": {
            "deploy-one": {
                "runs-on": "ubuntu-24.04",
                "if": "github.ref == 'refs/heads/main'",
                "steps": [
                    {"uses": "actions/checkout@v4", "with": {"token": "${{ secrets.GITHUB_TOKEN }}"}},
                    {
                        "name": "Deploy ${{ github.sha }} to arn:aws:ecs:us-east-1:111111111111:cluster/dev",
                        "if": "${{ success() && contains(github.ref, '}}') }}",
                        "run": "docker build -t web:${{ github.sha }} ./app\n"
                        "aws ecs update-service --cluster arn:aws:ecs:us-east-1:111111111111:cluster/dev"
                        " --region ${AWS_REGION}\n",
                    },
                ],
            }
        },
    }


def test_the_children_of_the_pool_render_workflows_as_well():
    pool = RenderPool(size=1)
    try:
        values = context(region="eu-central-1", note="x", folder=".")
        text = pool.render(GENUINE, FILE, values, language="github_actions").text
        assert text == render_workflow(GENUINE, FILE, values).text
        with pytest.raises(ProblemsFound, match="executed"):
            pool.render(GENUINE, FILE, context(region="x", note="x", folder="; id"), language="github_actions")
    finally:
        pool.close()


def test_a_workflow_reads_what_the_pipelines_infrastructure_returned():
    values = workflow_context(context(x="y"), {"RoleArn": "arn:aws:iam::111111111111:role/deploy"})
    text = render_workflow(HEAD + "    env:\n      ROLE: {{ pipeline.outputs.RoleArn }}\n", FILE, values).text
    assert yaml.safe_load(text)["jobs"]["build"]["env"] == {"ROLE": "arn:aws:iam::111111111111:role/deploy"}


def test_an_expression_of_githubs_is_never_rendered_by_us():
    text = HEAD + "    env:\n      A: ${{ pipeline.inputs.x }}\n      B: ${{ '{{ pipeline.inputs.x }}' }}\n"
    assert rendered(text, x="typed") == text


def test_an_expression_survives_loops_and_conditions_but_no_filter():
    text = HEAD + "    env:\n{% for n in [1, 2] %}      A{{ n }}: ${{ env.A }}\n{% endfor %}"
    assert rendered(text).count("${{ env.A }}") == 2
    shouted = HEAD + "    env:\n      A: {% filter upper %}${{ env.a }}{% endfilter %}\n"
    with pytest.raises(ProblemsFound, match="filter"):
        rendered(shouted)


EXPRESSIONS = [
    "${{ secrets.TOKEN }}", "x${{github.token}}", "${{", "{{ x }}", "a }} b", "$ {{x}}", "${HOME}", "{{resolve:ssm:x}}",
    "{{", "}}", "${{ toJSON(secrets) }}", "'${{ env.X }}'",
]  # fmt: skip


@pytest.mark.parametrize("value", EXPRESSIONS)
def test_no_input_holds_an_expression_wherever_it_is_printed(value):
    for place in ("    env:\n      A: {{ pipeline.inputs.x | tojson }}\n", "    # {{ pipeline.inputs.x }}\n"):
        assert refusals(HEAD + place, x=value) == ["/pipeline/inputs/x"]


def test_an_expression_cannot_be_put_together_from_parts():
    text = HEAD + "    env:\n      A: '{{ pipeline.inputs.x }}{{ pipeline.inputs.y }}'\n"
    for x, y in (("$", "{{ secrets.A }}"), ("${", "{ secrets.A }}"), ("$", "{ secrets.A"), ("${", "x")):
        assert refusals(text, x=x, y=y) != []


STEP = HEAD + "    steps:\n      - run: |\n          deploy {{ pipeline.inputs.x }} now\n"
SHELL = [
    "a; id", "a && id", "a|id", "$(id)", "`id`", "a\nid", "a > /etc/x", "a < /etc/x", "a & id", "'a", '"a', "a b",
    "a\tb",
    "*", "?", "[a]", "{a,b}", "~", "!x", "a#b", "#", "\\", "a\\", "%PATH%", "a^b", "(a)", "$HOME", "$1", "a''b", "-rf",
    "--upload-pack=id", "-x", "a\r\nid", "é", "a\u2028id", "a;id", "|| id", "&& id", ";", "&", "|", ">", "<", "$", "`",
    "a=$(id)", "\x00", "a\x1bb", "<(id)", "<<EOF", "a' 'b",
]  # fmt: skip


@pytest.mark.parametrize("value", SHELL)
def test_nothing_that_a_shell_reads_as_more_than_a_word_gets_into_a_command(value):
    assert refusals(STEP, x=value) == ["/pipeline/inputs/x"]


@pytest.mark.parametrize(
    "value", ["app", "./ecs-backend", "a_b-c.d", "acme/web:1.0", "me@example.com", "K=v", "80", "a,b"]
)
def test_plain_words_may_stand_in_a_command(value):
    run = yaml.safe_load(rendered(STEP, x=value))["jobs"]["build"]["steps"][0]["run"]
    assert shlex.split(run) == ["deploy", value, "now"]


@pytest.mark.parametrize(
    "place",
    [
        "      - run: deploy '{{ X }}'\n",
        '      - run: deploy "{{ X }}"\n',
        "      - run: >-\n          deploy\n          {{ X }}\n",
        "      - {run: 'deploy {{ X }}'}\n",
        "      - shell: bash {{ X }}\n        run: ls\n",
        "      - uses: {{ X }}/action@v1\n",
        "      - uses: actions/github-script@v7\n        with:\n          script: |\n            f('{{ X }}')\n",
        "      - uses: docker://alpine\n        with:\n          args: run {{ X }}\n          entrypoint: /{{ X }}\n",
        "      - working-directory: a/{{ X }}\n        run: ls\n",
        "      - name: &a '{{ X }}'\n        run: *a\n",
        "      - if: github.actor == '{{ X }}'\n        run: ls\n",
        "      - if: {{ X }}\n        run: ls\n",
        "      - 'RUN': ls {{ X }}\n",
        "      - {{ 'run' }}: ls {{ X }}\n",
    ],
)
@pytest.mark.parametrize("value", ["a'; id #", "$(id)", "a' || 'b' == 'b", "always()", "a b"])
def test_other_places_that_execute_are_as_strict(place, value):
    text = HEAD + "    steps:\n" + place.replace("X", "pipeline.inputs.x")
    assert "/pipeline/inputs/x" in refusals(text, x=value)


@pytest.mark.parametrize("value", ["true", "github", "failure"])
def test_a_condition_is_an_expression_without_braces(value):
    bare = HEAD + "    if: {{ pipeline.inputs.x }}\n"
    quoted = HEAD + "    if: github.ref_name == '{{ pipeline.inputs.x }}'\n"
    assert (refusals(bare, x=value), refusals(quoted, x=value)) == (["/pipeline/inputs/x"], [])


def test_a_key_that_an_input_makes_strict_is_strict():
    text = HEAD + "    steps:\n      - {{ pipeline.inputs.k }}: {{ pipeline.inputs.x }}\n"
    assert refusals(text, k="run", x="ls; id") != []


@pytest.mark.parametrize("value", ["x\n    services: {}", "x # y", "x: y", "'x", "- x", "&a x", "null", "{a: b}"])
def test_no_input_changes_the_structure_of_a_workflow(value):
    assert refusals(HEAD + "    env:\n      A: {{ pipeline.inputs.x }}\n", x=value) == ["/pipeline/inputs/x"]


def test_what_the_author_wrote_as_a_default_may_stand_anywhere():
    text = render_workflow(STEP, FILE, context(x="a && b"), authored={"a && b"}).text
    assert "deploy a && b now" in text
    trusted = render_workflow(STEP, FILE, context(x="$(id)"), trusts_inputs=True).text
    assert "deploy $(id) now" in trusted


def test_a_file_that_is_no_workflow_is_refused():
    for text in ("name: x\n", "- run: x\n", "jobs: {}\n"):
        with pytest.raises(ProblemsFound, match="workflow is a mapping"):
            rendered(text)


def test_every_hostile_string_is_refused_or_stays_a_value():
    """The referee reads the results with another reader, and splits commands as a shell does."""
    places = {
        "env": HEAD + "    env:\n      A: {{ pipeline.inputs.x }}\n      B: 1\n",
        "quoted": HEAD + "    env:\n      A: '{{ pipeline.inputs.x }}'\n      B: 1\n",
        "tojson": HEAD + "    env:\n      A: {{ pipeline.inputs.x | tojson }}\n      B: 1\n",
        "name": "name: to {{ pipeline.inputs.x }}\n" + HEAD,
        "comment": HEAD + "    # {{ pipeline.inputs.x }}\n    env:\n      B: 1\n",
        "run": STEP,
    }
    strings = [*hostile.STRINGS[::7], *SHELL, *EXPRESSIONS]
    escaped, accepted = [], 0
    for (place, text), value in product(places.items(), strings):
        if refusals(text, x=value):
            continue
        accepted += 1
        result = rendered(text, x=value)
        wanted = rendered(text, x="benign")
        same = hostile.same_structure(hostile.structure(result), hostile.structure(wanted))
        if place == "run":
            words = [len(shlex.split(yaml.safe_load(r)["jobs"]["build"]["steps"][0]["run"])) for r in (result, wanted)]
            same = same and words[0] == words[1]
        if not same or "${" in result:
            escaped.append((place, value))
    assert escaped == []
    assert accepted > 500


def test_without_the_rules_values_do_escape():
    """The referee can fail: what an admin trusts is not looked at."""
    wanted = hostile.structure(rendered(STEP, x="benign"))
    escaped = 0
    for value in SHELL:
        try:
            result = render_workflow(STEP, FILE, context(x=value), trusts_inputs=True).text
            words = shlex.split(yaml.safe_load(result)["jobs"]["build"]["steps"][0]["run"])
        except (ProblemsFound, yaml.YAMLError, ValueError):  # no YAML, or no command any more
            escaped += 1
            continue
        escaped += words != ["deploy", value, "now"] or hostile.structure(result) == wanted
    assert escaped > 10


def service_bundle(manifest: str, **files: str) -> Any:
    schema = (
        "schema:\n  format:\n    openapi: '3.0.0'\n  service_input_type: I\n  pipeline_input_type: I\n"
        "  types:\n    I:\n      type: object\n"
    )
    instance = "{rendering_engine: jinja, template_language: cloudformation, file: cfn.yaml}"
    bundle, problems = read_bundle(
        {
            "schema/schema.yaml": schema.encode(),
            "instance_infrastructure/manifest.yaml": f"infrastructure:\n  templates:\n    - {instance}\n".encode(),
            "instance_infrastructure/cfn.yaml": b"Resources: {}\n",
            "pipeline_infrastructure/manifest.yaml": f"infrastructure:\n  templates:\n{manifest}".encode(),
            **{f"pipeline_infrastructure/{name.replace('_', '.')}": text.encode() for name, text in files.items()},
        },
        "service",
    )
    assert bundle is not None, problems
    return bundle


def test_a_workflow_lands_in_the_folder_that_github_reads():
    entry = "    - {rendering_engine: jinja, template_language: github_actions, file: %s}\n"
    bundle = service_bundle(entry % "deploy.yml" + entry % "scan.yaml", deploy_yml="x", scan_yaml="x")
    assert targets(bundle.parts["pipeline"]) == {
        ".github/workflows/deploy.yml": "pipeline_infrastructure/deploy.yml",
        ".github/workflows/scan.yaml": "pipeline_infrastructure/scan.yaml",
    }
    odd = service_bundle(entry % "deploy.txt", deploy_txt="x")
    with pytest.raises(ProblemsFound, match="ends in"):
        targets(odd.parts["pipeline"])
