"""MindSpore Lite, MindSpore's own way to infer on Ascend: runs the .mindir that its converter_lite
makes (`--optimize=ascend_oriented`), which holds an OM.

The calls are those of its Python manual: Context.target, Model.build_from_file, get_inputs,
predict.
The package comes with MindSpore Lite's cloud version and is on no index, so nothing here has met
it; tests have a stand-in.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from archspec.deploy.engines import Port, check_arrays
from archspec.deploy.engines.files import first_bytes
from archspec.errors import LackingError, SpecError, UsageError

DTYPES = ("float32", "float16", "uint8", "int8", "int32", "int64", "float64")
"""numpy's names; Lite's are the same in capitals."""


class LiteEngine:
    """A model of MindSpore Lite on an Ascend device, an Engine. `threads` is nothing to it.

    Lite tells outputs when they are there: the model runs once on zeros as it is opened. What a
    file says of its spec is in the file beside it, as of an OM.
    """

    name = "lite"

    def __init__(
        self, path: str | os.PathLike[str], *, device: int = 0, threads: int | None = None
    ):
        first_bytes(path)
        if device < 0:
            raise UsageError(f"there is no device {device}; use 0, the first")
        lite = _import()
        self._path = os.fspath(path)
        self.is_simulated = bool(getattr(lite, "ARCHSPEC_STAND_IN", False))
        self.metadata: Mapping[str, str] = {}
        self.device_seconds = 0.0
        context = lite.Context()
        context.target = ["ascend"]
        context.ascend.device_id = device
        model = lite.Model()
        try:
            model.build_from_file(self._path, lite.ModelType.MINDIR, context)
        except (RuntimeError, ValueError, TypeError) as error:
            raise UsageError(
                f"{path} is not a model that MindSpore Lite runs ({_first_line(error)}); use a"
                " .mindir that converter_lite --optimize=ascend_oriented made"
            ) from None
        self._model: Any = model
        self.inputs = tuple(_port(tensor, self._path) for tensor in model.get_inputs())
        zeros = {
            port.name: np.zeros(_shape_of(port, self._path), port.dtype) for port in self.inputs
        }
        self.outputs = tuple(_port(tensor, self._path) for tensor in self._predict(zeros))

    def run(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        if self._model is None:
            raise UsageError(f"{self._path} is closed; open it again")
        check_arrays(self.inputs, arrays)
        tensors = self._predict(arrays)
        return {
            port.name: np.array(tensor.get_data_to_numpy())
            for port, tensor in zip(self.outputs, tensors, strict=True)
        }

    def _predict(self, arrays: Mapping[str, np.ndarray]) -> Sequence[Any]:
        tensors = self._model.get_inputs()
        for tensor in tensors:
            tensor.set_data_from_numpy(np.ascontiguousarray(arrays[str(tensor.name)]))
        start = time.perf_counter()
        try:
            found = self._model.predict(tensors)
        except RuntimeError as error:
            raise SpecError(
                f"{self._path} cannot be run by MindSpore Lite ({_first_line(error)})"
            ) from None
        self.device_seconds = time.perf_counter() - start  # copies too: Lite tells no other
        return found

    def close(self) -> None:
        self._model = None


def _import() -> Any:
    try:
        import mindspore_lite  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise LackingError(
            f"the engine lite needs the Python package of MindSpore Lite's cloud version ({error});"
            " use --engine acl with an OM where that is not installed"
        ) from None
    return mindspore_lite


def _port(tensor: Any, path: str) -> Port:
    name = str(tensor.dtype).rpartition(".")[2].lower()
    if name not in DTYPES:
        raise SpecError(f"{path}: {tensor.name!r} is of {tensor.dtype}, which is not read here")
    shape = tuple(None if extent < 0 else int(extent) for extent in tensor.shape)
    return Port(str(tensor.name), name, shape)


def _shape_of(port: Port, path: str) -> tuple[int, ...]:
    fixed = tuple(extent for extent in port.shape if extent is not None)
    if len(fixed) != len(port.shape):
        raise SpecError(
            f"{path}: its input {port.name!r} is {port}, of any size; use converter_lite with a"
            " fixed input_shape"
        )
    return fixed


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
