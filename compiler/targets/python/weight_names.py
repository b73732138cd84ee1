"""What the weights of a graph are called in what a generated file makes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from archspec.compiler.model import weights_of
from archspec.compiler.targets.python.class_names import classes_of
from archspec.compiler.targets.python.dialect import Dialect
from archspec.compiler.targets.python.patterns import Loop, Part, Pattern, Use, Values
from archspec.graph import Graph


def names_of(graph: Graph, dialect: Dialect) -> dict[str, str]:
    """By weight path, in execution order: what a framework calls each weight."""
    return names_in(classes_of(graph, dialect)[0], graph, dialect)


def names_in(patterns: Sequence[Pattern], graph: Graph, dialect: Dialect) -> dict[str, str]:
    """The same where the classes are known: the attributes that lead to a node's cell, or its name
    where the dialect renames, and the word that the layout has for the weight."""
    places = places_in(patterns)
    names: dict[str, str] = {}
    for path in weights_of(graph):
        node, _, weight = path.rpartition(".")
        words = dialect.layout.get(graph.nodes[node].op.name, {})
        place = places[node] if dialect.rename is None else node
        names[path] = f"{place}.{words.get(weight, weight)}"
    return names


def places_of(graph: Graph, dialect: Dialect) -> dict[str, str]:
    """By the name of each node that makes something of its own: the attributes that lead there."""
    return places_in(classes_of(graph, dialect)[0])


def places_in(patterns: Sequence[Pattern]) -> dict[str, str]:
    """The same where the classes are known."""
    return {at.node: at.attributes for at in _of_use(patterns[-1].uses[0], _Place((), ()))}


class _Place(NamedTuple):
    """Where something stands: by the spec's words, and by the attributes that lead there."""

    words: tuple[str, ...]
    steps: tuple[str, ...]

    @property
    def node(self) -> str:
        return ".".join(self.words)

    @property
    def attributes(self) -> str:
        return ".".join(self.steps)

    def below(self, word: str, attribute: str) -> _Place:
        return _Place((*self.words, word), (*self.steps, attribute))


def _of_use(use: Use, at: _Place) -> Iterator[_Place]:
    """The nodes in an object of a class."""
    pattern = use.pattern
    if pattern.is_sequence:
        yield from _in_turn(pattern.parts, use.values, at)
        return
    for part, values, attribute in zip(pattern.parts, use.values, pattern.attributes, strict=True):
        if isinstance(values, Loop):  # over one part, which is an attribute like any other
            assert part.unit is not None
            place = at.below(f"{part.name}{values.first}", attribute)
            yield from _of_part(part.unit, values.unit, place)
        else:
            yield from _of_part(part, values, at.below(part.name, attribute))


def _in_turn(parts: Sequence[Part], values: Sequence[Values], at: _Place) -> Iterator[_Place]:
    """The nodes in a sequence, whose parts have the spec's names."""
    for part, value in zip(parts, values, strict=True):
        if isinstance(value, Loop):
            assert part.unit is not None
            for number in range(value.first, value.last + 1):
                name = f"{part.name}{number}"
                yield from _of_part(part.unit, value.unit, at.below(name, name))
        else:
            yield from _of_part(part, value, at.below(part.name, part.name))


def _of_part(part: Part, values: Values, at: _Place) -> Iterator[_Place]:
    if isinstance(values, Use):
        yield from _of_use(values, at)
    elif part.chain is not None:
        assert not isinstance(values, Loop)
        yield from _in_turn(part.chain, values, at)
    else:
        yield at
