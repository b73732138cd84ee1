// The two-way link: a box of the picture and the text that wrote it.
import { syntaxTree } from "@codemirror/language";
import type { EditorState } from "@codemirror/state";
import { signal } from "@preact/signals";
import { editor, jump } from "./editor";
import { change, picture, selected, settings } from "./state";
import type { Picture } from "./types";

/** Boxes that the text under the cursor wrote. */
export const lit = signal<ReadonlySet<string>>(new Set());
/** The box under the pointer. */
export const hovered = signal("");

function offset(state: EditorState, place: [number, number]): number {
  const line = state.doc.line(Math.min(Math.max(place[0], 1), state.doc.lines));
  return Math.min(line.from + place[1] - 1, line.to);
}

/** Light up what the innermost node around the cursor wrote. */
export function follow(): void {
  const shown = picture.peek();
  if (!editor || !shown) return;
  const state = editor.state;
  const byOffset = new Map(shown.places.map((place, index) => [offset(state, place), index]));
  let node: { name: string; from: number; parent: any } | null = syntaxTree(state).resolveInner(state.selection.main.head, 0);
  for (; node; node = node.parent) {
    const index = byOffset.get(node.from);
    if (index === undefined || (node.name !== "Object" && node.name !== "String")) continue;
    lit.value = boxesOf(shown, index);
    return;
  }
  lit.value = new Set();
}

function boxesOf(shown: Picture, place: number): Set<string> {
  const found = new Set(Object.keys(shown.boxes).filter((name) => shown.boxes[name]!.places.includes(place)));
  // of boxes within each other the outermost says it
  return new Set([...found].filter((name) => !holdersOf(name).some((outer) => found.has(outer))));
}

/** The blocks around a box by its name, outermost first. */
export function holdersOf(name: string): string[] {
  const parts = name.split(".");
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join("."));
}

/** Choose a box; the editor shows the line that wrote it, and takes the keys where it `focuses`. */
export function choose(name: string, focuses = false): void {
  selected.value = name;
  const place = picture.value?.places[picture.value.boxes[name]?.places[0] ?? -1];
  if (!place || !editor) return;
  const active = document.activeElement as HTMLElement | null;
  jump(offset(editor.state, place));
  if (!focuses) active?.focus?.();
}

/** Draw a block as one row, or a row that was one as its block again. */
export function toggleFold(name: string): void {
  const box = picture.value?.boxes[name];
  if (!box || !(box.block || box.folded)) return;
  const folded = settings.value.folded;
  change({ folded: box.folded ? folded.filter((one) => one !== name) : [...folded, name] });
}
