"""The whole product as a user starts it, and a real browser in front of it."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from tests.aws import ROOT, free_port
from tests.factories.bundles import tar_gz
from tests.journeys import steps
from tests.journeys.bundles import WORKSHOP

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
START_SECONDS = 90.0
SCREENSHOTS = ROOT / ".artifacts" / "screenshots"
expect.set_options(timeout=20_000)


@dataclass(frozen=True)
class Product:
    """A running Deuteron with its embedded stack. ``stop`` and ``start`` keep the state."""

    address: str
    directory: Path
    environment: dict[str, str]
    processes: list["subprocess.Popen[bytes]"]

    def start(self) -> None:
        log_file = self.directory / "supervisor.log"
        already = len(log_file.read_text()) if log_file.exists() else 0
        log = log_file.open("ab")
        process = subprocess.Popen(
            [sys.executable, "-m", "portal.embedded"], cwd=ROOT, env=self.environment, stdout=log, stderr=log
        )
        self.processes.append(process)
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            if process.poll() is not None:
                raise RuntimeError(log_file.read_text()[-3000:])
            if "Deuteron is ready" in log_file.read_text()[already:]:
                return
            time.sleep(0.2)
        raise RuntimeError(f"not ready after {START_SECONDS:.0f} seconds")

    def stop(self) -> None:
        process = self.processes.pop()
        process.send_signal(signal.SIGTERM)
        process.wait(30)


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    directory = tmp_path_factory.mktemp("product")
    port, aws_port = free_port(), free_port()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "DJANGO", "DEUTERON"))}
    environment = {**kept, "PORT": str(port), "AWS_PORT": str(aws_port), "DATA_DIR": str(directory / "data")}
    running = Product(f"http://127.0.0.1:{port}", directory, environment, [])
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.fail("No Chromium found. On Debian: apt-get install chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


def sign_in(page: Page, address: str, name: str) -> None:
    page.goto(f"{address}/sign-in/")
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(name)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{address}/")


class Visit(Protocol):
    def __call__(self, name: str = "admin", *, javascript: bool = True) -> Page: ...


def complaint(line: ConsoleMessage) -> bool:
    """An error in the console. That a page or a form was refused is said there as well, and meant. So is a request that
    ended because somebody left the page; one that really failed has a line of the browser's own beside it."""
    if line.text.startswith(("htmx:afterRequest", "htmx:sendAbort", "htmx:sendError")):
        return False
    refused = re.search(r"responded with a status of (403|404|409|422)", line.text)
    return line.type == "error" and not (refused and "/static/" not in line.location["url"])


@pytest.fixture
def visit(browser: Browser, product: Product) -> Iterator[Visit]:
    """People at their own browsers: ``visit("developer")`` is signed in, at 1440 pixels, light; ``visit("")`` is not.
    Any error in a page's console fails the test."""
    complaints: list[str] = []
    contexts = []

    def come(name: str = "admin", *, javascript: bool = True) -> Page:
        context = browser.new_context(
            viewport={"width": 1440, "height": 900},
            color_scheme="light",
            reduced_motion="reduce",
            java_script_enabled=javascript,
            base_url=product.address,
        )
        contexts.append(context)
        tab = context.new_page()
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on("console", lambda line: complaints.append(line.text) if complaint(line) else None)
        if name:
            sign_in(tab, product.address, name)
        return tab

    yield come
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def page(visit: Visit) -> Page:
    return visit("admin")


@pytest.fixture(scope="session")
def workshop(browser: Browser, product: Product, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a published environment template with small, quick stacks; see ``bundles.WORKSHOP``."""
    archive = tmp_path_factory.mktemp("workshop") / "workshop.tar.gz"
    archive.write_bytes(tar_gz(WORKSHOP))
    with browser.new_context(base_url=product.address) as context:
        page = context.new_page()
        sign_in(page, product.address, "admin")
        steps.register_template(page, "Environment", "workshop", archive)
        steps.publish(page)
    return "workshop"
