"""How each op is spelt in ONNX: one function per op, of operators that are allowed (see allowed.py)
and mean the same in every opset written."""

from __future__ import annotations

from archspec.compiler.targets.onnx.operators import (
    attention,
    borders,
    functions,
    moves,
    norms,
    resizing,
    windows,
)
from archspec.compiler.targets.onnx.operators.dispatch import spell

FAMILIES = (windows, norms, functions, moves, resizing, borders, attention)
"""The modules that say what `spell` writes for each op, which importing them is enough for."""

__all__ = ["FAMILIES", "spell"]
