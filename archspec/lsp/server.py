"""The server's answers to an editor. What they say is archspec.authoring's."""

from __future__ import annotations

import asyncio
import sys
from typing import Any, BinaryIO, cast

from lsprotocol import types
from pygls import uris
from pygls.exceptions import JsonRpcInvalidParams
from pygls.lsp.server import LanguageServer

from archspec import authoring
from archspec.authoring import Draft, Lines
from archspec.errors import SpecError
from archspec.extras import PACKAGE, version_of
from archspec.lsp import words
from archspec.lsp.texts import OpenFiles
from archspec.sources import real_path

PAUSE = 0.02
"""Seconds without a keystroke before a text is judged anew."""
TRIGGERS = ('"', ":", "=", "'", ".", "[", "{", ",", " ", "/")


class Server(LanguageServer):
    """One editor's server, with its open texts."""

    def __init__(self) -> None:
        super().__init__("archspec", version_of(PACKAGE))
        self.files = OpenFiles(self._find_open)
        self._waiting: asyncio.TimerHandle | None = None

    def draft(self, uri: str) -> tuple[Draft, Lines]:
        """The text that is open under a URI, and its lines as this editor counts in them."""
        text = self.workspace.get_text_document(uri).source
        path = uris.to_fs_path(uri) if uri.startswith("file:") else None
        draft = authoring.read_draft(
            text, name=path or uri, project=None if path is None else self.files
        )
        encoding = str(getattr(self.workspace.position_encoding, "value", "utf-16"))
        return draft, draft.lines if encoding == "utf-16" else Lines(text, encoding)

    def place(self, params: Any) -> tuple[Draft, Lines, int]:
        """The text, its lines and the offset that a request is about."""
        draft, lines = self.draft(params.text_document.uri)
        return draft, lines, lines.offset(params.position.line, params.position.character)

    def judge_soon(self) -> None:
        """Tell what is wrong with all open texts, since one may refer to another, once nobody
        types."""
        if self._waiting is not None:
            self._waiting.cancel()
        self._waiting = asyncio.get_running_loop().call_later(PAUSE, self.judge)

    def judge(self) -> None:
        """Tell what is wrong with all open texts."""
        for uri, document in list(self.workspace.text_documents.items()):
            draft, lines = self.draft(uri)
            found = [words.diagnostic(each, lines) for each in authoring.diagnose(draft)]
            self.text_document_publish_diagnostics(
                types.PublishDiagnosticsParams(uri, found, version=document.version)
            )

    def _find_open(self, path: str) -> str | None:
        """What the editor has of a file, if it is open."""
        for uri, document in self.workspace.text_documents.items():
            own = uris.to_fs_path(uri) if uri.startswith("file:") else None
            if own is not None and real_path(own) == path:
                return document.source
        return None

    @property
    def takes_snippets(self) -> bool:
        asked = self.client_capabilities.text_document
        item = asked and asked.completion and asked.completion.completion_item
        return bool(item and item.snippet_support)

    @property
    def takes_markdown(self) -> bool:
        asked = self.client_capabilities.text_document
        formats = asked and asked.hover and asked.hover.content_format
        return types.MarkupKind.Markdown in (formats or ())


def make_server() -> Server:
    """A server that answers all that archspec.authoring knows."""
    server = Server()
    _add_changes(server)
    _add_words(server)
    _add_names(server)
    _add_views(server)
    return server


def _add_changes(server: Server) -> None:
    @server.feature(types.TEXT_DOCUMENT_DID_OPEN)
    def _(params: types.DidOpenTextDocumentParams) -> None:
        server.judge_soon()

    @server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    def _(params: types.DidChangeTextDocumentParams) -> None:
        server.judge_soon()

    @server.feature(types.TEXT_DOCUMENT_DID_SAVE)
    def _(params: types.DidSaveTextDocumentParams) -> None:
        server.judge_soon()

    @server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    def _(params: types.DidChangeWatchedFilesParams) -> None:
        server.judge_soon()

    @server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    def _(params: types.DidCloseTextDocumentParams) -> None:
        empty = types.PublishDiagnosticsParams(params.text_document.uri, [])
        server.text_document_publish_diagnostics(empty)
        server.judge_soon()


def _add_words(server: Server) -> None:
    @server.feature(
        types.TEXT_DOCUMENT_COMPLETION, types.CompletionOptions(trigger_characters=TRIGGERS)
    )
    def _(params: types.CompletionParams) -> types.CompletionList:
        draft, lines, offset = server.place(params)
        items = [
            words.completion_item(word, number, lines, server.takes_snippets)
            for number, word in enumerate(authoring.complete(draft, offset))
        ]
        return types.CompletionList(is_incomplete=False, items=items)

    @server.feature(types.TEXT_DOCUMENT_HOVER)
    def _(params: types.HoverParams) -> types.Hover | None:
        draft, lines, offset = server.place(params)
        told = authoring.hover(draft, offset)
        return None if told is None else words.hover_of(told, lines, server.takes_markdown)

    @server.feature(
        types.TEXT_DOCUMENT_CODE_ACTION,
        types.CodeActionOptions(code_action_kinds=[types.CodeActionKind.QuickFix]),
    )
    def _(params: types.CodeActionParams) -> list[types.CodeAction]:
        uri = params.text_document.uri
        draft, lines = server.draft(uri)
        start, end = (
            lines.offset(place.line, place.character)
            for place in (params.range.start, params.range.end)
        )
        return [
            types.CodeAction(
                fix.title,
                kind=types.CodeActionKind.QuickFix,
                diagnostics=[words.diagnostic(found, lines)],
                edit=types.WorkspaceEdit(changes={uri: words.text_edits(fix.edits, lines)}),
                is_preferred=True,
            )
            for found in authoring.diagnose(draft)
            if found.start <= end and start <= found.end
            for fix in found.fixes
        ]


def _add_names(server: Server) -> None:
    @server.feature(types.TEXT_DOCUMENT_DEFINITION)
    def _(params: types.DefinitionParams) -> types.Location | None:
        draft, lines, offset = server.place(params)
        found = authoring.find_definition(draft, offset)
        return found and words.location(found, params.text_document.uri, lines)

    @server.feature(types.TEXT_DOCUMENT_REFERENCES)
    def _(params: types.ReferenceParams) -> list[types.Location]:
        draft, lines, offset = server.place(params)
        uri = params.text_document.uri
        found = authoring.find_references(draft, offset)
        if not params.context.include_declaration:
            given = authoring.find_definition(draft, offset)
            found = tuple(place for place in found if place != given)
        return [words.location(place, uri, lines) for place in found]

    @server.feature(types.TEXT_DOCUMENT_DOCUMENT_HIGHLIGHT)
    def _(params: types.DocumentHighlightParams) -> list[types.DocumentHighlight]:
        draft, lines, offset = server.place(params)
        found = authoring.find_references(draft, offset)
        return [types.DocumentHighlight(words.span(lines, p.start, p.end)) for p in found]

    @server.feature(types.TEXT_DOCUMENT_PREPARE_RENAME)
    def _(params: types.PrepareRenameParams) -> types.Range | None:
        draft, lines, offset = server.place(params)
        found = authoring.find_name(draft, offset)
        return found and words.span(lines, found.start, found.end)

    @server.feature(types.TEXT_DOCUMENT_RENAME, types.RenameOptions(prepare_provider=True))
    def _(params: types.RenameParams) -> types.WorkspaceEdit:
        draft, lines, offset = server.place(params)
        try:
            edits = authoring.rename(draft, offset, params.new_name)
        except SpecError as error:
            raise JsonRpcInvalidParams(str(error)) from None
        return types.WorkspaceEdit(
            changes={params.text_document.uri: words.text_edits(edits, lines)}
        )


def _add_views(server: Server) -> None:
    @server.feature(types.TEXT_DOCUMENT_DOCUMENT_SYMBOL)
    def _(params: types.DocumentSymbolParams) -> list[types.DocumentSymbol]:
        draft, lines = server.draft(params.text_document.uri)
        return [words.symbol_of(symbol, lines) for symbol in authoring.outline(draft)]

    @server.feature(types.TEXT_DOCUMENT_INLAY_HINT)
    def _(params: types.InlayHintParams) -> list[types.InlayHint]:
        draft, lines = server.draft(params.text_document.uri)
        first, last = params.range.start.line, params.range.end.line
        hints = (words.inlay_hint(hint, lines) for hint in authoring.find_hints(draft))
        return [hint for hint in hints if first <= hint.position.line <= last]

    @server.feature(types.TEXT_DOCUMENT_DOCUMENT_LINK)
    def _(params: types.DocumentLinkParams) -> list[types.DocumentLink]:
        draft, lines = server.draft(params.text_document.uri)
        return [words.document_link(link, lines) for link in authoring.find_links(draft)]


def serve() -> None:
    """Answer one editor over standard input and output until it says that it ends."""
    assert sys.__stdin__ is not None and sys.__stdout__ is not None
    # bytes of a protocol are for a program: what sys.stdout guards is text for people
    streams = (cast("BinaryIO", stream.buffer) for stream in (sys.__stdin__, sys.__stdout__))
    make_server().start_io(*streams)
