"""All rows by number."""

from tests.faults.rows import backups, broker, clients, database, processes, provider, versions, workers

MODULES = (workers, broker, provider, clients, database, processes, versions, backups)
ROWS = {row.number: row for module in MODULES for row in module.ROWS}
