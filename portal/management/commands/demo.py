"""Make the demo people and the sample templates of `make run`, and write the people's AWS credentials."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal.embedded import demo
from portal.embedded.profiles import write_credentials


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--until", type=float, default=0.0, help="Unix time until which to wait for the templates to be registered"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.EMBEDDED:
            raise CommandError("Demo people have well-known passwords: only make run makes them.")
        people = demo.make_people()
        write_credentials(
            settings.DATA_DIR / "aws" / "credentials",
            {name: demo.access_key(person) for name, person in people.items()},
        )
        if trouble := demo.make_repository(people["platform"]):
            self.stderr.write(trouble)
        demo.make_templates(people["admin"])
        demo.wait_for_registrations(options["until"])
