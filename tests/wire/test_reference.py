"""Rules of AWS Proton that are easily missed, asked through boto3."""

from datetime import UTC, datetime

import pytest

from portal.enums import Role
from portal.models import ServicePipeline
from tests.factories import rows
from tests.wire.test_live import client

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def proton(live_server, simulated):
    return client(live_server, rows.person("platform", Role.PLATFORM))


def piped_service(*instances):
    files = rows.service_files(rows.PIPELINE_SCHEMA, pipeline=rows.PIPELINE_TEMPLATE)
    return rows.open_service("web", files=files, spec=rows.service_spec("home", *instances))


def test_a_deployment_names_its_component(proton):
    rows.open_service()
    made = rows.component("bucket", environment_name="home")
    listed = proton.list_deployments(componentName="bucket")["deployments"]
    got = proton.get_deployment(id=str(made.deployed_id), componentName="bucket")["deployment"]
    assert [listed[0]["componentName"], got["componentName"]] == ["bucket", "bucket"]
    assert "componentName" not in proton.list_deployments(serviceName="web")["deployments"][0]


def test_deployments_of_a_component_that_never_was_are_not_found_and_of_one_that_is_gone_they_stay(proton):
    rows.environment("home", component_role_arn=rows.COMPONENT_ROLE)
    rows.component("bucket", environment_name="home")
    proton.delete_component(name="bucket")
    rows.run_everything()
    found = proton.list_deployments(componentName="bucket")["deployments"]
    assert [row["deploymentStatus"] for row in found] == ["DELETE_COMPLETE", "SUCCEEDED"]
    with pytest.raises(proton.exceptions.ResourceNotFoundException):
        proton.list_deployments(componentName="unknown")


def test_every_name_that_a_deployments_record_shows_may_be_sent_with_its_id(proton):
    piped_service()
    rows.component("bucket", service_name="web", instance_name="dev")
    names = ("environmentName", "serviceName", "serviceInstanceName", "componentName")
    listed = proton.list_deployments()["deployments"]
    shown = [
        proton.get_deployment(id=row["id"], **{name: row[name] for name in names if name in row})["deployment"]["id"]
        for row in listed
    ]
    assert (shown, len(shown)) == ([row["id"] for row in listed], 4)
    pipeline = next(row for row in listed if row["targetResourceType"] == "SERVICE_PIPELINE")
    with pytest.raises(proton.exceptions.ResourceNotFoundException):
        proton.get_deployment(id=pipeline["id"], environmentName="other")


def test_an_instances_state_names_the_last_successes_of_what_is_around_it(proton):
    web = piped_service()
    bucket = rows.component("bucket", service_name="web", instance_name="dev")
    proton.update_service_instance(serviceName="web", name="dev", deploymentType="CURRENT_VERSION")
    rows.run_everything()
    last, first = proton.list_deployments(serviceName="web", serviceInstanceName="dev")["deployments"]
    states = [
        proton.get_deployment(id=row["id"])["deployment"]["targetState"]["serviceInstance"] for row in (last, first)
    ]
    names = ("Environment", "ServicePipeline")
    members = [f"lastSuccessful{name}DeploymentId" for name in names] + ["lastSuccessfulComponentDeploymentIds"]
    home = web.instances.get().environment
    assert [states[0].get(member) for member in members] == [
        str(home.deployed_id),
        str(web.pipeline.deployed_id),
        [str(bucket.deployed_id)],
    ]
    assert [states[1].get(member) for member in members] == [str(home.deployed_id), None, None]


@pytest.mark.parametrize("tag", [{"key": "a<b", "value": "x"}, {"key": "a", "value": "line\nbreak"}])
def test_tags_hold_the_characters_that_aws_allows(proton, tag):
    home = rows.environment("home")
    with pytest.raises(proton.exceptions.ValidationException):
        proton.tag_resource(resourceArn=home.arn, tags=[tag])
    assert (
        proton.untag_resource(resourceArn=home.arn, tagKeys=[tag["key"]])["ResponseMetadata"]["HTTPStatusCode"] == 200
    )
    allowed = {"key": "größe_1.:/=+-@* x", "value": "é 2_.:/=+-@*"}
    proton.tag_resource(resourceArn=home.arn, tags=[allowed])
    assert allowed in proton.list_tags_for_resource(resourceArn=home.arn)["tags"]


@pytest.fixture
def admin(live_server):
    return client(live_server, rows.person("admin"))


SOURCE = {"s3": {"bucket": "bundles", "key": "vpc.tar.gz"}}


def test_a_new_template_begins_with_the_first_major_whatever_is_asked(admin):
    admin.create_environment_template(name="vpc")
    for major in ("0", "7", str(2**63 - 1)):
        with pytest.raises(admin.exceptions.ValidationException):
            admin.create_environment_template_version(templateName="vpc", source=SOURCE, majorVersion=major)
    made = admin.create_environment_template_version(templateName="vpc", source=SOURCE, majorVersion="1")
    version = made["environmentTemplateVersion"]
    assert (version["majorVersion"], version["minorVersion"]) == ("1", "0")


def test_an_update_of_a_version_that_is_refused_changes_nothing(admin):
    rows.version(rows.template(name="vpc"), status="REGISTRATION_FAILED")
    which = {"templateName": "vpc", "majorVersion": "1", "minorVersion": "0"}
    before = admin.get_environment_template_version(**which)["environmentTemplateVersion"]
    with pytest.raises(admin.exceptions.ValidationException):
        admin.update_environment_template_version(**which, description="new", status="PUBLISHED")
    assert admin.get_environment_template_version(**which)["environmentTemplateVersion"] == before


def test_a_version_has_fifty_tags_with_those_that_it_inherits(admin):
    def tags(prefix, count):
        return [{"key": f"{prefix}{number}", "value": "x"} for number in range(count)]

    admin.create_environment_template(name="vpc", tags=tags("a", 49))
    with pytest.raises(admin.exceptions.ValidationException):
        admin.create_environment_template_version(templateName="vpc", source=SOURCE, tags=tags("b", 2))
    made = admin.create_environment_template_version(templateName="vpc", source=SOURCE, tags=tags("b", 1))
    found = admin.list_tags_for_resource(resourceArn=made["environmentTemplateVersion"]["arn"])["tags"]
    assert len([tag for tag in found if not tag["key"].startswith("aws:")]) == 50


def test_none_makes_no_pipeline_that_nothing_deploys(proton):
    vpc = rows.version(rows.template(name="vpc"))
    rows.environment("home", of=vpc)
    web_app = rows.template("SERVICE", "web-app")
    first = rows.version(web_app, compatible=[vpc.template])
    spec = rows.service_spec("home")
    rows.service("web", of=first, spec=spec)
    piped = rows.service_files(rows.PIPELINE_SCHEMA, pipeline=rows.PIPELINE_TEMPLATE)
    rows.version(web_app, "2.0", files=piped, compatible=[vpc.template])
    proton.update_service_instance(serviceName="web", name="dev", deploymentType="MAJOR_VERSION")
    rows.run_everything()
    with pytest.raises(proton.exceptions.ResourceNotFoundException):
        proton.update_service_pipeline(serviceName="web", deploymentType="NONE", spec=spec)
    assert "pipeline" not in proton.get_service(name="web")["service"]
    made = proton.update_service_pipeline(serviceName="web", deploymentType="CURRENT_VERSION", spec=spec)["pipeline"]
    assert (made["deploymentStatus"], made["templateMajorVersion"]) == ("IN_PROGRESS", "2")


def test_the_pipeline_is_in_progress_from_the_beginning_of_an_edit_and_untouched_when_that_is_undone(proton, simulated):
    piped_service("dev", "two")

    def pipeline():
        found = proton.get_service(name="web")["service"]["pipeline"]
        return found["deploymentStatus"], found["lastAttemptedDeploymentId"]

    _, first = pipeline()
    edited = proton.update_service(name="web", spec=rows.service_spec("home", "dev", "new"))["service"]
    assert edited["pipeline"]["deploymentStatus"] == "IN_PROGRESS"
    assert pipeline() == ("IN_PROGRESS", first)
    rows.run_everything()
    status, second = pipeline()
    assert (status, second != first) == ("SUCCEEDED", True)
    simulated["fail"] = "no"
    proton.update_service(name="web", spec=rows.service_spec("home", "dev", "new", "more"))
    assert pipeline() == ("IN_PROGRESS", second)
    rows.run_everything()
    assert pipeline() == ("SUCCEEDED", second)
    assert proton.get_service(name="web")["service"]["status"] == "UPDATE_FAILED_CLEANUP_COMPLETE"


def test_pipelines_read_instances_in_the_order_of_the_spec(proton, simulated):
    service = piped_service("two", "dev")

    def order():
        rows.run_everything()
        pipeline = ServicePipeline.objects.select_related("deployed").get(service=service)
        return [instance["name"] for instance in pipeline.deployed.context["service_instances"]]

    assert order() == ["two", "dev"]
    proton.create_service_instance(serviceName="web", name="alpha", spec=rows.service_spec("home", "alpha"))
    assert order() == ["two", "dev", "alpha"]
    proton.update_service(name="web", spec=rows.service_spec("home", "zero", "alpha", "dev", "two"))
    assert order() == ["zero", "alpha", "dev", "two"]
    simulated["fail"] = "no"
    proton.update_service(name="web", spec=rows.service_spec("home", "more", "two", "dev", "alpha", "zero"))
    rows.run_everything()
    simulated.pop("fail")
    spec = proton.get_service(name="web")["service"]["spec"]
    proton.update_service_pipeline(serviceName="web", deploymentType="CURRENT_VERSION", spec=spec)
    assert order() == ["zero", "alpha", "dev", "two"]


def test_an_output_that_is_too_long_is_not_repeated_in_the_refusal(proton):
    home = rows.environment("home")
    outputs = [{"key": "Password", "valueString": "hush" * 300}]
    with pytest.raises(proton.exceptions.ValidationException) as refused:
        proton.notify_resource_deployment_status_change(resourceArn=home.arn, outputs=outputs)
    message = refused.value.response["Error"]["Message"]
    assert ("hush" in message, "outputs.1.member.valueString" in message) == (False, True)


def test_a_pipelines_arn_is_taken_with_an_id_behind_it_too(proton):
    """AWS Proton's own examples had both; what CloudFormation deploys nobody else reports."""
    piped_service()
    arn = "arn:aws:proton:us-east-1:123456789012:service/web/pipeline"
    for same in (arn, f"{arn}/0e4b8f2a-1111-4222-8333-123456789abc"):
        with pytest.raises(proton.exceptions.ConflictException):
            proton.notify_resource_deployment_status_change(resourceArn=same, status="SUCCEEDED")
    with pytest.raises(proton.exceptions.ResourceNotFoundException):
        proton.notify_resource_deployment_status_change(resourceArn=f"{arn}s", status="SUCCEEDED")


def test_an_environment_may_leave_the_major_that_its_instances_are_compatible_with(proton, admin):
    vpc = rows.template(name="vpc")
    rows.environment("home", of=rows.version(vpc))
    web_app = rows.template("SERVICE", "web-app")
    rows.service("web", of=rows.version(web_app, compatible=[vpc]), spec=rows.service_spec("home"))
    rows.version(vpc, "2.0")
    proton.update_environment(name="home", deploymentType="MAJOR_VERSION")
    rows.run_everything()
    assert proton.get_environment(name="home")["environment"]["templateMajorVersion"] == "2"
    with pytest.raises(proton.exceptions.ValidationException):
        proton.update_service_instance(serviceName="web", name="dev", deploymentType="CURRENT_VERSION")
    compatible = [{"templateName": "vpc", "majorVersion": major} for major in ("1", "2")]
    which = {"templateName": "web-app", "majorVersion": "1", "minorVersion": "0"}
    admin.update_service_template_version(**which, compatibleEnvironmentTemplates=compatible)
    again = {"serviceName": "web", "name": "dev", "deploymentType": "CURRENT_VERSION"}
    assert proton.update_service_instance(**again, clientToken="again")["serviceInstance"]["environmentName"] == "home"
    admin.delete_environment_template_version(templateName="vpc", majorVersion="1", minorVersion="0")


def test_an_instance_is_neither_before_nor_after_the_time_that_it_shows(proton):
    service = rows.service()
    for microsecond in (123_400, 123_600):
        service.instances.update(created_at=datetime(2024, 5, 17, 8, 30, 1, microsecond, tzinfo=UTC))
        shown = proton.list_service_instances()["serviceInstances"][0]["createdAt"].astimezone(UTC)
        text = shown.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        for key in ("createdAtBefore", "createdAtAfter"):
            found = proton.list_service_instances(filters=[{"key": key, "value": text}])["serviceInstances"]
            assert (text, key, found) == (text, key, [])
        for key, value in (("createdAtBefore", "08:30:01.125Z"), ("createdAtAfter", "08:30:01.122Z")):
            filters = [{"key": key, "value": f"2024-05-17T{value}"}]
            assert len(proton.list_service_instances(filters=filters)["serviceInstances"]) == 1


def test_a_pipelines_record_names_an_environment_also_when_its_service_is_gone(proton):
    piped_service()
    proton.delete_service(name="web")
    rows.run_everything()
    found = proton.list_deployments(serviceName="web")["deployments"]
    pipeline = [row for row in found if row["targetResourceType"] == "SERVICE_PIPELINE"]
    assert [(row["deploymentStatus"], row["environmentName"]) for row in pipeline] == [
        ("DELETE_COMPLETE", "home"),
        ("SUCCEEDED", "home"),
    ]


def test_the_pipeline_is_in_progress_while_a_creation_that_failed_goes_on(proton, simulated):
    vpc = rows.version(rows.template(name="vpc"))
    rows.environment("home", of=vpc)
    piped = rows.service_files(rows.PIPELINE_SCHEMA, pipeline=rows.PIPELINE_TEMPLATE)
    of = rows.version(rows.template("SERVICE", "web-app"), files=piped, compatible=[vpc.template])
    simulated["fail"] = "no"
    rows.service("web", of=of, spec=rows.service_spec("home"))

    def statuses():
        found = proton.get_service(name="web")["service"]
        return found["status"], found["pipeline"]["deploymentStatus"]

    assert statuses() == ("CREATE_FAILED", "FAILED")
    simulated.pop("fail")
    proton.update_service_instance(serviceName="web", name="dev", deploymentType="CURRENT_VERSION")
    assert statuses() == ("CREATE_IN_PROGRESS", "IN_PROGRESS")
    rows.run_everything()
    assert statuses() == ("ACTIVE", "SUCCEEDED")
