"""From an ONNX to an OM by Huawei's atc, in a folder of its own, with the result checked.

    with converted(conversion, onnx, toolkit, log) as om:     # a Path, gone when the block ends
    leave_kit(folder, conversion, onnx)                       # for a machine that has CANN

atc litters the folder that it works in and takes few characters in paths, so it works in a folder
for temporary files, on names made of letters and digits alone.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO

from archspec.deploy import aipp, amct, lite_kit
from archspec.deploy.atc_codes import finding
from archspec.deploy.cann import HOMES, LIBRARIES, SOURCED, Toolkit, environment_for
from archspec.deploy.om.container import HEADER_SIZE, NotAnOm, read_container
from archspec.errors import SpecError, UsageError
from archspec.shapes import Shape
from archspec.writing import whole_folder

INPUT = "image"
"""The input's name in the ONNX that archspec writes."""
ONNX = "5"
SCRIPT = "convert.sh"
GRACE = 5.0
"""Seconds that atc has to end after it was asked to."""
V2_SINCE = (7, 0)
"""From this CANN on the manual asks for --precision_mode_v2 in place of --precision_mode."""
_SIGNALS = {number.value: number.name for number in signal.Signals}
MAX_OUTPUT = 1 << 22
"""Bytes at a log's end that are looked through for the reason of a failure."""


@dataclass(frozen=True)
class Conversion:
    """What atc is asked for.

    `gears` are the batch sizes of an ONNX for any batch; without them its batch is fixed. `aipp` is
    the text of the AIPP file; without it the OM takes float32. `is_quantized`: the ONNX is QDQ,
    which AMCT has to make atc's own quantised form of first.
    """

    name: str
    soc: str
    image: Shape
    gears: tuple[int, ...] = ()
    aipp: str = ""
    is_quantized: bool = False

    @property
    def stem(self) -> str:
        """The name in letters that atc takes."""
        return re.sub(r"[^A-Za-z0-9_]", "_", self.name) or "network"


def arguments(conversion: Conversion, version: tuple[int, int] | None) -> list[str]:
    """atc's options, for files beside each other in the working directory, under a CANN of this
    version; what every CANN takes where it is not known (None)."""
    onnx = f"{conversion.stem}.onnx"
    gears = ",".join(map(str, conversion.gears))
    shape = ",".join(map(str, (-1, *conversion.image)))
    return [
        f"--model={amct.deploy_model(conversion.stem) if conversion.is_quantized else onnx}",
        f"--framework={ONNX}",
        f"--output={conversion.stem}",
        f"--soc_version={conversion.soc}",
        "--input_format=NCHW",
        *([f"--input_shape={INPUT}:{shape}", f"--dynamic_batch_size={gears}"] if gears else []),
        *([f"--insert_op_conf={aipp.FILE}"] if conversion.aipp else []),
        "--output_type=FP32",
        "--precision_mode_v2=fp16"
        if version and version >= V2_SINCE
        else "--precision_mode=force_fp16",
        "--log=error",
    ]


@contextmanager
def convert(
    conversion: Conversion,
    onnx: bytes,
    toolkit: Toolkit,
    log: Path,
    timeout: float | None = None,
) -> Iterator[Path]:
    """The OM that atc makes of an ONNX, while the block runs.

    All that atc says goes into `log`. Raises SpecError where atc fails, takes longer than `timeout`
    seconds, or leaves no whole OM; UsageError where the log cannot be written. However it
    ends, no process of atc's lives on.
    """
    environment = environment_for(toolkit, os.environ)
    # then what --log lets through goes to the log instead of ~/ascend/log
    environment.setdefault("ASCEND_SLOG_PRINT_TO_STDOUT", "1")
    command = [str(toolkit.atc), *arguments(conversion, toolkit.version)]
    with tempfile.TemporaryDirectory(prefix="archspec-atc-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        _put_inputs(folder, conversion, onnx)
        with _open(log) as file:
            file.write(_log_head(toolkit, command, environment.get(LIBRARIES, "")).encode())
            file.flush()
            code = _run(command, folder, environment, file, timeout)
        if code is None:
            raise SpecError(
                f"atc was stopped after {timeout:g} seconds; use a larger --timeout, and {log}"
                " has what it said"
            )
        if code:
            raise SpecError(f"atc {_describe_end(code, log)}; all it said is in {log}")
        yield _check(folder, conversion, log)


def leave_kit(folder: Path, conversion: Conversion, onnx: bytes, record: str = "") -> None:
    """Put the ONNX, the AIPP file, AMCT's record and a script that converts them into a folder, in
    place of an earlier one. Raises UsageError where another thing has its name."""
    with whole_folder(_free(folder, conversion)) as new:
        _put_inputs(new, conversion, onnx)
        if record:
            (new / amct.RECORD).write_text(record)
        path = new / SCRIPT
        path.write_text(script(conversion))
        path.chmod(0o755)


def script(conversion: Conversion) -> str:
    """A bash script that converts the files beside it with whatever CANN is there."""
    homes = " ".join(home.replace("~", '"$HOME"') for home in HOMES)
    before = amct.script_lines(conversion.stem) if conversion.is_quantized else ""
    options = " \\\n  ".join(shlex.quote(option) for option in arguments(conversion, None))
    return f"""\
#!/usr/bin/env bash
# Makes {conversion.stem}.om for {conversion.soc} of the files beside it, where CANN is installed.
set -euo pipefail
cd "$(dirname "${{BASH_SOURCE[0]}}")"

if [ -z "${{{SOURCED}:-}}" ]; then
  for home in {homes}; do
    for set_env in "$home/set_env.sh" "$(dirname "$home")/set_env.sh"; do
      if [ -f "$set_env" ]; then
        set +eu
        source "$set_env"
        set -eu
        break 2
      fi
    done
  done
fi
if ! command -v "${{ATC:-atc}}" > /dev/null; then
  echo "atc is not on PATH; run source .../set_env.sh of your CANN first" >&2
  exit 1
fi

# without an NPU there is no driver, but CANN has copies of its libraries
devlib="${{ASCEND_TOOLKIT_HOME:-}}/$(uname -m)-linux/devlib"
if ! compgen -G "/dev/davinci*" > /dev/null && [ -d "$devlib" ]; then
  export {LIBRARIES}="$devlib${{{LIBRARIES}:+:${LIBRARIES}}}"
fi

export ASCEND_SLOG_PRINT_TO_STDOUT=1
rm -f {conversion.stem}*.om
{before}"${{ATC:-atc}}" \\
  {options} 2>&1 | tee {conversion.stem}.om.log

for om in {conversion.stem}*.om; do
  if [ ! -f "$om" ] || [ "$(head -c 4 "$om")" != IMOD ]; then
    echo "atc left no OM" >&2
    exit 1
  fi
  # newer ones add the system's name; what is known of the model is in {conversion.stem}.om.json
  [ "$om" = {conversion.stem}.om ] || mv "$om" {conversion.stem}.om
  echo "wrote $PWD/{conversion.stem}.om"
done
"""


def _put_inputs(folder: Path, conversion: Conversion, onnx: bytes) -> None:
    (folder / f"{conversion.stem}.onnx").write_bytes(onnx)
    if conversion.aipp:
        (folder / aipp.FILE).write_text(conversion.aipp)


def _free(folder: Path, conversion: Conversion) -> Path:
    """The folder, where there is none or one of ours is taken away."""
    ours = {f"{conversion.stem}.onnx", f"{conversion.stem}.om.json", aipp.FILE, SCRIPT}
    ours |= {amct.RECORD, lite_kit.CONFIG, lite_kit.SCRIPT}
    if folder.is_dir() and not folder.is_symlink():
        names = {path.name for path in folder.iterdir()}
        if SCRIPT in names and names <= ours:
            shutil.rmtree(folder)
    return folder


def _log_head(toolkit: Toolkit, command: Sequence[str], libraries: str) -> str:
    return (
        f"CANN {toolkit.release or 'of unknown release'} in {toolkit.home}\n"
        f"{LIBRARIES}={libraries}\n"
        f"{shlex.join(command)}\n\n"
    )


def _open(log: Path) -> IO[bytes]:
    try:
        return log.open("wb")
    except OSError as error:
        raise UsageError(
            f"{log} cannot be written ({(error.strerror or '').lower()}); use -o in a folder that"
            " exists and may be written to"
        ) from None


def _run(
    command: Sequence[str],
    folder: Path,
    environment: dict[str, str],
    output: IO[bytes],
    timeout: float | None,
) -> int | None:
    """The exit code, or None where time ran out. atc starts many processes, so it leads a group
    that ends as one: when time runs out, and when we are interrupted or told to end ourselves."""
    with _ending_as_exceptions():
        try:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise UsageError(
                f"{command[0]} cannot be run ({(error.strerror or str(error)).lower()}); use the"
                " path of CANN's atc in ATC"
            ) from None
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None
        finally:
            _end_group(process)


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """Leave none of its processes behind, though the first may have ended."""
    try:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(GRACE)
    except (ProcessLookupError, subprocess.TimeoutExpired):
        pass
    finally:  # a second interrupt while it is waited for too
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def _ending_as_exceptions() -> Iterator[None]:
    """SIGTERM and SIGHUP leave by way of every `finally`, as SIGINT does; else what is in another
    process group would continue."""

    def leave(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _describe_end(code: int, log: Path) -> str:
    """How atc ended, by its exit code and by what it said."""
    # atc is a shell script around a program, and a shell turns the end by signal 9 into 137
    number = -code if code < 0 else code - 128
    if number in _SIGNALS:
        likely = (
            ", as happens where memory runs out (use TE_PARALLEL_COMPILER=1, or an x86 machine)"
            if number == signal.SIGKILL
            else ""
        )
        return f"was ended by {_SIGNALS[number]}{likely}"
    return f"failed (exit code {code}): {finding(_tail(log))}"


def _tail(log: Path) -> str:
    with log.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - MAX_OUTPUT))
        text = file.read().decode(errors="replace")
    # our own lines end where the first empty one is
    return text.partition("\n\n")[2] if size <= MAX_OUTPUT else text


def _check(folder: Path, conversion: Conversion, log: Path) -> Path:
    """The one OM in the folder, whole as far as its header tells. atc may add the system's name to
    its stem. Raises SpecError."""
    found = sorted(folder.glob(f"{conversion.stem}*.om"))
    if len(found) != 1:
        raise SpecError(
            f"atc said that all went well and left {len(found) or 'no'} OM"
            f"{'s' if found else ''}; {log} has what it said"
        )
    try:
        container = read_container(found[0])
    except NotAnOm as error:
        raise SpecError(
            f"what atc left is not an OM: {error.problems[0].message}; {log} has what atc said"
        ) from None
    missing = container.header.body_length - (container.size - HEADER_SIZE)
    if missing:
        raise SpecError(
            f"what atc left is not a whole OM: its header promises {container.header.body_length:,}"
            f" bytes after it, {container.size - HEADER_SIZE:,} are there; {log} has what atc said"
        )
    return found[0]
