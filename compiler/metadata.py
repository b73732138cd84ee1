"""What a file says of itself in words by name, with a checksum, so that no changed bit passes.

The checksum is over those words and over what the file's format does not check by itself. Files of
an archspec that wrote none say no `file_version`: nothing of them can be checked but the names.
One flipped bit cannot make such a file of a sealed one, for version and checksum each tell of the
other.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from archspec.checksums import checksum_of, damage_error
from archspec.errors import did_you_mean

VERSION, CHECKSUM = "file_version", "checksum"
CURRENT = "2"
NUMBERS = "crc32"
"""A checksum of numbers alone, which a format keeps for itself and writes after the seal."""

MARKS = ("fingerprint", "archspec", "preprocessing")
"""Two of them are in every file of ours."""
KNOWN = (
    "spec", "name", "fingerprint", "archspec", "producer", "preprocessing", "classes", "outputs",
    "source", "epoch", "top1", "recipe", "search", "structure", NUMBERS,
)  # fmt: skip
"""All that is written without a checksum."""


def seal_metadata(metadata: Mapping[str, str], content: Any = None) -> dict[str, str]:
    """The words with a version and a checksum over them and over `content`, plain JSON data."""
    plain = {**_plain(metadata), VERSION: CURRENT}
    return {**plain, CHECKSUM: checksum_of([plain, content])}


def check_metadata(
    path: str | os.PathLike[str], metadata: Mapping[str, str], content: Any = None
) -> None:
    """Raises SpecError where the words, or `content`, are not as they were sealed; and of words
    without a seal, where a name is nearly one of ours."""
    found = metadata.get(CHECKSUM)
    if found is None and VERSION not in metadata:
        _check_names(path, metadata)
        return
    plain = {**_plain(metadata), VERSION: metadata.get(VERSION)}
    if found != checksum_of([plain, content]):
        raise damage_error(path, "what it says of itself does not meet its checksum")


def unseal(metadata: Mapping[str, str]) -> dict[str, str]:
    """The words without version and checksum."""
    return {key: value for key, value in metadata.items() if key not in (VERSION, CHECKSUM)}


def _plain(metadata: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in unseal(metadata).items() if key != NUMBERS}


def _check_names(path: str | os.PathLike[str], metadata: Mapping[str, str]) -> None:
    """Of a file of ours; what others call their words is theirs to know."""
    if not any(mark in metadata for mark in MARKS):
        return
    for name in metadata:
        hint = "" if name in KNOWN else did_you_mean(name, KNOWN)
        if hint:
            raise damage_error(
                path, f"what it says of itself has an unknown name {name[:100]!r}{hint}"
            )
