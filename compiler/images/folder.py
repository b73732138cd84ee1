"""Trees of image files, one folder per class: the layout of ImageNet and of torchvision."""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from archspec.compiler.images.preprocess import read_image
from archspec.errors import UsageError, listed

SUFFIXES = frozenset(
    {
        ".avif", ".bmp", ".gif", ".j2k", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm",
        ".png", ".pnm", ".ppm", ".tga", ".tif", ".tiff", ".webp",
    }
)  # fmt: skip
"""Endings of what Pillow reads. One that its build lacks (AVIF before 11.3) is named as damaged."""
UNREAD = frozenset(
    {".arw", ".cr2", ".cr3", ".dng", ".heic", ".heif", ".jxl", ".nef", ".orf", ".raf", ".svg"}
)
"""Endings of pictures that nothing here reads."""


@dataclass(frozen=True, eq=False)
class ImageFolder:
    """A folder of class folders, a Source. `files` are paths below it, sorted
    by class and name; `stats` are their sizes and times of change."""

    root: Path
    classes: tuple[str, ...]
    files: tuple[str, ...]
    labels: np.ndarray
    stats: np.ndarray
    ignored: tuple[str, ...] = ()
    unreadable: Mapping[str, str] = field(default_factory=dict)

    @property
    def where(self) -> str:
        return str(self.root)

    def name(self, index: int) -> str:
        return self.files[index]

    def loads(self, indices: Sequence[int] | np.ndarray) -> Iterator[Callable[[], bytes]]:
        return (partial(self.read, index) for index in indices)

    def read(self, index: int) -> bytes:
        return read_image(self.root / self.files[index])

    def without(self, unreadable: Mapping[int, str]) -> ImageFolder:
        kept = np.array([i for i in range(len(self.files)) if i not in unreadable], np.int64)
        return replace(
            self,
            files=tuple(self.files[index] for index in kept),
            labels=self.labels[kept],
            stats=self.stats[kept],
            unreadable={
                **self.unreadable,
                **{self.files[index]: why for index, why in unreadable.items()},
            },
        )

    @property
    def stamps(self) -> dict[str, str]:
        sizes, times = np.ascontiguousarray(self.stats.T, "<i8")
        return {
            name: hashlib.sha256(column.tobytes()).hexdigest()
            for name, column in (("sizes", sizes), ("times", times))
        }

    @property
    def listing(self) -> str:
        digest = hashlib.sha256(str(self.root.resolve()).encode(errors="surrogateescape"))
        digest.update("\0".join(self.files).encode(errors="surrogateescape"))
        digest.update(self.stats.tobytes())
        return digest.hexdigest()


def scan_folder(root: Path, learns: bool) -> ImageFolder:
    """The images below a folder of class folders; classes are numbered by name. Hidden files, other
    files than images and links that lead nowhere or in a circle are left out, and said so. Raises
    UsageError, `learns` (from these images) also where a class has only one."""
    entries = _entries(root)
    classes = [entry.name for entry in entries if entry.is_dir()]
    if not classes:
        loose = [entry.name for entry in entries if _is_image(entry)]
        if loose:
            raise UsageError(
                f"{root} has {len(loose):,} images and no class folders; use"
                f" {root}/CLASS/{loose[0]}"
            )
        raise UsageError(f"{root} has no class folders; use {root}/CLASS/IMAGE")
    tree = _Tree(root)
    for entry in entries:
        if entry.is_dir():
            tree.add(entry.name)
        else:
            tree.leave_out(entry)
    _check_classes(tree, classes, learns)
    return ImageFolder(
        root,
        tuple(map(_readable_name, classes)),
        tuple(path for name in classes for path in tree.files[name]),
        np.repeat(
            np.arange(len(classes), dtype=np.int32), [len(tree.files[name]) for name in classes]
        ),
        np.array([stat for name in classes for stat in tree.stats[name]], np.int64).reshape(-1, 2),
        tree.notes(),
    )


def find_images(root: Path) -> tuple[list[str], tuple[str, ...]]:
    """All images below a folder, class folders or none, as sorted paths below it; and in words what
    was left out. Raises UsageError where it cannot be read."""
    tree = _Tree(root)
    tree.add("")
    return tree.files[""], tree.notes()


def scan_images(root: Path, most: int | None = None) -> ImageFolder:
    """The first images below a folder, by name, whatever folders they are in: a Source of one
    class. Raises UsageError where there are none."""
    if not root.is_dir():
        raise UsageError(f"{root} is not a folder; use a folder of images")
    tree = _Tree(root)
    tree.add("")
    files = tree.files[""][:most]
    if not files:
        raise UsageError(f"{root} has no images; use a folder that has some")
    labels, stats = np.zeros(len(files), np.int32), np.array(tree.stats[""][:most], np.int64)
    return ImageFolder(root, ("",), tuple(files), labels, stats.reshape(-1, 2), tree.notes())


class _Tree:
    """What is found below a folder, by class."""

    def __init__(self, root: Path):
        self.root = root
        self.files: dict[str, list[str]] = {}
        self.stats: dict[str, list[tuple[int, int]]] = {}
        self.others: list[str] = []
        self.unread: list[str] = []
        self.links: list[str] = []

    def add(self, name: str) -> None:
        self.files[name] = []
        self.stats[name] = []
        self._walk(self.root / name, name, ())

    def leave_out(self, entry: os.DirEntry[str], name: str | None = None) -> None:
        is_nowhere = entry.is_symlink() and not Path(entry.path).exists()
        is_picture = Path(entry.name).suffix.lower() in UNREAD
        kind = self.links if is_nowhere else self.unread if is_picture else self.others
        kind.append(os.path.relpath(entry.path, self.root))

    def _walk(self, folder: Path, name: str, above: tuple[tuple[int, int], ...]) -> None:
        stat = folder.stat()
        above = (*above, (stat.st_dev, stat.st_ino))
        for entry in _entries(folder):
            path = os.path.relpath(entry.path, self.root)
            if entry.is_dir():
                below = entry.stat()
                if entry.is_symlink() and (below.st_dev, below.st_ino) in above:
                    self.links.append(path)
                else:
                    self._walk(Path(entry.path), name, above)
            elif _is_image(entry):
                below = entry.stat()
                self.files[name].append(path)
                self.stats[name].append((below.st_size, below.st_mtime_ns))
            else:
                self.leave_out(entry)

    def notes(self) -> tuple[str, ...]:
        return tuple(
            f"{self.root}: left out {len(paths):,} {one if len(paths) == 1 else several}:"
            f" {listed(sorted(paths), 'and', 3)}"
            for paths, one, several in (
                (self.others, "file that is not an image", "files that are not images"),
                (
                    self.unread,
                    "picture of a kind that is not read here (convert it to JPEG or PNG)",
                    "pictures of kinds that are not read here (convert them to JPEG or PNG)",
                ),
                (
                    self.links,
                    "link that leads nowhere or in a circle",
                    "links that lead nowhere or in a circle",
                ),
            )
            if paths
        )


def _readable_name(name: str) -> str:
    """A class's name as text: a folder whose name is not UTF-8 is told by the escapes of its
    bytes."""
    return os.fsencode(name).decode(errors="backslashreplace")


def _check_classes(tree: _Tree, classes: list[str], learns: bool) -> None:
    twins = spelt_alike(classes)
    if twins:
        raise UsageError(
            f"{tree.root}: two folders are one name in two spellings, {shown_letters(twins)};"
            " move the images of one into the other"
        )
    empty = [name for name in classes if not tree.files[name]]
    if empty:
        others = [path for path in (*tree.unread, *tree.others) if Path(path).parts[0] in empty]
        besides = f" (of other files, {others[0]!r})" if others else ""
        raise UsageError(
            f"{tree.root}: no images in class {listed(empty, 'and')}{besides}; add images, or"
            " remove the folder"
        )
    if learns:
        check_learnable(str(tree.root), {name: len(tree.files[name]) for name in classes})


def spelt_alike(names: Iterable[str]) -> list[str]:
    """Two names that print alike and differ in how accents are composed (Unicode's NFC and NFD, in
    which macOS and others write one name), or none."""
    met: dict[str, str] = {}
    for name in names:
        other = met.setdefault(unicodedata.normalize("NFC", name), name)
        if other != name:
            return [other, name]
    return []


def shown_letters(names: Iterable[str]) -> str:
    """Names with all letters beyond ASCII as escapes, for those that print alike."""
    return " and ".join(ascii(name) for name in names)


def check_learnable(where: str, counts: Mapping[str, int]) -> None:
    """Raises UsageError where a class has fewer than two images."""
    few = [name for name, count in counts.items() if count < 2]
    if few:
        raise UsageError(
            f"{where}: one image or none in class {listed(few, 'and')}, from which nothing is"
            " learned; use two or more, or leave the class out"
        )


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """What is in a folder, sorted by name, hidden things left out."""
    try:
        with os.scandir(folder) as entries:
            return sorted((e for e in entries if not e.name.startswith(".")), key=lambda e: e.name)
    except OSError as error:
        raise UsageError(
            f"{folder} cannot be read ({(error.strerror or str(error)).lower()})"
        ) from None


def _is_image(entry: os.DirEntry[str]) -> bool:
    return entry.is_file() and Path(entry.name).suffix.lower() in SUFFIXES
