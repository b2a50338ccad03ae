"""Registering a template version: a worker reads and checks its bundle, renders it with samples, lints the result."""

import logging
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.db.models.functions import Now

from portal import engines
from portal.actions import audit, claims
from portal.actions.rendering import with_defaults
from portal.enums import TemplateVersionStatus
from portal.models import Bundle as BundleRow
from portal.models import Template, TemplateVersion
from portal.queries import templates as queries
from provisioning import sources
from provisioning.bundle import Bundle, Part, read_bundle
from provisioning.problems import Problem, ProblemsFound, errors
from provisioning.schema import Schema, compatible

log = logging.getLogger(__name__)
MAX_ATTEMPTS = 5  # claims without a result; then the bundle itself is to blame
RETRY_SECONDS = 5.0


def store_bundle(bundle: Bundle) -> BundleRow:
    """The row of this content, made once by digest."""
    row, _ = BundleRow.objects.get_or_create(
        digest=bundle.digest, defaults={"content": bundle.pack(), "size": bundle.size}
    )
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


def _register(version: TemplateVersion) -> None:
    template = version.template
    kind = queries.kind_of(template)
    try:
        if version.bundle is not None:
            files = dict(queries.bundle_of(version).files)
        else:
            source = version.source["s3"]
            files = sources.read_s3(source["bucket"], source["key"], engines.s3_client())
        bundle, problems = read_bundle(files, kind, customer_managed=template.customer_managed)
    except ProblemsFound as found:
        return _fail(version, found.problems)
    except (BotoCoreError, ClientError) as trouble:
        claims.record(version, status_message=f"Waiting for S3: {trouble}")
        if version.attempts >= MAX_ATTEMPTS:
            return _fail(version, [Problem("", f"The archive could not be fetched from S3: {trouble}")])
        attempts = version.attempts
        claims.release(version, wait=RETRY_SECONDS)
        TemplateVersion.objects.filter(pk=version.pk).update(attempts=attempts)
        return None
    if bundle is not None:
        problems += incompatibilities(template, version.major, version.minor, bundle)
    if bundle is None or errors(problems):
        return _fail(version, problems)
    problems += findings(bundle)
    publish = TemplateVersion.objects.filter(pk=version.pk).values_list("publish_requested", flat=True).get()
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
    _publish_if_asked_meanwhile(version)
    audit.record(by=version.registered_by, action="template_version.registered", target=version.arn)
    return None


def _publish_if_asked_meanwhile(version: TemplateVersion) -> None:
    """Somebody may have asked to publish between our read and our write."""
    TemplateVersion.objects.filter(pk=version.pk, status=TemplateVersionStatus.DRAFT, publish_requested=True).update(
        status=TemplateVersionStatus.PUBLISHED, published_at=Now()
    )


def _fail(version: TemplateVersion, problems: list[Problem] | tuple[Problem, ...]) -> None:
    claims.release(
        version,
        wait=None,
        status=TemplateVersionStatus.REGISTRATION_FAILED,
        status_message="\n".join(str(problem) for problem in errors(problems)),
        problems=[asdict(problem) for problem in problems],
        last_modified_at=Now(),
    )
    audit.record(by=version.registered_by, action="template_version.registration_failed", target=version.arn)
