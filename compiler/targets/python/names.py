"""What may stand in a generated file: names that collide with nothing, and text without a way out.

A spec is data from anywhere. Only identifiers checked here, repr() of numbers and strings, and
text that passed through `escape` ever reach the source.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Collection
from itertools import chain, count

_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
LONGEST = 60


def is_safe(name: str) -> bool:
    """Whether a name can stand as it is: an ASCII identifier of no special meaning to Python."""
    return (
        _IDENTIFIER.fullmatch(name) is not None
        and len(name) <= LONGEST
        and not keyword.iskeyword(name)
        and not name.endswith("__")
    )


def identifier(name: str, taken: Collection[str]) -> str:
    """The name itself where it is safe and free, else one like it that is."""
    if is_safe(name) and name not in taken:
        return name
    kept = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")[:LONGEST].strip("_")
    stem = (kept if kept[:1].isalpha() else f"n{kept}")[: LONGEST - 9]
    endings = chain(("", "_"), (f"_{number}" for number in count(2)))
    return next(
        stem + ending for ending in endings if is_safe(stem + ending) and stem + ending not in taken
    )


def camel(*words: str) -> str:
    """conv_norm, act -> ConvNormAct; digits that would run together keep their underscore."""
    result = ""
    for word in words:
        for part in re.findall(r"[A-Za-z0-9]+", word):
            joint = "_" if result[-1:].isdigit() and part[0].isdigit() else ""
            result += joint + part[0].upper() + part[1:]
    return result


def escape(line: str) -> str:
    """A line of a docstring in which nothing is unprintable and nothing ends the string. What is
    unprintable shows as its code: UTF-8 cannot hold all of it."""
    printable = "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in line
    )
    return re.sub(r'"(?="|$)', r'\\"', printable.replace("\\", "\\\\"))
