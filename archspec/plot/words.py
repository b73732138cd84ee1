"""What is written on a row: an op as a paper would name it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archspec.node import Node
from archspec.shapes import Shape

TIMES = "\u00d7"
_FUNCTIONS = {
    "relu": "ReLU",
    "relu6": "ReLU6",
    "leaky_relu": "leaky ReLU",
    "prelu": "PReLU",
    "elu": "ELU",
    "gelu": "GELU",
    "silu": "SiLU",
    "hswish": "h-swish",
    "hsigmoid": "h-sigmoid",
    "mish": "Mish",
}
_SHORT = {"batch_norm": "BN", "layer_norm": "LN", "group_norm": "GN"}
_HEAVY = ("conv", "dense", "pool")
_ALONE = ("split", "slice", "upsample", "merge")


def is_heavy(node: Node) -> bool:
    """Whether the op is the one a row is about; a row has at most one of them."""
    return node.op.category in _HEAVY or node.op.name in _ALONE


def op_words(node: Node) -> str:
    """One op, e.g. "conv 3x3 /2, 64", "BN", "max pool 3x3 /2"."""
    op: Any = node.op
    name = op.name
    if name == "conv":
        return _conv(node)
    if name == "act":
        function: str = op.function
        return _FUNCTIONS.get(function, function)
    if name == "dense":
        return f"dense {op.channels}"
    if name in ("max_pool", "avg_pool"):
        return f"{_plain(name)} {_size(op.kernel)}{_stride(op.stride)}"
    if name == "dropout":
        return f"dropout {op.rate:g}"
    if name == "upsample":
        return f"upsample {TIMES}{op.scale[0]}" if op.scale[0] == op.scale[1] else "upsample"
    if name == "slice":
        return f"slice {op.start}:{'' if op.stop is None else op.stop}"
    if name == "split":
        return f"split {op.parts}"
    if name == "channel_shuffle":
        return f"shuffle {op.groups}"
    return _SHORT[name] if name in _SHORT else _plain(name)


def shape_words(shape: Shape) -> str:
    return TIMES.join(map(str, shape))


def count_words(count: float) -> str:
    """A count with three digits and its unit: 7.42 M."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if count >= size:
            number = count / size
            return f"{number:.{2 if number < 10 else 1 if number < 100 else 0}f} {unit}"
    return f"{count:.0f}"


def run_words(nodes: Sequence[Node]) -> tuple[str, str]:
    """A run of ops as its first words and the rest: ("conv 3x3, 64", "BN · ReLU")."""
    words = [op_words(node) for node in nodes if node.op.name != "flatten" or len(nodes) == 1]
    heavy = [index for index, node in enumerate(nodes) if is_heavy(node)]
    cut = 1 if not heavy or heavy[0] == 0 else len(words)
    return " · ".join(words[:cut]), " · ".join(words[cut:])


def _conv(node: Node) -> str:
    op: Any = node.op
    given = node.layer.input_shapes[0][0]
    depthwise = op.groups == given > 1
    words = f"{'dw conv' if depthwise else 'conv'} {_size(op.kernel)}{_stride(op.stride)}"
    if op.dilation != (1, 1):
        words += f" d{op.dilation[0]}"
    if op.groups > 1 and not depthwise:
        words += f" g{op.groups}"
    return f"{words}, {op.channels}"


def _size(pair: tuple[int, int]) -> str:
    return f"{pair[0]}{TIMES}{pair[1]}"


def _stride(pair: tuple[int, int]) -> str:
    if pair == (1, 1):
        return ""
    return f" /{pair[0]}" if pair[0] == pair[1] else f" /{pair[0]},{pair[1]}"


def _plain(name: str) -> str:
    return name.replace("_", " ")
