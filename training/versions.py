"""Versions of what trains here."""

from __future__ import annotations

import platform

from archspec.extras import version_of
from archspec.training.backend import BACKENDS, FIRST

PACKAGES = ("archspec-nn", "numpy", "pillow")
"""Apart from those of the backend."""


def versions(backend: str = FIRST) -> dict[str, str]:
    """Versions by package; "none" where one is not installed."""
    packages = sorted({*PACKAGES, *BACKENDS[backend].packages})
    found = {package: version_of(package, "none") for package in packages}
    return {"python": platform.python_version(), **found}
