from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal.actions import people
from portal.errors import PortalError
from portal.models import User


class Command(BaseCommand):
    help = "Make an access key for a person. The secret is shown this once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--account", default="", help="the AWS account that its calls come from")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["username"], is_active=True).first()
        if user is None:
            raise CommandError(f"{options['username']} does not exist or is shut out.")
        try:
            key, secret = people.create_access_key(by=None, user=user, account_id=options["account"])
        except PortalError as refusal:
            raise CommandError(refusal.message) from refusal
        self.stdout.write(f"aws_access_key_id = {key.key_id}\naws_secret_access_key = {secret}")
