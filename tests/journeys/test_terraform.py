"""Terraform by pull request, from the first page to an update that is merged."""

import configparser
from pathlib import Path
from typing import Any

import boto3
import pytest
from playwright.sync_api import expect

from tests.factories.bundles import tar_gz
from tests.factories.pull_requests import TERRAFORM
from tests.journeys.conftest import Product, Visit
from tests.journeys.looking import shot
from tests.journeys.steps import choose, create, deployed, publish, register_template, review


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "terraform.tar.gz"
    path.write_bytes(tar_gz(TERRAFORM))
    return path


def automation(product: Product) -> Any:
    """What runs in the repository, as an SDK calls."""
    keys = configparser.ConfigParser()
    keys.read(product.directory / "data" / "aws" / "credentials")
    return boto3.client(
        "proton",
        endpoint_url=product.address,
        region_name="us-east-1",
        aws_access_key_id=keys["admin"]["aws_access_key_id"],
        aws_secret_access_key=keys["admin"]["aws_secret_access_key"],
    )


def test_what_goes_into_the_repository_is_seen_before_anybody_asks_for_it(
    visit: Visit, product: Product, archive: Path
) -> None:
    admin = visit("admin")
    register_template(admin, "Environment", "terraformed", archive)
    publish(admin)
    page = visit("platform")
    page.goto("/repositories/")
    page.get_by_label("Owner and name").fill("ponds/infra")
    page.get_by_role("button", name="Make and link it").click()
    expect(page.get_by_text("Usable", exact=True)).to_be_visible()

    # a new environment: the files are on the page before it is made
    choose(page, "/environments/new/?template=terraformed")
    page.get_by_label("Environment name").fill("pond")
    page.get_by_label("Provisioning repository").select_option("GITHUB:ponds/infra")
    page.get_by_role("button", name="Continue to the inputs").click()
    expect(page.get_by_role("button", name="Continue to the review")).to_be_visible()
    shot(page, "terraform-inputs")
    page.get_by_label("cluster_name").fill("main")
    review(page)
    expect(page.get_by_text("main.tf", exact=True).first).to_be_visible()
    page.get_by_text("proton.auto.tfvars.json", exact=True).first.click()
    expect(page.get_by_text("Into the repository ponds/infra, branch main, as a pull request.")).to_be_visible()
    shot(page, "terraform-review")
    create(page, "environment")
    shot(page, "terraform-made")
    expect(page.get_by_text("Waiting for pull request 1 to be merged").first).to_be_visible(timeout=60_000)
    shot(page, "terraform-waits")
    page.goto("/repositories/github/ponds/infra/pull/1/")
    expect(page.get_by_role("heading", name="pond/proton.auto.tfvars.json")).to_be_visible()
    shot(page, "terraform-pull-request")
    page.get_by_role("button", name="Merge").click()
    expect(page.get_by_text("It is merged.")).to_be_visible()

    # its automation applied it and says so; the next version shows what it changes in the files
    automation(product).notify_resource_deployment_status_change(
        resourceArn="arn:aws:proton:us-east-1:123456789012:environment/pond",
        status="SUCCEEDED",
        outputs=[{"key": "QueueUrl", "valueString": "https://queue"}],
    )
    page.goto("/environments/pond/")
    deployed(page)
    page.get_by_role("link", name="Edit inputs").click()
    page.get_by_label("cluster_name").fill("other")
    page.get_by_role("button", name="Show what changes").click()
    expect(page.get_by_role("heading", name="pond/proton.auto.tfvars.json")).to_be_visible()
    shot(page, "terraform-update")
