"""Tells what a template's author wrote from what came from outside, before the template runs.

An expression whose text can only be the author's own (constants, choices between constants, look-ups in a literal map)
or the platform's (an environment's outputs and account) may carry structure. Whatever else is printed is a value.
"""

from dataclasses import dataclass

from jinja2 import Environment, nodes

PRINTED = "printed expression"  # the space keeps it out of every template's reach
JOIN_OF_VALUES = "join of values"
_TRUSTED_OF_ENVIRONMENT = frozenset({"outputs", "account_id"})
_GLOBALS = frozenset({"range", "dict"})


@dataclass(frozen=True)
class Names:
    """``bound``: what the template itself sets; ``authored``: what it only ever sets to its author's own text."""

    bound: frozenset[str]
    authored: frozenset[str]


def mark_printed(template: nodes.Template, environment: Environment) -> None:
    """Wraps every printed expression in the filter that makes a fragment of it, with its line and who wrote it."""
    names = _authored_names(template)
    for join in list(template.find_all(nodes.Filter)):
        if join.name == "join" and not all(
            _is_authored(a, names) for a in (*join.args, *(k.value for k in join.kwargs))
        ):
            join.name = JOIN_OF_VALUES
    for output in list(template.find_all(nodes.Output)):
        output.nodes = [
            child
            if isinstance(child, nodes.TemplateData | nodes.Const)
            else nodes.Filter(
                child,
                PRINTED,
                [nodes.Const(child.lineno), nodes.Const(_is_authored(child, names))],
                [],
                None,
                None,
                lineno=child.lineno,
            )
            for child in output.nodes
        ]
    template.set_environment(environment)


def _authored_names(template: nodes.Template) -> Names:
    bound: dict[str, list[nodes.Node | None]] = {}

    def bind(target: nodes.Node, value: nodes.Node | None) -> None:
        if isinstance(target, nodes.Name | nodes.NSRef):
            bound.setdefault(target.name, []).append(value)
        else:
            for inner in target.iter_child_nodes():
                bind(inner, None)

    for node in template.find_all(
        (nodes.Assign, nodes.AssignBlock, nodes.For, nodes.Macro, nodes.CallBlock, nodes.With)
    ):
        if isinstance(node, nodes.Assign):
            bind(node.target, node.node)
        elif isinstance(node, nodes.AssignBlock | nodes.For):
            bind(node.target, None)
        elif isinstance(node, nodes.With):
            for target in node.targets:
                bind(target, None)
        elif isinstance(node, nodes.Macro | nodes.CallBlock):
            for argument in node.args:
                bind(argument, None)
            if isinstance(node, nodes.Macro):
                bound.setdefault(node.name, []).append(None)
    names = Names(frozenset(bound), frozenset(bound))
    while True:
        authored = frozenset(
            name for name in names.authored if all(v is not None and _is_authored(v, names) for v in bound[name])
        )
        if authored == names.authored:
            return names
        names = Names(names.bound, authored)


def _is_authored(node: nodes.Node, names: Names) -> bool:
    """Whether the text of an expression can only be the author's or the platform's."""
    if isinstance(node, nodes.Const | nodes.TemplateData | nodes.Compare | nodes.Test | nodes.Not):
        return True
    if isinstance(node, nodes.Name):
        return node.name in names.authored or node.name in _GLOBALS - names.bound
    if isinstance(node, nodes.CondExpr):
        return _is_authored(node.expr1, names) and (node.expr2 is None or _is_authored(node.expr2, names))
    if isinstance(node, nodes.Getattr | nodes.Getitem):
        if isinstance(node.node, nodes.Name) and node.node.name == "environment" and "environment" not in names.bound:
            name = node.attr if isinstance(node, nodes.Getattr) else getattr(node.arg, "value", None)
            return name in _TRUSTED_OF_ENVIRONMENT
        return _is_authored(node.node, names)  # which item is chosen does not matter
    if isinstance(node, nodes.ContextReference | nodes.DerivedContextReference):
        return False
    children = list(node.iter_child_nodes())
    return bool(children or isinstance(node, nodes.List | nodes.Tuple | nodes.Dict)) and all(
        _is_authored(child, names) for child in children
    )
