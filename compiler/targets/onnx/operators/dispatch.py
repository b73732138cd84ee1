"""Where each op's spelling is found: `spell`, which the families beside this file fill."""

from __future__ import annotations

from functools import singledispatch

from archspec.compiler.targets.onnx.net import Site
from archspec.errors import SpecError
from archspec.ops import Op


@singledispatch
def spell(op: Op, at: Site) -> None:
    """Add the operators that do what the op does in inference."""
    raise SpecError(f"the target onnx has no {op.name}")
