"""What a file's tensors and a network's weights differ in, all of it, before anything is loaded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from archspec.compiler.weights.arrays import FLOATS, Entry
from archspec.errors import Problem, SpecError, did_you_mean
from archspec.shapes import Shape, written

MAX_SHOWN = 8
"""Differences of one kind that are told; the others are counted."""
MAX_GUESSES = 200
"""Unexpected names that a missing one is compared with."""


@dataclass(frozen=True)
class Difference:
    """One weight that does not fit: `kind` is a key of KINDS, `said` stands behind its name, and
    `sought` is what the file should call it if it is missing and that is known."""

    kind: str
    name: str
    said: str
    sought: str = ""


KINDS = {
    "missing": "missing from the file",
    "unexpected": "not of this network",
    "shape": "of another shape",
    "type": "not floating point",
}
"""The kinds of differences, in the order they are told, with their words for a count."""


def differences(wanted: Mapping[str, Shape], found: Mapping[str, Entry]) -> list[Difference]:
    """Every difference between the shapes that are wanted and what there is."""
    result = [
        Difference("missing", name, f" {_shown(shape)}", sought=name)
        for name, shape in wanted.items()
        if name not in found
    ]
    result += [
        Difference("unexpected", name, f" {_shown(entry.shape)}")
        for name, entry in found.items()
        if name not in wanted
    ]
    for name, shape in wanted.items():
        entry = found.get(name)
        if entry is None:
            continue
        if entry.shape != shape:
            said = f" is {_shown(entry.shape)} in the file and {_shown(shape)} in the network"
            result.append(Difference("shape", name, said))
        if entry.dtype not in FLOATS:
            result.append(Difference("type", name, f" is {entry.dtype}"))
    return result


def misfit(
    head: str, path: str, found: Sequence[Difference], hints: Sequence[str] = ()
) -> SpecError:
    """The error that tells all of it: the counts behind `head`, then the first of each kind and
    the hints on lines of their own."""
    lines = [*_lines(found), *(f"  {hint}" for hint in hints)]
    return SpecError([Problem(f"{head}: {counted(found)}", path), *map(Problem, lines)])


def counted(found: Sequence[Difference]) -> str:
    """ "2 missing from the file, 1 of another shape"."""
    counts = {kind: sum(d.kind == kind for d in found) for kind in KINDS}
    return ", ".join(f"{count:,} {KINDS[kind]}" for kind, count in counts.items() if count)


def _lines(found: Sequence[Difference]) -> Iterator[str]:
    width = max(map(len, KINDS))
    unexpected = [difference.name for difference in found if difference.kind == "unexpected"]
    for kind in KINDS:
        same = [difference for difference in found if difference.kind == kind]
        for difference in same[:MAX_SHOWN]:
            sought = difference.sought
            guess = did_you_mean(sought, unexpected[:MAX_GUESSES]) if sought else ""
            yield f"  {kind:<{width}}  {difference.name}{difference.said}{guess}"
        if len(same) > MAX_SHOWN:
            yield f"  {kind:<{width}}  ... and {len(same) - MAX_SHOWN:,} more"


def _shown(shape: Shape) -> str:
    return written(shape) if shape else "a single number"
