"""What a network holds and no image makes: learnt tensors, and buffers beside them."""

from __future__ import annotations

from dataclasses import dataclass

from archspec.ops.base import (
    BOOLEAN,
    FACTOR,
    POSITIVE,
    Fans,
    Folding,
    Op,
    Weight,
    Work,
    attribute,
)
from archspec.ops.page import Page
from archspec.shapes import Shape, Shapes


@dataclass(frozen=True)
class Param(Op):
    """A node without inputs. What it gives is the same for every sample, so its batch is 1 and
    joins with a larger one."""

    name = "param"
    doc = "a learnt tensor: a class token, positions, a temperature; it takes nothing"
    category = "param"
    inputs = (0, 0)
    page = Page(
        "as shape says",
        '[{"op": "param", "name": "position", "shape": [16, 32, 32]}, {"op": "add", '
        '"from": ["in", "position"]}]',
    )

    shape: Shape = attribute(
        {
            "anyOf": [
                {"type": "array", "items": POSITIVE, "minItems": count, "maxItems": count}
                for count in (3, 1)
            ]
        },
        "[channels, height, width], or [features]",
        convert=tuple,
    )
    trainable: bool = attribute(BOOLEAN, "false: a buffer, which training does not move", True)
    initial: float = attribute(FACTOR, "value that all elements start from", 0)

    def infer(self, inputs: Shapes) -> Shapes:
        return (self.shape,)

    def weights(self, inputs: Shapes) -> tuple[Weight, ...]:
        return (Weight("value", self.shape, self.initial, self.trainable),)

    def fans(self, inputs: Shapes) -> Fans | None:
        return None

    def work(self) -> Work:
        return Work("stream")

    def folding(self) -> Folding:
        return "scale" if self.trainable else "nothing"
