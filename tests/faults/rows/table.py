"""All rows by number."""

from tests.faults.rows import broker, clients, database, processes, provider, workers

ROWS = {row.number: row for module in (workers, broker, provider, clients, database, processes) for row in module.ROWS}
