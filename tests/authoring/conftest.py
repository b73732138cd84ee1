"""Texts with a mark where the cursor is."""

from __future__ import annotations

import pytest

from archspec import authoring
from archspec.authoring import Draft


def at_mark(text: str, project=None, name: str = "net.json") -> tuple[Draft, int]:
    """The draft of a text without its mark "|", and where that stands."""
    offset = text.index("|")
    plain = text[:offset] + text[offset + 1 :]
    return authoring.read_draft(plain, name=name, project=project), offset


@pytest.fixture
def mark():
    return at_mark
