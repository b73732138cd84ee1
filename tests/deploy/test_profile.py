"""Time of each layer: kernels joined to a spec's nodes, msprof's tables of both generations, an
estimate where there is no device. No msprof and no NPU are here: a stand-in writes its files.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

import onnx
from oracles.networks import network

import archspec
from archspec.cli import OK, USAGE, WRONG, main
from archspec.compiler.latency import estimate, find_device
from archspec.compiler.model import Model
from archspec.compiler.pipeline import for_deployment
from archspec.compiler.targets.onnx import write_onnx
from archspec.compiler.weights.initialize import initialize
from archspec.deploy.profile.cpu import kernels_of, measure
from archspec.deploy.profile.joining import Kernel, join, names_in
from archspec.deploy.profile.msprof import FLAGS, find_msprof
from archspec.deploy.profile.op_summary import find_op_summary, is_stand_in, read_op_summary
from archspec.deploy.profile.report import LayerTime, Profile
from archspec.errors import SpecError, UsageError
from archspec.ops.conv import Conv
from archspec.sources import shipped_names

STAND_INS = Path(__file__).parents[1] / "stand_ins"
CSP = "tiny/cspdarknet"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """csp.onnx, a deployed network with mish, for 2 images."""
    folder = tmp_path_factory.mktemp("profile")
    graph = archspec.load(CSP)
    model = for_deployment(Model(graph, initialize(graph, "he", 0)))
    write_onnx(model, folder / "csp.onnx", batch=2)
    return folder


@pytest.fixture
def there(home, monkeypatch):
    monkeypatch.chdir(home)
    return home


def rows_of(told, *arguments):
    return json.loads(told("profile", *arguments, "--format", "json"))


# Names.


@pytest.mark.parametrize(
    "text, names",
    [
        ("stem.conv", ["stem.conv"]),
        ("stem.conv_nchwc", ["stem.conv"]),
        ("stem.act/Softplus", ["stem.act"]),
        ("stem.act/QuickGeluFusion/", ["stem.act"]),
        ("stem.convstem.act", ["stem.conv", "stem.act"]),
        ("stem.conv_stem.act", ["stem.conv", "stem.act"]),
        ("fused stem.conv", ["stem.conv"]),
        ("stem.conv2", ["stem.conv2"]),
        ("stem.conv2stem.conv", ["stem.conv2", "stem.conv"]),
        ("max_pool", ["max_pool"]),
        ("PartitionedCall_stem.act_Relu_3", ["stem.act"]),
        ("stem.conv3", []),
        ("xstem.conv", []),
        ("stem.con", []),
        ("trans_TransData_0", []),
        ("ReorderOutput_token_12", []),
        ("", []),
    ],
)
def test_names_in_names(text, names):
    known = dict.fromkeys(("stem.conv", "stem.conv2", "stem.act", "max_pool", "pool"))
    assert names_in(text, known) == names


@given(st.data())
def test_fused_names_are_taken_apart(data):
    known = dict.fromkeys(archspec.load("resnet18").nodes)
    parts = data.draw(st.lists(st.sampled_from([*known]), min_size=1, max_size=3, unique=True))
    between = data.draw(st.sampled_from(["_", "/", " ", "__"]))
    assert names_in(between.join(parts) + data.draw(st.sampled_from(["", "_nchwc", "/Relu"])),
                    known) == parts  # fmt: skip


# Joining.


def test_every_node_s_own_kernel_is_its_row():
    graph = for_deployment(Model(archspec.load("resnet18"))).graph
    kernels = [Kernel(name, "Any", 1.0) for name in graph.nodes]
    rows = join(kernels, archspec.load("resnet18"), 4)
    assert [row.layer for row in rows] == list(graph.nodes)
    assert [row.macs for row in rows] == [4 * node.layer.macs for node in graph.nodes.values()]


def test_fused_and_stray_kernels():
    """As onnxruntime has a residual block: a convolution by the name of its relu, one that adds the
    shortcut by its own name, changes of layout that are nobody's."""
    spec = archspec.load("resnet18")
    one, two = "stage1.block1.conv1", "stage1.block1.conv2"
    kernels = [
        Kernel("stem.act_nchwc", "Conv", 3.0),
        Kernel("max_pool_nchwc", "MaxPool", 0.5),
        Kernel(f"{one}.act_nchwc", "Conv", 1.0),
        Kernel(f"{two}.conv_nchwc", "Conv", 2.0),
        Kernel("logits", "Gemm", 0.125),
        Kernel("ReorderOutput", "ReorderOutput", 0.25),
        Kernel("ReorderOutput_token_1", "ReorderOutput", 0.5),
    ]
    rows = join(kernels, spec, 2)
    macs = {name: 2 * node.layer.macs for name, node in spec.nodes.items()}
    assert rows[:4] == (
        LayerTime("stem.conv", "conv+act", 3.0, macs["stem.conv"]),
        LayerTime("max_pool", "max_pool", 0.5, 0),
        LayerTime(f"{one}.conv", "conv+act", 1.0, macs[f"{one}.conv"]),
        LayerTime(f"{two}.conv", "conv+add+act", 2.0, macs[f"{two}.conv"]),
    )
    assert rows[-1] == LayerTime("(no layer's: 2 ReorderOutput)", "ReorderOutput", 0.75)
    last = [*spec.nodes][-1]
    assert rows[-2] == LayerTime(last, "dense", 0.125, macs[last])
    # the rest of the network was not found, and nobody else is charged with it
    others = rows[4:-2]
    left = {name for name in macs if macs[name]} - {row.layer for row in (*rows[:4], rows[-2])}
    assert {row.layer for row in others} == left
    assert {(row.op, row.milliseconds, row.macs) for row in others} == {
        ("conv, no kernel found", 0.0, None)
    }


def test_kernels_of_one_node_add_up():
    """Mish is three operators, and the convolution before it has its own."""
    graph = archspec.load(CSP)
    kernels = [
        Kernel("stem.conv", "Conv", 8.0),
        Kernel("stem.act/Softplus", "Softplus", 4.0),
        Kernel("stem.act/Tanh", "Tanh", 2.0, "vector"),
        Kernel("stem.act", "Mul", 1.0),
    ]
    rows = {row.layer: row for row in join(kernels, graph, 1)}
    assert rows["stem.conv"].milliseconds == 8.0
    assert rows["stem.act"].milliseconds == 7.0


def test_an_output_that_is_the_input_is_nobody_s():
    graph = network((4, 5, 5), ("conv", Conv(4, 3)), outputs={"logits": "conv", "same": "in"})
    rows = join([Kernel("logits", "Conv", 1.0), Kernel("same/Identity", "Identity", 0.5)], graph, 1)
    assert [row.layer for row in rows] == ["conv", "(no layer's: 1 Identity)"]


def test_without_a_spec_kernels_stand_alone():
    assert join([Kernel("a", "Conv", 1.0, "cube")], None, 8) == (
        LayerTime("a", "Conv", 1.0, None, "cube"),
    )


def test_merged_branches_are_counted_once():
    """RepVGG's three branches are one convolution in the file: those merged away add nothing."""
    spec = archspec.load("repvgg_a0")
    deployed = for_deployment(Model(spec)).graph
    kernels = [Kernel(name, "Any", 1.0) for name in deployed.nodes]
    rows = join(kernels, spec, 1)
    assert sum(row.macs for row in rows) == deployed.macs < spec.macs


# On the CPU.


def test_the_times_of_onnxruntime_are_of_the_spec_s_layers(there, told):
    graph = for_deployment(Model(archspec.load(CSP))).graph
    said = rows_of(told, "csp.onnx", "--spec", CSP, "--runs", "3")
    assert (said["kind"], said["batch"]) == ("measured", 2)
    assert said["source"] == "onnxruntime on this machine's CPU, no NPU"
    layers = [row for row in said["layers"] if not row["layer"].startswith("(no layer's: ")]
    assert sum(row["macs"] for row in layers) == 2 * graph.macs
    assert {row["layer"] for row in layers} <= set(graph.nodes)
    with_macs = {name for name, node in graph.nodes.items() if node.layer.macs}
    assert with_macs <= {row["layer"] for row in layers}
    strays = {row["op"] for row in said["layers"]} - {row["op"] for row in layers}
    assert strays <= {"ReorderInput", "ReorderOutput"}
    assert sum(row["share"] for row in said["layers"]) == pytest.approx(1)
    assert said["milliseconds"] == pytest.approx(sum(r["milliseconds"] for r in said["layers"]))
    for row in layers:
        if row["macs"]:
            rate = row["macs"] / row["milliseconds"] / 1e6
            assert row["gigamacs_per_second"] == pytest.approx(rate)


def test_the_first_runs_do_not_count():
    def event(name, kind, microseconds):
        return {"cat": "Node", "name": name, "dur": microseconds, "args": {"op_name": kind}}

    events = [event("a_kernel_time", "Conv", time) for time in (9000, 8000, 1000, 3000, 2000)]
    events += [event("b_kernel_time", "Relu", 10)] * 5
    events += [
        {"cat": "Session", "name": "model_run", "dur": 5},
        event("a_fence_before", "Conv", 1),
    ]
    assert kernels_of(events, 2) == [Kernel("a", "Conv", 2.0), Kernel("b", "Relu", 0.01)]


def test_a_spec_alone_is_profiled_with_random_weights(told, capsys):
    assert main(["profile", "tiny/isynet", "--runs", "2", "--batch", "3"]) == OK
    captured = capsys.readouterr()
    assert captured.err == "note: with random weights, by scheme he and seed 0\n"
    assert captured.out.startswith(
        "tiny_isynet, batch 3: measured, onnxruntime on this machine's CPU, no NPU\n"
    )
    assert max(map(len, captured.out.splitlines())) <= 100


def test_nothing_is_left_in_the_folder(there, told):
    before = sorted(there.iterdir())
    told("profile", "csp.onnx", "--runs", "1")
    assert sorted(there.iterdir()) == before


def test_a_model_without_its_spec(there, told):
    said = rows_of(told, "csp.onnx", "--runs", "1")
    kinds = {node.op_type for node in onnx.load("csp.onnx").graph.node}
    assert all(row["macs"] is None for row in said["layers"])
    assert {row["op"] for row in said["layers"]} & kinds


@pytest.mark.parametrize("by", ["node", "block", "op"])
def test_folding_keeps_sums(by):
    rows = (
        LayerTime("a.x", "conv", 1.0, 10, "cube"), LayerTime("a.y", "act", 4.0, 0, "memory"),
        LayerTime("b.x", "conv", 2.0, 30, "cube"), LayerTime("(no layer's: 1 Cast)", "Cast", 0.5),
    )  # fmt: skip
    folded = Profile("net", "measured", "x", 1, rows).by(by)
    assert folded.milliseconds == 7.5
    assert sum(row.macs or 0 for row in folded.rows) == 40
    expected = {
        "node": [(row.layer, row.bound) for row in rows],
        "block": [("a", "memory"), ("b", "cube"), ("(no layer's: 1 Cast)", None)],
        "op": [("act", "memory"), ("conv", "cube"), ("Cast", None)],
    }[by]
    assert [(row.layer, row.bound) for row in folded.rows] == expected


# Estimates.


@pytest.mark.parametrize("name", ["isynet_n1", "tiny/spnas"])
def test_an_estimate_is_the_latency_model_s_and_called_so(name, told):
    graph = for_deployment(Model(archspec.load(name))).graph
    expected = estimate(graph, find_device("ascend310"), 16)
    said = rows_of(told, name, "--device", "ascend310")
    assert said["kind"] == "estimate"
    assert said["source"] == "Ascend 310 (Atlas 200, 300, 500) by the latency model"
    assert said["milliseconds"] == pytest.approx(expected.ms)
    assert [row["layer"] for row in said["layers"]] == [row.name for row in expected.rows]
    assert {row["bound"] for row in said["layers"]} <= {"cube", "vector", "memory", "launch"}
    text = told("profile", name, "--device", "ascend310")
    assert text.startswith(f"{graph.name}, batch 16: ESTIMATE, Ascend 310")
    if name == "tiny/spnas":
        assert any("depthwise" in note for note in said["notes"])
        assert "inputs of" in text


def test_an_om_without_a_device_is_estimated_if_its_spec_is_known(
    tmp_path, told, capsys, monkeypatch
):
    monkeypatch.setenv("PATH", "")
    om = tmp_path / "net.om"
    om.write_bytes(b"IMOD" + bytes(300))
    assert main(["profile", str(om), "--spec", "isynet_n1"]) == OK
    captured = capsys.readouterr()
    assert captured.err == ("note: there is no msprof here, so this is an estimate for ascend310\n")
    assert "ESTIMATE" in captured.out
    for arguments in ([om], [om, "--spec", "isynet_n1", "--msprof"]):
        said = told("profile", *arguments, code=WRONG)
        assert said.startswith(
            "error: there is no msprof here; where CANN is installed, use `source /"
        )
        assert "archspec profile SPEC --device ascend310 estimates without" in said


# msprof.


@pytest.fixture
def msprof(tmp_path, monkeypatch):
    """The stand-in on PATH, with rows of the latency model for csp.onnx and two of its own."""
    graph = for_deployment(Model(archspec.load(CSP))).graph
    found = estimate(graph, find_device("ascend310"), 2)
    rows = [[row.name, row.op.title(), row.ms * 1e3, row.bound_by] for row in found.rows]
    rows += [["trans_TransData_0", "TransData", 5.0, "memory"],
             ["trans_TransData_1", "TransData", 7.0, "memory"]]  # fmt: skip
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    monkeypatch.setenv("PATH", f"{STAND_INS}{os.pathsep}{Path(sys.executable).parent}"
                               f"{os.pathsep}{os.environ['PATH']}")  # fmt: skip
    monkeypatch.setenv("STANDIN_MSPROF_ROWS", str(tmp_path / "rows.json"))
    monkeypatch.setenv("STANDIN_LOG", str(tmp_path / "log"))
    monkeypatch.setenv("PYTHONPATH", str(STAND_INS.parents[1]))
    return found


ARGUMENTS = ("csp.onnx", "--engine", "onnxruntime", "--msprof", "--spec", CSP)


@pytest.mark.parametrize("generation", ["new", "old"])
def test_msprof_s_table_is_read_and_joined(generation, msprof, there, told, monkeypatch):
    monkeypatch.setenv("STANDIN_MSPROF", generation)
    said = rows_of(told, *ARGUMENTS)
    *layers, stray = said["layers"]
    assert [row["layer"] for row in layers] == [row.name for row in msprof.rows]
    for row, expected in zip(layers, msprof.rows, strict=True):
        assert row["milliseconds"] == pytest.approx(
            expected.ms, rel=1e-6
        )  # not the slow first runs
        assert row["macs"] == expected.macs
        assert row["bound"] == (None if expected.bound_by == "launch" else expected.bound_by)
    assert (stray["layer"], stray["milliseconds"]) == ("(no layer's: 2 TransData)", 0.012)
    assert (said["kind"], said["source"]) == ("simulated", "a stand-in, no device at all")
    assert "SIMULATED, a stand-in" in told("profile", *ARGUMENTS)


def test_what_msprof_is_called_with(msprof, there, told, tmp_path):
    keep = tmp_path / "kept"
    told("profile", *ARGUMENTS, "--runs", "7", "--keep", keep)
    (call,) = map(json.loads, (tmp_path / "log").read_text().splitlines())
    output, application, *flags = call
    assert output.startswith("--output=/") and tuple(flags) == FLAGS
    # msprof parts it at spaces
    assert re.fullmatch(r"--application=sh /\S+/run\.sh", application)
    script = (keep / "run.sh").read_text()
    assert f"{there}/csp.onnx" in script and "--runs 7" in script
    assert find_op_summary(keep)
    assert f"{keep} exists already" in told("profile", *ARGUMENTS, "--keep", keep, code=USAGE)


def test_files_of_msprof_made_elsewhere(msprof, there, told, tmp_path):
    keep = tmp_path / "kept"
    told("profile", *ARGUMENTS, "--keep", keep)
    said = rows_of(told, CSP, "--op-summary", keep, "--batch", "2")
    assert said["kind"] == "simulated"
    (table,) = find_op_summary(keep)
    assert rows_of(told, CSP, "--op-summary", table, "--batch", "2") == {
        **said, "source": "a stand-in, no device at all"
    }  # fmt: skip
    real = tmp_path / "op_summary_1.csv"
    real.write_bytes(table.read_bytes())
    (real.parent / "elsewhere").mkdir()
    real = real.rename(real.parent / "elsewhere" / real.name)
    said = rows_of(told, CSP, "--op-summary", real, "--batch", "2")
    assert (said["kind"], said["source"]) == ("measured", f"msprof, read from {real}")
    assert "use --batch N" in told("profile", CSP, "--op-summary", real, code=USAGE)
    assert not is_stand_in(real)


def test_msprof_that_fails_or_leaves_nothing(msprof, there, told, tmp_path, monkeypatch):
    monkeypatch.setenv("STANDIN_MSPROF", "fails")
    assert told("profile", *ARGUMENTS, code=WRONG) == (
        "error: msprof ended with 1 and the model did not run to its end ([ERROR] no driver);"
        " archspec infer on its own shows why\n"
    )
    monkeypatch.setenv("STANDIN_MSPROF", "none")
    said = told("profile", *ARGUMENTS, code=USAGE)
    assert re.match(
        r"error: \S+ has no op_summary\*\.csv; up to CANN 6 `python3 \S+msprof\.py", said
    )
    monkeypatch.delenv("STANDIN_MSPROF")
    (tmp_path / "bad.onnx").write_bytes(b"nothing")
    said = told("profile", tmp_path / "bad.onnx", *ARGUMENTS[1:], code=WRONG)
    assert "the model did not run to its end (error: " in said
    assert "bad.onnx is not a model that onnxruntime runs" in said


def test_where_msprof_is_looked_for(tmp_path):
    home = tmp_path / "cann"
    for folder in ("bin", "tools/profiler/bin"):
        (home / folder).mkdir(parents=True)
        program = home / folder / "msprof"
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    environment = {"PATH": "", "ASCEND_TOOLKIT_HOME": str(home)}
    assert find_msprof(environment) == home / "bin" / "msprof"
    (home / "bin" / "msprof").unlink()
    assert find_msprof(environment) == home / "tools/profiler/bin/msprof"
    assert find_msprof({**environment, "PATH": str(STAND_INS)}) == STAND_INS / "msprof"
    assert find_msprof({"PATH": ""}) is None


def table(path, titles, *lines):
    text = io.StringIO()
    csv.writer(text).writerows([titles, *lines])
    path.write_text(text.getvalue())
    return [path]


def test_columns_of_both_generations(tmp_path):
    titles = ["Op Name", "OP Type", "Task Duration(us)"]
    old = table(tmp_path / "op_summary_0.csv", [*titles, "mac_ratio", "vec_ratio", "mte2_ratio"],
                ["a", "Conv2D", "12.5", "0.8", "0.1", "0.4"], ["b", "Add", "N/A", "0", "0", "0"],
                ["c", "Mul", "2", "0", "N/A", "0.2"], ["d", "Cast", "1", "0", "0", ""])  # fmt: skip
    assert read_op_summary(old) == [
        Kernel("a", "Conv2D", 0.0125, "cube"), Kernel("c", "Mul", 0.002, "memory"),
        Kernel("d", "Cast", 0.001, None),
    ]  # fmt: skip
    new = table(tmp_path / "op_summary_1.csv",
                ["Op Name", "OP Type", "Task Duration(us)", "aic_mac_ratio", "aiv_vec_ratio",
                 "aic_mte2_ratio"],
                ["a", "Conv2D", "12.5\t", "0.1", "0.7", "0.4"])  # fmt: skip
    assert read_op_summary(new) == [Kernel("a", "Conv2D", 0.0125, "vector")]
    bare = table(tmp_path / "op_summary_2.csv", titles, ["a", "Conv2D", "1"], ["a", "Conv2D", "3"])
    assert read_op_summary(bare) == [Kernel("a", "Conv2D", 0.002)]
    assert read_op_summary(bare, warm_up=1) == [Kernel("a", "Conv2D", 0.003)]


def test_tables_that_are_none(tmp_path):
    for content, message in (
        ("", "is not an op_summary: it has no column Op Name, OP Type or Task Duration(us)"),
        ("Op Name,OP Type\na,b\n", "is not an op_summary: it has no column"),
        ("Op Name,OP Type,Task Duration(us)\na,b,N/A\n", "has no operator that ran"),
        ("Op Name,OP Type,Task Duration(us)\na\n", "has no operator that ran"),
        ("Op Name,OP Type,Task Duration(us)\na,b,nan\n", "of a is nan; it must be 0 or more"),
        ("Op Name,OP Type,Task Duration(us)\na,b,-3\n", "of a is -3; it must be 0 or more"),
        ("Op Name,OP Type,Task Duration(us)\na,b,inf\n", "of a is inf; it must be 0 or more"),
    ):
        path = tmp_path / "op_summary.csv"
        path.write_text(content)
        with pytest.raises(SpecError, match=re.escape(message)):
            read_op_summary([path])
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SpecError, match="cannot be read"):
        read_op_summary([path])
    with pytest.raises(UsageError, match="does not exist; use a folder of msprof's"):
        find_op_summary(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["resnet18", "--runs", "0"], "--runs 0: must be 1 to 100,000"),
        (["resnet18", "--batch", "0"], "--batch 0: must be 1 to 65,536"),
        (["resnet18", "--threads", "0"], "--threads 0: must be 1 to 1,024"),
        (["csp.onnx", "--batch", "3"], "--batch 3: the model takes 2 images at a time"),
        (["csp.onnx", "--device", "ascend310"], "an estimate is of a spec, and csp.onnx is none"),
        (["resnet18", "--device", "ascend311"], "there is no device 'ascend311'; did you mean"),
        (["resnet18", "--engine", "acl"], "msprof runs a model, and resnet18 is a spec"),
        (["nothing.om", "--spec", "resnet18"], "nothing.om cannot be read (no such file"),
    ],
)
def test_usage(arguments, message, there, told):
    said = told("profile", *arguments, code=USAGE)
    assert said.startswith(f"error: {message}")
    assert said.count("\n") == 1


CLASHING = "resnet50_bifpn"
"""It calls an output as it calls another node, "p7", and onnxruntime a kernel by either."""


def test_another_spec_s_layers_are_not_taken(there, told):
    said = told("profile", "csp.onnx", "--spec", "tiny/isynet", code=WRONG)
    assert said.startswith("error: csp.onnx was made of tiny_cspdarknet (")


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in shipped_names() if "spaces/" not in name])
def test_every_shipped_network_s_kernels_are_joined(name, tmp_path):
    graph = archspec.load(name)
    model = for_deployment(Model(graph, initialize(graph, "he", 0)))
    write_onnx(model, tmp_path / "net.onnx")
    rows = measure(tmp_path / "net.onnx", graph, runs=1).rows
    lost = [row.layer for row in rows if row.op.endswith("no kernel found")]
    assert lost == (["fusion3.out7.point"] if name == CLASHING else [])
    assert sum(row.macs or 0 for row in rows) == model.graph.macs - sum(
        model.graph.nodes[layer].layer.macs for layer in lost
    )
    strays = {row.op for row in rows if row.macs is None and row.layer not in lost}
    assert strays <= {"ReorderInput", "ReorderOutput", "Transpose"}
