"""The pipeline's story in a browser: a workflow reaches the repository of the code, is changed by hand, and follows its
template all the same."""

from pathlib import Path

import boto3
import pytest
from playwright.sync_api import Page, expect

from portal.embedded.samples import bundle_folder
from provisioning.forges.base import Repository
from provisioning.forges.local import LocalForge
from tests.factories.bundles import tar_gz
from tests.journeys.conftest import Product, Visit
from tests.journeys.looking import shot
from tests.journeys.steps import (
    choose,
    create,
    deployed,
    make_environment,
    publish,
    register_template,
    register_version,
    review,
)

REPOSITORY = Repository("GITHUB", "kiosks/kiosk")
WORKFLOW = ".github/workflows/deploy.yml"
SECRET = "github/token/kiosk"
BY_HAND = "  workflow_dispatch:\n"
TOKEN = """\
        token_secret:
          type: string
          title: Token's secret
          description: What the workflow may ask for more with.
          x-deuteron-secret-reference: secretsmanager
"""


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two versions of a template with a workflow, the second with a scanning step; they ask for a secret by name."""
    folder = tmp_path_factory.mktemp("archives")
    for number in ("1.0", "1.1"):
        major, minor = (int(part) for part in number.split("."))
        source = bundle_folder("fargate-service-with-workflow", major, minor)
        files = {path.relative_to(source).as_posix(): path.read_text() for path in source.rglob("*") if path.is_file()}
        files["schema/schema.yaml"] += TOKEN
        (folder / f"{number}.tar.gz").write_bytes(tar_gz({path: text.encode() for path, text in files.items()}))
    return folder


@pytest.fixture
def forge(product: Product) -> LocalForge:
    """The repositories of the product that runs, as git itself shows them."""
    return LocalForge(product.directory / "data" / "repositories")


def keep_secret(product: Product) -> None:
    """As somebody does in AWS's console."""
    boto3.client(
        "secretsmanager",
        endpoint_url=f"http://127.0.0.1:{product.environment['AWS_PORT']}",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    ).create_secret(Name=SECRET, SecretString="a token that only AWS knows")


def workflow(forge: LocalForge) -> str:
    """The file on the branch that people work on."""
    head = forge.head(REPOSITORY, REPOSITORY.branch)
    found = forge.read(REPOSITORY, head or "", WORKFLOW)
    return (found or b"").decode()


def push_by_hand(forge: LocalForge, text: str) -> None:
    """As a developer's push does."""
    head = forge.head(REPOSITORY, REPOSITORY.branch)
    assert head is not None
    forge.commit(REPOSITORY, REPOSITORY.branch, head, {WORKFLOW: text}, "Start it by hand as well")


def open_pull_request(page: Page, number: int) -> None:
    """By the pipeline's output on the page of its service."""
    page.goto("/services/kiosk/")
    expect(page.locator("#pipeline").get_by_text("Succeeded", exact=True).first).to_be_visible(timeout=60_000)
    page.locator("#pipeline").get_by_role("link", name=f"/pull/{number}/").click()
    expect(page).to_have_url(f"/repositories/github/kiosks/kiosk/pull/{number}/")
    expect(page.get_by_text("Open", exact=True).first).to_be_visible()


def merge(page: Page) -> None:
    page.get_by_role("button", name="Merge").click()
    expect(page.get_by_text("It is merged.")).to_be_visible()
    expect(page.get_by_text("Merged", exact=True).first).to_be_visible()


def test_a_workflow_is_delivered_changed_by_hand_and_updated(
    visit: Visit, product: Product, archives: Path, forge: LocalForge
) -> None:
    # an environment, and the template of what runs in it
    platform = visit("platform")
    make_environment(platform, "vpc-ecs-environment", "meadow")
    admin = visit("admin")
    register_template(admin, "Service", "storefront", archives / "1.0.tar.gz", "vpc-ecs-environment")
    publish(admin)

    # the repository of the code is linked
    platform.goto("/repositories/")
    platform.get_by_label("Owner and name").fill(REPOSITORY.name)
    platform.get_by_role("button", name="Make and link it").click()
    expect(platform.get_by_role("heading", name=REPOSITORY.name)).to_be_visible()
    expect(platform.get_by_text("Usable", exact=True)).to_be_visible()
    shot(platform, "repository-linked")
    keep_secret(product)

    # a developer makes a service with an instance and a pipeline
    page = visit("developer")
    choose(page, "/services/new/?template=storefront")
    page.get_by_label("Service name").fill("kiosk")
    page.get_by_label("Repository").fill(REPOSITORY.name)
    page.get_by_label("Branch").fill("main")
    shot(page, "wizard-repository")
    page.get_by_role("button", name="Continue to the inputs").click()
    page.get_by_label("Instance name").fill("dev")
    page.get_by_label("Environment", exact=True).select_option("meadow")
    page.get_by_label("Token's secret").fill("github/token/other")
    page.get_by_label("Token's secret").blur()
    expect(page.get_by_text("There is no secret named github/token/other")).to_be_visible()
    shot(page, "wizard-secret-missing")
    page.get_by_label("Token's secret").fill("github/")
    expect(page.locator(f"datalist option[value='{SECRET}']")).to_have_count(1)
    page.get_by_label("Token's secret").fill(SECRET)
    page.get_by_label("Token's secret").blur()
    expect(page.get_by_text("There is no secret named")).to_have_count(0)
    review(page)
    expect(page.get_by_text(f"{WORKFLOW} reaches the repository {REPOSITORY.name} as a pull request")).to_be_visible()
    shot(page, "wizard-review-of-a-pipeline")
    create(page, "service")
    expect(page.get_by_text("Active", exact=True).first).to_be_visible(timeout=90_000)

    # its pull request says what it is, and who made the service merges it
    open_pull_request(page, 1)
    expect(page.get_by_role("heading", name="Add the workflow of kiosk (storefront 1.0)")).to_be_visible()
    expect(page.get_by_role("heading", name=WORKFLOW)).to_be_visible()
    shot(page, "pull-request")
    assert workflow(forge) == ""
    merge(page)
    shot(page, "pull-request-merged")
    first = workflow(forge)
    assert (first.startswith("# Builds kiosk"), "  scan:" in first) == (True, False)

    # the developer changes the workflow by hand
    push_by_hand(forge, first.replace("on:\n", f"on:\n{BY_HAND}"))

    # the platform's next version scans what is built
    admin.goto("/templates/service/storefront/versions/new/")
    register_version(admin, archives / "1.1.tar.gz", number="1.1", compatible="vpc-ecs-environment")
    publish(admin)

    # the developer sees that, what it changes, and takes it
    page.goto("/services/kiosk/")
    page.locator("#pipeline").get_by_role("link", name="See what changes and update").click()
    expect(page.get_by_role("heading", name=f"{WORKFLOW} in the service's repository")).to_be_visible(timeout=30_000)
    expect(page.get_by_text("Refuse images with critical findings").first).to_be_visible()
    shot(page, "pipeline-update")
    page.get_by_role("button", name="Deploy version 1.1").click()
    deployed(page)
    shot(page, "pipeline-deployment")

    # the next pull request brings the scan and leaves the hand's line alone
    open_pull_request(page, 2)
    expect(page.get_by_role("heading", name="Update the workflow of kiosk (storefront 1.1)")).to_be_visible()
    changed = page.get_by_role("region", name=WORKFLOW)
    expect(changed.get_by_text("Refuse images with critical findings")).to_be_visible()
    expect(page.locator("tr.diff-removed", has_text="workflow_dispatch")).to_have_count(0)
    shot(page, "pull-request-of-the-update")
    platform.goto("/pull-requests/")
    shot(platform, "fleet")
    platform.goto("/repositories/github/kiosks/kiosk/pull/2/")
    merge(platform)
    second = workflow(forge)
    assert (BY_HAND in second, "\n  scan:\n" in second, "needs: scan" in second) == (True, True, True)
    page.goto("/services/kiosk/")
    shot(page, "service-with-a-pipeline")
