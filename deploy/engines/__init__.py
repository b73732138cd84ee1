"""Engines: what runs a model that was written for deployment, behind one interface.

engine = open_engine("onnxruntime", "net.onnx")
logits = engine.run({"image": images})["logits"]
engine.close()
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from archspec.deploy.description import check_model
from archspec.deploy.engine_table import ENDINGS, ENGINES
from archspec.deploy.engines.files import first_bytes
from archspec.errors import UsageError, did_you_mean, listed

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Port:
    """An input or an output of a model."""

    name: str
    dtype: str
    """numpy's name: "float32", "float16", "uint8"."""
    shape: tuple[int | None, ...]
    """None for any extent, as of a dynamic batch."""

    def __str__(self) -> str:
        """float32 Nx3x224x224, where N is any batch."""
        extents = ("N" if extent is None else str(extent) for extent in self.shape)
        return f"{self.dtype} {'x'.join(extents)}"


class Engine(Protocol):
    """A loaded model."""

    name: str
    """One of engine_table.ENGINES."""
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    metadata: Mapping[str, str]
    """What the file says of itself: name, fingerprint, preprocessing, classes; empty where it
    cannot."""
    is_simulated: bool
    """A stand-in's file or device: never an NPU's numbers."""
    device_seconds: float
    """Of the last run: the device's own work, without copies and Python."""

    def run(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The outputs by name. Raises UsageError for arrays that do not fit the inputs."""
        ...

    def close(self) -> None:
        """Give back what the model holds; twice does no harm."""
        ...


def engine_for(path: str | os.PathLike[str]) -> str:
    """The name of the engine whose files end so. Raises UsageError."""
    ending = Path(path).suffix.lower()
    if ending not in ENDINGS:
        raise UsageError(
            f"{path} does not show by its ending which engine runs it; use a name that ends in"
            f" {', '.join(ENDINGS)}, or --engine"
        )
    return ENDINGS[ending]


def open_engine(name: str, path: str | os.PathLike[str], **options: Any) -> Engine:
    """The model in a file, loaded. `options` are `device`, the number of the device, and `threads`.

    Raises UsageError for an engine that is not there or lacks a package, and for a file that is not
    the engine's own; SpecError for one that is not as archspec wrote it.
    """
    if name not in ENGINES:
        raise UsageError(
            f"there is no engine {name!r}{did_you_mean(name, ENGINES)}"
            f" (known: {', '.join(ENGINES)})"
        )
    first_bytes(path)
    check_model(path)
    entry = ENGINES[name]
    return getattr(import_module(entry.module), entry.kind)(path, **options)


def check_arrays(inputs: Sequence[Port], arrays: Mapping[str, np.ndarray]) -> None:
    """Raises UsageError where arrays do not have the inputs' names, types and shapes."""
    for port in inputs:
        if port.name not in arrays:
            raise UsageError(
                f"the model's input {port.name!r} is missing; {listed([*arrays], 'and')} was given"
            )
        array = arrays[port.name]
        fits = len(array.shape) == len(port.shape) and all(
            extent in (None, given) for extent, given in zip(port.shape, array.shape, strict=True)
        )
        if array.dtype.name != port.dtype or not fits:
            raise UsageError(
                f"the model's input {port.name!r} is {port}, and {array.dtype.name}"
                f" {'x'.join(map(str, array.shape))} was given"
            )
    strange = [name for name in arrays if all(name != port.name for port in inputs)]
    if strange:
        raise UsageError(
            f"the model has no input {listed(strange)};"
            f" use {listed([port.name for port in inputs], 'and')}"
        )
