"""The JSON Schema of a spec, made from the op classes and from the grammar of docs/language.md.

`document_schema` is the whole, for editors; it is committed as schema.json and a test fails when it
drifts. `SHALLOW` holds the same pieces without the nested nodes, which archspec.check applies one
object at a time: quicker than the whole, and an error never blames the wrong branch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from archspec.ops import FUNCTIONS, OPS, Op
from archspec.ops.base import NUMBER, POSITIVE
from archspec.syntax import JOINS, KINDS, MODIFIERS, NOTHING

Schema: TypeAlias = "Mapping[str, Any]"

DIALECT = "https://json-schema.org/draft/2020-12/schema"
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

EXPRESSION: Schema = {"type": "string", "pattern": "^="}
SHARES = ("superkernel", "slice", "paths")
VALUE: Schema = {"$ref": "#/$defs/value"}
CHOICE_VALUE: Schema = {
    "type": "object",
    "required": ["choice"],
    "properties": {
        "choice": {"type": "array", "minItems": 1, "items": VALUE},
        "name": {"type": "string", "pattern": f"^{IDENTIFIER}$"},
        "share": {"enum": list(SHARES)},
        "doc": {"type": "string"},
    },
    "additionalProperties": False,
}

TEXT: Schema = {"type": "string"}
NODE: Schema = {"$ref": "#/$defs/node"}
NAME: Schema = {"type": "string", "pattern": NODE_NAME, "maxLength": 200}
SPEC_NAME: Schema = {
    "type": "string",
    "pattern": "^[A-Za-z0-9_][A-Za-z0-9_.+-]*$",
    "maxLength": 100,
}
JOIN: Schema = {"anyOf": [EXPRESSION, {"enum": list(JOINS)}]}
ROW: Schema = {"type": "object", "additionalProperties": VALUE}
ARGUMENT_TYPES = ["integer", "number", "string", "boolean", "array", "object", "null"]


def writable(fragment: Schema) -> Schema:
    """A value as a spec may write it: the literal, an expression or a choice, inside lists too."""
    literal = dict(fragment)
    if "anyOf" in literal:
        return {"anyOf": [EXPRESSION, CHOICE_VALUE, *map(_inner, literal["anyOf"])]}
    return {"anyOf": [EXPRESSION, CHOICE_VALUE, _inner(literal)]}


def _inner(fragment: Schema) -> Schema:
    return {**fragment, "items": writable(fragment["items"])} if "items" in fragment else fragment


def described(fragment: Schema, doc: str) -> Schema:
    return {**fragment, "description": doc} if doc else fragment


def closed(properties: Mapping[str, Any], required: tuple[str, ...] = ()) -> Schema:
    """An object with these properties and no others."""
    result: dict[str, Any] = {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }
    return {**result, "required": list(required)} if required else result


MODIFIER_PROPERTIES: Schema = {
    "name": described(NAME, "the node's name; ids and weights are paths of names"),
    "doc": described(TEXT, "a note for readers"),
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
    "when": described(
        {"anyOf": [EXPRESSION, CHOICE_VALUE, {"type": "boolean"}]}, "false passes the input through"
    ),
    "repeat": described(
        writable({"type": "integer", "minimum": 0}), "copies in sequence, named name1, name2..."
    ),
}

COPY_PROPERTIES: Schema = {
    "each": described(
        {"anyOf": [EXPRESSION, {"type": "array", "items": ROW}]}, "one copy per row of arguments"
    ),
    "first": described(ROW, "arguments of the first copy only"),
    "last": described(ROW, "arguments of the last copy only"),
}

KIND_PROPERTIES: dict[str, Schema] = {
    "body": {"body": described(NODE, "nodes in sequence, to hang modifiers on")},
    "residual": {
        "residual": described(NODE, "the main path"),
        "shortcut": described(NODE, "the other path; without it the input itself"),
        "join": described(JOIN, 'how the paths meet; "add" unless said otherwise'),
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
        "join": described(JOIN, "how the branches meet"),
    },
    "choice": {
        "choice": described(
            {"type": "array", "items": NODE, "minItems": 1},
            "a decision between whole sub-networks",
        ),
        "share": {"enum": list(SHARES)},
    },
}


def attribute_properties(op: type[Op]) -> dict[str, Schema]:
    """An op's attributes as a spec may write them."""
    result: dict[str, Schema] = {}
    for item in op.attributes():
        fragment = item.metadata["schema"]
        if op.name == "act" and item.name == "function":
            fragment = {"enum": [*fragment["enum"], NOTHING]}
        result[item.name] = described(writable(fragment), item.metadata["doc"])
    return result


INPUT: Schema = closed(
    {
        "shape": described(
            {"type": "array", "items": POSITIVE, "minItems": 3, "maxItems": 3},
            "[channels, height, width]",
        ),
        "resize": described(
            {
                "anyOf": [
                    POSITIVE,
                    {"type": "array", "items": POSITIVE, "minItems": 2, "maxItems": 2},
                ]
            },
            "pixels: the short side, or [height, width]",
        ),
        "crop": described(
            {
                "anyOf": [
                    POSITIVE,
                    {"type": "array", "items": POSITIVE, "minItems": 2, "maxItems": 2},
                ]
            },
            "pixels cut from the centre: one side, or [height, width]",
        ),
        "mean": described(
            {"type": "array", "items": NUMBER}, "per channel, of pixels scaled to 0..1"
        ),
        "std": described(
            {"type": "array", "items": {"type": "number", "exclusiveMinimum": 0}},
            "per channel, of pixels scaled to 0..1",
        ),
        "interpolation": {"enum": ["nearest", "bilinear", "bicubic"]},
    },
    required=("shape",),
)

ARGUMENT_DECLARATION: Schema = closed(
    {
        "type": {
            "anyOf": [
                {"enum": ARGUMENT_TYPES},
                {"type": "array", "items": {"enum": ARGUMENT_TYPES}, "minItems": 1},
            ]
        },
        "doc": TEXT,
        "default": VALUE,
        "enum": {"type": "array", "minItems": 1},
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
    "propertyNames": {"pattern": f"^{IDENTIFIER}$", "not": {"enum": list(RESERVED_NAMES)}},
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

TEMPLATE: Schema = closed(
    {
        "doc": TEXT,
        "args": ARGUMENTS,
        "inputs": {
            "type": "array",
            "items": {"type": "string", "pattern": f"^{IDENTIFIER}$"},
            "minItems": 1,
            "uniqueItems": True,
            "description": "names of the streams it takes; without it one, called in",
        },
        "body": NODE,
        "outputs": OUTPUTS,
    },
    required=("body",),
)

SOURCE: Schema = closed(
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

SHAPE: Schema = {"type": "array", "items": POSITIVE, "minItems": 1, "maxItems": 3}
EXPECT: Schema = closed(
    {
        "params": {"type": "integer", "minimum": 0},
        "macs": {"type": "integer", "minimum": 0},
        "output": {"anyOf": [SHAPE, {"type": "object", "additionalProperties": SHAPE}]},
        "source": TEXT,
    }
)

HEAD: Schema = {
    "$schema": TEXT,
    "archspec": {"type": "integer", "const": VERSION, "description": "version of the language"},
    "name": SPEC_NAME,
    "doc": TEXT,
}
IMPORT: Schema = {
    "type": "object",
    "propertyNames": {"pattern": f"^{IDENTIFIER}$"},
    "additionalProperties": TEXT,
    "description": "namespace: path of a file with templates, relative to this one",
}
TEMPLATES: Schema = {
    "type": "object",
    "propertyNames": {"pattern": "^[A-Z][A-Za-z0-9_]*$"},
    "additionalProperties": TEMPLATE,
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
    "body": NODE,
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
    "spec": closed(SPEC_PROPERTIES, ("archspec", "name", "input", "body")),
    "extension": closed(EXTENDS_PROPERTIES, ("archspec", "extends", "name")),
    "library": closed(LIBRARY_PROPERTIES, ("archspec", "templates")),
}


def document_schema(templates: Mapping[str, Mapping[str, Schema]] | None = None) -> dict[str, Any]:
    """The whole schema. `templates` (name -> argument -> fragment) adds those templates' arguments,
    so that an editor completes them too."""
    templates = templates or {}
    words = (NOTHING, *OPS, *FUNCTIONS, *templates)
    op_calls = {f"op_{name}": {"properties": attribute_properties(op)} for name, op in OPS.items()}
    template_calls = {
        f"template_{name.replace('.', '_')}": {"properties": arguments}
        for name, arguments in templates.items()
    }
    return {
        "$schema": DIALECT,
        "$id": "https://archspec.invalid/schema.json",
        "title": "archspec network specification",
        "type": "object",
        "if": {"required": ["extends"]},
        "then": DOCUMENTS["extension"],
        "else": {
            "if": {"required": ["body"]},
            "then": DOCUMENTS["spec"],
            "else": DOCUMENTS["library"],
        },
        "$defs": {
            **op_calls,
            **template_calls,
            "value": {
                "items": VALUE,
                "if": {"type": "object", "required": ["choice"]},
                "then": CHOICE_VALUE,
                "else": {"additionalProperties": VALUE},
            },
            "node": {
                "type": ["array", "object", "string"],
                "items": NODE,
                "if": {"type": "object"},
                "then": _node_object(templates),
                "else": {"if": {"type": "string"}, "then": _word(words)},
            },
        },
    }


def _word(words: Iterable[str]) -> Schema:
    """One of the words, or any template's name."""
    return {"type": "string", "anyOf": [{"enum": [*words]}, {"pattern": TEMPLATE_NAME}]}


def _node_object(templates: Mapping[str, Any]) -> Schema:
    by_op: list[Schema] = [
        {
            "if": {"properties": {"op": {"const": name}}},
            "then": {"$ref": f"#/$defs/{kind}_{name.replace('.', '_')}"},
        }
        for kind, names in (("op", OPS), ("template", templates))
        for name in names
    ]
    unknown_template = {
        "if": {
            "properties": {"op": {"pattern": TEMPLATE_NAME, "not": {"enum": list(templates)}}},
            "not": {"properties": {"op": {"enum": list(OPS)}}},
        },
        "then": {"additionalProperties": VALUE},
    }
    call: Schema = {
        "properties": {"op": _word((*OPS, *templates)), **COPY_PROPERTIES},
        "allOf": [*by_op, unknown_template],
    }
    kinds: Mapping[str, Schema] = {
        "op": call,
        **{kind: {"properties": properties} for kind, properties in KIND_PROPERTIES.items()},
    }
    return {
        "properties": MODIFIER_PROPERTIES,
        "oneOf": [{"required": [kind]} for kind in KINDS],
        "dependentSchemas": {
            **kinds,
            "each": {"not": {"required": ["repeat"]}},
            "first": {"anyOf": [{"required": ["repeat"]}, {"required": ["each"]}]},
            "last": {"anyOf": [{"required": ["repeat"]}, {"required": ["each"]}]},
        },
        "dependentRequired": {"branches": ["join"]},
        "unevaluatedProperties": False,
    }
