"""Whether the web server of this container answers: python -m portal.healthcheck. Exit code 0 when it does."""

import http.client
import os
import sys


def main() -> int:
    connection = http.client.HTTPConnection("127.0.0.1", int(os.environ.get("PORT", "8000")), timeout=4)
    try:
        connection.request("GET", "/healthz/live")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as trouble:
        print(f"no answer: {trouble}", file=sys.stderr)  # noqa: T201
        return 1
    return 0 if status == 200 else 1


if __name__ == "__main__":
    sys.exit(main())
