"""What reaches people as pull requests, on the forge of this machine: Terraform, and workflows of pipelines."""

import pytest

from portal.actions import (
    components,
    deployments,
    environments,
    finishing,
    notifications,
    previews,
    pull_requests,
    runs,
    services,
)
from portal.enums import DeploymentStatus, Role, ServiceStatus, TemplateKind, TemplateVersionStatus
from portal.errors import Conflict, Forbidden, Invalid
from portal.models import (
    AccountSettings,
    Component,
    Deployment,
    Environment,
    PullRequest,
    Repository,
    Service,
    ServicePipeline,
)
from portal.queries.deployments import output_values
from provisioning.outputs import Output
from provisioning.render.terraform import METADATA
from tests.factories import rows
from tests.factories.pull_requests import (
    APP,
    INFRA,
    MANIFEST,
    TERRAFORM,
    WORKFLOW,
    again,
    made,
    merge,
    sample,
    text,
    update,
)

pytestmark = pytest.mark.django_db


def ended(of: Environment) -> Deployment:
    again()
    of.refresh_from_db()
    return of.latest


# Workflows


def test_a_workflow_reads_the_outputs_of_its_infrastructure_and_the_deployment_ends_with_the_pull_request(piped, acme):
    deployment = piped.latest
    assert (deployment.status, piped.service.status) == (DeploymentStatus.SUCCEEDED, ServiceStatus.ACTIVE)
    url = "http://127.0.0.1:8000/repositories/github/acme/web/pull/1/"
    assert (output_values(piped)["PullRequestUrl"], output_values(piped)["ImagesUri"]) == (
        url,
        "the-ImagesUri",
    )
    row = PullRequest.objects.get()
    assert (row.deployment, row.repository, row.number, row.state, row.url) == (deployment, "acme/web", 1, "open", url)
    pull = acme.pull_request(APP, 1)
    assert pull.files == (WORKFLOW,)
    assert "arn:aws:iam::111111111111:role/deploy" in text(acme, APP, WORKFLOW, pull.branch)
    assert [one.engine for one in deployment.provisioned_resources.order_by("pk")] == ["CLOUDFORMATION", "TERRAFORM"]


def test_the_walkthrough_the_next_version_brings_a_scanning_step_and_keeps_what_was_edited_by_hand(piped, acme):
    merge(acme, APP, 1)
    mine = text(acme, APP, WORKFLOW).replace("name: Tests\n", "name: All the tests\n")
    acme.commit(APP, "main", acme.head(APP, "main"), {WORKFLOW: mine}, "Say it better")
    sample(1, piped.service.template)
    update(piped)
    again()
    piped.refresh_from_db()
    assert (piped.latest.status, piped.version.number) == (DeploymentStatus.SUCCEEDED, "1.1")
    assert output_values(piped)["PullRequestUrl"] == "http://127.0.0.1:8000/repositories/github/acme/web/pull/2/"
    merge(acme, APP, 2)
    now = text(acme, APP, WORKFLOW)
    assert ("name: All the tests\n" in now, "Refuse images with critical findings" in now) == (True, True)


def test_a_service_without_linked_repository_is_refused_before_anything_is_made(simulated, acme):
    home = rows.environment("home")
    of = sample(0, home=home.template)
    with pytest.raises(Invalid, match="but acme/nowhere is not linked. Link it first."):
        made(home, of, repository_id="acme/nowhere")
    with pytest.raises(Invalid, match="give the service a linked repository"):
        made(home, of, repository_id="", branch_name="", repository_connection_arn="")
    assert (Service.objects.exists(), Deployment.objects.filter(service_name="web").exists()) == (False, False)


def test_a_draft_delivers_no_workflow(simulated, acme):
    simulated["outputs"] = {"VpcId": "v", "SubnetIds": "s", "ClusterArn": "c", "ListenerArn": "l"}
    simulated["outputs"] |= {"LoadBalancerDnsName": "d", "LoadBalancerSecurityGroupId": "g"}
    home = rows.environment("home")
    service = made(home, sample(0, status=TemplateVersionStatus.DRAFT, home=home.template))
    assert (service.status, PullRequest.objects.count()) == (ServiceStatus.ACTIVE, 0)


def test_a_delivery_that_fails_keeps_the_infrastructure_and_is_made_good_by_a_retry(piped, acme):
    sample(1, piped.service.template)
    there, away = acme._directory / "acme" / "web.git", acme._directory / "acme" / "moved.git"
    there.rename(away)
    update(piped)
    again()
    piped.refresh_from_db()
    assert (piped.latest.status, piped.latest.next_action) == (DeploymentStatus.FAILED, "retry")
    assert piped.latest.status_message.startswith("The infrastructure is deployed. ")
    assert piped.latest.identifier.startswith("memory:")
    away.rename(there)
    deployments.retry(by=rows.person(), deployment=piped.latest)
    again()
    piped.refresh_from_db()
    assert (piped.latest.status, piped.version.number) == (DeploymentStatus.SUCCEEDED, "1.1")
    assert [pull.state for pull in acme.pull_requests(APP)] == ["open", "closed"]


def test_a_deleted_service_takes_its_workflow_away_by_pull_request(piped, acme):
    merge(acme, APP, 1)
    services.delete(by=rows.person(), service=piped.service)
    rows.run_everything()
    assert not Service.objects.exists()
    pull = acme.pull_request(APP, 2)
    assert (pull.state, pull.files) == ("open", (WORKFLOW,))
    assert acme.read(APP, pull.head, WORKFLOW) is None


def test_whose_service_it_is_decides_the_pull_request_of_its_workflow_and_no_other_one(piped, acme):
    mine = rows.team("mine")
    member, stranger = rows.person(role=Role.DEVELOPER, teams=[mine]), rows.person(role=Role.DEVELOPER)
    Service.objects.update(team=mine)
    code, infra = Repository.objects.get(name="acme/web"), Repository.objects.get(name="acme/infra")
    head = acme.pull_request(APP, 1).head
    for by, where in ((stranger, code), (member, infra)):
        with pytest.raises(Forbidden):
            pull_requests.merge(by=by, repository=where, number=1, head=head)
    where = {"provider": "GITHUB", "name": "acme/web", "branch": "main"}
    Environment.objects.update(provisioning_repository=where)
    with pytest.raises(Forbidden):
        pull_requests.merge(by=member, repository=code, number=1, head=head)
    Environment.objects.update(provisioning_repository=None)
    other = Service.objects.create(
        name="other", arn="arn:other", template=piped.service.template, repository_id="acme/web", created_by=stranger
    )
    with pytest.raises(Forbidden):
        pull_requests.merge(by=stranger, repository=code, number=1, head=head)
    other.delete()
    assert pull_requests.merge(by=member, repository=code, number=1, head=head).state == "merged"


# Terraform


def test_terraform_waits_for_the_merge_and_then_for_the_automations_report(self_managed, acme):
    waiting = ended(self_managed)
    assert (waiting.engine, waiting.status) == ("pull-request", DeploymentStatus.IN_PROGRESS)
    assert waiting.doing == "Waiting for pull request 1 to be merged"
    merge(acme, INFRA, 1)
    waiting = ended(self_managed)
    assert (waiting.status, waiting.doing.endswith("waiting for the automation's report")) == ("IN_PROGRESS", True)
    assert PullRequest.objects.get().state == "merged"
    assert f'"deploymentId" : "{waiting.pk}"' in text(acme, INFRA, "dev/.proton/deployment-metadata.json")
    assert '"cluster_name" : "main"' in text(acme, INFRA, "dev/proton.auto.tfvars.json")
    done = [Output("QueueUrl", "https://queue")]
    notifications.notify(
        by=rows.person(), target=self_managed, status="SUCCEEDED", deployment_id=str(waiting.pk), outputs=done
    )
    assert ended(self_managed).status == DeploymentStatus.SUCCEEDED
    assert output_values(self_managed) == {"QueueUrl": "https://queue"}


def test_the_preview_of_a_new_environment_is_what_its_first_pull_request_holds(self_managed, acme):
    ended(self_managed)
    previewed = previews.preview_environment(
        by=rows.person(),
        template=self_managed.template,
        version=self_managed.latest.version,
        name="dev",
        spec=rows.ENVIRONMENT_SPEC,
    )
    branch = acme.pull_request(INFRA, 1).branch
    paths = [path for path in acme.pull_request(INFRA, 1).files if not path.endswith(METADATA)]
    assert previewed.new_files == {path.removeprefix("dev/"): text(acme, INFRA, path, branch) for path in paths}
    assert (len(paths), previewed.is_terraform, previewed.problems) == (3, True, ())


def test_the_preview_of_a_new_instance_has_the_files_of_its_folder(self_managed, acme):
    Deployment.objects.update(status=DeploymentStatus.SUCCEEDED)
    Environment.objects.update(deployed=self_managed.latest_id)
    files = rows.service_files()
    del files["instance_infrastructure/cloudformation.yaml"]
    files["instance_infrastructure/manifest.yaml"] = MANIFEST.replace("cloudformation.yaml", "*").encode()
    files["instance_infrastructure/main.tf"] = b'resource "aws_sns_topic" "main" {}\n'
    of = rows.version(rows.template(kind=TemplateKind.SERVICE), files=files)
    previewed = previews.preview_instance(
        by=rows.person(),
        version=of,
        service_name="web",
        instance_name="one",
        environment_name="dev",
        spec=rows.service_spec("dev", "one"),
    )
    assert previewed.problems == ()
    assert sorted(previewed.new_files) == ["main.tf", "proton.auto.tfvars.json", "proton.service_instance.variables.tf"]
    assert (
        '"proton:service-instance" : "arn:aws:proton:us-east-1:123456789012:service/web/service-instance/one"'
        in (previewed.new_files["proton.auto.tfvars.json"])
    )


def test_closing_the_first_pull_request_cancels_and_a_retry_opens_the_next(self_managed, acme):
    acme.close(INFRA, 1)
    found = ended(self_managed)
    assert (found.status, found.status_message) == ("CANCELLED", "Pull request 1 was closed without being merged.")
    deployments.retry(by=rows.person(), deployment=found)
    assert ended(self_managed).doing == "Waiting for pull request 2 to be merged"
    assert sorted(PullRequest.objects.values_list("number", "state")) == [(1, "closed"), (2, "open")]


def test_an_update_that_is_cancelled_closes_its_pull_request(self_managed, acme):
    merge(acme, INFRA, 1)
    notifications.notify(by=rows.person(), target=self_managed, status="SUCCEEDED")
    ended(self_managed)
    spec = rows.ENVIRONMENT_SPEC.replace("main", "other")
    environments.update(by=rows.person(), environment=self_managed, deployment_type="CURRENT_VERSION", spec=spec)
    ended(self_managed)
    deployments.cancel(by=rows.person(), target=self_managed)
    assert (ended(self_managed).status, acme.pull_request(INFRA, 2).state) == ("CANCELLED", "closed")
    assert PullRequest.objects.get(number=2).state == "closed"


def test_a_report_that_does_not_come_in_time_is_a_failure(self_managed, acme, settings):
    merge(acme, INFRA, 1)
    settings.PULL_REQUEST_TIMEOUT = 0.001
    found = ended(self_managed)
    assert (found.status, "did not report how the deployment ended" in found.status_message) == ("FAILED", True)


def test_a_deletion_is_a_pull_request_that_lets_go_of_the_files(self_managed, acme):
    merge(acme, INFRA, 1)
    notifications.notify(by=rows.person(), target=self_managed, status="SUCCEEDED")
    ended(self_managed)
    environments.delete(by=rows.person(), environment=self_managed)
    assert (ended(self_managed).status, acme.pull_request(INFRA, 2).state) == (
        DeploymentStatus.DELETE_IN_PROGRESS,
        "open",
    )
    merge(acme, INFRA, 2)
    again()
    assert not Environment.objects.exists()
    assert '"isResourceDeleted" : true' in text(acme, INFRA, "dev/.proton/deployment-metadata.json")


def test_terraform_without_a_provisioning_repository_is_refused_with_a_sentence(acme):
    of = rows.version(rows.template(), files=TERRAFORM)
    with pytest.raises(Invalid, match="give environment dev a provisioning repository"):
        environments.create(by=rows.person(), name="dev", template=of.template, spec=rows.ENVIRONMENT_SPEC, major=1)


def test_a_terraform_component_needs_no_role_and_goes_below_its_environment(self_managed, acme):
    merge(acme, INFRA, 1)
    notifications.notify(by=rows.person(), target=self_managed, status="SUCCEEDED")
    ended(self_managed)
    components.create(
        by=rows.person(),
        name="bucket",
        environment_name="dev",
        manifest=MANIFEST.replace("cloudformation.yaml", "main.tf"),
        template_file='resource "aws_s3_bucket" "it" {}\n',
    )
    again()
    assert Component.objects.get().latest.doing == "Waiting for pull request 2 to be merged"
    assert "dev/bucket/main.tf" in acme.pull_request(INFRA, 2).files


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


# Kills


class Killed(BaseException):
    """As ``kill -9`` ends a process: nobody catches it."""


@pytest.fixture
def killed_at(monkeypatch):
    """Ends the process at the nth time that a point is passed; returns whether it has."""

    def arm(point: str, turn: int) -> list[str]:
        passed: list[str] = []

        def crashpoint(name: str, of: Deployment) -> None:
            if name == point:
                passed.append(name)
                if len(passed) == turn:
                    raise Killed

        for module in (runs, finishing):
            monkeypatch.setattr(module, "crashpoint", crashpoint)
        return passed

    return arm


def until_quiet() -> None:
    """Workers come back after a kill, once the dead one's lease is over."""
    for _ in range(3):
        try:
            again()
        except Killed:
            Deployment.objects.filter(lease_until__isnull=False).update(lease_until="2000-01-01T00:00Z")


POINTS = {"before_call": 5, "after_call_before_commit": 5, "before_commit_of_progress": 4, "before_commit_of_end": 1}


@pytest.mark.parametrize(
    ("point", "turn"), [(point, turn + 1) for point, most in POINTS.items() for turn in range(most)]
)
def test_a_kill_during_a_delivery_leaves_one_pull_request_and_one_deployment(piped, acme, killed_at, point, turn):
    merge(acme, APP, 1)
    sample(1, piped.service.template)
    passed = killed_at(point, turn)
    update(piped)
    until_quiet()
    piped.refresh_from_db()
    assert (piped.latest.status, piped.version.number) == (DeploymentStatus.SUCCEEDED, "1.1")
    assert [(pull.number, pull.state) for pull in acme.pull_requests(APP)] == [(2, "open"), (1, "merged")]
    assert list(piped.latest.pull_requests.values_list("number", flat=True)) == [2]
    assert output_values(piped)["ImagesUri"] == "the-ImagesUri"
    assert len(passed) >= turn
