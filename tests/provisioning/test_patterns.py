import pytest

from provisioning.patterns import (
    BUDGET,
    MAX_PATTERN,
    MAX_SEARCHES,
    MAX_SUBJECT,
    Budget,
    PatternRefused,
    PatternTooSlow,
    compile_pattern,
)


def test_a_pattern_is_searched_not_anchored() -> None:
    assert compile_pattern("b").search("abc")
    assert not compile_pattern("^b").search("abc")


@pytest.mark.parametrize(
    "pattern",
    [
        r"([0-9]{1,3}\.){3}[0-9]{1,3}($|/(16|18|24))",
        r"^$|^\d{12}(,\d{12})*$",
        r"^(\d{1,3}\.){3}\d{1,3}/\d{1,2}$",
        r"^[a-zA-Z][a-zA-Z0-9-]*[a-zA-Z0-9]$",
        r"^https?:\/\/[\w\-.]+$",
        r"^arn:(aws|aws-cn|aws-us-gov):iam::\d{12}:role\/[\w+=,.@-]+$",
    ],
)
def test_patterns_of_published_templates_run_in_linear_time(pattern: str) -> None:
    assert compile_pattern(pattern).linear


@pytest.mark.parametrize("pattern", ["(a+)+b", "(a|a)*b", "([a-zA-Z]+)*1", "(.*a){20}$"])
def test_a_bomb_is_harmless_where_time_is_linear(pattern: str) -> None:
    assert compile_pattern(pattern).linear
    assert not compile_pattern(pattern).search("a" * 5_000 + "!")


def test_look_around_is_searched_in_a_child_process() -> None:
    pattern = compile_pattern(r"^(?!aws)[a-z-]+(?<!-)$")
    assert not pattern.linear
    assert [pattern.search(text) for text in ("mine", "aws-mine", "mine-", "ümlaut")] == [True, False, False, False]


def test_a_bomb_with_look_around_is_stopped() -> None:
    pattern = compile_pattern(r"(?=a)(a+)+b")
    with pytest.raises(PatternTooSlow):
        pattern.search("a" * 40)


def test_a_long_value_is_not_tried_with_look_around() -> None:
    pattern = compile_pattern(r"(?=a)a")
    with pytest.raises(PatternTooSlow):
        pattern.search("a" * (MAX_SUBJECT + 1))


@pytest.mark.parametrize(
    "pattern", ["(", "[z-a]", "a" * (MAX_PATTERN + 1), "a\0b", "(" * 500 + ")" * 500 + "(?=a", r"\1"]
)
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(PatternRefused):
        compile_pattern(pattern)


def test_a_value_is_data_whatever_it_holds() -> None:
    pattern = compile_pattern(r"^(?=x).y$")
    assert not pattern.search("x\0y")
    assert not pattern.search("x\ny")
    assert pattern.search("xy")


def test_many_patterns_together_have_no_more_time_than_one() -> None:
    budget = Budget()
    token = BUDGET.set(budget)
    try:
        for number in range(40):
            with pytest.raises(PatternTooSlow):
                compile_pattern(r"(?=a)(a+)+b").search("a" * (40 + number))
    finally:
        BUDGET.reset(token)
    assert (budget.searches, budget.seconds) == (MAX_SEARCHES - 1, 0)
