"""From a position in a text to the nodes of the graph that it leaves there, and back."""

from __future__ import annotations

from collections.abc import Container, Iterator
from itertools import islice
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from archspec.authoring.draft import Draft
from archspec.authoring.roles import NODE, role_of
from archspec.authoring.tree import Item, read_tree
from archspec.authoring.values import Origin, Place
from archspec.document import At, Document, Pointer, written_pointer
from archspec.errors import SpecError
from archspec.graph import Graph
from archspec.json_values import freeze
from archspec.ops.base import as_json
from archspec.project import Source
from archspec.sources import find_reference

MAX_FILES = 500
"""Looked at in a folder."""


def find_nodes(draft: Draft, offset: int, graph: Graph | None = None) -> Origin | None:
    """The node around an offset, or the template or the `defaults` entry, with what it leaves in
    the draft's graph, or in another `graph` of the same text. None outside of nodes."""
    item = _owner(draft, offset)
    return None if item is None else nodes_of(draft, item, graph)


def nodes_of(draft: Draft, item: Item, graph: Graph | None = None) -> Origin:
    """What a node or a template of the text leaves in the graph."""
    graph = draft.graph if graph is None else graph
    pointer = item.pointer
    found = Origin(item.start, item.end, written_pointer(pointer))
    if graph is None:
        return found
    index = _index_of(graph, draft.name)
    calls = [name for name, at in index.calls.items() if _is_within(at, pointer)]
    nodes = [
        name for name, places in index.nodes.items() if any(_is_within(p, pointer) for p in places)
    ]
    return Origin(found.start, found.end, found.pointer, tuple(nodes), tuple(calls))


def values_of(draft: Draft, node: Item, argument: str) -> list[Any]:
    """What an argument of a call comes to, each value once, wherever the call stands in the
    network."""
    graph = draft.graph
    if graph is None:
        return []
    index = _index_of(graph, draft.name)
    pointer = node.pointer
    found: dict[Any, Any] = {}
    for path, at in index.calls.items():
        if at == pointer and argument in graph.calls[path].arguments:
            value = graph.calls[path].arguments[argument]
            found.setdefault(freeze(value), value)
    for path, op in ((path, graph.nodes[path].op) for path in index.own(pointer)):
        value = graph.nodes[path].layer.given.get(argument, getattr(op, argument, None))
        found.setdefault(freeze(as_json(value)), as_json(value))
    return list(found.values())


def find_places(draft: Draft, node: str, graph: Graph | None = None) -> tuple[Place, ...]:
    """Where a node of the graph, a template call, or all that begins with a name, was written: the
    innermost place first, then the calls around it. Those in this text are here; others are in the
    texts that it refers to."""
    graph = draft.graph if graph is None else graph
    if graph is None:
        return ()
    return tuple(place_at(draft, at) for at in _origins(graph, node))


def _owner(draft: Draft, offset: int) -> Item | None:
    """The innermost node object, word or template around an offset."""
    inner = draft.tree.innermost(offset)
    for item in inner.ancestors():
        role = role_of(item)
        if role == "template" or (role == NODE and item.kind in ("object", "string")):
            return item
    if role_of(inner) == NODE:
        return inner
    return None


def _is_within(pointer: Pointer, outer: Pointer) -> bool:
    return pointer[: len(outer)] == outer


class _Index:
    """Of each node of a graph the places in one text that led to it: its own, and those of the
    calls around it."""

    def __init__(self, graph: Graph, name: str):
        self.calls: dict[str, Pointer] = {}
        self.nodes: dict[str, list[Pointer]] = {}
        self.written: dict[str, Pointer] = {}
        around: dict[str, list[Pointer]] = {"": []}
        for path, call in graph.calls.items():
            outer = around[_call_around(path, around)]
            own = _pointer_in(call.origin, name)
            around[path] = outer if own is None else [*outer, own]
            if own is not None:
                self.calls[path] = own
        for path, node in graph.nodes.items():
            outer = around[_call_around(path, around)]
            own = _pointer_in(node.origin, name)
            self.nodes[path] = outer if own is None else [*outer, own]
            if own is not None:
                self.written[path] = own

    def own(self, pointer: Pointer) -> list[str]:
        """The nodes that are written at a place, not in what is called there."""
        return [name for name, at in self.written.items() if at == pointer]


def _call_around(path: str, calls: Container[str]) -> str:
    """The innermost template call that a path is in, or ""."""
    while path:
        path = path.rpartition(".")[0]
        if path in calls:
            return path
    return ""


def _pointer_in(origin: Any, name: str) -> Pointer | None:
    """Where an origin is written, if it is in the text of this name."""
    at = None if origin is None else origin.node.at
    return at.pointer if at is not None and at.document.shown == name else None


_indices: WeakKeyDictionary[Graph, dict[str, _Index]] = WeakKeyDictionary()


def _index_of(graph: Graph, name: str) -> _Index:
    known = _indices.setdefault(graph, {})
    if name not in known:
        known[name] = _Index(graph, name)
    return known[name]


def _origins(graph: Graph, name: str) -> Iterator[At]:
    """The places that led to a node, a call, or the first node of a part."""
    if name in graph.nodes:
        path, origin = name, graph.nodes[name].origin
    elif name in graph.calls:
        path, origin = name, graph.calls[name].origin
    else:
        inner = next((each for each in graph.nodes if each.startswith(f"{name}.")), None)
        if inner is None:
            return
        path, origin = inner, graph.nodes[inner].origin
        while (outer := path.rpartition(".")[0]) and outer.startswith(f"{name}."):
            path = outer
            origin = graph.calls[path].origin if path in graph.calls else origin
    if origin is not None:
        yield origin.node.at
    while (path := _call_around(path, graph.calls)) != "":
        yield graph.calls[path].origin.node.at


def resolve_reference(draft: Draft, reference: str, is_import: bool) -> Source | None:
    """The text that a reference in the draft means, if it means one."""
    document = Document(draft.source, draft.name, draft.plain, {})
    try:
        return find_reference(reference, At(document), is_import)
    except SpecError:
        return None


def texts_beside(draft: Draft) -> list[str]:
    """Other texts, as a reference from this one would call them: those of its folder, or of a
    project that tells what it has."""
    own, path = draft.source.name, draft.path_of(draft.source)
    if path is None:
        return [name for name in draft.project.names() if name != own]
    folder = Path(path).parent
    files = (each.name for each in islice(folder.glob("*.json"), MAX_FILES))
    return sorted(name for name in files if name != Path(path).name)


def place_of_text(draft: Draft, reference: str, is_import: bool) -> Place | None:
    """The start of the text that a reference means, if it can be read."""
    source = resolve_reference(draft, reference, is_import)
    try:
        text = None if source is None else source.project.read(source.name)
    except SpecError:
        return None
    if source is None or text is None:
        return None
    return Place(draft.path_of(source) or source.name, 0, 0, False, text)


def place_at(draft: Draft, at: At) -> Place:
    """A place in a document as a part of its text."""
    is_here = at.document.shown == draft.name
    root = draft.tree if is_here else read_tree(at.document.text)
    item = root.get(*at.pointer) or root
    text = "" if is_here else at.document.text
    source = at.document.source
    name = draft.name if is_here else draft.path_of(source) or source.name
    return Place(name, item.start, item.end, is_here, text)
