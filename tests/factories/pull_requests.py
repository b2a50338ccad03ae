"""Pull requests on the forge of this machine: an environment of Terraform, a pipeline with a workflow."""

import pytest

from portal.actions import environments, pipelines, services
from portal.embedded.samples import pack_sample
from portal.enums import TemplateKind, TemplateVersionStatus
from portal.models import Deployment, Environment, Service, ServicePipeline, TemplateVersion
from provisioning.forges.base import Repository as Place
from provisioning.forges.local import LocalForge
from provisioning.sources import read_archive
from tests.factories import forges, rows

APP = Place("GITHUB", "acme/web")
INFRA = Place("GITHUB", "acme/infra")
WORKFLOW = ".github/workflows/deploy.yml"
MANIFEST = rows.MANIFEST.replace("jinja", "hcl").replace("language: cloudformation", "language: terraform")
TERRAFORM = rows.environment_files() | {
    "infrastructure/manifest.yaml": MANIFEST.replace("cloudformation.yaml", "*").encode(),
    "infrastructure/main.tf": b'resource "aws_sqs_queue" "main" {}\n',
}
del TERRAFORM["infrastructure/cloudformation.yaml"]
HERE = {"provider": "GITHUB", "name": "acme/infra", "branch": "main"}


@pytest.fixture
def acme(local_forge: LocalForge) -> LocalForge:
    by = rows.person()
    forges.repository(by, "acme/web", **{"app.py": "print()\n", "Dockerfile": "FROM scratch\n"})
    forges.repository(by, "acme/infra")
    return local_forge


def text(acme: LocalForge, place: Place, path: str, branch: str = "main") -> str:
    return (acme.read(place, acme.head(place, branch) or "", path) or b"").decode()


def merge(acme: LocalForge, place: Place, number: int) -> None:
    acme.merge(place, number, acme.pull_request(place, number).head)


def again() -> None:
    """Looks at once at everything that waits."""
    Deployment.objects.filter(due_at__isnull=False).update(due_at="2000-01-01T00:00Z")
    rows.run_everything(4)


def sample(minor: int, of=None, status=TemplateVersionStatus.PUBLISHED, home=None) -> TemplateVersion:
    of = of or rows.template(TemplateKind.SERVICE, "fargate")
    files = read_archive(pack_sample("fargate-service-with-workflow", 1, minor))
    return rows.version(of, f"1.{minor}", files=files, status=status, compatible=[home] if home else ())


@pytest.fixture
def piped(simulated, acme) -> ServicePipeline:
    """A service whose pipeline has delivered version 1.0 of its workflow."""
    simulated["outputs"] = {
        name: f"the-{name}"
        for name in ("VpcId", "SubnetIds", "ClusterArn", "ListenerArn", "LoadBalancerDnsName", "ImagesUri")
    }
    simulated["outputs"]["LoadBalancerSecurityGroupId"] = "sg-1"
    simulated["outputs"]["DeployRoleArn"] = "arn:aws:iam::111111111111:role/deploy"
    home = rows.environment("home")
    made(home, sample(0, home=home.template))
    return ServicePipeline.objects.get()


def update(piped: ServicePipeline) -> None:
    """Asks for the recommended minor version, with the same inputs."""
    spec = piped.service.spec
    pipelines.update(by=rows.person(), service=piped.service, deployment_type="MINOR_VERSION", spec=spec)


def made(home: Environment, of: TemplateVersion, **fields) -> Service:
    spec = "proton: ServiceSpec\npipeline: {}\ninstances:\n  - {name: dev, environment: home, spec: {}}\n"
    fields = {"repository_id": "acme/web", "branch_name": "main", "repository_connection_arn": "arn:c", **fields}
    services.create(by=rows.person(), name="web", template=of.template, spec=spec, major=1, minor=of.minor, **fields)
    rows.run_everything()
    return Service.objects.get()


@pytest.fixture
def self_managed(acme) -> Environment:
    """An environment whose first pull request is open."""
    of = rows.version(rows.template(), files=TERRAFORM)
    made = environments.create(
        by=rows.person(),
        name="dev",
        template=of.template,
        spec=rows.ENVIRONMENT_SPEC,
        major=1,
        provisioning_repository=HERE,
    )
    rows.run_everything(3)
    return made
