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
from typing import Any

from archspec import grammar, schema
from archspec.document_schema import DOCUMENTS, EXTENDS_PROPERTIES, SPEC_PROPERTIES
from archspec.editor.passing import Find
from archspec.editor.references import refer, refer_inside
from archspec.editor.words import (
    CALL_DOC,
    Templates,
    arguments_of,
    calls_of,
    needs_of,
    snippets_of,
    words_of,
)
from archspec.errors import SpecError
from archspec.grammar import has_any, sentence_case
from archspec.library import Library, read_library, standard_library
from archspec.ops import OPS
from archspec.referring import read_spec
from archspec.schema import Schema, closed_object
from archspec.syntax import KINDS

DIALECT = "https://json-schema.org/draft/2020-12/schema"

ONE_KIND = sentence_case(grammar.ONE_KIND)
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
GIVES_COPIES: Schema = has_any(("each", "parallel", "first", "last"))


def schema_for(name: str) -> dict[str, Any]:
    """The schema with every template that the spec can call. Raises SpecError."""
    return schema_of(read_library(read_spec(name)))


def schema_of(library: Library) -> dict[str, Any]:
    """The schema with every template of a library, which may be a text's."""
    templates: dict[str, Mapping[str, Any]] = {}
    for template in dict.fromkeys(library.names()):
        definition = library.find(template)
        if definition is None:
            raise SpecError(library.unknown(template))
        templates[template] = definition.library.written(template.rpartition(".")[2])
    return document_schema(templates)


def document_schema(templates: Templates | None = None) -> dict[str, Any]:
    """The whole schema. It knows the standard templates, or those given: all that one file calls.

    What a call must give is not asked for in a spec whose `defaults` may give it; and where a file
    has templates with names of standard ones, those are not looked into.
    """
    standard = standard_library().document.data["templates"]
    known = standard if templates is None else templates
    shared = _share_pieces(known)
    definitions = {
        **{f"op_{name}": _closed_call(schema.attribute_properties(op)) for name, op in OPS.items()},
        **{
            definition: _closed_call(arguments_of(known[name], _finder(known, name)))
            for name, definition in _definitions(known).items()
        },
        **_nodes("", known, needs_of(known)),
        **_nodes("given_", known, {}),
    }
    spec: Schema = _choice(_defaults_give(needs_of(known)), _spec("given_"), _spec(""))
    library = _library("")
    if templates is None:
        hides = _has("templates", has_any(standard))
        definitions |= _nodes("own_", {}, {})
        shared |= {
            "own_words": words_of({}),
            "own_calls": calls_of({}),
            "own_snippets": snippets_of({}),
        }
        spec = _choice(hides, _spec("own_"), spec)
        library = _choice(hides, _library("own_"), library)
    return {
        "$schema": DIALECT,
        "$id": "https://archspec.invalid/schema.json",
        "title": "archspec network specification",
        "type": "object",
        "errorMessage": "A spec must be an object.",
        **refer(_document(spec, library), shared),
        "$defs": {
            **{name: refer_inside(fragment, shared) for name, fragment in shared.items()},
            "value": {
                "items": schema.VALUE,
                **_choice(
                    {"type": "object", "required": ["choice"]},
                    refer(schema.CHOICE_VALUE, shared),
                    {"additionalProperties": schema.VALUE},
                ),
            },
            **refer_inside(definitions, shared),
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
        for name, fragment in {
            **SPEC_PROPERTIES,
            **EXTENDS_PROPERTIES,
        }.items()
    }
    unfinished = {
        "anyOf": [{"required": [key]} for key in ("input", "outputs", "expect", "defaults")],
        "properties": hints,
    }
    nothing = _refusal(sentence_case(grammar.ONE_DOCUMENT))
    return _choice(
        {"required": ["extends"]},
        DOCUMENTS["extension"],
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
    return _within(family, DOCUMENTS["spec"])


def _library(family: str) -> Schema:
    return _within(family, DOCUMENTS["library"])


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
            "errorMessage": sentence_case(grammar.NODE_FORMS),
            "items": {"$ref": f"#/$defs/{family}node"},
            "allOf": [snippets_of(templates)],
            **_choice(
                {"type": "object"},
                {"$ref": f"#/$defs/{family}node_object"},
                _choice({"type": "string"}, _word(templates, needs)),
            ),
        },
        f"{family}node_object": {
            **node_object,
            "allOf": [rule.as_schema() for rule in grammar.COPY_RULES],
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
        "properties": {"op": calls_of(templates)},
        "allOf": [
            *by_name,
            {"if": {"properties": {"op": {"enum": list(known)}}}, "else": unknown},
        ],
    }


def _finder(templates: Templates, name: str) -> Find:
    """What names mean in the body of one of these templates: of one that is imported, the templates
    beside it."""
    namespace, _, _ = name.rpartition(".")

    def find(called: str) -> tuple[Mapping[str, Any], Find] | None:
        whole = f"{namespace}.{called}" if namespace else called
        if whole in templates:
            return templates[whole], _finder(templates, whole)
        standard = standard_library().document.data["templates"]
        return (standard[called], _finder(standard, called)) if called in standard else None

    return find


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
    own: dict[str, Any] = {**properties}
    for key, fragment in {**schema.MODIFIER_PROPERTIES, **others}.items():
        own.setdefault(key, fragment)
    if kind == "op":
        own["op"] = True
    rule = grammar.KIND_RULES.get(kind)
    return closed_object(own, () if rule is None else rule.beside)


def _word(templates: Templates, needs: Mapping[str, tuple[str, ...]]) -> Schema:
    """A node that is a word alone."""
    word = {"anyOf": [words_of(templates), {"pattern": schema.TEMPLATE_NAME}, schema.EXPRESSION]}
    if not any(needs.values()):
        return word
    return {
        **word,
        "not": {"enum": [name for name in needs if needs[name]]},
        "errorMessage": "This must be an object with the arguments it needs:"
        ' {"op": name, argument: value}.',
    }


def _defaults_give(needs: Mapping[str, tuple[str, ...]]) -> Schema:
    """A spec whose `defaults` give an argument that calls would have to give."""
    return _has(
        "defaults",
        {"anyOf": [_has(name, has_any(needed)) for name, needed in needs.items() if needed]},
    )


def _choice(condition: Schema, then: Schema, otherwise: Schema | None = None) -> dict[str, Any]:
    result: dict[str, Any] = {"if": condition, "then": then}
    return result if otherwise is None else {**result, "else": otherwise}


def _has(key: str, fragment: Schema) -> Schema:
    return {"required": [key], "properties": {key: fragment}}


def _refusal(sentence: str) -> dict[str, Any]:
    return {"not": {}, "errorMessage": sentence}


def _share_pieces(templates: Templates) -> dict[str, Schema]:
    """Pieces that stand in many places, by the name of their definition."""
    return {
        "expression": schema.EXPRESSION,
        "choice": schema.CHOICE_VALUE,
        **schema.MODIFIER_PROPERTIES,
        **schema.COPY_PROPERTIES,
        "other_kind": OTHER_KIND,
        "no_kind": NO_KIND,
        **{
            name: SPEC_PROPERTIES[name]
            for name in ("source", "input", "import", "args", "defaults", "outputs", "expect")
        },
        "words": words_of(templates),
        "calls": calls_of(templates),
        "snippets": snippets_of(templates),
    }
