// Opening and saving; what is not saved is kept by the browser until it is.
import { batch } from "@preact/signals";
import { Gone, post, Refused } from "./api";
import { showText, text } from "./editor";
import { forget, look } from "./looking";
import * as state from "./state";

interface Found {
  name: string;
  text: string;
  sum: string;
}

export async function open(name: string): Promise<void> {
  const found = await post<Found>("open", { name });
  const lineBreak = found.text.includes("\r\n") ? "\r\n" : "\n";
  const plain = found.text.replaceAll("\r\n", "\n");
  batch(() => {
    forget();
    state.opened.value = { name, sum: found.sum, saved: plain, lineBreak };
    state.settings.value = state.freshSettings();
    state.view.value = "edit";
    state.isDirty.value = false;
  });
  showText(plain);
  location.hash = `edit/${encodeURIComponent(name)}`;
  look(true);
}

export async function save(name?: string): Promise<void> {
  const opened = state.opened.value;
  if (!opened) return;
  if (!name && state.isShipped.value) {
    state.message.value = "a shipped spec is not written over; save it as another";
    return;
  }
  const plain = text();
  const target = name ?? opened.name;
  const written = plain.replaceAll("\n", opened.lineBreak);
  try {
    const { sum } = await post<{ sum: string }>("save", { name: target, text: written, sum: name ? null : opened.sum });
    state.opened.value = { ...opened, name: target, sum, saved: plain };
    state.isDirty.value = text() !== plain;
    state.message.value = `saved ${target}`;
    if (name) location.hash = `edit/${encodeURIComponent(target)}`;
    look(true);
  } catch (error) {
    if (error instanceof Gone) state.isGone.value = true;
    else if (error instanceof Refused && error.status === 409) state.message.value = "the file was changed meanwhile";
    else state.message.value = (error as Error).message;
  }
}

export function noteChange(): void {
  state.isDirty.value = text() !== state.opened.value?.saved;
  look();
}
