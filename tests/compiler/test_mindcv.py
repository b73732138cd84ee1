"""MindCV's weights by its names, in specs of what its networks compute: its logits."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from oracles import published

import archspec
from archspec.node import Layer, Node
from archspec.sources import shipped_folder

np = pytest.importorskip("numpy")

# These need numpy, so they come after the line that skips where it is missing.
from archspec.compiler.targets.reference import run  # noqa: E402
from archspec.compiler.weights.files import write_tensors  # noqa: E402
from archspec.compiler.weights.importing import ImportOptions, import_weights  # noqa: E402

LOGITS = json.loads((Path(__file__).parents[1] / "data" / "mindcv_logits.json").read_text())
SAME = {"padding": "same"}


def with_mindspores_gelu(graph):
    """MindSpore's gelu is that by tanh, where a network does not say otherwise."""
    nodes = dict(graph.nodes)
    for name, node in graph.nodes.items():
        if getattr(node.op, "function", "") == "gelu":
            op = replace(node.op, approximate=True)
            nodes[name] = Node(name, Layer(op, node.layer.input_shapes), node.inputs)
    return replace(graph, nodes=nodes)


def like_mindcv(network, size):
    """A shipped spec with what the notes of an import name."""
    name, _ = published.NETWORKS[f"mindcv/{network}"]
    shape = (3, size, size)
    if network == "resnet50":  # resnext152_64x4d pools as MindCV does
        args = {"depths": [3, 4, 6, 3], "groups": 1, "group_width": 64}
        return archspec.load("resnext152_64x4d", input_shape=shape, **args)
    if not network.startswith(("mobilenet", "efficientnet", "inception")):
        args = published.ARGS.get(f"mindcv/{network}", {})
        return with_mindspores_gelu(archspec.load(name, input_shape=shape, **args))
    document = json.loads((shipped_folder() / f"{name}.json").read_text())
    defaults = document.setdefault("defaults", {})
    if network in ("mobilenet_v3_large_100", "efficientnet_b0"):
        defaults["DepthwiseConvNormAct"] = SAME
    if network == "mobilenet_v3_large_100":
        defaults["batch_norm"] = {"epsilon": 1e-5}
    if network == "efficientnet_b0":
        defaults["ConvNormAct"] |= SAME
    if network == "inception_v3":
        document["templates"]["Pool"]["body"][0]["count_padding"] = False
    document.pop("expect")
    return archspec.loads(json.dumps(document), input_shape=shape)


WITHIN = {"hrnet_w32": 1e-4}
"""Of the largest, where it is not 1e-5. A tensor in another's place is off by all of it."""


@pytest.mark.parametrize(
    "network",
    [pytest.param(n, marks=pytest.mark.slow if n == "hrnet_w32" else ()) for n in published.MINDCV],
)
def test_logits_are_mindcvs(network, tmp_path):
    size = published.MINDCV[network]
    state = published.draw(published.load_published(f"mindcv/{network}"), LOGITS["seed"])
    write_tensors(tmp_path / "w.ckpt", state, {})
    graph = like_mindcv(network, size)
    imported = import_weights(tmp_path / "w.ckpt", graph, ImportOptions("mindcv"))
    assert not imported.notes and set(imported.ignored) <= {"aux"}
    logits = run(graph, imported.weights, published.draw_images(LOGITS["seed"], size))["logits"]
    wanted = LOGITS["networks"][network]
    within = WITHIN.get(network, 1e-5)
    assert np.abs(logits).max() == pytest.approx(wanted["largest"], rel=within)
    assert np.abs(logits[:, :50] - wanted["first"]).max() < within * wanted["largest"]
