"""What a developer's value may be in a shell command depends on where its author put it."""

import subprocess

import pytest

from provisioning.render.fragments import assemble
from provisioning.render.language import compiled
from provisioning.render.names import scope
from provisioning.render.shell import refusals

PLACES = {
    "word": "deploy {{ environment.inputs.x }} now",
    "end of a word": "deploy --name={{ environment.inputs.x }}",
    "double": 'deploy --name "{{ environment.inputs.x }}"',
    "single": "deploy --name '{{ environment.inputs.x }}'",
    "here-document": "cat <<EOF\nname: {{ environment.inputs.x }}\nEOF",
    "quoted here-document": "cat <<'EOF'\nname: {{ environment.inputs.x }}\nEOF",
    "comment": "deploy # of {{ environment.inputs.x }}",
    "substitution": "echo $(deploy {{ environment.inputs.x }})",
    "substitution in quotes": 'echo "$(deploy {{ environment.inputs.x }})"',
    "backticks in quotes": 'echo "`deploy {{ environment.inputs.x }}`"',
    "default": "echo ${NAME:-{{ environment.inputs.x }}}",
    "default in quotes": 'echo "${NAME:-{{ environment.inputs.x }}}"',
    "substitution in a here-document": "cat <<EOF\n$(deploy {{ environment.inputs.x }})\nEOF",
    "after a here-document": "cat <<EOF\nx\nEOF\ndeploy {{ environment.inputs.x }}",
    "after a shift": "echo $((1<<2))\ndeploy {{ environment.inputs.x }}",
    "another shell": 'bash -c "deploy {{ environment.inputs.x }}"',
    "another shell's shell": "sudo /bin/sh -ec 'deploy {{ environment.inputs.x }}'",
    "eval": "eval 'deploy {{ environment.inputs.x }}'",
    "python": "python3 -c 'print(\"{{ environment.inputs.x }}\")'",
    "case in a substitution": 'echo "$(case a in b) deploy {{ environment.inputs.x }};; esac)"',
    "after an escaped quote": "echo \\' {{ environment.inputs.x }} '",
    "after quotes in quotes": """echo "it's" {{ environment.inputs.x }}""",
    "delimiter": "cat <<{{ environment.inputs.x }}\nhello\n{{ environment.inputs.x }}",
    "ANSI quotes": "echo $'a\\'b {{ environment.inputs.x }}'",
    "array": "names=(a {{ environment.inputs.x }})",
}
OUTSIDE = {
    *("word", "end of a word", "substitution", "substitution in quotes", "backticks in quotes", "default"),
    *("default in quotes", "substitution in a here-document", "after a here-document", "after a shift"),
    *("another shell", "another shell's shell", "eval", "python", "case in a substitution", "after an escaped quote"),
    *("after quotes in quotes", "delimiter", "array"),
}
HOSTILE = [
    "a; rm -rf /",
    "a && b",
    "a | b",
    "a b",
    "$(id)",
    "`id`",
    "${HOME}",
    "$HOME",
    "a\nEOF\nrm",
    "a'; id; '",
    'a"; id; "',
    "a > /etc/x",
    "*",
    "~",
    "a#b'",
    "\\",
    "!!",
    "{a,b}",
    "(a)",
]


def refused(template: str, value: object) -> list[str]:
    context = {"environment": {"name": "dev", "inputs": {"x": value}}}
    made = compiled(template)
    assembled = assemble(made.root_render_func(made.new_context(scope(context))))
    return [one.why for one in refusals(assembled.twin, assembled.leaves)]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("value", ["app-1.2_b", "web@sha256:0/9=+,x", 80, True, "10.0.0.0/16"])
def test_plain_values_pass_everywhere(place, value):
    assert refused(PLACES[place], value) == []


@pytest.mark.parametrize("place", sorted(OUTSIDE))
@pytest.mark.parametrize("value", HOSTILE)
def test_outside_of_quotes_only_the_alphabet_passes(place, value):
    assert refused(PLACES[place], value) != []


@pytest.mark.parametrize(
    ("place", "passes"),
    [
        (
            "double",
            {"a; rm -rf /", "a && b", "a | b", "a b", "a'; id; '", "a > /etc/x", "*", "~", "a#b'", "{a,b}", "(a)"},
        ),
        ("single", {"a; rm -rf /", "a && b", "a | b", "a b", 'a"; id; "', "a > /etc/x", "*", "~", "{a,b}", "(a)"}),
        (
            "here-document",
            {"a; rm -rf /", "a && b", "a | b", "a b", "a'; id; '", 'a"; id; "', "a > /etc/x", "*", "~", "a#b'"}
            | {"!!", "{a,b}", "(a)"},
        ),
        ("comment", set(HOSTILE) - {"a\nEOF\nrm"}),
        ("ANSI quotes", {"a; rm -rf /", "a && b", "a | b", "a b", 'a"; id; "', "a > /etc/x", "*", "~", "{a,b}", "(a)"}),
    ],
)
def test_quotes_hold_what_they_hold(place, passes):
    assert {value for value in HOSTILE if refused(PLACES[place], value) == []} == passes


@pytest.mark.parametrize("template", ["rm {{ environment.inputs.x }}", 'rm "{{ environment.inputs.x }}"'])
def test_a_value_that_begins_a_word_is_no_option(template):
    assert refused(template, "-rf") == ["would be read as an option of the command"]
    assert refused(template, "-1") == []


def test_the_authors_own_words_and_the_platforms_are_free():
    context = {"environment": {"name": "dev", "inputs": {"x": True}, "outputs": {"Ids": "a b"}}}
    made = compiled("run {{ '--all; true' if environment.inputs.x else '' }} {{ environment.outputs.Ids }}")
    assembled = assemble(made.root_render_func(made.new_context(scope(context))))
    assert refusals(assembled.twin, assembled.leaves) == ()


@pytest.mark.parametrize("place", sorted(set(PLACES) - {"delimiter", "case in a substitution"}))
def test_what_passes_runs_nothing_of_its_own(place, tmp_path):
    """Bash itself is asked: a file that only the value could have made is not there."""
    mark = tmp_path / "out"
    for value in [
        f"a; touch {mark}",
        f"a && touch {mark}",
        f"$(touch {mark})",
        f"a' ; touch {mark} ; '",
        f"(touch {mark})",
    ]:
        if refused(PLACES[place], value):
            continue
        text = PLACES[place].replace("{{ environment.inputs.x }}", value)
        subprocess.run(["bash", "-c", f"deploy() {{ :; }}; {text}"], capture_output=True, check=False, timeout=10)
        assert not mark.exists(), value
