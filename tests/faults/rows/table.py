"""All rows by number."""

from tests.faults.rows import (
    accounts,
    attacks,
    audit,
    backups,
    broker,
    clients,
    commands,
    database,
    operations,
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
MODULES = (
    workers,
    broker,
    provider,
    clients,
    commands,
    wire,
    operations,
    audit,
    attacks,
    rights,
    secrets,
    simulation,
    accounts,
    webhooks,
    *DATABASE,
)
ROWS = {row.number: row for module in MODULES for row in module.ROWS}
