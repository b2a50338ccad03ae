"""Errors that operations declare, operation by operation; what each noun's own tests provoke is not repeated here."""

import random
from typing import Any

import pytest
from botocore.model import ListShape, Shape, StringShape

from portal import quotas
from portal.enums import Role, TemplateKind
from portal.wire.registry import Caller, handlers
from tests.factories import rows
from tests.wire.conftest import ACCOUNT, refused, run
from tests.wire.generating import good

pytestmark = pytest.mark.django_db
ARN = f"arn:aws:proton:us-east-1:{ACCOUNT}"
SOURCE = {"source": {"s3": {"bucket": "proton-templates-bucket", "key": "a.tar.gz"}}}
HOME = {"compatibleEnvironmentTemplates": [{"templateName": "vpc", "majorVersion": "1"}]}
WITHOUT_MEMBERS = {"GetAccountSettings", "GetResourcesSummary"}


def asked(operation: str) -> dict[str, Any]:
    """A request that the operation's shape allows."""
    found: dict[str, Any] = good(handlers()[operation].input, random.Random(1), full=False)
    return found


def bad(shape: Shape) -> Any:
    """A value of the right type that the shape does not allow; None where it allows all of them."""
    if isinstance(shape, StringShape) and (
        shape.metadata.get("pattern") or shape.enum or shape.metadata.get("max") == 0
    ):
        return "é"
    if shape.type_name == "integer":
        return 101
    if isinstance(shape, ListShape):
        return [bad(shape.member)] if bad(shape.member) is not None else None
    return None


@pytest.fixture
def admin():
    return rows.person("admin")


def test_every_operation_refuses_members_that_its_shape_does_not_allow(admin):
    found = {}
    for name, operation in handlers().items():
        members = operation.input.members.items()
        wrong = next(({member: bad(of)} for member, of in members if bad(of) is not None), None)
        found[name] = refused(admin, name, **{**asked(name), **wrong})[0] if wrong else ""
    assert found == {name: "" if name in WITHOUT_MEMBERS else "ValidationException" for name in handlers()}


def test_a_key_for_one_resource_may_call_nothing_else(admin):
    caller = Caller(admin, ACCOUNT, scope=f"{ARN}:environment/home")
    others = set(handlers()) - {"NotifyResourceDeploymentStatusChange"}
    assert {refused(caller, name, **asked(name))[0] for name in others} == {"AccessDeniedException"}


def test_whoever_has_less_than_the_least_role_is_told_which_one_it_needs():
    people = {role: rows.person(role=role) for role in (Role.VIEWER, Role.DEVELOPER, Role.PLATFORM)}
    below = {Role.DEVELOPER: Role.VIEWER, Role.PLATFORM: Role.DEVELOPER, Role.ADMIN: Role.PLATFORM}
    for name, operation in handlers().items():
        if operation.role in below:
            error, message = refused(people[below[operation.role]], name, **asked(name))
            needs = message.endswith(f"It needs the role {operation.role.label.lower()}.")
            assert (name, error, needs) == (name, "AccessDeniedException", True)


MISSING = [
    ("CreateEnvironmentTemplateVersion", {"templateName": "x", **SOURCE}),
    ("CreateServiceTemplateVersion", {"templateName": "x", **SOURCE, **HOME}),
    ("GetServiceTemplate", {"name": "x"}),
    ("GetServiceTemplateVersion", {"templateName": "x", "majorVersion": "1", "minorVersion": "0"}),
    ("ListEnvironmentTemplateVersions", {"templateName": "x"}),
    ("ListServiceTemplateVersions", {"templateName": "x"}),
    ("UpdateEnvironmentTemplate", {"name": "x"}),
    ("UpdateServiceTemplate", {"name": "x"}),
    ("UpdateEnvironmentTemplateVersion", {"templateName": "vpc", "majorVersion": "1", "minorVersion": "7"}),
    ("UpdateServiceTemplateVersion", {"templateName": "x", "majorVersion": "1", "minorVersion": "0"}),
    ("TagResource", {"resourceArn": f"{ARN}:environment/x", "tags": []}),
    ("UntagResource", {"resourceArn": f"{ARN}:environment/x", "tagKeys": []}),
]


@pytest.mark.parametrize(("operation", "members"), MISSING)
def test_what_does_not_exist_is_not_found(admin, operation, members):
    rows.version(rows.template(name="vpc"))
    assert refused(admin, operation, **members)[0] == "ResourceNotFoundException"


def test_lists_of_environments_have_no_filter_that_is_not_found(admin):
    filters = [{"templateName": "x", "majorVersion": "1"}]
    assert run(admin, "ListEnvironments", environmentTemplates=filters) == {"environments": []}


@pytest.fixture
def used(admin, simulated):
    """Template versions that something runs."""
    vpc = rows.version(rows.template(name="vpc"))
    of = rows.version(rows.template(TemplateKind.SERVICE, "web-app"), compatible=[vpc.template])
    rows.environment("home", of=vpc)
    rows.service("web", of=of, spec=rows.service_spec("home"))


@pytest.mark.parametrize("kind", ["Environment", "Service"])
def test_what_is_in_use_or_has_versions_is_not_deleted(admin, used, kind):
    name = {"Environment": "vpc", "Service": "web-app"}[kind]
    version = {"templateName": name, "majorVersion": "1", "minorVersion": "0"}
    assert refused(admin, f"Delete{kind}TemplateVersion", **version)[0] == "ConflictException"
    assert refused(admin, f"Delete{kind}Template", name=name)[0] == "ConflictException"


def test_an_environment_template_that_the_browser_made_is_in_the_way(admin):
    rows.template(name="vpc")
    assert refused(admin, "CreateEnvironmentTemplate", name="vpc")[0] == "ConflictException"


@pytest.mark.parametrize(
    ("quota", "operation", "members"),
    [
        ("TEMPLATES", "CreateEnvironmentTemplate", {"name": "x"}),
        ("TEMPLATES", "CreateServiceTemplate", {"name": "x"}),
        ("VERSIONS_PER_TEMPLATE", "CreateEnvironmentTemplateVersion", {"templateName": "vpc", **SOURCE}),
        ("VERSIONS_PER_TEMPLATE", "CreateServiceTemplateVersion", {"templateName": "web-app", **SOURCE, **HOME}),
    ],
)
def test_quotas_of_templates(admin, monkeypatch, quota, operation, members):
    rows.version(rows.template(name="vpc"))
    rows.version(rows.template(TemplateKind.SERVICE, "web-app"))
    monkeypatch.setattr(quotas, quota, 1)
    assert refused(admin, operation, **members)[0] == "ServiceQuotaExceededException"
