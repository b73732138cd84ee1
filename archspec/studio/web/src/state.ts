// What the page knows, as signals: each is written in one module and read in many.
import { computed, signal } from "@preact/signals";
import type { Figures, Kind, Mark, Picture, Settings, Times } from "./types";

export interface Start {
  root: string;
  spec: string;
  devices: string[];
}

/** A spec that is open: its name, and what is known to be on disk (`sum` is null for a new one). */
export interface Opened {
  name: string;
  sum: string | null;
  saved: string;
  lineBreak: "\n" | "\r\n";
}

export type View = "gallery" | "edit" | "run";

export const start = signal<Start>({ root: "", spec: "", devices: [] });
export const view = signal<View>("gallery");
export const opened = signal<Opened | null>(null);
export const isDirty = signal(false);
export const isGone = signal(false);

export const kind = signal<Kind>("broken");
export const marks = signal<Mark[]>([]);
export const settingsProblems = signal<string[]>([]);
export const figures = signal<Figures | null>(null);
export const picture = signal<Picture | null>(null);
export const times = signal<Times | null>(null);
/** Why there is no answer at all, such as a spec that takes too long. */
export const failure = signal("");
/** Whether what is shown is of an older text, because this one has no network. */
export const isStale = computed(
  () => !!failure.value || settingsProblems.value.length > 0 || kind.value === "broken",
);

export const settings = signal<Settings>(freshSettings());
export const selected = signal("");
export const message = signal("");

export const SHIPPED = "shipped:";
export const isShipped = computed(() => opened.value?.name.startsWith(SHIPPED) ?? false);

export function freshSettings(): Settings {
  return { args: {}, input: null, batch: 1, device: "ascend310", decisions: "first", folded: [] };
}

export function change(part: Partial<Settings>): void {
  settings.value = { ...settings.value, ...part };
}
