"""What makes two networks one: their fingerprint, and what of `input` it is taken of.

    scheme 1   sha256 of the normal form as its attributes were written: until November 2026
    scheme 2   sha256 of the normal form as its attributes mean it, node by node on known shapes

Of both, names (but for results' own), doc, source, expect and args are left out, while the order of
nodes and of a node's inputs counts. Where a spec writes each attribute in the shortest form the two
are equal. What a file says may be of any scheme: `is_of` knows them all.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from archspec.node import Layer
from archspec.ops.base import as_json, as_real, default_of
from archspec.shapes import Pair, Shape

if TYPE_CHECKING:
    from archspec.graph import Graph

SCHEME = 2
FINGERPRINT = "fingerprint"
"""Its key in what files say of the network they were made of."""
STRUCTURE = "structure"
"""The key of the fingerprint without `input`, which files of weights have beside the other."""


def fingerprint_of(graph: Graph) -> str:
    """64 hexadecimal digits, equal for networks that compute the same node by node."""
    attributes = _attributes_by_meaning
    return _digest(resolve_input(graph.preprocessing, graph.input_shape), graph, attributes)


def is_of(graph: Graph, said: Mapping[str, Any]) -> bool:
    """Whether what a file says is this graph's fingerprint, of any scheme, or none at all."""
    fingerprint = said.get(FINGERPRINT, graph.fingerprint)
    return fingerprint == graph.fingerprint or fingerprint == _fingerprint_by_scheme_1(graph)


def fingerprint_without_input(graph: Graph) -> str:
    """64 hexadecimal digits, equal for networks whose weights mean the same whatever size of images
    they are given. Attributes count as they were written: what they mean can depend on the size."""
    return _digest({}, graph, _attributes_as_given)


def is_of_any_input(graph: Graph, said: Mapping[str, Any]) -> bool:
    """is_of, for what `input` has no part in, such as weights. Of a file that says no fingerprint
    without it, the input that the spec itself gives is tried."""
    if is_of(graph, said):
        return True
    if STRUCTURE in said:
        return said[STRUCTURE] == fingerprint_without_input(graph)
    shape = tuple(graph.preprocessing.get("shape", graph.input_shape))
    settings = resolve_input(graph.preprocessing, shape)
    return said[FINGERPRINT] == _digest(settings, graph, _attributes_by_meaning)


def list_fingerprints(graph: Graph) -> frozenset[str]:
    """A graph's fingerprint by every scheme, for what is compared with many files or records."""
    return frozenset((graph.fingerprint, _fingerprint_by_scheme_1(graph)))


def resolve_input(settings: Mapping[str, Any], shape: Shape) -> dict[str, Any]:
    """A spec's `input` in one form for all that prepare images of this input shape alike.

    Where the shape is not the spec's own, `resize` shrinks or grows in proportion. `crop` is the
    shape's; without a `resize` other than that there is none, and bilinear goes without saying.
    """
    result: dict[str, Any] = {"shape": list(shape)}
    if len(shape) != 3:  # a graph that was made by hand: no image is prepared for it
        return {**settings, **result}
    _, height, width = shape
    rows, columns = _pair(settings.get("crop", settings.get("shape", shape)[1:]))
    resize = settings.get("resize", [rows, columns])
    if isinstance(resize, int):
        resize = round(resize * min(height / rows, width / columns))
    else:
        resize = [round(resize[0] * height / rows), round(resize[1] * width / columns)]
    interpolation = settings.get("interpolation", "bilinear")
    if resize != [height, width]:
        result["resize"] = resize
        result["crop"] = height if height == width else [height, width]
        result["interpolation"] = interpolation
    elif interpolation != "bilinear":
        result["interpolation"] = interpolation
    for key, neutral in (("mean", 0.0), ("std", 1.0)):
        values = [as_real(value) for value in settings.get(key, ())]
        if any(value != neutral for value in values):
            result[key] = values
    return result


def _digest(settings: Mapping[str, Any], graph: Graph, attributes: Any) -> str:
    names = {name: f"n{index}" for index, name in enumerate(graph.nodes)}
    content = {"input": settings, **graph.structure(names, attributes)}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _attributes_by_meaning(layer: Layer) -> dict[str, Any]:
    return {"op": layer.meaning.name, **layer.meaning.written_attributes()}


def _fingerprint_by_scheme_1(graph: Graph) -> str:
    """As commit f0ec3b9 and those before it made it of the same text."""
    settings = {**graph.preprocessing, "shape": list(graph.input_shape)}
    return _digest(settings, graph, _attributes_as_given)


def _attributes_as_given(layer: Layer) -> dict[str, Any]:
    """What differs from its default, pairs and sides in one form, all else as the spec had it."""
    result: dict[str, Any] = {}
    for item in layer.op.attributes():
        value = layer.given.get(item.name, item.default)
        convert = item.metadata["convert"]
        if convert is not None and convert is not as_real:
            value = convert(value)
        if value != default_of(item):
            result[item.name] = as_json(value)
    return result


def _pair(value: Any) -> Pair:
    return (value, value) if isinstance(value, int) else (value[0], value[1])
