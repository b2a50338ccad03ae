"""Provisioned resources that are known to be gone."""

from datetime import datetime

from django.db.models import Min

from portal.models import ProvisionedResource


def missing_since() -> datetime | None:
    """When the first of those that are gone was missed; None while nothing is."""
    found: datetime | None = ProvisionedResource.objects.aggregate(first=Min("missing_since"))["first"]
    return found
