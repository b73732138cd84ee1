"""One step of a training as one cell, which MindSpore compiles whole.

    loss, logits = step(images, labels)

What a step does, in order: the loss and its gradients; their mean over the batches of accumulation
and over the devices; clipping; the optimizer; the moving average. All that the next step depends on
are parameters of the cell, by name (`state`), so a run that is taken up from them continues to
the bit.
"""

# pyright: basic, reportArgumentType=false, reportAssignmentType=false, reportAttributeAccessIssue=false
# pyright: reportGeneralTypeIssues=false, reportIncompatibleMethodOverride=false, reportOperatorIssue=false
# pyright: reportOptionalMemberAccess=false, reportOptionalOperand=false, reportOptionalSubscript=false
# (MindSpore's own annotations are not those of what its functions take and give)

from __future__ import annotations

from typing import Any

import mindspore as ms
from mindspore import Parameter, Tensor, amp, nn, ops
from mindspore.ops.functional import partial

from archspec.training.backends.mindspore.ema import Ema
from archspec.training.backends.mindspore.noise import PREFIX as NOISE
from archspec.training.backends.mindspore.optimizers import clip, each
from archspec.training.recipe import LossScale

TEACHER = "teacher"
NO_STATE = ("learning_rate", f"{TEACHER}.", NOISE)
"""Beginnings of the names of parameters that recipe, seed and teacher give again."""


class TrainStep(nn.Cell):
    """Images and labels to the loss and the logits, with every weight one step further.

    `network` gives logits, or a tuple of them where the loss is mutual; `teacher` is for a loss
    that distills. `accumulate` calls make one step of the optimizer. A fixed loss scale never skips
    a step; a dynamic one skips those whose gradients are not finite, and counts them. `reducer`
    averages gradients over devices.
    """

    def __init__(
        self,
        network: Any,
        loss: Any,
        optimizer: Any,
        *,
        teacher: Any = None,
        loss_scale: LossScale | None = None,
        clip_norm: float | None = None,
        accumulate: int = 1,
        ema: Ema | None = None,
        reducer: Any = None,
    ):
        super().__init__(auto_prefix=False)
        self.network = network
        self.loss = loss
        self.optimizer = optimizer
        self.weights = optimizer.parameters
        self.gradients = ops.value_and_grad(self.forward, None, self.weights, has_aux=True)
        self.teacher = teacher
        self.has_teacher = teacher is not None
        if teacher is not None:
            teacher.update_parameters_name(f"{TEACHER}.")
            teacher.set_train(False)
        self.clip_norm = clip_norm
        self.ema = ema
        self.reducer = reducer

        scale = loss_scale or LossScale()
        self.fixed_scale = scale.initial
        self.is_dynamic = scale.is_dynamic
        if scale.is_dynamic:
            self.scaler = amp.DynamicLossScaler(scale.initial, scale.factor, scale.window)
            # as attributes of the cell they are known as its parameters
            self.scale = self.scaler.scale_value
            self.scale_counter = self.scaler.counter
            self.skipped = Parameter(Tensor(0, ms.int32), "skipped_steps", requires_grad=False)

        self.accumulate = accumulate
        if accumulate > 1:
            self.sums = self.weights.clone(prefix="gradient_sum", init="zeros")
            self.batches = Parameter(Tensor(0, ms.int32), "summed_batches", requires_grad=False)
        _check_names(self)

    def set_train(self, mode: bool = True) -> TrainStep:
        """As for all cells, but for the teacher, whose batch norms keep their statistics."""
        super().set_train(mode)
        if self.teacher is not None:
            self.teacher.set_train(False)
        return self

    def state(self) -> dict[str, Parameter]:
        """Every parameter that the steps to come depend on, by name."""
        return {
            parameter.name: parameter
            for parameter in self.get_parameters()
            if not parameter.name.startswith(NO_STATE)
        }

    def construct(self, images, labels):
        (_, loss, logits), gradients = self.gradients(images, labels)
        gradients = self.scale_back(gradients)
        if self.reducer is not None:
            # of each batch, for a state that is saved between two must be all processes' own
            gradients = self.reducer(gradients)
        if self.accumulate == 1:
            self.step(gradients)
        else:
            self.sum_up(gradients)
        return loss, logits

    def forward(self, images, labels):
        logits = self.network(images)
        if self.has_teacher:
            loss = self.loss(logits, labels, self.teacher(images))
        else:
            loss = self.loss(logits, labels)
        return self.scale_up(loss), loss, logits

    def scale_up(self, loss):
        if self.is_dynamic:
            return self.scaler.scale(loss)
        return loss * self.fixed_scale

    def scale_back(self, gradients):
        if self.is_dynamic:
            return self.scaler.unscale(gradients)
        if self.fixed_scale == 1.0:
            return gradients
        return each(partial(divide, self.fixed_scale), gradients)

    def sum_up(self, gradients):
        """Add a batch's share of the mean gradient; with the last one's, make the step."""
        each(partial(add_share, self.accumulate), self.sums, gradients)
        ops.assign_add(self.batches, 1)
        if self.batches == self.accumulate:
            self.step(each(value_of, self.sums))
            each(clear, self.sums)
            ops.assign(self.batches, 0)

    def step(self, gradients):
        if not self.is_dynamic:
            self.move(gradients)
            return
        is_finite = amp.all_finite(gradients)
        if is_finite:
            self.move(gradients)
        else:
            ops.assign_add(self.skipped, 1)
        self.scaler.adjust(is_finite)

    def move(self, gradients):
        if self.clip_norm is not None:
            gradients = clip(gradients, self.clip_norm)
        self.optimizer(gradients)
        if self.ema is not None:
            self.ema()


def divide(number, gradient):
    return gradient / number


def add_share(batches, total, gradient):
    return ops.assign_add(total, gradient / batches)


def value_of(total):
    return total.value()


def clear(total):
    return ops.assign(total, ops.zeros_like(total))


def _check_names(step: TrainStep) -> None:
    """A checkpoint is by name, so no two parameters may share one."""
    names = [parameter.name for parameter in step.get_parameters()]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise AssertionError(f"parameters share the names {twice[:4]}")


def join_networks(networks: list[Any]) -> Any:
    """Several networks on the same images, for mutual learning, as one cell. The first one's
    parameters keep their names; those of the others begin with peer1, peer2..."""
    return _Together(networks)


class _Together(nn.Cell):
    def __init__(self, networks: list[Any]):
        super().__init__(auto_prefix=False)
        for number, network in enumerate(networks[1:], 1):
            network.update_parameters_name(f"peer{number}.")
        self.networks = nn.CellList(networks, auto_prefix=False)

    def construct(self, images):
        result = ()
        for network in self.networks:
            result += (network(images),)
        return result
