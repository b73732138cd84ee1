"""`archspec compare-outputs`: the judge of numbers is onnxruntime called by hand, and of float16
PyTorch's own."""

from __future__ import annotations

import json

import pytest

np = pytest.importorskip("numpy")
pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from PIL import Image  # noqa: E402 (all need numpy)

import archspec  # noqa: E402
from archspec.cli import OK, USAGE, WRONG  # noqa: E402
from archspec.compiler.model import Model  # noqa: E402
from archspec.compiler.pipeline import for_deployment  # noqa: E402
from archspec.compiler.targets import reference  # noqa: E402
from archspec.compiler.targets.reference.half import run_half  # noqa: E402
from archspec.compiler.weights.initialize import initialize  # noqa: E402
from archspec.compiler.weights.loading import save_weights  # noqa: E402

SPEC = "tiny/isynet"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Images, a network as ONNX, the same with other numbers in its weights, one with infinite
    logits."""
    folder = tmp_path_factory.mktemp("drift")
    random = np.random.default_rng(0)
    for name in ("a/1", "a/2", "b/3", "4"):
        (folder / "images" / name).parent.mkdir(parents=True, exist_ok=True)
        pixels = random.integers(0, 256, (8, 8), np.uint8)
        Image.fromarray(pixels).save(folder / "images" / f"{name}.png")
    graph = archspec.load(SPEC)
    weights = initialize(graph, "he", 3)
    noisy = {k: v * random.normal(1, 0.02, v.shape).astype(np.float32) for k, v in weights.items()}
    last = [name for name in weights if weights[name].ndim == 2][-1]
    huge = {**weights, last: np.full_like(weights[last], 3e4)}
    for name, arrays in (("one", weights), ("two", noisy), ("huge", huge)):
        save_weights(folder / f"{name}.npz", graph, arrays)
        archspec.export(SPEC, folder / f"{name}.onnx", weights=folder / f"{name}.npz", batch=None)
    return folder


@pytest.fixture(autouse=True)
def there(home, monkeypatch):
    monkeypatch.chdir(home)


def by_hand(model, images):
    settings = archspec.load(SPEC).preprocessing
    pixels = np.stack([np.asarray(Image.open(name), np.float64)[None] / 255 for name in images])
    pixels = ((pixels - settings["mean"][0]) / settings["std"][0]).astype(np.float32)
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return session.run(["logits"], {session.get_inputs()[0].name: pixels})[0].astype(np.float64)


def test_figures_are_those_of_the_outputs(told, home):
    arguments = ("compare-outputs", "one.onnx", "two.onnx", "--data", "images")
    rows = json.loads(told(*arguments, "--format", "json"))
    names = ["4.png", "a/1.png", "a/2.png", "b/3.png"]
    assert sorted(row["image"] for row in rows) == names
    files = [f"images/{name}" for name in names]
    ours, theirs = by_hand("one.onnx", files), by_hand("two.onnx", files)
    for row in rows:
        a, b = ours[names.index(row["image"])], theirs[names.index(row["image"])]
        assert row["cosine"] == pytest.approx(a @ b / np.sqrt((a @ a) * (b @ b)), abs=1e-6)
        assert row["largest"] == pytest.approx(np.abs(a - b).max(), rel=1e-4)
        assert row["same_top1"] == (a.argmax() == b.argmax())
    table = told(*arguments, "--show", "1")
    least = min(rows, key=lambda row: row["cosine"])
    assert least["image"] in table and f"{least['cosine']:.6f}" in table
    assert "4 compared, " in table


def test_what_one_machine_gave_is_compared_on_another(told, run, tmp_path):
    kept = tmp_path / "board.npz"
    assert "4 images" in told("compare-outputs", "two.onnx", "--data", "images", "-o", kept)
    live = told("compare-outputs", "one.onnx", "two.onnx", "--data", "images", "--format", "json")
    said = told("compare-outputs", "one.onnx", kept, "--data", "images", "--format", "json")
    assert json.loads(said) == json.loads(live)
    code, *_ = run("compare-outputs", "one.onnx", kept, "--data", "images", "--limit", "0.9999999")
    assert code == WRONG
    code, *_ = run("compare-outputs", "two.onnx", kept, "--data", "images", "--limit", "0.9999999")
    assert code == OK


def test_float16_is_as_far_off_as_pytorchs():
    torch = pytest.importorskip("torch")
    graph = archspec.load(SPEC)
    model = for_deployment(Model(graph, initialize(graph, "he", 1)))
    images = np.random.default_rng(0).standard_normal((5, 1, 8, 8)).astype(np.float32)
    (right,) = reference.run(model.graph, model.weights, images).values()
    (ours,) = run_half(model, images).values()
    network = archspec.build(model, target="torch").eval().half()
    with torch.no_grad():
        theirs = network(torch.from_numpy(images).half()).float().numpy()
    off = [np.abs(one - right).max() / np.abs(right).max() for one in (ours, theirs)]
    assert 1e-5 < off[0] < 0.02
    assert off[1] / 10 < off[0] < off[1] * 10


def test_what_overflows_in_float16_is_said(told):
    out = told(
        "compare-outputs", "huge.onnx", "--fp16", "--spec", SPEC, "--weights", "huge.npz",
        "--data", "images",
    )  # fmt: skip
    assert "NOT FINITE" in out and "4 not finite" in out


@pytest.mark.parametrize(
    "arguments, message, code",
    [
        (["one.onnx", "--data", "images"], "what A is compared with is missing; use B, or", USAGE),
        (["one.onnx", "two.onnx"], "--data is missing; use --data DIR, a folder of images", USAGE),
        (["one.onnx", "--fp16", "--data", "images"], "--fp16 computes a spec; use --spec", USAGE),
        (["one.onnx", "gone.npz", "--data", "images"], "gone.npz does not exist; use a", USAGE),
        (["one.onnx", "two.onnx", "--data", "one.npz"], "one.npz is not a folder; use a", USAGE),
        (["one.onnx", "one.npz", "--data", "images"], "one.npz has no outputs in it (", WRONG),
        (["one.onnx", "bad.npz", "--data", "images"], "bad.npz has no outputs in it (", WRONG),
        (["one.onnx", "p.npz", "--data", "images"], "p.npz has no outputs in it (", WRONG),
    ],
)
def test_wrong_use_and_damaged_files(arguments, message, code, home, run):
    (home / "bad.npz").write_bytes(b"PK\x03\x04garbage")
    np.savez(home / "p.npz", **{"image names": np.array([{}], object), "logits": np.zeros((1, 2))})
    ended, out, err = run("compare-outputs", *arguments)
    assert (ended, out, err.count("\n")) == (code, "", 1)
    assert err.startswith(f"error: {message}")
