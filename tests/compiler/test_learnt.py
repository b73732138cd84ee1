"""Learnt tensors: nodes that take nothing, whose one value meets a batch of any size."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import archspec
from archspec.errors import SpecError

np = pytest.importorskip("numpy")

# These need numpy, so they come after the line that skips where it is missing.
from oracles import rule_b  # noqa: E402

from archspec.compiler import build, for_deployment, for_training  # noqa: E402
from archspec.compiler.targets import reference  # noqa: E402

ROOT = Path(__file__).parents[2]
BODY = [
    {"op": "param", "name": "first", "shape": [3, 5, 7], "initial": 0.5},
    {"op": "add", "name": "sum", "from": ["in", "first"]},
    {"op": "conv", "name": "wide", "kernel": 3, "channels": 4},
    {"op": "param", "name": "token", "shape": [2, 5, 7], "repeat": 2},
    {"op": "param", "name": "fixed", "shape": [1, 5, 7], "trainable": False},
    {"op": "act", "function": "tanh", "name": "bent"},
    {"op": "Joined", "name": "joined", "from": {"left": "token1", "right": "wide"}},
    {"op": "concat", "name": "all", "from": ["token2", "joined", "bent"]},
    "global_avg_pool",
    "flatten",
]
TEMPLATES = {
    "Joined": {"inputs": ["left", "right"], "body": [{"op": "concat", "from": ["left", "right"]}]}
}


def load(body, **keys):
    spec = {"archspec": 1, "name": "net", "input": {"shape": [3, 5, 7]}, "body": body, **keys}
    return archspec.loads(json.dumps(spec))


def expected_of(model, x):
    """The network of BODY by hand."""
    import torch

    w = {name: torch.from_numpy(array) for name, array in model.weights.items()}
    x = torch.from_numpy(x) + w["first.value"]
    wide = torch.nn.functional.conv2d(x, w["wide.weight"], padding=1)
    parts = ("token2.value", "token1.value", wide, "fixed.value")
    every = [w[p].expand(len(x), -1, -1, -1) if isinstance(p, str) else p for p in parts]
    every[3] = torch.tanh(every[3])
    return torch.cat(every, 1).mean((2, 3)).numpy()


@pytest.fixture(scope="module")
def model():
    return rule_b.with_random_weights(load(BODY, templates=TEMPLATES))


@pytest.mark.parametrize("purpose", [for_training, for_deployment])
@pytest.mark.parametrize("batch", [1, 3])
def test_a_batch_of_any_size_meets_it(model, purpose, batch):
    torch = pytest.importorskip("torch")
    x = rule_b.image((3, 5, 7), batch)
    ready = purpose(model)
    wanted = expected_of(model, x)
    np.testing.assert_allclose(
        reference.run(ready.graph, ready.weights, x)["logits"], wanted, rtol=1e-5, atol=1e-5
    )
    module = build(ready, target="torch")
    names = dict(module.named_parameters())
    assert "token1.value" in names
    assert "fixed.value" not in names
    with torch.no_grad():
        ours = module.eval()(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(ours, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("opset", [11, 13, 17])
def test_onnx_of_any_batch(model, opset):
    ort = pytest.importorskip("onnxruntime")
    proto = build(model, target="onnx", batch=None, opset=opset)
    session = ort.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    for batch in (1, 4):
        x = rule_b.image((3, 5, 7), batch)
        (ours,) = session.run(None, {"image": x})
        np.testing.assert_allclose(ours, expected_of(model, x), rtol=1e-5, atol=1e-5)


def test_mindir_of_any_batch(model, tmp_path):
    ms = pytest.importorskip("mindspore")
    from archspec.compiler.targets.mindspore import write_mindir

    write_mindir(model, tmp_path / "net.mindir", None)
    cell = ms.nn.GraphCell(ms.load(str(tmp_path / "net.mindir")))
    for batch in (1, 4):
        x = rule_b.image((3, 5, 7), batch)
        ours = cell(ms.Tensor(x)).asnumpy()
        np.testing.assert_allclose(ours, expected_of(model, x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("target", ["torch", "mindspore"])
def test_source_is_what_a_formatter_would_leave(model, target, tmp_path):
    from importlib import import_module

    ruff = Path(sys.executable).with_name("ruff")
    if not ruff.exists():
        pytest.skip("ruff is not installed")
    source = import_module(f"archspec.compiler.targets.{target}.source")
    (tmp_path / "net.py").write_text(source.source_of(model))
    settings = ["--config", str(ROOT / "pyproject.toml"), str(tmp_path)]
    for command in (["format", "--check", "--diff"], ["check"]):
        result = subprocess.run([str(ruff), *command, *settings], capture_output=True, text=True)
        assert result.returncode == 0, result.stdout


# The language.


def test_a_normal_form_expands_to_itself(model):
    form = model.graph.normal_form()
    assert [entry["op"] for entry in form["body"] if entry["op"] == "param"] == ["param"] * 4
    assert not any("from" in entry for entry in form["body"] if entry["op"] == "param")
    again = archspec.loads(json.dumps(form))
    assert again.normal_form() == form
    assert again.fingerprint == model.graph.fingerprint


def test_what_it_counts(model):
    stats = model.graph.stats()
    rows = {row.name: row for row in stats.layers}
    assert (stats.params, stats.buffers) == (3 * 35 + 2 * 2 * 35 + 4 * 3 * 9, 35)
    assert rows["token1"].receptive_field == (0, 0)
    assert rows["bent"].receptive_field == (0, 0)
    assert rows["joined.concat"].receptive_field == (3, 3)
    assert rows["token1"].activation_bytes == 0
    assert model.graph.without_image == {"first", "token1", "token2", "fixed", "bent"}


def test_it_stands_where_several_results_came_before():
    parts = {"op": "split", "name": "part", "parts": 3}
    token = {"op": "param", "name": "token", "shape": [1, 5, 7]}
    graph = load([parts, token, {"op": "add", "from": ["part.2", "token"]}])
    assert graph.nodes["token"].inputs == ()
    hidden = {**token, "when": False}
    assert [*load(["flatten", hidden, "identity"]).nodes] == ["flatten", "identity"]


def test_a_from_is_refused():
    with pytest.raises(SpecError, match='param takes no input; use it without "from"'):
        load([{"op": "param", "shape": [1, 1, 1], "from": "in"}])


def test_equal_ones_stay_apart_and_unread_ones_go():
    body = [
        *({"op": "param", "name": name, "shape": [3, 5, 7]} for name in ("one", "other", "unread")),
        {"op": "add", "from": ["in", "one", "other"]},
    ]
    assert [*for_deployment(load(body)).graph.nodes] == ["one", "other", "add"]
