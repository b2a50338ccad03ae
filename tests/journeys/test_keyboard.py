"""With the keyboard alone: Tab, Enter, Space and the letters."""

from playwright.sync_api import Page, expect

from tests.journeys.conftest import Visit
from tests.journeys.steps import deployed, gone

# The name of what has the focus, and whether it can be seen to have it.
FOCUSED = """() => {
  const element = document.activeElement;
  const label = element.labels?.[0]?.innerText ?? element.getAttribute("aria-label") ?? element.innerText ?? "";
  const ringed = (one) => {
    const style = getComputedStyle(one);
    return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0 || style.boxShadow !== "none";
  };
  const card = element.closest("li:focus-within");
  return [label.trim(), ringed(element) || Boolean(card && ringed(card)), element.tagName];
}"""


def tab_to(page: Page, name: str, *, back: bool = False) -> None:
    """Press Tab until the control or link of that name has the focus. Every stop on the way must show the focus."""
    stops = []
    for _ in range(60):
        page.keyboard.press("Shift+Tab" if back else "Tab")
        label, ring, tag = page.evaluate(FOCUSED)
        stops.append(label)
        if tag != "BODY":
            assert (label, ring) == (label, True)
        if label.splitlines()[:1] == [name] or label.startswith(f"{name} "):
            return
    raise AssertionError(f"Tab never came to {name}, but to {stops}")


def test_an_environment_is_made_and_deleted_without_a_mouse(visit: Visit, workshop: str) -> None:
    page = visit("")
    page.goto("/sign-in/")
    expect(page.get_by_label("Username")).to_be_focused()
    page.keyboard.type("platform")
    tab_to(page, "Password")
    page.keyboard.type("platform")
    page.keyboard.press("Enter")
    expect(page).to_have_url("/")

    tab_to(page, "Skip to the content")
    expect(page.get_by_text("Skip to the content")).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()

    page.goto("/environments/")
    tab_to(page, "New environment")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="New environment")).to_be_visible()
    tab_to(page, workshop)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Which version")).to_be_visible()
    tab_to(page, "Continue")
    page.keyboard.press("Space")
    expect(page.get_by_label("Environment name")).to_be_visible()
    tab_to(page, "Environment name")
    page.keyboard.type("by-hand")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Seats")).to_be_visible()
    tab_to(page, "Seats")
    page.keyboard.type("99")
    tab_to(page, "Continue to the review")
    page.keyboard.press("Enter")
    expect(page.locator("[data-error-summary]")).to_be_focused()
    tab_to(page, "Seats")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Seats")).to_be_focused()
    page.keyboard.press("Control+A")
    page.keyboard.type("9")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Create the environment")).to_be_visible()
    tab_to(page, "Create the environment")
    page.keyboard.press("Space")
    expect(page.get_by_role("heading", name="by-hand")).to_be_visible()
    deployed(page)

    tab_to(page, "Delete")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Type by-hand to confirm")).to_be_visible()
    tab_to(page, "Type by-hand to confirm")
    page.keyboard.type("by-hand")
    page.keyboard.press("Enter")
    expect(page.get_by_text("by-hand is being deleted.")).to_be_visible()
    gone(page, "environment", "by-hand")


def test_menus_and_questions_are_opened_and_left_with_the_keyboard(visit: Visit) -> None:
    page = visit("admin")
    tab_to(page, "admin: settings and sign out")
    page.keyboard.press("Enter")
    tab_to(page, "Settings")
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="Settings")).not_to_be_visible()
    page.keyboard.press("Enter")
    tab_to(page, "Sign out")
    page.keyboard.press("Space")
    expect(page.get_by_text("You are signed out.")).to_be_visible()
