"""Files written by commit f0ec3b9 still open: weights, runs, searches, ONNX, MindIR, OM.

tests/data/f0ec3b9 holds them as that commit wrote them. `net` writes every attribute in its
shortest form; `forms` writes each in another one, and its fingerprint of then says so. The run,
stopped after 7 of 12 steps, is of `forms` with a mish that has an alpha, which means nothing.
"""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import pytest

import archspec
from archspec.checksums import read_lines, seal
from archspec.cli import main

np = pytest.importorskip("numpy")

from archspec.compiler.targets import reference  # noqa: E402
from archspec.compiler.weights.loading import load_weights  # noqa: E402
from archspec.deploy.description import describe  # noqa: E402

OLD = Path(__file__).parents[1] / "data" / "f0ec3b9"
FINGERPRINTS = {
    "net": "1a95def91321e95a5a86a7b893ec34deeceb3b370414bd82e78e15d2b3641c14",
    "forms": "c243d273877a7bd60aad43b4b3b653042a33e948eb33ab536bd02d1a07f93546",
}
LOGITS = {
    "net": (-0.004443305420102017, -0.14756253931508462, -1.5084539992433843),
    "forms": (-0.07053539262116332, -0.5059815811490258, -0.8445412181111678),
}
"""What that commit's reference gave for `image` with the weights in the files."""


def image(graph):
    return np.linspace(-1, 1, int(np.prod(graph.input_shape))).reshape(1, *graph.input_shape)


def graph_of(name):
    return archspec.load(OLD / f"{name}.json")


@pytest.fixture
def old(tmp_path, monkeypatch):
    """A copy to work on, with the images that the trainings saw."""
    shutil.copytree(OLD, tmp_path / "old")
    with zipfile.ZipFile(OLD / "digits.zip") as archive:
        archive.extractall(tmp_path / "digits")
    for empty in ("run/logs", "trained/workers"):  # git keeps no empty folders
        (tmp_path / "old" / empty).mkdir()
    for name in ("run.json", "settings.json"):
        for path in tmp_path.rglob(name):
            path.write_text(path.read_text().replace("/tmp/data", str(tmp_path / "digits")))
    monkeypatch.chdir(tmp_path / "old")
    return tmp_path / "old"


@pytest.mark.parametrize("file", ["net.ckpt", "forms.ckpt", "forms.npz", "forms.safetensors"])
def test_weights(file):
    graph = graph_of(Path(file).stem)
    weights = load_weights(OLD / file, graph)
    logits = reference.run(graph, weights, image(graph))["logits"]
    np.testing.assert_allclose(logits[0], LOGITS[graph.name], rtol=1e-6)


def test_weights_of_another_network_are_refused(tmp_path):
    """The same tensors, another function: an old fingerprint is not a way around."""
    text = (OLD / "forms.json").read_text().replace('"leaky_relu", "alpha": 0.01', '"relu"')
    (tmp_path / "forms.json").write_text(text)
    with pytest.raises(archspec.SpecError, match="the weights were made for forms"):
        load_weights(OLD / "forms.npz", archspec.load(tmp_path / "forms.json"))


@pytest.mark.parametrize("file", ["net.onnx", "forms.onnx"])
def test_onnx(file):
    onnxruntime = pytest.importorskip("onnxruntime")
    graph = graph_of(Path(file).stem)
    session = onnxruntime.InferenceSession(str(OLD / file), providers=["CPUExecutionProvider"])
    metadata = session.get_modelmeta().custom_metadata_map
    assert metadata["fingerprint"] == FINGERPRINTS[graph.name]
    assert describe(OLD / file, metadata, graph).name == graph.name
    result = session.run(["logits"], {"image": image(graph).astype(np.float32)})[0]
    np.testing.assert_allclose(result[0], LOGITS[graph.name], rtol=1e-4)


@pytest.mark.parametrize("file", ["forms.mindir", "forms.om"])
def test_what_stands_beside_a_model(file):
    graph = graph_of("forms")
    for asked in (graph, None):
        description = describe(OLD / file, {}, asked)
        assert description.name == "forms"
        assert description.preprocessing.shape == (3, 9, 8)


def test_mindir_runs(old, capsys):
    pytest.importorskip("mindspore")
    assert main(["infer", "forms.mindir", "--data", "../digits", "--spec", "forms.json"]) == 0
    assert "Total data: 18" in capsys.readouterr().out


def test_search_that_counts(old, capsys):
    assert main(["search", "pareto", "search", "--format", "json"]) == 0
    front = json.loads(capsys.readouterr().out)
    assert {"71f20fdaa29b", "42662b920b5d"} < {row["id"] for row in front}
    assert main(["search", "derive", "search", "--id", "42662b", "-o", "found.json"]) == 0
    assert main(["validate", "found.json"]) == 0


def test_search_that_trains(old, capsys):
    """Nothing is left to do, and nothing is done twice."""
    pytest.importorskip("mindspore")
    path = old / "trained" / "trials.jsonl"
    trials = read_lines(path.read_bytes()).records
    assert main(["search", "--resume", "trained"]) == 0
    assert read_lines(path.read_bytes()).records == trials


def test_a_training_whose_last_line_is_lost_is_made_again(old, capsys):
    """Its checkpoints were let go when it was over. First the lines have no checksums, then they
    have: they are written now."""
    pytest.importorskip("mindspore")
    from archspec.training.search.accuracy import main as train

    home = old / "trained" / "training" / "3ed5564de242"
    top1 = json.loads((home / "accuracy.json").read_text())["top1"]
    for earlier in ("earlier", "earlier-2"):
        (home / "accuracy.json").unlink()
        metrics = home / "seed1" / "metrics.jsonl"
        content = metrics.read_bytes()
        metrics.write_bytes(content[:-20] + b"\x07" + content[-19:])
        assert train(["trained", "3ed5564de242"]) == 0
        assert "has lost the line of its last epoch" in capsys.readouterr().err
        found = json.loads((home / "accuracy.json").read_text())
        assert found["crc32"] == seal(found)["crc32"]
        assert found["top1"] == pytest.approx(top1)
        (note,) = found["notes"]
        assert note.endswith(
            f"what there is of it is kept in trained/training/3ed5564de242/seed1/{earlier}"
        )
        kept = (home / "seed1" / earlier / "metrics.jsonl").read_bytes()
        assert kept == content[:-20] + b"\x07" + content[-19:]
        lines = read_lines(metrics.read_bytes(), required=True)
        assert (lines.records[-1]["kind"], lines.damaged) == ("epoch", ())


def test_search_of_a_supernet(old, capsys):
    """Stopped in its fifth epoch of six; resumed, that commit found this network too."""
    pytest.importorskip("mindspore")
    assert main(["search", "--resume", "supernet"]) == 0
    said = capsys.readouterr().err
    assert "seed1-lam0.3: epoch 5/6" in said
    assert "epoch 4/6" not in said
    home = old / "supernet" / "single_path" / "seed1-lam0.3"
    found = json.loads((home / "found.json").read_text())
    assert found["assignment"] == {"layer.kernel": 3, "layer.expand": 2}
    assert found["objectives"]["top1"] == pytest.approx(0.3888888888888889)
    assert found["objectives"]["loss"] == pytest.approx(1.0988069261183488, rel=1e-5)
    # from now on every line and object carries a checksum
    lines = read_lines((home / "log.jsonl").read_bytes(), required=True)
    assert [line["epoch"] for line in lines.records] == [3, 4, 5, 6]
    assert not lines.damaged
    for path in (home / "found.json", home.parent / "settings.json", old / "supernet/found.json"):
        facts = json.loads(path.read_text())
        assert facts["crc32"] == seal(facts)["crc32"]


def test_run_is_opened_and_resumed(old, capsys):
    pytest.importorskip("mindspore")
    from archspec.training.run import open_run

    (graph,) = open_run("run").networks
    load_weights("run/best.safetensors", graph)
    assert main(["train", "--resume", "run"]) == 0
    out, err = capsys.readouterr()
    assert "epoch 4/4" in out + err
    assert "refused" not in err
    steps = [
        json.loads(line)["step"] for line in Path("run/metrics.jsonl").read_text().splitlines()
    ]
    assert steps[-1] == 12
    # from now on every line and run.json carry a checksum
    assert not read_lines(Path("run/metrics.jsonl").read_bytes(), required=True).damaged
    facts = json.loads(Path("run/run.json").read_text())
    assert (facts["run"], facts["crc32"]) == (2, seal(facts)["crc32"])
    assert main(["train", "--resume", "run"]) == 0
    (graph,) = open_run("run").networks
    load_weights("run/best.safetensors", graph)


def test_a_run_of_before_averages_warmed_up_averages_as_it_did(old):
    from archspec.training.recipe_files import read_recipe
    from archspec.training.run import open_run

    recipe = old / "run" / "recipe.yaml"
    recipe.write_text(recipe.read_text().replace("ema: null", "ema: {decay: 0.99}"))
    assert open_run("run").recipe.ema.warmup is False
    assert read_recipe(str(recipe)).ema.warmup is True
