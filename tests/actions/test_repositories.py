"""Linking repositories, and pull requests as the forge shows them."""

import pytest

from portal import forges
from portal.actions import accounts, environments, housekeeping, pull_requests
from portal.actions import repositories as actions
from portal.enums import Role
from portal.errors import Conflict, Forbidden, Invalid, Unavailable
from portal.models import AuditEvent, Deployment, PullRequest, Repository
from tests.factories import forges as made
from tests.factories import rows
from tests.factories.pull_requests import TERRAFORM

pytestmark = pytest.mark.django_db
ROLE = "arn:aws:iam::123456789012:role/provisioning"
BRANCH = {"provider": "GITHUB", "name": "acme/infra", "branch": "main"}


@pytest.fixture
def platform(local_forge):
    return rows.person("pat", Role.PLATFORM)


def problems(refusal):
    return [(problem.path, problem.message) for problem in refusal.value.problems]


def test_a_repository_is_tested_when_it_is_linked(platform, local_forge):
    local_forge.create(forges.forge("GITHUB", "acme/infra", "trunk")[1], {"README.md": "x"})
    row = actions.link(by=platform, provider="GITHUB", name="acme/infra")
    assert (row.default_branch, row.problem, row.tested_at is not None) == ("trunk", "", True)
    assert AuditEvent.objects.filter(action="repository.link", target=row.arn).count() == 1
    with pytest.raises(Conflict):
        actions.link(by=platform, provider="GITHUB", name="acme/infra")


@pytest.mark.parametrize(
    ("provider", "name", "path"),
    [
        ("GITHUB", "acme/unknown", "/name"),
        ("GITHUB", "no name", "/name"),
        ("GITHUB", "acme/../../etc", "/name"),
        ("GITHUB_ENTERPRISE", "acme/infra", "/name"),
        ("BITBUCKET", "acme/infra", "/provider"),
    ],
)
def test_what_cannot_be_used_is_not_linked(platform, provider, name, path):
    with pytest.raises(Invalid) as refusal:
        actions.link(by=platform, provider=provider, name=name)
    assert [where for where, _ in problems(refusal)] == [path]
    assert Repository.objects.count() == 0


def test_a_forge_that_does_not_answer_links_nothing(platform, settings):
    settings.EMBEDDED, settings.GITHUB_TOKEN, settings.GITHUB_API_URL = False, "ghp_x", "http://127.0.0.1:9"
    forges.forget()
    with pytest.raises(Unavailable):
        actions.link(by=platform, provider="GITHUB", name="acme/infra")
    assert Repository.objects.count() == 0


def test_only_platform_engineers_link(local_forge):
    with pytest.raises(Forbidden):
        actions.link(by=rows.person("dev", Role.DEVELOPER), provider="GITHUB", name="acme/infra")


def test_a_test_keeps_what_is_wrong_now(platform, local_forge, tmp_path):
    row = made.repository(platform)
    (tmp_path / "repositories" / "acme" / "infra.git").rename(tmp_path / "elsewhere.git")
    assert "There is no repository acme/infra" in actions.check_again(by=platform, repository=row).problem
    (tmp_path / "elsewhere.git").rename(tmp_path / "repositories" / "acme" / "infra.git")
    assert actions.check_again(by=platform, repository=row).problem == ""


def test_a_repository_in_use_stays_linked(platform, simulated):
    row = made.repository(platform)
    terraform = rows.version(rows.template(), files=TERRAFORM)
    home = rows.environment("home", of=terraform, provisioning_repository=BRANCH)
    accounts.update_settings(by=rows.person("ada"), pipeline_provisioning_repository=BRANCH)
    web = rows.service("web")
    web.repository_id = row.name
    web.save()
    with pytest.raises(Conflict) as refusal:
        actions.unlink(by=platform, repository=row)
    assert all(word in refusal.value.message for word in ("home", "web", "Pipelines"))
    web.delete()
    home.delete()
    accounts.update_settings(by=rows.person("eve"), delete_pipeline_provisioning_repository=True)
    actions.unlink(by=platform, repository=row)
    assert Repository.objects.count() == 0


def made_environment(by, **more):
    files = TERRAFORM if "provisioning_repository" in more else None
    version = rows.version(rows.template(), files=files)
    return environments.create(
        by=by, name="home", template=version.template, spec=rows.ENVIRONMENT_SPEC, major=1, **more
    )


def test_an_environment_delivers_to_a_linked_repository_or_has_a_role(platform, simulated):
    with pytest.raises(Invalid) as refusal:
        made_environment(platform, provisioning_repository=BRANCH)
    assert problems(refusal) == [
        ("/provisioning_repository", "The repository acme/infra is not linked. Link it first.")
    ]
    made.repository(platform)
    with pytest.raises(Invalid):
        made_environment(platform, provisioning_repository=BRANCH, proton_service_role_arn=ROLE)
    with pytest.raises(Invalid):
        made_environment(platform, provisioning_repository={**BRANCH, "branch": "--upload-pack=x"})
    assert made_environment(platform, provisioning_repository=BRANCH).provisioning_repository == BRANCH


def test_the_repository_of_an_environment_never_changes(platform, simulated):
    made.repository(platform)
    home = made_environment(platform, provisioning_repository=BRANCH)
    edit = {"by": platform, "environment": home, "deployment_type": "NONE"}
    environments.update(**edit, provisioning_repository=BRANCH)
    for wrong in ({"provisioning_repository": {**BRANCH, "branch": "other"}}, {"proton_service_role_arn": ROLE}):
        with pytest.raises(Invalid):
            environments.update(**edit, **wrong)
    home.refresh_from_db()
    assert (home.provisioning_repository, home.proton_service_role_arn) == (BRANCH, "")


def test_an_environment_without_a_repository_never_gets_one(platform, simulated):
    made.repository(platform)
    home = made_environment(platform)
    with pytest.raises(Invalid):
        environments.update(by=platform, environment=home, deployment_type="NONE", provisioning_repository=BRANCH)


@pytest.fixture
def opened(platform, simulated):
    """A pull request of a deployment that waits for an hour."""
    row = made.repository(platform)
    deployment = rows.environment("home").latest
    Deployment.objects.filter(pk=deployment.pk).update(
        status="IN_PROGRESS", due_at=pull_requests.from_now(3600), lease_until=None
    )
    return made.pull_request(deployment, row)


def due(row):
    found = Deployment.objects.get(pk=row.deployment_id)
    assert found.due_at is not None
    return (found.due_at - row.opened_at).total_seconds() < 600


def test_a_look_writes_what_the_forge_says_and_wakes_the_deployment(opened, local_forge):
    assert (pull_requests.look(opened).state, due(opened)) == ("open", False)
    local_forge.merge(forges.forge("GITHUB", "acme/infra")[1], opened.number, opened.head)
    row = pull_requests.look(opened)
    assert (row.state, row.merged_at is not None, row.look_at, due(row)) == ("merged", True, None, True)


def test_who_merges_here_sees_it_at_once(opened, platform):
    pull_requests.merge(by=platform, repository=Repository.objects.get(), number=opened.number, head=opened.head)
    opened.refresh_from_db()
    assert (opened.state, opened.look_at, due(opened)) == ("merged", None, True)


def test_what_was_merged_never_opens_again(opened, monkeypatch, local_forge):
    PullRequest.objects.update(state="merged", merged_at=opened.opened_at)
    assert pull_requests.look(opened).state == "merged"
    assert local_forge.pull_request(forges.forge("GITHUB", "acme/infra")[1], opened.number).state == "open"


def test_a_look_that_was_overtaken_writes_nothing(opened, platform, local_forge):
    repository = forges.forge("GITHUB", "acme/infra")[1]
    real, stale = local_forge.pull_request, local_forge.pull_request(repository, opened.number)

    def slow(*arguments):
        local_forge.pull_request = real
        local_forge.merge(repository, opened.number, opened.head)
        assert pull_requests.look(opened).state == "merged"
        return stale

    local_forge.pull_request = slow
    assert pull_requests.look(PullRequest.objects.get()).state == "merged"


def test_every_open_pull_request_is_looked_at_without_being_told(opened, platform, local_forge):
    assert pull_requests.look_at_due() == 1
    assert pull_requests.look_at_due() == 0
    local_forge.merge(forges.forge("GITHUB", "acme/infra")[1], opened.number, opened.head)
    PullRequest.objects.update(look_at=pull_requests.from_now(0))
    assert pull_requests.look_at_due() == 1
    opened.refresh_from_db()
    assert (opened.state, pull_requests.look_at_due()) == ("merged", 0)


def test_an_open_one_is_looked_at_again_within_two_minutes(opened):
    pull_requests.look(opened)
    opened.refresh_from_db()
    pause = (opened.look_at - opened.seen_at).total_seconds()
    assert (round(pause), pause + housekeeping.EVERY_SECONDS < 120) == (50, True)


def test_many_are_looked_at_less_often_where_github_would_not_answer_all(opened, settings):
    same = {"deployment": opened.deployment, "provider": "GITHUB", "repository": "acme/infra", "base": "main"}
    same |= {"branch": "x", "url": "x", "title": "x", "opened_at": opened.opened_at}
    PullRequest.objects.bulk_create(PullRequest(**same, number=number) for number in range(2, 101))
    assert pull_requests._pause("GITHUB") == 50
    settings.GITHUB_TOKEN = "x"
    forges.forget()
    assert (pull_requests._pause("GITHUB"), pull_requests._pause("GITHUB_ENTERPRISE")) == (300, 50)


def test_closing_says_who_and_a_closed_one_is_not_merged(opened, platform, local_forge):
    row = Repository.objects.get()
    assert pull_requests.close(by=platform, repository=row, number=opened.number).state == "closed"
    with pytest.raises(Invalid):
        pull_requests.merge(by=platform, repository=row, number=opened.number, head=opened.head)
    assert pull_requests.look(opened).state == "closed"
    assert local_forge.comments(forges.forge("GITHUB", "acme/infra")[1], opened.number) == ("Closed by pat.",)


def test_what_moved_meanwhile_is_not_merged_unseen(opened, platform, local_forge):
    there = forges.forge("GITHUB", "acme/infra")[1]
    local_forge.commit(there, "change", opened.head, {"more.tf": "x"}, "More")
    with pytest.raises(Conflict):
        pull_requests.merge(by=platform, repository=Repository.objects.get(), number=opened.number, head=opened.head)


def test_those_who_may_not_change_it_do_not_decide(opened):
    with pytest.raises(Forbidden):
        pull_requests.merge(
            by=rows.person("dev", Role.DEVELOPER),
            repository=Repository.objects.get(),
            number=opened.number,
            head=opened.head,
        )
