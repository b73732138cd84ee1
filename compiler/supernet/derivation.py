"""From a space to its supernet: each option of each choice is compared with the largest network.

Nothing here knows a template. A choice can be realised if the network of a smaller option differs
from the largest one in these ways alone:

    a convolution has a smaller kernel, about the same centre
    nodes have fewer channels, and every reader of those is a convolution or dense layer that
        reads fewer, or works on each channel by itself
    nodes are left out that end in a sum, which is the identity without them
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import pairwise
from typing import Any

from archspec.compiler.model import node_of
from archspec.compiler.supernet.description import Choice, Nested, Size, Supernet
from archspec.errors import SpecError, listed
from archspec.expand import Expander
from archspec.graph import Graph
from archspec.node import Node, Tensor
from archspec.ops import (
    Act,
    Add,
    AvgPool,
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    DropPath,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    Identity,
    LayerScale,
    MaxPool,
    Mul,
    Pad,
    Upsample,
    Zero,
)
from archspec.shapes import written
from archspec.space import Space
from archspec.syntax import Decision

SUPERKERNEL = "superkernel"
MAX_NAMED = 3
PARTS = "kernel sizes, expansions or widths"
"""What a superkernel can be decided by."""
ELSE = "or an engine that tries network by network (--engine evolution)"
NOT = ("is", "are")
OPS = ("decides which op stands there", "decide which ops stand there")
SOURCES = ("decides which result is taken", "decide which results are taken")
NODES = ("decides between nodes", "decide between nodes")
UNSHARED = {
    OPS: "and one op is not a part of another",
    SOURCES: "and weights that see one result are not a part of those that see another",
    NODES: "and what is written as different nodes has no weights in common",
}
"""What choices may decide, of one and of several, that no superkernel realises, and why."""
CHANNELWISE = (
    Act, Add, AvgPool, BatchNorm, Dropout, DropPath, Flatten, GlobalAvgPool, GlobalMaxPool,
    Identity, LayerScale, MaxPool, Mul, Pad, Upsample, Zero,
)  # fmt: skip
"""Ops that give the first channels right whatever the others are."""


def supernet_of(space: Space) -> Supernet:
    """The supernet of a space. Raises SpecError naming the choices that no superkernel realises."""
    decisions = _decisions(space)
    options = {key: sorted(set(decision.options)) for key, decision in decisions.items()}
    largest = {key: values[-1] for key, values in options.items()}
    graph = space.assign(largest)
    _refuse_shared_weights(space, graph)
    parts = {
        key: _Parts(key, decisions[key], graph, len(values)) for key, values in options.items()
    }
    for key, values in options.items():
        for level, option in enumerate(values[:-1]):
            parts[key].compare(level, option, _smaller(space, decisions[key], key, option, largest))
    return _assemble(space, graph, options, parts)


def _refuse_shared_weights(space: Space, graph: Graph) -> None:
    for node in graph.nodes.values():
        if node.borrows:
            raise space.program.at.error(
                f"no supernet holds {space.program.name}: {node.name} uses the weights of"
                f" {node.owner}, whose parts would be another network's for each; leave its"
                f' "weights" out, {ELSE}'
            )


def _decisions(space: Space) -> dict[str, Decision]:
    """The choices of the largest network, by key. Raises SpecError for those of another kind."""
    found: dict[str, Decision] = {}

    def largest(key: str, decision: Decision) -> int:
        found[key] = decision
        numbers = [value if _is_number(value) else 0 for value in decision.options]
        return numbers.index(max(numbers))

    Expander(space.program).fragment(decide=largest)
    if not found:
        raise space.program.at.error("this spec has no choice; use a search space")
    for decides, why in UNSHARED.items():
        keys = [key for key, one in found.items() if _kind_of(one) == decides]
        if keys:
            raise found[keys[0]].at.error(
                f"no supernet holds {space.program.name}: {_name_choices(keys, decides)}, {why};"
                f" use {PARTS}, {ELSE}"
            )
    apart = [key for key, one in found.items() if one.share != SUPERKERNEL]
    if apart:
        raise found[apart[0]].at.error(
            f"no supernet holds {space.program.name}: {_name_choices(apart, NOT)} not said to share"
            f' weights; use "share": "{SUPERKERNEL}" where small options are parts of large ones'
        )
    others = [key for key, one in found.items() if not all(map(_is_number, one.options))]
    if others:
        raise found[others[0]].at.error(
            f"no supernet holds {space.program.name}: {_name_choices(others, NOT)} not between"
            f" numbers; use {PARTS}, {ELSE}"
        )
    return found


def _kind_of(decision: Decision) -> tuple[str, str]:
    """What a choice decides, as a key of UNSHARED if it is there."""
    if not decision.key and not decision.shared_name:
        return NODES
    key = decision.key.partition(".")[0]
    return {"op": OPS, "from": SOURCES}.get(key, NOT)


def _name_choices(keys: Sequence[str], verbs: tuple[str, str]) -> str:
    choices = listed(keys, "and", MAX_NAMED)
    is_one = len(keys) == 1
    return f"the choice{'s' * (not is_one)} {choices} {verbs[not is_one]}"


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _smaller(
    space: Space, decision: Decision, key: str, option: Any, largest: Mapping[str, Any]
) -> Graph:
    try:
        return space.assign({**largest, key: option})
    except SpecError as error:
        raise decision.at.error(
            f"no supernet holds {space.program.name}: with {option!r} for {key!r} and the largest"
            f" option of every other choice it is not a network, because"
            f" {error.problems[0].message}"
        ) from None


@dataclass(eq=False)
class _Parts:
    """What a choice decides, as far as it has been compared: sizes by option, the smallest first,
    and the nodes that an option leaves out."""

    key: str
    decision: Decision
    graph: Graph
    options: int
    rows: dict[str, dict[int, Size]] = field(default_factory=dict)
    columns: dict[str, dict[int, Size]] = field(default_factory=dict)
    kernels: dict[str, dict[int, Size]] = field(default_factory=dict)
    branches: set[str] = field(default_factory=set)
    left_out: tuple[str, ...] = ()

    def compare(self, level: int, option: Any, smaller: Graph) -> None:
        """Note how the network of an option differs from the largest. Raises SpecError where that
        is not a matter of gates."""
        large = self.graph.nodes
        for name in smaller.nodes:
            if name not in large:
                raise self.refusal(option, f"{name} appears, which the largest lacks")
        missing = tuple(name for name in large if name not in smaller.nodes)
        if missing and level:
            raise self.refusal(
                option, f"{missing[0]} is left out, and by the smallest option alone it may be"
            )
        branches = _Branches(self.graph, frozenset(missing))
        for name, node in smaller.nodes.items():
            if node.inputs != tuple(map(branches.without, large[name].inputs)):
                raise self.refusal(option, f"{name} reads something else")
            self._compare_layers(level, option, large[name], node)
        for key, tensor in self.graph.outputs.items():
            if smaller.outputs.get(key) != branches.without(tensor) or (
                smaller.shape(smaller.outputs[key]) != self.graph.shape(tensor)
            ):
                raise self.refusal(option, f"the output {key!r} is another")
        if missing:
            self.left_out = missing
            self.branches = {self._find_gated(option, branch) for branch in branches.found}

    def _find_gated(self, option: Any, name: str) -> str:
        """The node whose result a gate can multiply to take a branch out of its sum."""
        node = self.graph.nodes[name]
        while node.op.is_noise or node.op.gives_its_input(node.layer.input_shapes):
            node = self.graph.nodes[node.inputs[0].node]
        if not node.layer.weights:
            raise self.refusal(option, f"{name} is left out, which has no weights to gate")
        return node.name

    def _compare_layers(self, level: int, option: Any, large: Node, small: Node) -> None:
        if small.layer is large.layer:
            return
        why = _misfit(large, small)
        if why:
            raise self.refusal(option, f"{large.name} {why}")
        weights = zip(large.layer.weights, small.layer.weights, strict=True)
        for whole, part in weights:
            path = f"{large.name}.{whole.name}"
            one, other = whole.shape, part.shape
            if other[:1] != one[:1]:
                self.rows.setdefault(path, {})[level] = other[0]
            if other[1:2] != one[1:2]:
                self.columns.setdefault(path, {})[level] = other[1]
            if other[2:] != one[2:]:
                self.kernels.setdefault(path, {})[level] = (other[2], other[3])

    def refusal(self, option: Any, why: str) -> SpecError:
        return self.decision.at.error(
            f"no superkernel realises the choice {self.key!r}: with {option!r}, {why}"
        )

    def sizes(self, noted: Mapping[int, Size], path: str, axes: slice) -> tuple[Size, ...]:
        """The sizes, the smallest first, of which those were noted that differ from the largest."""
        node, _, weight = path.rpartition(".")
        shape = next(w.shape for w in self.graph.nodes[node].layer.weights if w.name == weight)
        whole: Size = shape[axes][0] if axes.start < 2 else (shape[2], shape[3])
        levels = range(1 if node in self.left_out else 0, self.options)
        sizes = tuple(noted.get(level, whole) for level in levels)
        if not all(_fits(one, other) for one, other in pairwise(sizes)):
            raise self.decision.at.error(
                f"no superkernel realises the choice {self.key!r}: {path} is {sizes} for its"
                " options from the smallest on, of which none may be smaller than the one before"
            )
        return sizes


def _fits(one: Any, other: Any) -> bool:
    if isinstance(one, tuple):
        return one[0] <= other[0] and one[1] <= other[1]
    return one <= other


class _Branches:
    """What remains of a graph without some nodes: sums that lose all terms but one are that one.
    `found` are the terms that were lost."""

    def __init__(self, graph: Graph, missing: frozenset[str]):
        self.graph = graph
        self.missing = missing
        self.found: set[str] = set()

    def without(self, tensor: Tensor) -> Tensor:
        """What stands in a tensor's place; the tensor itself where nothing can."""
        if tensor.node not in self.missing:
            return tensor
        node = self.graph.nodes[tensor.node]
        if not isinstance(node.op, Add) or len(node.inputs) != 2:
            return tensor
        if len(set(node.layer.input_shapes)) > 1:
            return tensor  # alone, neither term has the shape of the sum
        one, other = node.inputs
        # the term that comes from before the missing nodes is the shortcut
        shortcut, branch = (one, other) if self._stays(one) else (other, one)
        rest = self.without(shortcut)
        if rest.node in self.missing or self._stays(branch):
            return tensor
        self.found.add(branch.node)
        return rest

    def _stays(self, tensor: Tensor) -> bool:
        if tensor.node not in self.missing:
            return True
        node = self.graph.nodes[tensor.node]
        return isinstance(node.op, Add) and any(map(self._stays, node.inputs))


def _misfit(large: Node, small: Node) -> str:
    """Why a node of the network of a smaller option is not part of the largest's, or nothing."""
    one, other = large.layer, small.layer
    if type(one.op) is not type(other.op):
        return f"is {other.op.name} and not {one.op.name}"
    shapes = zip(
        (*one.input_shapes, *one.output_shapes), (*other.input_shapes, *other.output_shapes),
        strict=True,
    )  # fmt: skip
    if any(whole[1:] != part[1:] for whole, part in shapes):
        return "works on images of another size"
    if isinstance(one.op, Conv):
        assert isinstance(other.op, Conv)
        return _conv_misfit(large, small, one.op, other.op)
    if isinstance(one.op, Dense):
        same = replace(other.op, channels=one.op.channels)  # type: ignore[call-arg]
        return "" if same == one.op else "has other attributes"
    if not isinstance(one.op, CHANNELWISE):
        return f"is {one.op.name}, which does not give the first channels alone"
    if _repeats(large) != _repeats(small):
        return "repeats other channels"
    return "" if one.op == other.op else f"has another {_differing(one.op, other.op)}"


def _repeats(node: Node) -> list[bool]:
    """Which inputs have one channel for all of the result's."""
    channels = node.layer.output_shapes[0][0]
    return [shape[0] == 1 < channels for shape in node.layer.input_shapes]


def _conv_misfit(large: Node, small: Node, one: Conv, other: Conv) -> str:
    given = {"channels": one.channels, "kernel": one.kernel, "groups": one.groups}
    if replace(other, **given, padding=one.padding) != one:
        return f"has another {_differing(replace(other, **given), one)}"
    high, wide = one.kernel[0] - other.kernel[0], one.kernel[1] - other.kernel[1]
    if min(high, wide) < 0 or high % 2 or wide % 2:
        return f"has a kernel of {written(other.kernel)}, no centre of {written(one.kernel)}"
    rows, columns = high // 2 * one.dilation[0], wide // 2 * one.dilation[1]
    top, bottom, left, right = one.sides(large.layer.input_shapes)
    inside = (top - rows, bottom - rows, left - columns, right - columns)
    if other.sides(small.layer.input_shapes) != inside:
        return "is padded so that its kernel is not about the centre of the large one"
    before, after = large.layer.input_shapes[0][0], small.layer.input_shapes[0][0]
    if one.groups == other.groups == 1:
        if one.weight_standardization and (other.kernel != one.kernel or before != after):
            return "standardises filters, of which a part is another filter"
        return ""
    each = (before // one.groups, one.channels // one.groups)
    if each != (after // other.groups, other.channels // other.groups):
        return "has groups of another width"
    if one.weight_standardization and other.kernel != one.kernel:
        return "standardises filters, of which a part is another filter"
    return ""


def _differing(one: Any, other: Any) -> str:
    return next(f.name for f in fields(one) if getattr(one, f.name) != getattr(other, f.name))


def _assemble(
    space: Space, graph: Graph, options: Mapping[str, Sequence[Any]], parts: Mapping[str, _Parts]
) -> Supernet:
    kinds: dict[bool, list[str]] = {True: [], False: []}
    for key, part in parts.items():
        decides_widths = bool(part.rows or part.columns or part.branches)
        if part.kernels and decides_widths:
            raise part.decision.at.error(
                f"no superkernel realises the choice {key!r}: it decides kernels and widths at once"
            )
        if not part.kernels and not decides_widths and len(options[key]) > 1:
            raise part.decision.at.error(
                f"no superkernel realises the choice {key!r}: it changes no weight"
            )
        kinds[bool(part.kernels)].append(key)
    choices: dict[str, Choice] = {}
    first = 0
    for key in (*kinds[True], *kinds[False]):
        gates = range(first, first + len(options[key]) - 1)
        first = gates.stop
        part = parts[key]
        choices[key] = Choice(key, tuple(options[key]), gates, bool(part.kernels), part.left_out)
    rows: dict[str, Nested] = {}
    columns: dict[str, Nested] = {}
    kernels: dict[str, Nested] = {}
    branches: dict[str, Choice] = {}
    for key, choice in choices.items():
        part = parts[key]
        for found, noted, axes, words in (
            (rows, part.rows, slice(0, 1), "how many channels {} gives"),
            (columns, part.columns, slice(1, 2), "how many channels {} reads"),
            (kernels, part.kernels, slice(2, 4), "the kernel of {}"),
        ):
            for path in noted:
                second = found.get(path)
                what = words.format(node_of(path))
                _refuse_second(part, second and second.choice, what)
                found[path] = Nested(choice, part.sizes(noted[path], path, axes))
        for name in sorted(part.branches):
            _refuse_second(part, branches.get(name), f"whether {name} is there")
            branches[name] = choice
    return Supernet(space, graph, tuple(choices.values()), kernels, columns, rows, branches)


def _refuse_second(part: _Parts, other: Choice | None, what: str) -> None:
    if other is not None:
        raise part.decision.at.error(
            f"no superkernel realises the choice {part.key!r}: it decides {what} together with"
            f" {other.key!r}"
        )
