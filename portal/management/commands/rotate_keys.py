import sys
from typing import Any

from django.core.management.base import BaseCommand

from portal.actions import key_rotation


class Command(BaseCommand):
    help = (
        "Encrypt every stored secret with the first of ENCRYPTION_KEYS, and inputs that stand plain (with "
        "SEAL_INPUTS=false: decrypt inputs). May be killed and run again, and run while the portal serves. The exit "
        "code is 1 when secrets are left."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        total = key_rotation.left()

        def show(done: key_rotation.Rotation) -> None:
            seen = done.rotated + done.overtaken + done.unreadable
            self.stdout.write(f"\r{seen} of {total} secrets", ending="")
            self.stdout.flush()

        showing = total > 0 and self.stdout.isatty()
        done = key_rotation.rotate(progress=show) if showing else key_rotation.rotate()
        if showing:
            self.stdout.write("")
        self.stdout.write(f"{done.rotated} secrets rotated, {done.left} left")
        if done.unreadable:
            self.stdout.write(
                f"{done.unreadable} cannot be read: their key is not in ENCRYPTION_KEYS, or they were moved"
            )
        if done.left:
            sys.exit(1)
