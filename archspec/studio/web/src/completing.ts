// Completions, hovers and the way to a definition: archspec.authoring's, shown by CodeMirror.
import {
  autocompletion,
  type Completion,
  type CompletionContext,
  completionKeymap,
  type CompletionResult,
  snippet,
} from "@codemirror/autocomplete";
import type { Extension } from "@codemirror/state";
import { EditorView, hoverTooltip, keymap } from "@codemirror/view";
import { askOnce } from "./api";
import { about } from "./looking";

interface Option {
  label: string;
  kind: string;
  detail: string;
  doc: string;
  insert: string;
  plain: string;
  snippet: boolean;
  from: number;
  to: number;
}

interface Known {
  from: number;
  to: number;
  title: string;
  doc: string;
  rows: [string, string][];
}

const KINDS: Record<string, string> = {
  op: "function", template: "class", argument: "property", key: "property", value: "constant",
  node: "variable", name: "variable", function: "function", snippet: "text", file: "namespace",
};

async function complete(context: CompletionContext): Promise<CompletionResult | null> {
  const before = context.matchBefore(/"?=?[\w.\[\]-]*$/);
  if (!context.explicit && (!before || before.from === before.to)) return null;
  const { options } = await askOnce<{ options: Option[] }>("complete", { ...about(), at: context.pos });
  if (!options.length || context.aborted) return null;
  const word = context.matchBefore(/[\w-]*$/);
  return {
    from: word ? word.from : context.pos,
    options: options.map((option, index) => completion(option, options.length - index)),
    validFor: /^[\w-]*$/,
  };
}

function completion(option: Option, rank: number): Completion {
  return {
    label: option.label.replace(/^"|"$/g, ""),
    type: KINDS[option.kind] ?? "text",
    detail: option.detail.slice(0, 60),
    info: option.doc || undefined,
    boost: Math.min(rank, 50),
    apply: (view, _completion, _from, to) => put(view, option, to),
  };
}

function put(view: EditorView, option: Option, cursor: number): void {
  // the text typed since the question was asked is replaced too, and a quote that was closed for us
  const end = Math.max(option.to, cursor);
  const next = view.state.sliceDoc(end, end + 1);
  const to = next === '"' && option.insert.endsWith('"') && option.to <= cursor ? end + 1 : end;
  if (option.snippet && !/\$\{\d+\|/.test(option.insert)) {
    snippet(option.insert.replaceAll("\\$", "$"))(view, null, option.from, to);
    return;
  }
  const insert = option.plain;
  view.dispatch({ changes: { from: option.from, to, insert }, selection: { anchor: option.from + insert.length } });
}

const hovering = hoverTooltip(
  async (_view, at) => {
    const { found } = await askOnce<{ found: Known | null }>("hover", { ...about(), at }).catch(() => ({ found: null }));
    if (!found) return null;
    return { pos: found.from, end: found.to, above: true, create: () => ({ dom: card(found) }) };
  },
  { hoverTime: 250 },
);

function card(known: Known): HTMLElement {
  const made = element("div", "hover");
  made.append(element("b", "", known.title));
  if (known.doc) made.append(element("p", "", known.doc));
  const rows = element("dl", "");
  for (const [label, value] of known.rows) rows.append(element("dt", "", label), element("dd", "", value));
  if (known.rows.length) made.append(rows);
  return made;
}

function element(tag: string, className: string, text = ""): HTMLElement {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text; // what a spec says is text, whatever is in it
  return made;
}

/** Go to where what stands under the cursor is defined, in this text or another. */
export type Goer = (name: string, at: number) => void;

export function authoring(go: Goer): Extension {
  const define = (view: EditorView): boolean => {
    const at = view.state.selection.main.head;
    askOnce<{ name?: string; at?: number }>("define", { ...about(), at })
      .then((found) => found.name && go(found.name, found.at ?? 0))
      .catch(() => 0);
    return true;
  };
  return [
    autocompletion({ override: [complete], maxRenderedOptions: 60, activateOnTypingDelay: 60 }),
    keymap.of([...completionKeymap, { key: "F12", run: define }, { key: "Mod-b", run: define }]),
    hovering,
  ];
}
