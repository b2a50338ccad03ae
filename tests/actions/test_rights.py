"""Every action asks for the right of the one who acts, whatever the door in front of it asked."""

from collections.abc import Callable

import pytest

from portal.actions import (
    accounts,
    components,
    connections,
    deployments,
    drafts,
    environments,
    instances,
    people,
    pipelines,
    previews,
    pull_requests,
    registrations,
    repositories,
    resources,
    services,
    templates,
)
from portal.enums import Role, TemplateKind, TemplateVersionStatus
from portal.errors import Forbidden, NotFound
from portal.models import (
    AuditEvent,
    Component,
    Draft,
    Environment,
    EnvironmentAccountConnection,
    Repository,
    Service,
    Template,
    TemplateVersion,
    User,
)
from tests.factories import rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(simulated) -> dict[str, object]:
    payments = rows.team("payments")
    home = rows.environment("home", component_role_arn=rows.COMPONENT_ROLE)
    rows.component("bucket", environment_name="home")
    files = rows.service_files(rows.PIPELINE_SCHEMA, pipeline=rows.PIPELINE_TEMPLATE)
    of = rows.version(rows.template(TemplateKind.SERVICE, "app"), files=files, compatible=[home.template])
    owner = rows.person("owner", Role.DEVELOPER, [payments])
    service = rows.service("web", by=owner, of=of, spec=rows.service_spec("home"))
    draft = drafts.start(by=owner, template=of.template, version=of)
    Repository.objects.create(provider="GITHUB", name="acme/infra")
    connection = rows.connection("other", status="PENDING", role_arn="")
    return {"home": home, "of": of, "service": service, "owner": owner, "draft": draft, "connection": connection}


def attempts(by: User, world: dict[str, object]) -> dict[str, Callable[[], object]]:
    """Everything that changes something of others, as this person would ask for it."""
    home, of, service, draft = world["home"], world["of"], world["service"], world["draft"]
    assert isinstance(home, Environment) and isinstance(of, TemplateVersion)
    assert isinstance(service, Service) and isinstance(draft, Draft)
    connection = world["connection"]
    assert isinstance(connection, EnvironmentAccountConnection)
    owner = world["owner"]
    assert isinstance(owner, User)
    instance, spec = service.instances.get(), service.spec
    template = of.template
    linked = Repository.objects.get()
    return {
        "accounts.name_account": lambda: accounts.name_account(by=by, account_id="123456789012", name="main"),
        "accounts.update_settings": lambda: accounts.update_settings(by=by, pipeline_service_role_arn=""),
        "components.create": lambda: components.create(
            by=by, name="new", manifest=rows.MANIFEST, template_file="Resources: {}", environment_name="home"
        ),
        "components.update": lambda: components.update(
            by=by, component=Component.objects.get(), deployment_type="NONE", description="x"
        ),
        "components.delete": lambda: components.delete(by=by, component=Component.objects.get()),
        "connections.request": lambda: rows.connection("new", status="PENDING", by=by),
        "connections.accept": lambda: connections.accept(by=by, account_id="123456789012", connection=connection),
        "connections.reject": lambda: connections.reject(by=by, account_id="123456789012", connection=connection),
        "connections.test": lambda: connections.test(by=by, connection=connection),
        "connections.update_roles": lambda: connections.update_roles(
            by=by, account_id=rows.OTHER_ACCOUNT, connection=connection, role_arn=""
        ),
        "connections.delete": lambda: connections.delete(by=by, account_id=rows.OTHER_ACCOUNT, connection=connection),
        "deployments.cancel": lambda: deployments.cancel(by=by, target=instance),
        "deployments.retry": lambda: deployments.retry(by=by, deployment=instance.latest),
        "deployments.resolve_attention": lambda: deployments.resolve_attention(
            by=by, deployment=instance.latest, decision="fail", reason="because"
        ),
        "drafts.save": lambda: drafts.save(by=by, draft=draft, spec="x"),
        "drafts.submit": lambda: drafts.submit(by=by, draft=draft),
        "drafts.discard": lambda: drafts.discard(by=by, draft=draft),
        "environments.create": lambda: environments.create(
            by=by, name="new", template=home.template, spec=rows.ENVIRONMENT_SPEC, major=1
        ),
        "environments.update": lambda: environments.update(by=by, environment=home, deployment_type="NONE"),
        "environments.delete": lambda: environments.delete(by=by, environment=home),
        "instances.create": lambda: instances.create(by=by, service=service, name="x", spec=spec),
        "instances.update": lambda: instances.update(by=by, instance=instance, deployment_type="NONE"),
        "pull_requests.merge": lambda: pull_requests.merge(by=by, repository=linked, number=1, head="x"),
        "pull_requests.close": lambda: pull_requests.close(by=by, repository=linked, number=1),
        "repositories.link": lambda: repositories.link(by=by, provider="GITHUB", name="acme/other"),
        "repositories.create_local": lambda: repositories.create_local(by=by, name="acme/other"),
        "repositories.check_again": lambda: repositories.check_again(by=by, repository=linked),
        "repositories.unlink": lambda: repositories.unlink(by=by, repository=linked),
        "people.create_user": lambda: people.create_user(by=by, username="x", password="long enough 1", role="viewer"),
        "people.update_user": lambda: people.update_user(by=by, user=by, role=Role.ADMIN),
        "people.create_team": lambda: people.create_team(by=by, name="x"),
        "people.create_access_key": lambda: people.create_access_key(by=by, user=owner),
        "pipelines.update": lambda: pipelines.update(by=by, service=service, deployment_type="NONE", spec=spec),
        "registrations.register_version": lambda: registrations.register_version(
            by=by, template=template, s3=("bucket", "key"), compatible=[(home.template.name, 1)]
        ),
        "registrations.check_upload": lambda: registrations.check_upload(by=by, template=template, data=b""),
        "resources.find_missing": lambda: resources.find_missing(by=by),
        "resources.redeploy_missing": lambda: resources.redeploy_missing(by=by),
        "services.create": lambda: services.create(
            by=by, name="new", template=template, spec=rows.service_spec("home"), major=1
        ),
        "services.update": lambda: services.update(by=by, service=service, description="x"),
        "services.delete": lambda: services.delete(by=by, service=service),
        "templates.create_template": lambda: templates.create_template(by=by, kind=TemplateKind.SERVICE, name="x"),
        "templates.update_template": lambda: templates.update_template(by=by, template=template, description="x"),
        "templates.delete_template": lambda: templates.delete_template(by=by, template=template),
        "templates.publish_version": lambda: templates.publish_version(by=by, version=of),
        "templates.update_version": lambda: templates.update_version(by=by, version=of, trusts_inputs=True),
        "templates.delete_version": lambda: templates.delete_version(by=by, version=of),
    }


def allowed(by: User, world: dict[str, object]) -> set[str]:
    """What was not refused for want of rights; the world is as it was before."""
    from django.db import transaction

    from portal.errors import PortalError

    found = set()
    for name, attempt in attempts(by, world).items():
        try:
            with transaction.atomic():
                attempt()
                found.add(name)
                transaction.set_rollback(True)
        except Forbidden:
            continue
        except PortalError:
            found.add(name)
    return found


def test_a_deactivated_admin_may_do_nothing(world):
    root = rows.person("root", is_active=False)
    assert allowed(root, world) == set()


def test_a_viewer_may_change_nothing(world):
    viewer = rows.person("vera", Role.VIEWER, [Service.objects.get().team])
    assert allowed(viewer, world) == set()


def test_a_developer_of_another_team_may_make_services_of_their_own_only(world):
    stranger = rows.person("sam", Role.DEVELOPER, [rows.team("search")])
    assert allowed(stranger, world) == {"services.create"}


def test_a_developer_changes_what_is_their_teams_and_their_own(world):
    owner = world["owner"]
    assert isinstance(owner, User)
    mine = {name for name in attempts(owner, world) if name.split(".")[0] in {"deployments", "drafts", "instances"}}
    services_too = {"pipelines.update", "services.create", "services.update", "services.delete"}
    assert allowed(owner, world) == mine | services_too | {"people.create_access_key"}


def test_a_platform_engineer_changes_what_runs(world):
    platform = rows.person("pat", Role.PLATFORM)
    others = ("drafts.", "people.", "registrations.", "templates.", "accounts.update_settings")
    expected = {name for name in attempts(platform, world) if not name.startswith(others)}
    assert allowed(platform, world) == expected


def test_an_admin_may_do_everything_but_write_in_the_drafts_of_others(world):
    admin = rows.person("root")
    assert allowed(admin, world) == {name for name in attempts(admin, world) if not name.startswith("drafts.")}


def test_a_service_moves_to_a_team_only_with_somebody_who_is_in_both(world):
    service, search = Service.objects.get(), rows.team("search")
    owner = world["owner"]
    assert isinstance(owner, User)
    with pytest.raises(Forbidden, match="You are not in team search"):
        services.update(by=owner, service=service, team=search)
    owner.teams.add(search)
    assert services.update(by=owner, service=service, team=search).team == search


def test_a_service_that_moved_meanwhile_is_not_changed_by_its_former_team(world):
    owner = world["owner"]
    assert isinstance(owner, User)
    page = Service.objects.select_related("team").get()
    Service.objects.update(team=rows.team("search"))
    with pytest.raises(Forbidden, match="Ask team search"):
        services.delete(by=owner, service=page)


def test_drafts_of_versions_are_for_those_who_may_use_them(world):
    home, owner = Environment.objects.get(), world["owner"]
    assert isinstance(owner, User)
    secret = rows.version(rows.template(TemplateKind.SERVICE), status=TemplateVersionStatus.DRAFT)
    with pytest.raises(NotFound):
        drafts.start(by=owner, template=secret.template, version=secret)
    with pytest.raises(NotFound):
        previews.preview_instance(
            by=owner,
            version=secret,
            service_name="x",
            instance_name="dev",
            environment_name=home.name,
            spec=rows.service_spec("home"),
        )


def test_what_aws_would_change_is_asked_for_those_who_may_deploy(world, simulated):
    home = Environment.objects.get()
    assert home.version is not None
    spec = "proton: EnvironmentSpec\nspec: {cluster_name: other}\n"

    def planned(by: User) -> int:
        made = previews.preview_environment(
            by=by, template=home.template, version=home.version, name="home", spec=spec, environment=home, plan=True
        )
        return len(made.changes)

    assert [planned(rows.person(role=role)) for role in (Role.VIEWER, Role.PLATFORM)] == [0, 1]


def test_nothing_that_was_typed_is_in_the_audit_log(world, simulated):
    canary = "c4n4ry"
    admin = rows.person("root")
    home = Environment.objects.get()
    spec = f"proton: EnvironmentSpec\nspec: {{cluster_name: {canary}}}\n"
    simulated["outputs"] = {"QueueUrl": canary}
    environments.update(by=admin, environment=home, deployment_type="CURRENT_VERSION", spec=spec)
    key, secret = people.create_access_key(by=admin, user=admin)
    people.create_user(by=admin, username="x", password=canary * 3, role="viewer")
    rows.run_everything()
    details = " ".join(str(row) for row in AuditEvent.objects.values_list("action", "target", "detail"))
    assert (canary in details, secret in details, key.key_id in details) == (False, False, True)


def test_templates_that_are_gone_are_not_found_by_those_who_still_see_them(world):
    admin = rows.person("root")
    template = rows.template()
    version = rows.version(template)
    TemplateVersion.objects.filter(pk=version.pk).delete()
    Template.objects.filter(pk=template.pk).delete()
    for attempt in (
        lambda: templates.publish_version(by=admin, version=version),
        lambda: templates.update_version(by=admin, version=version, description="x"),
        lambda: templates.delete_version(by=admin, version=version),
        lambda: templates.update_template(by=admin, template=template, description="x"),
        lambda: templates.delete_template(by=admin, template=template),
    ):
        with pytest.raises(NotFound, match="does not exist any more"):
            attempt()
