"""Values of archspec.authoring as the protocol has them."""

from __future__ import annotations

from collections.abc import Iterable

from lsprotocol import types
from pygls import uris

from archspec.authoring import (
    Completion,
    Diagnostic,
    Edit,
    Hint,
    Hover,
    Lines,
    Link,
    Place,
    Symbol,
    plain_insert,
)

SOURCE = "archspec"
_COMPLETIONS = {
    "op": types.CompletionItemKind.Function,
    "template": types.CompletionItemKind.Class,
    "function": types.CompletionItemKind.Function,
    "argument": types.CompletionItemKind.Field,
    "key": types.CompletionItemKind.Property,
    "value": types.CompletionItemKind.EnumMember,
    "node": types.CompletionItemKind.Reference,
    "name": types.CompletionItemKind.Variable,
    "snippet": types.CompletionItemKind.Snippet,
    "file": types.CompletionItemKind.File,
}
_SYMBOLS = {
    "section": types.SymbolKind.Namespace,
    "template": types.SymbolKind.Class,
    "arg": types.SymbolKind.Variable,
    "op": types.SymbolKind.Function,
    "call": types.SymbolKind.Object,
    "import": types.SymbolKind.Module,
    "output": types.SymbolKind.Interface,
}
_SEVERITIES = {
    "error": types.DiagnosticSeverity.Error,
    "warning": types.DiagnosticSeverity.Warning,
}


def position(lines: Lines, offset: int) -> types.Position:
    line, character = lines.position(offset)
    return types.Position(line, character)


def span(lines: Lines, start: int, end: int) -> types.Range:
    return types.Range(position(lines, start), position(lines, end))


def location(place: Place, uri: str, lines: Lines) -> types.Location:
    """A place; `uri` and `lines` are those of the text that asks."""
    if place.is_here:
        return types.Location(uri, span(lines, place.start, place.end))
    there = Lines(place.text)
    return types.Location(to_uri(place.name), span(there, place.start, place.end))


def to_uri(path: str) -> str:
    return uris.from_fs_path(path) or path


def diagnostic(found: Diagnostic, lines: Lines) -> types.Diagnostic:
    message = "\n".join([found.message, *(f"  {call}" for call in found.stack)])
    where = span(lines, found.start, found.end)
    return types.Diagnostic(where, message, severity=_SEVERITIES[found.severity], source=SOURCE)


def completion_item(
    word: Completion, number: int, lines: Lines, takes_snippets: bool
) -> types.CompletionItem:
    is_snippet = word.is_snippet and takes_snippets
    insert = word.insert if is_snippet else plain_insert(word)
    return types.CompletionItem(
        word.label,
        kind=_COMPLETIONS[word.kind],
        detail=word.detail or None,
        documentation=word.doc or None,
        sort_text=f"{number:05}",
        filter_text=insert,
        insert_text_format=types.InsertTextFormat.Snippet
        if is_snippet
        else types.InsertTextFormat.PlainText,
        text_edit=types.TextEdit(span(lines, word.start, word.end), insert),
    )


def hover_of(told: Hover, lines: Lines, takes_markdown: bool) -> types.Hover:
    """A hover as Markdown, or as plain lines for an editor that shows those."""
    kind = types.MarkupKind.Markdown if takes_markdown else types.MarkupKind.PlainText
    text = told.markdown if takes_markdown else told.plain
    return types.Hover(types.MarkupContent(kind, text), span(lines, told.start, told.end))


def text_edits(edits: Iterable[Edit], lines: Lines) -> list[types.TextEdit]:
    return [types.TextEdit(span(lines, e.start, e.end), e.text) for e in edits]


def symbol_of(symbol: Symbol, lines: Lines) -> types.DocumentSymbol:
    return types.DocumentSymbol(
        symbol.name,
        _SYMBOLS.get(symbol.kind, types.SymbolKind.Struct),
        span(lines, symbol.start, symbol.end),
        span(lines, symbol.name_start, symbol.name_end),
        detail=symbol.detail or None,
        children=[symbol_of(child, lines) for child in symbol.children],
    )


def inlay_hint(hint: Hint, lines: Lines) -> types.InlayHint:
    where = position(lines, hint.offset)
    return types.InlayHint(where, hint.label, tooltip=hint.tooltip or None, padding_left=True)


def document_link(link: Link, lines: Lines) -> types.DocumentLink:
    target = to_uri(link.target) if link.is_file else None
    return types.DocumentLink(span(lines, link.start, link.end), target=target)
