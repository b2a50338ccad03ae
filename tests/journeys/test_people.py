"""What one person may do and another may not; and one press that is two."""

import re

from playwright.sync_api import Page, expect

from tests.journeys.conftest import Visit
from tests.journeys.looking import shot
from tests.journeys.steps import begin_environment, begin_service, create, make_environment, review


def make_service(page: Page, name: str, environment: str) -> None:
    begin_service(page, "queue-worker-service", name)
    page.get_by_label("Instance name").fill("live")
    page.get_by_label("Environment", exact=True).select_option(environment)
    page.get_by_label("Container image").fill(f"{name}:1")
    review(page)
    create(page, "service")
    expect(page.get_by_text("Active", exact=True).first).to_be_visible(timeout=60_000)


def asks(page: Page, button: str, whom: str) -> None:
    """The button is there, cannot be pressed, and says whom to ask."""
    expect(page.get_by_role("link", name=f"{button}: ask {whom}")).to_have_attribute("aria-disabled", "true")


def test_a_developer_makes_services_of_their_team_and_reads_the_rest(visit: Visit) -> None:
    platform = visit("platform")
    make_environment(platform, "vpc-ecs-environment", "shared")
    make_service(platform, "accounting", "shared")

    page = visit("developer")
    page.goto("/templates/")
    asks(page, "New template", "an admin")
    page.goto("/templates/service/queue-worker-service/")
    asks(page, "Register a version", "an admin")
    page.goto("/environments/shared/")
    asks(page, "Edit inputs", "a platform engineer")
    asks(page, "Delete", "a platform engineer")
    page.goto("/environments/new/")
    expect(page.get_by_text(re.compile("Ask a platform engineer"))).to_be_visible()
    page.goto("/services/accounting/")
    asks(page, "Edit", "team platform")
    asks(page, "Delete", "team platform")
    page.goto("/services/accounting/instances/live/")
    asks(page, "Edit inputs", "team platform")
    expect(page.get_by_text("QueueUrl", exact=True)).to_be_visible()
    shot(page, "instance-of-another-team")

    make_service(page, "checkout", "shared")
    expect(page.get_by_text("payments").first).to_be_visible()

    platform.goto("/environments/shared/delete/")
    expect(platform.get_by_text("It cannot be deleted now")).to_be_visible()
    expect(platform.get_by_text("accounting/live")).to_be_visible()
    shot(platform, "environment-blocked")


def test_two_presses_make_one_environment(page: Page, visit: Visit, workshop: str) -> None:
    begin_environment(page, workshop, "only-one")
    review(page)
    other = page.context.new_page()
    other.goto(page.url)
    expect(other.get_by_role("button", name="Create the environment")).to_be_visible()
    page.get_by_role("button", name="Create the environment").dblclick()
    expect(page).to_have_url("/environments/only-one/")
    other.get_by_role("button", name="Create the environment").click()
    expect(other).to_have_url("/environments/only-one/")
    page.goto("/deployments/?q=only-one")
    expect(page.locator("#rows tbody tr")).to_have_count(1)
