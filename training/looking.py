"""What a recipe makes of images, as a picture, before anything learns from them."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import numpy as np
from PIL import Image

from archspec.compiler.images.batches import Batch
from archspec.compiler.images.preprocess import factors_of
from archspec.compiler.images.sheet import Tile, draw_sheet
from archspec.compiler.images.source import Source
from archspec.compiler.images.steps import Normalize, Preprocessing
from archspec.training.augmenting import augmentations
from archspec.training.data.pipeline import Pipeline
from archspec.training.recipe import Recipe

COLUMNS = 8


class SampledPipeline(Pipeline):
    """The batches that PyTorch trains on, made in this process; images are float32 NCHW."""

    draws_by_workers = False

    def epoch(self, epoch: int, skip: int = 0) -> Generator[Batch, None, None]:
        yield from self.mix_batches(self._draw(epoch, skip), epoch, skip)

    def _draw(self, epoch: int, skip: int) -> Iterator[Batch]:
        steps = augmentations(self.augment, self.preprocessing)
        scale, shift = factors_of(self.preprocessing.normalize)
        order, turns = self.order(epoch), self.turns(epoch)
        for indices, rounds in zip(order[skip:], turns[skip:], strict=True):
            rows = zip(indices, rounds, self.rows(indices), strict=True)
            images = [self.augment_image(steps, epoch, int(i), int(t), r[0]) for i, t, r in rows]
            normal = np.stack(images) * scale - shift
            labels = self.source.labels[indices].astype(np.int32)
            yield np.ascontiguousarray(normal.transpose(0, 3, 1, 2)), labels


def draw_sample(
    source: Source, preprocessing: Preprocessing, recipe: Recipe, count: int, epoch: int = 0
) -> bytes:
    """A contact sheet of `count` images as a network is shown them in an epoch: the first of its
    first batches, as a PNG. Raises UsageError where there are fewer images than one batch."""
    pipeline = SampledPipeline(
        source, preprocessing, recipe.augment, recipe.mix, batch=min(count, len(source.labels)),
        seed=recipe.seed, shuffle=True, balanced=recipe.data.balanced,
    )  # fmt: skip
    images, labels = next(iter(pipeline.epoch(epoch)))
    tiles = [
        Tile(shown_pixels(image, preprocessing.normalize), [_name(label, source.classes)])
        for image, label in zip(images, labels, strict=True)
    ]
    title = f"{source.where} by {recipe.name}, epoch {epoch + 1}"
    return draw_sheet(tiles, COLUMNS, title)


def shown_pixels(image: np.ndarray, normalize: Normalize) -> Image.Image:
    """A network's float32 CHW as a picture again."""
    scale, shift = factors_of(normalize)
    pixels = (image + shift[:, None, None]) / scale[:, None, None]
    bytes_ = np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
    return Image.fromarray(bytes_[0] if len(bytes_) == 1 else bytes_.transpose(1, 2, 0))


def _name(label: np.ndarray | np.integer, classes: tuple[str, ...]) -> str:
    """A class, or the shares of those that were mixed."""
    if np.ndim(label) == 0:
        return classes[int(label)]
    shares = np.asarray(label)
    best = [place for place in np.argsort(-shares, kind="stable")[:2] if shares[place] >= 0.005]
    if len(best) == 1:
        return classes[int(best[0])]
    return " + ".join(f"{shares[place]:.0%} {classes[int(place)]}" for place in best)
