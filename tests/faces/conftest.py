"""A browser and a studio for each module of tests that shows its `folder` in them."""

from __future__ import annotations

import pytest
import studios


@pytest.fixture(scope="module")
def browser():
    with studios.browsing() as found:
        yield found


@pytest.fixture(scope="module")
def address(folder):
    with studios.serving(str(folder), folder=folder) as found:
        yield found
