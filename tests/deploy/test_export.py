"""`archspec export` to ONNX, MindIR and AIR: what is written, the check of it, what is refused."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import archspec
from archspec.cli import OK, USAGE, WRONG, main
from archspec.compiler.model import Model
from archspec.compiler.pipeline import for_deployment
from archspec.errors import SpecError, UsageError
from archspec.extras import install_hint

np = pytest.importorskip("numpy")
onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from oracles.rule_b import image, with_random_weights  # noqa: E402

from archspec.compiler.targets import reference  # noqa: E402
from archspec.compiler.weights.loading import save_weights  # noqa: E402
from archspec.deploy import checking, export  # noqa: E402
from archspec.deploy.description import read_sidecar  # noqa: E402
from archspec.deploy.export import Source, write_om, write_onnx  # noqa: E402

ROOT = Path(__file__).parents[2]
CLASSES = ["Ähre", "bee", *(f"class {number}" for number in range(3, 11))]
RANDOM = "note: without --weights they are random, scheme he, seed 0\n"


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    folder = tmp_path / "place"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def run(capsys):
    def called(*arguments):
        code = main(["export", *map(str, arguments)])
        out, err = capsys.readouterr()
        return code, out, err

    return called


@pytest.fixture
def weights(tmp_path):
    """A file of weights as a training leaves it, and its model."""
    model = with_random_weights(archspec.load("tiny/cspdarknet"))
    path = tmp_path / "weights.safetensors"
    save_weights(path, model.graph, model.weights, {"classes": json.dumps(CLASSES)})
    return path, model


def session(path):
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def logits(path, images):
    return session(path).run(["logits"], {"image": images})[0]


def properties(path):
    return {entry.key: entry.value for entry in onnx.load(path).metadata_props}


# ONNX.


def test_what_is_written_is_the_network(run, weights):
    path, model = weights
    code, out, err = run("tiny/cspdarknet", "--weights", path, "-o", "net.onnx")
    assert (code, err) == (OK, "")
    first, second = out.splitlines()
    size = Path("net.onnx").stat().st_size / 1024
    deployed = for_deployment(model).graph.params  # batch norms are folded
    assert deployed < model.graph.params
    assert first == f"wrote net.onnx: {deployed:,} parameters, {size:.0f} KiB"
    assert second.startswith("checked: onnxruntime gives numpy's numbers, to ")
    x = image(model.graph.input_shape, seed=5)
    expected = reference.run(model.graph, model.weights, x)["logits"]
    assert np.abs(logits("net.onnx", x) - expected).max() <= 1e-5 * np.abs(expected).max()
    kinds = {node.op_type for node in onnx.load("net.onnx").graph.node}
    assert "BatchNormalization" not in kinds


def test_the_classes_are_in_the_file(run, weights):
    path, model = weights
    run("tiny/cspdarknet", "--weights", path, "-o", "net.onnx")
    written = properties("net.onnx")
    assert json.loads(written["classes"]) == CLASSES
    assert written["fingerprint"] == model.graph.fingerprint
    run("tiny/cspdarknet", "-o", "other.onnx")
    assert "classes" not in properties("other.onnx")


def test_without_weights_they_are_random_and_seeded(run):
    for name in ("one.onnx", "two.onnx"):
        code, _, err = run("tiny/isynet", "-o", name)
        assert (code, err) == (OK, RANDOM)
    assert Path("one.onnx").read_bytes() == Path("two.onnx").read_bytes()


@pytest.mark.parametrize(
    "options, opset, first, sizes",
    [
        ([], 11, 1, [1]),
        (["--batch", "3"], 11, 3, [3]),
        (["--dynamic-batch", "1, 8,16", "--opset", "13"], 13, "N", [1, 5]),
        (["--opset", "17"], 17, 1, [1]),
    ],
)
def test_batch_and_opset(options, opset, first, sizes, run, weights):
    path, model = weights
    assert run("tiny/cspdarknet", "--weights", path, "-o", "net.onnx", *options)[0] == OK
    proto = onnx.load("net.onnx")
    dim = proto.graph.input[0].type.tensor_type.shape.dim[0]
    assert (proto.opset_import[0].version, dim.dim_param or dim.dim_value) == (opset, first)
    for size in sizes:
        x = image(model.graph.input_shape, size)
        assert logits("net.onnx", x).shape == (size, 10)


def test_names_and_formats(run):
    assert run("tiny/isynet", "--format", "onnx")[0] == OK
    assert run("tiny/isynet", "-o", "sub.net.onnx")[0] == OK
    assert run("tiny/isynet", "--format", "onnx", "-o", "plain")[0] == OK
    assert sorted(path.name for path in Path().iterdir()) == [
        "plain", "sub.net.onnx", "tiny_isynet.onnx",
    ]  # fmt: skip


def test_several_outputs_and_overrides(run):
    assert run("cspdarknet53_detector", "--input", "3x64x64", "-o", "net.onnx")[0] == OK
    assert len(onnx.load("net.onnx").graph.output) == 3
    assert run("tiny/isynet", "--set", "classes=3", "-o", "three.onnx")[0] == OK
    assert logits("three.onnx", image((1, 8, 8))).shape == (1, 3)


# The check.


@pytest.fixture
def broken(monkeypatch):
    """A deployment pass that gets one weight wrong, by a factor."""

    def by(factor):
        def wrong(model):
            good = for_deployment(model)
            name, array = next(iter(good.weights.items()))
            return replace(good, weights={**good.weights, name: array * np.float32(factor)})

        monkeypatch.setattr(export, "for_deployment", wrong)

    return by


def test_a_mismatch_leaves_no_file(run, broken, place):
    broken(1.01)
    code, out, err = run("tiny/isynet", "-o", "net.onnx")
    assert (code, out) == (WRONG, "")
    assert err.startswith(
        f"{RANDOM}error: onnxruntime and numpy differ on logits of tiny_isynet by "
    )
    assert ", of which 0.0001 is allowed; nothing was written; every node is as the " in err
    assert err.endswith(", so a pass changed what the spec computes\n")
    assert not list(place.iterdir())


ONES = [
    {"op": "conv", "channels": 3, "kernel": 3},
    {"op": "softmax", "name": "share"},
    *({"op": "slice", "from": "share", "start": i, "stop": i + 1} for i in range(3)),
    {"op": "add", "from": ["slice", "slice2", "slice3"]},
    {"op": "group_norm", "groups": 1, "epsilon": 1e-30},
]
"""A norm of what is one everywhere but for rounding."""


def test_a_network_that_magnifies_rounding_is_not_laid_to_a_pass(run, place):
    spec = {"archspec": 1, "name": "t", "input": {"shape": [3, 16, 16]}, "body": ONES}
    (place / "ones.json").write_text(json.dumps(spec))
    code, _, err = run("ones.json", "-o", "net.onnx")
    assert code == WRONG
    assert re.search(r"; the network magnifies rounding: .* move an output by \d", err), err
    assert "a pass" not in err
    assert [path.name for path in place.iterdir()] == ["ones.json"]


@pytest.mark.parametrize("name", ["net.onnx", "net.mindir"])
def test_compile_checks_what_it_writes_as_export_does(name, broken, capsys, place):
    if name == "net.mindir":
        pytest.importorskip("mindspore")
    broken(1.01)
    assert main(["compile", "tiny/isynet", "--deployment", "-o", name]) == WRONG
    assert "and numpy differ on logits of tiny_isynet by " in capsys.readouterr().err
    assert not list(place.iterdir())
    assert main(["compile", "tiny/isynet", "-o", name]) == OK  # without that pass
    assert "gives numpy's numbers" in capsys.readouterr().out


def test_compile_keeps_batch_norms_and_classes(weights):
    path, _ = weights
    assert main(["compile", "tiny/cspdarknet", "--weights", str(path), "-o", "net.onnx"]) == OK
    assert "BatchNormalization" in {node.op_type for node in onnx.load("net.onnx").graph.node}
    assert json.loads(properties("net.onnx")["classes"]) == CLASSES


def test_a_mismatch_leaves_the_old_file(run, broken):
    Path("net.onnx").write_bytes(b"old")
    broken(1.01)
    run("tiny/isynet", "-o", "net.onnx")
    assert Path("net.onnx").read_bytes() == b"old"


def test_numbers_that_are_none_do_not_pass(run, broken, place):
    broken(float("nan"))
    code, _, err = run("tiny/isynet", "-o", "net.onnx")
    assert code == WRONG
    assert "differ on logits of tiny_isynet by nan;" in err
    assert not list(place.iterdir())


def test_weights_under_which_numbers_overflow_are_refused(run, tmp_path, place):
    model = with_random_weights(archspec.load("tiny/isynet"))
    arrays = {name: array * np.float32(1e20) for name, array in model.weights.items()}
    save_weights(tmp_path / "large.npz", model.graph, arrays)
    code, _, err = run("tiny/isynet", "--weights", tmp_path / "large.npz", "-o", "net.onnx")
    assert code == WRONG
    assert err.startswith("error: onnxruntime and numpy differ on logits of tiny_isynet by nan; ")
    assert not list(place.iterdir())


@pytest.mark.parametrize(
    "worst, passes", [(0, True), (0.9e-4, True), (1.1e-4, False), (float("nan"), False)]
)
@pytest.mark.parametrize("scale", [1, 1e-12, 1e9])
def test_the_tolerance_is_relative(worst, passes, scale):
    expected = np.array([[1.0, -0.5]]) * scale
    sample = checking.Sample("net", np.zeros((1, 1)), (0,), {"logits": expected})
    ours = expected + np.array([[0.0, worst]]) * scale
    if passes:
        comparison = checking.compare("an engine", {"logits": ours}, sample)
        assert comparison.difference == pytest.approx(worst, abs=1e-9)
    else:
        with pytest.raises(SpecError, match="an engine and numpy differ on logits of net by"):
            checking.compare("an engine", {"logits": ours}, sample)


def test_the_last_image_of_a_batch_is_compared_too():
    model = with_random_weights(archspec.load("tiny/isynet"))
    sample = checking.sample_of(model, 5)
    assert sample.rows == (0, 4)
    expected = reference.run(model.graph, model.weights, sample.images)["logits"]
    checking.compare("numpy", {"logits": expected}, sample)
    for row, is_seen in [(0, True), (4, True), (2, False)]:
        changed = expected.copy()
        changed[row] += 1
        if is_seen:
            with pytest.raises(SpecError):
                checking.compare("numpy", {"logits": changed}, sample)
        else:
            checking.compare("numpy", {"logits": changed}, sample)
    with pytest.raises(SpecError, match=r"the shape \(2, 10\), and it should have \(5, 10\)"):
        checking.compare("numpy", {"logits": expected[:2]}, sample)


def test_the_reference_is_the_network_before_any_pass(monkeypatch):
    """So a fault of a pass shows."""
    model = with_random_weights(archspec.load("tiny/isynet"))
    seen = []
    original = reference.run
    monkeypatch.setattr(
        reference, "run", lambda graph, *rest: seen.append(graph) or original(graph, *rest)
    )
    write_onnx(Source(model), "net.onnx")
    assert [graph.fingerprint for graph in seen] == [model.graph.fingerprint]


def test_what_takes_long_is_told(monkeypatch, capsys):
    with checking.told_when_slow("computing"):
        pass
    monkeypatch.setattr(checking, "SLOW", 0.01)
    said = ""
    with checking.told_when_slow("computing more"):
        while not said:
            said = capsys.readouterr().err
    assert said == "computing more ...\n"


def test_what_onnxruntime_cannot_read_is_a_sentence():
    model = with_random_weights(archspec.load("tiny/isynet"))
    with pytest.raises(SpecError) as error:
        checking.check_onnx(b"no model", model, 1)
    message = str(error.value)
    assert message.startswith("onnxruntime cannot run what was exported, so it was not written (")
    assert "\n" not in message


# Where something is missing.


def without(blocked, *arguments):
    """The command in a process in which these packages cannot be imported."""
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({list(blocked)!r}));"
        f"from archspec.cli import main; sys.exit(main({['export', *arguments]!r}))"
    )
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


HEAVY = ("numpy", "onnx", "onnxruntime", "mindspore")


def test_without_onnxruntime_it_is_written_and_said():
    result = without(["onnxruntime"], "tiny/isynet", "-o", "net.onnx")
    assert result.returncode == OK
    note = result.stderr.removeprefix(RANDOM)
    assert note.startswith("note: the ONNX was not run; that needs onnxruntime, which is not")
    assert note.endswith(f"); run {install_hint('onnx')}\n")
    assert result.stdout.startswith("wrote net.onnx: ")
    assert "checked" not in result.stdout
    assert logits("net.onnx", image((1, 8, 8))).shape == (1, 10)


def test_onnx_needs_no_mindspore():
    assert without(["mindspore"], "tiny/isynet", "-o", "net.onnx").returncode == OK


@pytest.mark.parametrize(
    "name, extra", [("net.onnx", "onnx"), ("net.om", "onnx"), ("net.mindir", "mindspore"),
                    ("net.air", "mindspore")],
)  # fmt: skip
def test_a_bare_python_says_what_to_install(name, extra, place):
    soc = ["--soc", "Ascend310"] if name == "net.om" else []
    result = without(HEAVY, "tiny/isynet", "-o", name, *soc)
    assert (result.returncode, result.stdout) == (WRONG, "")
    assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1
    assert install_hint(extra) in result.stderr
    assert not list(place.iterdir())


def test_help_needs_nothing():
    assert without(HEAVY, "--help").returncode == OK


# Refusals.


@pytest.mark.parametrize(
    "options, message",
    [
        (
            [],
            "the command does not say what to write; use --format with onnx, mindir, air, om, or"
            " -o with such an ending",
        ),
        (
            ["-o", "net.pb"],
            "net.pb does not say what to write; use --format with onnx, mindir, air, om, or -o"
            " with such an ending",
        ),
        (["-o", "n.onnx", "--batch", "0"], "--batch 0: it must be 1 to 2,048"),
        (["-o", "n.onnx", "--batch", "2049"], "--batch 2049: it must be 1 to 2,048"),
        (["-o", "n.onnx", "--batch", "any"], "--batch any: it must be 1 to 2,048"),
        (["-o", "n.onnx", "--batch", "9" * 5000], f"--batch {'9' * 1000}"),
        (
            ["-o", "n.onnx", "--dynamic-batch", "1,,8"],
            "--dynamic-batch without a number: it must be 1 to 2,048",
        ),
        (["-o", "n.onnx", "--dynamic-batch", "1,-8"], "--dynamic-batch -8: it must be 1 to 2,048"),
        (
            ["-o", "n.onnx", "--soc", "Ascend310"],
            "--soc is for om; leave it out for onnx",
        ),
        (
            ["-o", "n.mindir", "--no-aipp"],
            "--no-aipp is for om; leave it out for mindir",
        ),
        (
            ["-o", "n.mindir", "--opset", "13"],
            "--opset is for onnx and om; leave it out for mindir",
        ),
        (
            ["-o", "n.onnx", "--timeout", "9"],
            "--timeout is for om; leave it out for onnx",
        ),
        (
            ["-o", "n.om", "--soc", "Ascend310", "--timeout", "0"],
            "--timeout 0: it must be more than 0 seconds",
        ),
        (
            ["-o", "n.om", "--soc", "Ascend310", "--timeout", "nan"],
            "--timeout nan: it must be more than 0 seconds",
        ),
        (
            ["-o", "n.om", "--soc", "Ascend310", "--dynamic-batch", "8"],
            "an OM has 2 to 100 batch sizes to choose from, and --dynamic-batch gives 1; use"
            " --batch N for one",
        ),
        (
            ["-o", "/dev/null/such/net.onnx"],
            "/dev/null/such/net.onnx cannot be written (not a directory); use a path in a folder"
            " that may be written to",
        ),
    ],
)
def test_bad_usage(options, message, run, place):
    code, out, err = run("tiny/isynet", *options)
    assert (code, out) == (USAGE, "")
    assert err.removeprefix(RANDOM).startswith(f"error: {message}")
    assert err.removeprefix(RANDOM).count("\n") == 1
    assert not list(place.iterdir())


def test_one_batch_or_several(run):
    code, _, err = run("tiny/isynet", "-o", "n.onnx", "--batch", "1", "--dynamic-batch", "1,2")
    assert code == USAGE
    assert "argument --dynamic-batch: not allowed with argument --batch" in err


def test_weights_of_another_network(run, weights, place):
    code, _, err = run("tiny/resnext", "--weights", weights[0], "-o", "net.onnx")
    assert code == WRONG
    assert "the weights do not fit tiny_resnext" in err
    assert not list(place.iterdir())


def test_channels_that_no_image_has():
    graph = archspec.load("tiny/cspdarknet")
    from archspec.loading import build
    from archspec.program import read_program  # an input of 5 channels

    graph = build(read_program("tiny/cspdarknet"), {}, (5, 32, 32))
    source = Source(with_random_weights(graph))
    with pytest.raises(UsageError) as error:
        write_om(source, "net.om", "Ascend310")
    assert str(error.value) == (
        "the network takes 5x32x32, 5 channels; images have 3, or 1 as grey; use --no-aipp,"
        " with float input"
    )


# MindIR and AIR.


def test_mindir(run, weights):
    pytest.importorskip("mindspore")
    import mindspore as ms

    path, model = weights
    code, out, _ = run("tiny/cspdarknet", "--weights", path, "-o", "net.mindir", "--batch", "2")
    assert code == OK
    assert out.splitlines()[1].startswith("checked: MindSpore gives numpy's numbers, to ")
    x = image(model.graph.input_shape, 2)
    found = ms.nn.GraphCell(ms.load("net.mindir"))(ms.Tensor(x)).asnumpy()
    expected = reference.run(model.graph, model.weights, x)["logits"]
    assert np.abs(found - expected).max() <= 1e-4 * np.abs(expected).max()
    assert Path("net.mindir").stat().st_mode & 0o200  # MindSpore itself leaves it read-only
    assert read_sidecar("net.mindir")["fingerprint"] == model.graph.fingerprint


def test_mindir_of_any_batch_and_several_outputs(run):
    pytest.importorskip("mindspore")
    import mindspore as ms

    assert run("tiny/isynet", "-o", "net.mindir", "--dynamic-batch", "1,8")[0] == OK
    network = ms.nn.GraphCell(ms.load("net.mindir"))
    for size in (1, 3):
        assert network(ms.Tensor(image((1, 8, 8), size))).shape == (size, 10)
    code, out, _ = run("cspdarknet53_detector", "--input", "3x64x64", "-o", "three.mindir")
    assert code == OK
    assert "checked: MindSpore" in out


def test_a_wrong_mindir_is_not_written(run, broken, place):
    pytest.importorskip("mindspore")
    broken(1.01)
    code, _, err = run("tiny/isynet", "-o", "net.mindir")
    assert code == WRONG
    assert "MindSpore and numpy differ on logits of tiny_isynet by " in err
    assert not list(place.iterdir())


def test_air_without_an_ascend(run, place):
    pytest.importorskip("mindspore")
    from archspec.compiler.targets.mindspore.device import missing_for

    if not missing_for("Ascend"):
        pytest.skip("this machine has CANN")
    code, _, err = run("tiny/isynet", "-o", "net.air")
    assert code == WRONG
    assert err == (
        f"{RANDOM}error: MindSpore writes AIR on an Ascend device alone, and CANN (libascendcl;"
        " source its set_env.sh) is missing here; use --format om, which needs CANN but no device"
        "\n"
    )
    assert not list(place.iterdir())


def test_air_as_mindspore_itself_refuses_it(place):
    """What a MindSpore for CPU says even where CANN is installed; in a process of its own, for
    after that it compiles no branches any more."""
    pytest.importorskip("mindspore")
    code = """
import archspec
from archspec.errors import UsageError
from archspec.compiler.model import Model
from archspec.compiler.targets import mindspore
from archspec.compiler.targets.mindspore import device
from archspec.compiler.weights.initialize import initialize
from archspec.deploy.export import Source, write_air

device.missing_for = lambda name: ""
mindspore.set_device = lambda name: None
graph = archspec.load("tiny/isynet")
model = Model(graph, initialize(graph, "he", 0))
for batch in (1, None):
    try:
        write_air(Source(model, batch), "net.air")
    except UsageError as error:
        print(error)
"""
    result = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert result.stdout.splitlines() == [
        "MindSpore cannot write AIR here (Only support export file in 'AIR' format with Ascend"
        " backend.); use --format om",
        "AIR has one batch size; use --batch N",
    ]
    assert not list(place.iterdir())


def test_a_model_that_runs_is_what_the_library_gives(weights):
    _, model = weights
    comparison = write_onnx(Source(model, batch=None, opset=13, notes={"mine": "1"}), "net.onnx")
    assert comparison.engine == "onnxruntime" and 0 <= comparison.difference < 1e-5
    assert properties("net.onnx")["mine"] == "1"
    assert isinstance(model, Model)


def test_the_node_that_differs_most_is_named():
    """A file of other weights in one layer, beside the model that it is said to be made of."""
    pytest.importorskip("onnxruntime")
    from archspec.compiler.targets.onnx.model import serialize, to_onnx

    graph = archspec.load("tiny/isynet")
    model = with_random_weights(graph)
    written = for_deployment(model)
    name = next(n for n in reversed(written.graph.nodes) if n.endswith("conv"))
    wrong = {**written.weights, f"{name}.weight": written.weights[f"{name}.weight"] + 0.5}
    content = serialize(to_onnx(Model(written.graph, wrong)))
    with pytest.raises(SpecError, match=rf"beyond the tolerance is {re.escape(name)}, by \d"):
        checking.check_onnx(content, model, 1, written=written)
    good = serialize(to_onnx(written))
    assert checking.check_onnx(good, model, 1, written=written).difference < 1e-5
