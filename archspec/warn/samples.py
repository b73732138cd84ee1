"""Networks of a space that are looked at, and what its decisions turned out to be."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from archspec.document import At
from archspec.errors import Problem, SpecError
from archspec.graph import Graph
from archspec.json_values import freeze, shown
from archspec.program import Program
from archspec.space import Space
from archspec.syntax import Decision

MIN_SAMPLES = 10
"""Networks that are looked at, if they are small."""
MAX_SMALL = 5_000
"""Nodes of them all, from which on there are only as many as are needed to meet every option."""
MAX_NODES = 40_000
"""Nodes of all that are looked at; if some option is not met by then, none is."""


def sample_networks(space: Space) -> list[Graph]:
    """Networks of a space in which each option of each choice is met, by itself and not with every
    option of the others; none where that takes too many. Raises SpecError where the first one is
    wrong."""
    graphs = [space.assign(space.first())]
    nodes = len(graphs[0].nodes)
    met: dict[str, list[int]] = {}
    draw = random.Random(0)

    def take_rarest(key: str, decision: Decision) -> int:
        counts = met.setdefault(key, [0] * len(decision.options))
        least = min(counts)
        option = draw.choice([place for place, count in enumerate(counts) if count == least])
        counts[option] += 1
        return option

    tries = 0
    while any(0 in counts for counts in met.values()) or (
        tries < MIN_SAMPLES and nodes < MAX_SMALL
    ):
        if nodes > MAX_NODES:
            return []
        tries += 1
        try:
            graphs.append(space.assign(space.settle(take_rarest)[0]))
        except SpecError:
            continue  # a network that is wrong has no dead parts to speak of
        nodes += len(graphs[-1].nodes)
    return graphs


def _written_at(at: At) -> Any:
    """What a document has at a place."""
    found = at.document.data
    for step in at.pointer:
        found = found[step]
    return found


def find_in_options(program: Program) -> Iterator[Problem]:
    """Options that an expression gives to a choice, and that decide nothing."""
    decisions: dict[tuple[int, object], list[Decision]] = {}

    def note(_key: str, decision: Decision) -> int:
        at = decision.at
        decisions.setdefault((id(at.document), at.pointer), []).append(decision)
        return 0

    Space(program).settle(note)
    for same in decisions.values():
        at = same[0].at / "choice"
        expression = _written_at(at)
        if not isinstance(expression, str):
            continue
        if all(len(decision.options) == 1 for decision in same):
            yield at.problem(
                f"{expression!r} gives one option, which decides nothing; give it several or use"
                " the option alone"
            )
        for decision in same:
            frozen = [freeze(option) for option in decision.options]
            for place, option in enumerate(decision.options):
                if frozen[place] in frozen[:place]:
                    yield at.problem(
                        f"{expression!r} gives the option {shown(option)} twice; remove one"
                    )
