"""ONNX files as specs: read `importing.py` first.

reading     the file as its message, within bounds
settling    shapes known, constants computed: a Net of Operators
patterns, functions   several operators known as one
views, laying         reshapes and transposes kept aside, and written out where they matter
operators/  one function per operator, which writes drafts of our nodes
tidying     drafts put together again; naming, proof
"""

from __future__ import annotations

from archspec.errors import LackingError
from archspec.extras import lacking

try:
    import onnx as _onnx  # noqa: F401  (only whether it is there)
except ImportError as error:
    raise LackingError(lacking("archspec import onnx", "onnx", error)) from error

from archspec.compiler.importing.onnx.importing import Found, import_onnx, name_for

__all__ = ["Found", "import_onnx", "name_for"]
