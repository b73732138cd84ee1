"""Whether a JSON value is valid by a fragment of JSON Schema, for the keywords that stand in ours.

Nearly all values are, and jsonschema takes longer to import than a network to be read: it is asked
only where the answer is not yes, and then has the word (archspec.dialect). What is not a plain JSON
value, or a keyword that is not known here, is left to it too.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

NOTES = {
    "$comment", "$defs", "$id", "$schema", "default", "defaultSnippets", "description",
    "doNotSuggest", "enumDescriptions", "errorMessage", "title",
}  # fmt: skip
"""Keywords that ask nothing."""
PLAIN = {
    "string": (str,), "integer": (int,), "number": (int, float), "boolean": (bool,),
    "array": (list,), "object": (dict,), "null": (type(None),),
}  # fmt: skip
OTHERS = frozenset(kind for kinds in PLAIN.values() for kind in kinds) - {int, float}
"""Types of plain values that bounds of numbers do not speak of."""

Verdict = bool | None
"""None where it is not known here."""


def matches(pattern: str, text: str) -> bool:
    """Whether a text matches, "$" being its end; Python's is also before a line break."""
    match = re.search(pattern, text)
    return match is not None and not (pattern.endswith("$") and text.endswith("\n"))


def judge(fragment: Any, value: Any) -> Verdict:
    """Whether a value is valid by a fragment."""
    if isinstance(fragment, bool):
        return fragment
    if not fragment.keys() <= KNOWN:
        return None
    return _all(
        RULES[keyword](asked, value, fragment)
        for keyword, asked in fragment.items()
        if keyword not in NOTES
    )


def _all(verdicts: Iterable[Verdict]) -> Verdict:
    result: Verdict = True
    for verdict in verdicts:
        if verdict is False:
            return False
        if verdict is None:
            result = None
    return result


def _type(asked: Any, value: Any, _: Mapping[str, Any]) -> Verdict:
    kind = type(value)
    if kind not in OTHERS and kind not in PLAIN["number"]:
        return None
    return any(kind in PLAIN[name] for name in ([asked] if isinstance(asked, str) else asked))


def _enum(asked: Any, value: Any, _: Mapping[str, Any]) -> Verdict:
    if type(value) is str:  # what is not a text is equal to none
        return value in asked
    return True if any(type(value) is type(one) and value == one for one in asked) else None


def _any_of(asked: Any, value: Any, _: Mapping[str, Any]) -> Verdict:
    result: Verdict = False
    for option in asked:
        verdict = judge(option, value)
        if verdict is True:
            return True
        if verdict is None:
            result = None
    return result


def _not(asked: Any, value: Any, _: Mapping[str, Any]) -> Verdict:
    verdict = judge(asked, value)
    return None if verdict is None else not verdict


def _if(asked: Any, value: Any, fragment: Mapping[str, Any]) -> Verdict:
    verdict = judge(asked, value)
    if verdict is None:
        return None
    return judge(fragment.get("then" if verdict else "else", True), value)


def _further(asked: Any, value: Any, fragment: Mapping[str, Any]) -> Verdict:
    known = fragment.get("properties", {})
    return _all(judge(asked, item) for key, item in value.items() if key not in known)


def _unique(asked: Any, value: Any, _: Mapping[str, Any]) -> Verdict:
    if not asked:
        return True
    return len({*value}) == len(value) if all(type(item) is str for item in value) else None


def _bound(holds: Callable[[Any, Any], bool]) -> Callable[[Any, Any, Mapping[str, Any]], Verdict]:
    def rule(asked: Any, value: Any, _: Mapping[str, Any]) -> Verdict:
        if type(value) in OTHERS:
            return True
        return True if type(value) in PLAIN["number"] and holds(value, asked) else None

    return rule


def _of(
    kind: type, rule: Callable[[Any, Any, Mapping[str, Any]], Verdict]
) -> Callable[[Any, Any, Mapping[str, Any]], Verdict]:
    """A rule of values of one type; all others meet it."""
    return lambda asked, value, fragment: (
        rule(asked, value, fragment) if isinstance(value, kind) else True
    )


RULES: Mapping[str, Callable[[Any, Any, Mapping[str, Any]], Verdict]] = {
    "type": _type,
    "enum": _enum,
    "const": lambda asked, value, fragment: _enum([asked], value, fragment),
    "anyOf": _any_of,
    "allOf": lambda asked, value, _: _all(judge(part, value) for part in asked),
    "not": _not,
    "if": _if,
    "then": lambda *_: True,
    "else": lambda *_: True,
    "minimum": _bound(operator.ge),
    "maximum": _bound(operator.le),
    "exclusiveMinimum": _bound(operator.gt),
    "exclusiveMaximum": _bound(operator.lt),
    "pattern": _of(str, lambda asked, value, _: matches(asked, value)),
    "maxLength": _of(str, lambda asked, value, _: len(value) <= asked),
    "minLength": _of(str, lambda asked, value, _: len(value) >= asked),
    "items": _of(list, lambda asked, value, _: _all(judge(asked, item) for item in value)),
    "minItems": _of(list, lambda asked, value, _: len(value) >= asked),
    "maxItems": _of(list, lambda asked, value, _: len(value) <= asked),
    "uniqueItems": _of(list, _unique),
    "properties": _of(
        dict,
        lambda asked, value, _: _all(
            judge(asked[key], item) for key, item in value.items() if key in asked
        ),
    ),
    "additionalProperties": _of(dict, _further),
    "propertyNames": _of(dict, lambda asked, value, _: _all(judge(asked, key) for key in value)),
    "required": _of(dict, lambda asked, value, _: all(key in value for key in asked)),
    "minProperties": _of(dict, lambda asked, value, _: len(value) >= asked),
}
KNOWN = frozenset({*RULES, *NOTES})
