"""Ops that exist for training: noise that inference leaves out, and learnt damping."""

from __future__ import annotations

from dataclasses import dataclass

from archspec.ops.base import (
    FACTOR,
    PROBABILITY,
    Fans,
    Folding,
    Op,
    Weight,
    Weightless,
    Work,
    attribute,
)
from archspec.ops.page import Page
from archspec.shapes import Shapes, elements


@dataclass(frozen=True)
class _Drop(Weightless):
    category = "regularize"
    is_view = True
    is_noise = True

    rate: float = attribute(PROBABILITY, "probability of dropping, in training only")

    def infer(self, inputs: Shapes) -> Shapes:
        return (inputs[0],)

    def work(self) -> Work:
        return Work("stream")


@dataclass(frozen=True)
class Dropout(_Drop):
    name = "dropout"
    doc = "zero single values in training, the rest scaled by 1 / (1 - rate)"
    page = Page(
        "the input's",
        '{"op": "dropout", "rate": 0.2}',
    )


@dataclass(frozen=True)
class DropPath(_Drop):
    name = "drop_path"
    doc = "zero whole samples in training, arXiv 1603.09382, the rest scaled by 1 / (1 - rate)"
    page = Page(
        "the input's",
        '{"op": "drop_path", "rate": 0.1}',
    )


@dataclass(frozen=True)
class LayerScale(Op):
    name = "layer_scale"
    doc = "a learnt factor per channel, arXiv 2103.17239"
    category = "regularize"
    page = Page(
        "the input's",
        '{"op": "layer_scale", "initial": 0.1}',
    )

    initial: float = attribute(FACTOR, "value the factors start from", 1e-5)

    def infer(self, inputs: Shapes) -> Shapes:
        return (inputs[0],)

    def weights(self, inputs: Shapes) -> tuple[Weight, ...]:
        return (Weight("gamma", inputs[0][:1], start=self.initial),)

    def fans(self, inputs: Shapes) -> Fans | None:
        return None

    def work(self) -> Work:
        return Work("scale")

    def folding(self) -> Folding:
        return "scale"

    def elementwise(self, inputs: Shapes, outputs: Shapes) -> int:
        return elements(outputs[0])
