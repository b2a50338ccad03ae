"""The sample bundles with commands, from registration to deletion; and bundles as they were written for AWS Proton."""

import json
import os
import shutil

import boto3
import pytest

from portal.actions import environments, services
from portal.embedded.samples import bundle_folder
from portal.enums import TemplateKind
from portal.models import Deployment, Environment, ServiceInstance
from tests.factories import command_bundles, rows

pytestmark = [pytest.mark.django_db, pytest.mark.bubblewrap]


@pytest.fixture(autouse=True)
def here(settings, tmp_path, aws_account):
    command_bundles.run_here(settings, tmp_path, COMMAND_TIMEOUT=60, COMMAND_MEMORY_MB=2048, COMMAND_DISK_MB=256)


def files_of(name: str) -> dict[str, bytes]:
    folder = bundle_folder(name, 1, 0)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def made(version, inputs: dict, **more) -> Environment:
    spec = json.dumps({"proton": "EnvironmentSpec", "spec": inputs})
    environments.create(by=rows.person(), name="dev", template=version.template, spec=spec, major=1, **more)
    command_bundles.drive_to_the_end(90)
    return Environment.objects.get()


def outputs(deployment: Deployment) -> dict[str, str]:
    return {row.key: row.value for row in deployment.outputs.all()}


def test_the_scripted_samples_work_together_and_are_deleted():
    version = rows.version(rows.template(), files=files_of("scripted-environment"))
    home = made(version, {"zones": 3})
    assert (home.status_message, outputs(home.latest)) == ("", {"Zones": "dev-1,dev-2,dev-3", "Stage": "development"})
    of = rows.version(
        rows.template(TemplateKind.SERVICE), files=files_of("scripted-service"), compatible=[home.template]
    )
    entry = {"name": "live", "environment": "dev", "spec": {"copies": 2, "greeting": "Hi; $(id) & co"}}
    spec = json.dumps({"proton": "ServiceSpec", "instances": [entry]})
    services.create(by=rows.person(), name="shop", template=of.template, spec=spec, major=1)
    command_bundles.drive_to_the_end()
    instance = ServiceInstance.objects.get()
    assert (instance.status_message, outputs(instance.latest)) == (
        "",
        {"Address": "live.shop.example.com", "Copies": "2"},
    )
    log = "\n".join(instance.latest.events.filter(status="OUTPUT").values_list("message", flat=True))
    assert "Placing 2 of shop/live in dev-3, which says: Hi; $(id) & co" in log
    services.delete(by=rows.person(), service=instance.service)
    command_bundles.drive_to_the_end()
    environments.delete(by=rows.person(), environment=home)
    command_bundles.drive_to_the_end()
    assert (ServiceInstance.objects.count(), Environment.objects.count()) == (0, 0)


@pytest.mark.skipif(
    not (
        shutil.which("terraform", path="/usr/local/bin:/usr/bin:/bin")
        or shutil.which("tofu", path="/usr/local/bin:/usr/bin:/bin")
    ),
    reason="neither terraform nor tofu is installed where a sandbox sees it",
)
def test_terraform_keeps_its_state_between_runs(settings, aws_account):
    assert os.environ["AWS_ENDPOINT_URL"].startswith("http://127.0.0.1")
    bucket = f"state-{aws_account}"
    keys = {"aws_access_key_id": aws_account, "aws_secret_access_key": "embedded", "region_name": "us-east-1"}
    boto3.client("s3", **keys).create_bucket(Bucket=bucket)
    version = rows.version(rows.template(), files=files_of("terraform-state-environment"))
    first = made(version, {"state_bucket": bucket}, account_id=aws_account)
    assert (first.status_message, outputs(first.latest)["Subnets"]) == ("", "10.0.0.0/24,10.0.1.0/24")
    spec = json.dumps({"proton": "EnvironmentSpec", "spec": {"state_bucket": bucket, "cidr": "10.9.0.0/16"}})
    environments.update(by=rows.person(), environment=first, deployment_type="CURRENT_VERSION", spec=spec)
    command_bundles.drive_to_the_end(90)
    second = Environment.objects.get()
    assert outputs(second.latest)["Subnets"] == "10.9.0.0/24,10.9.1.0/24"
    assert outputs(second.latest)["Revision"] == outputs(first.latest)["Revision"]
    environments.delete(by=rows.person(), environment=second)
    command_bundles.drive_to_the_end(90)
    assert not Environment.objects.exists()


NOTIFY = (
    "aws proton notify-resource-deployment-status-change --resource-arn $RESOURCE_ARN "
    "--status IN_PROGRESS --outputs file://./outputs.json"
)
TERRAFORM = f"""\
infrastructure:
  templates:
    - rendering_engine: codebuild
      settings:
        image: aws/codebuild/amazonlinux2-x86_64-standard:4.0
        runtimes:
          golang: 1.18
        provision:
          - export TF_VERSION=1.4.5
          - curl -s -qL -o terraform.zip https://releases.example.com/terraform_${{TF_VERSION}}_linux_amd64.zip
          - terraform init -backend-config="key={{{{ environment.name }}}}.tfstate"
          - terraform apply -var-file="proton-inputs.json" -auto-approve
          - terraform output -json | jq 'to_entries | map({{key:.key, valueString:.value.value}})' > outputs.json
          - {NOTIFY}
        deprovision:
          - terraform destroy -auto-approve
        project_properties:
          VpcConfig:
            VpcId: "{{{{ environment.inputs.vpc }}}}"
            Subnets: "{{{{ environment.inputs.subnets }}}}"
            SecurityGroupIds: "{{{{ environment.inputs.groups }}}}"
"""
CDK = f"""\
infrastructure:
  templates:
    - rendering_engine: codebuild
      settings:
        image: aws/codebuild/amazonlinux2-x86_64-standard:4.0
        runtimes:
          nodejs: 16
        provision:
          - npm install
          - npm run build
          - npm run cdk bootstrap
          - npm run cdk deploy -- --require-approval never --outputs-file cdk.json
          - jq 'map_values(to_entries) | add | map({{key:.key, valueString:.value}})' < cdk.json > outputs.json
          - {NOTIFY}
        deprovision:
          - npm install
          - npm run cdk destroy -- --force
"""
PULUMI = """\
infrastructure:
  templates:
    - rendering_engine: codebuild
      settings:
        input_type: HCL
        env:
          variables:
            STACK: "{{ environment.name }}"
          secrets_manager:
            PULUMI_ACCESS_TOKEN: pulumi/token:value
        runtimes: {python: 3.10}
        provision:
          - pulumi stack select "$STACK" --create
          - pulumi config set cidr '{{ environment.inputs.vpc }}'
          - pulumi up --yes
        deprovision:
          - pulumi destroy --yes
"""
SCHEMA = """\
schema:
  format: {openapi: "3.0.0"}
  environment_input_type: "Inputs"
  types:
    Inputs:
      type: object
      properties:
        vpc: {type: string, default: vpc-1}
        subnets: {type: array, items: {type: string}, default: [subnet-1, subnet-2]}
        groups: {type: array, items: {type: string}, default: [sg-1]}
"""


@pytest.mark.parametrize("manifest", [TERRAFORM, CDK, PULUMI], ids=["Terraform", "CDK", "Pulumi"])
def test_bundles_written_for_aws_proton_render_and_get_their_input_files(manifest):
    from portal.actions import contexts, rendering, runs
    from provisioning.commands.plan import plan_of

    files = {
        "schema/schema.yaml": SCHEMA.encode(),
        "infrastructure/manifest.yaml": manifest.encode(),
        "infrastructure/lib/code.ts": b"// {{ not.rendered }}",
    }
    version = rows.version(rows.template(), files=files)
    environments.create(
        by=rows.person(), name="dev", template=version.template, spec="proton: EnvironmentSpec\nspec: {}\n", major=1
    )
    made = Environment.objects.get()
    context = contexts.gather(made, made.latest.inputs)
    deployment = made.latest
    deployment.rendered = rendering.render(version, "infrastructure", context)
    plan = plan_of(runs._job(deployment))
    assert json.loads(plan.files["infrastructure/proton-inputs.json"]) == {
        "environment": {
            "name": "dev",
            "inputs": {"vpc": "vpc-1", "subnets": ["subnet-1", "subnet-2"], "groups": ["sg-1"]},
        }
    }
    assert plan.files["infrastructure/lib/code.ts"] == b"// {{ not.rendered }}"
    assert (plan.folder, plan.resource_arn) == ("infrastructure", made.arn)
    if manifest is TERRAFORM:
        assert plan.project_properties["VpcConfig"] == {
            "VpcId": "vpc-1",
            "Subnets": ["subnet-1", "subnet-2"],
            "SecurityGroupIds": ["sg-1"],
        }
        assert (plan.runtimes, plan.commands[2]) == (
            {"golang": "1.18"},
            'terraform init -backend-config="key=dev.tfstate"',
        )
    if manifest is PULUMI:
        assert plan.files["infrastructure/proton-inputs.tfvars"].startswith(b"environment = {")
        assert (plan.variables, plan.secrets) == ({"STACK": "dev"}, {"PULUMI_ACCESS_TOKEN": "pulumi/token:value"})
        assert plan.runtimes == {"python": "3.10"}
