"""The inbox of webhooks. Whatever is in a delivery is believed to be a hint and nothing more."""

from datetime import timedelta

from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.utils import timezone

from portal.actions import pull_requests
from portal.actions.batches import delete_first
from portal.models import Repository, WebhookDelivery

KEPT = timedelta(days=30)
BATCH = 1000


def take(
    *, source: str, provider: str, delivery_id: str, event: str, repository: str, number: int | None, body_hash: str
) -> int | None:
    """Keep a signed delivery, and make due what it may be about: how many pull requests that are.

    None when it was taken before, under this id or another one, or when its repository is not linked.
    """
    row = Repository.objects.filter(provider=provider, name__iexact=repository).only("name").first()
    if row is None:
        return None
    try:
        with transaction.atomic():
            WebhookDelivery.objects.create(
                source=source,
                delivery_id=delivery_id,
                event=event,
                repository=row.name,
                number=number,
                body_hash=body_hash,
                processed_at=Now(),  # in this very transaction: what is kept was acted on
            )
            return pull_requests.hint(provider, row.name, number)
    except IntegrityError:
        return None


def delete_old() -> int:
    """Deliveries that were taken long ago, at most a batch of them; says how many. A replay of one is a hint again."""
    old = WebhookDelivery.objects.filter(received_at__lt=timezone.now() - KEPT).order_by("received_at")
    return delete_first(old, BATCH)
