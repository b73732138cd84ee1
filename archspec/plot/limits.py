"""Pictures of networks too large to draw whole: what is folded into a row, and the note on it."""

from __future__ import annotations

from collections.abc import Collection

from archspec.plot.outline import Block, Item, Join, Reader, Row
from archspec.plot.words import count_words

MAX_ROWS = 420
"""Rows a picture may have before inner blocks become single rows."""
MAX_PANELS = 48
MAX_ITEMS = 150
"""Items within one block."""
MAX_WIRES = 300
"""Wires within one block, or between panels."""


def within_limits(items: list[Item], reader: Reader) -> tuple[list[Item], str]:
    """The items made few enough to draw, and a note that says what became of the rest."""
    note = ""
    for block in _blocks(items):
        if len(block.items) > MAX_ITEMS or _wires(block.items) > MAX_WIRES:
            block.items = [_summary(block.name, block.items, block)]
            note = "very large blocks are drawn as one row"
    depth = _depth(items)
    while depth > 0 and sum(map(_rows, items)) > MAX_ROWS:
        _collapse(items, depth)
        depth -= 1
        note = "inner blocks are drawn as one row"
    if len(items) > MAX_PANELS:
        items = _cut(items, reader)
        note = "neighbouring blocks are drawn together"
    if _wires(items) > MAX_WIRES:
        items = [_join(items, reader)]
        note = "its parts are wired too densely to draw"
    return items, note


def fold_by_name(items: list[Item], names: Collection[str]) -> list[Item]:
    """The items with the blocks of these names as a row each."""
    folded: list[Item] = []
    for item in items:
        if isinstance(item, Block) and item.framed and item.name in names:
            row = _summary(item.name, item.items, item)
            row.copies, row.last, row.spans = item.copies, item.last, item.spans
            row.outputs = item.outputs
            row.named = row.shows_name = row.is_folded = True
            folded.append(row)
            continue
        if isinstance(item, Block):
            item.items = fold_by_name(item.items, names)
        folded.append(item)
    return folded


def _wires(items: list[Item]) -> int:
    return sum(len(item.inputs) for item in items)


def _blocks(items: list[Item]) -> list[Block]:
    found: list[Block] = []
    waiting = list(items)
    while waiting:
        item = waiting.pop()
        if isinstance(item, Block):
            found.append(item)
            waiting += item.items
    return found


def _rows(item: Item) -> int:
    return 1 + sum(map(_rows, item.items)) if isinstance(item, Block) else 1


def _depth(items: list[Item]) -> int:
    return max((1 + _depth(i.items) for i in items if isinstance(i, Block)), default=0)


def _collapse(items: list[Item], depth: int) -> None:
    """Blocks at this depth (1 is the outermost) become blocks of one row."""
    for item in items:
        if not isinstance(item, Block):
            continue
        if depth == 1:
            item.items = [_summary(item.name, item.items, item)]
        else:
            _collapse(item.items, depth - 1)


def _summary(name: str, items: list[Item], whole: Block) -> Row:
    layers = sum(item.end - item.start for item in items)
    macs = sum(item.macs for item in items)
    words = f"{layers:,} layers"
    if macs:
        words += f", {count_words(macs)} MACs"
    return Row(
        name,
        whole.start,
        whole.end,
        whole.inputs,
        whole.inner_outputs,
        macs,
        sum(item.params for item in items),
        words=words,
    )


def _cut(items: list[Item], reader: Reader) -> list[Item]:
    """Runs of neighbours as one panel each."""
    size = -(-len(items) // (MAX_PANELS // 2))
    cut: list[Item] = []
    for index in range(0, len(items), size):
        run = items[index : index + size]
        if len(run) == 1 or all(isinstance(item, Join) for item in run):
            cut += run
            continue
        cut.append(_join(run, reader))
    return cut


def _join(run: list[Item], reader: Reader) -> Block:
    """Neighbours as a panel with one row."""
    first, last = run[0].name.partition(".")[0], run[-1].name.partition(".")[0]
    block = reader.block(f"{first} … {last}", run)
    leaving = tuple(t for item in run for t in item.outputs if reader.last_use[t] >= block.end)
    block.outputs = block.inner_outputs = leaving
    block.items = [_summary(block.name, run, block)]
    return block
