"""Specs, inputs and what is rendered from them are encrypted where they stand, and plain to whoever reads a row."""

import json

import pytest
from cryptography.fernet import Fernet
from django.apps import apps
from django.core.exceptions import FieldError, ImproperlyConfigured
from django.core.management import call_command
from django.db import connection, models, transaction

from portal import secrets
from portal.actions import components, drafts, environments, instances, key_rotation, pipelines, services
from portal.enums import Role
from portal.models import Component, Deployment, Draft, Environment, Service, ServiceChange, ServiceInstance
from portal.models.fields import AtRest, SecretField, at_rest, opened, secret_columns
from portal.queries import environments as environment_queries
from portal.secrets import is_token
from tests.factories import rows

pytestmark = pytest.mark.django_db
SEALED = {
    "Component": {"spec"},
    "Deployment": {"spec", "inputs", "context", "rendered", "initial_state", "target_state", "handle"},
    "Draft": {"spec"},
    "Environment": {"spec"},
    "Service": {"spec"},
    "ServiceChange": {"spec", "previous_spec"},
    "ServiceInstance": {"spec"},
    "ServicePipeline": {"spec"},
}
FILES = rows.service_files(rows.PIPELINE_SCHEMA, pipeline=rows.PIPELINE_TEMPLATE)
FIRST, SECOND = "cnry-first-9f1c", "cnry-second-77ab"


def stored(row, column):
    """What stands in the column, as text."""
    table, key = row._meta.db_table, row._meta.pk.get_db_prep_value(row.pk, connection)
    with connection.cursor() as cursor:
        cursor.execute(f'SELECT CAST("{column}" AS text) FROM "{table}" WHERE id = %s', [key])
        return cursor.fetchone()[0]


def put(row, column, text):
    """Write it past the product, as an older version or somebody with the database's password does."""
    table, key = row._meta.db_table, row._meta.pk.get_db_prep_value(row.pk, connection)
    cast = "::jsonb" if connection.vendor == "postgresql" and text[:1] in '{"' else ""
    with connection.cursor() as cursor:
        cursor.execute(f'UPDATE "{table}" SET "{column}" = %s{cast} WHERE id = %s', [text, key])


def everything():
    """All that stands in columns that can hold text, by column."""
    found = {}
    textual = models.CharField | models.TextField | models.JSONField
    for model in apps.get_app_config("portal").get_models():
        for column in [column.column for column in model._meta.concrete_fields if isinstance(column, textual)]:
            with connection.cursor() as cursor:
                cursor.execute(f'SELECT CAST("{column}" AS text) FROM "{model._meta.db_table}"')
                found[f"{model.__name__}.{column}"] = "\n".join(str(value) for (value,) in cursor.fetchall())
    return found


def holding(*needles):
    return sorted(column for column, text in everything().items() if any(needle in text for needle in needles))


def spec(value):
    return f"proton: EnvironmentSpec\nspec:\n  cluster_name: {value}\n"


def inputs(value):
    return {"cluster_name": value, "vpc_cidr": "10.0.0.0/16"}


def piped_spec(value, *names):
    return rows.service_spec("home", *names, image=value) + f"pipeline: {{unit_test_command: {value}}}\n"


@pytest.fixture
def home(simulated):
    return rows.environment("home", spec=spec(FIRST))


@pytest.fixture
def web(simulated):
    return rows.open_service(files=FILES, spec=piped_spec(FIRST, "dev"))


@pytest.fixture
def plain(settings):
    settings.SEAL_INPUTS = False
    return settings


def test_every_column_of_inputs_is_sealed():
    found = {}
    for model, column in secret_columns():
        if not isinstance(model._meta.get_field(column), SecretField):
            found.setdefault(model.__name__, set()).add(column)
    assert found == SEALED


def test_to_migrations_they_are_columns_as_any():
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_nothing_that_was_typed_stands_in_the_database(web, simulated):
    by = rows.person()
    home = Environment.objects.get(name="home")
    environments.update(by=by, environment=home, deployment_type="CURRENT_VERSION", spec=spec(FIRST))
    bucket = rows.component(
        "bucket", service_name="web", instance_name="dev", service_spec=piped_spec(FIRST, "dev"),
        template_file=rows.COMPONENT_TEMPLATE + "  Image:\n    Value: '{{ service_instance.inputs.image }}'\n",
    )  # fmt: skip
    rows.run_everything()
    dev = ServiceInstance.objects.get(name="dev")
    instances.update(by=by, instance=dev, deployment_type="CURRENT_VERSION", spec=piped_spec(SECOND, "dev"))
    rows.run_everything()
    pipelines.update(by=by, service=web, deployment_type="CURRENT_VERSION", spec=piped_spec(SECOND, "dev"))
    rows.run_everything()
    web.refresh_from_db()
    services.update(by=by, service=web, spec=piped_spec(SECOND, "dev", "prod"))
    rows.run_everything()
    components.update(
        by=by, component=bucket, deployment_type="CURRENT_VERSION", service_spec=piped_spec(SECOND, "dev"),
        template_file=rows.COMPONENT_TEMPLATE,
    )  # fmt: skip
    rows.run_everything()
    draft = drafts.start(by=by, template=home.template, version=home.version)
    drafts.save(by=by, draft=draft, spec=spec(SECOND))
    told = [Environment, Service, ServiceInstance, Component, Draft]
    assert [[row.spec.count("cnry-") > 0 for row in model.objects.all()] for model in told] == [
        [True], [True], [True, True], [True], [True],
    ]  # fmt: skip
    assert holding(FIRST, SECOND) == []


def test_what_a_failed_edit_brings_back_is_sealed_too(web, simulated):
    simulated["fail"] = True
    services.update(by=rows.person(), service=web, spec=piped_spec(FIRST, "dev", "new"))
    rows.run_everything()
    assert set(Service.objects.get().instances.values_list("name", flat=True)) == {"dev"}
    assert ("cnry" in Service.objects.get().spec, holding(FIRST)) == (True, [])


def test_a_deployment_is_read_as_it_was_written(home):
    deployment = Deployment.objects.get()
    assert (deployment.spec, deployment.inputs) == (spec(FIRST), inputs(FIRST))
    assert deployment.context["environment"]["inputs"] == inputs(FIRST)
    assert deployment.target_state["spec"] == spec(FIRST)
    assert [is_token(json.loads(stored(deployment, name))) for name in ("inputs", "context", "rendered")] == [True] * 3
    assert (is_token(stored(deployment, "spec")), stored(deployment, "initial_state")) == (True, "{}")


def test_plain_rows_of_an_older_version_are_read_and_sealed_when_they_are_saved(home):
    deployment = home.latest
    put(home, "spec", spec("old"))
    put(deployment, "inputs", '{"cluster_name": "old"}')
    home, deployment = Environment.objects.get(), Deployment.objects.get()
    assert (home.spec, deployment.inputs) == (spec("old"), {"cluster_name": "old"})
    home.save()
    deployment.save()
    assert (is_token(stored(home, "spec")), is_token(json.loads(stored(deployment, "inputs")))) == (True, True)
    assert (Environment.objects.get().spec, Deployment.objects.get().inputs) == (spec("old"), {"cluster_name": "old"})


def test_a_token_of_another_row_or_column_is_refused_once_it_is_read(home):
    other = rows.environment("other", of=home.version)
    put(other, "spec", stored(home, "spec"))
    put(home.latest, "context", stored(home.latest, "inputs"))
    assert [row.name for row in Environment.objects.all()] == ["home", "other"]
    for row, column in ((Environment.objects.get(name="other"), "spec"), (Deployment.objects.last(), "context")):
        with pytest.raises(ImproperlyConfigured, match="was moved from its place"):
            getattr(row, column)


def test_an_update_refuses_what_is_plain(home):
    home.spec = spec(SECOND)
    for write in (
        lambda: Environment.objects.update(spec=spec(SECOND)),
        lambda: Deployment.objects.update(inputs=inputs(SECOND)),
        lambda: Environment.objects.bulk_update([home], ["spec"]),
    ):
        with pytest.raises(TypeError, match="is sealed"), transaction.atomic():
            write()
    assert (Environment.objects.get().spec, holding(SECOND)) == (spec(FIRST), [])


def test_an_update_takes_what_is_sealed_for_its_row_and_what_is_empty(home):
    Environment.objects.filter(pk=home.pk).update(**at_rest(home, spec=spec(SECOND), description="new"))
    found = Environment.objects.get()
    assert (found.spec, found.description, holding(SECOND)) == (spec(SECOND), "new", [])
    Environment.objects.update(spec="")
    Deployment.objects.update(inputs={})
    assert (Environment.objects.get().spec, Deployment.objects.get().inputs) == ("", {})


@pytest.mark.parametrize(
    ("wanted", "error"),
    [
        ({"spec": spec(FIRST)}, TypeError),
        ({"spec__contains": FIRST}, FieldError),
        ({"inputs": {"cluster_name": FIRST}}, TypeError),
        ({"inputs__cluster_name": FIRST}, FieldError),
    ],
)
def test_nothing_is_looked_for_in_what_is_sealed(home, wanted, error):
    with pytest.raises(error):
        Deployment.objects.filter(**wanted).exists()


def test_rows_as_dictionaries_are_opened_by_their_model(home):
    row = Environment.objects.values("arn", "name", "spec").get()
    assert isinstance(row["spec"], AtRest) and FIRST not in repr(row)
    assert opened(Environment, row, "spec") == {"arn": home.arn, "name": "home", "spec": spec(FIRST)}
    deployment = Deployment.objects.values("id", "inputs", "initial_state").get()
    assert opened(Deployment, deployment, "inputs", "initial_state") == {
        "id": home.latest_id, "inputs": inputs(FIRST), "initial_state": {},
    }  # fmt: skip


def test_a_column_that_was_left_out_costs_one_query(home, django_assert_num_queries):
    for row, column in (
        (Environment.objects.defer("spec").get(), "spec"),
        (Deployment.objects.defer(*Deployment.HEAVY).get(), "inputs"),
    ):
        with django_assert_num_queries(1):
            assert FIRST in str(getattr(row, column))
            assert getattr(row, column) is getattr(row, column)


def test_what_nobody_read_is_not_sealed_anew(home):
    before = stored(home, "spec")
    row = Environment.objects.get()
    row.description = "new"
    row.save()
    assert stored(home, "spec") == before
    assert row.spec == spec(FIRST)


def test_a_value_that_is_changed_in_place_is_saved(home):
    row = Deployment.objects.get()
    row.inputs["cluster_name"] = SECOND
    row.save()
    assert (Deployment.objects.get().inputs, holding(SECOND)) == (inputs(SECOND), [])


def test_many_rows_at_once_are_sealed(home):
    draft = {"user": rows.person(), "template": home.template, "version": home.version}
    Draft.objects.bulk_create(Draft(spec=spec(f"{SECOND}-{number}"), **draft) for number in range(2))
    found = sorted(row.spec for row in Draft.objects.all())
    assert (found, holding(SECOND)) == ([spec(f"{SECOND}-{number}") for number in range(2)], [])


def test_lists_open_nothing(web, client, settings):
    """Nobody has the key that these rows need, and nobody misses it."""
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    admin = rows.person(role=Role.ADMIN)
    client.force_login(admin)
    addresses = ("/", "/environments/", "/services/", "/components/", "/deployments/", "/pull-requests/")
    assert {address: client.get(address).status_code for address in addresses} == dict.fromkeys(addresses, 200)
    assert [row["name"] for row in environment_queries.shown(admin)] == ["home"]
    with pytest.raises(ImproperlyConfigured):
        Environment.objects.get().spec  # noqa: B018


def make_plain():
    """As the version before wrote everything."""
    for model, column in secret_columns():
        if isinstance(model._meta.get_field(column), SecretField):
            continue
        for row in model._base_manager.all():
            value = getattr(row, column)
            if value:
                put(row, column, value if isinstance(value, str) else json.dumps(value))


def test_rotation_seals_old_rows_and_goes_on_where_it_was_killed(web, monkeypatch):
    monkeypatch.setattr(key_rotation, "BATCH", 2)
    make_plain()
    wanted = ["Deployment", "Environment", "Service", "ServiceChange", "ServiceInstance", "ServicePipeline"]
    assert sorted({column.split(".")[0] for column in holding(FIRST, "main")}) == wanted
    before = {row.pk: (row.spec, row.inputs, row.context, row.rendered) for row in Deployment.objects.all()}
    total = key_rotation.left()

    def die(done):
        if done.rotated == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        key_rotation.rotate(progress=die)
    assert key_rotation.left() == total - 5
    done = key_rotation.rotate()
    assert (done.rotated, done.overtaken, done.unreadable, done.left) == (total - 5, 0, 0, 0)
    assert holding(FIRST, "main") == []
    assert {row.pk: (row.spec, row.inputs, row.context, row.rendered) for row in Deployment.objects.all()} == before
    assert key_rotation.rotate().rotated == 0


def test_a_new_key_wraps_what_is_sealed(web, settings):
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode(), *settings.ENCRYPTION_KEYS]
    done = key_rotation.rotate()
    settings.ENCRYPTION_KEYS = settings.ENCRYPTION_KEYS[:1]
    assert (done.rotated > 10, done.left) == (True, 0)
    assert Service.objects.get().spec == piped_spec(FIRST, "dev")
    assert ServiceChange.objects.get().spec == piped_spec(FIRST, "dev")
    assert {row.inputs["image"] for row in Deployment.objects.filter(instance_name="dev")} == {FIRST}


def test_what_is_written_during_a_rotation_is_kept(web):
    make_plain()
    last = Deployment.objects.order_by("pk").last()

    def change(done):
        if done.rotated == 1:
            Deployment.objects.filter(pk=last.pk).update(**at_rest(last, context={"new": SECOND}))

    done = key_rotation.rotate(progress=change)
    assert (done.overtaken, done.left, Deployment.objects.get(pk=last.pk).context) == (1, 0, {"new": SECOND})


def test_beside_an_older_version_everything_is_written_plain_and_read_either_way(home, plain):
    assert Environment.objects.get().spec == spec(FIRST)
    environments.update(by=rows.person(), environment=home, deployment_type="CURRENT_VERSION", spec=spec(SECOND))
    rows.run_everything()
    latest = Deployment.objects.latest("created_at")
    assert (stored(home, "spec"), json.loads(stored(latest, "inputs"))) == (spec(SECOND), inputs(SECOND))
    assert (Environment.objects.get().spec, latest.inputs) == (spec(SECOND), inputs(SECOND))
    plain.SEAL_INPUTS = True
    assert (Environment.objects.get().spec, latest.inputs) == (spec(SECOND), inputs(SECOND))


def test_before_going_back_to_an_older_version_everything_is_opened(web, plain):
    done = key_rotation.rotate()
    assert (done.rotated > 10, done.overtaken, done.left) == (True, 0, 0)
    assert stored(web, "spec") == piped_spec(FIRST, "dev")
    first = Deployment.objects.filter(instance_name="dev").get()
    assert json.loads(stored(first, "inputs"))["image"] == FIRST == first.inputs["image"]
    assert key_rotation.rotate().rotated == 0


def test_text_that_looks_like_a_token_is_text(home, plain):
    token = stored(home, "spec")
    assert is_token(token)
    draft = Draft.objects.create(user=rows.person(), template=home.template, version=home.version, spec=token)
    assert (Draft.objects.get().spec, stored(draft, "spec") != token) == (token, True)
    assert [is_token(text) for text in ("v2.", "v2: {}\n", f"{secrets.newest()}{'a' * 79}\n", 7, None)] == [False] * 5
