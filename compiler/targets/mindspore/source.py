"""The text of a network: one Python file of MindSpore cells that reads as if written by hand.

    graph --outline--> groups by name --patterns, parameters--> classes --here--> text

Names and numbers of a spec reach the text through names.py and layout.literal alone.
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from archspec.compiler.model import Model, weights_of
from archspec.compiler.targets.mindspore.class_names import name_classes, name_parts
from archspec.compiler.targets.mindspore.flow import flow_lines, input_names
from archspec.compiler.targets.mindspore.layout import (
    INDENT,
    WIDEST,
    Invocation,
    Piece,
    Prefixed,
    call,
    lines_of,
    literal,
)
from archspec.compiler.targets.mindspore.names import camel, escaped, identifier
from archspec.compiler.targets.mindspore.outline import outlined
from archspec.compiler.targets.mindspore.parameters import parametrize
from archspec.compiler.targets.mindspore.patterns import (
    Loop,
    Parameter,
    Part,
    Pattern,
    Use,
    Values,
    patterns_of,
)
from archspec.graph import Graph
from archspec.shapes import written

IMPORTS = {
    "OrderedDict": "from collections import OrderedDict",
    "Parameter": "from mindspore import Parameter",
    "nn": "from mindspore import nn",
    "ops": "from mindspore import ops",
    "initializer": "from mindspore.common.initializer import initializer",
}
"""Every import a generated file can have, by the name it brings."""


def network_name(graph: Graph) -> str:
    """What the class of a network is called: resnet50 is Resnet50."""
    return identifier(camel(graph.name), _helpers())


def source_of(model: Model, checkpoint: str = "") -> str:
    """The network as Python source: a module whose last class, `network_name(graph)`, is it.

    The same model gives the same text. Parameters have the graph's weight paths for names;
    `checkpoint` is a file of them that the text shall mention.
    """
    patterns = patterns_of(outlined(model.graph))
    for pattern in patterns:
        parametrize(pattern)
    network = network_name(model.graph)
    name_classes(patterns, network, list(_helpers()))
    renamed = name_parts(patterns)
    for pattern in patterns:
        input_names(pattern)
    body: list[str] = []
    for pattern in patterns:
        doc = model.graph.doc if pattern is patterns[-1] else _places(pattern)
        root = model.graph if pattern is patterns[-1] else None
        body += ["", "", *_class_lines(pattern, doc or model.graph.name, root, renamed)]
    needed = _names_in("\n".join(body))
    helpers = [text for name, text in _helpers().items() if name in _closure(needed)]
    text = "".join(f"\n\n{helper}\n" for helper in helpers) + "\n".join(body) + "\n"
    return _heading(model, network, checkpoint) + _import_lines(_names_in(text)) + text


def _heading(model: Model, network: str, checkpoint: str) -> str:
    graph = model.graph
    outputs = ", ".join(f"{key} {written(shape)}" for key, shape in graph.output_shapes.items())
    image = ", ".join(map(str, graph.input_shape))
    results = ", ".join(identifier(key, ()) for key in graph.outputs)
    if graph is model.spec_graph:
        what = f"The spec {graph.name}"
    else:
        what = f"The spec {graph.name}, rewritten by archspec's passes"
    example = next(iter(weights_of(graph)), None)
    lines = [
        *_filled(f"{graph.name}: {graph.doc}" if graph.doc else graph.name),
        "",
        *_filled(
            f"{what}, as MindSpore cells. Written by archspec; only MindSpore is needed to run it."
        ),
        "",
        f"    input        image {written(graph.input_shape)}, float32, any number of them",
        *_filled(outputs, "    output       ", " " * 17),
        f"    parameters   {graph.params:,} trainable",
        f"    MACs         {graph.macs:,} an image",
        f"    fingerprint  {model.spec_graph.fingerprint}",
        "",
        f"    network = {network}()",
        *([f"    mindspore.load_checkpoint({literal(checkpoint)}, network)"] if checkpoint else []),
        "    network.set_train(False)",
        f"    {results} = network(mindspore.Tensor(images))  # images: (N, {image})",
    ]
    if example is not None:
        lines += ["", *_filled(f"Parameters have the spec's names, such as {example}.")]
    lines += [
        "Where convolutions are very slow on a CPU, ONEDNN_MAX_CPU_ISA=AVX2 in the environment may",
        "help; `archspec doctor` tells.",
    ]
    # every line is escaped here, so that none can be forgotten
    return '"""' + "\n".join(map(escaped, lines)) + '\n"""\n'


def _filled(text: str, before: str = "", margin: str = "") -> list[str]:
    """Text from a spec as lines of a docstring, with room left for its quotes."""
    lines = textwrap.wrap(
        " ".join(text.split()),
        WIDEST - 6,
        initial_indent=before,
        subsequent_indent=margin,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return lines or [before]


def _import_lines(names: set[str]) -> str:
    lines = [line for name, line in IMPORTS.items() if name in names]
    mindspore = [name for name in ("Parameter", "nn", "ops") if name in names]
    blocks: list[list[str]] = [[], []]
    for line in lines:
        if line.startswith("from mindspore import"):
            line = f"from mindspore import {', '.join(mindspore)}"
        block = blocks["mindspore" in line]
        if line not in block:
            block.append(line)
    return "".join("\n" + "\n".join(block) + "\n" for block in blocks if block)


# Classes.


def _places(pattern: Pattern) -> str:
    paths = [use.group.path for use in pattern.uses]
    if len(paths) <= 3:
        return " and ".join([", ".join(paths[:-1]), paths[-1]] if len(paths) > 1 else paths) + "."
    return f"{paths[0]}, {paths[1]} and {len(paths) - 2} more."


def is_sequence(pattern: Pattern) -> bool:
    """Whether the class is best an nn.SequentialCell: one cell after the other, some in a loop."""
    return pattern.is_chain and pattern.has_loop


def _class_lines(
    pattern: Pattern, doc: str, root: Graph | None, renamed: Mapping[str, str]
) -> list[str]:
    use = pattern.uses[0]
    words = iter(pattern.words)
    base = "nn.SequentialCell" if is_sequence(pattern) else "nn.Cell"
    lines = [f"class {pattern.name}({base}):"]
    documentation = [escaped(line) for line in _filled(doc, INDENT, INDENT)]
    documentation[0] = f'{INDENT}"""{documentation[0].removeprefix(INDENT)}'
    documentation[-1] += '"""'
    lines += documentation
    signature = [_declared(parameter) for parameter in pattern.parameters]
    head = lines_of(Invocation("def __init__(", ("self", *signature)), 1, "", ":")
    if is_sequence(pattern):
        made = call("super().__init__", _ordered(pattern.parts, use.values, words))
        return [*lines, "", *head, *lines_of(made, 2)]
    cells: list[str] = []
    for part, values, name in zip(pattern.parts, use.values, pattern.attributes, strict=True):
        if part.is_cell:
            cells += lines_of(_made(part, values, words), 2, f"self.{name} = ")
    if root is not None and renamed:
        cells += _renaming(renamed)
    if cells:
        lines += ["", *head, f"{INDENT * 2}super().__init__()", *cells]
    results = () if root is None else tuple(root.outputs)
    return [*lines, "", *flow_lines(pattern, results)]


def _declared(parameter: Parameter) -> str:
    if parameter.default is None:
        return parameter.name
    return f"{parameter.name}={literal(parameter.default)}"


def _made(part: Part, values: Values, words: Iterator[str | None]) -> Piece:
    """The expression that makes a part's cell. Takes the part's words from the iterator."""
    if isinstance(values, Loop):
        next(words)  # the loop's first number
        next(words)  # and its last
        assert part.unit is not None
        return _made(part.unit, values.unit, words)
    if isinstance(values, Use):
        return _made_of_class(values, words)
    if part.chain is not None:
        return call("nn.SequentialCell", _ordered(part.chain, values, words))
    spelling = part.spelling
    assert spelling is not None
    if spelling.is_bare:
        return f"{next(words) or spelling.cell}()"
    pieces: list[Piece] = []
    for argument in spelling.arguments:
        word = next(words)
        if word is None and argument.default is not None and argument.value == argument.default:
            continue
        text = literal(argument.value) if word is None else word
        pieces.append(f"{argument.keyword}={text}" if argument.keyword else text)
    return call(spelling.cell, *pieces)


def _made_of_class(use: Use, words: Iterator[str | None]) -> Piece:
    pieces: list[Piece] = []
    parameters = use.pattern.parameters
    for parameter, value in zip(parameters, use.arguments, strict=True):
        word = next(words)
        if word is None and parameter.default is not None and value == parameter.default:
            continue
        text = literal(value) if word is None else word
        is_plain = parameter.name in ("in_channels", "channels") or len(parameters) == 1
        pieces.append(text if is_plain else f"{parameter.name}={text}")
    return call(use.pattern.name, *pieces)


def _ordered(
    parts: Sequence[Part], values: Sequence[Values], words: Iterator[str | None]
) -> Invocation:
    """OrderedDict(first=..., **{f"block{i}": ... for i in range(2, depth + 1)})."""
    pieces: list[Piece] = []
    for part, value in zip(parts, values, strict=True):
        if not isinstance(value, Loop):
            pieces.append(Prefixed(f"{part.name}=", _made(part, value, words)))
            continue
        first, last = next(words), next(words)
        assert part.unit is not None
        made = _made(part.unit, value.unit, words)
        if first is None and last is None and value.first == value.last:
            pieces.append(Prefixed(f"{part.name}{value.first}=", made))
            continue
        if first is not None and first == last:
            pieces.append(Invocation("**{", (Prefixed(f'f"{part.name}{{{first}}}": ', made),), "}"))
            continue
        start = literal(value.first) if first is None else first
        stop = literal(value.last + 1) if last is None else f"{last} + 1"
        pieces.append(
            Invocation(
                "**{",
                (
                    Prefixed(f'f"{part.name}{{i}}": ', made),
                    f"for i in range({start}, {stop})",
                ),
                "}",
                "",
            )
        )
    return call("OrderedDict", *pieces)


def _renaming(renamed: Mapping[str, str]) -> list[str]:
    """Lines that give parameters their paths where an attribute could not have a part's name."""
    table = Invocation(
        "{", tuple(f"{literal(word)}: {literal(name)}" for word, name in renamed.items()), "}"
    )
    margin = INDENT * 2
    return [
        f"{margin}# the spec's names for what no attribute can be called",
        *lines_of(table, 2, "names = "),
        f"{margin}for parameter in self.get_parameters():",
        f'{margin}{INDENT}words = parameter.name.split(".")',
        f'{margin}{INDENT}parameter.name = ".".join(names.get(word, word) for word in words)',
    ]


# Helper cells.


@cache
def _helpers() -> dict[str, str]:
    """The text of every helper of cells.py, by its name, in order."""
    text = Path(__file__).with_name("cells.py").read_text(encoding="utf-8")
    return {
        node.name: ast.get_source_segment(text, node) or ""
        for node in ast.parse(text).body
        if isinstance(node, (ast.ClassDef, ast.FunctionDef))
    }


def _names_in(text: str) -> set[str]:
    return {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}


def _closure(names: set[str]) -> set[str]:
    """The helpers among the names, and those they need in turn."""
    found: set[str] = set()
    waiting = [name for name in names if name in _helpers()]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [other for other in _names_in(_helpers()[name]) if other in _helpers()]
    return found
