"""The pages of components."""

import html
import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from portal.actions import components as actions
from portal.enums import DeploymentStatus, Role
from portal.models import AccountSettings, AuditEvent, Component, Deployment, Service, ServiceInstance, User
from tests.factories import rows

pytestmark = pytest.mark.django_db

AT = {"service_name": "web", "instance_name": "dev"}
FILES = {"manifest": rows.MANIFEST, "template_file": rows.COMPONENT_TEMPLATE}
ATTACHED = {**FILES, "name": "bucket", "place": "instance", "instance_name": "web/dev"}
ALONE = {**FILES, "name": "bucket", "place": "environment", "environment_name": "home"}
SECRET_SCHEMA = rows.SERVICE_SCHEMA.replace("image: {type: string}", "image: {type: string, format: password}")


@pytest.fixture
def platform(client: Client) -> User:
    person = rows.person("pat", Role.PLATFORM)
    client.force_login(person)
    return person


@pytest.fixture
def web(simulated) -> Service:
    return rows.open_service()


def problems(page: str) -> list[str]:
    """The fields with a problem, by their names."""
    return re.findall(r'<div class="problem" id="id_(\w+)_error"', page)


def texts(page: str, name: str) -> str:
    """What stands in a text area, as a browser would send it."""
    return html.unescape(re.findall(rf'<textarea name="{name}"[^>]*>\n?(.*?)</textarea>', page, re.DOTALL)[0])


@pytest.mark.parametrize("count", [1, 3])
def test_the_list_costs_the_same_for_any_length(client, platform, simulated, count, django_assert_num_queries):
    for index in range(count):
        rows.open_service(f"web{index}", f"home{index}")
        rows.component(service_name=f"web{index}", instance_name="dev")
    client.get("/components/")
    with django_assert_num_queries(5):
        assert len(client.get("/components/").context["components"]) == count


def test_the_list_is_filtered_by_words_state_environment_service_and_instance(client, platform, web):
    rows.environment("elsewhere", component_role_arn=rows.COMPONENT_ROLE)
    rows.component("bucket", **AT)
    rows.component("table", environment_name="home")
    rows.component("bucket-2", environment_name="elsewhere")

    def names(query: str) -> list[str]:
        return [row.name for row in client.get(f"/components/{query}").context["components"]]

    assert names("?q=bucket") == ["bucket", "bucket-2"]
    assert names("?environment=home") == ["bucket", "table"]
    assert names("?service=web") == ["bucket"]
    assert (names("?service=web&instance=dev"), names("?service=web&instance=prod")) == (["bucket"], [])
    assert names("?state=FAILED") == []
    assert "No component matches" in client.get("/components/?state=FAILED").content.decode()


def test_the_empty_list_says_what_components_are_for(client, platform):
    assert "There are no components yet" in client.get("/components/").content.decode()


def test_a_component_is_made_attached_and_its_deployment_is_followed(client, platform, web):
    page = client.get("/components/new/?instance_name=web/dev").content.decode()
    assert '<option value="web/dev" selected>web/dev in home</option>' in page
    assert texts(page, "manifest") == rows.MANIFEST
    spec = rows.service_spec("home", image="b:2").replace("\n", "\r\n")
    answer = client.post("/components/new/", {**ATTACHED, "service_spec": spec})
    made = Component.objects.get()
    assert answer.headers["Location"] == f"/deployments/{made.latest_id}/"
    assert (str(made.instance), made.latest.inputs["image"], made.latest.spec) == (
        "web/dev",
        "b:2",
        rows.service_spec("home", image="b:2"),
    )


def test_a_component_is_made_on_its_own_from_uploaded_files(client, platform, web):
    uploads = {
        "manifest_upload": SimpleUploadedFile("manifest.yaml", rows.MANIFEST.encode()),
        "template_upload": SimpleUploadedFile("bucket.yaml", rows.COMPONENT_TEMPLATE.encode()),
    }
    answer = client.post("/components/new/", {**ALONE, "manifest": "", "template_file": "", **uploads})
    made = Component.objects.get()
    assert (answer.status_code, made.instance, made.latest.template_file) == (302, None, rows.COMPONENT_TEMPLATE)


def test_what_was_uploaded_is_there_again_when_something_else_is_wrong(client, platform, web):
    upload = {"template_upload": SimpleUploadedFile("bucket.yaml", rows.COMPONENT_TEMPLATE.encode())}
    answer = client.post("/components/new/", {**ALONE, "name": "-", "template_file": "", **upload})
    page = answer.content.decode()
    assert (answer.status_code, problems(page)) == (422, ["name"])
    assert texts(page, "template_file") == rows.COMPONENT_TEMPLATE


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"name": ""}, ["name"]),
        ({"instance_name": ""}, ["instance_name"]),
        ({"place": "environment"}, ["environment_name"]),
        ({"manifest": "x", "template_file": ""}, ["manifest", "template_file"]),
        ({"manifest": rows.MANIFEST.replace("jinja", "hcl").replace(": cloudformation", ": terraform")}, ["manifest"]),
        ({"service_spec": "proton: ServiceSpec\ninstances: []\n"}, ["service_spec"]),
        ({"template_upload": SimpleUploadedFile("x", b"\xff\xfe")}, ["template_upload"]),
        ({"description": "x" * 501}, ["description"]),
    ],
)
def test_what_is_wrong_is_said_at_its_field(client, platform, web, changes, fields):
    answer = client.post("/components/new/", {**ATTACHED, **changes})
    page = answer.content.decode()
    assert (answer.status_code, sorted(problems(page))) == (422, sorted(fields))
    assert "data-error-summary" in page
    assert not Component.objects.exists()


def test_a_name_that_is_taken_is_said_above_the_form(client, platform, web):
    rows.component("bucket", environment_name="home")
    answer = client.post("/components/new/", ATTACHED)
    assert answer.status_code == 409
    assert "A component named bucket exists already" in answer.content.decode()


def test_where_nothing_takes_components_the_form_says_what_is_missing(client, platform, simulated):
    rows.service()
    assert "There is nowhere for a component to go yet" in client.get("/components/new/").content.decode()


def test_the_page_shows_status_outputs_files_history_and_attachment(client, platform, web):
    made = rows.component("bucket", **AT)
    page = client.get("/components/bucket/").content.decode()
    assert 'data-copy="https://queue"' in page
    assert f'href="/deployments/{made.latest_id}/"' in page
    assert 'href="/services/web/instances/dev/"' in page
    assert "AWS::S3::Bucket" in page
    assert 'action="/components/bucket/detach/"' in page
    assert "web/dev does not use its outputs yet" in page
    assert "hx-trigger" not in re.search(r'<div id="now"[^>]*>', page)[0]


def test_a_running_deployment_is_followed_and_cancelled_from_the_page(client, platform, web, settings):
    rows.component("bucket", **AT)
    settings.SIMULATION = {"seconds": 3600}
    answer = client.post("/components/bucket/update/", {"template_file": "Resources: {}", "instance_name": ""})
    assert answer.status_code == 302
    part = client.get("/components/bucket/", headers={"HX-Request": "true"}).content.decode()
    assert 'hx-trigger="every 2s"' in part
    assert "Cancel the update" in part
    client.post("/components/bucket/cancel/")
    assert Deployment.objects.first().status == DeploymentStatus.CANCELLING


def test_the_update_page_deploys_another_file_and_attaches(client, platform, web):
    rows.component("bucket", environment_name="home")
    page = client.get("/components/bucket/update/").content.decode()
    assert texts(page, "template_file") == rows.COMPONENT_TEMPLATE
    assert '<option value="web/dev">Attach to web/dev</option>' in page
    typed = {"template_file": rows.COMPONENT_TEMPLATE + "# new\n", "instance_name": "web/dev"}
    client.post("/components/bucket/update/", typed)
    rows.run_everything()
    made = Component.objects.get()
    assert (str(made.instance), made.template_file) == ("web/dev", rows.COMPONENT_TEMPLATE + "# new\n")
    refused = client.post("/components/bucket/update/", {"template_file": "", "instance_name": ""})
    assert (refused.status_code, problems(refused.content.decode())) == (422, ["template_file"])


def test_it_is_detached_on_the_update_page_and_by_a_button(client, platform, web):
    rows.component("bucket", **AT)
    page = client.get("/components/bucket/update/").content.decode()
    assert '<option value="detach">Detach</option>' in page
    client.post("/components/bucket/update/", {"template_file": rows.COMPONENT_TEMPLATE, "instance_name": "detach"})
    rows.run_everything()
    assert Component.objects.get().instance is None
    actions.update(by=platform, component=Component.objects.get(), deployment_type="CURRENT_VERSION", **AT)
    rows.run_everything()
    answer = client.post("/components/bucket/detach/")
    assert answer.headers["Location"] == f"/deployments/{Deployment.objects.first().pk}/"
    assert Component.objects.get().instance is None


def test_the_description_is_edited_without_a_deployment(client, platform, web):
    rows.component("bucket", **AT)
    answer = client.post("/components/bucket/edit/", {"description": "Pictures"})
    assert (answer.status_code, Component.objects.get().description) == (302, "Pictures")
    assert client.post("/components/bucket/edit/", {"description": "x" * 501}).status_code == 422
    assert Deployment.objects.filter(component_name="bucket").count() == 1


def test_deleting_says_what_blocks_it_and_needs_the_name_typed(client, platform, web):
    made = rows.component("bucket", **AT)
    assert "It is attached to web/dev. Detach it first." in client.get("/components/bucket/delete/").content.decode()
    actions.update(by=platform, component=made, deployment_type="CURRENT_VERSION", service_name="", instance_name="")
    rows.run_everything()
    assert client.post("/components/bucket/delete/", {"confirm": "other"}).status_code == 422
    assert client.post("/components/bucket/delete/", {"confirm": "bucket"}).status_code == 302
    rows.run_everything()
    assert client.get("/components/bucket/").status_code == 404


def test_a_deployment_shows_the_template_file_and_leads_back_to_it(client, platform, web, simulated):
    simulated["fail"] = "no capacity"
    made = rows.component("bucket", **AT)
    page = client.get(f"/deployments/{made.latest_id}/").content.decode()
    assert "The template file" in page
    assert 'href="/components/bucket/"' in page
    edit = re.search(r'href="(/components/bucket/update/[^"]*)"', page)[1].replace("&amp;", "&")
    assert texts(client.get(edit).content.decode(), "template_file") == rows.COMPONENT_TEMPLATE
    del simulated["fail"]
    client.post(f"/deployments/{made.latest_id}/retry/")
    rows.run_everything()
    assert Component.objects.get().deployment_status == "SUCCEEDED"
    assert "component bucket" in client.get("/deployments/?q=bucket").content.decode()


def test_secret_inputs_are_masked_and_kept_by_the_update_form(client, platform, simulated):
    rows.open_service(files=rows.service_files(schema=SECRET_SCHEMA), spec=rows.service_spec("home", image="hunter22"))
    code = rows.COMPONENT_TEMPLATE.replace("{{ component.name }}", "{{ service_instance.inputs.image }}")
    spec = rows.service_spec("home", image="hunter33")
    made = rows.component("bucket", template_file=code, service_spec=spec, **AT)
    for address in ("/components/bucket/", f"/deployments/{made.latest_id}/", "/components/bucket/update/"):
        assert "hunter" not in client.get(address).content.decode()
    page = client.get("/components/bucket/update/").content.decode()
    typed = {"template_file": code, "instance_name": "", "service_spec": texts(page, "service_spec")}
    client.post("/components/bucket/update/", typed)
    assert Component.objects.get().latest.inputs["image"] == "hunter33"
    ServiceInstance.objects.update(version=None)
    assert "hunter" not in client.get(f"/deployments/{made.latest_id}/").content.decode()


def test_the_secrets_of_what_runs_stay_hidden_after_an_update_with_others_failed(client, platform, simulated):
    rows.open_service(files=rows.service_files(schema=SECRET_SCHEMA), spec=rows.service_spec("home", image="hunter22"))
    code = rows.COMPONENT_TEMPLATE.replace("{{ component.name }}", "{{ service_instance.inputs.image }}")
    spec = rows.service_spec("home", image="hunter33")
    made = rows.component("bucket", template_file=code, service_spec=spec, **AT)
    simulated["fail"] = "no"
    other = rows.service_spec("home", image="hunter44")
    actions.update(by=platform, component=made, deployment_type="CURRENT_VERSION", service_spec=other)
    rows.run_everything()
    assert Component.objects.get().latest.status == DeploymentStatus.FAILED
    for address in (
        "/components/bucket/",
        "/components/bucket/update/",
        f"/components/bucket/update/?from={made.latest_id}",
    ):
        assert "hunter" not in client.get(address).content.decode()


def test_the_pages_of_instance_service_and_environment_lead_to_it(client, platform, web):
    instance = "/services/web/instances/dev/"
    before = client.get(instance).content.decode()
    assert 'href="/components/new/?instance_name=web/dev"' in before
    rows.component("bucket", **AT)
    page = client.get(instance).content.decode()
    assert "New outputs wait for this instance" in page
    for address in (instance, "/services/web/", "/environments/home/"):
        assert 'href="/components/bucket/"' in client.get(address).content.decode()
    client.post(f"{instance}update/?version=current", {"/instances/0/spec/image": "app:2"})
    rows.run_everything()
    assert "New outputs wait" not in client.get(instance).content.decode()
    client.post("/components/bucket/detach/")
    rows.run_everything()
    assert "This instance still has outputs of a component" in client.get(instance).content.decode()


def test_the_start_page_counts_components(client, platform, web):
    rows.component("bucket", **AT)
    assert re.search(r'<a href="/components/">1 component</a>', client.get("/").content.decode())


def test_an_instance_of_a_version_without_components_says_so(client, platform, simulated):
    rows.service("shop")
    page = client.get("/services/shop/instances/dev/").content.decode()
    assert "takes no components" in page


def test_an_environment_is_given_its_component_role_in_its_details(client, platform, simulated):
    rows.environment("home")
    wrong = client.post("/environments/home/edit/", {"/component_role_arn": "components"})
    assert wrong.status_code == 422
    client.post("/environments/home/edit/", {"/component_role_arn": rows.COMPONENT_ROLE})
    assert rows.COMPONENT_ROLE in client.get("/environments/home/").content.decode()


def test_an_admin_lets_developers_use_components(client, web):
    team = rows.team("payments")
    Service.objects.update(team=team)
    dev, admin = rows.person("dev", Role.DEVELOPER, [team]), rows.person("root")
    client.force_login(dev)
    assert client.get("/components/new/").status_code == 403
    assert "Developers may not use components" in client.get("/settings/components/").content.decode()
    assert client.post("/settings/components/", {"developers_use_components": "on"}).status_code == 403
    client.force_login(admin)
    assert client.post("/settings/components/", {"developers_use_components": "on"}).status_code == 302
    assert AccountSettings.get().developers_use_components
    assert AuditEvent.objects.filter(action="settings.update").first().detail == {"developers_use_components": True}
    client.force_login(dev)
    page = client.get("/components/new/").content.decode()
    assert ("web/dev in home" in page, 'name="environment_name"' in page) == (True, False)
    assert client.post("/components/new/", ATTACHED).status_code == 302


def test_a_developer_is_offered_the_instances_of_their_teams_only(client, web):
    AccountSettings.objects.create(pk=1, developers_use_components=True)
    client.force_login(rows.person("dev", Role.DEVELOPER, [rows.team("search")]))
    assert "web/dev" not in client.get("/components/new/").content.decode()
    assert client.post("/components/new/", ATTACHED).status_code == 422


def test_a_version_is_registered_and_edited_to_take_components(client, platform, simulated):
    home = rows.environment("home")
    of = rows.version(rows.template("SERVICE", "app"), compatible=[home.template])
    client.force_login(rows.person())
    edit = f"/templates/service/app/{of.number}/edit/"
    kept = {"description": "", "compatible": f"{home.template.name}:1"}
    client.post(edit, {**kept, "takes_components": "on"})
    of.refresh_from_db()
    assert of.supported_component_sources == ["DIRECTLY_DEFINED"]
    assert "may attach to its instances" in client.get(f"/templates/service/app/{of.number}/").content.decode()
    client.post(edit, kept)
    of.refresh_from_db()
    assert of.supported_component_sources == []
