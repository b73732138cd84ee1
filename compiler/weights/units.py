"""What of a file is one layer: tensors that stand together, and which op of ours they could be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from archspec.compiler.weights.arrays import Entry
from archspec.compiler.weights.families import Rule, Source
from archspec.node import Node
from archspec.shapes import Shape, written

ROLES = {
    "weight": "weight", "bias": "bias", "w": "weight", "gamma": "weight", "beta": "bias",
    "running_mean": "mean", "running_var": "variance",
    "moving_mean": "mean", "moving_variance": "variance",
}  # fmt: skip
"""What PyTorch's and MindSpore's names of a module's tensors mean."""

_OURS = {"gamma": "weight", "beta": "bias", "moving_mean": "mean", "moving_variance": "variance",
         "slope": "weight"}  # fmt: skip
_ALONE = ("layer_scale", "param", "attention")
"""Ops whose weight is a tensor that their networks have beside modules, by any name."""
LINEAR = Rule("every node", "structure", linear=True)
PIXEL = Rule("every node", "structure", pixel=True)
TURNED = Rule("every node", "structure", turned=True)


@dataclass(frozen=True)
class Unit:
    """Tensors of a file that are one layer: their names by role ("" for a tensor alone), and
    shapes."""

    name: str
    tensors: Mapping[str, str]
    shapes: Mapping[str, Shape]

    @property
    def kind(self) -> tuple[tuple[str, Shape], ...]:
        return tuple(sorted(self.shapes.items()))

    def __str__(self) -> str:
        return f"{self.name} ({written(next(iter(self.shapes.values())))})"

    @cached_property
    def path(self) -> tuple[tuple[str | int, ...], ...]:
        """The parts of the name, with their numbers as numbers."""
        return tuple(
            tuple(int(word) if word.isdigit() else word for word in re.findall(r"\d+|\D+", part))
            for part in self.name.split(".")
        )

    def precedes(self, other: Unit) -> bool:
        """Whether a number says that this one comes first: the names are alike up to a part of the
        same letters and a smaller number."""
        for one, two in zip(self.path, other.path, strict=False):
            if one == two:
                continue
            if len(one) != len(two):
                return False
            for left, right in zip(one, two, strict=True):
                if left != right:
                    return isinstance(left, int) and isinstance(right, int) and left < right
        return False

    def sources_for(self, node: Node) -> dict[str, Source] | None:
        """The source of each weight of a node, None where this cannot be it."""
        wanted = {weight.name: tuple(weight.shape) for weight in node.layer.weights}
        if node.op.name in _ALONE:
            if set(self.tensors) != {""} or len(wanted) != 1:
                return None
            ((name, shape),) = wanted.items()
            found = _alone(self.tensors[""], self.shapes[""], shape)
            return None if found is None else {f"{node.name}.{name}": found}
        roles = {_OURS.get(name, name): name for name in wanted}
        if roles.keys() != self.tensors.keys():
            return None
        result: dict[str, Source] = {}
        for role, name in roles.items():
            source = _fit_shape(self.tensors[role], self.shapes[role], wanted[name])
            if source is None:
                return None
            result[f"{node.name}.{name}"] = source
        return result


def _fit_shape(name: str, theirs: Shape, ours: Shape) -> Source | None:
    if theirs == ours:
        return Source((name,))
    if len(ours) == 4 and ours[2:] == (1, 1) and theirs == ours[:2]:
        return Source((name,), LINEAR)
    if len(ours) == 2 and theirs == (*ours, 1, 1):
        return Source((name,), PIXEL)
    return None


def _alone(name: str, theirs: Shape, ours: Shape) -> Source | None:
    """A tensor with other extents of 1, or with the axes in the other order."""
    one, two = ([extent for extent in shape if extent != 1] for shape in (theirs, ours))
    if one == two:
        return Source((name,))
    return Source((name,), TURNED) if one == two[::-1] else None


def units_of(entries: Mapping[str, Entry]) -> list[Unit]:
    """The layers of a file in its order."""
    grouped: dict[str, dict[str, str]] = {}
    for name in entries:
        module, _, last = name.rpartition(".")
        role = ROLES.get(last)
        if role is None or (last in ("gamma", "beta") and f"{module}.beta" not in entries):
            grouped[name] = {"": name}
        else:
            grouped.setdefault(module, {})[role] = name
    return [
        Unit(module, tensors, {role: entries[name].shape for role, name in tensors.items()})
        for module, tensors in grouped.items()
    ]
