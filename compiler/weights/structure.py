"""Placing a file's tensors without a name map: by shapes, by the numbers in names, by regularity.

What is known of a file: its tensors stand together in layers, a number in a name counts in the
order in which layers run (`blocks.2` before `blocks.10`), and the order of the file is that in
which its modules were made, mostly that in which they run, unless it is sorted by name. So:

1. Where one placing alone has the kinds and shapes of the network, with the file's order for an
   execution order, that is it.
2. Otherwise the order in the file counts for nothing and numbers in names count. Of the placings
   that fit, the most regular count: those with the fewest pairs of one of our names and one of
   theirs, numbers left aside. One alone is it; of several, the one in which layers that follow
   each other stand closest together in the file's names, if that is one, or else of those the one
   whose names share the most words with ours.

Where two are left (parallel branches of one shape and no names that say more), nothing is placed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from archspec.compiler.weights.arrays import Entry
from archspec.compiler.weights.families import Source
from archspec.compiler.weights.units import Unit, units_of
from archspec.errors import listed
from archspec.graph import Graph
from archspec.node import INPUT, Node

MAX_STEPS = 100_000
"""Placements that are tried before the search gives up."""
MAX_ALIKE = 64
"""Placings of one regularity that are compared by the words of their names."""
MAX_EXTRA = 8
"""Pairs of names more than there are names of ours, from which on a placing is not regular."""

BY_ORDER = "by structure: the only execution order with the file's kinds and shapes"
BY_NUMBERS = "by structure: the only regular placing in which numbers in names count up"
BY_WORDS = "by structure and names: the regular placing whose names agree most"


@dataclass(frozen=True)
class Match:
    """The way by structure and by what it was found, or in `why` a sentence's end that says why
    there is none; `open` has the candidates of each node that has several."""

    sources: Mapping[str, Source] | None
    why: str = ""
    method: str = ""
    units: Mapping[str, str] = field(default_factory=dict)
    open: Mapping[str, Sequence[str]] = field(default_factory=dict)


def match_structure(graph: Graph, entries: Mapping[str, Entry]) -> Match:
    """Place every tensor, or say why that cannot be."""
    units = units_of(entries)
    nodes = [node for node in graph.nodes.values() if node.layer.weights]
    fitting = _fitting(nodes, units)
    lone = [node.name for node, found in zip(nodes, fitting, strict=True) if not found]
    used = {index for found in fitting for index in found}
    odd = [unit.name for index, unit in enumerate(units) if index not in used]
    if len(units) != len(nodes) or lone or odd:
        said = f"the file has {len(units):,} layers with weights and the network {len(nodes):,}"
        if lone:
            said += f"; no layer has the shapes of {listed(lone, 'and', 4)}"
        if odd:
            said += f"; no node has those of {listed(odd, 'and', 4)}"
        return Match(None, said)
    search = _Search(graph, nodes, units, fitting)
    if not search.is_sorted and search.numbers_agree:
        ways = search.find(search.in_file, None, 2)
        if len(ways) == 1:
            return search.match(ways[0], BY_ORDER)
    return _by_numbers(search)


def _by_numbers(search: _Search) -> Match:
    least = len({_pattern(node.name) for node in search.nodes})
    for pairs in range(least, least + MAX_EXTRA):
        ways = search.find(search.by_number, pairs, MAX_ALIKE)
        if len(ways) == 1:
            return search.match(ways[0], BY_NUMBERS)
        if 1 < len(ways) < MAX_ALIKE:
            scores = [(search.closeness(way), search.shared_words(way)) for way in ways]
            if scores.count(max(scores)) == 1:
                return search.match(ways[scores.index(max(scores))], BY_WORDS)
        if ways:
            return search.tell_ways(ways)
        if search.is_spent:
            return Match(None, "there are too many ways to try")
    return search.tell_none()


def _fitting(nodes: Sequence[Node], units: Sequence[Unit]) -> list[list[int]]:
    """For each node the units that could be it, by their kinds."""
    kinds: dict[object, list[int]] = {}
    for index, unit in enumerate(units):
        kinds.setdefault(unit.kind, []).append(index)
    result: list[list[int]] = []
    known: dict[object, list[int]] = {}
    for node in nodes:
        key = (node.op.name, *((weight.name, tuple(weight.shape)) for weight in node.layer.weights))
        if key not in known:
            known[key] = sorted(
                index
                for same in kinds.values()
                if units[same[0]].sources_for(node) is not None
                for index in same
            )
        result.append(known[key])
    return result


class _Search:
    """Placings of units on nodes, depth first over the network's order of execution."""

    def __init__(
        self, graph: Graph, nodes: list[Node], units: list[Unit], fitting: list[list[int]]
    ):
        self.nodes = nodes
        self.is_spent = False
        self._units = units
        self._fitting = fitting
        self._before_node = _ancestors(graph, nodes)
        self._nearest = _nearest(self._before_node)
        self._left = MAX_STEPS
        names = [unit.name for unit in units]
        self.is_sorted = len(names) > 2 and names == sorted(names)
        self.in_file = [(1 << index) - 1 for index in range(len(units))]
        self.by_number = [
            sum(1 << other for other, two in enumerate(units) if two.precedes(unit))
            for unit in units
        ]
        self.numbers_agree = all(not mask >> index for index, mask in enumerate(self.by_number))
        self._ours = [_pattern(node.name) for node in nodes]
        new = [name not in self._ours[:index] for index, name in enumerate(self._ours)]
        self._new_after = [sum(new[index + 1 :]) for index in range(len(new))]
        self._theirs = [_pattern(unit.name) for unit in units]

    def find(self, first: list[int], pairs: int | None, most: int) -> list[list[int]]:
        """Up to `most` placings, each the unit of every node; `first` has the units that come
        before each unit, as bits, `pairs` is how many pairs of names there may be."""
        later = _reverse(first)
        ways: list[list[int]] = []
        placing: list[int] = []
        counts: dict[tuple[str, str], int] = {}
        used = 0
        stack: list[Iterator[int]] = [iter(self._choices(placing, used, first, later))]
        while self._left:
            self._left -= 1
            if not stack:
                return ways
            unit = next(stack[-1], None)
            if unit is None:
                stack.pop()
                if placing:
                    last = placing.pop()
                    used &= ~(1 << last)
                    pair = (self._ours[len(placing)], self._theirs[last])
                    counts[pair] -= 1
                    if not counts[pair]:
                        del counts[pair]
                continue
            pair = (self._ours[len(placing)], self._theirs[unit])
            # every name of ours that is still to come takes a pair at the least
            least = len(counts) + (pair not in counts) + self._new_after[len(placing)]
            if pairs is not None and least > pairs:
                continue
            counts[pair] = counts.get(pair, 0) + 1
            placing.append(unit)
            used |= 1 << unit
            if len(placing) == len(self.nodes):
                ways.append(list(placing))
                if len(ways) >= most:
                    return ways
                stack.append(iter(()))
            else:
                stack.append(iter(self._choices(placing, used, first, later)))
        self.is_spent = True
        return ways

    def _choices(
        self, placing: list[int], used: int, first: list[int], later: list[int]
    ) -> list[int]:
        """The units that the next node could be, given those before it."""
        node = len(placing)
        ancestors = self._before_node[node]
        placed_before = sum(1 << placing[other] for other in _bits(ancestors))
        # nodes still to come that run behind this one can have no unit that counts as earlier
        rest = range(node + 1, len(self.nodes))
        result: list[int] = []
        for unit in self._fitting[node]:
            if used >> unit & 1 or later[unit] & placed_before:
                continue
            waiting = first[unit] & ~used
            if waiting:
                same = [u for u in self._fitting[node] if waiting >> u & 1]
                places = sum(
                    1
                    for other in rest
                    if self._fitting[other] is self._fitting[node]
                    and not self._before_node[other] >> node & 1
                )
                if len(same) > places:
                    continue
            result.append(unit)
        return result

    def match(self, way: Sequence[int], method: str) -> Match:
        sources: dict[str, Source] = {}
        for node, unit in zip(self.nodes, way, strict=True):
            sources |= self._units[unit].sources_for(node) or {}
        names = {n.name: self._units[u].name for n, u in zip(self.nodes, way, strict=True)}
        return Match(sources, method=method, units=names)

    def closeness(self, way: Sequence[int]) -> int:
        """How many parts of their names units share with the one that runs right before them."""
        total = 0
        for node, nearest in enumerate(self._nearest):
            if nearest is not None:
                one, two = (self._units[way[index]].name.split(".") for index in (node, nearest))
                same = [left == right for left, right in zip(one, two, strict=False)]
                total += [*same, False].index(False)
        return total

    def shared_words(self, way: Sequence[int]) -> int:
        """How many words the names of nodes and of their units have in common."""
        return sum(
            len(_words(self.nodes[index].name) & _words(self._units[unit].name))
            for index, unit in enumerate(way)
        )

    def tell_ways(self, ways: Sequence[Sequence[int]]) -> Match:
        """Two placings that fit alike, and where they part."""
        several = {
            node.name: [self._units[unit].name for unit in dict.fromkeys(way[i] for way in ways)]
            for i, node in enumerate(self.nodes)
        }
        alike = {name: units for name, units in several.items() if len(units) > 1}
        name, (one, other, *_) = next(iter(alike.items()))
        count = f" (and so with {len(alike) - 1:,} more nodes)" if len(alike) > 1 else ""
        settled = {name: units[0] for name, units in several.items() if len(units) == 1}
        return Match(
            None,
            f"{one} and {other} could both be {name}{count}, and neither names nor order say which;"
            " use --map FILE, which archspec weights map drafts",
            units=settled,
            open=alike,
        )

    def tell_none(self) -> Match:
        names = {
            node.name: [self._units[unit].name for unit in self._fitting[index]]
            for index, node in enumerate(self.nodes)
        }
        return Match(
            None,
            "no regular placing has the numbers in its names count up as the layers run; use --map"
            " FILE, which archspec weights map drafts",
            units={name: units[0] for name, units in names.items() if len(units) == 1},
            open={name: units for name, units in names.items() if len(units) > 1},
        )


def _ancestors(graph: Graph, nodes: Sequence[Node]) -> list[int]:
    """For each node with weights those that run before it on some path, as bits."""
    numbers = {node.name: number for number, node in enumerate(nodes)}
    behind: dict[str, int] = {INPUT: 0}
    for node in graph.nodes.values():
        found = 0
        for tensor in node.inputs:
            before = behind[tensor.node]
            found |= before
            if tensor.node in numbers:
                found |= 1 << numbers[tensor.node]
        behind[node.name] = found
    return [behind[node.name] for node in nodes]


def _nearest(before: Sequence[int]) -> list[int | None]:
    """For each node the one that all others before it run before, None where there is none such."""
    result: list[int | None] = []
    for mask in before:
        last = mask.bit_length() - 1
        result.append(last if mask and before[last] | 1 << last == mask else None)
    return result


def _reverse(first: Sequence[int]) -> list[int]:
    """For each unit those that come after it, as bits."""
    result = [0] * len(first)
    for index, mask in enumerate(first):
        for other in _bits(mask):
            result[other] |= 1 << index
    return result


def _bits(mask: int) -> Iterator[int]:
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def _pattern(name: str) -> str:
    return re.sub(r"\d+", "#", name)


def _words(name: str) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z]+", name.lower()))
