"""The runtime of a supernet at any gates, as tables to gather from: which gates make an option's
share, and which shares make a term.

An option's share is the product of the gates up to its own less that of one gate more; a term
counts by the product of its options' shares. So at whole gates it is a network's runtime, and
between them it is linear in each choice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np

from archspec.compiler.supernet import Supernet
from archspec.compiler.weights.arrays import Array
from archspec.training.search.single_path.runtime import Runtime


@dataclass(frozen=True, eq=False)
class Shares:
    """Places, int32, in gates and in the shares of options. One gate more than there are is 1, and
    so is one share more; the one product of gates more is 0.

    `reached` (options,) each: the first gate of each option's product, the second and so on.
    `nexts` (options,): the option after each one, whose product is taken off. `taken` (terms,)
    each: the first share of each term's product, the second and so on. `costs` (terms,), float32.
    """

    reached: tuple[Array, ...]
    nexts: Array
    taken: tuple[Array, ...]
    costs: Array
    base: float


def shares_of(supernet: Supernet, runtime: Runtime) -> Shares:
    """The tables of a runtime for the gates of a supernet."""
    options = [(choice, option) for choice in supernet.choices for option in choice.options]
    places = {(choice.key, option): place for place, (choice, option) in enumerate(options)}
    is_open, whole = supernet.gates, len(options)
    return Shares(
        reached=_columns(
            [choice.gates[: choice.options.index(option)] for choice, option in options], is_open
        ),
        nexts=_column(
            whole if option == choice.options[-1] else place + 1
            for place, (choice, option) in enumerate(options)
        ),
        taken=_columns([[places[one] for one in term.taken] for term in runtime.terms], whole),
        costs=np.array([term.cost for term in runtime.terms], np.float32),
        base=runtime.base,
    )


def _columns(rows: Sequence[Sequence[int]], filling: int) -> tuple[Array, ...]:
    """The first of each row, the second and so on; shorter rows are filled up."""
    return tuple(_column(column) for column in zip_longest(*rows, fillvalue=filling))


def _column(numbers: Iterable[int]) -> Array:
    return np.array([*numbers], np.int32)
