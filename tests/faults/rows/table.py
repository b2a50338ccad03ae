"""All rows by number."""

from tests.faults.rows import attacks, broker, clients, provider, rights, secrets, simulation, workers

ROWS = {
    row.number: row
    for module in (workers, broker, provider, clients, attacks, rights, secrets, simulation)
    for row in module.ROWS
}
