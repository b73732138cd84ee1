"""Networks of timm against its own: its weights by its names, its logits."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest

import archspec
from archspec.errors import SpecError

np = pytest.importorskip("numpy")
safetensors = pytest.importorskip("safetensors.numpy")

# These need numpy, so they come after the lines that skip where it is missing.
from oracles import published  # noqa: E402

from archspec.compiler import build, for_deployment  # noqa: E402
from archspec.compiler.model import Model  # noqa: E402
from archspec.compiler.targets import reference  # noqa: E402
from archspec.compiler.weights.importing import ImportOptions, import_weights  # noqa: E402

LOGITS = json.loads((Path(__file__).parents[1] / "data" / "timm_logits.json").read_text())
networks = pytest.mark.parametrize("name", published.TIMM)
LARGE = {"vit_tiny_patch16_224", "swin_tiny_patch4_window7_224", "hrnet_w18"}
by_size = pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.thorough] if name in LARGE else [])
        for name in published.TIMM
    ],
)


@cache
def state_of(name):
    """timm's state_dict with drawn weights."""
    return published.draw(published.load_published(f"timm/{name}"), LOGITS["seed"])


@pytest.fixture
def load(tmp_path):
    """A network with timm's weights, which came out of a file by their names."""

    def call(name):
        safetensors.save_file(state_of(name), tmp_path / "timm.safetensors")
        size = published.TIMM[name]
        graph = archspec.load(name, input_shape=(3, size, size))
        return Model(graph, import_weights(tmp_path / "timm.safetensors", graph).weights)

    return call


def images_for(name):
    return published.draw_images(LOGITS["seed"], published.TIMM[name])


def check(name, logits):
    """Whether logits of the two images are timm's."""
    wanted = LOGITS["networks"][name]
    assert np.abs(logits).max() == pytest.approx(wanted["largest"], rel=1e-5)
    error = np.abs(logits[:, :50] - wanted["first"]).max()
    assert error < 1e-5 * wanted["largest"]


@networks
@pytest.mark.thorough
def test_logits_in_numpy(name, load):
    model = load(name)
    check(name, reference.run(model.graph, model.weights, images_for(name))["logits"])


@by_size
def test_logits_in_torch(name, load):
    torch = pytest.importorskip("torch")
    module = build(load(name), target="torch").eval()
    with torch.no_grad():
        check(name, module(torch.from_numpy(images_for(name))).numpy())


@networks
@pytest.mark.thorough
def test_logits_in_onnx(name, load):
    ort = pytest.importorskip("onnxruntime")
    proto = build(for_deployment(load(name)), target="onnx", batch=2)
    session = ort.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {"image": images_for(name)})
    check(name, logits)


@networks
@pytest.mark.slow
def test_logits_in_mindspore(name, load):
    mindspore = pytest.importorskip("mindspore")
    cell = build(for_deployment(load(name))).set_train(False)
    images = mindspore.Tensor(images_for(name))
    check(name, cell(images).asnumpy())


@networks
def test_every_number_of_timms_file_is_used(name, tmp_path):
    state = state_of(name)
    safetensors.save_file(state, tmp_path / "timm.safetensors")
    imported = import_weights(
        tmp_path / "timm.safetensors", archspec.load(name), ImportOptions("timm")
    )
    counters = {"num_batches_tracked", "attention_bias_idxs"}
    counted = [a.size for n, a in state.items() if n.rpartition(".")[2] not in counters]
    assert sum(rule.numbers for rule in imported.rules) == sum(counted)
    assert sum(array.size for array in imported.weights.values()) == sum(counted)
    assert set(imported.ignored) <= counters


def test_q_k_and_v_of_each_head_lie_side_by_side(load):
    """LeViT's first attention: 4 heads, of each 16 rows of q, 16 of k and 32 of v."""
    ours = load("levit_128s").weights
    theirs = state_of("levit_128s")["stages.0.blocks.0.attn.qkv.linear.weight"]
    for part, start, stop in (("q", 0, 16), ("k", 16, 32), ("v", 32, 64)):
        rows = [row for head in range(4) for row in range(64 * head + start, 64 * head + stop)]
        kernel = ours[f"stage1.block1.attention.{part}.conv.weight"]
        assert np.array_equal(kernel[:, :, 0, 0], theirs[rows])


def test_another_width_of_values_is_told(tmp_path):
    state = dict(state_of("levit_128s"))
    name = "stages.0.blocks.0.attn.qkv.linear.weight"
    state[name] = state[name][:192]
    safetensors.save_file(state, tmp_path / "timm.safetensors")
    with pytest.raises(SpecError, match=r"stages\.0\.blocks\.0\.attn\.qkv\.linear\.weight"):
        import_weights(tmp_path / "timm.safetensors", archspec.load("levit_128s"))
