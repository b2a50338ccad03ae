"""The words of the pages."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from django.db.models import TextChoices
from django.template import Context, Template
from django.test import RequestFactory
from django.utils import timezone

from portal import enums
from portal.templatetags import ui
from portal.web.looks import BY_VALUE, LOOKS

ENUMS = [
    value
    for value in vars(enums).values()
    if isinstance(value, type) and issubclass(value, TextChoices) and value is not TextChoices
]


def draw(source: str, path: str = "/", **context: object) -> str:
    return Template(source).render(Context({"request": RequestFactory().get(path), **context}))


def test_every_status_has_a_look_of_its_own_label():
    assert {member for enum in ENUMS for member in enum} == set(LOOKS)


def test_equal_values_of_different_enums_look_equal():
    pairs = [(a, b) for a, b in itertools.combinations(LOOKS, 2) if a.value == b.value]
    assert [(a, b) for a, b in pairs if (a.label, *LOOKS[a]) != (b.label, *LOOKS[b])] == []


@pytest.mark.parametrize("value", sorted(BY_VALUE))
def test_a_status_is_said_by_icon_and_word_and_not_by_colour_alone(value):
    drawn = draw("{% status value %}", value=value)
    assert f"#{BY_VALUE[value].icon}" in drawn
    assert BY_VALUE[value].label in drawn


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (3, "just now"),
        (59, "just now"),
        (60, "1 minute ago"),
        (7200, "2 hours ago"),
        (86_400, "1 day ago"),
        (86_400 * 400, "1 year ago"),
        (-300, "in 5 minutes"),
    ],
)
def test_times_are_said_relative_to_now(seconds, words):
    assert ui.ago(seconds) == words


def test_a_time_carries_its_exact_moment():
    drawn = ui.since(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    assert 'datetime="2026-01-02T03:04:05+00:00"' in drawn
    assert 'title="2026-01-02 03:04:05 UTC"' in drawn
    assert ui.since(None, "never") == '<span class="text-secondary">never</span>'
    assert "just now" in ui.since(timezone.now())


def test_durations():
    assert [ui.duration(value) for value in (None, 4, 200, 7500, timedelta(seconds=61))] == [
        "",
        "4 s",
        "3 min 20 s",
        "2 h 5 min",
        "1 min 1 s",
    ]


def test_pointer_ids_differ_for_different_pointers_and_hold_no_odd_characters():
    pointers = ["/spec/a", "/spec/a-b", "/spec/a/b", "/instances/0/spec/port", "/spec/a~1b", "", "/spec/a--b"]
    ids = [ui.pointer_id(pointer) for pointer in pointers]
    assert len(set(ids)) == len(pointers)
    assert "".join(ids).replace("-", "").replace("_", "").isalnum()


def test_a_query_keeps_what_is_there_and_begins_at_the_first_page():
    path = "/?account=1&state=FAILED&page=3"
    assert draw('{% query state="BEHIND_MINOR" %}', path) == "?account=1&amp;state=BEHIND_MINOR"
    assert draw("{% query state=None %}", path) == "?account=1"
    assert draw("{% query page=4 %}", path) == "?account=1&amp;state=FAILED&amp;page=4"
    assert draw("{% query account=None state='' %}", path) == "?"


def test_what_people_typed_is_escaped():
    drawn = draw(
        "{% copy text %}{% hint text %}{% action text '/' 'plus' '' text %}{% status 'FAILED' text %}", text='"><b>'
    )
    assert "<b>" not in drawn


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("https://app.example.com/x?a=1&b=2", 'href="https://app.example.com/x?a=1&amp;b=2"'),
        ("http://127.0.0.1:8000/repositories/github/acme/web/pull/1/", 'href="http://127.0.0.1:8000/'),
        ("javascript:alert(1)", ""),
        ("see https://app.example.com", ""),
        ("https://x/<b>", ""),
        ('https://x/"onclick="x', ""),
        ("arn:aws:sqs:us-east-1:123456789012:queue", ""),
    ],
)
def test_an_output_that_is_an_address_is_a_link(text, link):
    drawn = draw("{% output_value text %}", text=text)
    assert ("<a " in drawn, link in drawn, "data-copy=" in drawn) == (bool(link), True, True)


def test_the_text_of_a_pull_request_is_drawn_with_its_code_and_nothing_of_it_is_taken_for_html():
    text = "The `web<b>`.\n\nInputs:\n```json\n{<i>}\n```\n\n````diff\n```\n+x\n````\n<script>\n```\nopen"
    assert draw("{{ text|pull_text }}", text=text) == (
        '<div class="pull-words">The <code>web&lt;b&gt;</code>.\n\nInputs:</div><pre tabindex="0">{&lt;i&gt;}\n</pre>'
        '<pre tabindex="0">```\n+x\n</pre><div class="pull-words">&lt;script&gt;\n```\nopen</div>'
    )


def test_an_action_that_somebody_may_not_take_says_whom_to_ask():
    assert draw("{% action 'Edit' '/x/' 'pencil' '' 'an admin' %}").count('href="/x/"') == 0
    assert "Ask an admin" in draw("{% action 'Edit' '/x/' 'pencil' '' 'an admin' %}")
    assert 'href="/x/"' in draw("{% action 'Edit' '/x/' %}")


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "true"), (["north", "south"], "north, south"), ({"a": [1, False]}, "a: 1, false"), ("word", "word")],
)
def test_values_are_said_as_people_write_them(value, text):
    assert ui.said(value) == text
