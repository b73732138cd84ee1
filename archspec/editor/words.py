"""What editors offer and show of ops and templates: words, notes, arguments and snippets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING
from typing import Any, TypeAlias

from archspec import grammar, schema
from archspec.editor.passing import Find, Template, values_of
from archspec.ops import OPS, Op
from archspec.schema import Schema, described, writable
from archspec.syntax import is_declaration

Templates: TypeAlias = "Mapping[str, Mapping[str, Any]]"
"""Templates as their file writes them, by the name that a call has for them."""

CALL_DOC = "an op (lower case) or a template (Capital) to call, or an argument that names one"


def needs_of(templates: Templates) -> dict[str, tuple[str, ...]]:
    """The arguments without a default, of each op and each template."""
    return {
        **{name: _needed_attributes(op) for name, op in OPS.items()},
        **{
            name: tuple(
                argument
                for argument, written in template.get("args", {}).items()
                if is_declaration(written) and "default" not in written
            )
            for name, template in templates.items()
        },
    }


def _needed_attributes(op: type[Op]) -> tuple[str, ...]:
    return tuple(item.name for item in op.attributes() if item.default is MISSING)


def arguments_of(template: Template, find: Find = lambda name: None) -> dict[str, Schema]:
    """A template's arguments as a call may write them; `find` says what names in its body mean."""
    result: dict[str, Schema] = {}
    for name, written in template.get("args", {}).items():
        doc = ""
        asked = values_of(template, name, find)
        if is_declaration(written):
            asked = _PASSED.get(str(written.get("type")), asked)
            doc = written.get("doc", "")
        has_default = not is_declaration(written) or "default" in written
        default = written["default"] if is_declaration(written) and has_default else written
        note = f"default: {default}" if has_default else "required"
        fragment = writable(asked) if asked else schema.VALUE
        result[name] = described(fragment, "; ".join(filter(None, (doc, note))))
    return result


_PASSED: Mapping[str, Schema] = {
    "op": {"type": "string"},
    "template": {"type": "string", "pattern": schema.TEMPLATE_NAME},
}
"""Arguments that are names of what is placed; one that is a node may be any value here."""


def words_of(templates: Templates) -> Schema:
    """What a node can be that is a word alone, templates of which nothing is known left aside."""
    return _enum({**grammar.WORDS, **_docs_of(templates)})


def calls_of(templates: Templates) -> Schema:
    return {
        "anyOf": [
            {"type": "string", **_enum(_docs_of(templates))},
            {"type": "string", "pattern": schema.TEMPLATE_NAME},
            schema.EXPRESSION,
            schema.CHOICE_VALUE,
        ],
        "description": CALL_DOC,
    }


def _docs_of(templates: Templates) -> dict[str, str]:
    return {
        **{name: op.doc for name, op in OPS.items()},
        **{name: template.get("doc", "") for name, template in templates.items()},
    }


def _enum(docs: Mapping[str, str]) -> Schema:
    return {"enum": list(docs), "enumDescriptions": list(docs.values())}


def snippets_of(templates: Templates) -> Schema:
    """Nodes to start from, each with what it needs."""
    needs = needs_of(templates)
    words = words_of(templates)
    snippets: list[Schema] = []
    for name, doc in zip(words["enum"], words["enumDescriptions"], strict=True):
        inputs = OPS[name].inputs[0] if name in OPS else 1
        if not needs.get(name) and inputs <= 1:
            snippets.append({"label": f'"{name}"', "description": doc, "body": name})
            continue
        body: dict[str, Any] = {"op": name}
        if inputs > 1:
            body["from"] = [f"${place}" for place in range(1, inputs + 1)]
        for place, argument in enumerate(needs[name], 1):
            body[argument] = _placeholder(name, argument, place)
        snippets.append({"label": f"{name} ...", "description": doc, "body": body})
    return {"defaultSnippets": [*snippets, *KIND_SNIPPETS]}


def _placeholder(name: str, argument: str, place: int) -> str:
    """What a snippet holds in place of a value: "^" makes it stand there without quotes."""
    fragment: Schema = {}
    if name in OPS:
        fragment = next(f.metadata["schema"] for f in OPS[name].attributes() if f.name == argument)
    if "enum" in fragment:
        return f"${{{place}|{','.join(fragment['enum'])}|}}"
    return f"^${{{place}:{EXAMPLES.get(argument, 1)}}}"


EXAMPLES = {
    "channels": 64,
    "shape": "[64, 1, 1]",
    "kernel": 3,
    "groups": 4,
    "rate": 0.1,
    "parts": 2,
    "width": 64,
}
"""Values that a snippet starts with."""

KIND_SNIPPETS: list[Schema] = [
    {
        "label": "residual ...",
        "description": "a main path and the input itself, added",
        "body": {"residual": ["$1"], "join": "add"},
    },
    {
        "label": "branches ...",
        "description": "paths side by side from one input, and how they meet",
        "body": {"branches": {"left": ["$1"], "right": ["$2"]}, "join": "concat"},
    },
    {
        "label": "body ...",
        "description": "nodes in sequence, to repeat or to give a name",
        "body": {"body": ["$2"], "repeat": "^${1:2}"},
    },
    {
        "label": "choice ...",
        "description": "a decision between whole sub-networks, of a search space",
        "body": {"choice": ["$1", "$2"]},
    },
]
