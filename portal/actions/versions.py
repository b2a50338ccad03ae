"""Which version a deployment type means (AWS Proton's rules for updates)."""

from portal.enums import DeploymentUpdateType
from portal.errors import Invalid
from portal.models import Template, TemplateVersion, User
from portal.queries import templates as queries
from provisioning.problems import Problem


def _refuse(message: str) -> None:
    raise Invalid(message, [Problem("/version", message)])


def target(
    *,
    by: User,
    template: Template,
    current: TemplateVersion,
    deployment_type: str,
    major: int | None,
    minor: int | None,
) -> TemplateVersion:
    """The version to deploy.

    CURRENT_VERSION takes no version. MINOR_VERSION: any usable minor of the same major, older ones included; without
    one the recommended. MAJOR_VERSION: a higher major, by default the template's recommended version.
    Raises Invalid, or NotFound.
    """
    kind = DeploymentUpdateType(deployment_type)
    if kind == DeploymentUpdateType.CURRENT_VERSION:
        if major is not None or minor is not None:
            _refuse("CURRENT_VERSION keeps the version: leave the version numbers out.")
        return current
    if kind == DeploymentUpdateType.MINOR_VERSION:
        if major not in (None, current.major):
            _refuse(f"MINOR_VERSION stays in major {current.major}: use MAJOR_VERSION to move to {major}.")
        return queries.resolve(by, template, current.major, minor)
    if major is None:
        recommended = queries.recommended(template)
        if recommended is None:
            _refuse(f"{template.name} has no recommended version yet: name the major version.")
            raise AssertionError
        if minor is None:
            return _not_lower(recommended, current)
        major = recommended.major
    return _not_lower(queries.resolve(by, template, major, minor), current)


def _not_lower(version: TemplateVersion, current: TemplateVersion) -> TemplateVersion:
    if version.major <= current.major:
        _refuse(
            f"MAJOR_VERSION moves to a higher major than {current.major}, and {version.number} is none. "
            "Use MINOR_VERSION inside a major; going back to a lower major is not possible."
        )
    return version


def update_type(current: TemplateVersion | None, wanted: TemplateVersion) -> DeploymentUpdateType:
    """The deployment type that moves from one version to another; what a page needs to call an update."""
    if current is None or current.pk == wanted.pk:
        return DeploymentUpdateType.CURRENT_VERSION
    if current.major == wanted.major:
        return DeploymentUpdateType.MINOR_VERSION
    return DeploymentUpdateType.MAJOR_VERSION
