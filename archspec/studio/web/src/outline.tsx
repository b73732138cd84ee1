// The text's args, templates and nodes, to go to one of them; and another name for one.
import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { askOnce } from "./api";
import { Dialog } from "./dialog";
import { editor, jump } from "./editor";
import { fits } from "./format";
import { hasHints, toggleHints } from "./hinting";
import { about } from "./looking";
import { mend } from "./marking";
import { message } from "./state";
import type { Fix } from "./types";

interface Symbol {
  name: string;
  kind: string;
  detail: string;
  at: number;
  depth: number;
}

const symbols = signal<Symbol[] | null>(null);
const wanted = signal("");
/** The name that is to be another, and where it stands. */
const renaming = signal<{ old: string; at: number } | null>(null);
const complaint = signal("");

export function showOutline(): void {
  wanted.value = "";
  askOnce<{ symbols: Symbol[] }>("outline", about())
    .then((found) => (symbols.value = found.symbols))
    .catch((error: Error) => (message.value = error.message));
}

export function startRenaming(): void {
  const at = editor!.state.selection.main.head;
  askOnce<{ old?: string }>("rename", { ...about(), at })
    .then((found) => {
      if (found.old === undefined) message.value = "put the cursor on the name of a node, a template or an argument to rename it";
      else [renaming.value, complaint.value, message.value] = [{ old: found.old, at }, "", ""];
    })
    .catch((error: Error) => (message.value = error.message));
}

export function TextBar() {
  return (
    <div class="bar">
      <button class="small" onClick={showOutline} title="Ctrl-Shift-O">outline</button>
      <button class="small" onClick={startRenaming} title="F2, with the cursor on a name">rename</button>
      <span class="grow" />
      <button class="small" aria-pressed={hasHints.value} onClick={toggleHints} title="shapes behind the nodes">shapes</button>
    </div>
  );
}

export function Outline() {
  if (!symbols.value) return null;
  const fitting = symbols.value.filter((one) => fits(`${one.name} ${one.detail}`, wanted.value));
  const go = (symbol: Symbol | undefined) => {
    if (!symbol) return;
    symbols.value = null;
    requestAnimationFrame(() => jump(symbol.at)); // once the dialog has given the keys back
  };
  return (
    <Dialog title="Outline" close={() => (symbols.value = null)}>
      <form onSubmit={(event) => (event.preventDefault(), go(fitting[0]))}>
        <input type="search" class="whole" placeholder="find a node, a template or an argument" aria-label="find in the outline" value={wanted.value} onInput={(event) => (wanted.value = event.currentTarget.value)} />
      </form>
      <ul class="outline" aria-label="outline">
        {fitting.map((one) => (
          <li style={{ paddingLeft: `${wanted.value.trim() ? 0 : one.depth * 18}px` }}>
            <button class="plain" onClick={() => go(one)}>
              {one.name} <span class="faint">{[one.kind, one.detail].filter(Boolean).join(" · ")}</span>
            </button>
          </li>
        ))}
        {!fitting.length && <li class="faint">nothing of these words</li>}
      </ul>
    </Dialog>
  );
}

export function Renaming() {
  const field = useRef<HTMLInputElement>(null);
  const found = renaming.value;
  useEffect(() => field.current?.select(), [found]);
  if (!found) return null;
  return (
    <Dialog title={`Rename ${found.old}`} close={() => (renaming.value = null)}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          askOnce<{ edits: Fix["edits"] }>("rename", { ...about(), at: found.at, new: field.current!.value })
            .then(({ edits }) => {
              renaming.value = null;
              requestAnimationFrame(() => mend(editor!, { title: "", edits }));
            })
            .catch((error: Error) => (complaint.value = error.message));
        }}
      >
        <label class="field">
          <span>new name</span>
          <input ref={field} name="name" type="text" defaultValue={found.old} spellcheck={false} autocomplete="off" />
        </label>
        {complaint.value && <p class="problem" role="alert">{complaint.value}</p>}
        <p class="buttons">
          <span class="grow" />
          <button type="button" onClick={() => (renaming.value = null)}>cancel</button>
          <button class="main">rename</button>
        </p>
      </form>
    </Dialog>
  );
}
