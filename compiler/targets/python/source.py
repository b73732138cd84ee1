"""The text of a network: one Python file of a framework's cells that reads as if written by hand.

    graph --outline--> groups by name --patterns, parameters--> classes --here--> text

Names and numbers of a spec reach the text through names.py and layout.literal alone.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Set

from archspec.compiler.model import Model
from archspec.compiler.targets import check_spellings
from archspec.compiler.targets.python.class_names import classes_of, name_classes
from archspec.compiler.targets.python.dialect import Dialect
from archspec.compiler.targets.python.flow import flow_lines, input_names
from archspec.compiler.targets.python.heading import about_names, fill_lines, heading, import_lines
from archspec.compiler.targets.python.layout import INDENT, Invocation, call, lines_of, literal
from archspec.compiler.targets.python.making import Making
from archspec.compiler.targets.python.names import camel, escape, identifier
from archspec.compiler.targets.python.patterns import Parameter, Pattern
from archspec.compiler.targets.python.weight_names import names_in
from archspec.graph import Graph


def network_name(graph: Graph, dialect: Dialect) -> str:
    """What the class of a network is called: resnet50 is Resnet50."""
    return identifier(camel(graph.name), dialect.reserved.union(dialect.helper_texts))


def source_of(model: Model, dialect: Dialect, weights: str = "") -> str:
    """The network as Python source: a module whose last class, `network_name(...)`, is it.

    The same model gives the same text. `weights` is a file that the text shall mention. Raises
    SpecError for ops that the dialect has no spelling for.
    """
    check_spellings(dialect.target, model.graph)
    network = network_name(model.graph, dialect)
    patterns, renamed = classes_of(model.graph, dialect)
    name_classes(patterns, network, dialect)
    for pattern in patterns:
        input_names(pattern, dialect.reserved)
    body: list[str] = []
    for pattern in patterns:
        doc = model.graph.doc if pattern is patterns[-1] else _places(pattern)
        root = model.graph if pattern is patterns[-1] else None
        body += ["", "", *_class_lines(pattern, doc or model.graph.name, root, renamed, dialect)]
    needed = _names_in("\n".join(body))
    helpers = dialect.helper_texts
    chosen = _closure(needed, helpers)
    text = "".join(f"\n\n{helper}\n" for name, helper in helpers.items() if name in chosen)
    text += "\n".join(body) + "\n"
    names = names_in(patterns, model.graph, dialect)
    file = literal(weights) if weights else ""
    head = heading(model, dialect, network, file, (*about_names(names, dialect, renamed),))
    return head + import_lines(_names_in(text), dialect.imports) + text


# Classes.


def _places(pattern: Pattern) -> str:
    paths = [use.group.path for use in pattern.uses]
    if len(paths) <= 3:
        return " and ".join([", ".join(paths[:-1]), paths[-1]] if len(paths) > 1 else paths) + "."
    return f"{paths[0]}, {paths[1]} and {len(paths) - 2} more."


def _class_lines(
    pattern: Pattern, doc: str, root: Graph | None, renamed: Mapping[str, str], dialect: Dialect
) -> list[str]:
    use = pattern.uses[0]
    making = Making(iter(pattern.words), dialect.sequential)
    base = dialect.sequential if pattern.is_sequence else dialect.base
    lines = [f"class {pattern.name}({base}):"]
    documentation = [escape(line) for line in fill_lines(doc, INDENT, INDENT)]
    documentation[0] = f'{INDENT}"""{documentation[0].removeprefix(INDENT)}'
    documentation[-1] += '"""'
    lines += documentation
    signature = [_declare(parameter) for parameter in pattern.parameters]
    head = lines_of(Invocation("def __init__(", ("self", *signature)), 1, "", ":")
    if pattern.is_sequence:
        made = call("super().__init__", making.make_ordered(pattern.parts, use.values))
        return [*lines, "", *head, *lines_of(made, 2)]
    cells: list[str] = []
    for part, values, name in zip(pattern.parts, use.values, pattern.attributes, strict=True):
        if part.is_cell and part.reuses is None:
            cells += lines_of(making.make(part, values), 2, f"self.{name} = ")
    if root is not None and renamed and dialect.rename is not None:
        cells += dialect.rename(renamed)
    if cells:
        lines += ["", *head, f"{INDENT * 2}super().__init__()", *cells]
    results = () if root is None else tuple(root.outputs)
    return [*lines, "", *flow_lines(pattern, results, dialect)]


def _declare(parameter: Parameter) -> str:
    if parameter.default is None:
        return parameter.name
    return f"{parameter.name}={literal(parameter.default)}"


# Helper cells.


def _names_in(text: str) -> set[str]:
    return {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}


def _closure(names: Set[str], helpers: Mapping[str, str]) -> set[str]:
    """The helpers among the names, and those they need in turn."""
    found: set[str] = set()
    waiting = [name for name in names if name in helpers]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [other for other in _names_in(helpers[name]) if other in helpers]
    return found
