"""All rows by number."""

from tests.faults.rows import broker, clients, database, provider, workers

ROWS = {row.number: row for module in (workers, broker, provider, clients, database) for row in module.ROWS}
