"""Fully connected layers."""

from __future__ import annotations

from dataclasses import dataclass

from archspec.ops.base import BOOLEAN, POSITIVE, Fans, Folding, Op, Weight, Work, attribute
from archspec.ops.page import Page
from archspec.shapes import ShapeError, Shapes, written


@dataclass(frozen=True)
class Dense(Op):
    name = "dense"
    doc = "fully connected layer over a flat vector of features"
    category = "dense"
    page = Page(
        "a vector of as many features as channels says; the input must be a vector",
        '["global_avg_pool", "flatten", {"op": "dense", "channels": 10}]',
        "in_channels * out_channels",
    )

    channels: int = attribute(POSITIVE, "output features")
    bias: bool = attribute(BOOLEAN, "add a learnt constant per output feature", True)

    def infer(self, inputs: Shapes) -> Shapes:
        if len(inputs[0]) != 1:
            raise ShapeError(
                f"dense takes a flat vector, not {written(inputs[0])}; put a flatten before it"
            )
        return ((self.channels,),)

    def weights(self, inputs: Shapes) -> tuple[Weight, ...]:
        kernel = Weight("weight", (self.channels, inputs[0][0]), start=None)
        return (kernel, Weight("bias", (self.channels,), start=None)) if self.bias else (kernel,)

    def fans(self, inputs: Shapes) -> Fans | None:
        return Fans(inputs[0][0], self.channels)

    def work(self) -> Work:
        return Work("multiply")

    def folding(self) -> Folding:
        return "affine"

    def macs(self, inputs: Shapes, outputs: Shapes) -> int:
        return self.channels * inputs[0][0]
