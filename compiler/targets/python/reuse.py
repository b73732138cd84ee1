"""Which parts of a class run another part's cell once more, because all their weights are its."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from archspec.compiler.targets.python.outline import Group, Item, Leaf
from archspec.node import Node


def nodes_of(item: Item) -> Iterator[Node]:
    """The nodes in an item."""
    if isinstance(item, Leaf):
        yield item.node
    else:
        for inner in item.items:
            yield from nodes_of(inner)


def find_borrowers(item: Item, group: Group) -> list[Node]:
    """The nodes in an item of a group that use weights of others of the group."""
    found = (node for node in nodes_of(item) if node.borrows and not holds(item, node.owner))
    return [node for node in found if not group.path or holds(group, node.owner)]


def holds(item: Item, name: str) -> bool:
    """Whether a node of this name is in an item."""
    return item.path == name if isinstance(item, Leaf) else name.startswith(f"{item.path}.")


def find_lender(item: Item, borrowers: Sequence[Node], items: Sequence[Item]) -> int | None:
    """The place of the one whose weights are those of the item, node for node: the only that can
    stand for it."""
    for place, other in enumerate(items):
        if type(other) is type(item) and other is not item and holds(other, borrowers[0].owner):
            return place if _has_all(other, item) else None
    return None


def _has_all(lender: Item, item: Item) -> bool:
    """Whether all weights that an item uses are what the lender uses at the same place; noise is
    drawn for each place apart."""
    owners = {node.name[len(lender.path) :]: node.owner for node in nodes_of(lender)}
    return not any(
        node.op.is_noise
        or (node.layer.uses and owners.get(node.name[len(item.path) :]) != node.owner)
        for node in nodes_of(item)
    )
