"""What the page of an op says that is true of it alone and that nothing else here says."""

from __future__ import annotations

from typing import NamedTuple

from archspec.shapes import Shape


class Page(NamedTuple):
    """`shape` is the rule of the results' shape, as a sentence's part.

    `example` is a spec's body as JSON, in which the op stands once, on an image of `input`: every
    count of it is worked out where the page is made. `macs` is the formula of one sample's
    multiply-accumulates as an expression, "" for an op that has none. Its names are attributes
    (kernel_height and kernel_width of a pair), extents of the first result (out_channels...) and of
    the inputs: in_channels... of the only or first one, a_channels... of one that is called a.
    """

    shape: str
    example: str
    macs: str = ""
    input: Shape = (16, 32, 32)
