"""What a supernet is: the largest network of a space, and which of its weights each choice gates.

A choice is realised as a superkernel: what a smaller option has is a part of what the larger one
has. A small kernel is the centre of the large one, a narrow width the first channels of the wide
one, and a block that is left out is a branch that adds nothing. So every network of the space is
the largest one under a pattern of open and closed gates, and gates are plain numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from archspec.errors import SpecError, did_you_mean
from archspec.graph import Graph
from archspec.shapes import Shape
from archspec.space import Space

Size: TypeAlias = "int | tuple[int, int]"
"""Of a kernel its height and width, of a width its channels."""


@dataclass(frozen=True, eq=False)
class Choice:
    """A decision of the space. `options` are as the spec writes them, the smallest first; `gates`
    are places in the supernet's gates, one for each option but the first: an option is taken when
    the gates up to its own are open. `left_out` are nodes that the smallest option is without."""

    key: str
    options: tuple[Any, ...]
    gates: range
    decides_kernels: bool
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Nested:
    """An extent that a choice decides. `sizes` has it for each option, the smallest first, or for
    each but that one where that leaves the node out. What lies between one size and the next is
    behind the `gates` up to the next size's."""

    choice: Choice
    sizes: tuple[Size, ...]

    @property
    def gates(self) -> range:
        """One for each size but the first."""
        return self.choice.gates[len(self.choice.options) - len(self.sizes) :]

    def size(self, option: Any) -> Size:
        return self.sizes[self.choice.options.index(option) - len(self.choice.options)]


@dataclass(frozen=True, eq=False)
class Supernet:
    """A space as one network with gates.

    `graph` is the largest network and `choices` its decisions, those of kernels first. By weight
    path, `kernels` are nested in height and width, `columns` in the channels they read and `rows`
    in the channels they give. By node, `branches` are what ends in a sum and can be left out of
    it, by the first gate of their choice. Closed gates set to zero what is outside of kernels and
    columns, and branches. Rows need none, for whatever reads their channels has its columns gated.
    """

    space: Space
    graph: Graph
    choices: tuple[Choice, ...]
    kernels: Mapping[str, Nested]
    columns: Mapping[str, Nested]
    rows: Mapping[str, Nested]
    branches: Mapping[str, Choice]

    @property
    def gates(self) -> int:
        """How many there are."""
        return sum(len(choice.gates) for choice in self.choices)

    def gates_of(self, assignment: Mapping[str, Any]) -> list[float]:
        """The gates, 1 open and 0 closed, that make the supernet the network of an assignment.

        Raises SpecError for a key that is missing or none of the space, or an option that is not
        there.
        """
        levels = self.levels_of(assignment)
        return [
            float(level > place)
            for choice, level in zip(self.choices, levels, strict=True)
            for place in range(len(choice.gates))
        ]

    def levels_of(self, assignment: Mapping[str, Any]) -> list[int]:
        """Which option of each choice is taken, counted from the smallest; raises as gates_of."""
        known = {choice.key for choice in self.choices}
        for key in assignment:
            if key not in known:
                raise SpecError(
                    f"{self.graph.name} has no choice {key!r}{did_you_mean(key, known)}"
                )
        levels: list[int] = []
        for choice in self.choices:
            if choice.key not in assignment:
                raise SpecError(f"the assignment leaves {choice.key!r} open")
            option = assignment[choice.key]
            if isinstance(option, bool) or option not in choice.options:
                raise SpecError(
                    f"{choice.key!r} has no option {option!r};"
                    f" use {', '.join(map(repr, choice.options))}"
                )
            levels.append(choice.options.index(option))
        return levels

    def assignment_of(self, gates: Sequence[float]) -> dict[str, Any]:
        """The assignment that gates stand for: of each choice the option before the first gate that
        is closed (0)."""
        found: dict[str, Any] = {}
        for choice in self.choices:
            level = 0
            while level < len(choice.gates) and gates[choice.gates[level]] > 0:
                level += 1
            found[choice.key] = choice.options[level]
        return found

    def shape_of(self, path: str, shape: Shape, assignment: Mapping[str, Any]) -> Shape:
        """The shape that a weight of the largest network has in the network of an assignment."""
        extents: list[Any] = list(shape)
        for nested, axes in (
            (self.rows.get(path), slice(0, 1)),
            (self.columns.get(path), slice(1, 2)),
            (self.kernels.get(path), slice(2, 4)),
        ):
            if nested is not None:
                size = nested.size(assignment[nested.choice.key])
                extents[axes] = size if isinstance(size, tuple) else (size,)
        return tuple(extents)
