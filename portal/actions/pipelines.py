"""The pipeline of a service."""

from django.db import transaction
from django.db.models.functions import Now

from portal.actions import audit, specs, versions
from portal.actions.instances import default_version, locked_service
from portal.actions.starting import start
from portal.enums import DeploymentKind, DeploymentUpdateType
from portal.errors import NotFound
from portal.models import Service, ServicePipeline, User
from portal.queries.rights import require_change
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
    require_change(by, service)
    pipeline = ServicePipeline.objects.filter(service=service).select_related("version", "latest__version").first()
    if pipeline is None:
        raise NotFound(f"{service.name} has no pipeline")
    if DeploymentUpdateType(deployment_type) == DeploymentUpdateType.NONE:
        return pipeline
    with transaction.atomic():
        locked = locked_service(service)
        pipeline.service = locked
        base = pipeline.shown_version or default_version(by, locked)
        version = versions.target(
            by=by,
            template=locked.template,
            current=base,
            deployment_type=deployment_type,
            major=major,
            minor=minor,
        )
        document = specs.read(spec or locked.spec, "service", stored=locked.spec)
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
        Service.objects.filter(pk=locked.pk).update(spec=merged, last_modified_at=Now())
        audit.record(by=by, action="service_pipeline.update", target=pipeline.arn, version=version.number)
    return pipeline
