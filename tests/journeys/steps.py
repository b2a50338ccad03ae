"""What people do, in the words of the pages."""

import re
from pathlib import Path

from playwright.sync_api import Page, expect


def register_template(page: Page, kind: str, name: str, archive: Path, compatible: str = "") -> None:
    """A new template, and its first version from an archive; ends on the version's page, registered as a draft."""
    new_template(page, kind, name)
    register_version(page, archive, compatible=compatible)


def new_template(page: Page, kind: str, name: str) -> None:
    """Ends on the page where its first version is registered."""
    page.goto("/templates/new/")
    page.get_by_role("radio", name=f"{kind} template").check()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("button", name="Create template").click()
    expect(page).to_have_url(f"/templates/{kind.lower()}/{name}/versions/new/")


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


def choose(page: Page, address: str) -> None:
    """The template that an address names. Right after the start, those of the product are still being registered."""
    page.goto(address)
    for _ in range(60):
        if page.get_by_role("button", name="Continue").count():
            break
        page.wait_for_timeout(500)
        page.reload()
    page.get_by_role("button", name="Continue").click()


def begin_environment(page: Page, template: str, name: str) -> None:
    """The wizard up to the inputs. ``template`` is the template's name."""
    choose(page, f"/environments/new/?template={template}")
    page.get_by_label("Environment name").fill(name)
    page.get_by_role("button", name="Continue to the inputs").click()


def begin_service(page: Page, template: str, name: str) -> None:
    choose(page, f"/services/new/?template={template}")
    page.get_by_label("Service name").fill(name)
    page.get_by_role("button", name="Continue to the inputs").click()


def review(page: Page) -> None:
    page.get_by_role("button", name="Continue to the review").click()
    expect(page.get_by_role("heading", name=re.compile("What will be created"))).to_be_visible(timeout=30_000)


def create(page: Page, kind: str) -> None:
    """From the review to the page of what is made."""
    page.get_by_role("button", name=f"Create the {kind}").click()
    expect(page).to_have_url(re.compile(rf"/{kind}s/[\w-]+/$"))


def make_environment(page: Page, template: str, name: str) -> None:
    """With the defaults of its template, until it is deployed."""
    begin_environment(page, template, name)
    review(page)
    create(page, "environment")
    deployed(page)


def deployed(page: Page) -> None:
    expect(page.get_by_text("Succeeded", exact=True).first).to_be_visible(timeout=60_000)
    expect(page.get_by_text("Follow the deployment")).to_have_count(0, timeout=60_000)


def delete(page: Page, kind: str, name: str) -> None:
    """Until it is in the list no more."""
    page.goto(f"/{kind}s/{name}/delete/")
    page.get_by_label(f"Type {name} to confirm").fill(name)
    page.get_by_role("button", name=f"Delete the {kind}").click()
    gone(page, kind, name)


def gone(page: Page, kind: str, name: str) -> None:
    page.goto(f"/{kind}s/")
    for _ in range(60):
        if not page.get_by_role("link", name=name, exact=True).count():
            break
        page.wait_for_timeout(400)
        page.reload()
    expect(page.get_by_role("link", name=name, exact=True)).to_have_count(0)
