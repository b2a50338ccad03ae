"""All rows by number."""

from tests.faults.rows import accounts, broker, clients, provider, wire, workers

ROWS = {row.number: row for module in (workers, broker, provider, clients, wire, accounts) for row in module.ROWS}
