"""From groups to classes: groups of one structure share a class. What differs between them become
its parameters (parameters.py); class_names.py has what classes and their parts are called.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, TypeAlias

from archspec.compiler.targets.python.dialect import Dialect
from archspec.compiler.targets.python.names import is_safe
from archspec.compiler.targets.python.outline import Group, Item, Leaf, outline_graph
from archspec.compiler.targets.python.reuse import (
    find_borrowers,
    first_users,
    holds,
    stands_for,
)
from archspec.compiler.targets.python.spelling import Spelling, Symbol
from archspec.errors import SpecError
from archspec.graph import Graph
from archspec.node import Node, Tensor

Ref: TypeAlias = int
"""A value inside a class: its inputs are -1, -2 and so on, its parts' results counted from 0."""
Key: TypeAlias = Any
"""Something to compare by."""


@dataclass(frozen=True, eq=False)
class Part:
    """A child of a class: a cell or an expression of one op, a cell of another class, a chain of
    parts (the dialect's sequential cell), or a loop that makes equal parts named stem1, stem2...
    One that `reuses` another, which it tells by its place, runs that one's cell again."""

    name: str
    inputs: tuple[Ref, ...]
    results: int
    is_live: bool
    spelling: Spelling | None = None
    pattern: Pattern | None = None
    chain: tuple[Part, ...] | None = None
    unit: Part | None = None
    reuses: int | None = None

    @property
    def is_cell(self) -> bool:
        return self.spelling is None or bool(self.spelling.cell)


class Loop(NamedTuple):
    """The copies a loop makes, and what each is made with."""

    first: int
    last: int
    unit: Values


@dataclass(eq=False)
class Use:
    """One group as an object of a class: its `values` part by part, and what follows from them,
    the `arguments` it is made with."""

    group: Group
    pattern: Pattern
    values: tuple[Values, ...]
    arguments: tuple[Any, ...] = ()


Values: TypeAlias = "tuple[Any, ...] | Use | Loop"
"""What a part is made with: arguments of an op's cell, the values of a chain's parts, a use."""


@dataclass(frozen=True)
class Parameter:
    """An argument of a class; None is none."""

    name: str
    default: Any


@dataclass(eq=False)
class Pattern:
    """A class to be. `words` say for each slot what is written there: a parameter's name, an
    expression, or None for a value that all uses share."""

    template: str
    parts: tuple[Part, ...]
    inputs: int
    outputs: tuple[Ref, ...]
    is_chain: bool
    uses: list[Use] = field(default_factory=list)
    parameters: tuple[Parameter, ...] = ()
    words: tuple[str | None, ...] = ()
    name: str = ""
    attributes: tuple[str, ...] = ()
    input_names: tuple[str, ...] = ()

    @property
    def has_loop(self) -> bool:
        """Whether a loop stands for other than one and the same part in every use."""
        ranges = {
            tuple((value.first, value.last) for value in use.values if isinstance(value, Loop))
            for use in self.uses
        }
        return len(ranges) > 1 or any(first < last for found in ranges for first, last in found)

    @property
    def is_sequence(self) -> bool:
        """Whether the class is best a sequential cell: one after the other, some in a loop."""
        return self.is_chain and self.has_loop

    def part_names(self) -> list[str]:
        """The parts' names, those of loops over one part with its number."""
        return [
            f"{part.name}{value.first}" if isinstance(value, Loop) else part.name
            for part, value in zip(self.parts, self.uses[0].values, strict=True)
        ]


def patterns_of(graph: Graph, dialect: Dialect) -> list[Pattern]:
    """The classes of a network, each after those it uses; the last is the network's own. Raises
    SpecError where nodes share weights that the dialect's cells cannot."""
    opened: set[str] = set()
    while True:
        root = outline_graph(graph, opened)
        reader = _Reader(dialect, any(node.borrows for node in graph.nodes.values()))
        reader.use(root, reader.contents(root))
        if not reader.to_open:
            return list(reader.patterns.values())
        opened |= reader.to_open


# Reading groups.


@dataclass(eq=False)
class _Contents:
    parts: list[Part]
    values: list[Values]
    twins: list[Key]
    """For each part a key that equal parts share, names and inputs left out."""
    items: list[Item]
    outputs: tuple[Ref, ...]


class _Reader:
    def __init__(self, dialect: Dialect, shares: bool) -> None:
        self.dialect = dialect
        self.shares = shares
        self.to_open: set[str] = set()
        """Paths of groups that stand between weights and who uses them."""
        self.patterns: dict[Key, Pattern] = {}
        self._twins: dict[Key, int] = {}

    def use(self, group: Group, contents: _Contents) -> tuple[Use, Key]:
        """The group as an object of a class, which is made where none fits; and its twin key."""
        is_chain = bool(group.path) and self._is_chain(group, contents)
        if is_chain:
            contents = _with_loops(contents)
        structure = tuple(map(_structure, contents.parts))
        template = group.template.rpartition(".")[2]
        key = (
            template or not group.path,
            structure,
            len(group.inputs),
            contents.outputs,
            is_chain,
        )
        pattern = self.patterns.get(key)
        if pattern is None:
            pattern = Pattern(
                template, tuple(contents.parts), len(group.inputs), contents.outputs, is_chain
            )
            self.patterns[key] = pattern
        use = Use(group, pattern, tuple(contents.values))
        pattern.uses.append(use)
        return use, self._twin((id(pattern), tuple(contents.twins)))

    def _twin(self, key: Key) -> Key:
        """A short key instead of a long one."""
        return self._twins.setdefault(key, len(self._twins))

    def contents(self, group: Group) -> _Contents:
        refs: dict[Tensor, Ref] = {tensor: -1 - k for k, tensor in enumerate(group.inputs)}
        contents = _Contents([], [], [], list(group.items), ())
        for item in group.items:
            part, values, twin = self._part(item, refs)
            outputs = item.node.results if isinstance(item, Leaf) else item.outputs
            if item.is_live:
                for tensor in outputs:
                    refs[tensor] = len(refs) - len(group.inputs)
            contents.parts.append(part)
            contents.values.append(values)
            contents.twins.append(twin)
        contents.outputs = tuple(refs[tensor] for tensor in group.outputs)
        if self.shares:
            self._reuse(group, contents)
        return contents

    def _reuse(self, group: Group, contents: _Contents) -> None:
        """Let parts whose weights are all another part's be that one once more; where groups stand
        between, they are to be opened."""
        items = contents.items
        users = first_users(items)
        for place, item in enumerate(items):
            borrowers = find_borrowers(item)
            if not borrowers:
                continue
            lender = users[borrowers[0].owner]
            is_other = lender != place and stands_for(items[lender], item)
            if is_other and self._is_same(contents, place, lender):
                contents.parts[place] = replace(contents.parts[place], reuses=lender)
                continue
            near = [node for node in borrowers if holds(group, node.owner)]
            if not near:
                continue  # which the group around this one settles
            owners = (one for one in items for node in near if holds(one, node.owner))
            groups = {one.path for one in (item, *owners) if isinstance(one, Group)}
            if not groups:
                raise SpecError(self._apart(item, near[0]))
            self.to_open |= groups

    def _is_same(self, contents: _Contents, place: int, lender: int) -> bool:
        """Whether the cells of two parts are made alike."""
        one, other = contents.parts[place], contents.parts[lender]
        return contents.twins[place] == contents.twins[lender] and _kind(one) == _kind(other)

    def _apart(self, item: Item, node: Node) -> str:
        return (
            f"{item.path} ({node.op.name}) uses the weights of {node.owner} and differs from it,"
            f" and {self.dialect.target} makes one cell of both; use attributes that come to the"
            " same on inputs of these sizes"
        )

    def _part(self, item: Item, refs: Mapping[Tensor, Ref]) -> tuple[Part, Values, Key]:
        if isinstance(item, Leaf):
            return self._leaf(item, refs)
        inputs = tuple(refs[tensor] for tensor in item.inputs)
        common = (item.name, inputs, len(item.outputs), item.is_live)
        contents = self.contents(item)
        if not item.template and self._is_chain(item, contents):
            contents = _with_loops(contents)
            twin = self._twin(("chain", tuple(contents.twins)))
            return Part(*common, chain=tuple(contents.parts)), tuple(contents.values), twin
        use, twin = self.use(item, contents)
        return Part(*common, pattern=use.pattern), use, twin

    def _leaf(self, leaf: Leaf, refs: Mapping[Tensor, Ref]) -> tuple[Part, Values, Key]:
        spelling = self.dialect.spell(leaf.node.layer)
        if spelling.wording.startswith("cat") and any(leaf.alone) and not all(leaf.alone):
            spelling = self._expanding(spelling, leaf)
        inputs = tuple(refs[tensor] for tensor in leaf.node.inputs) if leaf.is_live else ()
        values = tuple(argument.value for argument in spelling.arguments)
        if spelling.is_bare:
            values = (Symbol(spelling.cell),)
        part = Part(leaf.name, inputs, len(leaf.node.results), leaf.is_live, spelling=spelling)
        return part, values, ("leaf", spelling.cell, tuple(map(strict, values)))

    def _expanding(self, spelling: Spelling, leaf: Leaf) -> Spelling:
        """The expression over inputs of one batch, where some are the same for all samples."""
        written, image = spelling.expression, leaf.alone.index(False)
        rank = 1 + len(leaf.node.layer.input_shapes[0])
        assert written is not None

        def write_all(names: Sequence[str]) -> Any:
            return written(
                [
                    self.dialect.expand(name, names[image], rank) if alone else name
                    for name, alone in zip(names, leaf.alone, strict=True)
                ]
            )

        return replace(spelling, expression=write_all, expanded=leaf.alone)

    def _is_chain(self, group: Group, contents: _Contents) -> bool:
        """Whether the group is cells one after the other, under names that OrderedDict may have."""
        if len(group.inputs) != 1 or len(group.outputs) != 1 or not contents.parts:
            return False
        for index, part in enumerate(contents.parts):
            name_fits = is_safe(part.name) and part.name not in self.dialect.members
            if not (name_fits and part.is_cell and part.is_live and part.results == 1):
                return False
            if part.reuses is not None:
                return False
            if part.inputs != (index - 1,):
                return False
        return contents.outputs == (len(contents.parts) - 1,)


def strict(value: Any) -> Key:
    """Python holds 1, 1.0 and True for one value; a class that took them for one would not."""
    return type(value).__name__, value


def _structure(part: Part) -> Key:
    """What two parts have in common where the same class can hold either."""
    return part.name, part.inputs, part.results, part.is_live, part.reuses, _kind(part)


def _kind(part: Part) -> Key:
    if part.unit is not None:
        return "loop", _kind(part.unit)
    if part.pattern is not None:
        return "pattern", id(part.pattern)
    if part.chain is not None:
        return "chain", tuple(map(_structure, part.chain))
    spelling = part.spelling
    assert spelling is not None
    if spelling.is_bare:
        return "bare"
    keywords = tuple(argument.role for argument in spelling.arguments)
    return "op", spelling.cell, keywords, spelling.wording, spelling.is_input, spelling.expanded


# Loops.


FEWEST_COPIES = 3
"""Equal parts with numbered names become a loop from here on, unless the spec says `repeat`."""


def _with_loops(contents: _Contents) -> _Contents:
    """A chain with runs of equal numbered parts as loops."""
    result = _Contents([], [], [], [], ())
    index = 0
    while index < len(contents.parts):
        stop = _end_of_run(contents, index)
        part, values, twin = contents.parts[index], contents.values[index], contents.twins[index]
        stem, number = split_number(part.name)
        is_repeated = _copies(contents.items[index]) == "repeat" and number is not None
        here = (len(result.parts) - 1,)
        if number is not None and (is_repeated or stop - index >= FEWEST_COPIES):
            last = number + stop - index - 1
            unit = Part(stem, (), 1, True, part.spelling, part.pattern, part.chain)
            result.parts.append(Part(stem, here, 1, True, unit=unit))
            result.values.append(Loop(number, last, values))
            result.twins.append(("loop", number, last, twin))
            index = stop
        else:
            result.parts.append(
                Part(part.name, here, 1, True, part.spelling, part.pattern, part.chain)
            )
            result.values.append(values)
            result.twins.append((part.name, twin))
            index += 1
        result.items.append(contents.items[index - 1])
    result.outputs = (len(result.parts) - 1,)
    return result


def _end_of_run(contents: _Contents, start: int) -> int:
    """The index after the last part that is equal to the one at `start` and numbered on from it."""
    stem, number = split_number(contents.parts[start].name)
    stop = start + 1
    if number is None or _copies(contents.items[start]) == "rows":
        return stop
    while (
        stop < len(contents.parts)
        and split_number(contents.parts[stop].name) == (stem, number + stop - start)
        and contents.twins[stop] == contents.twins[start]
    ):
        stop += 1
    return stop


def split_number(name: str) -> tuple[str, int | None]:
    """block12 is block, 12; a name without a number, or with a zero before it, has None."""
    stem = name.rstrip("0123456789")
    digits = name[len(stem) :]
    if not stem or not digits or digits.startswith("0"):
        return name, None
    return stem, int(digits)


def _copies(item: Item) -> str:
    """How the spec came to have several of it: "repeat", "rows" of a table, or "" if unknown."""
    origin = item.node.origin if isinstance(item, Leaf) else item.origin
    copies = getattr(getattr(origin, "node", None), "copies", None)
    if copies is None:
        return ""
    return "rows" if copies.repeat is None else "repeat"
