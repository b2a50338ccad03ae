"""Environments, as service wizards offer them."""

import pytest

from portal.enums import TemplateKind
from portal.queries import environments
from tests.factories import rows

pytestmark = pytest.mark.django_db


def test_environments_that_fit_run_a_listed_template_in_its_major(simulated):
    vpc, other = rows.template(name="vpc"), rows.template(name="other")
    one, two = rows.version(vpc, "1.0"), rows.version(vpc, "2.0")
    rows.environment("fits", of=one)
    rows.environment("too-new", of=two)
    rows.environment("other", of=rows.version(other, "1.0"))
    simulated["fail"] = "no capacity"
    rows.environment("attempted", of=one)
    app = rows.version(rows.template(TemplateKind.SERVICE), compatible=[vpc])
    found = environments.compatible_with(rows.person(), app)
    assert sorted(row.name for row in found) == ["attempted", "fits"]
