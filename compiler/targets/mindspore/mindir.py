"""MindIR: MindSpore's own file of a network with its weights."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from archspec.compiler.model import Model
from archspec.compiler.targets.mindspore.building import to_cell
from archspec.compiler.targets.mindspore.installed import mindspore
from archspec.errors import UsageError
from archspec.writing import whole_file


def write_mindir(model: Model, path: str | os.PathLike[str], batch: int | None = 1) -> None:
    """Write a model's inference for `batch` images at a time, for any number where it is None.

    The file is whole and can be loaded, or what was there stays. Raises UsageError where it cannot
    be written, or MindSpore is missing.
    """
    ms = mindspore()
    cell = to_cell(model)
    cell.set_train(False)
    image = ms.Tensor(shape=(batch, *model.graph.input_shape), dtype=ms.float32)
    if batch is not None:
        image = ms.ops.zeros((batch, *model.graph.input_shape), ms.float32)
    with whole_file(path) as target, _folder_for(path) as folder:
        exported = _export(ms, cell, image, folder)
        # what cannot be read back is not a file to leave behind
        ms.load(str(exported))
        with exported.open("rb") as file:
            shutil.copyfileobj(file, target)


def _export(ms: Any, cell: Any, image: Any, folder: Path) -> Path:
    """The one file that MindSpore writes into the folder, whatever ending it gives it."""
    ms.export(cell, image, file_name=str(folder / "network"), file_format="MINDIR")
    files = [path for path in folder.rglob("*") if path.is_file()]
    if len(files) != 1:
        raise UsageError(
            f"MindSpore wrote {len(files)} files in place of one, as it does for networks of more"
            " than 2 GB; use ONNX, or fewer weights"
        )
    return files[0]


@contextmanager
def _folder_for(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A folder on the target's disk that is gone afterwards. MindSpore's notes on compilations that
    fail go into it too: else they stay behind in the working directory, as rank_0."""
    parent = Path(os.path.realpath(path)).parent
    before = os.environ.get("MS_OM_PATH")
    with tempfile.TemporaryDirectory(dir=parent, prefix=".archspec-mindir-") as folder:
        notes = Path(folder) / "notes"
        notes.mkdir()
        os.environ["MS_OM_PATH"] = str(notes)
        try:
            yield Path(folder)
        finally:
            if before is None:
                del os.environ["MS_OM_PATH"]
            else:
                os.environ["MS_OM_PATH"] = before
