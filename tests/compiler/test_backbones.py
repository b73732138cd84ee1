"""Weights of a network for a spec that has it as its backbone: by its publisher's names or ours,
what is behind the cut left out, its features those of the network alone."""

from __future__ import annotations

import json

import pytest

import archspec
from archspec.cli import main
from archspec.errors import SpecError
from archspec.sources import shipped_folder

np = pytest.importorskip("numpy")
safetensors = pytest.importorskip("safetensors.numpy")

# These need numpy, so they come after the lines that skip where it is missing.
from oracles import published  # noqa: E402

from archspec.compiler.targets import reference  # noqa: E402
from archspec.compiler.weights.backbones import import_into_parts  # noqa: E402
from archspec.compiler.weights.importing import ImportOptions, import_weights  # noqa: E402
from archspec.compiler.weights.initialize import initialize  # noqa: E402
from archspec.compiler.weights.loading import load_weights, save_weights  # noqa: E402

CUT = {"op": "net.Network", "name": "backbone", "until": "stage3"}
HEAD = {"op": "Classifier", "name": "head", "classes": 7}
THIN = 8
"""Channels are these many times fewer than resnet18's."""


def thin_resnet():
    text = json.loads((shipped_folder() / "resnet18.json").read_text())
    del text["expect"]
    stem, _, stages, _ = text["body"]
    stem["channels"] //= THIN
    for row in stages["each"]:
        row["width"] //= THIN
    return {**text, "name": "thin", "import": {"resnet": "blocks/resnet"}}


def thin_shapes(names):
    def thinner(extent):
        return extent if extent in (1, 3, 7, 1000) else extent // THIN

    return {name: tuple(map(thinner, shape)) for name, shape in names.items()}


TEXTS = {"thin.json": json.dumps(thin_resnet())}
ALONE = archspec.loads(TEXTS["thin.json"])


def spec(*body, network="thin.json", **keys):
    return {
        "archspec": 1, "name": "mine", "input": {"shape": [3, 32, 32]},
        "import": {"net": network}, "body": list(body), **keys,
    }  # fmt: skip


def load(*body, **keys):
    return archspec.loads(json.dumps(spec(*body, **keys)), name="mine.json", project=TEXTS)


@pytest.fixture
def torchvision(tmp_path):
    """The state_dict of a resnet18 with fewer channels and drawn weights, as a file."""
    path = tmp_path / "resnet.safetensors"
    shapes = thin_shapes(published.load_published("torchvision/resnet18"))
    safetensors.save_file(published.draw(shapes, 1), path)
    return path


def below(weights, path):
    prefix = f"{path}."
    return {n.removeprefix(prefix): a for n, a in weights.items() if n.startswith(prefix)}


def same(some, all_of_it):
    return bool(some) and all(
        np.array_equal(array, all_of_it[name]) for name, array in some.items()
    )


def features(graph, weights, node):
    images = published.draw_images(3, 32)[:1]
    last = [name for name in graph.nodes if name.startswith(f"{node}")][-1]
    shown = archspec.Graph(
        graph.name, (3, 32, 32), graph.nodes, {"x": graph.nodes[last].results[0]}
    )
    return reference.run(shown, weights, images)["x"]


def test_a_backbone_gives_the_features_of_its_network(torchvision, tmp_path, capsys):
    path, output = tmp_path / "mine.json", tmp_path / "mine.safetensors"
    path.write_text(json.dumps(spec(CUT, HEAD)))
    (tmp_path / "thin.json").write_text(TEXTS["thin.json"])
    assert main(["weights", "import", str(torchvision), "--for", str(path), "-o", str(output)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "2 behind the cut (classifier), 25 behind the cut (stage4), 20 num_batches" in said
    assert "2 weights around 'backbone' are in no file and were drawn by he from seed 0" in said

    graph, alone = archspec.load(path), archspec.loads(TEXTS["thin.json"], input_shape=(3, 32, 32))
    weights = load_weights(output, graph)
    theirs = import_weights(torchvision, alone).weights
    wanted = features(alone, theirs, "stage3")
    assert wanted.std() > 0.1
    assert np.array_equal(features(graph, weights, "backbone.stage3"), wanted)
    assert same({n: a for n, a in weights.items() if n.startswith("head.")}, initialize(graph))


def test_every_call_of_the_network_has_them_wherever_it_stands(torchvision):
    inner = {
        "Inner": {
            "body": [
                {"op": "act", "function": "relu6", "name": "first"},
                {**CUT, "until": "stage1"},
            ]
        }
    }
    graph = load(
        {**CUT, "name": "one", "until": "stage1"}, {"op": "Inner", "name": "two", "from": "in"},
        {"op": "concat", "from": ["one", "two"]}, templates=inner,
    )  # fmt: skip
    imported = import_into_parts(torchvision, graph)
    theirs = import_weights(torchvision, ALONE).weights
    for path in ("one", "two.backbone"):
        assert same(below(imported.weights, path), theirs)
    assert not [note for note in imported.notes if "drawn" in note]


def test_a_file_of_our_own_of_another_size_and_with_other_classes(tmp_path):
    """What a training wrote says which network it is of: that holds with its classes and size."""
    small = archspec.loads(TEXTS["thin.json"], classes=10)
    weights = initialize(small, seed=4)
    save_weights(tmp_path / "small.npz", small, weights)
    imported = import_into_parts(tmp_path / "small.npz", load(CUT, HEAD))
    assert same(below(imported.weights, "backbone"), weights)

    strict = {**thin_resnet(), "defaults": {"batch_norm": {"epsilon": 1e-3}}}
    other = archspec.loads(json.dumps(strict))
    save_weights(tmp_path / "other.npz", other, initialize(other))
    with pytest.raises(SpecError, match=r"were made for thin \(\w+\), not for thin at back"):
        import_into_parts(tmp_path / "other.npz", load(CUT, HEAD))
    assert import_into_parts(
        tmp_path / "other.npz", load(CUT, HEAD), ImportOptions(of_any_network=True)
    )


def test_a_file_of_the_part_alone(torchvision, tmp_path):
    tensors = safetensors.load_file(torchvision)
    headless = {n: a for n, a in tensors.items() if not n.startswith(("layer4", "fc"))}
    safetensors.save_file(headless, tmp_path / "headless.safetensors")
    imported = import_into_parts(tmp_path / "headless.safetensors", load(CUT, HEAD))
    theirs = import_weights(torchvision, ALONE).weights
    assert same(below(imported.weights, "backbone"), theirs)


def test_weights_of_the_whole_spec_are_the_specs_own(tmp_path):
    graph = load(CUT, HEAD)
    weights = initialize(graph, seed=9)
    save_weights(tmp_path / "all.npz", graph, weights)
    assert same(import_into_parts(tmp_path / "all.npz", graph).weights, weights)


@pytest.mark.parametrize(
    "network, change, sentence",
    [
        ("resnet34", {}, "do not fit resnet34 at backbone: "),
        ("thin.json", {"layer1.0.conv1.weight": None}, "fit thin at backbone: 1 missing from"),
        ("thin.json", {"layer4.0.conv1.weight": None}, "fit thin at backbone: 1 missing from"),
        ("thin.json", {"layer5.weight": (3,)}, "fit thin at backbone: 1 not of this network"),
    ],
)  # fmt: skip
def test_what_is_not_the_networks_is_refused(torchvision, tmp_path, network, change, sentence):
    tensors = safetensors.load_file(torchvision)
    for name, shape in change.items():
        tensors.pop(name, None)
        if shape is not None:
            tensors[name] = np.zeros(shape, np.float32)
    safetensors.save_file(tensors, tmp_path / "wrong.safetensors")
    with pytest.raises(SpecError) as error:
        import_into_parts(tmp_path / "wrong.safetensors", load(CUT, HEAD, network=network))
    assert sentence in str(error.value)
