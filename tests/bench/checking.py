"""P-W3: check what one step of the wizard posted, and list every error."""

from collections.abc import Iterator
from typing import Any

import jsonschema

from provisioning.problems import errors
from provisioning.spec import check_inputs
from tests.bench import samples
from tests.bench.measuring import Effort, Line, compare_calls, microseconds
from tests.bench.site import Place

WRONG: dict[str, Any] = {"image": "ab", "port": 70_000, "cpu": 300, "memory": "much", "copies": 2}


def row_w3(effort: Effort, _: Place) -> Iterator[Line]:
    """Against jsonschema's iter_errors with a validator that was built before, on the same schema. Ours also mends
    text that is a number, merges defaults, and says what is wrong in sentences."""
    input_type = samples.service().input_type
    validator = jsonschema.Draft202012Validator(dict(input_type.raw))
    for name, inputs, count in (("without an error", samples.SERVICE_INPUTS, 0), ("with four errors", WRONG, 4)):
        assert len(list(validator.iter_errors(inputs))) == count
        assert len(errors(check_inputs(inputs, input_type)[1])) == count
        found = compare_calls(
            lambda values=inputs: check_inputs(values, input_type),  # type: ignore[misc]
            lambda values=inputs: list(validator.iter_errors(values)),  # type: ignore[misc]
            effort,
        )
        what = f"check one step {name}"
        yield Line("P-W3", what, found.ratio, microseconds(found.ours), microseconds(found.theirs), "at most 1.5")
