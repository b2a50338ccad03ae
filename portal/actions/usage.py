"""Recording which version runs where, in the transaction in which a deployment finishes."""

from django.db.models.functions import Now

from portal.enums import DeploymentTargetType, TemplateKind
from portal.models import Deployment, UsageRecord


def began(deployment: Deployment) -> None:
    """From now on the target runs this deployment's version. An unchanged version keeps its interval."""
    same = UsageRecord.objects.filter(
        target_arn=deployment.target_arn,
        ended_at__isnull=True,
        template_name=deployment.template_name,
        major=deployment.template_major,
        minor=deployment.template_minor,
        account_id=deployment.account_id,
    )
    if same.exists():
        return
    ended(deployment)
    is_environment = deployment.target_type == DeploymentTargetType.ENVIRONMENT
    UsageRecord.objects.create(
        account_id=deployment.account_id,
        region=deployment.region,
        template_kind=TemplateKind.ENVIRONMENT if is_environment else TemplateKind.SERVICE,
        template_name=deployment.template_name,
        major=deployment.template_major,
        minor=deployment.template_minor,
        target_arn=deployment.target_arn,
        target_type=deployment.target_type,
        environment_name=deployment.environment_name,
        service_name=deployment.service_name,
        deployment=deployment,
        started_at=Now(),
    )


def ended(deployment: Deployment) -> None:
    """The target stopped running what it ran."""
    UsageRecord.objects.filter(target_arn=deployment.target_arn, ended_at__isnull=True).update(ended_at=Now())
