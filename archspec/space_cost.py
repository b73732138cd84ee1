"""What all networks of a space cost, without building each: a tree of parts that do not touch
(archspec.space_tree), found by watching expansions (archspec.space_trace).

In `stem -> layer1(kernel, expand) -> layer2(kernel, expand) -> head` each layer is a split of the
root, for its result has one shape whatever is decided. That is found by expanding. A decision is
confined to the copy of a node that evaluates it, unless that copy's surroundings hold a decision
themselves; what reaches other nodes is then its result's shape. Copies that share a decision by its
name (the edges of equal cells) are one part, of several frames. Every option of every split is
expanded once: where a shape, or anything outside, changes with it, the decision is split further
up. At last some networks drawn at random are counted both ways.

Expanding each option of each part takes thousands of expansions at most, and the tree then speaks
for 1e30 networks. Where parts touch too much there is no tree (NotDecomposable).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isclose, prod
from typing import Any

from archspec.expand import Expander
from archspec.graph import Graph
from archspec.shapes import Shapes
from archspec.space import Space
from archspec.space_networks import Content
from archspec.space_trace import ROOT, Part, Scope, Trace, stored_bytes
from archspec.space_tree import Costs, CostTree, NotDecomposable, Split, Sum, decisions_of
from archspec.stats import BYTES_PER_ELEMENT

METRICS = ("params", "macs", "activations")
"""What is always counted. `activations` are the bytes of all results in float32, for one sample."""
MAX_EXPANSIONS = 10_000
CHECKED = 40
"""Networks counted both ways."""
TOLERANCE = 1e-9
"""Relative; whole numbers must be equal."""


def cost_tree(
    space: Space, functions: Mapping[str, Callable[[Graph], float]] | None = None
) -> CostTree:
    """The tree of a space. `functions` are further metrics, of whole networks; a function that is
    no sum over the parts (as far as random networks tell) raises NotDecomposable, as a space does
    whose parts touch. Raises SpecError where a network of the space is wrong."""
    functions = functions or {}
    explorer = _Explorer(space, tuple(functions.values()))
    root = explorer.explore({}, (ROOT,))
    metrics, decisions = (*METRICS, *functions), decisions_of(root)
    tree = CostTree(space, metrics, root, decisions, explorer.base, explorer.places)
    generator = random.Random(0)
    for _ in range(CHECKED):
        assignment = space.sample(generator)
        counted = explorer.costs(assignment)
        for name, one, other in zip(tree.metrics, tree.cost(assignment), counted, strict=True):
            if not isclose(one, other, rel_tol=TOLERANCE):
                raise NotDecomposable(f"{name} is not a sum over the parts of its networks")
    return tree


@dataclass(frozen=True)
class _Expected:
    """What a part must leave as it is: the shapes of its frames' results, and of all else the costs
    and the open decisions."""

    shapes: tuple[Shapes, ...]
    costs: tuple[int, ...]
    decisions: frozenset[str]


class _Touches(Exception):
    """An option changed more than its part."""


class _Explorer:
    def __init__(self, space: Space, functions: tuple[Callable[[Graph], float], ...]):
        self._expander = Expander(space.program)
        self._functions = functions
        self._space = space
        self._expansions = 0
        self._nothing = (0,) * (len(METRICS) + len(functions))
        self.base: Content = ((), ())
        self.places: dict[str, tuple[int, int]] = {}
        """As CostTree has them."""

    def costs(self, assignment: Mapping[str, Any]) -> Costs:
        """The costs of one network, counted by building it."""
        graph = self._space.assign(assignment)
        counted = (count(graph) for count in self._functions)
        return (graph.params, graph.macs, activation_bytes(graph), *counted)

    def explore(
        self,
        fixed: Mapping[str, int],
        scope: Scope,
        reference: Costs | None = None,
        expected: _Expected | None = None,
    ) -> Sum:
        """The tree of one part, as what it adds to a network of cost `reference`. Raises
        _Touches."""
        trace, total = self._expand(fixed, scope)
        own = [*trace.scope_parts.values()]
        if expected is not None and expected != _expect(trace, own, trace.inside, total):
            raise _Touches
        if len(scope) == 1:
            for key in own[0].open:
                return self._split(trace, key, fixed, scope, reference, expected)
        splits: list[Split] = []
        met: set[str] = set()
        for frames in trace.groups():
            parts = [trace.parts[frame] for frame in frames]
            key = max(parts[0].open, key=lambda one: sum(one in part.open for part in parts))
            if frames == scope:
                return self._split(trace, key, fixed, scope, reference, expected)
            try:
                kept = _expect(trace, parts, set().union(*(p.open for p in parts)), total)
                found = self._split(trace, key, fixed, frames, total, kept)
            except _Touches:
                return self._split(trace, key, fixed, scope, reference, expected)
            if not met.isdisjoint(found.keys):
                return self._split(trace, key, fixed, scope, reference, expected)
            splits += found.splits
            met |= found.keys
            if not fixed and len(frames) == 1:
                self.places[key] = trace.places[frames[0]]
        costs = total
        if reference is not None:
            costs = tuple(one - other for one, other in zip(total, reference, strict=True))
        content = tuple(part.content for part in own)
        return Sum(costs, tuple(splits), None if splits else content, not any(costs))

    def _split(
        self,
        trace: Trace,
        key: str,
        fixed: Mapping[str, int],
        scope: Scope,
        reference: Costs | None,
        expected: _Expected | None,
    ) -> Sum:
        options = trace.met[key]
        together = [trace.parts[frame].own for frame in scope if frame in trace.parts]
        count = min((prod(len(trace.met[k]) for k in own) for own in together), default=1)
        if count > MAX_EXPANSIONS - self._expansions:
            name = scope[0][0] or self._space.program.name
            raise NotDecomposable(f"{name} settles {count:,} combinations of decisions at once")
        sums = tuple(
            self.explore({**fixed, key: index}, scope, reference, expected)
            for index in range(len(options))
        )
        return Sum(self._nothing, (Split(key, options, sums),), is_free=True)

    def _expand(self, fixed: Mapping[str, int], scope: Scope) -> tuple[Trace, Costs]:
        self._expansions += 1
        if self._expansions > MAX_EXPANSIONS:
            raise NotDecomposable("its decisions touch each other in too many ways")
        trace = Trace(fixed, scope)
        fragment = self._expander.fragment(decide=trace.decide, observer=trace)
        if scope == (ROOT,):
            trace.end(fragment)
            if not fixed:
                self.base = trace.scope_parts[ROOT].content
        total: Costs = (fragment.params, fragment.macs, stored_bytes(fragment.items))
        if self._functions:
            graph = self._expander.graph(decide=trace.decide)
            total += tuple(count(graph) for count in self._functions)
        return trace, total


def _expect(trace: Trace, parts: Sequence[Part], inside: set[str], total: Costs) -> _Expected:
    """What such a part, with these open decisions, leaves of a network of cost `total`."""
    own = [sum(costs) for costs in zip(*(part.costs for part in parts), strict=True)]
    costs = tuple(int(one) - other for one, other in zip(total, own, strict=False))
    decisions = frozenset(trace.met).difference(trace.fixed, inside)
    return _Expected(tuple(part.shapes for part in parts), costs, decisions)


def activation_bytes(graph: Graph) -> int:
    """Bytes of all results for one sample, as Stats.activation_bytes, without the rest of it."""
    return sum(node.layer.stored for node in graph.nodes.values()) * BYTES_PER_ELEMENT
