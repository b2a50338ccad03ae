"""Looking at a page: screenshots at desktop and phone width, light and dark, and what everybody needs to use it."""

from pathlib import Path

from playwright.sync_api import Page

from tests.journeys.conftest import SCREENSHOTS

SWEEP = (Path(__file__).parent / "sweep.js").read_text()
CONTRAST = (Path(__file__).parent / "contrast.js").read_text()
SIZES = ((1440, 900), (390, 844))


def shot(page: Page, name: str) -> None:
    """The page as it is, at 1440 and 390 pixels, light and dark. It must not scroll sideways, and everybody must be
    able to use it: see the two scripts beside this file."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    before = page.viewport_size
    complaints = {f"{name}: {one}" for one in page.evaluate(SWEEP)}
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            page.evaluate("scrollTo(0, 0)")
            page.wait_for_timeout(60)
            page.screenshot(path=SCREENSHOTS / f"{name}-{width}-{scheme}.png", full_page=True)
            if (width, height) == SIZES[0]:
                complaints |= {f"{name}, {scheme}: {one}" for one in page.evaluate(CONTRAST)}
        sideways = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        complaints |= {f"{name}: scrolls sideways by {sideways} at {width}"} if sideways > 0 else set()
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    if before is not None:
        page.set_viewport_size(before)
    assert not complaints, "\n".join(sorted(complaints))
