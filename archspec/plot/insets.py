"""Small modules that stand in many places: a row in each, and one inset that shows the inside."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import replace

from archspec.node import Tensor
from archspec.plot.outline import Block, Item, Reader, Row

FEWEST_PLACES = 3
LARGEST_SHARE = 0.12
"""Of all MACs, by all calls of a template. What costs more is what the picture is about, and stays
where it is."""


def with_insets(items: list[Item], reader: Reader) -> tuple[list[Item], list[Item]]:
    """The items with such modules as rows, and the insets."""
    groups: dict[Hashable, list[Block]] = {}
    macs: dict[str, int] = {}
    for block in _inner_blocks(items):
        if block.template:
            groups.setdefault((block.template, _kind(block)), []).append(block)
            macs[block.template] = macs.get(block.template, 0) + block.macs
    most = LARGEST_SHARE * reader.graph.macs
    small = {template for template, count in macs.items() if count <= most}
    chosen = {
        key: blocks
        for key, blocks in groups.items()
        if blocks[0].template in small and _is_module(blocks)
    }
    keys = {id(block): key for key, blocks in chosen.items() for block in blocks}
    shown: dict[Hashable, Block] = {}
    items = [_replace(item, keys, shown, reader) for item in items]
    return items, [_inset(block) for block in shown.values()]


def _inner_blocks(items: list[Item]) -> Iterator[Block]:
    for item in items:
        if isinstance(item, Block):
            for inner in item.items:
                if isinstance(inner, Block):
                    yield inner
            yield from _inner_blocks(item.items)


def _is_module(blocks: list[Block]) -> bool:
    return len(blocks) >= FEWEST_PLACES and all(block.copies == 1 for block in blocks)


def _kind(block: Block) -> Hashable:
    """What modules share that differ in numbers only: ops and wiring."""
    wires: dict[Tensor, Hashable] = {tensor: k for k, tensor in enumerate(block.inputs)}
    parts: list[Hashable] = []
    for index, item in enumerate(block.items):
        content: Hashable = getattr(item, "kind", "")
        if isinstance(item, Row):
            content = tuple(node.op.name for node in item.nodes)
        elif isinstance(item, Block):
            content = _kind(item)
        parts.append((content, item.copies, tuple(wires.get(t) for t in item.inputs)))
        wires.update({tensor: (index, k) for k, tensor in enumerate(item.outputs)})
    return tuple(parts)


def _replace(
    item: Item, keys: dict[int, Hashable], shown: dict[Hashable, Block], reader: Reader
) -> Item:
    if not isinstance(item, Block):
        return item
    key = keys.get(id(item))
    if key is None:
        item.items = [_replace(inner, keys, shown, reader) for inner in item.items]
        return item
    if key not in shown:
        shown[key] = replace(item, items=[_replace(i, keys, shown, reader) for i in item.items])
    return Row(
        item.name,
        item.start,
        item.end,
        item.inputs,
        item.outputs,
        item.macs,
        item.params,
        item.copies,
        spans=item.spans,
        words=_words(item, reader),
    )


def _words(block: Block, reader: Reader) -> str:
    call = reader.graph.calls.get(block.name)
    channels = call.arguments.get("channels") if call else None
    return f"{block.template}, {channels}" if isinstance(channels, int) else block.template


def _inset(block: Block) -> Block:
    """The module as a panel by itself: nothing leads to it."""
    return replace(
        block,
        name=block.template,
        template=f"as in {block.name.partition('.')[0]}",
        inputs=(),
        outputs=(),
        inner_inputs=block.inputs,
    )
