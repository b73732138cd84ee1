"""Nodes of the spec to be, while they can still be changed."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from archspec.ops import Op
from archspec.shapes import Shape


@dataclass(eq=False)
class Draft:
    """A node: what it reads, the arrays of its weights by their names within the op, the module
    that it came from, and the file's nodes that it stands for."""

    op: Op
    inputs: list[Result]
    weights: dict[str, np.ndarray] = field(default_factory=dict)
    scope: str = ""
    covers: list[str] = field(default_factory=list)

    @property
    def shapes(self) -> tuple[Shape, ...]:
        return tuple(result.shape for result in self.inputs)


class Result(NamedTuple):
    """What a draft gives, or the image (without a draft)."""

    draft: Draft | None
    place: int
    shape: Shape


@dataclass(eq=False)
class Plan:
    """A network of drafts in their order, and its results."""

    drafts: list[Draft]
    image: Result
    outputs: list[Result]

    def readers(self) -> dict[tuple[Draft | None, int], list[Draft | None]]:
        """Who reads each result; None for the world outside."""
        found: dict[tuple[Draft | None, int], list[Draft | None]] = defaultdict(list)
        for draft in self.drafts:
            for result in draft.inputs:
                found[result[:2]].append(draft)
        for result in self.outputs:
            found[result[:2]].append(None)
        return found

    def redirect(self, old: Result, new: Result) -> None:
        """Let whoever reads one result read another."""
        for draft in self.drafts:
            draft.inputs = [new if result[:2] == old[:2] else result for result in draft.inputs]
        self.outputs = [new if result[:2] == old[:2] else result for result in self.outputs]

    def drop(self, draft: Draft) -> None:
        self.drafts.remove(draft)
