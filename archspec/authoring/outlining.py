"""The outline of a text, and its references to others."""

from __future__ import annotations

from archspec.authoring.draft import Draft
from archspec.authoring.values import Link, Symbol


def outline(draft: Draft) -> tuple[Symbol, ...]:
    return ()


def find_links(draft: Draft) -> tuple[Link, ...]:
    return ()
