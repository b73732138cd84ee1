"""Published networks that share all names and shapes of tensors and compute something else.

A file's tensors prove neither epsilon, padding, activation nor how a network strides. What a
publisher's own networks have there is in the table below; each row was held against that
publisher's code (timm 1.0.31: all networks with equal names and shapes, compared module by module).
Where a file says which of them it is of, that must be what the spec says; where it says nothing,
those that differ are named.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from archspec.compiler.model import weights_of
from archspec.compiler.weights.arrays import TensorFile
from archspec.errors import Problem, SpecError
from archspec.graph import Graph
from archspec.ops import Act, BatchNorm
from archspec.ops.conv import Conv
from archspec.reading import open_regular

MAX_CONFIG = 1 << 20
"""Bytes of a config.json that is looked into."""
SAYS_WHICH = ("architecture", "arch", "model_name")
"""Keys of a file's metadata, and of timm's config.json beside it, that name a network."""

TORCH_PUBLISHERS = frozenset({"torch", "timm"})
"""Of whose names a file has to be for a row of the table to be said of it: MindSpore's publishers
call other networks by the same words."""


@dataclass(frozen=True)
class Published:
    """Networks of a publisher: a pattern of what they are called there, and one of them.

    `family` is the family of names that their tensors have; `weights` how many of them those have
    that share names and shapes with others, where not all of the family do. `epsilon` is
    that of batch norms, `padding` that of convolutions that stride, `act` the activation where it
    differs; `pools` is whether a pool or a blur strides in place of the convolutions.
    """

    pattern: str
    example: str
    family: str
    epsilon: float
    padding: str = "half"
    pools: bool = False
    act: str = ""
    weights: tuple[int, ...] = ()
    publisher: str = "timm"


_RESNET = "ResNet and ResNeXt of torchvision and timm"
_EFFICIENTNET = "EfficientNet and MobileNetV2 of timm"
_B = (311, 439, 496, 610, 738, 852, 1037)
_LITE = (247, 322, 367, 457)
_PORTS = "EfficientNet of efficientnet_pytorch"
_V3 = "MobileNetV3-Large of timm"
# fmt: off
PUBLISHED = (
    Published(r"resnet(?:18|34|50|101|152)", "resnet50", _RESNET, 1e-5),
    Published(r"resnext(?:50_32x4d|101_32x8d|101_64x4d)", "resnext50_32x4d", _RESNET, 1e-5),
    Published(r"resnetblur18", "resnetblur18", _RESNET, 1e-5, pools=True, weights=(102,)),
    Published(r"resnetblur50", "resnetblur50", _RESNET, 1e-5, pools=True, weights=(267,)),
    Published(r"resnetaa50", "resnetaa50", _RESNET, 1e-5, pools=True, weights=(267,)),
    Published(r"efficientnet_b\d", "efficientnet_b0", _EFFICIENTNET, 1e-5, weights=_B),
    Published(
        r"mobilenetv2_\d+", "mobilenetv2_100", _EFFICIENTNET, 1e-5, weights=(262,)
    ),
    Published(
        r"tf_efficientnet_b\d", "tf_efficientnet of its size", _EFFICIENTNET, 1e-3, "same",
        weights=_B,
    ),
    Published(
        r"efficientnet_blur_b0", "efficientnet_blur_b0", _EFFICIENTNET, 1e-5, pools=True,
        weights=(311,),
    ),
    Published(
        r"efficientnet_lite\d", "efficientnet_lite of its size", _EFFICIENTNET, 1e-5,
        weights=_LITE,
    ),
    Published(
        r"tf_efficientnet_lite\d", "tf_efficientnet_lite of its size", _EFFICIENTNET, 1e-3, "same",
        weights=_LITE,
    ),
    Published(
        r"efficientnet-(?:b\d|lite\d)", "networks", _PORTS, 1e-3, "same",
        publisher="efficientnet_pytorch",
    ),
    Published(r"mobilenetv3_large_\d+", "mobilenetv3_large_100", _V3, 1e-5),
    Published(r"tf_mobilenetv3_large_\d+", "tf_mobilenetv3_large_100", _V3, 1e-3, "same"),
    Published(r"cspdarknet53", "cspdarknet53", "CSPDarkNet53 of timm", 1e-5, act="leaky_relu"),
)
# fmt: on


def check_origin(file: TensorFile, graph: Graph, remedy: str) -> str | None:
    """The published network that a file says it is of, None where it names none known here. Raises
    SpecError where that computes something else than the graph; `remedy` ends the sentence."""
    for name, place in _names(file):
        for row in PUBLISHED:
            met = re.match(rf"({row.pattern})(?![A-Za-z0-9])", name)
            if met is None:
                continue
            wrong = differences(row, graph)
            if wrong:
                raise SpecError(
                    Problem(
                        f"the weights are of {row.publisher}'s {met[1]}, as {place} says; it has"
                        f" the names and shapes of {graph.name} and {_listed(wrong)}; use a spec"
                        f" that has this{_defaults(row)}{remedy}",
                        file.path,
                    )
                )
            return met[1]
    return None


def list_unproven(family: str, graph: Graph) -> list[str]:
    """What is assumed of a file by the names of a family, in sentences: that it is not of one of
    the networks that share all tensors and differ."""
    weights = len(weights_of(graph))
    return [
        f"assumed: the file is not of {row.publisher}'s {row.example}, whose tensors have the same"
        f" names and shapes; that has {_listed(wrong)}"
        for row in PUBLISHED
        if row.family == family and (not row.weights or weights in row.weights)
        if (wrong := differences(row, graph))
    ]


def differences(row: Published, graph: Graph) -> list[str]:
    """What a published network has and the graph has not."""
    return [*_different(row, graph)]


def _different(row: Published, graph: Graph) -> Iterator[str]:
    nodes = graph.nodes.values()
    epsilons = {node.op.epsilon for node in nodes if isinstance(node.op, BatchNorm)}
    if epsilons - {row.epsilon}:
        yield f"epsilon {row.epsilon:g} in batch norm (here {_some(epsilons)})"
    windows = [
        (node.op, node.layer.input_shapes)
        for node in nodes
        if isinstance(node.op, Conv) and max(node.op.kernel) > 1 and max(node.op.stride) > 1
    ]
    strides = len(windows) > 1  # the first convolution strides in all of them
    if row.pools and strides:
        yield "a pool or a blur in place of the stride of its convolutions"
    if not row.pools and any(
        replace(op, padding=row.padding).sides(shapes) != op.sides(shapes) for op, shapes in windows
    ):
        yield f"padding {row.padding!r} where its convolutions stride (here another)"
    acts = {node.op.function for node in nodes if isinstance(node.op, Act)}
    if row.act and acts != {row.act}:
        yield f"{row.act} after its convolutions (here {_some(acts)})"


def _names(file: TensorFile) -> Iterator[tuple[str, str]]:
    """By which names a file goes, and where each stands."""
    for key in SAYS_WHICH:
        if key in file.metadata:
            yield file.metadata[key], f"its metadata ({key})"
    yield Path(file.path).name, "its name"
    config = Path(file.path).parent / "config.json"
    try:
        with open_regular(str(config)) as opened:
            content = json.loads(opened.read(MAX_CONFIG))
    except (OSError, ValueError, RecursionError):
        return
    for key in SAYS_WHICH:
        if isinstance(content, dict) and isinstance(content.get(key), str):
            yield content[key], str(config)


def _defaults(row: Published) -> str:
    """How a spec of the standard templates comes to be like a row."""
    said: dict[str, dict[str, Any]] = {"batch_norm": {"epsilon": row.epsilon}}
    for template in ("ConvNormAct", "DepthwiseConvNormAct"):
        said[template] = {"padding": row.padding, **({"act": row.act} if row.act else {})}
    return "" if row.pools else f', as by "defaults": {json.dumps(said)}'


def _some(values: set[float] | set[str]) -> str:
    return " and ".join(f"{v:g}" if isinstance(v, float) else str(v) for v in sorted(values))


def _listed(parts: Sequence[str]) -> str:
    return ", and ".join(parts)
