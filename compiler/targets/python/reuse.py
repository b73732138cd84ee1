"""Which parts of a class run another part's cell once more, because all their weights are its."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from archspec.compiler.targets.python.outline import Item, Leaf
from archspec.node import Node


def nodes_of(item: Item) -> Iterator[Node]:
    """The nodes in an item."""
    if isinstance(item, Leaf):
        yield item.node
    else:
        for inner in item.items:
            yield from nodes_of(inner)


def find_borrowers(item: Item) -> list[Node]:
    """The nodes in an item that use weights of others than its own."""
    return [node for node in nodes_of(item) if node.borrows and not holds(item, node.owner)]


def holds(item: Item, name: str) -> bool:
    """Whether a node of this name is in an item; every one is in the group of the whole network."""
    if isinstance(item, Leaf):
        return item.path == name
    return not item.path or name.startswith(f"{item.path}.")


def first_users(items: Sequence[Item]) -> dict[str, int]:
    """By the node that owns weights, the place of the item that has it, or of the first that uses
    them where none has."""
    found: dict[str, int] = {}
    for place, item in enumerate(items):
        for node in nodes_of(item):
            found.setdefault(node.owner, place)
    for place, item in enumerate(items):
        found.update((node.name, place) for node in nodes_of(item) if not node.borrows)
    return found


def stands_for(lender: Item, item: Item) -> bool:
    """Whether all weights that an item uses are what the lender uses at the same places, so that
    its cell can be the other's; noise is drawn for each place apart."""
    owners = {node.name[len(lender.path) :]: node.owner for node in nodes_of(lender)}
    return not any(
        node.op.is_noise
        or (node.layer.uses and owners.get(node.name[len(item.path) :]) != node.owner)
        for node in nodes_of(item)
    )
