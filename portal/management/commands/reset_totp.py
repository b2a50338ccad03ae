from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal.actions import sign_in, totp
from portal.models import User


class Command(BaseCommand):
    help = "Take a person's authenticator app and recovery codes away, and let them try at once. Their sessions end."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["username"]).first()
        if user is None:
            raise CommandError(f"{options['username']} does not exist.")
        had = totp.enabled(user)
        totp.reset(by=None, user=user)
        for kind in ("account", "code"):
            sign_in.forget_tries(account=user.username, kind=kind)
        self.stdout.write(f"{user.username} signs in with the password alone" + ("" if had else "; there was no app"))
