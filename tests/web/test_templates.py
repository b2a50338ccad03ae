"""The catalogue, a template's page, and everything that is done to versions."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from portal.actions import registrations
from portal.enums import Role, TemplateVersionStatus
from portal.models import AuditEvent, Template, TemplateVersion
from tests.factories import bundles, rows

pytestmark = pytest.mark.django_db
BROKEN = rows.ENVIRONMENT_TEMPLATE.replace("environment.inputs.cluster_name", "environment.inputs.nope")


@pytest.fixture
def admin(client):
    person = rows.person("admin")
    client.force_login(person)
    return person


@pytest.fixture
def vpc(admin) -> Template:
    return rows.template(name="vpc", display_name="Network", description="Subnets and a cluster")


def sign_in_as(client, role):
    client.force_login(rows.person(role=role))


def archive(files=None, name="bundle.tar.gz") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, bundles.tar_gz(files or rows.environment_files()))


def upload(client, template, files=None, **fields):
    data = {"source": "upload", "file": archive(files), "major": "new", "description": "First", **fields}
    return client.post(f"/templates/{template.kind.lower()}/{template.name}/versions/new/", data)


@pytest.mark.parametrize("count", [1, 3])
def test_the_catalogue_costs_the_same_for_any_length(client, admin, count, django_assert_num_queries):
    for _ in range(count):
        rows.version(rows.template())
    with django_assert_num_queries(4):
        assert len(client.get("/templates/").context["page_obj"]) == count


def test_the_catalogue_is_searched_and_narrowed_to_a_kind(client, vpc):
    rows.template("SERVICE", "web")
    found = {
        query: names(client.get(f"/templates/?{query}"))
        for query in ("", "q=subnets", "kind=service", "q=web&kind=environment")
    }
    assert found == {"": ["vpc", "web"], "q=subnets": ["vpc"], "kind=service": ["web"], "q=web&kind=environment": []}


def names(response) -> list[str]:
    return [template.name for template in response.context["page_obj"]]


def test_cards_show_recommended_version_uses_and_drafts(client, vpc, simulated, admin):
    rows.environment("prod", by=admin, of=rows.version(vpc, "1.3"))
    rows.version(vpc, "2.0", status=TemplateVersionStatus.DRAFT)
    text = client.get("/templates/").content.decode()
    assert "1.3" in text
    assert "used by 1" in text
    assert "1 draft" in text


@pytest.mark.parametrize("count", [1, 3])
def test_a_template_page_costs_the_same_for_any_number_of_versions(
    client, vpc, simulated, admin, count, django_assert_num_queries
):
    for number in range(count):
        rows.environment(f"e{number}", by=admin, of=rows.version(vpc, f"1.{number}"))
    client.get("/templates/environment/vpc/")
    with django_assert_num_queries(8):
        response = client.get("/templates/environment/vpc/")
    assert len(response.context["users"]) == count


def test_a_template_page_marks_the_recommended_version_and_says_who_runs_what(client, vpc, simulated, admin):
    rows.environment("prod", by=admin, of=rows.version(vpc, "1.0"))
    rows.version(vpc, "1.1")
    response = client.get("/templates/environment/vpc/")
    assert response.context["recommended"].number == "1.1"
    assert [(row.number, [str(user) for user, _ in users]) for row, users in response.context["users"]] == [
        ("1.0", ["prod"])
    ]


def test_drafts_are_not_shown_to_developers(client, vpc):
    rows.version(vpc, "1.0")
    rows.version(vpc, "1.1", status=TemplateVersionStatus.DRAFT)
    sign_in_as(client, Role.DEVELOPER)
    assert [row.number for row in client.get("/templates/environment/vpc/").context["versions"]] == ["1.0"]
    assert client.get("/templates/environment/vpc/1.1/").status_code == 404


def test_buttons_of_admins_are_disabled_for_others_with_whom_to_ask(client, vpc):
    sign_in_as(client, Role.PLATFORM)
    text = client.get("/templates/environment/vpc/").content.decode()
    assert "Ask an admin" in text
    assert '/templates/environment/vpc/versions/new/"' not in text


@pytest.mark.parametrize(
    "path", ["new/", "environment/vpc/edit/", "environment/vpc/delete/", "environment/vpc/versions/new/"]
)
def test_only_admins_change_templates(client, vpc, path):
    sign_in_as(client, Role.PLATFORM)
    assert client.get(f"/templates/{path}").status_code == 403
    assert client.post(f"/templates/{path}").status_code == 403
    assert Template.objects.filter(name="vpc").exists()


def test_a_new_template_leads_to_its_first_version(client, admin):
    response = client.post("/templates/new/", {"kind": "SERVICE", "name": "web", "display_name": "Web"})
    assert response["Location"] == "/templates/service/web/versions/new/"
    assert Template.objects.get().display_name == "Web"


def test_a_taken_name_is_said_and_nothing_typed_is_lost(client, vpc):
    response = client.post("/templates/new/", {"kind": "ENVIRONMENT", "name": "vpc", "description": "Mine"})
    assert response.status_code == 422
    assert "exists already" in response.content.decode()
    assert ">\nMine</textarea>" in response.content.decode()


def test_a_bad_name_is_said_beside_the_field(client, admin):
    response = client.post("/templates/new/", {"kind": "ENVIRONMENT", "name": "my vpc"})
    assert response.status_code == 422
    assert list(response.context["form"].errors) == ["name"]


def test_edit_and_delete(client, vpc):
    client.post("/templates/environment/vpc/edit/", {"display_name": "Other", "description": ""})
    assert Template.objects.get().title == "Other"
    version = rows.version(vpc)
    text = client.get("/templates/environment/vpc/delete/").content.decode()
    assert "It has 1 version" in text
    assert client.post("/templates/environment/vpc/delete/").status_code == 409
    version.delete()
    assert client.post("/templates/environment/vpc/delete/")["Location"] == "/templates/"
    assert Template.objects.count() == 0


def test_an_upload_becomes_a_version_that_registers_and_its_page_waits_for_it(client, vpc):
    response = upload(client, vpc)
    assert response["Location"] == "/templates/environment/vpc/1.0/"
    waiting = client.get("/templates/environment/vpc/1.0/").content.decode()
    assert 'hx-trigger="every 1500ms"' in waiting
    part = client.get("/templates/environment/vpc/1.0/", headers={"HX-Request": "true"})
    assert part.content.decode().strip().startswith('<div id="registration"')
    registrations.drive(TemplateVersion.objects.get().pk)
    part = client.get("/templates/environment/vpc/1.0/", headers={"HX-Request": "true"})
    assert part["HX-Refresh"] == "true"
    assert "cluster_name" in client.get("/templates/environment/vpc/1.0/").content.decode()


def test_a_bad_upload_makes_no_row_lists_every_problem_and_keeps_what_was_typed(client, vpc):
    files = rows.environment_files()
    files["schema/schema.yaml"] = b"schema:\n  format: {openapi: '3.0.0'}\n"
    del files["infrastructure/cloudformation.yaml"]
    response = upload(client, vpc, files, description="Kept text")
    text = response.content.decode()
    assert response.status_code == 422
    assert TemplateVersion.objects.count() == 0
    assert len(response.context["problems"]) >= 2
    assert {problem.file for problem in response.context["problems"]} == {
        "schema/schema.yaml",
        "infrastructure/manifest.yaml",
    }
    assert "schema/schema.yaml" in text
    assert "Kept text" in text


def test_what_is_no_archive_is_said_and_makes_no_row(client, vpc):
    response = upload(client, vpc, file=SimpleUploadedFile("bundle.tar.gz", b"not an archive"))
    assert (response.status_code, TemplateVersion.objects.count()) == (422, 0)


def test_htmx_swaps_only_the_outcome_so_that_the_chosen_file_stays(client, vpc):
    response = client.post(
        "/templates/environment/vpc/versions/new/",
        {"source": "upload", "major": "new"},
        headers={"HX-Request": "true"},
    )
    assert response.status_code == 422
    assert "<form" not in response.content.decode()
    assert "Choose the archive to upload" in response.content.decode()


def test_a_version_from_s3(client, vpc):
    path = "/templates/environment/vpc/versions/new/"
    wrong = client.post(path, {"source": "s3", "address": "https://bucket/key", "major": "new"})
    assert (wrong.status_code, list(wrong.context["form"].errors)) == (422, ["address"])
    right = client.post(path, {"source": "s3", "address": "s3://templates/vpc/1.tar.gz", "major": "new"})
    assert right["Location"] == "/templates/environment/vpc/1.0/"
    assert TemplateVersion.objects.get().source == {"s3": {"bucket": "templates", "key": "vpc/1.tar.gz"}}


def test_the_next_minor_is_offered_and_given(client, vpc):
    rows.version(vpc, "1.0")
    offered = client.get("/templates/environment/vpc/versions/new/").context["form"].fields["major"].choices
    assert [value for value, _ in offered] == ["1", "new"]
    assert upload(client, vpc, major="1")["Location"] == "/templates/environment/vpc/1.1/"


def test_a_service_version_names_its_environment_templates(client, vpc):
    rows.version(vpc, "1.0")
    web = rows.template("SERVICE", "web")
    missing = upload(client, web, rows.service_files())
    assert (missing.status_code, list(missing.context["form"].errors)) == (422, ["compatible"])
    made = upload(client, web, rows.service_files(), compatible=["vpc:1"])
    assert made["Location"] == "/templates/service/web/1.0/"
    client.post("/templates/service/web/1.0/edit/", {"description": "New text", "compatible": ["vpc:1"]})
    version = TemplateVersion.objects.get(template=web)
    assert (version.description, [str(row) for row in version.compatible_environments.all()]) == ("New text", ["vpc:1"])


def lint_error(version) -> None:
    version.problems = [
        {"path": "", "message": "EnableDnsHosting", "line": 6, "severity": "error", "file": "a.yaml", "code": "E3002"}
    ]
    version.save()


def test_publishing_over_lint_errors_asks_for_a_reason(client, vpc):
    version = rows.version(vpc, status=TemplateVersionStatus.DRAFT)
    lint_error(version)
    path = "/templates/environment/vpc/1.0/publish/"
    assert "EnableDnsHosting" in client.get(path).content.decode()
    assert client.post(path, {"reason": " "}).status_code == 422
    assert client.post(path, {"reason": "A known false alarm"})["Location"] == "/templates/environment/vpc/1.0/"
    version.refresh_from_db()
    assert (version.status, version.publish_reason) == ("PUBLISHED", "A known false alarm")


def test_a_clean_version_is_published_without_a_reason(client, vpc):
    version = rows.version(vpc, status=TemplateVersionStatus.DRAFT)
    client.post("/templates/environment/vpc/1.0/publish/")
    version.refresh_from_db()
    assert version.status == "PUBLISHED"


def test_a_version_in_use_is_not_deleted_and_the_reasons_are_said(client, vpc, simulated, admin):
    rows.environment("prod", by=admin, of=rows.version(vpc, "1.0"))
    rows.version(vpc, "1.1")
    path = "/templates/environment/vpc/1.0/delete/"
    assert "It runs in prod" in client.get(path).content.decode()
    assert client.post(path).status_code == 409


def test_an_unused_version_is_deleted(client, vpc):
    rows.version(vpc, "1.0", status=TemplateVersionStatus.DRAFT)
    assert client.post("/templates/environment/vpc/1.0/delete/")["Location"] == "/templates/environment/vpc/"
    assert TemplateVersion.objects.count() == 0


def test_trusting_inputs_is_shown_and_recorded(client, vpc):
    version = rows.version(vpc)
    client.post("/templates/environment/vpc/1.0/trust/", {"trusts": "yes"})
    version.refresh_from_db()
    assert version.trusts_inputs
    assert "Trusts inputs" in client.get("/templates/environment/vpc/1.0/").content.decode()
    assert AuditEvent.objects.filter(action="template_version.update", detail__trusts_inputs=True).count() == 1
    client.post("/templates/environment/vpc/1.0/trust/", {"trusts": "no"})
    version.refresh_from_db()
    assert not version.trusts_inputs


def test_the_schema_is_a_table_with_types_defaults_and_limits(client, vpc):
    schema = bundles.schema_text(
        """
        size: {type: string, enum: [s, m], default: s, title: Size}
        ports: {type: array, minItems: 1, items: {type: integer, maximum: 99}}
        owner: {type: object, properties: {mail: {type: string, format: email, minLength: 1}}}
        """,
        required=["ports"],
    )
    rows.version(vpc, files=rows.environment_files(schema, "Resources: {}\n"))
    (part,) = client.get("/templates/environment/vpc/1.0/").context["schema"]
    assert [(line.name, line.type, line.default, line.required, line.limits, line.depth) for line in part.lines] == [
        ("size", "string", '"s"', False, ('one of "s", "m"',), 0),
        ("ports", "array of integer", "", True, ("at least 1 entry", "each entry: at most 99"), 0),
        ("owner", "object", "", False, (), 0),
        ("mail", "string (email)", "", False, ("at least 1 character",), 1),
    ]


def test_files_of_a_version_are_read_line_by_line(client, vpc):
    rows.version(vpc)
    response = client.get("/templates/environment/vpc/1.0/?show=files&file=infrastructure/manifest.yaml")
    assert response.context["chosen"] == "infrastructure/manifest.yaml"
    assert 'data-line="2"' in response.content.decode()
    assert client.get("/templates/environment/vpc/1.0/?show=files&file=../../etc/passwd").context["chosen"] == (
        "schema/schema.yaml"
    )


def test_changes_are_shown_against_the_version_before_or_a_chosen_one(client, vpc):
    rows.version(vpc, "1.0")
    rows.version(vpc, "1.1", files=rows.environment_files(code=rows.ENVIRONMENT_TEMPLATE + "# more\n"))
    rows.version(vpc, "2.0", files=rows.environment_files(code=rows.ENVIRONMENT_TEMPLATE + "# most\n"))
    response = client.get("/templates/environment/vpc/2.0/?show=changes")
    assert response.context["other"].number == "1.1"
    (name, what, lines) = response.context["diffs"][0]
    assert (name, what) == ("infrastructure/cloudformation.yaml", "changed")
    assert [(line.kind, line.text) for line in lines if line.kind in {"added", "removed"}] == [
        ("removed", "# more"),
        ("added", "# most"),
    ]
    chosen = client.get("/templates/environment/vpc/2.0/?show=changes&against=1.0")
    assert chosen.context["other"].number == "1.0"
    assert client.get("/templates/environment/vpc/1.0/?show=changes").context["other"] is None


def test_a_failed_registration_says_why(client, vpc):
    version = rows.version(vpc, status=TemplateVersionStatus.REGISTRATION_FAILED)
    lint_error(version)
    text = client.get("/templates/environment/vpc/1.0/").content.decode()
    assert "Registration failed" in text
    assert "a.yaml:6" in text
