"""One file for people with a chip to send back: what it is, what ran there, and how long that took.

Nothing private is in it: only what stands on the lists here is taken over, every text is one of a
known form, and no path, name of a host or of a user, serial number or address is read at all.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from archspec.deploy.cann import find_toolkit, has_npu
from archspec.deploy.profile.others import read_object
from archspec.deploy.socs import SOCS
from archspec.errors import SpecError, UsageError
from archspec.extras import version_of
from archspec.machine import usable_cpus

PACKAGES = ("archspec-nn", "numpy", "onnx", "onnxruntime", "mindspore", "torch")
TIMES = ("device", "call", "end_to_end")
FIGURES = ("median", "p90", "p99")
WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9 .+_()@,-]{0,79}")
"""A text that may be taken over: no slash of a path, no colon of an address."""
HEX = re.compile(r"[0-9a-f]{12,64}")
NPU_LINE = re.compile(r"^\|\s*\d+\s+(?:Ascend)?(\d{3}[A-Za-z0-9]*)\s*\|", re.MULTILINE)
NPU_SMI = re.compile(r"npu-smi\s+(\d+(?:\.\w+)*)")
DRIVER = re.compile(r"^Version=(\d[\w.]*)\s*$", re.MULTILINE)
DRIVER_FILES = ("/usr/local/Ascend/driver/version.info", "/usr/local/Ascend/firmware/version.info")


def report_device(files: Iterable[str | os.PathLike[str]], note: str = "") -> dict[str, Any]:
    """What is sent: of this machine, and of each file that `infer -o` or `profile --format json`
    wrote. Raises SpecError for a file that is neither, UsageError for one that does not exist and
    for a note that is not plain words."""
    if note and not WORD.fullmatch(note):
        raise UsageError(
            "--note is not plain words; use up to 80 letters, digits, spaces and . , + - _ ( ) @"
        )
    return {
        "archspec_device_report": 1,
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        "note": note,
        "machine": _machine(),
        "npu": _npu(),
        "cann": _cann(),
        "packages": {name: version_of(name) for name in PACKAGES},
        "results": [_result(Path(file)) for file in files],
    }


def _machine() -> dict[str, Any]:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    found = [line.partition(":")[2] for line in lines if line.lower().startswith("model name")]
    return {
        "architecture": _word(platform.machine()),
        "cpu": _word(found[0]) if found else "",
        "cpus": usable_cpus(),
        "system": platform.system(),
        "python": platform.python_version(),
    }


def _npu() -> dict[str, Any]:
    said = _npu_smi()
    names = NPU_LINE.findall(said)
    version_ = NPU_SMI.search(said)
    return {
        "is_there": has_npu(),
        "chips": [name for name in names if f"Ascend{name}" in SOCS or name.isalnum()],
        "npu_smi": version_[1] if version_ else "",
        "driver": _driver(DRIVER_FILES[0]),
        "firmware": _driver(DRIVER_FILES[1]),
    }


def _npu_smi() -> str:
    program = shutil.which("npu-smi")
    if program is None:
        return ""
    try:
        result = subprocess.run(
            [program, "info"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
            errors="replace", timeout=20, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return result.stdout


def _driver(path: str) -> str:
    try:
        met = DRIVER.search(Path(path).read_text(errors="replace"))
    except OSError:
        return ""
    return met[1] if met else ""


def _cann() -> str:
    try:
        toolkit = find_toolkit(os.environ)
    except UsageError:
        toolkit = None
    return _word(toolkit.release) if toolkit else ""


def _result(path: Path) -> dict[str, Any]:
    said = read_object(path, "a file of archspec infer -o")
    if isinstance(said.get("milliseconds_of_a_batch"), dict):
        return _inference(said)
    if isinstance(said.get("layers"), list):
        return _layers(said)
    raise SpecError(
        f"{path} is neither of archspec infer -o nor of archspec profile --format json; use those"
    )


def _inference(said: Mapping[str, Any]) -> dict[str, Any]:
    times = said["milliseconds_of_a_batch"]
    return {
        "kind": "infer",
        **{key: _word(said.get(key)) for key in ("name", "engine", "input")},
        **{key: _hex(said.get(key)) for key in ("fingerprint", "sha256")},
        "simulated": said.get("simulated") is not False,
        **{key: _number(said.get(key)) for key in ("batch", "images", "top1", "top5", "loss")},
        "milliseconds_of_a_batch": {
            what: {figure: _number(times[what].get(figure)) for figure in FIGURES}
            for what in TIMES
            if isinstance(times.get(what), dict)
        },
    }


def _layers(said: Mapping[str, Any]) -> dict[str, Any]:
    keys = ("milliseconds", "macs")
    return {
        "kind": "profile",
        "network": _word(said.get("network")),
        "measured": said.get("kind") == "measured",
        "batch": _number(said.get("batch")),
        "layers": [
            {
                **{key: _word(row.get(key)) for key in ("layer", "op", "bound")},
                **{key: _number(row.get(key)) for key in keys},
            }
            for row in said["layers"][:10_000]
            if isinstance(row, dict)
        ],
    }


def _word(value: Any) -> str:
    """A text of a known form that names neither this user nor this host."""
    text = value.strip() if isinstance(value, str) else ""
    names = (platform.node(), Path.home().name)
    if any(len(name) > 3 and name.lower() in text.lower() for name in names):
        return ""
    return text if WORD.fullmatch(text) else ""


def _hex(value: Any) -> str:
    return value if isinstance(value, str) and HEX.fullmatch(value) else ""


def _number(value: Any) -> float | int | None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return value if is_number and abs(value) < 1e15 else None


def describe_report(report: Mapping[str, Any]) -> Sequence[str]:
    """What is in a report, for the person who sends it."""
    npu, cann = report["npu"], report["cann"]
    chips = ", ".join(npu["chips"]) or ("one that npu-smi does not name" if npu["is_there"] else "")
    results = report["results"]
    simulated = sum(bool(one.get("simulated")) for one in results)
    lines = [
        f"chip      {chips or 'none here'}",
        f"CANN      {cann or 'none here'}",
        f"results   {len(results)}" + (f", {simulated} of a stand-in" if simulated else ""),
    ]
    return [
        *lines,
        "no path, host, user, serial number or address is in it; read it before you send",
    ]
