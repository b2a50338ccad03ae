"""Templates and versions: numbers, registration, publishing, deletion."""

import io
import tarfile

import pytest

from portal.actions import environments, registrations, templates
from portal.enums import Role, TemplateKind, TemplateVersionStatus
from portal.errors import Conflict, Forbidden, Invalid
from portal.models import Template, TemplateVersion
from portal.queries import templates as queries
from tests.factories import rows

pytestmark = pytest.mark.django_db


def archive(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


@pytest.fixture
def admin():
    return rows.person("ada")


@pytest.fixture
def vpc(admin) -> Template:
    return templates.create_template(by=admin, kind=TemplateKind.ENVIRONMENT, name="vpc")


def registered(admin, template, files=None, **fields) -> TemplateVersion:
    version = registrations.register_version(
        by=admin, template=template, data=archive(files or rows.environment_files()), **fields
    )
    registrations.drive(version.pk)
    return TemplateVersion.objects.get(pk=version.pk)


def test_registration_ends_in_a_draft_that_holds_the_schema_verbatim(admin, vpc):
    version = registered(admin, vpc)
    assert (version.number, version.status) == ("1.0", TemplateVersionStatus.DRAFT)
    assert version.schema == rows.ENVIRONMENT_SCHEMA
    assert version.status_message == ""


@pytest.mark.parametrize(("major", "number"), [(None, "2.0"), (1, "1.1"), (2, "2.0")])
def test_the_major_decides_the_next_number(admin, vpc, major, number):
    registered(admin, vpc)
    assert registered(admin, vpc, major=major).number == number


def test_a_major_beyond_the_next_free_one_is_refused(admin, vpc):
    registered(admin, vpc)
    with pytest.raises(Invalid, match="the next free one is 2"):
        registered(admin, vpc, major=7)


@pytest.mark.parametrize("major", [0, 7, 2**63 - 1])
def test_the_first_major_of_a_template_is_1(admin, vpc, major):
    with pytest.raises(Invalid, match="the next free one is 1"):
        registered(admin, vpc, major=major)
    assert registered(admin, vpc, major=1).number == "1.0"


def test_a_number_is_never_given_out_again(admin, vpc):
    version = registered(admin, vpc)
    templates.delete_version(by=admin, version=version)
    assert registered(admin, vpc, major=1).number == "1.1"


def test_a_minor_that_refuses_old_specs_fails_to_register(admin, vpc):
    registered(admin, vpc)
    stricter = rows.ENVIRONMENT_SCHEMA.replace("required: [cluster_name]", "required: [cluster_name, vpc_cidr]")
    stricter = stricter.replace(", default: 10.0.0.0/16", "")
    version = registered(admin, vpc, rows.environment_files(stricter), major=1)
    assert version.status == TemplateVersionStatus.REGISTRATION_FAILED
    assert "vpc_cidr" in version.status_message


def test_a_broken_archive_makes_no_row_and_says_why(admin, vpc):
    with pytest.raises(Invalid) as caught:
        registrations.register_version(by=admin, template=vpc, data=b"not an archive")
    assert len(caught.value.problems) == 1
    assert not TemplateVersion.objects.exists()


def test_the_upload_check_lists_lint_findings_by_file_and_line(admin, vpc):
    code = rows.ENVIRONMENT_TEMPLATE.replace("QueueName:", "QueuName:")
    found = registrations.check_upload(by=admin, template=vpc, data=archive(rows.environment_files(code=code)))
    assert found.ok
    places = [(p.file, p.line, p.code) for p in found.problems if p.severity == "error"]
    assert places == [("infrastructure/cloudformation.yaml", 5, "E3002")]


def test_publishing_over_lint_errors_asks_for_a_reason_in_the_browser(admin, vpc):
    code = rows.ENVIRONMENT_TEMPLATE.replace("QueueName:", "QueuName:")
    version = registered(admin, vpc, rows.environment_files(code=code))
    with pytest.raises(Invalid) as caught:
        templates.publish_version(by=admin, version=version, require_reason=True)
    assert [problem.path for problem in caught.value.problems] == ["/reason"]
    templates.publish_version(by=admin, version=version, reason="the emulator ignores it", require_reason=True)
    assert version.status == TemplateVersionStatus.PUBLISHED


def test_publishing_while_registration_runs_takes_effect_when_it_ends(admin, vpc):
    version = registrations.register_version(by=admin, template=vpc, data=archive(rows.environment_files()))
    templates.publish_version(by=admin, version=version)
    assert version.status == TemplateVersionStatus.REGISTRATION_IN_PROGRESS
    registrations.drive(version.pk)
    version.refresh_from_db()
    assert version.status == TemplateVersionStatus.PUBLISHED


def test_the_recommended_version_is_the_highest_published_one(admin, vpc):
    for number in ("1.0", "1.9", "1.10", "2.0"):
        rows.version(vpc, number)
    rows.version(vpc, "3.0", status=TemplateVersionStatus.DRAFT)
    found = queries.with_recommended(Template.objects.all()).get(pk=vpc.pk)
    assert (found.recommended_major, found.recommended_minor) == (2, 0)
    assert queries.recommended_minor(vpc, 1).number == "1.10"


def test_the_recommended_version_can_be_deleted_only_as_the_last_one(admin, vpc):
    old, new = rows.version(vpc, "1.0"), rows.version(vpc, "2.0")
    with pytest.raises(Conflict, match="It is the recommended version"):
        templates.delete_version(by=admin, version=new)
    templates.delete_version(by=admin, version=old)
    templates.delete_version(by=admin, version=new)
    assert not vpc.versions.exists()


def test_the_recommended_minor_of_a_major_is_kept_while_the_major_has_others(admin, vpc):
    for number in ("1.0", "1.1", "2.0"):
        rows.version(vpc, number)
    with pytest.raises(Conflict, match="recommended minor of major 1"):
        templates.delete_version(by=admin, version=vpc.versions.get(major=1, minor=1))


def test_a_version_that_runs_somewhere_cannot_be_deleted(admin, vpc, simulated):
    used = rows.version(vpc, "1.0")
    rows.version(vpc, "1.1")
    rows.environment("dev", of=used)
    with pytest.raises(Conflict, match=r"It runs in dev\. Move it to another version first\."):
        templates.delete_version(by=admin, version=used)


def test_a_bundle_is_kept_while_a_deployment_refers_to_it(admin, vpc, simulated):
    used = rows.version(vpc, "1.0")
    environment = rows.environment("dev", of=used)
    environments.delete(by=admin, environment=environment)
    rows.run_everything()
    bundle = used.bundle
    templates.delete_version(by=admin, version=used)
    bundle.refresh_from_db()
    assert bundle.deployments.count() == 2


def test_a_template_with_versions_cannot_be_deleted(admin, vpc):
    version = rows.version(vpc)
    with pytest.raises(Conflict, match="has 1 version: delete them first"):
        templates.delete_template(by=admin, template=vpc)
    templates.delete_version(by=admin, version=version)
    templates.delete_template(by=admin, template=vpc)
    assert not Template.objects.exists()


def test_a_service_version_names_the_environments_it_fits(admin, vpc):
    rows.version(vpc)
    web = templates.create_template(by=admin, kind=TemplateKind.SERVICE, name="web")
    data = archive(rows.service_files())
    with pytest.raises(Invalid, match="one to ten environment templates"):
        registrations.register_version(by=admin, template=web, data=data)
    with pytest.raises(Invalid, match="no environment template vpc with a major version 9"):
        registrations.register_version(by=admin, template=web, data=data, compatible=[("vpc", 9)])
    version = registrations.register_version(by=admin, template=web, data=data, compatible=[("vpc", 1)])
    assert [str(row) for row in version.compatible_environments.all()] == ["vpc:1"]


def test_only_admins_change_templates():
    platform = rows.person(role=Role.PLATFORM)
    with pytest.raises(Forbidden, match="Ask an admin"):
        templates.create_template(by=platform, kind=TemplateKind.ENVIRONMENT, name="vpc")
