"""How people prove who they are, beside their password."""

from django.conf import settings
from django.db import models

from portal.models.fields import SecretField


class ExternalIdentity(models.Model):
    """Who a person is at an identity provider.

    Issuer and subject name one person there for ever; names and e-mail addresses do not.
    """

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="external_identity"
    )
    issuer = models.CharField(max_length=400)
    subject = models.CharField(max_length=255)
    linked_at = models.DateTimeField(auto_now_add=True)
    access_lost_at = models.DateTimeField(null=True, blank=True)  # no group gave a role any more, so it was shut out

    class Meta:
        constraints = [models.UniqueConstraint(fields=["issuer", "subject"], name="one_person_per_external_identity")]


class Totp(models.Model):
    """An authenticator app of a person. Until ``confirmed_at`` it is only offered and opens nothing."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="totp"
    )
    secret = SecretField()
    created_at = models.DateTimeField(auto_now_add=True)
    confirmed_at = models.DateTimeField(null=True, blank=True)
    last_step = models.BigIntegerField(default=0)  # of the newest code that was taken: neither it nor older ones again


class RecoveryCode(models.Model):
    """One way in without the authenticator app, once. Random enough (80 bits) that a plain digest keeps it."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="recovery_codes")
    digest = models.CharField(max_length=64)
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "digest"], name="recovery_code_is_unique")]


class SignInThrottle(models.Model):
    """Failed tries of one account or from one address. The key is a digest: people type passwords as names."""

    key = models.CharField(max_length=80, primary_key=True)
    failures = models.PositiveIntegerField(default=0)
    last_at = models.DateTimeField()
    blocked_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["last_at"], name="sign_in_throttle_by_age")]
