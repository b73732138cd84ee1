"""What each value of a document is for, by where it stands: a node, a row of arguments, a name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from archspec.authoring.tree import Item
from archspec.document_schema import DOCUMENTS
from archspec.grammar import Schema
from archspec.schema import KIND_PROPERTIES, MODIFIER_PROPERTIES
from archspec.syntax import KINDS

DOCUMENT = "document"
NODE = "node"
"""A node, or a list of them."""
BRANCHES = "branches"
OP = "op"
SOURCE = "source"
"""The name of an earlier result, or several."""
ROW = "row"
"""An object of arguments for one copy."""
ARGUMENT = "argument"
VALUE = "value"
"""Inside an argument, or a default."""
ARG = "arg"
"""The declaration of an argument."""

_DOCUMENT_ROLES = {
    "body": NODE, "templates": "templates", "args": "args", "defaults": "defaults",
    "import": "imports", "outputs": "outputs", "extends": "reference",
}  # fmt: skip
_TEMPLATE_ROLES = {"body": NODE, "args": "args", "inputs": "inputs", "outputs": "outputs"}
_NODE_ROLES = {
    "op": OP, "body": NODE, "residual": NODE, "shortcut": NODE, "branches": BRANCHES,
    "from": SOURCE, "name": "name", "first": ROW, "last": ROW, "doc": "field", "share": "field",
}  # fmt: skip
_INNER = {
    "templates": "template", "args": ARG, "defaults": ROW, "imports": "reference",
    "outputs": SOURCE, SOURCE: SOURCE, BRANCHES: NODE, "options": NODE, "rows": ROW,
    "inputs": "field", "field": "field", ROW: ARGUMENT, ARGUMENT: VALUE, VALUE: VALUE,
    "modifier": VALUE, OP: OP, "reference": "field", "name": "field",
}  # fmt: skip
"""The role of what is in a value, by the value's own, where the key does not matter."""


def role_of(item: Item) -> str:
    """What a value is for; "field" where only the schema says."""
    parent = item.parent
    if parent is None:
        return DOCUMENT
    role, key = role_of(parent), item.key
    if role == DOCUMENT:
        return _DOCUMENT_ROLES.get(str(key), "field")
    if role == "template":
        return _TEMPLATE_ROLES.get(str(key), "field")
    if role == NODE:
        return NODE if parent.kind == "array" else _role_in_node(parent, str(key))
    if role == ARG:
        is_declared = parent.kind == "object" and parent.get("choice") is None
        if is_declared and key != "default":
            return "field"
        return NODE if _is_node(item) else VALUE
    inner = _INNER.get(role, "field")
    return NODE if inner in (ARGUMENT, VALUE) and _is_node(item) else inner


def _role_in_node(node: Item, key: str) -> str:
    if key == "choice" and node.get("op") is None:
        return "options"
    if key in ("each", "parallel") and node.get(key, 0) is not None:
        return "rows"
    if key in _NODE_ROLES:
        return _NODE_ROLES[key]
    if key in ("when", "repeat", "each", "parallel", "join"):
        return "modifier"
    return NODE if _is_node(node.get(key)) else ARGUMENT


def _is_node(item: Item | None) -> bool:
    """Whether an argument is a node that is passed on, or several in sequence."""
    if item is None:
        return False
    if item.kind == "array" and item.items:
        return _is_node(item.items[0])
    return item.kind == "object" and any(item.get(kind) is not None for kind in KINDS[:-1])


def nodes_around(item: Item) -> Iterator[Item]:
    """The node objects that a value is, or is in, innermost first."""
    return (i for i in item.ancestors() if i.kind == "object" and role_of(i) == NODE)


def kind_of(node: Item) -> str:
    """Which of KINDS a node object is, or "" where that is not written yet."""
    return next((kind for kind in KINDS if node.get(kind) is not None), "")


def document_kind(root: Item) -> str:
    """ "extension", "library" or "spec", which is also what a text is that says nothing yet."""
    if root.get("extends") is not None:
        return "extension"
    return "library" if root.get("templates") is not None and not _has_spec(root) else "spec"


def _has_spec(root: Item) -> bool:
    return any(root.get(key) is not None for key in ("body", "input", "outputs", "expect"))


def fragment_of(item: Item) -> Schema:
    """The schema of a value that is not a node, nor in one: {} where nothing is said of it."""
    if item.parent is None:
        return DOCUMENTS[document_kind(item)]
    if role_of(item.parent) == NODE and item.parent.kind == "object":
        kind = kind_of(item.parent)
        properties = {**MODIFIER_PROPERTIES, **KIND_PROPERTIES.get(kind, {})}
        return properties.get(str(item.key), {})
    return step_into(fragment_of(item.parent), item.key, item.parent.kind == "array")


def step_into(fragment: Schema, key: str | int, is_list: bool) -> Schema:
    """The schema of what is under a key of a value, by the value's."""
    for part in options_of(fragment):
        if is_list and isinstance(part.get("items"), Mapping):
            return part["items"]
        if not is_list and str(key) in part.get("properties", {}):
            return part["properties"][str(key)]
        if not is_list and isinstance(part.get("additionalProperties"), Mapping):
            return part["additionalProperties"]
    return {}


def options_of(fragment: Schema) -> list[Mapping[str, Any]]:
    """The ways in which a fragment lets a value be written."""
    found = [fragment] if fragment else []
    for part in (*fragment.get("anyOf", ()), fragment.get("then"), fragment.get("else")):
        if isinstance(part, Mapping):
            found += options_of(part)
    return found
