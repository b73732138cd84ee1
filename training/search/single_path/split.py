"""Train images in two: those that weights learn from, and those held out for the thresholds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from archspec.compiler.images.source import Source
from archspec.training.data.pipeline import generator

SPLIT = 7
"""What the key is for; the pipelines have 0 to 2."""


@dataclass(frozen=True, eq=False)
class Share:
    """Some images of a source, a Source in turn. `indices` are their places in it."""

    source: Source
    indices: np.ndarray
    where: str

    @property
    def classes(self) -> tuple[str, ...]:
        return self.source.classes

    @property
    def labels(self) -> np.ndarray:
        return self.source.labels[self.indices]

    @property
    def ignored(self) -> tuple[str, ...]:
        return self.source.ignored

    @property
    def unreadable(self) -> Mapping[str, str]:
        return self.source.unreadable

    @property
    def stamps(self) -> Mapping[str, str]:
        return self.source.stamps

    @property
    def listing(self) -> str:
        return self.source.listing

    def name(self, index: int) -> str:
        return self.source.name(int(self.indices[index]))

    def loads(self, indices: Sequence[int] | np.ndarray) -> Iterator[Callable[[], bytes]]:
        return self.source.loads(self.indices[np.asarray(indices, np.int64)])

    def without(self, unreadable: Mapping[int, str]) -> Share:
        kept = [place for place in range(len(self.indices)) if place not in unreadable]
        return replace(self, indices=self.indices[kept])


def split(source: Source, held_out: float, seed: int) -> tuple[Share, Share]:
    """The images for weights and those held out, which are that share of each class, or one less
    than all; the same for a seed."""
    drawn: list[np.ndarray] = []
    for label in range(len(source.classes)):
        places = np.flatnonzero(source.labels == label)
        count = min(max(1, round(held_out * len(places))), len(places) - 1)
        drawn.append(generator(seed, SPLIT, label).permutation(places)[: max(count, 0)])
    held = np.sort(np.concatenate(drawn))
    rest = np.setdiff1d(np.arange(len(source.labels)), held)
    return (
        Share(source, rest, f"{source.where} less what is held out"),
        Share(source, held, f"what is held out of {source.where}"),
    )
