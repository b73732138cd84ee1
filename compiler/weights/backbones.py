"""A published checkpoint as the weights of a network inside another: a backbone that a spec imports
as a template.

The file has to fit the backbone's whole network, also what lies behind the node at which the call
cuts it: only then is it that network's. What the cut leaves out is not taken, and what stands
around the backbone is drawn at random.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from archspec.compiler.weights.arrays import Array, Entry, TensorFile
from archspec.compiler.weights.files import open_tensors
from archspec.compiler.weights.fitting import likely_settings
from archspec.compiler.weights.importing import USUAL, Imported, ImportOptions, import_weights
from archspec.compiler.weights.initialize import initialize
from archspec.compiler.weights.loading import shapes_of
from archspec.compiler.weights.plans import plans_for
from archspec.errors import SpecError, listed
from archspec.expand import Expander
from archspec.graph import Graph, TemplateCall
from archspec.node import INPUT, Node, Tensor
from archspec.program import program_of_network

SCHEME, SEED = "he", 0
"""What the weights around a backbone are drawn by."""


@dataclass(frozen=True)
class Backbone:
    """A network that is called in a graph at `path`: the graphs that its file may be of, the most
    likely first, and the weights of those that stand in the calling graph."""

    path: str
    candidates: Sequence[Graph]
    taken: frozenset[str]


def import_into_parts(
    path: str | os.PathLike[str],
    graph: Graph,
    options: ImportOptions = USUAL,
    advice: Callable[[TensorFile], Sequence[str]] = lambda file: (),
) -> Imported:
    """A graph's weights from a published checkpoint of it, as import_weights, or of a network that
    it calls: every call of that network then has the file's weights, under the call's name, and
    what is not in such a call is drawn as for training. Raises SpecError and UsageError as
    import_weights, of what the file is nearest to."""

    if options.names is not None or all(call.network is None for call in graph.calls.values()):
        return import_weights(path, graph, options, advice=advice)
    try:
        return import_weights(path, graph, options)
    except SpecError:
        with open_tensors(path, options.key) as file:
            entries = file.entries
    nearness = partial(_nearness, entries, options.publisher)
    found: dict[str, Imported] = {}
    nearest = graph
    for backbone in _backbones(graph, entries):
        if backbone.path.startswith(tuple(f"{outer}." for outer in found)):
            continue
        errors: list[tuple[int, Graph]] = []
        for candidate in backbone.candidates:
            try:
                found[backbone.path] = import_weights(
                    path, candidate, options, taken=backbone.taken
                )
                break
            except SpecError as error:
                errors.append((len(error.problems), candidate))
        else:
            _, closest = min(errors, key=lambda error: error[0])
            if nearness(closest) >= nearness(nearest):
                nearest = closest
    if found:
        return _join(graph, found)
    return import_weights(path, nearest, options, advice=advice)


def _backbones(graph: Graph, entries: Mapping[str, Entry]) -> Iterator[Backbone]:
    """The networks that a graph calls, outer ones before those within them."""
    for path, call in graph.calls.items():
        inside = [node for name, node in graph.nodes.items() if name.startswith(f"{path}.")]
        if call.network is None or not any(node.layer.weights for node in inside):
            continue  # nothing of it is left, or its weights are those of another call
        alone = _alone(graph, path, call)
        shapes = shapes_of(alone)
        name = f"{program_of_network(call.network).name} at {path}"
        whole = _whole_networks(graph, call, entries)
        # learnt tensors have the size of the maps that they meet
        fitting = [one for one in whole if shapes.items() <= shapes_of(one).items()]
        yield Backbone(
            path, [replace(one, name=name) for one in (*fitting, alone)], frozenset(shapes)
        )


def _whole_networks(
    graph: Graph, call: TemplateCall, entries: Mapping[str, Entry]
) -> Iterator[Graph]:
    """The network of a call with nothing cut off, as it is called and as it stands by itself, with
    the classes that a file may have."""
    program = program_of_network(call.network)
    arguments = {name: v for name, v in call.arguments.items() if name in program.parameters}
    shapes = {tuple(program.input["shape"]): None, graph.shape(call.taken[0]): None}
    expander = Expander(program)
    for settings in likely_settings(program, entries):
        for shape in shapes:
            try:
                yield expander.graph({**arguments, **settings}, shape)
            except SpecError:  # a space, or a head that these maps are too small for
                continue


def _alone(graph: Graph, path: str, call: TemplateCall) -> Graph:
    """What a call left in a graph, by itself."""
    prefix = f"{path}."
    outside = dict.fromkeys(call.taken, Tensor(INPUT))
    nodes: dict[str, Node] = {}
    for name, node in graph.nodes.items():
        if name.startswith(prefix):
            short = name.removeprefix(prefix)
            inputs = (
                outside.get(one) or Tensor(one.node.removeprefix(prefix), one.output)
                for one in node.inputs
            )
            is_inside = node.owner.startswith(prefix)
            owner = node.owner.removeprefix(prefix) if is_inside else None
            nodes[short] = Node(short, node.layer, tuple(inputs), node.origin, owner)
    return Graph(
        name=path,
        input_shape=graph.shape(call.taken[0]),
        nodes=nodes,
        outputs={"logits": next(reversed(nodes.values())).results[0]},
    )


def _nearness(entries: Mapping[str, Entry], publisher: str | None, graph: Graph) -> float:
    """The share of a graph's names that a file has, by the names that fit best."""
    plans = plans_for(entries, graph, publisher, None)
    return max((plan.hits / max(plan.wanted, 1) for plan in plans), default=0.0)


def _join(graph: Graph, found: Mapping[str, Imported]) -> Imported:
    """The weights of a graph of which these are parts, and one report of all."""
    given: dict[str, Array] = {
        f"{path}.{name}": array
        for path, imported in found.items()
        for name, array in imported.weights.items()
    }
    weights = given
    first = next(iter(found.values()))
    notes = list(dict.fromkeys(note for one in found.values() for note in one.notes))
    drawn = [name for name in shapes_of(graph) if name not in given]
    if drawn:
        started = initialize(graph, SCHEME, SEED)
        weights = {name: given.get(name, array) for name, array in started.items()}
        tops = listed(list(dict.fromkeys(name.partition(".")[0] for name in drawn)), "and")
        notes.append(
            f"{len(drawn):,} weights around {listed(list(found), 'and')} are in no file and were"
            f" drawn by {SCHEME} from seed {SEED}, to be trained: those of {tops}"
        )
    rules = [
        replace(rule, ours=f"{path}.{rule.ours}" if rule.ours != "every node" else f"{path}.*")
        for path, imported in found.items()
        for rule in imported.rules
    ]
    method = f"{first.method}, of the network that {listed(list(found), 'and')} calls"
    return replace(first, weights=weights, rules=rules, notes=notes, method=method)
