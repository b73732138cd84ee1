"""The input pipeline that bench_data compares with: torch's DataLoader over Pillow.

The steps are what torchvision's transforms do to Pillow's images. Imports nothing of archspec, as
its Python may be another: torch_data.py FOLDER WORKERS AUGMENTED.
"""

import math
import random
import resource
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance

SIDE, BATCH, EPOCHS = 224, 64, 3
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
SCALE, RATIO = (0.08, 1.0), (3 / 4, 4 / 3)
JITTER = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)


class Images:
    """A dataset of FOLDER/CLASS/IMAGE."""

    def __init__(self, folder: str, is_augmented: bool):
        classes = sorted(path.name for path in Path(folder).iterdir())
        self.paths = sorted(Path(folder).glob("*/*"))
        self.labels = [classes.index(path.parent.name) for path in self.paths]
        self.is_augmented = is_augmented

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int):
        import torch

        with Image.open(self.paths[index]) as file:
            image = file.convert("RGB")
        left, top, width, height = draw_box(*image.size)
        image = image.crop((left, top, left + width, top + height))
        image = image.resize((SIDE, SIDE), Image.Resampling.BILINEAR)
        if random.random() < 0.5:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        if self.is_augmented:
            for change in random.sample(JITTER, len(JITTER)):
                image = change(image).enhance(random.uniform(0.6, 1.4))
        tensor = torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous().float().div_(255)
        mean, std = (torch.tensor(values)[:, None, None] for values in (MEAN, STD))
        return tensor.sub_(mean).div_(std), self.labels[index]


def draw_box(width: int, height: int) -> tuple[int, int, int, int]:
    """Left, top, width and height of torchvision's RandomResizedCrop; the whole where ten draws do
    not fit."""
    for _ in range(10):
        area = width * height * random.uniform(*SCALE)
        ratio = math.exp(random.uniform(*map(math.log, RATIO)))
        across, down = round((area * ratio) ** 0.5), round((area / ratio) ** 0.5)
        if 0 < across <= width and 0 < down <= height:
            left, top = random.randint(0, width - across), random.randint(0, height - down)
            return left, top, across, down
    return 0, 0, width, height


def main(folder: str, workers: int, is_augmented: bool) -> None:
    from torch.utils.data import DataLoader

    loader = DataLoader(
        Images(folder, is_augmented),  # type: ignore[arg-type]
        BATCH,
        shuffle=True,
        drop_last=True,
        num_workers=workers,
        persistent_workers=True,
    )
    for epoch in range(EPOCHS):
        start = time.perf_counter()
        count = sum(len(labels) for _, labels in loader)
        if epoch:  # the first one starts the workers
            print(count / (time.perf_counter() - start))
    del loader  # ends its workers, whose time is that of children only then
    report(EPOCHS * count)


def report(images: int) -> None:
    """Images by second of processor time, that of workers with it and of what starting takes."""
    used = [resource.getrusage(of) for of in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(images / sum(one.ru_utime + one.ru_stime for one in used))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3] == "True")
