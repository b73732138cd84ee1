"""What is installed beside the language for what needs more, and how: one table, one sentence."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from archspec.errors import LackingError
from archspec.processes import HOME

PACKAGE = "archspec-nn"


class Package(NamedTuple):
    """What a package is called in a sentence, and the extra of pyproject.toml that brings it."""

    title: str
    extra: str


PACKAGES: Mapping[str, Package] = {
    "numpy": Package("numpy", "onnx"),
    "onnx": Package("onnx", "onnx"),
    "onnxruntime": Package("onnxruntime", "onnx"),
    "mindspore": Package("MindSpore", "mindspore"),
    "torch": Package("PyTorch", "torch"),
    "optuna": Package("Optuna", "search"),
    "scipy": Package("scipy", "calibrate"),
    "pygls": Package("pygls", "lsp"),
    "mcp": Package("mcp", "mcp"),
    "shtab": Package("shtab", "completion"),
    "starlette": Package("Starlette", "studio"),
    "uvicorn": Package("uvicorn", "studio"),
}
"""Packages that some part of archspec needs, by the names they are imported by."""


def lacking(who: str, package: str, error: ImportError | None = None, extra: str = "") -> str:
    """The sentence for what cannot be done without a package. `extra` brings it together with what
    else is needed then, where that is not its own."""
    title, own = PACKAGES[package]
    why = "" if error is None else f" ({error})"
    return f"{who} needs {title}, which is not installed{why}; run {install_hint(extra or own)}"


def need(who: str, package: str, extra: str = "") -> None:
    """Raises LackingError where a package is not installed, without importing it."""
    if find_spec(package) is None:
        raise LackingError(lacking(who, package, extra=extra))


def install_hint(*extras: str) -> str:
    """The command that installs extras of pyproject.toml: from the checkout that runs, or, where
    archspec came as a wheel, the packages themselves. No index has archspec yet."""
    names = ",".join(extras)
    if (Path(HOME) / "pyproject.toml").is_file():
        return f"pip install -e {shlex.quote(f'{HOME}[{names}]')}"
    packages = dict.fromkeys(package for extra in extras for package in packages_of(extra))
    return f"pip install {' '.join(map(shlex.quote, packages))}"


def is_there(extra: str) -> bool:
    """Whether all of an extra can be imported, as far as that is known without trying."""
    return not any(
        why_missing(name) for name, package in PACKAGES.items() if package.extra == extra
    )


def why_missing(package: str) -> str:
    """Why a package cannot be imported, or "". It is not tried: a framework takes seconds."""
    if package in sys.modules:
        return "" if sys.modules[package] is not None else "it is blocked"
    try:
        return "" if find_spec(package) else "it is not installed"
    except (ImportError, ValueError) as error:
        return str(error)


def version_of(package: str, missing: str = "") -> str:
    """The release of an installed package, or what stands for one that is not. Archspec's own is
    that of the code that runs: a checkout's, though another release or none may be installed."""
    try:
        return (package == PACKAGE and _checkout_version()) or version(package)
    except PackageNotFoundError:
        return missing


def _checkout_version() -> str:
    """What pyproject.toml says of the folder that archspec runs from; nothing for a wheel."""
    try:
        text = Path(HOME, "pyproject.toml").read_text(encoding="utf-8")
    except OSError:
        return ""
    found = re.search(rf'^name = "{PACKAGE}"\nversion = "([^"\n]+)"$', text, re.MULTILINE)
    return found[1] if found else ""


def packages_of(extra: str) -> list[str]:
    """What an extra asks for of this Python, as pip takes it."""
    try:
        listed = requires(PACKAGE) or []
    except PackageNotFoundError:
        return []
    wanted = re.compile(rf"extra\s*==\s*['\"]{re.escape(extra)}['\"]")
    entries = [entry for entry in listed if wanted.search(entry) and _is_for_this_python(entry)]
    return [entry.partition(";")[0].strip() for entry in entries]


def _is_for_this_python(entry: str) -> bool:
    """Whether the one kind of marker that pyproject.toml has beside an extra's is met."""
    bound = re.search(r"python_version\s*(<|>=)\s*['\"](\d+)\.(\d+)['\"]", entry)
    if bound is None:
        return True
    is_before = sys.version_info[:2] < (int(bound[2]), int(bound[3]))
    return is_before if bound[1] == "<" else not is_before
