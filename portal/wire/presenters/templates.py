"""Templates and their versions as the wire shows them."""

from typing import Any


def template(row: Any) -> dict[str, Any]:
    """``row`` is a Template with the annotations of ``queries.templates.with_recommended``."""
    found = {
        "arn": row.arn,
        "name": row.name,
        "displayName": row.display_name or row.name,
        "description": row.description or None,
        "createdAt": row.created_at,
        "lastModifiedAt": row.last_modified_at,
        "encryptionKey": row.encryption_key or None,
        "provisioning": row.provisioning or None,
        "pipelineProvisioning": row.provisioning or None,
    }
    if row.recommended_major is not None:
        found["recommendedVersion"] = f"{row.recommended_major}.{row.recommended_minor}"
    return found


def version_summary(row: Any) -> dict[str, Any]:
    """``row`` is a TemplateVersion with the annotation of ``queries.templates.with_recommended_minor``."""
    return {
        "arn": row.arn,
        "templateName": row.template.name,
        "majorVersion": str(row.major),
        "minorVersion": str(row.minor),
        "recommendedMinorVersion": None if row.best_minor is None else str(row.best_minor),
        "status": row.status,
        "statusMessage": row.status_message,
        "description": row.description or None,
        "createdAt": row.created_at,
        "lastModifiedAt": row.last_modified_at,
    }


def version(row: Any) -> dict[str, Any]:
    """The same with the schema's text, and what the version works with."""
    compatible = [
        {"templateName": other.template_name, "majorVersion": str(other.major)}
        for other in row.compatible_environments.all()
    ]
    return {
        **version_summary(row),
        "schema": row.schema or None,
        "compatibleEnvironmentTemplates": compatible,
        "supportedComponentSources": list(row.supported_component_sources) or None,
    }
