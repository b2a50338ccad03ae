"""What people get wrong: each time it is said where, nothing typed is lost, and nothing is stored."""

import re
from collections.abc import Mapping

import pytest
from playwright.sync_api import Page, expect

from tests.factories.bundles import tar_gz
from tests.journeys.bundles import FINDINGS, JINJA_ERROR, MISSING_FILE, UNUSABLE_KEYWORD
from tests.journeys.conftest import Visit
from tests.journeys.looking import shot
from tests.journeys.steps import begin_environment, begin_service, create, deployed, new_template, publish, review

EXISTING = {
    "VPC": "vpc-0a1b2c",
    "Subnets": "subnet-0a,subnet-0b",
    "ECS cluster": "office",
    "ARN of the ECS cluster": "arn:aws:ecs:us-east-1:123456789012:cluster/office",
    "ARN of the load balancer's listener": "arn:aws:elasticloadbalancing:us-east-1:123456789012:listener/app/office",
    "Host name of the load balancer": "office.example.com",
    "Security group of the load balancer": "sg-0a1b2c",
}


def upload(page: Page, data: bytes) -> None:
    page.locator("input[type=file]").set_input_files(
        {"name": "bundle.tar.gz", "mimeType": "application/gzip", "buffer": data}
    )
    page.get_by_role("button", name="Check and register").click()


def refused(page: Page, archive: bytes | Mapping[str, bytes], *said: str) -> None:
    """Send an archive on the registration page, and read what is wrong with it."""
    upload(page, archive if isinstance(archive, bytes) else tar_gz(archive))
    problems = page.locator("#outcome .problems")
    for text in said:
        expect(problems).to_contain_text(text)
    expect(page.locator("#outcome [data-error-summary]")).to_be_focused()
    expect(page.get_by_label("Release notes")).to_have_value("The first one")


def test_a_bundle_that_is_not_right_says_where_and_stores_nothing(page: Page) -> None:
    new_template(page, "Environment", "broken")
    page.get_by_label("Release notes").fill("The first one")
    refused(page, b"This is a letter, not an archive.", "This is not an archive")
    refused(page, MISSING_FILE, "infrastructure/manifest.yaml:3", "network.yaml")
    refused(page, UNUSABLE_KEYWORD, "schema/schema.yaml:9", "pattern")
    refused(page, UNUSABLE_KEYWORD | {"infrastructure/manifest.yaml": MISSING_FILE["infrastructure/manifest.yaml"]},
            "schema/schema.yaml:9", "infrastructure/manifest.yaml:3")  # fmt: skip
    shot(page, "registration-errors")
    page.once("dialog", lambda dialog: dialog.accept())
    page.goto("/templates/environment/broken/")
    expect(page.get_by_text("No version yet")).to_be_visible()


@pytest.mark.parametrize(
    ("name", "bundle", "place", "said"),
    [
        ("unknown-property", FINDINGS, "infrastructure/cloudformation.yaml:6", "EnableDnsHostnames"),
        ("jinja-error", JINJA_ERROR, "infrastructure/cloudformation.yaml:5", "unexpected char"),
    ],
)
def test_code_that_cannot_work_is_found_and_needs_a_reason_to_be_published(
    page: Page, name: str, bundle: Mapping[str, bytes], place: str, said: str
) -> None:
    new_template(page, "Environment", name)
    upload(page, tar_gz(bundle))
    findings = page.locator("#findings")
    expect(findings).to_contain_text(place, timeout=60_000)
    expect(findings).to_contain_text(said)
    shot(page, f"version-{name}")
    page.get_by_role("link", name="Publish").first.click()
    page.get_by_role("button", name="Publish").click()
    expect(page.locator("[data-error-summary]")).to_contain_text("Say why this version is published over its errors")
    shot(page, f"publish-{name}")
    page.goto(f"/templates/environment/{name}/1.0/")
    publish(page, "AWS ignores it")


@pytest.fixture
def office(page: Page) -> str:
    """An environment of infrastructure that exists already: it is there at once."""
    page.goto("/environments/")
    if page.get_by_role("link", name="office", exact=True).count() == 0:
        begin_environment(page, "existing-vpc", "office")
        for label, value in EXISTING.items():
            page.get_by_label(label, exact=True).fill(value)
        review(page)
        create(page, "environment")
        deployed(page)
    return "office"


def test_missing_answers_are_listed_with_links_that_lead_to_their_fields(page: Page, visit: Visit) -> None:
    begin_environment(page, "existing-vpc", "house")
    page.get_by_label("ECS cluster", exact=True).fill("house")
    page.get_by_role("button", name="Continue to the review").click()
    summary = page.locator("[data-error-summary]")
    expect(summary).to_be_focused()
    expect(summary).to_contain_text("6 things are not right yet")
    expect(page.get_by_label("ECS cluster", exact=True)).to_have_value("house")
    shot(page, "wizard-inputs-missing")
    summary.get_by_role("link", name="Host name of the load balancer").click()
    expect(page.get_by_label("Host name of the load balancer", exact=True)).to_be_focused()


def test_a_wrong_answer_is_said_when_its_field_is_left_and_gone_when_it_is_mended(page: Page) -> None:
    begin_environment(page, "vpc-ecs-environment", "house")
    timeout, network = page.get_by_label("Idle timeout"), page.get_by_label("Address range")
    timeout.fill("99999")
    timeout.press("Tab")
    expect(page.locator(".problem", has_text="4000")).to_be_visible()
    timeout.fill("soon")
    timeout.press("Tab")
    expect(page.locator(".problem", has_text="soon")).to_be_visible()
    network.fill("10.0.0.0/8")
    page.get_by_role("button", name="Continue to the review").click()
    expect(page.locator("[data-error-summary]")).to_contain_text("2 things are not right yet")
    expect(timeout).to_have_value("soon")
    expect(network).to_have_value("10.0.0.0/8")
    shot(page, "wizard-inputs-errors")
    timeout.fill("90")
    timeout.press("Tab")
    expect(page.locator(".problem", has_text="soon")).to_have_count(0)
    page.get_by_role("button", name="Restore the default: 10.0.0.0/16").click()
    expect(network).to_have_value("10.0.0.0/16")
    review(page)


def test_a_button_that_is_pressed_slowly_does_what_it_says(page: Page) -> None:
    """Meanwhile the field before it is checked, and what is said of it may move the button away."""
    begin_environment(page, "vpc-ecs-environment", "house")
    page.get_by_label("Address range").fill("10.0.0.0/8")
    page.get_by_role("button", name="Continue to the review").hover()
    page.mouse.down()
    page.wait_for_timeout(1_000)
    page.mouse.up()
    expect(page.locator("[data-error-summary]")).to_contain_text("One thing is not right yet")


def test_a_field_that_was_dragged_larger_is_checked_like_any_other(page: Page) -> None:
    begin_environment(page, "vpc-ecs-environment", "house")
    page.get_by_label("Idle timeout").evaluate("field => { field.style.width = '400px'; }")
    page.get_by_label("Idle timeout").fill("0")
    page.get_by_label("Idle timeout").press("Tab")
    expect(page.locator(".problem", has_text="0")).to_be_visible()


def test_a_name_that_is_taken_is_refused_beside_it(page: Page, office: str) -> None:
    begin_environment(page, "existing-vpc", office)
    expect(page.locator("[data-error-summary]")).to_contain_text("An environment named office exists already")
    expect(page.get_by_label("Environment name")).to_have_value(office)
    expect(page.get_by_label("Environment name")).to_have_attribute("aria-invalid", "true")


def test_a_service_cannot_go_into_an_environment_that_was_deleted_meanwhile(
    page: Page, office: str, visit: Visit
) -> None:
    begin_service(page, "queue-worker-service", "mailer")
    page.get_by_label("Instance name").fill("live")
    page.get_by_label("Environment", exact=True).select_option(office)
    page.get_by_label("Container image").fill("mailer:1")
    review(page)
    expect(page.get_by_role("button", name="Create the service")).to_be_enabled(timeout=30_000)
    other = visit("admin")
    other.goto(f"/environments/{office}/delete/")
    other.get_by_label(f"Type {office} to confirm").fill(office)
    other.get_by_role("button", name="Delete the environment").click()
    page.get_by_role("button", name="Create the service").click()
    summary = page.locator("[data-error-summary]")
    expect(summary).to_contain_text(re.compile("office is being deleted|no environment named office"))
    expect(page.get_by_text("mailer:1").first).to_be_visible()
    page.goto("/services/")
    expect(page.get_by_role("link", name="mailer", exact=True)).to_have_count(0)
