"""Attention between the pixels of maps, whole or in windows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from archspec.ops.base import (
    FACTOR,
    PAIR_DOC,
    POSITIVE,
    SIDES,
    Fans,
    Folding,
    Op,
    Weight,
    Window,
    Work,
    as_pair,
    as_real,
    attribute,
    divides,
    image,
    nullable,
)
from archspec.ops.page import Page
from archspec.shapes import Pair, ShapeError, Shapes, elements, written

_SIDES_OF_TWO = {"anyOf": [SIDES["anyOf"][0], SIDES["anyOf"][1]]}


@dataclass(frozen=True)
class Attention(Op):
    """softmax(scale * q k + bias) v for each head, arXiv 1706.03762.

    Pixels are tokens. Channels are heads times a head's channels, head by head; of fewer key heads
    each serves as many query heads in a row. `bias` is (rows, heads) for "offset", row
    (dy + h - 1) * (2 w - 1) + dx + w - 1 for q's place less k's (arXiv 2103.14030), and
    (heads, h * w) for "distance", column |dy| * w + |dx|, where q may be every second or further
    pixel of k's map (arXiv 2104.01136); h and w are the extents of the keys that meet.
    """

    name = "attention"
    doc = "attention of the pixels of q to those of k, whose v it gathers (arXiv 1706.03762)"
    category = "attention"
    inputs = (3, 3)
    input_names = ("q", "k", "v")
    page = Page(
        "v's channels, once for each query head, on q's pixels",
        '[{"op": "conv", "name": "k", "kernel": 1, "channels": 16}, {"op": "attention", "heads": 4,'
        ' "from": {"q": "in", "k": "k", "v": "k"}}]',
        "q_height * q_width * (q_channels + out_channels) * (k_height * k_width if partition =="
        " 'none' else window_height * window_width if partition == 'window' else k_height * k_width"
        " // (window_height * window_width))",
    )

    heads: int = attribute(POSITIVE, "heads of the queries, which divide their channels", 1)
    key_heads: int | None = attribute(
        nullable(POSITIVE), "heads of keys and values, which divide heads; null: as many", None
    )
    scale: float | None = attribute(
        nullable(FACTOR),
        "of the products before the softmax; null: 1 / sqrt(a head's channels)",
        None,
        as_real,
    )
    bias: str = attribute(
        {"enum": ["none", "offset", "distance"]},
        'learnt numbers added by where two pixels are: "offset" for each signed way between them'
        ' (Swin), "distance" for each unsigned one (LeViT)',
        "none",
    )
    partition: str = attribute(
        {"enum": ["none", "window", "grid"]},
        "which pixels meet: all, those of a window, or those in the same place of every window",
        "none",
    )
    window: Pair = attribute(
        _SIDES_OF_TWO, f"size of the windows, {PAIR_DOC}; 0 without a partition", 0, as_pair
    )
    shift: Pair = attribute(
        _SIDES_OF_TWO,
        f"by how much windows are moved down and right, {PAIR_DOC}; what a window holds of the"
        " other end of the map is kept apart by -100 before the softmax",
        0,
        as_pair,
    )

    def simplify(self) -> Mapping[str, Any]:
        simple: dict[str, Any] = {}
        if self.key_heads == self.heads:
            simple["key_heads"] = None
        if self.partition == "none":
            simple["window"] = (0, 0)
        if self.partition != "window":
            simple["shift"] = (0, 0)
        return simple

    def resolve(self, inputs: Shapes) -> Op:
        """One window as large as the map is none, and a scale may be what it is anyway."""
        usual = self.scale == scale_of(replace(self, scale=None), inputs)
        op = replace(self, scale=None) if usual else self
        is_whole = op.partition == "window" and op.window == inputs[1][1:] and not any(op.shift)
        is_apart = op.partition == "grid" and op.window == (1, 1)
        return replace(op, partition="none") if is_whole or is_apart else op

    @property
    def served(self) -> int:
        """Heads of keys and values."""
        return self.heads if self.key_heads is None else self.key_heads

    def keys_that_meet(self, inputs: Shapes) -> Pair:
        """Height and width of the keys that one query sees."""
        _, height, width = inputs[1]
        if self.partition == "window":
            return self.window
        if self.partition == "grid":
            return (height // self.window[0], width // self.window[1])
        return (height, width)

    def infer(self, inputs: Shapes) -> Shapes:
        queries, keys, values = (image(shape, self.name) for shape in inputs)
        divides(self.heads, queries[0], "the number of channels of q")
        divides(self.served, self.heads, "the number of heads")
        divides(self.served, values[0], "the number of channels of v")
        wanted = queries[0] // self.heads * self.served
        if keys[0] != wanted:
            raise ShapeError(
                f"attention takes keys of {wanted} channels, {self.served} heads of as many as a"
                f" head of q has, not {written(inputs[1])}"
            )
        if keys[1:] != values[1:]:
            raise ShapeError(
                "attention takes k and v of one height and width, not"
                f" {written(inputs[1])} and {written(inputs[2])}"
            )
        if self.partition != "none":
            self._check_windows(inputs)
        return ((values[0] // self.served * self.heads, *queries[1:]),)

    def _check_windows(self, inputs: Shapes) -> None:
        extent = inputs[1][1:]
        if inputs[0][1:] != extent:
            raise ShapeError(
                f'attention with the partition "{self.partition}" takes q and k of one height and'
                f" width, not {written(inputs[0])} and {written(inputs[1])}"
            )
        for size, length, shift in zip(self.window, extent, self.shift, strict=True):
            if size < 1:
                raise ShapeError(
                    f'attention with the partition "{self.partition}" needs a window of at least 1'
                    f" pixel, not {written(self.window)}"
                )
            if length % size:
                raise ShapeError(
                    f"attention's windows of {written(self.window)} do not divide the map"
                    f" {written(extent)}; use another size, or a pad before it"
                )
            if shift >= size:
                raise ShapeError(
                    f"attention's shift {written(self.shift)} must be less than its window"
                    f" {written(self.window)}"
                )

    def weights(self, inputs: Shapes) -> tuple[Weight, ...]:
        height, width = self.keys_that_meet(inputs)
        if self.bias == "offset":
            rows = (2 * height - 1) * (2 * width - 1)
            return (Weight("bias", (rows, self.heads), start=0.0),)
        if self.bias == "distance":
            return (Weight("bias", (self.heads, height * width), start=0.0),)
        return ()

    def fans(self, inputs: Shapes) -> Fans | None:
        return None

    def work(self) -> Work:
        return Work("contract")

    def folding(self) -> Folding:
        return "nothing"

    def macs(self, inputs: Shapes, outputs: Shapes) -> int:
        """Of both products: of queries with keys, and of shares with values."""
        pairs = elements(inputs[0][1:]) * elements(self.keys_that_meet(inputs))
        return pairs * (inputs[0][0] + outputs[0][0])

    def elementwise(self, inputs: Shapes, outputs: Shapes) -> int:
        """The softmax, one for each pair and head, and as many of a bias."""
        pairs = elements(inputs[0][1:]) * elements(self.keys_that_meet(inputs))
        return pairs * self.heads * (1 if self.bias == "none" else 2)

    def sees(self, inputs: Shapes) -> Window:
        return Window(everything=True)


def scale_of(op: Attention, inputs: Shapes) -> float:
    """What the products are multiplied by."""
    return (inputs[0][0] // op.heads) ** -0.5 if op.scale is None else op.scale
