"""What engines that run a bundle's own commands are told beside what every engine is told."""

from typing import Any

from django.conf import settings

from portal.actions.targets import Target, codebuild_role_of, part_of
from portal.models import Deployment
from portal.queries import templates as template_queries
from provisioning.commands.plan import INPUTS, TFVARS
from provisioning.manifest import parse_manifest


def fields(deployment: Deployment, target: Target | None) -> dict[str, Any]:
    """Members of the Job: files of the part's directory as they are, the rendered input files, and the settings of the
    rendered manifest. Without a rendering nothing was ever run, and there is nothing to run."""
    texts = {name: text for name, text in deployment.rendered.items() if name.rpartition("/")[2] in (INPUTS, TFVARS)}
    manifests = [text for name, text in deployment.rendered.items() if name not in texts]
    if target is None or not manifests:
        return {"files": {}, "settings": {}}
    manifest, _ = parse_manifest(manifests[0], "manifest.yaml")
    bundle = template_queries.bundle_of_deployment(deployment)
    part = bundle.parts.get(part_of(target))
    folder = part.directory if part is not None else next(iter(texts)).rpartition("/")[0]
    return {
        "files": texts,
        "bundle": {name: content for name, content in bundle.files.items() if name.startswith(f"{folder}/")},
        "settings": {
            "commands": dict(manifest.main.settings or {}) if manifest else {},
            "folder": folder,
            "project": deployment.external_name,
            "codebuild_role_arn": codebuild_role_of(target),
            "template_bucket": settings.TEMPLATE_BUCKET,
        },
    }
