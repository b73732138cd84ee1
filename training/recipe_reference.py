"""Every setting of a recipe, for editors (`document_schema`) and for people (`setting_rows`): both
are read off the sections, where each setting stands with its schema, default and meaning."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, Field, fields
from typing import Any, NamedTuple

from archspec.faults import described as in_words
from archspec.json_values import shown
from archspec.schema import Schema, closed_object, described
from archspec.training.augmentations import AUGMENTATIONS
from archspec.training.recipe import KEYS, Recipe
from archspec.training.recipe_schema import (
    Kinds,
    Section,
    or_null,
    plain,
    schema_of,
    settings_of,
)

WHICH = "which one; it decides what else there is"


class Setting(NamedTuple):
    """One setting: its path as --set takes it, the kinds of its section that have it ("" where
    there is one), the values it may have, its default ("required" without one), its meaning."""

    path: str
    kind: str
    values: str
    default: str
    doc: str


def document_schema() -> Schema:
    """The JSON Schema (2020-12) of a recipe's file. One that extends another may lack settings
    that are required otherwise, for the other has them."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "archspec recipe",
        "type": "object",
        "required": ["recipe", "name"],
        "if": {"required": ["extends"]},
        "then": _file_schema(extends=True),
        "else": _file_schema(extends=False),
    }


def _file_schema(extends: bool) -> Schema:
    whole = _section_schema(Recipe, extends)
    return {**whole, "properties": {**KEYS, **whole["properties"]}}


def setting_rows() -> list[Setting]:
    """All settings in the order of a recipe's file."""
    return [*_rows(Recipe, "", "")]


def _section_schema(kind: type[Section], extends: bool) -> Schema:
    """schema_of, with what it leaves open: which settings each kind of a section has."""
    fragment = schema_of(kind)
    properties = dict(fragment["properties"])
    for item in fields(kind):  # type: ignore[arg-type]
        metadata = item.metadata
        if "section" in metadata:
            inner = _section_schema(metadata["section"], extends)
            inner = or_null(inner) if item.default is None else inner
            properties[item.name] = described(inner, metadata["doc"])
        elif "kinds" in metadata:
            properties[item.name] = described(
                _kinds_schema(metadata["kinds"], extends), metadata["doc"]
            )
    if kind is Recipe:
        properties["augment"] = {**properties["augment"], "items": _augmentation_schema()}
    required = () if extends else tuple(fragment.get("required", ()))
    return closed_object(properties, required)


def _kinds_schema(kinds: Kinds, extends: bool) -> Schema:
    name = {"enum": list(kinds), "description": WHICH}
    known = [key for kind in kinds.values() for key in settings_of(kind)]
    return {
        "type": "object",
        "properties": {"name": name},
        "propertyNames": {"enum": list(dict.fromkeys(["name", *known]))},
        **({} if extends else {"required": ["name"]}),
        "allOf": [
            {
                "if": {"properties": {"name": {"const": kind.name}}, "required": ["name"]},
                "then": _section_schema(kind, extends=False),
            }
            for kind in kinds.values()
        ],
    }


def _augmentation_schema() -> Schema:
    entries = {name: fragment for name, (fragment, _) in AUGMENTATIONS.items()}
    return {**closed_object(entries), "minProperties": 1, "maxProperties": 1}


def _rows(kind: type[Section], path: str, kind_name: str) -> Iterator[Setting]:
    for item in fields(kind):  # type: ignore[arg-type]
        metadata = item.metadata
        inner = f"{path}{item.name}"
        if "section" in metadata:
            optional = item.default is None
            values, default = ("an object or null", "null") if optional else ("an object", "")
            yield Setting(inner, kind_name, values, default, metadata["doc"])
            yield from _rows(metadata["section"], f"{inner}.", kind_name)
        elif "kinds" in metadata:
            yield from _rows_of_kinds(metadata["kinds"], inner, _default(item), metadata["doc"])
        else:
            values, default = in_words(metadata["schema"]), _default(item)
            yield Setting(inner, kind_name, values, default, metadata["doc"])
        if "entries" in metadata:
            yield from _rows(metadata["entries"], f"{inner}.N.", kind_name)
        if inner == "augment":
            for name, (fragment, _) in AUGMENTATIONS.items():
                yield from _augmentation_rows(name, fragment)


def _rows_of_kinds(kinds: Kinds, path: str, default: str, doc: str) -> Iterator[Setting]:
    """What all kinds share once, then what each has alone."""
    names = " | ".join(kinds)
    yield Setting(path, "", "an object", "required" if default == "required" else "", doc)
    default = default if default == "required" else "constant"
    yield Setting(f"{path}.name", "", names, default, WHICH)
    base: type[Section] = next(iter(kinds.values())).__mro__[1]
    yield from _rows(base, f"{path}.", "")
    common = settings_of(base)
    for kind in kinds.values():
        for row in _rows(kind, f"{path}.", kind.name):
            if row.path.rpartition(".")[2] not in common:
                yield row


def _augmentation_rows(name: str, fragment: Schema) -> Iterator[Setting]:
    path, defaults, doc = f"augment.N.{name}", AUGMENTATIONS[name][1], fragment["description"]
    yield Setting(path, "", in_words(fragment), "", doc)
    for key, inner in fragment.get("properties", {}).items():
        yield Setting(f"{path}.{key}", "", in_words(inner), _shown(defaults[key]), "")


def _default(item: Field[Any]) -> str:
    write = item.metadata.get("write", plain)
    if item.default is not MISSING:
        return _shown(write(item.default))
    if item.default_factory is not MISSING:
        return _shown(write(item.default_factory()))
    return "required"


def _shown(value: Any) -> str:
    """A default as YAML has it."""
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, value))}]"
    if isinstance(value, dict) or not isinstance(value, str):
        return "{}" if value == {} else shown(value)
    return value
