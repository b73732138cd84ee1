"""Nodes and calls without effect in the networks that a spec gives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from archspec.document import At, Pointer
from archspec.errors import Problem, listed
from archspec.graph import Graph
from archspec.library import Definition
from archspec.node import Node, Tensor
from archspec.program import Program
from archspec.syntax import Call, Modifiers, walk
from archspec.syntax import Node as Written
from archspec.warn.imported import find_in_cut, suggest_cut


class Mark(NamedTuple):
    """A warning of a node or a call as it stands in one network."""

    kind: str
    at: At
    path: str
    message: str

    @property
    def key(self) -> tuple[str, int, Pointer]:
        """Copies, and calls of one template, share it, and it is said of them once."""
        return self.kind, id(self.at.document), self.at.pointer


def find_dead(program: Program, graphs: Sequence[Graph]) -> Iterator[Problem]:
    """What is dead in every one of the networks."""
    found: list[dict[Any, Mark]] = []
    needed = _find_needed(graphs)
    for graph in graphs:
        marks: dict[Any, Mark] = {}
        for mark in (
            *_find_unused(graph, needed),
            *_empty(program, graph),
            *_softmax(graph),
            *_in_cuts(graph),
            *_far_from_input(program, graph),
        ):
            marks.setdefault((mark.key, mark.path), mark)
        found.append(marks)
    said: set[Any] = set()
    for key, mark in found[0].items() if found else ():
        if mark.key not in said and all(key in marks for marks in found):
            said.add(mark.key)
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


def _find_needed(graphs: Sequence[Graph]) -> set[str]:
    """The nodes that a result may come from. What feeds another in one network and is needed from
    there in another could be needed in a third, which need not be among these."""
    sources: dict[str, set[str]] = {}
    waiting: list[str] = []
    for graph in graphs:
        waiting += [tensor.node for tensor in graph.outputs.values()]
        for node in graph.nodes.values():
            sources.setdefault(node.name, set()).update(tensor.node for tensor in node.inputs)
    needed: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in needed and name in sources:
            needed.add(name)
            waiting += sources[name]
    return needed


def _in_cuts(graph: Graph) -> Iterator[Mark]:
    for path, call in graph.calls.items():
        if call.network is not None:
            for at, message in find_in_cut(graph, path, call):
                yield Mark("cut", at, path, message)


def _find_unused(graph: Graph, needed: set[str]) -> Iterator[Mark]:
    """Nodes that no result needs: the largest part written as one, and not what is in it."""
    if needed.issuperset(graph.nodes):
        return
    alive = {owner for name in graph.nodes if name in needed for owner in _owners(name)}
    networks = {p for p, call in graph.calls.items() if call.network is not None and p in alive}
    said: set[str] = set()
    part_of: dict[str, str] = {}
    for name in graph.nodes:
        if name not in needed:
            network = next((owner for owner in _owners(name) if owner in networks), None)
            if network is not None:
                if network not in said:
                    says = suggest_cut(graph, network, needed)
                    yield Mark("network", _at(graph, network), network, says)
                said.add(network)
                continue
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


def _far_from_input(program: Program, graph: Graph) -> Iterator[Mark]:
    """Arguments, and conditions, that the spec's own body computes from in_channels for a node that
    takes other channels than the image's, while in_channels is the image's in all of the body."""
    own = {id(node) for node in walk(program.body)}
    channels = graph.input_shape[0]
    for path, taken in _taken_by(graph).items():
        origin = (graph.calls[path] if path in graph.calls else graph.nodes[path]).origin
        if id(origin.node) not in own or not isinstance(origin.node, Call):
            continue
        found = [graph.shape(tensor)[0] for tensor in taken]
        if not found or channels in found:
            continue
        written = [*origin.values.values(), *filter(None, [origin.node.when])]
        for value in written:
            if "in_channels" in value.names:
                yield Mark(
                    "far",
                    value.at,
                    path,
                    f"in_channels is {channels} here, of the network's input, and the node takes"
                    f" {' and '.join(map(str, found))}; use channels('name') of an earlier node, or"
                    " channels('in') where the input's are meant",
                )


def _taken_by(graph: Graph) -> dict[str, Sequence[Tensor]]:
    """What each call and each node takes, by path."""
    taken: dict[str, Sequence[Tensor]] = {p: call.taken for p, call in graph.calls.items()}
    return taken | {name: node.inputs for name, node in graph.nodes.items()}


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


def softmax_results(graph: Graph) -> dict[str, Node]:
    """The results that are a softmax, seen through ops that pass values on as they are. A loss of
    training takes a softmax of its own, and of two nothing is learnt."""
    found: dict[str, Node] = {}
    for key, tensor in graph.outputs.items():
        node = graph.nodes.get(tensor.node)
        while node is not None and node.op.is_view:
            node = graph.nodes.get(node.inputs[0].node) if node.inputs else None
        if node is not None and node.op.name == "softmax":
            found[key] = node
    return found
