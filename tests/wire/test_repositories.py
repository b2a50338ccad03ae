"""Linked repositories, and what refers to them."""

import pytest

from portal.enums import Role
from tests.factories import forges as made
from tests.factories import rows
from tests.factories.pull_requests import TERRAFORM
from tests.wire.conftest import ACCOUNT, refused, run

pytestmark = pytest.mark.django_db
CONNECTION = f"arn:aws:codestar-connections:us-east-1:{ACCOUNT}:connection/0e4b8f2a-1111-4222-8333-123456789abc"
KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/1"
INFRA = {"provider": "GITHUB", "name": "acme/infra"}
LINK = {**INFRA, "connectionArn": CONNECTION}
BRANCH = {**INFRA, "branch": "main"}
ARN = f"arn:aws:proton:us-east-1:{ACCOUNT}:repository/github:acme/infra"
SHOWN = {"arn": ARN, "connectionArn": CONNECTION, **INFRA}


@pytest.fixture
def admin(local_forge, simulated):
    from portal import forges

    for name in ("acme/infra", "acme/other"):
        local_forge.create(forges.forge("GITHUB", name)[1], {"README.md": "x"})
    return rows.person("admin")


def test_a_repository_is_linked_read_listed_and_unlinked(admin):
    made = run(admin, "CreateRepository", **LINK, encryptionKey=KEY)
    assert made == {"repository": {**SHOWN, "encryptionKey": KEY}}
    assert run(admin, "GetRepository", **INFRA) == made
    assert run(admin, "ListRepositories") == {"repositories": [SHOWN]}
    assert run(admin, "DeleteRepository", **INFRA) == made
    assert run(admin, "DeleteRepository", **INFRA) == {}
    assert refused(admin, "GetRepository", **INFRA)[0] == "ResourceNotFoundException"


def test_an_identical_repeat_gets_the_original_and_another_one_is_refused(admin):
    assert run(admin, "CreateRepository", **LINK) == run(admin, "CreateRepository", **LINK)
    assert refused(admin, "CreateRepository", **LINK, encryptionKey=KEY)[0] == "ValidationException"
    run(admin, "TagResource", resourceArn=ARN, tags=[{"key": "a", "value": "b"}])
    assert refused(admin, "CreateRepository", **LINK)[0] == "ConflictException"


def test_what_was_linked_in_the_browser_conflicts(admin):
    made.repository(admin)
    assert refused(admin, "CreateRepository", **LINK)[0] == "ConflictException"


def test_what_cannot_be_used_is_refused(admin):
    assert refused(admin, "CreateRepository", **{**LINK, "name": "acme/unknown"})[0] == "ValidationException"
    assert refused(admin, "CreateRepository", **{**LINK, "provider": "BITBUCKET"})[0] == "ValidationException"


def test_platform_engineers_link_and_everybody_reads(admin):
    developer = rows.person("dev", Role.DEVELOPER)
    assert refused(developer, "CreateRepository", **LINK)[0] == "AccessDeniedException"
    run(rows.person("pat", Role.PLATFORM), "CreateRepository", **LINK)
    assert refused(developer, "DeleteRepository", **INFRA)[0] == "AccessDeniedException"
    assert run(developer, "GetRepository", **INFRA) == {"repository": SHOWN}


def test_repositories_come_in_pages(admin):
    for name in ("acme/infra", "acme/other"):
        run(admin, "CreateRepository", **{**LINK, "name": name})
    first = run(admin, "ListRepositories", maxResults=1)
    second = run(admin, "ListRepositories", maxResults=1, nextToken=first["nextToken"])
    names = [[row["name"] for row in reply["repositories"]] for reply in (first, second)]
    assert (names, "nextToken" in second) == ([["acme/infra"], ["acme/other"]], False)


def test_a_repository_has_tags(admin):
    run(admin, "CreateRepository", **LINK, tags=[{"key": "owner", "value": "net"}])
    run(admin, "TagResource", resourceArn=ARN, tags=[{"key": "stage", "value": "x"}])
    run(admin, "UntagResource", resourceArn=ARN, tagKeys=["owner"])
    tags = {tag["key"]: tag["value"] for tag in run(admin, "ListTagsForResource", resourceArn=ARN)["tags"]}
    assert tags == {"aws:proton:account": ACCOUNT, "stage": "x"}


def test_pipelines_are_delivered_to_a_linked_repository(admin):
    assert refused(admin, "UpdateAccountSettings", pipelineProvisioningRepository=BRANCH)[0] == "ValidationException"
    run(admin, "CreateRepository", **LINK)
    kept = {"accountSettings": {"pipelineProvisioningRepository": {**BRANCH, "arn": ARN}}}
    assert run(admin, "UpdateAccountSettings", pipelineProvisioningRepository=BRANCH) == kept
    assert run(admin, "GetAccountSettings") == kept
    assert refused(admin, "DeleteRepository", **INFRA)[0] == "ConflictException"
    both = {"pipelineProvisioningRepository": BRANCH, "deletePipelineProvisioningRepository": True}
    assert refused(admin, "UpdateAccountSettings", **both)[0] == "ValidationException"
    assert run(admin, "UpdateAccountSettings", deletePipelineProvisioningRepository=True) == {"accountSettings": {}}


def test_an_environment_shows_its_repository_which_never_changes(admin):
    run(admin, "CreateRepository", **LINK)
    template = rows.version(rows.template(name="vpc"), files=TERRAFORM).template
    request = {"name": "home", "templateName": template.name, "templateMajorVersion": "1"}
    request |= {"spec": rows.ENVIRONMENT_SPEC, "provisioningRepository": BRANCH}
    shown = run(admin, "CreateEnvironment", **request)["environment"]
    assert shown["provisioningRepository"] == {**BRANCH, "arn": ARN}
    edit = {"name": "home", "deploymentType": "NONE"}
    run(admin, "UpdateEnvironment", **edit, provisioningRepository=BRANCH)
    other = {**BRANCH, "branch": "other"}
    assert refused(admin, "UpdateEnvironment", **edit, provisioningRepository=other)[0] == "ValidationException"
    role = f"arn:aws:iam::{ACCOUNT}:role/x"
    assert refused(admin, "UpdateEnvironment", **edit, protonServiceRoleArn=role)[0] == "ValidationException"
    assert refused(admin, "DeleteRepository", **INFRA)[0] == "ConflictException"
