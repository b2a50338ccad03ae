"""The wizards on the whole: from choosing a template to the one thing that is made."""

import re
from typing import Any

import pytest
from django.test import Client

from portal.enums import Role, TemplateKind, TemplateVersionStatus
from portal.models import AwsAccount, Draft, Environment, EnvironmentAccountConnection, Service, User
from tests.factories import rows
from tests.factories.pull_requests import TERRAFORM
from tests.web.reading import values

pytestmark = pytest.mark.django_db


@pytest.fixture
def platform(client: Client) -> User:
    person = rows.person("pat", Role.PLATFORM)
    client.force_login(person)
    return person


def start(client: Client, of: Any, kind: str = "environment") -> Draft:
    answer = client.post(f"/{kind}s/new/", {"template": of.template.name, "version": of.number})
    assert answer.status_code == 302
    return Draft.objects.get()


def details(client: Client, draft: Draft, **answers: str) -> Any:
    typed = {"/version": draft.version.number} | {f"/{name}": value for name, value in answers.items()}
    return client.post(f"/drafts/{draft.pk}/details/", typed)


def inputs(client: Client, draft: Draft, **fields: Any) -> Any:
    return client.post(f"/drafts/{draft.pk}/inputs/", fields["post"])


def schema_of(properties: str, required: str = "") -> str:
    head = rows.ENVIRONMENT_SCHEMA.split("      properties:")[0]
    return f"{head}      required: [{required}]\n      properties: {properties}\n"


def environment_version(properties: str = "", required: str = "", code: str = "Resources: {}\n") -> Any:
    files = rows.environment_files(schema_of(properties, required), code) if properties else None
    return rows.version(rows.template(), files=files)


def test_the_review_of_terraform_shows_the_files_that_its_pull_request_will_bring(client, platform):
    draft = start(client, rows.version(rows.template(), files=TERRAFORM))
    details(client, draft, name="prod")
    inputs(client, draft, post={"/spec/vpc_cidr": "10.1.0.0/16", "/spec/cluster_name": "main"})
    review = client.get(f"/drafts/{draft.pk}/review/?render=1").content.decode()
    shown = re.findall(r'<summary><span class="mono">(.*?)</span></summary>', review)
    assert shown == ["main.tf", "proton.auto.tfvars.json", "proton.environment.variables.tf"]
    assert [word for word in ("aws_sqs_queue", "10.1.0.0/16", "cluster_name") if word not in review] == []


def test_an_environment_is_made_from_the_first_page_to_the_last(client, platform, simulated):
    of = rows.version(rows.template())
    draft = start(client, of)
    assert details(client, draft, name="prod").headers["Location"] == f"/drafts/{draft.pk}/inputs/"
    answer = inputs(client, draft, post={"/spec/vpc_cidr": "10.1.0.0/16", "/spec/cluster_name": "main"})
    assert answer.headers["Location"] == f"/drafts/{draft.pk}/review/"
    review = client.get(f"/drafts/{draft.pk}/review/?render=1").content.decode()
    assert "aws proton create-environment" in review
    assert "AWS::SQS::Queue" in review
    assert client.post(f"/drafts/{draft.pk}/submit/").headers["Location"] == "/environments/prod/"
    assert Environment.objects.get().latest.inputs == {"vpc_cidr": "10.1.0.0/16", "cluster_name": "main"}


def offered(page: str) -> dict[str, list[tuple[str, str]]]:
    found = re.findall(r'<datalist id="f--(\w+)-list">(.*?)</datalist>', page, re.DOTALL)
    return {name: re.findall(r'<option value="([^"]+)">([^<]*)<', options) for name, options in found}


def test_roles_of_the_own_account_are_offered_and_no_account_is_asked_for(client, platform, simulated):
    role = "arn:aws:iam::123456789012:role/deuteron"
    home = rows.environment("home", proton_service_role_arn=role)
    page = client.get(f"/drafts/{start(client, home.version).pk}/details/").content.decode()
    assert offered(page) == {"proton_service_role_arn": [(role, "in 123456789012")]}
    assert 'name="/account_id"' not in page
    assert 'name="/environment_account_connection_id"' not in page


def test_the_embedded_aws_offers_known_accounts_and_others_may_be_typed(client, platform, simulated, settings):
    settings.EMBEDDED = True
    home = rows.environment("home", account_id="210987654321")
    AwsAccount.objects.create(account_id="123456789012", name="management")
    page = client.get(f"/drafts/{start(client, home.version).pk}/details/").content.decode()
    assert offered(page) == {"account_id": [("123456789012", "management"), ("210987654321", "")]}


def test_an_environment_is_made_through_a_connection_that_is_free(client, platform, simulated):
    used, free, pending = (rows.connection(name) for name in ("home", "prod", "later"))
    home = rows.environment("home", connection=used)
    EnvironmentAccountConnection.objects.filter(pk=pending.pk).update(status="PENDING")
    draft = start(client, home.version)
    page = client.get(f"/drafts/{draft.pk}/details/").content.decode()
    assert re.findall(r'<option value="([^"]+)"[^>]*>(prod|home|later) in', page) == [(str(free.pk), "prod")]
    details(client, draft, name="prod", environment_account_connection_id=str(free.pk))
    inputs(client, draft, post={"/spec/cluster_name": "main"})
    review = client.get(f"/drafts/{draft.pk}/review/?render=1").content.decode()
    assert f"--environment-account-connection-id {free.pk}" in review
    assert f"by the role <code>{rows.OTHER_ROLE}</code>" in review
    assert client.post(f"/drafts/{draft.pk}/submit/").headers["Location"] == "/environments/prod/"
    made = Environment.objects.get(name="prod")
    assert (made.connection, made.target_account_id) == (free, rows.OTHER_ACCOUNT)


def test_what_does_not_go_with_a_connection_is_said_at_its_field(client, platform, simulated):
    free = rows.connection("prod")
    draft = start(client, rows.version(rows.template()))
    typed = {
        "/name": "dev",
        "/version": "1.0",
        "/environment_account_connection_id": str(free.pk),
        "/proton_service_role_arn": "arn:aws:iam::123456789012:role/x",
        "/component_role_arn": rows.COMPONENT_ROLE,
    }
    answer = client.post(f"/drafts/{draft.pk}/details/", typed)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "This connection is for an environment named prod" in page
    assert page.count("The roles come from the account connection: leave this empty.</") >= 2
    assert values(page, "/proton_service_role_arn") == ["arn:aws:iam::123456789012:role/x"]
    assert values(page, "/component_role_arn") == [rows.COMPONENT_ROLE]


def test_a_role_of_another_account_is_refused_in_the_wizard(client, platform, simulated):
    draft = start(client, rows.version(rows.template()))
    details(client, draft, name="prod", proton_service_role_arn=rows.OTHER_ROLE)
    inputs(client, draft, post={"/spec/cluster_name": "main"})
    answer = client.post(f"/drafts/{draft.pk}/submit/")
    assert (answer.status_code, "needs an account connection" in answer.content.decode()) == (422, True)


def test_a_connection_that_went_away_meanwhile_is_said_at_the_review(client, platform, simulated):
    free = rows.connection("prod")
    draft = start(client, rows.version(rows.template()))
    details(client, draft, name="prod", environment_account_connection_id=str(free.pk))
    inputs(client, draft, post={"/spec/cluster_name": "main"})
    EnvironmentAccountConnection.objects.update(status="REJECTED")
    answer = client.post(f"/drafts/{draft.pk}/submit/")
    assert (answer.status_code, "This connection is rejected" in answer.content.decode()) == (422, True)
    assert client.get(f"/drafts/{draft.pk}/details/").status_code == 200


def test_submitting_twice_makes_one_thing_and_leads_to_it_twice(client, platform, simulated):
    draft = start(client, rows.version(rows.template()))
    details(client, draft, name="prod")
    inputs(client, draft, post={"/spec/cluster_name": "main"})
    answers = [client.post(f"/drafts/{draft.pk}/submit/").headers["Location"] for _ in range(2)]
    assert answers == ["/environments/prod/", "/environments/prod/"]
    assert Environment.objects.count() == 1


def test_an_error_loses_nothing_typed_and_links_to_its_field(client, platform):
    of = environment_version("{port: {type: integer}, name: {type: string}}", required="port, name")
    draft = start(client, of)
    details(client, draft, name="prod")
    answer = inputs(client, draft, post={"/spec/port": "eighty", "/spec/name": "kept as typed"})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert values(page, "/spec/port") == ["eighty"]
    assert values(page, "/spec/name") == ["kept as typed"]
    assert 'href="#f--spec--port"' in page
    assert 'id="f--spec--port"' in page
    assert "kept as typed" in Draft.objects.get().spec


def test_a_name_that_is_taken_is_said_when_the_field_is_left(client, platform, simulated):
    taken = rows.environment("prod")
    draft = start(client, taken.version)
    answer = client.post(f"/drafts/{draft.pk}/field/?check=/name", {"/name": "prod"}, headers={"HX-Request": "true"})
    assert "An environment named prod exists already" in answer.content.decode()


def test_leaving_a_field_checks_it_alone_and_saves_the_draft(client, platform):
    of = environment_version("{port: {type: integer, maximum: 10}, name: {type: string}}", required="port, name")
    draft = start(client, of)
    answer = client.post(
        f"/drafts/{draft.pk}/field/?check=/spec/port",
        {"/spec/port": "11", "/spec/name": ""},
        headers={"HX-Request": "true"},
    )
    page = answer.content.decode()
    assert "This must be at most 10; it is 11." in page
    assert "This is required." not in page
    assert 'hx-swap-oob="true"' in page
    assert "port: 11" in Draft.objects.get().spec


def test_a_corrected_field_comes_back_without_its_problem(client, platform):
    draft = start(client, environment_version("{port: {type: integer, maximum: 10}}"))
    answer = client.post(f"/drafts/{draft.pk}/field/?check=/spec/port", {"/spec/port": "9"})
    assert "aria-invalid" not in answer.content.decode()


def test_a_schema_without_inputs_goes_straight_on(client, platform, simulated):
    draft = start(client, environment_version("{}"))
    details(client, draft, name="bare")
    assert "This template asks for nothing" in client.get(f"/drafts/{draft.pk}/inputs/").content.decode()
    assert inputs(client, draft, post={}).headers["Location"] == f"/drafts/{draft.pk}/review/"
    client.post(f"/drafts/{draft.pk}/submit/")
    assert Environment.objects.get().name == "bare"


def test_a_schema_of_150_inputs_is_drawn_and_kept(client, platform):
    names = [f"input_{number}" for number in range(150)]
    draft = start(client, environment_version("{" + ", ".join(f"{name}: {{type: string}}" for name in names) + "}"))
    details(client, draft, name="big")
    assert client.get(f"/drafts/{draft.pk}/inputs/").content.decode().count('class="field"') == 150
    inputs(client, draft, post={f"/spec/{name}": name for name in names})
    assert Draft.objects.get().spec.count("input_") == 300


def test_rows_are_added_and_removed_by_plain_buttons(client, platform):
    draft = start(client, environment_version("{subnets: {type: array, items: {type: string}}}"))
    url = f"/drafts/{draft.pk}/inputs/"
    first = client.post(url, {"/spec/subnets#list": "1", "_add": "/spec/subnets"}).content.decode()
    assert 'name="/spec/subnets/0"' in first
    second = client.post(url, {"/spec/subnets#list": "1", "/spec/subnets/0": "a", "_add": "/spec/subnets"})
    assert 'name="/spec/subnets/1"' in second.content.decode()
    typed = {"/spec/subnets#list": "1", "/spec/subnets/0": "a", "/spec/subnets/1": "b", "_remove": "/spec/subnets/0"}
    third = client.post(url, typed).content.decode()
    assert values(third, "/spec/subnets/0") == ["b"]
    assert values(third, "/spec/subnets/1") == []


def test_a_default_is_restored_by_its_button(client, platform):
    draft = start(client, environment_version("{port: {type: integer, default: 8080}}"))
    typed = {"/spec/port": "1", "_restore": "/spec/port"}
    page = client.post(f"/drafts/{draft.pk}/inputs/", typed).content.decode()
    assert values(page, "/spec/port") == ["8080"]


def test_htmx_gets_the_form_alone(client, platform):
    draft = start(client, environment_version("{subnets: {type: array, items: {type: string}}}"))
    answer = client.post(
        f"/drafts/{draft.pk}/inputs/",
        {"_add": "/spec/subnets"},
        headers={"HX-Request": "true", "HX-Target": "spec-form"},
    )
    page = answer.content.decode()
    assert page.strip().startswith('<form id="spec-form"')
    assert "<html" not in page


def test_comments_of_the_yaml_survive_the_form(client, platform):
    draft = start(client, environment_version("{port: {type: integer}, name: {type: string}}"))
    text = "proton: EnvironmentSpec\nspec:\n  # the public one\n  port: 80\n  name: 'quoted'  # why not\n"
    url = f"/drafts/{draft.pk}/inputs/"
    assert client.post(f"{url}?mode=yaml", {"yaml": text, "_form": "1"}).headers["Location"] == url
    client.post(url, {"/spec/port": "80", "/spec/name": "quoted"})
    assert Draft.objects.get().spec == text
    client.post(url, {"/spec/port": "81", "/spec/name": "quoted"})
    assert Draft.objects.get().spec == text.replace("80", "81")


def test_yaml_that_cannot_be_read_is_kept_and_said_with_its_line(client, platform):
    draft = start(client, environment_version("{port: {type: integer}}"))
    answer = client.post(f"/drafts/{draft.pk}/inputs/?mode=yaml", {"yaml": "spec:\n  a: [1,\n"})
    assert answer.status_code == 422
    assert "a: [1," in answer.content.decode()
    assert "Line 3" in answer.content.decode()


def test_a_secret_is_typed_last_and_never_kept_in_the_draft(client, platform, simulated):
    of = environment_version("{token: {type: string, writeOnly: true}, name: {type: string}}", required="token")
    draft = start(client, of)
    details(client, draft, name="prod")
    answer = inputs(client, draft, post={"/spec/name": "x", "/spec/token": "s3cret-value"})
    assert answer.headers["Location"] == f"/drafts/{draft.pk}/review/"
    assert "s3cret" not in Draft.objects.get().spec
    refused = client.post(f"/drafts/{draft.pk}/submit/", {})
    assert (refused.status_code, Environment.objects.count()) == (422, 0)
    assert 'type="password"' in refused.content.decode()
    client.post(f"/drafts/{draft.pk}/submit/", {"/spec/token": "s3cret-value"})
    assert Environment.objects.get().latest.inputs["token"] == "s3cret-value"
    assert "s3cret" not in Draft.objects.get().spec


def test_a_name_taken_meanwhile_is_refused_at_the_end_with_all_answers_kept(client, platform, simulated):
    of = rows.version(rows.template())
    draft = start(client, of)
    details(client, draft, name="prod")
    inputs(client, draft, post={"/spec/cluster_name": "main"})
    rows.environment("prod", of=of)
    answer = client.post(f"/drafts/{draft.pk}/submit/")
    assert answer.status_code in {409, 422}
    assert "exists already" in answer.content.decode()
    assert Draft.objects.get(pk=draft.pk).details["name"] == "prod"


def test_a_draft_is_resumed_where_it_was_left_and_can_be_discarded(client, platform):
    draft = start(client, environment_version("{port: {type: integer}}"))
    assert client.get(f"/drafts/{draft.pk}/").headers["Location"] == f"/drafts/{draft.pk}/details/"
    details(client, draft, name="prod")
    assert client.get(f"/drafts/{draft.pk}/").headers["Location"] == f"/drafts/{draft.pk}/inputs/"
    assert "prod" in client.get("/environments/new/").content.decode()
    client.post(f"/drafts/{draft.pk}/discard/")
    assert Draft.objects.count() == 0


def test_a_draft_is_nobody_elses(client, platform):
    draft = start(client, environment_version("{port: {type: integer}}"))
    client.force_login(rows.person("other", Role.ADMIN))
    assert client.get(f"/drafts/{draft.pk}/details/").status_code == 404


@pytest.mark.parametrize(("role", "status"), [(Role.PLATFORM, 200), (Role.DEVELOPER, 403), (Role.VIEWER, 403)])
def test_environments_are_started_by_platform_engineers(client, role, status):
    client.force_login(rows.person("someone", role))
    assert client.get("/environments/new/").status_code == status


def test_the_recommended_version_is_chosen_beforehand_and_others_say_what_they_are(client, platform):
    of = rows.template()
    rows.version(of, "1.0")
    rows.version(of, "1.1")
    rows.version(of, "2.0", status=TemplateVersionStatus.DRAFT)
    page = client.get(f"/environments/new/?template={of.name}").content.decode()
    assert re.findall(r'value="([\d.]+)"( checked)?', page) == [("1.1", " checked"), ("1.0", ""), ("2.0", "")]
    assert "Draft: not published" in page
    assert "1.1 replaces it" in page


def test_the_version_can_be_changed_later(client, platform):
    of = rows.template()
    first = rows.version(of, "1.0")
    rows.version(of, "1.1")
    draft = start(client, first)
    client.post(f"/drafts/{draft.pk}/details/", {"/version": "1.1", "/name": "prod"})
    assert Draft.objects.get().version.number == "1.1"


@pytest.fixture
def home(simulated) -> Environment:
    return rows.environment("home")


def service_version(home: Environment, **files: Any) -> Any:
    return rows.version(
        rows.template(TemplateKind.SERVICE),
        files=rows.service_files(**files) if files else None,
        compatible=[home.template],
    )


@pytest.fixture
def developer(client: Client) -> User:
    person = rows.person("dev", Role.DEVELOPER, [rows.team("payments")])
    client.force_login(person)
    return person


def test_a_service_with_two_instances_is_made(client, developer, home):
    draft = start(client, service_version(home), "service")
    details(client, draft, name="shop", team="payments")
    url = f"/drafts/{draft.pk}/inputs/"
    first = {"/instances/0/name": "dev", "/instances/0/environment": "home", "/instances/0/spec/image": "app:1"}
    page = client.post(url, first | {"_add": "/instances"}).content.decode()
    assert 'name="/instances/1/name"' in page
    assert 'value="app:1"' in page
    second = {"/instances/1/name": "prod", "/instances/1/environment": "home", "/instances/1/spec/image": "app:2"}
    second["/instances/1/spec/port"] = "9090"
    client.post(url, first | second)
    client.post(f"/drafts/{draft.pk}/submit/")
    made = Service.objects.get()
    assert made.team.name == "payments"
    assert [(one.name, one.latest.inputs) for one in made.instances.all()] == [
        ("dev", {"image": "app:1", "port": 8080}),
        ("prod", {"image": "app:2", "port": 9090}),
    ]


def test_an_instance_is_removed_by_its_button(client, developer, home):
    draft = start(client, service_version(home), "service")
    typed = {"/instances/0/name": "a", "/instances/1/name": "b", "_remove": "/instances/0"}
    page = client.post(f"/drafts/{draft.pk}/inputs/", typed).content.decode()
    assert (values(page, "/instances/0/name"), values(page, "/instances/1/name")) == (["b"], [])


def test_environments_that_do_not_fit_are_disabled_with_the_reason(client, developer, home):
    other = rows.environment("elsewhere")
    draft = start(client, service_version(home), "service")
    page = client.get(f"/drafts/{draft.pk}/inputs/").content.decode()
    assert '<option value="home">' in page
    assert re.search(rf'<option value="elsewhere" disabled>elsewhere \({other.template.name} 1 does not fit', page)


def test_what_is_missing_in_a_service_is_said_at_its_field(client, developer, home):
    draft = start(client, service_version(home), "service")
    details(client, draft, name="shop", team="payments")
    answer = inputs(client, draft, post={"/instances/0/name": "", "/instances/0/environment": ""})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "Choose an environment." in page
    for path in ("name", "environment", "spec--image"):
        assert f'href="#f--instances--0--{path}"' in page


def test_the_pipeline_has_its_own_questions(client, developer, home):
    of = service_version(home, schema=rows.PIPELINE_SCHEMA, pipeline=rows.PIPELINE_TEMPLATE)
    draft = start(client, of, "service")
    assert "/repository_id" in client.get(f"/drafts/{draft.pk}/details/").content.decode()
    details(client, draft, name="shop", team="payments", repository_id="payments/shop", branch_name="main")
    typed = {"/instances/0/name": "dev", "/instances/0/environment": "home", "/instances/0/spec/image": "app:1"}
    inputs(client, draft, post=typed | {"/pipeline/unit_test_command": "make check"})
    client.post(f"/drafts/{draft.pk}/submit/")
    made = Service.objects.get()
    assert (made.repository_id, made.branch_name) == ("payments/shop", "main")
    assert "make check" in made.spec


def test_another_one_like_this_starts_with_its_answers(client, platform, simulated):
    rows.environment("prod", by=platform, spec=rows.ENVIRONMENT_SPEC)
    answer = client.post("/environments/new/", {"like": "prod"})
    draft = Draft.objects.get()
    assert answer.headers["Location"] == f"/drafts/{draft.pk}/details/"
    assert "cluster_name: main" in draft.spec
    assert "name" not in draft.details


def test_review_shows_defaults_as_defaults_and_links_back(client, platform):
    draft = start(client, rows.version(rows.template()))
    details(client, draft, name="prod")
    inputs(client, draft, post={"/spec/cluster_name": "main", "/spec/vpc_cidr": "10.0.0.0/16"})
    page = client.get(f"/drafts/{draft.pk}/review/").content.decode()
    assert re.search(r'10\.0\.0\.0/16</span> <span class="optional">default', page)
    assert f'href="/drafts/{draft.pk}/inputs/#inputs"' in page
    assert "cluster_name: main" in page
