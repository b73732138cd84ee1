"""Initialisers against the formulas of their papers, worked out here again, and MindSpore's."""

from __future__ import annotations

import hashlib
import math

import numpy as np
import pytest
from oracles.networks import network

import archspec
from archspec.compiler.model import weights_of
from archspec.compiler.weights.initialize import (
    BY_FAN_IN,
    SCHEMES,
    TRUNCATED_STD,
    Constant,
    Normal,
    Scaled,
    Scheme,
    TruncatedNormal,
    Uniform,
    draw,
    he,
    initialize,
    stream,
    xavier,
)
from archspec.compiler.weights.residuals import last_gammas
from archspec.errors import UsageError
from archspec.ops.activation import Act
from archspec.ops.conv import Conv, ConvTranspose
from archspec.ops.linear import Dense
from archspec.ops.merge import Add, Mul
from archspec.ops.norm import BatchNorm
from archspec.ops.pool import GlobalAvgPool
from archspec.ops.regularize import DropPath, LayerScale
from archspec.ops.reshape import Flatten

MANY = 400_000


def numbers(start, shape=(MANY,)):
    return draw(start, shape, stream(0, "x"))


# Distributions.


def normal_cdf(x):
    return 0.5 * (1 + math.erf(x / math.sqrt(2)))


def truncated_cdf(x):
    return (normal_cdf(min(max(x, -2), 2)) - normal_cdf(-2)) / (normal_cdf(2) - normal_cdf(-2))


def uniform_cdf(x):
    return min(max((x + 1) / 2, 0), 1)


@pytest.mark.parametrize(
    "start, cdf",
    [
        (Normal(0.3), lambda x: normal_cdf(x / 0.3)),
        (TruncatedNormal(0.3), lambda x: truncated_cdf(x / 0.3)),
        (Uniform(0.3), lambda x: uniform_cdf(x / 0.3)),
    ],
)
def test_distributions(start, cdf):
    """Kolmogorov and Smirnov's statistic, at its 1e-4 point."""
    values = np.sort(numbers(start))
    assert values.dtype == np.float32
    places = np.linspace(0, MANY - 1, 4001, dtype=int)
    expected = np.array([cdf(float(value)) for value in values[places]])
    distance = np.abs(expected - (places + 0.5) / MANY).max()
    assert distance < 2.23 / math.sqrt(MANY)


def test_truncation():
    values = numbers(TruncatedNormal(0.3))
    assert 0.6 * 0.999 < np.abs(values).max() <= np.float32(0.6)
    # nothing is piled up at the ends, as clipping would
    assert np.count_nonzero(np.abs(values) > 0.6 * 0.9999) < MANY * 1e-4
    assert values.std() == pytest.approx(0.3 * TRUNCATED_STD, rel=5e-3)


def test_deviation_of_the_truncated_normal():
    density = math.exp(-2) / math.sqrt(2 * math.pi)
    inside = normal_cdf(2) - normal_cdf(-2)
    assert math.sqrt(1 - 4 * density / inside) == pytest.approx(TRUNCATED_STD, rel=1e-15)
    assert pytest.approx(0.87962566, abs=1e-8) == TRUNCATED_STD  # as ISyNet's code has it


def test_uniform_stays_inside():
    values = numbers(Uniform(0.25))
    assert -0.25 <= values.min() < -0.2499 and 0.2499 < values.max() <= 0.25


# Fans and gains: (channels out, channels in, groups, kernel), then fan in and fan out by hand.

LAYERS = [
    (Conv(channels=96, kernel=(3, 5), groups=1), 64 * 15, 96 * 15),
    (Conv(channels=128, kernel=3, groups=16), 64 // 16 * 9, 128 * 9),
    (Conv(channels=64, kernel=7, groups=64), 49, 64 * 49),
]


def test_fans_of_a_transposed_convolution_are_pytorchs():
    torch = pytest.importorskip("torch")
    op = ConvTranspose(96, (3, 5), 2, groups=4)
    layer = torch.nn.ConvTranspose2d(64, 96, (3, 5), 2, groups=4)
    (weight,) = op.weights(((64, 8, 8),))
    assert weight.shape == tuple(layer.weight.shape)
    for fan, count in zip(("fan_in", "fan_out"), op.fans(((64, 8, 8),)), strict=True):
        torch.nn.init.kaiming_uniform_(layer.weight, mode=fan)
        most = layer.weight.abs().max().item()
        assert most == pytest.approx(math.sqrt(6 / count), rel=1e-3)


@pytest.mark.parametrize("op, fan_in, fan_out", LAYERS)
@pytest.mark.parametrize("shape", ["normal", "uniform", "truncated_normal"])
def test_scaled_by_fans(op, fan_in, fan_out, shape):
    graph = network((64, 16, 16), ("conv", op))
    expected = {
        he("in", shape): math.sqrt(2 / fan_in),
        he("out", shape): math.sqrt(2 / fan_out),
        he("in", shape, a=0.2): math.sqrt(2 / (1.04 * fan_in)),
        xavier(shape): math.sqrt(2 / (fan_in + fan_out)),
        Scaled(1.0, "in", shape): math.sqrt(1 / fan_in),
    }
    for start, std in expected.items():
        arrays = [
            initialize(graph, Scheme(start, start), seed)["conv.weight"] for seed in range(16)
        ]
        values = np.stack(arrays)
        assert values.std() == pytest.approx(std, rel=4 / math.sqrt(values.size))
        assert abs(values.mean()) < 5 * std / math.sqrt(values.size)
        if shape == "uniform":
            assert np.abs(values).max() <= std * math.sqrt(3) * (1 + 1e-6)
        if shape == "truncated_normal":
            assert np.abs(values).max() <= 2 * std / TRUNCATED_STD * (1 + 1e-6)


def test_bound_by_fan_in():
    graph = network((256, 1, 1), ("flat", Flatten()), ("dense", Dense(channels=500)))
    arrays = initialize(graph, Scheme(BY_FAN_IN, BY_FAN_IN, bias=None))
    for values in arrays.values():
        assert np.abs(values).max() <= 1 / 16
        assert np.abs(values).max() > 0.98 / 16
    zero = initialize(graph, Scheme(BY_FAN_IN, BY_FAN_IN))
    assert not zero["dense.bias"].any()


# Schemes.


@pytest.mark.thorough
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", ["resnet18", "isynet_n1", "efficientnet_b0", "tiny/cspdarknet"])
def test_every_weight_of_every_scheme(scheme, name):
    graph = archspec.load(name)
    arrays = initialize(graph, scheme)
    wanted = weights_of(graph)
    assert list(arrays) == list(wanted)
    for path, array in arrays.items():
        assert (array.dtype, array.shape) == (np.float32, wanted[path].shape)
        assert array.flags["C_CONTIGUOUS"] and np.isfinite(array).all()
    starts = {"gamma": 1, "beta": 0, "moving_mean": 0, "moving_variance": 1}
    zeroed = {f"{node}.gamma" for node in last_gammas(graph)} if scheme == "he_zero" else set()
    for path, array in arrays.items():
        weight = path.rpartition(".")[2]
        if weight in starts:
            assert (array == (0 if path in zeroed else starts[weight])).all(), path


def test_isynets_recipe():
    graph = archspec.load("isynet_n1")
    arrays = initialize(graph, "isynet", 1)
    kernel = arrays["stage4.block3.operation1.conv.weight"]
    fan = kernel[0].size
    assert kernel.std() == pytest.approx(1 / math.sqrt(fan), rel=0.01)
    assert np.abs(kernel).max() == pytest.approx(2.2737 / math.sqrt(fan), rel=1e-3)
    head = arrays["head.conv.weight"]  # 1x1, 256 -> 1280, Xavier uniform
    assert np.abs(head).max() == pytest.approx(math.sqrt(6 / (256 + 1280)), rel=1e-3)
    dense = arrays["classifier.dense.weight"]
    assert np.abs(dense).max() == pytest.approx(0.02, rel=1e-3)
    assert dense.std() == pytest.approx(0.0088, rel=0.01)
    bias = arrays["classifier.dense.bias"]
    assert 0.9 / math.sqrt(1280) < np.abs(bias).max() <= 1 / math.sqrt(1280)


@pytest.mark.parametrize(
    "scheme, name, kernel", [("cspdarknet", "cspdarknet53", "stage3.merge.conv.weight"),
                             ("resnext", "resnext50_32x4d", "stage3.block2.spatial.conv.weight")]
)  # fmt: skip
def test_recipes_by_fan_in(scheme, name, kernel):
    arrays = initialize(archspec.load(name), scheme, 1)
    for path in (kernel, "classifier.dense.weight"):
        bound = 1 / math.sqrt(arrays[path][0].size)
        assert np.abs(arrays[path]).max() == pytest.approx(bound, rel=1e-3)
        assert arrays[path].std() == pytest.approx(bound / math.sqrt(3), rel=0.01)
    assert all((array == 1).all() for path, array in arrays.items() if path.endswith(".gamma"))


def test_single_path_nas_recipe():
    arrays = initialize(archspec.load("spnasnet"), "spnasnet", 1)
    kernel = arrays["stage5.layer3.expand.conv.weight"]
    assert kernel.std() == pytest.approx(math.sqrt(2 / kernel[0].size), rel=0.01)
    assert np.abs(kernel).max() > 4 * kernel.std()  # a normal, not cut
    dense = arrays["classifier.dense.weight"]
    assert np.abs(dense).max() == pytest.approx(math.sqrt(6 / 1280), rel=1e-3)


def test_a_scheme_of_ones_own():
    graph = archspec.load("tiny/isynet")
    scheme = Scheme(
        Normal(1.0), Constant(0.5), Constant(-1.0),
        nodes={"stage{s}.block1.operation{o}.conv": Constant(2.0)},
    )  # fmt: skip
    arrays = initialize(graph, scheme)
    assert (arrays["stage1.block1.operation1.conv.weight"] == 2).all()
    assert (arrays["classifier.dense.weight"] == 0.5).all()
    assert (arrays["classifier.dense.bias"] == -1).all()
    assert arrays["head.conv.weight"].std() == pytest.approx(1, rel=0.1)


def test_ops_that_know_their_start():
    graph = network((8, 4, 4), ("scale", LayerScale(initial=0.25)), ("act", Act("prelu")))
    arrays = initialize(graph)
    assert (arrays["scale.gamma"] == 0.25).all() and (arrays["act.slope"] == 0.25).all()


# Seeds.


def digest(arrays):
    whole = hashlib.sha256()
    for path, array in arrays.items():
        whole.update(path.encode() + array.tobytes())
    return whole.hexdigest()[:16]


@pytest.mark.parametrize(
    "scheme, expected",
    [("he", "462d681de1dc7c75"), ("isynet", "add38875e125d195"), ("by_fan_in", "654ef727b035a958")],
)
def test_a_seed_is_for_ever(scheme, expected):
    assert digest(initialize(archspec.load("tiny/isynet"), scheme, 7)) == expected


def test_streams_are_apart():
    graph = archspec.load("resnet18")
    one, again, other = (initialize(graph, "he", seed) for seed in (1, 1, 2))
    kernels = [path for path in one if path.endswith("conv.weight")]
    assert all(np.array_equal(one[path], again[path]) for path in one)
    assert not any(np.array_equal(one[path], other[path]) for path in kernels)
    alike = [path for path in kernels if one[path].shape == (64, 64, 3, 3)]
    flat = np.stack([one[path].reshape(-1) for path in alike])
    correlations = np.corrcoef(flat) - np.eye(len(alike))
    assert np.abs(correlations).max() < 5 / math.sqrt(flat.shape[1])


def test_a_weight_depends_on_its_path_alone():
    small, large = (archspec.load("resnet18", depths=depths) for depths in ([1] * 4, [2] * 4))
    one, other = initialize(small, "he", 3), initialize(large, "he", 3)
    assert all(np.array_equal(one[path], other[path]) for path in one)


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_seeds_have_bounds(seed):
    with pytest.raises(UsageError, match=f"seed {seed}: must be a whole number from 0"):
        initialize(archspec.load("tiny/isynet"), "he", seed)


def test_unknown_schemes():
    with pytest.raises(UsageError) as error:
        initialize(archspec.load("tiny/isynet"), "isinet")
    assert str(error.value).startswith("'isinet' is not an initialisation; did you mean 'isynet'?")


# The last gamma of a residual branch.


def test_last_gammas_of_shipped_networks():
    assert last_gammas(archspec.load("resnet18", depths=[2, 1, 1, 1])) == [
        "stage1.block1.conv2.norm", "stage1.block2.conv2.norm", "stage2.block1.conv2.norm",
        "stage3.block1.conv2.norm", "stage4.block1.conv2.norm",
    ]  # fmt: skip
    assert last_gammas(archspec.load("resnext152_64x4d")) == [
        f"stage{stage}.block{block}.expand.norm"
        for stage, depth in ((1, 3), (2, 8), (3, 36), (4, 3))
        for block in range(1, depth + 1)
    ]
    dropping = archspec.load("efficientnet_b0", drop_path=0.2)
    assert len(last_gammas(dropping)) == 9
    assert last_gammas(archspec.load("repvgg_a0")) == []
    assert last_gammas(archspec.load("densenet121")) == []
    # behind a relu zeros would have no gradient
    assert last_gammas(archspec.load("isynet_n1")) == []
    assert last_gammas(archspec.load("isynet_n0")) == ["stage4.block2.operation2.norm"]
    # mish has one
    assert len(last_gammas(archspec.load("cspdarknet53"))) == 23


def conv(channels=8):
    return Conv(channels=channels, kernel=3)


@pytest.mark.parametrize(
    "layers, expected",
    [
        ([("c", conv()), ("n", BatchNorm()), ("sum", Add(), "n", "in")], ["n"]),
        ([("c", conv()), ("n", BatchNorm()), ("sum", Add(), "in", "n")], ["n"]),
        ([("c", conv()), ("n", BatchNorm()), ("d", DropPath(rate=0.1)), ("sum", Add(), "d", "in")],
         ["n"]),
        ([("c", conv()), ("n", BatchNorm()), ("r", Act("relu")), ("sum", Add(), "r", "in")], []),
        ([("c", conv()), ("n", BatchNorm()), ("r", Act("silu")), ("sum", Add(), "r", "in")], ["n"]),
        ([("c", conv()), ("sum", Add(), "c", "in")], []),
        ([("sum", Add(), "in", "in")], []),
        # a projection is the shorter side, whichever is written first
        ([("c", conv()), ("n", BatchNorm()), ("c2", conv()), ("n2", BatchNorm()),
          ("p", conv(), "in"), ("pn", BatchNorm()), ("sum", Add(), "pn", "n2")], ["n2"]),
        # two branches of one length are not a residual
        ([("c", conv()), ("n", BatchNorm()), ("p", conv(), "in"), ("pn", BatchNorm()),
          ("sum", Add(), "pn", "n")], []),
        # a sum that repeats one of the two, or is of three
        ([("g", GlobalAvgPool()), ("c", Conv(8, 1)), ("n", BatchNorm()), ("sum", Add(), "n", "in")],
         []),
        ([("c", conv()), ("n", BatchNorm()), ("g", GlobalAvgPool(), "in"),
          ("sum", Add(), "n", "in", "g")], []),
        # a gate beside what it gates
        ([("c", conv()), ("n", BatchNorm()), ("g", GlobalAvgPool()), ("s", Act("sigmoid")),
          ("m", Mul(), "n", "s"), ("sum", Add(), "m", "in")], ["n"]),
        ([("c", conv()), ("n", BatchNorm()), ("m", Mul(), "n", "in"), ("sum", Add(), "m", "in")],
         []),
    ],
)  # fmt: skip
def test_last_gammas_by_structure(layers, expected):
    assert last_gammas(network((8, 6, 6), *layers)) == expected


def test_a_block_of_zero_gamma_is_the_identity():
    from oracles.rule_b import image

    from archspec.compiler.targets.reference import run

    graph = archspec.load("tiny/resnext")
    scheme = SCHEMES["he_zero"]
    arrays = initialize(graph, scheme, 1)
    assert last_gammas(graph)
    for path in list(arrays):
        # whatever the branch computes before its last norm does not matter
        if ".spatial." in path and path.endswith("weight"):
            arrays[path] = arrays[path] * 3
    plain = initialize(graph, scheme, 1)
    x = image(graph.input_shape)
    (one,), (other,) = (run(graph, a, x).values() for a in (arrays, plain))
    assert np.array_equal(one, other)


# MindSpore, drawing the same.


def test_mindspores_initialisers_agree():
    pytest.importorskip("mindspore")
    import mindspore
    from mindspore.common import initializer as theirs

    shape = (256, 64, 3, 3)
    graph = network((64, 8, 8), ("conv", Conv(channels=256, kernel=3)))
    pairs = [
        (he("in"), theirs.HeNormal()),
        (he("out"), theirs.HeNormal(mode="fan_out", nonlinearity="relu")),
        (he("in", "uniform"), theirs.HeUniform()),
        (BY_FAN_IN, theirs.HeUniform(math.sqrt(5))),
        (xavier(), theirs.XavierUniform()),
        (xavier("normal"), theirs.XavierNormal()),
        # MindSpore 2 cuts at -2 and 2 whatever sigma is; MindSpore 1 cut at 2 sigma, as all papers
        (TruncatedNormal(1.0), theirs.TruncatedNormal(1.0)),
        (TruncatedNormal(0.01), theirs.TruncatedNormal(0.01, a=-0.02, b=0.02)),
        (Normal(0.01), theirs.Normal(0.01)),
    ]
    for ours, their in pairs:
        one = initialize(graph, Scheme(ours, ours))["conv.weight"]
        other = theirs.initializer(their, shape, mindspore.float32).init_data().asnumpy()
        assert one.std() == pytest.approx(other.std(), rel=0.02), their
        quantiles = np.linspace(0.01, 0.99, 25)
        gap = np.abs(np.quantile(one, quantiles) - np.quantile(other, quantiles)).max()
        assert gap < 0.05 * other.std(), their
