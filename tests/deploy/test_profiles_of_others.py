"""Files of msprof's and ais_bench's: read as profiles, and fitted to.

Those in tests/data/profiles are made by hand after the manuals' headers; the fits are to times that
the model itself gives with other constants, which it has to find again.
"""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("numpy")

import archspec
from archspec.cli import OK, USAGE, WRONG
from archspec.compiler.latency import estimate, find_device, total_ms
from archspec.compiler.pipeline import for_deployment

SAMPLES = Path(__file__).parents[1] / "data" / "profiles"
OTHER = {"efficiency": 0.7, "launch_us": 31.0}


def profile(told, file, *options):
    arguments = ("profile", "tiny/isynet", "--op-summary", SAMPLES / file, "--batch", "16")
    return json.loads(told(*arguments, *options, "--format", "json"))


def test_op_summary_by_hand(told):
    said = profile(told, "op_summary_by_hand.csv")
    times = {row["layer"]: row["milliseconds"] for row in said["layers"]}
    assert times["(no layer's: 1 Cast)"] == pytest.approx(0.0215)
    assert 0.04125 in [pytest.approx(ms) for ms in times.values()]  # the median of both runs
    assert said["milliseconds"] == pytest.approx(0.0215 + 0.04125 + 0.0135)


def test_op_statistic_by_hand(told):
    said = profile(told, "op_statistic_by_hand.csv")
    assert [row["layer"] for row in said["layers"]] == [
        "400 x Conv2D",
        "200 x Cast",
        "100 x MatMulV2",
    ]
    assert said["milliseconds"] == pytest.approx(22.7505)
    assert "adds up all runs" in said["notes"][0] and said["is_of_all_runs"]
    arguments = ("profile", "tiny/isynet", "--op-summary", SAMPLES / "op_statistic_by_hand.csv")
    assert "22.750 ms of all runs" in told(*arguments, "--batch", "16").replace("22.751", "22.750")


def test_ais_bench_by_hand(told):
    said = profile(told, "net_summary_by_hand.json")
    assert said["milliseconds"] == 11.75 and said["batch"] == 16
    assert said["source"].startswith("ais_bench, read from ")


def write_op_summary(path, name, device):
    """A run of a network on a device, in msprof's columns."""
    graph = for_deployment(archspec.load(name)).graph
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["Op Name", "OP Type", "Task Duration(us)", "Task Wait Time(us)"])
        for row in estimate(graph, device, 16).rows:
            rows.writerow([row.name, row.op, 1e3 * row.ms, 0.5])


def test_layers_of_one_network_are_enough(told, tmp_path):
    pytest.importorskip("scipy")
    device = replace(find_device("ascend310"), **OTHER)
    write_op_summary(tmp_path / "op_summary_1.csv", "resnet18", device)
    out = told(
        "latency", "calibrate", f"resnet18={tmp_path}/op_summary_1.csv", "--batch", "16",
        "-o", tmp_path / "mine.json",
    )  # fmt: skip
    assert "efficiency 0.700, launch 31.0 us" in out
    found = json.loads((tmp_path / "mine.json").read_text())
    assert {key: pytest.approx(found[key], rel=1e-3) for key in OTHER} == OTHER
    assert (
        "fitted to the layers in op_summary_1.csv" in found["provenance"]["efficiency, launch_us"]
    )
    # the file is a device like any other
    told("latency", "resnet18", "--device", tmp_path / "mine.json")


def test_networks_of_ais_bench(told, tmp_path):
    pytest.importorskip("scipy")
    device = replace(find_device("ascend310"), **OTHER)
    words = []
    for name in ("resnet18", "resnet50", "isynet_n0"):
        ms = total_ms(for_deployment(archspec.load(name)).graph, device, 16)
        content = {"NPU_compute_time": {"mean": 9e9, "median": ms}}
        (tmp_path / f"{name}_summary.json").write_text(json.dumps(content))
        words.append(f"{name}={tmp_path}/{name}_summary.json")
    told("latency", "calibrate", *words, "--batch", "16", "-o", tmp_path / "mine.json")
    found = json.loads((tmp_path / "mine.json").read_text())
    assert {key: pytest.approx(found[key], rel=1e-3) for key in OTHER} == OTHER


@pytest.mark.parametrize(
    "name, content, message, code",
    [
        ("a_summary.json", "{", "cannot be read as JSON", WRONG),
        (
            "a_summary.json",
            "[]",
            "is not one JSON object; use a *",
            WRONG,
        ),
        ("a_summary.json", "{}", "it has no NPU_compute_time; use the *_summary.json", WRONG),
        ("a_summary.json", '{"NPU_compute_time": {}}', "has neither a median nor a mean", WRONG),
        ("a_summary.json", '{"NPU_compute_time": {"median": -1}}', "is -1; it must be more", WRONG),
        ("a_summary.json", '{"NPU_compute_time": {"median": NaN}}', "is nan; it must be", WRONG),
        ("a_summary.json", '{"NPU_compute_time": {"median": true}}', "has neither a median", WRONG),
        ("a_summary.json", "[" * 100_000, "cannot be read as JSON", WRONG),
        ("a_summary.json", None, "does not exist; use a *_summary.json", USAGE),
        (
            "op_statistic_1.csv",
            "",
            "is not an op_statistic: it has no column OP Type, Count",
            WRONG,
        ),
        ("op_statistic_1.csv", "OP Type,Count,Total Time(us)\n", "has no operator that ran", WRONG),
        ("op_statistic_1.csv", "OP Type,Count\na,1\n", "is not an op_statistic", WRONG),
        ("op_summary_1.csv", "\0", "is not an op_summary", WRONG),
    ],
)
def test_malformed_files_are_a_sentence(name, content, message, code, run, tmp_path):
    path = tmp_path / name
    if content is not None:
        path.write_text(content)
    ended, out, err = run("profile", "tiny/isynet", "--op-summary", path, "--batch", "1")
    assert (ended, out, err.count("\n")) == (code, "", 1)
    assert err.startswith(f"error: {path}") and message in err


def test_profiles_that_cannot_be_fitted(run, tmp_path):
    statistic = SAMPLES / "op_statistic_by_hand.csv"
    summary, bench = tmp_path / "op_summary.csv", SAMPLES / "net_summary_by_hand.json"
    summary.write_text("Op Name,OP Type,Task Duration(us)\nnobody_1,Conv2D,12.5\n")
    for words, message in (
        ([f"resnet18={statistic}"], "op_statistic adds up all runs; use the op_summary beside it"),
        ([f"resnet18={summary}"], "no layer of resnet18 is called as there; use a file of this"),
        ([f"resnet18={summary}", f"resnet18={bench}"], "do not mix; use one kind"),
        ([f"resnet18={bench}"], "two constants cannot be fitted to one measurement"),
    ):
        code, out, err = run("latency", "calibrate", *words, "--batch", "16")
        assert code != OK and out == "" and message in err and err.count("\n") == 1
