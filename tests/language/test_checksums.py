"""Lines and objects that carry a checksum: what changed is named, what is good is read."""

from __future__ import annotations

import json
import random
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.damage import damage, flips

from archspec.checksums import (
    append_lines,
    checksum_of_bytes,
    read_lines,
    read_sealed,
    seal,
    seal_line,
    seal_lines,
    set_aside,
)
from archspec.errors import SpecError
from archspec.writing import written_json

RECORDS = [
    {"kind": "epoch", "epoch": 1, "top1": 0.9305},
    {"kind": "step", "note": 'quoted ", "crc32": "00000000"} and é\n', "list": [1, 2.5, None]},
    {},
    {"last": "0badcafe"},
]
WORDS = st.text('aé\u2028\n"\\{}:, c', max_size=6)
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**53), 2**53), WORDS,
    st.floats(allow_nan=False, allow_infinity=False),
    st.lists(WORDS, max_size=3), st.dictionaries(WORDS, st.integers(0, 9), max_size=2),
)  # fmt: skip
OBJECTS = st.dictionaries(WORDS, VALUES, max_size=4)


def test_the_checksum_is_zlibs():
    body = '{"step": 3, "loss": 0.5}'
    line = seal_line({"step": 3, "loss": 0.5})
    assert line == f'{body[:-1]}, "crc32": "{zlib.crc32(body.encode()):08x}"}}\n'
    assert checksum_of_bytes(b"123456789") == "cbf43926"  # the check value of CRC-32


@given(st.lists(OBJECTS, max_size=4))
@settings(max_examples=50, deadline=None)
def test_lines_are_read_as_they_were_written(records):
    found = read_lines(seal_lines(records).encode(), required=True)
    assert list(found.records) == records
    assert not found.damaged and not found.unfinished


@pytest.mark.parametrize("required", [True, False])
def test_any_flipped_bit_of_any_line_is_found(required):
    """Also where it hides the checksum, or joins two lines; the other lines are read."""
    content = seal_lines(RECORDS).encode()
    for words, changed in flips(content):
        found = read_lines(changed, required)
        lost = [record for record in RECORDS if record not in found.records]
        assert all(record in RECORDS for record in found.records), words
        assert len(lost) <= 2, words
        assert not lost or found.damaged or found.unfinished, words


@pytest.mark.parametrize("record", RECORDS)
def test_no_flipped_bit_makes_an_old_line_of_the_only_one(record):
    for words, changed in flips(seal_line(record).encode()):
        found = read_lines(changed)
        assert list(found.records) in ([], [record]), words


def test_whatever_the_damage_no_record_is_made_up():
    dice = random.Random(10)
    content = seal_lines(RECORDS).encode()
    for _ in range(2000):
        words, changed = damage(content, dice)
        for record in read_lines(changed, required=True).records:
            assert record in RECORDS, words


@given(st.binary())
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_read(content):
    read_lines(content)
    read_lines(content, required=True)


@pytest.mark.parametrize("text", ["[" * 100_000, "1" * 5000, "NaN", "\ud800"])
def test_what_parsers_fail_on_is_a_damaged_line(text):
    line = text.encode("utf-8", "surrogatepass")
    assert [bad.number for bad in read_lines(b'{"a": 1}\n' + line + b"\n").damaged] == [2]


def test_old_lines_are_read_and_their_damage_is_named():
    old = "".join(json.dumps(record) + "\n" for record in RECORDS[:3])
    found = read_lines(old.encode() + b'{"half": ')
    assert list(found.records) == RECORDS[:3]
    assert (found.is_sealed, found.damaged, found.unfinished) == (False, (), b'{"half": ')
    assert len(read_lines(old.encode(), required=True).damaged) == 3
    mixed = read_lines(old.encode() + seal_line({"new": 1}).encode())
    assert list(mixed.records) == [{"new": 1}]
    assert [bad.why for bad in mixed.damaged] == ["it has no checksum"] * 3


@pytest.mark.parametrize(
    ("rest", "kept"),
    [("", 0), ('{"half": ', 0), (seal_line({"b": 2})[:-1], 1), (seal_line({"b": 2}), 1)],
)
def test_lines_are_added_after_what_a_kill_left(tmp_path, rest, kept):
    path = tmp_path / "lines.jsonl"
    path.write_text(seal_line({"a": "x" * 9000}) + rest)
    append_lines(path, [{"c": 3}])
    found = read_lines(path.read_bytes(), required=True)
    assert [*found.records[1:]] == [{"b": 2}] * kept + [{"c": 3}]
    assert not found.damaged


@given(OBJECTS)
@settings(max_examples=50, deadline=None)
def test_objects_are_read_as_they_were_written(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("sealed") / "facts.json"
    for text in (written_json(seal(data)), json.dumps(seal(data), indent=7, sort_keys=True)):
        path.write_text(text, encoding="utf-8")
        assert read_sealed(path) == (data, True)
    path.write_text(json.dumps(data), encoding="utf-8")
    assert read_sealed(path) == (data, False)


def test_any_flipped_bit_of_an_object_is_found(tmp_path):
    data = {"run": 2, "workers": 1, "data": "/somewhere"}
    path = tmp_path / "run.json"
    for words, changed in flips(written_json(seal(data)).encode()):
        path.write_bytes(changed)
        try:
            found, is_sealed = read_sealed(path)
        except SpecError as error:
            assert str(error).startswith(f"{path}: the file is damaged, or was edited"), words
            continue
        # the version says that there must be a checksum
        assert found == data or (found["run"] == 2 and not is_sealed), words


def test_what_is_set_aside_overwrites_nothing(tmp_path):
    for content in (b"one", b"two", b"three"):
        path = tmp_path / "run.json"
        path.write_bytes(content)
        set_aside(path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        "run.json.damaged": b"one", "run.json.damaged-2": b"two", "run.json.damaged-3": b"three",
    }  # fmt: skip
