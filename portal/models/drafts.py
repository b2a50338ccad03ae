"""Wizards under way."""

import uuid

from django.conf import settings
from django.db import models

from portal.models.fields import SealedTextField
from portal.models.templates import Template, TemplateVersion


class Draft(models.Model):
    """What a person has typed into a wizard so far. Submitting it makes one thing, however often it is pressed."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="drafts")
    template = models.ForeignKey(Template, on_delete=models.CASCADE, related_name="+")
    version = models.ForeignKey(TemplateVersion, on_delete=models.CASCADE, related_name="+")
    details = models.JSONField(default=dict, blank=True)  # name, description, team, roles, repository
    spec = SealedTextField(blank=True)  # YAML
    result_arn = models.CharField(max_length=400, blank=True)  # what submitting it made
    created_at = models.DateTimeField(auto_now_add=True)
    saved_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-saved_at"]
