"""Templates and their versions through the wire."""

from datetime import timedelta

import pytest
from django.utils import timezone

from portal import quotas
from portal.actions import registrations
from portal.enums import Role, TemplateKind
from portal.models import Creation, TemplateVersion
from portal.wire import paging
from tests.factories import rows
from tests.wire.conftest import refused, run

pytestmark = pytest.mark.django_db
SOURCE = {"s3": {"bucket": "proton-templates-bucket", "key": "vpc.tar.gz"}}


@pytest.fixture
def admin():
    return rows.person("admin")


def test_a_template_is_created_shown_changed_and_deleted(admin):
    made = run(admin, "CreateEnvironmentTemplate", name="vpc", description="A network")["environmentTemplate"]
    assert made["arn"] == "arn:aws:proton:us-east-1:123456789012:environment-template/vpc"
    assert (made["displayName"], made["description"]) == ("vpc", "A network")
    changed = run(admin, "UpdateEnvironmentTemplate", name="vpc", displayName="Network")["environmentTemplate"]
    assert (changed["displayName"], changed["description"]) == ("Network", "A network")
    assert run(admin, "GetEnvironmentTemplate", name="vpc") == {"environmentTemplate": changed}
    assert run(admin, "DeleteEnvironmentTemplate", name="vpc") == {"environmentTemplate": changed}
    assert refused(admin, "GetEnvironmentTemplate", name="vpc")[0] == "ResourceNotFoundException"
    assert run(admin, "DeleteEnvironmentTemplate", name="vpc") == {}


def test_a_repeated_creation_gets_the_original(admin):
    first = run(admin, "CreateServiceTemplate", name="web", pipelineProvisioning="CUSTOMER_MANAGED")
    assert run(admin, "CreateServiceTemplate", name="web", pipelineProvisioning="CUSTOMER_MANAGED") == first
    assert refused(admin, "CreateServiceTemplate", name="web") == (
        "ValidationException",
        "IdempotentParameterMismatch: the request uses the same name as a previous, but non-identical request. "
        "Send the same parameters again, or choose another name.",
    )
    run(admin, "UpdateServiceTemplate", name="web", description="changed")
    assert refused(admin, "CreateServiceTemplate", name="web", pipelineProvisioning="CUSTOMER_MANAGED")[0] == (
        "ConflictException"
    )


def test_a_repeated_creation_gets_the_original_when_no_other_template_has_room(admin, monkeypatch):
    first = run(admin, "CreateEnvironmentTemplate", name="vpc")
    monkeypatch.setattr(quotas, "TEMPLATES", 1)
    assert run(admin, "CreateEnvironmentTemplate", name="vpc") == first
    assert refused(admin, "CreateEnvironmentTemplate", name="other")[0] == "ServiceQuotaExceededException"


def test_a_template_that_the_browser_made_is_in_the_way(admin):
    rows.template(TemplateKind.SERVICE, "web")
    assert refused(admin, "CreateServiceTemplate", name="web")[0] == "ConflictException"


def test_pages_of_a_list_hold_every_row_once_while_others_come(admin):
    for name in "abcdef":
        rows.template(name=name)
    first = run(admin, "ListEnvironmentTemplates", maxResults=4)
    rows.template(name="aa")
    second = run(admin, "ListEnvironmentTemplates", maxResults=4, nextToken=first["nextToken"])
    assert [row["name"] for row in first["templates"] + second["templates"]] == list("abcdef")
    assert "nextToken" not in second


@pytest.mark.parametrize("token", ["!", "abcd", "W10=", "WyJ4IiwgMV0=", "A" * 3000])
def test_a_token_of_our_own_making_is_refused(admin, token):
    assert refused(admin, "ListEnvironmentTemplates", nextToken=token)[0] == "ValidationException"


def test_a_token_of_another_question_is_refused(admin):
    for name in "ab":
        rows.template(name=name)
    token = run(admin, "ListEnvironmentTemplates", maxResults=1)["nextToken"]
    assert refused(admin, "ListServiceTemplates", nextToken=token)[0] == "ValidationException"


def test_a_version_is_registered_from_a_bucket_once_for_each_token(admin):
    rows.template(name="vpc")
    asked = {"templateName": "vpc", "source": SOURCE, "clientToken": "one"}
    first = run(admin, "CreateEnvironmentTemplateVersion", **asked)["environmentTemplateVersion"]
    assert (first["majorVersion"], first["minorVersion"], first["status"]) == ("1", "0", "REGISTRATION_IN_PROGRESS")
    assert run(admin, "CreateEnvironmentTemplateVersion", **asked)["environmentTemplateVersion"] == first
    assert refused(admin, "CreateEnvironmentTemplateVersion", **asked, majorVersion="1")[1].startswith(
        "IdempotentParameterMismatch"
    )
    second = run(admin, "CreateEnvironmentTemplateVersion", **{**asked, "clientToken": "two"})
    assert second["environmentTemplateVersion"]["majorVersion"] == "2"
    assert TemplateVersion.objects.count() == 2


def test_a_token_is_free_again_when_the_original_was_deleted(admin):
    rows.template(name="vpc")
    asked = {"templateName": "vpc", "source": SOURCE, "clientToken": "one"}
    run(admin, "CreateEnvironmentTemplateVersion", **asked)
    registrations._fail(TemplateVersion.objects.get(), [])
    run(admin, "DeleteEnvironmentTemplateVersion", templateName="vpc", majorVersion="1", minorVersion="0")
    again = run(admin, "CreateEnvironmentTemplateVersion", **asked)["environmentTemplateVersion"]
    assert again["majorVersion"] == "2"  # a number is never given out again


def test_a_token_makes_something_new_after_eight_hours(admin):
    rows.template(name="vpc")
    asked = {"templateName": "vpc", "source": SOURCE, "clientToken": "one"}

    def major_after(hours):
        Creation.objects.filter(client_token="one").update(created_at=timezone.now() - timedelta(hours=hours))
        return run(admin, "CreateEnvironmentTemplateVersion", **asked)["environmentTemplateVersion"]["majorVersion"]

    assert [major_after(hours) for hours in (0, 7.9, 8.1, 0)] == ["1", "1", "2", "2"]


def test_only_a_draft_is_published_and_publishing_again_changes_nothing(admin):
    template = rows.template(name="vpc")
    rows.version(template, "1.0", status="DRAFT")
    which = {"templateName": "vpc", "majorVersion": "1", "minorVersion": "0"}
    assert "recommendedVersion" not in run(admin, "GetEnvironmentTemplate", name="vpc")["environmentTemplate"]
    published = run(admin, "UpdateEnvironmentTemplateVersion", **which, status="PUBLISHED")
    assert published["environmentTemplateVersion"]["status"] == "PUBLISHED"
    assert published["environmentTemplateVersion"]["recommendedMinorVersion"] == "0"
    assert run(admin, "UpdateEnvironmentTemplateVersion", **which, status="PUBLISHED") == published
    assert refused(admin, "UpdateEnvironmentTemplateVersion", **which, status="DRAFT")[0] == "ValidationException"
    assert run(admin, "GetEnvironmentTemplate", name="vpc")["environmentTemplate"]["recommendedVersion"] == "1.0"


def test_versions_are_listed_by_major_or_the_minors_of_one(admin):
    template = rows.template(name="vpc")
    for number, status in (("1.0", "PUBLISHED"), ("1.1", "PUBLISHED"), ("1.2", "DRAFT"), ("2.0", "DRAFT")):
        rows.version(template, number, status=status)
    developer = rows.person("dev", Role.DEVELOPER)

    def numbers(who, **more):
        found = run(who, "ListEnvironmentTemplateVersions", templateName="vpc", **more)["templateVersions"]
        return [f"{row['majorVersion']}.{row['minorVersion']}" for row in found]

    assert numbers(admin) == ["2.0", "1.1"]
    assert numbers(admin, majorVersion="1") == ["1.2", "1.1", "1.0"]
    assert numbers(developer) == ["1.1"]
    assert numbers(developer, majorVersion="1") == ["1.1", "1.0"]


@pytest.mark.parametrize("key", [["x", "y"], [-1, 0], [2**63, 0], ["\0", "\ud800"]])
def test_a_forged_token_of_versions_is_refused(admin, key):
    rows.version(rows.template(name="vpc"))
    token = paging._write(["versions", TemplateKind.ENVIRONMENT, "vpc", None], key)
    asked = {"templateName": "vpc", "nextToken": token}
    assert refused(admin, "ListEnvironmentTemplateVersions", **asked)[0] == "ValidationException"


@pytest.mark.parametrize("name", ["\0", "\ud800"])
def test_a_forged_token_with_what_no_database_keeps_is_refused(admin, name):
    token = paging._write(["templates", TemplateKind.ENVIRONMENT], [name])
    assert refused(admin, "ListEnvironmentTemplates", nextToken=token)[0] == "ValidationException"


def test_a_schema_is_returned_as_it_was_written(admin):
    version = rows.version(rows.template(name="vpc"))
    found = run(admin, "GetEnvironmentTemplateVersion", templateName="vpc", majorVersion="1", minorVersion="0")[
        "environmentTemplateVersion"
    ]
    assert found["schema"] == version.schema == rows.ENVIRONMENT_SCHEMA


def test_numbers_that_no_version_can_have_are_not_found(admin):
    rows.template(name="vpc")
    which = {"templateName": "vpc", "majorVersion": "9" * 20, "minorVersion": "0"}
    assert refused(admin, "GetEnvironmentTemplateVersion", **which)[0] == "ResourceNotFoundException"


def test_a_service_template_version_names_environment_templates_that_exist(admin):
    home = rows.version(rows.template(name="vpc")).template
    rows.template(TemplateKind.SERVICE, "web")
    asked = {"templateName": "web", "source": SOURCE}
    wrong = [{"templateName": "unknown", "majorVersion": "1"}]
    assert (
        refused(admin, "CreateServiceTemplateVersion", **asked, compatibleEnvironmentTemplates=wrong)[0]
        == "ValidationException"
    )
    right = [{"templateName": home.name, "majorVersion": "1"}]
    made = run(admin, "CreateServiceTemplateVersion", **asked, compatibleEnvironmentTemplates=right)
    assert made["serviceTemplateVersion"]["compatibleEnvironmentTemplates"] == right


@pytest.mark.parametrize("operation", ["CreateEnvironmentTemplate", "CreateServiceTemplate"])
def test_templates_are_for_admins(operation):
    for role in (Role.VIEWER, Role.DEVELOPER, Role.PLATFORM):
        name, message = refused(rows.person(role=role), operation, name="x")
        assert (name, f"proton:{operation}" in message) == ("AccessDeniedException", True)


def test_tags_have_keys_of_their_own(admin):
    twice = [{"key": "a", "value": "1"}, {"key": "a", "value": "2"}]
    assert refused(admin, "CreateEnvironmentTemplate", name="x", tags=twice)[0] == "ValidationException"
    reserved = [{"key": "aws:proton:x", "value": "1"}]
    assert refused(admin, "CreateEnvironmentTemplate", name="x", tags=reserved)[0] == "ValidationException"
