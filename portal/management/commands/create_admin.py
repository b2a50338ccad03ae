import os
import sys
from getpass import getpass
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal.actions import installation
from portal.errors import PortalError


class Command(BaseCommand):
    help = "Make an admin. The password is asked for, or read from ADMIN_PASSWORD."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")

    def handle(self, *args: Any, **options: Any) -> None:
        password = os.environ.get("ADMIN_PASSWORD", "")
        if not password:
            if not sys.stdin.isatty():
                raise CommandError("There is no terminal to ask for the password: set ADMIN_PASSWORD.")
            password = getpass("Password: ")
        try:
            installation.make_admin(username=options["username"], password=password)
        except PortalError as refusal:
            raise CommandError(refusal.message) from refusal
        self.stdout.write(f"{options['username']} is an admin")
