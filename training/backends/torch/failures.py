"""What PyTorch raises when there is no more memory or another process has gone, in our words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

from archspec.compiler.model import Model, weights_of
from archspec.shapes import elements, written
from archspec.training.backend import DeviceError
from archspec.training.backends.torch.device import memory_of, out_of_memory
from archspec.training.recipe import Recipe

LOST = (
    "Connection closed by peer", "Connection reset by peer", "Broken pipe", "Timed out waiting",
    "Connection was likely closed", "ncclRemoteError", "ncclSystemError",
)  # fmt: skip
"""What gloo, the store of PyTorch's processes and NCCL say when a process has gone."""
COMPILER = ("torch._dynamo", "torch._inductor")
"""Where the errors of torch.compile are from."""
MOMENTS = 2
"""Copies of the weights that an optimizer keeps, at most."""
USABLE = 0.85
"""Share of a device's memory that training gets; the rest goes to libraries and gaps."""


@contextmanager
def explain_failures(
    models: Sequence[Model], recipe: Recipe, device: torch.device, task: str = "a step on"
) -> Iterator[None]:
    """Raises DeviceError for what PyTorch raises within it where the machine is to blame. `task`
    is what is done with the recipe's batch of images."""
    with explain_loss():
        try:
            yield
        except (RuntimeError, MemoryError) as error:
            if out_of_memory(error):
                raise DeviceError(_too_large(models, recipe, device, task)) from error
            if type(error).__module__.startswith(COMPILER):
                reason = str(error).strip().partition("\n")[0]
                raise DeviceError(
                    f"the network could not be compiled for {device} ({reason}); use --no-compile"
                    " in a new run"
                ) from error
            raise


@contextmanager
def explain_scoring(model: Model, device: torch.device, images: int = 0) -> Iterator[None]:
    """The same for a network in inference, on this many images at a time, 0 while it is built."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        graph = model.graph
        what = f"{images} images of {written(graph.input_shape)} at a time take"
        has, memory = _described(device)
        fits = 0 if memory is None else fitting_images(model, memory, images)
        would = f"; about {fits} would fit" if fits else ""
        raise DeviceError(
            f"{what if images else f'{graph.name} takes'} more memory than {device} has left{has}"
            f"{would}",
            fits,
        ) from error


@contextmanager
def explain_loss() -> Iterator[None]:
    """Raises DeviceError for what PyTorch raises within it once another process has gone."""
    try:
        yield
    except RuntimeError as error:
        reason = next((words for words in LOST if words in str(error)), None)
        if reason is None:
            raise
        raise DeviceError(f"another process of this training has ended ({reason})") from error


def _described(device: torch.device) -> tuple[str, int | None]:
    """The memory of a device for a sentence, and in bytes where PyTorch says."""
    memory = memory_of(device)
    if memory is None:
        return "", None
    size = memory / 2**30
    return f", which has {size:.{0 if size >= 10 else 1}f} GiB", memory


def _too_large(models: Sequence[Model], recipe: Recipe, device: torch.device, task: str) -> str:
    shape = written(models[0].graph.input_shape)
    has, memory = _described(device)
    # a CPU computes in float32 whatever a recipe says
    value_size = 4 if device.type == "cpu" or recipe.precision.level == "O0" else 2
    fits = None if memory is None else fitting_batch(models, recipe, memory, value_size)
    use = f"; about {fits} would fit, so use --set batch={fits} in a new run" if fits else ""
    return (
        f"{task} {recipe.batch} images of {shape} takes more memory than {device} has left"
        f"{has}{use}"
    )


def fitting_batch(models: Sequence[Model], recipe: Recipe, memory: int, value_size: int = 4) -> int:
    """About how many images a step can have in so many bytes, fewer than the recipe's, 0 for none.

    Counted are the outputs of all nodes, of `value_size` bytes a number, which the gradients need,
    and per weight its gradient, the optimizer's moments and the moving average.
    """
    graphs = [model.graph for model in models]
    fixed = (
        4
        * (MOMENTS + 2 + (recipe.ema is not None))
        * sum(elements(weight.shape) for graph in graphs for weight in weights_of(graph).values())
    )
    each = value_size * sum(
        elements(shape)
        for graph in graphs
        for node in graph.nodes.values()
        for shape in node.layer.output_shapes
    )
    fits = max(0, int((USABLE * memory - fixed) / max(each, 1)))
    return min(fits, recipe.batch - 1)


def fitting_images(model: Model, memory: int, images: int) -> int:
    """About how many images a network can answer for at a time in so many bytes, fewer than those,
    0 for none. Counted are the weights, and what the node that takes and gives most has there."""
    graph = model.graph
    fixed = 4 * sum(elements(weight.shape) for weight in weights_of(graph).values())
    each = 4 * max(
        sum(map(elements, (*node.layer.input_shapes, *node.layer.output_shapes)))
        for node in graph.nodes.values()
    )
    fits = max(0, int((USABLE * memory - fixed) / max(each, 1)))
    return min(fits, max(images - 1, 0))
