"""Devices by PyTorch: which there are, and the one that this process has taken."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import torch

from archspec.errors import LackingError


@dataclass(frozen=True)
class Kind:
    """A device as PyTorch calls it, the library its processes talk by, and what provides it."""

    word: str
    talks_by: str
    needs: str
    package: str = ""


KINDS: Mapping[str, Kind] = {
    "CPU": Kind("cpu", "gloo", "PyTorch"),
    "GPU": Kind("cuda", "nccl", "an NVIDIA or AMD GPU and a PyTorch built for it"),
    "Ascend": Kind("npu", "hccl", "an Ascend NPU, CANN and the package torch_npu", "torch_npu"),
    "MPS": Kind("mps", "gloo", "an Apple GPU and macOS"),
}
"""By the names of archspec.machine. Only CPU and GPU can be seen at work by who builds this; Ascend
goes by torch_npu's documented interface."""

NO_MEMORY = (
    "can't allocate memory", "bad_alloc", "out of memory", "Cannot allocate memory",
    "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED",
)  # fmt: skip
"""What errors of PyTorch's say, of its own allocator on CPUs, of the C++ library, and of drivers,
where there is no more memory."""

_taken: list[torch.device] = []


def take_device(name: str, number: int | None = None) -> torch.device:
    """The device of a name, of several the one with this number, for all that this process does.
    Raises LackingError where it does not exist here or cannot be used."""
    device = _find(name, number or 0)
    if device.type != "cpu":
        _try(name, device)
    _taken[:] = [device]
    return device


def taken_device() -> torch.device:
    """The device that this process has taken; the CPU until it took one."""
    return _taken[0] if _taken else torch.device("cpu")


def _find(name: str, number: int) -> torch.device:
    kind = KINDS[name]
    if kind.package and find_spec(kind.package) is not None:
        importlib.import_module(kind.package)  # makes torch.npu
    if not _is_available(kind.word):
        raise LackingError(
            f"--device {name} needs {kind.needs}, which PyTorch {torch.__version__} does not find"
            " here; use --device CPU, or see archspec doctor"
        )
    if name in ("CPU", "MPS"):
        return torch.device(kind.word)
    module = getattr(torch, kind.word)
    count = module.device_count()
    if number >= count:
        raise LackingError(
            f"process {number + 1} of this machine has no {name} of its own, for there are {count};"
            f" use at most {count} processes a machine"
        )
    module.set_device(number)
    return torch.device(kind.word, number)


def _is_available(word: str) -> bool:
    if word == "mps":
        return torch.backends.mps.is_available()
    module = getattr(torch, word, None)  # torch.npu is there once torch_npu is imported
    return module is not None and module.is_available()


def _try(name: str, device: torch.device) -> None:
    """Raises LackingError where a device is there and does not compute."""
    try:
        (torch.ones(2, device=device) + 1).sum().item()
    except Exception as error:  # drivers raise what they like
        reason = str(error).strip().partition("\n")[0]
        raise LackingError(f"{_describe(name, device)} cannot be used: {reason}") from error


def _describe(name: str, device: torch.device) -> str:
    if device.type != "cuda":
        return f"the {name}"
    major, minor = torch.cuda.get_device_capability(device)
    built_for = ", ".join(torch.cuda.get_arch_list())
    return (
        f"{torch.cuda.get_device_name(device)} (sm_{major}{minor}; this PyTorch is built for"
        f" {built_for})"
    )


def out_of_memory(error: BaseException) -> bool:
    """Whether an error of PyTorch's says that a device, or the machine, has no more memory."""
    kinds = (torch.OutOfMemoryError, MemoryError)
    return isinstance(error, kinds) or any(words in str(error) for words in NO_MEMORY)


def memory_of(device: torch.device) -> int | None:
    """Bytes that a device has, None where PyTorch does not say."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    if device.type == "cpu" and hasattr(os, "sysconf"):
        import resource  # which is where sysconf is

        there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        return there if limit == resource.RLIM_INFINITY else min(there, limit)
    return None


def on_device(array: Any, device: torch.device) -> torch.Tensor:
    """A numpy array or a tensor on a device; nothing waits where its memory is pinned."""
    return torch.as_tensor(array).to(device, non_blocking=True)
