"""Frames that say nothing are left out, so that what is drawn has room."""

from __future__ import annotations

from archspec.plot.outline import Block, Item, Join, Row

MAX_FRAMELESS = 2
MAX_FRAMELESS_BRANCH = 4
"""Rows that a template's call may have and still need no frame within another block, or within one
whose streams part."""


def simplify(items: list[Item]) -> list[Item]:
    """The top-level items without needless frames inside them."""
    for item in items:
        if isinstance(item, Block):
            item.items = _inside(item.items)
    return [_without_shell(item) for item in items]


def _inside(items: list[Item]) -> list[Item]:
    result: list[Item] = []
    parts = any(isinstance(item, Join) for item in items)
    most = MAX_FRAMELESS_BRANCH if parts else MAX_FRAMELESS
    for item in items:
        if isinstance(item, Block):
            item.items = _inside(item.items)
            item = _without_shell(item)
        if isinstance(item, Block) and _needs_no_frame(item, most):
            result += item.items
        else:
            result.append(item)
    return result


def _needs_no_frame(block: Block, most: int) -> bool:
    """A scope that is not a template's call, or a call that is a row or two."""
    if block.copies > 1:
        return False
    rows = [item for item in block.items if isinstance(item, Row)]
    return not block.template or len(rows) == len(block.items) <= most


def _without_shell(item: Item) -> Item:
    """A block whose only item is a block: one frame, with the outer's name and the inner's rest."""
    if not isinstance(item, Block) or len(item.items) != 1 or item.copies > 1:
        return item
    inner = item.items[0]
    if not isinstance(inner, Block):
        return item
    inner.name, inner.last = item.name, ""
    inner.inputs, inner.outputs = item.inputs, item.outputs
    return inner
