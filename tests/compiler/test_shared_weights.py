"""Weights that several nodes share, on every target: a module of PyTorch that is called again."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import archspec
from archspec.compiler import pipeline
from archspec.compiler.model import weights_of
from archspec.errors import SpecError

np = pytest.importorskip("numpy")

# These need numpy, so they come after the line that skips where it is missing.
from oracles import rule_b  # noqa: E402
from test_passes import rewrite  # noqa: E402

from archspec.compiler import build, for_deployment, for_training  # noqa: E402
from archspec.compiler.quantize.pipeline import Scheme, quantize  # noqa: E402
from archspec.compiler.supernet import supernet_of  # noqa: E402
from archspec.compiler.targets import TARGETS, reference  # noqa: E402
from archspec.compiler.weights.files import open_tensors  # noqa: E402
from archspec.compiler.weights.initialize import initialize  # noqa: E402
from archspec.compiler.weights.loading import load_weights, save_weights  # noqa: E402
from archspec.compiler.weights.residuals import last_gammas  # noqa: E402
from archspec.space import Space  # noqa: E402

SHAPE = (3, 12, 9)
HEAD = {
    "body": [
        {"op": "conv", "name": "conv", "kernel": 3, "channels": 3, "bias": True},
        {"op": "batch_norm", "name": "norm"},
        {"op": "act", "name": "act", "function": "tanh"},
        {"op": "conv", "name": "last", "kernel": 3, "channels": 3, "weights": "conv", "bias": True},
    ]
}
BODY = [
    {"op": "avg_pool", "name": "p2", "kernel": 3, "stride": 3},
    {"op": "avg_pool", "name": "p3", "kernel": 2, "stride": 1, "padding": "valid"},
    {"op": "Head", "name": "head", "from": ["in", "p2", "p3"], "parallel": 3, "weights": "head"},
    {"op": "global_avg_pool", "name": "means", "from": "head", "parallel": 3, "join": "add"},
    "flatten",
    {"op": "dense", "name": "classifier", "channels": 3},
    {"op": "dense", "name": "again", "channels": 3, "weights": "classifier"},
]
TEMPLATES = {"Head": HEAD}


def spec_of(body, templates=None, shape=SHAPE):
    return {
        "archspec": 1, "name": "shared", "input": {"shape": list(shape)}, "body": body,
        "templates": templates or {},
    }  # fmt: skip


def load(body, templates=None, shape=SHAPE):
    return archspec.loads(json.dumps(spec_of(body, templates, shape)))


@pytest.fixture(scope="module")
def model():
    return rule_b.with_random_weights(load(BODY, TEMPLATES))


@pytest.fixture(scope="module")
def oracle(model):
    """The same in PyTorch by hand: one module of a head, called three times, and its convolution
    twice in each; with the gradients of a loss."""
    torch = pytest.importorskip("torch")
    from torch import nn
    from torch.nn.functional import avg_pool2d

    conv, norm = nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3)
    dense = nn.Linear(3, 3)
    places = {
        "head1.conv.weight": conv.weight, "head1.conv.bias": conv.bias,
        "head1.norm.gamma": norm.weight, "head1.norm.beta": norm.bias,
        "head1.norm.moving_mean": norm.running_mean,
        "head1.norm.moving_variance": norm.running_var,
        "classifier.weight": dense.weight, "classifier.bias": dense.bias,
    }  # fmt: skip
    assert places.keys() == model.weights.keys()
    for path, tensor in places.items():
        tensor.data.copy_(torch.tensor(model.weights[path]))

    def run(x):
        maps = [x, avg_pool2d(x, 3, 3), avg_pool2d(avg_pool2d(x, 3, 3), 2, 1)]
        means = [conv(torch.tanh(norm(conv(one)))).mean((2, 3)) for one in maps]
        return dense(dense(sum(means)))

    image = rule_b.image(SHAPE, 4)
    norm.eval()
    with torch.no_grad():
        answers = run(torch.tensor(image)).numpy()
    norm.train()
    scales = rule_b.image((3,), 4, seed=7)
    x = torch.tensor(image, requires_grad=True)
    (run(x) * torch.tensor(scales)).sum().backward()
    gradients = {path: p.grad.numpy() for path, p in places.items() if p.requires_grad}
    statistics = {path: places[path].numpy() for path in places if ".moving_" in path}
    return image, answers, scales, {"in": x.grad.numpy(), **gradients}, statistics


def near(found, wanted, tolerance=1e-5):
    assert found.shape == wanted.shape
    assert np.abs(found - wanted).max() <= tolerance * np.abs(wanted).max()


@pytest.mark.parametrize("purpose", [for_training, for_deployment])
def test_answers_are_those_of_a_module_called_again(model, oracle, purpose):
    ort = pytest.importorskip("onnxruntime")
    image, wanted, *_ = oracle
    ready = purpose(model)
    near(reference.run(ready.graph, ready.weights, image)["logits"], wanted)
    proto = build(ready, target="onnx", batch=4)
    # each array once, however many nodes read it
    sizes = sum(np.prod(one.dims) for one in proto.graph.initializer if one.data_type == 1)
    assert sizes == sum(array.size for array in model.weights.values())
    session = ort.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    near(session.run(None, {"image": image})[0], wanted)


def gradients_of_torch(model, image, scales):
    import torch

    module = build(model, target="torch").train()
    x = torch.tensor(image, requires_grad=True)
    (module(x) * torch.tensor(scales)).sum().backward()
    names = TARGETS["torch"].load().weight_names(model.graph)
    state, parameters = module.state_dict(), dict(module.named_parameters())
    gradients = {p: parameters[n].grad.numpy() for p, n in names.items() if n in parameters}
    moved = {path: state[name].numpy() for path, name in names.items()}
    return {"in": x.grad.numpy(), **gradients}, moved


def gradients_of_mindspore(model, image, scales):
    import mindspore as ms

    ms.set_context(mode=ms.GRAPH_MODE)
    cell = build(model, target="mindspore").set_train()
    parameters = {p.name: p for p in cell.get_parameters()}
    learns = {name: p for name, p in parameters.items() if p.requires_grad}

    def loss(x):
        return (cell(x) * ms.Tensor(scales)).sum()

    step = ms.value_and_grad(loss, grad_position=0, weights=[*learns.values()])
    _, (of_input, of_weights) = step(ms.Tensor(image))
    gradients = {path: one.asnumpy() for path, one in zip(learns, of_weights, strict=True)}
    moved = {name: parameter.asnumpy() for name, parameter in parameters.items()}
    return {"in": of_input.asnumpy(), **gradients}, moved


FRAMEWORKS = {"torch": gradients_of_torch, "mindspore": gradients_of_mindspore}


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_gradients_are_the_sums_over_all_uses(model, oracle, framework):
    pytest.importorskip(framework)
    image, _, scales, gradients, statistics = oracle
    found, moved = FRAMEWORKS[framework](for_training(model), image, scales)
    assert found.keys() == gradients.keys()
    for name, gradient in gradients.items():
        near(found[name], gradient, 1e-4)
    for path, wanted in statistics.items():  # which all uses move, one after the other
        near(moved[path], wanted, 1e-4)


# In classes that a person might have written.


def test_a_class_runs_its_attribute_again(model):
    source = build_source(model)
    assert source.count("self.head1 = ") == 1
    assert source.count("self.head1(") == 3
    assert source.count("self.conv(") == 2
    assert "head2 = Head" not in source


def build_source(model):
    return TARGETS["torch"].load().source_of(model)


APART = {
    "groups of other structure": [
        {"body": [{"op": "conv", "name": "a", "kernel": 3, "channels": 3}, "relu"], "name": "one"},
        {"body": [{"op": "conv", "name": "b", "kernel": 3, "channels": 3, "weights": "one.a"}],
         "name": "two"},
    ],
    "a dropout in what is shared": [
        {"op": "Noisy", "name": "one"}, {"op": "Noisy", "name": "two", "weights": "one"},
    ],
    "a node of a group outside": [
        {"op": "conv", "name": "a", "kernel": 3, "channels": 3},
        {"residual": [{"op": "conv", "name": "b", "kernel": 3, "channels": 3, "weights": "a"}],
         "name": "two"},
    ],
    "copies in sequence": [
        {"op": "Noiseless", "name": "block", "repeat": 4, "weights": "block"}
    ],
    "what comes before is of what comes after": [
        {"op": "conv", "name": "two.a", "kernel": 3, "channels": 3},
        {"op": "conv", "name": "one.a", "kernel": 3, "channels": 3, "weights": "two.a"},
        {"op": "conv", "name": "two.b", "kernel": 3, "channels": 3, "weights": "two.a"},
    ],
    "a learnt tensor": [
        {"op": "param", "name": "position", "shape": [3, 12, 9], "initial": 0.5},
        {"op": "add", "name": "first", "from": ["in", "position"]},
        {"op": "param", "name": "again", "shape": [3, 12, 9], "initial": 0.5,
         "weights": "position"},
        {"op": "mul", "from": ["first", "again"]},
    ],
    "on images and on vectors": [
        {"op": "layer_scale", "name": "a"}, "global_avg_pool", "flatten",
        {"op": "layer_scale", "name": "b", "weights": "a"},
    ],
}  # fmt: skip
INNER = {
    "Noisy": {"body": [{"op": "conv", "kernel": 3, "channels": 3}, {"op": "dropout", "rate": 0.5}]},
    "Noiseless": {"body": [{"op": "conv", "kernel": 3, "channels": 3}, "batch_norm", "relu"]},
}


@pytest.mark.parametrize("body", APART.values(), ids=APART)
def test_classes_open_where_they_stand_between(body):
    torch = pytest.importorskip("torch")
    ort = pytest.importorskip("onnxruntime")
    model = rule_b.with_random_weights(load(body, INNER))
    image = rule_b.image(SHAPE, 2)
    wanted = reference.run(model.graph, model.weights, image)["logits"]
    module = build(model, target="torch").eval()
    assert sum(p.numel() for p in module.parameters()) == model.graph.params
    with torch.no_grad():
        near(module(torch.tensor(image)).numpy(), wanted)
    proto = build(for_deployment(model), target="onnx", batch=2).SerializeToString()
    session = ort.InferenceSession(proto, providers=["CPUExecutionProvider"])
    near(session.run(None, {"image": image})[0], wanted)


def test_cells_that_are_not_made_alike_are_refused():
    pytest.importorskip("torch")
    conv = {"op": "conv", "kernel": 3, "channels": 3}
    body = [{**conv, "name": "a"}, {**conv, "name": "b", "weights": "a", "dilation": 2}]
    model = rule_b.with_random_weights(load(body))
    with pytest.raises(SpecError, match=r"b \(conv\) uses the weights of a and differs from it"):
        build(model, target="torch")
    image = rule_b.image(SHAPE)
    ort = pytest.importorskip("onnxruntime")
    proto = build(model, target="onnx").SerializeToString()
    session = ort.InferenceSession(proto, providers=["CPUExecutionProvider"])
    wanted = reference.run(model.graph, model.weights, image)["logits"]
    near(session.run(None, {"image": image})[0], wanted)


# Passes.

KINDS = {
    "conv": {"op": "conv", "kernel": 3, "channels": 4},
    "biased": {"op": "conv", "kernel": 3, "channels": 4, "bias": True},
    "pixel": {"op": "conv", "kernel": 1, "channels": 4},
    "standard": {"op": "conv", "kernel": 3, "channels": 4, "weight_standardization": True},
    "norm": {"op": "batch_norm"},
    "scale": {"op": "layer_scale"},
    "block": {"op": "Block"},
    "relu": {"op": "act", "function": "relu"},
    "noise": {"op": "dropout", "rate": 0.2},
    "same": {"op": "identity"},
    "add": {"op": "add"},
}
BLOCK = {
    "body": {
        "residual": [
            {"op": "conv", "name": "conv", "kernel": 3, "channels": 4},
            {"op": "batch_norm", "name": "norm"},
            {"op": "layer_scale", "name": "scale"},
        ]
    }
}


@st.composite
def bodies(draw):
    """Nodes on maps of one shape, which take what stands before them, and often its weights."""
    body = []
    for number in range(draw(st.integers(3, 12))):
        kind = draw(st.sampled_from([*KINDS]))
        earlier = ["in", *(node["name"] for node in body)]
        near = st.sampled_from(earlier[-3:])
        taken = [draw(near) for _ in range(2 if kind == "add" else 1)]
        node = {**KINDS[kind], "name": f"{kind}_{number}", "from": taken}
        alike = [name for name in earlier if name.startswith(f"{kind}_")]
        if kind in ("conv", "biased", "pixel", "standard", "norm", "scale", "block"):
            owner = draw(st.sampled_from([None, *alike, *alike]))
            if owner is not None:
                node["weights"] = owner
        body.append(node)
    return body, draw(st.sets(st.sampled_from([node["name"] for node in body]), max_size=2))


@given(bodies())
@settings(max_examples=120)
def test_passes_keep_the_numbers_of_what_is_shared(drawn):
    body, results = drawn
    spec = spec_of(body, {"Block": BLOCK}, (4, 5, 6))
    outputs = {name: name for name in sorted(results)}
    spec |= {"outputs": outputs} if outputs else {}
    graph = archspec.loads(json.dumps(spec))
    assert archspec.loads(json.dumps(graph.normal_form())).fingerprint == graph.fingerprint
    for step in pipeline.DEPLOYMENT:
        rewrite(graph, step)
    after = pipeline.for_deployment(rule_b.with_random_weights(graph))
    rewrite(graph, *pipeline.DEPLOYMENT, *pipeline.FOLDING)
    owned = weights_of(after.graph)
    used = {node.owner for node in after.graph.nodes.values() if node.layer.uses}
    assert {path.rpartition(".")[0] for path in owned} == used
    rewrite(graph, *pipeline.TRAINING)


# Files.


def test_a_tensor_is_in_a_file_once(model, tmp_path):
    graph = model.graph
    for file, names in (("it.npz", None), ("it.safetensors", "torch")):
        words = names and TARGETS[names].load().weight_names(graph)
        save_weights(tmp_path / file, graph, model.weights, names=words)
        with open_tensors(tmp_path / file) as found:
            assert len(found.entries) == len(model.weights)
    loaded = load_weights(tmp_path / "it.npz", graph)
    assert all(np.array_equal(loaded[path], array) for path, array in model.weights.items())


def test_fresh_weights_are_drawn_for_owners_alone(model):
    assert initialize(model.graph, "he", 0).keys() == model.weights.keys()


def test_a_norm_that_others_use_is_not_zero_at_the_start():
    path = [{"op": "conv", "name": "conv", "kernel": 3, "channels": 3},
            {"op": "batch_norm", "name": "norm"}]  # fmt: skip
    alone = [{"residual": path, "name": "one"}]
    assert last_gammas(load(alone)) == ["one.norm"]
    after = {"op": "batch_norm", "name": "after", "weights": "one.norm"}
    assert last_gammas(load([*alone, after])) == []
    twice = [{"op": "Block", "name": "one"}, {"op": "Block", "name": "two", "weights": "one"}]
    block = {"Block": {"body": {"residual": path}}}
    assert last_gammas(load(twice, block)) == ["one.norm", "two.norm"]


def test_no_supernet_holds_what_is_shared(tmp_path):
    kernel = {"choice": [3, 5], "share": "superkernel", "name": "k"}
    conv = {"op": "conv", "kernel": kernel, "channels": 3}
    body = [{**conv, "name": "a"}, {**conv, "name": "b", "weights": "a"}, "flatten",
            {"op": "dense", "channels": 2}]  # fmt: skip
    (tmp_path / "s.json").write_text(json.dumps(spec_of(body)))
    with pytest.raises(SpecError, match="b uses the weights of a"):
        supernet_of(Space(tmp_path / "s.json"))


def test_shared_weights_stay_float(model):
    with pytest.raises(SpecError, match=r"head1\.last of shared uses the weights of head1\.conv"):
        quantize(for_deployment(model), rule_b.image(SHAPE, 2), Scheme())
