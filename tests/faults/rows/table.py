"""All rows by number."""

from tests.faults.rows import broker, clients, commands, provider, wire, workers

ROWS = {row.number: row for module in (workers, broker, provider, clients, commands, wire) for row in module.ROWS}
