"""Settings as frozen dataclasses whose fields carry the JSON Schema their values must meet.

As with the ops of a spec, the schema, the defaults and the docs come from one place. Sections are
declared in training.recipe with what is here; this module checks plain data against them, makes
them of it and turns them back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, field, fields
from functools import cache
from typing import Any, ClassVar, TypeVar

from archspec.check_values import check_object
from archspec.document import At
from archspec.errors import Problem, did_you_mean, listed
from archspec.json_values import shown
from archspec.schema import Schema, closed_object, described

NULL: Schema = {"type": "null"}
FLAG: Schema = {"type": "boolean"}
POSITIVE: Schema = {"type": "integer", "minimum": 1, "maximum": 1_000_000}
NATURAL: Schema = {"type": "integer", "minimum": 0, "maximum": 1_000_000}
SEED: Schema = {"type": "integer", "minimum": 0, "maximum": 2**31 - 1}
OVER_ZERO: Schema = {"type": "number", "exclusiveMinimum": 0}
AT_LEAST_ZERO: Schema = {"type": "number", "minimum": 0}
PROBABILITY: Schema = {"type": "number", "minimum": 0, "maximum": 1}
UNDER_ONE: Schema = {"type": "number", "minimum": 0, "exclusiveMaximum": 1}
PATTERN: Schema = {"type": "string", "minLength": 1, "maxLength": 500}
"""Over the names of nodes, see compiler.node_patterns."""


def or_null(fragment: Schema) -> Schema:
    return {"anyOf": [fragment, NULL]}


def several(fragment: Schema, least: int = 0, most: int = 100) -> Schema:
    return {"type": "array", "items": fragment, "minItems": least, "maxItems": most}


class Section:
    """Base of all sections, which are frozen dataclasses of `setting`s."""


class Named(Section):
    """A section of which there are several kinds; its key `name` says which one it is."""

    name: ClassVar[str]
    doc: ClassVar[str]


Kinds = Mapping[str, type[Named]]
S = TypeVar("S", bound=Section)


def setting(
    schema: Schema,
    doc: str,
    default: Any = MISSING,
    convert: Callable[[Any], Any] | None = None,
    write: Callable[[Any], Any] | None = None,
) -> Any:
    """A field of a section: the fragment of JSON Schema its written value meets, what makes that
    value into the field's, and what makes it written again."""
    convert = convert or _converter(schema)
    return _field(default, schema=schema, doc=doc, convert=convert, write=write or plain)


def section(kind: type[Section], doc: str, default: Any = MISSING) -> Any:
    """A field that is a section itself; with a default of None it can be null."""
    return _field(default, section=kind, doc=doc)


def sections(kind: type[Section], doc: str) -> Any:
    """A field that is a list of sections, empty by default."""
    return _field(
        (),
        schema=several(schema_of(kind)),
        doc=doc,
        convert=lambda entries: tuple(make_section(kind, entry) for entry in entries),
        write=plain,
        entries=kind,
    )


def one_of(kinds: Kinds, doc: str, default: Any = MISSING) -> Any:
    """A field that is a section of one of several kinds."""
    return _field(default, kinds=kinds, doc=doc)


def _field(default: Any, **metadata: Any) -> Any:
    # by keyword, so that a kind may add settings without a default to those it shares
    if default is MISSING:
        return field(kw_only=True, metadata=metadata)
    if isinstance(default, dict):
        return field(kw_only=True, default_factory=default.copy, metadata=metadata)
    return field(kw_only=True, default=default, metadata=metadata)


def _converter(schema: Schema) -> Callable[[Any], Any] | None:
    """Numbers become floats, for 1 is written where 1.0 is meant; lists become tuples."""
    kinds = [part.get("type") for part in schema.get("anyOf", [schema])]
    if "number" in kinds:
        return lambda value: float(value) if isinstance(value, int) else value
    if "array" in kinds:
        floats = schema.get("items", {}).get("type") == "number"
        return lambda value: tuple(map(float, value) if floats else value)
    return None


def settings_of(kind: type[Section]) -> Mapping[str, Mapping[str, Any]]:
    """The fields of a section with their metadata."""
    return {item.name: item.metadata for item in fields(kind)}  # type: ignore[arg-type]


@cache
def schema_of(kind: type[Section]) -> Schema:
    """The JSON Schema of a section as it is written. A section of several kinds inside it is any
    object here, for which one it is decides what it has."""
    properties: dict[str, Schema] = {}
    if issubclass(kind, Named):
        properties["name"] = {"type": "string"}
    for name, metadata in settings_of(kind).items():
        if "section" in metadata:
            inner: Schema = schema_of(metadata["section"])
            optional = _default(kind, name) is None
            properties[name] = described(or_null(inner) if optional else inner, metadata["doc"])
        elif "kinds" in metadata:
            properties[name] = described({"type": "object"}, metadata["doc"])
        else:
            properties[name] = described(metadata["schema"], metadata["doc"])
    required = [
        item.name
        for item in fields(kind)  # type: ignore[arg-type]
        if item.default is MISSING and item.default_factory is MISSING
    ]
    return closed_object(properties, tuple(required))


def _default(kind: type[Section], name: str) -> Any:
    return next(item.default for item in fields(kind) if item.name == name)  # type: ignore[arg-type]


def problems_of(
    kind: type[Section], at: At, what: str, besides: Mapping[str, Schema] | None = None
) -> Iterator[Problem]:
    """Everything that is wrong with the form of the data at a place that should be a section;
    `besides` are keys that it may have and that are not settings."""
    data = _value(at)
    fragment = schema_of(kind)
    if besides:
        fragment = {**fragment, "properties": {**besides, **fragment["properties"]}}
    yield from check_object(fragment, at, what)
    if not isinstance(data, dict):
        return
    for name, metadata in settings_of(kind).items():
        if "kinds" in metadata and isinstance(data.get(name), dict):
            yield from _problems_of_kind(metadata["kinds"], at / name)


def _problems_of_kind(kinds: Kinds, at: At) -> Iterator[Problem]:
    data = _value(at)
    key = at.pointer[-1]
    name = data.get("name")
    if "name" not in data:
        yield at.problem(f"{key} lacks its 'name'; use {listed(list(kinds))}")
    elif not isinstance(name, str) or name not in kinds:
        hint = did_you_mean(name, kinds)
        yield (at / "name").problem(
            f"there is no {key} {shown(name)}{hint or f'; use {listed(list(kinds))}'}"
        )
    else:
        yield from problems_of(kinds[name], at, name)


def make_section(kind: type[S], data: Mapping[str, Any]) -> S:
    """The section that plain data of the right form means."""
    values: dict[str, Any] = {}
    for name, metadata in settings_of(kind).items():
        if name not in data:
            continue
        value = data[name]
        if value is None:
            values[name] = None
        elif "section" in metadata:
            values[name] = make_section(metadata["section"], value)
        elif "kinds" in metadata:
            values[name] = make_section(metadata["kinds"][value["name"]], value)
        else:
            convert = metadata["convert"]
            values[name] = value if convert is None else convert(value)
    return kind(**values)


def plain(value: Any) -> Any:
    """A section as plain data with all of its settings; `make_section` gives the same section."""
    if isinstance(value, Section):
        head = {"name": value.name} if isinstance(value, Named) else {}
        return {**head, **{name: _write(value, name) for name in settings_of(type(value))}}
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    return value


def _write(owner: Section, name: str) -> Any:
    write = settings_of(type(owner))[name].get("write", plain)
    return write(getattr(owner, name))


def _value(at: At) -> Any:
    value = at.document.data
    for step in at.pointer:
        value = value[step]
    return value
