"""A portal in which some of the names that ``generating`` gives lead somewhere."""

from portal.enums import TemplateKind
from portal.models import EnvironmentAccountConnection, User
from tests.factories import rows
from tests.wire.generating import UUID


def a_world() -> User:
    """Its admin. Deployments must be simulated."""
    admin = rows.person("admin")
    home = rows.environment("home", by=admin, of=rows.version(rows.template(name="vpc")))
    of = rows.version(rows.template(TemplateKind.SERVICE, "web-app"), compatible=[home.template])
    rows.service("web", by=admin, of=of, spec=rows.service_spec("home"))
    rows.open_service("open", "place", by=admin)
    rows.component("bucket", environment_name="place")
    connection = rows.connection("prod", codebuild_role_arn="")
    EnvironmentAccountConnection.objects.filter(pk=connection.pk).update(id=UUID)
    return admin
