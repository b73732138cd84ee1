"""int8 in numpy: each piece against something that we did not write, a whole network against
onnxruntime, which runs what is written layer by layer."""

import numpy as np
import pytest
from oracles.networks import network
from oracles.rule_b import image, with_random_weights

from archspec.compiler.latency.device import devices
from archspec.compiler.pipeline import for_deployment
from archspec.compiler.quantize.bias import correct_biases
from archspec.compiler.quantize.calibrate import observe
from archspec.compiler.quantize.equalize import equalize, find_pairs, highest_inputs
from archspec.compiler.quantize.factors import (
    Factors,
    factors_of_range,
    factors_of_weight,
    round_tensor,
    round_weight,
    to_integers,
)
from archspec.compiler.quantize.fidelity import compare
from archspec.compiler.quantize.harm import leave_harmful_float, rank_by_harm
from archspec.compiler.quantize.histograms import BINS, Histogram
from archspec.compiler.quantize.observers import OBSERVERS
from archspec.compiler.quantize.pipeline import Scheme, batches, quantize
from archspec.compiler.quantize.report import as_json, picture_of, table_of, tell
from archspec.compiler.quantize.walking import outputs_of
from archspec.compiler.targets import reference
from archspec.errors import SpecError
from archspec.node import INPUT, Tensor
from archspec.ops.activation import Act
from archspec.ops.conv import Conv, ConvTranspose
from archspec.ops.linear import Dense
from archspec.ops.merge import Add, Concat
from archspec.ops.pool import GlobalAvgPool, MaxPool
from archspec.ops.reshape import Flatten
from archspec.tables import as_text

RNG = np.random.default_rng(5)


def awkward():
    """Every kind of layer that can be int8, at odd sizes: groups, depthwise, dilated and transposed
    convolutions, sums, and layers between that stay float."""
    return network(
        (3, 11, 9),
        ("stem", Conv(8, 3, stride=2, bias=True)),
        ("relu6", Act("relu6")),
        ("deep", Conv(8, (3, 5), groups=8, padding="same", bias=True)),
        ("leaky", Act("leaky_relu")),
        ("grouped", Conv(8, 1, groups=2)),
        ("sum", Add(), "grouped", "relu6"),
        ("up", ConvTranspose(6, 3, stride=2, groups=2, bias=True)),
        ("wide", ConvTranspose(6, 2, dilation=2)),
        ("part", Conv(4, 3, dilation=2, padding=2), "up"),
        ("pool", MaxPool(2, stride=1), "up"),
        ("joined", Concat(), "part", "up"),
        ("last", Conv(5, 3, padding="valid")),
        ("mean", GlobalAvgPool()),
        ("flat", Flatten()),
        ("head", Dense(7)),
        outputs={"logits": "head", "wide": "wide", "pool": "pool"},
    )


@pytest.fixture(scope="module")
def model():
    return for_deployment(with_random_weights(awkward()))


@pytest.fixture(scope="module")
def images():
    return image((3, 11, 9), batch=12)


@pytest.fixture(scope="module")
def quantized(model, images):
    return quantize(model, images, Scheme())


# The integers.


@pytest.mark.parametrize("low, high", [(0, 6), (-0.3, 2), (-5, 0), (1, 2), (-1e-3, 1e3)])
def test_integers_are_those_of_onnx_and_of_torch(low, high):
    onnx = pytest.importorskip("onnx")
    from onnx.reference import ReferenceEvaluator

    factors = factors_of_range(low, high)
    x = RNG.uniform(low * 1.2 - 0.1, high * 1.2 + 0.1, (3, 40)).astype(np.float32)
    node = onnx.helper.make_node("QuantizeLinear", ["x", "s", "o"], ["y"])
    offset = np.array(factors.offset, np.int8)
    (theirs,) = ReferenceEvaluator(node).run(None, {"x": x, "s": factors.scale, "o": offset})
    assert np.array_equal(to_integers(x, factors), theirs)
    # an end of the range moves by less than an integer, so that zero is one
    assert abs(factors.range[0] - min(low, 0)) <= factors.scale
    assert to_integers(np.zeros(1), factors) == factors.offset
    torch = pytest.importorskip("torch")
    fake = torch.fake_quantize_per_tensor_affine(
        torch.tensor(x), float(factors.scale), factors.offset, -128, 127
    )
    assert np.allclose(round_tensor(x, factors), fake.numpy(), atol=1e-6)


def test_weights_of_channels_are_those_of_torch():
    torch = pytest.importorskip("torch")
    weight = RNG.standard_normal((6, 4, 3, 3)).astype(np.float32)
    weight[2] = 0
    factors = factors_of_weight(weight, 0)
    offsets = torch.zeros(6, dtype=torch.int32)
    fake = torch.fake_quantize_per_channel_affine(
        torch.tensor(weight), torch.tensor(factors.scale), offsets, 0, -127, 127
    )
    assert np.allclose(round_weight(weight, factors), fake.numpy(), atol=1e-6)


# Ranges.


@pytest.fixture(scope="module")
def tail():
    """Many small numbers and a few that are far out, in parts of growing range."""
    numbers = np.concatenate([RNG.normal(0, 1, 200_000), RNG.normal(0, 12, 40)])
    return np.sort(numbers)[np.argsort(np.abs(np.sort(numbers)), kind="stable")].astype(np.float32)


@pytest.fixture(scope="module")
def histogram(tail):
    found = Histogram()
    for part in np.split(tail, [10, 5000, 199_000, 200_030]):
        found.add(part)
    return found


def test_a_histogram_counts_as_numpy_does(histogram, tail):
    edges = (histogram.first + np.arange(len(histogram.counts) + 1)) * histogram.width
    theirs, _ = np.histogram(tail.astype(np.float64), edges)
    assert np.abs(histogram.counts - theirs).sum() <= 4  # float32 at an edge
    assert len(histogram.counts) <= BINS and histogram.counts.sum() == len(tail)
    assert (histogram.low, histogram.high) == (tail.min(), tail.max())


def test_observers_find_what_looking_at_all_numbers_finds(histogram, tail):
    assert OBSERVERS["min-max"](histogram) == (tail.min(), tail.max())
    low, high = OBSERVERS["percentile"](histogram)
    assert np.allclose((low, high), np.percentile(tail, (0.005, 99.995)), atol=0.1)

    def error(low, high):
        return ((tail - round_tensor(tail, factors_of_range(low, high))) ** 2).sum()

    best = min(error(s * tail.min(), t * tail.max())
               for s in np.linspace(0.1, 1, 19) for t in np.linspace(0.1, 1, 19))  # fmt: skip
    assert error(*OBSERVERS["mse"](histogram)) <= 1.05 * best < error(tail.min(), tail.max())


def test_entropy_cuts_off_what_tells_nothing():
    found = Histogram()
    found.add(np.concatenate([RNG.exponential(1, 100_000), np.zeros(100_000), [60.0]]))
    low, high = OBSERVERS["entropy"](found)
    assert low == 0 and 8 < high < 40


def test_numbers_without_a_range_are_named(model, images):
    bad = images.copy()
    bad[3, 0, 2, 2] = np.nan
    with pytest.raises(SpecError, match="the image has numbers that are not finite"):
        quantize(model, bad, Scheme())
    weights = {**(model.weights or {}), "stem.bias": np.full(8, -100, np.float32)}
    dead = type(model)(model.graph, weights)
    with pytest.raises(SpecError, match="'deep' reads nothing but zeros from all 12 calibration"):
        quantize(dead, images, Scheme())
    with pytest.raises(SpecError, match="no layer that could be int8"):
        quantize(model, images, Scheme(), left_float=[*model.graph.nodes])


# What helps.


def test_equalising_changes_scales_and_nothing_else(model, images):
    pairs = find_pairs(model)
    assert [(p.first.name, p.second.name, bool(p.cut)) for p in pairs] == [
        ("deep", "grouped", False),
    ]  # the relu6 is read by a sum as well
    small = network(
        (3, 9, 9),
        ("one", Conv(8, 3, bias=True)), ("cut", Act("relu6")),
        ("two", Conv(8, 3, groups=8, bias=True)), ("relu", Act("relu")),
        ("three", Conv(6, 1, groups=2, bias=True)), ("mean", GlobalAvgPool()), ("flat", Flatten()),
        ("four", Dense(3)),
    )  # fmt: skip
    before = for_deployment(with_random_weights(small))
    factor = np.exp(RNG.normal(0, 2, (8, 1, 1, 1))).astype(np.float32)
    before.weights["one.weight"][:] *= factor
    before.weights["two.weight"][:] /= factor
    inputs = 3 * image((3, 9, 9), batch=6)
    pairs = find_pairs(before)
    highest = highest_inputs(before, pairs, [inputs])
    assert (highest["cut"] > 6).any() and (highest["cut"] < 6).any()
    after = equalize(before, pairs, highest)
    ours, theirs = (outputs_of(one, inputs)["logits"] for one in (after, before))
    assert np.allclose(ours, theirs, rtol=1e-4, atol=1e-5)

    def spread(model, name):
        largest = np.abs(model.weights[name]).reshape(8, -1).max(axis=1)
        return np.log(largest).std()

    assert spread(after, "two.weight") < 0.8 * spread(before, "two.weight")


def test_a_corrected_bias_gives_back_the_mean(model, images):
    """The mean of every layer's result on float inputs, as numpy computes it image by image."""
    names = ["stem", "deep", "up", "part", "head"]
    weights = {name: factors_of_weight(model.weights[f"{name}.weight"], None) for name in names}
    coarse = {name: Factors(f.scale * 16, axis=f.axis) for name, f in weights.items()}
    tensors = {model.graph.nodes[name].inputs[0] for name in names}
    found = observe(model, tensors, [images[:5], images[5:]])
    corrected = correct_biases(model, coarse, found.means)
    for name in names:
        tensor = model.graph.nodes[name].inputs[0]
        graph = model.graph.nodes[name]
        inputs = images if tensor.node == INPUT else _value(model, tensor, images)
        wanted = reference.forward(
            graph.op, [inputs], {k: model.weights[f"{name}.{k}"] for k in ("weight", "bias")
                                 if f"{name}.{k}" in model.weights}
        )[0]  # fmt: skip
        rounded = {"weight": round_weight(model.weights[f"{name}.weight"], coarse[name])}
        rounded["bias"] = corrected.weights[f"{name}.bias"]
        op = corrected.graph.nodes[name].op
        ours = reference.forward(op, [inputs], rounded)[0]
        axes = (0, *range(2, ours.ndim))
        assert np.allclose(ours.mean(axis=axes), wanted.mean(axis=axes), atol=1e-5)
        assert not np.allclose(ours, wanted, atol=1e-4)


def _value(model, tensor, images):
    from dataclasses import replace

    graph = replace(model.graph, outputs={"value": tensor})
    return reference.run(graph, model.weights, images)["value"]


def test_a_bias_is_a_whole_number_of_steps_in_an_int32(model, images):
    weights = dict(model.weights)
    weights["stem.weight"] = weights["stem.weight"].copy()
    weights["stem.weight"][0] = 1e-30  # a channel of nothing, with a bias
    quantization, _ = quantize(type(model)(model.graph, weights), images, Scheme())
    step = quantization.weights["stem"].scale * quantization.activations[Tensor(INPUT)].scale
    bias = quantization.rounded.weights["stem.bias"]
    assert np.allclose(bias, quantization.model.weights["stem.bias"], rtol=1e-3, atol=step.max())
    assert (np.abs(bias / step) < 2**31).all()


# The whole network.


@pytest.mark.parametrize("weights", ["channel", "tensor"])
@pytest.mark.parametrize("is_for_amct", [False, True])
def test_onnxruntime_runs_what_numpy_has(model, images, weights, is_for_amct):
    pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    from dataclasses import replace

    from stand_ins.amct_onnx import adapted

    from archspec.compiler.targets.onnx.model import serialize, to_onnx
    from archspec.deploy.quantize import check

    quantization, _ = quantize(model, images, Scheme(weights, equalizes=weights == "tensor"))
    quantization = replace(quantization, is_for_amct=is_for_amct)
    proto = to_onnx(quantization.rounded, opset=13, batch=None, quantization=quantization)
    checked = check(serialize(proto), quantization, images[:4])
    assert checked.difference < 1e-5 and checked.cosine > 0.999
    kinds = [node.op_type for node in proto.graph.node]
    assert kinds.count("Conv") == 5 and "QuantizeLinear" in kinds
    if is_for_amct:
        layers = ["stem", "deep", "grouped", "up", "part", "last", "head"]
        assert adapted(onnx.load_from_string(serialize(proto))) == layers


def test_a_fault_in_a_layer_is_found(model, images, quantized):
    pytest.importorskip("onnxruntime")
    from dataclasses import replace

    from archspec.compiler.targets.onnx.model import serialize, to_onnx
    from archspec.deploy.quantize import check

    quantization, _ = quantized
    proto = to_onnx(quantization.rounded, opset=13, batch=None, quantization=quantization)
    wrong = Factors(quantization.weights["part"].scale * np.float32(1.01), axis=0)
    other = replace(quantization, weights={**quantization.weights, "part": wrong})
    with pytest.raises(SpecError, match="onnxruntime and numpy differ on part by"):
        check(serialize(proto), other, images[:2])


def test_the_report_tells_which_layer_goes_wrong(model, images):
    weights = dict(model.weights)
    weights["part.weight"] = weights["part.weight"].copy()
    weights["part.weight"][:, 0] *= 200  # one range for channels that differ so is too wide
    weights["part.weight"][:, 0, :, :2] = 0
    spoilt = type(model)(model.graph, weights)
    quantization, found = quantize(spoilt, images, Scheme(corrects=False), left_float=("last",))
    outcome = compare(quantization, found, batches(images))
    by_name = {layer.name: layer for layer in outcome.layers}
    assert min(outcome.layers, key=lambda layer: layer.own_sqnr).name in ("part", "up")
    assert not by_name["last"].is_int8 and by_name["last"].own_sqnr == 200 > by_name["last"].sqnr
    assert by_name["stem"].own_sqnr == pytest.approx(by_name["stem"].sqnr)
    told = tell(quantization, outcome, devices()["ascend310"], ())
    text = as_text(table_of(told))
    assert max(map(len, text.splitlines())) <= 100
    assert 0.9 < sum(told.times.values()) / told.int8_ms < 1.1
    assert as_json(told)["layers"][0]["name"] == "stem"
    assert picture_of(told).startswith(b"\x89PNG")


def test_the_most_harmful_layers_stay_float_until_it_agrees(model, images):
    weights = dict(model.weights)
    logits = outputs_of(model, images)["logits"]
    weights["head.bias"] = weights["head.bias"] - logits.mean(axis=0)  # the image alone decides
    model = type(model)(model.graph, weights)
    quantization, _ = quantize(model, images, Scheme())
    coarse = dict(quantization.weights)
    coarse["stem"] = Factors(coarse["stem"].scale * 120, axis=0)  # all its weights are 0 or 1
    from dataclasses import replace

    spoilt = replace(quantization, weights=coarse)
    assert rank_by_harm(spoilt, images)[0] == "stem"
    assert leave_harmful_float(quantization, images, 1.0) == (quantization, [])
    kept, left = leave_harmful_float(spoilt, images, 0.0)
    assert left and left[0] == "stem" and "stem" not in kept.nodes
    ours, theirs = kept.run(images)["logits"], outputs_of(model, images)["logits"]
    assert np.array_equal(ours.argmax(axis=1), theirs.argmax(axis=1))


def test_what_is_left_float_is_what_it_was(model, images):
    """Its bias too, which a correction moved for the sake of its integers."""
    quantization, _ = quantize(model, images, Scheme())
    wanted, found = outputs_of(model, images), quantization.without(quantization.nodes).run(images)
    assert all(np.array_equal(found[name], wanted[name]) for name in wanted)


def test_int8_takes_half_the_time_of_a_large_product():
    """At 22 TOPS for 11.14 TFLOPS, that is."""
    from archspec.compiler.latency.model import estimate

    graph = network((256, 28, 28), ("conv", Conv(256, 3)), ("deep", Conv(256, 3, groups=256)))
    device = devices()["ascend310"]
    half, whole = (
        {row.name: row for row in estimate(graph, device, 16, int8).rows}
        for int8 in (("conv", "deep"), ())
    )
    assert half["conv"].cube_ms == pytest.approx(whole["conv"].cube_ms * 11.14112 / 22)
    assert half["deep"].memory_ms == pytest.approx(whole["deep"].memory_ms / 2, rel=0.05)
