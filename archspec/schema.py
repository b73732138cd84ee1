"""The pieces of a node's JSON Schema, made from the op classes and the grammar of docs/language.md.

archspec.check applies them one object at a time: quicker than the whole, and an error never blames
the wrong branch. archspec.editor puts the whole schema together from the same pieces.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING
from typing import Any

from archspec.grammar import Schema
from archspec.ops import FUNCTIONS, Op
from archspec.ops.base import NUMBER, as_json, default_of
from archspec.syntax import JOINS, KINDS, MODIFIERS, NOTHING, PASSED_TYPES

IDENTIFIER = "[A-Za-z_][A-Za-z0-9_]*"
TEMPLATE_NAME = f"^({IDENTIFIER}\\.)?[A-Z][A-Za-z0-9_]*$"
OP_NAME = "^[a-z][a-z0-9_]*$"
NODE_NAME = f"^{IDENTIFIER}(\\.[A-Za-z0-9_]+)*$"
RESERVED_NAMES = (
    *KINDS, *MODIFIERS, "shortcut", "join", "in_channels", "in_height", "in_width", "index",
    "lane", "in", "true", "false", "and", "or", "not", "if", "else",
)  # fmt: skip
"""Words that cannot name an argument: the language uses them itself."""

EXPRESSION: Schema = {
    "type": "string",
    "pattern": "^=",
    "errorMessage": 'A word here is an expression and starts with "=".',
}
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
            "anyOf": [{"type": "array", "minItems": 1, "items": VALUE}, EXPRESSION],
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
JOIN: Schema = {
    "anyOf": [
        {
            "enum": list(JOINS),
            "enumDescriptions": [
                "the sum of the paths",
                "the first of two paths less the second: the body less the shortcut",
                "the product of the paths",
                "the first of two paths over the second: the body over the shortcut",
                "the largest of the paths at each place",
                "the smallest of the paths at each place",
                "the paths' channels one after the other: the body's before the shortcut's",
                "nothing joins: a residual loses its shortcut, branches stay results of their own",
            ],
        },
        EXPRESSION,
    ]
}
ROW: Schema = {"type": "object", "additionalProperties": VALUE}
ARGUMENT_TYPES = ["integer", "number", "string", "boolean", "array", "object", "null"]
PASSED_DOC = (
    'the JSON type, or types, a value must have; or "op", "template" or "node" for one to place:'
    ' an op or a template by name as in {"op": "=block"}, a node as in {"body": "=inner"}'
)


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


REPEATS: Schema = {"type": "integer", "minimum": 0}
LANES: Schema = {"type": "integer", "minimum": 1}
LANES_ROWS: Schema = {"type": "array", "items": ROW, "minItems": 1}
PARALLEL_DOC = (
    "copies beside each other, named name1, name2...; the result is the list of theirs, or what"
    " join makes of them"
)
LANES_JOIN = described(JOIN, "how the results of parallel copies meet; without it they are a list")

SOURCE_NAME: Schema = {"anyOf": [TEXT, CHOICE_VALUE]}
"""An earlier node, or one of several."""
SOURCE_NAMES: Schema = {"type": "array", "items": SOURCE_NAME, "minItems": 1}

MODIFIER_PROPERTIES: Schema = {
    "name": described(NAME, "the node's name; ids and weights are paths of names"),
    "doc": NOTE,
    "from": described(
        {
            "anyOf": [
                TEXT,
                SOURCE_NAMES,
                {
                    "type": "object",
                    "additionalProperties": {"anyOf": [TEXT, SOURCE_NAMES, CHOICE_VALUE]},
                    "minProperties": 1,
                },
            ]
        },
        'nodes to take as inputs instead of the previous result; "in" is the template\'s own,'
        ' "levels[0]" the first of a list',
    ),
    "when": described(writable({"type": "boolean"}), "false passes the input through"),
    "repeat": described(writable(REPEATS), "copies in sequence, named name1, name2..."),
    "parallel": described(writable(LANES), PARALLEL_DOC),
}

COPY_PROPERTIES: Schema = {
    "each": described(
        {"anyOf": [{"type": "array", "items": ROW}, EXPRESSION]}, "one copy per row of arguments"
    ),
    "first": described(ROW, "arguments of the first copy only"),
    "last": described(ROW, "arguments of the last copy only"),
    "parallel": described(
        {"anyOf": [LANES, LANES_ROWS, EXPRESSION, CHOICE_VALUE]},
        f"{PARALLEL_DOC}; a number of copies, or a row of arguments for each",
    ),
    "join": LANES_JOIN,
    "weights": described(
        NAME,
        "an earlier op or call whose weights this one uses: they are learned once for both, counted"
        " and saved once; its own name where copies all use the first one's",
    ),
}

KIND_PROPERTIES: dict[str, Schema] = {
    "body": {
        "body": described(NODE, "nodes in sequence, to hang modifiers on"),
        "join": LANES_JOIN,
    },
    "residual": {
        "residual": described(NODE, "the main path"),
        "shortcut": described(NODE, "the other path; without it the input itself"),
        "join": described(
            JOIN, 'how the paths meet; "add" unless said otherwise; "sub": body - shortcut'
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
        "join": LANES_JOIN,
    },
}


def attribute_properties(op: type[Op]) -> dict[str, Schema]:
    """An op's attributes as a spec may write them."""
    result: dict[str, Schema] = {}
    literals = literal_properties(op)
    for item in op.attributes():
        default = default_of(item)
        note = "required" if default is MISSING else f"default: {json.dumps(as_json(default))}"
        fragment = writable(literals[item.name])
        result[item.name] = described(fragment, f"{item.metadata['doc']}; {note}")
    return result


def literal_properties(op: type[Op]) -> dict[str, Schema]:
    """The values that an op's attributes may have, as literals."""
    result: dict[str, Schema] = {item.name: item.metadata["schema"] for item in op.attributes()}
    if op.name == "act":
        result["function"] = {
            "enum": [*result["function"]["enum"], NOTHING],
            "enumDescriptions": [*FUNCTIONS.values(), "x, which leaves no node"],
        }
    return result


ARGUMENT_DECLARATION: Schema = closed_object(
    {
        "type": {
            "anyOf": [
                {"enum": [*ARGUMENT_TYPES, *PASSED_TYPES]},
                {"type": "array", "items": {"enum": ARGUMENT_TYPES}, "minItems": 1},
            ],
            "description": PASSED_DOC,
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

STREAM_NAME = f"^{IDENTIFIER}(\\[\\])?$"
OUTPUTS: Schema = {
    "type": "object",
    "propertyNames": {"pattern": STREAM_NAME},
    "additionalProperties": {"anyOf": [TEXT, {"type": "array", "items": TEXT, "minItems": 1}]},
    "minProperties": 1,
    "description": 'result: the node that gives it; "results[]": a list, or the nodes of one',
}

TEMPLATE: Schema = closed_object(
    {
        "doc": NOTE,
        "args": ARGUMENTS,
        "inputs": {
            "type": "array",
            "items": {"type": "string", "pattern": STREAM_NAME},
            "minItems": 1,
            "uniqueItems": True,
            "description": 'names of the streams it takes, "names[]" of a list of them; without it'
            " one, called in",
        },
        "body": described(NODE, "what a call of it stands for"),
        "outputs": OUTPUTS,
    },
    required=("body",),
)
