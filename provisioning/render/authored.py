"""Tells what a template's author wrote from what came from outside, before the template runs.

An expression whose text can only be the author's own (constants, choices between constants, look-ups in a literal map)
or the platform's (an environment's outputs and account) may carry structure. Whatever else is printed is a value.
"""

from dataclasses import dataclass

from jinja2 import Environment, TemplateSyntaxError, nodes

from provisioning.render.fragments import MARK

PRINTED = "printed expression"  # the space keeps it out of every template's reach
# Filters whose other arguments may carry structure where the author wrote them. Nobody can name these in a template.
JOIN, INDENT = f"join {MARK}", f"indent {MARK}"
_WITH_STRUCTURE = {"join": JOIN, "indent": INDENT}
# A name that the context may hold is never the author's, even where the template sets it in one of its branches.
ROOTS = frozenset({"environment", "service", "service_instance", "service_instances", "pipeline", "component"})
_TRUSTED_OF_ENVIRONMENT = frozenset({"outputs", "account_id"})
_GLOBALS = frozenset({"range", "dict", "namespace"})


@dataclass(frozen=True)
class Names:
    """``bound``: what the template itself sets; ``authored``: what it only ever sets to its author's own text;
    ``macros``: what is only ever a macro."""

    bound: frozenset[str]
    authored: frozenset[str]
    macros: frozenset[str]


def mark_printed(template: nodes.Template, environment: Environment, text: str) -> None:
    """Wraps every printed expression in the filter that makes a fragment of it, with its line and who wrote it.

    ``text`` is the template's source. Raises TemplateSyntaxError for the two blocks that print past an expression and
    cannot be followed: a call block of anything but the template's own macro, and autoescape, which is for HTML.
    """
    names = _authored_names(template)
    comments = {number for number, line in enumerate(text.splitlines(), 1) if line.lstrip().startswith("#")}

    def printed(node: nodes.Expr) -> nodes.Filter:
        arguments: list[nodes.Expr] = [
            nodes.Const(node.lineno),
            nodes.Const(_is_authored(node, names)),
            nodes.Const(node.lineno in comments),
        ]
        return nodes.Filter(node, PRINTED, arguments, [], None, None, lineno=node.lineno)

    for node in list(template.find_all(nodes.Filter)):
        if node.name in _WITH_STRUCTURE and all(_is_authored(a, names) for a in (*node.args, *node.kwargs)):
            node.name = _WITH_STRUCTURE[node.name]
    for output in list(template.find_all(nodes.Output)):
        output.nodes = [
            child if isinstance(child, nodes.TemplateData | nodes.Const) else printed(child) for child in output.nodes
        ]
    for block in list(template.find_all(nodes.FilterBlock)):
        block.filter = printed(block.filter)
    for call in template.find_all(nodes.CallBlock):
        if not (isinstance(call.call.node, nodes.Name) and call.call.node.name in names.macros):
            raise TemplateSyntaxError("a call block can only call a macro of the same template", call.lineno)
    for modifier in template.find_all(nodes.ScopedEvalContextModifier):
        raise TemplateSyntaxError("autoescape has no place in an infrastructure template", modifier.lineno)
    template.set_environment(environment)


def _authored_names(template: nodes.Template) -> Names:
    bound: dict[str, list[nodes.Node | None]] = {}

    def bind(target: nodes.Node, value: nodes.Node | None) -> None:
        if isinstance(target, nodes.Name | nodes.NSRef):
            bound.setdefault(target.name, []).append(value)
        else:
            for inner in target.iter_child_nodes():
                bind(inner, value)  # a part of an author's value is the author's

    for node in template.find_all(
        (nodes.Assign, nodes.AssignBlock, nodes.For, nodes.Macro, nodes.CallBlock, nodes.With)
    ):
        if isinstance(node, nodes.Assign):
            bind(node.target, node.node)
        elif isinstance(node, nodes.For):
            bind(node.target, node.iter)
        elif isinstance(node, nodes.AssignBlock):
            bind(node.target, None)
        elif isinstance(node, nodes.With):
            for target, value in zip(node.targets, node.values, strict=True):
                bind(target, value)
        elif isinstance(node, nodes.Macro | nodes.CallBlock):
            for argument in node.args:
                bind(argument, None)
            if isinstance(node, nodes.Macro):
                bound.setdefault(node.name, []).append(node)
    macros = frozenset(name for name, values in bound.items() if all(isinstance(v, nodes.Macro) for v in values))
    names = Names(frozenset(bound), frozenset(bound) - macros - ROOTS, macros)
    while True:
        authored = frozenset(
            name for name in names.authored if all(v is not None and _is_authored(v, names) for v in bound[name])
        )
        if authored == names.authored:
            return names
        names = Names(names.bound, authored, macros)


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
    if isinstance(node, nodes.Filter) and node.node is None:
        return False  # a filter block's text
    if isinstance(node, nodes.ContextReference | nodes.DerivedContextReference):
        return False
    children = list(node.iter_child_nodes())
    return bool(children or isinstance(node, nodes.List | nodes.Tuple | nodes.Dict)) and all(
        _is_authored(child, names) for child in children
    )
