"""The product is stopped and started, and its embedded AWS is killed. This file runs after the others."""

import os
import re
import signal
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from tests.journeys.conftest import Product, Visit
from tests.journeys.looking import shot
from tests.journeys.steps import begin_environment, deployed, make_environment


def aws_processes(product: Product) -> list[int]:
    """The embedded AWS among the children of this product's supervisor."""
    supervisor = product.processes[-1].pid
    children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
    return [int(pid) for pid in children if "aws_process" in Path(f"/proc/{pid}/cmdline").read_text()]


def reload_until(page: Page, what: Locator, *, there: bool) -> None:
    """The start page, again and again, until it shows this or shows it no more."""
    for _ in range(120):
        page.goto("/")
        if bool(what.count()) == there:
            return
        page.wait_for_timeout(500)
    raise AssertionError(f"{what} stays {'away' if there else 'there'}")


def change_seats(page: Page, name: str, seats: str) -> None:
    page.goto(f"/environments/{name}/update/?version=current")
    page.get_by_label("Seats").fill(seats)
    page.get_by_role("button", name="Deploy the changes").click()
    deployed(page)
    expect(page.get_by_text(f"north with {seats} seats").first).to_be_visible()


def test_what_was_there_is_there_after_a_restart_and_can_be_changed(
    page: Page, product: Product, workshop: str
) -> None:
    make_environment(page, workshop, "lasting")
    topic = page.locator("tr", has_text="TopicArn").locator("td code").inner_text()
    begin_environment(page, workshop, "half-made")
    page.get_by_label("Purpose").fill("to be continued")
    page.get_by_role("button", name="Save and leave").click()
    expect(page.get_by_text("The draft is saved.")).to_be_visible()

    product.stop()
    product.start()

    page.goto("/environments/lasting/")  # still signed in
    expect(page.locator("tr", has_text="TopicArn")).to_contain_text(topic)
    expect(page.get_by_text("12 seats").first).to_be_visible()
    page.goto("/environments/new/")
    page.get_by_role("link", name="Resume half-made").click()
    expect(page.get_by_text("to be continued").first).to_be_visible()
    page.get_by_role("button", name="Discard the draft").click()
    change_seats(page, "lasting", "20")
    expect(page.get_by_text(topic).first).to_be_visible()


def test_stacks_that_the_embedded_aws_lost_are_named_and_deployed_again_on_one_press(
    page: Page, product: Product, workshop: str, visit: Visit
) -> None:
    make_environment(page, workshop, "fragile")
    for pid in aws_processes(product):
        os.kill(pid, signal.SIGKILL)
    lost = page.get_by_text("gone from AWS")
    reload_until(page, lost, there=True)
    expect(page.locator(".notice").get_by_role("link", name="fragile")).to_be_visible()
    shot(page, "dashboard-losses")
    developer = visit("developer")
    expect(developer.get_by_role("link", name="Deploy everything again: ask a platform engineer")).to_be_visible()
    page.get_by_role("button", name="Deploy everything again").click()
    expect(page.get_by_text(re.compile(r"\d+ deployments? started"))).to_be_visible()
    page.goto("/environments/fragile/")
    deployed(page)
    expect(page.locator("tr", has_text="TopicArn")).to_be_visible()
    reload_until(page, lost, there=False)
