"""Specs to start from: a small one with notes, or another spec made whole and ready to change."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from archspec.document import At, parse_document
from archspec.document_schema import VERSION
from archspec.library import Library
from archspec.program import Program, read_program
from archspec.sources import find_reference, shipped_name
from archspec.syntax import is_declaration, is_op
from archspec.writing import written_json

STARTER: dict[str, Any] = {
    "doc": "A small residual network. Every key called doc is a note like this one.",
    "input": {
        "shape": [3, 224, 224],
        "resize": 256,
        "crop": 224,
        "mean": [0.485, 0.456, 0.406],
        "std": [0.229, 0.224, 0.225],
        "interpolation": "bilinear",
    },
    "args": {
        "classes": {
            "type": "integer",
            "default": 10,
            "doc": "archspec stats FILE --set classes=100",
        },
        "depth": {"type": "integer", "default": 2, "doc": "blocks in each stage"},
    },
    "templates": {
        "Stage": {
            "doc": "Capital is a template: its args are what a call gives. Here: depth blocks, of"
            " which the first halves height and width.",
            "args": {"width": {"type": "integer"}, "depth": 2},
            "body": {
                "doc": "repeat makes block1, block2...; first is for the first copy only.",
                "op": "BasicBlock",
                "name": "block",
                "repeat": "=depth",
                "width": "=width",
                "first": {"stride": 2},
            },
        }
    },
    "body": [
        {
            "doc": "A list is a sequence. Nobody writes input channels: shapes are inferred.",
            "op": "ConvNormAct",
            "name": "stem",
            "channels": 32,
            "kernel": 3,
            "stride": 2,
        },
        {
            "doc": "Each row is one copy: stage1, stage2, stage3.",
            "op": "Stage",
            "name": "stage",
            "depth": "=depth",
            "each": [{"width": 64}, {"width": 128}, {"width": 256}],
        },
        {"op": "Classifier", "name": "classifier", "classes": "=classes"},
    ],
}


def starter(name: str, like: str | None = None) -> str:
    """The text of a new spec called `name`: the starter, or that of `like`, as its author laid it
    out where all that it imports is shipped, and else made to stand alone. Raises SpecError."""
    head = {"archspec": VERSION, "name": name}
    if like is None:
        return written_json({**head, **STARTER}) + "\n"
    program = read_program(like)
    return _copy(program, name) or written_json({**head, **_standing_alone(program)}) + "\n"


def _copy(program: Program, name: str) -> str | None:
    """A spec's own text under another name, its imports by their shipped names; None where it
    extends another or imports what is not shipped."""
    document = program.at.document
    if "extends" in document.data:
        return None
    text = document.replace(("name",), name)
    for key, reference in document.data.get("import", {}).items():
        at = At(document, ("import", key))
        shipped = shipped_name(find_reference(reference, at, is_import=True))
        if shipped is None:
            return None
        text = parse_document(text).replace(("import", key), shipped)
    return re.sub(r'\s*"\$schema"\s*:\s*"[^"]*"\s*,', "", text, count=1)


def _standing_alone(program: Program) -> dict[str, Any]:
    base = program.library.document
    own: dict[str, Any] = {"doc": f"Started from {program.name}. {program.doc}".strip()}
    own["input"] = program.input
    arguments = {
        key: _with_default(base.data["args"][key], parameter.default)
        for key, parameter in program.parameters.items()
    }
    if arguments:
        own["args"] = arguments
    names: dict[str, str] = {}
    templates: dict[str, Any] = {}
    _gather(program.library, "", names, templates)
    for key in ("defaults", "body", "outputs"):
        if key in base.data:
            own[key] = base.data[key]
    own["body"] = _rename(own["body"], names)
    if "defaults" in own:
        own["defaults"] = {names.get(key, key): value for key, value in own["defaults"].items()}
    if templates:
        own["templates"] = templates
    if program.expect:
        own["expect"] = program.expect
    order = ("doc", "input", "args", "defaults", "templates", "body", "outputs", "expect")
    return {key: own[key] for key in order if key in own}


def _with_default(written: Any, default: Any) -> Any:
    if default is None:
        return written
    return {**written, "default": default.raw} if is_declaration(written) else default.raw


def _gather(library: Library, namespace: str, names: dict[str, str], into: dict[str, Any]) -> None:
    """Collect a library's templates and those it imports under names that do not clash, and what
    each is called in this library."""
    own: dict[str, str] = {}
    for key, imported in library.imports.items():
        inner: dict[str, str] = {}
        _gather(imported, key, inner, into)
        own.update({f"{key}.{name}": new for name, new in inner.items() if "." not in name})
    written: Mapping[str, Any] = library.document.data.get("templates", {})
    for name in written:
        own[name] = name if name not in into else f"{namespace.capitalize()}{name}"
        into[own[name]] = None
    for name, template in written.items():
        into[own[name]] = {**template, "body": _rename(template["body"], own)}
    names.update(own)


def _rename(node: Any, names: Mapping[str, str]) -> Any:
    """A node with the templates it calls under their new names."""
    if isinstance(node, list):
        return [_rename(child, names) for child in node]
    if isinstance(node, str):
        return node if is_op(node) else names.get(node, node)
    result = dict(node)
    if "op" in node:
        result["op"] = names.get(node["op"], node["op"])
        return result
    for key in ("body", "residual", "shortcut"):
        if key in node:
            result[key] = _rename(node[key], names)
    if "branches" in node:
        branches = node["branches"]
        result["branches"] = (
            {key: _rename(child, names) for key, child in branches.items()}
            if isinstance(branches, Mapping)
            else _rename(branches, names)
        )
    if "choice" in node:
        result["choice"] = _rename(node["choice"], names)
    return result
