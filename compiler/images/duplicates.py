"""Images that are the same file twice, whatever they are called."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from archspec.compiler.images.folder import ImageFolder
from archspec.compiler.images.lookahead import in_order
from archspec.compiler.images.source import Source


def digest_images(source: Source, indices: Sequence[int], workers: int) -> dict[int, str]:
    """sha256 of the bytes of these images; one that cannot be read has none."""

    def digest(load: Callable[[], bytes]) -> str:
        try:
            return hashlib.sha256(load()).hexdigest()
        except OSError:
            return ""

    found = in_order(digest, source.loads(indices), workers)
    return {index: text for index, text in zip(indices, found, strict=True) if text}


def find_duplicates(train: Source, val: Source, workers: int) -> list[tuple[int, int]]:
    """Pairs of an image to train on and one to validate with that are the same to the byte: the
    second says nothing of what was learned. Of several that are the same the first counts."""
    ours, theirs = _candidates(train, val), _candidates(val, train)
    if not ours or not theirs:
        return []
    known: dict[str, int] = {}
    for index, digest in digest_images(train, ours, workers).items():
        known.setdefault(digest, index)
    met = digest_images(val, theirs, workers)
    return [(known[digest], index) for index, digest in met.items() if digest in known]


def _candidates(source: Source, other: Source) -> list[int]:
    """Images that may be in both: where files tell their sizes, those of a size that both have."""
    count = len(source.labels)
    if not isinstance(source, ImageFolder) or not isinstance(other, ImageFolder):
        return [*range(count)]
    shared = np.isin(source.stats[:, 0], other.stats[:, 0])
    return np.flatnonzero(shared).tolist()


def describe_duplicates(
    train: Source, val: Source, pairs: Sequence[tuple[int, int]], most: int = 3
) -> list[str]:
    """In words, a sentence for all, and one for those whose classes differ."""
    if not pairs:
        return []
    examples = ", ".join(f"{val.name(v)!r} is {train.name(t)!r}" for t, v in pairs[:most])
    more = f" and {len(pairs) - most:,} more" if len(pairs) > most else ""
    images = "image is" if len(pairs) == 1 else "images are"
    found = [
        f"{val.where}: {len(pairs):,} {images} in {train.where} too, so that accuracy on them says"
        f" nothing: {examples}{more}"
    ]
    differ = sum(_class(train, t) != _class(val, v) for t, v in pairs)
    if differ:
        found.append(f"{differ:,} of these {'is' if differ == 1 else 'are'} of another class there")
    return found


def _class(source: Source, index: int) -> str:
    return source.classes[int(source.labels[index])]


def group_by_content(digests: Mapping[int, str]) -> dict[str, list[int]]:
    """Images by the digests of their bytes."""
    groups: dict[str, list[int]] = {}
    for index, digest in digests.items():
        groups.setdefault(digest, []).append(index)
    return groups
