"""PyTorch's form of every op and network, held against numpy; and the source as source.

What needs no torch comes first and is run where it is not installed as well. torch.compile is asked
for a graph without breaks by its "eager" backend, which is what breaks depend on; its own compiler
takes minutes on two cores.
"""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from oracles.networks import around, made_of_one, network
from test_ops import EXAMPLES, label

import archspec
from archspec.cli import OK, USAGE, main
from archspec.compiler.model import Model, weights_of
from archspec.compiler.pipeline import for_deployment
from archspec.compiler.targets.torch import network_name, source_of, weight_names
from archspec.compiler.targets.torch.dialect import DIALECT
from archspec.errors import SpecError, UsageError
from archspec.extras import install_hint, lacking
from archspec.graph import Graph
from archspec.node import Layer, Node, Tensor
from archspec.ops.activation import FUNCTIONS, Act
from archspec.ops.conv import Conv
from archspec.ops.merge import Add
from archspec.ops.norm import BatchNorm, GroupNorm, InstanceNorm, LayerNorm
from archspec.ops.pool import AvgPool, MaxPool
from archspec.ops.regularize import Dropout, DropPath, LayerScale
from archspec.ops.resize import Upsample
from archspec.sources import shipped_names

np = pytest.importorskip("numpy")

# These need numpy, so they come after the line that skips where it is missing.
from oracles import rule_b  # noqa: E402
from oracles.covering import each_network, slow  # noqa: E402
from oracles.numpy_ops import in_domain  # noqa: E402

from archspec.compiler import build  # noqa: E402
from archspec.compiler.targets import reference  # noqa: E402
from archspec.compiler.weights.loading import load_weights, save_weights  # noqa: E402

ROOT = Path(__file__).parents[2]
NETWORKS = [name for name in shipped_names() if not name.startswith("spaces/")]
TINY = [name for name in NETWORKS if name.startswith("tiny/")]
SIZES = {
    "inception_v3": (107, 99),
    "resnet50_bifpn": (128, 256),  # each level is half of the one below, four times after 1/8
    "hrnet_w18": (64, 96),  # five halvings, which meet again
    "hrnet_w32": (64, 96),
    "unet": (48, 32),
    "unet_transposed": (48, 32),
    "swin_tiny_patch4_window7_224": (224, 224),  # whole windows on each of its maps
}
ODD = (51, 43)


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip(
        "torch", reason=f"PyTorch is not installed ({install_hint('torch')})"
    )


def small(name):
    height, width = SIZES.get(name, ODD)
    channels = archspec.load(name).input_shape[0]
    return archspec.load(name, input_shape=(channels, height, width))


def outputs_of(torch, module, image):
    with torch.no_grad():
        results = module.eval()(torch.from_numpy(image))
    results = results if isinstance(results, tuple) else (results,)
    return [result.numpy() for result in results]


def assert_are(results, expected, tolerance=1e-4):
    """The results are the expected outputs, relative to the largest value of each."""
    assert len(results) == len(expected)
    for result, wanted in zip(results, expected.values(), strict=True):
        assert result.shape == wanted.shape
        assert np.abs(result - wanted).max() <= tolerance * max(np.abs(wanted).max(), 1e-6)


def assert_inference_is(torch, model, module, image):
    expected = reference.run(model.graph, model.weights, image)
    assert_are(outputs_of(torch, module, image), expected)


def graph_of(op, inputs):
    if not inputs:
        (shape,) = op.infer(())
        return network(shape, ("it", op), ("sum", Add(), "in", "it"))
    if op.input_names:
        return made_of_one(op, inputs)
    layer = Layer(op, inputs)
    node = Node("it", layer, tuple(Tensor("in") for _ in inputs))
    results = {f"r{k}": tensor for k, tensor in enumerate(node.results)}
    return replace(Graph("one", inputs[0], {}, {}), nodes={"it": node}, outputs=results)


# The source, which needs no torch.


@pytest.mark.thorough
@pytest.mark.parametrize("name", each_network(NETWORKS))
def test_source_is_what_a_formatter_would_leave(name, tmp_path):
    ruff = Path(sys.executable).with_name("ruff")
    if not ruff.exists():
        pytest.skip("ruff is not installed")
    graph = archspec.load(name)
    for number, model in enumerate((Model(graph), for_deployment(graph))):
        text = source_of(model, "net.safetensors")
        assert text == source_of(model, "net.safetensors")
        assert max(map(len, text.splitlines())) <= 100
        (tmp_path / f"net{number}.py").write_text(text)
    settings = ["--config", str(ROOT / "pyproject.toml"), str(tmp_path)]
    for command in (["format", "--check"], ["check"]):
        result = subprocess.run([str(ruff), *command, *settings], capture_output=True, text=True)
        assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("name", NETWORKS)
def test_weights_have_the_specs_names(name):
    names = weight_names(archspec.load(name))
    assert len(set(names.values())) == len(names)
    words = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean",
             "moving_variance": "running_var"}  # fmt: skip
    for path, found in names.items():
        node, _, weight = path.rpartition(".")
        if weight == "gamma" and found.endswith(".gamma"):
            continue  # layer_scale's, whose module is ours
        # pass and double are parts of two networks, which no attribute of a module can be
        told = found.replace(".pass_.", ".pass.").replace(".double_.", ".double.")
        assert told == f"{node}.{words.get(weight, weight)}"


def test_text_reads_as_written_by_hand():
    text = source_of(Model(archspec.load("resnet18")))
    assert "self.conv1 = nn.Conv2d(" in text or "self.conv = nn.Conv2d(" in text
    assert "padding=1, bias=False" in text or "padding=kernel // 2, bias=False" in text
    classes = [node.name for node in ast.parse(text).body if isinstance(node, ast.ClassDef)]
    assert classes[-1] == "Resnet18" and len(classes) <= 8
    assert "momentum" not in text and "eps" not in text, "defaults are not written"
    assert "gamma" not in text and "construct" not in text


def test_the_heading_says_how_names_differ():
    text = source_of(Model(archspec.load("shufflenet_v2_x1_0")))
    said = " ".join(text.split())
    assert "No attribute can be called as in the spec: pass_ is pass." in said
    assert "Norms have PyTorch's words for theirs." in said


def test_networks_called_as_what_a_file_imports():
    for name in ("f", "nn", "torch", "OrderedDict"):
        graph = replace(network((3, 8, 8), ("conv", Conv(4, 3, padding=(0, 1, 1, 0)))), name=name)
        tree = ast.parse(source_of(Model(graph)))
        imported = {
            alias.asname or alias.name
            for node in tree.body
            if isinstance(node, (ast.Import, ast.ImportFrom))
            for alias in node.names
        }
        assert network_name(graph) not in imported | {"OrderedDict"}


def test_without_torch_the_source_is_written(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "torch", None)
    assert main(["compile", "tiny/isynet", "--target", "torch", "-o", "net.py"]) == OK
    assert "class TinyIsynet(nn.Module)" in Path("net.py").read_text()
    assert f"note: {lacking('running it', 'torch')}\n" in capsys.readouterr().out
    with pytest.raises(UsageError, match=r"needs PyTorch, which is not installed .*; run pip inst"):
        build("tiny/isynet", target="torch")


# Weights in files, which need no torch either.


@pytest.mark.parametrize("name", ["tiny/cspdarknet", "shufflenet_v2_x1_0"])
def test_weights_of_torchs_names_are_read(name, tmp_path):
    graph = small(name)
    weights = rule_b.with_random_weights(graph).weights
    save_weights(tmp_path / "w.safetensors", graph, weights, names=weight_names(graph))
    found = load_weights(tmp_path / "w.safetensors", graph)
    assert found.keys() == weights.keys()
    assert all((found[path] == weights[path]).all() for path in weights)
    other = archspec.load("tiny/isynet")
    with pytest.raises(SpecError, match="the weights do not fit tiny_isynet"):
        load_weights(tmp_path / "w.safetensors", other)


# Every op.


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("op, inputs", EXAMPLES, ids=label)
def test_op_is_that_of_numpy(op, inputs, batch, torch):
    graph = around(op, inputs) if len(set(inputs)) > 1 else graph_of(op, inputs)
    model = rule_b.with_random_weights(graph, seed=2)
    module = build(model, target="torch")
    image = in_domain(op, 3 * rule_b.image(graph.input_shape, batch))
    assert_inference_is(torch, model, module, image)
    if image.ndim == 4:
        strided = torch.from_numpy(image).to(memory_format=torch.channels_last)
        with torch.no_grad():
            results = module.to(memory_format=torch.channels_last)(strided)
        results = results if isinstance(results, tuple) else (results,)
        expected = reference.run(model.graph, model.weights, image)
        assert_are([result.numpy() for result in results], expected)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_activations_bear_large_values(function, torch):
    op = Act(function)
    model = rule_b.with_random_weights(graph_of(op, ((2, 3, 4),)), seed=2)
    image = in_domain(op, np.linspace(-200, 200, 24, dtype=np.float32).reshape(1, 2, 3, 4))
    assert_inference_is(torch, model, build(model, target="torch"), image)


@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
def test_upsampling_by_any_factor(mode, torch):
    # 41 is the first at which torch's own "nearest" misses a pixel
    for scale in ((3, 5), (8, 7), (25, 1), (41, 2), (4, 4)):
        model = Model(network((2, 5, 3), ("up", Upsample(scale, mode))), {})
        assert_inference_is(torch, model, build(model, target="torch"), rule_b.image((2, 5, 3)))


RESIZED = [
    ((5, 3), (8, 2)),
    ((5, 3), (1, 7)),
    ((6, 4), (9, 4)),
    ((41, 2), (58, 1)),
    ((1, 1), (3, 2)),
]


@pytest.mark.parametrize("extent, size", RESIZED)
def test_resizing_is_torch_own(extent, size, torch):
    image = rule_b.image((2, *extent), 2)
    for mode, aligned in (
        ("nearest", None), ("bilinear", False), ("bilinear", True), ("bicubic", False),
        ("bicubic", True),
    ):  # fmt: skip
        op = Upsample(mode=mode, size=size, align_corners=bool(aligned))
        graph = network((2, *extent), ("up", op))
        theirs = torch.nn.functional.interpolate(
            torch.tensor(image), size=size, mode=mode, align_corners=aligned
        )
        for found in (
            reference.run(graph, {}, image)["logits"],
            build(Model(graph, {}), target="torch")(torch.tensor(image)).numpy(),
        ):
            np.testing.assert_allclose(found, theirs.numpy(), rtol=1e-5, atol=1e-5)


def test_grn_is_that_of_convnext(torch):
    """The formula of arXiv 2301.00808, as timm's GlobalResponseNorm has it."""
    graph = archspec.loads("""{"archspec": 1, "name": "t", "input": {"shape": [6, 5, 7]},
        "import": {"own": "blocks/convnext"}, "body": {"op": "own.Grn", "name": "grn"}}""")
    model = rule_b.with_random_weights(graph)
    x = torch.tensor(rule_b.image(graph.input_shape, 2))
    strength = x.norm(p=2, dim=(2, 3), keepdim=True)
    share = strength / (strength.mean(dim=1, keepdim=True) + 1e-6)
    weight = torch.tensor(model.weights["grn.scale.gamma"]).reshape(1, -1, 1, 1)
    theirs = x + weight * x * share + torch.tensor(model.weights["grn.offset.value"])
    found = reference.run(graph, model.weights, x.numpy())["logits"]
    np.testing.assert_allclose(found, theirs.numpy(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("pool", [MaxPool, AvgPool])
def test_pools_of_all_paddings(pool, torch):
    counted = [{}] if pool is MaxPool else [{"count_padding": True}, {"count_padding": False}]
    for padding in (0, 1, 2, (0, 1, 1, 0), (1, 1, 0, 0), "same"):
        for ceil in (False, True):
            for more in counted:
                op = pool(3, 2, padding=padding, ceil=ceil, **more)
                model = Model(network((2, 8, 9), ("pool", op)), {})
                module = build(model, target="torch")
                assert_inference_is(torch, model, module, rule_b.image((2, 8, 9), 2))


@pytest.mark.parametrize("shape", [(4,), (4, 1, 1)])
def test_a_norm_over_one_value_leaves_its_bias(shape, torch):
    op = GroupNorm(4) if len(shape) == 1 else InstanceNorm()
    model = rule_b.with_random_weights(network(shape, ("norm", op)))
    module = build(model, target="torch")
    for batch in (1, 2):
        assert_inference_is(torch, model, module, rule_b.image(shape, batch))


# Every network.


@pytest.mark.parametrize("name", each_network(NETWORKS))
def test_network_is_that_of_numpy(name, torch):
    model = rule_b.with_random_weights(small(name), seed=5)
    image = rule_b.image(model.graph.input_shape)
    expected = reference.run(model.graph, model.weights, image)
    for purpose in ("training", "deployment"):
        module = build(model, target="torch", purpose=purpose)
        assert_are(outputs_of(torch, module, image), expected)
        if purpose == "training":
            trained = sum(parameter.numel() for parameter in module.parameters())
            assert trained == model.graph.params


@pytest.mark.parametrize("name", TINY)
def test_network_is_that_of_onnxruntime(name, torch, tmp_path):
    ort = pytest.importorskip("onnxruntime")
    from archspec.compiler.targets.onnx import to_onnx

    model = rule_b.with_random_weights(small(name), seed=5)
    session = ort.InferenceSession(to_onnx(for_deployment(model), batch=2).SerializeToString())
    image = rule_b.image(model.graph.input_shape, 2)
    expected = dict(zip(model.graph.outputs, session.run(None, {"image": image}), strict=True))
    assert_are(outputs_of(torch, build(model, target="torch"), image), expected)


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_large", "shufflenet_v2_x1_0"])
def test_channels_last_stays_so(name, torch):
    """No module between the first convolution and the classifier gives another layout."""
    module = build(small(name), target="torch").eval().to(memory_format=torch.channels_last)
    image = torch.from_numpy(rule_b.image((3, *ODD))).to(memory_format=torch.channels_last)
    wrong = []

    def look(where):
        def seen(_, inputs, result):
            if result.ndim == 4 and not result.is_contiguous(memory_format=torch.channels_last):
                wrong.append(where)

        return seen

    for where, part in module.named_modules():
        part.register_forward_hook(look(where))
    with torch.no_grad():
        module(image)
    assert wrong == []


@pytest.mark.parametrize("name", ["tiny/resnext", "tiny/isynet", "unet", *map(
    slow, ("resnet18", "shufflenet_v2_x1_0", "efficientnet_b0")
)])  # fmt: skip
def test_no_break_in_a_compiled_graph(name, torch):
    model = rule_b.with_random_weights(small(name), seed=5)
    module = build(model, target="torch")
    compiled = torch.compile(module, fullgraph=True, backend="eager")
    image = torch.from_numpy(rule_b.image(model.graph.input_shape, 2))
    compiled(image)  # in training
    (wanted,) = outputs_of(torch, module, image.numpy())
    with torch.no_grad():
        assert np.allclose(compiled(image).numpy(), wanted, rtol=1e-4, atol=1e-5)
    torch.compiler.reset()


COMPILED = """
import sys
import numpy, torch
import archspec
from archspec.compiler.targets import reference
from oracles import rule_b
model = rule_b.with_random_weights(archspec.load(sys.argv[1]))
network = torch.compile(archspec.build(model, target="torch").eval(), fullgraph=True)
image = rule_b.image(model.graph.input_shape, 2)
with torch.no_grad():
    result = network(torch.from_numpy(image)).numpy()
wanted = reference.run(model.graph, model.weights, image)["logits"]
error = numpy.abs(result - wanted).max() / numpy.abs(wanted).max()
assert error < 1e-4, error
"""


@pytest.mark.slow  # torch's own compiler takes a minute on two cores
def test_compiled_code_computes_the_same(torch):
    if shutil.which("g++") is None:
        pytest.skip("torch.compile needs g++ on a CPU")
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")])
    # without processes of its own, which outlive a test
    environment = {**os.environ, "PYTHONPATH": paths, "TORCHINDUCTOR_COMPILE_THREADS": "1"}
    subprocess.run(
        [sys.executable, "-c", COMPILED, "tiny/isynet"], check=True, env=environment, timeout=600
    )


@pytest.mark.parametrize(
    "name", ["tiny/spnas", "resnet50_bifpn", slow("resnet18"), slow("mobilenet_v2")]
)
def test_torch_exports_it(name, torch):
    model = rule_b.with_random_weights(small(name), seed=5)
    module = build(model, target="torch", purpose="deployment").eval()
    image = torch.from_numpy(rule_b.image(model.graph.input_shape, 2))
    batch = torch.export.Dim("batch")
    program = torch.export.export(module, (image,), dynamic_shapes=({0: batch},))
    other = rule_b.image(model.graph.input_shape, 3, seed=2)
    with torch.no_grad():
        results = program.module()(torch.from_numpy(other))
    results = results if isinstance(results, tuple) else (results,)
    wanted = outputs_of(torch, module, other)
    for result, expected in zip(results, wanted, strict=True):
        assert np.allclose(result.numpy(), expected, rtol=1e-4, atol=1e-5)


# Names from anywhere.


def test_reserved_names_are_all_of_torchs(torch):
    found = {*dir(torch.nn.Sequential()), *dir(torch.nn.Module())}
    assert {name for name in found if not name.startswith("_")} <= DIALECT.members


def test_names_from_anywhere_do_no_harm(torch, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for word in ("train", "class", "a\nimport os", 'c"""', "", "F", "torch", "x", "ünïcode"):
        graph = network(
            (3, 6, 6),
            (word, Conv(4, 3, padding="same")),
            (f"{word}.norm", BatchNorm()),
            (f"{word}.{word}.conv", Conv(4, 2, bias=True, padding="same")),
            (f"g.{word}", Conv(4, 1)),
            ("end", Add(), f"g.{word}", f"{word}.norm"),
        )
        model = rule_b.with_random_weights(replace(graph, name=word, outputs={word: Tensor("end")}))
        tree = ast.parse(source_of(model))
        allowed = (ast.ClassDef, ast.Import, ast.ImportFrom, ast.Expr)
        assert all(isinstance(node, allowed) for node in tree.body)
        module = build(model, target="torch")
        assert_inference_is(torch, model, module, rule_b.image((3, 6, 6), 2))
    assert not list(tmp_path.iterdir())


# Training.


def test_training_and_evaluation_differ_where_they_should(torch):
    graph = network(
        (3, 8, 8),
        ("conv", Conv(4, 3)),
        ("norm", BatchNorm(momentum=0.8)),
        ("path", DropPath(0.5)),
        ("add", Add(), "path", "conv"),
        ("drop", Dropout(0.5)),
    )
    model = rule_b.with_random_weights(graph)
    module = build(model, target="torch")
    assert module.training
    image = rule_b.image((3, 8, 8), 16)
    assert_inference_is(torch, model, module, image)
    (still,) = outputs_of(torch, module, image)
    noisy = module.train()(torch.from_numpy(image)).detach().numpy()
    assert (noisy == 0).mean() == pytest.approx(0.5, abs=0.05)
    assert not np.allclose(noisy, still)
    means = module.norm.running_mean.numpy()
    inner = replace(graph, outputs={"conv": Tensor("conv")})
    convolved = reference.run(inner, model.weights, image)["conv"]
    old = model.weights["norm.moving_mean"]
    assert np.allclose(means, 0.8 * old + 0.2 * convolved.mean((0, 2, 3)), atol=1e-5)


def test_drop_path_drops_samples(torch):
    module = build(network((3, 4, 4), ("path", DropPath(0.25))), target="torch").train()
    result = module(torch.ones(400, 3, 4, 4)).numpy()
    kept = result[:, 0, 0, 0] != 0
    assert (result == np.where(kept, result.max(), 0)[:, None, None, None]).all()
    assert result.max() == pytest.approx(1 / 0.75)
    assert kept.mean() == pytest.approx(0.75, abs=0.08)


def test_one_step_moves_every_parameter(torch):
    graph = network(
        (3, 6, 6),
        ("conv", Conv(4, 3, weight_standardization=True)),
        ("norm", LayerNorm()),
        ("act", Act("prelu")),
        ("group", GroupNorm(2)),
        ("scale", LayerScale(0.1)),
        ("gate", Act("elu", alpha=0.5)),
        ("last", Conv(2, 2, bias=True, padding="same")),
    )
    module = build(graph, target="torch")
    before = {name: value.detach().clone() for name, value in module.named_parameters()}
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    (module(torch.from_numpy(rule_b.image((3, 6, 6), 4))) ** 3).sum().backward()
    optimizer.step()
    still = [n for n, value in module.named_parameters() if torch.equal(value, before[n])]
    assert still == []
    assert {name: tuple(value.shape) for name, value in before.items()} == {
        name: weights_of(graph)[path].shape for path, name in weight_names(graph).items()
    }


# The file and its weights.


ALONE = """
import json, sys
import numpy, safetensors.torch, torch
import net
network = net.{name}()
print(network.load_state_dict(safetensors.torch.load_file("net.torch.safetensors"), strict=True))
network.eval()
image = torch.from_numpy(numpy.load("image.npy"))
with torch.no_grad():
    numpy.save("result.npy", network(image).numpy())
assert not {{"archspec", "compiler"}} & set(sys.modules)
safetensors.torch.save_file(network.state_dict(), "back.safetensors")
"""


@pytest.mark.parametrize("form", [[], ["--deployment"]], ids=["training", "deployment"])
def test_the_file_runs_alone_and_its_weights_come_back(form, torch, tmp_path, monkeypatch):
    pytest.importorskip("safetensors")
    monkeypatch.chdir(tmp_path)
    graph = archspec.load("tiny/resnext")
    model = rule_b.with_random_weights(graph)
    save_weights("given.npz", graph, model.weights)
    arguments = ["--target", "torch", "--weights", "given.npz", "-o", "net.py", *form]
    assert main(["compile", "tiny/resnext", *arguments]) == OK
    assert 'safetensors.torch.load_file("net.torch.safetensors")' in Path("net.py").read_text()
    image = rule_b.image(graph.input_shape, 2)
    np.save("image.npy", image)
    code = ALONE.format(name=network_name(graph))
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout == "<All keys matched successfully>\n"
    assert_are([np.load("result.npy")], reference.run(graph, model.weights, image))
    written = for_deployment(model) if form else model
    back = load_weights("back.safetensors", written.graph)
    assert all((back[path] == array).all() for path, array in written.weights.items())


def test_given_weights_are_not_overwritten(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    graph = archspec.load("tiny/isynet")
    save_weights("net.torch.safetensors", graph, rule_b.with_random_weights(graph).weights)
    before = Path("net.torch.safetensors").read_bytes()
    arguments = ["--target", "torch", "--weights", "net.torch.safetensors", "-o", "net.py"]
    assert main(["compile", "tiny/isynet", *arguments, "--deployment"]) == USAGE
    assert "use another name for -o" in capsys.readouterr().err
    assert Path("net.torch.safetensors").read_bytes() == before
    assert not Path("net.py").exists()


def test_build_takes_specs_graphs_and_models(torch):
    graph = archspec.load("tiny/spnas")
    for source in ("tiny/spnas", graph, rule_b.with_random_weights(graph)):
        module = archspec.build(source, target="torch", purpose="deployment")
        assert module(torch.zeros(1, *graph.input_shape)).shape == (1, 10)


def test_tracebacks_show_the_generated_line(torch):
    import traceback

    module = build("tiny/spnas", target="torch")
    with pytest.raises(RuntimeError) as failure:
        module(torch.zeros(1, 5, 32, 32))
    assert "x = self.conv(x)" in "".join(traceback.format_exception(failure.value))


@pytest.mark.parametrize("order", [("torch", "mindspore"), slow(("mindspore", "torch"))], ids=str)
def test_both_frameworks_in_one_process(order, torch):
    pytest.importorskip("mindspore")
    code = (
        "import json, {}, {}\n"
        "import archspec, numpy, mindspore, torch\n"
        "a = archspec.build('tiny/isynet', target='torch').eval()\n"
        "b = archspec.build('tiny/isynet', target='mindspore').set_train(False)\n"
        "image = numpy.ones((1, 1, 8, 8), numpy.float32)\n"
        "print(json.dumps([list(a(torch.from_numpy(image)).shape),"
        " list(b(mindspore.Tensor(image)).shape)]))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code.format(*order)], capture_output=True, text=True, cwd=ROOT
    )
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout.splitlines()[-1]) == [[1, 10], [1, 10]]
