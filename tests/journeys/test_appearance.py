"""The pages of a product in which nothing has been made yet. This file runs first."""

from playwright.sync_api import expect

from tests.journeys.conftest import Visit
from tests.journeys.looking import shot


def test_signing_in_wrongly_says_so_and_keeps_the_name(visit: Visit) -> None:
    page = visit("")
    page.goto("/environments/")
    shot(page, "sign-in")
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("Please enter a correct username and password")).to_be_visible()
    expect(page.get_by_label("Username")).to_have_value("admin")
    shot(page, "sign-in-refused")
    page.get_by_label("Password").fill("admin")
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url("/environments/")


def test_a_fresh_product_says_what_to_do_next(visit: Visit) -> None:
    page = visit("admin")
    expect(page.get_by_text("Nothing is deployed yet")).to_be_visible()
    shot(page, "dashboard-empty")
    for address, name in {
        "/templates/": "catalogue",
        "/templates/service/load-balanced-fargate-service/": "template",
        "/environments/": "environments-empty",
        "/environments/new/": "wizard-start",
        "/services/": "services-empty",
        "/deployments/": "deployments-empty",
        "/accounts/": "accounts",
        "/settings/": "settings",
        "/settings/people/": "people",
        "/settings/people/new/": "person-new",
        "/settings/people/developer/": "person",
        "/settings/teams/": "teams",
        "/settings/roles/": "roles",
        "/settings/password/": "password",
        "/settings/audit/": "audit",
        "/settings/keys/": "keys",
        "/templates/nothing/": "not-found",
    }.items():
        page.goto(address)
        shot(page, name)
