"""Networks in ONNX come back as specs: of torch, of our own, and of the onnx package."""

from __future__ import annotations

import gc
import io
import json
import math
import os
import random
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from oracles import rule_b
from oracles.damage import damage
from oracles.networks import of_convolutions
from test_ops import EXAMPLES

import archspec
from archspec.cli import main
from archspec.compiler.importing.onnx import import_onnx
from archspec.compiler.importing.onnx.reading import read_model
from archspec.compiler.importing.onnx.settling import settle
from archspec.compiler.model import Model, weights_of
from archspec.compiler.pipeline import for_deployment
from archspec.compiler.targets import reference
from archspec.compiler.targets.onnx import to_onnx
from archspec.compiler.weights.loading import load_weights
from archspec.errors import SpecError
from archspec.ops import FUNCTIONS, OPS
from archspec.ops.activation import Act
from archspec.ops.attention import Attention
from archspec.ops.learnt import Param
from archspec.ops.resize import Upsample

pytest.importorskip("onnxruntime")  # reading a file compares its numbers

LIGHT = Path(onnx.__file__).parent / "backend/test/data/light"


def saved(model: onnx.ModelProto, folder: Path) -> Path:
    path = folder / "net.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def ops_of(path: Path) -> list[str]:
    """What a file was read as; reading it compares the numbers already."""
    nodes = import_onnx(path, "net").model.graph.nodes.values()
    return [str(getattr(node.op, "function", node.op.name)) for node in nodes]


def random_weights(graph):
    generator = np.random.default_rng(0)
    return {
        path: (
            generator.uniform(0.5, 1.5, weight.shape)
            if path.endswith(("variance", "gamma"))
            else generator.normal(0, 0.3, weight.shape)
        ).astype(np.float32)
        for path, weight in weights_of(graph).items()
    }


# What archspec wrote itself.

SPELT_OTHERWISE = {
    "layer_scale": "what factors start from is not in the file",
    "adaptive_max_pool": "slices and pools, which give the same",
}


@pytest.mark.parametrize("name", [name for name in OPS if name not in SPELT_OTHERWISE])
def test_an_op_of_ours_comes_back(name, tmp_path):
    spec = {
        "archspec": 1, "name": "example", "input": {"shape": [16, 32, 32]},
        "body": json.loads(OPS[name].page.example),
    }  # fmt: skip
    graph = archspec.loads(json.dumps(spec))
    deployed = for_deployment(Model(graph, random_weights(graph)))
    # folded, a sum or a product may be written the other way round
    found = import_onnx(saved(to_onnx(deployed), tmp_path), "net", is_flat=True)
    assert found.model.graph.fingerprint == deployed.graph.fingerprint


UNREAD = [
    (Param((6,)), "its input 'image' has 2 axes"),
    (Attention(4, 2, 0.3), "reads a part of a tensor where all of it is needed"),
    (Attention(2, bias="distance"), "by places of queries and keys on different maps"),
    (
        Attention(2, 1, bias="offset", partition="grid", window=(2, 3)),
        "reads a part of a tensor where all of it is needed",
    ),
]
"""Of the examples, all that is refused, and why: vectors for images, keys on other maps or in other
heads than the queries."""


def test_every_op_on_all_its_examples_comes_back(tmp_path):
    """Or what gives the same: reading a file compares the numbers. Most are the op itself."""
    functions = [(Act(name), ((3, 4, 5),)) for name in FUNCTIONS]
    unread = dict(UNREAD)
    same = 0
    for op, shapes in [*EXAMPLES, *functions]:
        graph = of_convolutions(op, shapes)
        deployed = for_deployment(rule_b.with_random_weights(graph))
        path = saved(to_onnx(deployed, opset=11), tmp_path)
        try:
            found = import_onnx(path, "net", is_flat=True)
        except SpecError as error:
            assert unread.get(op, "?") in str(error), f"{op} on {shapes}: {error}"
            continue
        same += found.model.graph.fingerprint == deployed.graph.fingerprint
    assert same / (len(EXAMPLES) + len(functions)) > 0.75


@pytest.mark.parametrize(
    "name, lines", [("vit_tiny_patch16_224", 55), ("mobilenet_v3_large", 70), ("densenet121", 55)]
)
def test_a_network_of_ours_comes_back_as_it_reads(name, lines, tmp_path):
    """By its nodes' names, and with a token that all images share."""
    graph = archspec.load(name, input_shape=(3, 64, 64))
    deployed = for_deployment(rule_b.with_random_weights(graph))
    found = import_onnx(saved(to_onnx(deployed), tmp_path), "net")
    assert len(found.text.splitlines()) <= lines
    ours = found.model.graph
    assert (ours.params, ours.macs) == (deployed.graph.params, deployed.graph.macs)
    kinds = [Counter(node.op.name for node in g.nodes.values()) for g in (ours, deployed.graph)]
    assert kinds[0]["attention"] == kinds[1]["attention"] and kinds[0]["conv"] >= kinds[1]["conv"]


@pytest.mark.parametrize("mode", ["nearest", "bilinear", "bicubic"])
@pytest.mark.parametrize("size", [(11, 5), (32, 24), (1, 40)])
def test_a_size_of_torch_is_an_upsample(mode, size, tmp_path):
    def resize(torch, module, x):
        return torch.nn.functional.interpolate(x, size=size, mode=mode)

    found = import_onnx(exported(of_torch(resize), tmp_path), "net", is_flat=True)
    (node,) = found.model.graph.nodes.values()
    assert node.layer.meaning == Upsample(mode=mode, size=size).resolve(((8, 16, 16),))


def test_what_is_undefined_on_both_sides_proves_nothing_alone(tmp_path):
    """Roots of numbers below 0: of half the numbers it is held against the other half."""
    root = {"op": "act", "function": "sqrt"}
    negative = {"op": "scale", "factor": -1.0}
    square = {"op": "act", "function": "square"}
    for body, is_read in (([root], True), ([square, negative, root], False)):
        spec = {
            "archspec": 1, "name": "root", "input": {"shape": [3, 8, 8]}, "body": body,
        }  # fmt: skip
        graph = archspec.loads(json.dumps(spec))
        path = saved(to_onnx(Model(graph, {})), tmp_path)
        if is_read:
            assert ops_of(path) == ["sqrt"]
        else:
            with pytest.raises(SpecError, match="differ by nan"):
                import_onnx(path, "net")


# What torch writes.


def exported(module, folder: Path, shape=(1, 8, 16, 16), opset: int = 17) -> Path:
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    for part in module.modules():
        if getattr(part, "running_mean", None) is not None:
            part.running_mean.normal_(0, 0.1)
            part.running_var.uniform_(0.5, 1.5)
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module.eval(), (torch.randn(shape),), file, dynamo=False, opset_version=opset,
            input_names=["image"], output_names=["result"],
            dynamic_axes={"image": {0: "n"}, "result": {0: "n"}},
        )  # fmt: skip
    path = folder / "net.onnx"
    path.write_bytes(file.getvalue())
    return path


def of_torch(forward, layers=None):
    """A module whose forward is a function of torch, of itself and of x."""
    torch = pytest.importorskip("torch")

    class Written(torch.nn.Module):
        def __init__(self):
            super().__init__()
            for name, made in (layers(torch) if layers else {}).items():
                setattr(self, name, made)

        def forward(self, x):
            return forward(torch, self, x)

    return Written()


PATTERNS = [
    (
        ["conv"],
        lambda t, m, x: m.n(m.c(x)),
        lambda t: {"c": t.nn.Conv2d(8, 6, 3, 2, 1), "n": t.nn.BatchNorm2d(6)},
    ),
    (["silu"], lambda t, m, x: t.nn.functional.silu(x)),
    (["hswish"], lambda t, m, x: t.nn.functional.hardswish(x)),
    (["hswish"], lambda t, m, x: x * t.nn.functional.relu6(x + 3) / 6),
    (["hswish"], lambda t, m, x: x * (t.nn.functional.relu6(x + 3) / 6)),
    (["hsigmoid"], lambda t, m, x: t.nn.functional.hardsigmoid(x)),
    (["relu6"], lambda t, m, x: t.nn.functional.relu6(x)),
    (["gelu"], lambda t, m, x: t.nn.functional.gelu(x)),
    (["gelu"], lambda t, m, x: t.nn.functional.gelu(x, approximate="tanh")),
    (["mish"], lambda t, m, x: t.nn.functional.mish(x)),
    (["elu"], lambda t, m, x: t.nn.functional.elu(x, 0.5)),
    (["leaky_relu"], lambda t, m, x: t.nn.functional.leaky_relu(x, 0.2)),
    (["prelu"], lambda t, m, x: m.p(x), lambda t: {"p": t.nn.PReLU(8)}),
    (["scale"], lambda t, m, x: x * 2 - 1),
    (["exp"], lambda t, m, x: t.exp(x)),
    (["exp"], lambda t, m, x: math.e**x),  # as ours is written
    (["abs", "scale", "sqrt"], lambda t, m, x: (x.abs() + 1).sqrt()),
    (["abs", "scale", "reciprocal"], lambda t, m, x: 1 / (x.abs() + 1)),
    (["global_avg_pool", "flatten"], lambda t, m, x: x.mean((2, 3))),
    (["global_avg_pool"], lambda t, m, x: x.mean((2, 3), keepdim=True)),
    (
        ["global_avg_pool", "flatten", "dense"],
        lambda t, m, x: m.d(t.nn.functional.adaptive_avg_pool2d(x, 1).flatten(1)),
        lambda t: {"d": t.nn.Linear(8, 5)},
    ),
    (
        ["global_avg_pool", "flatten", "dense"],
        lambda t, m, x: m.d(x.mean((2, 3))),
        lambda t: {"d": t.nn.Linear(8, 5, bias=False)},
    ),
    (
        ["conv"],
        lambda t, m, x: m.d(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2),
        lambda t: {"d": t.nn.Linear(8, 5)},
    ),
    (
        ["layer_norm"],
        lambda t, m, x: m.n(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2),
        lambda t: {"n": t.nn.LayerNorm(8, 1e-6)},
    ),
    (["group_norm"], lambda t, m, x: m.n(x), lambda t: {"n": t.nn.GroupNorm(2, 8)}),
    (
        ["instance_norm"],
        lambda t, m, x: m.n(x),
        lambda t: {"n": t.nn.InstanceNorm2d(8, affine=True)},
    ),
    (["max_pool"], lambda t, m, x: t.nn.functional.max_pool2d(x, 3, 2, 1)),
    (["max_pool"], lambda t, m, x: t.nn.functional.max_pool2d(x, 3, 2, 0, ceil_mode=True)),
    (["avg_pool"], lambda t, m, x: t.nn.functional.avg_pool2d(x, 3, 2, 1)),
    (["avg_pool"], lambda t, m, x: t.nn.functional.avg_pool2d(x, 3, 2, 1, count_include_pad=False)),
    (
        ["conv"],
        lambda t, m, x: m.c(t.nn.functional.pad(x, (0, 1, 0, 1))),
        lambda t: {"c": t.nn.Conv2d(8, 6, 3, 2)},
    ),
    (
        ["conv_transpose"],
        lambda t, m, x: m.c(x),
        lambda t: {"c": t.nn.ConvTranspose2d(8, 6, 3, 2, 1, 1)},
    ),
    (["upsample"], lambda t, m, x: t.nn.functional.interpolate(x, scale_factor=2.0)),
    (
        ["upsample"],
        lambda t, m, x: t.nn.functional.interpolate(x, scale_factor=2.0, mode="bilinear"),
    ),
    (["upsample"], lambda t, m, x: t.nn.functional.interpolate(x, (24, 11))),
    (
        ["upsample"],
        lambda t, m, x: t.nn.functional.interpolate(x, (9, 20), mode="bilinear"),
    ),
    (
        ["upsample"],
        lambda t, m, x: t.nn.functional.interpolate(
            x, (24, 32), mode="bicubic", align_corners=True
        ),
    ),
    (["max_pool"], lambda t, m, x: x[..., ::2, ::3]),  # of one pixel
    (["slice", "max_pool"], lambda t, m, x: x[..., 1::2]),
    (
        ["global_avg_pool", "mul"],
        lambda t, m, x: x * x.mean((2, 3), keepdim=True).expand_as(x),
    ),
    (["param", "concat"], lambda t, m, x: t.nn.functional.pad(x, (0, 0, 0, 0, 1, 0), value=2.0)),
    (
        ["global_avg_pool", "reshape", "conv", "sigmoid", "reshape", "mul"],
        lambda t, m, x: x * m.c(x.mean((2, 3))[:, None]).sigmoid().view(-1, 8, 1, 1),
        lambda t: {"c": t.nn.Conv1d(1, 1, 3, padding=1)},
    ),
    (
        ["conv"],
        lambda t, m, x: t.nn.functional.conv2d(
            x, t.nn.functional.batch_norm(m.c.weight, None, None, training=True)
        ),
        lambda t: {"c": t.nn.Conv2d(8, 6, 3)},
    ),
    (
        ["param", "add"],
        lambda t, m, x: x + m.c(t.ones(1, 2, 18, 18)),
        lambda t: {"c": t.nn.Conv2d(2, 8, 3)},
    ),
    (
        ["conv", "split", "attention"],  # slices that are all of a head
        lambda t, m, x: (
            (lambda h: t.softmax(h[..., :4] @ h[..., 4:8].transpose(2, 3), -1) @ h[..., 8:])(
                m.c(x).view(-1, 2, 12, 256).transpose(2, 3)
            )
            .transpose(2, 3)
            .reshape(-1, 8, 16, 16)
        ),
        lambda t: {"c": t.nn.Conv2d(8, 24, 1)},
    ),
    (
        [
            "avg_pool",
            "reshape",
            "reshape",
            "concat",
            "slice",
            "conv",
            "reshape",
            "mul",
        ],  # tokens, pixels
        lambda t, m, x: t.cat([m.a(x).flatten(2), x.flatten(2)], 2)[..., 9:] * m.c(x).flatten(2),
        lambda t: {"a": t.nn.AvgPool2d(5, 5), "c": t.nn.Conv2d(8, 8, 1)},
    ),
    (["split", "relu", "concat"], lambda t, m, x: t.cat([x[:, :3], x[:, 3:].relu()], 1)),
    (["split", "concat"], lambda t, m, x: t.cat(x.chunk(2, 1)[::-1], 1)),
    (
        ["channel_shuffle"],
        lambda t, m, x: x.view(-1, 2, 4, 16, 16).transpose(1, 2).reshape(-1, 8, 16, 16),
    ),
    (["pixel_shuffle"], lambda t, m, x: t.nn.functional.pixel_shuffle(x, 2)),
    (["space_to_depth"], lambda t, m, x: t.nn.functional.pixel_unshuffle(x, 2)),
    (
        ["space_to_depth"],
        lambda t, m, x: t.cat(
            [x[..., ::2, ::2], x[..., 1::2, ::2], x[..., ::2, 1::2], x[..., 1::2, 1::2]], 1
        ),
    ),
    (["roll"], lambda t, m, x: t.roll(x, (2, -3), (2, 3))),
    (
        ["global_avg_pool", "sigmoid", "mul"],
        lambda t, m, x: x * x.mean((2, 3), keepdim=True).sigmoid(),
    ),
    (["global_avg_pool", "sub"], lambda t, m, x: x - x.mean((2, 3)).unsqueeze(-1).unsqueeze(-1)),
    (["softmax"], lambda t, m, x: t.softmax(x, 1)),
    (
        ["conv", "conv", "max"],
        lambda t, m, x: t.max(m.c(x), m.e(x)),
        lambda t: {"c": t.nn.Conv2d(8, 6, 1), "e": t.nn.Conv2d(8, 6, 1)},
    ),
    (
        ["layer_scale"],
        lambda t, m, x: x * m.g[0].view(1, -1, 1, 1),
        lambda t: {"g": t.nn.ParameterList([t.full((8,), 0.3)])},
    ),
    (
        ["param", "add"],
        lambda t, m, x: x + m.a[0],
        lambda t: {"a": t.nn.ParameterList([t.ones(1, 8, 16, 16)])},
    ),
]


@pytest.mark.parametrize("ops", range(len(PATTERNS)), ids=lambda i: "-".join(PATTERNS[i][0]))
def test_a_pattern_of_torch_is_one_op(ops, tmp_path):
    wanted, *written = PATTERNS[ops]
    assert ops_of(exported(of_torch(*written), tmp_path)) == wanted


def attend(t, m, x):
    """As timm writes it where there is no fused kernel."""
    tokens = x.flatten(2).transpose(1, 2)
    q, k, v = m.q(tokens).view(-1, 256, 3, 2, 4).permute(2, 0, 3, 1, 4)
    gathered = t.softmax(q @ k.transpose(-2, -1) * 0.5, -1) @ v
    tokens = m.p(gathered.transpose(1, 2).reshape(-1, 256, 8))
    return tokens.transpose(1, 2).reshape(-1, 8, 16, 16)


def test_attention_in_pieces_is_one_op(tmp_path):
    module = of_torch(attend, lambda t: {"q": t.nn.Linear(8, 24), "p": t.nn.Linear(8, 8)})
    assert ops_of(exported(module, tmp_path)) == ["conv", "split", "attention", "conv"]


# What is written of them.


def folded(module, folder, **options):
    """The spec of a module as it is written, and the graph of the flat one."""
    path = exported(module, folder, **options)
    found, flat = import_onnx(path, "net"), import_onnx(path, "net", is_flat=True)
    graph = archspec.loads(found.text)
    assert graph.fingerprint == found.model.graph.fingerprint
    assert len(graph.nodes) == len(flat.model.graph.nodes)
    assert graph.params == flat.model.graph.params
    return json.loads(found.text)


def residual_network(torch, blocks):
    """Modules in a list of lists, as ResNets and MobileNets are written."""
    nn = torch.nn

    class Block(nn.Module):
        def __init__(self, taken, given, stride, middle):
            super().__init__()
            self.expand = nn.Conv2d(taken, middle, 1)
            self.spatial = nn.Conv2d(middle, middle, 3, stride, 1, groups=middle)
            self.project = nn.Conv2d(middle, given, 1)
            self.is_added = stride == 1 and taken == given

        def forward(self, x):
            y = self.project(self.spatial(self.expand(x).relu()).relu())
            return x + y if self.is_added else y

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.stages, taken = nn.ModuleList(), 8
            for given, depth, middle in blocks:
                stage = nn.Sequential()
                for index in range(depth):
                    stage.append(Block(taken, given, 2 if index == 0 else 1, middle))
                    taken = given
                self.stages.append(stage)
            self.classifier = nn.Linear(taken, 5)

        def forward(self, x):
            for stage in self.stages:
                x = stage(x)
            return self.classifier(x.mean((2, 3)))

    return Network()


def test_modules_that_are_alike_become_one_template(tmp_path):
    torch = pytest.importorskip("torch")
    module = residual_network(torch, [(12, 3, 24), (20, 2, 40)])
    spec = folded(module, tmp_path)
    assert len(spec["templates"]) == 1
    (name,) = spec["templates"]
    first, second, classifier = spec["body"]
    assert (first["op"], first["repeat"], first["first"]) == (name, 3, {"stride": 2})
    assert (second["op"], second["repeat"]) == (name, 2)
    assert spec["args"] == {"classes": 5}
    assert classifier == {"op": "Classifier", "name": "classifier", "classes": "=classes"}
    assert spec["templates"][name]["body"]["join"] == "='add' if stride == 1 else 'none'"


def resnet(torch):
    nn = torch.nn

    class Block(nn.Module):
        def __init__(self, taken, width, stride):
            super().__init__()
            norm = nn.BatchNorm2d
            self.conv1, self.norm1 = nn.Conv2d(taken, width, 1, bias=False), norm(width)
            self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
            self.norm2 = norm(width)
            self.conv3, self.norm3 = nn.Conv2d(width, 4 * width, 1, bias=False), norm(4 * width)
            self.side = None
            if stride != 1 or taken != 4 * width:
                side = nn.Conv2d(taken, 4 * width, 1, stride, bias=False)
                self.side = nn.Sequential(side, norm(4 * width))

        def forward(self, x):
            y = self.norm1(self.conv1(x)).relu()
            y = self.norm2(self.conv2(y)).relu()
            y = self.norm3(self.conv3(y))
            return (y + (x if self.side is None else self.side(x))).relu()

    stages = [Block(8, 4, 1), Block(16, 4, 1), Block(16, 4, 1), Block(16, 8, 2), Block(32, 8, 1)]
    return nn.Sequential(*stages)


def test_blocks_that_every_spec_knows_are_called(tmp_path):
    spec = folded(resnet(pytest.importorskip("torch")), tmp_path)
    assert spec["defaults"] == {"ConvNormAct": {"norm": "none", "bias": True}}
    assert "templates" not in spec
    first, second = spec["body"]
    assert (first["op"], first["width"], first["repeat"]) == ("Bottleneck", 4, 3)
    assert (second["width"], second["repeat"], second["first"]) == (8, 2, {"stride": 2})


def test_a_module_that_holds_a_tensor_is_one_all_the_same(tmp_path):
    """As transformers with stages hold their positions; and a split is into equal parts, or not."""
    torch = pytest.importorskip("torch")
    nn = torch.nn

    class Level(nn.Module):
        def __init__(self, sizes):
            super().__init__()
            self.place, self.sizes = nn.Parameter(nn.init.ones_(nn.Conv2d(1, 8, 16).weight)), sizes
            self.first, self.second = nn.Conv2d(8, 8, 3, 1, 1), nn.Conv2d(8, 8, 1)

        def forward(self, x):
            left, right = (x + self.place.view(1, 8, 16, 16)).split(self.sizes, 1)
            x = torch.cat([right, left.relu()], 1)
            return x + self.second(self.first(x).relu())

    spec = folded(nn.Sequential(Level([4, 4]), Level([2, 6]), Level([2, 6])), tmp_path)
    ((name, level),) = spec["templates"].items()
    assert level["args"] == {"parts": None, "sizes": None}
    assert [node["op"] for node in spec["body"]] == ["param", "add", name] * 3


def test_what_crosses_keeps_its_names(tmp_path):
    """Two streams that exchange twice are neither a sequence nor branches."""

    def forward(t, m, x):
        a, b = m.a(x), m.b(x)
        c, d = a + b, a * b
        return m.c(c.relu() + d) - d

    def layers(t):
        return {name: t.nn.Conv2d(8, 8, 1) for name in "abc"}

    spec = folded(of_torch(forward, layers), tmp_path)
    assert any("from" in node for node in spec["body"])


def test_parts_that_hand_on_several_tensors_are_one_template(tmp_path):
    """As the modules of HRNet: three of them, each reading both tensors of the one before."""
    torch = pytest.importorskip("torch")
    nn = torch.nn

    class Part(nn.Module):
        def __init__(self):
            super().__init__()
            self.fine, self.coarse = nn.Conv2d(8, 8, 3, 1, 1), nn.Conv2d(8, 8, 1)

        def forward(self, a, b):
            a, b = self.fine(a).relu(), self.coarse(b).relu()
            return a + b * a, (a - b).relu()

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second, self.third = (nn.Conv2d(8, 8, 1) for _ in range(3))
            self.parts = nn.ModuleList(Part() for _ in range(3))

        def forward(self, x):
            a, b = self.first(x), self.second(x)
            for part in self.parts:
                a, b = part(a, b)
            return a * self.third(b) + b

    spec = folded(Network(), tmp_path)
    ((name, part),) = spec["templates"].items()
    assert part["inputs"] == ["streams[]"]
    assert len(part["outputs"]["streams[]"]) == 2
    (call,) = [node for node in spec["body"] if isinstance(node, dict) and node["op"] == name]
    assert (call["repeat"], len(call["from"])) == (3, 2)


def test_sums_of_several_are_lanes(tmp_path):
    """As MobileOne trains: convolutions beside each other, written as sums of two."""
    torch = pytest.importorskip("torch")
    nn = torch.nn

    class Branches(nn.Module):
        def __init__(self):
            super().__init__()
            self.branches = nn.ModuleList(nn.Conv2d(8, 8, 3, 1, 1) for _ in range(3))
            self.point = nn.Conv2d(8, 8, 1)

        def forward(self, x):
            return (sum((conv(x) for conv in self.branches), self.point(x))).relu()

    spec = folded(nn.Sequential(Branches(), Branches()), tmp_path)
    ((_, template),) = spec["templates"].items()
    call, act = template["body"]
    assert call["parallel"] == [{"kernel": 1}, {"kernel": 3}, {"kernel": 3}, {"kernel": 3}]
    assert (call["join"], act) == ("add", "relu")


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="asks Linux how much is held")
def test_the_file_is_let_go_once_it_is_read(tmp_path):
    """64 MB of weights are held once; a constant that is computed once kept the whole message."""
    graph = helper.make_graph(
        [
            helper.make_node("Sqrt", ["four"], ["two"]),
            helper.make_node("Mul", ["x", "two"], ["scaled"]),
            helper.make_node("Flatten", ["scaled"], ["flat"]),
            helper.make_node("MatMul", ["flat", "w"], ["y"]),
        ],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4, 32, 32])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4096])],
        [
            numpy_helper.from_array(np.array(4, np.float32), "four"),
            numpy_helper.from_array(np.ones((4096, 4096), np.float32), "w"),
        ],
    )
    path = saved(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]), tmp_path)
    gc.disable()
    try:
        before = held_bytes()
        proto = read_model(path)
        net = settle(proto, path)
        del proto
        assert held_bytes() - before < 1.5 * path.stat().st_size
    finally:
        gc.enable()
    assert net.constants["two"] == 2


def held_bytes():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def dense_layers(t, m, x):
    features = [x]
    for index in range(4):
        features.append(m.layers[index](t.cat(features, 1)))
    return t.cat(features, 1)


def test_a_dense_block_is_one_layer_repeated(tmp_path):
    def layers(t):
        nn = t.nn
        each = [
            nn.Sequential(nn.BatchNorm2d(8 + 4 * i), nn.ReLU(), nn.Conv2d(8 + 4 * i, 4, 3, 1, 1))
            for i in range(4)
        ]
        return {"layers": nn.ModuleList(each)}

    spec = folded(of_torch(dense_layers, layers), tmp_path)
    (entry,) = spec["body"] if isinstance(spec["body"], list) else [spec["body"]]
    assert entry["repeat"] == 4


# What others wrote.


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("shufflenet", 1_393_320),
        pytest.param("squeezenet", 1_235_496, marks=pytest.mark.thorough),
    ],
)
def test_the_light_models_of_onnx(name, params):
    """Of opset 9, weights all alike; the parameters are those of the published networks."""
    found = import_onnx(LIGHT / f"light_{name}.onnx", name)
    assert found.model.graph.params == params
    assert "proves little" in str(found.agreement)


def model_of(nodes, constants=(), shape=("n", 3, 8, 8), opset=17, outputs=("y",)):
    graph = helper.make_graph(
        nodes, "made", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(array, name) for name, array in constants],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def numbers(*shape):
    return np.random.default_rng(0).normal(0, 0.3, shape).astype(np.float32)


def test_channels_last_with_transposes_around_each_op(tmp_path):
    """As tf2onnx writes Keras's networks."""
    node = helper.make_node
    nodes = [
        node("Transpose", ["x"], ["a"], perm=[0, 2, 3, 1]),
        node("Transpose", ["a"], ["b"], perm=[0, 3, 1, 2]),
        node("Conv", ["b", "w"], ["c"], auto_pad="SAME_UPPER", strides=[2, 2]),
        node("Transpose", ["c"], ["d"], perm=[0, 2, 3, 1]),
        node("Add", ["d", "bias"], ["e"]),
        node("Relu", ["e"], ["f"]),
        node("Transpose", ["f"], ["g"], perm=[0, 3, 1, 2]),
        node("MaxPool", ["g"], ["h"], kernel_shape=[2, 2], strides=[2, 2]),
        node("Transpose", ["h"], ["i"], perm=[0, 2, 3, 1]),
        node("ReduceMean", ["i"], ["j"], axes=[1, 2], keepdims=0),
        node("MatMul", ["j", "v"], ["k"]),
        node("Softmax", ["k"], ["y"]),
    ]
    constants = [("w", numbers(4, 3, 3, 3)), ("bias", numbers(4)), ("v", numbers(4, 5))]
    found = ops_of(saved(model_of(nodes, constants), tmp_path))
    pooled = ["global_avg_pool", "flatten", "dense", "softmax"]
    assert found == ["conv", "relu", "max_pool", *pooled]


def test_the_command_writes_a_spec_and_its_weights(tmp_path, capsys):
    module = of_torch(
        lambda t, m, x: m.d(m.c(x).relu().mean((2, 3))),
        lambda t: {"c": t.nn.Conv2d(8, 6, 3), "d": t.nn.Linear(6, 4)},
    )
    source, spec, weights = (
        exported(module, tmp_path),
        tmp_path / "s.json",
        tmp_path / "w.safetensors",
    )
    options = ["-o", str(spec), "--weights", str(weights), "--unfold-norms", "--explain"]
    assert main(["import", "onnx", str(source), *options]) == 0
    said = capsys.readouterr().out
    assert "agree" in said and "  c.conv: /c/Conv" in said
    graph = archspec.load(spec)
    assert [node.op.name for node in graph.nodes.values()] == [
        "conv", "batch_norm", "act", "global_avg_pool", "flatten", "dense",
    ]  # fmt: skip
    torch = pytest.importorskip("torch")
    image = numbers(1, 8, 16, 16)
    ours = reference.run(graph, load_weights(weights, graph), image)["logits"]
    theirs = module(torch.from_numpy(image)).detach().numpy()
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert main(["import", "onnx", str(source), "-o", str(spec)]) == 2  # never written over


# What cannot be said, and what is not a model.


def refusal(model: onnx.ModelProto | bytes, folder: Path) -> str:
    path = folder / "net.onnx"
    path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
    with pytest.raises(SpecError) as caught:
        import_onnx(path, "net")
    return str(caught.value)


def test_all_that_cannot_be_said_is_told_at_once(tmp_path, capsys):
    node = helper.make_node
    nodes = [
        node("Cos", ["x"], ["a"], name="first"),
        node("Relu", ["a"], ["b"]),
        node("Tan", ["b"], ["c"], name="second"),
        node("GlobalAveragePool", ["c"], ["y"]),
    ]
    said = refusal(model_of(nodes), tmp_path)
    assert "first (Cos)" in said and "second (Tan)" in said and "Relu" not in said
    target = tmp_path / "spec.json"
    assert main(["import", "onnx", str(tmp_path / "net.onnx"), "-o", str(target)]) == 1
    assert capsys.readouterr().err.count("\n") == 2
    assert not target.exists()


@pytest.mark.parametrize("words", ["not ONNX's own", "control flow", "quantised"])
def test_foreign_operators_are_refused(words, tmp_path):
    node = helper.make_node
    branch = helper.make_graph([node("Relu", ["x"], ["t"])], "g", [], [
        helper.make_tensor_value_info("t", TensorProto.FLOAT, None)
    ])  # fmt: skip
    made = {
        "not ONNX's own": node("Magic", ["x"], ["y"], domain="com.example"),
        "control flow": node("If", ["flag"], ["y"], then_branch=branch, else_branch=branch),
        "quantised": node("QuantizeLinear", ["x", "s"], ["y"]),
    }
    constants = [("flag", np.array(True)), ("s", np.float32(0.1))]
    assert words in refusal(model_of([made[words]], constants), tmp_path)


def test_what_is_no_network_of_one_image_is_refused(tmp_path):
    relu = helper.make_node("Relu", ["x"], ["y"])
    assert "open extents" in refusal(model_of([relu], shape=("n", 3, "h", "w")), tmp_path)
    assert "axes" in refusal(model_of([relu], shape=("n", 3)), tmp_path)
    assert "hangs on no image" in refusal(
        model_of([helper.make_node("Relu", ["c"], ["y"])], [("c", numbers(1, 3))]), tmp_path
    )
    ring = [helper.make_node("Add", ["x", "b"], ["a"]), helper.make_node("Relu", ["a"], ["b"])]
    assert "circle" in refusal(model_of(ring, outputs=("b",)), tmp_path)
    two = model_of([helper.make_node("Add", ["x", "z"], ["y"])])
    two.graph.input.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, (1, 3, 8, 8)))
    assert "inputs are 'x' and 'z'" in refusal(two, tmp_path)
    assert "opset 5" in refusal(model_of([relu], opset=5), tmp_path)
    assert "not an ONNX model" in refusal(b"\x89PNG\r\n\x1a\n" + bytes(50), tmp_path)
    assert "not an ONNX model" in refusal(b"", tmp_path)
    huge = model_of([relu], shape=(1, 3, 100_000, 100_000))
    assert "30,000,000,000 numbers" in refusal(huge, tmp_path)
    named = model_of([helper.make_node("Relu", ["x"], ["y"], name="relu")]).SerializeToString()
    assert "UTF-8" in refusal(named.replace(b"relu", b"\xff\xfe\xff\xfe"), tmp_path)
    norm = helper.make_node("BatchNormalization", ["x", "g", "g", "g", "g"], ["y"])
    assert refusal(model_of([norm], [("g", numbers(5))]), tmp_path)


def test_numbers_outside_the_folder_are_not_read(tmp_path):
    outside = tmp_path / "secret"
    outside.write_bytes(numbers(3, 3, 1, 1).tobytes())
    folder = tmp_path / "model"
    folder.mkdir()
    model = model_of([helper.make_node("Conv", ["x", "w"], ["y"])], [("w", numbers(3, 3, 1, 1))])
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for place in ("../secret", str(outside), "link"):
        (folder / "link").unlink(missing_ok=True)
        (folder / "link").symlink_to(outside)
        del tensor.external_data[:]
        tensor.external_data.add(key="location", value=place)
        assert "outside the folder" in refusal(model, folder)
    (folder / "weights").write_bytes(outside.read_bytes())
    tensor.external_data[0].value = "weights"
    assert ops_of(saved(model, folder)) == ["conv"]


def test_a_tensor_that_lies_of_its_size_costs_no_memory(tmp_path):
    model = model_of([helper.make_node("Conv", ["x", "w"], ["y"])], [("w", numbers(3, 3, 1, 1))])
    model.graph.initializer[0].dims[:] = [1 << 40, 3, 1, 1]
    assert "numbers" in refusal(model, tmp_path)
    model.graph.initializer[0].dims[:] = [1 << 10, 3, 1, 1]
    assert "do not fit its shape" in refusal(model, tmp_path)


def test_damaged_files_are_refused_in_one_sentence(tmp_path):
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], pads=[1, 1, 1, 1]),
        helper.make_node("Reshape", ["a", "s"], ["b"]),
        helper.make_node("Gemm", ["b", "v"], ["y"]),
    ]
    constants = [("w", numbers(4, 3, 3, 3)), ("s", np.array([0, -1])), ("v", numbers(256, 5))]
    whole = model_of(nodes, constants).SerializeToString()
    generator = random.Random(0)
    path = tmp_path / "net.onnx"
    for _ in range(150):
        damaged = whole
        for _ in range(generator.randint(1, 4)):
            _, damaged = damage(damaged, generator)
        path.write_bytes(damaged)
        try:
            import_onnx(path, "net")
        except SpecError as error:
            assert str(error)
