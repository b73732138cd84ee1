"""The engines that run exported models: one row each, for commands, results and the profiler.

It imports nothing: a command shows its options without loading what they stand for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class EngineRow(NamedTuple):
    """`kind` is the class in `module`, imported on use: Class(path, *, device=0, threads=None),
    which raises UsageError for a file that is not its own. Files of the engine end in `ending`; in
    none where another engine has theirs, and --engine has to say so.
    Results depend on the versions of `packages`. `is_cpu`: its device is this machine's CPU, which
    prepares the images too. `times_layers`: it can tell how long each layer takes."""

    module: str
    kind: str
    ending: str
    packages: tuple[str, ...]
    is_cpu: bool
    times_layers: bool


ENGINES: Mapping[str, EngineRow] = {
    "onnxruntime": EngineRow(
        "archspec.deploy.engines.onnxruntime", "OnnxRuntimeEngine", ".onnx",
        ("onnxruntime", "numpy", "pillow"), is_cpu=True, times_layers=True,
    ),
    "mindspore": EngineRow(
        "archspec.deploy.engines.mindspore", "MindSporeEngine", ".mindir",
        ("mindspore", "numpy", "pillow"), is_cpu=True, times_layers=False,
    ),
    "acl": EngineRow(
        "archspec.deploy.engines.acl", "AclEngine", ".om",
        ("numpy", "pillow"), is_cpu=False, times_layers=True,
    ),
    "lite": EngineRow(
        "archspec.deploy.engines.lite", "LiteEngine", "",
        ("numpy", "pillow"), is_cpu=False, times_layers=False,
    ),
}  # fmt: skip

ENDINGS: Mapping[str, str] = {row.ending: name for name, row in ENGINES.items() if row.ending}
"""The engine of a file by the ending of its name."""
