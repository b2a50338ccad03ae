"""Work that is due: the columns that let any worker take a row, and a second worker know that it lost it."""

from django.db import models


class DueWork(models.Model):
    """A row that is driven step by step. Claimed and written only through ``portal.actions.claims``.

    ``due_at`` null means that nothing is to be done; waiting is ``due_at`` in the future. ``fence`` grows with every
    claim: a worker that was paused beyond its lease finds a newer fence and stops. Times are the database's.
    """

    due_at = models.DateTimeField(null=True, blank=True, db_index=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    lease_owner = models.CharField(max_length=100, blank=True)
    fence = models.BigIntegerField(default=0)
    attempts = models.PositiveIntegerField(default=0)

    class Meta:
        abstract = True
