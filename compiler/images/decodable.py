"""Image files in a kind that MindSpore decodes as Pillow does."""

from __future__ import annotations

import io

from archspec.compiler.images.preprocess import open_image

JPEG = b"\xff\xd8\xff"
PNG = b"\x89PNG\r\n\x1a\n"


def decodable(data: bytes, kind: str = "BMP") -> bytes:
    """The same picture as JPEG or PNG, which MindSpore decodes to the pixels that open_image gives;
    of any other kind as `kind`, which is lossless. Raises UnreadableImage."""
    if data.startswith((JPEG, PNG)):
        return data
    buffer = io.BytesIO()
    open_image(data).save(buffer, kind)
    return buffer.getvalue()
