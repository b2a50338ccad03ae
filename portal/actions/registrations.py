"""Registering template versions: a worker reads and checks the bundle, renders it with samples, lints the result."""

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from portal import engines, nudges, quotas, tasks
from portal.actions import audit, claims
from portal.actions.names import check_texts
from portal.actions.rendering import with_defaults
from portal.actions.tags import checked
from portal.enums import Role, TemplateKind, TemplateVersionStatus
from portal.errors import Forbidden, Invalid, NotFound, QuotaExceeded
from portal.models import Bundle as BundleRow
from portal.models import CompatibleEnvironment, Template, TemplateMajor, TemplateVersion, User
from portal.queries import templates as queries
from portal.queries.rights import may_change
from provisioning import sources
from provisioning.bundle import Bundle, Part, read_bundle
from provisioning.problems import Problem, ProblemsFound, errors
from provisioning.schema import Schema, compatible

S3_BUCKET = re.compile(r"[a-z0-9]+[a-z0-9.-]+[a-z0-9]+", re.ASCII)
log = logging.getLogger(__name__)
MAX_ATTEMPTS = 5  # claims without a result; then the bundle itself is to blame
RETRY_SECONDS = 5.0


def only_admins(by: User) -> None:
    """Raises Forbidden for everybody else."""
    if not by.at_least(Role.ADMIN):
        raise Forbidden("Templates are changed by admins. Ask an admin.")


def locked_template(template: Template) -> Template:
    """The row of now, locked until the transaction ends. Raises NotFound when it was deleted meanwhile."""
    locked = Template.objects.select_for_update().filter(pk=template.pk).first()
    if locked is None:
        raise NotFound(f"template {template.name} does not exist any more")
    return locked


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
    only_admins(by)
    try:
        files = sources.read_archive(data)
    except ProblemsFound as found:
        return UploadCheck(None, found.problems)
    bundle, problems = read_bundle(files, queries.kind_of(template), customer_managed=template.customer_managed)
    problems += compatible_problems(template, list(compatible))
    if bundle is not None and major is not None:
        problems += incompatibilities(template, major, None, bundle)
    if bundle is not None:
        problems += findings(bundle)
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
    only_admins(by)
    check_texts(description=description)
    problems = compatible_problems(template, compatible)
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
        template = locked_template(template)
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
            tags=checked(tags or {}),
            registered_by=by,
            due_at=Now(),
        )
        set_compatible(version, compatible)
        audit.record(by=by, action="template_version.register", target=version.arn, source=version.source)
        version.refresh_from_db(fields=["due_at"])  # the database's clock said when
        nudges.after_commit(tasks.drive_registration, version.pk)
    return version


def _next_number(template: Template, major: int | None) -> tuple[int, int]:
    """The number to give out next. Numbers are never reused, so that an old deployment's "1.4" means one bundle."""
    highest = template.majors.order_by("-major").values_list("major", flat=True).first() or 0
    if major is None:
        major = highest + 1
    known, made = TemplateMajor.objects.select_for_update().get_or_create(template=template, major=major)
    if made and major != highest + 1:
        message = f"{template.name} has no major version {major}: the next free one is {highest + 1}."
        raise Invalid(message, [Problem("/major", message)])
    minor = known.next_minor
    known.next_minor += 1
    known.save(update_fields=["next_minor"])
    return major, minor


def compatible_problems(template: Template, compatible: Sequence[tuple[str, int]]) -> tuple[Problem, ...]:
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


def set_compatible(version: TemplateVersion, compatible: Iterable[tuple[str, int]]) -> None:
    version.compatible_environments.all().delete()
    CompatibleEnvironment.objects.bulk_create(
        CompatibleEnvironment(version=version, template_name=name, major=major)
        for name, major in dict.fromkeys(compatible)
    )


def store_bundle(bundle: Bundle) -> BundleRow:
    """The row of this content, made once by digest."""
    rows = BundleRow.objects.select_for_update().defer("content")  # locked, so that nobody deletes it as unused
    with transaction.atomic():
        row, _ = rows.get_or_create(digest=bundle.digest, defaults={"content": bundle.pack(), "size": bundle.size})
    return row


def findings(bundle: Bundle) -> tuple[Problem, ...]:
    """What cfn-lint says of the bundle's templates, rendered with sample inputs. Never blocks registration.

    Each part is rendered twice: with every input, and with as few as a spec may hold. A problem carries a ``code``.
    """
    found: dict[Problem, None] = {}
    for part in bundle.parts.values():
        if part.template:
            found.update(dict.fromkeys(_findings(part, bundle.schema)))
    return tuple(found)


def _findings(part: Part, schema: Schema) -> list[Problem]:
    from provisioning import lint
    from provisioning.render import samples

    found: list[Problem] = []
    linted: set[str] = set()
    for context in samples.sample_contexts(
        part.name, _inputs_of(part, schema), instance_input_type=with_defaults(schema.service)
    ):
        sample = samples.render_sample(part.template, part.template_file, context, engines.render_pool().render)
        found += [replace(problem, code=problem.code or "render") for problem in sample.problems]
        if sample.text is not None and sample.text not in linted:
            linted.add(sample.text)
            found += lint.lint_template(sample.text, part.template_file, settings.PORTAL_REGION)
    return found


def _inputs_of(part: Part, schema: Schema) -> Mapping[str, Any]:
    """The inputs that a part is rendered with, as a JSON Schema with their defaults."""
    return with_defaults(
        {"infrastructure": schema.environment, "instance": schema.service, "pipeline": schema.pipeline}[part.name]
    )


def incompatibilities(template: Template, major: int, minor: int | None, bundle: Bundle) -> tuple[Problem, ...]:
    """AWS Proton: a minor version must accept every spec that its predecessors accepted."""
    rows = template.versions.filter(major=major, bundle__isnull=False).filter(
        status__in=[TemplateVersionStatus.DRAFT, TemplateVersionStatus.PUBLISHED]
    )
    if minor is not None:
        rows = rows.filter(minor__lt=minor)
    older = rows.select_related("template").order_by("-minor").first()
    return compatible(queries.schema_of(older), bundle.schema) if older else ()


def drive(version_id: int) -> None:
    """Take the version if it is due, and finish its registration. A repeated or late call finds nothing to do."""
    version = claims.claim(TemplateVersion, version_id)
    if version is None:
        return
    try:
        if version.status != TemplateVersionStatus.REGISTRATION_IN_PROGRESS:
            claims.release(version, wait=None)
        elif version.attempts > MAX_ATTEMPTS:
            _fail(version, [Problem("", f"Reading this bundle failed {MAX_ATTEMPTS} times and was given up.")])
        else:
            _register(version)
    except claims.LostClaim as lost:
        log.warning("stale write dropped: %s", lost)


def _lost_right(version: TemplateVersion) -> list[Problem]:
    """Why the person who sent the bundle may not register it any more; [] while that person may."""
    sender = User.objects.filter(pk=version.registered_by_id).first()
    if sender is None:
        return [Problem("", "Whoever sent this bundle does not exist any more. Ask an admin to send it again.")]
    if not may_change(sender, version):
        return [Problem("", f"{sender.username}, who sent this bundle, may not change templates any more.")]
    return []


def _register(version: TemplateVersion) -> None:
    lost = _lost_right(version)
    if lost:
        return _fail(version, lost)
    template = version.template
    kind = queries.kind_of(template)
    try:
        if version.bundle_id is not None:
            files = dict(queries.bundle_of(version).files)
        else:
            source = version.source["s3"]
            files = sources.read_s3(source["bucket"], source["key"], engines.s3_client())
        bundle, problems = read_bundle(files, kind, customer_managed=template.customer_managed)
    except ProblemsFound as found:
        return _fail(version, found.problems)
    except (BotoCoreError, ClientError) as trouble:
        if version.attempts >= MAX_ATTEMPTS:
            return _fail(version, [Problem("", f"The archive could not be fetched from S3: {trouble}")])
        return claims.release(
            version, wait=RETRY_SECONDS, attempts=version.attempts, status_message=f"Waiting for S3: {trouble}"
        )
    if bundle is not None:
        problems += incompatibilities(template, version.major, version.minor, bundle)
    if bundle is None or errors(problems):
        return _fail(version, problems)
    problems += findings(bundle)
    lost = _lost_right(version)  # reading and linting take their time
    if lost:
        return _fail(version, lost)
    with transaction.atomic():
        now = TemplateVersion.objects.select_for_update().only("publish_requested").get(pk=version.pk)
        publish = now.publish_requested
        claims.release(
            version,
            wait=None,
            bundle=store_bundle(bundle),
            schema=bundle.schema_text,
            has_pipeline=bundle.has_pipeline,
            problems=[asdict(problem) for problem in problems],
            status_message="",
            status=TemplateVersionStatus.PUBLISHED if publish else TemplateVersionStatus.DRAFT,
            published_at=Now() if publish else None,
            last_modified_at=Now(),
        )
        audit.record(by=version.registered_by, action="template_version.registered", target=version.arn)
    return None


def _fail(version: TemplateVersion, problems: list[Problem] | tuple[Problem, ...]) -> None:
    with transaction.atomic():
        claims.release(
            version,
            wait=None,
            status=TemplateVersionStatus.REGISTRATION_FAILED,
            status_message="\n".join(str(problem) for problem in errors(problems)),
            problems=[asdict(problem) for problem in problems],
            last_modified_at=Now(),
        )
        audit.record(by=version.registered_by, action="template_version.registration_failed", target=version.arn)
