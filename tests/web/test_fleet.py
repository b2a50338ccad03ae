"""The fleet's pull requests: what waits and why, and what is done with the chosen ones."""

import pytest
from django.test import Client

from portal.actions import notifications, pull_requests
from portal.models import AuditEvent, Deployment, Environment, PullRequest, ServicePipeline
from portal.queries import fleet
from provisioning.forges.local import LocalForge
from tests.factories import rows
from tests.factories.pull_requests import APP, INFRA, again, merge, sample, update

pytestmark = pytest.mark.django_db


def text_of(response) -> str:
    assert response.status_code == 200
    return response.content.decode()


def signed_in(role: str = "admin") -> Client:
    client = Client()
    client.force_login(rows.person(role=role))
    return client


def test_what_waits_is_listed_with_its_reason(self_managed: Environment, acme: LocalForge):
    assert "Somebody must look at it and merge it." in text_of(signed_in("viewer").get("/pull-requests/"))
    merge(acme, INFRA, 1)
    again()
    PullRequest.objects.update(merged_at="2020-01-01T00:00Z")
    said = text_of(signed_in().get("/pull-requests/?trouble=merged"))
    assert "never applied: its automation has not reported success." in said
    assert "No pull request matches" in text_of(signed_in().get("/pull-requests/?trouble=conflict"))


def test_what_a_removed_deployment_opened_leads_to_no_page_of_it(self_managed: Environment, acme: LocalForge):
    address = f'href="/deployments/{self_managed.latest_id}/"'
    client = signed_in()
    pages = ("/pull-requests/", "/repositories/github/acme/infra/", "/repositories/github/acme/infra/pull/1/")
    before = [address in client.get(page).content.decode() for page in pages]
    Deployment.objects.update(removed_at="2026-01-01T00:00Z")
    after = [address in client.get(page).content.decode() for page in pages]
    assert (before, after) == ([True, True, True], [False, False, False])


def test_closing_says_first_what_will_happen_and_then_ends_the_deployment(self_managed: Environment, acme: LocalForge):
    client, row = signed_in(), PullRequest.objects.get()
    asked = client.post("/pull-requests/confirm/", {"action": "close", "id": row.pk})
    assert "It is closed, and its deployment ends." in text_of(asked)
    assert acme.pull_request(INFRA, 1).state == "open"
    client.post("/pull-requests/do/", {"action": "close", "id": row.pk})
    again()
    assert (acme.pull_request(INFRA, 1).state, Deployment.objects.get().status) == ("closed", "CANCELLED")
    assert AuditEvent.objects.get(action="pull_request.close").detail == {"repository": "acme/infra", "number": 1}


def test_nobody_closes_what_they_may_not_change(self_managed: Environment, acme: LocalForge):
    client, row = signed_in("developer"), PullRequest.objects.get()
    asked = text_of(client.post("/pull-requests/confirm/", {"action": "close", "id": row.pk}))
    assert "Nothing: ask" in asked
    client.post("/pull-requests/do/", {"action": "close", "id": row.pk})
    assert acme.pull_request(INFRA, 1).state == "open"


def test_a_closed_workflow_stays_closed_when_it_is_rendered_again_and_is_opened_when_somebody_asks(
    piped: ServicePipeline, acme: LocalForge
):
    acme.close(APP, 1)
    client, row = signed_in(), PullRequest.objects.get()
    pull_requests.look(row)
    client.post("/pull-requests/do/", {"action": "render_again", "id": row.pk})
    again()
    assert [pull.state for pull in acme.pull_requests(APP)] == ["closed"]
    shown = text_of(signed_in().get("/services/web/"))
    assert "was closed without being merged: the repository has none." in shown
    asked = client.post("/pull-requests/confirm/", {"action": "open_again", "id": row.pk})
    assert "web pipeline is deployed again with 1.0." in text_of(asked)
    client.post("/pull-requests/do/", {"action": "open_again", "id": row.pk})
    again()
    assert [pull.state for pull in acme.pull_requests(APP)] == ["open", "closed"]


def versions(of: Environment | ServicePipeline) -> fleet.Versions:
    return fleet.versions_of(of, fleet.pull_requests_of(of))


def test_the_four_versions_name_the_gap(self_managed: Environment, acme: LocalForge):
    assert versions(self_managed) == fleet.Versions(
        "1.0", "1.0", "", "", "1.0 waits in pull request 1, opened just now."
    )
    merge(acme, INFRA, 1)
    again()
    self_managed.refresh_from_db()
    assert versions(self_managed) == fleet.Versions("1.0", "", "", "", "1.0 was merged just now, never applied.")
    assert "1.0 was merged just now, never applied." in text_of(signed_in().get("/environments/dev/"))
    assert "were merged and never applied" in text_of(signed_in().get("/")).replace("was merged", "were merged")
    notifications.notify(by=rows.person(), target=self_managed, status="SUCCEEDED")
    again()
    self_managed.refresh_from_db()
    assert versions(self_managed) == fleet.Versions("1.0", "", "1.0", "1.0", "")


def test_the_versions_of_a_workflow_are_seen_in_its_repository(piped: ServicePipeline, acme: LocalForge):
    merge(acme, APP, 1)
    pull_requests.look(PullRequest.objects.get())
    sample(1, piped.service.template)
    update(piped)
    again()
    piped.refresh_from_db()
    gap = "1.1 waits in pull request 2, opened just now."
    assert versions(piped) == fleet.Versions("1.1", "1.1", "1.1", "1.0", gap)
    shown = text_of(signed_in().get(f"/deployments/{piped.latest_id}/"))
    assert ("acme/web#2" in shown, "Delivering the workflows" in shown) == (True, True)


def test_an_update_of_a_pipeline_shows_beforehand_what_changes_in_its_workflow(piped: ServicePipeline):
    sample(1, piped.service.template)
    shown = text_of(signed_in().post("/services/web/pipeline/update/", {"_preview": "1"}))
    assert ".github/workflows/deploy.yml" in shown
    assert "Refuse images with critical findings" in shown
    assert "The rendered template is the same: nothing would change." in shown


def test_an_update_of_terraform_shows_beforehand_what_changes_in_the_repository(
    self_managed: Environment, acme: LocalForge
):
    merge(acme, INFRA, 1)
    client = signed_in()
    same = text_of(client.post("/environments/dev/update/?version=current", {"_preview": "1"}))
    assert "Nothing is provisioned by this template" not in same
    typed = {"_preview": "1", "/spec/cluster_name": "other"}
    shown = text_of(client.post("/environments/dev/update/?version=current", typed))
    assert ("proton.auto.tfvars.json" in shown, "deployment-metadata.json" in shown) == (True, False)
    assert ("They reach" in shown or "It reaches" in shown, "other" in shown) == (True, True)
    away = acme._directory / "acme" / "infra.git"
    away.rename(away.with_name("moved.git"))
    assert "cannot be said now: There is no repository acme/infra" in text_of(
        client.post("/environments/dev/update/?version=current", typed)
    )
