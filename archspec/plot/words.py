"""What is written on a row: an op as a paper would name it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

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
    "reciprocal": "1/x",
}


class Words(NamedTuple):
    """How an op is written, and whether it is heavy: one that a row can be about."""

    of: Callable[[Node], str]
    is_heavy: bool = False


def is_heavy(node: Node) -> bool:
    """Whether the op is the one a row is about; a row has at most one of them."""
    return WORDS[node.op.name].is_heavy


def op_words(node: Node) -> str:
    """One op, e.g. "conv 3x3 /2, 64", "BN", "max pool 3x3 /2", "conv 3x3, 64 (as stem)"."""
    words = WORDS[node.op.name].of(node)
    return f"{words} (as {node.owner})" if node.borrows and is_heavy(node) else words


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


def _permute(node: Node) -> str:
    op: Any = node.op
    return f"permute {''.join(name[0].upper() for name in op.order)}"


def _reshape(node: Node) -> str:
    return f"reshape {shape_words(node.layer.output_shapes[0])}"


def _param(node: Node) -> str:
    return f"param {shape_words(node.layer.output_shapes[0])}"


def _conv_transpose(node: Node) -> str:
    op: Any = node.op
    groups = f" g{op.groups}" if op.groups > 1 else ""
    scale = "" if op.stride == (1, 1) else f" {TIMES}{shape_words(tuple(dict.fromkeys(op.stride)))}"
    return f"transposed conv {_size(op.kernel)}{scale}{groups}, {op.channels}"


def _size(pair: tuple[int, int]) -> str:
    return f"{pair[0]}{TIMES}{pair[1]}"


def _stride(pair: tuple[int, int]) -> str:
    if pair == (1, 1):
        return ""
    return f" /{pair[0]}" if pair[0] == pair[1] else f" /{pair[0]},{pair[1]}"


def _always(words: str) -> Callable[[Node], str]:
    return lambda node: words


def _format_attributes(pattern: str) -> Callable[[Node], str]:
    """Words with the op's attributes in braces."""
    return lambda node: pattern.format_map(vars(node.op))


def _act(node: Node) -> str:
    function: str = vars(node.op)["function"]
    return _FUNCTIONS.get(function, function)


def _softmax(node: Node) -> str:
    op: Any = node.op
    return "softmax" if op.axis == "channels" else f"softmax {op.axis}"


def _scale(node: Node) -> str:
    op: Any = node.op
    factor = f"{TIMES}{op.factor:g}" if op.factor != 1 or not op.offset else ""
    return f"{factor} {op.offset:+g}".strip() if op.offset else factor


def _attention(node: Node) -> str:
    op: Any = node.op
    words = "attention, 1 head" if op.heads == 1 else f"attention, {op.heads} heads"
    if op.partition == "none":
        return words
    moved = " moved" if any(op.shift) else ""
    return f"{words}, {_size(op.window)} {op.partition}s{moved}"


def _pool(node: Node) -> str:
    op: Any = node.op
    return f"{op.name.replace('_', ' ')} {_size(op.kernel)}{_stride(op.stride)}"


def _adaptive(node: Node) -> str:
    op: Any = node.op
    return f"{op.name.replace('_', ' ')} to {_size(op.size)}"


def _slice(node: Node) -> str:
    op: Any = node.op
    return f"slice {op.start}:{'' if op.stop is None else op.stop}"


def _split(node: Node) -> str:
    op: Any = node.op
    groups = f" g{op.groups}" if op.groups > 1 else ""
    return f"split {op.parts or ','.join(map(str, op.sizes))}{groups}"


def _upsample(node: Node) -> str:
    op: Any = node.op
    factors = op.factors(node.layer.input_shapes)
    if factors is None:
        _, height, width = node.layer.output_shapes[0]
        return f"resize to {_size((height, width))}"
    return f"upsample {TIMES}{factors[0]}" if factors[0] == factors[1] else "upsample"


WORDS: Mapping[str, Words] = {
    "conv": Words(_conv, is_heavy=True),
    "conv_transpose": Words(_conv_transpose, is_heavy=True),
    "dense": Words(_format_attributes("dense {channels}"), is_heavy=True),
    "param": Words(_param, is_heavy=True),
    "batch_norm": Words(_always("BN")),
    "layer_norm": Words(_always("LN")),
    "group_norm": Words(_always("GN")),
    "instance_norm": Words(_always("IN")),
    "rms_norm": Words(_always("RMS norm")),
    "local_response_norm": Words(_format_attributes("LRN {size}")),
    "act": Words(_act),
    "softmax": Words(_softmax),
    "scale": Words(_scale),
    "max_pool": Words(_pool, is_heavy=True),
    "avg_pool": Words(_pool, is_heavy=True),
    "global_avg_pool": Words(_always("global avg pool"), is_heavy=True),
    "global_max_pool": Words(_always("global max pool"), is_heavy=True),
    "adaptive_avg_pool": Words(_adaptive, is_heavy=True),
    "adaptive_max_pool": Words(_adaptive, is_heavy=True),
    "reduce": Words(_format_attributes("{function} over {over}"), is_heavy=True),
    "dropout": Words(_format_attributes("dropout {rate:g}")),
    "drop_path": Words(_always("drop path")),
    "layer_scale": Words(_always("layer scale")),
    "add": Words(_always("add")),
    "sub": Words(_always("sub")),
    "mul": Words(_always("mul")),
    "div": Words(_always("div")),
    "max": Words(_always("max")),
    "min": Words(_always("min")),
    "concat": Words(_always("concat")),
    "matmul": Words(_always("matmul"), is_heavy=True),
    "attention": Words(_attention, is_heavy=True),
    "permute": Words(_permute),
    "reshape": Words(_reshape),
    "flatten": Words(_always("flatten")),
    "split": Words(_split, is_heavy=True),
    "slice": Words(_slice, is_heavy=True),
    "channel_shuffle": Words(_format_attributes("shuffle {groups}")),
    "upsample": Words(_upsample, is_heavy=True),
    "pad": Words(_always("pad")),
    "identity": Words(_always("identity")),
    "zero": Words(_always("zero")),
    "pixel_shuffle": Words(_format_attributes(f"pixel shuffle {TIMES}{{factor}}"), is_heavy=True),
    "space_to_depth": Words(_format_attributes("space to depth /{factor}"), is_heavy=True),
    "roll": Words(_format_attributes("roll {shift[0]},{shift[1]}")),
}
"""Of every op, by name."""
