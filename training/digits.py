"""Handwritten digits as a folder of images, so that a network can train where there is no network.

digits.csv.gz is the file of that name in scikit-learn (scikit-learn.org, BSD-3-Clause): the test
set of "Optical Recognition of Handwritten Digits" by E. Alpaydin and C. Kaynak, 1998, from the UCI
Machine Learning Repository (doi.org/10.24432/C50P49, CC BY 4.0). A line is one image of 8x8 pixels,
row by row, each 0 to 16, and its digit.
"""

from __future__ import annotations

import gzip
import os
from collections import defaultdict
from pathlib import Path

from PIL import Image

from archspec.writing import whole_folder

FILE = Path(__file__).with_name("digits.csv.gz")
SIDE, INK = 8, 16
VAL_IMAGES_OF_A_DIGIT = 36
"""Of 174 to 183, a fifth."""


def read_digits() -> list[tuple[bytes, int]]:
    """Pixels (64 bytes, 0 to 16) and digit of the 1,797 images, in scikit-learn's order."""
    lines = gzip.decompress(FILE.read_bytes()).decode().splitlines()
    rows = [[int(float(number)) for number in line.split(",")] for line in lines]
    return [(bytes(row[:-1]), row[-1]) for row in rows]


def write_digits(folder: str | os.PathLike[str]) -> tuple[int, int]:
    """Write FOLDER/{train,val}/DIGIT/NUMBER.png, 8-bit grey, and count train and val.

    NUMBER is the image's place in scikit-learn's order; a pixel is 255/16 of the ink, rounded,
    which loses nothing. Of each digit, images evenly spread over that order are for val: the split
    is the same always, and so is every byte. Raises UsageError where the folder is there.
    """
    of_digit: dict[int, list[tuple[int, bytes]]] = defaultdict(list)
    for number, (pixels, digit) in enumerate(read_digits()):
        of_digit[digit].append((number, pixels))
    counts = {"train": 0, "val": 0}
    with whole_folder(folder) as home:
        for digit, images in sorted(of_digit.items()):
            step = len(images) / VAL_IMAGES_OF_A_DIGIT
            held_out = {int(place * step) for place in range(VAL_IMAGES_OF_A_DIGIT)}
            for split in counts:
                (home / split / str(digit)).mkdir(parents=True)
            for place, (number, pixels) in enumerate(images):
                split = "val" if place in held_out else "train"
                _write_png(home / split / str(digit) / f"{number:04}.png", pixels)
                counts[split] += 1
    return counts["train"], counts["val"]


def _write_png(path: Path, pixels: bytes) -> None:
    grey = bytes(round(ink * 255 / INK) for ink in pixels)
    # uncompressed, since versions of zlib compress to different bytes
    Image.frombytes("L", (SIDE, SIDE), grey).save(path, "PNG", compress_level=0)
