// Every change of the text or the settings is looked at, at once; only the newest answer is shown.
import { effect, untracked } from "@preact/signals";
import { ask, Gone, type Part } from "./api";
import * as state from "./state";
import type { Figures, Picture, Times } from "./types";

const tab = crypto.randomUUID();
const LARGEST = 16 * 2 ** 20;
const AT_ONCE = 2;

let newest = 0;
let flying = 0;
let isWaiting = false;
let isFresh = false;
let readText: () => string = () => "";
const shown: Record<string, number> = {};
const lines: Record<string, string> = {};

let asked = 0;

/** Say, to whoever measures, how long after the newest keystroke a part of its answer was painted. */
function tellTime(part: string): void {
  const since = asked;
  requestAnimationFrame(() => {
    const detail = { part, ms: performance.now() - since };
    document.dispatchEvent(new CustomEvent("archspec:shown", { detail }));
  });
}

export function lookAt(read: () => string): void {
  readText = read;
  effect(() => {
    state.settings.value;
    untracked(() => look());
  });
}

/** Look again; `fresh` lets the picture be laid out anew. */
export function look(fresh = false): void {
  if (!state.opened.value) return;
  isFresh ||= fresh;
  asked = performance.now();
  newest += 1;
  if (flying >= AT_ONCE) {
    isWaiting = true;
    return;
  }
  void send(newest);
}

async function send(number: number): Promise<void> {
  const opened = state.opened.value;
  const text = readText();
  if (!opened) return;
  if (text.length > LARGEST) {
    state.failure.value = `the text has ${text.length.toLocaleString("en")} characters; use at most ${LARGEST.toLocaleString("en")}`;
    return;
  }
  flying += 1;
  const fresh = isFresh;
  isFresh = false;
  const saved = text === opened.saved ? undefined : opened.saved;
  const body = { tab, name: opened.name, text, saved, settings: state.settings.value, fresh };
  try {
    await ask("look", body, (part, line) => take(number, opened.name, part, line));
    state.isGone.value = false;
  } catch (error) {
    if (error instanceof Gone) state.isGone.value = true;
    else if (number === newest) state.failure.value = (error as Error).message;
  } finally {
    flying -= 1;
    if (isWaiting) {
      isWaiting = false;
      void send(newest);
    }
  }
}

function take(number: number, name: string, part: Part, line: string): void {
  if (part["dropped"] || state.opened.value?.name !== name) return;
  if (part["failed"]) {
    if (number === newest) state.failure.value = String(part["failed"]);
    return;
  }
  const what = String(part["part"]);
  if (number < (shown[what] ?? 0)) return;
  shown[what] = number;
  if (number === newest) tellTime(what);
  if (lines[what] === line && !state.failure.value) return; // nothing of it has changed
  lines[what] = line;
  if (what === "marks") {
    state.failure.value = "";
    state.kind.value = part["kind"];
    state.settingsProblems.value = part["settings_problems"];
    state.marks.value = part["marks"];
  } else if (what === "figures") state.figures.value = part as unknown as Figures;
  else if (what === "picture") state.picture.value = part as unknown as Picture;
  else if (what === "times") state.times.value = part as unknown as Times;
}

export function forget(): void {
  for (const what of Object.keys(lines)) delete lines[what];
  state.figures.value = state.picture.value = state.times.value = null;
  state.marks.value = [];
  state.failure.value = "";
  state.selected.value = "";
}

/** The same request as a look has, for other questions about the text. */
export function about(): { tab: string; name: string; text: string } {
  return { tab, name: state.opened.value?.name ?? "", text: readText() };
}
