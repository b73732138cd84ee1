"""What all networks of a space cost, without building each: a tree of parts that do not touch.

    Sum     what a part costs whatever is decided in it, and its splits, which are independent
    Split   a decision, and the sum that each option leads to

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
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import isclose, prod
from typing import Any, NamedTuple, TypeAlias

from archspec.expand import Expander, Expansion
from archspec.fragment import Fragment, Item, Ref
from archspec.graph import Graph
from archspec.node import Layer
from archspec.scope import Body, Results
from archspec.shapes import Shapes
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
from archspec.stats import BYTES_PER_ELEMENT
from archspec.syntax import Arguments, Decision, Modifiers

METRICS = ("params", "macs", "activations")
"""What is always counted. `activations` are the bytes of all results in float32, for one sample."""
MOST_EXPANSIONS = 10_000
CHECKED, CHECKED_WORDS = 40, 8
"""Networks counted both ways, and put together both ways."""
MAX_BUILT = 500
"""Networks of a space that are all built, to see which are different."""
TOLERANCE = 1e-9
"""Relative; whole numbers must be equal."""

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
        """How many of its networks differ in a part, node for node. It is no less than `networks`:
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


def cost_tree(
    space: Space, functions: Mapping[str, Callable[[Graph], float]] | None = None
) -> CostTree:
    """The tree of a space. `functions` are further metrics, of whole networks; a function that is
    no sum over the parts (as far as random networks tell) raises NotDecomposable, as a space does
    whose parts touch. Raises SpecError where a network of the space is wrong."""
    functions = functions or {}
    explorer = _Explorer(space, tuple(functions.values()))
    root = explorer.explore({}, (ROOT,))
    metrics, decisions = (*METRICS, *functions), _decisions(root)
    tree = CostTree(space, metrics, root, decisions, explorer.base, explorer.places)
    generator = random.Random(0)
    for _ in range(CHECKED):
        assignment = space.sample(generator)
        counted = explorer.costs(assignment)
        for name, one, other in zip(tree.metrics, tree.cost(assignment), counted, strict=True):
            if not isclose(one, other, rel_tol=TOLERANCE):
                raise NotDecomposable(f"{name} is no sum over the parts of its networks")
    return tree


Frame: TypeAlias = "tuple[str, Modifiers | None]"
"""A copy of a node, or all copies of one together: its path, and the node as written (two unnamed
ones can have one path)."""
ROOT: Frame = ("", None)
Scope: TypeAlias = "tuple[Frame, ...]"
"""The frames of a part: one, or those that share a decision."""


@dataclass
class _Part:
    """What a frame is in one expansion: its open decisions in the order met, those of them that it
    evaluates itself, and what it expands to."""

    open: list[str] = field(default_factory=list)
    own: list[str] = field(default_factory=list)
    costs: tuple[int, ...] = (0,) * len(METRICS)
    shapes: Shapes = ()
    content: Any = None


class _Trace(Expansion):
    """One expansion that takes the first option of every decision that is not fixed, and notes to
    which copies of nodes each of those is confined. Only the frames of `scope` are looked into."""

    def __init__(self, expander: Expander, fixed: Mapping[str, int], scope: Scope):
        super().__init__(expander, lambda key, _: fixed.get(key, 0))
        self.fixed = fixed
        self.met: dict[str, tuple[Any, ...]] = {}
        self.inside: set[str] = set()
        """Open decisions of the scope."""
        self.parts: dict[Frame, _Part] = {}
        self.scope_parts: dict[Frame, _Part] = {frame: _Part() for frame in scope}
        self.places: dict[Frame, tuple[int, int]] = {}
        """Of frames with open decisions, where nothing is fixed: the number of their first node and
        of the first after."""
        self._frames: list[Frame] = [ROOT]
        self._bodies: list[Body] = []
        self._depth = sum(frame == ROOT for frame in scope)
        """Frames of the scope that the expansion is in."""
        self._unit: Frame | None = None

    def decide(self, decision: Decision, here: str) -> int:
        index = super().decide(decision, here)
        key = decision.shared_name or self._key(here, decision.key)
        self.met[key] = decision.options
        if key in self.fixed or not self._depth:
            return index
        self.inside.add(key)
        if self._unit is None:
            self._unit = self._frames[-1]
        part = self.parts.setdefault(self._unit, _Part())
        if key not in part.open:
            part.open.append(key)
            if self._frames[-1] == self._unit:
                part.own.append(key)
        return index

    def groups(self) -> list[Scope]:
        """The frames with open decisions, those together that share one, in the order met."""
        found: list[tuple[list[Frame], set[str]]] = []
        for frame, part in self.parts.items():
            touching = [one for one in found if not one[1].isdisjoint(part.open)]
            found = [one for one in found if one not in touching]
            frames = [frame for one, _ in touching for frame in one]
            found.append(([*frames, frame], {*part.open}.union(*(keys for _, keys in touching))))
        return [tuple(frames) for frames, _ in found]

    def _copies(
        self, body: Body, node: Modifiers, path: str, inputs: tuple[Ref, ...] | None
    ) -> Ref | None:
        frame, start, before = self._entered(body, node, path)
        ref = super()._copies(body, node, path, inputs)
        refs = body.results[path].refs if node.name is not None else () if ref is None else (ref,)
        self._left(body, frame, start, before, refs)
        return ref

    def _copy(
        self,
        body: Body,
        node: Modifiers,
        path: str,
        inputs: tuple[Ref, ...] | None,
        arguments: Arguments,
        index: int | None,
    ) -> Results:
        frame, start, before = self._entered(body, node, path)
        results = super()._copy(body, node, path, inputs, arguments, index)
        self._left(body, frame, start, before, results.refs)
        return results

    def _entered(self, body: Body, node: Modifiers, path: str) -> tuple[Frame, int, Costs]:
        frame: Frame = (f"{self._prefix}{path}", node)
        self._frames.append(frame)
        self._bodies.append(body)
        self._depth += frame in self.scope_parts
        return frame, len(body.items), (body.params, body.macs)

    def _left(
        self, body: Body, frame: Frame, start: int, before: Costs, refs: tuple[Ref, ...]
    ) -> None:
        self._frames.pop()
        self._bodies.pop()
        self._depth -= frame in self.scope_parts
        part = self.scope_parts.get(frame)
        if self._unit == frame:
            self._unit = None
            part = self.parts[frame]
            if not self.fixed:
                self.places[frame] = self._place(body, start)
        if part is None:
            return
        items = body.items[start:]
        params, macs = before
        part.costs = (int(body.params - params), int(body.macs - macs), _stored(items))
        part.shapes = body.shapes(refs)
        part.content = _content(body.items, start, refs)
        if frame in self.scope_parts:
            self.scope_parts[frame] = part

    def _place(self, body: Body, start: int) -> tuple[int, int]:
        outer = {id(one): one for one in self._bodies if one is not body}.values()
        first = sum(_nodes(one.items) for one in outer) + _nodes(body.items[:start])
        return first, first + _nodes(body.items[start:])


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
        self._shape = tuple(space.program.input["shape"])
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
        if expected is not None and expected != _expected(trace, own, trace.inside, total):
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
                kept = _expected(trace, parts, set().union(*(p.open for p in parts)), total)
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
        trace: _Trace,
        key: str,
        fixed: Mapping[str, int],
        scope: Scope,
        reference: Costs | None,
        expected: _Expected | None,
    ) -> Sum:
        options = trace.met[key]
        together = [trace.parts[frame].own for frame in scope if frame in trace.parts]
        count = min((prod(len(trace.met[k]) for k in own) for own in together), default=1)
        if count > MOST_EXPANSIONS - self._expansions:
            name = scope[0][0] or self._space.program.name
            raise NotDecomposable(f"{name} settles {count:,} combinations of decisions at once")
        sums = tuple(
            self.explore({**fixed, key: index}, scope, reference, expected)
            for index in range(len(options))
        )
        return Sum(self._nothing, (Split(key, options, sums),), is_free=True)

    def _expand(self, fixed: Mapping[str, int], scope: Scope) -> tuple[_Trace, Costs]:
        self._expansions += 1
        if self._expansions > MOST_EXPANSIONS:
            raise NotDecomposable("its decisions touch each other in too many ways")
        trace = _Trace(self._expander, fixed, scope)
        fragment = trace.spec({}, self._shape)
        if scope == (ROOT,):
            root = trace.parts.get(ROOT, trace.scope_parts[ROOT])
            root.content = _content(fragment.items, 0, fragment.outputs)
            trace.scope_parts[ROOT] = root
            if not fixed:
                self.base = root.content
        total: Costs = (fragment.params, fragment.macs, _stored(fragment.items))
        if self._functions:
            graph = self._expander.graph(decide=lambda key, _: fixed.get(key, 0))
            total += tuple(count(graph) for count in self._functions)
        return trace, total


def _expected(trace: _Trace, parts: Sequence[_Part], inside: set[str], total: Costs) -> _Expected:
    """What such a part, with these open decisions, leaves of a network of cost `total`."""
    own = [sum(costs) for costs in zip(*(part.costs for part in parts), strict=True)]
    costs = tuple(int(one) - other for one, other in zip(total, own, strict=False))
    decisions = frozenset(trace.met).difference(trace.fixed, inside)
    return _Expected(tuple(part.shapes for part in parts), costs, decisions)


def activation_bytes(graph: Graph) -> int:
    """Bytes of all results for one sample, as Stats.activation_bytes, without the rest of it."""
    return sum(node.layer.stored for node in graph.nodes.values()) * BYTES_PER_ELEMENT


def _stored(items: Sequence[Item]) -> int:
    """Bytes of all results, as Stats.activation_bytes."""
    return sum(layer.stored for layer in _layers(items)) * BYTES_PER_ELEMENT


def _nodes(items: Sequence[Item]) -> int:
    return sum(1 for _ in _layers(items))


def _layers(items: Sequence[Item]) -> Iterator[Layer]:
    """In any order."""
    waiting = [items]
    while waiting:
        for item in waiting.pop():
            if isinstance(item.part, Layer):
                yield item.part
            else:
                waiting.append(item.part.items)


def _content(items: Sequence[Item], start: int, refs: tuple[Ref, ...]) -> Any:
    """The nodes of the items from `start` on without their names, and which results leave: equal
    where two parts are the same node for node."""
    values: list[Any] = []
    for item in items[:start]:
        first = len(values)
        values += [("before", first + k) for k in range(len(item.part.output_shapes))]
    nodes: list[Any] = []
    for item in items[start:]:
        values += _placed(item.part, [_value(values, ref) for ref in item.inputs], nodes)
    return tuple(nodes), tuple(_value(values, ref) for ref in refs)


def _placed(part: Layer | Fragment, inputs: Sequence[Any], nodes: list[Any]) -> list[Any]:
    if isinstance(part, Layer):
        nodes.append((part.op, tuple(inputs)))
        return [(len(nodes), k) for k in range(len(part.output_shapes))]
    values: list[Any] = []
    for item in part.items:
        sources = [values[r] if r >= 0 else inputs[-1 - r] for r in item.inputs]
        values += _placed(item.part, sources, nodes)
    return [values[r] if r >= 0 else inputs[-1 - r] for r in part.outputs]


def _value(values: Sequence[Any], ref: Ref) -> Any:
    return values[ref] if ref >= 0 else ("in", ref)


def _decisions(root: Sum) -> dict[str, tuple[Any, ...]]:
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
