"""What every test may ask for."""

import os

os.environ.setdefault("DEUTERON_TOOLING", "true")
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # Playwright's loop runs beside Django's ORM in journeys
