"""Protobuf's wire format: the fields of a message, without a schema and without protobuf.

A message is fields one after another. Each begins with a number, `field << 3 | kind`, and numbers
take seven bits a byte, the lowest first, the eighth set on all bytes but the last.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

VARINT, FIXED64, BYTES, GROUP, GROUP_END, FIXED32 = range(6)
LONGEST_VARINT = 10
DEEPEST_GROUP = 100
NOTHING = memoryview(b"")
_FIXED = {FIXED64: 8, FIXED32: 4}


class Damage(Exception):
    """Why the bytes are not a message, as the end of a sentence."""


class Field(NamedTuple):
    """One field: `value` of a number, without a sign (see `as_signed`), `content` of bytes."""

    number: int
    kind: int
    value: int
    content: memoryview


def fields(message: memoryview) -> Iterator[Field]:
    """The fields in their order, without what groups hold: no message of today has any.

    Raises Damage where the bytes stop making sense, after all fields before that place; of a field
    that is cut short, what there is of its content comes first.
    """
    place, end = 0, len(message)
    groups: list[int] = []
    while place < end:
        start = place
        key, place = _varint(message, place)
        number, kind = key >> 3, key & 7
        value, content = 0, NOTHING
        if not 0 < number < 1 << 29 or kind > FIXED32:
            raise Damage(f"is not protobuf at byte {start:,} of {end:,}")
        if kind == VARINT:
            value, place = _varint(message, place)
        elif kind == GROUP:
            groups.append(number)
            if len(groups) > DEEPEST_GROUP:
                raise Damage(f"has groups nested too deep at byte {start:,} of {end:,}")
        elif kind == GROUP_END:
            if not groups or groups.pop() != number:
                raise Damage(f"ends a group that it does not begin at byte {start:,} of {end:,}")
            continue
        else:
            length = _FIXED.get(kind, 0)
            if kind == BYTES:
                length, place = _varint(message, place)
            content = message[place : place + length]
            if len(content) < length:
                if kind == BYTES and not groups:
                    yield Field(number, kind, value, content)
                raise Damage(
                    f"is cut short: {length:,} bytes should follow byte {place:,}, {end - place:,}"
                    " do"
                )
            place += length
            if kind != BYTES:
                value, content = int.from_bytes(content, "little"), NOTHING
        if not groups:
            yield Field(number, kind, value, content)
    if groups:
        raise Damage("ends inside a group")


def unpack(content: memoryview) -> Iterator[int]:
    """The numbers of a packed field. Raises Damage after all before the damaged one."""
    place = 0
    while place < len(content):
        value, place = _varint(content, place)
        yield value


def as_signed(value: int, bits: int = 64) -> int:
    """The int64 or int32 that a number stands for, in two's complement; what is beyond is lost."""
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    """A number, of 70 bits at most, and the place behind it."""
    if place < len(message) and message[place] < 0x80:  # nearly all are short
        return message[place], place + 1
    value = shift = 0
    for byte in message[place : place + LONGEST_VARINT]:
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7
    if shift == 7 * LONGEST_VARINT:
        raise Damage(f"has a number that does not end at byte {place:,} of {len(message):,}")
    raise Damage(f"ends inside a number, at byte {len(message):,}")
