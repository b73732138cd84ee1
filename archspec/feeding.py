"""Which results a node takes: those that its `from` names, or what came before it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from archspec.document import At
from archspec.errors import MAX_PROBLEMS, Problem, SpecError, listed
from archspec.fragment import Ref
from archspec.json_values import shown
from archspec.library import Definition
from archspec.ops import OPS
from archspec.passing import find_target
from archspec.scope import Body, Results, Slot, flatten
from archspec.syntax import INPUT, Call, Modifiers, Pick, Template, Value

Feed: TypeAlias = "tuple[Slot, ...]"
"""What a node takes, an entry for each of its inputs or in turn."""


class Taken(NamedTuple):
    """What a node has inputs for: their names, those that are lists; `has_any_number` is an op
    that takes as many results as there are."""

    names: tuple[str, ...] = (INPUT,)
    lists: frozenset[str] = frozenset()
    has_any_number: bool = False


ONE = Taken()


def inputs_of(body: Body, node: Modifiers) -> Taken:
    """The inputs of what a node calls; one where it is not a call."""
    if not isinstance(node, Call):
        return ONE
    if node.computed is None:
        return inputs_of_target(node.target if node.is_op else body.library.find(node.target))
    value = node.computed.evaluate(body)
    if not isinstance(value, str):
        return ONE
    target = find_target(value, body.library, node.computed.at)
    return inputs_of_target(target.definition or target.op or None)


def inputs_of_target(target: str | Definition | None) -> Taken:
    """The inputs of an op, by its name, or of a template."""
    if isinstance(target, Definition):
        return Taken(target.template.inputs, target.template.list_inputs)
    if target is None:
        return ONE
    op = OPS[target]
    if op.input_names:
        return Taken(op.input_names)
    return ONE if op.inputs == (1, 1) else Taken(has_any_number=True)


def sources_of(body: Body, node: Modifiers, current: Slot | None) -> Feed | None:
    """The results a node takes: those its `from` names, else the current one; None where there is
    none, as what comes before has several. Raises SpecError."""
    if node.sources is None:
        return None if current is None else (current,)
    at = node.at / "from"
    if isinstance(node.sources, dict):
        return _named_sources(body, node, node.sources, at)
    problems: list[Problem] = []
    slots: list[Slot] = []
    for value in node.sources:
        try:
            slots.append(find_result(body, value))
        except SpecError as error:
            problems += error.problems
        if len(problems) > MAX_PROBLEMS:
            break
    if problems:
        raise SpecError(problems)
    return tuple(slots)


def _named_sources(
    body: Body, node: Modifiers, sources: Mapping[str, tuple[Value, ...]], at: At
) -> Feed:
    taken = inputs_of(body, node)
    if set(sources) != set(taken.names):
        raise at.error(
            f"from names the inputs {listed(list(sources), 'and')} and the node has"
            f" {listed(taken.names, 'and')}"
        )
    slots: list[Slot] = []
    for name in taken.names:
        found = [find_result(body, value) for value in sources[name]]
        is_list = len(found) > 1 or name in taken.lists
        slots.append(flatten(found) if is_list else found[0])
    return tuple(slots)


def find_result(body: Body, value: Value) -> Slot:
    """The one result, or the list, that a value names. Raises SpecError."""
    name = value.raw if value.is_constant else value.evaluate(body)
    index = None
    if type(name) is Pick:
        name, index = name
    if not isinstance(name, str):
        raise value.at.error(f"from must name a result, not {shown(name)}")
    found = body.find(name)
    slots = () if found is None else found.slots
    if len(slots) != 1:
        raise value.at.error(body.unknown(name, found))
    slot = slots[0]
    if index is None:
        return slot
    if not isinstance(slot, tuple):
        raise value.at.error(f"{shown(name)} is one result and not a list; use its name alone")
    if type(index) is not int or not 0 <= index < len(slot):
        raise value.at.error(
            f"the list {shown(name)} has {len(slot)} results, so its index must be a whole number"
            f" from 0 to {len(slot) - 1}, not {shown(index)}"
        )
    return slot[index]


def inputs_of_next(body: Body, node: Modifiers, results: Results) -> Feed:
    """What the next copy takes of several results: each for the input so named. Raises
    SpecError."""
    taken = inputs_of(body, node)
    if set(taken.names) != set(results.names):
        raise node.at.error(
            f"copies feed each result to the input of the same name, and"
            f" {listed(results.names, 'and')} are not the inputs {listed(taken.names, 'and')}"
        )
    slots = results.slots
    return tuple(slots[results.names.index(name)] for name in taken.names)


def feed_lane(body: Body, node: Modifiers, feed: Feed, lane: int, lanes: int) -> Feed:
    """What one of several copies beside each other takes: of a list its own, where the input is
    not for a list. Raises SpecError."""
    taken = inputs_of(body, node)
    if taken.has_any_number:
        return feed
    if len(taken.names) == 1 and len(feed) > 1:
        feed = (flatten(feed),)
    if len(taken.names) != len(feed):
        return feed
    return tuple(
        slot
        if name in taken.lists or not isinstance(slot, tuple)
        else _own(node, slot, lane, lanes)
        for name, slot in zip(taken.names, feed, strict=True)
    )


def _own(node: Modifiers, slot: tuple[Ref, ...], lane: int, lanes: int) -> Ref:
    if len(slot) != lanes:
        raise (node.at / "parallel").error(
            f"there are {lanes} copies beside each other and a list of {len(slot)} to feed them;"
            " use as many copies"
        )
    return slot[lane]


def need_feed(node: Modifiers, feed: Feed | None) -> Feed:
    """What it takes, where there is anything. Raises SpecError."""
    if feed is None:
        raise node.at.error(
            'what comes before this node has several results; use a "from" that picks one'
        )
    if len(feed) > 1 and not isinstance(node, Call):
        raise (node.at / "from").error("this node takes one input; use one name")
    return feed


def takes_nothing(node: Modifiers) -> bool:
    """Whether a node is an op without inputs, whatever stands before it."""
    return isinstance(node, Call) and node.is_op and OPS[node.target].inputs == (0, 0)


_WITHOUT = frozenset(name for name, op in OPS.items() if op.inputs == (0, 0))


def inputs_of_op(node: Modifiers, name: str, feed: Feed | None) -> tuple[Ref, ...]:
    """The results that an op takes, none where it has no inputs. Raises SpecError."""
    if feed is not None and len(feed) == 1 and type(feed[0]) is int and name not in _WITHOUT:
        return feed  # pyright: ignore[reportReturnType]  # nearly always
    if name in _WITHOUT:
        if node.sources is not None:
            raise (node.at / "from").error(f'{name} takes no input; use it without "from"')
        return ()
    feed = need_feed(node, feed)
    taken = inputs_of_target(name)
    if taken.has_any_number:
        return flatten(feed)
    for slot in feed:
        if isinstance(slot, tuple):
            raise _list_for_one(node, name, slot)
    return feed  # pyright: ignore[reportReturnType]


def inputs_of_call(
    node: Call, called: str, template: Template, feed: Feed | None
) -> tuple[tuple[Ref, ...], tuple[int | None, ...] | None]:
    """The inputs of a call, as many as the template takes, and of each how many a list holds, where
    any is a list. Raises SpecError."""
    feed = need_feed(node, feed)
    if not template.list_inputs:
        if len(feed) != len(template.inputs):
            raise node.at.error(
                f"{called} takes {listed(template.inputs, 'and')} and is given {len(feed)};"
                ' use a "from" with one name for each'
            )
        for slot in feed:
            if isinstance(slot, tuple):
                raise _list_for_one(node, called, slot)
        return feed, None  # pyright: ignore[reportReturnType]
    if len(template.inputs) == 1:
        feed = (flatten(feed),)
    if len(feed) != len(template.inputs):
        raise node.at.error(
            f"{called} takes {listed(template.inputs, 'and')} and is given {len(feed)};"
            ' use a "from" of the form {input: name} with one or more names for each'
        )
    counts: list[int | None] = []
    for name, slot in zip(template.inputs, feed, strict=True):
        if name in template.list_inputs:
            counts.append(len(slot) if isinstance(slot, tuple) else 1)
        elif isinstance(slot, tuple):
            raise _list_for_one(node, f"the input {name} of {called}", slot)
        else:
            counts.append(None)
    return flatten(feed), tuple(counts)


def _list_for_one(node: Modifiers, what: str, slot: tuple[Ref, ...]) -> SpecError:
    return node.at.error(
        f"{what} takes one result and is given a list of {len(slot)}; use parallel with as many"
        ' copies, or a "from" that picks one, as in "name[0]"'
    )
