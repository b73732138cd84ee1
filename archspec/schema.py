"""The pieces of a spec's JSON Schema, made from the op classes and the grammar of docs/language.md.

archspec.check applies them one object at a time: quicker than the whole, and an error never blames
the wrong branch. archspec.editor puts the whole schema together from the same pieces.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archspec.grammar import Schema
from archspec.ops import FUNCTIONS, Op
from archspec.ops.base import NUMBER, POSITIVE
from archspec.syntax import JOINS, KINDS, MODIFIERS, NOTHING

VERSION = 1

IDENTIFIER = "[A-Za-z_][A-Za-z0-9_]*"
TEMPLATE_NAME = f"^({IDENTIFIER}\\.)?[A-Z][A-Za-z0-9_]*$"
OP_NAME = "^[a-z][a-z0-9_]*$"
NODE_NAME = f"^{IDENTIFIER}(\\.[A-Za-z0-9_]+)*$"
RESERVED_NAMES = (
    *KINDS, *MODIFIERS, "shortcut", "join", "in_channels", "in_height", "in_width", "index",
    "in", "true", "false", "and", "or", "not", "if", "else",
)  # fmt: skip
"""Words that cannot name an argument: the language uses them itself."""

EXPRESSION: Schema = {
    "type": "string",
    "pattern": "^=",
    "errorMessage": 'A word here is an expression and starts with "=".',
}
FILTERS = ("nearest", "bilinear", "bicubic")
"""Kernels of a resize, as wide as a result's pixel where it shrinks (antialiased), but nearest."""
SHARES = ("superkernel", "paths")
SHARE: Schema = {
    "enum": list(SHARES),
    "description": '"superkernel": a supernet keeps one weight, of which small options are parts',
}
VALUE: Schema = {"$ref": "#/$defs/value"}
CHOICE_VALUE: Schema = {
    "type": "object",
    "required": ["choice"],
    "properties": {
        "choice": {
            "type": "array",
            "minItems": 1,
            "items": VALUE,
            "description": "the options of a decision; the spec is then a search space",
        },
        "name": {
            "type": "string",
            "pattern": f"^{IDENTIFIER}$",
            "description": "choices of one name are one decision",
        },
        "share": SHARE,
        "doc": {"type": "string"},
    },
    "additionalProperties": False,
}

TEXT: Schema = {"type": "string"}
NOTE: Schema = {"type": "string", "description": "a note for readers"}
NODE: Schema = {"$ref": "#/$defs/node"}
NAME: Schema = {
    "type": "string",
    "pattern": NODE_NAME,
    "maxLength": 200,
    "errorMessage": "A name must be letters, digits and _, with dots between its parts.",
}
SPEC_NAME: Schema = {
    "type": "string",
    "pattern": "^[A-Za-z0-9_][A-Za-z0-9_.+-]*$",
    "maxLength": 100,
    "description": "the network's name",
    "errorMessage": "A network's name must be letters, digits, _, ., + and -.",
}
JOIN: Schema = {
    "anyOf": [
        {
            "enum": list(JOINS),
            "enumDescriptions": [
                "the sum of the paths, which have one shape",
                "the paths' channels one after the other: the body's before the shortcut's",
                "the product of the paths, which have one shape",
                "nothing joins: a residual loses its shortcut, branches stay results of their own",
            ],
        },
        EXPRESSION,
    ]
}
ROW: Schema = {"type": "object", "additionalProperties": VALUE}
ARGUMENT_TYPES = ["integer", "number", "string", "boolean", "array", "object", "null"]


def writable(fragment: Schema) -> Schema:
    """A value as a spec may write it: the literal, an expression or a choice, inside lists too."""
    literal = dict(fragment)
    # Literals first: an editor that finds no option right tells what the first one asks for.
    options = literal.get("anyOf", [literal])
    return {"anyOf": [*map(_inner, options), EXPRESSION, CHOICE_VALUE]}


def _inner(fragment: Schema) -> Schema:
    return {**fragment, "items": writable(fragment["items"])} if "items" in fragment else fragment


def described(fragment: Schema, doc: str) -> Schema:
    return {**fragment, "description": doc} if doc else fragment


def closed_object(properties: Mapping[str, Any], required: tuple[str, ...] = ()) -> Schema:
    """An object with these properties and no others."""
    result: dict[str, Any] = {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }
    return {**result, "required": list(required)} if required else result


MODIFIER_PROPERTIES: Schema = {
    "name": described(NAME, "the node's name; ids and weights are paths of names"),
    "doc": NOTE,
    "from": described(
        {
            "anyOf": [
                TEXT,
                {"type": "array", "items": TEXT, "minItems": 1},
                {"type": "object", "additionalProperties": TEXT, "minProperties": 1},
            ]
        },
        'nodes to take as inputs instead of the previous result; "in" is the template\'s own',
    ),
    "when": described(writable({"type": "boolean"}), "false passes the input through"),
    "repeat": described(
        writable({"type": "integer", "minimum": 0}), "copies in sequence, named name1, name2..."
    ),
}

COPY_PROPERTIES: Schema = {
    "each": described(
        {"anyOf": [{"type": "array", "items": ROW}, EXPRESSION]}, "one copy per row of arguments"
    ),
    "first": described(ROW, "arguments of the first copy only"),
    "last": described(ROW, "arguments of the last copy only"),
}

KIND_PROPERTIES: dict[str, Schema] = {
    "body": {"body": described(NODE, "nodes in sequence, to hang modifiers on")},
    "residual": {
        "residual": described(NODE, "the main path"),
        "shortcut": described(NODE, "the other path; without it the input itself"),
        "join": described(
            JOIN, 'how the paths meet; "add" unless said otherwise; "concat": body, then shortcut'
        ),
    },
    "branches": {
        "branches": described(
            {
                "anyOf": [
                    {"type": "array", "items": NODE, "minItems": 1},
                    {
                        "type": "object",
                        "propertyNames": NAME,
                        "additionalProperties": NODE,
                        "minProperties": 1,
                    },
                ]
            },
            "paths side by side from one input",
        ),
        "join": described(JOIN, 'how the branches meet; "concat": in the order they are written'),
    },
    "choice": {
        "choice": described(
            {"type": "array", "items": NODE, "minItems": 1},
            "a decision between whole sub-networks",
        ),
        "share": SHARE,
    },
}


def attribute_properties(op: type[Op]) -> dict[str, Schema]:
    """An op's attributes as a spec may write them."""
    result: dict[str, Schema] = {}
    for item in op.attributes():
        fragment = item.metadata["schema"]
        if op.name == "act" and item.name == "function":
            fragment = {
                "enum": [*fragment["enum"], NOTHING],
                "enumDescriptions": [*FUNCTIONS.values(), "x, which leaves no node"],
            }
        result[item.name] = described(writable(fragment), item.metadata["doc"])
    return result


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
INPUT = described(INPUT, "the image a network takes, and how a photograph becomes one")

ARGUMENT_DECLARATION: Schema = closed_object(
    {
        "type": {
            "anyOf": [
                {"enum": ARGUMENT_TYPES},
                {"type": "array", "items": {"enum": ARGUMENT_TYPES}, "minItems": 1},
            ],
            "description": "the JSON type, or types, a value must have",
        },
        "doc": NOTE,
        "default": described(VALUE, "its value where a call gives none; without it, required"),
        "enum": {"type": "array", "minItems": 1, "description": "the values allowed"},
        "minimum": NUMBER,
        "maximum": NUMBER,
        "exclusiveMinimum": NUMBER,
        "exclusiveMaximum": NUMBER,
        "minItems": {"type": "integer", "minimum": 0},
        "maxItems": {"type": "integer", "minimum": 0},
    }
)

ARGUMENTS: Schema = {
    "type": "object",
    "propertyNames": {
        "pattern": f"^{IDENTIFIER}$",
        "not": {"enum": list(RESERVED_NAMES)},
        "errorMessage": "An argument's name must be letters, digits and _, and no word of the"
        " language such as in, op or name.",
    },
    "additionalProperties": {
        "if": {"type": "object", "not": {"required": ["choice"]}},
        "then": ARGUMENT_DECLARATION,
        "else": VALUE,
    },
    "description": "name: default, or {type, doc, default, minimum...}; no default is required",
}

OUTPUTS: Schema = {
    "type": "object",
    "propertyNames": {"pattern": f"^{IDENTIFIER}$"},
    "additionalProperties": TEXT,
    "minProperties": 1,
    "description": "result: the node that gives it",
}

TEMPLATE: Schema = closed_object(
    {
        "doc": NOTE,
        "args": ARGUMENTS,
        "inputs": {
            "type": "array",
            "items": {"type": "string", "pattern": f"^{IDENTIFIER}$"},
            "minItems": 1,
            "uniqueItems": True,
            "description": "names of the streams it takes; without it one, called in",
        },
        "body": described(NODE, "what a call of it stands for"),
        "outputs": OUTPUTS,
    },
    required=("body",),
)

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
