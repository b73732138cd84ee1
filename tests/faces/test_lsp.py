"""The language server, tried by a client that speaks the protocol: pygls' own, over a pipe."""

from __future__ import annotations

import asyncio
import sys
import threading
from pathlib import Path

import pytest

pytest.importorskip("pygls")
from lsprotocol import types
from pygls import uris
from pygls.lsp.client import LanguageClient

from archspec import authoring, load
from archspec.sources import shipped_folder, shipped_names
from archspec.tables import shown_amount

SECONDS = 60
SPECS = [name for name in shipped_names() if "/" not in name]


class Editor:
    """A client with one server, whose answers are waited for."""

    def __init__(self, root: Path):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.client = LanguageClient("test", "1")
        self.told: dict[str, list[types.Diagnostic]] = {}
        self.news = asyncio.Condition()

        @self.client.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
        async def _(params: types.PublishDiagnosticsParams):
            async with self.news:
                self.told[params.uri, params.version] = list(params.diagnostics)
                self.news.notify_all()

        self.wait(self.client.start_io(sys.executable, "-m", "archspec", "lsp", cwd=str(root)))
        completion = types.CompletionClientCapabilities(
            completion_item=types.ClientCompletionItemOptions(snippet_support=True)
        )
        hover = types.HoverClientCapabilities(content_format=[types.MarkupKind.Markdown])
        capabilities = types.ClientCapabilities(
            general=types.GeneralClientCapabilities(
                position_encodings=[types.PositionEncodingKind.Utf16]
            ),
            text_document=types.TextDocumentClientCapabilities(completion=completion, hover=hover),
        )
        params = types.InitializeParams(capabilities, root_uri=root.as_uri())
        self.result = self.wait(self.client.initialize_async(params))
        self.client.initialized(types.InitializedParams())
        self.versions: dict[str, int] = {}

    def wait(self, answer):
        return asyncio.run_coroutine_threadsafe(answer, self.loop).result(SECONDS)

    def open(self, path: Path, text: str) -> types.TextDocumentIdentifier:
        uri = path.as_uri()
        self.versions[uri] = 1
        item = types.TextDocumentItem(uri, "json", 1, text)
        self.client.text_document_did_open(types.DidOpenTextDocumentParams(item))
        return types.TextDocumentIdentifier(uri)

    def change(self, document: types.TextDocumentIdentifier, text: str) -> None:
        self.versions[document.uri] += 1
        named = types.VersionedTextDocumentIdentifier(
            uri=document.uri, version=self.versions[document.uri]
        )
        whole = types.TextDocumentContentChangeWholeDocument(text)
        self.client.text_document_did_change(types.DidChangeTextDocumentParams(named, [whole]))

    def diagnostics(self, document: types.TextDocumentIdentifier) -> list[types.Diagnostic]:
        """What is told of the text's newest version."""
        key = document.uri, self.versions[document.uri]

        async def told():
            async with self.news:
                await self.news.wait_for(lambda: key in self.told)
            return self.told[key]

        return self.wait(told())

    def ask(self, method: str, params):
        return self.wait(getattr(self.client, f"{method}_async")(params))

    def close(self):
        self.wait(self.client.shutdown_async(None))
        self.client.exit(None)
        self.wait(self.client.stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(SECONDS)
        self.loop.close()


@pytest.fixture(scope="module")
def editor(tmp_path_factory):
    editor = Editor(tmp_path_factory.mktemp("project"))
    yield editor
    editor.close()


def position_of(text: str, part: str, inside: int = 1) -> types.Position:
    before = text[: text.index(part) + inside]
    return types.Position(before.count("\n"), len(before.rpartition("\n")[2]))


def text_in(text: str, span: types.Range) -> str:
    lines = authoring.Lines(text)
    start = lines.offset(span.start.line, span.start.character)
    return text[start : lines.offset(span.end.line, span.end.character)]


def apply(text: str, edits: list[types.TextEdit]) -> str:
    lines = authoring.Lines(text)
    return authoring.apply_edits(
        text,
        [
            authoring.Edit(
                lines.offset(e.range.start.line, e.range.start.character),
                lines.offset(e.range.end.line, e.range.end.character),
                e.new_text,
            )
            for e in edits
        ],
    )


WHOLE = types.Range(types.Position(0, 0), types.Position(100_000, 0))
TEXT = """{
  "archspec": 1, "name": "net", "doc": "\N{GRINNING FACE}", "input": {"shape": [3, 32, 32]},
  "args": {"wide": 16}, "import": {"b": "blocks.json"},
  "templates": {"Unit": {"args": {"channels": {"type": "integer", "doc": "how many"}},
    "body": [{"op": "conv", "name": "mix", "kernel": 3, "channels": "=channels"}, "relu"]}},
  "body": [
    {"op": "Unit", "name": "stem", "channels": "=wide"},
    {"op": "b.Twice", "name": "pair"},
    {"op": "add", "name": "sum", "from": ["stem", "pair"]}
  ]
}
"""
BLOCKS = '{"archspec": 1, "templates": {"Twice": {"doc": "Two of it.", "body": ["relu", "relu"]}}}'


@pytest.fixture(scope="module")
def net(editor, tmp_path_factory):
    folder = tmp_path_factory.mktemp("net")
    (folder / "blocks.json").write_text(BLOCKS)
    (folder / "net.json").write_text(TEXT)
    return editor.open(folder / "net.json", TEXT)


def at(document, part, inside=1):
    return {"text_document": document, "position": position_of(TEXT, part, inside)}


def test_shipped_specs_are_right_and_counted(editor):
    """Nothing is marked, and the numbers shown are those of the graph."""
    for name in SPECS:
        path = shipped_folder() / f"{name}.json"
        text = path.read_text()
        document = editor.open(path, text)
        assert editor.diagnostics(document) == []
        hints = editor.ask("text_document_inlay_hint", types.InlayHintParams(document, WHOLE))
        stats = load(name).stats()
        total = f"{shown_amount(stats.params)} parameters, {shown_amount(stats.macs)} MACs"
        if '"extends"' not in text:
            assert total in [hint.label for hint in hints], name
        close = types.DidCloseTextDocumentParams(document)
        editor.client.text_document_did_close(close)


def test_hints_are_the_shapes_of_stats(editor, net):
    hints = editor.ask("text_document_inlay_hint", types.InlayHintParams(net, WHOLE))
    shown = {hint.position.line: hint.label for hint in hints}
    assert [shown[line] for line in (6, 7, 8)] == ["16x32x32"] * 3


def test_mistakes_are_marked_and_mended(editor, tmp_path):
    right = TEXT.replace('"import": {"b": "blocks.json"},', "").replace("b.Twice", "Unit")
    right = right.replace('"name": "pair"', '"name": "pair", "channels": 16')
    document = editor.open(tmp_path / "wrong.json", right)
    assert editor.diagnostics(document) == []
    for old, new in (
        ('"op": "conv"', '"op": "cnov"'),
        ('"kernel"', '"kernel_size"'),
        ('"=wide"', '"=wid"'),
        ('"from": ["stem"', '"from": ["stm"'),
        ('"op": "Unit", "name": "stem"', '"op": "Unt", "name": "stem"'),
    ):
        wrong = right.replace(old, new, 1)
        editor.change(document, wrong)
        (found,) = editor.diagnostics(document)
        assert text_in(wrong, found.range).strip('"=') in new
        context = types.CodeActionContext([found])
        params = types.CodeActionParams(document, found.range, context)
        (action,) = editor.ask("text_document_code_action", params)
        assert apply(wrong, action.edit.changes[document.uri]) == right
    editor.change(document, right)
    assert editor.diagnostics(document) == []


def test_what_an_import_lacks_is_marked_where_it_is_imported(editor, tmp_path):
    (tmp_path / "blocks.json").write_text(BLOCKS)
    document = editor.open(tmp_path / "net.json", TEXT)
    assert editor.diagnostics(document) == []
    other = editor.open(tmp_path / "blocks.json", BLOCKS.replace("relu", "rleu"))
    editor.diagnostics(other)
    editor.change(document, TEXT + " ")
    found = editor.diagnostics(document)
    assert found and all("blocks.json:1:" in each.message for each in found)
    assert text_in(TEXT, found[0].range) == '"blocks.json"'
    assert "did you mean 'relu'" in found[0].message


def labels(editor, document, position) -> dict[str, types.CompletionItem]:
    params = types.CompletionParams(document, position)
    found = editor.ask("text_document_completion", params)
    return {item.label: item for item in found.items}


def test_completion_while_typing(editor, tmp_path):
    (tmp_path / "blocks.json").write_text(BLOCKS)
    document = editor.open(tmp_path / "typing.json", TEXT)
    for cut, words in (
        ('{"op": "b.', {"b.Twice", "Unit", "conv", "MBConv"}),
        ('{"op": "add", "name": "sum", "from": ["', {"stem", "pair", "in"}),
        ('{"op": "Unit", "name": "stem", ', {"channels", "repeat", "from"}),
        ('"channels": "=', {"channels", "in_channels", "divisible"}),
        ('{"op": "Unit", "name": "stem", "channels": "=', {"wide", "in_channels", "divisible"}),
        ('"import": {"b": "', {"blocks.json", "blocks/isynet"}),
    ):
        typed = TEXT[: TEXT.index(cut) + len(cut)] if cut in TEXT else None
        typed = typed or TEXT[: TEXT.index('    {"op": "b.Twice"')] + cut
        editor.change(document, typed)
        here = authoring.Lines(typed).position(len(typed))
        found = labels(editor, document, types.Position(*here))
        assert words <= found.keys(), cut
        assert any(d.severity == 1 for d in editor.diagnostics(document))
    assert found["blocks.json"].text_edit.new_text == '"blocks.json"'


def test_hover(editor, net):
    found = editor.ask("text_document_hover", types.HoverParams(**at(net, '"b.Twice"')))
    assert "Two of it." in found.contents.value and "16x32x32" in found.contents.value
    found = editor.ask("text_document_hover", types.HoverParams(**at(net, '"channels": "=wide"')))
    assert "how many" in found.contents.value


def test_definition_references_and_rename(editor, net):
    found = editor.ask("text_document_definition", types.DefinitionParams(**at(net, '"b.Twice"')))
    path = Path(uris.to_fs_path(found.uri))
    assert path.name == "blocks.json" and path.read_text() == BLOCKS
    context = types.ReferenceContext(include_declaration=True)
    params = types.ReferenceParams(context=context, **at(net, '"stem"'))
    found = editor.ask("text_document_references", params)
    assert [text_in(TEXT, place.range) for place in found] == ["stem", "stem"]
    assert editor.ask(
        "text_document_prepare_rename", types.PrepareRenameParams(**at(net, '"stem"'))
    )
    params = types.RenameParams(new_name="first", **at(net, '"stem"'))
    edits = editor.ask("text_document_rename", params).changes[net.uri]
    assert apply(TEXT, edits) == TEXT.replace('"stem"', '"first"')
    with pytest.raises(Exception, match="taken already"):
        editor.ask("text_document_rename", types.RenameParams(new_name="sum", **at(net, '"stem"')))
    highlights = types.DocumentHighlightParams(**at(net, '"wide"'))
    assert len(editor.ask("text_document_document_highlight", highlights)) == 2


def test_outline_and_links(editor, net):
    found = editor.ask("text_document_document_symbol", types.DocumentSymbolParams(net))
    inner = {symbol.name: [child.name for child in symbol.children] for symbol in found}
    assert inner["body"] == ["stem", "pair", "sum"] and inner["templates"] == ["Unit"]
    (link,) = editor.ask("text_document_document_link", types.DocumentLinkParams(net))
    assert link.target.endswith("/blocks.json") and text_in(TEXT, link.range) == "blocks.json"


def test_it_says_what_it_can(editor):
    can = editor.result.capabilities
    for feature in (
        can.completion_provider, can.hover_provider, can.definition_provider,
        can.references_provider, can.rename_provider, can.document_symbol_provider,
        can.inlay_hint_provider, can.code_action_provider, can.document_link_provider,
    ):  # fmt: skip
        assert feature
