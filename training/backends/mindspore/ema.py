"""An exponential moving average of a network's weights, kept on the device."""

# pyright: basic, reportArgumentType=false, reportAssignmentType=false, reportAttributeAccessIssue=false
# pyright: reportGeneralTypeIssues=false, reportIncompatibleMethodOverride=false, reportOperatorIssue=false
# pyright: reportOptionalMemberAccess=false, reportOptionalOperand=false, reportOptionalSubscript=false
# (MindSpore's own annotations are not those of what its functions take and give)

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import mindspore as ms
from mindspore import Parameter, ParameterTuple, Tensor, nn, ops
from mindspore.ops.functional import partial

from archspec.training.backends.mindspore.optimizers import each

PREFIX = "ema"
UPDATES = "ema_updates"


class Ema(nn.Cell):
    """After each step: average = decay average + (1 - decay) weight.

    It averages all it is given, batch norms' running statistics too, starting from what they are.
    With `warms_up` the decay of step t, counted from 0, is min(decay, (1 + t) / (10 + t)), as
    TensorFlow's ExponentialMovingAverage has it with num_updates: without, the weights that were
    drawn at the start make up decay^t of the average, most of it in a short training.
    """

    def __init__(self, parameters: Iterable[Parameter], decay: float, warms_up: bool = False):
        super().__init__(auto_prefix=False)
        self.decay = decay
        self.warms_up = warms_up
        if warms_up:
            self.updates = Parameter(Tensor(0.0, ms.float32), UPDATES, requires_grad=False)
        self.weights = ParameterTuple(parameters)
        self.averages = self.weights.clone(prefix=PREFIX, init="same")
        for average, weight in zip(self.averages, self.weights, strict=True):
            average.requires_grad = False
            # a clone has what its parameter was made with, not what it was set to since
            average.set_data(Tensor(weight.asnumpy().copy()))

    def construct(self):
        moves = 1 - self.decay
        if self.warms_up:
            done = self.updates.value()
            moves = ops.maximum(9 / (10 + done), moves)
            ops.assign_add(self.updates, ops.ones_like(done))
        return each(partial(approach, moves), self.averages, self.weights)

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


def approach(share, average, weight):
    """A share of the way from average to weight."""
    return ops.assign_add(average, (weight - average) * share)
