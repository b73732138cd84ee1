"""What MindSpore raises when there is no more memory, in our words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from archspec.graph import Graph
from archspec.shapes import written
from archspec.training.backend import DeviceError

FULL = (
    "emory isn't enough and alloc failed",  # of a device by its number, or of the machine
    "Memory not enough", "Out of memory", "out of memory", "is more than total mem size",
    "could not create a primitive", "Cannot allocate memory",
    "Resource temporarily unavailable",  # the last three are of oneDNN, the C library and threads
)  # fmt: skip
"""Words of the errors that say so: they have no class of their own."""


@contextmanager
def explain_memory(
    graph: Graph, images: int, device: str, task: str = "a step on"
) -> Iterator[None]:
    """Raises DeviceError where MindSpore finds no memory within it. `task` is what is done with
    this many images at a time."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        text = str(error)
        if not isinstance(error, MemoryError) and not any(words in text for words in FULL):
            raise
        smaller = f"; use --set batch={images // 2} in a new run" if images > 1 else ""
        raise DeviceError(
            f"{task} {images} images of {written(graph.input_shape)} takes more memory than"
            f" {device} has left{smaller}"
        ) from error
