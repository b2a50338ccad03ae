"""The main job in a browser: from a bundle on disk to a running service, a newer version, and everything gone again."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from portal.embedded.samples import pack_sample
from tests.journeys.looking import shot
from tests.journeys.steps import choose_template, delete, deployed, publish, register_template, register_version


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bundles as tar.gz on the disk of the person who uploads them."""
    folder = tmp_path_factory.mktemp("archives")
    for name, major, minor in (
        ("vpc-ecs-environment", 1, 0),
        ("vpc-ecs-environment", 1, 1),
        ("load-balanced-fargate-service", 1, 0),
    ):
        (folder / f"{name}-{major}.{minor}.tar.gz").write_bytes(pack_sample(name, major, minor))
    return folder


def test_from_a_bundle_to_a_running_service_and_back(page: Page, archives: Path) -> None:
    # an admin registers and publishes both templates
    register_template(page, "Environment", "network", archives / "vpc-ecs-environment-1.0.tar.gz")
    shot(page, "version")
    publish(page)
    register_template(page, "Service", "web-app", archives / "load-balanced-fargate-service-1.0.tar.gz", "network")
    publish(page)
    page.goto("/templates/")
    shot(page, "templates")

    # an environment through the wizard
    page.goto("/environments/new/")
    choose_template(page, "network")
    page.get_by_label("Environment name").fill("production")
    page.get_by_role("button", name="Continue to the inputs").click()
    expect(page.get_by_role("heading", name="New environment")).to_be_visible()
    shot(page, "wizard-inputs")
    page.get_by_role("button", name="Continue to the review").click()
    expect(page.get_by_text("What will be created")).to_be_visible(timeout=30_000)
    shot(page, "wizard-review")
    page.get_by_role("button", name="Create the environment").click()
    deployed(page)
    page.goto("/environments/production/")
    expect(page.get_by_text("VpcId")).to_be_visible()
    shot(page, "environment")

    # a service in it
    page.goto("/services/new/")
    choose_template(page, "web-app")
    page.get_by_label("Service name").fill("shop")
    page.get_by_role("button", name="Continue to the inputs").click()
    page.get_by_label("Instance name").fill("live")
    page.get_by_label("Environment", exact=True).select_option("production")
    page.get_by_role("button", name="Continue to the review").click()
    expect(page.get_by_text("What will be created")).to_be_visible(timeout=30_000)
    page.get_by_role("button", name="Create the service").click()
    page.goto("/services/shop/")
    expect(page.get_by_text("Active", exact=True).first).to_be_visible(timeout=60_000)
    shot(page, "service")
    page.goto("/services/shop/instances/live/")
    deployed(page)
    shot(page, "instance")

    # a newer minor version makes the environment outdated
    page.goto("/templates/environment/network/versions/new/")
    register_version(page, archives / "vpc-ecs-environment-1.1.tar.gz", number="1.1")
    publish(page)
    page.goto("/?state=BEHIND_MINOR")
    expect(page.get_by_role("link", name="production").first).to_be_visible()
    page.goto("/")
    shot(page, "dashboard-full")

    # its owner sees the difference and updates
    page.goto("/environments/production/")
    expect(page.get_by_text("A newer version is available: 1.1")).to_be_visible()
    page.get_by_role("link", name="See what changes and update").click()
    expect(page.locator(".diff, [class*=diff]").first).to_be_visible(timeout=30_000)
    shot(page, "update")
    page.get_by_role("button", name="Deploy version 1.1").click()
    deployed(page)
    shot(page, "deployment")
    page.goto("/environments/production/")
    expect(page.get_by_text("A newer version is available")).to_have_count(0)

    # and everything can go again, the service first
    page.goto("/environments/production/delete/")
    expect(page.get_by_text("It cannot be deleted now")).to_be_visible()
    delete(page, "service", "shop")
    delete(page, "environment", "production")
