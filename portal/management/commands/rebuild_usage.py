"""Write the usage records anew from the deployments."""

from typing import Any

from django.core.management.base import BaseCommand

from portal.actions import usage


class Command(BaseCommand):
    help = "Write the usage records (which version ran where, and when) anew from the deployments."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"{usage.rebuild()} intervals written")
