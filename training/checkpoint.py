"""Checkpoints: the whole state of a training, on disk so that no crash can lose the last good one.

A checkpoint is one .safetensors file. Its arrays are every parameter of the step: weights, batch
statistics, moments, averages, counters. Its metadata has the progress (epoch, step, best so far) as
JSON. It is written under another name, synced, renamed, and its folder synced. A checksum of the
numbers and one of everything said about them find any byte that changed since.
"""

from __future__ import annotations

import json
import os
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from archspec.checksums import set_aside
from archspec.compiler.weights.arrays import Array, Entry
from archspec.compiler.weights.files import open_tensors
from archspec.compiler.weights.formats.safetensors import CHECKSUM as NUMBERS
from archspec.compiler.weights.formats.safetensors import write_safetensors
from archspec.errors import SpecError, UsageError
from archspec.writing import whole_file

PROGRESS, CHECKSUM = "progress", "progress_crc32"
_NAME = re.compile(r"step-(\d+)\.safetensors")


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """The state after `step` steps. `progress` is what else the loop wants to know."""

    step: int
    arrays: Mapping[str, Array]
    progress: Mapping[str, Any]


@dataclass(frozen=True)
class Refused:
    """A checkpoint that cannot be used, and why, as the end of a sentence."""

    path: Path
    why: str

    def __str__(self) -> str:
        return f"{self.path} was refused: {self.why}"


def write_checkpoint(folder: Path, checkpoint: Checkpoint, keep: int) -> Path:
    """Write a checkpoint, then let go of all but the last `keep` up to it. Raises UsageError where
    the disk does not take it; those before it stay."""
    path = folder / f"step-{checkpoint.step:09d}.safetensors"
    arrays = {name: np.asarray(array, order="C") for name, array in checkpoint.arrays.items()}
    said = json.dumps({"step": checkpoint.step, **checkpoint.progress}, sort_keys=True)
    entries = {name: Entry(array.shape, array.dtype.name) for name, array in arrays.items()}
    metadata = {PROGRESS: said, CHECKSUM: _checksum(said, entries)}
    with whole_file(path, within=folder) as file:
        write_safetensors(file, arrays, metadata)
        file.flush()
        os.fsync(file.fileno())
    sync_folder(folder)
    # a later one, which was not there when this training began, is not this training's to judge
    until_now = [other for other in _find(folder) if _step_of(other) <= checkpoint.step]
    for older in until_now[keep:]:
        older.unlink(missing_ok=True)
    return path


def last_good(
    folder: Path, wanted: Mapping[str, Array]
) -> tuple[Checkpoint | None, tuple[Refused, ...]]:
    """The newest checkpoint that is whole and fits `wanted` (arrays of the right shape and type by
    name), or None; and those newer ones that had to be refused."""
    refused: list[Refused] = []
    for path in _find(folder):
        try:
            return _read(path, wanted), tuple(refused)
        except _Unfit as error:
            refused.append(Refused(path, str(error)))
        except (SpecError, UsageError) as error:
            refused.append(Refused(path, str(error).removeprefix(f"{path}: ")))
    return None, tuple(refused)


def set_refused_aside(refused: Sequence[Refused]) -> tuple[str, ...]:
    """Give checkpoints that were passed over names under which they count no more; what was done,
    in sentences."""
    return tuple(f"{one}; it is set aside as {set_aside(one.path).name}" for one in refused)


def sweep(folder: Path) -> None:
    """Remove what a crash left half-written."""
    for path in folder.glob(".step-*"):
        path.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make renames in a folder last through a power cut, where the system can."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class _Unfit(Exception):
    """Whole, and of another training."""


def _find(folder: Path) -> list[Path]:
    """Checkpoints, the newest first."""
    if not folder.is_dir():
        return []
    names = (path for path in folder.iterdir() if _NAME.fullmatch(path.name))
    return sorted(names, key=_step_of, reverse=True)


def _step_of(path: Path) -> int:
    return int(path.stem.removeprefix("step-"))


def _read(path: Path, wanted: Mapping[str, Array]) -> Checkpoint:
    with open_tensors(path) as file:
        said = file.metadata.get(PROGRESS, "")
        if NUMBERS not in file.metadata or (
            file.metadata.get(CHECKSUM) != _checksum(said, file.entries)
        ):
            raise _Unfit("the file is damaged (what it says of itself does not meet its checksum)")
        _check_fit(file.entries, wanted)
        progress = json.loads(said)
        arrays = {name: file.read(name) for name in wanted}
    return Checkpoint(progress.pop("step"), arrays, progress)


def _check_fit(found: Mapping[str, Entry], wanted: Mapping[str, Array]) -> None:
    missing, besides = wanted.keys() - found.keys(), found.keys() - wanted.keys()
    if missing or besides:
        odd = sorted(missing or besides)[0]
        raise _Unfit(f"it {'lacks' if missing else 'also has'} {odd}, as of another training")
    for name, array in wanted.items():
        entry = Entry(array.shape, array.dtype.name)
        if found[name] != entry:
            raise _Unfit(
                f"{name} is {found[name].dtype} {found[name].shape} in it and {entry.dtype}"
                f" {entry.shape} here"
            )


def _checksum(said: str, entries: Mapping[str, Entry]) -> str:
    """Of all but the numbers, which the format itself has a checksum of."""
    index = sorted((name, entry.dtype, list(entry.shape)) for name, entry in entries.items())
    return f"{zlib.crc32(json.dumps([said, index]).encode()):08x}"
