"""How each operator of ONNX is said in ops of ours: one function per kind, by family."""

from __future__ import annotations

from archspec.compiler.importing.onnx.operators import moves, pointwise, products, windows
from archspec.compiler.importing.onnx.site import SAYS

FAMILIES = (windows, products, pointwise, moves)
"""The modules that fill SAYS, which importing them is enough for."""

__all__ = ["FAMILIES", "SAYS"]
