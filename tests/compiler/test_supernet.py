"""Supernets: what is derived from a spec, and that gates make each network of the space of one.

Whatever the supernet computes is held against the network built by itself, and that against the
plain numpy reference.
"""

from __future__ import annotations

import json
import random
from importlib import import_module

import pytest

pytest.importorskip("numpy")

import numpy as np
from oracles import rule_b
from oracles.supernets import build_gated, run_alone

import archspec
from archspec.compiler import Model, build
from archspec.compiler.model import weights_of
from archspec.compiler.supernet import derive, regions_of, supernet_of
from archspec.compiler.targets.reference import run
from archspec.errors import SpecError
from archspec.space import Space

FOUND = "33 33 33 30 56 33 33 33 56 33 33 33 56 53 53 53 56 56 56 56"
"""Kernel and expansion of each layer of the published network; 0 leaves a layer out."""


def choice(*options, **besides):
    return {"choice": list(options), "share": "superkernel", **besides}


def space_of(folder, body, shape=(3, 9, 7), **besides):
    spec = {"archspec": 1, "name": "toy", "input": {"shape": list(shape)}, "body": body, **besides}
    (folder / "toy.json").write_text(json.dumps(spec))
    return Space(folder / "toy.json")


def single_path_nas(layers):
    """The assignment of twenty layers, each its kernel and expansion."""
    return {
        f"stage{place // 4 + 1}.layer{place % 4 + 1}.{key}": int(value)
        for place, layer in enumerate(layers.split())
        for key, value in zip(("kernel", "expand"), layer, strict=True)
    }


# What is derived.


def test_the_choices_of_a_space():
    supernet = supernet_of(Space("spaces/tiny"))
    kernel, expand = (
        next(c for c in supernet.choices if c.key == f"stage1.layer2.{key}")
        for key in ("kernel", "expand")
    )
    assert (kernel.options, kernel.gates, kernel.decides_kernels) == ((3, 5), range(1, 2), True)
    assert (expand.options, expand.gates, expand.decides_kernels) == ((0, 2, 4), range(5, 7), False)
    assert set(expand.left_out) == {
        n for n in supernet.graph.nodes if ".layer2." in n and "1" in n[:6]
    }
    assert kernel.left_out == ()
    assert supernet.gates == 10
    assert supernet.branches == {
        f"stage{k}.layer2.project.norm": next(
            c for c in supernet.choices if c.key == f"stage{k}.layer2.expand"
        )
        for k in (1, 2)
    }
    depthwise = "stage1.layer2.depthwise.conv.weight"
    assert supernet.kernels[depthwise].sizes == ((3, 3), (5, 5))
    assert supernet.rows[depthwise].sizes == (32, 64)
    assert list(supernet.rows[depthwise].gates) == [6]
    assert supernet.columns["stage1.layer2.project.conv.weight"].sizes == (32, 64)
    assert {path.split(".")[2] for path in supernet.columns} == {"project"}


@pytest.mark.parametrize("name", ["spaces/tiny", "spaces/single_path_nas"])
def test_gates_and_assignments_are_one(name):
    supernet = supernet_of(Space(name))
    assert supernet.graph.macs == max(
        supernet.space.cost(supernet.assignment_of(gates)).macs
        for gates in ([1.0] * supernet.gates, [0.0] * supernet.gates)
    )
    generator = random.Random(0)
    for _ in range(100):
        assignment = supernet.space.sample(generator)
        gates = supernet.gates_of(assignment)
        assert set(gates) <= {0.0, 1.0}
        assert supernet.assignment_of(gates) == assignment


def test_what_lies_behind_a_closed_gate_does_not_count():
    supernet = supernet_of(Space("spaces/tiny"))
    gates = [1.0] * supernet.gates
    gates[5] = 0.0
    assert supernet.assignment_of(gates)["stage1.layer2.expand"] == 0


def test_the_published_network_is_decoded_right():
    """The released decoder takes 3x3 with expansion 6 for 3, and 5x5 with 3 for 6."""
    supernet = supernet_of(Space("spaces/single_path_nas"))
    assignment = single_path_nas(FOUND)
    assert supernet.assignment_of(supernet.gates_of(assignment)) == assignment
    for layer in ("36", "53", "33", "56"):
        gates = supernet.gates_of(single_path_nas(" ".join([layer] * 20)))
        assert supernet.assignment_of(gates) == single_path_nas(" ".join([layer] * 20))
    weights = rule_b.with_random_weights(supernet.graph).weights
    graph, found = derive(supernet, assignment, weights)
    assert (graph.params, graph.macs) == (4_421_616, 333_467_072)
    assert graph.fingerprint == archspec.load("spnasnet").fingerprint
    assert sum(a.size for a in found.values()) == 4_461_120  # and statistics of batch norms


@pytest.mark.parametrize("gate, params, macs", [(1.0, 4_833_768, 525.3), (0.0, 2_457_384, 117.2)])
def test_the_ends_of_the_space(gate, params, macs):
    supernet = supernet_of(Space("spaces/single_path_nas"))
    weights = rule_b.with_random_weights(supernet.graph).weights
    graph, _ = derive(supernet, supernet.assignment_of([gate] * supernet.gates), weights)
    assert (graph.params, round(graph.macs / 1e6, 1)) == (params, macs)


def test_regions_of_a_kernel_and_of_columns():
    supernet = supernet_of(Space("spaces/tiny"))
    path = "stage1.layer2.depthwise.conv.weight"
    core, rim = regions_of(supernet.kernels[path], (64, 1, 5, 5))
    assert core.shape == (1, 1, 5, 5)
    assert np.array_equal(core[0, 0], np.pad(np.ones((3, 3)), 1))
    assert np.array_equal(core + rim, np.ones((1, 1, 5, 5)))
    first, further = regions_of(
        supernet.columns["stage1.layer2.project.conv.weight"], (16, 64, 1, 1)
    )
    assert first.shape == (1, 64, 1, 1)
    assert np.array_equal(first.reshape(-1), [1] * 32 + [0] * 32)
    assert np.array_equal(further, 1 - first)


# What is computed.

MBCONV = {"op": "MBConv", "name": "layer", "channels": 5}
SPACES = {
    "kernels and widths of odd channels": [
        {"op": "ConvNormAct", "kernel": 3, "channels": 5},
        {**MBCONV, "repeat": 2, "kernel": choice(3, 5, 7), "expand": choice(0, 1.5, 3, 4.3)},
        {"op": "Classifier", "classes": 3},
    ],
    "a stride, and squeeze-excite": [
        {**MBCONV, "stride": 2, "squeeze": 3, "kernel": choice(1, 5), "expand": choice(2, 3)},
        {"op": "Classifier", "classes": 3},
    ],
    "one choice of several layers": [
        {"op": "ConvNormAct", "kernel": 1, "channels": 5},
        {**MBCONV, "repeat": 3, "kernel": choice(3, 5, name="k"), "expand": choice(0, 2, name="e")},
        {"op": "Classifier", "classes": 3},
    ],
    "dense convolutions and a bias": [
        {"op": "conv", "name": "wide", "kernel": choice(1, 3, 5), "channels": 4, "bias": True},
        {"op": "conv", "name": "flat", "kernel": [1, choice(3, 7)], "channels": 4, "dilation": 2},
        "relu",
        {"op": "conv", "name": "last", "kernel": choice(1, 3), "channels": choice(3, 7)},
        "relu", {"op": "max_pool", "kernel": 2}, "flatten",
        {"op": "dense", "channels": choice(2, 9)},
        {"op": "act", "function": "tanh"},
        {"op": "dense", "channels": 3},
    ],
    "a width through a sum": [
        {"op": "conv", "name": "first", "kernel": 1, "channels": choice(4, 7, 9, name="width")},
        {"residual": [
            {"op": "conv", "name": "inner", "kernel": 3, "channels": choice(4, 7, 9, name="width")},
            {"op": "batch_norm", "name": "norm"},
        ]},
        "relu",
        {"op": "Classifier", "classes": 3},
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", SPACES)
def test_gates_make_it_each_network(name, tmp_path, backend):
    supernet = supernet_of(space_of(tmp_path, SPACES[name]))
    model = rule_b.with_random_weights(supernet.graph)
    network = build_gated(backend, supernet, model.weights)
    image = rule_b.image((3, 9, 7), 2)
    generator = random.Random(1)
    for _ in range(25):
        assignment = supernet.space.sample(generator)
        network.set_gates(supernet.gates_of(assignment))
        found = network.logits(image)
        graph, weights = derive(supernet, assignment, model.weights)
        (expected,) = run(graph, weights, image.astype(np.float64)).values()
        assert np.abs(found - expected).max() < 1e-5
        assert np.abs(expected).max() > 1e-2
    assert network.compiled == 1, "a set of gates was compiled"


@pytest.mark.parametrize("name", SPACES)
def test_with_all_gates_open_it_is_the_largest_to_the_bit(name, tmp_path, backend):
    supernet = supernet_of(space_of(tmp_path, SPACES[name]))
    model = rule_b.with_random_weights(supernet.graph)
    image = rule_b.image((3, 9, 7), 2)
    found = build_gated(backend, supernet, model.weights).logits(image)
    assert np.array_equal(found, run_alone(backend, model, image))


def test_networks_of_tiny_by_themselves_agree(backend):
    """The same against the framework's own networks, as they would be trained on."""
    supernet = supernet_of(Space("spaces/tiny"))
    model = rule_b.with_random_weights(supernet.graph)
    network = build_gated(backend, supernet, model.weights)
    image = rule_b.image((1, 8, 8), 3)
    generator = random.Random(2)
    for _ in range(4):
        assignment = supernet.space.sample(generator)
        network.set_gates(supernet.gates_of(assignment))
        expected = run_alone(backend, Model(*derive(supernet, assignment, model.weights)), image)
        assert np.abs(network.logits(image) - expected).max() < 1e-5


def test_a_block_left_out_is_the_identity_to_the_bit(tmp_path, backend):
    body = [
        {"op": "ConvNormAct", "kernel": 3, "channels": 5},
        {**MBCONV, "repeat": 2, "expand": choice(0, 3)},
        {"op": "Classifier", "classes": 3},
    ]
    supernet = supernet_of(space_of(tmp_path, body))
    model = rule_b.with_random_weights(supernet.graph)
    network = build_gated(backend, supernet, model.weights)
    network.set_gates([0.0, 0.0])
    image = rule_b.image((3, 9, 7))
    smallest = Model(*derive(supernet, supernet.space.first(), model.weights))
    assert np.array_equal(network.logits(image), run_alone(backend, smallest, image))


@pytest.mark.parametrize("name", SPACES)
def test_slopes_at_gates_of_pytorch_are_those_by_differences(name, tmp_path):
    """In float64, at gates between open and closed, for at a closed one a relu may turn. In
    test_single_path those of both frameworks are held against numpy's, where thresholds learn."""
    torch = pytest.importorskip("torch")
    from archspec.compiler.targets.torch.gates import add_gates

    supernet = supernet_of(space_of(tmp_path, SPACES[name]))
    network = build(rule_b.with_random_weights(supernet.graph), target="torch").eval()
    gates = add_gates(network, supernet)
    network.double()
    gates.data = torch.from_numpy(np.random.default_rng(0).random(supernet.gates))
    image = torch.from_numpy(rule_b.image((3, 9, 7), 2).astype(np.float64))

    def score():
        return network(image).square().sum()

    gates.requires_grad_(True)
    (found,) = torch.autograd.grad(score(), gates)
    gates.requires_grad_(False)
    step = 1e-6
    for place in range(supernet.gates):
        whole = gates[place].item()
        gates[place] = whole + step
        above = score().item()
        gates[place] = whole - step
        slope = (above - score().item()) / (2 * step)
        gates[place] = whole
        assert found[place].item() == pytest.approx(slope, rel=1e-5, abs=1e-7)
    assert found.abs().max() > 1e-3


def test_noise_stays_behind_a_gate(tmp_path, backend):
    """drop_path between the branch and its sum, which training takes over."""
    body = [
        {"op": "ConvNormAct", "kernel": 3, "channels": 5},
        {**MBCONV, "expand": choice(0, 3), "drop_path": 0.5},
        {"op": "Classifier", "classes": 3, "dropout": 0.5},
    ]
    supernet = supernet_of(space_of(tmp_path, body))
    assert [*supernet.branches] == ["layer.project.norm"]
    model = rule_b.with_random_weights(supernet.graph)
    network = build_gated(backend, supernet, model.weights)
    noise = import_module(f"archspec.training.backends.{backend}.noise")
    cells = noise.take_over(network.network, supernet.graph, 4)
    assert [*cells] == ["layer.drop_path", "classifier.dropout"]
    image = rule_b.image((3, 9, 7), 4)
    assert np.array_equal(network.logits(image), run_alone(backend, model, image))


def test_weights_are_the_first_channels_and_the_centre():
    supernet = supernet_of(Space("spaces/tiny"))
    weights = {
        path: np.arange(np.prod(weight.shape), dtype=np.float32).reshape(weight.shape)
        for path, weight in weights_of(supernet.graph).items()
    }
    largest = supernet.assignment_of([1.0] * supernet.gates)
    _, whole = derive(supernet, largest, weights)
    assert all(np.array_equal(whole[path], weights[path]) for path in weights)
    smaller = {**largest, "stage1.layer2.kernel": 3, "stage1.layer2.expand": 2}
    _, found = derive(supernet, smaller, weights)
    kernel = "stage1.layer2.depthwise.conv.weight"
    assert np.array_equal(found[kernel], weights[kernel][:32, :, 1:4, 1:4])
    project = "stage1.layer2.project.conv.weight"
    assert np.array_equal(found[project], weights[project][:, :32])
    mean = "stage1.layer2.expand.norm.moving_mean"
    assert np.array_equal(found[mean], weights[mean][:32])
    assert found[kernel].flags.c_contiguous


# What cannot be.


def refusal(folder, body, **besides):
    with pytest.raises(SpecError) as error:
        supernet_of(space_of(folder, body, **besides))
    (problem,) = error.value.problems
    return problem.message


def test_other_spaces_are_refused_by_name():
    with pytest.raises(SpecError) as error:
        supernet_of(Space("spaces/isynet"))
    assert str(error.value) == (
        "specs/spaces/isynet.json:37:18: at /templates/Stage/args/widen: no supernet holds isynet:"
        " the choices 'stage1.widen', 'stage1.expand', 'stage1.depth' and 42 more are not said to"
        ' share weights; use "share": "superkernel" where small options are parts of large'
        " ones"
    )


TAIL = [{"op": "Classifier", "classes": 3}]
CONV = {"op": "conv", "name": "conv", "kernel": 3, "channels": 4}
ALONE = "no superkernel realises the choice 'conv.{}': with {}, "
USE = (
    " use kernel sizes, expansions or widths, or an engine that tries network by network"
    " (--engine evolution)"
)
PLACING = {
    "Edge": {"args": {"kind": 0}, "body": {"op": "='zero' if kind == 0 else 'silu'"}},
    "Repeated": {
        "args": {"expand": 1},
        "body": {
            "residual": [
                {"op": "upsample", "size": 6},
                {"op": "MBConv", "channels": 4, "skip": False, "expand": "=max(expand, 1)"},
            ],
            "when": "=expand > 0",
        },
    },
    "Placed": {"args": {"block": {"type": "op"}}, "body": {"op": "=block"}},
}
HALF = {"op": "conv", "name": "half", "kernel": 1, "channels": 4}
REFUSED = {
    "no choice": ([CONV, *TAIL], "this spec has no choice; use a search space"),
    "paths": (
        [{**CONV, "kernel": {"choice": [3, 5]}}, *TAIL],
        "no supernet holds toy: the choice 'conv.kernel' is not said to share weights;"
        ' use "share": "superkernel" where small options are parts of large ones',
    ),
    "words": (
        [{**CONV, "padding": choice("half", "same")}, *TAIL],
        "no supernet holds toy: the choice 'conv.padding' is not between numbers;" + USE,
    ),
    "even": (
        [{**CONV, "kernel": choice(2, 5), "padding": "same"}, *TAIL],
        ALONE.format("kernel", 2) + "conv has a kernel of 2x2, no centre of 5x5",
    ),
    "off centre": (
        [{**CONV, "kernel": choice(3, 5), "padding": 2}, *TAIL],
        ALONE.format("kernel", 3) + "conv works on images of another size",
    ),
    "stride": (
        [{**CONV, "stride": choice(1, 2)}, *TAIL],
        ALONE.format("stride", 1) + "conv works on images of another size",
    ),
    "dilation": (
        [{**CONV, "dilation": choice(1, 2)}, *TAIL],
        ALONE.format("dilation", 1) + "conv has another dilation",
    ),
    "output": (
        [{**CONV, "channels": choice(4, 6)}],
        ALONE.format("channels", 4) + "the output 'logits' is another",
    ),
    "groups": (
        [{**CONV, "channels": choice(4, 8)}, {**CONV, "name": "second", "groups": 2}, *TAIL],
        ALONE.format("channels", 4) + "second has groups of another width",
    ),
    "layer norm": (
        [{**CONV, "channels": choice(4, 6)}, "layer_norm", *TAIL],
        ALONE.format("channels", 4)
        + "layer_norm is layer_norm, which does not give the first channels alone",
    ),
    "transposed": (
        [{**CONV, "channels": choice(4, 6)},
         {"op": "conv_transpose", "channels": 4, "kernel": 2, "stride": 2, "name": "up"}, *TAIL],
        ALONE.format("channels", 4)
        + "up is conv_transpose, which does not give the first channels alone",
    ),
    "standardised": (
        [{**CONV, "kernel": choice(3, 5), "weight_standardization": True}, *TAIL],
        ALONE.format("kernel", 3) + "conv standardises filters, of which a part is another filter",
    ),
    "no sum": (
        [CONV, {"op": "ConvNormAct", "name": "block", "kernel": 1, "channels": 4,
                "when": "=1 > 0"},
         {"op": "MBConv", "name": "layer", "channels": 4, "skip": False, "expand": choice(0, 3)},
         *TAIL],
        "no superkernel realises the choice 'layer.expand': with 0, classifier.global_avg_pool"
        " reads something else",
    ),
    "a sum that repeats its shortcut": (
        [CONV, "global_avg_pool", {"op": "Repeated", "name": "layer", "expand": choice(0, 3)},
         *TAIL],
        "no superkernel realises the choice 'layer.expand': with 0, classifier.global_avg_pool"
        " reads something else",
    ),
    "expansion 1": (
        [CONV, {"op": "MBConv", "name": "layer", "channels": 4, "expand": choice(1, 3)}, *TAIL],
        "no superkernel realises the choice 'layer.expand': with 1, layer.depthwise.conv reads"
        " something else",
    ),
    "depth": (
        [CONV, {"op": "MBConv", "name": "layer", "channels": 4, "repeat": choice(1, 2),
                "expand": choice(2, 3)}, *TAIL],
        "no supernet holds toy: with 1 for 'layer.repeat' and the largest option of every other"
        " choice it is not a network, because the assignment settles 'layer2.expand', which the"
        " network it gives does not have; did you mean 'layer1.expand'?",
    ),
    "two for a width": (
        [{**CONV, "channels": choice(4, 6)},
         {"op": "MBConv", "name": "layer", "channels": 9, "expand": choice(2, 3)}, *TAIL],
        "no superkernel realises the choice 'layer.expand': it decides how many channels"
        " layer.expand.conv gives together with 'conv.channels'",
    ),
    "both at once": (
        [{**CONV, "kernel": choice(3, 5, name="both")},
         {**CONV, "name": "second", "channels": choice(3, 5, name="both")}, *TAIL],
        "no superkernel realises the choice 'both': it decides kernels and widths at once",
    ),
    "ops": (
        [CONV, {"op": choice("silu", "zero"), "name": "edge"}, *TAIL],
        "no supernet holds toy: the choice 'edge.op' decides which op stands there, and one op is"
        " not a part of another;" + USE,
    ),
    "ops of one name, said to share nothing": (
        [CONV, {"op": {"choice": ["silu", "zero"], "name": "e"}, "repeat": 2},
         {"op": {"choice": ["relu", "zero"], "name": "f"}}, *TAIL],
        "no supernet holds toy: the choices 'e' and 'f' decide which ops stand there, and one op is"
        " not a part of another;" + USE,
    ),
    "an op by a number": (
        [CONV, {"op": "Edge", "name": "edge", "kind": choice(0, 3)}, *TAIL],
        "no superkernel realises the choice 'edge.kind': with 0, edge.op is zero and not"
        " act",
    ),
    "a template as argument": (
        [CONV, {"op": "Placed", "name": "edge", "block": choice("silu", "zero")}, *TAIL],
        "no supernet holds toy: the choice 'edge.block' is not between numbers;" + USE,
    ),
    "sources": (
        [CONV, {**HALF, "name": "b"}, {**HALF, "from": choice("conv", "b")}, *TAIL],
        "no supernet holds toy: the choice 'half.from' decides which result is taken, and weights"
        " that see one result are not a part of those that see another;" + USE,
    ),
    "a source of several": (
        [CONV, HALF, {"op": "add", "from": ["half", choice("conv", "in")]}, *TAIL],
        "no supernet holds toy: the choice 'add.from.1' decides which result is taken, and weights"
        " that see one result are not a part of those that see another;" + USE,
    ),
    "nodes": (
        [CONV, {"choice": [HALF, "relu"], "share": "superkernel", "name": "either"}, *TAIL],
        "no supernet holds toy: the choice 'either' decides between nodes, and what is written as"
        " different nodes has no weights in common;" + USE,
    ),
    "whether": (
        [CONV, {**HALF, "when": choice(False, True)}, *TAIL],
        "no supernet holds toy: the choice 'half.when' is not between numbers;" + USE,
    ),
    "nothing": (
        [CONV, {"op": "act", "function": "leaky_relu", "alpha": 0.1, "when": True},
         {"op": "dropout", "rate": choice(0.1, 0.2)}, *TAIL],
        "no superkernel realises the choice 'dropout.rate': with 0.1, dropout has another rate",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_superkernel_realises(name, tmp_path):
    body, message = REFUSED[name]
    assert refusal(tmp_path, body, templates=PLACING) == message


def test_an_assignment_of_another_space_is_refused():
    supernet = supernet_of(Space("spaces/tiny"))
    first = supernet.space.first()
    for assignment, message in (
        ({**first, "stage1.layer1.kernal": 3}, "tiny has no choice 'stage1.layer1.kernal'; did you"
         " mean 'stage1.layer1.kernel'?"),
        ({**first, "stage1.layer1.kernel": 7}, "'stage1.layer1.kernel' has no option 7; use 3, 5"),
        ({k: v for k, v in first.items() if k != "stage1.layer1.kernel"},
         "the assignment leaves 'stage1.layer1.kernel' open"),
    ):  # fmt: skip
        with pytest.raises(SpecError) as error:
            supernet.gates_of(assignment)
        assert str(error.value) == message
