"""Versions of what trains here."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

from archspec.training.backend import BACKENDS, FIRST

PACKAGES = ("archspec-nn", "numpy", "pillow")
"""Apart from those of the backend."""


def versions(backend: str = FIRST) -> dict[str, str]:
    """Versions by package; "none" where one is not installed."""
    found = {"python": platform.python_version()}
    for package in sorted({*PACKAGES, *BACKENDS[backend].packages}):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "none"
    return found
