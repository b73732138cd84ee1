"""How MindSpore's model zoo names its weights (mindspore/models at eab643f5)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from archspec.compiler.weights.families import OPTIMIZER, Family, Names, Rule
from archspec.compiler.weights.layouts import MINDSPORE

_ISYNET_NAME = re.compile(
    r"(?P<side>backbone|head)(?P<part>\d+)\.(?P<rest>.+)",
)
_ISYNET_EDGE = re.compile(
    r"all_cells\.(?P<cell>\d+)\.content_cell\.(?P<stage>\d+)_(?P<block>\d+)_(?P<edge>\d+)\.(?P<rest>.+)"
)


def isynet_names(found: Sequence[str], part: int) -> Names:
    """The names of one of a file's networks (backbone1 and head1, backbone2 and head2), its edges
    counted without the identities, which have no weights: the file has edges 0, 1 and 3 where the
    spec has operations 1, 2 and 3."""
    renamed: dict[str, str] = {}
    ignored: dict[str, str] = {}
    edges: dict[tuple[str, str], set[int]] = {}
    for name in found:
        match = _ISYNET_NAME.fullmatch(name)
        if match and int(match["part"]) != part:
            ignored[name] = f"network {match['part']} of the file"
        elif match:
            renamed[name] = f"{match['side']}.{match['rest']}"
            edge = _ISYNET_EDGE.fullmatch(match["rest"])
            if edge:
                edges.setdefault((edge["stage"], edge["block"]), set()).add(int(edge["edge"]))
        else:
            renamed[name] = name
    for name, inner in renamed.items():
        edge = _ISYNET_EDGE.fullmatch(inner.removeprefix("backbone."))
        if edge:
            place = sorted(edges[edge["stage"], edge["block"]]).index(int(edge["edge"])) + 1
            renamed[name] = (
                f"backbone.all_cells.{edge['cell']}.content_cell.{edge['stage']}_{edge['block']}"
                f"_{place}.{edge['rest']}"
            )
    return Names(renamed, ignored)


def isynet_parts(found: Sequence[str]) -> list[int]:
    """The numbers of the networks in a file of ISyNets, two after deep mutual learning."""
    matches = map(_ISYNET_NAME.fullmatch, found)
    return sorted({int(match["part"]) for match in matches if match})


_OPERATION = "stage{s}.block{b}.operation{o}"
_EDGE = "backbone.all_cells.{i}.content_cell.{s-1}_{b-1}_{o}.layers"

ISYNET = Family(
    name="ISyNet of the model zoo",
    publishers=("modelzoo",),
    layout=MINDSPORE,
    counted="stage{s}.block{b}",
    canonical=isynet_names,
    parts=isynet_parts,
    ignored=OPTIMIZER,
    rules=(
        Rule(f"{_OPERATION}.conv", f"{_EDGE}.0"),
        Rule(f"{_OPERATION}.column", f"{_EDGE}.0"),
        Rule(f"{_OPERATION}.row", f"{_EDGE}.1"),
        Rule(f"{_OPERATION}.norm", f"{_EDGE}.1", unless=f"{_OPERATION}.row"),
        Rule(f"{_OPERATION}.norm", f"{_EDGE}.2", given=f"{_OPERATION}.row"),
        Rule("head.conv", "head._conv_head"),
        Rule("head.norm", "head._bn1"),
        Rule("classifier.dense", "head._fc"),
        Rule("last_norm", "head._bn2"),
    ),
)

_LEADING_NETWORK = ((r"^network\.", ""),)


def _dark(ours: str, theirs: str) -> tuple[Rule, Rule]:
    return Rule(f"{ours}.conv", f"{theirs}.0"), Rule(f"{ours}.norm", f"{theirs}.1")


CSPDARKNET = Family(
    name="CSPDarkNet53 of the model zoo",
    publishers=("modelzoo",),
    layout=MINDSPORE,
    rewrites=_LEADING_NETWORK,
    ignored=OPTIMIZER,
    heads=("head.fc",),
    rules=(
        *_dark("stem", "backbone.conv0"),
        *_dark("stage1.down", "backbone.conv1"),
        *_dark("stage1.main.enter", "backbone.conv2"),
        *_dark("stage1.main.block1.reduce", "backbone.conv3"),
        *_dark("stage1.main.block1.expand", "backbone.conv4"),
        *_dark("stage1.main.leave", "backbone.conv5"),
        *_dark("stage1.cross.enter", "backbone.conv6"),
        *_dark("stage1.merge", "backbone.conv7"),
        # eight convolutions before stage 2, then five a stage apart from those of its blocks
        *_dark("stage{s}.down", "backbone.conv{5*s-2}"),
        *_dark("stage{s}.main.enter", "backbone.conv{5*s-1}"),
        *_dark("stage{s}.main.block{b}.reduce", "backbone.layer{s}.{b-1}.conv1"),
        *_dark("stage{s}.main.block{b}.expand", "backbone.layer{s}.{b-1}.conv2"),
        *_dark("stage{s}.main.leave", "backbone.conv{5*s+0}"),
        *_dark("stage{s}.cross.enter", "backbone.conv{5*s+1}"),
        *_dark("stage{s}.merge", "backbone.conv{5*s+2}"),
        Rule("classifier.dense", "head.fc"),
    ),
)

_BLOCK = "stage{s}.block{b}"
_LAYER = "backbone.layer{s}.{b-1}"


def _resnext(layout: str, grouped: str) -> Family:
    return Family(
        name=f"ResNeXt of the model zoo, {layout}",
        publishers=("modelzoo",),
        layout=MINDSPORE,
        rewrites=_LEADING_NETWORK,
        ignored=OPTIMIZER,
        rules=(
            Rule("stem.conv", "backbone.conv"),
            Rule("stem.norm", "backbone.bn"),
            Rule(f"{_BLOCK}.reduce.conv", f"{_LAYER}.conv1"),
            Rule(f"{_BLOCK}.reduce.norm", f"{_LAYER}.bn1"),
            Rule(f"{_BLOCK}.spatial.conv", f"{_LAYER}.{grouped}"),
            Rule(f"{_BLOCK}.spatial.norm", f"{_LAYER}.bn2"),
            Rule(f"{_BLOCK}.expand.conv", f"{_LAYER}.conv3"),
            Rule(f"{_BLOCK}.expand.norm", f"{_LAYER}.bn3"),
            Rule(f"{_BLOCK}.shortcut.project.conv", f"{_LAYER}.down_sample.conv"),
            Rule(f"{_BLOCK}.shortcut.project.norm", f"{_LAYER}.down_sample.bn"),
            Rule("classifier.dense", "head.fc"),
        ),
    )


RESNEXT_GPU = _resnext("GPU layout", "conv2")
RESNEXT_ASCEND = _resnext("Ascend layout", "conv2.convs.{*}")


def _unit(ours: str, theirs: str) -> tuple[Rule, ...]:
    return (
        Rule(f"{ours}.expand.conv", f"{theirs}.exp_conv.conv"),
        Rule(f"{ours}.expand.norm", f"{theirs}.exp_conv.bn"),
        Rule(f"{ours}.depthwise.conv", f"{theirs}.conv1.conv"),
        Rule(f"{ours}.depthwise.norm", f"{theirs}.conv1.bn"),
        Rule(f"{ours}.project.conv", f"{theirs}.conv2.conv"),
        Rule(f"{ours}.project.norm", f"{theirs}.conv2.bn"),
    )


SPNASNET = Family(
    name="Single-Path-NAS of the model zoo",
    publishers=("modelzoo",),
    layout=MINDSPORE,
    # train.py puts "huawei" before all names; "features." was there until MindSpore 2
    rewrites=((r"^huawei", ""), (r"^features\.", "")),
    ignored=OPTIMIZER,
    rules=(
        Rule("stem.conv", "0.conv1.conv"),
        Rule("stem.norm", "0.conv1.bn"),
        *_unit("first", "0.conv2"),
        *_unit("stage5.layer{b}", "4.{b+3}"),
        *_unit("stage{s}.layer{b}", "{s}.{b-1}"),
        *_unit("last", "5.conv1"),
        Rule("head.conv", "5.conv2.conv"),
        Rule("head.norm", "5.conv2.bn"),
        Rule("classifier.dense", "output"),
    ),
)

FAMILIES = (ISYNET, CSPDARKNET, RESNEXT_GPU, RESNEXT_ASCEND, SPNASNET)
