"""The memory engine's own wishes; what it shares with the others is in tests/contracts."""

import json
import uuid
from dataclasses import replace
from typing import Any

import pytest

from provisioning.engines.base import EngineUnavailable, Job, Outcome, PlannedChange, Progress, Target, Unclear
from provisioning.engines.memory import MemoryEngine
from provisioning.outputs import Output


def job(**wishes: Any) -> Job:
    return Job(str(uuid.uuid4()), "apply", "thing", Target("111111111111", "us-east-1"), "template", settings=wishes)


def begin(engine: MemoryEngine, wanted: Job) -> str:
    begun = engine.advance(wanted, None)
    assert isinstance(begun, Progress)
    return begun.handle


def test_it_takes_as_long_as_was_wished() -> None:
    wanted = job(seconds=10, poll=4)
    handle = begin(MemoryEngine(lambda: 100.0), wanted)
    assert MemoryEngine(lambda: 105.0).advance(wanted, handle) == Progress(handle, "Working", 4.0)
    assert MemoryEngine(lambda: 108.0).advance(wanted, handle) == Progress(handle, "Working", 2.0)
    ended = MemoryEngine(lambda: 110.0).advance(wanted, handle)
    assert isinstance(ended, Outcome)
    assert ended.status == "succeeded"


def test_another_process_with_the_same_handle_says_the_same() -> None:
    wanted = job(seconds=1, outputs={"Url": "https://x", "Count": 3})
    handle = begin(MemoryEngine(lambda: 1.0), wanted)
    assert json.loads(handle) == {"started": 1.0}
    first, second = (MemoryEngine(lambda: 5.0).advance(wanted, handle) for _ in range(2))
    assert first == second
    assert isinstance(first, Outcome)
    assert first.outputs == (Output("Url", "https://x"), Output("Count", "3"))


def test_a_wished_failure_comes_at_the_end_with_its_reason() -> None:
    wanted = job(seconds=1, fail="no room", next_action="continue-rollback")
    handle = begin(MemoryEngine(lambda: 0.0), wanted)
    ended = MemoryEngine(lambda: 2.0).advance(wanted, handle)
    assert isinstance(ended, Outcome)
    assert (ended.status, ended.reason, ended.next_action) == ("failed", "no room", "continue-rollback")
    assert [(event.status, event.message, event.failed) for event in ended.events] == [
        ("APPLY_FAILED", "no room", True)
    ]


def test_a_wished_doubt_is_for_a_person() -> None:
    wanted = job(unclear="nobody knows")
    handle = begin(MemoryEngine(lambda: 0.0), wanted)
    assert MemoryEngine(lambda: 1.0).advance(wanted, handle) == Unclear("nobody knows", handle)


def test_throttling_and_silence_last_until_the_wished_time() -> None:
    throttled = MemoryEngine(lambda: 9.0).advance(job(throttle_until=10), None)
    assert isinstance(throttled, Progress)
    assert throttled.throttled
    with pytest.raises(EngineUnavailable):
        MemoryEngine(lambda: 9.0).advance(job(unavailable_until=10), None)
    later = MemoryEngine(lambda: 10.0).advance(job(throttle_until=10, unavailable_until=10), None)
    assert isinstance(later, Progress)
    assert not later.throttled


def test_somebody_elses_thing_is_refused() -> None:
    refused = MemoryEngine(lambda: 0.0).advance(job(foreign=True), None)
    assert isinstance(refused, Outcome)
    assert refused.status == "failed"


def test_a_changed_template_or_tag_is_a_change() -> None:
    engine, wanted = MemoryEngine(lambda: 0.0), job()
    ended = engine.advance(wanted, begin(engine, wanted))
    assert isinstance(ended, Outcome)
    known = replace(wanted, identifier=ended.resources[0].identifier)
    assert engine.preview(known).changes == ()
    for changed in (replace(known, template="other"), replace(known, tags={"team": "a"})):
        assert engine.preview(changed).changes == (PlannedChange("thing", "Memory::Thing", "Modify"),)
