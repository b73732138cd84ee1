// A text that is not saved is kept by the browser, so that neither a closed page nor an ended studio loses it.
import { text } from "./editor";
import { isDirty, opened, start } from "./state";

const LARGEST = 2 ** 20;
let timer = 0;

function keyOf(name: string): string {
  return `archspec.draft:${start.value.root}:${name}`;
}

export function keepSoon(): void {
  clearTimeout(timer);
  timer = window.setTimeout(keep, 300);
}

function keep(): void {
  const name = opened.value?.name;
  if (!name) return;
  const kept = text();
  try {
    if (isDirty.value && kept.length < LARGEST) localStorage.setItem(keyOf(name), kept);
    else localStorage.removeItem(keyOf(name));
  } catch {
    localStorage.removeItem(keyOf(name)); // there is no room for it
  }
}

export function draftOf(name: string): string | null {
  return localStorage.getItem(keyOf(name));
}

export function dropDraft(name: string): void {
  clearTimeout(timer);
  localStorage.removeItem(keyOf(name));
}

window.addEventListener("pagehide", keep);
window.addEventListener("beforeunload", (event) => {
  if (isDirty.value) event.preventDefault();
});
