// A training or a search while it goes: its curves or its front, its log, and the networks behind the points.
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { askOnce, Gone } from "./api";
import { Chart, type Point, short } from "./chart";
import { beginWith, open } from "./filing";
import { count, amount } from "./format";
import { message, view } from "./state";

type Trial = [number, number, number];

interface Told {
  same?: boolean;
  stamp: string;
  kind: "training" | "search";
  title: string;
  folder: string;
  spec: string;
  facts: [string, string][];
  log: string[];
  charts?: { title: string; x: string; lines: { name: string; points: Point[] }[] }[];
  axes?: [string, string];
  better?: [number, number];
  tried?: Trial[];
  front?: Trial[];
  random?: Trial[];
  random_front?: Trial[];
}

interface Network {
  id: string;
  spec: string;
  text: string;
  svg: string;
  params: number;
  macs: number;
  decisions: string[];
}

const EVERY = 1500;

export const runName = signal("");
const told = signal<Told | null>(null);
const complaint = signal("");
const chosen = signal("");
const network = signal<Network | null>(null);
const known = new Map<string, Network>();

export function showRun(name: string): void {
  if (runName.value !== name) {
    known.clear();
    [told.value, network.value, chosen.value] = [null, null, ""];
  }
  runName.value = name;
  complaint.value = message.value = "";
  view.value = "run";
}

async function poll(): Promise<void> {
  if (document.hidden) return;
  try {
    const found = await askOnce<Told & Record<string, any>>("run", { run: runName.value, seen: told.value?.stamp });
    if (!found.same) told.value = found;
    complaint.value = "";
  } catch (error) {
    complaint.value = error instanceof Gone ? "the studio does not answer; this is what it said last" : (error as Error).message;
  }
}

async function networkOf(number: number, baseline: boolean): Promise<Network> {
  const key = `${baseline}:${number}`;
  const found = known.get(key) ?? (await askOnce<Network & Record<string, any>>("trial", { run: runName.value, number, baseline }));
  known.set(key, found);
  return found;
}

function point(number: number, baseline: boolean): void {
  const key = `${baseline}:${number}`;
  chosen.value = key;
  networkOf(number, baseline)
    .then((found) => chosen.value === key && (network.value = found))
    .catch((error: Error) => (complaint.value = error.message));
}

async function openNetwork(number: number, baseline: boolean): Promise<void> {
  try {
    const found = await networkOf(number, baseline);
    if (found.spec) await open(found.spec);
    else beginWith(`${found.id}.json`, found.text);
  } catch (error) {
    complaint.value = (error as Error).message;
  }
}

export function Run() {
  useEffect(() => {
    void poll();
    const timer = setInterval(() => void poll(), EVERY);
    return () => clearInterval(timer);
  }, [runName.value]);
  const found = told.value;
  return (
    <main class="run">
      <section class="charts" aria-label="Charts" tabIndex={0}>
        <h2>{found?.title ?? "…"}</h2>
        {complaint.value && <p class="problem" role="alert">{complaint.value}</p>}
        {found?.charts?.map((chart) => (
          <Chart title={chart.title} y={chart.title} x={chart.x} curves={chart.lines.map((line, index) => ({ ...line, look: chart.lines.length > 1 && !index ? "pale" : "deep" }))} />
        ))}
        {found?.kind === "search" && <Front found={found} />}
      </section>
      <aside aria-label="What is known" tabIndex={0}>
        {found && (
          <section>
            <dl class="known">
              {found.facts.map(([name, value]) => (
                <>
                  <dt>{name}</dt>
                  <dd>{value}</dd>
                </>
              ))}
            </dl>
            {found.spec && <p class="buttons"><button onClick={() => void open(found.spec)}>open its spec</button></p>}
          </section>
        )}
        {found?.kind === "search" && <Shown />}
        {found && (
          <section>
            <h2>log</h2>
            <ol class="log" aria-live="off">
              {found.log.map((line) => (
                <li>{line}</li>
              ))}
            </ol>
            {!found.log.length && <p class="faint">nothing yet</p>}
          </section>
        )}
      </aside>
    </main>
  );
}

/** The edge of what a front dominates. */
function stairs(points: Trial[]): Point[] {
  const found: Point[] = [];
  for (const [, x, y] of [...points].sort((one, other) => one[1] - other[1])) {
    if (found.length) found.push([x, found.at(-1)![1]]);
    found.push([x, y]);
  }
  return found;
}

function Front({ found }: { found: Told }) {
  const [x, y] = found.axes!;
  const say = (name: string, way: number) => name + (way ? (way > 0 ? ", more is better" : ", less is better") : "");
  const curves = [
    { name: `random search, ${found.random!.length}`, points: stairs(found.random_front!), look: "other" },
    { name: "front", points: stairs(found.front!), look: "deep" },
  ].filter((curve) => curve.points.length);
  const front = new Set(found.front!.map((trial) => trial[0]));
  const rest = found.tried!.filter((trial) => !front.has(trial[0]));
  const all = [...found.random!, ...found.tried!].map(([, a, b]) => [a, b] as Point);
  return (
    <Chart wide title="networks tried" x={say(x, found.better![0])} y={say(y, found.better![1])} curves={curves} others={all}>
      {(frame) => {
        const dot = (look: string, baseline: boolean) => ([number, a, b]: Trial) => (
          <circle
            key={`${look}${number}`}
            class={`dot ${look} ${chosen.value === `${baseline}:${number}` ? "chosen" : ""}`}
            cx={frame.x(a)}
            cy={frame.y(b)}
            r={look === "front" ? 4.5 : 3}
            {...(look === "front" ? { tabIndex: 0, role: "button", "aria-label": `${x} ${short(a)}, ${y} ${short(b)}` } : { "aria-hidden": "true" })}
            onPointerEnter={() => point(number, baseline)}
            onFocus={() => point(number, baseline)}
            onClick={() => void openNetwork(number, baseline)}
            onKeyDown={(event) => event.key === "Enter" && void openNetwork(number, baseline)}
          />
        );
        return (
          <>
            {found.random!.map(dot("random", true))}
            {rest.map(dot("tried", false))}
            {found.front!.map(dot("front", false))}
          </>
        );
      }}
    </Chart>
  );
}

/** The network of the point that was chosen last. */
function Shown() {
  const found = network.value;
  if (!found) return <section class="faint">point at a network to see it, click to open it</section>;
  return (
    <section aria-label="the network">
      <h2>{found.id}</h2>
      <p>{`${count(found.params)} parameters · ${amount(found.macs)} MACs`}</p>
      <img class="small-picture" alt={`the network ${found.id}, drawn`} src={`data:image/svg+xml,${encodeURIComponent(found.svg)}`} />
      <ul class="decisions">
        {found.decisions.map((line) => (
          <li>{line}</li>
        ))}
      </ul>
    </section>
  );
}
