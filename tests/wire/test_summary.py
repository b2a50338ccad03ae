"""The summary of everything."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portal.enums import Role, TemplateKind
from tests.factories import rows
from tests.wire.conftest import run

pytestmark = pytest.mark.django_db
NOTHING = {"total": 0, "upToDate": 0, "behindMajor": 0, "behindMinor": 0, "failed": 0}
OTHER_SPEC = rows.ENVIRONMENT_SPEC.replace("main", "other")
PIPED = rows.service_files(rows.PIPELINE_SCHEMA, pipeline=rows.PIPELINE_TEMPLATE)


def counts(person):
    return run(person, "GetResourcesSummary")["counts"]


def test_an_empty_portal_counts_nothing():
    assert counts(rows.person(role=Role.VIEWER)) == {
        "environments": NOTHING,
        "serviceInstances": NOTHING,
        "pipelines": NOTHING,
        "services": NOTHING,
        "components": {"total": 0, "failed": 0},
        "environmentTemplates": {"total": 0},
        "serviceTemplates": {"total": 0},
    }


def test_everything_is_counted_once_by_its_distance_and_failures_beside(simulated):
    admin = rows.person("admin")
    vpc = rows.version(rows.template(name="vpc"))
    home = rows.environment("home", of=vpc)
    web_app = rows.template(TemplateKind.SERVICE, "web-app")
    first = rows.version(web_app, "1.0", files=PIPED, compatible=[vpc.template])
    second = rows.version(web_app, "1.1", files=PIPED, compatible=[vpc.template])
    rows.service("old", of=first, spec=rows.service_spec("home", "a", "b"))
    rows.service("new", of=second, spec=rows.service_spec("home"))
    rows.version(vpc.template, "2.0")
    rows.version(vpc.template, "3.0", status="DRAFT")
    newest = rows.environment("newest", of=rows.version(rows.template(name="other")))
    asked = {"serviceName": "old", "name": "a", "deploymentType": "MINOR_VERSION"}
    run(admin, "UpdateServiceInstance", **asked)
    rows.run_everything()
    simulated["fail"] = "no"
    for name in (home.name, newest.name):
        run(admin, "UpdateEnvironment", name=name, deploymentType="CURRENT_VERSION", spec=OTHER_SPEC)
    rows.service("broken", of=second, spec=rows.service_spec("home"))
    assert counts(admin) == {
        "environments": {"total": 2, "upToDate": 1, "behindMajor": 1, "behindMinor": 0, "failed": 2},
        "serviceInstances": {"total": 4, "upToDate": 3, "behindMajor": 0, "behindMinor": 1, "failed": 1},
        "pipelines": {"total": 3, "upToDate": 2, "behindMajor": 0, "behindMinor": 1, "failed": 1},
        "services": {"total": 3, "upToDate": 2, "behindMajor": 0, "behindMinor": 1, "failed": 1},
        "components": {"total": 0, "failed": 0},
        "environmentTemplates": {"total": 2},
        "serviceTemplates": {"total": 1},
    }


def test_a_template_without_a_recommended_version_leaves_nothing_behind(simulated):
    draft = rows.version(rows.template(name="vpc"), status="DRAFT")
    rows.environment("home", of=draft)
    assert counts(rows.person("admin"))["environments"] == {**NOTHING, "total": 1, "upToDate": 1}


def test_the_summary_costs_the_same_for_any_number(simulated):
    admin = rows.person("admin")
    costs = []
    for _ in range(3):
        rows.service()
        with CaptureQueriesContext(connection) as found:
            counts(admin)
        costs.append(len(found))
    assert costs == [8, 8, 8]
