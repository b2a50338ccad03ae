from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal.actions import people
from portal.models import AccessKey


class Command(BaseCommand):
    help = "Revoke an access key: it is refused from the next request on, and so are the short-lived keys behind it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("key_id")

    def handle(self, *args: Any, **options: Any) -> None:
        key = AccessKey.objects.select_related("user").filter(pk=options["key_id"]).first()
        if key is None:
            raise CommandError(f"There is no access key {options['key_id']}.")
        people.revoke_access_key(by=None, key=key)
        self.stdout.write(f"{key.key_id} of {key.user.username} is revoked")
