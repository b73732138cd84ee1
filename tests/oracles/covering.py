"""Networks that together have all that the shipped ones have: what is tried with each network, at
length, is tried with these by make test and with all by make nightly."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from archspec.graph import Graph

COVERING = frozenset(
    (
        "convnextv2_atto", "cspdarknet53_detector", "efficientformer_l1", "efficientnet_b0",
        "efficientnet_lite0", "efficientvit_b0", "mobilenet_v3_large", "poolformer_s12",
        "resnet18", "shufflenet_v2_x1_0", "spaces/tiny", "swin_tiny_patch4_window7_224",
        "tiny/cspdarknet", "tiny/isynet", "tiny/resnext", "tiny/spnas", "unet", "unet_transposed",
        "vit_tiny_patch16_224",
    )
)  # fmt: skip


def each_network(names: Iterable[str]) -> list[Any]:
    """Parameters of a test, of which those that the others cover are slow."""
    return [name if name in COVERING else slow(name) for name in names]


def slow(*values: Any) -> Any:
    """Values of a test's parameters that make nightly takes."""
    return pytest.param(*values, marks=pytest.mark.slow)


def features_of(graph: Graph) -> set[tuple[Any, ...]]:
    """The ops of a network, each with the words that say which of its kinds it is, and whether it
    has groups. How it is padded is tried with the ops themselves."""
    found: set[tuple[Any, ...]] = set()
    for node in graph.nodes.values():
        written = node.op.written_attributes()
        words = {
            value for name, value in written.items() if isinstance(value, str) and name != "padding"
        }
        found |= {(node.op.name,), *((node.op.name, word) for word in words)}
        if written.get("groups", 1) != 1:
            found.add((node.op.name, "groups"))
    return found
