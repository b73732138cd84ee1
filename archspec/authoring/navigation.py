"""From a name to where it is defined and used, and another name in its place."""

from __future__ import annotations

from archspec.authoring.draft import Draft
from archspec.authoring.naming import Part
from archspec.authoring.roles import NODE, role_of
from archspec.authoring.tree import Item
from archspec.authoring.values import Edit, Place


def source_part(draft: Draft, item: Item) -> Part | None:
    """The node that a name in `from` or `outputs` means."""
    body = draft.body_at(item)
    if body is not None:
        node = next(i for i in item.ancestors() if i.kind == "object" and role_of(i) == NODE)
        part = body.part_of(node)
        if part is None:
            return None
        return body.find(str(item.value), part.prefix, part.began)
    owner = next((above.parent for above in item.ancestors() if above.key == "outputs"), None)
    body = next((each for each in draft.bodies if each.owner is owner), None)
    return None if body is None else body.find(str(item.value), "")


def find_definition(draft: Draft, offset: int) -> Place | None:
    return None


def find_references(draft: Draft, offset: int) -> tuple[Place, ...]:
    return ()


def find_name(draft: Draft, offset: int) -> Place | None:
    return None


def rename(draft: Draft, offset: int, new: str) -> tuple[Edit, ...]:
    return ()
