"""All rows by number."""

from tests.faults.rows import accounts, attacks, broker, clients, provider, rights, secrets, simulation, wire, workers

MODULES = (workers, broker, provider, clients, wire, attacks, rights, secrets, simulation, accounts)
ROWS = {row.number: row for module in MODULES for row in module.ROWS}
