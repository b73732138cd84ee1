"""Gradients of ops on each framework, held against autograd of formulas written here.

What training takes from an op is how its result changes with its inputs and its weights. A cell of
ours that computes the right result by a detour can still lose a gradient on the way, so each is
asked for all of them, at odd sizes, in float32; the formulas are of PyTorch's primitives, in
float64.
"""

from __future__ import annotations

import math
from functools import partial, reduce

import numpy as np
import pytest
from oracles import rule_b
from oracles.networks import around, network
from oracles.numpy_ops import in_domain
from test_ops import label

from archspec.compiler import build
from archspec.compiler.targets import TARGETS
from archspec.ops.activation import Act, Scale
from archspec.ops.conv import ConvTranspose
from archspec.ops.merge import Add, Concat, Div, Max, Min, Mul, Sub
from archspec.ops.norm import InstanceNorm, LocalResponseNorm, RmsNorm
from archspec.ops.pool import AdaptiveAvgPool, AdaptiveMaxPool, Reduce
from archspec.ops.rearrange import PixelShuffle, Roll, SpaceToDepth
from archspec.ops.regularize import LayerScale
from archspec.ops.reshape import Slice, Split, Zero
from archspec.ops.resize import Upsample

torch = pytest.importorskip("torch")

BATCH = 2


def along_channels(weight, x):
    return weight.reshape(1, -1, *[1] * (x.ndim - 2))


def instance_norm(x, gamma, beta, epsilon):
    centred = x - x.mean((2, 3), keepdim=True)
    variance = (centred**2).mean((2, 3), keepdim=True)
    normal = centred / (variance + epsilon).sqrt()
    return normal * along_channels(gamma, x) + along_channels(beta, x)


def rms_norm(x, gamma, epsilon):
    return x / ((x**2).mean(1, keepdim=True) + epsilon).sqrt() * along_channels(gamma, x)


def local_response_norm(x, size, alpha, beta, k):
    channels = x.shape[1]
    near = [
        sum(x[:, c] ** 2 for c in range(first, first + size) if 0 <= c < channels)
        for first in range(-(size // 2), channels - size // 2)
    ]
    return x / (k + alpha / size * torch.stack(near, 1)) ** beta


def unshuffle(x, factor, order):
    """Every pixel of a block is picked by itself."""
    rows, columns = range(factor), range(factor)
    if order == "channels":
        parts = [
            x[:, c, i::factor, j::factor] for c in range(x.shape[1]) for i in rows for j in columns
        ]
        return torch.stack(parts, 1)
    places = [(i, j) for i in rows for j in columns]
    if order == "columns":
        places = [(i, j) for j in columns for i in rows]
    return torch.cat([x[:, :, i::factor, j::factor] for i, j in places], 1)


def shuffle(x, factor, order):
    channels = x.shape[1] // factor**2
    result = x.new_zeros(len(x), channels, factor * x.shape[2], factor * x.shape[3])
    for c, i, j in np.ndindex(channels, factor, factor):
        place = {
            "channels": (c * factor + i) * factor + j,
            "rows": (i * factor + j) * channels + c,
            "columns": (j * factor + i) * channels + c,
        }[order]
        result[:, c, i::factor, j::factor] = x[:, place]
    return result


def adaptive(x, size, reduce):
    def windows(extent, count):
        return [slice(i * extent // count, -(-(i + 1) * extent // count)) for i in range(count)]

    rows = [
        torch.stack([reduce(x[:, :, down, right]) for right in windows(x.shape[3], size[1])], 2)
        for down in windows(x.shape[2], size[0])
    ]
    return torch.stack(rows, 2)


def roll(x, down, right):
    rows = [(row - down) % x.shape[2] for row in range(x.shape[2])]
    columns = [(column - right) % x.shape[3] for column in range(x.shape[3])]
    return x[:, :, rows][:, :, :, columns]


def conv_transpose(x, weight, bias, stride, crop, more, groups):
    """As the pixels' kernels are added up, one tap after another; `crop` is (top, bottom, left,
    right)."""
    down, right = stride
    batch, channels, height, width = x.shape
    _, each, rows, columns = weight.shape
    full = x.new_zeros(
        batch, groups * each, (height - 1) * down + rows + more[0],
        (width - 1) * right + columns + more[1],
    )  # fmt: skip
    grouped = x.reshape(batch, groups, channels // groups, height, width)
    kernels = weight.reshape(groups, channels // groups, each, rows, columns)
    for i, j in np.ndindex(rows, columns):
        part = torch.einsum("bgchw,gco->bgohw", grouped, kernels[..., i, j])
        places = torch.zeros_like(full)
        stop = (i + (height - 1) * down + 1, j + (width - 1) * right + 1)
        places[:, :, i : stop[0] : down, j : stop[1] : right] = part.flatten(1, 2)
        full = full + places
    top, bottom, left, after = crop
    full = full[:, :, top : full.shape[2] - bottom, left : full.shape[3] - after]
    return full if bias is None else full + bias.reshape(1, -1, 1, 1)


def transposed(stride, crop, more=(0, 0), groups=1):
    return lambda x, w: conv_transpose(x, w["weight"], w.get("bias"), stride, crop, more, groups)


def parts(x, weights, *shapes):
    """The inputs that `around` makes of one image: means of neighbours, each but one scaled."""
    whole = x.shape[1:]
    for index, shape in enumerate(shapes):
        part = x[:, : shape[0]]
        for axis, extent in enumerate(shape[1:], 1):
            width = whole[axis] - extent + 1
            slices = [part.narrow(1 + axis, place, width) for place in range(extent)]
            part = torch.stack([one.mean(1 + axis) for one in slices], 1 + axis)
        yield part * along_channels(weights[f"input{index}.gamma"], part) if index else part


def join(op, *shapes):
    """A case of a sum, a quotient and so on, of two or more inputs."""
    functions = {
        "add": lambda one, other: one + other, "sub": lambda one, other: one - other,
        "mul": lambda one, other: one * other, "div": lambda one, other: one / other,
        "max": lambda one, other: torch.where(one > other, one, other),
        "min": lambda one, other: torch.where(one < other, one, other),
    }  # fmt: skip
    return op, shapes, lambda x, w: reduce(functions[op.name], parts(x, w, *shapes))


def reduced(x, function, axes):
    lines = [*x.movedim(axes, [*range(len(axes))]).flatten(0, len(axes) - 1)]
    if function == "max":
        result = reduce(lambda one, other: torch.where(one > other, one, other), lines)
    else:
        result = sum(line**2 if function == "norm2" else line for line in lines)
    if function == "mean":
        result = result / len(lines)
    for axis in axes:
        result = result.unsqueeze(axis)
    return result**0.5 if function == "norm2" else result


def network_of_parts(op, shape):
    """The parts of an op with several results, each scaled, from the last to the first as one."""
    numbers = range(op.outputs, 0, -1)
    scales = [(f"part{k}", LayerScale(), f"split.{k}") for k in numbers]
    joined = ("op", Concat(op.axis), *(name for name, *_ in scales))
    return network(shape, ("split", op), *scales, joined)


def split(op, shape, *parts):
    """A case of a split; `parts` are the channels, rows or columns of each result, by number."""
    axis = ("channels", "height", "width").index(op.axis) + 1

    def formula(x, weights):
        lines = [x.index_select(axis, torch.tensor(part)) for part in parts]
        scaled = [
            line * along_channels(weights[f"part{k}.gamma"], line)
            for k, line in enumerate(lines, 1)
        ]
        return torch.cat(scaled[::-1], axis)

    return op, shape, formula


def resize(mode, size, aligned=None):
    return lambda x, w: torch.nn.functional.interpolate(
        x, size=size, mode=mode, align_corners=aligned
    )


MEAN = partial(torch.mean, dim=(2, 3))
MOST = partial(torch.amax, dim=(2, 3))
CASES = [
    (ConvTranspose(4, 3, 2, 1, 1), (3, 4, 5), transposed((2, 2), (1, 0, 1, 0))),
    (
        ConvTranspose(4, (4, 3), (2, 1), (2, 0, 0, 1), groups=2, bias=True),
        (6, 3, 5),
        transposed((2, 1), (2, 0, 0, 1), groups=2),
    ),
    (
        ConvTranspose(2, (1, 2), (2, 3), 0, (1, 2), bias=True),
        (3, 3, 2),
        transposed((2, 3), (0, 0, 0, 0), (1, 2)),
    ),
    (InstanceNorm(epsilon=0.1), (3, 4, 5), lambda x, w: instance_norm(x, **w, epsilon=0.1)),
    (RmsNorm(epsilon=0.1), (5, 2, 3), lambda x, w: rms_norm(x, **w, epsilon=0.1)),
    (RmsNorm(), (7,), lambda x, w: rms_norm(x, **w, epsilon=1e-6)),
    (LocalResponseNorm(3, 0.5), (5, 2, 3), lambda x, w: local_response_norm(x, 3, 0.5, 0.75, 1)),
    (
        LocalResponseNorm(4, 0.9, 0.5, 2),
        (6, 3, 2),
        lambda x, w: local_response_norm(x, 4, 0.9, 0.5, 2),
    ),
    *(
        (SpaceToDepth(3, order), (2, 6, 9), lambda x, w, order=order: unshuffle(x, 3, order))
        for order in ("channels", "rows", "columns")
    ),
    *(
        (PixelShuffle(2, order), (8, 3, 5), lambda x, w, order=order: shuffle(x, 2, order))
        for order in ("channels", "rows", "columns")
    ),
    *(
        (AdaptiveAvgPool(size), shape, lambda x, w, s=size: adaptive(x, s, MEAN))
        for size, shape in (((3, 4), (2, 7, 10)), ((3, 2), (2, 9, 8)), ((5, 7), (2, 4, 3)))
    ),
    *(
        (AdaptiveMaxPool(size), shape, lambda x, w, s=size: adaptive(x, s, MOST))
        for size, shape in (((3, 4), (2, 7, 10)), ((3, 2), (2, 9, 8)), ((5, 7), (2, 4, 3)))
    ),
    *(
        (Reduce(name, over), shape, lambda x, w, n=name, a=axes: reduced(x, n, a))
        for name in ("mean", "sum", "max", "norm2")
        for over, axes, shape in (
            ("space", (2, 3), (2, 5, 7)),
            ("height", (2,), (2, 5, 7)),
            ("width", (3,), (2, 5, 7)),
            ("channels", (1,), (3, 2, 5)),
            ("channels", (1,), (6,)),
        )
    ),
    (Scale(-0.5, 3), (2, 3, 5), lambda x, w: 3 - x / 2),
    (Act("softplus"), (2, 3, 5), lambda x, w: (1 + x.exp()).log()),
    (Act("square"), (2, 3, 5), lambda x, w: x * x),
    (Act("abs"), (2, 3, 5), lambda x, w: torch.where(x > 0, x, -x)),
    (Act("neg"), (7,), lambda x, w: 0 - x),
    (Act("exp"), (2, 3, 5), lambda x, w: math.e**x),
    (Act("sqrt"), (2, 3, 5), lambda x, w: x**0.5),
    (Act("reciprocal"), (7,), lambda x, w: 1 / x),
    (Slice(1, 3), (4, 3, 5), lambda x, w: torch.stack([x[:, 1], x[:, 2]], 1)),
    (Slice(1, 3, "height"), (2, 5, 3), lambda x, w: torch.stack([x[:, :, 1], x[:, :, 2]], 2)),
    (Slice(4, axis="width"), (2, 3, 5), lambda x, w: x.index_select(3, torch.tensor([4]))),
    (Upsample(size=(7, 2)), (2, 5, 3), resize("nearest", (7, 2))),
    (
        Upsample(mode="bilinear", size=(3, 7), align_corners=True),
        (2, 5, 3),
        resize("bilinear", (3, 7), True),
    ),
    (Upsample(mode="bicubic", size=(7, 2)), (2, 5, 3), resize("bicubic", (7, 2), False)),
    split(Split(2, "width"), (2, 3, 4), [0, 1], [2, 3]),
    split(Split(sizes=[1, 2, 4]), (7,), [0], [1, 2], [3, 4, 5, 6]),
    split(Split(sizes=[1, 1, 2], groups=2), (8, 3, 2), [0, 4], [1, 5], [2, 3, 6, 7]),
    (Roll((2, -3)), (2, 5, 7), lambda x, w: roll(x, 2, -3)),
    *(
        join(op, *shapes)
        for op in (Add(), Sub(), Mul(), Div(), Max(), Min())
        for shapes in (((3, 4, 5), (3, 4, 1)), ((1, 4, 1), (3, 1, 5)), ((5,), (1,)))
    ),
    *(
        (Concat(axis), shapes, lambda x, w, d=d, s=shapes: torch.cat([*parts(x, w, *s)], d))
        for d, axis, shapes in (
            (1, "channels", ((3, 4, 5), (1, 4, 5))),
            (2, "height", ((3, 1, 5), (3, 4, 5))),
            (3, "width", ((3, 4, 5), (3, 4, 2), (3, 4, 1))),
        )
    ),
    *(join(op, (3, 4, 5), (3, 1, 1), (1, 4, 5)) for op in (Add(), Mul(), Max(), Min())),
]
"""An op, the shape of its input or those of several, and what it is of the input and its weights
by name."""


def expected_gradients(op, shape, formula):
    """The model, its image, what the result is weighed by, and the gradients by name."""
    if op.outputs > 1:
        graph = network_of_parts(op, shape)
    else:
        graph = network(shape, ("op", op)) if isinstance(shape[0], int) else around(op, shape)
    model = rule_b.with_random_weights(graph, seed=3)
    image = in_domain(op, rule_b.image(graph.input_shape, BATCH))
    x = torch.tensor(image, dtype=torch.float64, requires_grad=True)
    weights = {
        path.removeprefix("op."): torch.tensor(array, dtype=torch.float64, requires_grad=True)
        for path, array in model.weights.items()
    }
    result = formula(x, weights)
    assert tuple(result.shape[1:]) == model.graph.nodes["op"].layer.output_shapes[0]
    scales = np.random.default_rng(4).standard_normal(result.shape)
    (result * torch.tensor(scales)).sum().backward()
    found = {"in": x.grad}
    found |= zip(model.weights, (weight.grad for weight in weights.values()), strict=True)
    gradients = {name: gradient.numpy() for name, gradient in found.items()}
    return model, image, scales.astype(np.float32), gradients


def gradients_of_torch(model, image, scales):
    module = build(model, target="torch").train()
    x = torch.tensor(image, requires_grad=True)
    (module(x) * torch.tensor(scales)).sum().backward()
    names = TARGETS["torch"].load().weight_names(model.graph)
    parameters = dict(module.named_parameters())
    found = {path: parameters[name].grad.numpy() for path, name in names.items()}
    return {"in": x.grad.numpy(), **found}


def gradients_of_mindspore(model, image, scales):
    ms = pytest.importorskip("mindspore")
    ms.set_context(mode=ms.GRAPH_MODE)
    cell = build(model, target="mindspore").set_train()
    names = TARGETS["mindspore"].load().weight_names(model.graph)
    by_name = {parameter.name: parameter for parameter in cell.get_parameters()}
    weights = [by_name[name] for name in names.values()]

    def loss(x):
        return (cell(x) * ms.Tensor(scales)).sum()

    step = ms.value_and_grad(loss, grad_position=0, weights=weights or None)
    _, gradients = step(ms.Tensor(image))
    of_input, of_weights = gradients if weights else (gradients, ())
    found = {path: one.asnumpy() for path, one in zip(names, of_weights, strict=True)}
    return {"in": of_input.asnumpy(), **found}


FRAMEWORKS = {"torch": gradients_of_torch, "mindspore": gradients_of_mindspore}


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("op, shape, formula", CASES, ids=[label(op) for op, *_ in CASES])
def test_gradients_are_those_of_the_formula(framework, op, shape, formula):
    model, image, scales, expected = expected_gradients(op, shape, formula)
    found = FRAMEWORKS[framework](model, image, scales)
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        assert found[name].shape == gradient.shape, name
        most = np.abs(gradient).max()
        assert most > 0, name
        assert np.abs(found[name] - gradient).max() <= 1e-4 * most, name


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_nothing_is_learnt_through_zero(framework):
    """Beside it the image passes as it is; what is behind it has a gradient, and that is 0."""
    graph = network((3, 4, 5), ("scale", LayerScale()), ("op", Zero()), ("sum", Add(), "in", "op"))
    model = rule_b.with_random_weights(graph)
    image = rule_b.image(graph.input_shape, BATCH)
    scales = np.random.default_rng(4).standard_normal(image.shape).astype(np.float32)
    found = FRAMEWORKS[framework](model, image, scales)
    assert np.array_equal(found["in"], scales)
    assert np.array_equal(found["scale.gamma"], np.zeros(3))


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_norm_of_zeros_has_the_gradient_zero(framework):
    graph = network((3, 4, 5), ("op", Reduce("norm2", "space")))
    model = rule_b.with_random_weights(graph)
    image = rule_b.image(graph.input_shape, BATCH)
    image[0, 1] = 0
    scales = np.ones((BATCH, 3, 1, 1), np.float32)
    found = FRAMEWORKS[framework](model, image, scales)["in"]
    assert np.isfinite(found).all()
    assert not found[0, 1].any()
    assert found[1].all()
