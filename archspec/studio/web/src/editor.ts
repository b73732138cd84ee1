// The editor of the text: CodeMirror, with archspec's marks, completions and hovers in it.
import { closeBrackets, closeBracketsKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { json } from "@codemirror/lang-json";
import { bracketMatching, foldGutter, foldKeymap, indentOnInput, indentUnit } from "@codemirror/language";
import { lintGutter, lintKeymap } from "@codemirror/lint";
import { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
import { EditorState, type Extension, Prec } from "@codemirror/state";
import {
  drawSelection,
  EditorView,
  highlightActiveLine,
  highlightActiveLineGutter,
  highlightSpecialChars,
  keymap,
  lineNumbers,
} from "@codemirror/view";
import { colours, highlighting } from "./editor_style";

export interface Listener {
  changed(): void;
  moved(): void;
  save(): void;
}

export let editor: EditorView | null = null;

function extensions(listener: Listener, more: Extension): Extension {
  const nonce = document.querySelector<HTMLMetaElement>("meta[name=style-nonce]")!.content;
  return [
    EditorView.cspNonce.of(nonce),
    lineNumbers(),
    highlightActiveLineGutter(),
    highlightSpecialChars(),
    history(),
    foldGutter({ openText: "⌄", closedText: "›" }),
    drawSelection(),
    EditorState.allowMultipleSelections.of(true),
    indentOnInput(),
    indentUnit.of("  "),
    bracketMatching(),
    closeBrackets(),
    highlightActiveLine(),
    highlightSelectionMatches(),
    search({ top: true }),
    json(),
    lintGutter(),
    colours,
    highlighting,
    EditorView.contentAttributes.of({ "aria-label": "The spec, as JSON", spellcheck: "false", tabindex: "0" }),
    keymap.of([
      { key: "Mod-s", preventDefault: true, run: () => (listener.save(), true) },
      ...closeBracketsKeymap,
      ...searchKeymap,
      ...historyKeymap,
      ...foldKeymap,
      ...lintKeymap,
      ...defaultKeymap,
      indentWithTab,
    ]),
    // last, once nothing else is to be closed: the Tab key then leaves the text
    Prec.lowest(keymap.of([{ key: "Escape", run: (view) => (view.contentDOM.blur(), true) }])),
    EditorView.updateListener.of((update) => {
      if (update.docChanged) listener.changed();
      if (update.docChanged || update.selectionSet) listener.moved();
    }),
    more,
  ];
}

export function mountEditor(parent: HTMLElement, listener: Listener, more: Extension): void {
  editor = new EditorView({ parent, state: EditorState.create({ extensions: extensions(listener, more) }) });
  remake = (text) => EditorState.create({ doc: text, extensions: extensions(listener, more) });
}

let remake: (text: string) => EditorState = () => EditorState.create();

/** Show another text: undo does not lead back to the one before. */
export function showText(text: string): void {
  editor?.setState(remake(text));
}

/** Replace the text, as one step that undo takes back. */
export function replaceText(text: string): void {
  editor?.dispatch({ changes: { from: 0, to: editor.state.doc.length, insert: text } });
}

export function text(): string {
  return editor ? editor.state.doc.toString() : "";
}

/** Put the cursor at the beginning of a line, from 1. */
export function jumpToLine(line: number): void {
  if (editor) jump(editor.state.doc.line(Math.min(Math.max(line, 1), editor.state.doc.lines)).from);
}

/** Put the cursor at an offset, in the middle of what is seen. */
export function jump(offset: number): void {
  if (!editor) return;
  const at = Math.min(offset, editor.state.doc.length);
  editor.dispatch({ selection: { anchor: at }, effects: EditorView.scrollIntoView(at, { y: "center" }) });
  editor.focus();
}
