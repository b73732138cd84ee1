// What archspec's checker says, as marks in the editor.
import { syntaxTree } from "@codemirror/language";
import { type Diagnostic, setDiagnostics } from "@codemirror/lint";
import type { EditorState } from "@codemirror/state";
import { effect } from "@preact/signals";
import { editor } from "./editor";
import { marks } from "./state";
import type { Mark } from "./types";

export function showMarks(): void {
  effect(() => {
    const found = marks.value;
    if (!editor) return;
    const state = editor.state;
    editor.dispatch(setDiagnostics(state, found.map((mark) => diagnostic(state, mark))));
  });
}

export function offsetOf(state: EditorState, line: number, column: number): number {
  const at = state.doc.line(Math.min(Math.max(line, 1), state.doc.lines));
  return Math.min(at.from + column - 1, at.to);
}

function diagnostic(state: EditorState, mark: Mark): Diagnostic {
  const from = offsetOf(state, mark.line, mark.column);
  const node = syntaxTree(state).resolveInner(from, 1);
  const line = state.doc.lineAt(from);
  const to = node.from === from ? Math.min(node.to, line.to) : Math.min(from + 1, line.to);
  const stack = mark.stack.map((call) => `\n  ${call}`).join("");
  return { from, to: Math.max(to, from), severity: mark.severity, message: mark.message + stack };
}
