"""The body of one template while it is expanded: what its names mean, what stands in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeAlias

from archspec.errors import did_you_mean, listed
from archspec.expressions import ExpressionError
from archspec.fragment import Item, Ref
from archspec.json_values import shown
from archspec.library import Library
from archspec.limits import MAX_NODES, too_many_nodes
from archspec.shapes import Shape, Shapes
from archspec.syntax import INPUT, Decision, Modifiers

Slot: TypeAlias = "Ref | tuple[Ref, ...]"
"""A result, or a list of results."""


class Results(NamedTuple):
    """What a name stands for in a body: one result, or several with names. `counts` says of each
    how many a list of results holds (None: it is not a list); without it none is a list."""

    refs: tuple[Ref, ...]
    names: tuple[str, ...] = ()
    counts: tuple[int | None, ...] | None = None

    @property
    def slots(self) -> tuple[Slot, ...]:
        """The results, those of each list together."""
        return self.refs if self.counts is None else cut(self.refs, self.counts)


def cut(refs: tuple[Ref, ...], counts: tuple[int | None, ...]) -> tuple[Slot, ...]:
    """Results one after another as slots: `counts` as Results has them."""
    slots: list[Slot] = []
    place = 0
    for count in counts:
        slots.append(refs[place] if count is None else refs[place : place + count])
        place += 1 if count is None else count
    return tuple(slots)


def results_of(slots: tuple[Slot, ...], names: tuple[str, ...] = ()) -> Results:
    """The results that are in these slots."""
    if tuple not in map(type, slots):
        return Results(slots, names)  # pyright: ignore[reportArgumentType]
    counts = tuple(len(slot) if isinstance(slot, tuple) else None for slot in slots)
    return Results(flatten(slots), names, counts)


def flatten(slots: Iterable[Slot]) -> tuple[Ref, ...]:
    """The results in slots, one after another."""
    refs: list[Ref] = []
    for slot in slots:
        if isinstance(slot, tuple):
            refs += slot
        else:
            refs.append(slot)
    return tuple(refs)


class Body:
    """One template's body while it is expanded: the scope of its expressions and of its names."""

    def __init__(
        self,
        library: Library,
        inputs: tuple[str, ...],
        shapes: Shapes,
        settle: Callable[[Decision, str], int],
        counts: tuple[int | None, ...] | None = None,
    ):
        """`counts` says of each input how many a list of results holds, as Results has them."""
        self._settle = settle
        self.library = library
        self.inputs = inputs
        self.streams: Mapping[str, Slot] = {INPUT: -1}
        self.is_plain = counts is None
        """Whether no input is a list."""
        if inputs != (INPUT,) or counts is not None:
            taken = Results(tuple(-1 - k for k in range(len(shapes))), inputs, counts)
            self.streams = dict(zip(inputs, taken.slots, strict=True))
        self._input_shapes = shapes
        self._value_shapes: list[Shape] = []
        self.names: dict[str, Any] = {}
        self.items: list[Item] = []
        self._items: dict[str, Item] = {}
        """Those of `items` that were looked up by their names so far."""
        self.results: dict[str, Results] = {}
        self.taken: set[str] = set()
        self.ordinals: dict[str, int] = {}
        self.prefix = ""
        self.here = ""
        self.until: str | None = None
        """The node after which nothing more of the body is expanded."""
        self.nodes = 0
        self.params = 0
        self.macs = 0
        if inputs == (INPUT,) and counts is None:
            self.names["in_channels"] = shapes[0][0]
            if len(shapes[0]) == 3:
                _, self.names["in_height"], self.names["in_width"] = shapes[0]

    @property
    def is_cut(self) -> bool:
        """Whether the rest of the body is left out."""
        return self.until is not None and self.until in self.results and not self.prefix

    def shape(self, ref: Ref) -> Shape:
        return self._value_shapes[ref] if ref >= 0 else self._input_shapes[-1 - ref]

    def shapes(self, refs: tuple[Ref, ...] | None) -> Shapes:
        if refs and len(refs) == 1:  # nearly always
            return (self.shape(refs[0]),)
        return tuple(map(self.shape, refs or ()))

    def append(self, item: Item) -> Results:
        """Put an item in and give its results. Raises SpecError where that is a node too many."""
        part = item.part
        # a call that leaves no node counts as one, or doubling it often would never end
        self.nodes += part.nodes or 1
        if self.nodes > MAX_NODES:
            raise too_many_nodes(item.node)
        if item.owner is None:
            self.params += part.params
        self.macs += part.macs
        number = len(self._value_shapes)
        self.items.append(item)
        self._value_shapes += part.output_shapes
        count = len(part.output_shapes)
        if part.counts is not None or part.exposed:
            count -= len(part.exposed)
            refs = tuple(range(number, number + count))
            for place, name in enumerate(part.exposed, number + count):
                self.results[f"{item.name}.{name}"] = Results((place,))
            return Results(refs, part.result_names, part.counts)
        if count == 1:
            return Results((number,), part.output_names)
        refs = tuple(range(number, number + count))
        return Results(refs, part.output_names or tuple(str(k + 1) for k in range(count)))

    def append_again(self, node: Modifiers, path: str, index: int, stop: int) -> Results:
        """Put the last item, which has one result, in once more for each copy from `index` up to
        `stop`, each fed by the one before it. The results are the last copy's. Raises SpecError
        where these are too many nodes."""
        _, part, _, written, values, _, _ = self.items[-1]
        count = stop - index
        if self.nodes + count * part.nodes > MAX_NODES:
            raise too_many_nodes(node)
        self.nodes += count * (part.nodes or 1)
        self.params += count * part.params
        self.macs += count * part.macs
        number = len(self._value_shapes)
        self._value_shapes += part.output_shapes * count
        for copy in range(index, stop):
            name = self.copy_name(path, copy + 1, node)
            self.items.append(Item(name, part, (number - 1,), written, values, copy))
            self.results[name] = Results((number,))
            number += 1
        return Results((number - 1,))

    def item(self, name: str) -> Item | None:
        """The item of this full name within the template."""
        for item in self.items[len(self._items) :]:
            self._items[item.name] = item
        return self._items.get(name)

    def shapes_of(self, name: str) -> list[Shape] | Shape:
        """For channels('name') and its like in expressions."""
        results = self.find(name)
        slots = () if results is None else results.slots
        if len(slots) != 1:
            raise ExpressionError(self.unknown(name, results))
        slot = slots[0]
        return [*map(self.shape, slot)] if isinstance(slot, tuple) else self.shape(slot)

    def decide(self, decision: Decision) -> int:
        return self._settle(decision, self.here)

    def find(self, name: str) -> Results | None:
        """What a name means here: innermost scope first, the template's inputs last."""
        prefix = self.prefix
        while True:
            results = self.results.get(prefix + name)
            if results is None:
                owner, _, output = (prefix + name).rpartition(".")
                several = self.results.get(owner)
                if several is not None and output in several.names:
                    results = results_of((several.slots[several.names.index(output)],))
            if results is not None:
                return results
            if not prefix:
                break
            prefix = prefix[: prefix.rstrip(".").rfind(".") + 1]
        return results_of((self.streams[name],)) if name in self.streams else None

    def unknown(self, name: str, results: Results | None) -> str:
        """The sentence for a name that find() does not find, or finds several results of."""
        owner = name.rpartition(".")[0]
        several = self.find(owner) if results is None and owner else None
        if results is None and several is not None and several.names:
            own = [f"{owner}.{output}" for output in several.names]
            return f"{shown(owner)} has no result of this name; use {listed(own)}"
        if results is not None:
            own = [f"{name}.{output}" for output in results.names]
            return f"{name!r} has several results; use {listed(own)}"
        visible = [name.removeprefix(self.prefix) for name in self.results]
        hint = did_you_mean(name, [*visible, *self.inputs])
        if not hint and any(name.startswith(f"{other}.") for other in visible):
            hint = "; what stands inside a template is its own, unless its outputs name it"
        hint = hint or "; use the name of a node before this one"
        return f"there is no earlier node {shown(name)} here{hint}"

    def claim(self, node: Modifiers) -> str:
        """The full name, within the template, of a node; for copies what their numbers follow."""
        if node.name is not None:
            path = self.prefix + node.name
            if node.copies is None:
                self.take(path, node)
            return path
        path = self.prefix + node.default_name
        if node.copies is not None:
            return path
        return self.ordinal(path)

    def ordinal(self, path: str) -> str:
        """path, then path2, path3: names of nodes that were given none."""
        while True:
            count = self.ordinals[path] = self.ordinals.get(path, 0) + 1
            numbered = path if count == 1 else f"{path}{count}"
            if numbered not in self.taken:
                self.taken.add(numbered)
                return numbered

    def copy_name(self, path: str, number: int, node: Modifiers) -> str:
        """path1, path2...; unnamed repeats in one scope continue the count."""
        if node.name is not None:
            name = f"{path}{number}"
            self.take(name, node)
            return name
        while True:
            self.ordinals[path] = count = self.ordinals.get(path, 0) + 1
            name = f"{path}{count}"
            if name not in self.taken:
                self.taken.add(name)
                return name

    def take(self, path: str, node: Modifiers) -> None:
        if path in self.taken or path in self.inputs:
            raise (node.at / "name").error(
                f"the name {path.removeprefix(self.prefix)!r} is taken already in this scope;"
                " use another name"
            )
        self.taken.add(path)

    @contextmanager
    def scope(self, name: str) -> Iterator[None]:
        """Names inside stand under `name`."""
        outer = self.prefix
        self.prefix = f"{name}."
        try:
            yield
        finally:
            self.prefix = outer
