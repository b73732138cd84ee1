"""The outline of a text, and its references to others."""

from __future__ import annotations

from collections.abc import Iterator

from archspec.authoring.draft import Draft
from archspec.authoring.linking import resolve_reference
from archspec.authoring.naming import target_of
from archspec.authoring.roles import kind_of, role_of
from archspec.authoring.tree import Item
from archspec.authoring.values import Link, Symbol


def outline(draft: Draft) -> tuple[Symbol, ...]:
    """The args, templates and nodes of a text, each with what is inside it."""
    return tuple(filter(None, (_section(item) for item in draft.tree.items)))


def _section(item: Item) -> Symbol | None:
    """A part of the document that holds something to go to."""
    key = str(item.key)
    children: tuple[Symbol, ...] = ()
    if key == "templates":
        children = tuple(map(_template, item.items))
    elif key in ("args", "import", "outputs", "defaults"):
        children = tuple(_entry(each, _ENTRIES[key]) for each in item.items)
    elif key == "body":
        children = tuple(_nodes(item))
    return _symbol(item, key, "section", "", item.key_span, children) if children else None


_ENTRIES = {"args": "arg", "import": "import", "outputs": "output", "defaults": "op"}


def _entry(item: Item, kind: str) -> Symbol:
    is_short = item.kind not in ("object", "array")
    return _symbol(item, str(item.key), kind, str(item.value) if is_short else "", item.key_span)


def _template(item: Item) -> Symbol:
    args, body = item.get("args"), item.get("body")
    children = [_entry(each, "arg") for each in (args.items if args is not None else ())]
    children += _nodes(body) if body is not None else []
    doc = item.text("doc") or ""
    return _symbol(item, str(item.key), "template", doc, item.key_span, tuple(children))


def _nodes(item: Item) -> Iterator[Symbol]:
    """The nodes of a body, and those that are directly inside one."""
    if item.kind == "array":
        for child in item.items:
            yield from _nodes(child)
    elif item.kind == "string":
        yield _symbol(item, str(item.value), "op", "", item.span)
    elif item.kind == "object":
        yield _node(item)


def _node(item: Item) -> Symbol:
    kind = kind_of(item)
    target = target_of(item) or ("call" if kind == "op" else kind or "node")
    name = item.get("name")
    is_named = name is not None and name.kind == "string" and bool(name.value)
    title = str(name.value) if name is not None and is_named else target
    children: list[Symbol] = []
    for key in () if kind == "op" or not kind else (kind, "shortcut"):
        inner = item.get(key)
        if inner is None:
            continue
        if key == "branches" and inner.kind == "object":
            children += [
                _symbol(b, str(b.key), "branch", "", b.key_span, tuple(_nodes(b)))
                for b in inner.items
            ]
        else:
            children += _nodes(inner)
    kinds = "op" if target.rpartition(".")[2][:1].islower() else "call"
    head = item.get(kind)
    span = name.span if name is not None and is_named else item.span
    if not is_named and kind == "op" and head is not None:
        span = head.span
    detail = _copies(item, target if is_named else "")
    return _symbol(item, title, kinds if kind == "op" else kind or "op", detail, span,
                   tuple(children))  # fmt: skip


def _copies(item: Item, detail: str) -> str:
    """What is called, and how often it stands."""
    for key in ("repeat", "each", "parallel"):
        copies = item.get(key)
        if copies is not None:
            count = len(copies.items) if copies.kind == "array" else copies.value
            return f"{detail} x {count}".strip()
    return detail


def _symbol(
    item: Item,
    name: str,
    kind: str,
    detail: str,
    span: tuple[int, int],
    children: tuple[Symbol, ...] = (),
) -> Symbol:
    start = item.key_start if item.key_start >= 0 else item.start
    return Symbol(name or "?", kind, detail, start, max(item.end, span[1]), *span, children)


def find_links(draft: Draft) -> tuple[Link, ...]:
    """What the text extends and imports, as far as it is there."""
    found: list[Link] = []
    for item in draft.tree.walk():
        if item.kind == "string" and role_of(item) == "reference":
            is_import = item.key != "extends"
            source = resolve_reference(draft, str(item.value), is_import)
            if source is not None:
                path = draft.path_of(source)
                found.append(Link(*item.inner, path or source.name, path is not None))
    return tuple(found)
