// Lines such as "macs < 600M" that turn red where a network does not keep to them.
import { effect, signal } from "@preact/signals";
import { amount, bytes, count, milliseconds } from "./format";
import { figures, opened, times } from "./state";

interface Budget {
  metric: string;
  sign: string;
  bound: number;
}

const NAMES: Record<string, string> = {
  params: "params", parameters: "params", macs: "macs", memory: "memory", activations: "memory",
  peak: "peak", time: "time", latency: "time", ms: "time", nodes: "nodes",
};
const UNITS: Record<string, number> = {
  "": 1, k: 1e3, m: 1e6, g: 1e9, kib: 2 ** 10, mib: 2 ** 20, gib: 2 ** 30, ms: 1,
};
const SHOW: Record<string, (value: number) => string> = {
  params: count, macs: amount, memory: bytes, peak: bytes, time: milliseconds, nodes: count,
};
const LINE = /^\s*([a-z]+)\s*(<=|>=|<|>)\s*([0-9.]+(?:e[+-]?\d+)?)\s*([a-z]*)\s*$/i;
const KEY = "archspec.budgets:";

const texts = signal<string[]>([]);
const complaint = signal("");

effect(() => {
  const name = opened.value?.name;
  if (name) texts.value = JSON.parse(localStorage.getItem(KEY + name) ?? "[]");
});

export function parse(text: string): Budget | null {
  const match = LINE.exec(text);
  const metric = match && NAMES[match[1]!.toLowerCase()];
  const unit = match ? UNITS[match[4]!.toLowerCase()] : undefined;
  if (!match || !metric || unit === undefined || !Number.isFinite(Number(match[3]))) return null;
  return { metric, sign: match[2]!, bound: Number(match[3]) * unit };
}

function valueOf(metric: string): number | null {
  if (metric === "time") return times.value?.ms ?? null;
  const totals = figures.value?.totals as unknown as Record<string, number> | undefined;
  return totals?.[metric] ?? null;
}

function keeps(budget: Budget, value: number): boolean {
  if (budget.sign === "<") return value < budget.bound;
  if (budget.sign === "<=") return value <= budget.bound;
  return budget.sign === ">" ? value > budget.bound : value >= budget.bound;
}

function set(next: string[]): void {
  texts.value = next;
  if (opened.value) localStorage.setItem(KEY + opened.value.name, JSON.stringify(next));
}

export function Budgets() {
  if (!figures.value) return null;
  return (
    <section class="budgets" aria-label="Budgets">
      <h2>budgets</h2>
      <ul>
        {texts.value.map((text) => (
          <Line text={text} />
        ))}
      </ul>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          const input = event.currentTarget.elements.namedItem("budget") as HTMLInputElement;
          if (!input.value.trim()) return;
          if (!parse(input.value)) {
            complaint.value = "a budget is params, macs, memory, peak, time or nodes, then < or >, and a number";
            return;
          }
          complaint.value = "";
          set([...texts.value, input.value.trim()]);
          input.value = "";
        }}
      >
        <input name="budget" type="text" placeholder="macs < 600M" aria-label="new budget" autocomplete="off" spellcheck={false} />
        <button>add</button>
      </form>
      {complaint.value && <p class="problem">{complaint.value}</p>}
    </section>
  );
}

function Line({ text }: { text: string }) {
  const budget = parse(text);
  if (!budget) return null;
  const value = valueOf(budget.metric);
  const isKept = value === null || keeps(budget, value);
  return (
    <li class={isKept ? "kept" : "over"}>
      <span>{text}</span>
      <span class="grow" />
      <span>{value === null ? "" : isKept ? "kept" : SHOW[budget.metric]!(value)}</span>
      <button class="small plain" aria-label={`remove ${text}`} onClick={() => set(texts.value.filter((one) => one !== text))}>×</button>
    </li>
  );
}
