"""MindRecord files: many images in one file that MindSpore reads fast, even over a network.

A row is "image" (the bytes of an image file), "label" (int32) and, in those written here, "class"
(its name). Of other people's, rows of "image" or "data" and "label" will do.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from archspec.compiler.images.preprocess import open_image
from archspec.compiler.images.source import Source
from archspec.errors import UsageError, listed

if TYPE_CHECKING:
    import mindspore.dataset as ds

INDEX_SUFFIX = ".db"
IMAGE_COLUMNS = ("image", "data")
SCHEMA = {
    "image": {"type": "bytes"},
    "label": {"type": "int32"},
    "class": {"type": "string"},
}
ROWS_AT_ONCE = 64
JPEG = b"\xff\xd8\xff"
PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, eq=False)
class MindRecord:
    """One MindRecord file, a Source. `rows` are places in it."""

    path: Path
    image_column: str
    classes: tuple[str, ...]
    labels: np.ndarray
    rows: np.ndarray
    ignored: tuple[str, ...] = ()
    unreadable: Mapping[str, str] = field(default_factory=dict)

    @property
    def where(self) -> str:
        return str(self.path)

    def name(self, index: int) -> str:
        return f"row {self.rows[index]}"

    def loads(self, indices: Sequence[int] | np.ndarray) -> Iterator[Callable[[], bytes]]:
        rows = self.rows[np.asarray(indices, np.int64)]
        if not len(rows):  # which would mean all of them
            return
        dataset = _open(self.path, [self.image_column], rows)
        for (image,) in dataset.create_tuple_iterator(num_epochs=1, output_numpy=True):
            yield image.tobytes  # already read; calling it is all that is left

    def without(self, unreadable: Mapping[int, str]) -> MindRecord:
        kept = np.array([i for i in range(len(self.rows)) if i not in unreadable], np.int64)
        named = {self.name(index): why for index, why in unreadable.items()}
        return replace(
            self,
            labels=self.labels[kept],
            rows=self.rows[kept],
            unreadable={**self.unreadable, **named},
        )

    @property
    def stamps(self) -> dict[str, str]:
        stat = os.stat(self.path)
        return {
            name: hashlib.sha256(str(value).encode()).hexdigest()
            for name, value in (("sizes", stat.st_size), ("times", stat.st_mtime_ns))
        }

    @property
    def listing(self) -> str:
        stats = [os.stat(path) for path in (self.path, _index(self.path))]
        text = [str(self.path.resolve()), *((s.st_size, s.st_mtime_ns) for s in stats)]
        return hashlib.sha256(str(text).encode(errors="surrogateescape")).hexdigest()


def scan_mindrecord(path: Path) -> MindRecord:
    """The images of a MindRecord file, by their labels. Raises UsageError."""
    columns = _columns(path)
    image = next((name for name in IMAGE_COLUMNS if name in columns), None)
    if image is None or "label" not in columns:
        raise UsageError(
            f"{path} has columns {listed(columns, 'and')}; use 'label', and 'image' or 'data'"
        )
    wanted = ["label", *(name for name in ("class",) if name in columns)]
    labels, names = [], {}
    for row in _open(path, wanted).create_tuple_iterator(num_epochs=1, output_numpy=True):
        label = int(row[0])
        labels.append(label)
        names[label] = str(row[1]) if len(row) > 1 else str(label)
    if not labels or min(labels) < 0:
        raise UsageError(f"{path} has no rows, or labels below 0; use rows of 0 or more")
    missing = [str(label) for label in range(max(labels) + 1) if label not in names]
    if missing:
        raise UsageError(
            f"{path} has labels up to {max(labels)} and none of {listed(missing, 'and')};"
            " use labels without gaps"
        )
    return MindRecord(
        path,
        image,
        tuple(names[label] for label in range(len(names))),
        np.array(labels, np.int32),
        np.arange(len(labels)),
    )


def write_mindrecord(source: Source, path: Path) -> None:
    """Write images as a MindRecord file and its index beside it (path.db). Pictures of kinds that
    MindSpore does not decode are written as PNG."""
    from mindspore.mindrecord import FileWriter

    writer = FileWriter(str(path))
    writer.add_schema(SCHEMA, "images")
    rows: list[dict[str, Any]] = []
    for index, load in enumerate(source.loads(range(len(source.labels)))):
        label = int(source.labels[index])
        rows.append(
            {
                "image": _decodable(load()),
                "label": label,
                "class": source.classes[label],
            }
        )
        if len(rows) == ROWS_AT_ONCE:
            writer.write_raw_data(rows)
            rows = []
    if rows:
        writer.write_raw_data(rows)
    writer.commit()
    for written in (path, _index(path)):
        written.chmod(0o644)  # MindSpore keeps others out


def _decodable(data: bytes) -> bytes:
    """The same picture in a kind that MindSpore decodes, for those who read the file by it."""
    if data.startswith((JPEG, PNG)):
        return data
    buffer = io.BytesIO()
    open_image(data).save(buffer, "PNG")
    return buffer.getvalue()


def _columns(path: Path) -> list[str]:
    from mindspore.mindrecord import FileReader

    if not _index(path).is_file():
        raise UsageError(f"{path} lacks its index {_index(path).name}, which must stand beside it")
    try:
        reader = FileReader(str(path))
    except RuntimeError as error:
        raise UsageError(f"{path} is not a MindRecord file ({_first_line(error)})") from None
    columns = sorted(reader.schema())
    reader.close()
    return columns


def _open(path: Path, columns: list[str], rows: np.ndarray | None = None) -> ds.Dataset:
    import mindspore.dataset as ds

    if rows is None:
        return ds.MindDataset(str(path), columns, num_parallel_workers=1, shuffle=False)
    sampler = ds.SubsetSampler([int(row) for row in rows])
    return ds.MindDataset(str(path), columns, num_parallel_workers=1, sampler=sampler)


def _index(path: Path) -> Path:
    return path.with_name(path.name + INDEX_SUFFIX)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(".")
