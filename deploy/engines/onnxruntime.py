"""onnxruntime on the CPU: runs .onnx, and what a stand-in for atc says it was given."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.checksums import damage_error
from archspec.compiler.images.batches import usable_workers
from archspec.compiler.sealed_onnx import check_onnx_bytes, check_onnx_metadata
from archspec.deploy.engines import Port, check_arrays
from archspec.deploy.engines.external import check_self_contained
from archspec.deploy.engines.files import first_bytes
from archspec.deploy.om.container import MAGIC, STAND_IN
from archspec.errors import LackingError, SpecError, UsageError
from archspec.extras import lacking

if TYPE_CHECKING:
    import numpy as np

DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(uint8)": "uint8",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
}
ERRORS_ONLY = 3


class OnnxRuntimeEngine:
    """An ONNX model on this machine's CPU, an Engine.

    `threads` work on one operator at a time; as many as there are CPUs unless given. They sleep
    where they would wait, so that images can be prepared meanwhile. `profile` is how the name of a
    file begins that onnxruntime writes its times into (see `end_profile`).
    """

    name = "onnxruntime"

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        device: int = 0,
        threads: int | None = None,
        profile: str | None = None,
    ):
        head = first_bytes(path)
        package = _onnxruntime()
        if device != 0:
            raise UsageError(f"onnxruntime runs on the CPU, which is device 0, not {device}")
        if head.startswith(MAGIC):
            raise UsageError(f"{path} is an Ascend offline model; use --engine acl")
        self.is_simulated = head == STAND_IN
        model = recorded_onnx(path) if self.is_simulated else Path(path)
        self.threads = usable_workers(sys.maxsize) if threads is None else threads
        options = package.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.log_severity_level = ERRORS_ONLY
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        if profile is not None:
            options.enable_profiling = True
            options.profile_file_prefix = profile
        check_onnx_bytes(model)
        check_self_contained(model)
        try:
            session = package.InferenceSession(
                os.fspath(model), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime has a class of its own for each reason
            reason = str(error).partition("\n")[0]
            raise UsageError(
                f"{model} is not a model that onnxruntime runs ({reason}); use an .onnx file that"
                " archspec export wrote"
            ) from None
        self._session: Any = session
        try:
            self.inputs = _ports(session.get_inputs())
            self.outputs = _ports(session.get_outputs())
            self.metadata: Mapping[str, str] = session.get_modelmeta().custom_metadata_map
        except UnicodeDecodeError:
            raise damage_error(model, "a name in it is not UTF-8 text") from None
        check_onnx_metadata(model, self.metadata)
        self.device_seconds = 0.0

    def run(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        check_arrays(self.inputs, arrays)
        start = time.perf_counter()
        results = self._session.run(None, dict(arrays))
        self.device_seconds = time.perf_counter() - start
        return {port.name: array for port, array in zip(self.outputs, results, strict=True)}

    def end_profile(self) -> Path:
        """The file of times, whole now. Only with `profile`."""
        return Path(self._session.end_profiling())

    def close(self) -> None:
        self._session = None


def recorded_onnx(path: str | os.PathLike[str]) -> Path:
    """The ONNX that a stand-in for an OM was made of, said on standard error to be no NPU's.
    Raises SpecError where it is no longer there as it was."""
    try:
        said = json.loads(Path(path).read_bytes()[len(STAND_IN) :])
        model, digest = Path(said["onnx"]), said["sha256"]
        content = model.read_bytes()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SpecError(
            f"{path} is a stand-in for an OM and the ONNX that it was made of cannot be found"
            f" ({error})"
        ) from None
    if hashlib.sha256(content).hexdigest() != digest:
        raise SpecError(f"{path} is a stand-in for an OM, and {model} has changed since")
    print(
        f"SIMULATED: {path} is a stand-in, not an OM; onnxruntime runs {model} on the CPU in its"
        " place, and no figure is an NPU's",
        file=sys.stderr,
    )
    return model


def _onnxruntime() -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise LackingError(lacking("this engine", "onnxruntime", error)) from None
    return onnxruntime


def _ports(values: Sequence[Any]) -> tuple[Port, ...]:
    return tuple(
        Port(
            value.name,
            DTYPES.get(str(value.type), str(value.type)),
            tuple(extent if isinstance(extent, int) else None for extent in value.shape),
        )
        for value in values
    )
