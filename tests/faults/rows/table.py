"""All rows by number."""

from tests.faults.rows import broker, clients, provider, workers

ROWS = {row.number: row for module in (workers, broker, provider, clients) for row in module.ROWS}
