"""From an op's evaluated attributes to a layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archspec.check_values import check_attributes
from archspec.errors import SpecError
from archspec.json_values import freeze
from archspec.node import Layer
from archspec.ops import OPS
from archspec.shapes import ShapeError, Shapes
from archspec.syntax import Arguments, Modifiers

_layers: dict[Any, Layer] = {}
"""Every layer met so far: layers are values, and a few hundred make thousands of networks."""
_MAX_LAYERS = 100_000


def layer_of(
    node: Modifiers, name: str, values: Arguments, attributes: Mapping[str, Any], shapes: Shapes
) -> Layer:
    """The op `name` with these evaluated attributes on inputs of these shapes. `values` are the
    attributes as written on the `node`, which errors point at. Raises SpecError."""
    key = (name, freeze(attributes), shapes)
    layer = _layers.get(key)
    if layer is None:
        if len(_layers) >= _MAX_LAYERS:
            _layers.clear()
        layer = _layers[key] = _new_layer(node, name, values, attributes, shapes)
    return layer


def _new_layer(
    node: Modifiers, name: str, values: Arguments, attributes: Mapping[str, Any], shapes: Shapes
) -> Layer:
    op = OPS[name]
    wrong = check_attributes(op, attributes)
    if wrong:
        raise SpecError(
            (values[key].at if key in values else node.at).problem(message)
            for key, message in wrong.items()
        )
    fewest, most = op.inputs
    if len(shapes) < fewest or (most is not None and len(shapes) > most):
        wanted = f"{fewest}" if most == fewest else f"{fewest} or more"
        raise node.at.error(
            f'{name} takes {wanted} input(s) and is given {len(shapes)}; use a "from" that names'
            " them"
        )
    try:
        return Layer(op(**attributes), shapes, attributes)
    except ShapeError as error:
        raise node.at.error(str(error)) from None
