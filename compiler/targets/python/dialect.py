"""What tells the classes of one framework from those of another."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from archspec.compiler.targets.python.spelling import Spelling
from archspec.node import Layer

COMMON_WORDS = frozenset(
    {"OrderedDict", "self", "super", "range", "float", "int", "tuple", "isinstance", "i", "x"}
)
"""Words that every generated file uses itself."""


@dataclass(frozen=True, eq=False)
class Dialect:
    """A framework's way of writing a network as Python classes.

    `base` is the class of all cells, `method` what runs one, `sequential` the cell that runs others
    in turn, given an OrderedDict. `imports` are all that a file can have, by the name each brings,
    in their order. `words` are names that a file uses itself, `members` the attributes of `base`
    and `sequential` that a child must not hide. `helpers` are files of cells that the
    framework lacks, whose text is copied into the files that need them: each stands on its file's
    imports and on other helpers, and on nothing else. `spell` writes a layer,
    `expand(value, image, rank)` a value of batch 1 as often as the image's batch has samples, both
    of `rank` axes.

    `usage(call)` are the lines of a heading that show how a network is used, and `advice` those
    that end it. `rename` writes the statements that give parameters the spec's names where
    attributes could not have them; None is a framework whose parameters are called as attributes.
    `layout` has its words for the weights of an op, by the op's name, where they are not the op's.
    """

    target: str
    framework: str
    cells: str
    base: str
    method: str
    sequential: str
    imports: Mapping[str, str]
    words: frozenset[str]
    members: frozenset[str]
    helpers: tuple[Path, ...]
    spell: Callable[[Layer], Spelling]
    expand: Callable[[str, str, int], str]
    usage: Callable[[UsageExample], Sequence[str]]
    advice: Sequence[str] = ()
    rename: Callable[[Mapping[str, str]], list[str]] | None = None
    layout: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @cached_property
    def reserved(self) -> frozenset[str]:
        """Words that nothing of a spec may be called by in a file."""
        return COMMON_WORDS | self.words

    @cached_property
    def helper_texts(self) -> Mapping[str, str]:
        """The text of every helper, by its name, in order."""
        texts = [path.read_text(encoding="utf-8") for path in self.helpers]
        return {
            node.name: ast.get_source_segment(text, node) or ""
            for text in texts
            for node in ast.parse(text).body
            if isinstance(node, (ast.ClassDef, ast.FunctionDef))
        }


@dataclass(frozen=True)
class UsageExample:
    """What a heading's example speaks of: the class, the results of a call as an assignment has
    them, the input's shape as in "3, 224, 224", and a file of weights as a literal, or ""."""

    network: str
    results: str
    image: str
    weights: str
