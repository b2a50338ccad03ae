"""Account connections: asked for, tested, decided, and taken back."""

import re

import pytest
from botocore.loaders import Loader

from portal import access, quotas
from portal.actions import accounts, connections, environments, places, targets
from portal.enums import EnvironmentAccountConnectionStatus, Role, TemplateKind
from portal.errors import Conflict, Forbidden, Invalid, NotFound, QuotaExceeded, Unavailable
from portal.models import AuditEvent, Environment, EnvironmentAccountConnection, Service
from portal.queries import connections as queries
from tests.factories import rows

pytestmark = pytest.mark.django_db

MANAGEMENT, OTHER, ROLE = "123456789012", rows.OTHER_ACCOUNT, rows.OTHER_ROLE
ROLES = ("proton_service_role_arn", "codebuild_role_arn", "component_role_arn")
COMPONENTS = f"arn:aws:iam::{OTHER}:role/components"


def ask(by=None, **fields):
    wanted = {"account_id": OTHER, "management_account_id": MANAGEMENT, "environment_name": "prod", "role_arn": ROLE}
    return connections.request(by=by or rows.person(), **{**wanted, **fields})


def accept(made, by=None, account_id=MANAGEMENT, **more):
    return connections.accept(by=by or rows.person(), account_id=account_id, connection=made, **more)


def paths(caught) -> list[str]:
    return [problem.path for problem in caught.value.problems]


def create(name="prod", **fields):
    of = rows.version(rows.template())
    return environments.create(
        by=rows.person(), name=name, template=of.template, spec=rows.ENVIRONMENT_SPEC, major=1, **fields
    )


def test_statuses_are_the_wires():
    model = Loader().load_service_model("proton", "service-2")
    wire = model["shapes"]["EnvironmentAccountConnectionStatus"]["enum"]
    assert EnvironmentAccountConnectionStatus.values == wire


# Asking


def test_a_request_waits_with_an_arn_of_the_environment_account():
    made = ask(tags={"team": "core"}, client_token="abc")
    assert made.arn == f"arn:aws:proton:us-east-1:{OTHER}:environment-account-connection/{made.pk}"
    assert (made.status, made.environment_name, made.tags, made.client_token) == (
        "PENDING",
        "prod",
        {"team": "core"},
        "abc",
    )
    assert AuditEvent.objects.get(action="connection.request").target == made.arn


def test_the_external_id_is_random_and_fits_into_a_trust_policy():
    first, second = ask(), ask(environment_name="other")
    assert first.external_id != second.external_id
    assert re.fullmatch(r"deuteron-[0-9a-f]{40}", first.external_id)


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"account_id": "12"}, "/environment_account_id"),
        ({"account_id": MANAGEMENT}, "/environment_account_id"),
        ({"management_account_id": "999999999999"}, "/management_account_id"),
        ({"environment_name": "-x"}, "/environment_name"),
        ({"role_arn": "admin"}, "/role_arn"),
        ({"role_arn": "arn:aws:iam::333333333333:role/x"}, "/role_arn"),
        ({"component_role_arn": f"arn:aws:iam::{MANAGEMENT}:role/x"}, "/component_role_arn"),
        ({"codebuild_role_arn": f"arn:aws:sts::{OTHER}:role/x"}, "/codebuild_role_arn"),
    ],
)
def test_what_is_wrong_with_a_request_is_said_at_its_member(fields, path):
    with pytest.raises(Invalid) as caught:
        ask(**fields)
    assert paths(caught) == [path]
    assert not EnvironmentAccountConnection.objects.exists()


def test_the_same_is_asked_for_once_until_it_is_decided():
    made = ask()
    with pytest.raises(Conflict, match="waits for a decision already"):
        ask()
    connections.reject(by=rows.person(), account_id=MANAGEMENT, connection=made)
    assert ask().status == "PENDING"


def test_an_account_has_so_many_connections(monkeypatch):
    monkeypatch.setattr(quotas, "CONNECTIONS_PER_ENVIRONMENT_ACCOUNT", 1)
    made = ask()
    with pytest.raises(QuotaExceeded, match="has 1 connections already"):
        ask(environment_name="other")
    connections.delete(by=rows.person(), account_id=OTHER, connection=made)
    assert ask(environment_name="other").pk


# Sides and rights


@pytest.mark.parametrize("verb", ["accept", "reject", "update_roles", "delete"])
def test_each_side_does_its_own_and_a_stranger_learns_nothing(verb):
    made = ask(role_arn="")
    mine = MANAGEMENT if verb in ("accept", "reject") else OTHER
    action = getattr(connections, verb)
    with pytest.raises(Forbidden, match=f"and you speak for {OTHER if mine == MANAGEMENT else MANAGEMENT}"):
        action(by=rows.person(), account_id=OTHER if mine == MANAGEMENT else MANAGEMENT, connection=made)
    with pytest.raises(NotFound):
        action(by=rows.person(), account_id="999999999999", connection=made)
    action(by=rows.person(), account_id=mine, connection=made)


def test_developers_neither_ask_nor_decide():
    made, developer = ask(), rows.person(role=Role.DEVELOPER)
    for attempt in (
        lambda: ask(by=developer, environment_name="other"),
        lambda: accept(made, by=developer),
        lambda: connections.reject(by=developer, account_id=MANAGEMENT, connection=made),
        lambda: connections.update_roles(by=developer, account_id=OTHER, connection=made, role_arn=""),
        lambda: connections.test(by=developer, connection=made),
        lambda: connections.delete(by=developer, account_id=OTHER, connection=made),
    ):
        with pytest.raises(Forbidden, match="Ask a platform engineer"):
            attempt()


# Deciding


def test_a_role_that_asks_for_the_external_id_is_accepted(checking_aws):
    made = ask()
    checking_aws.trust(ROLE, {MANAGEMENT}, external_id=made.external_id)
    accepted = accept(made, by=rows.person(role=Role.PLATFORM))
    assert (accepted.status, accepted.verdict, accepted.reason) == ("CONNECTED", "safe", "")
    assert [(probe["kind"], probe["assumed"]) for probe in accepted.probes] == [
        ("unknown", False),
        ("right", True),
        ("missing", False),
        ("wrong", False),
    ]
    assert AuditEvent.objects.get(action="connection.accept").detail == {"verdict": "safe", "reason": ""}


def test_a_role_that_anybody_may_name_is_not_accepted_and_what_was_found_is_kept(checking_aws):
    made = ask()
    checking_aws.trust(ROLE, {MANAGEMENT})
    with pytest.raises(Invalid, match="without the connection's external id") as caught:
        accept(made)
    assert paths(caught) == ["/reason"]
    made.refresh_from_db()
    assert (made.status, made.verdict, made.tested_at is None) == ("PENDING", "open", False)


def test_a_role_that_is_not_there_is_not_accepted_and_aws_is_quoted(checking_aws):
    made = ask()
    with pytest.raises(Invalid, match=f"AWS said: AccessDenied: .*{ROLE}"):
        accept(made)
    made.refresh_from_db()
    assert (made.status, made.verdict) == ("PENDING", "closed")


def test_a_component_role_is_tested_too(checking_aws):
    made = ask(component_role_arn=COMPONENTS)
    checking_aws.trust(ROLE, {MANAGEMENT}, external_id=made.external_id)
    checking_aws.trust(COMPONENTS, {MANAGEMENT})
    with pytest.raises(Invalid, match="without the connection's external id"):
        accept(made)


def test_the_embedded_aws_proves_nothing_and_is_accepted_as_such(open_aws):
    accepted = accept(ask())
    assert (accepted.status, accepted.verdict) == ("CONNECTED", "unchecked")


def test_outside_of_the_embedded_stack_an_aws_that_lets_everybody_in_is_open(open_aws, settings):
    settings.EMBEDDED = False
    with pytest.raises(Invalid, match="without the connection's external id"):
        accept(ask())


def test_without_a_role_to_assume_there_is_nothing_to_test():
    accepted = accept(ask(role_arn=""))
    assert (accepted.status, accepted.verdict) == ("CONNECTED", "nothing")


def test_a_codebuild_role_that_builds_are_started_by_is_tested_as_well(checking_aws):
    made = ask(role_arn="", codebuild_role_arn=ROLE)
    assert connections.test(by=rows.person(), connection=made).verdict == "closed"


def test_an_admin_accepts_with_a_reason_what_did_not_pass(checking_aws):
    made = ask()
    with pytest.raises(Forbidden, match="Ask an admin"):
        accept(made, by=rows.person(role=Role.PLATFORM), reason="Role follows tomorrow")
    accepted = accept(made, reason="Role follows tomorrow")
    assert (accepted.status, accepted.verdict, accepted.reason) == ("CONNECTED", "closed", "Role follows tomorrow")
    assert AuditEvent.objects.get(action="connection.accept").detail["reason"] == "Role follows tomorrow"


def test_an_aws_that_does_not_answer_decides_nothing(checking_aws):
    made = ask()
    checking_aws.fault("unavailable", "AssumeRole")
    with pytest.raises(Unavailable, match="did not answer the connect test"):
        accept(made)
    made.refresh_from_db()
    assert (made.status, made.verdict) == ("PENDING", "")
    assert accept(made, reason="AWS is down").status == "CONNECTED"


def test_repeating_a_decision_is_fine_and_the_opposite_is_a_conflict():
    made = ask(role_arn="")
    accepted = accept(made)
    assert accept(accepted).status == "CONNECTED"
    assert AuditEvent.objects.filter(action="connection.accept").count() == 1
    rejected = connections.reject(by=rows.person(), account_id=MANAGEMENT, connection=accepted)
    assert connections.reject(by=rows.person(), account_id=MANAGEMENT, connection=rejected).status == "REJECTED"
    with pytest.raises(Conflict, match="that is final"):
        accept(rejected)
    with pytest.raises(Conflict, match="stays as it is"):
        connections.update_roles(by=rows.person(), account_id=OTHER, connection=rejected, role_arn=ROLE)


def test_the_test_itself_changes_nothing_else(checking_aws):
    made = ask()
    checking_aws.trust(ROLE, {MANAGEMENT}, external_id=made.external_id)
    tested = connections.test(by=rows.person(role=Role.PLATFORM), connection=made)
    assert (tested.status, tested.verdict) == ("PENDING", "safe")
    assert tested.last_modified_at == made.last_modified_at


def test_deleting_twice_is_once_and_the_row_can_still_be_found_for_that():
    made, by = ask(), rows.person()
    first = connections.delete(by=by, account_id=OTHER, connection=made)
    found = access.connection(by, made.pk, account_id=OTHER, with_deleted=True)
    again = connections.delete(by=by, account_id=OTHER, connection=found)
    assert again.deleted_at == first.deleted_at
    assert AuditEvent.objects.filter(action="connection.delete").count() == 1
    with pytest.raises(NotFound):
        access.connection(by, made.pk)


def test_a_connection_is_visible_to_its_sides_only():
    made, by = ask(), rows.person(role=Role.VIEWER)
    assert [access.connection(by, made.pk, account_id=side) for side in (MANAGEMENT, OTHER)] == [made, made]
    with pytest.raises(NotFound):
        access.connection(by, str(made.pk), account_id="999999999999")
    with pytest.raises(NotFound):
        access.connection(by, "not-an-id")
    assert list(queries.received(by, OTHER)) == list(queries.sent(by, MANAGEMENT)) == []


def test_its_arn_names_it_with_the_environment_account_only():
    made, by = ask(), rows.person()
    assert access.by_arn(by, made.arn) == made
    for account in (MANAGEMENT, "999999999999"):
        with pytest.raises(NotFound):
            access.by_arn(by, made.arn.replace(OTHER, account))


# Changing roles


def test_changed_roles_forget_the_test(checking_aws):
    made = ask()
    connections.test(by=rows.person(), connection=made)
    changed = connections.update_roles(by=rows.person(), account_id=OTHER, connection=made, role_arn=COMPONENTS)
    assert (changed.role_arn, changed.verdict, changed.probes, changed.tested_at) == (COMPONENTS, "", [], None)


def test_changed_roles_of_a_connection_in_force_are_tested_before_they_are_saved(checking_aws):
    made = ask()
    for role in (ROLE, COMPONENTS):
        checking_aws.trust(role, {MANAGEMENT}, external_id=made.external_id)
    accepted = accept(made)
    change = {"by": rows.person(), "account_id": OTHER, "connection": accepted}
    with pytest.raises(Invalid, match="cannot be assumed"):
        connections.update_roles(**change, role_arn=f"arn:aws:iam::{OTHER}:role/nobodys")
    accepted.refresh_from_db()
    assert (accepted.role_arn, accepted.verdict) == (ROLE, "safe")
    changed = connections.update_roles(**change, role_arn=COMPONENTS)
    assert (changed.role_arn, changed.verdict, changed.probes[1]["role_arn"]) == (COMPONENTS, "safe", COMPONENTS)


def test_none_leaves_a_role_and_empty_text_clears_it():
    made = ask(component_role_arn=COMPONENTS)
    changed = connections.update_roles(
        by=rows.person(), account_id=OTHER, connection=made, component_role_arn="", codebuild_role_arn=ROLE
    )
    assert (changed.role_arn, changed.component_role_arn, changed.codebuild_role_arn) == (ROLE, "", ROLE)


# Environments


def test_an_environment_is_made_in_the_account_of_its_connection(simulated):
    made = create(connection=rows.connection("prod"))
    assert (made.target_account_id, made.latest.account_id) == (OTHER, OTHER)
    connection = made.connection
    assert (made.latest.role_arn, made.latest.external_id) == (ROLE, connection.external_id)


@pytest.mark.parametrize("status", ["PENDING", "REJECTED"])
def test_only_a_connected_one_is_used(simulated, status):
    with pytest.raises(Invalid, match=f"This connection is {status.lower()}") as caught:
        create(connection=rows.connection("prod", status=status))
    assert paths(caught) == ["/environment_account_connection_id"]


def test_the_environment_has_exactly_the_name_in_the_connection(simulated):
    with pytest.raises(Invalid, match="for an environment named prod") as caught:
        create("Prod", connection=rows.connection("prod"))
    assert paths(caught) == ["/environment_account_connection_id"]


@pytest.mark.parametrize("member", ROLES)
def test_roles_and_a_connection_are_never_sent_together(simulated, member):
    with pytest.raises(Invalid, match="come from the account connection") as caught:
        create(connection=rows.connection("prod"), **{member: f"arn:aws:iam::{MANAGEMENT}:role/x"})
    assert paths(caught) == [f"/{member}"]


@pytest.mark.parametrize("embedded", [False, True])
@pytest.mark.parametrize("member", ROLES)
def test_a_role_of_another_account_is_refused_without_a_connection(simulated, settings, embedded, member):
    settings.EMBEDDED = embedded
    with pytest.raises(Invalid, match="needs an account connection") as caught:
        create(**{member: ROLE})
    assert paths(caught) == [f"/{member}"]
    with pytest.raises(Invalid):
        create(account_id=OTHER, **{member: ROLE})


def test_another_account_needs_a_connection_except_with_the_embedded_aws(simulated, settings):
    with pytest.raises(Invalid, match="needs an account connection") as caught:
        create(account_id=OTHER)
    assert paths(caught) == ["/account_id"]
    settings.EMBEDDED = True
    assert create(account_id=OTHER).target_account_id == OTHER


def test_pipelines_have_roles_of_the_management_account_only():
    with pytest.raises(Invalid) as caught:
        accounts.update_settings(by=rows.person(), pipeline_service_role_arn=ROLE)
    assert paths(caught) == ["/pipeline_service_role_arn"]


def test_a_connection_in_use_is_not_rejected(simulated):
    used = rows.connection("prod")
    create(connection=used)
    with pytest.raises(Conflict, match="Environment prod deploys through this connection"):
        connections.reject(by=rows.person(), account_id=MANAGEMENT, connection=used)


def home(simulated) -> Environment:
    return rows.environment("prod", connection=rows.connection("prod"))


def update(environment, **fields):
    return environments.update(
        by=rows.person(), environment=environment, **{"deployment_type": "CURRENT_VERSION", **fields}
    )


def test_without_its_connection_an_environment_is_neither_changed_nor_deleted(simulated):
    made = home(simulated)
    connections.delete(by=rows.person(), account_id=OTHER, connection=made.connection)
    for attempt in (lambda: update(made), lambda: environments.delete(by=rows.person(), environment=made)):
        with pytest.raises(Invalid, match=f"connection of prod was deleted. Account {OTHER} must ask for a new one"):
            attempt()
    assert update(made, deployment_type="NONE", description="Ours").description == "Ours"


def test_a_new_connection_of_the_same_account_and_name_gives_the_access_back(simulated, checking_aws):
    made = home(simulated)
    connections.delete(by=rows.person(), account_id=OTHER, connection=made.connection)
    elsewhere = rows.connection("prod", account_id="333333333333", status="PENDING", role_arn="")
    accept(elsewhere)
    made.refresh_from_db()
    assert made.connection.deleted_at is not None
    fresh = ask()
    checking_aws.trust(ROLE, {MANAGEMENT}, external_id=fresh.external_id)
    accept(fresh)
    again = update(made)
    assert (again.connection, again.latest.external_id) == (fresh, fresh.external_id)


def test_another_connection_must_be_of_the_same_account_and_name(simulated):
    made = home(simulated)
    right = rows.connection("prod", role_arn=COMPONENTS)
    for wrong, said in (
        (rows.connection("prod", account_id="333333333333"), "stays in its account"),
        (rows.connection("other"), "named other"),
        (rows.connection("prod", status="PENDING"), "is pending"),
    ):
        with pytest.raises(Invalid, match=said):
            update(made, connection=wrong)
    assert update(made, connection=right).latest.role_arn == COMPONENTS


def test_an_environment_without_a_connection_never_gets_one(simulated):
    made = rows.environment("prod")
    with pytest.raises(Invalid, match="never gets one"):
        update(made, connection=rows.connection("prod"))


def test_an_environment_with_a_connection_never_gets_a_role(simulated):
    made = home(simulated)
    with pytest.raises(Invalid, match="come from the account connection"):
        update(made, proton_service_role_arn=f"arn:aws:iam::{MANAGEMENT}:role/x")
    assert update(made, proton_service_role_arn="").latest.role_arn == ROLE


@pytest.mark.parametrize("member", ROLES)
def test_every_role_of_an_update_is_of_the_management_account_or_comes_from_the_connection(simulated, member):
    own = f"arn:aws:iam::{MANAGEMENT}:role/x"
    with pytest.raises(Invalid, match="come from the account connection") as caught:
        update(home(simulated), deployment_type="NONE", **{member: own})
    assert paths(caught) == [f"/{member}"]
    made = rows.environment("dev")
    with pytest.raises(Invalid, match="needs an account connection") as caught:
        update(made, deployment_type="NONE", **{member: ROLE})
    assert paths(caught) == [f"/{member}"]
    changed = update(made, deployment_type="NONE", **{member: own})
    assert [getattr(changed, name) for name in ROLES] == [own if name == member else "" for name in ROLES]
    assert getattr(update(changed, deployment_type="NONE", **{member: ""}), member) == ""


def test_a_connection_without_a_role_provisions_nothing_with_cloudformation(simulated):
    with pytest.raises(Invalid, match="has no role to provision with"):
        create(connection=rows.connection("prod", role_arn=""))
    assert not Environment.objects.exists()


def test_a_connection_with_a_codebuild_role_alone_starts_builds_by_it_and_nothing_else(simulated):
    builds = f"arn:aws:iam::{rows.OTHER_ACCOUNT}:role/builds"
    made = create(connection=rows.connection("prod", codebuild_role_arn=builds))
    assert places.entry(made, builds=True) == (made.connection.role_arn, made.connection.external_id)
    assert builds not in made.connection.assumed_roles
    made.connection.role_arn = ""
    assert places.entry(made, builds=True) == (builds, made.connection.external_id)
    assert (made.connection.assumed_roles, targets.where(made, "codebuild")["role_arn"]) == ((builds,), builds)
    with pytest.raises(Invalid, match="has no role to provision with"):
        places.entry(made)


def test_components_have_a_role_of_their_own(simulated):
    made = create(connection=rows.connection("prod", component_role_arn=COMPONENTS))
    assert places.entry(made, component=True) == (COMPONENTS, made.connection.external_id)
    made.connection.component_role_arn = ""
    with pytest.raises(Invalid, match="has no component role"):
        places.entry(made, component=True)
    own = f"arn:aws:iam::{MANAGEMENT}:role/components"
    without = create("dev", component_role_arn=own)
    assert places.entry(without, component=True) == (own, "")
    without.component_role_arn = ""
    with pytest.raises(Conflict, match="it has no component role"):
        places.entry(without, component=True)


def test_a_service_is_not_made_in_an_environment_without_access(simulated):
    made = home(simulated)
    of = rows.version(rows.template(TemplateKind.SERVICE), compatible=[made.template])
    connections.delete(by=rows.person(), account_id=OTHER, connection=made.connection)
    with pytest.raises(Invalid, match="connection of prod was deleted"):
        rows.service("web", of=of, spec=rows.service_spec("prod"))
    assert not Service.objects.exists()


def test_a_connection_serves_a_new_environment_when_the_old_one_is_gone(simulated):
    made = home(simulated)
    environments.delete(by=rows.person(), environment=made)
    rows.run_everything()
    assert create(connection=EnvironmentAccountConnection.objects.get()).target_account_id == OTHER
