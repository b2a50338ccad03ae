"""The pipeline of a service."""

from django.db import transaction
from django.db.models.functions import Now

from portal import arns
from portal.actions import audit, edits, specs, versions
from portal.actions.instances import default_version, locked_service, version_in_use
from portal.actions.starting import require_not_going, start
from portal.enums import DeploymentKind, DeploymentUpdateType
from portal.errors import Invalid, NotFound
from portal.models import Service, ServicePipeline, User
from portal.models.fields import at_rest
from portal.queries.rights import require_change
from provisioning.problems import Problem
from provisioning.spec import Spec, dump_spec


def update(
    *,
    by: User,
    service: Service,
    deployment_type: str,
    spec: str,
    major: int | None = None,
    minor: int | None = None,
) -> ServicePipeline:
    """Deploy another spec or version of the pipeline. Only the spec's ``pipeline`` matters."""
    with transaction.atomic():
        locked = locked_service(service)
        require_change(by, locked)
        deploys = DeploymentUpdateType(deployment_type) != DeploymentUpdateType.NONE
        pipeline = _pipeline_of(locked, may_make=deploys)
        if not deploys:
            return pipeline
        edits.require_free(pipeline)
        require_not_going(pipeline)
        version = versions.target(
            by=by,
            template=locked.template,
            current=pipeline.shown_version or default_version(by, locked),
            deployment_type=deployment_type,
            major=major,
            minor=minor,
        )
        if not version.has_pipeline:
            message = f"{version} has no pipeline: it cannot replace the one of {locked.name}."
            raise Invalid(message, [Problem("/version", message)])
        document = specs.read(spec or locked.spec, "service", stored=locked.spec, pipeline=True)
        inputs = specs.pipeline_inputs(document, version)
        current = specs.stored(locked.spec, "service")
        merged = dump_spec(Spec(current.kind, {}, current.instances, document.pipeline))
        start(
            by=by,
            target=pipeline,
            kind=DeploymentKind.UPDATE if pipeline.deployed_id else DeploymentKind.CREATE,
            version=version,
            spec=merged,
            inputs=inputs,
        )
        edits.resume(by=by, target=pipeline)
        Service.objects.filter(pk=locked.pk).update(**at_rest(locked, spec=merged), last_modified_at=Now())
        audit.record(by=by, action="service_pipeline.update", target=pipeline.arn, version=version.number)
    return pipeline


def _pipeline_of(service: Service, *, may_make: bool) -> ServicePipeline:
    """The service's pipeline; made, if it may, where the version that its instances run has one by now.

    Raises NotFound.
    """
    found = ServicePipeline.objects.filter(service=service).select_related("version", "latest__version").first()
    runs = version_in_use(service) if may_make and found is None else None
    if runs is not None and runs.has_pipeline:
        found = ServicePipeline.objects.create(service=service, arn=arns.service_pipeline(service.name))
    if found is None:
        raise NotFound(f"{service.name} has no pipeline")
    found.service = service
    return found
