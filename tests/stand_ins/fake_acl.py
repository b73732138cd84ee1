"""A stand-in for CANN's Python module acl: no device, but strict about how it is used.

    monkeypatch.setitem(sys.modules, "acl", FakeAcl())

Every call checks what the manual asks for: the order, that what it is given is alive, sizes, and
that nothing is left when acl ends. What breaks a rule is a Misuse, raised at once and kept in
`misuses`. `fail` and `fail_at` make a call give a code. Models are containers with an ONNX in the
place of weights (`write_model`), which onnxruntime runs: the numbers are real, the times are not an
NPU's. This is not a model of a device's precision, speed or memory.
"""

from __future__ import annotations

import ctypes
import itertools
import json
import os
import struct
import threading
import types
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from oracles import om_files

CODE, VALUE, NUMBER = "a code", "a value and a code", "a number"
CALLS = {
    "init": CODE, "finalize": CODE, "create_data_buffer": NUMBER, "destroy_data_buffer": CODE,
    "rt.set_device": CODE, "rt.reset_device": CODE, "rt.create_context": VALUE,
    "rt.destroy_context": CODE, "rt.set_context": CODE, "rt.malloc": VALUE, "rt.free": CODE,
    "rt.memcpy": CODE, "mdl.load_from_file": VALUE, "mdl.unload": CODE, "mdl.create_desc": NUMBER,
    "mdl.destroy_desc": CODE, "mdl.get_desc": CODE, "mdl.get_num_inputs": NUMBER,
    "mdl.get_num_outputs": NUMBER, "mdl.get_input_dims": VALUE, "mdl.get_output_dims": VALUE,
    "mdl.get_input_data_type": NUMBER, "mdl.get_output_data_type": NUMBER,
    "mdl.get_input_size_by_index": NUMBER, "mdl.get_output_size_by_index": NUMBER,
    "mdl.get_dynamic_batch": VALUE, "mdl.set_dynamic_batch_size": CODE,
    "mdl.create_dataset": NUMBER, "mdl.destroy_dataset": CODE, "mdl.add_dataset_buffer": VALUE,
    "mdl.execute": CODE,
}  # fmt: skip
"""The calls that there are, by what they give."""
ENDINGS = {
    "finalize", "destroy_data_buffer", "rt.reset_device", "rt.destroy_context", "rt.free",
    "mdl.unload", "mdl.destroy_desc", "mdl.destroy_dataset",
}  # fmt: skip
"""Calls that give something back; it is gone even where they fail, as nobody can try again."""

DTYPES = {1: ("float32", 0), 2: ("float16", 1), 4: ("uint8", 4), 7: ("int32", 3), 27: ("", 27)}
"""By the numbers of ge.proto: numpy's names, and the numbers of aclDataType."""
OK, STARTED_ALREADY, INVALID_SIZE, NO_SUCH_BATCH = 0, 100002, 145006, 145013
UNDEFINED = -1
SELECTOR = "ascend_mbatch_shape_data"


class Misuse(AssertionError):
    """A rule of acl was broken."""


@dataclass
class _Memory:
    content: Any
    buffers: set[int] = field(default_factory=set)

    @property
    def address(self) -> int:
        return ctypes.addressof(self.content)

    @property
    def size(self) -> int:
        return len(self.content)


@dataclass
class _Buffer:
    address: int
    size: int


@dataclass
class _Dataset:
    buffers: list[int] = field(default_factory=list)
    batch: int = 0


@dataclass
class _Description:
    model: _Model | None = None


@dataclass(frozen=True)
class _End:
    name: str
    dims: list[int]
    largest: list[int]
    kind: int
    size: int

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(DTYPES[self.kind][0])


class _Model:
    """What write_model wrote, read with Google's protobuf."""

    def __init__(self, definition: bytes, onnx: bytes):
        parsed = om_files.message_classes()["ModelDef"].FromString(definition)
        operators = parsed.graph[0].op
        self.inputs = [_input(op) for op in operators if op.type == "Data"]
        names = [name.decode() for name in parsed.attr["attr_model_out_nodes_name"].list.s]
        tensors = next(op for op in operators if op.type == "NetOutput").input_desc
        self.outputs = [_end(*pair) for pair in zip(names, tensors, strict=True)]
        cases = [op for op in operators if op.type == "Case"]
        self.batches = [
            case.attr[f"_pred_value_{place}"].list.i[0]
            for case in cases
            for place in range(case.attr["_batch_num"].i)
        ]
        self.aipp = json.loads(parsed.attr["aipp"].s or "null")
        self.session = onnxruntime.InferenceSession(onnx, providers=["CPUExecutionProvider"])

    def run(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        if self.aipp:
            arrays = [_preprocess(arrays[0], **self.aipp)]
        inputs = self.session.get_inputs()
        given = {one.name: array.astype("f4") for one, array in zip(inputs, arrays, strict=True)}
        return self.session.run(None, given)


def _end(name: str, tensor: Any, dims: Sequence[int] = ()) -> _End:
    largest = list(tensor.shape.dim)
    size = tensor.size or prod(largest) * np.dtype(DTYPES[tensor.dtype][0] or "u2").itemsize
    return _End(name, list(dims) or largest, largest, tensor.dtype, size)


def _input(op: Any) -> _End:
    return _end(op.name, op.input_desc[0], op.attr["_mbatch_origin_input_dims"].list.i)


def _preprocess(
    images: np.ndarray, top: int, left: int, side: int, mean: list[float], scale: list[float]
) -> np.ndarray:
    """What AIPP does with NHWC images: a square out of each, less a mean, times a scale."""
    cut = images[:, top : top + side, left : left + side].astype(np.float32)
    return ((cut - np.float32(mean)) * np.float32(scale)).transpose(0, 3, 1, 2)


class FakeAcl:
    """The module, for one test: `trace` are its calls, `misuses` what went against the rules."""

    ARCHSPEC_STAND_IN = True

    def __init__(self) -> None:
        self.trace: list[str] = []
        self.misuses: list[str] = []
        self.message = ""
        self._failures: dict[int, int] = {}
        self._failing: dict[str, int] = {}
        self._started = False
        self._devices: Counter[int] = Counter()
        self._live: dict[int, Any] = {}
        self._handles = itertools.count(1000)
        self._current = threading.local()
        rooms: dict[str, dict[str, Any]] = {"": {}, "rt": {}, "mdl": {}}
        for call in CALLS:
            room, _, name = call.rpartition(".")
            rooms[room][name] = partial(self._call, call)
        self.rt = types.SimpleNamespace(**rooms["rt"])
        self.mdl = types.SimpleNamespace(**rooms["mdl"])
        vars(self).update(rooms[""])

    def fail(self, call: str, code: int) -> None:
        """From now on the call fails so."""
        self._failing[call] = code

    def fail_at(self, place: int, code: int) -> None:
        """The call that will be at this place of the trace fails so."""
        self._failures[place] = code

    def get_recent_err_msg(self) -> str:
        return self.message

    def assert_all_given_back(self) -> None:
        """Nothing is left and no rule was broken."""
        assert not self.misuses
        assert not self._live
        assert not +self._devices
        assert not self._started

    def _call(self, call: str, *arguments: Any) -> Any:
        place = len(self.trace)
        self.trace.append(call)
        code = self._failures.get(place, self._failing.get(call, OK))
        handler = getattr(self, f"_{call.replace('.', '_')}")
        if code and call not in ENDINGS:
            nothing = UNDEFINED if call.endswith("data_type") else 0
            return {CODE: code, VALUE: (None, code), NUMBER: nothing}[CALLS[call]]
        if call != "init":
            self._rule(self._started, f"{call} before init or after finalize")
        given = handler(*arguments)
        return code or given if CALLS[call] is CODE else given

    def _rule(self, is_kept: bool, what: str) -> None:
        if not is_kept:
            self.misuses.append(what)
            raise Misuse(what)

    def _new(self, thing: Any) -> int:
        handle = next(self._handles)
        self._live[handle] = thing
        return handle

    def _get(self, handle: int, kind: type) -> Any:
        found = self._live.get(handle)
        self._rule(isinstance(found, kind), f"{handle} is not a living {kind.__name__}")
        return found

    def _need_context(self) -> None:
        context = getattr(self._current, "context", None)
        self._rule(context in self._live, "a call without a living context in this thread")

    # acl

    def _init(self) -> int:
        if self._started:
            return STARTED_ALREADY
        self._started = True
        return OK

    def _finalize(self) -> int:
        self._rule(not self._live, f"finalize while {len(self._live)} things live")
        self._rule(not +self._devices, "finalize while a device is set")
        self._started = False
        return OK

    def _create_data_buffer(self, address: int, size: int) -> int:
        self._need_context()
        memory = self._memory(address, size, "a data buffer")
        handle = self._new(_Buffer(address, size))
        memory.buffers.add(handle)
        return handle

    def _destroy_data_buffer(self, handle: int) -> int:
        buffer = self._get(handle, _Buffer)
        self._memory(buffer.address, buffer.size, "a data buffer").buffers.remove(handle)
        del self._live[handle]
        return OK

    # acl.rt

    def _rt_set_device(self, device: int) -> int:
        self._devices[device] += 1
        return OK

    def _rt_reset_device(self, device: int) -> int:
        self._rule(self._devices[device] > 0, f"reset of device {device}, which is not set")
        self._rule(("context", device) not in self._live.values(), "reset while a context lives")
        self._devices[device] -= 1
        return OK

    def _rt_create_context(self, device: int) -> tuple[int, int]:
        self._rule(self._devices[device] > 0, f"a context on device {device}, which is not set")
        self._current.context = self._new(("context", device))
        return self._current.context, OK

    def _rt_destroy_context(self, handle: int) -> int:
        self._get(handle, tuple)
        del self._live[handle]
        return OK

    def _rt_set_context(self, handle: int) -> int:
        self._get(handle, tuple)
        self._current.context = handle
        return OK

    def _rt_malloc(self, size: int, policy: int) -> tuple[int, int]:
        self._need_context()
        self._rule(size > 0, f"memory of {size} bytes")
        self._rule(policy in (0, 1, 2), f"policy {policy} of memory")
        memory = _Memory((ctypes.c_ubyte * size)(*b"\xff" * size))
        self._live[memory.address] = memory
        return memory.address, OK

    def _rt_free(self, address: int) -> int:
        self._need_context()
        memory = self._get(address, _Memory)
        self._rule(not memory.buffers, "memory freed while a data buffer is on it")
        del self._live[address]
        return OK

    def _rt_memcpy(self, target: int, room: int, source: int, size: int, kind: int) -> int:
        self._need_context()
        self._rule(0 < size <= room, f"{size} bytes copied to where {room} fit")
        self._rule(kind in (1, 2), f"a copy of kind {kind}")
        device, host = (target, source) if kind == 1 else (source, target)
        self._memory(device, room if kind == 1 else size, "a copy")
        self._rule(not self._is_device(host), "an address of the device as one of the host")
        ctypes.memmove(target, source, size)
        return OK

    def _memory(self, address: int, size: int, what: str) -> _Memory:
        memory = self._get(address, _Memory)
        self._rule(size <= memory.size, f"{what} of {size} bytes on {memory.size}")
        return memory

    def _is_device(self, address: int) -> bool:
        return any(
            isinstance(one, _Memory) and one.address <= address < one.address + one.size
            for one in self._live.values()
        )

    # acl.mdl

    def _mdl_load_from_file(self, path: str) -> tuple[int, int]:
        self._need_context()
        raw = Path(path).read_bytes()
        (length,) = struct.unpack_from("<Q", raw, 184)
        if len(raw) - 256 != length:
            return 0, INVALID_SIZE
        (count,) = struct.unpack_from("<I", raw, 256)
        sizes = {
            kind: size for kind, _, size in struct.iter_unpack("<I4xQQ", raw[264:][: 24 * count])
        }
        start = 264 + 24 * count
        return self._new(_Model(raw[start:][: sizes[0]], raw[start + sizes[0] :][: sizes[1]])), OK

    def _mdl_unload(self, handle: int) -> int:
        self._need_context()
        self._get(handle, _Model)
        del self._live[handle]
        return OK

    def _mdl_create_desc(self) -> int:
        return self._new(_Description())

    def _mdl_destroy_desc(self, handle: int) -> int:
        self._get(handle, _Description)
        del self._live[handle]
        return OK

    def _mdl_get_desc(self, handle: int, model: int) -> int:
        self._get(handle, _Description).model = self._get(model, _Model)
        return OK

    def _describe(self, handle: int) -> _Model:
        model = self._get(handle, _Description).model
        self._rule(model is not None, "a description that get_desc has not filled")
        return model

    def _mdl_get_num_inputs(self, description: int) -> int:
        return len(self._describe(description).inputs)

    def _mdl_get_num_outputs(self, description: int) -> int:
        return len(self._describe(description).outputs)

    def _mdl_get_input_dims(self, description: int, index: int) -> tuple[dict[str, Any], int]:
        end = self._describe(description).inputs[index]
        return {"name": end.name, "dimCount": len(end.dims), "dims": end.dims}, OK

    def _mdl_get_output_dims(self, description: int, index: int) -> tuple[dict[str, Any], int]:
        end = self._describe(description).outputs[index]
        return {"name": end.name, "dimCount": len(end.largest), "dims": end.largest}, OK

    def _mdl_get_input_data_type(self, description: int, index: int) -> int:
        return DTYPES[self._describe(description).inputs[index].kind][1]

    def _mdl_get_output_data_type(self, description: int, index: int) -> int:
        return DTYPES[self._describe(description).outputs[index].kind][1]

    def _mdl_get_input_size_by_index(self, description: int, index: int) -> int:
        return self._describe(description).inputs[index].size

    def _mdl_get_output_size_by_index(self, description: int, index: int) -> int:
        return self._describe(description).outputs[index].size

    def _mdl_get_dynamic_batch(self, description: int) -> tuple[dict[str, Any], int]:
        batches = self._describe(description).batches
        return {"batchCount": len(batches), "batch": batches}, OK

    def _mdl_set_dynamic_batch_size(self, model: int, dataset: int, index: int, batch: int) -> int:
        self._need_context()
        found = self._get(model, _Model)
        self._rule(found.inputs[index].name == SELECTOR, f"input {index} does not select")
        if batch not in found.batches:
            return NO_SUCH_BATCH
        self._get(dataset, _Dataset).batch = batch
        return OK

    def _mdl_create_dataset(self) -> int:
        return self._new(_Dataset())

    def _mdl_destroy_dataset(self, handle: int) -> int:
        living = [one for one in self._get(handle, _Dataset).buffers if one in self._live]
        self._rule(not living, "a dataset destroyed before its data buffers")
        del self._live[handle]
        return OK

    def _mdl_add_dataset_buffer(self, handle: int, buffer: int) -> tuple[int, int]:
        self._get(buffer, _Buffer)
        self._get(handle, _Dataset).buffers.append(buffer)
        return handle, OK

    def _mdl_execute(self, handle: int, given: int, taken: int) -> int:
        self._need_context()
        model, inputs = self._get(handle, _Model), self._get(given, _Dataset)
        self._rule(bool(inputs.batch) == bool(model.batches), "a dynamic batch that is not set")
        arrays = [
            self._array(end, buffer, inputs.batch)
            for end, buffer in self._pairs(model.inputs, inputs)
            if end.name != SELECTOR
        ]
        results = model.run(arrays)
        pairs = self._pairs(model.outputs, self._get(taken, _Dataset))
        for (end, buffer), result in zip(pairs, results, strict=True):
            self._array(end, buffer, inputs.batch)[...] = result
        return OK

    def _pairs(self, ends: Sequence[_End], dataset: _Dataset) -> list[tuple[_End, _Buffer]]:
        buffers = [self._get(buffer, _Buffer) for buffer in dataset.buffers]
        self._rule(
            [buffer.size for buffer in buffers] == [end.size for end in ends],
            "a dataset whose buffers have not the model's sizes",
        )
        return list(zip(ends, buffers, strict=True))

    def _array(self, end: _End, buffer: _Buffer, batch: int) -> np.ndarray:
        """What is in a buffer, to be read or written."""
        memory = self._memory(buffer.address, buffer.size, "a data buffer")
        shape = [batch, *end.largest[1:]] if batch else end.largest
        return np.frombuffer(memory.content, end.dtype, prod(shape)).reshape(shape)


def write_model(
    path: str | os.PathLike[str],
    onnx: bytes,
    *,
    batches: Sequence[int] = (),
    aipp: dict[str, Any] | None = None,
    pixels: int = 0,
    output_dtype: str = "float32",
) -> None:
    """A container that FakeAcl loads: an ONNX, of any batch where there are `batches`, said to give
    results of a type, and with `aipp` to take RGB images of `pixels` squared."""
    session = onnxruntime.InferenceSession(onnx, providers=["CPUExecutionProvider"])

    def fixed(shape: Sequence[Any]) -> list[int]:
        return [extent if isinstance(extent, int) else max(batches) for extent in shape]

    inputs = [(one.name, "float32", fixed(one.shape), "NCHW") for one in session.get_inputs()]
    if aipp:
        name, _, shape, _ = inputs[0]
        inputs = [(name, "uint8", [shape[0], pixels, pixels, 3], "NHWC")]
    outputs = [
        (f"Node_{place}:0:{one.name}", output_dtype, fixed(one.shape), "ND")
        for place, one in enumerate(session.get_outputs())
    ]
    definition = om_files.definition(
        inputs,
        outputs,
        name="stand-in",
        batches=batches,
        attributes={"aipp": json.dumps(aipp), "archspec_stand_in": "no device can load this"},
    )
    parts = [(0, definition.SerializeToString()), (1, onnx)]
    Path(path).write_bytes(om_files.container(parts))
