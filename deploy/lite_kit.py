"""The second way to a chip, by MindSpore Lite's converter_lite, as files beside convert.sh.

Keys and values are those of Lite's manual for `--optimize=ascend_oriented`; nothing here has met
it.
"""

from __future__ import annotations

from pathlib import Path

from archspec.deploy import aipp
from archspec.shapes import Shape

CONFIG, SCRIPT = "lite.cfg", "convert_lite.sh"
INPUT = "image"


def optimize(soc: str) -> str:
    """What converter_lite calls a chip, where it has a name for its kind."""
    return "ascend_oriented:310P" if soc.startswith("Ascend310P") else "ascend_oriented"


def config(batch: int, image: Shape, has_aipp: bool) -> str:
    """The file of --configFile."""
    shape = ",".join(map(str, (batch, *image)))
    lines = [
        "[ascend_context]",
        "input_format=NCHW",
        f"input_shape={INPUT}:[{shape}]",
        "precision_mode=enforce_fp16",
        "output_type=FP32",
        *([f"insert_op_config_file_path={aipp.FILE}"] if has_aipp else []),
    ]
    return "\n".join(lines) + "\n"


def script(stem: str, soc: str) -> str:
    """A bash script that makes STEM_lite.mindir of the files beside it."""
    return f"""\
#!/usr/bin/env bash
# Makes {stem}_lite.mindir for {soc}, where MindSpore Lite's cloud package and CANN are installed.
# The other way, to an OM, is convert.sh.
set -euo pipefail
cd "$(dirname "${{BASH_SOURCE[0]}}")"
if ! command -v converter_lite > /dev/null; then
  echo "converter_lite is not there; put tools/converter/converter of MindSpore Lite's package" \\
    "on PATH, and its lib folders in LD_LIBRARY_PATH" >&2
  exit 1
fi
converter_lite --fmk=ONNX --modelFile={stem}.onnx --outputFile={stem}_lite --saveType=MINDIR \\
  --optimize={optimize(soc)} --configFile={CONFIG}
[ -f {stem}_lite.mindir ] || {{ echo "converter_lite left no {stem}_lite.mindir" >&2; exit 1; }}
if [ -f {stem}.om.json ]; then cp {stem}.om.json {stem}_lite.mindir.json; fi
echo "made {stem}_lite.mindir"
"""


def put_lite(
    folder: Path, stem: str, soc: str, batch: int | None, image: Shape, has_aipp: bool
) -> None:
    """Put both files into a folder that has the ONNX; none for an ONNX of any batch, for which Lite
    wants other keys."""
    if batch is None:
        return
    (folder / CONFIG).write_text(config(batch, image, has_aipp))
    path = folder / SCRIPT
    path.write_text(script(stem, soc))
    path.chmod(0o755)
