"""Fragments: what a template call expands to, free of any place, and how they make a graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from archspec.graph import TemplateCall
from archspec.library import Library
from archspec.node import Layer, Node, Tensor
from archspec.shapes import Shapes
from archspec.syntax import Arguments, Modifiers

Ref: TypeAlias = int
"""A value inside a fragment: its items' results are counted from 0 in order, its inputs are -1, -2
and so on. Plain numbers, since a search through a space makes millions."""


class Item(NamedTuple):
    """A layer or a fragment placed in a fragment, under a name relative to it; and where it came
    from: the node as written, the value that each attribute took, and its copy, counted from 0.
    `owner` is the name of the item before it whose weights it uses, where they are not its own."""

    name: str
    part: Layer | Fragment
    inputs: tuple[Ref, ...]
    node: Modifiers
    values: Arguments
    copy: int | None
    owner: str | None = None


@dataclass(eq=False, repr=False, slots=True)
class Fragment:
    """An expanded template call, wherever it stands. Its results have the `output_names`, those of
    a list numbered; `result_names` and `counts` are as scope.Results has them, where any is a list.
    After its results come those of nodes in it that others may take by name, which are `exposed`.
    `network` is the library whose network it is, where it is one's. `weight` says how large its
    arguments are, in steps of the expansion: what it costs to find it by them."""

    template: str
    arguments: Mapping[str, Any]
    items: tuple[Item, ...]
    input_names: tuple[str, ...]
    outputs: tuple[Ref, ...]
    output_names: tuple[str, ...]
    output_shapes: Shapes
    nodes: int
    params: int
    macs: int
    weight: int
    result_names: tuple[str, ...] = ()
    counts: tuple[int | None, ...] | None = None
    exposed: tuple[str, ...] = ()
    network: Library | None = None


MAX_FRAGMENTS = 20_000
"""Kept for the next time; a search through a space would fill the memory without a bound."""
MAX_CALLS_MET = 200_000


class Fragments:
    """The fragments of one program, by the spec's defaults and then by the call."""

    def __init__(self) -> None:
        self._by_defaults: dict[Any, dict[Any, Fragment]] = {}
        self._met: set[int] = set()
        """Hashes of the calls expanded. A call is kept when it comes again: most calls of a search
        never do, and keeping them would cost a fifth of its time."""

    def under(self, defaults: Any) -> dict[Any, Fragment]:
        """The fragments kept where the spec's defaults are these."""
        return self._by_defaults.setdefault(defaults, {})

    def keep(self, key: Any, fragment: Fragment, kept: dict[Any, Fragment]) -> None:
        """Keep a fragment among those of the same defaults, if its call was met before."""
        met = hash(key)
        if met in self._met:
            if len(kept) >= MAX_FRAGMENTS:
                kept.clear()
            kept[key] = fragment
        else:
            if len(self._met) >= MAX_CALLS_MET:
                self._met.clear()
            self._met.add(met)


def place(
    fragment: Fragment,
    prefix: str,
    inputs: tuple[Tensor, ...],
    nodes: dict[str, Node],
    calls: dict[str, TemplateCall],
    owner: str | None = None,
) -> tuple[Tensor, ...]:
    """Add a fragment's nodes and calls under their full names; the result is its outputs. `owner`
    is what the names begin with of the nodes whose weights its own use, where they use others'."""
    results: list[Tensor] = []

    def tensor(ref: Ref) -> Tensor:
        return results[ref] if ref >= 0 else inputs[-1 - ref]

    for item in fragment.items:
        name = prefix + item.name
        sources = tuple(map(tensor, item.inputs))
        part = item.part
        other = None
        if owner is not None:
            other = owner + item.name
        elif item.owner is not None:
            other = prefix + item.owner
        if isinstance(part, Layer):
            if other is not None and part.uses:
                other = nodes[other].owner
            node = nodes[name] = Node(name, part, sources, item, other)
            results += node.results
        else:
            template, arguments = part.template, part.arguments
            calls[name] = TemplateCall(template, arguments, item)  # before the calls within it
            shared = None if other is None else f"{other}."
            placed = place(part, f"{name}.", sources, nodes, calls, shared)
            calls[name] = TemplateCall(
                template, arguments, item, part.input_names, sources, part.output_names, placed,
                part.network,
            )  # fmt: skip
            results += placed
    return tuple(map(tensor, fragment.outputs))
