"""Creating templates and registering, publishing and deleting their versions."""

from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from portal import quotas
from portal.actions import audit, inserts
from portal.actions.bundles import drop_unused
from portal.actions.names import check_name, check_texts
from portal.actions.registrations import compatible_problems, locked_template, only_admins, set_compatible
from portal.enums import RUNNING, Provisioning, TemplateKind, TemplateVersionStatus
from portal.errors import Conflict, Invalid, NotFound, QuotaExceeded
from portal.models import (
    Deployment,
    Environment,
    ServiceInstance,
    ServicePipeline,
    Template,
    TemplateVersion,
    User,
)
from portal.queries import prepared
from portal.queries import templates as queries
from provisioning.problems import Problem


def _locked_version(version: TemplateVersion) -> TemplateVersion:
    """The same of a version."""
    rows = TemplateVersion.objects.select_for_update(of=("self",)).select_related("template")
    locked = rows.filter(pk=version.pk).first()
    if locked is None:
        raise NotFound(f"{version} does not exist any more")
    return locked


def create_template(
    *,
    by: User,
    kind: str,
    name: str,
    display_name: str = "",
    description: str = "",
    provisioning: str = "",
    encryption_key: str = "",
    tags: dict[str, str] | None = None,
) -> Template:
    """A name to publish versions under. Raises Conflict when it is taken in its kind, QuotaExceeded past 1000."""
    only_admins(by)
    check_name(name, "template")
    check_texts(description=description, display_name=display_name)
    kind = TemplateKind(kind)
    if prepared.count(Template) >= quotas.TEMPLATES:
        raise QuotaExceeded(f"There are {quotas.TEMPLATES} templates already: delete one first.")
    template = Template(
        kind=kind,
        name=name,
        display_name=display_name,
        description=description,
        provisioning=Provisioning(provisioning) if provisioning else "",
        encryption_key=encryption_key,
        tags=tags or {},
    )
    with transaction.atomic(savepoint=False):
        made = inserts.insert_unless_taken(template)
        if made:
            audit.record(by=by, action="template.create", target=template.arn)
    if not made:
        raise Conflict(
            f"{kind.label} template {name} exists already. Choose another name, or add a version to that one."
        )
    return template


def update_template(
    *, by: User, template: Template, display_name: str | None = None, description: str | None = None
) -> Template:
    """None leaves a text as it is."""
    only_admins(by)
    check_texts(description=description, display_name=display_name)
    with transaction.atomic():
        template = locked_template(template)
        template.display_name = template.display_name if display_name is None else display_name
        template.description = template.description if description is None else description
        template.save(update_fields=["display_name", "description", "last_modified_at"])
        audit.record(by=by, action="template.update", target=template.arn)
    return template


def delete_template(*, by: User, template: Template) -> Template:
    """AWS Proton: only without versions. Also refused while an environment or service was made from it."""
    only_admins(by)
    with transaction.atomic():
        locked = locked_template(template)
        count = locked.versions.count()
        if count:
            raise Conflict(f"Template {template.name} has {count} version{'s' * (count > 1)}: delete them first.")
        if locked.environments.exists() or locked.services.exists():
            raise Conflict(f"Template {template.name} is in use: delete what was made from it first.")
        audit.record(by=by, action="template.delete", target=template.arn)
        locked.delete()
    return template


def publish_version(
    *, by: User, version: TemplateVersion, reason: str = "", require_reason: bool = False
) -> TemplateVersion:
    """DRAFT becomes PUBLISHED; while registration runs it is published as soon as that ends well.

    Publishing again changes nothing. ``require_reason`` is the browser's rule: lint errors ask for a reason.
    """
    only_admins(by)
    reason = reason.strip()[:500]
    with transaction.atomic():
        locked = _locked_version(version)
        if require_reason and locked.lint_errors and not reason:
            message = "cfn-lint found errors in this version: say why it is published all the same."
            raise Invalid(message, [Problem("/reason", message)])
        if locked.status == TemplateVersionStatus.REGISTRATION_FAILED:
            raise Invalid(f"{locked} failed to register and cannot be published. Register a corrected bundle.")
        row = TemplateVersion.objects.filter(pk=locked.pk)
        if locked.status == TemplateVersionStatus.DRAFT:
            row.update(
                status=TemplateVersionStatus.PUBLISHED,
                published_at=Now(),
                publish_reason=reason,
                last_modified_at=Now(),
            )
            audit.record(by=by, action="template_version.publish", target=locked.arn, reason=reason)
        elif locked.status == TemplateVersionStatus.REGISTRATION_IN_PROGRESS and not locked.publish_requested:
            row.update(publish_requested=True, publish_reason=reason, last_modified_at=Now())
            audit.record(by=by, action="template_version.publish_when_registered", target=locked.arn, reason=reason)
    version.refresh_from_db()
    return version


def update_version(
    *,
    by: User,
    version: TemplateVersion,
    description: str | None = None,
    compatible: Sequence[tuple[str, int]] | None = None,
    supported_component_sources: Sequence[str] | None = None,
    trusts_inputs: bool | None = None,
) -> TemplateVersion:
    """None leaves a member as it is. ``trusts_inputs`` lets developers write ``${...}`` into this version's inputs."""
    only_admins(by)
    check_texts(description=description)
    changed: dict[str, Any] = {}
    if compatible is not None:
        problems = compatible_problems(version.template, compatible)
        if problems:
            raise Invalid("; ".join(problem.message for problem in problems), problems)
        changed["compatible"] = [f"{name}:{major}" for name, major in compatible]
    with transaction.atomic():
        version = _locked_version(version)
        if description is not None:
            changed["description"] = True
            version.description = description
        if supported_component_sources is not None:
            changed["supported_component_sources"] = list(supported_component_sources)
            version.supported_component_sources = list(supported_component_sources)
        if trusts_inputs is not None and trusts_inputs != version.trusts_inputs:
            changed["trusts_inputs"] = trusts_inputs
            version.trusts_inputs = trusts_inputs
        version.save(update_fields=["description", "supported_component_sources", "trusts_inputs", "last_modified_at"])
        if compatible is not None:
            set_compatible(version, compatible)
        audit.record(by=by, action="template_version.update", target=version.arn, **changed)
    return version


def blockers_of_deletion(version: TemplateVersion) -> list[str]:
    """Why it cannot be deleted, in sentences; [] when it can. AWS Proton's rules, read strictly: what runs it, and
    the recommended version while others exist, and the recommended minor of a major while others of it exist."""
    reasons = []
    users = queries.users_of(version)
    if users:
        names = ", ".join(str(user) for user in users[:5]) + (", …" if len(users) > 5 else "")
        reasons.append(f"It runs in {names}. Move {'them' if len(users) > 1 else 'it'} to another version first.")
    if Deployment.objects.filter(version=version, status__in=RUNNING).exists():
        reasons.append("A deployment with it is running. Wait for its end.")
    if _only_registered_by_failed_create(version):
        reasons.append("Something whose first deployment failed was made with it. Delete or retry that first.")
    if version.is_published:
        others = version.template.versions.exclude(pk=version.pk)
        recommended = queries.recommended(version.template)
        if recommended == version and others.exists():
            reasons.append("It is the recommended version. It can be deleted only as the last version of its template.")
        elif (
            queries.recommended_minor(version.template, version.major) == version
            and others.filter(major=version.major).exists()
        ):
            reasons.append(f"It is the recommended minor of major {version.major}. Delete the other minors first.")
    return reasons


def _only_registered_by_failed_create(version: TemplateVersion) -> bool:
    """Whether something that was never deployed shows this version as its attempted one."""
    never_deployed = Q(version__isnull=True, latest__version=version)
    return any(
        model.objects.filter(never_deployed).exists() for model in (Environment, ServiceInstance, ServicePipeline)
    )


def delete_version(*, by: User, version: TemplateVersion) -> TemplateVersion:
    """Raises Conflict with every reason of ``blockers_of_deletion``. Its number is never given out again."""
    only_admins(by)
    with transaction.atomic():
        locked = _locked_version(version)
        reasons = blockers_of_deletion(locked)
        if reasons:
            raise Conflict(f"{version} cannot be deleted. " + " ".join(reasons))
        audit.record(by=by, action="template_version.delete", target=version.arn)
        digest = locked.bundle_id
        locked.delete()
        drop_unused(digest)
    return version
