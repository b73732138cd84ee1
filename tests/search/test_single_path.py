"""The single-path search: runtimes, gates and their gradients against numpy in float64, searches
whose right answer is known, and a search that was killed.
"""

from __future__ import annotations

import json
import math
import os
import random
import signal
import subprocess
import sys
import time
from functools import partial
from itertools import product
from pathlib import Path

import pytest

pytest.importorskip("numpy")

import numpy as np
from oracles import rule_b
from oracles.supernets import (
    gates_of,
    runtime_at,
    turn_to_inference,
    turn_to_training,
)
from PIL import Image

from archspec.checksums import seal
from archspec.compiler import Model
from archspec.compiler.images.batches import EvalPipeline
from archspec.compiler.images.folder import scan_folder
from archspec.compiler.images.steps import preprocessing_of
from archspec.compiler.latency import find_device, total_ms
from archspec.compiler.pipeline import for_deployment
from archspec.compiler.supernet import supernet_of
from archspec.compiler.targets.reference import run
from archspec.compiler.weights.loading import load_weights
from archspec.errors import SpecError, UsageError
from archspec.space import Space
from archspec.training.backend import find_backend
from archspec.training.digits import write_digits
from archspec.training.evaluate import evaluate
from archspec.training.recipe_files import read_recipe
from archspec.training.search.single_path import SinglePathSettings, search_single_path
from archspec.training.search.single_path.folder import read_log
from archspec.training.search.single_path.runtime import factorise, runtime_of, searched_layers
from archspec.training.search.single_path.searcher import Searcher
from archspec.training.search.single_path.split import split
from archspec.training.search.single_path.targets import possible
from archspec.training.search.single_path.thresholds import BETAS
from archspec.training.signals import Stop

ROOT = Path(__file__).parents[2]
FOUND = "33 33 33 30 56 33 33 33 56 33 33 33 56 53 53 53 56 56 56 56"
"""Kernel and expansion of each layer of the published network; 0 leaves a layer out."""

# Milliseconds on a Pixel 1 as measured by the paper's authors, layers 1 to 20: 3x3 with expansion
# 3, 3x3 with 6, 5x5 with 3, 5x5 with 6 (github.com/enyac-group/single-path-nas,
# nas-search/pixel1_runtime_model.json).
PIXEL1 = """
4.4905 9.2015 5.9248 11.5892  3.4111 6.4022 4.8853 9.1518  3.4223 6.3511 4.9721 9.1756
3.4216 6.4176 4.9875 9.1567   1.9593 4.0999 2.4458 5.1170  2.0489 3.9830 2.6194 5.0582
2.0503 3.9802 2.6166 5.0631   2.0762 4.0257 2.5942 5.1072  1.2320 2.4647 1.3958 2.7909
1.5806 3.1395 1.8193 3.6309   1.5785 3.1346 1.8074 3.6589  1.5869 3.1416 1.8032 3.6603
1.7339 3.3782 1.9649 3.9186   2.1805 4.3918 2.4367 5.0673  2.1805 4.4261 2.4549 5.1933
2.1938 4.4800 2.4535 5.0946   1.6163 3.3411 1.6996 3.5497  2.4304 4.8923 2.5697 5.1394
2.4598 4.8797 2.6467 5.3249   2.4381 4.9217 2.6649 5.4103
"""

TOY = {
    "archspec": 1,
    "name": "toy",
    "input": {"shape": [3, 8, 8], "mean": [0.1, 0.1, 0.1], "std": [0.3, 0.3, 0.3]},
    "body": [
        {"op": "ConvNormAct", "name": "stem", "kernel": 3, "channels": 6},
        {
            "op": "MBConv", "name": "layer", "repeat": 2, "channels": 6,
            "kernel": {"choice": [3, 5], "share": "superkernel"},
            "expand": {"choice": [0, 2, 4], "share": "superkernel"},
        },
        {"op": "Classifier", "name": "classifier", "classes": 3},
    ],
}  # fmt: skip

PLANTED = {
    "archspec": 1,
    "name": "planted",
    "doc": "Only the depthwise convolution sees more than one pixel.",
    "input": {"shape": [1, 12, 12], "mean": [0.1], "std": [0.3]},
    "body": [
        {"op": "ConvNormAct", "name": "stem", "kernel": 1, "channels": 8},
        {
            "op": "MBConv", "name": "layer", "channels": 16,
            "kernel": {"choice": [3, 5], "share": "superkernel"},
            "expand": {"choice": [2, 4], "share": "superkernel"},
        },
        "global_avg_pool",
        {"op": "ConvNormAct", "name": "head", "kernel": 1, "channels": 32},
        {"op": "Classifier", "name": "classifier", "classes": 2},
    ],
}  # fmt: skip

RECIPE = """\
recipe: 1
name: planted
epochs: 12
batch: 32
data: {workers: 1}
optimizer: {name: adamw, lr: 0.01}
schedule: {name: cosine}
"""


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    path = tmp_path_factory.mktemp("toy") / "toy.json"
    path.write_text(json.dumps(TOY))
    return supernet_of(Space(path))


@pytest.fixture(scope="module")
def spnas():
    return supernet_of(Space("spaces/single_path_nas"))


def single_path_nas(layers):
    """The assignment of twenty layers, each its kernel and expansion."""
    return {
        f"stage{place // 4 + 1}.layer{place % 4 + 1}.{key}": int(value)
        for place, layer in enumerate(layers.split())
        for key, value in zip(("kernel", "expand"), layer, strict=True)
    }


def write_table(folder, **besides):
    numbers = iter(map(float, PIXEL1.split()))
    rows = zip(numbers, numbers, numbers, numbers, strict=True)
    table = {str(k): {str(i): ms for i, ms in enumerate(row)} for k, row in enumerate(rows, 1)}
    table |= {"0": {"0": 3.9844}, "21": {"1": 6.4995}, **besides}
    (folder / "pixel1.json").write_text(json.dumps(table))
    return str(folder / "pixel1.json")


# Runtimes.


def test_macs_are_those_of_each_network(spnas):
    runtime = runtime_of("macs", spnas)
    assert (runtime.unit, runtime.notes) == ("MACs", ())
    generator = random.Random(0)
    for _ in range(50):
        assignment = spnas.space.sample(generator)
        assert runtime.of(assignment) == spnas.space.cost(assignment).macs
    assert runtime.of(single_path_nas(FOUND)) == 333_467_072


@pytest.mark.thorough
def test_latency_is_that_of_each_network(spnas):
    device = find_device("ascend310")
    runtime = runtime_of("latency:ascend310:4", spnas)
    assert runtime.unit == "ms"
    assert any("depthwise" in note for note in runtime.notes)
    generator = random.Random(0)
    for _ in range(10):
        assignment = spnas.space.sample(generator)
        deployed = for_deployment(spnas.space.assign(assignment)).graph
        expected = total_ms(deployed, device, 4) / 4
        assert runtime.of(assignment) == pytest.approx(expected, rel=1e-9)


def test_the_pixel_1_table_gives_the_published_figures(spnas, tmp_path):
    path = write_table(tmp_path)
    runtime = runtime_of(path, spnas)
    for layers, expected in (
        (FOUND, 80.44),
        (" ".join(["56"] * 20), 131.46),
        (" ".join(["33"] * 20), 65.69),
        (" ".join(["33 30 30 30"] * 5), 30.63),
    ):
        assert round(runtime.of(single_path_nas(layers)), 2) == expected
    assert runtime.notes == (
        f"{path}: the layers' own times are used; the product that the paper's code makes of them"
        " would be up to 4.8% off",
        f"{path} has no base, so the rest of the network is taken to need 19.5999 ms, which is that"
        " of Single-Path-NAS on a Pixel 1",
    )
    rows = np.array(PIXEL1.split(), float).reshape(20, 4)
    total = 19.5999 + sum(
        factorise(tuple(row), layer[0] == "5", layer[1] == "6")
        for row, layer in zip(rows, FOUND.split(), strict=True)
        if layer[1] != "0"
    )
    assert round(total, 2) == 80.59
    for row in rows:
        for kernel, wide in product((False, True), repeat=2):
            if kernel or wide:
                assert factorise(tuple(row), kernel, wide) == pytest.approx(row[2 * kernel + wide])
    errors = [factorise(tuple(row), False, False) / row[0] - 1 for row in rows]
    assert [round(100 * e, 1) for e in (min(errors), max(errors))] == [-4.0, 4.8]
    assert round(100 * np.mean(errors), 2) == -0.56


def test_a_table_of_another_space(tmp_path, toy):
    table = {
        "base": 2,
        "1": {"0": 1, "1": 2, "2": 4, "3": 8},
        "2": {"0": 1, "1": 1, "2": 1, "3": 1},
    }
    (tmp_path / "t.json").write_text(json.dumps(table))
    runtime = runtime_of(str(tmp_path / "t.json"), toy)
    assert len(runtime.notes) == 1
    assert [pair[0].key for pair in searched_layers(toy)] == ["layer1.kernel", "layer2.kernel"]
    for (kernel, expand), cost in {
        (3, 0): 0, (5, 0): 0, (3, 2): 1, (3, 4): 2, (5, 2): 4, (5, 4): 8
    }.items():  # fmt: skip
        assignment = {"layer1.kernel": kernel, "layer1.expand": expand}
        assignment |= {"layer2.kernel": 3, "layer2.expand": 0}
        assert runtime.of(assignment) == 2 + cost


@pytest.mark.parametrize(
    "table, message",
    [
        ([1], "a table of runtimes is an object of layers"),
        ({"1": {"0": 1, "1": 2, "2": 3}},
         'at /1: layer "1" lacks its times; use {"0": ms, "1": ms, "2": ms, "3": ms}, each over 0'),
        ({"1": {"0": 1, "1": 2, "2": 3, "3": 4}},
         'at /: layer "2" lacks its times; use {"0": ms, "1": ms, "2": ms, "3": ms}, each over 0'),
        ({"1": {"0": 1, "1": 2, "2": 3, "3": 0}}, "lacks its times"),
        ({"base": -1, **{k: {"0": 1, "1": 2, "2": 3, "3": 4} for k in "12"}},
         "base is the milliseconds of all that is not searched, over 0"),
    ],
)  # fmt: skip
def test_tables_that_will_not_do(table, message, tmp_path, toy):
    (tmp_path / "t.json").write_text(json.dumps(table))
    with pytest.raises(SpecError) as error:
        runtime_of(str(tmp_path / "t.json"), toy)
    assert message in str(error.value)


def test_runtimes_that_are_not_there(tmp_path, toy):
    with pytest.raises(UsageError) as error:
        runtime_of("mac", toy)
    assert str(error.value) == (
        "there is no runtime 'mac'; use macs, latency:DEVICE or the path of a table"
    )
    spec = {**TOY, "body": json.loads(json.dumps(TOY["body"]))}
    spec["body"][1]["kernel"]["choice"] = [3, 5, 7]
    (tmp_path / "wide.json").write_text(json.dumps(spec))
    with pytest.raises(UsageError) as error:
        runtime_of(write_table(tmp_path), supernet_of(Space(tmp_path / "wide.json")))
    assert str(error.value) == (
        "a table has four times for each layer, so it cannot describe 'layer1.expand'; use a space"
        " of layers with two kernels and two widths each, or another runtime"
    )


@pytest.mark.long_on("mindspore")
def test_steps_take_the_same_runtime(spnas, toy, backend):
    generator = random.Random(1)
    for supernet in (spnas, toy):
        runtime = runtime_of("macs", supernet)
        for _ in range(10):
            assignment = supernet.space.sample(generator)
            found = runtime_at(backend, supernet, runtime, supernet.gates_of(assignment))
            assert found == pytest.approx(runtime.of(assignment), rel=1e-6)


def between(supernet, gates):
    """MACs at any gates: each network's, by the product of its options' shares."""
    total = 0.0
    for options in product(*(choice.options for choice in supernet.choices)):
        share = 1.0
        for choice, option in zip(supernet.choices, options, strict=True):
            level = choice.options.index(option)
            reached = [math.prod(gates[g] for g in choice.gates[:k])
                       for k in range(len(choice.options))]  # fmt: skip
            share *= reached[level] - (reached[level + 1] if level + 1 < len(reached) else 0)
        assignment = dict(zip((c.key for c in supernet.choices), options, strict=True))
        total += share * supernet.space.cost(assignment).macs if share else 0
    return total


@pytest.mark.long_on("mindspore")
def test_between_gates_it_is_linear_in_each(toy, backend):
    gates = np.random.default_rng(0).random(toy.gates)
    found = runtime_at(backend, toy, runtime_of("macs", toy), gates)
    assert found == pytest.approx(between(toy, gates), rel=1e-5)


# Targets.


def test_what_is_near_a_target(toy, spnas):
    """Beside every network of a small space; the extremes of a large one beside its tree's."""
    networks = list(toy.space.enumerate())
    runtime = runtime_of("macs", toy)
    near = possible(toy, runtime)
    every = np.array([toy.space.cost(one).macs for one in networks])
    assert (near.least, near.most) == (every.min(), every.max())
    margins = np.random.default_rng(5).normal(size=(20, toy.gates))
    for target, some in zip(np.linspace(near.least, near.most, 20), margins, strict=True):
        away = np.abs(every - target)
        assert abs(near.nearest(target) - target) == pytest.approx(away.min(), abs=1)
        liked = near.find_liked(target, some.tolist())
        allowed = [
            np.dot(toy.gates_of(one), some)
            for one, macs in zip(networks, every, strict=True)
            if abs(macs - every[away.argmin()]) <= 0.02 * target
        ]
        assert np.dot(toy.gates_of(liked), some) == pytest.approx(max(allowed))
    large = possible(spnas, runtime_of("macs", spnas))
    assert (large.least, large.most) == (117_233_600, 525_305_600)
    found = large.find_liked(3e8, np.random.default_rng(6).normal(size=spnas.gates).tolist())
    assert spnas.space.cost(found).macs == pytest.approx(3e8, rel=0.021)


# Gates and their gradients, held against float64.


def part_norms(weights, layer, kernel_gate):
    """Of a layer of the toy: rim, whole block, further channels; each over what it is a part of."""
    w = weights[f"{layer}.depthwise.conv.weight"].astype(np.float64)[:, 0]
    core = np.zeros((5, 5), bool)
    core[1:4, 1:4] = True
    half = len(w) // 2

    def mean(part):
        live = (part[:, core] ** 2).sum() + kernel_gate * (part[:, ~core] ** 2).sum()
        return live / (len(part) * (9 + 16 * kernel_gate))

    rim = math.sqrt((w[:, ~core] ** 2).mean() / (w**2).mean())
    return rim, math.sqrt(mean(w[:half]) / mean(w)), math.sqrt(mean(w[half:]) / mean(w))


def soft(norm, threshold, temperature):
    return 1 / (1 + math.exp(-(norm - threshold) / temperature))


def mask(weights, gates):
    """Weights of the toy's largest network that compute what it computes at these gates."""
    result = {path: array.astype(np.float64) for path, array in weights.items()}
    for number in (1, 2):
        kernel, block, wide = gates[number - 1], gates[2 * number], gates[2 * number + 1]
        depthwise = result[f"layer{number}.depthwise.conv.weight"]
        rim = np.full((5, 5), kernel)
        rim[1:4, 1:4] = 1
        result[f"layer{number}.depthwise.conv.weight"] = depthwise * rim
        project = result[f"layer{number}.project.conv.weight"]
        columns = np.where(np.arange(project.shape[1]) < project.shape[1] // 2, 1, wide)
        result[f"layer{number}.project.conv.weight"] = project * columns[None, :, None, None]
        for name in ("gamma", "beta"):
            result[f"layer{number}.project.norm.{name}"] *= block
    return result


def error_at(supernet, weights, gates, images, labels):
    """Cross entropy of the whole, in inference and float64."""
    (logits,) = run(supernet.graph, mask(weights, gates), images.astype(np.float64)).values()
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.mean(np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(labels)), labels])


def numeric_gradient(supernet, weights, thresholds, temperature, lam, target, batch):
    """The gates, and the loss's gradient through them, straight, by differences."""
    thresholds = np.array(thresholds)
    gates = np.zeros(6)
    for number in (1, 2):
        gates[number - 1] = part_norms(weights, f"layer{number}", 1)[0] >= thresholds[number - 1]
    for number in (1, 2):
        norms = part_norms(weights, f"layer{number}", gates[number - 1])[1:]
        gates[2 * number : 2 * number + 2] = norms >= thresholds[2 * number : 2 * number + 2]

    def loss(at):
        distance = math.log(between(supernet, at) / (target or 1.0))
        return error_at(supernet, weights, at, *batch) + lam * (
            abs(distance) if target else distance
        )

    def slope(function, at, step=1e-5):
        return (function(at + step) - function(at - step)) / (2 * step)

    unit = np.eye(6)
    of_gates = [slope(lambda x, k=k: loss(gates + x * unit[k]), 0.0) for k in range(6)]
    gradient = np.zeros(6)
    for number in (1, 2):
        kernel = number - 1
        for width in (2 * number, 2 * number + 1):

            def open_gates(gate, threshold, layer=f"layer{number}", part=1 + width % 2):
                return soft(part_norms(weights, layer, gate)[part], threshold, temperature)

            own = slope(partial(open_gates, gates[kernel]), thresholds[width])
            gradient[width] = of_gates[width] * own
            through = slope(partial(open_gates, threshold=thresholds[width]), gates[kernel])
            of_gates[kernel] += of_gates[width] * through
        rim = part_norms(weights, f"layer{number}", 1)[0]
        own = slope(partial(soft, rim, temperature=temperature), thresholds[kernel])
        gradient[kernel] = of_gates[kernel] * own
    return gates, gradient


def searcher_of(backend, supernet, recipe, runtime, rates, has_target=False):
    make = find_backend(backend).gated_trainer
    return Searcher(make(supernet, recipe, runtime, rates, 0.3, has_target), supernet, recipe)


def gradient_of(searcher):
    """Of the thresholds, in the first step that they make."""
    return searcher.trainer.state()["search.first_moment"] / (1 - BETAS[0])


@pytest.fixture(scope="module")
def searchers(toy, backend):
    """Without and with a target."""
    recipe = read_recipe("tiny", ["batch=4", "loss.smoothing=0"])
    runtime = runtime_of("macs", toy)
    rates = np.full(50, 0.05, np.float32)
    return [
        searcher_of(backend, toy, recipe, runtime, rates, has_target)
        for has_target in (False, True)
    ]


def batch_of(supernet, count=4, seed=3):
    random = np.random.default_rng(seed)
    images = random.standard_normal((count, *supernet.graph.input_shape)).astype(np.float32)
    return images, (np.arange(count) % 3).astype(np.int32)


@pytest.mark.parametrize(
    "thresholds",
    [[0.0] * 6, [0.9, 2.0, 0.5, 0.3, 0.2, 0.1], [0.4, 0.3, 0.2, 3.0, 0.1, 0.5],
     [2.0, 0.5, 4.0, 0.3, 0.8, 2.0]],
    ids=["at the start", "a kernel closed", "a width closed", "a block left out"],
)  # fmt: skip
@pytest.mark.parametrize("target", [None, 60_000.0], ids=["lambda", "target"])
def test_gradients_equal_the_numeric_ones(toy, searchers, thresholds, target, backend):
    searcher = searchers[target is not None]
    searcher.restart(1)
    weights = rule_b.with_random_weights(toy.graph, 5).weights
    trainer = searcher.trainer
    given = {**weights, "search.thresholds": np.array(thresholds, np.float32)}
    trainer.set_state({**trainer.state(), **given})
    # as in inference, for the reference knows nothing else
    turn_to_inference(backend, trainer)
    lam, batch = 2.0, batch_of(toy)
    gates, expected = numeric_gradient(toy, weights, thresholds, 0.3, lam, target, batch)
    assert trainer.set_gates() == gates.tolist()
    searcher.learn_thresholds(*batch, 1, 0, (lam, target or 1.0, 0.1))
    assert gradient_of(searcher) == pytest.approx(expected, rel=1e-4, abs=1e-6)
    moved = trainer.state()["search.thresholds"] - np.array(thresholds, np.float32)
    assert moved == pytest.approx(-0.1 * expected / np.sqrt(np.mean(expected**2)), abs=1e-4)


@pytest.mark.long_on("mindspore")
def test_every_threshold_feels_from_the_start(spnas, backend):
    """In the paper's code the sigmoid's slope is 1e-5 at 96 channels and 0 from 240 on; here it is
    the same from 48 to 1152. 96 pixels, for at fewer a rim sees nothing in the last stage."""
    recipe = read_recipe("single_path_nas", ["batch=2"])
    rates = np.full(50, 0.1, np.float32)
    searcher = searcher_of(backend, spnas, recipe, runtime_of("macs", spnas), rates)
    searcher.restart(1)
    assert searcher.trainer.set_gates() == [1.0] * 55
    random = np.random.RandomState(0)
    images = random.standard_normal((2, 3, 96, 96)).astype(np.float32)
    searcher.learn_thresholds(images, np.array([0, 7], np.int32), 1, 0, (1.0, 1.0, 0.1))
    gradient = gradient_of(searcher)
    assert gradient.shape == (55,)
    assert np.abs(gradient).min() > 1e-4
    slope = soft(1, 0, 0.3) * (1 - soft(1, 0, 0.3)) / 0.3
    assert slope > 0.1


@pytest.mark.long_on("mindspore")
def test_each_step_moves_its_own(toy, searchers, backend):
    searcher = searchers[0]
    searcher.restart(1)
    turn_to_training(backend, searcher.trainer)

    def state():
        return {name: array.copy() for name, array in searcher.trainer.state().items()}

    def moved(one, other):
        return {name for name in one if not np.array_equal(one[name], other[name])}

    start = state()
    searcher.learn_weights(*batch_of(toy), 1, 0, 1.0)
    between_steps = state()
    of_weights = moved(start, between_steps)
    assert {path for path in searcher.trainer.weights() if path.endswith(".weight")} <= of_weights
    assert not any(name.startswith("search.") for name in of_weights)
    searcher.learn_thresholds(*batch_of(toy), 1, 0, (1.0, 1.0, 0.1))
    of_thresholds = moved(between_steps, state())
    assert {name for name in of_thresholds if "moving_" not in name} == {
        f"search.{name}" for name in ("thresholds", "first_moment", "second_moment", "moments_left")
    }
    searcher.restart(1)
    assert not moved(start, state())


def test_in_the_warm_up_gates_are_closed_at_random(toy, searchers):
    searcher = searchers[0]
    searcher.restart(1)
    seen = []
    for step in range(40):
        searcher.learn_weights(*batch_of(toy), 7, step, 0.6)
        seen.append(gates_of(searcher.trainer))
    assert set(np.array(seen).reshape(-1)) == {0.0, 1.0}
    assert 0.5 < np.mean(seen) < 0.7
    assert len(set(seen)) > 10
    searcher.learn_weights(*batch_of(toy), 7, 3, 0.6)
    assert gates_of(searcher.trainer) == seen[3]


# Images in two.


def test_held_out_images_are_a_share_of_each_class(tmp_path):
    write_digits(tmp_path / "digits")
    source = scan_folder(tmp_path / "digits" / "train", learns=True)
    rest, held = split(source, 0.2, 1)
    names = [{share.name(k) for k in range(len(share.labels))} for share in (rest, held)]
    assert not names[0] & names[1]
    assert names[0] | names[1] == {source.name(k) for k in range(len(source.labels))}
    for label in range(10):
        whole, part = (int((s.labels == label).sum()) for s in (source, held))
        assert part == round(0.2 * whole)
    assert next(held.loads([5]))() == (source.root / held.name(5)).read_bytes()
    assert held.source.labels[held.indices[5]] == held.labels[5]
    again = split(source, 0.2, 1)[1]
    other = split(source, 0.2, 2)[1]
    assert np.array_equal(held.indices, again.indices)
    assert not np.array_equal(held.indices, other.indices)


# Searches.


def write_dots(folder, distances, train=256, val=48, side=12):
    """Pairs of dots in a row, the class being how far they are apart."""
    random = np.random.default_rng(0)
    for part, count in (("train", train), ("val", val)):
        for distance in distances:
            home = folder / part / f"apart{distance}"
            home.mkdir(parents=True)
            for number in range(count):
                pixels = np.zeros((side, side), np.uint8)
                for _ in range(2):
                    row, column = random.integers(side), random.integers(side - distance)
                    pixels[row, [column, column + distance]] = 255
                Image.fromarray(pixels).save(home / f"{number:03}.png")


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """Dots that a 3x3 window can tell apart, and such as need 5x5."""
    folder = tmp_path_factory.mktemp("planted")
    (folder / "planted.json").write_text(json.dumps(PLANTED))
    (folder / "planted.yaml").write_text(RECIPE)
    write_dots(folder / "near", (1, 2))
    write_dots(folder / "far", (3, 4))
    return folder


def planted_settings(folder, data, **besides):
    recipe = str(folder / "planted.yaml")
    besides = {"held_out": 0.25, **besides}
    return SinglePathSettings(str(folder / data), recipe, lam=(0.3,), warmup_epochs=6, **besides)


def find(folder, data, out, backend):
    with Stop() as stop:
        space = Space(folder / "planted.json")
        settings = planted_settings(folder, data, backend=backend)
        return search_single_path(space, settings, folder / out, stop)


@pytest.fixture(scope="module")
def far_run(planted, backend):
    """The folder of a search on dots that lie far apart."""
    return planted / f"far-{backend}"


@pytest.fixture(scope="module")
def far(planted, far_run, backend):
    return find(planted, "far", far_run, backend)


@pytest.mark.long_on("mindspore")
def test_a_planted_kernel_is_found(far):
    """What the label depends on lies 3 or 4 pixels apart: only a 5x5 kernel sees both dots."""
    (found,) = far
    assert found.name == "seed1-lam0.3"
    assert found.assignment["layer.kernel"] == 5
    assert found.objectives["top1"] > 0.9
    assert set(found.objectives) == {"params", "macs", "MACs", "top1", "loss"}


@pytest.mark.long_on("mindspore")
def test_a_kernel_that_nothing_needs_is_not(planted, backend):
    """The same search on dots 1 or 2 pixels apart."""
    (found,) = find(planted, "near", f"near-{backend}", backend)
    assert found.assignment["layer.kernel"] == 3
    assert found.objectives["top1"] > 0.9


@pytest.mark.long_on("mindspore")
def test_what_was_found_is_scored_the_same_by_itself(planted, far, backend):
    (found,) = far
    graph = Space(planted / "planted.json").assign(found.assignment)
    assert (graph.params, graph.macs) == (found.objectives["params"], found.objectives["macs"])
    alone = find_backend(backend).predictor(Model(graph, load_weights(found.weights, graph)))
    images = EvalPipeline(
        scan_folder(planted / "far" / "val", learns=False),
        preprocessing_of(graph.preprocessing, graph.input_shape), batch=32,
    )  # fmt: skip
    scores = evaluate(alone, images, 32)
    assert scores.top1 == found.objectives["top1"]
    assert scores.loss == pytest.approx(found.objectives["loss"], rel=1e-4)
    lines = read_log(found.log)
    assert [line["epoch"] for line in lines] == list(range(7, 13))
    assert lines[-1]["assignment"] == dict(found.assignment)


@pytest.mark.long_on("mindspore")  # of which test_old_files resumes one
def test_a_search_that_is_there_is_not_made_again(planted, far, far_run, backend):
    folder = far_run / "single_path"
    began = (folder / "seed1-lam0.3/found.json").stat().st_mtime_ns
    path = folder / "settings.json"
    settings = json.loads(path.read_text())
    assert settings.pop("backend") == backend
    if backend == "mindspore":  # as of before there were several backends
        path.write_text(json.dumps(seal(settings)))
    assert find(planted, "far", far_run, backend) == far
    assert (folder / "seed1-lam0.3/found.json").stat().st_mtime_ns == began
    with pytest.raises(UsageError) as error, Stop() as stop:
        search_single_path(
            Space(planted / "planted.json"),
            planted_settings(planted, "far", held_out=0.3, backend=backend), far_run, stop,
        )  # fmt: skip
    assert str(error.value) == (
        f"{folder} has searches that were begun with held_out 0.25, and"
        " this is 0.3; use another folder"
    )


SCRIPT = """\
import sys
from pathlib import Path
from archspec.training.signals import Stop
with Stop() as stop:
    from archspec.space import Space
    from archspec.training.search.single_path import SinglePathSettings, search_single_path
    settings = SinglePathSettings(
        "far", "planted.yaml", lam=(0.3,), warmup_epochs=6, held_out=0.25, backend=sys.argv[2]
    )
    folder = Path(sys.argv[1])
    found = search_single_path(Space("planted.json"), settings, folder, stop, print)
    print(len(found), "found")
"""


def start(folder, out, backend):
    threads = {"OMP_NUM_THREADS": "1"} if backend == "torch" else {}  # as here, for the same bits
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, out, backend], cwd=folder, text=True,
        env={**os.environ, **threads},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def state_of(home):
    from archspec.compiler.weights.files import open_tensors

    with open_tensors(sorted((home / "checkpoints").iterdir())[-1]) as file:
        return {name: file.read(name).tobytes() for name in file.entries}


def wait_for_epoch(home, epoch, process):
    deadline = time.monotonic() + 120
    while not any(line["epoch"] >= epoch for line in read_log(home / "log.jsonl")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.long_on("mindspore")
@pytest.mark.usefixtures("far")
def test_killed_and_stopped_it_goes_on_to_the_same_thresholds(planted, far_run, backend):
    """A process that is killed in the warm-up, one asked to stop in the search, and a third."""
    out = f"stopped-{backend}"
    home = planted / out / "single_path"
    process = start(planted, out, backend)
    wait_for_epoch(home / "seed1-warmup", 2, process)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    process = start(planted, out, backend)
    wait_for_epoch(home / "seed1-lam0.3", 8, process)
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert "0 found" in said
    said, _ = start(planted, out, backend).communicate(timeout=120)
    assert "1 found" in said
    one, other = (run / "seed1-lam0.3" for run in (home, far_run / "single_path"))
    assert state_of(one) == state_of(other)
    assert (one / "log.jsonl").read_bytes() == (other / "log.jsonl").read_bytes()
    facts, others = (json.loads((run / "found.json").read_text()) for run in (one, other))
    assert {**facts, "seconds": 0, "crc32": ""} == {**others, "seconds": 0, "crc32": ""}


@pytest.mark.long_on("mindspore")
def test_a_target_is_met(tmp_path, backend):
    """Digits on spaces/tiny, 213,760 to 849,152 MACs. A gate more or less is up to a fifth, yet
    each search ends within 5 % of the nearest that a network can be."""
    write_digits(tmp_path / "all")
    for part, count in (("train", 40), ("val", 10)):
        for digit in range(10):
            home = tmp_path / "digits" / part / str(digit)
            home.mkdir(parents=True)
            for path in sorted((tmp_path / "all" / part / str(digit)).iterdir())[:count]:
                path.rename(home / path.name)
    settings = SinglePathSettings(
        str(tmp_path / "digits"), epochs=6, warmup_epochs=3, batch=16, held_out=0.3,
        target=(300_000.0, 600_000.0), backend=backend,
    )  # fmt: skip
    said: list[str] = []
    with Stop() as stop:
        found = search_single_path(
            Space("spaces/tiny"), settings, tmp_path / "run", stop, said.append
        )
    assert [one.name for one in found] == ["seed1-target300000", "seed1-target600000"]
    for one, target in zip(found, settings.target, strict=True):
        assert one.target == target
        assert one.nearest == pytest.approx(target, rel=0.03)
        assert abs(one.objectives["MACs"] / one.nearest - 1) < 0.05
        assert one.objectives["top1"] > 0.7
    warmups = [line for line in said if line.startswith("seed1-warmup: epoch")]
    assert len(warmups) == 3, "the warm-up serves both"
    assert any(
        "found for a target of 300,000 MACs; the nearest possible is" in line for line in said
    )


# What cannot be.


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"keep": 0.0}, "keep is 0.0; use over 0 and at most 1"),
        ({"held_out": 1.0}, "held_out is 1.0; use between 0 and 1"),
        ({"lam": ()}, "lam is (); use one number over 0 or several"),
        ({"target": (0.0,)}, "target is (0.0,); use numbers over 0"),
        ({"seeds": 0}, "seeds is 0; use 1 or more"),
        ({"lr_thresholds": 0.0}, "lr_thresholds is 0.0; use more than 0"),
    ],
)
def test_settings_that_cannot_be(settings, message):
    with pytest.raises(UsageError) as error:
        SinglePathSettings("digits", **settings)
    assert str(error.value) == message


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"target": (5_000.0,)}, "the target is 5,000 MACs, and the networks of this space take"
         " {least} MACs to {most} MACs; use a target in that range"),
        ({"target": (1e5, 5e6)}, "the target is 5,000,000 MACs, and the networks of this space take"
         " {least} MACs to {most} MACs; use a target in that range"),
        ({"warmup_epochs": 12}, "warmup_epochs is 12 and epochs is 12, which leaves none for the"
         " thresholds; use fewer"),
        ({"recipe_settings": ("optimizer.accumulate=2",)}, "planted sets optimizer.accumulate, with"
         " which no supernet learns; use a recipe without it"),
        ({"held_out": 0.05}, "what is held out of {data}/train has 26 images, fewer than one"
         " step's 32; use --set batch=26"),
    ],
)  # fmt: skip
def test_what_is_said_before_the_first_step(settings, message, planted, tmp_path, backend):
    whole = {"data": str(planted / "far"), "recipe": str(planted / "planted.yaml"), **settings}
    asked = SinglePathSettings(**whole, backend=backend)
    with pytest.raises(UsageError) as error, Stop() as stop:
        search_single_path(Space(planted / "planted.json"), asked, tmp_path / "run", stop)
    macs = [Space(planted / "planted.json").cost({"layer.kernel": k, "layer.expand": e}).macs
            for k, e in ((3, 2), (5, 4))]  # fmt: skip
    least, most = (f"{count:,}" for count in macs)
    assert str(error.value) == message.format(data=planted / "far", least=least, most=most)
    assert not (tmp_path / "run").exists()
