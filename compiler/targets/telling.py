"""What each target makes of one node, in words: the node is really lowered. No framework is needed
for it, the package onnx for ONNX alone."""

from __future__ import annotations

from collections import Counter
from importlib import import_module
from typing import Any

from archspec.compiler.model import weights_of
from archspec.compiler.targets import TARGETS
from archspec.compiler.targets.python.layout import call, lines_of, literal
from archspec.compiler.targets.python.spelling import Spelling
from archspec.errors import UsageError
from archspec.graph import Graph
from archspec.node import Node
from archspec.ops import Op
from archspec.shapes import written

OPSET = 13
MAX_OPERATORS = 12
"""Of more it is told how many there are of each kind."""


def tell_targets(graph: Graph, node: Node) -> dict[str, str]:
    """By the name of each way of writing: a cell, a module or an expression of Python, operators of
    ONNX, and what inference in numpy gives."""
    told = {"numpy": _tell_numpy(graph, node)}
    for target in TARGETS.values():
        if target.is_source:
            module, _, function = target.spelling.partition(":")
            spell = getattr(import_module(f"{__package__}.{module}"), function)
            told[target.name] = f"`{_write(spell(node.op, node.layer), type(node.op))}`"
    told["onnx"] = _tell_onnx(graph, node)
    return told


def _write(spelling: Spelling, op: type[Op]) -> str:
    """A spelling as one line; inputs are x, or a, b... or as the op calls them."""
    if spelling.is_input:
        return "x"
    if spelling.expression is not None:
        names = op.input_names or (("x",) if op.inputs[1] == 1 else ("a", "b"))
        piece = spelling.expression(names)
    else:
        # what is the cell's own default is not written
        arguments = [a for a in spelling.arguments if a.default is None or a.value != a.default]
        texts = [(a.keyword and f"{a.keyword}=") + literal(a.value) for a in arguments]
        piece = call(spelling.cell, *texts)
    return " ".join(line.strip() for line in lines_of(piece, 0))


def _zeros(graph: Graph) -> dict[str, Any]:
    import numpy as np

    return {path: np.zeros(w.shape, np.float32) for path, w in weights_of(graph).items()}


def _tell_numpy(graph: Graph, node: Node) -> str:
    try:
        import numpy as np

        from archspec.compiler.targets import reference
    except ImportError:
        return "needs the package numpy"
    home = reference.forward.dispatch(type(node.op)).__module__.rpartition(".")[2]
    image = np.zeros((1, *graph.input_shape), np.float32)
    with np.errstate(all="ignore"):  # 0 / 0 of a div: only the shape counts
        (result, *_) = reference.run(graph, _zeros(graph), image).values()
    return f"a function in compiler/targets/reference/{home}.py; the example gives " + written(
        result.shape[1:]
    )


def _tell_onnx(graph: Graph, node: Node) -> str:
    try:
        from archspec.compiler.targets.onnx.model import operators_of
    except (ImportError, UsageError):
        return "needs the package onnx"
    kinds = operators_of(graph, _zeros(graph), node, OPSET)
    if len(kinds) > MAX_OPERATORS:
        kinds = [f"{count} {kind}" for kind, count in Counter(kinds).items()]
    return f"{', '.join(kinds) or 'nothing'} (opset {OPSET})"
