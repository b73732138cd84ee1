"""An exponential moving average of a network's weights, kept on the device."""

# ruff: noqa: B905 (a compiled graph knows zip, but not its `strict`)

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from mindspore import Parameter, ParameterTuple, Tensor, nn, ops

PREFIX = "ema"


class Ema(nn.Cell):
    """After each step: average = decay average + (1 - decay) weight.

    It averages all it is given, batch norms' running statistics too, starting from what they are.
    """

    def __init__(self, parameters: Iterable[Parameter], decay: float):
        super().__init__(auto_prefix=False)
        self.decay = decay
        self.weights = ParameterTuple(parameters)
        self.averages = self.weights.clone(prefix=PREFIX, init="same")
        for average in self.averages:
            average.requires_grad = False

    def construct(self):
        for average, weight in zip(self.averages, self.weights):
            ops.assign_add(average, (weight - average) * (1 - self.decay))
        return True

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Within it the network has the averages for its weights, to be evaluated or saved."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def _swap(self) -> None:
        # In place: what is behind set_data a branch of a compiled graph does not see any more, and
        # with accumulation a step is such a branch.
        for average, weight in zip(self.averages, self.weights, strict=True):
            held = Tensor(weight.asnumpy().copy())
            ops.assign(weight, Tensor(average.asnumpy().copy()))
            ops.assign(average, held)
