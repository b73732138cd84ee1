"""Pixels as cameras and JPEG decoders of Ascend boards give them: NV12, Huawei's YUV420SP_U8.

A plane of brightness, height x width, and below it half as many rows of blue and red differences in
turn, one pair for each 2 x 2 pixels. The scale is JPEG's (BT.601, all of 0 to 255), as in Pillow's
YCbCr and in the matrix that Huawei's manual has for JPEG; a camera's video range needs another.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

MATRIX = ((256, 0, 359), (256, -88, -183), (256, 454, 0))
"""From Y, U and V less 0, 128 and 128 to red, green and blue, in 256ths."""
INPUT_BIAS = (0, 128, 128)


def rows_of(height: int) -> int:
    """Of an NV12 picture of this even height."""
    return height * 3 // 2


def to_nv12(image: Image.Image) -> np.ndarray:
    """An image of even sides as uint8 (3/2 height, width); differences are means of 2 x 2"
    " pixels."""
    planes = np.asarray(image.convert("RGB").convert("YCbCr"), np.uint16)
    height, width = planes.shape[:2]
    assert height % 2 == width % 2 == 0
    blocks = planes[:, :, 1:].reshape(height // 2, 2, width // 2, 2, 2)
    pairs = (blocks.sum(axis=(1, 3)) + 2) // 4
    return np.concatenate([planes[:, :, 0], pairs.reshape(height // 2, width)]).astype(np.uint8)
