// What archspec's checker says, as marks in the editor, each with what one click mends.
import { type Action, type Diagnostic, setDiagnostics } from "@codemirror/lint";
import type { EditorView } from "@codemirror/view";
import { effect } from "@preact/signals";
import { editor } from "./editor";
import { marks } from "./state";
import type { Fix, Mark } from "./types";

export function showMarks(): void {
  effect(() => {
    const found = marks.value;
    if (!editor) return;
    const length = editor.state.doc.length;
    editor.dispatch(setDiagnostics(editor.state, found.map((mark) => diagnostic(mark, length))));
  });
}

function diagnostic(mark: Mark, length: number): Diagnostic {
  const from = Math.min(mark.from, length);
  const stack = mark.stack.map((call) => `\n  ${call}`).join("");
  return {
    from,
    to: Math.min(Math.max(mark.to, from), length),
    severity: mark.severity,
    message: mark.message + stack,
    actions: mark.fixes.map((fix): Action => ({
      name: fix.title,
      apply: (view, at) => mend(view, fix, at - mark.from),
    })),
  };
}

/** Make the edits of a fix, which has moved by so many characters since it was found. */
export function mend(view: EditorView, fix: Fix, moved = 0): void {
  const changes = fix.edits.map((edit) => ({ from: edit.from + moved, to: edit.to + moved, insert: edit.insert }));
  view.dispatch({ changes, userEvent: "input.fix" });
  view.focus();
}
