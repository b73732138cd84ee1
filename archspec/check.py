"""Checking a document against the schema, and saying what is wrong as sentences.

The schema is applied one object at a time: this module walks the document, picks the piece of
schema that the object's kind key calls for, and lets jsonschema judge it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import islice
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from archspec import schema
from archspec.document import At, Document
from archspec.errors import MOST_PROBLEMS, Problem, did_you_mean, first_problems, listed
from archspec.ops import FUNCTIONS, OPS, Op
from archspec.syntax import KINDS, MODIFIERS, NOTHING, Parameter, is_op


def _is_integer(_checker: Any, value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


# JSON Schema takes 2.0 for an integer; a kernel of 2.0 is a slip, and 2 is what was meant.
_TYPES = Draft202012Validator.TYPE_CHECKER.redefine("integer", _is_integer)


def _additional_properties(
    validator: Any, allowed: Any, instance: Any, fragment: Mapping[str, Any]
) -> Iterator[ValidationError]:
    """One error for each unknown key, in the order written; jsonschema's own order is a set's."""
    if isinstance(instance, dict) and allowed is not True:
        known = fragment.get("properties", {})
        for key, value in instance.items():
            if key not in known and allowed is False:
                yield ValidationError("unknown key", path=[key])
            elif key not in known:
                yield from validator.descend(value, allowed, path=key)


def _required(
    _validator: Any, required: Iterable[str], instance: Any, _fragment: Mapping[str, Any]
) -> Iterator[ValidationError]:
    """One error for all missing keys together."""
    if isinstance(instance, dict) and not all(key in instance for key in required):
        yield ValidationError("missing keys")


def _matches(pattern: str, text: str) -> bool:
    """Whether the text matches, "$" being its end; Python's is also before a line break."""
    match = re.search(pattern, text)
    return match is not None and not (pattern.endswith("$") and text.endswith("\n"))


def _pattern(
    _validator: Any, pattern: str, instance: Any, _fragment: Mapping[str, Any]
) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not _matches(pattern, instance):
        yield ValidationError("no match")


Validator: Any = extend(
    Draft202012Validator,
    {"additionalProperties": _additional_properties, "required": _required, "pattern": _pattern},
    type_checker=_TYPES,
)

_ARTICLES = {
    "integer": "a whole number",
    "number": "a number",
    "string": "a string",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}
_SHOWN_AT_MOST = 60
MAX_OPTIONS = 100_000


def check_document(document: Document) -> list[Problem]:
    """Everything that is wrong with the form of a spec, an extension or a template library."""
    at = At(document)
    data = document.data
    if not isinstance(data, dict):
        return [at.problem(f"a spec is an object and this is {shown(data)}")]
    kind = "extension" if "extends" in data else "spec" if "body" in data else "library"
    if kind == "library" and "templates" not in data:
        hints = (
            did_you_mean(key, ("body", "extends", "templates"))
            for key in islice(data, _MOST_UNKNOWN)
        )
        hint = next(filter(None, hints), "; `archspec new NAME` writes one to start from")
        return [
            at.problem(f"this is no spec: it has neither a body, nor extends, nor templates{hint}")
        ]
    too_many = _check_options(at, data)
    return [too_many] if too_many else first_problems(_check_whole(kind, at, data))


def _check_options(at: At, data: Mapping[str, Any]) -> Problem | None:
    """A document's choices hold no more options than a network may have nodes: each of them is
    checked, which takes time and memory."""
    if '"choice"' not in at.document.text:
        return None
    count = 0
    waiting: list[tuple[At, Any]] = [(at, data)]
    while waiting:
        place, value = waiting.pop()
        if isinstance(value, dict):
            options = value.get("choice")
            count += len(options) if isinstance(options, list) else 0
            if count > MAX_OPTIONS:
                return (place / "choice").problem(
                    f"the choices of this file have more than {MAX_OPTIONS:,} options; use fewer"
                )
            waiting += [(place / key, each) for key, each in value.items() if _holds(each)]
        elif isinstance(value, list):
            waiting += [(place / key, each) for key, each in enumerate(value) if _holds(each)]
    return None


def _holds(value: Any) -> bool:
    return isinstance(value, (dict, list))


def _check_whole(kind: str, at: At, data: dict[str, Any]) -> Iterator[Problem]:
    article = "an" if kind == "extension" else "a"
    yield from _check(_shallow_document(kind), at, data, f"{article} {kind}")
    if isinstance(data.get("templates"), dict):
        for name, template in data["templates"].items():
            if isinstance(template, dict) and "body" in template:
                yield from _check_node(template["body"], at / "templates" / name / "body")
    if kind == "spec":
        yield from _check_node(data["body"], at / "body")
    yield from _check_values_of_document(at, data)


def _check_values_of_document(at: At, data: Mapping[str, Any]) -> Iterator[Problem]:
    """The choices in args and defaults, which no node holds."""
    yield from _check_choices(data.get("defaults"), at / "defaults")
    owners = [(at, data)]
    if isinstance(data.get("templates"), dict):
        owners += [(at / "templates" / name, each) for name, each in data["templates"].items()]
    for place, owner in owners:
        args = owner.get("args") if isinstance(owner, dict) else None
        if isinstance(args, dict):
            for name, written in args.items():
                if isinstance(written, dict) and "choice" not in written and "extends" not in data:
                    default = written.get("default")
                    yield from _check_choices(default, place / "args" / name / "default")
                else:
                    yield from _check_choices(written, place / "args" / name)


def _check_choices(value: Any, at: At) -> Iterator[Problem]:
    """What is wrong with the choices in a value of which the schema says nothing else."""
    if isinstance(value, dict) and "choice" in value:
        wrong = _first(_check(_shallow_choice(), at, value, "a choice"))
        yield from wrong
        if not wrong:
            yield from _check_choices(value["choice"], at / "choice")
    elif isinstance(value, (dict, list)):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _check_choices(item, at / key)


def suggest_call(word: str, known: Iterable[str]) -> str:
    """archspec.words.suggest_call, whose tables are read only where something is wrong."""
    from archspec import words

    return words.suggest_call(word, known)


def suggest_attribute(word: str, known: Iterable[str]) -> str:
    """archspec.words.suggest_attribute, read as late."""
    from archspec import words

    return words.suggest_attribute(word, known)


def _first(problems: Iterable[Problem]) -> list[Problem]:
    """As many as will be told, and one more: finding the place of each takes time."""
    return list(islice(problems, MOST_PROBLEMS + 1))


def check_object(fragment: Mapping[str, Any], at: At, what: str) -> list[Problem]:
    """What is wrong with the value at a place that a fragment of JSON Schema describes."""
    value = at.document.data
    for step in at.pointer:
        value = value[step]
    return list(_check(Validator(fragment), at, value, what))


def check_attributes(op: type[Op], attributes: Mapping[str, Any]) -> dict[str, str]:
    """What is wrong with an op's evaluated attributes: attribute ("" for the op) -> sentence."""
    return _by_property(_attributes_validator(op), attributes, op.name)


def check_argument(parameter: Parameter, value: Any) -> str | None:
    """What is wrong with an evaluated argument of a template or a spec, as a sentence, or None."""
    if type(value) is parameter.plain_type:
        return None
    # Values repeat a thousandfold between related networks, so what passed once passes.
    key = (parameter.schema_key, frozen(value))
    if key in _passed:
        return None
    if Validator(parameter.schema).is_valid(value):
        if len(_passed) >= _MOST_REMEMBERED:
            _passed.clear()
        _passed.add(key)
        return None
    return _value_sentence(parameter.name, value, parameter.schema)


_passed: set[tuple[str, Any]] = set()
_MOST_REMEMBERED = 100_000


_FROZEN_BOOLS = {True: (bool, True), False: (bool, False)}


def frozen(value: Any) -> Any:
    """A hashable stand-in for a JSON value; unlike Python's ==, it tells 1, 1.0 and true apart."""
    kind = type(value)
    if kind is int or kind is str:
        return value
    # Searches freeze millions of these, so items are told apart here and not by a call for each.
    if kind is dict or kind is list:
        parts: list[Any] = [] if kind is dict else [list]
        if kind is dict:
            parts += value
            value = value.values()
        for item in value:
            kind = type(item)
            if kind is int or kind is str:
                parts.append(item)
            else:
                parts.append(_FROZEN_BOOLS[item] if kind is bool else frozen(item))
        return tuple(parts)
    return _FROZEN_BOOLS[value] if kind is bool else (kind, value)


def shown(value: Any) -> str:
    """A JSON value as a sentence has it."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, dict):
        return "an object" if value else "an empty object"
    text = repr(value)
    return text if len(text) <= _SHOWN_AT_MOST else text[: _SHOWN_AT_MOST - 3] + "..."


def described(fragment: Mapping[str, Any]) -> str:
    """What would do: {"type": "integer", "minimum": 1} is "a whole number of at least 1"."""
    if "anyOf" in fragment:
        parts = [
            described(part)
            for part in fragment["anyOf"]
            if part not in (schema.EXPRESSION, _shallow_choice().schema)
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


def _check_node(node: Any, at: At) -> Iterator[Problem]:
    if isinstance(node, list):
        for index, child in enumerate(node):
            yield from _check_node(child, at / index)
    elif isinstance(node, str):
        yield from _check_word(node, at, _WORDS)
    elif not isinstance(node, dict):
        yield at.problem(
            f"a node is an object, a list of nodes or a word and this is {shown(node)}"
        )
    else:
        yield from _check_node_object(node, at)


def _check_node_object(node: Mapping[str, Any], at: At) -> Iterator[Problem]:
    kinds = [kind for kind in KINDS if kind in node]
    if len(kinds) != 1:
        met = "none" if not kinds else listed(kinds, "and")
        other = next((key for key in node if key not in MODIFIERS), "")
        hint = "" if kinds else suggest_attribute(other, KINDS) or did_you_mean(other, KINDS)
        yield at.problem(f"a node has one of the keys {listed(KINDS)} and this has {met}{hint}")
        return
    kind = kinds[0]
    if "each" in node and "repeat" in node:
        yield at.problem("a node has repeat or each, not both")
    for edge in ("first", "last"):
        if edge in node and "repeat" not in node and "each" not in node:
            yield (at / edge).problem(
                f"{edge} speaks of copies; a repeat or each beside it would do"
            )
    if kind == "branches" and "join" not in node:
        yield at.problem("branches need a join; 'add', 'concat', 'mul' or 'none' would do")
    if kind == "op":
        yield from _check_call(node, at)
        return
    wrong = _first(_check(_shallow_node(kind), at, node, f"a {kind} node"))
    yield from wrong
    if not wrong:
        for key in ("when", "repeat", "join"):
            yield from _check_choices(node.get(key), at / key)
    yield from _check_children(node, kind, at)


def _check_children(node: Mapping[str, Any], kind: str, at: At) -> Iterator[Problem]:
    inner = node[kind]
    if kind == "branches":
        pairs: Iterable[tuple[str | int, Any]] = ()
        if isinstance(inner, dict):
            pairs = inner.items()
        elif isinstance(inner, list):
            pairs = enumerate(inner)
        for key, child in pairs:
            yield from _check_node(child, at / kind / key)
        return
    yield from _check_node(inner, at / kind)
    if "shortcut" in node:
        yield from _check_node(node["shortcut"], at / "shortcut")


def _check_call(node: Mapping[str, Any], at: At) -> Iterator[Problem]:
    word = node["op"]
    if not isinstance(word, str):
        yield (at / "op").problem(f"op is {shown(word)}; the name of an op or a template would do")
        return
    wrong = list(_check_word(word, at / "op", OPS))
    if wrong or not is_op(word):
        wrong += _first(_check(_shallow_node("Template"), at, node, f"a call of {word}"))
    else:
        wrong += _first(_check_op(node, word, at))
    yield from wrong
    if not wrong:
        for key, value in node.items():
            if isinstance(value, (dict, list)) and key != "from":
                yield from _check_choices(value, at / key)


def _check_op(node: Mapping[str, Any], word: str, at: At) -> Iterator[Problem]:
    yield from _check(_shallow_op(word), at, node, word)
    rows: list[tuple[At, Any]] = [(at / key, node[key]) for key in ("first", "last") if key in node]
    if isinstance(node.get("each"), list):
        rows += [(at / "each" / index, row) for index, row in enumerate(node["each"])]
    for place, row in rows:
        if isinstance(row, dict):
            yield from _check(_shallow_row(word), place, row, word)


_WORDS = dict.fromkeys((NOTHING, *OPS, *FUNCTIONS))
"""What a node can be that is a word alone, templates left aside."""


def _check_word(word: str, at: At, known: Mapping[str, Any]) -> Iterator[Problem]:
    if word in known:
        return
    if word in FUNCTIONS:
        yield at.problem(
            f"{shown(word)} is no op but a function of one;"
            f' {{"op": "act", "function": "{word}"}} would do'
        )
    elif not word or is_op(word):
        yield at.problem(
            f"{shown(word)} is no op"
            f"{suggest_call(word, known) or f'; {listed(list(OPS), most=30)} would do'}"
        )
    elif not Validator({"pattern": schema.TEMPLATE_NAME}).is_valid(word):
        yield at.problem(
            f"{shown(word)} is no name of an op or a template{suggest_call(word, known)}"
        )


def _check(validator: Any, at: At, value: Any, what: str) -> Iterator[Problem]:
    if isinstance(value, dict) and "required" not in validator.schema:
        value = _not_yet_passed(validator, value)
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


def _not_yet_passed(validator: Any, value: dict[str, Any]) -> dict[str, Any]:
    """The properties that jsonschema has not passed before: a spec of ten thousand nodes says the
    same few things ten thousand times, and judging each anew would take most of the time."""
    result: dict[str, Any] = {}
    properties = validator.schema["properties"]
    for key, item in value.items():
        fragment = properties.get(key)
        if fragment is None or isinstance(item, (dict, list)):
            result[key] = item
            continue
        if isinstance(item, str) and _is_accepted_text(fragment, item):
            continue
        known = (id(fragment), frozen(item))
        if known in _passed_literals:
            continue
        if validator.evolve(schema=fragment).is_valid(item):
            if len(_passed_literals) >= _MOST_REMEMBERED:
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
        "pattern" not in fragment or _matches(fragment["pattern"], text)
    )


def _by_property(validator: Any, value: Mapping[str, Any], what: str) -> dict[str, str]:
    result: dict[str, str] = {}
    for error in validator.iter_errors(value):
        if error.validator == "additionalProperties":
            result[str(error.absolute_path[-1])] = _unknown_key(error, what)
        elif error.validator == "required":
            result.setdefault("", _sentence(error, what, True))
        else:
            name = str(error.absolute_path[0])
            result[name] = _value_sentence(name, value[name], validator.schema["properties"][name])
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
    return f"; {described({'type': 'string', **error.schema})} would do"


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
            for other in unknown[:_MOST_UNKNOWN]
        )
    ]


_MOST_UNKNOWN = 20


def _sentence(error: ValidationError, name: str, is_whole: bool) -> str:
    if error.validator == "required":
        return f"{name} lacks {listed(_missing(error), 'and')}"
    assert isinstance(error.schema, dict)
    if is_whole and error.validator == "type":
        return f"{name} is an object and this is {shown(error.instance)}"
    return _value_sentence(name, error.instance, error.schema)


def _value_sentence(name: str, value: Any, fragment: Mapping[str, Any]) -> str:
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
    return f"{label} is {shown(value)}; {described(fragment)} would do{hint}"


@cache
def _shallow_document(kind: str) -> Any:
    return Validator(_without_nodes(schema.DOCUMENTS[kind]))


@cache
def _shallow_choice() -> Any:
    return Validator(_without_nodes(schema.CHOICE_VALUE))


@cache
def _shallow_node(kind: str) -> Any:
    if kind == "Template":
        call = {**schema.MODIFIER_PROPERTIES, **schema.COPY_PROPERTIES}
        return Validator(_without_nodes({"type": "object", "properties": call}))
    return Validator(
        _without_nodes(
            schema.closed({**schema.KIND_PROPERTIES[kind], **schema.MODIFIER_PROPERTIES})
        )
    )


@cache
def _shallow_op(name: str) -> Any:
    attributes = schema.attribute_properties(OPS[name])
    return Validator(
        _without_nodes(
            schema.closed(
                {
                    "op": {},
                    **attributes,
                    **schema.MODIFIER_PROPERTIES,
                    **schema.COPY_PROPERTIES,
                }
            )
        )
    )


@cache
def _shallow_row(name: str) -> Any:
    return Validator(_without_nodes(schema.closed(schema.attribute_properties(OPS[name]))))


@cache
def _attributes_validator(op: type[Op]) -> Any:
    from dataclasses import MISSING

    return Validator(
        schema.closed(
            {item.name: item.metadata["schema"] for item in op.attributes()},
            tuple(item.name for item in op.attributes() if item.default is MISSING),
        )
    )


def _without_nodes(fragment: Any) -> Any:
    """The fragment with every nested node and value allowed: the walk visits those itself."""
    if fragment == schema.NODE or (isinstance(fragment, dict) and "$ref" in fragment):
        return {}
    if isinstance(fragment, dict):
        return {key: _without_nodes(value) for key, value in fragment.items()}
    if isinstance(fragment, list):
        return [_without_nodes(value) for value in fragment]
    return fragment
