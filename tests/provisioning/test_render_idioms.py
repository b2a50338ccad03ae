"""What public AWS Proton templates do, in templates of our own: each renders with samples, guarded, and lints clean."""

from typing import Any

import pytest

from provisioning.lint import lint_template
from provisioning.render import render_file
from provisioning.render.samples import Part, render_sample, sample_contexts

FILE = "instance_infrastructure/cloudformation.yaml"

CONDITIONS_THAT_CUT_ACROSS_RESOURCES = """\
Mappings:
  Size: {small: {cpu: 256, memory: 512}, large: {cpu: 1024, memory: 2048}}
Resources:
  Balancer:
    Type: AWS::ElasticLoadBalancingV2::LoadBalancer
    Properties:
      {% if service_instance.inputs.kind == 'application' %}
      SecurityGroups: [!GetAtt BalancerGroup.GroupId]
      {% endif %}
      Subnets: # the environment's
        - '{{environment.outputs.PublicSubnet1}}'
        - '{{environment.outputs.PublicSubnet2}}'
      {% if service_instance.inputs.kind == 'application' %}
      Type: application
  BalancerGroup:
    Type: AWS::EC2::SecurityGroup
    Properties:
      GroupDescription: Balancer of {{ service.name }}
      VpcId: {{environment.outputs.VPC}}
      {% else %}
      Type: network
      {% endif %}
  # {% if environment.name == 'old' %}
  #   was {{ service_instance.inputs.gone }}
  # {% endif %}
  Task:
    Type: AWS::ECS::TaskDefinition
    Properties:
      Family: '{{service.name}}_{{service_instance.name}}'
      Cpu: !FindInMap [Size, {{service_instance.inputs.size}}, cpu]
      Memory: !FindInMap [Size, {{service_instance.inputs.size}}, memory]
      RequiresCompatibilities: [FARGATE]
      NetworkMode: awsvpc
      ContainerDefinitions:
        - Name: '{{(service.name~"--"~service_instance.name)|truncate(29, true, 'zzz', 0)}}'
          Image: '{{service_instance.inputs.image}}' # an input
          PortMappings:
            - ContainerPort: '{{service_instance.inputs.port}}'
          Environment:
            - Name: TOPIC
              Value: '{"ping":"{{environment.outputs.SNSTopicArn}}"}'
            {{ service_instance.components.default.outputs
                | proton_cfn_ecs_task_definition_formatted_env_vars }}
"""

INLINE_CODE_AND_OPTIONAL_INPUTS = """\
Transform: AWS::Serverless-2016-10-31
Globals:
  Function:
    Runtime: {{service_instance.inputs.lambda_runtime}}
    Timeout: {{service_instance.inputs.lambda_timeout}}
Resources:
  Function:
    Type: AWS::Serverless::Function
    Properties:
      {% if service_instance.inputs.code_uri is defined %}
      Handler: {{service_instance.inputs.lambda_handler}}
      CodeUri: {{service_instance.inputs.code_uri}}
      {% else %}
      Handler: index.handler
      InlineCode: |
        exports.handler = async (event) => {
          console.log("Event: ", JSON.stringify(event, null, 2)); // {{ service.name }}
        };
      {% endif %}
      Environment:
        Variables:
          NAME: "{{ service.name }} {{ service_instance.name }}"
          {{ service_instance.components.default.outputs | proton_cfn_lambda_function_formatted_env_vars }}
      VpcConfig:
        SecurityGroupIds:
          - '{{service_instance.environment.outputs.VPCSecurityGroup}}'
        SubnetIds:
        {% if service_instance.inputs.subnet_type == 'private' %}
            - '{{environment.outputs.PrivateSubnet1}}'
        {% else %}
            - '{{environment.outputs.PublicSubnet1}}'
        {% endif %}
Outputs:
  LambdaRuntime:
    Value: "{{service_instance.inputs.lambda_runtime}}"
"""

LOOPS_AND_BUILD_SPECIFICATIONS = """\
Resources:
  Key:
    Type: AWS::KMS::Key
    Properties:
      KeyPolicy:
        Version: "2012-10-17"
        Statement:
          - Effect: Allow
            Action: kms:*
            Resource: "*"
            Principal:
              AWS:
                {% for service_instance in service_instances %}
                - "arn:aws:iam::{{service_instance.environment.account_id}}:root"
                {% endfor %}
{% if pipeline.inputs.environment_account_ids %}
                {% set account_ids = pipeline.inputs.environment_account_ids.split(',') %}
                {% for account_id in account_ids %}
                - "arn:aws:iam::{{account_id}}:root"
                {% endfor %}
{% endif %}
{%- for service_instance in service_instances %}
  Deploy{{loop.index}}Project:
    Type: AWS::CodeBuild::Project
    Properties:
      Artifacts: {Type: CODEPIPELINE}
      Environment:
        ComputeType: BUILD_GENERAL1_SMALL
        Image: aws/codebuild/amazonlinux2-x86_64-standard:5.0
        Type: LINUX_CONTAINER
        EnvironmentVariables:
        {% if 'prod' in service_instance.environment.name %}
        - Name: careful
          Value: 'yes'
        {% endif %}
        - Name: instance
          Value:  '{{service_instance.name}}'
      ServiceRole: "arn:aws:iam::{{ service_instance.environment.account_id }}:role/deploy"
      Source:
        Type: CODEPIPELINE
        BuildSpec: >-
          {
            "version": "0.2",
            "phases": {
              "install": {
                "runtime-versions": {{
                    {"python3.11": {"python": "3.11"},
                      "nodejs18.x": {"nodejs": "18"}
                    }[service_instances[0].outputs.LambdaRuntime] | tojson | safe }}
              },
              "build": {
                "commands": [
                  "cd $CODEBUILD_SRC_DIR/{{pipeline.inputs.code_dir}}",
                  "{{ pipeline.inputs.unit_test_command }}"
                ]
              }
            }
          }
{% endfor %}
"""

TEXT: dict[str, Any] = {"type": "string"}
SERVICE_INPUTS: dict[str, Any] = {
    "properties": {
        "kind": TEXT | {"enum": ["application", "network"], "default": "application"},
        "size": TEXT | {"enum": ["small", "large"], "default": "small"},
        "image": TEXT | {"default": "public.ecr.aws/nginx/nginx:1.21.0"},
        "port": {"type": "number", "default": 80, "minimum": 0},
        "subnet_type": TEXT | {"enum": ["private", "public"]},
        "lambda_runtime": TEXT | {"enum": ["python3.11", "nodejs18.x"], "default": "python3.11"},
        "lambda_timeout": {"type": "number", "default": 30},
        "lambda_handler": TEXT | {"default": "index.handler"},
        "code_uri": TEXT | {"example": "s3://bucket/1/function.zip"},
    }
}
PIPELINE_INPUTS: dict[str, Any] = {
    "properties": {
        "code_dir": TEXT | {"default": "src/fn"},
        "unit_test_command": TEXT | {"default": "echo 'add your unit test command here'"},
        "environment_account_ids": TEXT | {"pattern": r"^$|^\d{12}(,\d{12})*$", "default": ""},
    }
}
TEMPLATES: dict[str, tuple[Part, str]] = {
    "conditions that cut across resources": ("instance", CONDITIONS_THAT_CUT_ACROSS_RESOURCES),
    "inline code and optional inputs": ("instance", INLINE_CODE_AND_OPTIONAL_INPUTS),
    "loops and build specifications": ("pipeline", LOOPS_AND_BUILD_SPECIFICATIONS),
}


@pytest.mark.parametrize("what", sorted(TEMPLATES))
def test_what_public_templates_do_renders_guarded_and_lints_clean(what: str):
    part, text = TEMPLATES[what]
    inputs = PIPELINE_INPUTS if part == "pipeline" else SERVICE_INPUTS
    full, least = (
        render_sample(text, FILE, c) for c in sample_contexts(part, inputs, instance_input_type=SERVICE_INPUTS)
    )
    assert (full.problems, least.problems) == ((), ())
    assert full.text is not None
    assert [problem for problem in lint_template(full.text, FILE) if problem.severity == "error"] == []


def test_account_ids_of_a_pipelines_input_reach_their_list():
    (context, _) = sample_contexts("pipeline", PIPELINE_INPUTS, instance_input_type=SERVICE_INPUTS)
    context["pipeline"]["inputs"]["environment_account_ids"] = "111111111111,222222222222"
    text = LOOPS_AND_BUILD_SPECIFICATIONS.replace("{%- for", "{% for")
    principals = render_file(text, FILE, context).text.count(":root")
    assert principals == 4
