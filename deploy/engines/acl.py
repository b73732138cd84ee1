"""Ascend's own runtime, by pyACL: runs .om on an NPU.

The order of calls, and what each gives, is that of the pyACL manual. Memory of the host is numpy's:
acl.rt.memcpy takes any address of it, and tells by the addresses which way to copy.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from archspec.deploy.engines import Port, check_arrays
from archspec.deploy.engines.acl_calls import Acl
from archspec.deploy.om.container import NotAnOm, read_container
from archspec.errors import Problem, SpecError, UsageError

DTYPES = {
    0: "float32", 1: "float16", 2: "int8", 3: "int32", 4: "uint8", 6: "int16", 7: "uint16",
    8: "uint32", 9: "int64", 10: "uint64", 11: "float64", 12: "bool",
}  # fmt: skip
"""Those of aclDataType that numpy has."""

NORMAL_PAGES = 2
HOST_TO_DEVICE, DEVICE_TO_HOST = 1, 2

BATCH_INPUT = "ascend_mbatch_shape_data"
"""The input that says which of its batches or picture sizes a model is to run."""
AIPP_INPUT = "ascend_dynamic_aipp_data"


@dataclass(frozen=True)
class _Slot:
    """An input or output, in the model's own order: its memory on the device is `size` bytes."""

    port: Port
    size: int
    address: int = 0


class AclEngine:
    """An OM on an Ascend device, an Engine. `threads` is nothing to it.

    A model of several batches (--dynamic-batch) takes any up to its largest: the next larger of
    them runs, and of its results those asked for are given. Several engines may live in one
    process, and be used from any of its threads, one at a time: acl and a device start with the
    first that uses them and end with the last. Raises as Acl does.
    """

    name = "acl"

    def __init__(
        self, path: str | os.PathLike[str], *, device: int = 0, threads: int | None = None
    ):
        self._path = os.fspath(path)
        _check_file(self._path)
        if device < 0:
            raise UsageError(f"there is no device {device}; use 0, the first")
        self._acl = Acl(self._path)
        self.is_simulated = self._acl.is_stand_in
        self.metadata: Mapping[str, str] = {}  # atc keeps nothing of the ONNX's
        self.device_seconds = 0.0
        self._has_failed = False
        try:
            self._open(device)
        except BaseException:
            self._acl.close()
            raise

    def run(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        if self._acl.is_closed:
            raise UsageError(f"{self._path} is closed; open it again")
        check_arrays(self.inputs, arrays)
        wanted, batch = self._batch(arrays)
        try:
            return self._run(arrays, wanted, batch)
        except BaseException:
            self._has_failed = True
            raise

    def close(self) -> None:
        """Give everything back, whatever of that fails. The first failure is raised, unless a run
        has failed before and was told."""
        failures = self._acl.close()
        if failures and not self._has_failed:
            raise failures[0]

    def _open(self, device: int) -> None:
        acl = self._acl
        acl.share("init", "finalize")
        acl.share("rt.set_device", "rt.reset_device", device)
        self._context = acl.value("rt.create_context", device)
        acl.later("rt.destroy_context", self._context)
        self._model = acl.value("mdl.load_from_file", self._path)
        acl.later("mdl.unload", self._model)
        self._description = acl.pointer("mdl.create_desc")
        acl.later("mdl.destroy_desc", self._description)
        acl.do("mdl.get_desc", self._description, self._model)

        given, taken = self._slots("input"), _name_plainly(self._slots("output"))
        self._batches, self._selector = self._dynamic_batch(given)
        taken = self._with_any_batch(taken)
        self._check_sizes("input", given)
        self._check_sizes("output", taken)
        given, taken = self._allocate(given), self._allocate(taken)
        self._given, self._taken = self._dataset(given), self._dataset(taken)
        self._input_slots = [slot for slot in given if slot.port.name != BATCH_INPUT]
        self._output_slots = taken
        self.inputs = tuple(slot.port for slot in self._input_slots)
        self.outputs = tuple(slot.port for slot in self._output_slots)
        # a context belongs to the thread that made it, and another may close
        acl.later("rt.set_context", self._context)

    def _slots(self, end: str) -> list[_Slot]:
        """All inputs or outputs as the model describes them, without memory."""
        acl, description = self._acl, self._description
        slots: list[_Slot] = []
        for index in range(acl.number(f"mdl.get_num_{end}s", description)):
            dims = acl.value(f"mdl.get_{end}_dims", description, index)
            code = acl.number(f"mdl.get_{end}_data_type", description, index)
            size = acl.number(f"mdl.get_{end}_size_by_index", description, index)
            if code not in DTYPES:
                raise self._unfit(
                    f"its {end} {dims['name']!r} is of acl's data type {code}, which numpy lacks;"
                    " use float32, as archspec export asks atc for"
                )
            shape = tuple(None if extent < 0 else extent for extent in dims["dims"])
            slots.append(_Slot(Port(dims["name"], DTYPES[code], shape), size))
        if not slots:
            raise self._unfit(f"it has no {end}")
        return slots

    def _dynamic_batch(self, given: Sequence[_Slot]) -> tuple[tuple[int, ...], int]:
        """The batches that the model can run, and the place of the input that says which; none and
        -1 where its batch is fixed. Raises SpecError where more than the batch may change."""
        names = [slot.port.name for slot in given]
        if AIPP_INPUT in names:
            raise self._unfit("its AIPP is dynamic; use a static one, as archspec export's")
        batches: tuple[int, ...] = ()
        if BATCH_INPUT in names:
            known = self._acl.value("mdl.get_dynamic_batch", self._description)
            batches = tuple(sorted(known["batch"]))
        changing = [slot.port.shape for slot in given if None in slot.port.shape]
        if bool(changing) != bool(batches) or any(None in shape[1:] for shape in changing):
            raise self._unfit(
                "more than its batch may change when it runs; use a fixed batch, or --dynamic-batch"
            )
        return batches, names.index(BATCH_INPUT) if batches else -1

    def _with_any_batch(self, taken: Sequence[_Slot]) -> list[_Slot]:
        """Outputs of any batch where the model has several: acl tells of the largest."""
        if not self._batches:
            return [*taken]
        return [
            replace(slot, port=replace(slot.port, shape=(None, *slot.port.shape[1:])))
            if slot.port.shape[:1] == self._batches[-1:]
            else slot
            for slot in taken
        ]

    def _check_sizes(self, end: str, slots: Sequence[_Slot]) -> None:
        for port, size in ((slot.port, slot.size) for slot in slots):
            shape = self._shape(port, self._batches[-1] if self._batches else 0)
            needed = prod(shape) * np.dtype(port.dtype).itemsize
            if not 0 < needed <= size:
                raise self._unfit(
                    f"its {end} {port.name!r} is {port}, which is {needed:,} bytes, and has"
                    f" {size:,}; use a fixed shape, and with AIPP images of RGB888_U8"
                )

    def _allocate(self, slots: Sequence[_Slot]) -> list[_Slot]:
        """The same with memory on the device."""
        found: list[_Slot] = []
        for slot in slots:
            address = self._acl.value("rt.malloc", slot.size, NORMAL_PAGES)
            self._acl.later("rt.free", address)
            found.append(replace(slot, address=address))
        return found

    def _dataset(self, slots: Sequence[_Slot]) -> int:
        acl = self._acl
        dataset = acl.pointer("mdl.create_dataset")
        acl.later("mdl.destroy_dataset", dataset)
        for slot in slots:
            buffer = acl.pointer("create_data_buffer", slot.address, slot.size)
            acl.later("destroy_data_buffer", buffer)
            acl.value("mdl.add_dataset_buffer", dataset, buffer)
        return dataset

    def _batch(self, arrays: Mapping[str, np.ndarray]) -> tuple[int, int]:
        """How many images were given, and the batch to run them in; both 0 where it is fixed."""
        if not self._batches:
            return 0, 0
        given = sorted({arrays[port.name].shape[0] for port in self.inputs if None in port.shape})
        batch = next((batch for batch in self._batches if batch >= given[-1]), 0)
        if len(given) > 1 or given[0] < 1 or not batch:
            raise UsageError(
                f"{self._path} runs 1 to {self._batches[-1]:,} images at a time (its batches:"
                f" {', '.join(map(str, self._batches))}), as many in each input;"
                f" {' and '.join(map(str, given))} were given"
            )
        return given[0], batch

    def _run(
        self, arrays: Mapping[str, np.ndarray], wanted: int, batch: int
    ) -> dict[str, np.ndarray]:
        acl = self._acl
        acl.do("rt.set_context", self._context)
        if batch:
            acl.do("mdl.set_dynamic_batch_size", self._model, self._given, self._selector, batch)
        for slot in self._input_slots:
            array = np.ascontiguousarray(arrays[slot.port.name])
            acl.do(
                "rt.memcpy",
                slot.address, slot.size, array.ctypes.data, array.nbytes, HOST_TO_DEVICE,
            )  # fmt: skip
        start = time.perf_counter()
        acl.do("mdl.execute", self._model, self._given, self._taken)
        self.device_seconds = time.perf_counter() - start
        results: dict[str, np.ndarray] = {}
        for slot in self._output_slots:
            array = np.empty(self._shape(slot.port, batch), slot.port.dtype)
            acl.do(
                "rt.memcpy",
                array.ctypes.data, array.nbytes, slot.address, array.nbytes, DEVICE_TO_HOST,
            )  # fmt: skip
            is_cut = None in slot.port.shape
            results[slot.port.name] = array[:wanted] if is_cut else array
        return results

    def _shape(self, port: Port, batch: int) -> tuple[int, ...]:
        return tuple(batch if extent is None else extent for extent in port.shape)

    def _unfit(self, why: str) -> SpecError:
        return SpecError(Problem(why, self._path))


def _check_file(path: str) -> None:
    """Raises UsageError for what is not an OM, SpecError for one that is not whole. What else is
    wrong is for the device to say."""
    try:
        container = read_container(path)
    except NotAnOm as error:
        raise UsageError(str(error)) from None
    if not container.is_whole:
        raise SpecError(Problem(problem, path) for problem in container.problems)


def _name_plainly(slots: Sequence[_Slot]) -> list[_Slot]:
    """Outputs under the names that the ONNX had: a device says "Gemm_98:0:logits", an operator, its
    output and the tensor. Under the device's where the others would not tell them apart."""
    names = [re.sub(r"^[^:]*:\d+:(?=.)", "", slot.port.name) for slot in slots]
    if len(set(names)) < len(names):
        return [*slots]
    return [
        replace(slot, port=replace(slot.port, name=name))
        for slot, name in zip(slots, names, strict=True)
    ]
