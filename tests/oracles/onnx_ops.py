"""Every op as ONNX nodes, so that ONNX's own shape inference and onnxruntime can judge.

Attributes are handed over as they are and ONNX does the arithmetic ("same" is auto_pad); the one
exception is "half", which ONNX cannot say. Weights are graph inputs, shaped as the op says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import singledispatch
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper, shape_inference

from archspec.ops import (
    activation,
    attention,
    axes,
    conv,
    learnt,
    linear,
    merge,
    norm,
    pool,
    rearrange,
    regularize,
    reshape,
    resize,
)
from archspec.ops.base import Op

Shape = tuple[int, ...]
Shapes = Sequence[Shape]
Names = list[str]
OPSET, IR = 22, 10  # before 22 ONNX counted ceil windows that start in the padding after


class Net:
    """The nodes and constants of one op in the making."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, value: Any, dtype: type) -> str:
        name = f"constant{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.array(value, dtype), name))
        return name

    def several(self, kind: str, *inputs: str, outputs: int, **attributes: Any) -> list[str]:
        names = [f"value{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, **attributes))
        return names

    def one(self, kind: str, *inputs: str, **attributes: Any) -> str:
        return self.several(kind, *inputs, outputs=1, **attributes)[0]

    def integers(self, *values: int) -> str:
        return self.constant(values, np.int64)

    def per_channel(self, weight: str, shape: Shape) -> str:
        """(channels,) made to broadcast over the positions of one sample."""
        return self.one("Reshape", weight, self.integers(-1, *[1] * (len(shape) - 1)))


def model(op: Op, shapes: Shapes, weights: Mapping[str, Shape]) -> onnx.ModelProto:
    """A model of one op for one sample, with inputs x0, x1... and its weights by their names."""
    net = Net()
    names = [f"x{i}" for i in range(len(shapes))]
    results = emit(op, net, names, shapes)
    declared = {
        **{name: (1, *shape) for name, shape in zip(names, shapes, strict=True)},
        **weights,
    }
    graph = helper.make_graph(
        net.nodes,
        op.name,
        [_tensor(name, shape) for name, shape in declared.items()],
        [_tensor(name, None) for name in results],
        net.constants,
    )
    opset = helper.make_opsetid("", OPSET)
    return helper.make_model(graph, opset_imports=[opset], ir_version=IR)


def _tensor(name: str, shape: Shape | None) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def infer(proto: onnx.ModelProto) -> tuple[Shape, ...]:
    """What ONNX itself says of the outputs, less the batch."""
    known = shape_inference.infer_shapes(proto, check_type=True, strict_mode=True, data_prop=True)
    onnx.checker.check_model(known)
    dims = [output.type.tensor_type.shape.dim for output in known.graph.output]
    return tuple(tuple(dim.dim_value for dim in one)[1:] for one in dims)


def run(
    proto: onnx.ModelProto, inputs: Sequence[np.ndarray], weights: Mapping[str, np.ndarray]
) -> list[np.ndarray]:
    """onnxruntime's outputs for one sample."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    feeds = {f"x{i}": x[np.newaxis] for i, x in enumerate(inputs)} | dict(weights)
    results = session.run(None, {name: x.astype(np.float32) for name, x in feeds.items()})
    return [result[0] for result in results]


@singledispatch
def emit(op: Op, net: Net, inputs: Names, shapes: Shapes) -> Names:
    """Add the op's nodes and name its outputs; weights are met by their names."""
    raise NotImplementedError(f"no ONNX form of {op}")


def padding_attributes(op: conv.Conv | pool.MaxPool | pool.AvgPool) -> dict[str, Any]:
    if op.padding == "same":
        return {"auto_pad": "SAME_UPPER"}
    if op.padding == "valid":
        return {"auto_pad": "VALID"}
    if op.padding == "half":
        dilation = getattr(op, "dilation", (1, 1))
        half = [(d * (k - 1) + 1) // 2 for d, k in zip(dilation, op.kernel, strict=True)]
        return {"pads": half * 2}
    top, bottom, left, right = op.padding
    return {"pads": [top, left, bottom, right]}


@emit.register
def _(op: conv.Conv, net: Net, inputs: Names, shapes: Shapes) -> Names:
    weight = standardize(net) if op.weight_standardization else "weight"
    attributes = {
        "kernel_shape": op.kernel,
        "strides": op.stride,
        "dilations": op.dilation,
        "group": op.groups,
        **padding_attributes(op),
    }
    return [net.one("Conv", *inputs, weight, *["bias"] * op.bias, **attributes)]


@emit.register
def _(op: conv.ConvTranspose, net: Net, inputs: Names, shapes: Shapes) -> Names:
    top, bottom, left, right = op.padding
    attributes = {
        "kernel_shape": op.kernel,
        "strides": op.stride,
        "dilations": op.dilation,
        "group": op.groups,
        "pads": [top, left, bottom, right],
        "output_padding": op.output_padding,
    }
    return [net.one("ConvTranspose", *inputs, "weight", *["bias"] * op.bias, **attributes)]


def standardize(net: Net) -> str:
    """ONNX has no unbiased deviation: ReduceSumSquare over n - 1, with n from the weight itself."""
    axes, one = net.integers(1, 2, 3), net.constant(1, np.float32)
    centred = net.one("Sub", "weight", net.one("ReduceMean", "weight", axes))
    squares = net.one("ReduceSumSquare", centred, axes)
    sizes = net.one("Shape", "weight", start=1)
    count = net.one("Cast", net.one("ReduceProd", sizes, keepdims=0), to=TensorProto.FLOAT)
    deviation = net.one("Sqrt", net.one("Div", squares, net.one("Sub", count, one)))
    floor = net.constant(5e-4, np.float32)
    return net.one("Div", centred, net.one("Add", deviation, floor))


@emit.register
def _(op: linear.Dense, net: Net, inputs: Names, shapes: Shapes) -> Names:
    return [net.one("Gemm", *inputs, "weight", *["bias"] * op.bias, transB=1)]


@emit.register
def _(op: norm.BatchNorm, net: Net, inputs: Names, shapes: Shapes) -> Names:
    weights = ("gamma", "beta", "moving_mean", "moving_variance")
    return [net.one("BatchNormalization", *inputs, *weights, epsilon=op.epsilon)]


@emit.register
def _(op: norm.LayerNorm, net: Net, inputs: Names, shapes: Shapes) -> Names:
    (x,) = inputs
    if len(shapes[0]) == 1:
        return [net.one("LayerNormalization", x, "gamma", "beta", epsilon=op.epsilon)]
    last = net.one("Transpose", x, perm=[0, 2, 3, 1])
    normal = net.one("LayerNormalization", last, "gamma", "beta", epsilon=op.epsilon)
    return [net.one("Transpose", normal, perm=[0, 3, 1, 2])]


@emit.register
def _(op: norm.GroupNorm, net: Net, inputs: Names, shapes: Shapes) -> Names:
    # ONNX infers no shape for GroupNormalization, so the groups are instances of InstanceNorm.
    (x,) = inputs
    grouped = net.one("Reshape", x, net.integers(0, op.groups, -1))
    one, zero = (net.constant([value] * op.groups, np.float32) for value in (1, 0))
    normal = net.one("InstanceNormalization", grouped, one, zero, epsilon=op.epsilon)
    apart = net.one("Reshape", normal, net.one("Shape", x))
    gamma, beta = (net.per_channel(weight, shapes[0]) for weight in ("gamma", "beta"))
    return [net.one("Add", net.one("Mul", apart, gamma), beta)]


@emit.register
def _(op: norm.InstanceNorm, net: Net, inputs: Names, shapes: Shapes) -> Names:
    return [net.one("InstanceNormalization", *inputs, "gamma", "beta", epsilon=op.epsilon)]


@emit.register
def _(op: norm.RmsNorm, net: Net, inputs: Names, shapes: Shapes) -> Names:
    (x,) = inputs
    total = net.one("ReduceSumSquare", x, net.integers(1))
    mean = net.one("Div", total, net.constant(shapes[0][0], np.float32))
    root = net.one("Sqrt", net.one("Add", mean, net.constant(op.epsilon, np.float32)))
    return [net.one("Mul", net.one("Div", x, root), net.per_channel("gamma", shapes[0]))]


@emit.register
def _(op: norm.LocalResponseNorm, net: Net, inputs: Names, shapes: Shapes) -> Names:
    (x,) = inputs
    if op.size % 2:
        return [net.one("LRN", x, size=op.size, alpha=op.alpha, beta=op.beta, bias=op.k)]
    # onnxruntime takes odd sizes alone; here a filter of ones goes along the channels
    channels, height, width = shapes[0]
    rows = net.one("Reshape", net.one("Mul", x, x), net.integers(1, 1, channels, height * width))
    ones = net.constant(np.ones((1, 1, op.size, 1)), np.float32)
    pads = [op.size // 2, 0, op.size // 2 - 1, 0]
    total = net.one("Conv", rows, ones, pads=pads)
    share = net.one("Mul", total, net.constant(op.alpha / op.size, np.float32))
    base = net.one("Add", share, net.constant(op.k, np.float32))
    power = net.one("Pow", base, net.constant(op.beta, np.float32))
    apart = net.one("Reshape", power, net.integers(1, channels, height, width))
    return [net.one("Div", x, apart)]


PLAIN = {
    "relu": "Relu",
    "hswish": "HardSwish",
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "mish": "Mish",
    "softplus": "Softplus",
    "abs": "Abs",
    "neg": "Neg",
    "exp": "Exp",
    "sqrt": "Sqrt",
    "reciprocal": "Reciprocal",
}


@emit.register
def _(op: activation.Act, net: Net, inputs: Names, shapes: Shapes) -> Names:
    (x,) = inputs
    alpha = {} if op.alpha is None else {"alpha": op.alpha}
    match op.function:
        case "relu6":
            bounds = (net.constant(0, np.float32), net.constant(6, np.float32))
            return [net.one("Clip", x, *bounds)]
        case "leaky_relu":
            return [net.one("LeakyRelu", x, **alpha)]
        case "elu":
            return [net.one("Elu", x, **alpha)]
        case "prelu":
            return [net.one("PRelu", x, net.per_channel("slope", shapes[0]))]
        case "gelu":
            return [net.one("Gelu", x, approximate="tanh" if op.approximate else "none")]
        case "silu":
            return [net.one("Mul", x, net.one("Sigmoid", x))]
        case "hsigmoid":
            return [net.one("HardSigmoid", x, alpha=1 / 6, beta=0.5)]
        case "square":
            return [net.one("Pow", x, net.constant(2, np.float32))]
        case plain:
            return [net.one(PLAIN[plain], x)]


@emit.register
def _(op: activation.Scale, net: Net, inputs: Names, shapes: Shapes) -> Names:
    factor, offset = (net.constant(value, np.float32) for value in (op.factor, op.offset))
    return [net.one("Add", net.one("Mul", *inputs, factor), offset)]


@emit.register
def _(op: activation.Softmax, net: Net, inputs: Names, shapes: Shapes) -> Names:
    if op.axis != "space":
        axis = {"channels": 1, "height": 2, "width": 3}[op.axis]
        return [net.one("Softmax", *inputs, axis=axis)]
    (x,), axes = inputs, net.integers(2, 3)  # by its definition: ONNX takes one axis
    powers = net.one("Exp", x)
    return [net.one("Div", powers, net.one("ReduceSum", powers, axes))]


@emit.register
def _(op: pool.MaxPool, net: Net, inputs: Names, shapes: Shapes) -> Names:
    return [net.one("MaxPool", *inputs, **pool_attributes(op))]


@emit.register
def _(op: pool.AvgPool, net: Net, inputs: Names, shapes: Shapes) -> Names:
    counted = int(op.count_padding)
    return [net.one("AveragePool", *inputs, count_include_pad=counted, **pool_attributes(op))]


def pool_attributes(op: pool.MaxPool | pool.AvgPool) -> dict[str, Any]:
    return {
        "kernel_shape": op.kernel,
        "strides": op.stride,
        "ceil_mode": int(op.ceil),
        **padding_attributes(op),
    }


@emit.register
def _(op: pool.GlobalAvgPool, net: Net, inputs: Names, shapes: Shapes) -> Names:
    return [net.one("GlobalAveragePool", *inputs)]


@emit.register
def _(op: pool.GlobalMaxPool, net: Net, inputs: Names, shapes: Shapes) -> Names:
    return [net.one("GlobalMaxPool", *inputs)]


@emit.register(pool.AdaptiveAvgPool)
@emit.register(pool.AdaptiveMaxPool)
def _(op: Op, net: Net, inputs: Names, shapes: Shapes) -> Names:
    """Every window cut out and reduced by itself."""
    kind = "ReduceMean" if isinstance(op, pool.AdaptiveAvgPool) else "ReduceMax"
    _, height, width = shapes[0]
    rows = []
    for i in range(op.size[0]):
        row = []
        for j in range(op.size[1]):
            starts = (i * height // op.size[0], j * width // op.size[1])
            ends = tuple(
                extent - (count - 1 - place) * extent // count
                for place, count, extent in zip((i, j), op.size, (height, width), strict=True)
            )
            axes = net.integers(2, 3)
            part = net.one("Slice", *inputs, net.integers(*starts), net.integers(*ends), axes)
            row.append(net.one(kind, part, axes))
        rows.append(net.one("Concat", *row, axis=3))
    return [net.one("Concat", *rows, axis=2)]


@emit.register
def _(op: pool.Reduce, net: Net, inputs: Names, shapes: Shapes) -> Names:
    kind = {"mean": "Mean", "sum": "Sum", "max": "Max", "norm2": "L2"}[op.function]
    axes = {"space": (2, 3), "height": (2,), "width": (3,), "channels": (1,)}[op.over]
    return [net.one(f"Reduce{kind}", *inputs, net.integers(*axes))]


@emit.register
def _(op: reshape.Zero, net: Net, inputs: Names, shapes: Shapes) -> Names:
    zero = onnx.numpy_helper.from_array(np.zeros(1, np.float32))
    return [net.one("ConstantOfShape", net.one("Shape", *inputs), value=zero)]


@emit.register
def _(op: regularize.Dropout, net: Net, inputs: Names, shapes: Shapes) -> Names:
    return [net.one("Dropout", *inputs, net.constant(op.rate, np.float32))]


@emit.register(regularize.DropPath)
@emit.register(reshape.Identity)
def _(op: Op, net: Net, inputs: Names, shapes: Shapes) -> Names:
    return [net.one("Identity", *inputs)]


@emit.register
def _(op: regularize.LayerScale, net: Net, inputs: Names, shapes: Shapes) -> Names:
    return [net.one("Mul", *inputs, net.per_channel("gamma", shapes[0]))]


@emit.register
def _(op: learnt.Param, net: Net, inputs: Names, shapes: Shapes) -> Names:
    return [net.one("Unsqueeze", "value", net.integers(0))]


@emit.register
def _(op: merge.Add, net: Net, inputs: Names, shapes: Shapes) -> Names:
    return [net.one("Sum", *inputs)]


@emit.register
def _(op: merge.Mul, net: Net, inputs: Names, shapes: Shapes) -> Names:
    product, *rest = inputs
    for factor in rest:
        product = net.one("Mul", product, factor)
    return [product]


@emit.register(merge.Sub)
@emit.register(merge.Div)
@emit.register(merge.Max)
@emit.register(merge.Min)
def _(op: Op, net: Net, inputs: Names, shapes: Shapes) -> Names:
    return [net.one(op.name.capitalize(), *inputs)]


ONNX_AXIS = {"channels": 1, "height": 2, "width": 3}


@emit.register
def _(op: merge.Concat, net: Net, inputs: Names, shapes: Shapes) -> Names:
    return [net.one("Concat", *inputs, axis=ONNX_AXIS[op.axis])]


@emit.register
def _(op: axes.Matmul, net: Net, inputs: Names, shapes: Shapes) -> Names:
    return [net.one("MatMul", *inputs)]


@emit.register
def _(op: attention.Attention, net: Net, inputs: Names, shapes: Shapes) -> Names:
    """Over the whole map at once, with all that do not meet taken out."""
    served = op.key_heads or op.heads
    (channels, *extent), (_, *keys), (gathered, _, _) = shapes
    shared = net.constant([head * served // op.heads for head in range(op.heads)], np.int64)
    q, k, v = (
        net.one("Reshape", x, net.integers(1, heads, size // heads, -1))
        for x, heads, size in zip(
            inputs, (op.heads, served, served), (channels, shapes[1][0], gathered), strict=True
        )
    )
    k, v = (net.one("Gather", x, shared, axis=1) for x in (k, v))
    scores = net.one("MatMul", net.one("Transpose", q, perm=[0, 1, 3, 2]), k)
    scale = op.scale if op.scale is not None else (channels // op.heads) ** -0.5
    scores = net.one("Mul", scores, net.constant(scale, np.float32))
    rows, added = pair_pixels(op, extent, keys)
    if op.bias != "none":
        axis = 0 if op.bias == "offset" else 1
        learnt = net.one("Gather", "bias", net.constant(rows, np.int64), axis=axis)
        if op.bias == "offset":
            learnt = net.one("Transpose", learnt, perm=[2, 0, 1])
        scores = net.one("Add", scores, learnt)
    scores = net.one("Add", scores, net.constant(added, np.float32))
    shares = net.one("Transpose", net.one("Softmax", scores, axis=3), perm=[0, 1, 3, 2])
    x = net.one("MatMul", v, shares)
    return [net.one("Reshape", x, net.integers(1, gathered // served * op.heads, *extent))]


def pair_pixels(
    op: attention.Attention, extent: Shape, keys: Shape
) -> tuple[np.ndarray, np.ndarray]:
    """(queries, keys): the row of what is learnt, and what is added whatever is learnt."""
    meeting = list(keys)
    if op.partition == "window":
        meeting = list(op.window)
    elif op.partition == "grid":
        meeting = [n // size for n, size in zip(keys, op.window, strict=True)]
    rows = np.zeros((extent[0] * extent[1], keys[0] * keys[1]), int)
    added = np.zeros(rows.shape)
    for a, mine in enumerate(np.ndindex(*extent)):
        for b, theirs in enumerate(np.ndindex(*keys)):
            ways, is_apart = [], False
            for axis, many in enumerate(keys):
                size, shift = op.window[axis], op.shift[axis]
                p, q = mine[axis] * -(-many // extent[axis]), theirs[axis]
                r, s = (p - shift) % many, (q - shift) % many
                if op.partition == "window":
                    added[a, b] += -1e30 * (r // size != s // size)
                    is_apart |= shift > 0 and (p < shift) != (q < shift)
                    ways.append(r % size - s % size)
                elif op.partition == "grid":
                    added[a, b] += -1e30 * (p % size != q % size)
                    ways.append(p // size - q // size)
                else:
                    ways.append(p - q)
            added[a, b] -= 100 * is_apart
            down, right = ways
            if op.bias == "offset":
                place = (down + meeting[0] - 1) * (2 * meeting[1] - 1) + right + meeting[1] - 1
            else:
                place = abs(down) * meeting[1] + abs(right)
            rows[a, b] = place
    return rows, added


@emit.register
def _(op: axes.Permute, net: Net, inputs: Names, shapes: Shapes) -> Names:
    letters = {"channels": 1, "height": 2, "width": 3}
    return [net.one("Transpose", *inputs, perm=[0, *(letters[name] for name in op.order)])]


@emit.register
def _(op: axes.Reshape, net: Net, inputs: Names, shapes: Shapes) -> Names:
    channels = op.channels or (shapes[0][0] if len(shapes[0]) == 3 else -1)
    extents = net.integers(1, channels, op.height or -1, op.width or -1)
    return [net.one("Reshape", *inputs, extents)]


@emit.register
def _(op: reshape.Flatten, net: Net, inputs: Names, shapes: Shapes) -> Names:
    return [net.one("Flatten", *inputs, axis=1)]


@emit.register
def _(op: reshape.Split, net: Net, inputs: Names, shapes: Shapes) -> Names:
    """Within groups by Gather, each channel by its number."""
    axis, extent = ONNX_AXIS[op.axis], shapes[0][ONNX_AXIS[op.axis] - 1]
    if op.groups > 1:
        each = extent // op.groups
        sizes = op.sizes or [each // op.parts] * op.parts
        starts = np.cumsum([0, *sizes[:-1]])
        return [
            net.one(
                "Gather",
                *inputs,
                net.integers(
                    *(g * each + start + c for g in range(op.groups) for c in range(size))
                ),
                axis=axis,
            )
            for start, size in zip(starts, sizes, strict=True)
        ]
    if op.sizes:
        return net.several(
            "Split", *inputs, net.integers(*op.sizes), outputs=len(op.sizes), axis=axis
        )
    return net.several("Split", *inputs, outputs=op.parts, num_outputs=op.parts, axis=axis)


@emit.register
def _(op: reshape.Slice, net: Net, inputs: Names, shapes: Shapes) -> Names:
    stop = np.iinfo(np.int64).max if op.stop is None else op.stop
    bounds = map(net.integers, (op.start, stop, ONNX_AXIS[op.axis]))  # starts, ends, axes
    return [net.one("Slice", *inputs, *bounds)]


@emit.register
def _(op: reshape.ChannelShuffle, net: Net, inputs: Names, shapes: Shapes) -> Names:
    _, height, width = shapes[0]
    apart = net.one("Reshape", *inputs, net.integers(0, op.groups, -1, height, width))
    swapped = net.one("Transpose", apart, perm=[0, 2, 1, 3, 4])
    return [net.one("Reshape", swapped, net.integers(0, -1, height, width))]


@emit.register
def _(op: resize.Upsample, net: Net, inputs: Names, shapes: Shapes) -> Names:
    sides = [1, shapes[0][0], *op.size] if op.size else [1, 1, *op.scale]
    given = ["", net.integers(*sides)] if op.size else [net.constant(sides, np.float32)]
    rule = "align_corners" if op.align_corners else "half_pixel"
    attributes = {
        "mode": {"nearest": "nearest", "bilinear": "linear", "bicubic": "cubic"}[op.mode],
        "coordinate_transformation_mode": rule,
    }
    if op.mode == "nearest":
        attributes |= {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    return [net.one("Resize", *inputs, "", *given, **attributes)]


@emit.register
def _(op: reshape.Pad, net: Net, inputs: Names, shapes: Shapes) -> Names:
    top, bottom, left, right = op.padding
    pads = net.integers(0, 0, top, left, 0, 0, bottom, right)
    return [net.one("Pad", *inputs, pads, net.constant(op.value, np.float32))]


def transposed(net: Net, x: str) -> str:
    return net.one("Transpose", x, perm=[0, 1, 3, 2])


@emit.register
def _(op: rearrange.SpaceToDepth, net: Net, inputs: Names, shapes: Shapes) -> Names:
    (x,) = inputs
    if op.order == "columns":
        return [transposed(net, net.one("SpaceToDepth", transposed(net, x), blocksize=op.factor))]
    deep = net.one("SpaceToDepth", x, blocksize=op.factor)
    if op.order == "rows":
        return [deep]
    channels, height, width = shapes[0]
    extent = (height // op.factor, width // op.factor)
    apart = net.one("Reshape", deep, net.integers(0, op.factor**2, channels, *extent))
    swapped = net.one("Transpose", apart, perm=[0, 2, 1, 3, 4])
    return [net.one("Reshape", swapped, net.integers(0, -1, *extent))]


@emit.register
def _(op: rearrange.PixelShuffle, net: Net, inputs: Names, shapes: Shapes) -> Names:
    (x,) = inputs
    if op.order == "columns":
        wide = net.one("DepthToSpace", transposed(net, x), blocksize=op.factor, mode="DCR")
        return [transposed(net, wide)]
    mode = {"channels": "CRD", "rows": "DCR"}[op.order]
    return [net.one("DepthToSpace", x, blocksize=op.factor, mode=mode)]


@emit.register
def _(op: rearrange.Roll, net: Net, inputs: Names, shapes: Shapes) -> Names:
    """A part of the image beside itself."""
    (x,) = inputs
    for axis in (2, 3):
        extent = shapes[0][axis - 1]
        start = -op.shift[axis - 2] % extent
        twice = net.one("Concat", x, x, axis=axis)
        x = net.one("Slice", twice, *map(net.integers, (start, start + extent, axis)))
    return [x]
