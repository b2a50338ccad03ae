"""The portal as docker-compose.yml starts it, on a real PostgreSQL and a real Valkey."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.aws import EmbeddedAws
from tests.postgres import Postgres
from tests.servers.stack import Stack


@pytest.fixture
def stack(postgres: Postgres, aws: EmbeddedAws, tmp_path: Path) -> Iterator[Stack]:
    """Migrated, with nothing started yet."""
    made = Stack(postgres, aws, tmp_path)
    try:
        made.migrate()
        yield made
    finally:
        made.close()
