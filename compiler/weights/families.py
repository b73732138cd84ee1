"""Name maps: by which rules a publisher names the weights of a family of networks.

A rule pairs two patterns, ours and theirs: "stage{s}.block{b}.reduce.conv" with
"layer{s}.{b-1}.conv1". Ours is matched with a graph's node names, which gives the numbers in
braces; theirs is then written with them, with sums such as {b-1} and {5*s-2}. So every weight of a
graph has one source by rule or none, and nothing depends on the order of a file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from math import prod

import numpy as np

from archspec.compiler.weights.arrays import Array
from archspec.compiler.weights.layouts import TORCH_COUNTER
from archspec.graph import Graph
from archspec.node import Node
from archspec.shapes import Shape

OPTIMIZER = (
    r"(?P<kind>moments|moment1|moment2|adam_m|adam_v|accum|accumulation)\..*",
    r"(?P<kind>momentum|global_step|learning_rate|beta1_power|beta2_power|weight_decay|loss_scale)",
    r"(?P<kind>scale_sense|current_iterator_step|last_overflow_iterator_step|growth_tracker)",
    r"(?P<kind>epoch_num|step_num|epoch|step)",
)
"""What MindSpore's training leaves in a checkpoint apart from the network."""

TORCH_COUNTERS = (rf".*\.(?P<kind>{TORCH_COUNTER})",)
"""PyTorch's batch norm counts its steps, which only matters where it has no momentum."""

TORCH_WRAPPED = ((r"^(?:module|_orig_mod)\.", ""),)
"""What DataParallel and torch.compile put before all names, as a family's rewrites."""


@dataclass(frozen=True)
class Rule:
    """Our node and their module, as patterns.

    `unless` and `given` are patterns of our nodes: the rule holds where such a node is not, or is,
    in the graph. {*} in theirs is one tensor a group of a grouped convolution, stacked; {q|k|v} is
    one of each of these, stacked in this order. `share`
    (start, stop, of) takes the parts from start up to stop of the equal parts that their rows have:
    (0, 1, 2) is the first half; with `heads`, the name of our attention, of each of its heads'
    rows. `swap` exchanges the halves of the input channels, where a concat has the other order.
    `pixel` says that our dense layer is their 1x1 convolution of a single pixel, `linear` that our
    1x1 convolution (or map of one pixel) is their dense layer (or vector), `spread` that our vector
    is their map of one pixel, `turned` that our first axis is their last, `lead` that theirs has
    so many axes of 1 before.
    """

    ours: str
    theirs: str
    unless: str = ""
    given: str = ""
    share: tuple[int, int, int] | None = None
    heads: str = ""
    swap: bool = False
    pixel: bool = False
    linear: bool = False
    spread: bool = False
    turned: bool = False
    lead: int = 0


def conv_norm(
    ours: str, conv: str, norm: str, unless: str = "", given: str = ""
) -> tuple[Rule, Rule]:
    """The rules of a ConvNormAct."""
    return (
        Rule(f"{ours}.conv", conv, unless, given),
        Rule(f"{ours}.norm", norm, unless, given),
    )


@dataclass(frozen=True)
class Note:
    """What a file cannot show and is known: said of a graph where `holds` is true of it."""

    text: str
    holds: Callable[[Graph], bool] = lambda graph: True


@dataclass(frozen=True)
class Names:
    """A file's names brought to the form that a family's rules speak of.

    `renamed` is the rules' name of each name that counts, `ignored` what is left out by name, with
    the kind of thing it is.
    """

    renamed: Mapping[str, str]
    ignored: Mapping[str, str]


Rewriting = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Family:
    """A publisher's names for a family of networks.

    `counted` is a pattern of ours whose different matches, in execution order, are counted from 0:
    {i} in a rule is that number and {n} how many there are. `rewrites` are regular expressions and
    their replacements that bring the file's names to the rules' form; `canonical` does so where
    that takes more than single names, and `parts` says which networks a file holds where it may
    hold several. `ignored` are patterns of names that are not weights of the
    network; `heads` are modules of theirs that a graph without such a part does not need. `notes`
    say what the networks differ in although the tensors fit. `speaks_of` says whether a graph
    whose nodes all have rules is of the family, where others are built of the same blocks.
    """

    name: str
    publishers: tuple[str, ...]
    layout: Mapping[str, Mapping[str, str]]
    rules: tuple[Rule, ...]
    counted: str = ""
    rewrites: Rewriting = ()
    canonical: Callable[[Sequence[str], int], Names] | None = None
    parts: Callable[[Sequence[str]], list[int]] | None = None
    ignored: tuple[str, ...] = ()
    heads: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    speaks_of: Callable[[Graph], bool] = lambda graph: True

    def names(self, found: Sequence[str], part: int) -> Names:
        """The names of a file as the rules have them, for one of the networks in it."""
        renamed: dict[str, str] = {}
        ignored: dict[str, str] = {}
        for name in found:
            kind = _kind(self.ignored, name)
            if kind is not None:
                ignored[name] = kind
            else:
                renamed[name] = _rewrite(name, self.rewrites)
        if self.canonical is None:
            return Names(renamed, ignored)
        further = self.canonical(list(renamed), part)
        return Names(further.renamed, {**ignored, **further.ignored})


@dataclass(frozen=True)
class Source:
    """Where a weight comes from: tensors of theirs, stacked along the first axis if several, and
    the rule that says so and what else is done to them (None: nothing, by another way than rules).
    """

    names: tuple[str, ...]
    rule: Rule | None = None
    heads: int = 1

    @property
    def fraction(self) -> Fraction:
        """How much of the tensors the weight is."""
        if self.rule is None or self.rule.share is None:
            return Fraction(1)
        start, stop, of = self.rule.share
        return Fraction(stop - start, of)

    def piece_shape(self, shape: Shape) -> Shape:
        """The shape of each of the tensors for a weight of this one."""
        if self.rule is None:
            return shape
        rows, *others = shape
        if self.rule.turned and others:
            return (*(1 for _ in shape[2:]), prod(others), rows)
        if self.rule.linear and others[-2:] == [1, 1]:
            others = others[:-2]
        elif self.rule.pixel and len(others) == 1:
            others = [*others, 1, 1]
        elif self.rule.spread:
            others = [1, 1]
        lead = (1,) * self.rule.lead
        return (*lead, int(rows / self.fraction) // len(self.names), *others)

    def assemble(self, pieces: Sequence[Array], shape: Shape) -> Array:
        """The weight from the tensors."""
        whole = pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
        rule = self.rule
        if rule is not None and rule.share is not None:
            start, stop, of = rule.share
            whole = whole.reshape(self.heads, of, -1, *whole.shape[1:])[:, start:stop]
        if rule is not None and rule.turned:
            whole = whole.reshape(-1, shape[0]).T
        if rule is not None and rule.swap and whole.ndim > 1:
            whole = np.roll(whole, whole.shape[1] // 2, axis=1)
        return whole.reshape(shape)


def sources(family: Family, graph: Graph) -> dict[str, Source] | None:
    """The source of each weight by the family's rules; None where a node has no rule, or where the
    graph is of another family that has the same nodes."""
    if not family.speaks_of(graph):
        return None
    counts = _counts(family, graph)
    result: dict[str, Source] = {}
    for node in graph.nodes.values():
        if not node.layer.weights:
            continue
        found = _rule(family, graph, node, counts)
        suffixes = family.layout.get(node.op.name)
        if found is None or suffixes is None:
            return None
        rule, module, heads = found
        for weight in node.layer.weights:
            names = (".".join(filter(None, (module, suffixes[weight.name]))),)
            if "{*}" in module:
                groups = node.op.work().groups
                names = tuple(names[0].replace("{*}", str(group)) for group in range(groups))
            elif several := re.search(r"\{(\w(?:\|\w)+)\}", module):
                names = tuple(names[0].replace(several[0], part) for part in several[1].split("|"))
            result[f"{node.name}.{weight.name}"] = Source(names, rule, heads)
    return result


def modules_of(family: Family, graph: Graph) -> dict[str, str]:
    """What each node with weights that has a rule is called in the file."""
    counts = _counts(family, graph)
    found = {
        node.name: _rule(family, graph, node, counts)
        for node in graph.nodes.values()
        if node.layer.weights
    }
    return {name: rule[1] for name, rule in found.items() if rule is not None}


def _rule(
    family: Family, graph: Graph, node: Node, counts: Mapping[str, int]
) -> tuple[Rule, str, int] | None:
    """The first rule of a node, the name of their module, and how many heads it says there are."""
    for rule in family.rules:
        match = compiled_pattern(rule.ours).fullmatch(node.name)
        if match is None:
            continue
        numbers = {key: int(value) for key, value in match.groupdict().items()}
        if rule.unless and fill_in(rule.unless, numbers) in graph.nodes:
            continue
        if rule.given and fill_in(rule.given, numbers) not in graph.nodes:
            continue
        heads = _heads(rule, graph, numbers)
        if heads is None:
            continue
        if family.counted:
            block = compiled_pattern(family.counted).match(node.name)
            numbers["i"] = counts[block.group()] if block else 0
            numbers["n"] = len(counts)
        return rule, fill_in(rule.theirs, numbers), heads
    return None


def _heads(rule: Rule, graph: Graph, numbers: Mapping[str, int]) -> int | None:
    """How many heads have a share each; None where the attention that says so is not there."""
    if not rule.heads:
        return 1
    found = graph.nodes.get(fill_in(rule.heads, numbers))
    return getattr(found.op, "heads", None) if found is not None else None


def _counts(family: Family, graph: Graph) -> dict[str, int]:
    """The blocks that a family counts, in execution order, with their numbers."""
    counts: dict[str, int] = {}
    if family.counted:
        pattern = compiled_pattern(family.counted)
        for name in graph.nodes:
            block = pattern.match(name)
            if block:
                counts.setdefault(block.group(), len(counts))
    return counts


def fill_in(pattern: str, numbers: Mapping[str, int]) -> str:
    """A pattern with its sums worked out: {b-1} and {5*s-2}; {*} stays."""

    def value(match: re.Match[str]) -> str:
        factor, name, summand = match.groups()
        return str(int(factor or 1) * numbers[name] + int(summand or 0))

    return re.sub(r"\{(?:(\d+)\*)?([a-z])([+-]\d+)?\}", value, pattern)


@cache
def compiled_pattern(pattern: str) -> re.Pattern[str]:
    """{b} is a number; what follows a whole name in a match begins a new part of it."""
    parts = re.split(r"\{([a-z])\}", pattern)
    text = "".join(
        re.escape(part) if index % 2 == 0 else rf"(?P<{part}>\d+)"
        for index, part in enumerate(parts)
    )
    return re.compile(text + r"(?=\.|$)")


def _rewrite(name: str, rewrites: Rewriting) -> str:
    for pattern, replacement in rewrites:
        name = re.sub(pattern, replacement, name)
    return name


def _kind(patterns: Sequence[str], name: str) -> str | None:
    """What a name that is left out is: the group "kind" of the pattern that it meets."""
    for pattern in patterns:
        match = re.fullmatch(pattern, name)
        if match:
            return match["kind"]
    return None
