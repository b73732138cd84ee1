"""Messages of a file that may be damaged: fields and values as far as they can be read, within
limits, and sentences on what is damaged."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from typing import Any

from archspec.deploy.om import wire
from archspec.errors import MAX_PROBLEMS

MAX_FIELDS = 1_000_000
"""Of one file, numbers in lists among them. A network of a thousand operators has a tenth."""
LONGEST_TEXT = 20_000


class Allowance:
    """What may still be read of a file, so that none takes minutes or gigabytes."""

    def __init__(self) -> None:
        self.fields = MAX_FIELDS
        self.is_spent = False


class Messages:
    """Reads what is inside one message; sentences on it call it `what` and join `problems`."""

    def __init__(self, what: str, problems: list[str], allowance: Allowance) -> None:
        self._what = what
        self._problems = problems
        self._allowance = allowance

    def note(self, problem: str) -> None:
        if len(self._problems) <= MAX_PROBLEMS:
            self._problems.append(f"{self._what}: {problem}")

    def spend(self, wanted: int = 1) -> int:
        """How many of the wanted fields or numbers may be read; says so when it is not all."""
        allowance = self._allowance
        granted = min(wanted, allowance.fields)
        allowance.fields -= granted
        if granted < wanted and not allowance.is_spent:
            allowance.is_spent = True
            self.note(f"no more than {MAX_FIELDS:,} fields of a file are read")
        return granted

    def fields(self, message: memoryview, part: str) -> Iterator[wire.Field]:
        """The fields of a message as far as they can be read; problems call it `part`."""
        try:
            for field in wire.fields(message):
                if not self.spend():
                    return
                yield field
        except wire.Damage as damage:
            self.note(f"{part} {damage}")

    def text(self, field: wire.Field, part: str) -> str:
        """A text, as UTF-8 must be."""
        if len(field.content) <= LONGEST_TEXT:
            try:
                return bytes(field.content).decode()
            except UnicodeDecodeError:
                self.note(f"{part} is not UTF-8")
        return lenient(field.content)

    def numbers(self, field: wire.Field, part: str) -> list[int]:
        """Of a repeated field, packed or not, without a sign."""
        if field.kind == wire.VARINT:
            return [field.value]
        found: list[int] = []
        try:
            for number in wire.unpack(field.content):
                if not self.spend():
                    break
                found.append(number)
        except wire.Damage as damage:
            self.note(f"{part} {damage}")
        return found

    def floats(self, field: wire.Field) -> list[float | str]:
        """Of a repeated field, packed or not."""
        if field.kind == wire.FIXED32:
            return [_float(field.value)]
        count = self.spend(len(field.content) // 4)
        return [_float(bits) for (bits,) in struct.iter_unpack("<I", field.content[: 4 * count])]

    def entry(self, message: memoryview, part: str) -> tuple[str, memoryview]:
        """Key and value of an attribute."""
        key, value = "", wire.NOTHING
        for field in self.fields(message, f"an attribute of {part}"):
            if (field.number, field.kind) == (1, wire.BYTES):
                key = self.text(field, f"the name of an attribute of {part}")
            elif (field.number, field.kind) == (2, wire.BYTES):
                value = field.content
        return key, value

    def value(self, message: memoryview, part: str) -> Any:
        """An attribute's value: a text, a number, a truth, a list of one of these, or words about
        what else it is."""
        value: Any = None
        for field in self.fields(message, part):
            match field.number, field.kind:
                case 1, wire.BYTES:
                    value = self._list(field.content, part)
                case 2, wire.BYTES:
                    value = lenient(field.content)
                case ((3 | 15), wire.VARINT):
                    value = wire.as_signed(field.value)
                case 4, wire.FIXED32:
                    value = _float(field.value)
                case 5, wire.VARINT:
                    value = bool(field.value)
                case _, wire.BYTES:
                    value = f"({len(field.content):,} bytes)"
        return value

    def _list(self, message: memoryview, part: str) -> list[Any]:
        found: list[Any] = []
        for field in self.fields(message, part):
            match field.number, field.kind:
                case 2, wire.BYTES:
                    found.append(lenient(field.content))
                case ((3 | 12), (wire.VARINT | wire.BYTES)):
                    found += map(wire.as_signed, self.numbers(field, part))
                case 4, (wire.FIXED32 | wire.BYTES):
                    found += self.floats(field)
                case 5, (wire.VARINT | wire.BYTES):
                    found += map(bool, self.numbers(field, part))
                case number, wire.BYTES if number < 20:
                    found.append(f"({len(field.content):,} bytes)")
        return found


def lenient(content: memoryview) -> str:
    """A text that need not be UTF-8, the start of a long one."""
    text = bytes(content[:LONGEST_TEXT]).decode(errors="replace")
    return text if len(content) <= LONGEST_TEXT else f"{text}..."


def _float(bits: int) -> float | str:
    """A number of 32 bits; in words where it is none, as JSON has no other way."""
    number = struct.unpack("<f", bits.to_bytes(4, "little"))[0]
    return number if math.isfinite(number) else str(number)
