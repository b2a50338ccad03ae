"""All rows by number."""

from tests.faults.rows import (
    attacks,
    backups,
    broker,
    clients,
    database,
    processes,
    provider,
    rights,
    secrets,
    simulation,
    versions,
    webhooks,
    wire,
    workers,
)

DATABASE = (database, processes, versions, backups)
MODULES = (workers, broker, provider, clients, wire, attacks, rights, secrets, simulation, webhooks, *DATABASE)
ROWS = {row.number: row for module in MODULES for row in module.ROWS}
