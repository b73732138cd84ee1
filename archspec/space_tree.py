"""The costs of a space's networks as a tree of parts that do not touch.

Sum     what a part costs whatever is decided in it, and its splits, which are independent
Split   a decision, and the sum that each option leads to
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any, NamedTuple, TypeAlias

from archspec.space import Space, place_of
from archspec.space_networks import (
    Content,
    Place,
    Word,
    count_words,
    is_joined,
    word_of,
    words_of,
)

CHECKED_WORDS = 8
"""Networks put together both ways."""
MAX_BUILT = 500
"""Networks of a space that are all built, to see which are different."""

Costs: TypeAlias = "tuple[float, ...]"


class NotDecomposable(Exception):
    """The parts of a space touch, or are too many to expand; the message is a clause that says
    why."""


@dataclass(frozen=True, eq=False)
class Split:
    """A decision and what each of its options leads to."""

    key: str
    options: tuple[Any, ...]
    sums: tuple[Sum, ...]

    @cached_property
    def index(self) -> Callable[[Any], int | None]:
        """From an option as written to its place."""
        if all(type(option) is str for option in self.options):
            return {option: place for place, option in enumerate(self.options)}.get
        return lambda written: place_of(written, self.options)

    def leaves(self) -> list[Leaf] | None:
        """Every way to settle this part, the first option first; None where it is made of parts in
        turn."""
        found: list[Leaf] = []
        for option, taken in zip(self.options, self.sums, strict=True):
            settled = ((self.key, option),)
            if not taken.splits:
                found.append(Leaf(settled, taken.costs, taken.content))
                continue
            below = taken.splits[0].leaves() if taken.is_free and len(taken.splits) == 1 else None
            if below is None:
                return None
            found += [leaf._replace(settled=settled + leaf.settled) for leaf in below]
        return found


class Leaf(NamedTuple):
    """One way to settle a part: decisions with their options, what it adds to the network of first
    options, and what it is (equal where two are the same node for node)."""

    settled: tuple[tuple[str, Any], ...]
    costs: Costs
    content: Any


@dataclass(frozen=True, eq=False)
class Sum:
    """`costs` and one option of each split. `content` tells the networks of one part apart, where
    nothing of the part is left open; it is None where splits are left. `is_free` is whether all
    costs are 0."""

    costs: Costs
    splits: tuple[Split, ...]
    content: Any = None
    is_free: bool = False

    @cached_property
    def keys(self) -> frozenset[str]:
        """The decisions below."""
        own = (split.key for split in self.splits)
        return frozenset(own).union(*(one.keys for split in self.splits for one in split.sums))

    @cached_property
    def assignments(self) -> int:
        """Assignments that settle each decision met."""
        return prod(sum(one.assignments for one in split.sums) for split in self.splits)

    @cached_property
    def combinations(self) -> int:
        """Of parts that differ node for node; where parts are nested, of their own parts."""
        counts: list[int] = []
        for split in self.splits:
            leaves = split.leaves()
            if leaves is None:
                counts.append(sum(one.combinations for one in split.sums))
            else:
                counts.append(len({leaf.content for leaf in leaves}))
        return prod(counts)

    def bound(self, metric: int, best: Callable[..., float]) -> float:
        """The least (min) or most (max) of a metric."""
        return self.costs[metric] + sum(
            best(one.bound(metric, best) for one in split.sums) for split in self.splits
        )


@dataclass(frozen=True, eq=False)
class CostTree:
    """The costs of a space's networks. `metrics` names them, `root` is the tree, `decisions` are
    all that some network settles, with their options. `base` is the network of first options as a
    part's content, and `places` says where in it the parts that are one frame stand, by the
    decision that their split is."""

    space: Space
    metrics: tuple[str, ...]
    root: Sum
    decisions: Mapping[str, tuple[Any, ...]]
    base: Content
    places: Mapping[str, tuple[int, int]]

    @property
    def assignments(self) -> int:
        """How many assignments the space has."""
        return self.root.assignments

    @property
    def combinations(self) -> int:
        """How many of its networks differ in a part, node for node. It is not less than `networks`:
        of two equal layers in a row, one left out is another part each time and one network."""
        return self.root.combinations

    @cached_property
    def networks(self) -> int | None:
        """How many different networks there are, exactly; None where that cannot be counted."""
        found = self.chained_networks()
        if found is None and self.assignments <= MAX_BUILT:
            every = self.space.enumerate()
            found = len({self.space.assign(assignment).fingerprint for assignment in every})
        return found

    def chained_networks(self) -> int | None:
        """The same without building them, where parts follow each other in a chain."""
        places: list[Place] = []
        leaves_of = [split.leaves() for split in self.root.splits]
        for split, leaves in zip(self.root.splits, leaves_of, strict=True):
            if leaves is None or split.key not in self.places:
                return None
            contents = [leaf.content[0] for leaf in leaves]
            places.append(Place(*self.places[split.key], contents))
        pieces = words_of(self.base, places)
        if pieces is None or not self._are_words(pieces):
            return None
        return count_words(pieces)

    def _are_words(self, pieces: Sequence[set[Word]]) -> bool:
        """Whether some networks drawn at random are one word of each piece."""
        generator = random.Random(0)
        samples = (self.space.sample(generator) for _ in range(CHECKED_WORDS))
        return all(is_joined(word_of(self.space.assign(one)), pieces) for one in samples)

    def bounds(self, metric: str) -> tuple[float, float]:
        """The least and the most of a metric over all networks: exact."""
        place = self.metrics.index(metric)
        return self.root.bound(place, min), self.root.bound(place, max)

    def cost(self, assignment: Mapping[str, Any]) -> Costs:
        """The costs of one network, in the order of `metrics`. Raises SpecError for an assignment
        that Space.assign refuses."""
        costs = [*self.root.costs]
        waiting = [*self.root.splits]
        settled = 0
        while waiting:
            split = waiting.pop()
            index = split.index(assignment[split.key]) if split.key in assignment else None
            if index is None:
                break
            settled += 1
            taken = split.sums[index]
            if not taken.is_free:
                costs = [one + other for one, other in zip(costs, taken.costs, strict=True)]
            if taken.splits:
                waiting += taken.splits
        if waiting or settled != len(assignment):
            self.space.cost(assignment)  # says what is wrong with it
            raise NotDecomposable("its parts settle other decisions than they did")
        return tuple(costs)


def decisions_of(root: Sum) -> dict[str, tuple[Any, ...]]:
    """All decisions below a sum with their options, layer2 before layer10. Raises
    NotDecomposable."""
    found: dict[str, tuple[Any, ...]] = {}
    waiting = [root]
    while waiting:
        for split in waiting.pop().splits:
            if found.setdefault(split.key, split.options) != split.options:
                raise NotDecomposable(f"{split.key!r} has other options in some of its networks")
            waiting += split.sums
    return dict(sorted(found.items(), key=lambda pair: _natural(pair[0])))


def _natural(key: str) -> list[str | int]:
    """layer2 before layer10."""
    return [int(piece) if piece.isdecimal() else piece for piece in re.split(r"(\d+)", key)]
