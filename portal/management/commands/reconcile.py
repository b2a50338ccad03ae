import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from portal.actions import reconciliation


class Command(BaseCommand):
    help = "List where the rows and AWS differ. Changes nothing in AWS. The exit code is 1 when anything differs."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--hold",
            action="store_true",
            help="first park every deployment that is under way, for a person to decide: after a restore, before "
            "workers start",
        )

        parser.add_argument(
            "--clock-skew",
            type=float,
            default=reconciliation.CLOCKS_DIFFER,
            metavar="SECONDS",
            help="how far AWS's clock and the database's may be apart (default: %(default)s)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["hold"]:
            self.stdout.write(f"{reconciliation.hold_running()} deployments are held")
        found = reconciliation.differences(clock_skew=options["clock_skew"])
        for difference in found:
            self.stdout.write(str(difference))
        self.stdout.write(f"{len(found)} differences" if found else "nothing differs")
        if found:
            sys.exit(1)
