"""MindSpore on the CPU: runs .mindir."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archspec.compiler.images.classes import read_names
from archspec.deploy.engines import Port, check_arrays
from archspec.deploy.engines.files import first_bytes
from archspec.errors import UsageError
from archspec.graph import RESULT

if TYPE_CHECKING:
    import numpy as np

DTYPES = {1: "float32", 2: "uint8", 6: "int32", 7: "int64", 10: "float16", 11: "float64"}
"""Names of the types by their numbers in MindIR, which are ONNX's."""

OUTPUTS = "outputs"
"""What the metadata of a MindIR calls the names of its outputs, a JSON list."""


class MindSporeEngine:
    """A MindIR on this machine's CPU, an Engine.

    A MindIR keeps no names of outputs: where its metadata has none either, a single one is
    "logits", several are "output1", "output2" and so on.
    """

    name = "mindspore"
    is_simulated = False

    def __init__(
        self, path: str | os.PathLike[str], *, device: int = 0, threads: int | None = None
    ):
        first_bytes(path)
        from archspec.compiler.targets.mindspore.device import prepare, set_device
        from archspec.compiler.targets.mindspore.installed import mindspore

        if device != 0:
            raise UsageError(
                f"MindSpore runs a MindIR on the CPU here, which is device 0, not {device}"
            )
        prepare()
        with _delay_interrupt():
            self._package = ms = mindspore()
        set_device("CPU")
        if threads is not None:
            _use_threads(ms, threads)
        described = _describe(path)
        try:
            self._cell: Any = ms.nn.GraphCell(ms.load(os.fspath(path)))
        except (RuntimeError, ValueError) as error:
            reason = str(error).strip().partition("\n")[0]
            raise _not_ours(path, f"MindSpore says {reason!r}") from None
        self._cell.set_train(False)
        self.metadata: Mapping[str, str] = dict(described.user_info)
        self.inputs = tuple(
            _port(value.name.rpartition(":")[2], value.tensor[0]) for value in described.graph.input
        )
        tensors = _output_tensors(described)
        self.outputs = tuple(map(_port, _output_names(path, self.metadata, len(tensors)), tensors))
        self.device_seconds = 0.0

    def run(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        check_arrays(self.inputs, arrays)
        tensors = [self._package.Tensor(arrays[port.name]) for port in self.inputs]
        start = time.perf_counter()
        found = self._cell(*tensors)
        results = found if isinstance(found, tuple) else (found,)
        outputs = [result.asnumpy() for result in results]  # which waits for them
        self.device_seconds = time.perf_counter() - start
        return {port.name: array for port, array in zip(self.outputs, outputs, strict=True)}

    def close(self) -> None:
        self._cell = None


@contextmanager
def _delay_interrupt() -> Iterator[None]:
    """Let Ctrl-C wait until the block has ended: MindSpore crashes at exit when half imported."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    met: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: met.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if met:
        raise KeyboardInterrupt


def _use_threads(ms: Any, threads: int) -> None:
    """Threads within an operator and between operators alike."""
    try:
        ms.runtime.dispatch_threads_num(threads)
        ms.device_context.cpu.op_tuning.threads_num(threads)
    except RuntimeError:
        raise UsageError(
            "MindSpore takes the number of its threads once in a process, and it has one already;"
            " leave the number out"
        ) from None


def _describe(path: str | os.PathLike[str]) -> Any:
    """What a MindIR says of itself: its ports and its notes, of type ModelProto."""
    from google.protobuf.message import DecodeError

    described = import_module("mindspore.train.mind_ir_pb2").ModelProto()
    try:
        described.ParseFromString(Path(path).read_bytes())
    except DecodeError:
        raise _not_ours(path, "it is not whole, or of another kind") from None
    graph = described.graph
    if len(graph.output) != 1 or not all(value.tensor for value in graph.input):
        raise _not_ours(path, "it does not say what its inputs and outputs are")
    if any(parameter.HasField("external_data") for parameter in graph.parameter):
        raise _not_ours(path, "it keeps its numbers in other files, which are not read")
    return described


def _not_ours(path: str | os.PathLike[str], why: str) -> UsageError:
    return UsageError(
        f"{path} is not a model that MindSpore runs ({why}); use a .mindir file that"
        " archspec export wrote"
    )


def _output_tensors(described: Any) -> list[Any]:
    """One is an output of its own, several are one tuple."""
    (output,) = described.graph.output
    if output.tensor:
        return list(output.tensor)
    return [value.tensors[0] for value in output.attr_info.values]


def _port(name: str, tensor: Any) -> Port:
    extents = tuple(int(extent) if extent > 0 else None for extent in tensor.dims)
    return Port(name, DTYPES.get(tensor.data_type, str(tensor.data_type)), extents)


def _output_names(
    path: str | os.PathLike[str], metadata: Mapping[str, str], count: int
) -> list[str]:
    if OUTPUTS in metadata:
        names = read_names(path, OUTPUTS, metadata[OUTPUTS])
        if len(names) == count:
            return list(names)
    return [RESULT] if count == 1 else [f"output{number + 1}" for number in range(count)]
