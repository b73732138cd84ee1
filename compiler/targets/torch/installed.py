"""PyTorch where it is installed, with a sentence where it is not."""

from __future__ import annotations

import ctypes.util
import platform
import sys
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

from archspec.errors import LackingError
from archspec.extras import lacking


def missing_for(device: str) -> str:
    """What this machine lacks for a device, or an empty string; PyTorch itself, which is asked when
    the device is taken, is not imported."""
    if device == "GPU":
        lacks = not any(map(ctypes.util.find_library, ("cuda", "amdhip64")))
        built = "+cpu" not in version("torch")
        return "" if built and not lacks else "a GPU's driver" if built else "a build for GPUs"
    if device == "Ascend":
        return "" if find_spec("torch_npu") else "the package torch_npu"
    if device == "MPS":
        return "" if (sys.platform, platform.machine()) == ("darwin", "arm64") else "an Apple GPU"
    return ""


def torch() -> Any:
    """The torch package, untyped as it is. Raises LackingError where it is missing."""
    try:
        import torch as package  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise LackingError(lacking("this", "torch", error)) from error
    return package
