"""What the AWS door remembers between calls."""

from django.db import models


class WireReply(models.Model):
    """The answer to one signed call that changes something, for as long as its signature could be sent again.

    ``status`` null: the call is still running, or the process died that ran it.
    """

    key_id = models.CharField(max_length=32)
    signature = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)
    body = models.TextField(blank=True)  # encrypted: answers may hold sensitive values
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["key_id", "signature"], name="wire_reply_once_per_signature")]
