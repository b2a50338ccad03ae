"""The main job in a browser: from a bundle on disk to a running service, a newer version, and everything gone again."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from portal.embedded.samples import pack_sample
from tests.journeys.conftest import Product
from tests.journeys.steps import choose_template, publish, register_template, register_version, shot


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


def deployed(page: Page) -> None:
    expect(page.get_by_text("Succeeded", exact=True).first).to_be_visible(timeout=60_000)


def test_from_a_bundle_to_a_running_service_and_back(page: Page, product: Product, archives: Path) -> None:
    address = product.address
    shot(page, "dashboard-empty")

    # an admin registers and publishes both templates
    register_template(page, address, "Environment", "network", archives / "vpc-ecs-environment-1.0.tar.gz")
    shot(page, "version")
    publish(page)
    register_template(
        page, address, "Service", "web-app", archives / "load-balanced-fargate-service-1.0.tar.gz", "network"
    )
    publish(page)
    page.goto(f"{address}/templates/")
    shot(page, "templates")

    # an environment through the wizard
    page.goto(f"{address}/environments/new/")
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
    page.goto(f"{address}/environments/production/")
    expect(page.get_by_text("VpcId")).to_be_visible()
    shot(page, "environment")

    # a service in it
    page.goto(f"{address}/services/new/")
    choose_template(page, "web-app")
    page.get_by_label("Service name").fill("shop")
    page.get_by_role("button", name="Continue to the inputs").click()
    page.get_by_label("Instance name").fill("live")
    page.get_by_label("Environment", exact=True).select_option("production")
    page.get_by_role("button", name="Continue to the review").click()
    expect(page.get_by_text("What will be created")).to_be_visible(timeout=30_000)
    page.get_by_role("button", name="Create the service").click()
    page.goto(f"{address}/services/shop/")
    expect(page.get_by_text("Active", exact=True).first).to_be_visible(timeout=60_000)
    shot(page, "service")
    page.goto(f"{address}/services/shop/instances/live/")
    deployed(page)
    shot(page, "instance")

    # a newer minor version makes the environment outdated
    page.goto(f"{address}/templates/environment/network/versions/new/")
    register_version(page, archives / "vpc-ecs-environment-1.1.tar.gz", number="1.1")
    publish(page)
    page.goto(f"{address}/?state=BEHIND_MINOR")
    expect(page.get_by_role("link", name="production").first).to_be_visible()
    page.goto(address)
    shot(page, "dashboard-full")

    # its owner sees the difference and updates
    page.goto(f"{address}/environments/production/")
    expect(page.get_by_text("A newer version is available: 1.1")).to_be_visible()
    page.get_by_role("link", name="See what changes and update").click()
    expect(page.locator(".diff, [class*=diff]").first).to_be_visible(timeout=30_000)
    shot(page, "update")
    page.get_by_role("button", name="Deploy version 1.1").click()
    deployed(page)
    shot(page, "deployment")
    page.goto(f"{address}/environments/production/")
    expect(page.get_by_text("A newer version is available")).to_have_count(0)

    # and everything can go again, the service first
    page.goto(f"{address}/environments/production/delete/")
    expect(page.get_by_text("It cannot be deleted now")).to_be_visible()
    for kind, name in (("service", "shop"), ("environment", "production")):
        page.goto(f"{address}/{kind}s/{name}/delete/")
        page.get_by_label(f"Type {name} to confirm").fill(name)
        page.get_by_role("button", name=f"Delete the {kind}").click()
        page.goto(f"{address}/{kind}s/")
        for _ in range(40):
            if not page.get_by_role("link", name=name, exact=True).count():
                break
            page.wait_for_timeout(500)
            page.reload()
        expect(page.get_by_role("link", name=name, exact=True)).to_have_count(0)
