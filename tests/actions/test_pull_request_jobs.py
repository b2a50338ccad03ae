"""What reaches people as pull requests, on the forge of this machine: Terraform, and workflows of pipelines."""

import pytest

from portal.actions import components, deployments, environments, notifications, pipelines, services
from portal.embedded.samples import pack_sample
from portal.enums import DeploymentStatus, ServiceStatus, TemplateKind, TemplateVersionStatus
from portal.errors import Conflict, Invalid
from portal.models import (
    AccountSettings,
    Component,
    Deployment,
    Environment,
    PullRequest,
    Service,
    ServicePipeline,
    TemplateVersion,
)
from portal.queries.deployments import output_values
from provisioning.forges.base import Repository as Place
from provisioning.forges.local import LocalForge
from provisioning.outputs import Output
from provisioning.sources import read_archive
from tests.factories import forges as factory
from tests.factories import rows

pytestmark = pytest.mark.django_db

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
def forge(local_forge: LocalForge) -> LocalForge:
    by = rows.person()
    factory.repository(by, "acme/web", **{"app.py": "print()\n", "Dockerfile": "FROM scratch\n"})
    factory.repository(by, "acme/infra")
    return local_forge


def text(forge: LocalForge, place: Place, path: str, branch: str = "main") -> str:
    return forge.read(place, forge.head(place, branch), path).decode()


def merge(forge: LocalForge, place: Place, number: int) -> None:
    forge.merge(place, number, forge.pull_request(place, number).head)


def again() -> None:
    """Looks at once at everything that waits."""
    Deployment.objects.filter(due_at__isnull=False).update(due_at="2000-01-01T00:00Z")
    rows.run_everything(4)


# Workflows


def sample(minor: int, of=None, status=TemplateVersionStatus.PUBLISHED, home=None) -> TemplateVersion:
    of = of or rows.template(TemplateKind.SERVICE, "fargate")
    files = read_archive(pack_sample("fargate-service-with-workflow", 1, minor))
    return rows.version(of, f"1.{minor}", files=files, status=status, compatible=[home] if home else ())


@pytest.fixture
def web(simulated, forge) -> ServicePipeline:
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


def made(home: Environment, of: TemplateVersion, **fields) -> Service:
    spec = "proton: ServiceSpec\npipeline: {}\ninstances:\n  - {name: dev, environment: home, spec: {}}\n"
    fields = {"repository_id": "acme/web", "branch_name": "main", "repository_connection_arn": "arn:c", **fields}
    services.create(by=rows.person(), name="web", template=of.template, spec=spec, major=1, minor=of.minor, **fields)
    rows.run_everything()
    return Service.objects.get()


def test_a_workflow_reads_the_outputs_of_its_infrastructure_and_the_deployment_ends_with_the_pull_request(web, forge):
    deployment = web.latest
    assert (deployment.status, web.service.status) == (DeploymentStatus.SUCCEEDED, ServiceStatus.ACTIVE)
    url = "/repositories/github/acme/web/pull/1/"
    assert (output_values(web)["PullRequestUrl"], output_values(web)["ImagesUri"]) == (url, "the-ImagesUri")
    row = PullRequest.objects.get()
    assert (row.deployment, row.repository, row.number, row.state, row.url) == (deployment, "acme/web", 1, "open", url)
    pull = forge.pull_request(APP, 1)
    assert pull.files == (WORKFLOW,)
    assert "arn:aws:iam::111111111111:role/deploy" in text(forge, APP, WORKFLOW, pull.branch)
    assert [one.engine for one in deployment.provisioned_resources.order_by("pk")] == ["CLOUDFORMATION", "TERRAFORM"]


def test_the_walkthrough_the_next_version_brings_a_scanning_step_and_keeps_what_was_edited_by_hand(web, forge):
    merge(forge, APP, 1)
    mine = text(forge, APP, WORKFLOW).replace("name: Tests\n", "name: All the tests\n")
    forge.commit(APP, "main", forge.head(APP, "main"), {WORKFLOW: mine}, "Say it better")
    sample(1, web.service.template)
    pipelines.update(by=rows.person(), service=web.service, deployment_type="MINOR_VERSION", spec=web.service.spec)
    again()
    web.refresh_from_db()
    assert (web.latest.status, web.version.number) == (DeploymentStatus.SUCCEEDED, "1.1")
    assert output_values(web)["PullRequestUrl"] == "/repositories/github/acme/web/pull/2/"
    merge(forge, APP, 2)
    now = text(forge, APP, WORKFLOW)
    assert ("name: All the tests\n" in now, "Refuse images with critical findings" in now) == (True, True)


def test_a_service_without_linked_repository_is_refused_before_anything_is_made(simulated, forge):
    home = rows.environment("home")
    of = sample(0, home=home.template)
    with pytest.raises(Invalid, match="but acme/nowhere is not linked. Link it first."):
        made(home, of, repository_id="acme/nowhere")
    with pytest.raises(Invalid, match="give the service a linked repository"):
        made(home, of, repository_id="", branch_name="", repository_connection_arn="")
    assert (Service.objects.exists(), Deployment.objects.filter(service_name="web").exists()) == (False, False)


def test_a_draft_delivers_no_workflow(simulated, forge):
    simulated["outputs"] = {"VpcId": "v", "SubnetIds": "s", "ClusterArn": "c", "ListenerArn": "l"}
    simulated["outputs"] |= {"LoadBalancerDnsName": "d", "LoadBalancerSecurityGroupId": "g"}
    home = rows.environment("home")
    service = made(home, sample(0, status=TemplateVersionStatus.DRAFT, home=home.template))
    assert (service.status, PullRequest.objects.count()) == (ServiceStatus.ACTIVE, 0)


def test_a_delivery_that_fails_keeps_the_infrastructure_and_is_made_good_by_a_retry(web, forge):
    sample(1, web.service.template)
    there, away = forge._directory / "acme" / "web.git", forge._directory / "acme" / "moved.git"
    there.rename(away)
    pipelines.update(by=rows.person(), service=web.service, deployment_type="MINOR_VERSION", spec=web.service.spec)
    again()
    web.refresh_from_db()
    assert (web.latest.status, web.latest.next_action) == (DeploymentStatus.FAILED, "retry")
    assert web.latest.status_message.startswith("The infrastructure is deployed. ")
    assert web.latest.identifier.startswith("memory:")
    away.rename(there)
    deployments.retry(by=rows.person(), deployment=web.latest)
    again()
    web.refresh_from_db()
    assert (web.latest.status, web.version.number) == (DeploymentStatus.SUCCEEDED, "1.1")
    assert [pull.state for pull in forge.pull_requests(APP)] == ["open", "closed"]


def test_a_deleted_service_takes_its_workflow_away_by_pull_request(web, forge):
    merge(forge, APP, 1)
    services.delete(by=rows.person(), service=web.service)
    rows.run_everything()
    assert not Service.objects.exists()
    pull = forge.pull_request(APP, 2)
    assert (pull.state, pull.files) == ("open", (WORKFLOW,))
    assert forge.read(APP, pull.head, WORKFLOW) is None


# Terraform


@pytest.fixture
def dev(forge) -> Environment:
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


def ended(of: Environment) -> Deployment:
    again()
    of.refresh_from_db()
    return of.latest


def test_terraform_waits_for_the_merge_and_then_for_the_automations_report(dev, forge):
    waiting = ended(dev)
    assert (waiting.engine, waiting.status) == ("pull-request", DeploymentStatus.IN_PROGRESS)
    assert waiting.doing == "Waiting for pull request 1 to be merged"
    merge(forge, INFRA, 1)
    waiting = ended(dev)
    assert (waiting.status, waiting.doing.endswith("waiting for the automation's report")) == ("IN_PROGRESS", True)
    assert PullRequest.objects.get().state == "merged"
    assert f'"deploymentId" : "{waiting.pk}"' in text(forge, INFRA, "dev/.proton/deployment-metadata.json")
    assert '"cluster_name" : "main"' in text(forge, INFRA, "dev/proton.auto.tfvars.json")
    done = [Output("QueueUrl", "https://queue")]
    notifications.notify(by=rows.person(), target=dev, status="SUCCEEDED", deployment_id=str(waiting.pk), outputs=done)
    assert ended(dev).status == DeploymentStatus.SUCCEEDED
    assert output_values(dev) == {"QueueUrl": "https://queue"}


def test_closing_the_first_pull_request_cancels_and_a_retry_opens_the_next(dev, forge):
    forge.close(INFRA, 1)
    found = ended(dev)
    assert (found.status, found.status_message) == ("CANCELLED", "Pull request 1 was closed without being merged.")
    deployments.retry(by=rows.person(), deployment=found)
    assert ended(dev).doing == "Waiting for pull request 2 to be merged"
    assert sorted(PullRequest.objects.values_list("number", "state")) == [(1, "closed"), (2, "open")]


def test_an_update_that_is_cancelled_closes_its_pull_request(dev, forge):
    merge(forge, INFRA, 1)
    notifications.notify(by=rows.person(), target=dev, status="SUCCEEDED")
    ended(dev)
    spec = rows.ENVIRONMENT_SPEC.replace("main", "other")
    environments.update(by=rows.person(), environment=dev, deployment_type="CURRENT_VERSION", spec=spec)
    ended(dev)
    deployments.cancel(by=rows.person(), target=dev)
    assert (ended(dev).status, forge.pull_request(INFRA, 2).state) == ("CANCELLED", "closed")
    assert PullRequest.objects.get(number=2).state == "closed"


def test_a_report_that_does_not_come_in_time_is_a_failure(dev, forge, settings):
    merge(forge, INFRA, 1)
    settings.PULL_REQUEST_TIMEOUT = 0.001
    found = ended(dev)
    assert (found.status, "did not report how the deployment ended" in found.status_message) == ("FAILED", True)


def test_a_deletion_is_a_pull_request_that_lets_go_of_the_files(dev, forge):
    merge(forge, INFRA, 1)
    notifications.notify(by=rows.person(), target=dev, status="SUCCEEDED")
    ended(dev)
    environments.delete(by=rows.person(), environment=dev)
    assert (ended(dev).status, forge.pull_request(INFRA, 2).state) == (DeploymentStatus.DELETE_IN_PROGRESS, "open")
    merge(forge, INFRA, 2)
    again()
    assert not Environment.objects.exists()
    assert '"isResourceDeleted" : true' in text(forge, INFRA, "dev/.proton/deployment-metadata.json")


def test_terraform_without_a_provisioning_repository_is_refused_with_a_sentence(forge):
    of = rows.version(rows.template(), files=TERRAFORM)
    with pytest.raises(Invalid, match="give environment dev a provisioning repository"):
        environments.create(by=rows.person(), name="dev", template=of.template, spec=rows.ENVIRONMENT_SPEC, major=1)


def test_a_terraform_component_needs_no_role_and_goes_below_its_environment(dev, forge):
    merge(forge, INFRA, 1)
    notifications.notify(by=rows.person(), target=dev, status="SUCCEEDED")
    ended(dev)
    components.create(
        by=rows.person(),
        name="bucket",
        environment_name="dev",
        manifest=MANIFEST.replace("cloudformation.yaml", "main.tf"),
        template_file='resource "aws_s3_bucket" "it" {}\n',
    )
    again()
    assert Component.objects.get().latest.doing == "Waiting for pull request 2 to be merged"
    assert "dev/bucket/main.tf" in forge.pull_request(INFRA, 2).files


def test_a_pipeline_of_terraform_goes_to_the_accounts_repository(simulated):
    assert AccountSettings.get().pipeline_provisioning_repository is None
    files = rows.service_files(rows.PIPELINE_SCHEMA, pipeline="x: y\n")
    files["pipeline_infrastructure/manifest.yaml"] = MANIFEST.replace("cloudformation.yaml", "*").encode()
    files["pipeline_infrastructure/main.tf"] = b"# nothing\n"
    home = rows.environment("home")
    of = rows.version(rows.template(TemplateKind.SERVICE), files=files, compatible=[home.template])
    service = rows.service("web", of=of, spec=rows.service_spec("home"))
    assert service.status == ServiceStatus.CREATE_FAILED
    assert "give this portal's pipelines a provisioning repository" in service.status_message
    with pytest.raises(Conflict):
        deployments.cancel(by=rows.person(), target=ServicePipeline.objects.get())
