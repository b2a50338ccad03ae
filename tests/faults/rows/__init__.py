"""The faults that the product must survive, each with what it does, its negative control and its figures.

    python -m tests.faults.rows 1 [--share 0.1] [--control] [--seed 7]

Prints one JSON object: ``faults`` counts what was done to the product (each must be above 0), ``harm`` what became of
it (each must be 0; with --control at least one must not be), ``figures`` what else was measured. ``not_run``
says why this machine cannot run the row.
"""
