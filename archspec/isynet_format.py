"""Reading the original ISyNet JSON (MindSpore models, research/cv/ISyNet) as a spec.

The rules, as the original code has them: stage s gives C = 16 * int(2 ** (4 + s) * 2 ** cIncrease
/ 16) channels and E = 16 * int(2 ** (4 + s) * expantionFactor * 2 ** cIncrease / 16) between its
operations; the last operation that is not identity gives C; block 0 of a stage halves the
resolution and never has a skip; "Linear" leaves out the activation of the last edge only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from archspec.check_values import check_object
from archspec.document import At, Document
from archspec.document_schema import VERSION
from archspec.errors import SpecError
from archspec.schema import closed_object

IDENTITY = "identity"
SKIPS = {"noSkip": "none", "add": "add", "concat": "concat"}
_SQUARE = re.compile(r"conv_([1357])x\1")
_SEPARABLE = re.compile(r"conv_1x([357])_\1x1")
_OPERATIONS = [
    "conv_1x1", "conv_3x3", "conv_5x5", "conv_7x7",
    "conv_1x3_3x1", "conv_1x5_5x1", "conv_1x7_7x1", IDENTITY,
]  # fmt: skip

_BLOCK = closed_object(
    {
        "expantionFactor": {"type": "number", "exclusiveMinimum": 0, "maximum": 64},
        "operations": {
            "type": "array",
            "minItems": 1,
            "items": closed_object(
                {
                    "op": {"enum": _OPERATIONS},
                    "group": {"type": "integer", "minimum": 1, "maximum": 4096},
                },
                ("op",),
            ),
        },
        "lastActivation": {"enum": ["Relu", "Linear"]},
        "skipType": {"enum": list(SKIPS)},
        "nBlocks": {"type": "integer", "minimum": 1, "maximum": 1000},
        "cIncrease": {"type": "number", "minimum": -8, "maximum": 8},
    },
    ("expantionFactor", "operations", "lastActivation", "skipType", "nBlocks"),
)
_NETWORK = closed_object(
    {
        "nStages": {"type": "integer", "minimum": 1, "maximum": 16},
        "nEdgesInBlock": {"type": "integer", "minimum": 1, "maximum": 64},
        "Blocks": {"type": "object", "additionalProperties": _BLOCK},
    },
    ("nStages", "nEdgesInBlock", "Blocks"),
)


class Imported(NamedTuple):
    """The spec, and what of the original a reader would not expect and the spec preserves."""

    spec: dict[str, Any]
    quirks: list[str]


def import_isynet(document: Document, name: str) -> Imported:
    """Read a network in the original format. Raises SpecError with every problem."""
    at = At(document)
    if not isinstance(document.data, dict):
        raise at.error("an ISyNet network is an object with nStages, nEdgesInBlock and Blocks")
    problems = check_object(_NETWORK, at, "an ISyNet network")
    if problems:
        raise SpecError(problems)
    blocks: Mapping[str, Any] = document.data["Blocks"]
    stages = document.data["nStages"]
    wanted = [str(stage) for stage in range(stages)]
    if sorted(blocks) != sorted(wanted):
        raise (at / "Blocks").error(
            f"Blocks has the keys {', '.join(blocks)} and nStages is {stages};"
            f" use {', '.join(wanted)}"
        )
    quirks: list[str] = []
    edges = document.data["nEdgesInBlock"]
    rows = [
        _row(stage, blocks[str(stage)], edges, at / "Blocks" / str(stage), quirks)
        for stage in range(stages)
    ]
    depths = [blocks[str(stage)]["nBlocks"] for stage in range(stages)]
    quirks.append(
        "the original's configs train with 1001 classes and a batch norm after them:"
        " --set classes=1001 --set last_norm=true"
    )
    return Imported(_spec(name, rows, depths), quirks)


def _spec(name: str, rows: list[dict[str, Any]], depths: list[int]) -> dict[str, Any]:
    return {
        "archspec": VERSION,
        "name": name,
        "doc": "Imported from the original ISyNet format.",
        "source": {"paper": "arXiv 2109.01932"},
        "input": {
            "shape": [3, 224, 224],
            "resize": 256,
            "crop": 224,
            "interpolation": "bilinear",
            "mean": [0.485, 0.456, 0.406],
            "std": [0.229, 0.224, 0.225],
        },
        "import": {"isynet": "blocks/isynet"},
        "args": {"classes": 1000, "depths": depths, "dropout": 0.0, "last_norm": False},
        "body": [
            {"op": "isynet.Stage", "name": "stage", "each": rows},
            {"op": "ConvNormAct", "name": "head", "kernel": 1, "channels": 1280},
            {
                "op": "Classifier",
                "name": "classifier",
                "classes": "=classes",
                "dropout": "=dropout",
            },
            {"op": "batch_norm", "name": "last_norm", "when": "=last_norm"},
        ],
    }


def _row(
    stage: int, block: Mapping[str, Any], edges: int, at: At, quirks: list[str]
) -> dict[str, Any]:
    """The arguments of one stage's call."""
    operations = block["operations"]
    if len(operations) != edges:
        raise (at / "operations").error(
            f"there are {len(operations)} operations and nEdgesInBlock is {edges}; they must"
            " be as many"
        )
    if operations[0]["op"] == IDENTITY:
        raise (at / "operations" / 0).error(
            "the first operation is identity, so nothing would halve the resolution; the original"
            " cannot build it either"
        )
    base = 2 ** (4 + stage) * 2 ** block.get("cIncrease", 0)
    channels = 16 * int(base / 16)
    middle = 16 * int(base * block["expantionFactor"] / 16)
    if channels < 1 or middle < 1:
        raise at.error("the channels round down to 0; use a larger cIncrease or expantionFactor")
    kept = [operation for operation in operations if operation["op"] != IDENTITY]
    row: dict[str, Any] = {
        "channels": channels,
        "depth": f"=depths[{stage}]",
        "operations": [_operation(operation) for operation in kept],
    }
    if middle != channels and len(kept) > 1:
        row["middle"] = middle
    row.update(_skip_and_activation(stage, block, quirks))
    _note_quirks(stage, block, base, middle, len(kept), quirks)
    return row


def _operation(operation: Mapping[str, Any]) -> dict[str, Any]:
    separable = _SEPARABLE.fullmatch(operation["op"])
    square = _SQUARE.fullmatch(operation["op"])
    match = separable or square
    assert match is not None, "the schema lets no other operation pass"
    result: dict[str, Any] = {"kernel": int(match.group(1))}
    if separable:
        result["separable"] = True
    if operation.get("group", 1) != 1:
        result["groups"] = operation["group"]
    return result


def _skip_and_activation(stage: int, block: Mapping[str, Any], quirks: list[str]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    if block["skipType"] != "add":
        result["skip"] = SKIPS[block["skipType"]]
    if block["lastActivation"] == "Linear":
        if block["operations"][-1]["op"] == IDENTITY:
            quirks.append(
                f"stage {stage}: lastActivation Linear has no effect, since the last edge is"
                " identity; every operation keeps its ReLU"
            )
        else:
            result["act"] = "none"
    return result


def _note_quirks(
    stage: int, block: Mapping[str, Any], base: float, middle: int, kept: int, quirks: list[str]
) -> None:
    if block["skipType"] != "noSkip" and block["nBlocks"] == 1:
        quirks.append(
            f"stage {stage}: skipType {block['skipType']} has no effect, since the first block of a"
            " stage never has a skip"
        )
    if base % 16 or (base * block["expantionFactor"]) % 16:
        quirks.append(f"stage {stage}: channels are rounded down to multiples of 16")
    if middle != 16 * int(base / 16) and kept == 1:
        quirks.append(
            f"stage {stage}: expantionFactor has no effect, since the only operation gives the"
            " stage's channels"
        )
    if any(operation.get("group", 1) > 1 for operation in block["operations"]):
        quirks.append(
            f"stage {stage}: grouped operations are kept; the original gives them weights of full"
            " width and fails when it runs"
        )
    if block["skipType"] == "concat" and block["nBlocks"] > 2:
        quirks.append(
            f"stage {stage}: concat skips widen every block; the original declares the stage's"
            " channels for the next and fails when it runs"
        )
