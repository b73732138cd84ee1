"""What a search makes small or large, and what it must keep to.

    min:params  min:macs  min:activations  min:latency:ascend310  max:accuracy  max:python:MOD:FUN
    params<5e6  macs<=300e6  latency:ascend310<2.5

What is counted (all but accuracy and python) is known without training, of thousands of networks a
second. A constraint is on what is counted, so that it is checked before anything is built.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from archspec.errors import UsageError, did_you_mean, listed
from archspec.space_cost import METRICS

if TYPE_CHECKING:
    from archspec.compiler.latency import Device
    from archspec.graph import Graph

ACCURACY, LATENCY, PYTHON = "accuracy", "latency:", "python:"
WAYS = ("min", "max")
LATENCY_BATCH = 16
"""At which the shipped device was calibrated."""
OPERATORS: Mapping[str, Callable[[Any, float], Any]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
EXAMPLES = (*METRICS, f"{LATENCY}ascend310", ACCURACY, f"{PYTHON}module:function")


@dataclass(frozen=True)
class Objective:
    """`name` is what trials call it, such as "macs" or "latency:ascend310"."""

    name: str
    is_max: bool = False

    @property
    def is_counted(self) -> bool:
        """Whether it is known without training or calling anything."""
        return is_counted(self.name)

    @property
    def sign(self) -> float:
        """What makes a value one to be small."""
        return -1.0 if self.is_max else 1.0

    def __str__(self) -> str:
        return f"{WAYS[self.is_max]}:{self.name}"


@dataclass(frozen=True)
class Constraint:
    metric: str
    operator: str
    bound: float

    def holds(self, value: float) -> bool:
        return OPERATORS[self.operator](value, self.bound)

    def __str__(self) -> str:
        return f"{self.metric}{self.operator}{self.bound:.12g}"


def is_counted(name: str) -> bool:
    return name in METRICS or name.startswith(LATENCY)


def read_objectives(texts: Sequence[str]) -> tuple[Objective, ...]:
    """The objectives of texts such as "min:macs". Raises UsageError."""
    if not texts:
        raise UsageError("a search needs something to seek; use --objective min:macs")
    found = tuple(map(_read_objective, texts))
    names = [objective.name for objective in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"{twice} is an objective twice; say it once")
    return found


def _read_objective(text: str) -> Objective:
    way, colon, name = text.partition(":")
    if way not in WAYS or not colon:
        word = name if colon else way
        raise UsageError(
            f"--objective {text} does not say min or max first; use 'min:macs' or 'max:accuracy'"
            f"{'' if word in EXAMPLES else did_you_mean(word, EXAMPLES)}"
        )
    check_metric(name, f"--objective {text}")
    return Objective(name, way == "max")


def check_metric(name: str, where: str) -> None:
    """Raises UsageError for what is not a metric; `where` begins the sentence."""
    if name in METRICS or name == ACCURACY:
        return
    if name.startswith(LATENCY):
        latency_of(name)
        return
    if name.startswith(PYTHON):
        module, colon, function = name.removeprefix(PYTHON).partition(":")
        if not colon or not all(part.isidentifier() for part in (*module.split("."), function)):
            raise UsageError(f"{where}: use {PYTHON}package.module:function")
        return
    raise UsageError(
        f"{where}: there is no metric {name!r}{did_you_mean(name, EXAMPLES)}"
        f" (use {listed(EXAMPLES)})"
    )


_CONSTRAINT = re.compile(
    r"\s*([A-Za-z_][^<>=\s]*)\s*(<=|>=|<|>)\s*([-+]?[0-9.]+(?:[eE][-+]?\d+)?)\s*"
)


def read_constraint(text: str) -> Constraint:
    """The constraint of a text such as "params<5e6". Raises UsageError."""
    where = f"--constraint {text!r}"
    match = _CONSTRAINT.fullmatch(text)
    if match is None:
        raise UsageError(f"{where} is not a METRIC, <, <=, > or >=, and a number; use 'params<5e6'")
    name, sign, number = match.groups()
    check_metric(name, where)
    if not is_counted(name):
        raise UsageError(
            f"{where}: {name} is not known before a network is trained;"
            f" use {listed((*METRICS, f'{LATENCY}DEVICE'))}"
        )
    try:
        bound = float(number)
    except ValueError:
        bound = math.nan
    if not math.isfinite(bound):
        raise UsageError(f"{where}: {number} is not a number; use 5e6")
    return Constraint(name, sign, bound)


def latency_of(name: str) -> Callable[[Graph], float]:
    """From a network to the milliseconds an image takes it, as deployed, for "latency:DEVICE" or
    "latency:DEVICE:BATCH". Raises UsageError."""
    from archspec.compiler.latency import total_ms
    from archspec.compiler.pipeline import for_deployment

    device, batch = device_of(name)
    return lambda graph: total_ms(for_deployment(graph).graph, device, batch) / batch


def device_of(name: str) -> tuple[Device, int]:
    """The device and the batch of such a name. Raises UsageError."""
    from archspec.compiler.latency import find_device

    words = name.removeprefix(LATENCY)
    device_name, _, batch_text = words.rpartition(":")
    batch = LATENCY_BATCH
    if device_name and batch_text.isdecimal():
        batch = int(batch_text)
    else:
        device_name = words
    if not 1 <= batch <= 1_000_000:
        raise UsageError(f"{name}: a batch of {batch}; use 1 to 1,000,000")
    return find_device(device_name), batch


def counted_functions(names: Sequence[str]) -> dict[str, Callable[[Graph], float]]:
    """The functions of those of the metrics that archspec.space_cost does not know."""
    return {name: latency_of(name) for name in names if name.startswith(LATENCY)}
