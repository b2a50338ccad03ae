"""Usage records: intervals that never overlap, and that the deployments alone can say again."""

import io
import itertools
from collections import defaultdict

from django.core.management import call_command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from portal.actions import environments, instances, services
from portal.enums import TemplateKind
from portal.errors import PortalError
from portal.models import AuditEvent, Environment, Service, ServiceInstance, UsageRecord
from tests.factories import rows

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["create", "update", "fail", "delete", "serve", "instance", "unserve"]),
        st.sampled_from(["one", "two"]),
        st.integers(0, 2),
    ),
    min_size=3,
    max_size=12,
)


def recorded() -> list[tuple]:
    columns = [field.attname for field in UsageRecord._meta.fields if field.name != "id"]
    return sorted(UsageRecord.objects.values_list(*columns), key=str)


class History:
    """Operations on two environments and their services; what cannot be done now is refused, which is fine."""

    def __init__(self) -> None:
        self.wishes: dict[str, object] = {"seconds": 0, "outputs": {}}
        self.by = rows.person()
        self.home = rows.template()
        self.app = rows.template(TemplateKind.SERVICE)
        for minor in range(3):
            code = f"{rows.ENVIRONMENT_TEMPLATE}# {minor}\n"
            rows.version(self.home, f"1.{minor}", rows.environment_files(code=code))
            rows.version(self.app, f"1.{minor}", compatible=[self.home])

    def do(self, what: str, name: str, minor: int) -> None:
        self.wishes.pop("fail", None)
        if what == "fail":
            self.wishes["fail"] = "no capacity"
        try:
            getattr(self, "update" if what == "fail" else what)(name, minor)
        except (PortalError, Environment.DoesNotExist, Service.DoesNotExist, ServiceInstance.DoesNotExist):
            return
        rows.run_everything()

    def create(self, name: str, minor: int) -> None:
        environments.create(by=self.by, name=name, template=self.home, spec=rows.ENVIRONMENT_SPEC, major=1, minor=minor)

    def update(self, name: str, minor: int) -> None:
        environment = Environment.objects.get(name=name)
        environments.update(by=self.by, environment=environment, deployment_type="MINOR_VERSION", minor=minor)

    def delete(self, name: str, minor: int) -> None:
        environments.delete(by=self.by, environment=Environment.objects.get(name=name))

    def serve(self, name: str, minor: int) -> None:
        services.create(by=self.by, name=name, template=self.app, spec=rows.service_spec(name), major=1, minor=minor)

    def instance(self, name: str, minor: int) -> None:
        instance = ServiceInstance.objects.get(service__name=name)
        instances.update(by=self.by, instance=instance, deployment_type="MINOR_VERSION", minor=minor)

    def unserve(self, name: str, minor: int) -> None:
        services.delete(by=self.by, service=Service.objects.get(name=name))


class TestUsage(TestCase):
    @settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(STEPS)
    def test_after_any_history_the_deployments_say_the_same_intervals_again(self, steps) -> None:
        history = History()
        with self.settings(SIMULATION=history.wishes):
            for step in [("create", "one", 0), ("serve", "one", 0), *steps]:
                history.do(*step)
            before = recorded()
            call_command("rebuild_usage", verbosity=0, stdout=io.StringIO())
            assert recorded() == before
            assert len(before) >= 1
            self.no_interval_overlaps()
            self.what_runs_is_what_the_open_intervals_say()

    def no_interval_overlaps(self) -> None:
        by_target = defaultdict(list)
        for row in UsageRecord.objects.order_by("started_at", "ended_at"):
            by_target[row.target_arn].append((row.started_at, row.ended_at))
        for intervals in by_target.values():
            for (started, ended), (following, _) in itertools.pairwise(intervals):
                assert ended is not None and started <= ended <= following

    def what_runs_is_what_the_open_intervals_say(self) -> None:
        says = UsageRecord.objects.filter(ended_at__isnull=True).values_list("target_arn", "major", "minor")
        runs = [
            (row.arn, row.version.major, row.version.minor)
            for model in (Environment, ServiceInstance)
            for row in model.objects.filter(version__isnull=False).select_related("version")
        ]
        assert sorted(says) == sorted(runs)

    def test_the_next_interval_begins_when_the_last_one_ends(self) -> None:
        history = History()
        with self.settings(SIMULATION=history.wishes):
            history.do("create", "one", 0)
            history.do("update", "one", 1)
        first, second = UsageRecord.objects.order_by("started_at")
        assert first.ended_at == second.started_at == second.deployment.completed_at

    def test_rebuilding_is_audited(self) -> None:
        call_command("rebuild_usage", verbosity=0, stdout=io.StringIO())
        assert list(AuditEvent.objects.values_list("action", "actor_name")) == [("usage.rebuild", "system")]
