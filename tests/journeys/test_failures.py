"""AWS refuses, a running update is cancelled, and things that must not be deleted."""

import re

from playwright.sync_api import Page, expect

from tests.journeys.looking import shot
from tests.journeys.steps import begin_environment, create, deployed, make_environment, review


def test_a_stack_that_rolls_back_says_its_first_cause_and_is_mended_by_editing(page: Page, workshop: str) -> None:
    begin_environment(page, workshop, "first-try")
    page.get_by_label("Pause").fill("1")
    review(page)
    shot(page, "wizard-review")
    create(page, "environment")
    page.get_by_role("link", name=re.compile("(Follow|See) the deployment")).first.click()
    expect(page.locator(".first-cause")).to_contain_text("WaitCondition timed out", timeout=60_000)
    expect(page.get_by_text("Next:")).to_be_visible()
    shot(page, "deployment-failed")
    page.get_by_role("link", name="Edit and retry").click()
    expect(page.get_by_label("Pause")).to_have_value("1")
    page.get_by_label("Pause").fill("0")
    page.get_by_role("button", name="Deploy the changes").click()
    deployed(page)
    expect(page.get_by_text("TopicArn", exact=True)).to_be_visible()
    shot(page, "deployment-succeeded")


def test_a_running_update_is_followed_and_cancelled(page: Page, workshop: str) -> None:
    make_environment(page, workshop, "patient")
    page.get_by_role("link", name="Edit inputs").click()
    page.get_by_label("Pause").fill("8")
    page.get_by_role("button", name="Deploy the changes").click()
    page.get_by_role("button", name="Cancel the update").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel the update").click()
    expect(page.get_by_text("Cancelling was asked for.")).to_be_visible()
    shot(page, "deployment-running")
    expect(page.get_by_text("Cancelled", exact=True).first).to_be_visible(timeout=60_000)
    page.goto("/environments/patient/")
    expect(page.get_by_text("1 changed")).to_have_count(0)
