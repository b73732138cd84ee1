"""The top level of a picture: panels in reading order, each a stage of the network."""

from __future__ import annotations

from collections.abc import Collection

from archspec.graph import Graph
from archspec.node import INPUT, Tensor
from archspec.plot.fold import Folder
from archspec.plot.insets import with_insets
from archspec.plot.limits import fold_by_name, within_limits
from archspec.plot.outline import Block, Item, Join, Port, Reader, Row
from archspec.plot.simplify import simplify
from archspec.plot.structure import Parallel, Series, series_of, wires_between
from archspec.plot.words import shape_words
from archspec.shapes import Shape
from archspec.syntax import Modifiers

MAX_IN_CLUSTER = 24
"""Items that side by side at the top level are still one unit; more flow as panels of their own."""

RESULTS = "results"
"""The name of the group of pills that several results make."""


def panels_of(graph: Graph, folded: Collection[str] = ()) -> tuple[list[Item], str]:
    """The panels, the input first and the results last, and a note on what was left out; blocks of
    the names `folded` are rows."""
    reader = Reader(graph)
    items = reader.items()
    while len(items) == 1 and isinstance(items[0], Block):
        items = items[0].items
    items = simplify(Folder(reader).fold(_gather(items, reader)))
    items = fold_by_name(items, folded) if folded else items
    items, insets = with_insets(items, reader)
    items, note = within_limits(items, reader)
    flow = [_input(graph), *_cluster_items(items, reader, graph), *_results(graph)]
    return [*flow, *insets], note


def _input(graph: Graph) -> Item:
    words = f"input {shape_words(graph.input_shape)}"
    return Port("input", 0, 0, (), (Tensor(INPUT),), words=words)


def _results(graph: Graph) -> list[Item]:
    """Pills for the network's results: one, or a row of them."""
    pills: list[Item] = []
    end = len(graph.nodes)
    for name, tensor in graph.outputs.items():
        words = f"{name} {shape_words(graph.shape(tensor))}"
        pills.append(Port(name, end, end, (tensor,), (), incoming=False, words=words))
    if len(pills) == 1:
        return pills
    inputs = tuple(dict.fromkeys(graph.outputs.values()))
    return [Block(RESULTS, end, end, inputs, (), items=pills, framed=False)]


def _gather(items: list[Item], reader: Reader) -> list[Item]:
    """Copies of one resolution that one `repeat` made are a stage: a block of their own."""
    gathered: list[Item] = []
    index = 0
    while index < len(items):
        key = _repeat_of(items[index], reader)
        stop = index + 1
        while key is not None and stop < len(items) and _repeat_of(items[stop], reader) is key:
            stop += 1
        if key is not None and stop - index > 1 and _is_stage(items[index:stop], reader):
            block = reader.block(_name_copies(items[index].name, key), items[index:stop])
            first = items[index]
            block.template = first.template if isinstance(first, Block) else ""
            gathered.append(block)
        else:
            gathered += items[index:stop]
        index = stop
    return gathered


def _is_stage(copies: list[Item], reader: Reader) -> bool:
    """Copies are one where they are rows, or blocks that all give the same resolution."""
    if all(isinstance(item, Row) for item in copies):
        return True
    return all(_extents(item, reader) == _extents(copies[0], reader) for item in copies)


def _repeat_of(item: Item, reader: Reader) -> Modifiers | None:
    call = reader.graph.calls.get(item.name)
    node = reader.graph.nodes.get(item.name)
    origin = call.origin if call else node.origin if node else None
    written = getattr(origin, "node", None)
    copies = getattr(written, "copies", None)
    return written if copies is not None and copies.repeat is not None else None


def _extents(item: Item, reader: Reader) -> list[Shape]:
    """Height and width of what comes out: where they change, so does the stage."""
    return [reader.graph.shape(tensor)[1:] for tensor in item.outputs]


def _name_copies(name: str, repeated: Modifiers) -> str:
    """What the copies of a node are called together: as their spec calls the node."""
    path = name.rpartition(".")[0]
    own = repeated.name or repeated.default_name
    return f"{path}.{own}" if path else own


def _cluster_items(items: list[Item], reader: Reader, graph: Graph) -> list[Item]:
    """Items as panels; small groups of parallel ones as a unit."""
    ends = [_input(graph), *items]
    results = tuple(t for item in items for t in item.outputs if t in set(graph.outputs.values()))
    last = Port("", 0, 0, results[-1:], ())
    whole = [*ends, last] if results else ends
    series = series_of(len(whole), wires_between(whole))
    panels: list[Item] = []
    for k, part in enumerate(series.parts):
        if isinstance(part, int):
            item = whole[part]
            if not isinstance(item, Port) and not _is_taken(panels, item):
                panels.append(_panel(item))
            continue
        members = [whole[i] for i in sorted(_members(part)) if not isinstance(whole[i], Port)]
        after = series.parts[k + 1] if k + 1 < len(series.parts) else None
        if isinstance(after, int) and isinstance(whole[after], Join):
            members.append(whole[after])
        if _is_small(part, members):
            panels.append(_cluster(members, reader))
        else:
            panels += [_panel(member) for member in members]
    return panels


def _is_taken(panels: list[Item], item: Item) -> bool:
    """Whether a join already stands in the group before it."""
    return bool(panels) and panels[-1].end >= item.end


def _members(part: Parallel) -> set[int]:
    found: set[int] = set()
    for branch in part.branches:
        if isinstance(branch, Series):
            for inner in branch.parts:
                found |= {inner} if isinstance(inner, int) else _members(inner)
        else:
            found |= {entry for layer in branch.layers for entry in layer if isinstance(entry, int)}
    return found


def _is_small(part: Parallel, members: list[Item]) -> bool:
    rows = sum(map(_row_count, members))
    if rows > MAX_IN_CLUSTER:
        return False
    return len(part.branches) > 1 or rows <= MAX_IN_CLUSTER // 4


def _row_count(item: Item) -> int:
    return sum(map(_row_count, item.items)) if isinstance(item, Block) else 1


def _cluster(members: list[Item], reader: Reader) -> Block:
    block = reader.block(members[0].name, [_panel(member) for member in members])
    # Members may stand for several copies: what leaves them is said by the items themselves.
    leaving = tuple(t for m in members for t in m.outputs if reader.last_use[t] >= block.end)
    block.outputs = block.inner_outputs = leaving
    block.framed = False
    return block


def _panel(item: Item) -> Item:
    """The item; a named row is to show its name."""
    if isinstance(item, Row) and item.named:
        item.shows_name = True
    return item
