"""How many different networks a space has, where its parts follow each other in a chain.

Two assignments can give one network, node for node: a layer that is left out has no kernel, and of
two equal layers it does not matter which is left out. A network in a chain is a word: its nodes in
their order, each with how far back its inputs are. A part is then a set of words, what is decided
nowhere is one word, and the different networks are the different words that can be put together
(https://en.wikipedia.org/wiki/Powerset_construction).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

from archspec.graph import Graph

MAX_SETS = 10_000
"""Of places in the parts that one beginning of a word can have come to."""

Symbol: TypeAlias = "tuple[Any, tuple[tuple[int, int], ...]]"
"""A node: its op, and of each input how many nodes back it is, and which of its results."""
Word: TypeAlias = "tuple[Symbol, ...]"
Content: TypeAlias = "tuple[Sequence[tuple[Any, Sequence[Any]]], Sequence[Any]]"
"""Nodes, each an op and its inputs, and which values leave. A value is (number of the node from 1,
which of its results) or, from outside, anything else that is a pair beginning with a text."""


class Place(NamedTuple):
    """A part in the network of first options: its first node and the one after its last, and what
    each way to settle it is."""

    first: int
    end: int
    contents: Sequence[Content]


def words_of(base: Content, places: Sequence[Place]) -> list[set[Word]] | None:
    """The words of each piece of the networks, in order: of what is decided nowhere, of the first
    part, and so on. None where they are not a chain: something reaches over a part."""
    nodes, outputs = base
    pieces: list[set[Word]] = []
    start = 0
    for place in sorted(places, key=lambda place: place[:2]):
        words = [_word_of_part(content) for content in place.contents]
        fixed = _word(nodes, start, place.first)
        here = _word(nodes, place.first, place.end)
        if place.first < start or fixed is None or here is None or None in words:
            return None
        if len({_outside(content) for content in place.contents} - {None}) > 1:
            return None
        pieces += [{fixed}, {word for word in words if word is not None}]
        start = place.end
    fixed = _word(nodes, start, len(nodes))
    if fixed is None or any(_number(value) < start for value in outputs):
        return None
    return [*pieces, {fixed}]


def word_of(graph: Graph) -> Word:
    """The word that a network is."""
    places = {name: place for place, name in enumerate(graph.nodes)}
    return tuple(
        (
            node.layer.signature,
            tuple((here - places.get(t.node, -1), t.output) for t in node.inputs),
        )
        for here, node in enumerate(graph.nodes.values())
    )


def is_joined(word: Word, pieces: Sequence[set[Word]]) -> bool:
    """Whether a word is one of each piece."""
    ends = {0}
    for words in pieces:
        ends = {
            end + len(one) for end in ends for one in words if word[end : end + len(one)] == one
        }
    return len(word) in ends


def count_words(pieces: Sequence[set[Word]]) -> int | None:
    """How many different words there are of one word of each piece; None where that takes too much
    memory."""
    symbols: dict[Symbol, int] = {}
    follow: list[dict[int, int]] = []
    """Of each place in a piece: which place a symbol leads to."""
    ends: list[bool] = []
    starts: list[int] = []
    piece_of: list[int] = []

    def place(piece: int) -> int:
        follow.append({})
        ends.append(False)
        piece_of.append(piece)
        return len(follow) - 1

    for number, words in enumerate(pieces):
        starts.append(place(number))
        for word in words:
            here = starts[-1]
            for symbol in word:
                one = symbols.setdefault(symbol, len(symbols))
                if one not in follow[here]:
                    follow[here][one] = place(number)
                here = follow[here][one]
            ends[here] = True

    def reached(places: set[int]) -> frozenset[int]:
        """And the beginnings of the pieces after those that end here."""
        waiting = [*places]
        while waiting:
            here = waiting.pop()
            if ends[here] and piece_of[here] + 1 < len(pieces):
                next_start = starts[piece_of[here] + 1]
                if next_start not in places:
                    places.add(next_start)
                    waiting.append(next_start)
        return frozenset(places)

    total = 0
    beginnings = {reached({starts[0]}): 1}
    while beginnings:
        longer: dict[frozenset[int], int] = {}
        for places, count in beginnings.items():
            if any(ends[here] and piece_of[here] + 1 == len(pieces) for here in places):
                total += count
            targets: dict[int, set[int]] = {}
            for here in places:
                for symbol, there in follow[here].items():
                    targets.setdefault(symbol, set()).add(there)
            for found in map(reached, targets.values()):
                longer[found] = longer.get(found, 0) + count
        if len(longer) > MAX_SETS:
            return None
        beginnings = longer
    return total


def _word(nodes: Sequence[tuple[Any, Sequence[Any]]], start: int, end: int) -> Word | None:
    """The nodes from `start` to `end`; None where one of them reads from before the node that is
    before them."""
    word: list[Symbol] = []
    for here in range(start, end):
        op, inputs = nodes[here]
        backs: list[tuple[int, int]] = []
        for value in inputs:
            source = _number(value) - 1
            result = 0 if source < 0 else value[1]
            if source < start - 1 or (source == start - 1 and result):
                return None
            backs.append((here - source, result))
        word.append((op, tuple(backs)))
    return tuple(word)


def _word_of_part(content: Content) -> Word | None:
    """None where something else than its last node leaves it, or what came to it where it has no
    nodes."""
    nodes, leaving = content
    is_last = [_number(value) == len(nodes) for value in leaving]
    return _word(nodes, 0, len(nodes)) if is_last == [True] else None


def _outside(content: Content) -> Any:
    """What a part reads from outside; None where nothing; several values where it reads several."""
    nodes, leaving = content
    values = {v for _, inputs in nodes for v in inputs if not _number(v)}
    values |= {value for value in leaving if not _number(value)}
    return next(iter(values), None) if len(values) < 2 else frozenset(values)


def _number(value: Any) -> int:
    """The number of the node that a value is of, from 1; 0 for what is from outside."""
    return value[0] if isinstance(value[0], int) else 0
