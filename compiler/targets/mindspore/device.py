"""What must be right about the machine before the first convolution, and which devices there are.

On some CPUs with AVX512 oneDNN picks its reference kernels, a hundred times slower than those it
has for AVX2. Whether this is such a CPU is found out once, in a process of its own, and kept.
"""

from __future__ import annotations

import ctypes.util
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from archspec.compiler.targets.mindspore.installed import mindspore
from archspec.errors import LackingError, UsageError, did_you_mean
from archspec.extras import version_of
from archspec.writing import write_whole

CAP = "ONEDNN_MAX_CPU_ISA"
GOOD_CAP = "AVX2"
LONGEST_PROBE = 120
"""Seconds."""

DEVICES: Mapping[str, Mapping[str, str]] = {
    "CPU": {},
    "GPU": {"cuda": "NVIDIA's driver (libcuda)", "cudnn": "cuDNN 8 (libcudnn)"},
    "Ascend": {"ascendcl": "CANN (libascendcl; source its set_env.sh)"},
}
"""Devices by MindSpore's names, with the shared libraries that each needs."""

_PROBE = """
import numpy, mindspore
from mindspore import nn
convolution = nn.Conv2d(16, 16, 3, pad_mode="pad", padding=1)
convolution(mindspore.Tensor(numpy.ones((1, 16, 8, 8), numpy.float32))).asnumpy()
"""


def prepare() -> None:
    """Make the machine ready: fewer warnings (GLOG_v), and no reference kernels.

    What is set already stays as it is. Says on standard error what it sets. To be called before
    the first convolution of a process; a second call does nothing.
    """
    os.environ.setdefault("GLOG_v", "3")  # errors only
    if CAP in os.environ:
        return
    if onednn_verdict() == "capped":
        os.environ[CAP] = GOOD_CAP
        print(
            f"note: {CAP}={GOOD_CAP} is set, because oneDNN's own choice on this CPU is a reference"
            f" kernel, a hundred times slower; set {CAP} yourself to have another",
            file=sys.stderr,
        )


def onednn_verdict() -> str:
    """ "fine" where oneDNN chooses well by itself, "capped" where it does so only up to AVX2,
    "hopeless" where neither helps and "unknown" where it could not be tried."""
    if not _has_avx512():
        return "fine"
    key = f"{_cpu()}, mindspore {version_of('mindspore', 'none')}"
    kept = _read_kept()
    if key not in kept:
        verdict = _try()
        if verdict == "unknown":
            return verdict
        kept[key] = verdict
        _keep(kept)
    return kept[key]


def uses_reference_kernels(environment: Mapping[str, str]) -> bool | None:
    """Whether a convolution in a new process with these variables is one; None if it fails."""
    try:
        result = subprocess.run(
            [sys.executable, "-c", _PROBE],
            env={**environment, "ONEDNN_VERBOSE": "1", "GLOG_v": "3"},
            capture_output=True,
            text=True,
            timeout=LONGEST_PROBE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = [line for line in result.stdout.splitlines() if ",convolution," in line]
    if result.returncode or not lines:
        return None
    return any("ref:any" in line or ",ref:" in line for line in lines)


def _try() -> str:
    free = {name: value for name, value in os.environ.items() if name != CAP}
    is_slow = uses_reference_kernels(free)
    if not is_slow:
        return "unknown" if is_slow is None else "fine"
    is_still_slow = uses_reference_kernels({**free, CAP: GOOD_CAP})
    return "capped" if is_still_slow is False else "hopeless"


def _has_avx512() -> bool:
    """Only these CPUs were ever seen to fall for it; where one cannot tell, it is tried."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return False
    try:
        return "avx512" in Path("/proc/cpuinfo").read_text()
    except OSError:
        return True


def _cpu() -> str:
    """The CPU's model with a digest of what it can do, for virtual machines call many one name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    facts = dict(line.split(":", 1) for line in reversed(lines) if ":" in line)
    known = {key.strip(): value.strip() for key, value in facts.items()}
    numbers = (known.get(key, "?") for key in ("cpu family", "model", "stepping"))
    features = len(known.get("flags", "").split())
    return f"{known.get('model name', '?')} ({'/'.join(numbers)}, {features} features)"


def _cache_file() -> Path:
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "archspec" / "onednn.json"


def _read_kept() -> dict[str, str]:
    try:
        found = json.loads(_cache_file().read_text())
    except (OSError, ValueError, RuntimeError):
        return {}
    return found if isinstance(found, dict) else {}


def _keep(verdicts: Mapping[str, str]) -> None:
    try:
        _cache_file().parent.mkdir(parents=True, exist_ok=True)
        write_whole(_cache_file(), json.dumps(verdicts, indent=2, sort_keys=True) + "\n")
    except (OSError, RuntimeError, UsageError):
        pass  # then the next process tries again


# Devices.


def missing_for(device: str) -> str:
    """What this machine lacks for a device of MindSpore's, or an empty string."""
    if device not in DEVICES:
        return f"a MindSpore for {device}"
    lacking = [
        what for library, what in DEVICES[device].items() if not ctypes.util.find_library(library)
    ]
    return " and ".join(lacking)


def set_device(name: str, number: int | None = None) -> None:
    """Let MindSpore work on a device, "CPU", "GPU" or "Ascend", and where the machine has several
    on that of this number. Raises LackingError where it is not there, naming what is missing."""
    if name not in DEVICES:
        raise UsageError(
            f"there is no device {name!r}{did_you_mean(name, DEVICES)}"
            f" (known: {', '.join(DEVICES)})"
        )
    lacking = missing_for(name)
    if lacking:
        verb = "are" if " and " in lacking else "is"
        raise LackingError(f"{name} cannot be used here: {lacking} {verb} missing; use CPU")
    prepare()
    ms = mindspore()
    runs_on = ms.get_context("device_target"), ms.get_context("device_id")
    try:
        ms.set_device(name, number)
    except (RuntimeError, ValueError) as error:
        # once a kernel has run MindSpore refuses even the device that it is on
        if runs_on == (name, number or 0):
            return
        reason = str(error).strip().partition("\n")[0].partition(". ")[0]
        raise LackingError(f"{name} cannot be used here: MindSpore says {reason!r}") from error
