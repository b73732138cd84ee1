// Opening, saving, and noticing what other programs do to the file.
import { batch, signal } from "@preact/signals";
import { Gone, post, Refused } from "./api";
import { forgetRange } from "./controls";
import { draftOf, dropDraft, keepSoon } from "./drafts";
import { jump, replaceText, showText, text } from "./editor";
import { forget, look } from "./looking";
import * as state from "./state";

interface Found {
  name: string;
  text: string;
  sum: string;
}

/** What is on disk where it is not what the page knew; `wants` is whether one tried to save. */
export const conflict = signal<Found | null>(null);
/** An unsaved text of the open spec that the browser has kept. */
export const draft = signal<string | null>(null);
/** Whether a file was changed on disk while there are changes here. */
export const isBehind = signal(false);

const EVERY = 2500;

export async function open(name: string, at?: number): Promise<void> {
  if (state.opened.value?.name === name && state.view.value === "edit") {
    if (at !== undefined) jump(at);
    return;
  }
  const found = await post<Found>("open", { name });
  show(name, found.text, found.sum, found.text.replaceAll("\r\n", "\n"));
  const kept = draftOf(name);
  draft.value = kept !== null && kept !== state.opened.value!.saved ? kept : null;
  if (at !== undefined) jump(at);
}

function show(name: string, found: string, sum: string | null, saved: string): void {
  batch(() => {
    forget();
    forgetRange();
    const lineBreak = found.includes("\r\n") ? "\r\n" : "\n";
    state.opened.value = { name, sum, saved, lineBreak };
    state.settings.value = { ...state.freshSettings(), device: state.settings.value.device };
    state.view.value = "edit";
    state.isDirty.value = false;
    state.message.value = "";
    draft.value = null;
    isBehind.value = false;
  });
  showText(found.replaceAll("\r\n", "\n"));
  noteChange();
  const hash = `#edit/${encodeURIComponent(name)}`;
  if (location.hash !== hash) history.pushState(null, "", hash);
  document.title = `${name.replace(state.SHIPPED, "")} – archspec studio`;
  look(true);
}

/** Begin a new spec; it is a file once it is saved. */
export async function begin(name: string): Promise<void> {
  const { text } = await post<{ text: string }>("new", { name });
  beginWith(name, text);
}

/** The same with a text that is there already. */
export function beginWith(name: string, text: string): void {
  show(name, text, null, "");
}

/** Save, under another name where one is given. */
export async function save(name?: string, known?: string | null): Promise<boolean> {
  const opened = state.opened.value;
  if (!opened) return false;
  if (!name && state.isShipped.value) {
    state.message.value = "a shipped spec is not written over; save it under a name of your own";
    return false;
  }
  const plain = text();
  const target = name ?? opened.name;
  const sum = known !== undefined ? known : target === opened.name ? opened.sum : null;
  try {
    const body = { name: target, text: plain.replaceAll("\n", opened.lineBreak), sum };
    const saved = await post<{ sum: string }>("save", body);
    dropDraft(opened.name);
    state.opened.value = { ...opened, name: target, sum: saved.sum, saved: plain };
    state.isDirty.value = text() !== plain;
    state.message.value = `saved ${target}`;
    isBehind.value = false;
    conflict.value = null;
    draft.value = null;
    history.replaceState(null, "", `#edit/${encodeURIComponent(target)}`);
    look(true);
    return true;
  } catch (error) {
    if (error instanceof Gone) state.isGone.value = true;
    else if (error instanceof Refused && error.status === 409) {
      conflict.value = { name: target, text: String(error.body["text"]), sum: String(error.body["sum"]) };
    } else state.message.value = (error as Error).message;
    return false;
  }
}

export function noteChange(): void {
  state.isDirty.value = text() !== state.opened.value?.saved;
  keepSoon();
  look();
}

export function takeDraft(): void {
  if (draft.value !== null) replaceText(draft.value);
  draft.value = null;
}

export function leaveDraft(): void {
  if (state.opened.value) dropDraft(state.opened.value.name);
  draft.value = null;
}

/** Take what is on disk in place of what is here; undo brings it back. */
export function takeOther(found: Found): void {
  const opened = state.opened.value;
  if (!opened) return;
  const plain = found.text.replaceAll("\r\n", "\n");
  state.opened.value = { ...opened, sum: found.sum, saved: plain };
  replaceText(plain);
  noteChange();
  conflict.value = null;
  isBehind.value = false;
}

export async function showConflict(): Promise<void> {
  const name = state.opened.value?.name;
  if (name) conflict.value = await post<Found>("open", { name });
}

async function watch(): Promise<void> {
  const opened = state.opened.value;
  if (!opened || document.hidden || state.view.value !== "edit") return;
  try {
    const { sum } = await post<{ sum: string | null }>("sum", { name: opened.name });
    state.isGone.value = false;
    if (state.opened.value !== opened || sum === null || opened.sum === null || sum === opened.sum) return;
    if (state.isDirty.value) {
      isBehind.value = true;
      return;
    }
    takeOther(await post<Found>("open", { name: opened.name }));
    state.message.value = "another program changed the file; this is what it is now";
  } catch (error) {
    state.isGone.value = error instanceof Gone;
  }
}

export function watchDisk(): void {
  setInterval(() => void watch(), EVERY);
}
