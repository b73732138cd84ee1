"""What is wrong with a JSON value by a schema, as sentences with their places."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

from archspec import schema
from archspec.document import At
from archspec.errors import MAX_PROBLEMS, Problem, did_you_mean, listed, use
from archspec.json_values import freeze, shown
from archspec.judging import matches
from archspec.shallow import shallow_choice

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

MAX_REMEMBERED = 100_000
MAX_UNKNOWN = 20
"""Unknown keys that are looked at for one that is missing."""

_ARTICLES = {
    "integer": "a whole number",
    "number": "a number",
    "string": "a string",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}


def suggest_call(word: str, known: Iterable[str]) -> str:
    """archspec.words.suggest_call, whose tables are read only where something is wrong."""
    from archspec import words

    return words.suggest_call(word, known)


def suggest_attribute(word: str, known: Iterable[str]) -> str:
    """archspec.words.suggest_attribute, read as late."""
    from archspec import words

    return words.suggest_attribute(word, known)


def first_faults(problems: Iterable[Problem]) -> list[Problem]:
    """As many as will be told, and one more: finding the place of each takes time."""
    return list(islice(problems, MAX_PROBLEMS + 1))


def find_faults(validator: Any, at: At, value: Any, what: str) -> Iterator[Problem]:
    """What a validator finds wrong with the value at a place, called `what`."""
    if isinstance(value, dict) and "required" not in validator.schema:
        value = _select_unchecked(validator, value)
        if not value:
            return
    for error in validator.iter_errors(value):
        for cause in _causes(error):
            if cause.validator != "required" or _missing(cause):
                yield _problem(cause, at, what)


def _causes(error: ValidationError) -> Iterator[ValidationError]:
    """The error, or what is wrong inside the one option of an anyOf that the value is meant as."""
    if error.validator == "anyOf":
        options: dict[Any, list[ValidationError]] = {}
        for inner in error.context or ():
            options.setdefault(inner.schema_path[0], []).append(inner)
        meant = [
            option
            for option in options.values()
            if all(inner.path or "propertyNames" in inner.schema_path for inner in option)
        ]
        if len(meant) == 1:
            for inner in meant[0]:
                yield from _causes(inner)
            return
    yield error


def _problem(error: ValidationError, at: At, what: str) -> Problem:
    path = error.absolute_path
    place = at
    for step in path:
        place = place / step
    if error.validator == "additionalProperties":
        owner = str(path[-2]) if len(path) > 1 else what
        return place.problem(_unknown_key(error, owner))
    if "propertyNames" in error.schema_path:
        key = str(error.instance)
        return (place / key).problem(f"{shown(key)} cannot be a name here{_name_advice(error)}")
    return place.problem(_sentence(error, str(path[-1]) if path else what, not path))


def _select_unchecked(validator: Any, value: dict[str, Any]) -> dict[str, Any]:
    """The properties that jsonschema has not passed before: a spec of ten thousand nodes says the
    same few things ten thousand times, and judging each again would take most of the time."""
    result: dict[str, Any] = {}
    properties = validator.schema["properties"]
    for key, item in value.items():
        fragment = properties.get(key)
        if fragment is None or isinstance(item, (dict, list)):
            result[key] = item
            continue
        if isinstance(item, str) and _is_accepted_text(fragment, item):
            continue
        known = (id(fragment), freeze(item))
        if known in _passed_literals:
            continue
        if type(validator)(fragment).is_valid(item):
            if len(_passed_literals) >= MAX_REMEMBERED:
                _passed_literals.clear()
            _passed_literals.add(known)
        else:
            result[key] = item
    return result


_passed_literals: set[tuple[int, Any]] = set()
"""By the identity of the fragment: fragments live as long as the validators, which are cached."""


def _is_accepted_text(fragment: Mapping[str, Any], text: str) -> bool:
    """Whether a fragment for plain text takes this text: names and notes differ on every node."""
    if fragment.get("type") != "string":
        return any(option is schema.TEXT for option in fragment.get("anyOf", ()))
    return len(text) <= fragment.get("maxLength", len(text)) and (
        "pattern" not in fragment or matches(fragment["pattern"], text)
    )


def faults_by_property(validator: Any, value: Mapping[str, Any], what: str) -> dict[str, str]:
    """What is wrong with an object: its property ("" for itself) -> a sentence."""
    result: dict[str, str] = {}
    for error in validator.iter_errors(value):
        if error.validator == "additionalProperties":
            result[str(error.absolute_path[-1])] = _unknown_key(error, what)
        elif error.validator == "required":
            result.setdefault("", _sentence(error, what, True))
        else:
            name = str(error.absolute_path[0])
            result[name] = value_sentence(name, value[name], validator.schema["properties"][name])
    return result


def _unknown_key(error: ValidationError, what: str) -> str:
    assert isinstance(error.schema, dict)
    key = str(error.absolute_path[-1])
    known = list(error.schema.get("properties", {}))
    hint = suggest_attribute(key, known) or did_you_mean(key, known) or _all_of(known)
    return f"{what} has no {shown(key)}{hint}"


def _all_of(known: list[str]) -> str:
    own = [word for word in known if not word.startswith("$")]
    return f"; it has {listed(own, 'and', most=30)}" if own else ""


def _name_advice(error: ValidationError) -> str:
    assert isinstance(error.schema, dict)
    if error.validator == "not":
        return ": the language uses the word itself"
    return use(described({"type": "string", **error.schema}))


def _missing(error: ValidationError) -> list[str]:
    """The required keys that are not there; of those misspelt another error speaks."""
    assert isinstance(error.instance, dict) and isinstance(error.schema, dict)
    unknown = [key for key in error.instance if key not in error.schema.get("properties", {})]
    return [
        key
        for key in error.schema["required"]
        if key not in error.instance
        and not any(
            suggest_attribute(other, [key]) or did_you_mean(other, [key])
            for other in unknown[:MAX_UNKNOWN]
        )
    ]


def _sentence(error: ValidationError, name: str, is_whole: bool) -> str:
    if error.validator == "required":
        return f"{name} lacks {listed(_missing(error), 'and')}"
    assert isinstance(error.schema, dict)
    if is_whole and error.validator == "type":
        return f"{name} must be an object, not {shown(error.instance)}"
    return value_sentence(name, error.instance, error.schema)


def value_sentence(name: str, value: Any, fragment: Mapping[str, Any]) -> str:
    """The sentence for a value that is not what a fragment of the schema asks for."""
    hint = ""
    options = fragment.get("enum") or next(
        (part["enum"] for part in fragment.get("anyOf", ()) if "enum" in part), None
    )
    if options and isinstance(value, str):
        suggest = suggest_call if name == "function" else did_you_mean
        hint = suggest(value, map(str, options))
    if isinstance(value, float) and value.is_integer() and "integer" in str(fragment):
        hint = f"; did you mean {int(value)}?"
    label = f"item {name}" if name.isdigit() else name
    return f"{label} must be {described(fragment)}, not {shown(value)}{hint}"


def described(fragment: Mapping[str, Any]) -> str:
    """What a value must be: {"type": "integer", "minimum": 1} is "a whole number of at least 1"."""
    if "anyOf" in fragment:
        parts = [
            described(part)
            for part in fragment["anyOf"]
            if part not in (schema.EXPRESSION, shallow_choice().schema)
        ]
        return ", ".join(parts[:-1]) + " or " + parts[-1] if len(parts) > 1 else parts[0]
    if "enum" in fragment:
        return listed(fragment["enum"], most=20)
    if "const" in fragment:
        return repr(fragment["const"])
    types = fragment.get("type")
    if isinstance(types, list):
        return " or ".join(_ARTICLES[name] for name in types)
    if fragment.get("minProperties"):
        return "an object that is not empty"
    text = _ARTICLES.get(types or "", "another value")
    bounds = [
        f"{word} {fragment[key]:,}"
        for key, word in (
            ("minimum", "at least"),
            ("exclusiveMinimum", "over"),
            ("maximum", "at most"),
            ("exclusiveMaximum", "under"),
        )
        if key in fragment
    ]
    if bounds:
        text += f" of {' and '.join(bounds)}"
    if types == "array":
        count = fragment.get("minItems")
        if count and count == fragment.get("maxItems"):
            text += f" of {count}"
        elif count:
            text += f" of {count} or more"
        items = fragment.get("items")
        if items and (kinds := described(items)) != "another value":
            text += f", each {kinds}"
    if "maxLength" in fragment:
        text += f" of at most {fragment['maxLength']} characters"
    if "pattern" in fragment:
        text += f" that matches {fragment['pattern']}"
    return text
