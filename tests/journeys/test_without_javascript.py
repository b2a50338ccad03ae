"""The basic path without any script: the browser's own forms, links and buttons do it all."""

from playwright.sync_api import Page, expect

from tests.journeys.conftest import Visit
from tests.journeys.steps import begin_environment, begin_service


def reload_until(page: Page, word: str) -> None:
    """Press the browser's reload button until the page says it."""
    for _ in range(60):
        if page.get_by_text(word, exact=True).count():
            return
        page.wait_for_timeout(500)
        page.reload()
    expect(page.get_by_text(word, exact=True).first).to_be_visible()


def test_from_signing_in_to_a_running_service_and_back(visit: Visit) -> None:
    page = visit("platform", javascript=False)
    begin_environment(page, "vpc-ecs-environment", "plain")
    page.get_by_label("Idle timeout").fill("0")
    page.get_by_role("button", name="Continue to the review").click()
    expect(page.locator("[data-error-summary]")).to_contain_text("Idle timeout")
    page.get_by_label("Idle timeout").fill("30")
    page.get_by_role("button", name="Continue to the review").click()
    page.get_by_role("link", name="Show it without waiting for the script").click()
    expect(page.get_by_text("AWS::ECS::Cluster").first).to_be_visible()
    page.get_by_role("button", name="Create the environment").click()
    reload_until(page, "Succeeded")
    expect(page.get_by_text("VpcId")).to_be_visible()

    begin_service(page, "queue-worker-service", "letters")
    page.get_by_role("button", name="Add an instance").click()
    expect(page.get_by_label("Instance name")).to_have_count(2)
    for index, name in enumerate(("one", "two")):
        page.get_by_label("Instance name").nth(index).fill(name)
        page.get_by_label("Environment", exact=True).nth(index).select_option("plain")
        page.get_by_label("Container image").nth(index).fill(f"letters:{name}")
    page.get_by_role("button", name="Continue to the review").click()
    page.get_by_role("button", name="Create the service").click()
    reload_until(page, "Active")

    page.get_by_role("link", name="Edit", exact=True).click()
    page.locator("input[name=_drop][value=two]").check()
    page.get_by_role("button", name="Save the changes").click()
    reload_until(page, "Active")
    expect(page.get_by_role("link", name="two", exact=True)).to_have_count(0)

    for kind, name in (("service", "letters"), ("environment", "plain")):
        page.goto(f"/{kind}s/{name}/delete/")
        page.get_by_label(f"Type {name} to confirm").fill(name)
        page.get_by_role("button", name=f"Delete the {kind}").click()
        for _ in range(60):
            page.goto(f"/{kind}s/")
            if not page.get_by_role("link", name=name, exact=True).count():
                break
            page.wait_for_timeout(500)
        expect(page.get_by_role("link", name=name, exact=True)).to_have_count(0)


def test_rows_of_a_list_are_added_and_taken_out(visit: Visit, workshop: str) -> None:
    page = visit("platform", javascript=False)
    begin_environment(page, workshop, "rows")
    rooms = page.locator('[name^="/spec/rooms/"]')
    page.locator('button[name=_add][value="/spec/rooms"]').click()
    rooms.nth(1).fill("south")
    page.locator('button[name=_add][value="/spec/rooms"]').click()
    rooms.nth(2).fill("west")
    page.locator('button[name=_remove][value="/spec/rooms/1"]').click()
    expect(rooms).to_have_count(2)
    assert [rooms.nth(index).input_value() for index in range(2)] == ["north", "west"]
    page.get_by_role("button", name="Discard the draft").click()
    expect(page.get_by_role("heading", name="New environment")).to_be_visible()
