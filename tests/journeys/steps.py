"""What people do, in the words of the pages."""

from pathlib import Path

from playwright.sync_api import Page, expect

from tests.journeys.conftest import SCREENSHOTS


def register_template(page: Page, address: str, kind: str, name: str, archive: Path, compatible: str = "") -> None:
    """A new template, and its first version from an archive; ends on the version's page, registered as a draft."""
    page.goto(f"{address}/templates/new/")
    page.get_by_role("radio", name=f"{kind} template").check()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("button", name="Create template").click()
    expect(page).to_have_url(f"{address}/templates/{kind.lower()}/{name}/versions/new/")
    register_version(page, archive, compatible=compatible)


def register_version(page: Page, archive: Path, *, number: str = "", compatible: str = "") -> None:
    """Upload one more version on the registration page."""
    page.locator("input[type=file]").set_input_files(archive)
    if number:
        label = page.locator("select[name=major] option", has_text=number).first.get_attribute("value")
        page.locator("select[name=major]").select_option(label)
    if compatible:
        page.get_by_role("checkbox", name=compatible).check()
    page.get_by_role("button", name="Check and register").click()
    expect(page.get_by_text("Draft", exact=True).first).to_be_visible(timeout=60_000)


def publish(page: Page, reason: str = "") -> None:
    """From the page of a draft version."""
    page.get_by_role("link", name="Publish").first.click()
    if reason:
        page.get_by_label("Why it is published all the same").fill(reason)
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_text("Published", exact=True).first).to_be_visible()


def choose_template(page: Page, title: str) -> None:
    page.get_by_role("link", name=title).first.click()
    page.get_by_role("button", name="Continue").click()


def shot(page: Page, name: str) -> None:
    """The page as it is, at 1440 and 390 pixels, light and dark. It must not scroll sideways."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    before = page.viewport_size
    for width, height in ((1440, 900), (390, 844)):
        page.set_viewport_size({"width": width, "height": height})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.wait_for_timeout(150)
            page.screenshot(path=SCREENSHOTS / f"{name}-{width}-{scheme}.png", full_page=True)
        sideways = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert (name, width, sideways) == (name, width, 0)
    page.emulate_media(color_scheme="light")
    if before:
        page.set_viewport_size(before)
