"""Keeping bundles for as long as something refers to them."""

from portal.models import Bundle


def drop_unused(digest: str | None) -> None:
    """Delete the bundle unless a version or a deployment still refers to it. Inside the caller's transaction."""
    bundle = Bundle.objects.select_for_update().defer("content").filter(pk=digest).first()
    if bundle is not None and not bundle.versions.exists() and not bundle.deployments.exists():
        bundle.delete()
