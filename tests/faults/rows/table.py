"""All rows by number."""

from tests.faults.rows import accounts, broker, clients, provider, workers

ROWS = {row.number: row for module in (workers, broker, provider, clients, accounts) for row in module.ROWS}
