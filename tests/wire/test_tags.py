"""Tags, and the settings of the management account."""

import pytest

from portal.enums import Role
from tests.factories import rows
from tests.wire.conftest import ACCOUNT, refused, run

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin():
    return rows.person("admin")


@pytest.fixture
def arn(admin):
    return run(admin, "CreateEnvironmentTemplate", name="vpc", tags=[{"key": "owner", "value": "net"}])[
        "environmentTemplate"
    ]["arn"]


def listed(person, arn):
    return {tag["key"]: tag["value"] for tag in run(person, "ListTagsForResource", resourceArn=arn)["tags"]}


def test_tags_are_given_changed_and_taken(admin, arn):
    managed = {"aws:proton:account": ACCOUNT, "aws:proton:template": arn}
    assert listed(admin, arn) == {**managed, "owner": "net"}
    tags = [{"key": "owner", "value": "platform"}, {"key": "stage", "value": ""}]
    assert run(admin, "TagResource", resourceArn=arn, tags=tags) == {}
    assert listed(admin, arn) == {**managed, "owner": "platform", "stage": ""}
    assert run(admin, "UntagResource", resourceArn=arn, tagKeys=["owner", "unknown"]) == {}
    assert listed(admin, arn) == {**managed, "stage": ""}


def test_reserved_keys_are_neither_given_nor_taken(admin, arn):
    tags = [{"key": "aws:proton:account", "value": "1"}]
    assert refused(admin, "TagResource", resourceArn=arn, tags=tags)[0] == "ValidationException"
    assert refused(admin, "UntagResource", resourceArn=arn, tagKeys=["aws:proton:account"])[0] == "ValidationException"


def test_a_resource_has_fifty_tags_at_most(admin, arn):
    tags = [{"key": f"key{number}", "value": "x"} for number in range(49)]
    run(admin, "TagResource", resourceArn=arn, tags=tags)
    more = [{"key": "more", "value": "x"}]
    assert refused(admin, "TagResource", resourceArn=arn, tags=more)[0] == "ValidationException"


def test_tags_come_in_pages(admin, arn):
    first = run(admin, "ListTagsForResource", resourceArn=arn, maxResults=2)
    second = run(admin, "ListTagsForResource", resourceArn=arn, maxResults=2, nextToken=first["nextToken"])
    assert [len(first["tags"]), len(second["tags"]), "nextToken" in second] == [2, 1, False]


@pytest.mark.parametrize(
    "other",
    [
        "arn:aws:proton:us-east-1:123456789012:environment/unknown",
        "arn:aws:proton:us-east-1:999999999999:environment-template/vpc",
        "arn:aws:proton:eu-west-1:123456789012:environment-template/vpc",
        "arn:aws:iam::123456789012:role/vpc",
    ],
)
def test_what_is_not_there_has_no_tags(admin, arn, other):
    assert refused(admin, "ListTagsForResource", resourceArn=other)[0] == "ResourceNotFoundException"


def test_tags_are_changed_by_those_who_may_change_the_resource(arn):
    platform = rows.person("platform", Role.PLATFORM)
    tags = [{"key": "a", "value": "b"}]
    assert refused(platform, "TagResource", resourceArn=arn, tags=tags)[0] == "AccessDeniedException"
    assert "owner" in listed(rows.person("viewer", Role.VIEWER), arn)


def test_settings_keep_what_is_not_sent_and_an_empty_role_clears_it(admin):
    assert run(admin, "GetAccountSettings") == {"accountSettings": {}}
    role = f"arn:aws:iam::{ACCOUNT}:role/pipelines"
    run(admin, "UpdateAccountSettings", pipelineServiceRoleArn=role)
    run(admin, "UpdateAccountSettings", pipelineCodebuildRoleArn=role)
    both = {"pipelineServiceRoleArn": role, "pipelineCodebuildRoleArn": role}
    assert run(admin, "GetAccountSettings") == {"accountSettings": both}
    run(admin, "UpdateAccountSettings", pipelineServiceRoleArn="")
    assert run(admin, "GetAccountSettings") == {"accountSettings": {"pipelineCodebuildRoleArn": role}}
