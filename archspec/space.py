"""Search spaces: a spec with choices in it, its decisions, and the plain networks they give.

A decision's key is the path to where its choice stands, once per copy ("stage1.layer2.kernel"), or
the choice's own name, which shares it. A choice can decide which further choices there are (a
depth, say), so decisions are discovered by expanding. An assignment maps keys to options as
written.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from archspec.decisions import Decide
from archspec.errors import SpecError, did_you_mean, listed
from archspec.expand import Expander
from archspec.graph import Graph
from archspec.program import Program, parse_program, read_program
from archspec.sources import ProjectLike
from archspec.syntax import Decision


class Cost(NamedTuple):
    """What a candidate costs: trainable weights, and multiply-accumulates of one sample."""

    params: int
    macs: int


class Space:
    """The networks a spec with choices stands for. A spec without is a space of one network."""

    def __init__(self, spec: str | os.PathLike[str] | Program):
        """Raises SpecError where the spec is wrong."""
        self.program = spec if isinstance(spec, Program) else read_program(spec)
        self._expander = Expander(self.program)

    @classmethod
    def loads(cls, text: str, /, *, name: str = "<text>", project: ProjectLike = None) -> Space:
        """The space of a spec given as text; `name` and `project` are as for archspec.loads.
        Raises SpecError."""
        return cls(parse_program(text, name=name, project=project))

    def assign(self, assignment: Mapping[str, Any]) -> Graph:
        """The network of an assignment that settles every decision met and nothing else.

        Raises SpecError for a key that is missing or not met, or an option that is not there.
        """
        unused = set(assignment)
        graph = self._expander.graph(decide=_from_assignment(assignment, unused))
        self._refuse_unused(assignment, unused)
        return graph

    def cost(self, assignment: Mapping[str, Any]) -> Cost:
        """params and macs of assign(assignment), without building its graph."""
        unused = set(assignment)
        fragment = self._expander.fragment(decide=_from_assignment(assignment, unused))
        self._refuse_unused(assignment, unused)
        return Cost(fragment.params, fragment.macs)

    def first(self) -> dict[str, Any]:
        """The assignment that takes every choice's first option."""
        return self._discover(lambda options: 0)

    def sample(self, generator: random.Random) -> dict[str, Any]:
        """An assignment drawn option by option, each equally likely where it is met."""
        return self._discover(generator.randrange)

    def enumerate(self) -> Iterator[dict[str, Any]]:
        """Every assignment, in the order of the choices and their options; one expansion each."""
        prefix: list[int] = []
        while True:
            trail: list[tuple[int, int]] = []

            def decide(
                _key: str, decision: Decision, prefix: list[int] = prefix, trail: Any = trail
            ) -> int:
                taken = prefix[len(trail)] if len(trail) < len(prefix) else 0
                trail.append((taken, len(decision.options)))
                return taken

            yield self.settle(decide)[0]
            while trail and trail[-1][0] + 1 == trail[-1][1]:
                trail.pop()
            if not trail:
                return
            prefix = [taken for taken, _ in trail]
            prefix[-1] += 1

    def settle(self, decide: Decide) -> tuple[dict[str, Any], Cost]:
        """The assignment that takes the options `decide` says, as decisions are met, and what its
        network costs. Raises SpecError where that network is wrong."""
        assignment: dict[str, Any] = {}

        def recording(key: str, decision: Decision) -> int:
            index = decide(key, decision)
            assignment[key] = decision.options[index]
            return index

        fragment = self._expander.fragment(decide=recording)
        return assignment, Cost(fragment.params, fragment.macs)

    def _discover(self, pick: Any) -> dict[str, Any]:
        return self.settle(lambda _key, decision: pick(len(decision.options)))[0]

    def _refuse_unused(self, assignment: Mapping[str, Any], unused: set[str]) -> None:
        if unused:
            raise self.program.at.error(
                f"the assignment settles {listed(sorted(unused), 'and')}, which the network it"
                f" gives does not have{did_you_mean(min(unused), set(assignment) - unused)}"
            )


def _from_assignment(assignment: Mapping[str, Any], unused: set[str]) -> Decide:
    def decide(key: str, decision: Decision) -> int:
        if key not in assignment:
            raise SpecError(
                decision.at.problem(
                    f"the assignment leaves {key!r} open{did_you_mean(key, assignment)}"
                )
            )
        unused.discard(key)
        option = assignment[key]
        index = place_of(option, decision.options)
        if index is None:
            raise SpecError(
                decision.at.problem(
                    f"{key!r} has no option {option!r};"
                    f" use {', '.join(map(repr, decision.options))}"
                )
            )
        return index

    return decide


def place_of(option: Any, options: Sequence[Any]) -> int | None:
    """The place of an option as written among others: true is not 1."""
    for place, written in enumerate(options):
        if written == option and isinstance(written, bool) == isinstance(option, bool):
            return place
    return None
