"""Networks whose runtime is near a target: what is possible, and what thresholds like best of it.

What terms of a runtime count together is one group of choices, so that a runtime is a sum over
groups: its least and most are exact, and what lies between is found by dynamic programming over
steps of a grid.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from archspec.compiler.supernet import Choice, Supernet
from archspec.errors import UsageError
from archspec.training.search.single_path.runtime import Runtime

STEPS = 100_000
"""Of the grid, from the least to the most."""
SLACK = 0.02
"""How far from the nearest possible, as a share of the target, a network may be that the thresholds
like better."""
MAX_SETTINGS = 100_000
"""Of a group."""

Assignment = Mapping[str, Any]


class Setting(NamedTuple):
    """One way to settle a group: options by key, and what they cost beside the base."""

    taken: dict[str, Any]
    cost: float


@dataclass(frozen=True, eq=False)
class Possible:
    """The networks of a supernet by runtime; of each group its `settings`."""

    runtime: Runtime
    choices: Sequence[Choice]
    groups: Sequence[Sequence[Setting]]

    @property
    def least(self) -> float:
        return self._extreme(min)

    @property
    def most(self) -> float:
        return self._extreme(max)

    def check(self, target: float) -> None:
        """Raises UsageError for a target that no network is near."""
        # a target that was rounded to six digits is still one
        if not self.least * (1 - 1e-6) <= target <= self.most * (1 + 1e-6):
            shown = self.runtime.shown
            raise UsageError(
                f"the target is {shown(target)}, and the networks of this space take"
                f" {shown(self.least)} to {shown(self.most)}; use a target in that range"
            )

    def nearest(self, target: float) -> float:
        """The runtime nearest to a target that a network has, to within a step of the grid."""
        return self.runtime.of(self._best(target, {}, 0.0))

    def find_liked(self, target: float, margins: Sequence[float]) -> dict[str, Any]:
        """The network near a target whose open gates have the greatest sum of `margins`; near is
        what is hardly another than the nearest."""
        scores = {
            (choice.key, option): sum(margins[gate] for gate in choice.gates[:level])
            for choice in self.choices
            for level, option in enumerate(choice.options)
        }
        return self._best(target, scores, SLACK * target)

    def _best(
        self, target: float, scores: Mapping[tuple[str, Any], float], slack: float
    ) -> dict[str, Any]:
        """Of the networks at most `slack` from that nearest to the target, that whose scores sum
        up to most."""
        step = (self.most - self.least) / STEPS or 1.0
        best = np.full(STEPS + len(self.groups) + 1, -np.inf)
        best[0] = 0.0
        taken: list[np.ndarray] = []
        for settings in self.groups:
            least = min(setting.cost for setting in settings)
            new = np.full_like(best, -np.inf)
            chosen = np.zeros(len(best), np.int32)
            for number, setting in enumerate(settings):
                moved = round((setting.cost - least) / step)
                score = sum(scores.get(pair, 0.0) for pair in setting.taken.items())
                reached = np.full_like(best, -np.inf)
                reached[moved:] = best[: len(best) - moved] + score
                is_better = reached > new
                new[is_better] = reached[is_better]
                chosen[is_better] = number
            best = new
            taken.append(chosen)
        there = np.flatnonzero(np.isfinite(best))
        runtimes = self.least + there * step
        nearest = runtimes[np.abs(runtimes - target).argmin()]
        near = there[np.abs(runtimes - nearest) <= slack + step]
        place = int(near[best[near].argmax()])
        found: dict[str, Any] = {}
        for settings, chosen in zip(reversed(self.groups), reversed(taken), strict=True):
            setting = settings[chosen[place]]
            place -= round((setting.cost - min(one.cost for one in settings)) / step)
            found |= setting.taken
        return {choice.key: found[choice.key] for choice in self.choices}

    def _extreme(self, best: Callable[..., float]) -> float:
        return self.runtime.base + math.fsum(
            best(setting.cost for setting in settings) for settings in self.groups
        )


def possible(supernet: Supernet, runtime: Runtime) -> Possible:
    """Raises UsageError for a space whose choices all count together, and are too many for that."""
    keys_of = [{choice.key} for choice in supernet.choices]
    for term in runtime.terms:
        keys = {key for key, _ in term.taken}
        together = [group for group in keys_of if not group.isdisjoint(keys)]
        keys_of = [group for group in keys_of if group not in together]
        keys_of.append(set().union(*together))
    groups: list[list[Setting]] = []
    for keys in keys_of:
        choices = [choice for choice in supernet.choices if choice.key in keys]
        count = math.prod(len(choice.options) for choice in choices)
        if count > MAX_SETTINGS:
            raise UsageError(
                f"{len(choices)} choices of this space have {count:,} runtimes together, too many"
                " to find those near a target; use --lam in place of --target"
            )
        terms = [term for term in runtime.terms if any(key in keys for key, _ in term.taken)]
        part = Runtime(runtime.unit, 0.0, tuple(terms))
        options = product(*(choice.options for choice in choices))
        settled = (dict(zip((c.key for c in choices), some, strict=True)) for some in options)
        groups.append([Setting(taken, part.of(taken)) for taken in settled])
    return Possible(runtime, supernet.choices, groups)
