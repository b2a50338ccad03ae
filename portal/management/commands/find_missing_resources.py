from typing import Any

from django.core.management.base import BaseCommand, CommandError

from portal.actions import resources
from portal.errors import PortalError


class Command(BaseCommand):
    help = "Look into every account for the stacks that should be there, and mark those that are gone."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            count = resources.find_missing()
        except PortalError as refusal:
            raise CommandError(refusal.message) from refusal
        self.stdout.write(f"{count} missing" if count else "nothing is missing")
