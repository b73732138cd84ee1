"""Help for editors: the whole JSON Schema, with words to complete and to show.

It is written for the engines authors use. That of VS Code and Monaco judges `unevaluatedProperties`
before `dependentSchemas` (so does ajv), and of options that are equally wrong it tells what the
first asks for: each kind of node is a closed object behind its own `if`, names stand before
patterns. `errorMessage`, `enumDescriptions`, `defaultSnippets` and `doNotSuggest` are keywords of
that engine alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING
from typing import Any, TypeAlias

from archspec import schema
from archspec.errors import SpecError
from archspec.library import read_library, read_spec, standard_library
from archspec.ops import OPS, Op
from archspec.schema import Schema, closed, described, has_any, sentence_case, writable
from archspec.syntax import KINDS

DIALECT = "https://json-schema.org/draft/2020-12/schema"

Templates: TypeAlias = "Mapping[str, Mapping[str, Any]]"
"""Templates as their file writes them, by the name that a call has for them."""

CALL_DOC = "an op (lower case) or a template (Capital) to call"
ONE_KIND = sentence_case(schema.ONE_KIND)
OTHER_KIND: Schema = {"not": {}, "errorMessage": ONE_KIND, "doNotSuggest": True}
NO_KIND: Schema = {
    "properties": {
        "op": {"description": CALL_DOC},
        **{
            key: {"description": fragment["description"]}
            for own in (*schema.KIND_PROPERTIES.values(), schema.MODIFIER_PROPERTIES)
            for key, fragment in own.items()
        },
    },
    "not": {},
    "errorMessage": ONE_KIND,
}
GIVES_COPIES: Schema = has_any(("each", "first", "last"))


def schema_for(name: str) -> dict[str, Any]:
    """The schema with every template that the spec can call. Raises SpecError."""
    library = read_library(read_spec(name))
    templates: dict[str, Mapping[str, Any]] = {}
    for template in dict.fromkeys(library.names()):
        definition = library.find(template)
        if definition is None:
            raise SpecError(library.unknown(template))
        own = definition.library.document.data["templates"]
        templates[template] = own[template.rpartition(".")[2]]
    return document_schema(templates)


def document_schema(templates: Templates | None = None) -> dict[str, Any]:
    """The whole schema. It knows the standard templates, or those given: all that one file calls.

    What a call must give is not asked for in a spec whose `defaults` may give it; and where a file
    has templates with names of standard ones, those are not looked into.
    """
    standard = standard_library().document.data["templates"]
    known = standard if templates is None else templates
    shared = _shared(known)
    definitions = {
        **{f"op_{name}": _closed_call(schema.attribute_properties(op)) for name, op in OPS.items()},
        **{
            definition: _closed_call(_arguments(known[name]))
            for name, definition in _definitions(known).items()
        },
        **_nodes("", known, _needs(known)),
        **_nodes("given_", known, {}),
    }
    spec: Schema = _choice(_defaults_give(_needs(known)), _spec("given_"), _spec(""))
    library = _library("")
    if templates is None:
        hides = _has("templates", has_any(standard))
        definitions |= _nodes("own_", {}, {})
        shared |= {"own_words": _words({}), "own_calls": _calls({}), "own_snippets": _snippets({})}
        spec = _choice(hides, _spec("own_"), spec)
        library = _choice(hides, _library("own_"), library)
    return {
        "$schema": DIALECT,
        "$id": "https://archspec.invalid/schema.json",
        "title": "archspec network specification",
        "type": "object",
        "errorMessage": "A spec must be an object.",
        **_refer(_document(spec, library), shared),
        "$defs": {
            **{name: _refer_inside(fragment, shared) for name, fragment in shared.items()},
            "value": {
                "items": schema.VALUE,
                **_choice(
                    {"type": "object", "required": ["choice"]},
                    _refer(schema.CHOICE_VALUE, shared),
                    {"additionalProperties": schema.VALUE},
                ),
            },
            **_refer_inside(definitions, shared),
        },
    }


def written_schema(whole: Mapping[str, Any]) -> str:
    """A schema's text, a definition a line: no one reads it, but differences of it are read."""
    keys = [f"{_line(key)}: {_line(value)}" for key, value in whole.items() if key != "$defs"]
    definitions = [f"  {_line(key)}: {_line(value)}" for key, value in whole["$defs"].items()]
    inner = ",\n".join(definitions)
    return "{\n " + ",\n ".join([*keys, f'"$defs": {{\n{inner}\n }}']) + "\n}\n"


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _document(spec: Schema, library: Schema) -> Schema:
    """What a file is: an extension, a spec (perhaps without its body yet), or a library."""
    hints = {
        name: {"description": fragment["description"]}
        for name, fragment in {**schema.SPEC_PROPERTIES, **schema.EXTENDS_PROPERTIES}.items()
    }
    unfinished = {
        "anyOf": [{"required": [key]} for key in ("input", "outputs", "expect", "defaults")],
        "properties": hints,
    }
    nothing = _refused(sentence_case(schema.ONE_DOCUMENT))
    return _choice(
        {"required": ["extends"]},
        schema.DOCUMENTS["extension"],
        _choice(
            {"required": ["body"]},
            spec,
            _choice(
                unfinished,
                spec,
                _choice({"required": ["templates"]}, library, {"properties": hints, **nothing}),
            ),
        ),
    )


def _spec(family: str) -> Schema:
    return _within(family, schema.DOCUMENTS["spec"])


def _library(family: str) -> Schema:
    return _within(family, schema.DOCUMENTS["library"])


def _within(family: str, fragment: Any) -> Any:
    """The fragment with the nodes of a family in it."""
    if isinstance(fragment, Mapping) and fragment.get("$ref") == schema.NODE["$ref"]:
        return {**fragment, "$ref": f"#/$defs/{family}node"}
    if isinstance(fragment, Mapping):
        return {key: _within(family, value) for key, value in fragment.items()}
    return [_within(family, item) for item in fragment] if isinstance(fragment, list) else fragment


def _nodes(
    family: str, templates: Templates, needs: Mapping[str, tuple[str, ...]]
) -> dict[str, Any]:
    """Definitions of nodes that know these templates; `needs` are the arguments asked for."""
    properties = _within(family, schema.KIND_PROPERTIES)
    kinds = {kind: _closed_node(kind, own) for kind, own in properties.items()}
    node_object: Schema = NO_KIND
    for kind in reversed(KINDS):
        of_kind = kinds[kind] if kind != "op" else {"$ref": f"#/$defs/{family}call"}
        node_object = _choice({"required": [kind]}, of_kind, node_object)
    return {
        f"{family}node": {
            "type": ["array", "object", "string"],
            "errorMessage": sentence_case(schema.NODE_FORMS),
            "items": {"$ref": f"#/$defs/{family}node"},
            "allOf": [_snippets(templates)],
            **_choice(
                {"type": "object"},
                {"$ref": f"#/$defs/{family}node_object"},
                _choice({"type": "string"}, _word(templates, needs)),
            ),
        },
        f"{family}node_object": {
            **node_object,
            "allOf": [rule.as_schema() for rule in schema.COPY_RULES],
        },
        f"{family}call": _call(templates, needs),
    }


def _call(templates: Templates, needs: Mapping[str, tuple[str, ...]]) -> Schema:
    """A node with an op: one `if` for each that is known."""
    known = {**{name: f"op_{name}" for name in OPS}, **_definitions(templates)}
    by_name: list[Schema] = []
    for name, definition in known.items():
        then: dict[str, Any] = {"$ref": f"#/$defs/{definition}"}
        if needs.get(name):
            then |= {"if": {"not": GIVES_COPIES}, "then": {"required": list(needs[name])}}
        by_name.append({"if": {"properties": {"op": {"const": name}}}, "then": then})
    unknown = {**_closed_call({}), "additionalProperties": schema.VALUE}
    return {
        "properties": {"op": _calls(templates)},
        "allOf": [
            *by_name,
            {"if": {"properties": {"op": {"enum": list(known)}}}, "else": unknown},
        ],
    }


def _definitions(templates: Templates) -> dict[str, str]:
    """What the definition of each template is called: no dots, and no name twice."""
    result: dict[str, str] = {}
    for name in templates:
        definition = f"template_{name.replace('.', '_')}"
        while definition in result.values():
            definition += "_"
        result[name] = definition
    return result


def _closed_call(arguments: Mapping[str, Schema]) -> Schema:
    return _closed_node("op", {**arguments, **schema.COPY_PROPERTIES})


def _closed_node(kind: str, properties: Mapping[str, Schema]) -> Schema:
    """A node of one kind: its own properties and the modifiers, and no other kind's key."""
    others = {other: OTHER_KIND for other in KINDS if other != kind}
    own: dict[str, Any] = {**properties, **schema.MODIFIER_PROPERTIES, **others}
    if kind == "op":
        own["op"] = True
    rule = schema.KIND_RULES.get(kind)
    return closed(own, () if rule is None else rule.beside)


def _word(templates: Templates, needs: Mapping[str, tuple[str, ...]]) -> Schema:
    """A node that is a word alone."""
    word = {"anyOf": [_words(templates), {"pattern": schema.TEMPLATE_NAME}]}
    if not any(needs.values()):
        return word
    return {
        **word,
        "not": {"enum": [name for name in needs if needs[name]]},
        "errorMessage": "This must be an object with the arguments it needs:"
        ' {"op": name, argument: value}.',
    }


def _words(templates: Templates) -> Schema:
    """What a node can be that is a word alone, templates of which nothing is known left aside."""
    return _enum({**schema.WORDS, **_docs(templates)})


def _calls(templates: Templates) -> Schema:
    return {
        "type": "string",
        "anyOf": [_enum(_docs(templates)), {"pattern": schema.TEMPLATE_NAME}],
        "description": CALL_DOC,
    }


def _docs(templates: Templates) -> dict[str, str]:
    return {
        **{name: op.doc for name, op in OPS.items()},
        **{name: template.get("doc", "") for name, template in templates.items()},
    }


def _enum(docs: Mapping[str, str]) -> Schema:
    return {"enum": list(docs), "enumDescriptions": list(docs.values())}


def _arguments(template: Mapping[str, Any]) -> dict[str, Schema]:
    """A template's arguments as a call may write them."""
    result: dict[str, Schema] = {}
    for name, written in template.get("args", {}).items():
        doc = ""
        asked: dict[str, Any] = {}
        if _is_declaration(written):
            asked = {key: item for key, item in written.items() if key not in ("doc", "default")}
            doc = written.get("doc", "")
        has_default = not _is_declaration(written) or "default" in written
        default = written["default"] if _is_declaration(written) and has_default else written
        note = f"default: {default}" if has_default else "required"
        fragment = writable(asked) if asked else schema.VALUE
        result[name] = described(fragment, "; ".join(filter(None, (doc, note))))
    return result


def _is_declaration(written: Any) -> bool:
    return isinstance(written, Mapping) and "choice" not in written


def _needs(templates: Templates) -> dict[str, tuple[str, ...]]:
    """The arguments without a default, of each op and each template."""
    return {
        **{name: _needed_attributes(op) for name, op in OPS.items()},
        **{
            name: tuple(
                argument
                for argument, written in template.get("args", {}).items()
                if _is_declaration(written) and "default" not in written
            )
            for name, template in templates.items()
        },
    }


def _needed_attributes(op: type[Op]) -> tuple[str, ...]:
    return tuple(item.name for item in op.attributes() if item.default is MISSING)


def _defaults_give(needs: Mapping[str, tuple[str, ...]]) -> Schema:
    """A spec whose `defaults` give an argument that calls would have to give."""
    return _has(
        "defaults",
        {"anyOf": [_has(name, has_any(needed)) for name, needed in needs.items() if needed]},
    )


def _snippets(templates: Templates) -> Schema:
    """Nodes to start from, each with what it needs."""
    needs = _needs(templates)
    words = _words(templates)
    snippets: list[Schema] = []
    for name, doc in zip(words["enum"], words["enumDescriptions"], strict=True):
        inputs = OPS[name].inputs[0] if name in OPS else 1
        if not needs.get(name) and inputs == 1:
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


EXAMPLES = {"channels": 64, "kernel": 3, "groups": 4, "rate": 0.1, "parts": 2, "width": 64}
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


def _choice(condition: Schema, then: Schema, otherwise: Schema | None = None) -> dict[str, Any]:
    result: dict[str, Any] = {"if": condition, "then": then}
    return result if otherwise is None else {**result, "else": otherwise}


def _has(key: str, fragment: Schema) -> Schema:
    return {"required": [key], "properties": {key: fragment}}


def _refused(sentence: str) -> dict[str, Any]:
    return {"not": {}, "errorMessage": sentence}


def _shared(templates: Templates) -> dict[str, Schema]:
    """Pieces that stand in many places, by the name of their definition."""
    return {
        "expression": schema.EXPRESSION,
        "choice": schema.CHOICE_VALUE,
        **schema.MODIFIER_PROPERTIES,
        **schema.COPY_PROPERTIES,
        "other_kind": OTHER_KIND,
        "no_kind": NO_KIND,
        **{
            name: schema.SPEC_PROPERTIES[name]
            for name in ("source", "input", "import", "args", "defaults", "outputs", "expect")
        },
        "words": _words(templates),
        "calls": _calls(templates),
        "snippets": _snippets(templates),
    }


def _refer(value: Any, shared: Mapping[str, Schema]) -> Any:
    """The value with references in place of what is shared."""
    if isinstance(value, Mapping):
        for name, fragment in shared.items():
            if value == fragment:
                return {"$ref": f"#/$defs/{name}"}
    return _refer_inside(value, shared)


def _refer_inside(value: Any, shared: Mapping[str, Schema]) -> Any:
    if isinstance(value, Mapping):
        return {key: _refer(item, shared) for key, item in value.items()}
    return [_refer(item, shared) for item in value] if isinstance(value, list) else value
