"""The rules of the grammar that check and editors hold a text to, each once."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import Any, NamedTuple, TypeAlias

from archspec.errors import listed
from archspec.ops import FUNCTIONS, OPS
from archspec.syntax import COPYING, JOINS, KINDS, MODIFIERS, NOTHING

Schema: TypeAlias = "Mapping[str, Any]"


class Apart(NamedTuple):
    """Keys of which a node has at most one; that of two the first is wrong is what is told."""

    keys: tuple[str, str]
    sentence: str

    def broken_by(self, node: Mapping[str, Any]) -> list[str]:
        """The keys of a node that break the rule."""
        return [self.keys[0]] if all(key in node for key in self.keys) else []

    def admits(self, key: str, others: Container[str]) -> bool:
        """Whether a key may be written beside these others."""
        return key not in self.keys or not any(o in others for o in self.keys if o != key)

    def as_schema(self) -> Schema:
        """The rule for an editor."""
        return {"not": {"required": [*self.keys]}, "errorMessage": sentence_case(self.sentence)}


class Beside(NamedTuple):
    """Keys that mean something only where one of `beside` is written, too."""

    keys: tuple[str, ...]
    sentence: str
    beside: tuple[str, ...]

    def broken_by(self, node: Mapping[str, Any]) -> list[str]:
        """The keys of a node that break the rule."""
        return [key for key in self.keys if key in node and not self.admits(key, node)]

    def admits(self, key: str, others: Container[str]) -> bool:
        """Whether a key may be written beside these others."""
        return key not in self.keys or any(other in others for other in self.beside)

    def as_schema(self) -> Schema:
        """The rule for an editor."""
        refusal = {"not": {}, "errorMessage": sentence_case(self.sentence)}
        told = {"if": {"not": has_any(self.beside)}, "then": refusal}
        return {"if": has_any(self.keys), "then": told}


COPY_RULES: tuple[Apart | Beside, ...] = (
    Apart(("each", "repeat"), "a node must have repeat or each, not both"),
    *(
        Apart(
            ("parallel", other),
            f"a node must have parallel or {other}, not both; use a body within a body",
        )
        for other in ("repeat", "each")
    ),
    Beside(
        ("first", "last"),
        "first and last must stand beside a repeat, an each or a parallel",
        beside=COPYING,
    ),
    Beside(
        ("join",),
        "join must stand beside a parallel, a residual or branches",
        beside=("parallel", "residual", "branches"),
    ),
)
"""Of every node."""
KIND_RULES = {
    "branches": Beside(
        ("branches",), f"branches need a join; use {listed(JOINS)}", beside=("join",)
    )
}
"""Of a node of one kind, whose keys an editor tells apart by itself."""
ONE_KIND = f"a node must have one of the keys {', '.join(KINDS[:-1])} and {KINDS[-1]}"
NODE_FORMS = "a node must be an object, a list of nodes or a word"
WORDS: Mapping[str, str] = {
    NOTHING: "the input as it is",
    **FUNCTIONS,
    **{name: op.doc for name, op in OPS.items()},
}
"""What a node can be that is a word alone, with what it means; templates are others."""
DOCUMENT_KEYS = {"extension": "extends", "spec": "body", "library": "templates"}
"""The kinds of documents and the key that tells each; the first that is there counts."""
ONE_DOCUMENT = "a spec must have a body, or extends, or templates"


def has_any(keys: Iterable[str]) -> Schema:
    """An object with one of these keys at least."""
    return {"anyOf": [{"required": [key]} for key in keys]}


def sentence_case(sentence: str) -> str:
    """A sentence as editors show it; a key that it begins with stays as it is."""
    is_key = sentence.partition(" ")[0] in MODIFIERS
    return f"{sentence if is_key else sentence[0].upper() + sentence[1:]}."
