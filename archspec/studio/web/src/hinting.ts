// What nodes come to, behind them in the text: shapes, and totals behind "body". They are asked for
// once no key has been pressed for a while, and move with the text until then.
import { type Extension, type Range, StateEffect, StateField } from "@codemirror/state";
import { Decoration, type DecorationSet, EditorView, WidgetType } from "@codemirror/view";
import { effect, signal } from "@preact/signals";
import { askOnce } from "./api";
import { editor } from "./editor";
import { about } from "./looking";
import { opened } from "./state";

interface Hint {
  at: number;
  label: string;
  tooltip: string;
}

const KEY = "archspec.hints";
const QUIET = 300;

export const hasHints = signal(localStorage.getItem(KEY) !== "no");

export function toggleHints(): void {
  hasHints.value = !hasHints.value;
  localStorage.setItem(KEY, hasHints.value ? "yes" : "no");
}

class Words extends WidgetType {
  constructor(private hint: Hint) {
    super();
  }

  override eq(other: Words): boolean {
    return other.hint.label === this.hint.label;
  }

  toDOM(): HTMLElement {
    const made = document.createElement("span");
    made.className = "cm-hint";
    made.dataset["label"] = this.hint.label; // shown by the style sheet: it is not part of the text
    made.title = this.hint.tooltip;
    made.setAttribute("aria-hidden", "true");
    return made;
  }
}

const setHints = StateEffect.define<Hint[]>();

const field = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update(shown, transaction) {
    shown = shown.map(transaction.changes);
    for (const one of transaction.effects) if (one.is(setHints)) shown = decorate(one.value, transaction.newDoc.length);
    return shown;
  },
  provide: (field) => EditorView.decorations.from(field),
});

let timer = 0;

function refreshSoon(): void {
  clearTimeout(timer);
  if (hasHints.peek()) timer = window.setTimeout(() => void refresh(), QUIET);
}

export const hints: Extension = [field, EditorView.updateListener.of((update) => update.docChanged && refreshSoon())];

function decorate(found: Hint[], length: number): DecorationSet {
  const all: Range<Decoration>[] = found
    .filter((hint) => hint.at <= length)
    .map((hint) => Decoration.widget({ widget: new Words(hint), side: 1 }).range(hint.at));
  return Decoration.set(all, true);
}

export function showHints(): void {
  effect(() => {
    opened.value; // another text
    if (hasHints.value) refreshSoon();
    else editor?.dispatch({ effects: setHints.of([]) });
  });
}

async function refresh(): Promise<void> {
  const asked = about();
  if (!asked.name) return;
  const found = await askOnce<{ hints: Hint[] }>("hints", asked).catch(() => null);
  const now = about();
  if (!found || now.text !== asked.text || now.name !== asked.name || !hasHints.value) return;
  editor?.dispatch({ effects: setHints.of(found.hints) });
}
