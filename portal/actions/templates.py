"""Creating templates and registering, publishing and deleting their versions."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from portal import nudges, quotas, tasks
from portal.actions import audit
from portal.actions.names import check_name, check_texts, unless_taken
from portal.actions.registrations import store_bundle
from portal.enums import Provisioning, Role, TemplateKind, TemplateVersionStatus
from portal.errors import Conflict, Forbidden, Invalid, QuotaExceeded
from portal.models import CompatibleEnvironment, Deployment, Template, TemplateMajor, TemplateVersion, User
from portal.queries import templates as queries
from provisioning import sources
from provisioning.bundle import Bundle, read_bundle
from provisioning.problems import Problem, ProblemsFound, errors

S3_BUCKET = re.compile(r"[a-z0-9]+[a-z0-9.-]+[a-z0-9]+", re.ASCII)


def _only_admins(by: User) -> None:
    if not by.at_least(Role.ADMIN):
        raise Forbidden("Templates are changed by admins. Ask an admin.")


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
    _only_admins(by)
    check_name(name, "template")
    check_texts(description=description, display_name=display_name)
    kind = TemplateKind(kind)
    if Template.objects.count() >= quotas.TEMPLATES:
        raise QuotaExceeded(f"There are {quotas.TEMPLATES} templates already: delete one first.")
    with transaction.atomic():
        template = unless_taken(
            lambda: Template.objects.create(
                kind=kind,
                name=name,
                display_name=display_name,
                description=description,
                provisioning=Provisioning(provisioning) if provisioning else "",
                encryption_key=encryption_key,
                tags=tags or {},
            ),
            f"{kind.label} template {name} exists already. Choose another name, or add a version to that one.",
        )
        audit.record(by=by, action="template.create", target=template.arn)
    return template


def update_template(
    *, by: User, template: Template, display_name: str | None = None, description: str | None = None
) -> Template:
    """None leaves a text as it is."""
    _only_admins(by)
    check_texts(description=description, display_name=display_name)
    with transaction.atomic():
        template.display_name = template.display_name if display_name is None else display_name
        template.description = template.description if description is None else description
        template.save(update_fields=["display_name", "description", "last_modified_at"])
        audit.record(by=by, action="template.update", target=template.arn)
    return template


def delete_template(*, by: User, template: Template) -> Template:
    """AWS Proton: only without versions. Also refused while an environment or service was made from it."""
    _only_admins(by)
    with transaction.atomic():
        locked = Template.objects.select_for_update().get(pk=template.pk)
        count = locked.versions.count()
        if count:
            raise Conflict(f"Template {template.name} has {count} version{'s' * (count > 1)}: delete them first.")
        if locked.environments.exists() or locked.services.exists():
            raise Conflict(f"Template {template.name} is in use: delete what was made from it first.")
        audit.record(by=by, action="template.delete", target=template.arn)
        locked.delete()
    return template


@dataclass(frozen=True)
class UploadCheck:
    """What reading an archive found. ``ok`` when it can be registered; warnings do not count."""

    bundle: Bundle | None
    problems: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        return self.bundle is not None and not [problem for problem in errors(self.problems) if not problem.code]


def check_upload(
    *, by: User, template: Template, data: bytes, major: int | None = None, compatible: Iterable[tuple[str, int]] = ()
) -> UploadCheck:
    """Everything that registration would say of this archive, with file and line; makes no row.

    Lint findings carry a ``code`` and do not make the check fail: they are recorded with the version.
    """
    from portal.actions import registrations

    _only_admins(by)
    try:
        files = sources.read_archive(data)
    except ProblemsFound as found:
        return UploadCheck(None, found.problems)
    bundle, problems = read_bundle(files, queries.kind_of(template), customer_managed=template.customer_managed)
    problems += _compatible_problems(template, list(compatible))
    if bundle is not None and major is not None:
        problems += registrations.incompatibilities(template, major, None, bundle)
    if bundle is not None:
        problems += registrations.findings(bundle)
    return UploadCheck(bundle, problems)


def register_version(
    *,
    by: User,
    template: Template,
    data: bytes | None = None,
    s3: tuple[str, str] | None = None,
    file_name: str = "",
    major: int | None = None,
    description: str = "",
    compatible: Sequence[tuple[str, int]] = (),
    supported_component_sources: Sequence[str] = (),
    client_token: str = "",
    tags: dict[str, str] | None = None,
) -> TemplateVersion:
    """A new version under the next number, REGISTRATION_IN_PROGRESS: a worker reads and checks the bundle.

    ``data`` is an uploaded archive: when it cannot be read at all, Invalid with every problem, and no row.
    ``s3`` is (bucket, key), fetched by the worker. ``major`` absent: a new major; given: its next minor.
    """
    _only_admins(by)
    check_texts(description=description)
    problems = _compatible_problems(template, compatible)
    if problems:
        raise Invalid("; ".join(problem.message for problem in problems), problems)
    bundle = None
    if data is not None:
        try:
            files = sources.read_archive(data)
        except ProblemsFound as found:
            raise Invalid("The archive cannot be read.", found.problems) from None
        bundle, read_problems = read_bundle(
            files, queries.kind_of(template), customer_managed=template.customer_managed
        )
        if bundle is None:
            raise Invalid("The bundle cannot be registered.", errors(read_problems))
    elif s3 is None or not S3_BUCKET.fullmatch(s3[0]) or not s3[1]:
        raise Invalid("no source", [Problem("/source", "Choose an archive, or give the bucket and key in S3.")])
    with transaction.atomic():
        Template.objects.select_for_update().get(pk=template.pk)
        if template.versions.count() >= quotas.VERSIONS_PER_TEMPLATE:
            raise QuotaExceeded(f"{template.name} has {quotas.VERSIONS_PER_TEMPLATE} versions: delete one first.")
        number = _next_number(template, major)
        version = TemplateVersion.objects.create(
            template=template,
            major=number[0],
            minor=number[1],
            description=description,
            bundle=store_bundle(bundle) if bundle else None,
            source={"s3": {"bucket": s3[0], "key": s3[1]}} if s3 else {"upload": file_name},
            supported_component_sources=list(supported_component_sources),
            client_token=client_token,
            tags=tags or {},
            registered_by=by,
            due_at=Now(),
        )
        _set_compatible(version, compatible)
        audit.record(by=by, action="template_version.register", target=version.arn, source=version.source)
        nudges.after_commit(tasks.drive_registration, version.pk)
    return version


def _next_number(template: Template, major: int | None) -> tuple[int, int]:
    """The number to give out next. Numbers are never reused, so that an old deployment's "1.4" means one bundle."""
    highest = template.majors.order_by("-major").values_list("major", flat=True).first()
    if major is None:
        major = (highest or 0) + 1
    known, made = TemplateMajor.objects.select_for_update().get_or_create(template=template, major=major)
    if made and highest is not None and major != highest + 1:
        message = f"{template.name} has no major version {major}: the next free one is {highest + 1}."
        raise Invalid(message, [Problem("/major", message)])
    minor = known.next_minor
    known.next_minor += 1
    known.save(update_fields=["next_minor"])
    return major, minor


def _compatible_problems(template: Template, compatible: Sequence[tuple[str, int]]) -> tuple[Problem, ...]:
    """AWS Proton: a service template version lists 1 to 10 environment templates with a major version each."""
    if template.kind != TemplateKind.SERVICE:
        return ()
    if not 1 <= len(compatible) <= 10:
        return (Problem("/compatible", "Name one to ten environment templates that its instances may run in."),)
    return tuple(
        Problem("/compatible", f"There is no environment template {name} with a major version {major}.")
        for name, major in compatible
        if not TemplateVersion.objects.filter(
            template__kind=TemplateKind.ENVIRONMENT, template__name=name, major=major
        ).exists()
    )


def _set_compatible(version: TemplateVersion, compatible: Iterable[tuple[str, int]]) -> None:
    version.compatible_environments.all().delete()
    CompatibleEnvironment.objects.bulk_create(
        CompatibleEnvironment(version=version, template_name=name, major=major)
        for name, major in dict.fromkeys(compatible)
    )


def publish_version(
    *, by: User, version: TemplateVersion, reason: str = "", require_reason: bool = False
) -> TemplateVersion:
    """DRAFT becomes PUBLISHED; while registration runs it is published as soon as that ends well.

    Publishing again changes nothing. ``require_reason`` is the browser's rule: lint errors ask for a reason.
    """
    _only_admins(by)
    if require_reason and version.lint_errors and not reason.strip():
        message = "cfn-lint found errors in this version: say why it is published all the same."
        raise Invalid(message, [Problem("/reason", message)])
    with transaction.atomic():
        drafts = TemplateVersion.objects.filter(pk=version.pk, status=TemplateVersionStatus.DRAFT)
        registering = TemplateVersion.objects.filter(
            pk=version.pk, status=TemplateVersionStatus.REGISTRATION_IN_PROGRESS
        )
        reason = reason.strip()[:500]
        if drafts.update(
            status=TemplateVersionStatus.PUBLISHED, published_at=Now(), publish_reason=reason, last_modified_at=Now()
        ):
            audit.record(by=by, action="template_version.publish", target=version.arn, reason=reason)
        elif registering.update(publish_requested=True, publish_reason=reason, last_modified_at=Now()):
            audit.record(by=by, action="template_version.publish_when_registered", target=version.arn, reason=reason)
        version.refresh_from_db()
        if version.status == TemplateVersionStatus.REGISTRATION_FAILED:
            raise Invalid(f"{version} failed to register and cannot be published. Register a corrected bundle.")
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
    _only_admins(by)
    check_texts(description=description)
    changed: dict[str, Any] = {}
    if compatible is not None:
        problems = _compatible_problems(version.template, compatible)
        if problems:
            raise Invalid("; ".join(problem.message for problem in problems), problems)
        changed["compatible"] = [f"{name}:{major}" for name, major in compatible]
    with transaction.atomic():
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
            _set_compatible(version, compatible)
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
    if Deployment.objects.filter(version=version, phase__in=RUNNING_PHASES).exists():
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


RUNNING_PHASES = ("queued", "rendering", "applying", "attention")


def _only_registered_by_failed_create(version: TemplateVersion) -> bool:
    """Whether something that was never deployed shows this version as its attempted one."""
    never_deployed = Q(version__isnull=True, latest__version=version)
    from portal.models import Environment, ServiceInstance, ServicePipeline

    return any(
        model.objects.filter(never_deployed).exists() for model in (Environment, ServiceInstance, ServicePipeline)
    )


def delete_version(*, by: User, version: TemplateVersion) -> TemplateVersion:
    """Raises Conflict with every reason of ``blockers_of_deletion``. Its number is never given out again."""
    _only_admins(by)
    with transaction.atomic():
        Template.objects.select_for_update().get(pk=version.template_id)
        locked = TemplateVersion.objects.select_related("template").get(pk=version.pk)
        reasons = blockers_of_deletion(locked)
        if reasons:
            raise Conflict(f"{version} cannot be deleted. " + " ".join(reasons))
        audit.record(by=by, action="template_version.delete", target=version.arn)
        bundle = locked.bundle
        locked.delete()
        if bundle is not None and not bundle.versions.exists() and not bundle.deployments.exists():
            bundle.delete()
    return version
