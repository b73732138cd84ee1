"""What a spec says without effect, and what it surely does not mean: warnings, with their places.

Each is a Problem and no error, for the network would be the same without the part: a node that
feeds nothing, an argument nobody reads, a template nobody calls. Text is judged as it stands, so
that other values of the spec's args change nothing; nodes are judged in the networks it gives.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from archspec import syntax
from archspec.document import At, Pointer
from archspec.errors import Problem, SpecError, first_problems, listed
from archspec.expressions import ExpressionError
from archspec.graph import Graph
from archspec.json_values import frozen, shown
from archspec.library import Definition, Library
from archspec.node import INPUT, Node
from archspec.program import Program
from archspec.shapes import Shape
from archspec.space import Space
from archspec.syntax import (
    NOTHING,
    Arguments,
    Branches,
    Call,
    Choice,
    Copies,
    Decision,
    Group,
    Modifiers,
    Parameter,
    Residual,
    Template,
    Value,
    values,
    walk,
)
from archspec.syntax import Node as Written

MAX_SAMPLES = 8
MAX_SAMPLED_NODES = 5_000
"""Networks of a space that are looked at beside its first and last, and nodes of them all."""


def find_warnings(program: Program, graphs: Sequence[Graph]) -> list[Problem]:
    """The warnings of a spec, given its graph; of a search space several, for what is dead in one
    network and not in another is not dead."""
    return first_problems(_distinct(_of_program(program, graphs)))


def find_library_warnings(library: Library) -> list[Problem]:
    """The warnings of a file of templates alone, all of which others may call."""
    return first_problems(_distinct(_of_library(library)))


def sample_networks(space: Space) -> list[Graph]:
    """Networks of a space in which most options of its choices are met."""
    graphs = [space.assign(space.first())]
    draw = random.Random(0).randrange
    picks: list[Callable[[int], int]] = [lambda count: count - 1, *[draw] * MAX_SAMPLES]
    for pick in picks:
        if sum(len(graph.nodes) for graph in graphs) > MAX_SAMPLED_NODES:
            break
        try:
            assignment, _ = space.settle(lambda _, decision, pick=pick: pick(len(decision.options)))
            graphs.append(space.assign(assignment))
        except SpecError:
            continue  # a network that is wrong has no dead parts to speak of
    return graphs


def softmax_results(graph: Graph) -> dict[str, Node]:
    """The results that are a softmax, seen through ops that pass values on as they are. A loss of
    training takes a softmax of its own, and of two nothing is learnt."""
    found: dict[str, Node] = {}
    for key, tensor in graph.outputs.items():
        node = graph.nodes.get(tensor.node)
        while node is not None and node.op.is_view:
            node = graph.nodes.get(node.inputs[0].node)
        if node is not None and node.op.name == "softmax":
            found[key] = node
    return found


def _distinct(problems: Iterable[Problem]) -> Iterator[Problem]:
    met: set[Problem] = set()
    for problem in problems:
        if problem not in met:
            met.add(problem)
            yield problem


def _of_program(program: Program, graphs: Sequence[Graph]) -> Iterator[Problem]:
    library = program.library
    body = program.body
    given = [value for arguments in program.defaults.values() for value in arguments.values()]
    yield from _unread(program.parameters, body, program.name, given)
    for value in given:
        yield from _in_value(value)
    yield from _of_templates(library, [body])
    spec = Template(program.name, program.at, "", {}, (INPUT,), body, {})
    reached = _reach(Definition(spec, library))
    for name in library.own_names:
        definition = library.own(name)
        if definition not in reached:
            yield (At(library.document) / "templates" / name).problem(
                f"nothing calls the template {name}; call it or remove it"
            )
    yield from _idle_defaults(program, reached)
    yield from _of_networks(program, graphs)


def _of_library(library: Library) -> Iterator[Problem]:
    yield from _of_templates(library, [])
    for name in library.own_names:
        definition = library.own(name)
        assert definition is not None
        yield from _unused_in(definition.template)


# --- what is written


def _of_templates(library: Library, bodies: list[Written]) -> Iterator[Problem]:
    """Nodes of these bodies and of a file's templates, their arguments and streams; imports."""
    bodies = [*bodies]
    for name in library.own_names:
        definition = library.own(name)
        assert definition is not None
        template = definition.template
        bodies.append(template.body)
        yield from _unread(template.parameters, template.body, name)
        yield from _unread_inputs(template)
    namespaces: set[str] = set()
    for body in bodies:
        for node in walk(body):
            if not isinstance(node, syntax.Sequence):
                yield from _in_node(node)
            if isinstance(node, Call):
                namespaces.add(node.target.rpartition(".")[0])
    for namespace in library.imports:
        if namespace not in namespaces:
            yield (At(library.document) / "import" / namespace).problem(
                f"nothing calls a template of the import {namespace}; call one or remove it"
            )


def _unread(
    parameters: Mapping[str, Parameter], body: Written, owner: str, more: Iterable[Value] = ()
) -> Iterator[Problem]:
    read = {name for value in more for name in value.names}
    for node in walk(body):
        for value in values(node):
            read |= value.names
    # A default reads arguments before it, which counts where it is itself read.
    for parameter in reversed(list(parameters.values())):
        if parameter.name in read and parameter.default is not None:
            read |= parameter.default.names
    for name, parameter in parameters.items():
        if parameter.default is not None:
            yield from _in_value(parameter.default)
        if name not in read:
            yield parameter.at.problem(
                f'nothing in {owner} reads its argument {name}; use "={name}" or remove it'
            )


def _unread_inputs(template: Template) -> Iterator[Problem]:
    """Of several streams those that no node takes; a single one flows into the body's first."""
    if len(template.inputs) < 2:
        return
    taken = set(template.outputs.values())
    for node in walk(template.body):
        if isinstance(node, Modifiers) and node.sources is not None:
            written = node.sources
            taken |= set(written.values() if isinstance(written, Mapping) else written)
        for value in values(node):
            text = json.dumps(value.raw)
            taken |= {name for name in template.inputs if f"'{name}'" in text}
    for place, name in enumerate(template.inputs):
        if name not in taken:
            yield (template.at / "inputs" / place).problem(
                f'no node of {template.name} takes its input {name}; take it by a "from" or'
                " remove it"
            )


def _in_node(node: Call | Group | Residual | Branches | Choice) -> Iterator[Problem]:
    for value in values(node):
        yield from _in_value(value)
    when = None if node.when is None else _fixed(node.when)
    if node.when is not None and isinstance(when, bool):
        effect = "as without it" if when else "so the node is never there"
        yield node.when.at.problem(f"when is always {shown(when)}, {effect}; remove it")
    if node.copies is not None:
        yield from _in_copies(node, node.copies)
    if isinstance(node, Branches) and len(node.branches) == 1 and not _is_nothing(node.join):
        yield node.join.at.problem("one branch has nothing to join; use a body in its place")
    if isinstance(node, Residual) and node.shortcut is not None and _is_nothing(node.join):
        yield node.shortcut.at.problem(
            f"the join {NOTHING!r} leaves the shortcut out; use another join or remove it"
        )
    if isinstance(node, Choice):
        yield from _in_choice(node.at, list(node.decision.options))


def _is_nothing(join: Value) -> bool:
    return _fixed(join) == NOTHING


class _NoScope:
    """For values that depend on nothing."""

    names: Mapping[str, Any] = {}

    def shape_of(self, name: str) -> Shape:
        raise ExpressionError(f"the shape of {name} is not known here")

    def decide(self, decision: Decision) -> int:
        raise ExpressionError(f"{decision.key} is not decided here")


def _fixed(value: Value) -> Any:
    """The value that stands there whatever the arguments, or None."""
    if value.is_constant:
        return value.raw
    if value.names or value.has_choice:
        return None
    try:
        return value.evaluate(_NoScope())
    except (SpecError, ExpressionError):
        return None


def _in_copies(node: Modifiers, copies: Copies) -> Iterator[Problem]:
    """Values that another replaces in every copy, where the number of copies is written."""
    written = node.arguments if isinstance(node, Call) else {}
    if copies.rows is not None:
        rows: Sequence[Arguments] = copies.rows
        place = copies.at / "each"
    elif copies.repeat is not None and type(count := _fixed(copies.repeat)) is int:
        rows = [{}] * min(count, 3)  # of more than three the middle ones are alike
        place = copies.at / "repeat"
    else:
        return
    if not rows:
        yield place.problem("there are no copies, so the node is never there; remove it")
        return
    last = len(rows) - 1
    used: set[int] = set()
    for index, row in enumerate(rows):
        arguments = {**written, **row}
        if index == 0:
            arguments |= copies.first
        if index == last:
            arguments |= copies.last
        used |= set(map(id, arguments.values()))
    for arguments in [written, *rows, copies.first, copies.last]:
        for name, value in arguments.items():
            if id(value) not in used:
                yield value.at.problem(
                    f"every copy that this {name} is for is given another; remove it"
                )


def _in_value(value: Value) -> Iterator[Problem]:
    if value.has_choice:
        yield from _choices_in(value.raw, value.at)


def _choices_in(raw: Any, at: At) -> Iterator[Problem]:
    if isinstance(raw, dict) and "choice" in raw:
        yield from _in_choice(at, raw["choice"])
        raw, at = raw["choice"], at / "choice"
    if isinstance(raw, (dict, list)):
        for key, item in raw.items() if isinstance(raw, dict) else enumerate(raw):
            yield from _choices_in(item, at / key)


def _in_choice(at: At, options: list[Any]) -> Iterator[Problem]:
    if len(options) == 1:
        yield (at / "choice").problem(
            "a choice of one option decides nothing; use the option alone"
        )
    met: set[Any] = set()
    for place, option in enumerate(options):
        if frozen(option) in met:
            yield (at / "choice" / place).problem(
                f"{shown(option)} is an option of this choice already; remove it"
            )
        met.add(frozen(option))


def _unused_in(template: Template) -> Iterator[Problem]:
    """Nodes that feed nothing in a template that nobody expands here: another starts from elsewhere
    after them, and no name leads to them."""
    named = set(template.outputs.values())
    for node in walk(template.body):
        if isinstance(node, Modifiers) and node.sources is not None:
            written = node.sources
            named |= set(written.values() if isinstance(written, Mapping) else written)
        for value in values(node):
            named |= set(_QUOTED.findall(json.dumps(value.raw)))
    words = {_numberless(part) for name in named for part in name.split(".")}

    def is_named(node: Written) -> bool:
        return any(
            _numberless(inner.name or inner.default_name) in words
            for inner in walk(node)
            if isinstance(inner, Modifiers)
        )

    for node in walk(template.body):
        nodes = list(node.nodes) if isinstance(node, syntax.Sequence) else [node]
        is_end = node is template.body and bool(template.outputs)
        if len(nodes) == 1 and not is_end:
            continue
        for place, child in enumerate(nodes):
            taken = next(filter(None, map(_start, nodes[place + 1 :])), None)
            is_dead = taken == "elsewhere" or (taken is None and is_end)
            if is_dead and _start(child) is not None and not is_named(child):
                yield child.at.problem(
                    f"nothing in {template.name} uses the result of this node; name it in a from or"
                    " in outputs, or remove it"
                )


_QUOTED = re.compile("'([^']+)'")


def _numberless(name: str) -> str:
    """A name without the number that tells copies and unnamed nodes apart."""
    return name.rstrip("0123456789.")


def _start(node: Written) -> str | None:
    """Whether a node starts from the result before it, from elsewhere, or passes it on (None)."""
    if isinstance(node, syntax.Sequence):
        return next(filter(None, map(_start, node.nodes)), None)
    return "before" if node.sources is None else "elsewhere"


# --- what is called


def _reach(spec: Definition) -> dict[Definition, None]:
    """The spec's own body and every template that it reaches."""
    found = {spec: None}
    waiting = [spec]
    for definition in waiting:
        for callee in definition.callees():
            if callee not in found:
                found[callee] = None
                waiting.append(callee)
    return found


def _idle_defaults(program: Program, reached: Iterable[Definition]) -> Iterator[Problem]:
    """Defaults of what nothing calls, and those that every call gives itself."""
    calls: dict[Any, list[Call]] = {}
    for definition in reached:
        for node in walk(definition.template.body):
            if isinstance(node, Call):
                key = node.target if node.is_op else definition.library.find(node.target)
                calls.setdefault(key, []).append(node)
    at = At(program.library.document) / "defaults"
    for target, arguments in program.defaults.items():
        known = calls.get(target) or calls.get(program.library.find(target), [])
        if not known:
            yield (at / target).problem(
                f"nothing calls {target}, so its defaults have no effect; remove them"
            )
            continue
        for name, value in arguments.items():
            if all(name in call.arguments for call in known):
                yield value.at.problem(
                    f"every call of {target} gives its own {name}, so this has no effect; remove it"
                )


# --- what a network holds


class Mark(NamedTuple):
    """A warning of a node or a call as it stands in one network."""

    kind: str
    at: At
    path: str
    message: str

    @property
    def key(self) -> tuple[str, int, Pointer]:
        """Copies, and calls of one template, share it; so do the networks of a space."""
        return self.kind, id(self.at.document), self.at.pointer


def _of_networks(program: Program, graphs: Sequence[Graph]) -> Iterator[Problem]:
    """What is dead in every one of the networks."""
    found: list[dict[Any, Mark]] = []
    for graph in graphs:
        marks: dict[Any, Mark] = {}
        for mark in (*_unused(graph), *_empty(program, graph), *_softmax(graph)):
            marks.setdefault(mark.key, mark)
        found.append(marks)
    for key, mark in found[0].items() if found else ():
        if all(key in marks for marks in found):
            yield replace(mark.at.problem(mark.message), stack=_calls_around(graphs[0], mark.path))


def _calls_around(graph: Graph, path: str) -> tuple[str, ...]:
    calls = [(owner, graph.calls[owner]) for owner in _owners(path) if owner in graph.calls]
    return tuple(
        f"in {call.template}, called at {call.origin.node.at.where} as {owner}"
        for owner, call in reversed(calls)
    )


def _owners(path: str) -> list[str]:
    """The paths above one: of a.b.c they are a and a.b."""
    parts = path.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]


def _at(graph: Graph, path: str) -> At:
    """Where a call or a node is written."""
    return (graph.calls[path] if path in graph.calls else graph.nodes[path]).origin.node.at


def _unused(graph: Graph) -> Iterator[Mark]:
    """Nodes that no result needs: the largest part written as one, and not what is in it."""
    needed: set[str] = set()
    waiting = [tensor.node for tensor in graph.outputs.values()]
    while waiting:
        name = waiting.pop()
        if name not in needed and name in graph.nodes:
            needed.add(name)
            waiting += [tensor.node for tensor in graph.nodes[name].inputs]
    if len(needed) == len(graph.nodes):
        return
    alive = {owner for name in needed for owner in _owners(name)}
    part_of: dict[str, str] = {}
    for name in graph.nodes:
        if name not in needed:
            calls = (o for o in _owners(name) if o in graph.calls and o not in alive)
            part_of[name] = next(calls, name)
    feeds: dict[str, dict[str, None]] = {part: {} for part in part_of.values()}
    for name, part in part_of.items():
        for tensor in graph.nodes[name].inputs:
            source = part_of.get(tensor.node, part)
            if source != part:
                feeds[source][part] = None
    places = {part: _at(graph, part) for part in feeds}
    written = {(id(at.document), at.pointer) for at in places.values()}
    for part, users in feeds.items():
        at = places[part]
        above = ((id(at.document), at.pointer[:count]) for count in range(len(at.pointer)))
        if any(place in written for place in above):
            continue  # a residual that nothing uses is said once, not again for what is in it
        says = f"nothing uses the result of {part}; name it in a from or in outputs, or remove it"
        if users:
            only = listed(list(users), "and", 3)
            says = f"the result of {part} feeds only {only}, which nothing uses; remove it too"
        yield Mark("unused", at, part, says)


def _empty(program: Program, graph: Graph) -> Iterator[Mark]:
    """Calls that leave no node of a template that has some, each under a condition."""
    filled = {owner for name in graph.nodes for owner in _owners(name)}
    for path, call in graph.calls.items():
        if path in filled:
            continue
        definition = _definition_of(program, graph, path)
        if definition is not None and _is_conditional(definition.template.body):
            yield Mark(
                "empty",
                _at(graph, path),
                path,
                f"this call of {call.template} leaves no node, as nothing in it is there for these"
                " arguments; where that is meant, use a when on the call",
            )


def _is_conditional(body: Written) -> bool:
    return any(
        isinstance(node, Modifiers) and (node.when is not None or node.copies is not None)
        for node in walk(body)
    )


def _definition_of(program: Program, graph: Graph, path: str) -> Definition | None:
    """The template that a call calls, found by the calls around it."""
    library = program.library
    definition = None
    for owner in (*_owners(path), path):
        if owner in graph.calls:
            definition = library.find(graph.calls[owner].origin.node.target)
            if definition is None:
                return None
            library = definition.library
    return definition


def _softmax(graph: Graph) -> Iterator[Mark]:
    for key, node in softmax_results(graph).items():
        yield Mark(
            "softmax",
            _at(graph, node.name),
            node.name,
            f"the result {key} is a softmax, and training's losses take their own, which together"
            " learn next to nothing; use the values before it where it is to be trained",
        )
