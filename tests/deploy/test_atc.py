"""`archspec export --format om`, with a stand-in where CANN's atc would be.

tests/stand_ins/atc checks its options as atc does and fails in all the ways that it is told to. Its
own output is refused as the stand-in's that it is. Where a conversion is to succeed here, it hands
out a file that this module wrote: an OM's header and no model.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from archspec.cli import INTERRUPTED, OK, USAGE, WRONG, main
from archspec.cli.parsing import module_of
from archspec.compiler.latency import devices
from archspec.deploy import cann
from archspec.deploy.atc_codes import CODES, FAMILIES, SYMPTOMS, advice_on, finding
from archspec.deploy.cann import Toolkit, environment_for, find_toolkit, join_paths, note_on_board
from archspec.deploy.description import read_sidecar
from archspec.deploy.socs import (
    CHIPS,
    SOCS,
    cautions,
    check_soc,
    chip_of,
    chip_table,
    chips_under,
)
from archspec.errors import SpecError, UsageError

pytest.importorskip("onnx")

from archspec.deploy.atc import Conversion, arguments, convert, leave_kit, script

STAND_INS = Path(__file__).parents[1] / "stand_ins"
STAND_IN = STAND_INS / "atc"
ROOT = Path(__file__).parents[2]
FIXED = [
    "--model=net.onnx", "--framework=5", "--output=net", "--soc_version=Ascend310",
    "--input_format=NCHW", "--insert_op_conf=aipp.cfg", "--output_type=FP32",
    "--precision_mode=force_fp16", "--log=error",
]  # fmt: skip


def container(body=b"no model", promised=None):
    """A header as atc writes it, with a table of one partition; no OM, as its name says."""
    table = struct.pack("<4I", 1, 0, 0, len(body))
    header = bytearray(256)
    struct.pack_into("<4s2I", header, 0, b"IMOD", 256, 0x20000000)
    struct.pack_into("<I", header, 76, len(table + body) if promised is None else promised)
    struct.pack_into("<32s", header, 84, b"NOT-AN-OM of a test")
    return bytes(header) + table + body


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty working folder on a machine without CANN."""
    for name in (*cann.HOME_VARIABLES, cann.SOURCED, cann.LIBRARIES, "ATC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(cann, "HOMES", ())
    folder = tmp_path / "place"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def journal(place, tmp_path, monkeypatch):
    """The stand-in on PATH, giving out `container()`; a function that reads what it noted."""
    monkeypatch.setenv("PATH", f"{STAND_INS}{os.pathsep}{os.environ['PATH']}")
    given = tmp_path / "given"
    given.write_bytes(container())
    monkeypatch.setenv("STANDIN_ATC_COPY", str(given))
    path = tmp_path / "journal"
    monkeypatch.setenv("STANDIN_ATC_JOURNAL", str(path))
    return lambda: [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def export(capsys):
    def called(*options):
        code = main(["export", "tiny/isynet", "--format", "om", "--soc", "Ascend310", *options])
        out, err = capsys.readouterr()
        lines = [line for line in err.splitlines() if not line.startswith(("note:", "converting"))]
        return code, out, "\n".join(lines)

    return called


def fake_toolkit(folder, files=(), atc=STAND_IN):
    """A folder as CANN installs one: bin/atc and these files, {path: text}."""
    for path, text in dict(files).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    (folder / "bin").mkdir(parents=True, exist_ok=True)
    (folder / "bin" / "atc").symlink_to(atc)
    return folder / "bin" / "atc"


ARCH = f"{platform.machine()}-linux"


# What atc is called with.


@pytest.mark.parametrize(
    "options, expected",
    [
        ({"aipp": "x"}, FIXED),
        ({}, [option for option in FIXED if "insert_op" not in option]),
        (
            {"gears": (1, 8, 16), "aipp": "x"},
            [
                *FIXED[:5], "--input_shape=image:-1,3,224,224", "--dynamic_batch_size=1,8,16",
                *FIXED[5:],
            ],
        ),
    ],
)  # fmt: skip
def test_the_options(options, expected):
    assert arguments(Conversion("net", "Ascend310", (3, 224, 224), **options), None) == expected


@pytest.mark.parametrize(
    "version, flag",
    [
        (None, "--precision_mode=force_fp16"),
        ((5, 1), "--precision_mode=force_fp16"),
        ((6, 3), "--precision_mode=force_fp16"),
        ((7, 0), "--precision_mode_v2=fp16"),
        ((8, 0), "--precision_mode_v2=fp16"),
        ((9, 1), "--precision_mode_v2=fp16"),
    ],
)
def test_the_precision_goes_by_the_release(version, flag):
    options = arguments(Conversion("net", "Ascend310", (3, 224, 224)), version)
    assert [option for option in options if "precision" in option] == [flag]


def test_a_conversion(journal, export, place):
    pytest.importorskip("onnxruntime")
    code, out, err = export("-o", "net.om")
    assert (code, err) == (OK, "")
    (call,) = journal()
    assert call["argv"] == FIXED
    assert call["rc"] == 0
    assert not Path(call["cwd"]).exists()
    assert Path("net.om").read_bytes() == container()
    assert sorted(path.name for path in place.iterdir()) == ["net.om", "net.om.json", "net.om.log"]
    said = read_sidecar("net.om")
    assert (said["name"], len(said["fingerprint"])) == ("tiny_isynet", 64)
    assert json.loads(said["preprocessing"])["shape"] == [1, 8, 8]
    lines = out.splitlines()
    assert lines[0] == "wrote net.om: 78,506 parameters, 280 B"
    assert lines[1] == "for Ascend310, by CANN of unknown release; what atc said is in net.om.log"
    assert lines[2] == "takes uint8 1x8x8x1, resized only; gives float32"
    assert re.fullmatch(
        r"its ONNX is checked: onnxruntime gives numpy's numbers, to \de-\d\d of the largest",
        lines[3],
    )
    assert lines[4] == "the OM itself is not run: that takes the chip"


def test_the_log_has_it_all(journal, export):
    export("-o", "net.om")
    log = Path("net.om.log").read_text().splitlines()
    assert log[0].startswith("CANN of unknown release in ")
    assert log[2] == shlex.join([str(STAND_IN), *FIXED])
    assert log[4] == "stand-in of archspec's tests: this is not Huawei's atc"
    assert log[5] == "ATC start working now, please wait for a moment."
    assert log[-1] == "ATC run success, welcome to the next use."


@pytest.mark.parametrize(
    "options, taken, shape",
    [
        (["--batch", "16"], "uint8 16x8x8x1, resized only", "16"),
        (["--no-aipp"], "float32 1x1x8x8, normalised", "1"),
        (["--dynamic-batch", "16,1,8,8"], "uint8 1 or 8 or 16x8x8x1, resized only", "N"),
        (["--opset", "13"], "uint8 1x8x8x1, resized only", "1"),
    ],
)
def test_batches_and_aipp(options, taken, shape, journal, export, tmp_path, monkeypatch):
    import onnx

    monkeypatch.setenv("STANDIN_ATC_FAULT", "no_file")
    kept = tmp_path / "kept"
    wrapper = tmp_path / "bin" / "atc"
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\ncp -r . {kept}\nexec {STAND_IN} "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("ATC", str(wrapper))
    assert export("-o", "net.om", *options)[0] == WRONG
    files = {"net.onnx"} | ({"aipp.cfg"} if "--no-aipp" not in options else set())
    assert {path.name for path in kept.iterdir()} == files
    proto = onnx.load(kept / "net.onnx")
    (given,) = proto.graph.input
    dim = given.type.tensor_type.shape.dim[0]
    assert (given.name, str(dim.dim_param or dim.dim_value)) == ("image", shape)
    assert proto.opset_import[0].version == (13 if "13" in options else 11)
    monkeypatch.setenv("STANDIN_ATC_FAULT", "")
    code, out, _ = export("-o", "net.om", *options)
    assert code == OK
    assert out.splitlines()[2] == f"takes {taken}; gives float32"


@pytest.mark.parametrize("name", ["my net.om", "größe (1).om", "-x.om", "a'b$c.om", "net", "网.om"])
def test_any_path_will_do(name, journal, export, place):
    folder = place / "a folder; with ü"
    folder.mkdir()
    code, _, err = export("-o", f"{folder}/{name}")
    assert (code, err) == (OK, "")
    assert {path.name for path in folder.iterdir()} == {name, f"{name}.json", f"{name}.log"}
    for option in journal()[0]["argv"]:
        assert re.fullmatch(r"[A-Za-z0-9_.=:,\-]+", option)


def test_the_longer_name_that_atc_gives(journal, export, place, monkeypatch):
    monkeypatch.setenv("STANDIN_ATC_FAULT", "system_name")
    assert export("-o", "net.om")[0] == OK
    assert Path("net.om").read_bytes() == container()


# What can go wrong.


def test_a_stand_in_never_passes_for_an_om(journal, export, place, monkeypatch):
    monkeypatch.delenv("STANDIN_ATC_COPY")
    Path("net.om").write_bytes(b"old")
    code, out, err = export("-o", "net.om")
    assert (code, out) == (WRONG, "")
    assert err == (
        "error: what atc left is not an OM: a stand-in of archspec's tests, which no device can"
        " run; use what CANN's own atc writes; net.om.log has what atc said"
    )
    assert Path("net.om").read_bytes() == b"old"


def test_the_stand_in_says_what_it_is(tmp_path):
    (tmp_path / "net.onnx").write_bytes(b"onnx")
    subprocess.run([STAND_IN, *FIXED[:5]], cwd=tmp_path, check=True, capture_output=True)
    magic, record = (tmp_path / "net.om").read_bytes().split(b"\n", 1)
    assert magic == b"ARCHSPEC-STANDIN-NOT-AN-OM"
    facts = json.loads(record)
    assert facts["onnx"] == str(tmp_path / "net.onnx")
    assert facts["options"]["soc_version"] == "Ascend310"
    assert (
        "stand-in"
        in subprocess.run([STAND_IN, "--help"], check=True, capture_output=True, text=True).stdout
    )


def test_the_stand_in_gives_out_nothing_that_looks_real(journal, export, tmp_path):
    real = container().replace(b"NOT-AN-OM", b"resnet50\0")
    (tmp_path / "given").write_bytes(real)
    code, _, err = export("-o", "net.om")
    assert code == WRONG
    assert "calls itself" not in err and "call itself NOT-AN-OM" in err
    assert not Path("net.om").exists()


@pytest.mark.parametrize(
    "fault, message",
    [
        ("no_file", "atc said that all went well and left no OM; net.om.log has what it said"),
        (
            "truncated",
            "what atc left is not an OM: cut short: it ends after 210 of the 256 bytes of its"
            " header; net.om.log has what atc said",
        ),
        (
            "wrong_magic",
            "what atc left is not an OM: no offline model: it begins with b'PK\\x03\\x04', not"
            " b'IMOD'; net.om.log has what atc said",
        ),
        (
            "killed",
            "atc was ended by SIGKILL, as happens where memory runs out (use"
            " TE_PARALLEL_COMPILER=1,"
            " or an x86 machine); all it said is in net.om.log",
        ),
        (
            "killed_within",
            "atc was ended by SIGKILL, as happens where memory runs out (use"
            " TE_PARALLEL_COMPILER=1,"
            " or an x86 machine); all it said is in net.om.log",
        ),
        (
            "library",
            "atc failed (exit code 127): the driver's library is missing, as on a machine without"
            " an NPU; use CANN's devlib folder in LD_LIBRARY_PATH; it says 'atc.bin: error"
            " while loading shared libraries: libascend_hal.so: cannot open shared object file: No"
            " such file or directory'; all it said is in net.om.log",
        ),
    ],
)
def test_faults(fault, message, journal, export, place, monkeypatch):
    monkeypatch.setenv("STANDIN_ATC_FAULT", fault)
    code, out, err = export("-o", "net.om")
    assert (code, out, err) == (WRONG, "", f"error: {message}")
    assert [path.name for path in place.iterdir()] == ["net.om.log"]


@pytest.mark.parametrize(
    "promised, message",
    [
        (1000, "its header promises 1,000 bytes after it, 24 are there"),
        (10, "its header promises 10 bytes after it, 24 are there"),
    ],
)
def test_lengths(promised, message, journal, export, tmp_path):
    (tmp_path / "given").write_bytes(container(promised=promised))
    code, _, err = export("-o", "net.om")
    assert code == WRONG
    assert err == f"error: what atc left is not a whole OM: {message}; net.om.log has what atc said"
    assert not Path("net.om").exists()


def test_a_code_is_explained(journal, export, place, monkeypatch):
    monkeypatch.setenv("STANDIN_ATC_FAULT", "E16002")
    code, _, err = export("-o", "net.om")
    assert code == WRONG
    assert re.sub(r"PID: \d+", "PID: 7", err) == (
        "error: atc failed (exit code 255): E16002, this CANN has no parser for an operator at this"
        " opset; use --opset 11, which CANN 5 to 9 read, or a newer CANN; it says 'E16002: [PID: 7]"
        " 2026-11-21-12:00:00.000.001 words of the stand-in.'; all it said is in net.om.log"
    )
    assert [path.name for path in place.iterdir()] == ["net.om.log"]


@pytest.mark.parametrize("code", [*CODES, *(f"{start}999999"[:6] for start in FAMILIES)])
def test_every_code_has_advice(code):
    said = str(finding(f"ATC run failed\n{code}: [PID: 3] words\n        Solution: x\n"))
    assert said.startswith(f"{code}, ")
    assert said.endswith(f"; it says '{code}: [PID: 3] words'")
    advice = advice_on(code)
    assert advice and f"{advice.meaning}; {advice.remedy}" in said
    assert re.match(ACTS, advice.remedy)


ACTS = (
    r"(often |archspec wrote both, so |if it is --soc_version, )?"
    r"(the Python that atc finds|use|run|make|export|(re)?install|source|ask|report) "
)


DOCUMENTED = (
    "E10001 E10004 E10007 E10002 E10011 E10012 E10014 E10031 E10040 E10009 E10018 E10035 E10036"
    " E10037 E10038 E10039 E10016 E10032 E13005 E10041 E10054 E10057 E10501 E16002 E19010 E13000"
    " E13001 E13003 E13004 E13010 E14001 E16001 E16004 E16005 E18888 E19999"
)


def test_the_codes_of_the_manual_are_known():
    assert set(DOCUMENTED.split()) <= CODES.keys()


@pytest.mark.parametrize(
    "output, expected",
    [
        # the one that says something goes before the one that does not, wherever they stand
        ("E19999: Inner Error!\nE10016: Opname x\n", ("E10016", "E10016: Opname x")),
        ("E10016: Opname x\n  TraceBack\nE19999: Inner", ("E10016", "E10016: Opname x")),
        # Python packages, the most frequent reason behind the vaguest code
        (
            "EZ9999: Inner Error!\nModuleNotFoundError: No module named 'decorator'\n",
            ("EZ9999", "ModuleNotFoundError: No module named 'decorator'"),
        ),
        ("EZ9999[PID: 3] x", ("EZ9999", "EZ9999[PID: 3] x")),
        ("W11001: slow op\nE99999: new", ("E99999", "E99999: new")),
        ("something E10016 within\nlast words\n...\n", ("", "last words")),
        ("", ("", "")),
        ("E10001: \x1b[31mred", ("E10001", "E10001: \\x1b[31mred")),
    ],
)
def test_what_tells_in_an_output(output, expected):
    assert finding(output)[:2] == expected


@pytest.mark.parametrize("words", [words for words, _ in SYMPTOMS])
def test_symptoms_are_explained(words):
    assert re.search(f"; {ACTS}", str(finding(f"a\nb {words} c\nd")))


def test_an_unknown_code_is_quoted():
    assert str(finding("E99999: new trouble")) == "it says 'E99999: new trouble'"
    assert str(finding("")) == "it says nothing"


# Processes.


def is_alive(number):
    try:
        state = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def waited_for(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_slow_one_is_stopped(journal, export, place, monkeypatch):
    monkeypatch.setenv("STANDIN_ATC_FAULT", "slow")
    code, _, err = export("-o", "net.om", "--timeout", "2")
    assert code == WRONG
    assert err == (
        "error: atc was stopped after 2 seconds; use a larger --timeout, and net.om.log has"
        " what it said"
    )
    assert not is_alive(journal()[0]["child"])
    assert [path.name for path in place.iterdir()] == ["net.om.log"]


def heeding():
    """What a background job of a shell inherits is that SIGINT is ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize(
    "number, code", [(signal.SIGINT, INTERRUPTED), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_ending_us_ends_all_of_atc(number, code, journal, place, tmp_path, monkeypatch):
    monkeypatch.setenv("STANDIN_ATC_FAULT", "slow")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    command = [
        sys.executable, "-m", "archspec.cli", "export", "tiny/isynet", "--soc", "Ascend310",
        "-o", "net.om",
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(temporary)}
    with subprocess.Popen(
        command, env=environment, stderr=subprocess.PIPE, text=True, preexec_fn=heeding
    ) as process:
        waited_for((tmp_path / "journal").exists)
        waited_for(journal)
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert "Traceback" not in err
    waited_for(lambda: not is_alive(journal()[0]["child"]))
    assert [path.name for path in place.iterdir()] == ["net.om.log"]
    assert not list(temporary.glob("archspec*"))


def test_what_it_leaves_running_ends_with_it(journal, place, tmp_path, monkeypatch):
    """A child that continues when atc has ended, and does not mind being asked to end."""
    child = f"(trap '' TERM; echo there > {tmp_path}/there; exec sleep 600) &"
    atc = tmp_path / "atc"
    atc.write_text(
        f"#!/bin/sh\n{child}\necho $! > {tmp_path}/child\n"
        f"while [ ! -f {tmp_path}/there ]; do sleep 0.1; done\nexit 3\n"
    )
    atc.chmod(0o755)
    toolkit = Toolkit(atc, tmp_path, "8.0.0")
    with (
        pytest.raises(SpecError, match=r"atc failed \(exit code 3\): it says nothing"),
        convert(Conversion("net", "Ascend310", (1, 8, 8)), b"", toolkit, Path("log")),
    ):
        pass
    child = int((tmp_path / "child").read_text())
    waited_for(lambda: not is_alive(child))


def test_an_atc_that_cannot_run(place, tmp_path, export, monkeypatch):
    atc = tmp_path / "atc"
    atc.write_text("#!/no/such/shell\n")
    atc.chmod(0o755)
    monkeypatch.setenv("ATC", str(atc))
    code, _, err = export("-o", "net.om")
    assert code == USAGE
    assert err == (
        f"error: {atc} cannot be run (no such file or directory); use the path of CANN's atc in ATC"
    )


# Without CANN.


def test_without_atc_all_is_left_ready(place, export, monkeypatch):
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    code, out, err = export("-o", "my net.om")
    assert (code, out) == (WRONG, "")
    assert err == (
        "error: there is no atc here, so no OM was made; my net_om has all that it takes: where"
        " CANN 5.0 to 8.2 is installed, `source /usr/local/Ascend/ascend-toolkit/set_env.sh` (from"
        " CANN 8.5 on"
        " `source /usr/local/Ascend/cann/set_env.sh`) and `bash 'my net_om/convert.sh'`"
    )
    assert [path.name for path in place.iterdir()] == ["my net_om"]
    names = sorted(path.name for path in (place / "my net_om").iterdir())
    assert names == [
        "aipp.cfg", "convert.sh", "convert_lite.sh", "lite.cfg", "my_net.om.json", "my_net.onnx",
    ]  # fmt: skip
    assert os.access("my net_om/convert.sh", os.X_OK)


def test_the_line_is_that_of_the_cann_that_is_there(tmp_path, monkeypatch):
    home = tmp_path / "ascend-toolkit" / "latest"
    home.mkdir(parents=True)
    (home.parent / "set_env.sh").write_text("")
    monkeypatch.setattr(cann, "HOMES", ("/no/such", str(home)))
    assert cann.how_to_source() == f"`source {home.parent}/set_env.sh`"


def test_a_kit_is_made_anew_unless_something_else_is_in_it(place, export, monkeypatch):
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    export("-o", "net.om")
    export("-o", "net.om", "--no-aipp")
    assert {path.name for path in Path("net_om").iterdir()} == {
        "convert.sh", "convert_lite.sh", "lite.cfg", "net.om.json", "net.onnx"
    }  # fmt: skip
    Path("net_om/notes.txt").write_text("mine")
    code, _, err = export("-o", "net.om")
    assert code == USAGE
    assert err == "error: net_om exists already; use another name, or remove it"
    assert Path("net_om/notes.txt").read_text() == "mine"


def in_bash(path, **variables):
    return subprocess.run(
        ["bash", str(path)],
        env={**os.environ, "HOME": "/no/such", **variables},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    "options", [[], ["--no-aipp"], ["--dynamic-batch", "1,8,16"], ["--batch", "4"]]
)
def test_the_script_calls_atc_as_we_do(options, journal, export, place, monkeypatch):
    assert export("-o", "net.om", *options)[0] == OK
    monkeypatch.setattr("archspec.deploy.export.find_toolkit", lambda environment: None)
    assert export("-o", "net.om", *options)[0] == WRONG
    subprocess.run(["bash", "-n", "net_om/convert.sh"], check=True)
    result = in_bash("net_om/convert.sh")
    assert result.returncode == 0, result.stderr
    assert result.stdout.endswith(f"wrote {place}/net_om/net.om\n")
    ours, its = journal()
    assert its["argv"] == ours["argv"]
    assert its["cwd"] == str(place / "net_om")
    assert Path("net_om/net.om").read_bytes() == container()
    log = Path("net_om/net.om.log").read_text()
    assert log in result.stdout and "ATC run success" in log


@pytest.fixture
def kit(journal, place):
    leave_kit(Path("kit"), Conversion("net", "Ascend310", (3, 8, 8), aipp="aipp_op {}"), b"onnx")
    return Path("kit/convert.sh")


@pytest.mark.parametrize("fault", ["E10016", "no_file", "wrong_magic", "killed", "library"])
def test_the_script_fails_where_atc_fails(fault, kit):
    """The originals piped atc into tee and then asked for $?, which is tee's."""
    result = in_bash(kit, STANDIN_ATC_FAULT=fault)
    assert result.returncode not in (0, 2)
    assert "wrote" not in result.stdout


def test_the_script_refuses_what_a_stand_in_wrote(kit):
    result = in_bash(kit, STANDIN_ATC_COPY="")
    assert (result.returncode, result.stderr) == (1, "atc left no OM\n")


def test_the_script_takes_no_old_om_for_a_new_one(kit):
    in_bash(kit)
    assert Path("kit/net.om").exists()
    assert in_bash(kit, STANDIN_ATC_FAULT="no_file").returncode == 1
    assert not Path("kit/net.om").exists()


def test_the_script_without_cann(kit):
    result = in_bash(kit, PATH="/usr/bin:/bin")
    assert (result.returncode, result.stderr) == (
        1, "atc is not on PATH; run source .../set_env.sh of your CANN first\n"
    )  # fmt: skip


def test_the_script_minds_the_colons(kit, journal, tmp_path, monkeypatch):
    """The originals joined LD_LIBRARY_PATH without the ":", and an empty entry is a danger too."""
    if cann.has_npu():
        pytest.skip("with an NPU nothing is added")
    devlib = tmp_path / ARCH / "devlib"
    devlib.mkdir(parents=True)
    in_bash(kit, ASCEND_TOOLKIT_HOME=str(tmp_path))
    in_bash(kit, ASCEND_TOOLKIT_HOME=str(tmp_path), LD_LIBRARY_PATH="/a:/b")
    in_bash(kit, LD_LIBRARY_PATH="/a")
    assert [call["libraries"] for call in journal()] == [str(devlib), f"{devlib}:/a:/b", "/a"]


def test_the_script_takes_the_atc_it_is_given(kit, journal):
    """The originals' documented variable was ignored, and the folder was written into the code."""
    result = in_bash(kit, ATC=str(STAND_IN), PATH="/usr/bin:/bin", ASCEND_OPP_PATH="/x")
    assert result.returncode == 0, result.stderr


def test_what_the_originals_did_is_not_done(place):
    text = script(Conversion("net", "Ascend310", (3, 8, 8), (1, 8)))
    assert "auto_tune" not in text  # an error since CANN 7
    assert "data:" not in text  # the input's name, written into the code
    assert "--output_type=FP32" in text  # else readers must guess between two widths
    assert "set -euo pipefail" in text


# Finding CANN.


def test_the_order(place, tmp_path, monkeypatch):
    places = [fake_toolkit(tmp_path / name) for name in ("given", "path", "home", "default")]
    monkeypatch.setattr(cann, "HOMES", ("/no/such", str(tmp_path / "default")))
    environment = {
        "ATC": str(places[0]),
        "PATH": f"/usr/bin:{places[1].parent}",
        "ASCEND_TOOLKIT_HOME": str(tmp_path / "home"),
    }
    for name, atc in zip(("ATC", "PATH", "ASCEND_TOOLKIT_HOME", ""), places, strict=True):
        assert find_toolkit(environment) == Toolkit(atc, atc.parent.parent, "")
        environment.pop(name, None)
    monkeypatch.setattr(cann, "HOMES", ())
    assert find_toolkit({}) is None
    assert find_toolkit({"ATC": "", "PATH": ""}) is None
    assert find_toolkit({"ATC": "atc", "PATH": str(places[1].parent)}).atc == places[1]


def test_a_wrong_atc_is_no_reason_to_take_another(journal, export, tmp_path, monkeypatch):
    monkeypatch.setenv("ATC", str(tmp_path))
    code, _, err = export("-o", "net.om")
    assert code == USAGE
    assert err == (
        f"error: ATC is {tmp_path}, and that is not a program that can be run; use the path"
        " of CANN's atc"
    )


INFO = "package_name=Ascend-cann-toolkit\nversion={}\ninnerversion=V100R001C19SPC001B155\n"
COMPONENT = "Version=7.6.0.1.220\nversion_dir=8.0.0\ntimestamp=20250101\n"
CFG = "# version\nruntime_running_version=[7.0.0.5.242:7.0.RC1]\n"
CFG += "toolkit_running_version=[7.0.0.5.242:7.0.RC1]\n"


@pytest.mark.parametrize(
    "name, files, release, version",
    [
        ("a", {f"{ARCH}/ascend_toolkit_install.info": INFO.format("8.0.RC3")}, "8.0.RC3", (8, 0)),
        ("a", {"ascend_toolkit_install.info": INFO.format("8.3.RC1")}, "8.3.RC1", (8, 3)),
        ("a", {f"{ARCH}/ascend_toolkit_install.info": INFO.format("8.0.T6")}, "8.0.T6", (8, 0)),
        ("a", {"compiler/version.info": COMPONENT}, "8.0.0", (8, 0)),
        ("a", {"compiler/version.info": "Version=7.6.0.1.220\n"}, "", None),
        ("a", {"version.cfg": CFG}, "7.0.RC1", (7, 0)),
        ("cann-8.5.0", {}, "8.5.0", (8, 5)),
        ("ascend-toolkit/5.1.RC2.alpha007", {}, "5.1.RC2.alpha007", (5, 1)),
        ("python/3.11.2", {}, "", None),
        ("cann-9.2.0-beta.2", {"version.cfg": "x"}, "9.2.0-beta.2", (9, 2)),
    ],
)
def test_releases(name, files, release, version, tmp_path, place):
    atc = fake_toolkit(tmp_path / name, files)
    toolkit = find_toolkit({"ATC": str(atc)})
    assert (toolkit.release, toolkit.version) == (release, version)
    assert toolkit.home == tmp_path / name


def test_the_release_is_found_behind_a_link(tmp_path, place):
    real = fake_toolkit(tmp_path / "ascend-toolkit" / "8.0.0")
    link = tmp_path / "bin" / "atc"
    link.parent.mkdir()
    real.unlink()
    shutil.copy(STAND_IN, real)
    link.symlink_to(real)
    assert find_toolkit({"ATC": str(link)}).release == "8.0.0"


def test_devlib_where_there_is_no_npu(tmp_path, monkeypatch):
    devlib = tmp_path / ARCH / "devlib"
    devlib.mkdir(parents=True)
    toolkit = Toolkit(tmp_path / "atc", tmp_path, "8.0.0")
    monkeypatch.setattr(cann, "has_npu", lambda: False)
    assert environment_for(toolkit, {"A": "1"}) == {"A": "1", "LD_LIBRARY_PATH": str(devlib)}
    joint = environment_for(toolkit, {"LD_LIBRARY_PATH": "/a:/b"})
    assert joint == {"LD_LIBRARY_PATH": f"{devlib}:/a:/b"}
    monkeypatch.setattr(cann, "has_npu", lambda: True)
    assert environment_for(toolkit, {"A": "1"}) == {"A": "1"}
    shutil.rmtree(devlib)
    monkeypatch.setattr(cann, "has_npu", lambda: False)
    assert environment_for(toolkit, {"A": "1"}) == {"A": "1"}


@pytest.mark.parametrize(
    "folders, expected",
    [("", "/new"), ("/a", "/new:/a"), ("/a:/b", "/new:/a:/b"), (":/a:", "/new:/a")],
)
def test_no_empty_entries(folders, expected):
    assert join_paths("/new", folders) == expected


@pytest.mark.parametrize("where", ["set_env.sh", "../set_env.sh"])
def test_what_set_env_sets_is_there(where, tmp_path, journal, export, monkeypatch):
    home = tmp_path / "cann" / "latest"
    atc = fake_toolkit(home, {f"{ARCH}/ascend_toolkit_install.info": INFO.format("8.0.0")})
    libraries = f"export LD_LIBRARY_PATH='{home}/lib 64'${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}"
    (home / where).write_text(f"echo noise\nexport ASCEND_OPP_PATH={home}/opp\n{libraries}\n")
    monkeypatch.setenv("ATC", str(atc))
    monkeypatch.setenv("LD_LIBRARY_PATH", "/mine")
    code, out, _ = export("-o", "net.om")
    assert code == OK
    assert "by CANN 8.0.0;" in out
    (call,) = journal()
    assert call["libraries"] == f"{home}/lib 64:/mine"
    assert "--precision_mode_v2=fp16" in call["argv"]
    monkeypatch.setenv("ASCEND_OPP_PATH", "/sourced/already")
    export("-o", "net.om")
    assert journal()[1]["libraries"] == "/mine"


def test_a_set_env_that_fails(tmp_path, journal, export, monkeypatch):
    atc = fake_toolkit(tmp_path / "cann", {"set_env.sh": "exit 3\n"})
    monkeypatch.setenv("ATC", str(atc))
    code, _, err = export("-o", "net.om")
    assert code == USAGE
    script = tmp_path / "cann" / "set_env.sh"
    assert err == (f"error: {script} cannot be read by bash; run `source {script}` yourself first")


# Chips.


@pytest.mark.parametrize(
    "soc, message",
    [
        ("ascend310", "--soc ascend310 is not an Ascend chip; did you mean 'Ascend310'?"),
        ("Ascend310P", "--soc Ascend310P is not an Ascend chip; did you mean 'Ascend310"),
        ("310", "--soc 310 is not an Ascend chip"),
        ("Ascend910C9", "--soc Ascend910C9 is not an Ascend chip"),
        ("", "an OM is for one chip, and --soc is missing"),
        (None, "an OM is for one chip, and --soc is missing"),
    ],
)
def test_chips_that_are_none(soc, message):
    with pytest.raises(UsageError) as error:
        check_soc(soc)
    assert str(error.value).startswith(message)
    assert "npu-smi info" in str(error.value)


@pytest.mark.parametrize("soc", [*SOCS, "Ascend910_9391", "Ascend910_9589", "Ascend950PR_9599"])
def test_chips(soc):
    assert check_soc(soc) == soc


def test_a_chip_that_only_the_toolkit_knows(tmp_path, journal, export, monkeypatch):
    atc = fake_toolkit(tmp_path / "cann", {"data/platform_config/Ascend777X.ini": ""})
    monkeypatch.setenv("ATC", str(atc))
    assert export("-o", "net.om", "--soc", "Ascend777X")[0] == OK
    assert export("-o", "net.om", "--soc", "Ascend777Y")[0] == USAGE


def test_there_is_no_default_chip(journal, capsys):
    assert main(["export", "tiny/isynet", "--format", "om"]) == USAGE
    assert "--soc is missing" in capsys.readouterr().err


@pytest.mark.parametrize(
    "release, is_warned", [("8.3.RC1", True), ("9.1.0", True), ("8.2.0", False)]
)
def test_a_cann_that_forgot_the_310(release, is_warned, tmp_path, journal, export, monkeypatch):
    files = {f"{ARCH}/ascend_toolkit_install.info": INFO.format(release)}
    monkeypatch.setenv("ATC", str(fake_toolkit(tmp_path / "cann", files)))
    code, _, err = export("-o", "net.om")
    assert code == OK
    short = ".".join(release.split(".")[:2])
    warning = (
        f"warning: CANN {short} no longer lists Ascend310; use CANN 5.0 to 8.2, and the device"
        " needs one that is not older"
    )
    assert err == (warning if is_warned else "")


@pytest.mark.parametrize(
    "log, code, meaning, remedy",
    [
        (
            "EZ3003: [PID: 3] No supported Ops kernel and engine are found for [Conv_0], optype"
            " [Conv2D].", "EZ3003", "no kernel for an operator", "very chip that --soc names",
        ),
        (
            "EZ3002: [PID: 3] Optype [Conv2D] of Ops kernel [AIcoreEngine] is unsupported. Reason:"
            " dynamic shape.", "EZ3002", "no kernel for an operator", "one batch size (--batch N)",
        ),
        (
            "E20001: [PID: 3] Failed to compile Op [Conv_0, [Conv2D]]: shape has -1.",
            "E20001", "could not be compiled", "--batch N in place of --dynamic-batch",
        ),
        (
            "E89999: Inner Error!\nE89999[PID: 3] Op Gather has invalid dtype INT64, INT32 wanted",
            "E89999", "INT64 in place of INT32", "an ONNX that archspec wrote",
        ),
        (
            "EZ9999: Inner Error!\nTypeError: cannot pickle 'FrameLocalsProxy' object\n",
            "EZ9999", "does not work under this Python", "3.9 to 3.11",
        ),
        (
            "EZ9999: Inner Error!\nAttributeError: `np.float_` was removed in the NumPy 2.0"
            " release."
            " Use `np.float64` instead.", "EZ9999", "needs numpy 1", "pip install 'numpy<2'",
        ),
        (
            "EZ9999: Inner Error!\nOSError: [Errno 12] Cannot allocate memory",
            "EZ9999", "more memory than this board has", "TE_PARALLEL_COMPILER=1",
        ),
    ],
)  # fmt: skip
def test_what_people_meet_on_boards(log, code, meaning, remedy):
    """The words are made by hand after those that people report; no atc of ours printed them."""
    found = finding(f"ATC start working now, please wait for a moment.\n...\n{log}\n")
    assert found.code == code
    assert found.advice is not None
    assert meaning in found.advice.meaning and remedy in found.advice.remedy


def test_who_compiles_on_a_board_is_told():
    assert "TE_PARALLEL_COMPILER=1" in note_on_board("aarch64", True)
    assert note_on_board("aarch64", False) == note_on_board("x86_64", True) == ""


def test_the_table_of_chips():
    """Every name stands in one row, each time is that of a device there is, and the page shows the
    table as it is."""
    assert len({*SOCS}) == len(SOCS) == sum(len(chip.socs) for chip in CHIPS)
    assert {chip.device for chip in CHIPS if chip.device} == devices().keys()
    assert [chip.name for chip in chips_under((8, 2))] == ["310B", "310P", "310", "910", "A2"]
    assert "310" not in [chip.name for chip in chips_under((8, 3))]
    assert chip_of("Ascend310B4").name == CHIPS[0].name == "310B"
    rows = chip_table()
    lines = [f"| {' | '.join(row.values())} |" for row in rows]
    page = (ROOT / "docs" / "ascend.md").read_text()
    assert "\n".join([f"| {' | '.join(rows[0])} |", "|---" * len(rows[0]) + "|", *lines]) in page


def test_cautions():
    assert "may not know Ascend310B4; use CANN 7.0 or newer" in cautions("Ascend310B4", (6, 0))[0]
    assert cautions("Ascend310", None) == []
    assert cautions("Ascend310P3", (9, 1)) == []
    (caution,) = cautions("Ascend910B", None)
    assert "Ascend910B1" in caution


# The checklist for people with a device.


def test_the_commands_of_the_checklist_are_real():
    text = (ROOT / "docs" / "device-checklist.md").read_text()
    blocks = "".join(re.findall(r"^```\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    commands = re.findall(r"^archspec .*", blocks, re.MULTILINE)
    assert len(commands) > 10
    for command in commands:
        name, *options = shlex.split(command.partition(" > ")[0])[1:]
        module = module_of(name)
        parser = argparse.ArgumentParser(exit_on_error=False)
        module.add_arguments(parser)
        parser.parse_args(options)


# The real one.


def real_atc():
    toolkit = find_toolkit(os.environ)
    if toolkit is None:
        return None
    said = subprocess.run(
        [toolkit.atc, "--help"],
        env=environment_for(toolkit, os.environ),
        capture_output=True,
        text=True,
    )
    is_real = said.returncode == 0 and "stand-in" not in said.stdout
    return toolkit if is_real else None


@pytest.mark.cann
@pytest.mark.parametrize("options", [[], ["--no-aipp"], ["--dynamic-batch", "1,4"]])
def test_a_real_atc_makes_an_om(options, tmp_path, capsys):
    """SOC names the chip; Ascend310P3, which every CANN of today knows, where it is not set."""
    if real_atc() is None:
        pytest.skip("needs CANN's atc")
    soc = os.environ.get("SOC", "Ascend310P3")
    target = tmp_path / "net.om"
    command = ["export", "tiny/cspdarknet", "--format", "om", "--soc", soc, "-o", str(target)]
    assert main([*command, *options]) == OK, capsys.readouterr().err
    assert target.read_bytes()[:4] == b"IMOD"
