"""Bundles by their content."""

from django.db import models


class Bundle(models.Model):
    """The files of one template version, stored once by digest and never changed."""

    digest = models.CharField(max_length=64, primary_key=True)  # SHA-256, hexadecimal, of the packed content
    content = models.BinaryField()  # what provisioning.bundle.Bundle.pack() gives
    size = models.PositiveIntegerField()  # bytes, unpacked
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.digest[:12]
