"""What can be asked of the process that expands specs, in words that both of its sides know."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

Question: TypeAlias = Mapping[str, Any]
Part: TypeAlias = Mapping[str, Any]
Pause: TypeAlias = Callable[[], None]
"""Called between parts of an answer; raises Dropped where the rest is not wanted any more."""
Answer: TypeAlias = Callable[[Question, Pause], Iterator[Part]]

LOOK, IMPORT = "look", "import"
QUICK = (
    "complete", "hover", "define", "locate", "hints", "outline", "rename", "command", "card",
    "compare", "run", "trial",
)  # fmt: skip
SLOW = (LOOK, "cards", "range", "write", IMPORT)
"""Kinds that wait while others are answered."""
ANSWERED = tuple(kind for kind in (*QUICK, *SLOW) if kind != IMPORT)
"""Kinds that the page asks itself; an import has an address of its own, with the file."""
ASIDE = ("cards", "card", "compare", "run", "trial", "range", "write", IMPORT)
"""Kinds that take long: another process answers them, so that no look waits for them."""
