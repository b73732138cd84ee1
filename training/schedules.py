"""Learning rates over time, one for each step of a training.

With i the step counted from 0, n the steps of an epoch, e = i / n, E the epochs, T = E n, W the
steps of the warm-up and lr the highest rate, all formulas in float64:

    warm-up (i < W)  from + (lr - from) (i + 1) / W
    constant         lr
    cosine           final + (lr - final) (1 + cos(pi p)) / 2
                     p = (i - W) / (T - W) shifted after the warm-up, or i / T beneath it;
                     by epochs, i is the first step of the epoch
    linear_cosine    lr ((T - i) / D (1 + cos(2 pi periods i / D)) / 2 + floor),  D = T - W
    step             lr gamma ^ (milestones that e has reached)
    exponential      lr gamma ^ floor(e / every)

The steps of linear_cosine count from the start and not from the end of the warm-up, as in ISyNet's
code, whose rate therefore starts a little beneath lr and ends a little above its floor.
"""

from __future__ import annotations

from functools import singledispatch
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from archspec.training.recipe import Constant, Cosine, Exponential, LinearCosine, Schedule, Step

Rates: TypeAlias = NDArray[np.float32]
Steps: TypeAlias = NDArray[np.float64]


def learning_rates(schedule: Schedule, lr: float, epochs: int, steps_per_epoch: int) -> Rates:
    """The learning rate of every step; float32, of length epochs * steps_per_epoch."""
    steps = np.arange(epochs * steps_per_epoch, dtype=np.float64)
    # a training of one step is all warm-up where there is any
    warmup = min(round(schedule.warmup_epochs * steps_per_epoch), len(steps))
    rates = np.asarray(_rates(schedule, lr, steps, warmup, steps_per_epoch))
    start = schedule.warmup_from
    rates[:warmup] = start + (lr - start) * (steps[:warmup] + 1) / max(warmup, 1)
    return rates.astype(np.float32)


@singledispatch
def _rates(schedule: Schedule, lr: float, steps: Steps, warmup: int, per_epoch: int) -> Any:
    """The rates without a warm-up, which takes `warmup` steps."""
    raise TypeError(f"no formula for {type(schedule).__name__}")


@_rates.register
def _(schedule: Constant, lr: float, steps: Steps, warmup: int, per_epoch: int) -> Any:
    return np.full(len(steps), lr)


@_rates.register
def _(schedule: Cosine, lr: float, steps: Steps, warmup: int, per_epoch: int) -> Any:
    if schedule.every == "epoch":
        steps = steps - steps % per_epoch
    first = warmup if schedule.is_shifted else 0
    share = np.maximum(steps - first, 0) / max(len(steps) - first, 1)
    return schedule.final + (lr - schedule.final) * (1 + np.cos(np.pi * share)) / 2


@_rates.register
def _(schedule: LinearCosine, lr: float, steps: Steps, warmup: int, per_epoch: int) -> Any:
    decay = max(len(steps) - warmup, 1)
    cosine = (1 + np.cos(2 * np.pi * schedule.periods * steps / decay)) / 2
    return lr * ((len(steps) - steps) / decay * cosine + schedule.floor)


@_rates.register
def _(schedule: Step, lr: float, steps: Steps, warmup: int, per_epoch: int) -> Any:
    reached = np.searchsorted(schedule.milestones, np.floor(steps / per_epoch), side="right")
    return lr * schedule.gamma**reached


@_rates.register
def _(schedule: Exponential, lr: float, steps: Steps, warmup: int, per_epoch: int) -> Any:
    return lr * schedule.gamma ** np.floor(steps / per_epoch / schedule.every_epochs)
