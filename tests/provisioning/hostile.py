"""Strings that try to break out of the scalar they are printed into, and the positions they are tried in."""

from itertools import product

import yaml

_PAYLOADS = (
    "Evil: x", "- evil", "Evil:\n  Type: AWS::IAM::User", "? evil", "---", "...", "--- evil", "%YAML 1.1", "&a evil",
    "*a", "!Ref evil", "!Sub evil", "!!python/object:os.system x", "{Evil: x}", "[evil, evil]", "# evil", "|", ">-",
    "| evil", "<<", "<<: {Evil: x}", "=", "null", "~", "Null", "evil,", "evil, evil", "evil: ", "evil #", "evil}",
    "evil]", "'", '"', "''", '""', "\\", "\\n", "`evil`", "@evil", "\tevil", "?", ":", "-", ",", "evil:evil",
)  # fmt: skip
_BEFORE = (
    "", "x\n", "x\n  ", "x\n    ", "x\n      ", "x'\n", "x'\n  ", 'x"\n', 'x"\n  ', "', ", '", ', "x, ", "x} ", "x] ",
    "x # ", "x\t", "x' ", 'x" ', "\n", "\n\n  ",
)  # fmt: skip
_AFTER = ("", "\n", " #", "'", '"')

STRINGS = sorted({before + payload + after for before, payload, after in product(_BEFORE, _PAYLOADS, _AFTER)})

# Each prints the input x once or more; the value "benign" is the author's intention.
POSITIONS = {
    "plain": "A:\n  B: {{ X }}\n  C: 1\nD: 2\n",
    "plain inside": "A:\n  B: before-{{ X }}-after\n  C: 1\n",
    "single quotes": "A:\n  B: '{{ X }}'\n  C: 1\n",
    "double quotes": 'A:\n  B: "{{ X }}"\n  C: 1\n',
    "list item": "A:\n  - {{ X }}\n  - last\n",
    "flow sequence": "A: !FindInMap [Sizes, {{ X }}, cpu]\nB: 1\n",
    "flow mapping": "A: {B: {{ X }}, C: 1}\nD: 2\n",
    "key": "A:\n  {{ X }}: 1\n  C: 2\n",
    "key inside": "A:\n  Deploy{{ X }}Project:\n    Type: T\n  C: 2\n",
    "short tag": "A: !Sub '{{ X }}'\nB: !Ref {{ X }}\nC: 1\n",
    "literal block": "A:\n  B: |\n    first\n    {{ X }}\n    last\n  C: 1\n",
    "folded block": "A:\n  B: >-\n    {{ X }} and\n    last\n  C: 1\n",
    "literal block, indented": "A:\n  B: |\n    first\n    {{ X | indent(4) }}\n    last\n  C: 1\n",
    "comment": "A: 1 # {{ X }}\n# {{ X }}\nB:\n  C: 2\n",
    "json": '{"A": {"B": "{{ X }}", "C": [1, "{{ X }}"]}, "D": 2}\n',
    "tojson": "A:\n  B: {{ X | tojson }}\n  C: [{{ X | tojson }}]\n",
    "twice": "A: {{ X }}{{ X }}\nB: '{{ X }}' # {{ X }}\nC: 1\n",
    "through set and concatenation": "{% set y = X ~ '!' %}A:\n  B: {{ y }}\n  C: 1\n",
    "through a macro": "{% macro m(v) %}{{ v }}{% endmacro %}A:\n  B: {{ m(X) }}\n  C: 1\n",
    "through a set block": "{% set y %}-{{ X }}-{% endset %}A:\n  B: {{ y }}\n  C: 1\n",
    "through a filter block": "A:\n  B: {% filter trim %}{{ X }}{% endfilter %}\n  C: 1\n",
    "through an indenting filter block": "A:\n  B: {% filter indent(2) %}{{ X }}{% endfilter %}\n  C: 1\n",
    "through a loop": "A:\n{% for y in [X, 'z'] %}\n  - {{ y }}\n{% endfor %}\nC: 1\n",
    "through split": "A:\n  B: {{ X.split('!')[0] }}\n  C: 1\n",
    "through replace": "A:\n  B: {{ X | replace('!', '?') }}\n  C: 1\n",
    "through format": "A:\n  B: {{ '%s.' | format(X) }}\n  C: '{{ '{}.'.format(X) }}'\n",
    "list": "A:\n  B: {{ [X, 'z'] }}\n  C: 1\n",
    "joined": "A:\n  B: [{{ [X, 'z'] | join(', ') }}]\n  C: 1\n",
    "joined by it": "A:\n  B: {{ ['y', 'z'] | join(X) }}\n  C: 1\n",
    "joined by it in a map": "A:\n  B: {{ [['y', 'z']] | map('join', X) | first }}\n  C: 1\n",
    "environment variables": "A:\n  {{ {'K': X} | proton_cfn_ecs_task_definition_formatted_env_vars }}\nC: 1\n",
    "names of variables": "A:\n  {{ {X: 'v'} | proton_cfn_lambda_function_formatted_env_vars }}\nC: 1\n",
    "choice": "A:\n  B: {{ X if true else 'z' }}\n  C: 1\n",
    "default": "A:\n  B: {{ X | default('z') }}\n  C: 1\n",
}
POSITIONS = {name: text.replace("X", "environment.inputs.x") for name, text in POSITIONS.items()}


def structure(text: str) -> object:
    """What CloudFormation would see, read independently of the guard: kinds, tags and keys, and every scalar. A scalar
    that is null or a merge counts as structure, an empty one does not. Raises yaml.YAMLError."""
    node = yaml.compose(text, Loader=yaml.CSafeLoader)
    return None if node is None else _structure(node)


def _structure(node: yaml.Node) -> object:
    if isinstance(node, yaml.ScalarNode):
        matters = node.tag.startswith("!") or (node.tag in _NOT_TEXT and node.value != "")
        return ("scalar", node.tag if matters else "", node.value)
    if isinstance(node, yaml.SequenceNode):
        return ("sequence", node.tag, [_structure(item) for item in node.value])
    assert isinstance(node, yaml.MappingNode)
    items = [(_structure(key), _structure(value)) for key, value in node.value]
    return ("mapping", node.tag, items, len({repr(key) for key, _ in items}))


_NOT_TEXT = ("tag:yaml.org,2002:null", "tag:yaml.org,2002:merge", "tag:yaml.org,2002:value")


def same_structure(one: object, intended: object, mark: str = "benign") -> bool:
    """Whether two structures are equal but for the scalars in which ``intended`` holds the mark."""
    if isinstance(intended, tuple) and intended[0] == "scalar" and mark in intended[2]:
        return isinstance(one, tuple) and one[:2] == intended[:2]
    if isinstance(intended, tuple | list):
        return (
            type(one) is type(intended)
            and isinstance(one, tuple | list)
            and len(one) == len(intended)
            and all(same_structure(a, b, mark) for a, b in zip(one, intended, strict=True))
        )
    return one == intended
