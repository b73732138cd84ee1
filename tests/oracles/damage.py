"""Damage as disks and copies do it to a file: bits flipped, bytes gone, doubled or cut off."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from pathlib import Path

from archspec.checksums import read_lines

CLOCKS = ("seconds", "images_per_second")
KINDS = ("flip", "delete", "cut", "double", "zero", "overwrite")


def damage(content: bytes, dice: random.Random) -> tuple[str, bytes]:
    """What was done, in words for a failing test, and the content after it, which differs."""
    while True:
        words, result = _damage(content, dice)
        if result != content:
            return words, result


def _damage(content: bytes, dice: random.Random) -> tuple[str, bytes]:
    kind = dice.choice(KINDS)
    place = dice.randrange(max(len(content), 1))
    length = min(dice.choice((1, 1, 2, 7, 64, 700)), len(content) - place)
    before, middle, after = content[:place], content[place:][:length], content[place + length :]
    words = f"{kind} {length} at {place} of {len(content)}"
    if kind == "flip":
        bit = dice.randrange(8)
        return f"flip bit {bit} at {place}", flip(content, place, bit) if content else b"\1"
    if kind == "delete":
        return words, before + after
    if kind == "cut":
        return f"cut at {place} of {len(content)}", before
    if kind == "double":
        return words, before + middle + middle + after
    if kind == "zero":
        return words, before + bytes(length) + after
    return words, before + dice.randbytes(length) + after


def flip(content: bytes, place: int, bit: int) -> bytes:
    changed = bytearray(content)
    changed[place] ^= 1 << bit
    return bytes(changed)


def flips(content: bytes) -> Iterator[tuple[str, bytes]]:
    """Every content that differs in one bit."""
    for place in range(len(content)):
        for bit in range(8):
            yield f"bit {bit} at {place}", flip(content, place, bit)


def contents(folder: Path) -> dict[str, bytes]:
    """The files of a folder by their names in it, but for locks."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def check_run(good: Mapping[str, bytes], folder: Path, words: str) -> None:
    """Hold a run's folder, after it was damaged and resumed, against what it held before: all that
    was good is still there, whether the training resumed or was refused."""
    now = contents(folder)
    kept = set(now.values())
    for name, content in good.items():
        if name.endswith(".safetensors"):
            assert content in kept, f"{words}: {name} is lost"
    told, wanted = (
        # an epoch that is trained once more takes another time
        [{key: v for key, v in line.items() if key not in CLOCKS} for line in read_lines(c).records]
        for c in (now.get("metrics.jsonl", b""), good["metrics.jsonl"])
    )
    assert all(line in wanted for line in told), f"{words}: metrics.jsonl has made-up lines"
