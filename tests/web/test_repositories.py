"""The pages of repositories, and of the pull requests of this machine."""

import re

import pytest
from django.test import Client

from portal import forges
from portal.actions import drafts
from portal.enums import Role, TemplateKind
from portal.models import AccountSettings, AuditEvent, Draft, Environment, Repository, User
from tests.factories import forges as made
from tests.factories import rows
from tests.factories.pull_requests import TERRAFORM

pytestmark = pytest.mark.django_db
HOME = "/repositories/github/acme/infra/"
PULL = f"{HOME}pull/1/"


@pytest.fixture
def platform(client: Client, local_forge) -> User:
    person = rows.person("pat", Role.PLATFORM)
    client.force_login(person)
    return person


@pytest.fixture
def pull(platform, simulated):
    return made.pull_request(rows.environment("home").latest, made.repository(platform))


def text_of(response) -> str:
    return response.content.decode()


def problems(response) -> list[str]:
    return re.findall(r'<div class="problem" id="(?:id|new)_(\w+)_error"', text_of(response))


@pytest.mark.parametrize("count", [1, 3])
def test_the_list_costs_the_same_for_any_length(client, platform, count, django_assert_num_queries):
    for number in range(count):
        made.repository(platform, f"acme/infra{number}")
    client.get("/repositories/")
    with django_assert_num_queries(5):
        assert len(client.get("/repositories/").context["repositories"]) == count


def test_a_repository_is_made_on_this_machine_linked_and_unlinked(client, platform):
    assert "No repository is linked yet" in text_of(client.get("/repositories/"))
    answer = client.post("/repositories/new/", {"name": "acme/infra", "readme": "# Here\n"})
    assert answer["Location"] == HOME
    assert "# Here" in text_of(client.get(f"{HOME}files/README.md"))
    client.post(f"{HOME}unlink/")
    assert Repository.objects.count() == 0
    answer = client.post("/repositories/", {"provider": "GITHUB", "name": "acme/infra"})
    assert (answer["Location"], Repository.objects.count()) == (HOME, 1)


@pytest.mark.parametrize("name", ["acme/unknown", "infra", "../../etc/passwd", "acme/in fra", "-x/y"])
def test_what_cannot_be_linked_is_said_at_its_field(client, platform, name):
    answer = client.post("/repositories/", {"provider": "GITHUB", "name": name})
    assert (answer.status_code, problems(answer), Repository.objects.count()) == (422, ["name"], 0)


def test_a_name_that_no_repository_can_have_is_said_at_its_field(client, platform):
    answer = client.post("/repositories/new/", {"name": "infra"})
    assert (answer.status_code, problems(answer), Repository.objects.count()) == (422, ["name"], 0)


def test_the_page_says_what_a_test_found(client, platform, tmp_path):
    made.repository(platform)
    (tmp_path / "repositories" / "acme" / "infra.git").rename(tmp_path / "gone")
    client.post(f"{HOME}test/")
    page = text_of(client.get(HOME))
    assert ("It cannot be used" in page, "There is no repository acme/infra" in page) == (True, True)
    assert client.get(f"{HOME}files/").status_code == 404


def test_a_file_is_plain_text_whatever_it_is(client, platform):
    made.repository(platform, **{"page.html": "<script>alert(1)</script>"})
    answer = client.get(f"{HOME}files/page.html")
    kind = answer["Content-Type"], answer["X-Content-Type-Options"]
    assert (text_of(answer), kind) == ("<script>alert(1)</script>", ("text/plain; charset=utf-8", "nosniff"))
    assert "page.html" in text_of(client.get(f"{HOME}files/"))
    for wrong in ("unknown", "../../../etc/passwd", "--upload-pack=x", "%00", ".git/config"):
        assert client.get(f"{HOME}files/{wrong}").status_code == 404


def test_a_pull_request_shows_its_text_and_its_changes_and_runs_neither(client, pull):
    page = text_of(client.get(PULL))
    assert "**Because** &lt;b&gt;of this&lt;/b&gt;" in page
    assert re.search(r'diff-added.*?<td class="t">two</td>', page, re.DOTALL)
    assert f'name="head" value="{pull.head}"' in page
    assert 'action="/repositories/github/acme/infra/pull/1/merge/"' in page


def test_merging_says_so_in_every_place(client, pull):
    answer = client.post(f"{PULL}merge/", {"head": pull.head}, follow=True)
    assert "Merged" in text_of(answer)
    pull.refresh_from_db()
    assert pull.state == "merged"
    assert "Merged" in text_of(client.get(HOME))
    assert AuditEvent.objects.filter(action="pull_request.merge").count() == 1
    assert "/merge/" not in text_of(client.get(PULL))


def test_what_moved_since_it_was_looked_at_is_shown_again_first(client, pull, local_forge):
    there = forges.forge("GITHUB", "acme/infra")[1]
    local_forge.commit(there, "change", pull.head, {"more.tf": "x"}, "More")
    answer = client.post(f"{PULL}merge/", {"head": pull.head})
    assert (answer.status_code, "changed meanwhile" in text_of(answer)) == (409, True)
    assert client.post(f"{PULL}merge/", {"head": "nonsense"}).status_code == 422
    pull.refresh_from_db()
    assert pull.state == "open"


def test_a_conflict_offers_no_merge_and_says_what_to_do(client, pull, local_forge):
    there = forges.forge("GITHUB", "acme/infra")[1]
    base = local_forge.head(there, "main")
    local_forge.commit(there, "main", base, {"dev/main.tf": "three\n"}, "By hand")
    page = text_of(client.get(PULL))
    assert ("It cannot be merged" in page, "/merge/" in page) == (True, False)
    answer = client.post(f"{PULL}merge/", {"head": pull.head})
    assert (answer.status_code, "change the same lines" in text_of(answer)) == (409, True)
    client.post(f"{PULL}close/")
    pull.refresh_from_db()
    assert pull.state == "closed"


def test_pull_requests_of_github_have_no_page_here(client, pull, settings):
    settings.EMBEDDED, settings.GITHUB_TOKEN = False, "ghp_x"
    forges.forget()
    assert client.get(PULL).status_code == 404
    assert client.post(f"{PULL}merge/", {"head": pull.head}).status_code == 404
    page = text_of(client.get(HOME))
    assert ("/webhooks/github" in page, "New repository on this machine" in page) == (True, False)


def test_a_viewer_reads_and_is_told_whom_to_ask(client, pull):
    client.force_login(rows.person("viv", Role.VIEWER))
    for address in ("/repositories/", HOME, PULL, f"{HOME}files/"):
        assert client.get(address).status_code == 200
    page = text_of(client.get(PULL))
    assert ("Merge: ask a platform engineer" in page, "/merge/" in page) == (True, False)


def test_the_pipeline_repository_is_chosen_by_an_admin(client, platform):
    made.repository(platform)
    address = "/settings/pipelines/"
    assert client.post(address, {}).status_code == 403
    client.force_login(rows.person("ada"))
    answer = client.post(address, {"repository": "GITHUB:acme/infra", "branch": "nowhere"})
    assert (answer.status_code, problems(answer)) == (422, ["branch"])
    assert client.post(address, {"repository": "GITHUB:acme/other"}).status_code == 422
    client.post(address, {"repository": "GITHUB:acme/infra"})
    kept = {"provider": "GITHUB", "name": "acme/infra", "branch": "main"}
    assert AccountSettings.get().pipeline_provisioning_repository == kept
    client.post(address, {"repository": ""})
    assert AccountSettings.get().pipeline_provisioning_repository is None


def test_the_wizard_of_environments_offers_linked_repositories(client, platform, simulated):
    version = rows.version(rows.template(), files=TERRAFORM)
    draft = drafts.start(by=platform, template=version.template, version=version)
    address = f"/drafts/{draft.pk}/details/"
    assert "Provisioning repository" not in text_of(client.get(address))
    made.repository(platform)
    typed = {"/name": "home", "/version": "1.0", "/provisioning_repository": "GITHUB:acme/infra"}
    answer = client.post(address, {**typed, "/provisioning_branch": "nowhere"})
    assert (answer.status_code, "There is no branch nowhere" in text_of(answer)) == (422, True)
    assert client.post(address, {**typed, "/provisioning_branch": ""}).status_code == 302
    drafts.save(by=platform, draft=Draft.objects.get(), spec=rows.ENVIRONMENT_SPEC)
    client.post(f"/drafts/{draft.pk}/submit/")
    kept = {"provider": "GITHUB", "name": "acme/infra", "branch": "main"}
    assert Environment.objects.get(name="home").provisioning_repository == kept
    assert "acme/infra" in text_of(client.get("/environments/home/"))


def test_the_wizard_of_services_knows_the_branches_of_linked_repositories_only(client, platform, simulated):
    made.repository(platform)
    files = rows.service_files(rows.PIPELINE_SCHEMA, pipeline=rows.PIPELINE_TEMPLATE)
    version = rows.version(rows.template(TemplateKind.SERVICE), files=files)
    draft = drafts.start(by=platform, template=version.template, version=version)
    address = f"/drafts/{draft.pk}/details/"
    assert 'value="acme/infra"' in text_of(client.get(address))
    typed = {"/name": "web", "/version": "1.0", "/branch_name": "nowhere"}
    answer = client.post(address, {**typed, "/repository_id": "acme/infra"})
    assert (answer.status_code, "There is no branch nowhere in acme/infra" in text_of(answer)) == (422, True)
    assert client.post(address, {**typed, "/repository_id": "elsewhere/app"}).status_code == 302
