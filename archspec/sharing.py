"""Weights that several nodes share: whose a call takes, and whether they are what it needs."""

from __future__ import annotations

from collections.abc import Iterator

from archspec.fragment import Fragment, Item
from archspec.json_values import shown
from archspec.node import Layer
from archspec.ops import Weight
from archspec.scope import Body
from archspec.shapes import written
from archspec.syntax import Call


def find_owner(
    body: Body, node: Call, name: str, part: Layer | Fragment, index: int | None
) -> str | None:
    """The name of the item of the body whose weights a call takes, `part` being what it leaves: of
    copies that name themselves the first. None for that one. Raises SpecError."""
    assert node.owner is not None
    at = node.at / "weights"
    if not _has_weights(part):
        raise at.error(f"{name} has no weights; leave this out")
    found = None
    if node.owner == node.name:
        if index is None:
            raise at.error(
                f"{node.owner!r} is this node itself; use the name of a node before it, or copies"
                " of this one"
            )
        if index == 0:
            return None
        found = body.item(f"{body.prefix}{node.name}1")
    found = found or _look_up(body, node.owner)
    if found is None:
        known = body.find(node.owner)
        if known is None:
            raise at.error(body.unknown(node.owner, None))
        raise at.error(f"{shown(node.owner)} is not one op or one call; use the name of one")
    for inside, difference in _differences(part, found.part):
        place = f"{name}.{inside}" if inside else name
        other = f"{node.owner}.{inside}" if inside else node.owner
        raise at.error(f"{place} cannot use the weights of {other}: {difference}")
    return found.name


def _look_up(body: Body, name: str) -> Item | None:
    """What a name means here, innermost scope first."""
    prefix = body.prefix
    while True:
        found = body.item(prefix + name)
        if found is not None or not prefix:
            return found
        prefix = prefix[: prefix.rstrip(".").rfind(".") + 1]


def _has_weights(part: Layer | Fragment) -> bool:
    if isinstance(part, Layer):
        return bool(part.uses)
    return any(_has_weights(item.part) for item in part.items)


def _differences(part: Layer | Fragment, owner: Layer | Fragment) -> Iterator[tuple[str, str]]:
    """Where in a part are weights other than the owner has there, and what is different."""
    if part is owner:
        return
    if isinstance(part, Layer):
        if not isinstance(owner, Layer):
            yield "", f"it is one {part.op.name} and the other is a template"
        elif part.op.name != owner.op.name:
            yield "", f"it is {part.op.name} and the other is {owner.op.name}"
        elif _standardises(part) != _standardises(owner):
            yield "", "one of the two standardises its filters and the other does not"
        elif _forms(part) != _forms(owner):
            yield "", f"it has {_tell(part)} and the other {_tell(owner)}"
        return
    if isinstance(owner, Layer):
        yield "", f"it is a template and the other is one {owner.op.name}"
        return
    known = {item.name: item.part for item in owner.items}
    for item in part.items:
        if not _has_weights(item.part):
            continue
        if item.name not in known:
            yield item.name, "the other has no such node"
            continue
        for inside, difference in _differences(item.part, known[item.name]):
            yield f"{item.name}.{inside}" if inside else item.name, difference


def _standardises(layer: Layer) -> bool:
    return vars(layer.op).get("weight_standardization", False)


def _forms(layer: Layer) -> list[tuple[str, tuple[int, ...], bool]]:
    return [(weight.name, weight.shape, weight.trainable) for weight in layer.uses]


def _tell(layer: Layer) -> str:
    return " and ".join(map(_tell_one, layer.uses))


def _tell_one(weight: Weight) -> str:
    return f"{weight.name} {written(weight.shape)}"
