"""What was asked for when something was made through the API: a repeat of the request gets the original."""

from django.db import models
from django.db.models import Q


class Creation(models.Model):
    """One create call. ``fingerprint`` tells whether the original was modified since (AWS Proton: Conflict then)."""

    operation = models.CharField(max_length=64)
    account_id = models.CharField(max_length=12)  # of the caller's access key
    client_token = models.CharField(max_length=64, blank=True)
    target_arn = models.CharField(max_length=400)
    request_hash = models.CharField(max_length=64)  # SHA-256, hexadecimal, of the parameters without the token
    fingerprint = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["target_arn", "operation", "-id"], name="creation_by_target")]
        constraints = [
            models.UniqueConstraint(
                fields=["operation", "account_id", "client_token"],
                condition=~Q(client_token=""),
                name="creation_token_is_used_once",
            )
        ]
