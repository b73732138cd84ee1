"""Estimated time: the work of layers counted by hand and by brute force, the calibration refitted
by another program, laws that hold of any network, and what the commands print."""

from __future__ import annotations

import csv
import io
import json
import math
import random
import subprocess
import sys
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.networks import network
from test_ops import EXAMPLES, label

import archspec
from archspec.compiler.latency import cautions, devices, estimate, find_device, layer_time, total_ms
from archspec.compiler.latency.kernels import Placement, roles
from archspec.compiler.latency.lint import RULES, findings
from archspec.compiler.latency.measurements import PUBLISHED, load_published, read_measurements
from archspec.compiler.latency.work import work_of
from archspec.compiler.model import Model
from archspec.compiler.passes.drop_dead import drop_dead
from archspec.compiler.pipeline import for_deployment
from archspec.compiler.rewrite import Draft
from archspec.errors import SpecError, UsageError
from archspec.extras import install_hint
from archspec.ops import FUNCTIONS
from archspec.ops.activation import Act
from archspec.ops.conv import Conv
from archspec.ops.linear import Dense
from archspec.ops.merge import Add, Concat, Mul
from archspec.ops.norm import BatchNorm, GroupNorm, LayerNorm
from archspec.ops.pool import AvgPool, GlobalAvgPool, MaxPool
from archspec.ops.regularize import Dropout, LayerScale
from archspec.ops.reshape import ChannelShuffle, Flatten, Identity, Slice, Split
from archspec.sources import shipped_names
from archspec.space import Space

NETWORKS = [name for name in shipped_names() if not name.startswith("spaces/")]
DEVICES = ("ascend310", "ascend310p3", "ascend910a", "ascend310b1")


@pytest.fixture(scope="module")
def ascend310():
    return find_device("ascend310")


@pytest.fixture(scope="module")
def deployed():
    return {name: for_deployment(archspec.load(name)).graph for name in NETWORKS}


def layer_work(op, *inputs, batch=1, tile=16):
    return work_of(op, inputs, op.infer(inputs), batch, tile)


# --- the work of one kernel

# Everything here was computed by hand from docs/latency.md: cycles, then bytes.
BY_HAND = [
    # rows 2*16*16 = 512, depth 16*9 = 144, across 32; 2*(16+32)*256 values and 144*32 weights
    (Conv(32, 3), [(16, 16, 16)], 2, 512 * 144 * 32 / 4096, 2 * (2 * 48 * 256 + 144 * 32)),
    # 3 channels lie as 16 and 24 as 32; 25 positions make 32 rows
    (Conv(24, 3, stride=2), [(3, 9, 9)], 1, 32 * 144 * 32 / 4096, 2 * (16 * 81 + 32 * 25 + 4608)),
    # depthwise: 2 tiles of 16 groups each, depth 16*25, across 16
    (Conv(32, 5, groups=32), [(32, 8, 8)], 1, 2 * 64 * 400 * 16 / 4096, 2 * (4096 + 2 * 400 * 16)),
    # 64 groups of 4: 16 tiles of 4 groups
    (Conv(256, 3, groups=64), [(256, 4, 4)], 1, 16 * 16 * 144 * 16 / 4096, 2 * (8192 + 36864)),
    # groups of 32 channels fill the cube by themselves
    (Conv(64, 1, groups=2), [(64, 4, 4)], 1, 2 * 16 * 32 * 32 / 4096, 2 * (2048 + 2048)),
    (Conv(16, (1, 3)), [(16, 4, 4)], 3, 48 * 48 * 16 / 4096, 2 * (3 * 512 + 48 * 16)),
    # 3 samples make 16 rows; 1000 features lie as 1008
    (Dense(1000), [(512,)], 3, 16 * 512 * 1008 / 4096, 2 * (3 * (512 + 1008) + 512 * 1008)),
    (MaxPool(3, stride=2), [(24, 9, 9)], 2, 0, 2 * 2 * 32 * (81 + 16)),
    (GlobalAvgPool(), [(16, 7, 7)], 1, 0, 2 * 16 * 50),
    (Mul(), [(16, 4, 4), (16, 1, 1)], 1, 0, 2 * 16 * (16 + 1 + 16)),
    (Concat(), [(8, 2, 2), (24, 2, 2)], 1, 0, 2 * 4 * (16 + 32 + 32)),
    (Slice(0, 16), [(64, 2, 2)], 1, 0, 2 * 4 * (16 + 16)),
    (Split(2), [(32, 2, 2)], 1, 0, 2 * 4 * (32 + 16 + 16)),
    (ChannelShuffle(2), [(32, 2, 2)], 1, 0, 3 * 2 * 4 * (32 + 32)),
    (Act("silu"), [(1, 5, 5)], 1, 0, 2 * 2 * 16 * 25),
]


@pytest.mark.parametrize(("op", "inputs", "batch", "cycles", "moved"), BY_HAND, ids=str)
def test_work_is_what_was_counted_by_hand(op, inputs, batch, cycles, moved):
    work = layer_work(op, *inputs, batch=batch)
    assert (work.cube_cycles, work.bytes) == (cycles, moved)
    assert work.launches == (3 if isinstance(op, ChannelShuffle) else 1)


def test_a_pool_s_vector_steps_are_taps():
    assert (
        layer_work(MaxPool(3, stride=2), (24, 9, 9), batch=2).vector_steps == 2 * 32 * 16 * 9 / 128
    )
    assert layer_work(Act("mish"), (24, 9, 9)).vector_steps == 0


def test_time_is_the_slowest_unit_and_the_launch(ascend310):
    device = replace(ascend310, efficiency=0.5, launch_us=10)
    conv = Conv(128, 3)
    inputs, outputs = ((128, 28, 28),), ((128, 28, 28),)
    # 16 * 784 rows, depth 1152, across 128; two cores of 680 MHz at half their rate
    cube = 12544 * 1152 * 128 / 4096 / (2 * 680e6 * 0.5) * 1e3
    memory = 2 * (16 * 2 * 128 * 784 + 1152 * 128) / 51.2e9 * 1e3
    time = layer_time(conv, inputs, outputs, device, 16)
    assert time.cube_ms == pytest.approx(cube)
    assert time.memory_ms == pytest.approx(memory)
    assert cube > memory
    assert time.ms == pytest.approx(cube + 0.01)
    assert time.parts() == {"cube": time.cube_ms, "launch": 0.01}
    narrow = layer_time(Conv(128, 1), inputs, outputs, device, 16)
    assert narrow.busy_ms == narrow.memory_ms > narrow.cube_ms
    assert device.cube_use(time.macs, time.ms) == pytest.approx(
        16 * 784 * 128 * 1152 / (2 * 680e6 * 4096) / (cube + 0.01) * 1e3
    )


def cycles_by_tiles(op, inputs, outputs, batch):
    """Every step of the cube counted one by one: tiles of 16 rows, 16 inputs and 16 outputs, the
    inputs once for each place of the kernel, groups side by side while they fit in 16 channels."""
    group_inputs, group_outputs = inputs[0][0] // op.groups, op.channels // op.groups
    blocks, held = 0, 99
    for _ in range(op.groups):
        held += 1
        if held * max(group_inputs, group_outputs) > 16:
            blocks, held = blocks + 1, 1
    inside = min(op.groups, max(16 // max(group_inputs, group_outputs), 1))
    rows = len(range(0, batch * outputs[0][1] * outputs[0][2], 16))
    steps = 0
    for _ in range(blocks):
        for _ in range(op.kernel[0] * op.kernel[1]):
            for _ in range(0, group_inputs * inside, 16):
                steps += rows * len(range(0, group_outputs * inside, 16))
    return steps


@settings(max_examples=150)
@given(st.data())
def test_cube_cycles_are_the_steps_of_the_cube(data):
    groups = data.draw(st.sampled_from([1, 1, 1, 2, 3, 8, 20]))
    channels = groups * data.draw(st.integers(1, 40))
    op = Conv(
        groups * data.draw(st.integers(1, 40)),
        (data.draw(st.integers(1, 4)), data.draw(st.integers(1, 4))),
        stride=data.draw(st.integers(1, 2)),
        groups=groups,
    )
    inputs = ((channels, data.draw(st.integers(4, 9)), data.draw(st.integers(4, 9))),)
    batch = data.draw(st.integers(1, 5))
    outputs = op.infer(inputs)
    work = work_of(op, inputs, outputs, batch)
    assert work.cube_cycles == cycles_by_tiles(op, inputs, outputs, batch)
    assert work.macs == batch * math.prod(outputs[0]) * (channels // groups) * math.prod(op.kernel)
    assert work.macs <= work.cube_cycles * 4096
    if op.groups == channels and op.groups == op.channels:
        assert work.cube_cycles * 4096 >= 16 * work.macs


CONVOLUTION = st.tuples(
    st.integers(1, 300), st.integers(1, 300), st.sampled_from([1, 3, 5]), st.integers(3, 64),
    st.sampled_from([1, 2]), st.integers(1, 64),
)  # fmt: skip


@settings(max_examples=300)
@given(
    CONVOLUTION,
    st.integers(0, 64),
    st.integers(0, 64),
    st.integers(0, 16),
    st.sampled_from(DEVICES),
)
def test_more_is_never_faster(drawn, more_in, more_out, more_batch, name):
    inputs, outputs, kernel, side, stride, batch = drawn
    device = find_device(name)

    def ms(inputs, outputs, batch):
        op = Conv(outputs, kernel, stride=stride)
        shapes = ((inputs, side, side),)
        return layer_time(op, shapes, op.infer(shapes), device, batch).ms

    now = ms(inputs, outputs, batch)
    assert ms(inputs + more_in, outputs, batch) >= now
    assert ms(inputs, outputs + more_out, batch) >= now
    assert ms(inputs, outputs, batch + more_batch) >= now
    # and a larger batch never costs more for each image than ever so many batches of it
    assert ms(inputs, outputs, 3 * batch) <= 3 * now * (1 + 1e-12)


@pytest.mark.parametrize("name", DEVICES)
@pytest.mark.parametrize(("op", "inputs"), EXAMPLES, ids=label)
def test_every_op_takes_a_time(op, inputs, name):
    device = find_device(name)
    outputs = op.infer(inputs)
    for batch in (1, 16):
        for role in ("kernel", "fused", "view", "read"):
            time = layer_time(op, inputs, outputs, device, batch, role)
            assert all(part >= 0 and math.isfinite(part) for part in time)
            assert (time.ms > 0) == (role == "kernel" or (role == "read" and len(inputs) > 1))


# --- what becomes a kernel


def kernels_of(graph):
    return [name for name, role in roles(graph).items() if role == "kernel"]


IMAGE = (16, 8, 8)
C = Conv(16, 3)
RELU = Act("relu")
FUSING = [
    ("a convolution takes in what follows", ["c"],
     [("c", C), ("b", BatchNorm()), ("d", Dropout(0.1)), ("r", RELU)]),
    ("a batch norm alone", ["b", "c"], [("b", BatchNorm()), ("c", C), ("r", RELU)]),
    ("a batch norm after a relu", ["c", "b"], [("c", C), ("r", RELU), ("b", BatchNorm())]),
    ("a batch norm after a dense layer", ["p", "d", "b"],
     [("p", GlobalAvgPool()), ("f", Flatten()), ("d", Dense(8)), ("b", BatchNorm())]),
    ("a relu after a pool", ["p"], [("p", MaxPool(2)), ("r", RELU)]),
    ("a relu of the input", ["r"], [("r", RELU)]),
    ("any other activation", ["c", "s"], [("c", C), ("s", Act("silu"))]),
    ("a relu that is not the only reader, and a sum of no convolution", ["c", "r", "t", "a"],
     [("c", C), ("r", RELU), ("t", Act("tanh"), "c"), ("a", Add(), "r", "t"), ("q", RELU)]),
    ("a sum of a convolution and what it read", ["c"],
     [("c", C), ("r", RELU), ("a", Add(), "r", "in")]),
    ("a sum of two convolutions, and its relu", ["c", "d"],
     [("c", C), ("d", C, "in"), ("a", Add(), "c", "d"), ("r", RELU)]),
    ("a sum whose convolution stands second", ["c"], [("c", C), ("a", Add(), "in", "c")]),
    ("a sum of the same twice", ["c", "a"], [("c", C), ("a", Add(), "c", "c")]),
    ("a sum of pools", ["p", "q", "a"],
     [("p", MaxPool(2)), ("q", AvgPool(2), "in"), ("a", Add(), "p", "q")]),
    ("a sum and then a batch norm", ["c", "b"],
     [("c", C), ("a", Add(), "c", "in"), ("b", BatchNorm())]),
    ("a sum that repeats a pixel", ["c", "p", "a"],
     [("c", C), ("p", GlobalAvgPool(), "in"), ("a", Add(), "c", "p"), ("r", RELU)]),
    ("flattening an image", ["c", "f", "d"], [("c", C), ("f", Flatten()), ("d", Dense(4))]),
    ("a name hung on a result", ["c"], [("c", C), ("i", Identity()), ("r", RELU)]),
    ("parts and their concatenation", ["s", "c", "k"],
     [("s", Split(2)), ("c", Conv(8, 1), "s.1"), ("k", Concat(), "c", "s.2"), ("r", RELU)]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("kernels", "layers"), [case[1:] for case in FUSING], ids=[c[0] for c in FUSING]
)
def test_what_becomes_a_kernel(kernels, layers):
    assert kernels_of(network(IMAGE, *layers)) == [*kernels]


def test_an_output_is_a_reader_too(ascend310):
    layers = [("c", C), ("r", RELU)]
    outputs = {"before": "c", "after": "r"}
    assert kernels_of(network(IMAGE, *layers, outputs=outputs)) == ["c", "r"]


def test_a_fused_sum_reads_its_other_inputs_without_a_launch(ascend310):
    graph = network(IMAGE, ("c", C), ("a", Add(), "c", "in", "in"))
    rows = {row.name: row for row in estimate(graph, ascend310, 4).rows}
    assert rows["a"].launch_ms == 0
    assert rows["a"].ms == pytest.approx(2 * (4 * 2 * 16 * 64) / 51.2e9 * 1e3)
    assert rows["a"].bound_by == "memory"


# --- whole networks


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_adds_up_on_every_device(name, deployed):
    graph = deployed[name]
    for device in devices().values():
        for batch in (1, 16):
            found = estimate(graph, device, batch)
            assert found.ms == pytest.approx(total_ms(graph, device, batch))
            assert found.ms == pytest.approx(sum(found.parts.values()))
            assert found.ms == pytest.approx(sum(row.ms for row in found.fold(lambda r: r.op)))
            assert found.macs == batch * graph.macs
            assert 0 < found.cube_use < 1
            for row in found.rows:
                slowest = max(row.cube_ms, row.vector_ms, row.memory_ms)
                assert row.ms == pytest.approx(slowest + row.launch_ms)
                assert row.cube_ms * device.efficiency * device.macs_per_second >= row.macs * 999
        assert total_ms(graph, device, 16) >= total_ms(graph, device, 1)
        assert total_ms(graph, device, 16) <= 16 * total_ms(graph, device, 1)


def test_only_merged_branches_tell_a_network_from_its_deployed_self(deployed, ascend310):
    for name in NETWORKS:
        written = total_ms(archspec.load(name), ascend310, 16)
        later = total_ms(deployed[name], ascend310, 16)
        if name == "repvgg_a0":
            assert written > 1.5 * later
        elif convolutions(deployed[name]) < convolutions(archspec.load(name)):
            assert written > later
        else:
            assert written == pytest.approx(later)


def convolutions(graph):
    return sum(node.op.name == "conv" for node in graph.nodes.values())


def test_networks_of_a_space_are_told_apart(ascend310):
    space = Space("spaces/isynet")
    times = set()
    for seed in range(20):
        graph = space.assign(space.sample(random.Random(seed)))
        times.add(total_ms(graph, ascend310, 16))
        assert total_ms(graph, ascend310, 16) == pytest.approx(estimate(graph, ascend310, 16).ms)
    assert len(times) > 10


def test_two_devices_of_one_name_are_two(ascend310):
    graph = network(IMAGE, ("c", C))
    slower = replace(ascend310, launch_us=1000)
    assert total_ms(graph, slower, 1) > 0.9 > total_ms(graph, ascend310, 1)


def test_a_network_of_nothing_takes_no_time(ascend310):
    found = estimate(network((16, 1, 1), ("i", Identity())), ascend310, 1)
    assert (found.ms, found.images_per_second, found.cube_use, found.rows) == (0, 0, 0, ())


# --- the calibration, refitted here by another program


def plain_kernels(graph):
    """Cube cycles, bytes and launches of an ISyNet or ResNet at batch 16, written down afresh from
    what was published of the model: every convolution, pool and dense layer is a launch, and so is
    a batch norm over the classes; every sum reads one tensor more."""

    def up(count):
        return math.ceil(count / 16) * 16

    def size(shape):
        return 16 * up(shape[0]) * math.prod(shape[1:])

    for node in graph.nodes.values():
        (first, *_), (output, *_) = node.layer.input_shapes, node.layer.output_shapes
        match node.op.name:
            case "conv" | "dense":
                kernel = math.prod(getattr(node.op, "kernel", (1,)))
                weights = up(first[0]) * kernel * up(output[0])
                rows = up(16 * math.prod(output[1:]))
                yield rows * weights / 4096, 2 * (size(first) + size(output) + weights), 1
            case "max_pool" | "global_avg_pool":
                yield 0, 2 * (size(first) + size(output)), 1
            case "batch_norm" if len(output) == 1:
                yield 0, 4 * size(output), 1
            case "add":
                yield 0, 2 * size(output), 0


def plain_ms(kernels, efficiency, launch_us):
    """Milliseconds an image, of kernels as an array (kernels, 3); for arrays of the constants, of
    all of them."""
    cycles, moved, launches = kernels.T
    compute = cycles / (2 * 680e6 * np.asarray(efficiency)[..., None])
    busy = np.maximum(compute, moved / 51.2e9).sum(-1)
    return (busy + launch_us * 1e-6 * launches.sum()) / 16 * 1e3


def plain_fit(rows):
    """Efficiency and launch of the least sum of squared logarithms, by ever finer grids."""
    best, span = (0.75, 50.0), (0.25, 50.0)
    for _ in range(18):
        steps = np.arange(-4, 5) / 4
        efficiency, launch_us = np.meshgrid(best[0] + steps * span[0], best[1] + steps * span[1])
        is_possible = (efficiency > 0) & (efficiency <= 1) & (launch_us >= 0)
        points = (efficiency[is_possible], launch_us[is_possible])
        squares = sum(np.log(plain_ms(kernels, *points) / ms) ** 2 for kernels, ms in rows)
        best = tuple(float(constant[squares.argmin()]) for constant in points)
        span = (span[0] * 0.6, span[1] * 0.6)
    return best


@pytest.fixture(scope="module")
def published_rows():
    """The data file read by hand: (kernels, ms an image) by published name."""
    with PUBLISHED.open(newline="") as file:
        rows = list(csv.DictReader(file))
    result = {}
    for row in rows:
        values = dict(setting.split("=") for setting in row["set"].split())
        graph = archspec.load(row["spec"], **{k: json.loads(v) for k, v in values.items()})
        assert (row["batch"], row["input"]) == ("16", "3x224x224")
        result[row["name"]] = (np.array([*plain_kernels(graph)]), float(row["ms_per_image"]))
    return result


def test_published_latencies_are_predicted_by_the_others(published_rows, ascend310):
    assert len(published_rows) == 10
    predicted, errors = {}, []
    for name, (kernels, ms) in published_rows.items():
        others = [row for other, row in published_rows.items() if other != name]
        predicted[name] = plain_ms(kernels, *plain_fit(others))
        errors.append(abs(predicted[name] / ms - 1))
    assert sum(errors) / len(errors) <= 0.03
    assert max(errors) <= 0.06
    for one, other in combinations(published_rows, 2):
        faster = published_rows[one][1] < published_rows[other][1]
        assert faster == (predicted[one] < predicted[other])
    calibration = ascend310.calibration
    assert calibration.left_out_mean_error == pytest.approx(sum(errors) / 10, abs=1e-4)
    assert calibration.left_out_max_error == pytest.approx(max(errors), abs=1e-4)


def test_the_device_has_the_constants_that_fit(published_rows, ascend310):
    efficiency, launch_us = plain_fit([*published_rows.values()])
    assert ascend310.efficiency == pytest.approx(efficiency, abs=2e-4)
    assert ascend310.launch_us == pytest.approx(launch_us, abs=0.05)
    for measurement in load_published():
        kernels, _ = published_rows[measurement.name]
        ms = total_ms(measurement.graph, ascend310, 16) / 16
        assert ms == pytest.approx(plain_ms(kernels, ascend310.efficiency, ascend310.launch_us))


def test_calibrate_finds_the_same(published_rows, ascend310):
    pytest.importorskip("scipy")
    from archspec.compiler.latency.calibrate import calibrate

    refit = calibrate(ascend310, load_published(), "published.csv")
    assert refit.device.efficiency == pytest.approx(ascend310.efficiency, abs=5e-5)
    assert refit.device.launch_us == pytest.approx(ascend310.launch_us, abs=5e-3)
    assert refit.misordered == []
    found, kept = refit.device.calibration, ascend310.calibration
    for key in ("mean_error", "left_out_mean_error", "left_out_max_error"):
        assert getattr(found, key) == pytest.approx(getattr(kept, key), abs=5e-5)
    for key in ("networks", "batches", "input_sides", "kinds"):
        assert getattr(found, key) == getattr(kept, key)
    for name in ("ISyNet-N0", "ResNet-50+"):
        others = [row for other, row in published_rows.items() if other != name]
        assert refit.left_out[name] == pytest.approx(plain_fit(others), rel=1e-3)


def test_devices_are_their_data_sheets():
    teraflops = {name: round(2e-12 * d.macs_per_second, 1) for name, d in devices().items()}
    assert teraflops == {
        "ascend310": 11.1, "ascend310p3": 69.5, "ascend910a": 262.1, "ascend310b1": 10.0,
    }  # fmt: skip
    # of integers the cube takes 16x32 by 32x16, which sheets round
    for device in devices().values():
        assert device.int8_rate == pytest.approx(2, rel=0.03)
    assert [d.int8_tops for d in devices().values()] == [22, 140, 512, 20]
    assert [name for name, d in devices().items() if d.calibration] == ["ascend310"]
    for device in devices().values():
        assert "provenance" in device.as_json()
        assert len(device.provenance) == 4


# --- where the calibration does not reach

CAUTIONS = [
    ("isynet_n3", "ascend310", 16, []),
    ("resnet50", "ascend310", 1, [("batch", "batch 1 was not measured, only batch 16")]),
    (
        "spnasnet", "ascend310", 16,
        [("depthwise", "21 depthwise convolutions (the first is first.depthwise.conv): none was"
          " measured; the one network of such with a published time takes 1.7 times its estimate")],
    ),
    (
        "resnext152_64x4d", "ascend310", 16,
        [("groups", "11 convolutions (the first is stage1.block1.spatial.conv) of groups with fewer"
          " than 16 channels: none was measured")],
    ),
    (
        "tiny/isynet", "ascend310", 16,
        [("input", "inputs of 1x8x8 were not measured, only sides of 224 px")],
    ),
    (
        "cspdarknet53", "ascend310", 16,
        [("ops", "never measured, so counted by bytes and launches alone: 72 mish, 5 concat")],
    ),
    (
        "resnet18", "ascend910a", 1,
        [("device", "ascend910a is not calibrated: its speeds are the data sheet's, its efficiency"
          " and launch cost another device's")],
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "device", "batch", "said"), CAUTIONS, ids=[c[0] for c in CAUTIONS]
)
def test_what_was_never_measured_is_said(name, device, batch, said, deployed):
    assert [*cautions(deployed[name], find_device(device), batch)] == said


@pytest.mark.parametrize(
    ("side", "is_near"), [(191, False), (192, True), (256, True), (257, False)]
)
def test_inputs_near_the_calibration_s_are_within_it(side, is_near, ascend310):
    graph = network((3, side, 224), ("c", C))
    assert [c.about for c in cautions(graph, ascend310, 16)] == ([] if is_near else ["input"])


def test_the_published_depthwise_time_is_1_7_times_its_estimate(deployed, ascend310):
    """What the caution says: 7.67 ms are published for Single-Path-NAS at batch 1."""
    assert round(7.67 / total_ms(deployed["spnasnet"], ascend310, 1), 1) == 1.7


@pytest.mark.parametrize(
    ("groups", "abouts"), [(48, ["depthwise"]), (24, ["groups"]), (4, ["groups"]), (3, []), (1, [])]
)
def test_groups_of_16_channels_are_as_good_as_none(groups, abouts, ascend310):
    graph = network((48, 224, 224), ("c", Conv(48, 3, groups=groups)))
    assert [caution.about for caution in cautions(graph, ascend310, 16)] == abouts


def test_a_single_one_is_named(ascend310):
    graph = network((32, 224, 224), ("dw", Conv(32, 3, groups=32)))
    (caution,) = cautions(graph, ascend310, 16)
    assert caution.text.startswith("1 depthwise convolution (dw): none was measured")


# --- the findings of lint


def cost_of(rule, graph, device, node=None, least=0.0):
    found = [f for f in findings(graph, device, 16, least) if f.rule == rule]
    if node is not None:
        found = [f for f in found if f.node == node]
    (finding,) = found
    return finding


def block(act, gate=False):
    layers = [("c", Conv(48, 3)), ("r", act)]
    if gate:
        layers += [
            ("p", GlobalAvgPool()), ("s", Conv(16, 1)), ("sr", Act("silu")), ("e", Conv(48, 1)),
            ("g", Act("sigmoid")), ("m", Mul(), "r", "g"),
        ]  # fmt: skip
    return network((16, 56, 56), *layers, ("d", Conv(32, 1)))


@pytest.mark.parametrize(
    "function", sorted({*FUNCTIONS} - {"relu", "relu6", "leaky_relu", "prelu"})
)
def test_an_activation_costs_what_relu_saves(function, ascend310):
    graph, better = block(Act(function)), block(RELU)
    finding = cost_of("activation", graph, ascend310)
    assert (finding.node, finding.what) == ("r", f"{function} of 48x56x56")
    saved = total_ms(graph, ascend310, 16) - total_ms(better, ascend310, 16)
    assert finding.cost_ms == pytest.approx(saved)
    assert not [f for f in findings(better, ascend310, 16, 0) if f.rule == "activation"]


def test_a_gate_costs_what_it_takes_and_its_activations_belong_to_it(ascend310):
    graph, better = block(RELU, gate=True), block(RELU)
    finding = cost_of("gate", graph, ascend310)
    assert (finding.node, finding.what) == ("m", "squeeze and excite of 48x56x56")
    saved = total_ms(graph, ascend310, 16) - total_ms(better, ascend310, 16)
    assert finding.cost_ms == pytest.approx(saved)
    assert "activation" not in {f.rule for f in findings(graph, ascend310, 16, 0)}
    product = network(IMAGE, ("a", C), ("b", C, "in"), ("m", Mul(), "a", "b"))
    assert "gate" not in {f.rule for f in findings(product, ascend310, 16, 0)}


def test_a_shuffle_costs_what_leaving_it_out_saves(ascend310):
    graph = network(IMAGE, ("a", C), ("s", ChannelShuffle(2)), ("b", C))
    better = network(IMAGE, ("a", C), ("b", C))
    finding = cost_of("shuffle", graph, ascend310)
    assert (finding.node, finding.what) == ("s", "16x8x8")
    saved = total_ms(graph, ascend310, 16) - total_ms(better, ascend310, 16)
    assert finding.cost_ms == pytest.approx(saved)


@pytest.mark.parametrize("norm", [LayerNorm(), GroupNorm(4)])
def test_a_norm_with_statistics_costs_what_a_batch_norm_saves(norm, ascend310):
    graph = network(IMAGE, ("c", C), ("n", norm), ("r", RELU))
    better = network(IMAGE, ("c", C), ("n", BatchNorm()), ("r", RELU))
    finding = cost_of("norm", graph, ascend310)
    assert (finding.node, finding.what) == ("n", f"{norm.name} of 16x8x8")
    saved = total_ms(graph, ascend310, 16) - total_ms(better, ascend310, 16)
    assert finding.cost_ms == pytest.approx(saved)


def test_a_batch_norm_that_does_not_fold_costs_its_kernel(ascend310):
    graph = network(IMAGE, ("p", MaxPool(2)), ("n", BatchNorm()), ("c", C))
    finding = cost_of("norm", graph, ascend310)
    assert finding.what == "batch_norm of 16x7x7 not folded"
    (row,) = (row for row in estimate(graph, ascend310, 16).rows if row.name == "n")
    assert finding.cost_ms == pytest.approx(row.ms)


def test_unfilled_channels_cost_what_their_filling_takes(ascend310):
    graph = network((3, 112, 112), ("stem", C), ("c", Conv(24, 3)), ("d", Conv(40, 5)))
    finding = cost_of("channels", graph, ascend310, "d")
    assert finding.what == "24 to 40 channels, run as 32 to 48"
    pixels = 16 * 112 * 112
    rate = 2 * 680e6 * ascend310.efficiency
    # bound by the cube either way: 25 places, 32*48 against 24*40
    spared = pixels * 25 * (32 * 48 - 24 * 40) / 4096 / rate * 1e3
    assert finding.cost_ms == pytest.approx(spared)
    assert not [
        f for f in findings(graph, ascend310, 16, 0) if f.node == "stem" and f.rule == "channels"
    ]


def test_an_image_s_own_channels_stay_filled(ascend310):
    graph = network((3, 64, 64), ("stem", Conv(24, 7)))
    finding = cost_of("channels", graph, ascend310)
    assert finding.what == "3 to 24 channels, run as 16 to 32"
    rate = 2 * 680e6 * ascend310.efficiency
    spared = 16 * 64 * 64 * 49 * 16 * (32 - 24) / 4096 / rate * 1e3
    assert finding.cost_ms == pytest.approx(spared)


@pytest.mark.parametrize(
    ("rule", "groups", "what"),
    [("depthwise", 96, "3x3 to 96x56x56"), ("groups", 12, "12 groups of 8 channels")],
)
def test_groups_cost_what_their_macs_would_not_take_in_dense_layers(rule, groups, what, ascend310):
    graph = network((96, 56, 56), ("c", C), ("w", Conv(96, 1)), ("g", Conv(96, 3, groups=groups)))
    finding = cost_of(rule, graph, ascend310)
    assert (finding.node, finding.what) == ("g", what)
    (row,) = (row for row in estimate(graph, ascend310, 16).rows if row.name == "g")
    macs = 16 * 96 * 56 * 56 * 9 * (96 // groups)
    dense = macs / 4096 / (2 * 680e6 * ascend310.efficiency) * 1e3
    assert finding.cost_ms == pytest.approx(row.ms - dense)


def test_groups_of_16_channels_are_fine(ascend310):
    graph = network((96, 56, 56), ("g", Conv(96, 3, groups=6)))
    assert not {"groups", "depthwise"} & {f.rule for f in findings(graph, ascend310, 16, 0)}


def test_a_large_window_costs_what_memory_would_not_take(ascend310):
    graph = network((64, 28, 28), ("p", MaxPool(13, padding="half")), ("q", MaxPool(3, padding=1)))
    finding = cost_of("window", graph, ascend310)
    assert (finding.node, finding.what) == ("p", "max_pool of 13x13 to 64x28x28")
    steps = 16 * 64 * 784 * 169 / 128 / (2 * 680e6)
    memory = 2 * 2 * 16 * 64 * 784 / 51.2e9
    assert finding.cost_ms == pytest.approx((steps - memory) * 1e3)


@pytest.mark.parametrize("channels", [16, 32, 48, 64, 96, 128, 192, 256])
def test_an_idle_cube_names_the_largest_kernel_that_takes_no_longer(channels, ascend310):
    def graph(kernel):
        return network((channels, 112, 112), ("c", Conv(channels, kernel)))

    now, three, five, seven = (total_ms(graph(k), ascend310, 16) for k in (1, 3, 5, 7))
    as_fast = [k for k, ms in ((3, three), (5, five), (7, seven)) if ms <= 1.01 * now]
    (row,) = estimate(graph(1), ascend310, 16).rows
    finding = cost_of("idle cube", graph(1), ascend310)
    assert finding.cost_ms == pytest.approx(row.memory_ms - row.cube_ms)
    named = f"; {as_fast[-1]}x{as_fast[-1]} is as fast" if as_fast else ""
    assert finding.what == f"1x1, cube {row.cube_ms / row.memory_ms:.0%} busy{named}"


# What is saved, held against networks in which the advice is followed.


def saved_by(better, graph, device, batch=16):
    return total_ms(graph, device, batch) - total_ms(better, device, batch)


@pytest.mark.parametrize("relu", [(), (("r1", RELU),)])
@pytest.mark.parametrize("stride", [1, 2])
def test_a_depthwise_kernel_in_the_1x1_before_it_saves_what_is_said(stride, relu, ascend310):
    spatial, end = Conv(96, 3, stride), (("r2", RELU), ("d", Conv(24, 1)))
    graph = network(
        (16, 56, 56), ("e", Conv(96, 1)), *relu, ("w", replace(spatial, groups=96)), *end
    )
    better = network((16, 56, 56), ("e", spatial), *end)
    finding = cost_of("depthwise", graph, ascend310)
    assert finding.saved_ms == pytest.approx(saved_by(better, graph, ascend310))
    dense = network((16, 56, 56), ("e", Conv(96, 1)), *relu, ("w", spatial), *end)
    assert saved_by(dense, graph, ascend310) < 0.01  # in its own place it saves nothing


def test_a_depthwise_kernel_in_the_1x1_after_it_saves_what_is_said(ascend310):
    graph = network(
        (16, 56, 56), ("p", MaxPool(2)), ("w", Conv(16, 3, groups=16)), ("r", RELU),
        ("d", Conv(32, 1)), ("end", RELU),
    )  # fmt: skip
    better = network((16, 56, 56), ("p", MaxPool(2)), ("d", Conv(32, 3)), ("end", RELU))
    finding = cost_of("depthwise", graph, ascend310)
    assert finding.saved_ms == pytest.approx(saved_by(better, graph, ascend310))


@pytest.mark.parametrize(
    "graph",
    [
        network((16, 56, 56), ("w", Conv(16, 3, groups=16))),
        network((960, 7, 7), ("e", Conv(960, 1)), ("w", Conv(960, 3, groups=960))),  # no quicker
        network((16, 56, 56), ("e", Conv(96, 1)), ("w", Conv(96, 3, groups=96)),
                ("a", Add(), "w", "e"), ("b", Add(), "w", "a")),
        network((16, 56, 56), ("e", Conv(96, 1)), ("w", Conv(96, 3, groups=96)),
                ("d", Conv(16, 1)), outputs={"x": "w", "y": "d"}),
    ],
)  # fmt: skip
def test_a_depthwise_convolution_that_cannot_be_spared_saves_nothing(graph, ascend310):
    assert cost_of("depthwise", graph, ascend310).saved_ms is None


@pytest.mark.parametrize("op", [MaxPool(13, 1, "half"), AvgPool((9, 7), (1, 2), "same", ceil=True)])
def test_a_window_in_two_saves_what_is_said(op, ascend310):
    (height, width), (down, right) = op.kernel, op.stride
    top, bottom, left, right_side = op.sides(((64, 57, 58),))
    rows = replace(op, kernel=(height, 1), stride=(down, 1), padding=(top, bottom, 0, 0))
    columns = replace(op, kernel=(1, width), stride=(1, right), padding=(0, 0, left, right_side))
    graph = network((64, 57, 58), ("p", op), ("c", C))
    better = network((64, 57, 58), ("rows", rows), ("columns", columns), ("c", C))
    finding = cost_of("window", graph, ascend310, "p")
    assert finding.saved_ms == pytest.approx(saved_by(better, graph, ascend310))
    assert 0 < finding.saved_ms < finding.cost_ms


@pytest.mark.parametrize(
    ("rule", "graph", "more"),
    [
        ("channels", network((32, 56, 56), ("c", Conv(40, 3))), Conv(48, 3)),
        ("groups", network((96, 56, 56), ("c", Conv(96, 3, groups=12))), Conv(96, 3, groups=6)),
        ("idle cube", network((16, 112, 112), ("c", Conv(16, 1))), Conv(16, 3)),
    ],
)
def test_what_takes_no_longer_takes_no_longer(rule, graph, more, ascend310):
    assert cost_of(rule, graph, ascend310).saved_ms is None
    better = network(graph.input_shape, ("c", more))
    assert saved_by(better, graph, ascend310) == pytest.approx(
        0, abs=0.01 * total_ms(graph, ascend310, 16)
    )


@pytest.mark.parametrize("name", ["mobilenet_v3_large", "shufflenet_v2_x1_0"])
def test_what_is_saved_is_what_another_estimate_says(name, deployed, ascend310):
    """Nodes left out or of another op, by rewriting the whole graph and estimating it again."""
    graph = deployed[name]
    for finding in findings(graph, ascend310, 16, 0):
        node, draft = graph.nodes[finding.node], Draft(Model(graph))
        if finding.rule == "activation":
            draft.change(node.name, RELU)
        elif finding.rule == "shuffle":
            draft.bypass(node.name, node.inputs[0])
        elif finding.rule == "gate":
            image = max(node.inputs, key=lambda tensor: math.prod(graph.shape(tensor)))
            draft.bypass(node.name, image)
        else:
            continue
        better = drop_dead(draft.model()).graph
        assert finding.cost_ms == finding.saved_ms
        assert finding.saved_ms == pytest.approx(saved_by(better, graph, ascend310), abs=1e-9)


@given(data=st.data())
@settings(max_examples=60)
def test_other_kernels_after_an_edit_are_those_of_the_edited_graph(data):
    ops = [C, RELU, BatchNorm(), Add(), Mul(), Act("silu"), Identity(), LayerScale(), Concat()]
    names, entries = ["in"], []
    for index in range(data.draw(st.integers(2, 12))):
        op = data.draw(st.sampled_from(ops))
        count = 2 if isinstance(op, (Add, Mul)) else 1
        sources = [data.draw(st.sampled_from(names[-3:])) for _ in range(count)]
        names.append(f"n{index}")
        entries.append((names[-1], op, *sources))
    outputs = {f"y{name}": name for name in data.draw(st.lists(st.sampled_from(names), max_size=2))}
    whole = network((16, 4, 4), *entries, outputs={**outputs, "logits": names[-1]})
    graph = drop_dead(Model(whole)).graph
    names = [*graph.nodes]
    name = data.draw(st.sampled_from(names))
    node, draft, placement = graph.nodes[name], Draft(Model(graph)), Placement(graph)
    if data.draw(st.booleans()):
        instead = data.draw(st.sampled_from(node.inputs))
        draft.bypass(name, instead)
        edits = placement.without(name, instead)
        before, after = placement.list_changes(edits, node.results[0], instead)
    else:
        op = data.draw(st.sampled_from([RELU, BatchNorm(), C, Act("silu"), Identity()]))
        draft.change(name, op, inputs=node.inputs[:1])
        before, after = placement.list_changes({name: draft.nodes[name]})
    expected = roles(drop_dead(draft.model()).graph)
    found = dict(placement.roles)
    for one, _ in before:
        del found[one.name]
    found.update((one.name, role) for one, role in after)
    assert found == expected


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_is_linted(name, deployed, ascend310):
    graph = deployed[name]
    total = total_ms(graph, ascend310, 16)
    found = findings(graph, ascend310, 16)
    assert found == sorted(found, key=lambda finding: -finding.cost_ms)
    assert len({(finding.rule, finding.node) for finding in found}) == len(found)
    for finding in found:
        assert finding.rule in RULES
        assert 0.001 * total < finding.cost_ms < total
        assert finding.node in graph.nodes


def test_every_rule_finds_something_somewhere(deployed, ascend310):
    met = {f.rule for graph in deployed.values() for f in findings(graph, ascend310, 16)}
    assert met == {*RULES} - {"window"}  # no shipped network has a large one


# --- the command latency


def table_widths(text):
    return max(map(len, text.splitlines()))


@pytest.mark.parametrize("by", ["node", "block", "op"])
@pytest.mark.parametrize("name", ["isynet_n1", "efficientnet_b0", "resnet50_bifpn", "densenet121"])
def test_tables_fit_and_add_up(run, name, by, deployed, ascend310):
    code, out, err = run("latency", name, "--by", by)
    assert (code, err) == (0, "")
    assert table_widths(out) <= 100
    rows = list(csv.DictReader(io.StringIO(run("latency", name, "--by", by, "--format", "csv")[1])))
    total = total_ms(deployed[name], ascend310, 16)
    assert sum(float(row["ms"]) for row in rows) == pytest.approx(total)
    assert sum(float(row["share"]) for row in rows) == pytest.approx(1)
    assert {row["bound_by"] for row in rows} <= {"cube", "memory", "vector", "launch"}


def test_json_says_what_it_is(run, ascend310):
    code, out, _ = run("latency", "spnasnet", "resnet50", "--batch", "1", "--format", "json")
    assert code == 0
    spnasnet, resnet50 = json.loads(out)
    assert spnasnet["fingerprint"] == archspec.load("spnasnet").fingerprint
    assert [c["about"] for c in spnasnet["cautions"]] == ["batch", "depthwise"]
    assert (spnasnet["is_estimate"], spnasnet["is_calibrated"]) == (True, True)
    assert spnasnet["published_ms_per_image"] is None
    for found in (spnasnet, resnet50):
        assert sum(layer["ms"] for layer in found["layers"]) == pytest.approx(found["ms_per_batch"])
        assert sum(found["ms_by_bound"].values()) == pytest.approx(found["ms_per_batch"])
        assert found["images_per_second"] == pytest.approx(1000 / found["ms_per_image"])


def test_one_network_s_totals(run):
    lines = run("latency", "isynet_n1", "--by", "block")[1].splitlines()
    assert lines[0] == "isynet_n1 on ascend310, batch 16: an estimate"
    assert lines[-8:] == [
        "time         10.98 ms a batch, 0.686 ms an image, 1,457 images a second",
        "due to       6.38 cube + 2.32 memory + 2.28 launch ms a batch",
        "cube         59.4% of its peak in use; 36.3 G MACs a batch",
        "nodes        50 of 90 take time; the others are done by them or do nothing",
        "published    0.72 ms an image, from which the estimate is -4.7% off (mindspore-ai/models,",
        "             research/cv/ISyNet/README.md)",
        "device       Ascend 310 (Atlas 200, 300, 500)",
        "calibrated   on 10 networks; each, left out of the fit, comes within 5.1%,"
        " 2.4% on average",
    ]


def test_several_networks_stand_beside_what_was_published(run):
    out = run("latency", "isynet_n0", "resnet50", "repvgg_a0", "--format", "markdown")[1]
    assert "| isynet_n0 | 3x224x224 | 893 M | 6.80 | 0.425 | 0.43 | -1.2% | launch | 37.7% |" in out
    assert (
        "| resnet50 | 3x224x224 | 4.09 G | 26.80 | 1.675 | 1.64 | +2.1% | memory | 43.8% |" in out
    )
    assert "| repvgg_a0 | 3x224x224 | 1.36 G | 6.78 | 0.424 |  |  | cube | 57.7% |" in out
    assert table_widths(run("latency", "isynet_n0", "resnet50_bifpn", "spnasnet")[1]) <= 100


@pytest.mark.parametrize(
    "options", [("--batch", "8"), ("--device", "ascend310b1"), ("--set", "depths=[1, 1, 1, 1, 1]")]
)
def test_what_was_published_is_of_that_network_batch_and_device_alone(run, options):
    (found,) = json.loads(run("latency", "isynet_n0", *options, "--format", "json")[1])
    assert found["published_ms_per_image"] is None


def test_what_was_published_is_known_with_either_head(run):
    head = ("--set", "classes=1001", "--set", "last_norm=true")
    for options in ((), head):
        (found,) = json.loads(run("latency", "isynet_n0", *options, "--format", "json")[1])
        assert found["published_ms_per_image"] == pytest.approx(0.43)


def test_int8_is_estimated_by_the_data_sheet_and_says_so(run, tmp_path, monkeypatch, ascend310):
    monkeypatch.chdir(tmp_path)
    words = ("latency", "resnet50", "--format", "json")
    half, whole = (json.loads(run(*words, *more)[1])[0] for more in (("--int8",), ()))
    assert whole["is_calibrated"] and not half["is_calibrated"] and half["is_int8"]
    assert [c["about"] for c in half["cautions"]] == ["int8"] and not whole["cautions"]
    assert whole["published_ms_per_image"] and half["published_ms_per_image"] is None
    before, after = ({row["name"]: row for row in one["layers"]} for one in (whole, half))
    assert sum(row["int8_macs"] for row in after.values()) == half["macs"] == whole["macs"]
    assert 0 < half["cube_use"] < 1
    for name, row in [*after.items()][1:]:  # an image's 3 channels are filled up to 32, not 16
        assert row["ms"] < before[name]["ms"] or not row["macs"]
    # twice the integers a second take half the time where the cube is what is waited for
    Path("fast.json").write_text(json.dumps({**ascend310.as_json(), "int8_tops": 44}))
    fast = json.loads(run(*words, "--int8", "--device", "fast.json")[1])[0]
    assert sum(row["cube_ms"] for row in fast["layers"]) == pytest.approx(
        sum(row["cube_ms"] for row in half["layers"]) / 2
    )
    out = run("latency", "resnet50", "--int8")[1]
    assert "batch 16, int8: an estimate" in out and table_widths(out) <= 100
    assert "calibrated   in fp16, on 10 networks" in out
    assert "caution      int8 is not calibrated: its rate, 1.97 times that of fp16, is the" in out


def test_a_device_without_int8_is_refused(run, tmp_path, monkeypatch, ascend310):
    monkeypatch.chdir(tmp_path)
    said = "no int8 path that is known (int8_tops is null or missing), so its time in int8 cannot"
    for change in ("null", "missing"):
        values = {**ascend310.as_json(), "int8_tops": None}
        if change == "missing":  # as archspec latency calibrate wrote it before
            del values["int8_tops"]
        Path("d.json").write_text(json.dumps(values))
        assert run("latency", "resnet18", "--device", "d.json")[0] == 0
        code, out, err = run("latency", "resnet18", "--device", "d.json", "--int8")
        assert (code, out) == (1, "") and said in err and err.count("\n") == 1


def test_devices_are_listed(run):
    code, out, _ = run("latency", "devices")
    assert code == 0
    assert table_widths(out) <= 100
    assert [
        row["name"] for row in json.loads(run("latency", "devices", "--format", "json")[1])
    ] == [*DEVICES]
    rows = list(csv.DictReader(io.StringIO(run("latency", "devices", "--format", "csv")[1])))
    assert [row["calibrated"] for row in rows] == ["10 networks", "nothing", "nothing", "nothing"]


WRONG_USE = [
    (("isynet_n0", "--batch", "0"), "--batch 0: must be 1 to 1,000,000"),
    (
        ("isynet_n0", "--device", "ascend31"),
        "there is no device 'ascend31'; did you mean 'ascend310'? (it is 'ascend310',"
        " 'ascend310p3', 'ascend910a' or 'ascend310b1', or a .json file that `archspec latency"
        " calibrate` wrote)",
    ),
    (
        ("isynet_n0", "--device", "nothere.json"),
        "nothere.json does not exist; use a file that `archspec latency calibrate` wrote or"
        " 'ascend310', 'ascend310p3', 'ascend910a' or 'ascend310b1'",
    ),
    (
        ("isynet_n0", "-o", "x.json"),
        "-o is for calibrate; --format json or csv prints an estimate for others",
    ),
    (
        ("devices", "--int8"),
        "--int8 is for an estimate; use `archspec latency SPEC --int8`",
    ),
    (("calibrate", "m.csv", "--int8"), "--int8 is for an estimate; calibrate takes times in fp16"),
    (
        ("devices", "isynet_n0"),
        "devices takes no further words; use `archspec latency devices`",
    ),
    (
        ("calibrate",),
        "calibrate takes one CSV file, not 0; use `archspec latency calibrate measurements.csv`, or"
        " SPEC=FILE for each profile",
    ),
    (
        ("calibrate", "m.csv", "-o", "mine"),
        "-o mine: use a name that ends in .json, which --device takes",
    ),
    (("calibrate", "nothere.csv"), "nothere.csv does not exist; use a CSV file of measurements"),
]


@pytest.mark.parametrize(("words", "said"), WRONG_USE, ids=lambda value: str(value)[:30])
def test_wrong_use_is_said(run, words, said):
    assert run("latency", *words) == (2, "", f"error: {said}\n")


# --- calibrating


def write(tmp_path, text):
    path = tmp_path / "m.csv"
    path.write_text(text)
    return path


WRONG_FILES = [
    ("", "m.csv:1: the column 'spec' is missing"),
    ("spec,ms_per_image\n", "m.csv:1: the column 'batch' is missing"),
    ("spec,batch\n", "m.csv:1: use one column of times: 'ms_per_image' or 'ms_per_batch'"),
    (
        "spec,batch,ms_per_image,ms_per_batch\n",
        "m.csv:1: use one column of times: 'ms_per_image' or 'ms_per_batch'",
    ),
    (
        "spec,batsh,ms_per_image\n",
        "m.csv:1: there is no column 'batsh'; did you mean 'batch'? (columns are 'spec', 'batch',"
        " 'ms_per_image', 'ms_per_batch', 'set', 'input', 'export', 'name' and 'source')",
    ),
    ("spec,batch,batch,ms_per_image\n", "m.csv:1: the column 'batch' appears twice; keep one"),
    ("spec,batch,ms_per_image\n", "m.csv: the file has 0 rows; use 1 to 1,000"),
    (
        "spec,batch,ms_per_image\nisynet_n0,16,fast\nisynet_n1,16,-1\nresnet18,16,nan\n",
        "m.csv:2: ms_per_image is 'fast'; use a number of milliseconds over 0\n"
        "m.csv:3: ms_per_image is '-1'; use a number of milliseconds over 0\n"
        "m.csv:4: ms_per_image is 'nan'; use a number of milliseconds over 0",
    ),
    (
        "spec,batch,ms_per_image\nisynet_n0,1.5,1\n,0,1\n",
        "m.csv:2: batch is '1.5'; use a whole number from 1 to 1,000,000\n"
        "m.csv:3: spec is empty; use the path of a spec, or the name of a shipped one\n"
        "m.csv:3: batch is '0'; use a whole number from 1 to 1,000,000",
    ),
    (
        "spec,batch,ms_per_image\nisynet_n0,16\n",
        "m.csv:2: the row has 2 cells; use 3, as the first line",
    ),
    (
        "spec,batch,ms_per_image\nresnet18,16,1\nresnet19,16,2\n",
        "m.csv:3: resnet19: there is no file and no shipped spec of this name; did you mean"
        " 'resnet18'? (`archspec list` shows the shipped ones)",
    ),
    (
        "spec,batch,ms_per_image,input,export,set\nresnet18,16,1,3x224,onnx,classes\n",
        "m.csv:2: input is '3x224'; use channels x height x width such as 3x224x224\n"
        "m.csv:2: set is 'classes'; use ARG=VALUE, several with spaces between\n"
        "m.csv:2: export is 'onnx'; use 'archspec' or 'other'",
    ),
    (
        "spec,batch,ms_per_image\nresnet18,16,1\n",
        "m.csv: two constants cannot be fitted to one measurement; use those of two networks"
        " or more",
    ),
    (
        "spec,batch,ms_per_image\nresnet18,16,1\nresnet18,16,1.1\n",
        "m.csv: these measurements do not tell the cube's efficiency from the cost of a launch;"
        " use networks that differ more in depth and width",
    ),
    (
        'spec,batch,ms_per_image\n"resnet18,16,1\n',
        "m.csv:2: this is not CSV: unexpected end of data",
    ),
]


@pytest.mark.parametrize(("text", "said"), WRONG_FILES, ids=lambda text: text[-30:])
def test_a_wrong_file_of_measurements_is_said(run, tmp_path, monkeypatch, text, said):
    pytest.importorskip("scipy")
    monkeypatch.chdir(tmp_path)
    write(tmp_path, text)
    assert run("latency", "calibrate", "m.csv", "-o", "d.json") == (1, "", f"error: {said}\n")
    assert not Path("d.json").exists()


PIECES = [
    "spec", "batch", "ms_per_image", "set", "input", ",", "\n", "\r", '"', "resnet18", "16",
    "1e999", "classes=1e99", "0x0x0", "-1", "=", "\0", "é", " ",
    "spec,batch,ms_per_image\nresnet18,16,",
]  # fmt: skip


@settings(max_examples=200)
@given(st.text(max_size=200) | st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
def test_no_file_of_measurements_gives_a_traceback(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("csv") / "m.csv"
    path.write_text(text, newline="")
    try:
        assert read_measurements(path)
    except (SpecError, UsageError) as error:
        assert str(error)


def test_a_calibration_is_a_device_for_other_commands(run, tmp_path, monkeypatch):
    pytest.importorskip("scipy")
    monkeypatch.chdir(tmp_path)
    code, out, _ = run("latency", "calibrate", PUBLISHED, "-o", "mine.json")
    assert code == 0
    assert table_widths(out) <= 100
    assert out.splitlines()[-5:] == [
        "efficiency   0.9203 of the cube's rate (0.912 to 0.931 with one network left out)",
        "launch       54.28 us a kernel (52.6 to 55.7 with one network left out)",
        "off          2.0% on average",
        "left out     2.4% on average, 5.1% at most",
        "order        0 of 45 pairs the wrong way round, left out",
    ]
    mine = find_device("mine.json")
    assert mine.name == "mine"
    assert mine.calibration is not None
    assert mine.calibration.source == "published.csv"
    assert mine.provenance["efficiency, launch_us"].startswith("fitted to published.csv")
    (ours,) = json.loads(run("latency", "resnet50", "--format", "json")[1])
    for command in ("latency", "lint"):
        options = (command, "resnet50", "--device", "mine.json", "--format", "json")
        (theirs,) = json.loads(run(*options)[1])
        assert theirs["device"] == "mine"
        assert theirs["ms_per_batch"] == pytest.approx(ours["ms_per_batch"], rel=1e-4)
    refit = json.loads(run("latency", "calibrate", PUBLISHED, "--format", "json")[1])
    assert (len(refit["rows"]), len(refit["left_out"]), refit["misordered"]) == (10, 10, [])


@settings(max_examples=15)
@given(st.floats(0.2, 0.99), st.floats(5, 400), st.sampled_from(DEVICES))
def test_constants_that_were_put_in_come_out(efficiency, launch_us, name):
    pytest.importorskip("scipy")
    from archspec.compiler.latency.calibrate import calibrate

    device = replace(find_device(name), efficiency=efficiency, launch_us=launch_us)
    measurements = [
        replace(measurement, ms=total_ms(measurement.graph, device, 16))
        for measurement in load_published()[:4]
    ]
    refit = calibrate(find_device(name), measurements, "m.csv")
    # the cube's rate shows only where a device waits for its cube
    parts = [estimate(m.graph, device, 16).parts for m in measurements]
    if all(part["cube"] > 0.1 * sum(part.values()) for part in parts):
        assert refit.device.efficiency == pytest.approx(efficiency, rel=1e-3)
    assert refit.device.launch_us == pytest.approx(launch_us, rel=1e-2)
    assert max(abs(row.error) for row in refit.rows) < 1e-3


def test_measurements_are_read_as_they_are_documented(tmp_path):
    header = "batch,spec,ms_per_batch,input,set,export\n"
    rows = "8, tiny/isynet ,4,1x16x16,classes=7,\n\n1,repvgg_a0,0.5,,,other\n1,repvgg_a0,0.5,,,\n"
    first, written_so, merged = read_measurements(write(tmp_path, "\ufeff" + header + rows))
    assert (first.ms, first.ms_per_image, first.batch) == (4, 0.5, 8)
    assert first.graph.input_shape == (1, 16, 16)
    assert first.graph.output_shapes["logits"] == (7,)
    assert len(merged.graph.nodes) < len(written_so.graph.nodes)


def test_what_a_file_measured_is_no_longer_cautioned_against(run, tmp_path, monkeypatch):
    pytest.importorskip("scipy")
    monkeypatch.chdir(tmp_path)
    rows = "mobilenet_v2,1,5\nresnet18,1,4\nspnasnet,1,7.67\n"
    write(tmp_path, f"spec,batch,ms_per_image\n{rows}")
    assert run("latency", "calibrate", "m.csv", "-o", "d.json")[0] == 0
    assert not cautions(archspec.load("mobilenet_v2"), find_device("d.json"), 1)
    (caution,) = cautions(archspec.load("mobilenet_v2"), find_device("d.json"), 16)
    assert caution.text == "batch 16 was not measured, only batch 1"


def test_one_network_at_two_batches_cannot_be_left_out(run, tmp_path, monkeypatch):
    pytest.importorskip("scipy")
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "spec,batch,ms_per_batch\nresnet18,1,2.1\nresnet18,16,10\n")
    code, out, _ = run("latency", "calibrate", "m.csv", "-o", "d.json")
    assert code == 0
    assert "left out     too few networks to fit without each of them" in out
    assert find_device("d.json").calibration.left_out_mean_error is None
    assert run("latency", "resnet18", "--device", "d.json")[1].splitlines()[-1] == (
        "calibrated   on 1 network"
    )


def test_a_network_is_left_out_with_all_its_batches(ascend310):
    pytest.importorskip("scipy")
    from archspec.compiler.latency.calibrate import calibrate

    n0, resnet18, n1, *_ = load_published()
    twice = [n0, replace(n0, batch=1, ms=2.9), resnet18, n1]
    refit = calibrate(ascend310, twice, "m.csv")
    assert [*refit.left_out] == ["ISyNet-N0", "ResNet-18+", "ISyNet-N1"]
    others = calibrate(ascend310, [resnet18, n1], "m.csv").device
    assert refit.left_out["ISyNet-N0"] == (others.efficiency, others.launch_us)
    for row in refit.rows[:2]:
        graph, batch = row.measurement.graph, row.measurement.batch
        assert row.left_out_ms == pytest.approx(total_ms(graph, others, batch))


def test_times_that_no_data_sheet_allows_are_doubted(run, tmp_path, monkeypatch):
    pytest.importorskip("scipy")
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "spec,batch,ms_per_image\nresnet18,16,0.01\nresnet50,16,0.02\n")
    out = run("latency", "calibrate", "m.csv")[1]
    assert "caution      the efficiency is at its limit of 1" in out


WRONG_DEVICES = [
    ({"cores": 2.5}, "at /cores: cores must be a whole number of at least 1 and at most 10,000"),
    (
        {"efficiency": 1.5},
        "at /efficiency: efficiency must be a number of at least 0.001 and at most 1, not 1.5",
    ),
    (
        {"launch_us": "54"},
        "at /launch_us: launch_us must be a number of at least 0 and at most 1,000,000, not '54'",
    ),
    (
        {"colour": 1},
        "at /colour: a device has no 'colour'; it has 'name', 'title', 'cores'",
    ),
    ({"calibration": {}}, "at /calibration: a calibration lacks 'source', 'networks', 'batches'"),
    ({"int8_tops": 0}, "at /int8_tops: int8_tops must be"),
    ({"calibration": 3}, "at /calibration: calibration must be an object or null, not 3"),
]


@pytest.mark.parametrize(("change", "said"), WRONG_DEVICES, ids=lambda value: str(value)[:20])
def test_a_wrong_device_is_said(run, tmp_path, monkeypatch, ascend310, change, said):
    monkeypatch.chdir(tmp_path)
    Path("d.json").write_text(json.dumps({**ascend310.as_json(), **change}))
    code, out, err = run("latency", "resnet18", "--device", "d.json")
    assert (code, out) == (1, "")
    assert err.startswith("error: d.json:1:")
    assert said in err


def test_calibrating_without_scipy_names_what_to_install():
    code = (
        "import sys; sys.modules['scipy'] = None; from archspec.cli import main;"
        f"sys.exit(main(['latency', 'calibrate', {str(PUBLISHED)!r}]))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("error: calibrating needs scipy, which is not installed (")
    assert result.stderr.endswith(f"; run {install_hint('calibrate')}\n")


# --- stats --device


@pytest.mark.parametrize("by", ["node", "block", "op"])
@pytest.mark.parametrize("name", ["isynet_n1", "repvgg_a0", "resnet50_bifpn", "tiny/spnas"])
def test_stats_gain_a_column_that_adds_up(run, name, by, deployed, ascend310):
    options = ("stats", name, "--device", "ascend310", "--batch", "16", "--by", by)
    code, out, _ = run(*options)
    assert code == 0
    assert table_widths(out) <= 100
    total = total_ms(deployed[name], ascend310, 16)
    times = f"{total:.2f} ms a batch, {total / 16:.3f} ms an image"
    assert f"time         {times} on ascend310: an estimate" in out.splitlines()
    (found,) = json.loads(run(*options, "--format", "json")[1])
    assert found["ms_per_batch"] == pytest.approx(total)
    assert found["ms_per_image"] == pytest.approx(total / 16)
    assert found["is_estimate"] is True
    assert sum(layer["ms"] for layer in found["layers"]) == pytest.approx(total)


def test_stats_of_several_networks_gain_a_column(run):
    code, out, _ = run("stats", "isynet_n1", "spnasnet", "--device", "ascend310", "--batch", "16")
    assert code == 0
    assert table_widths(out) <= 100
    assert out.splitlines()[2].endswith("  10.980")
    assert "ms are estimates for a batch on ascend310" in out
    assert (
        "spnasnet: 21 depthwise convolutions (the first is first.depthwise.conv): none was" in out
    )


def test_stats_without_a_device_say_nothing_of_time(run):
    assert "ms" not in run("stats", "isynet_n1")[1].split()
    (found,) = json.loads(run("stats", "isynet_n1", "--format", "json")[1])
    assert not {"device", "ms_per_batch", "cautions"} & {*found}
    assert all("ms" not in layer for layer in found["layers"])


# --- the command lint


def test_findings_are_shown_with_what_wanted(run):
    code, out, err = run("lint", "shufflenet_v2_x1_0")
    assert (code, err) == (0, "")
    assert table_widths(out) <= 100
    lines = out.splitlines()
    assert lines[0] == "shufflenet_v2_x1_0 on ascend310, batch 16: an estimate"
    assert lines[3].split() == (
        ["stage2.down.channel_shuffle", "+7", "shuffle", "232x14x14", "2.714", "16.7%"]
    )
    assert "shuffle      dense 1x1 convolutions, which mix all channels" in lines
    assert any(
        line.startswith("cost         milliseconds of the estimated 16.29") for line in lines
    )
    assert any(line.startswith("caution      19 depthwise convolutions") for line in lines)


@pytest.mark.parametrize("name", NETWORKS)
def test_findings_fit_100_columns(run, name):
    code, out, _ = run("lint", name, "--all", "--least", "0")
    assert code == 0
    assert table_widths(out) <= 100


def test_long_tables_are_cut_and_all_shows_all(run):
    short, whole = (run("lint", "efficientnet_b0", *more)[1] for more in ((), ("--all",)))
    assert "rows that cost less are left out" in short
    assert "left out" not in whole.replace("left out of the fit", "")
    assert len(whole.splitlines()) > len(short.splitlines())


def test_findings_for_programs(run, deployed, ascend310):
    names = ("resnext50_32x4d", "tiny/spnas")
    code, out, _ = run("lint", *names, "--format", "json")
    assert code == 0
    for name, found in zip(names, json.loads(out), strict=True):
        assert found["fingerprint"] == archspec.load(name).fingerprint
        expected = findings(deployed[name], ascend310, 16)
        assert [f["node"] for f in found["findings"]] == [f.node for f in expected]
        for finding in found["findings"]:
            assert finding["share"] == pytest.approx(finding["cost_ms"] / found["ms_per_batch"])
            assert finding["advice"] == RULES[finding["rule"]].advice
    rows = list(csv.DictReader(io.StringIO(run("lint", *names, "--format", "csv")[1])))
    assert {row["network"] for row in rows} == {"resnext50_32x4d", "tiny_spnas"}
    assert len(rows) == sum(len(findings(deployed[name], ascend310, 16)) for name in names)


def test_strict_fails_where_there_is_a_finding(run):
    assert run("lint", "resnet50", "--strict")[0] == 1
    assert run("lint", "resnet50")[0] == 0
    code, out, _ = run("lint", "resnet50", "--strict", "--least", "50")
    assert code == 0
    assert "nothing that costs as much as was asked for" in out


def test_wrong_use_of_lint_is_said(run):
    said = "error: --least 200: must be a percentage from 0 to 100\n"
    assert run("lint", "resnet50", "--least", "200") == (2, "", said)
    assert run("lint", "resnet50", "--least", "nan")[0] == 2
    said = "error: --batch 0: must be 1 to 1,000,000\n"
    assert run("lint", "resnet50", "--batch", "0") == (2, "", said)


# --- nothing but the language is needed


@pytest.mark.parametrize(
    "arguments",
    [
        ["latency", "resnet50"],
        ["latency", "devices"],
        ["lint", "mobilenet_v3_large"],
        ["stats", "isynet_n1", "--device", "ascend310"],
    ],
    ids=" ".join,
)
def test_estimates_need_no_numpy(arguments):
    code = (
        "import sys; sys.modules.update(dict.fromkeys(['numpy', 'scipy', 'onnx', 'mindspore']));"
        f"from archspec.cli import main; sys.exit(main({arguments!r}))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")
