"""Pools mean the same everywhere: whatever the kernel, the stride, the padding and what stands
before them, numpy, onnxruntime and MindSpore give one result.

Inputs are negative, so that a zero that takes part where none should is seen in a maximum too.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archspec.ops.conv import Conv
from archspec.ops.pool import AvgPool, MaxPool
from archspec.ops.regularize import Dropout
from archspec.ops.reshape import Identity, Pad
from archspec.shapes import ShapeError

np = pytest.importorskip("numpy")

from oracles.networks import network  # noqa: E402
from oracles.rule_b import image, with_random_weights  # noqa: E402

from archspec.compiler import build  # noqa: E402
from archspec.compiler.targets import reference  # noqa: E402

SOME = settings(
    max_examples=settings.default.max_examples // 8,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
kernels = st.tuples(st.integers(1, 6), st.integers(1, 6))
strides = st.tuples(st.integers(1, 4), st.integers(1, 4))
sides = st.integers(0, 5)
paddings = (
    st.sampled_from(["half", "same", "valid"])
    | st.tuples(sides, sides, sides, sides)
    | st.builds(lambda rows, columns: (rows, rows, columns, columns), sides, sides)
)
pools = st.one_of(
    st.builds(MaxPool, kernels, strides, paddings, st.booleans()),
    st.builds(AvgPool, kernels, strides, paddings, st.booleans(), st.booleans()),
)
before = st.sampled_from([
    (), (), (Pad(1, 0.0),), (Pad((2, 0, 1, 3), 0.0),), (Pad(1, 1.5),), (Pad(2, 0.0), Identity()),
    (Pad(1, 0.0), Dropout(0.5)),
])  # fmt: skip


@st.composite
def pooled(draw):
    """Up to a dozen pools of one input, each an output; those that cannot be are left out."""
    shape = (2, draw(st.integers(1, 9)), draw(st.integers(1, 9)))
    layers, outputs = [], {}
    for index in range(12):
        chain = (*draw(before), draw(pools))
        names = [f"p{index}_{step}" for step in range(len(chain))]
        sources = ["in", *names]
        entries = [*zip(names, chain, sources, strict=False)]
        try:
            network(shape, *entries)
        except ShapeError:
            continue
        layers += entries
        outputs[f"y{index}"] = names[-1]
    return network(shape, *layers, outputs=outputs or {"y": "in"})


def negative(shape):
    return -1 - image(shape, 2)


def assert_is_the_reference(graph, results):
    expected = reference.run(graph, {}, negative(graph.input_shape))
    for (key, wanted), found in zip(expected.items(), results, strict=True):
        assert found.shape == wanted.shape, (key, graph.nodes)
        assert np.abs(found - wanted).max() <= 1e-5, (key, graph.nodes)


@SOME
@given(graph=pooled(), opset=st.sampled_from([11, 13, 17]))
def test_onnxruntime_at_its_default_level_pools_as_numpy(graph, opset):
    pytest.importorskip("onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    proto = build(with_random_weights(graph), "onnx", opset=opset, batch=2)
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    names = [*graph.outputs]
    assert_is_the_reference(graph, session.run(names, {"image": negative(graph.input_shape)}))


@pytest.fixture(scope="module")
def ms():
    """MindSpore, which sets the recursion limit when it is first used: not while examples run."""
    package = pytest.importorskip("mindspore")
    build(network((2, 3, 3), ("pool", MaxPool(2))))(package.ops.ones((1, 2, 3, 3)))
    return package


@SOME
@given(graph=pooled())
def test_mindspore_pools_as_numpy(ms, graph):
    cell = build(graph).set_train(False)
    results = cell(ms.Tensor(negative(graph.input_shape)))
    results = results if isinstance(results, (tuple, list)) else [results]
    assert_is_the_reference(graph, [result.asnumpy() for result in results])


def test_mindir_holds_pools_that_pad_more_than_half_the_kernel(ms, tmp_path):
    from archspec.deploy.export import Source, write_mindir

    wide = [
        AvgPool(3, 1, 2), AvgPool(3, 2, 2, ceil=True, count_padding=True), MaxPool(3, 1, 2),
        AvgPool((4, 3), 2, (3, 3, 1, 1), count_padding=True), AvgPool(5, 1, (0, 4, 1, 2)),
    ]  # fmt: skip
    layers = [(f"p{index}", op, "in") for index, op in enumerate(wide)]
    graph = network((2, 7, 5), *layers, outputs={name: name for name, *_ in layers})
    comparison = write_mindir(Source(with_random_weights(graph), None), tmp_path / "net.mindir")
    assert comparison.difference < 1e-6


def test_a_border_before_a_convolution_is_still_taken_in():
    """onnxruntime may make it the convolution's own padding, for that is the same."""
    onnx = pytest.importorskip("onnx")
    graph = network((2, 7, 5), ("pad", Pad(1, 0.0)), ("conv", Conv(2, 3, padding="valid")))
    proto = build(with_random_weights(graph), "onnx")
    values = {entry.name: onnx.numpy_helper.to_array(entry) for entry in proto.graph.initializer}
    pad = next(node for node in proto.graph.node if node.op_type == "Pad")
    assert not np.signbit(values[pad.input[2]])
