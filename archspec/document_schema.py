"""The pieces of a document's JSON Schema: what a spec, an extension and a library say of
themselves, outside of their nodes."""

from __future__ import annotations

from archspec.grammar import Schema
from archspec.ops.base import POSITIVE
from archspec.schema import (
    ARGUMENTS,
    IDENTIFIER,
    NODE,
    NOTE,
    OUTPUTS,
    TEMPLATE,
    TEXT,
    VALUE,
    closed_object,
    described,
)

VERSION = 1

FILTERS = ("nearest", "bilinear", "bicubic")
"""Kernels of a resize, as wide as a result's pixel where it shrinks (antialiased), but nearest."""
SPEC_NAME: Schema = {
    "type": "string",
    "pattern": "^[A-Za-z0-9_][A-Za-z0-9_.+-]*$",
    "maxLength": 100,
    "description": "the network's name",
    "errorMessage": "A network's name must be letters, digits, _, ., + and -.",
}
PIXELS: Schema = {"type": "integer", "minimum": 1, "maximum": 10_000}
"""A side of a photograph; one of 10,000 has 300 MB of channels already."""

INPUT: Schema = closed_object(
    {
        "shape": described(
            {"type": "array", "items": POSITIVE, "minItems": 3, "maxItems": 3},
            "[channels, height, width]",
        ),
        "resize": described(
            {
                "anyOf": [
                    PIXELS,
                    {"type": "array", "items": PIXELS, "minItems": 2, "maxItems": 2},
                ]
            },
            "pixels: the short side, or [height, width]",
        ),
        "crop": described(
            {
                "anyOf": [
                    PIXELS,
                    {"type": "array", "items": PIXELS, "minItems": 2, "maxItems": 2},
                ]
            },
            "pixels cut from the centre: one side, or [height, width]",
        ),
        "mean": described(
            {"type": "array", "items": {"type": "number", "minimum": -1000, "maximum": 1000}},
            "per channel, of pixels scaled to 0..1",
        ),
        "std": described(
            {"type": "array", "items": {"type": "number", "minimum": 1e-6, "maximum": 1000}},
            "per channel, of pixels scaled to 0..1",
        ),
        "interpolation": {
            "enum": [*FILTERS],
            "description": "how pixels are resized",
        },
    },
    required=("shape",),
)
OTHER_INPUT: Schema = described(
    {key: value for key, value in INPUT.items() if key != "required"},
    "what differs from the extended spec's input",
)
INPUT = described(INPUT, "the image a network takes, and how a photograph becomes one")

SOURCE: Schema = closed_object(
    {
        "paper": TEXT,
        "code": TEXT,
        "weights": TEXT,
        "note": TEXT,
        "published": {
            "type": "object",
            "properties": {
                "params": {"type": "number", "minimum": 0},
                "macs": {"type": "number", "minimum": 0},
                "top1": {"type": "number", "minimum": 0, "maximum": 100},
                "top5": {"type": "number", "minimum": 0, "maximum": 100},
                "note": TEXT,
            },
            "additionalProperties": False,
            "description": "figures as published: parameters, MACs, accuracies in percent",
        },
    }
)
SOURCE = described(SOURCE, "where the network comes from")

SHAPE: Schema = {"type": "array", "items": POSITIVE, "minItems": 1, "maxItems": 3}
EXPECT: Schema = closed_object(
    {
        "params": {"type": "integer", "minimum": 0, "description": "trainable weights"},
        "macs": {"type": "integer", "minimum": 0, "description": "multiply-accumulates"},
        "output": {
            "anyOf": [SHAPE, {"type": "object", "additionalProperties": SHAPE}],
            "description": "shape of the result, or of each output by name",
        },
        "source": described(TEXT, "where these figures come from"),
    }
)
EXPECT = described(EXPECT, "what the network must have; another figure is an error")

HEAD: Schema = {
    "$schema": described(TEXT, "the schema an editor reads; archspec schema writes it"),
    "archspec": {"type": "integer", "const": VERSION, "description": "version of the language"},
    "name": SPEC_NAME,
    "doc": NOTE,
}
IMPORT: Schema = {
    "type": "object",
    "propertyNames": {"pattern": f"^{IDENTIFIER}$"},
    "additionalProperties": TEXT,
    "description": "namespace: path of a file with templates, relative to this one",
}
TEMPLATES: Schema = {
    "type": "object",
    "propertyNames": {
        "pattern": "^[A-Z][A-Za-z0-9_]*$",
        "errorMessage": "A template's name must start with a capital and be letters, digits and _.",
    },
    "additionalProperties": TEMPLATE,
    "description": "Name: a body with arguments that nodes can call",
}
DEFAULTS: Schema = {
    "type": "object",
    "additionalProperties": {"type": "object", "additionalProperties": VALUE},
    "description": "op or Template: arguments that every call of it starts from",
}

SPEC_PROPERTIES: Schema = {
    **HEAD,
    "source": SOURCE,
    "input": INPUT,
    "import": IMPORT,
    "args": ARGUMENTS,
    "defaults": DEFAULTS,
    "templates": TEMPLATES,
    "body": described(NODE, "the network, from its input on"),
    "outputs": OUTPUTS,
    "expect": EXPECT,
}
EXTENDS_PROPERTIES: Schema = {
    **HEAD,
    "extends": described(TEXT, "the spec whose args this one changes: a path or a shipped name"),
    "source": SOURCE,
    "input": OTHER_INPUT,
    "args": {
        "type": "object",
        "additionalProperties": VALUE,
        "description": "args of the extended spec: their new values",
    },
    "expect": EXPECT,
}
LIBRARY_PROPERTIES: Schema = {**HEAD, "import": IMPORT, "templates": TEMPLATES}

DOCUMENTS: dict[str, Schema] = {
    "spec": closed_object(SPEC_PROPERTIES, ("archspec", "name", "input", "body")),
    "extension": closed_object(EXTENDS_PROPERTIES, ("archspec", "extends", "name")),
    "library": closed_object(LIBRARY_PROPERTIES, ("archspec", "templates")),
}
