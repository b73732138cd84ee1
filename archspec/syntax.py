"""The spec as written, as typed nodes whose values are ready to evaluate; archspec.reader makes
them.

No class here prints itself: a method less of each saves a hundredth of the time that `stats` takes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

from archspec.document import DEEPEST_NESTING, At

KINDS = ("op", "body", "residual", "branches", "choice")
MODIFIERS = (
    "name", "doc", "from", "weights", "when", "repeat", "each", "parallel", "first", "last",
)  # fmt: skip
COPYING = ("repeat", "each", "parallel")
"""The modifiers that make copies of a node, of which it has one."""
JOINS = ("add", "sub", "mul", "div", "max", "min", "concat", "none")
NOTHING = "none"
"""The node that is not a node, the join that joins nothing, the activation that changes nothing."""
INDEX = "index"
"""The name of a copy's number, from 0, in expressions."""
LANE = "lane"
"""The name of the number of a copy beside others, from 0, in expressions."""
NETWORK = "Network"
"""The template that an imported network is."""
UNTIL = "until"
"""The argument of a network that names the node after which it is cut."""
LIST = "[]"
"""What follows the name of an input or an output that is a list of results."""
INPUT = "in"
"""The name of a template's only input, and of the network's."""


@dataclass(frozen=True, eq=False, repr=False)
class Decision:
    """One choice as written. `options` says each: a value as its spec writes it, a sub-network as
    "option1" and so on. `share` is how a supernet would realise it."""

    at: At
    key: str
    shared_name: str | None
    share: str
    options: tuple[Any, ...]


Evaluate: TypeAlias = Callable[[Any], Any]


class Pick(NamedTuple):
    """One result of a list: "levels[0]" is Pick("levels", 0)."""

    name: str
    position: int


@dataclass(frozen=True, eq=False, repr=False)
class Value:
    """One value of a spec. `layer` says which part of a node gave it ("node", "first"...)."""

    raw: Any
    at: At
    layer: str
    evaluate: Evaluate
    is_constant: bool = False
    has_choice: bool = False
    names: frozenset[str] = frozenset()


Arguments: TypeAlias = "dict[str, Value]"


@dataclass(frozen=True, eq=False, repr=False)
class Sequence:
    at: At
    nodes: tuple[Node, ...]


@dataclass(frozen=True, eq=False, repr=False)
class Copies:
    """How often a node stands: `repeat` times, or once for each row; in sequence, or beside each
    other where they are `lanes`, whose results `join` joins, or which are a list without."""

    at: At
    repeat: Value | None
    rows: tuple[Arguments, ...] | None
    computed_rows: Value | None
    first: Arguments
    last: Arguments
    are_lanes: bool = False
    join: Value | None = None

    @property
    def counter(self) -> str:
        """What a copy's number is called."""
        return LANE if self.are_lanes else INDEX


@dataclass(frozen=True, eq=False, repr=False)
class Modifiers:
    at: At
    name: str | None
    default_name: str
    sources: dict[str, tuple[Value, ...]] | tuple[Value, ...] | None
    """The results it takes, by input or in turn; each value is an earlier node's name, or a
    Pick."""
    when: Value | None
    copies: Copies | None


@dataclass(frozen=True, eq=False, repr=False)
class Call(Modifiers):
    """A primitive op (lower case) or a template (Capital, perhaps namespace.Capital), whose name is
    the `target`, or what its `computed` value gives: such a name, or a node."""

    target: str
    target_at: At
    arguments: Arguments
    computed: Value | None = None
    owner: str | None = None
    """The node whose weights it uses; its own name where its copies use the first one's."""

    @cached_property
    def is_op(self) -> bool:
        return self.computed is None and is_op(self.target)

    @cached_property
    def is_steady(self) -> bool:
        """Whether nothing of the call depends on which copy it is, nor settles a choice."""
        if self.owner is not None:
            return False
        own = [*self.arguments.values(), *([] if self.when is None else [self.when])]
        return not any(value.has_choice or INDEX in value.names for value in own)


@dataclass(frozen=True, eq=False, repr=False)
class Group(Modifiers):
    body: Node


@dataclass(frozen=True, eq=False, repr=False)
class Residual(Modifiers):
    body: Node
    shortcut: Node | None
    join: Value


@dataclass(frozen=True, eq=False, repr=False)
class Branches(Modifiers):
    branches: tuple[tuple[str, Node], ...]
    join: Value


@dataclass(frozen=True, eq=False, repr=False)
class Choice(Modifiers):
    decision: Decision
    options: tuple[Node, ...]


Node: TypeAlias = "Sequence | Call | Group | Residual | Branches | Choice"


_PLAIN_TYPES: Mapping[str, type] = {
    "integer": int,
    "string": str,
    "boolean": bool,
    "array": list,
    "object": dict,
}


@dataclass(frozen=True, eq=False, repr=False)
class Parameter:
    """An argument of a template or of a spec: its schema fragment and default (None: required)."""

    name: str
    at: At
    schema: Mapping[str, Any]
    default: Value | None
    doc: str
    passes: str | None = None
    """What it is the name of, "op" or "template", or "node" where it is one; None for a value."""

    @cached_property
    def plain_type(self) -> type | None:
        """The Python type that alone is what the schema asks for, if there is one."""
        if self.schema.keys() != {"type"} or not isinstance(self.schema["type"], str):
            return None
        return _PLAIN_TYPES.get(self.schema["type"])

    @cached_property
    def schema_key(self) -> str:
        """The schema as something to look up by."""
        return repr(self.schema)


@dataclass(frozen=True, eq=False, repr=False)
class Template:
    """A body with parameters; `outputs` names nodes of the body, {} is its last result.

    A network that is called as a template has `defaults`, which hold in it alone, and may be cut.
    Inputs in `list_inputs` and outputs in `list_outputs` are lists of results; such an output names
    several nodes, or those whose results are lists themselves.
    """

    name: str
    at: At
    doc: str
    parameters: Mapping[str, Parameter]
    inputs: tuple[str, ...]
    body: Node
    outputs: Mapping[str, tuple[Value, ...]]
    list_inputs: frozenset[str] = frozenset()
    list_outputs: frozenset[str] = frozenset()
    defaults: Mapping[str, Arguments] | None = None

    @cached_property
    def passing(self) -> tuple[Parameter, ...]:
        """Parameters that are ops, templates or nodes."""
        return tuple(p for p in self.parameters.values() if p.passes is not None)


PASSED_TYPES = ("op", "template", "node")
"""Types of arguments that are placed and not computed with."""


def is_op(word: str) -> bool:
    """Lower case is a primitive op, Capital is a template."""
    return word.rpartition(".")[2][:1].islower()


def is_declaration(written: Any) -> bool:
    """Whether an argument of a spec or a template is declared, {type, doc, default...}: anything
    else is its default."""
    return isinstance(written, dict) and "choice" not in written


def snake_case(word: str) -> str:
    """isynet.ConvNormAct -> conv_norm_act, the name an unnamed call takes."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", word.rpartition(".")[2]).lower()


def constant(raw: Any, at: At, layer: str) -> Value:
    """A value that needs no scope."""
    return Value(raw, at, layer, lambda scope: raw, is_constant=True)


def sources_of(node: Node) -> Iterator[Value]:
    """The results that a node's `from` names."""
    if isinstance(node, Sequence) or node.sources is None:
        return
    if isinstance(node.sources, dict):
        for several in node.sources.values():
            yield from several
    else:
        yield from node.sources


def children(node: Node) -> Iterator[Node]:
    """The nodes written directly inside a node."""
    if isinstance(node, Sequence):
        yield from node.nodes
    elif isinstance(node, Group):
        yield node.body
    elif isinstance(node, Residual):
        yield node.body
        if node.shortcut is not None:
            yield node.shortcut
    elif isinstance(node, Branches):
        yield from (child for _, child in node.branches)
    elif isinstance(node, Choice):
        yield from node.options


def walk(node: Node) -> Iterator[Node]:
    """A node and everything written inside it."""
    yield node
    for child in children(node):
        yield from walk(child)


def values(node: Node) -> Iterator[Value]:
    """The values written on one node itself."""
    if isinstance(node, Sequence):
        return
    if isinstance(node, Call):
        if node.computed is not None:
            yield node.computed
        yield from node.arguments.values()
    elif isinstance(node, (Residual, Branches)):
        yield node.join
    yield from sources_of(node)
    if node.when is not None:
        yield node.when
    if node.copies is not None:
        copies = node.copies
        written = (copies.repeat, copies.computed_rows, copies.join)
        yield from (value for value in written if value is not None)
        for arguments in (copies.first, copies.last, *(copies.rows or ())):
            yield from arguments.values()


def holds_choice(node: Node) -> bool:
    """Whether a choice is written in the node, the bodies of templates it calls left aside."""
    return any(
        isinstance(inner, Choice) or any(value.has_choice for value in values(inner))
        for inner in walk(node)
    )


MAX_VALUE_PARTS = 100_000
"""Items of a list or an object and of all inside it, which a few args that double could make."""


def count_parts(value: Mapping[str, Any] | list[Any]) -> int:
    """How many items a value has, those inside items included; more than MAX_VALUE_PARTS where they
    are nested too deeply, and not counted far beyond it."""
    children = value if isinstance(value, list) else value.values()
    if not any(type(item) is list or type(item) is dict for item in children):
        return len(value)
    count, waiting = 0, [(value, 1)]
    while waiting and count <= MAX_VALUE_PARTS:
        outer, depth = waiting.pop()
        children = outer if isinstance(outer, list) else outer.values()
        count += len(children) if depth <= DEEPEST_NESTING else MAX_VALUE_PARTS + 1
        if count <= MAX_VALUE_PARTS:
            waiting += [(item, depth + 1) for item in children if isinstance(item, (dict, list))]
    return count
