"""The page of the API says what the registry says."""

import re
from pathlib import Path

import pytest

from portal import quotas
from portal.wire.registry import handlers
from portal.wire.service_model import operation_models
from tests.wire.later import LATER

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "wire-api.md").read_text()
ROWS = re.findall(r"^\| `([A-Z]\w+)` \| (.+) \| ([^|]+) \|$", TEXT.split("## Pages")[0], re.MULTILINE)


def test_the_page_names_every_operation_once():
    assert sorted(name for name, _, _ in ROWS) == sorted(operation_models())


def test_each_operation_has_the_role_of_the_registry_or_is_said_to_be_still_to_come():
    expected = {name: operation.role.label.lower() for name, operation in handlers().items()}
    assert {name: role for name, _, role in ROWS} == {**dict.fromkeys(LATER, "–"), **expected}
    assert {name for name, what, _ in ROWS if what == "not yet available"} == LATER


@pytest.mark.parametrize(
    ("phrase", "quota"),
    [
        ("{} templates", quotas.TEMPLATES),
        ("{} versions of each", quotas.VERSIONS_PER_TEMPLATE),
        ("{} environments", quotas.ENVIRONMENTS),
        ("{} services", quotas.SERVICES),
        ("{} instances of a service", quotas.INSTANCES_PER_SERVICE),
        ("{} components", quotas.COMPONENTS),
        ("{} account connections", quotas.CONNECTIONS_PER_ENVIRONMENT_ACCOUNT),
    ],
)
def test_quotas_are_those_of_the_product(phrase, quota):
    assert phrase.format(quota) in " ".join(TEXT.split())


def test_every_error_that_the_model_has_is_explained():
    declared = {error.name for model in operation_models().values() for error in model.error_shapes}
    table = TEXT.split("## Errors")[1].split("## Limits")[0]
    assert declared - set(re.findall(r"`(\w+Exception)`", table)) == set()
