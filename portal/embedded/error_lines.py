"""Errors from the children's logs, for the terminal that shows the supervisor."""

import re
from pathlib import Path

STAMPED = re.compile(r"^\[?\d{4}-\d\d-\d\d[ T]")
# Django and Celery write "2026-01-01 00:00:00,000 ERROR …", gunicorn "[2026-01-01 00:00:00 +0000] [7] [ERROR] …".
ERROR = re.compile(r"^\[?\d{4}-\d\d-\d\d[ T][\d:,.]+(?: | [+-]\d{4}\] \[\d+\] \[)(?:ERROR|CRITICAL)\b")
LONGEST_BLOCK = 10  # lines


class ErrorLines:
    """Follows one log file. Of an error it shows the line and the exceptions below it; the log has the whole story."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.position = 0
        self.left = 0  # lines of the current block that may still be shown

    def new(self) -> list[str]:
        """The lines that were written since the last call and belong to an error."""
        try:
            if self.path.stat().st_size < self.position:
                self.position = self.left = 0
            with self.path.open("rb") as file:
                file.seek(self.position)
                data = file.read(1 << 20)
        except OSError:
            return []
        whole = data[: data.rfind(b"\n") + 1]
        self.position += len(whole)
        shown = []
        for line in whole.decode(errors="replace").splitlines():
            if ERROR.match(line):
                self.left = LONGEST_BLOCK
            elif STAMPED.match(line):
                self.left = 0
            if self.left and line and not line.startswith((" ", "Traceback")):
                self.left -= 1
                shown.append(line)
        return shown
