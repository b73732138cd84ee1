"""ONNX written from graphs: what onnxruntime makes of it, and what Ascend's parser would take.

The judge of numbers is the vectorised numpy reference in float64, itself held here against the
plain loops of numpy_ops.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_ops import EXAMPLES, IMAGE, label

import archspec
from archspec.compiler import pipeline
from archspec.compiler.model import Model, weights_of
from archspec.errors import UsageError
from archspec.extras import install_hint
from archspec.ops import OPS
from archspec.ops.activation import Act, Softmax
from archspec.ops.conv import Conv
from archspec.ops.linear import Dense
from archspec.ops.merge import Add, Concat, Mul
from archspec.ops.norm import BatchNorm
from archspec.ops.pool import AvgPool, GlobalAvgPool, GlobalMaxPool, MaxPool
from archspec.ops.regularize import Dropout, LayerScale
from archspec.ops.reshape import ChannelShuffle, Flatten, Identity, Slice, Split
from archspec.ops.resize import Upsample
from archspec.sources import shipped_names
from archspec.space import Space

np = pytest.importorskip("numpy")
onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from oracles import numpy_ops  # noqa: E402
from oracles.covering import each_network, slow  # noqa: E402
from oracles.networks import around, network  # noqa: E402
from oracles.numpy_ops import in_domain  # noqa: E402
from oracles.rule_b import draw, image, with_random_weights  # noqa: E402

from archspec.compiler.targets import reference  # noqa: E402
from archspec.compiler.targets.onnx import to_onnx, write_onnx  # noqa: E402  (needs onnx)
from archspec.compiler.targets.onnx.allowed import ALLOWED, IR_VERSIONS  # noqa: E402
from archspec.compiler.targets.onnx.model import serialize  # noqa: E402
from archspec.compiler.targets.onnx.operators import spell  # noqa: E402

CORNERS = [
    (Conv(2, (3, 5), stride=2, padding="same", dilation=(2, 1)), ((2, 9, 12),)),
    (Conv(4, 3, stride=2, padding="same", groups=2, bias=True), ((4, 8, 11),)),
    (Conv(4, (2, 3), padding="same", dilation=3, groups=4), ((4, 9, 8),)),
    (Conv(3, 4, stride=(3, 2), padding=(3, 0, 1, 2)), ((2, 9, 8),)),
    (Conv(3, 3), ((2, 1, 1),)),
    (MaxPool(3, stride=2, ceil=True), ((2, 8, 11),)),
    (MaxPool(3, stride=2, padding="half", ceil=True), ((2, 8, 9),)),
    (MaxPool(2, stride=3, padding=(1, 1, 0, 1), ceil=True), ((2, 7, 5),)),
    (MaxPool((1, 4), stride=4, padding=(0, 0, 3, 0)), ((2, 9, 11),)),
    (AvgPool(2, stride=3, padding=1, ceil=True, count_padding=True), ((2, 7, 8),)),
    (AvgPool(3, stride=2, padding=(0, 2, 1, 0), ceil=True, count_padding=True), ((2, 8, 9),)),
    (AvgPool(3, stride=2, padding=(1, 0, 2, 1), ceil=True), ((2, 8, 9),)),
    (AvgPool(4, stride=3, padding=(2, 1, 0, 3), count_padding=True), ((2, 9, 8),)),
    (AvgPool(3, stride=2, ceil=True, count_padding=True), ((2, 8, 8),)),
    (Upsample((3, 2), "bilinear"), ((2, 5, 4),)),
    (Upsample(2, "bilinear"), ((2, 1, 3),)),
    (Upsample((2, 5)), ((2, 3, 2),)),
    (Add(), (IMAGE,) * 4),
    (Split(4), (IMAGE,)),
    (GlobalMaxPool(), ((3, 1, 6),)),
]
CASES = [*EXAMPLES, *CORNERS]
on_every_case = pytest.mark.parametrize("op, shapes", CASES, ids=label)


def session_of(proto):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        serialize(proto), options, providers=["CPUExecutionProvider"]
    )


def results(session, x):
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"image": x}), strict=True))


def assert_close(ours, theirs, tolerance=1e-4):
    """Each output within the tolerance of its own largest value, or of what vanishes beside 1."""
    assert [*ours] == [*theirs]
    for key, value in theirs.items():
        assert ours[key].shape == value.shape
        worst = np.abs(ours[key] - value).max()
        assert worst <= tolerance * max(np.abs(value).max(), 1e-3), f"{key} is off by {worst}"


def numbers_of(model, x):
    return reference.run(model.graph, model.weights, x.astype(np.float64))


# Ops.


def test_every_op_is_spelt():
    assert [name for name, op in OPS.items() if op not in spell.registry] == []
    assert [name for name, op in OPS.items() if op not in reference.forward.registry] == []


@on_every_case
def test_the_numpy_reference_is_that_of_the_plain_loops(op, shapes):
    rng = np.random.RandomState(3)
    batches = [in_domain(op, 4 * rng.standard_normal((2, *shape))) for shape in shapes]
    weights = {weight.name: draw(rng, weight.name, weight.shape) for weight in op.weights(shapes)}
    together = reference.forward(op, batches, weights)
    together = [np.broadcast_to(one, (2, *one.shape[1:])) for one in together]
    for sample in range(2):
        alone, _ = numpy_ops.run(op, [x[sample] for x in batches], weights)
        assert len(alone) == len(together)
        for one, other in zip(alone, together, strict=True):
            np.testing.assert_allclose(other[sample], one, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    "opset, batch", [(11, 3), (13, None), (17, 1), slow(11, 1), slow(11, None)]
)
@on_every_case
def test_onnxruntime_gives_the_reference(op, shapes, opset, batch):
    model = with_random_weights(around(op, shapes))
    proto = to_onnx(model, opset=opset, batch=batch)
    session = session_of(proto)
    for size in (1, 3) if batch is None else (batch,):
        x = in_domain(op, 4 * image(model.graph.input_shape, size))
        assert_close(results(session, x), numbers_of(model, x))


# What Ascend's parser takes.


@pytest.mark.parametrize("opset", IR_VERSIONS)
@on_every_case
def test_only_what_the_parser_takes_is_written(op, shapes, opset):
    proto = to_onnx(with_random_weights(around(op, shapes)), opset=opset)
    assert {node.op_type for node in proto.graph.node} <= ALLOWED
    assert {node.domain for node in proto.graph.node} == {""}
    (imported,) = proto.opset_import
    assert (imported.domain, imported.version) == ("", opset)
    assert proto.ir_version == {11: 6, 13: 7, 17: 8}[opset]
    shapes_by_name = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in onnx.shape_inference.infer_shapes(proto).graph.value_info
    }
    for node in proto.graph.node:
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        assert not {"auto_pad", "ceil_mode", "storage_order"} & attributes.keys()
        if node.op_type == "Softmax" and node.input[0] in shapes_by_name:
            assert attributes["axis"] == len(shapes_by_name[node.input[0]]) - 1
        if node.op_type == "Resize":
            assert attributes["mode"] == b"nearest"
            assert attributes["coordinate_transformation_mode"] == b"asymmetric"
        if node.op_type == "MaxPool":
            assert "dilations" not in attributes
    types = {tensor.name: tensor.data_type for tensor in proto.graph.initializer}
    assert set(types.values()) <= {
        onnx.TensorProto.FLOAT, onnx.TensorProto.INT32, onnx.TensorProto.INT64,
    }  # fmt: skip
    wide = {name for name, kind in types.items() if kind == onnx.TensorProto.INT64}
    readers = {node.op_type for node in proto.graph.node if wide & set(node.input)}
    assert readers <= {"Reshape", "Pad", "Split"}  # ONNX has it no other way


def test_the_list_is_that_of_the_facts():
    documented = (
        "Conv BatchNormalization Relu Clip LeakyRelu PRelu Sigmoid HardSigmoid Tanh Softplus"
        " MaxPool AveragePool GlobalAveragePool ReduceMean Add Mul Max Min Concat Split Slice"
        " Flatten Reshape Transpose Gemm MatMul Softmax Resize Pad"
    )
    registered = "ConvTranspose Div Elu Erf Identity Pow Sqrt Sub"
    assert {*documented.split(), *registered.split()} == ALLOWED


# The model around the operators.

NET = network(
    (4, 8, 9),
    ("stem.conv", Conv(4, 3, stride=2, padding="same")),
    ("stem.norm", BatchNorm()),
    ("stem.act", Act("silu")),
    ("split", Split(2)),
    ("join", Concat(), "split.2", "split.1"),
    ("pool", GlobalAvgPool()),
    ("flat", Flatten()),
    ("fc", Dense(3)),
)


def test_names_are_those_of_the_spec():
    proto = to_onnx(with_random_weights(NET))
    graph = proto.graph
    assert [value.name for value in graph.input] == ["image"]
    assert [value.name for value in graph.output] == ["logits"]
    assert [node.name for node in graph.node] == [
        "stem.conv", "stem.norm", "stem.act/Sigmoid", "stem.act", "split", "join", "pool", "flat",
        "fc",
    ]  # fmt: skip
    assert [[*node.output] for node in graph.node] == [
        ["stem.conv"], ["stem.norm"], ["stem.act/Sigmoid"], ["stem.act"], ["split.1", "split.2"],
        ["join"], ["pool"], ["flat"], ["logits"],
    ]  # fmt: skip
    weights = {tensor.name for tensor in graph.initializer if "/" not in tensor.name}
    assert weights == weights_of(NET).keys()
    assert graph.name == proto.graph.name == "test"


def test_padding_stands_in_the_order_of_onnx():
    conv = to_onnx(with_random_weights(NET)).graph.node[0]
    pads = next(a.ints for a in conv.attribute if a.name == "pads")
    assert [*pads] == [0, 1, 1, 1]  # top, left, bottom, right


def test_a_gate_is_not_written_as_the_hswish_that_opencv_looks_for():
    """OpenCV's dnn (5.0) replaces a HardSigmoid whose alpha and beta are both said, and any Mul
    that reads it, by HardSwish, whatever else is multiplied. ONNX's own default of beta is 0.5."""
    graph = network(
        IMAGE, ("pool", GlobalAvgPool(), "in"), ("gate", Act("hsigmoid")),
        ("op", Mul(), "in", "gate"), ("act", Act("hswish")),
    )  # fmt: skip
    said = {
        node.name: {a.name: a.f for a in node.attribute}
        for node in to_onnx(with_random_weights(graph)).graph.node
        if node.op_type == "HardSigmoid"
    }
    sixth = np.float32(1 / 6)
    assert said == {
        "gate": {"alpha": sixth}, "act/HardSigmoid": {"alpha": sixth, "beta": 0.5}
    }  # fmt: skip
    default = onnx.defs.get_schema("HardSigmoid", 11).attributes["beta"].default_value
    assert default.f == 0.5


@pytest.mark.parametrize("batch, first", [(1, 1), (5, 5), (None, "N")])
def test_the_batch_is_what_was_asked(batch, first):
    proto = to_onnx(with_random_weights(NET), batch=batch)
    for value in (*proto.graph.input, *proto.graph.output):
        dim = value.type.tensor_type.shape.dim[0]
        assert (dim.dim_param or dim.dim_value) == first


def test_names_that_collide_stay_apart():
    graph = network(
        IMAGE, ("image", Conv(4, 3)), ("logits", BatchNorm()), ("a", Act("silu")),
        ("a.weight", Act("relu")), ("fc", Conv(4, 1), "a"),
        ("end", Add(), "fc", "a.weight", "logits"),
        outputs={"logits": "end", "fc": "a"},
    )  # fmt: skip
    model = with_random_weights(graph)
    x = image(IMAGE)
    assert_close(results(session_of(to_onnx(model)), x), numbers_of(model, x))


@pytest.mark.parametrize("step", [pipeline.run, pipeline.for_deployment])
def test_outputs_that_are_the_input_or_each_other(step):
    graph = network(
        IMAGE, ("same", Identity()), ("conv", Conv(2, 3)), ("drop", Dropout(0.5)),
        outputs={"in1": "in", "in2": "same", "a": "conv", "b": "conv", "c": "drop"},
    )  # fmt: skip
    model = with_random_weights(graph)
    written = step(model, ()) if step is pipeline.run else step(model)
    x = image(IMAGE)
    assert_close(results(session_of(to_onnx(written)), x), numbers_of(model, x))


def test_what_the_file_says_of_its_spec():
    model = with_random_weights(archspec.load("tiny/isynet"))
    for written in (model, pipeline.for_deployment(model)):
        proto = to_onnx(written)
        properties = {entry.key: entry.value for entry in proto.metadata_props}
        assert properties["name"] == "tiny_isynet"
        assert properties["fingerprint"] == model.graph.fingerprint
        assert json.loads(properties["preprocessing"]) == {
            "shape": [1, 8, 8], "mean": [0.305], "std": [0.376]
        }  # fmt: skip
        assert properties["producer"].startswith("archspec")
        assert proto.producer_name == "archspec"


def test_the_same_model_gives_the_same_bytes(tmp_path):
    code = (
        "import hashlib, sys; sys.path.insert(0, 'tests'); import archspec;"
        "from oracles.rule_b import with_random_weights;"
        "from archspec.compiler.pipeline import for_deployment;"
        "from archspec.compiler.targets.onnx import write_onnx;"
        "model = with_random_weights(archspec.load('tiny/cspdarknet'));"
        f"write_onnx(for_deployment(model), {str(tmp_path / 'net.onnx')!r});"
        f"print(hashlib.sha256(open({str(tmp_path / 'net.onnx')!r}, 'rb').read()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True, text=True, check=True,
        ).stdout.strip()
        for seed in ("0", "1", "77")
    }  # fmt: skip
    model = pipeline.for_deployment(with_random_weights(archspec.load("tiny/cspdarknet")))
    assert digests == {hashlib.sha256(serialize(to_onnx(model))).hexdigest()}


def test_a_file_is_written_whole(tmp_path):
    path = tmp_path / "net.onnx"
    write_onnx(with_random_weights(NET), path, opset=13, batch=None)
    proto = to_onnx(with_random_weights(NET), opset=13, batch=None)
    assert path.read_bytes() == serialize(proto)
    said = onnx.load(path).metadata_props
    del said[-2:]  # the checksum, and that there is one
    assert said == proto.metadata_props
    with pytest.raises(UsageError, match="opset"):
        write_onnx(with_random_weights(NET), path, opset=12)
    assert [*tmp_path.iterdir()] == [path]


@pytest.mark.parametrize(
    "model, options, message",
    [
        (
            with_random_weights(NET),
            {"opset": 12},
            "ONNX opset 12 is not written; it must be 11, 13 or 17",
        ),
        (
            with_random_weights(NET),
            {"batch": 0},
            "a batch of 0 holds no image; it must be 1 or more, or any (None)",
        ),
        (
            Model(NET),
            {},
            "an ONNX file holds weights and test has none here; use weights of a checkpoint, or"
            " fresh ones",
        ),
        (
            with_random_weights(network(IMAGE, ("a", Act("relu")), outputs={"image": "a"})),
            {},
            "test calls an output 'image', which is the input's name in ONNX; use another name in"
            " its `outputs`",
        ),
    ],
)
def test_refusals_say_what_is_right(model, options, message):
    with pytest.raises(UsageError) as refusal:
        to_onnx(model, **options)
    assert str(refusal.value) == message


def test_too_many_weights_are_refused(monkeypatch):
    monkeypatch.setattr("archspec.compiler.targets.onnx.model.LARGEST", 100)
    with pytest.raises(UsageError, match="use a smaller network"):
        to_onnx(with_random_weights(NET))


def test_without_onnx_the_extra_is_named():
    code = (
        "import sys; sys.modules['onnx'] = None\n"
        "from archspec.errors import UsageError\n"
        "import archspec.compiler.pipeline\n"
        "try:\n"
        "    import archspec.compiler.targets.onnx\n"
        "except UsageError as error:\n"
        "    print(error)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert install_hint("onnx") in result.stdout


# Random networks.


@st.composite
def random_networks(draw):
    """A chain of random layers on images, with sums and joins of earlier tensors of one shape."""
    shape = (4, draw(st.integers(5, 9)), draw(st.integers(5, 9)))
    layers, known = [], {"in": shape}
    steps = st.sampled_from([
        Conv(4, 3), Conv(8, 1, bias=True), Conv(4, 3, stride=2, padding="same"),
        Conv(4, 3, groups=4), Conv(4, (1, 3)), Conv(8, 2, padding="same", dilation=2),
        BatchNorm(), BatchNorm(), LayerScale(), Act("relu"), Act("hswish"), Act("mish"),
        MaxPool(3, stride=2, padding=1),
        AvgPool(2, stride=2, ceil=True), Dropout(0.2), Identity(), ChannelShuffle(2), Upsample(2),
        Softmax(), Slice(0, 4), Conv(4, 3, weight_standardization=True), Add(), Add(), Mul(),
        Concat(),
    ])  # fmt: skip
    for index in range(draw(st.integers(1, 12))):
        op = draw(steps)
        first = draw(st.sampled_from([*known]))
        sources = [first]
        if op.inputs[0] == 2:
            alike = [name for name, other in known.items() if other == known[first]]
            sources += draw(st.lists(st.sampled_from(alike), min_size=1, max_size=3))
        try:
            (result,) = op.infer(tuple(known[source] for source in sources))
        except ValueError:
            continue
        layers.append((f"n{index}", op, *sources))
        known[f"n{index}"] = result
    results = draw(st.lists(st.sampled_from([*known]), min_size=1, max_size=3))
    return network(shape, *layers, outputs={f"y{i}": name for i, name in enumerate(results)})


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(graph=random_networks())
def test_random_networks_deploy_to_the_reference(graph):
    model = with_random_weights(graph)
    x = image(graph.input_shape, 2)
    expected = numbers_of(model, x)
    deployed = pipeline.for_deployment(model)
    assert_close(numbers_of(deployed, x), expected, 1e-5)
    assert_close(results(session_of(to_onnx(deployed, batch=None)), x), expected)


# Whole networks.

SMALL = {
    "hrnet_w18": (3, 64, 64),
    "hrnet_w32": (3, 64, 64),
    "swin_tiny_patch4_window7_224": (3, 224, 224),
    "unet": (1, 32, 32),
    "unet_transposed": (1, 32, 32),
    "resnet50_bifpn": (3, 128, 128),
    "inception_v3": (3, 75, 75),
}
"""Inputs other than 3 x 65 x 65: what needs multiples of 32 or 128, and what needs more pixels."""


def load_shipped(name):
    if name.startswith("spaces/"):
        space = Space(name)
        return space.assign(space.first())
    if name.startswith("tiny/"):
        return archspec.load(name)
    return archspec.load(name, input_shape=SMALL.get(name, (3, 65, 65)))


@pytest.mark.parametrize("name", each_network(shipped_names()))
def test_every_spec_runs_as_the_reference(name):
    model = with_random_weights(load_shipped(name))
    x = image(model.graph.input_shape)
    expected = reference.run(model.graph, model.weights, x)
    for written in (model, pipeline.for_deployment(model)):
        proto = to_onnx(written)
        assert {node.op_type for node in proto.graph.node} <= ALLOWED
        assert_close(results(session_of(proto), x), expected)


# Reference logits of the published MindSpore networks under rule B, measured once: ISyNet-N0 with
# 1000 classes, ISyNet-N1 as published (1001 classes, a last batch norm), Single-Path-NAS.

PUBLISHED = [
    # spec, args, first logits, L2 norm, argmax, sum of all parameters
    (
        "isynet_n0", {},
        [-0.301209, -0.56732, 0.391888, -0.197358, 0.118516], 11.92707, 838, 15146.213332,
    ),
    (
        "isynet_n1", {"classes": 1001, "last_norm": True},
        [-0.187732, 0.168277, 0.395845, -0.0145538, 0.145608], 7.060581, 338, 17203.194114,
    ),
    (
        "spnasnet", {},
        [0.161565, -0.290371, 0.461792, -0.0276599, 0.57], 7.210812, 317, 39334.837114,
    ),
]  # fmt: skip

CHECKPOINT_ORDER = ("weight", "bias", "moving_mean", "moving_variance", "gamma", "beta")
"""How a MindSpore checkpoint has the parameters of one layer."""


def drawn_in_checkpoint_order(graph):
    """Rule B over the layers in execution order, which is the checkpoints' for these networks."""
    rng = np.random.RandomState(0)
    arrays = {}
    for node in graph.nodes.values():
        for weight in sorted(node.layer.weights, key=lambda w: CHECKPOINT_ORDER.index(w.name)):
            array = draw(rng, weight.name, weight.shape)
            arrays[f"{node.name}.{weight.name}"] = array.astype(np.float32)
    return Model(graph, arrays)


@pytest.mark.parametrize("name, args, first, norm, top, total", PUBLISHED)
def test_published_logits_are_reproduced(name, args, first, norm, top, total):
    model = drawn_in_checkpoint_order(archspec.load(name, **args))
    checksum = sum(array.sum(dtype=np.float64) for array in model.weights.values())
    assert checksum == pytest.approx(total, abs=1e-5)
    x = image((3, 224, 224))
    by_numpy = reference.run(model.graph, model.weights, x)
    by_onnx = results(session_of(to_onnx(pipeline.for_deployment(model))), x)
    for (logits,) in (by_numpy["logits"], by_onnx["logits"]):
        np.testing.assert_allclose(logits[:5], first, rtol=1e-4, atol=1e-5)
        assert np.linalg.norm(logits) == pytest.approx(norm, rel=1e-5)
        assert logits.argmax() == top
