"""MindSpore's form of every op and network, held against numpy; and the source as source.

What is compiled as a graph takes seconds for a deep network, so most of this runs eagerly
(PYNATIVE) and a few networks stand for the rest in GRAPH mode.
"""

from __future__ import annotations

import ast
import json
import os
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from oracles.networks import around, made_of_one, network
from test_ops import EXAMPLES, label

import archspec
from archspec.compiler.model import Model, weights_of
from archspec.compiler.targets.mindspore.dialect import DIALECT
from archspec.compiler.targets.mindspore.source import network_name, source_of
from archspec.errors import UsageError
from archspec.graph import Graph, TemplateCall
from archspec.node import Layer, Node, Tensor
from archspec.ops import OPS
from archspec.ops.activation import FUNCTIONS, Act
from archspec.ops.conv import Conv, ConvTranspose
from archspec.ops.linear import Dense
from archspec.ops.merge import Add, Concat, Mul
from archspec.ops.norm import BatchNorm, InstanceNorm, LocalResponseNorm, RmsNorm
from archspec.ops.pool import AdaptiveAvgPool, AdaptiveMaxPool, GlobalAvgPool, MaxPool, Reduce
from archspec.ops.rearrange import PixelShuffle, Roll, SpaceToDepth
from archspec.ops.regularize import Dropout, DropPath
from archspec.ops.reshape import Flatten, Identity, Split
from archspec.ops.resize import Upsample
from archspec.sources import shipped_names

np = pytest.importorskip("numpy")
pytest.importorskip("mindspore")

# These import MindSpore, so they come after the line that skips where it is missing.
from oracles import rule_b  # noqa: E402
from oracles.covering import each_network  # noqa: E402
from oracles.numpy_ops import in_domain  # noqa: E402

from archspec.compiler import build  # noqa: E402
from archspec.compiler.targets import reference  # noqa: E402
from archspec.compiler.targets.mindspore import device  # noqa: E402

NETWORKS = [name for name in shipped_names() if not name.startswith("spaces/")]
SIZES = {
    "inception_v3": (107, 99),
    "resnet50_bifpn": (128, 256),  # each level is half of the one below, four times after 1/8
    "hrnet_w18": (64, 96),  # five halvings, which meet again
    "hrnet_w32": (64, 96),
    "unet": (48, 32),
    "unet_transposed": (48, 32),
    "swin_tiny_patch4_window7_224": (224, 224),  # whole windows on each of its maps
}
ODD = (75, 67)
CHECKPOINTS = Path(__file__).parents[3] / "shared" / "facts" / "checkpoints"


@pytest.fixture(scope="module")
def ms():
    device.prepare()
    import mindspore

    return mindspore


@pytest.fixture
def eager(ms):
    ms.set_context(mode=ms.PYNATIVE_MODE)
    yield ms
    ms.set_context(mode=ms.PYNATIVE_MODE)


@pytest.fixture
def compiled(ms, tmp_path, monkeypatch):
    # MindSpore leaves notes on what it could not compile in the working directory
    monkeypatch.chdir(tmp_path)
    ms.set_context(mode=ms.GRAPH_MODE)
    yield ms
    ms.set_context(mode=ms.PYNATIVE_MODE)


def outputs_of(ms, cell, image):
    results = cell(ms.Tensor(image))
    return [result.asnumpy() for result in (results if isinstance(results, tuple) else (results,))]


def assert_inference_is(ms, model, cell, image, tolerance=1e-4):
    """The cell's outputs are those of the numpy reference, relative to the largest value."""
    cell.set_train(False)
    expected = reference.run(model.graph, model.weights, image)
    results = outputs_of(ms, cell, image)
    assert len(results) == len(expected)
    for result, wanted in zip(results, expected.values(), strict=True):
        assert result.shape == wanted.shape
        assert np.abs(result - wanted).max() <= tolerance * max(np.abs(wanted).max(), 1e-6)


def graph_of(op, inputs):
    """The op on slices of an image: a network whose only input has the channels of all of them."""
    if not inputs:
        (shape,) = op.infer(())
        return network(shape, ("it", op), ("sum", Add(), "in", "it"))
    if op.input_names:
        return made_of_one(op, inputs)
    graph = Graph("one", inputs[0], {}, {})
    layer = Layer(op, inputs)
    node = Node("it", layer, tuple(Tensor("in") for _ in inputs))
    results = {f"r{k}": tensor for k, tensor in enumerate(node.results)}
    return replace(graph, nodes={"it": node}, outputs=results)


# Every op.


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("op, inputs", EXAMPLES, ids=label)
def test_op_is_that_of_numpy(op, inputs, batch, eager):
    graph = around(op, inputs) if len(set(inputs)) > 1 else graph_of(op, inputs)
    model = rule_b.with_random_weights(graph, seed=2)
    image = in_domain(op, 3 * rule_b.image(graph.input_shape, batch))
    assert_inference_is(eager, model, build(model), image)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_activations_bear_large_values(function, eager):
    """MindSpore's own Mish, for one, gives no number on a CPU from 50 on."""
    op = Act(function)
    model = rule_b.with_random_weights(graph_of(op, ((2, 3, 4),)), seed=2)
    image = in_domain(op, np.linspace(-200, 200, 24, dtype=np.float32).reshape(1, 2, 3, 4))
    assert_inference_is(eager, model, build(model), image)


def test_every_op_is_tried():
    assert {type(op).name for op, _ in EXAMPLES} == set(OPS)


@pytest.mark.parametrize("mode", ["eager", "compiled"])
def test_gates_and_unequal_concats(mode, request):
    ms = request.getfixturevalue(mode)
    graph = network(
        (4, 9, 7),
        ("wide", Conv(6, 3)),
        ("pool", GlobalAvgPool()),
        ("narrow", Conv(6, 1, bias=True)),
        ("gate", Act("sigmoid")),
        ("mul", Mul(), "gate", "wide", "wide"),
        ("both", Concat(), "mul", "in", "wide"),
        ("part", Split(2)),
        ("end", Add(), "part.2", "part.1"),
    )
    model = rule_b.with_random_weights(graph)
    for batch in (1, 3):
        assert_inference_is(ms, model, build(model), rule_b.image((4, 9, 7), batch))


@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
def test_upsampling_by_any_factor(mode, eager):
    for scale in ((3, 5), (8, 7), (25, 1)):
        graph = network((2, 5, 3), ("up", Upsample(scale, mode)))
        assert_inference_is(
            eager, Model(graph, {}), build(Model(graph, {})), rule_b.image((2, 5, 3))
        )


# Every network.


def small(name):
    height, width = SIZES.get(name, ODD)
    channels = archspec.load(name).input_shape[0]
    return archspec.load(name, input_shape=(channels, height, width))


@pytest.mark.parametrize("name", each_network(NETWORKS))
def test_network_is_that_of_numpy(name, eager):
    model = rule_b.with_random_weights(small(name), seed=5)
    cell = build(model)
    found = {p.name: (p.shape, p.requires_grad) for p in cell.get_parameters()}
    assert found == {
        path: (weight.shape, weight.trainable) for path, weight in weights_of(model.graph).items()
    }
    trained = sum(p.size for p in cell.trainable_params())
    assert trained == model.graph.params
    assert_inference_is(eager, model, cell, rule_b.image(model.graph.input_shape, 3))


@pytest.mark.parametrize(
    "name",
    [
        "tiny/resnext",
        pytest.param("tiny/cspdarknet", marks=pytest.mark.slow),
        pytest.param("shufflenet_v2_x1_0", marks=pytest.mark.slow),
    ],
)
def test_compiled_network_is_that_of_numpy(name, compiled):
    model = rule_b.with_random_weights(small(name), seed=5)
    for purpose in ("training", "deployment"):
        cell = build(model, purpose=purpose)
        for batch in (1, 3):
            assert_inference_is(compiled, model, cell, rule_b.image(model.graph.input_shape, batch))
    assert not list(Path().iterdir()), "nothing is left behind in the working directory"


REFERENCES = {
    # name of the checkpoint: spec, its args, first logits, norm of them all, the largest
    "isynet_N0": (
        "isynet_n0", {}, [-0.301209, -0.56732, 0.391888, -0.197358, 0.118516], 11.92707, 838,
    ),
    "isynet_N1": (
        "isynet_n1", {"classes": 1001, "last_norm": True},
        [-0.187732, 0.168277, 0.395845, -0.0145538, 0.145608], 7.060581, 338,
    ),
    "spnas": (
        "spnasnet", {}, [0.161565, -0.290371, 0.461792, -0.0276599, 0.57], 7.210812, 317,
    ),
}  # fmt: skip


@pytest.mark.parametrize("checkpoint", REFERENCES)
def test_logits_are_those_of_the_original(checkpoint, eager):
    """shared/facts/networks.md, section 7, rule B: logits of the published MindSpore models. Their
    parameters are drawn in the checkpoint's order and belong to ours by structure: each layer's in
    turn, as both list layers as they run."""
    spec, arguments, first, norm, largest = REFERENCES[checkpoint]
    path = CHECKPOINTS / f"{checkpoint}.json"
    if not path.is_file():
        pytest.skip("the facts are not beside this checkout")
    graph = archspec.load(spec, **arguments)
    listed = [(name, tuple(shape)) for name, shape in _parameters(path)]
    if checkpoint == "isynet_N0":  # listed with 1001 classes and a last norm
        listed = [(n, (1000, *s[1:]) if "_fc" in n else s) for n, s in listed if "_bn2" not in n]
    rng = np.random.RandomState(0)
    drawn = {name: rule_b.draw(rng, name.rpartition(".")[2], shape) for name, shape in listed}
    kinds = {path: path.rpartition(".")[2] for path in weights_of(graph)}
    arrays = {}
    for kind in set(kinds.values()):
        ours = [path for path, other in kinds.items() if other == kind]
        theirs = [name for name in drawn if name.rpartition(".")[2] == kind]
        assert len(ours) == len(theirs)
        arrays |= {o: drawn[t].astype(np.float32) for o, t in zip(ours, theirs, strict=True)}
    cell = build(Model(graph, {path: arrays[path] for path in weights_of(graph)}))
    cell.set_train(False)
    (logits,) = outputs_of(eager, cell, rule_b.image((3, 224, 224), seed=1))
    assert logits[0, :5] == pytest.approx(first, rel=1e-4, abs=1e-5)
    assert np.linalg.norm(logits) == pytest.approx(norm, rel=1e-5)
    assert logits.argmax() == largest


def _parameters(path):
    content = json.loads(path.read_text())
    rows = content["parameters"] if isinstance(content, dict) else content
    for row in rows:
        yield (row["name"], row["shape"]) if isinstance(row, dict) else (row[0], row[1])


# Training.


def test_one_step_moves_every_trainable_parameter(compiled):
    ms = compiled
    graph = archspec.load("tiny/resnext")
    cell = build(graph)
    before = {p.name: p.asnumpy().copy() for p in cell.get_parameters()}
    loss = ms.nn.WithLossCell(cell, ms.nn.SoftmaxCrossEntropyWithLogits(sparse=True))
    optimizer = ms.nn.SGD(cell.trainable_params(), learning_rate=0.1)
    step = ms.nn.TrainOneStepCell(loss, optimizer)
    step.set_train()
    image = rule_b.image(graph.input_shape, 4)
    step(ms.Tensor(image), ms.Tensor(np.arange(4).astype(np.int32)))
    still = [p.name for p in cell.get_parameters() if np.array_equal(p.asnumpy(), before[p.name])]
    assert still == []


def test_training_and_evaluation_differ_where_they_should(eager):
    graph = network(
        (3, 8, 8),
        ("conv", Conv(4, 3)),
        ("norm", BatchNorm()),
        ("path", DropPath(0.5)),
        ("add", Add(), "path", "conv"),
        ("drop", Dropout(0.5)),
    )
    model = rule_b.with_random_weights(graph)
    cell = build(model)
    image = rule_b.image((3, 8, 8), 16)
    assert_inference_is(eager, model, cell, image)
    (still,) = outputs_of(eager, cell, image)
    cell.set_train(True)
    (noisy,) = outputs_of(eager, cell, image)
    assert (noisy == 0).mean() == pytest.approx(0.5, abs=0.05)
    assert not np.allclose(noisy, still)
    means = cell.norm.moving_mean.asnumpy()
    old = model.weights["norm.moving_mean"]
    convolved = reference.run(
        replace(graph, outputs={"conv": Tensor("conv")}), model.weights, image
    )["conv"]
    assert np.allclose(means, 0.9 * old + 0.1 * convolved.mean((0, 2, 3)), atol=1e-5)


def test_drop_path_drops_samples(eager):
    graph = network((3, 4, 4), ("path", DropPath(0.25)))
    cell = build(Model(graph, {}))
    cell.set_train(True)
    image = np.ones((400, 3, 4, 4), np.float32)
    (result,) = outputs_of(eager, cell, image)
    kept = result[:, 0, 0, 0] != 0
    assert (result == np.where(kept, result.max(), 0)[:, None, None, None]).all()
    assert result.max() == pytest.approx(1 / 0.75)
    assert kept.mean() == pytest.approx(0.75, abs=0.08)


# The source.


def test_the_file_runs_alone(tmp_path):
    model = Model(archspec.load("tiny/isynet"))
    path = tmp_path / "net.py"
    path.write_text(source_of(model))
    code = (
        "import sys, numpy, mindspore, net\n"
        f"cell = net.{network_name(model.graph)}()\n"
        "cell.set_train(False)\n"
        f"image = mindspore.ops.zeros((2, {', '.join(map(str, model.graph.input_shape))}))\n"
        "assert cell(image).shape == (2, 10)\n"
        "assert not {'archspec', 'compiler'} & set(sys.modules)\n"
        "print(*(p.name for p in cell.get_parameters()))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONSAFEPATH": "1"}
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=environment
    )
    assert result.returncode == 0, result.stderr
    assert set(result.stdout.split()) == set(weights_of(model.graph))


@pytest.mark.parametrize("name", each_network(NETWORKS))
def test_source_is_what_a_formatter_would_leave(name, tmp_path):
    text = source_of(Model(archspec.load(name)))
    assert text == source_of(Model(archspec.load(name)))
    assert max(map(len, text.splitlines())) <= 100
    path = tmp_path / "net.py"
    path.write_text(text)
    ruff = Path(sys.executable).with_name("ruff")
    if not ruff.exists():
        pytest.skip("ruff is not installed")
    settings = ["--config", str(Path(__file__).parents[2] / "pyproject.toml"), str(path)]
    for command in (["format", "--check"], ["check"]):
        result = subprocess.run([str(ruff), *command, *settings], capture_output=True, text=True)
        assert result.returncode == 0, result.stdout


def test_repeated_blocks_are_one_class():
    tree = ast.parse(source_of(Model(archspec.load("resnext152_64x4d"))))
    classes = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
    assert classes == [
        "ConvNormAct", "ConvNorm", "BottleneckWithShortcut", "Bottleneck", "Stage", "Classifier",
        "Resnext152_64x4d",
    ]  # fmt: skip


def test_numbers_that_differ_are_arguments_named_as_the_spec_does():
    text = source_of(Model(archspec.load("isynet_n1")))
    assert "self.stage4 = Stage(128, middle=256, depth=6, kernel=1)" in text


HOSTILE_DOC = (
    'x"""\nimport os\nos.system("touch broken")\n"""\\\n\\N{DIGIT ONE} \u202e \ud800 {0} %s'
)
HOSTILE_NAMES = [
    "class", "train", "cells", "name", "construct", "self", "nn", "ops", "print", "None",
    "__init__", "__class__", "_cells", "set_train", "x", "in_channels", "Parameter",
    "a\n", "a\nimport os", "b'); import os; ('", 'c"""', "d\\", "e{x}", "1", "ünïcode", "",
    "-", 'q"', 'r\\"""', "\u202e",
    "training", "phase", "f" * 300, "lambda", "super", "i", "OrderedDict", "cell_list",
]  # fmt: skip


def _hostile(word):
    """A network in which a word names a node, a group, a group in a group and an output."""
    graph = network(
        (3, 6, 6),
        (word, Conv(4, 3)),
        (f"{word}.norm", BatchNorm()),
        (f"{word}.{word}.conv", Conv(4, 3, bias=True)),
        (f"{word}.{word}.act", Act("relu")),
        (f"g.{word}", Conv(4, 1)),
        (f"g.{word}2", Conv(4, 1)),
        ("end", Add(), f"g.{word}", f"g.{word}2"),
    )
    call = TemplateCall(word, {word: 4, "channels": 4}, None)
    return replace(
        graph,
        name=word,
        doc=HOSTILE_DOC + word,
        outputs={word: Tensor("end"), f"{word}2": Tensor(f"{word}.{word}.act")},
        calls={"g": call, word: call, f"{word}.{word}": call},
    )


@pytest.mark.parametrize("word", HOSTILE_NAMES, ids=ascii)
def test_names_from_anywhere_do_no_harm(word, eager, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = rule_b.with_random_weights(_hostile(word))
    text = source_of(model)
    text.encode()
    tree = ast.parse(text)
    assert all(
        isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.ImportFrom, ast.Expr))
        for node in tree.body
    )
    imported = {node.module for node in tree.body if isinstance(node, ast.ImportFrom)}
    assert imported <= {"mindspore", "collections", "mindspore.common.initializer"}
    assert isinstance(tree.body[0], ast.Expr)  # the docstring, and no other loose expression
    assert not any(isinstance(node, ast.Expr) for node in tree.body[1:])
    cell = build(model)
    assert {p.name for p in cell.get_parameters()} == set(weights_of(model.graph))
    assert_inference_is(eager, model, cell, rule_b.image((3, 6, 6), 2))
    assert not list(tmp_path.iterdir())


def test_reserved_names_are_all_of_mindspores(ms):
    found = set(dir(ms.nn.SequentialCell([]))) | set(vars(ms.nn.Cell()))
    assert {name for name in found if not name.startswith("_")} <= DIALECT.members


def test_groups_that_wait_for_each_other_are_opened(eager):
    graph = network(
        (4, 6, 6),
        ("a.one", Conv(4, 3)),
        ("b.one", Conv(4, 3)),
        ("a.two", Conv(4, 3)),
        ("b.two.x", Conv(4, 3)),
        ("b.two.y", BatchNorm()),
        ("a.three", Add(), "b.two.y", "a.one"),
        ("c.only", Identity()),
    )
    model = rule_b.with_random_weights(graph)
    text = source_of(model)
    assert "self.a_one" in text and "self.b_two = " in text
    cell = build(model)
    assert {p.name for p in cell.get_parameters()} == set(weights_of(graph))
    assert_inference_is(eager, model, cell, rule_b.image((4, 6, 6), 2))


def random_network(seed):
    """Layers of random kinds, sources and dotted names, so that groups cross each other."""
    choose = random.Random(seed)
    layers, channels, names = [], {"in": 4}, set()
    for number in range(choose.randint(1, 25)):
        name = ".".join(choose.choices(["a", "b1", "b2", "conv", "x"], k=choose.randint(1, 4)))
        if name in names:
            name = f"{name}.n{number}"
        names.add(name)
        known = list(channels)
        source = choose.choice(known[-3:] if choose.random() < 0.8 else known)
        same = [other for other in known if channels[other] == channels[source]]
        op, *more = choose.choice(
            [
                (Conv(4, choose.choice([1, 3]), bias=choose.random() < 0.3),),
                (Conv(choose.choice([2, 4]), 1),),
                (BatchNorm(),),
                (Act(choose.choice(["relu", "tanh"])),),
                (Add(), *choose.choices(same, k=choose.randint(1, 2))),
                (Mul(), choose.choice(same)),
                (Concat(), *choose.choices(known[-3:], k=choose.randint(0, 2))),
                (Identity(),),
                (DropPath(0.2),),
                (MaxPool(3, padding=1),),
                (Split(2) if channels[source] % 2 == 0 else Identity(),),
            ]
        )
        layers.append((name, op, source, *more))
        count = channels[source]
        if isinstance(op, Conv):
            count = op.channels
        elif isinstance(op, Concat):
            count += sum(channels[other] for other in more)
        if isinstance(op, Split):
            channels |= {f"{name}.1": count // 2, f"{name}.2": count // 2}
        else:
            channels[name] = count
    ends = choose.choices(list(channels)[-4:], k=choose.randint(1, 3))
    return network((4, 5, 6), *layers, outputs={f"o{k}": end for k, end in enumerate(ends)})


@pytest.mark.parametrize("start", range(0, 60, 10))
def test_random_names_and_wirings(start, eager):
    for seed in range(start, start + 10):
        model = rule_b.with_random_weights(random_network(seed), seed)
        cell = build(model)
        assert {p.name for p in cell.get_parameters()} == set(weights_of(model.graph)), seed
        assert_inference_is(eager, model, cell, rule_b.image((4, 5, 6), 2))


def test_awkward_networks(eager):
    """The input as an output, one tensor as two, weights that nothing needs, and parts unused."""
    graph = network(
        (4, 6, 6),
        ("g.dead", Conv(2, 3)),
        ("dead.conv", Conv(2, 3), "in"),
        ("half", Split(2), "in"),
        ("g.conv", Conv(4, 3), "half.2"),
        ("pool", MaxPool(2, 2), "g.conv"),
        ("flat", Flatten()),
        ("dense", Dense(3)),
        outputs={"image": "in", "one": "dense", "two": "dense", "early": "g.conv"},
    )
    model = rule_b.with_random_weights(graph)
    cell = build(model)
    assert {p.name for p in cell.get_parameters()} == set(weights_of(graph))
    assert_inference_is(eager, model, cell, rule_b.image((4, 6, 6), 2))
    nothing = replace(graph, nodes={}, outputs={"logits": Tensor("in")})
    assert_inference_is(eager, Model(nothing, {}), build(nothing), rule_b.image((4, 6, 6)))


def test_long_flat_chains_use_their_names_again():
    layers = [("c0", Conv(4, 3))]
    for k in range(1, 60):
        layers += [(f"c{k}", Conv(4, 3)), (f"s{k}", Concat(), f"c{k}", f"c{k - 1}")]
        layers += [(f"p{k}", Conv(4, 1))]
    tree = ast.parse(source_of(Model(network((3, 8, 8), *layers))))
    construct = next(
        node for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name == "construct"
    )  # fmt: skip
    stored = {
        node.id
        for node in ast.walk(construct)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    assert len(stored) <= 6


# The machine.


@pytest.mark.parametrize("grouped", [1, 4])
def test_no_reference_kernel_runs(grouped, tmp_path):
    code = (
        "import numpy, mindspore, compiler\n"
        "from oracles.networks import around, network\n"
        "from archspec.ops.conv import Conv\n"
        f"graph = network((16, 8, 8), ('conv', Conv(16, 3, groups={grouped})))\n"
        "cell = compiler.build(graph)\n"
        "cell(mindspore.ops.ones((1, 16, 8, 8))).asnumpy()\n"
    )
    root = Path(__file__).parents[2]
    environment = {name: value for name, value in os.environ.items() if name != device.CAP}
    environment |= {"ONEDNN_VERBOSE": "1", "PYTHONPATH": f"{root}{os.pathsep}{root / 'tests'}"}
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=tmp_path
    )
    assert result.returncode == 0, result.stderr
    convolutions = [line for line in result.stdout.splitlines() if ",convolution," in line]
    assert convolutions
    assert not [line for line in convolutions if "ref:any" in line]


def test_a_cap_that_is_set_stays(monkeypatch, capsys):
    monkeypatch.setenv(device.CAP, "SSE41")
    monkeypatch.setattr(device, "onednn_verdict", lambda: "capped")
    device.prepare()
    assert os.environ[device.CAP] == "SSE41"
    assert capsys.readouterr().err == ""


def test_a_cap_that_is_needed_is_set_and_said(monkeypatch, capsys):
    monkeypatch.setenv(device.CAP, "to be restored")
    monkeypatch.delenv(device.CAP)
    monkeypatch.setattr(device, "onednn_verdict", lambda: "capped")
    device.prepare()
    assert os.environ[device.CAP] == device.GOOD_CAP
    assert capsys.readouterr().err.count("\n") == 1
    device.prepare()
    assert capsys.readouterr().err == ""


def test_the_verdict_is_kept(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(device, "_has_avx512", lambda: True)
    tried = []
    monkeypatch.setattr(device, "_try", lambda: tried.append(1) or "capped")
    assert [device.onednn_verdict(), device.onednn_verdict()] == ["capped", "capped"]
    assert len(tried) == 1
    (tmp_path / "archspec" / "onednn.json").write_text("no JSON")
    assert device.onednn_verdict() == "capped"
    assert len(tried) == 2


def test_a_device_that_is_not_there_is_one_sentence(monkeypatch):
    monkeypatch.setattr(device.ctypes.util, "find_library", lambda name: None)
    with pytest.raises(UsageError) as refusal:
        device.set_device("Ascend")
    assert str(refusal.value) == (
        "Ascend cannot be used here: CANN (libascendcl; source its set_env.sh) is missing; use CPU"
    )
    with pytest.raises(UsageError, match="there is no device 'gpu'; did you mean 'GPU'"):
        device.set_device("gpu")


COMPILE_CACHE = """
import sys
import archspec, compiler, mindspore, numpy
from archspec.compiler.targets import reference
from oracles import rule_b
model = rule_b.with_random_weights(archspec.load(sys.argv[1], input_shape=(3, 32, 32)))
mindspore.set_context(mode=mindspore.GRAPH_MODE)
cell = compiler.build(model).set_train(False)
image = rule_b.image((3, 32, 32))
wanted = reference.run(model.graph, model.weights, image)["logits"]
error = numpy.abs(cell(mindspore.Tensor(image)).asnumpy() - wanted).max() / numpy.abs(wanted).max()
assert error < 1e-4, error
"""


def test_the_compile_cache_mixes_no_networks_up(tmp_path):
    """MindSpore itself would run the second network as the first: both have ten classes."""
    root = Path(__file__).parents[2]
    environment = {
        **os.environ,
        "MS_COMPILER_CACHE_ENABLE": "1",
        "MS_COMPILER_CACHE_PATH": str(tmp_path / "cache"),
        "PYTHONPATH": f"{root}{os.pathsep}{root / 'tests'}",
    }
    script = tmp_path / "script.py"
    script.write_text(COMPILE_CACHE)
    for name in ("tiny/isynet", "tiny/resnext", "tiny/isynet"):
        result = subprocess.run(
            [sys.executable, str(script), name],
            capture_output=True, text=True, env=environment, cwd=tmp_path,
        )  # fmt: skip
        assert result.returncode == 0, result.stderr
    assert len(list((tmp_path / "cache").rglob("*.mindir"))) == 2


# MindIR.


@pytest.mark.parametrize("purpose", ["training", "deployment"])
@pytest.mark.parametrize("batch", [2, None])
def test_mindir_round_trip(batch, purpose, compiled, tmp_path):
    from archspec.compiler import for_deployment
    from archspec.compiler.targets.mindspore import write_mindir

    model = rule_b.with_random_weights(archspec.load("tiny/isynet"))
    path = tmp_path / "net.mindir"
    write_mindir(for_deployment(model) if purpose == "deployment" else model, path, batch)
    assert [file.name for file in tmp_path.iterdir()] == ["net.mindir"]
    assert path.stat().st_mode & 0o600 == 0o600
    loaded = compiled.nn.GraphCell(compiled.load(str(path)))
    for count in [batch] if batch else [1, 3]:
        image = rule_b.image(model.graph.input_shape, count)
        expected = reference.run(model.graph, model.weights, image)["logits"]
        (result,) = outputs_of(compiled, loaded, image)
        assert np.abs(result - expected).max() <= 1e-4 * np.abs(expected).max()


MOVES = [
    ("up", ConvTranspose(3, 3, 2, 1, 1, bias=True)), ("far", ConvTranspose(3, 1, 2, 0, 1)),
    ("cut", ConvTranspose(3, 5, 1, (4, 4, 2, 4))),
    ("unshuffle", SpaceToDepth(2)), ("roll", Roll((1, -2))), ("rms", RmsNorm()),
    ("response", LocalResponseNorm(4, 0.5)), ("instance", InstanceNorm()),
    ("shuffle", PixelShuffle(2, "rows")), ("merge", SpaceToDepth(2, "columns")),
    ("spread", PixelShuffle(2)), ("mean", AdaptiveAvgPool((5, 7))),
    ("most", AdaptiveMaxPool((3, 4))), ("norm", Reduce("norm2", "channels")),
    ("total", Reduce("sum", "height")), ("last", Reduce("max", "width")),
]  # fmt: skip


@pytest.mark.parametrize("batch", [2, None])
def test_mindir_of_ops_that_move_pixels(batch, compiled, tmp_path):
    from archspec.compiler.targets.mindspore import write_mindir

    model = rule_b.with_random_weights(network((3, 6, 10), *MOVES))
    path = tmp_path / "net.mindir"
    write_mindir(model, path, batch)
    loaded = compiled.nn.GraphCell(compiled.load(str(path)))
    for count in [batch] if batch else [1, 3]:
        assert_inference_is(compiled, model, loaded, rule_b.image((3, 6, 10), count))


def test_a_mindir_that_fails_leaves_what_was_there(compiled, tmp_path, monkeypatch):
    from archspec.compiler.targets.mindspore import mindir

    path = tmp_path / "net.mindir"
    path.write_text("what was there")

    def fail(*arguments, **options):
        raise RuntimeError("no room")

    monkeypatch.setattr(compiled, "export", fail)
    with pytest.raises(RuntimeError, match="no room"):
        mindir.write_mindir(Model(archspec.load("tiny/isynet")), path)
    assert path.read_text() == "what was there"
    assert [file.name for file in tmp_path.iterdir()] == ["net.mindir"]


# The ways in.


def test_build_takes_specs_graphs_and_models(eager):
    graph = archspec.load("tiny/spnas")
    for source in ("tiny/spnas", graph, rule_b.with_random_weights(graph)):
        cell = build(source, target="mindspore", purpose="deployment")
        image = eager.ops.zeros((1, *graph.input_shape))
        assert cell(image).shape == (1, 10)


def test_build_names_what_there_is():
    with pytest.raises(UsageError, match="no target 'mindspor'; did you mean 'mindspore'"):
        build("tiny/spnas", target="mindspor")
    with pytest.raises(UsageError, match="'deploy' is not a purpose"):
        build("tiny/spnas", purpose="deploy")


def test_tracebacks_show_the_generated_line(eager):
    cell = build("tiny/spnas")
    with pytest.raises(Exception) as failure:
        cell(eager.ops.zeros((1, 5, 32, 32)))
    import traceback

    assert "x = self.stem(x)" in "".join(traceback.format_exception(failure.value))


STREAMS = {
    "archspec": 1,
    "name": "streams",
    "input": {"shape": [3, 16, 16]},
    "templates": {
        "Conv": {
            "args": {"channels": None, "stride": 1},
            "body": [
                {"op": "conv", "channels": "=channels", "kernel": 3, "stride": "=stride"},
                {"op": "batch_norm"},
            ],
        },
        "TopDown": {
            "args": {"channels": None},
            "inputs": ["skip", "deep"],
            "body": [
                {"op": "Conv", "name": "reduce", "channels": "=channels", "from": "deep"},
                {"op": "upsample", "name": "up", "scale": 2},
                {"op": "concat", "name": "joined", "from": ["up", "skip"]},
                {"op": "Conv", "name": "mix", "channels": "=channels"},
            ],
            "outputs": {"merged": "mix", "lateral": "reduce"},
        },
        "Down": {
            "args": {"width": 4, "steps": 1},
            "body": [
                {
                    "op": "Conv",
                    "name": "step",
                    "repeat": "=steps",
                    "channels": "=width",
                    "stride": "=2 if index == steps - 1 else 1",
                },
            ],
        },
    },
    "body": [
        {"op": "Conv", "name": "c1", "channels": 4, "stride": 2},
        {"op": "Conv", "name": "c2", "channels": 8, "stride": 2},
        {"op": "Conv", "name": "c3", "channels": 8, "stride": 2},
        {"op": "TopDown", "name": "t2", "channels": 6, "from": {"skip": "c2", "deep": "c3"}},
        {"op": "TopDown", "name": "t1", "channels": 4, "from": {"skip": "c1", "deep": "t2.merged"}},
        {"op": "Down", "name": "d2", "steps": 2, "from": "t1.merged"},
        {"op": "Down", "name": "d3", "steps": 3},
    ],
    "outputs": {"deep": "d3", "side": "t2.lateral", "near": "t1.lateral"},
}


def test_streams_are_called_as_in_the_spec(eager, tmp_path):
    path = tmp_path / "streams.json"
    path.write_text(json.dumps(STREAMS))
    model = rule_b.with_random_weights(archspec.load(path))
    text = source_of(model)
    assert "def construct(self, skip, deep):" in text
    assert "return merged, lateral" in text
    assert "t2_merged, side = self.t2(" in text
    assert '**{f"step{steps}": Conv(4, 4, stride=2)}' in text
    classes = [node.name for node in ast.parse(text).body if isinstance(node, ast.ClassDef)]
    assert not [name for name in classes if name.endswith("_")]
    assert_inference_is(eager, model, build(model), rule_b.image((3, 16, 16), 2))


@pytest.mark.parametrize("name", ["isynet_n2", "mobilenet_v3_large", "resnet50_bifpn"])
def test_no_class_has_a_name_that_was_only_bent(name):
    text = source_of(Model(archspec.load(name)))
    classes = [node.name for node in ast.parse(text).body if isinstance(node, ast.ClassDef)]
    assert not [found for found in classes if found.endswith("_")]


def test_arguments_stand_in_the_order_of_the_template():
    text = source_of(Model(archspec.load("mobilenet_v2")))
    assert (
        "def __init__(self, in_channels, channels, depth, hidden, block_hidden, stride=1):" in text
    )
