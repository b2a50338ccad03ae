"""Access keys for the AWS side of the portal: those of people, and short-lived ones with a session token."""

from django.conf import settings
from django.db import models


class AccessKey(models.Model):
    """An AWS-style access key of a person. The secret is needed to check signatures, so it is encrypted, not hashed.

    ``account_id`` is the AWS account that calls with this key come from: the management account, or the account of an
    environment.
    """

    key_id = models.CharField(max_length=32, primary_key=True)
    secret = models.TextField()  # encrypted: portal.vault
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="access_keys")
    account_id = models.CharField(max_length=12)
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["created_at"]


class SessionKey(models.Model):
    """A key that ends by itself and is used together with a session token, as those of AWS STS.

    It ends early when its parent is revoked or its person is shut out. ``scope`` is the ARN of the one resource that it
    may speak about; "" for all that its person may do.
    """

    key_id = models.CharField(max_length=32, primary_key=True)
    secret = models.TextField()  # encrypted: portal.vault
    token_hash = models.CharField(max_length=64)  # SHA-256, in hexadecimal digits
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="session_keys")
    account_id = models.CharField(max_length=12)
    parent = models.ForeignKey(AccessKey, null=True, blank=True, on_delete=models.CASCADE, related_name="session_keys")
    purpose = models.CharField(max_length=200, blank=True)
    scope = models.CharField(max_length=400, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        ordering = ["created_at"]
