from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from portal.actions.sealing import FILE
from portal.queries import audit_chain


class Command(BaseCommand):
    help = "Check that the audit log is what was written: nothing changed, added, moved or cut off."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--head",
            type=Path,
            metavar="FILE",
            help="exported ends of the chain, from a place that the database's owner cannot write to",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path | None = options["head"]
        if path is None and (settings.AUDIT_EXPORT / FILE).exists():
            path = settings.AUDIT_EXPORT / FILE
        try:
            heads = audit_chain.read_heads(path) if path else []
        except (OSError, ValueError) as trouble:
            raise CommandError(str(trouble)) from trouble
        verdict = audit_chain.verify(heads)
        if verdict.finding:
            raise CommandError(f"The audit log was tampered with. The first bad row: {verdict.finding}.")
        self.stdout.write(
            f"{verdict.checked} sealed events hold, {verdict.unsealed} are not sealed yet, "
            f"{verdict.heads} exported ends agree"
        )
        if verdict.unproved:
            self.stdout.write(
                f"{verdict.unproved} seals were made with keys that are not in ENCRYPTION_KEYS: their rows are proved "
                "by what follows them"
            )
        if not path:
            self.stdout.write("No exported end was given (--head): that nothing was cut off is the database's word.")
