"""Access keys for the AWS side of the portal."""

from django.conf import settings
from django.db import models

from portal.models.fields import SecretField


class AccessKey(models.Model):
    """An AWS-style access key of a person. The secret is needed to check signatures, so it is encrypted, not hashed."""

    key_id = models.CharField(max_length=32, primary_key=True)
    secret = SecretField()
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="access_keys")
    account_id = models.CharField(max_length=12)
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["created_at"]
