"""Errors of the children in the supervisor's terminal."""

from portal.embedded.error_lines import ErrorLines


def test_only_errors_and_their_exceptions_are_shown_and_each_once(tmp_path):
    log = tmp_path / "web.log"
    log.write_text(
        "2026-01-01 00:00:00,000 INFO django started\n"
        "2026-01-01 00:00:01,000 ERROR django.request Internal Server Error: /\n"
        "Traceback (most recent call last):\n"
        '  File "x.py", line 1, in x\n'
        "ValueError: no\n"
        "2026-01-01 00:00:02,000 INFO django ERROR is only a word here\n"
        "[2026-01-01 00:00:03 +0000] [1] [ERROR] Connection in use\n"
        "2026-01-01 00:00:04,000 ERROR half a li"
    )
    lines = ErrorLines(log)
    assert [line.split(" ", 2)[-1] for line in lines.new()] == [
        "ERROR django.request Internal Server Error: /",
        "no",
        "+0000] [1] [ERROR] Connection in use",
    ]
    with log.open("a") as file:
        file.write("ne\n")
    assert lines.new() == ["2026-01-01 00:00:04,000 ERROR half a line"]
    assert lines.new() == []


def test_a_log_that_starts_anew_is_read_from_its_beginning(tmp_path):
    log = tmp_path / "web.log"
    lines = ErrorLines(log)
    assert lines.new() == []
    log.write_text("2026-01-01 00:00:00,000 ERROR a long line of the run before\n")
    assert len(lines.new()) == 1
    log.write_text("2026-01-01 00:00:00,000 ERROR b\n")
    assert lines.new() == ["2026-01-01 00:00:00,000 ERROR b"]
