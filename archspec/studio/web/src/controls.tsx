// What can be set without writing: args, input, batch, device, and the choices of a space.
import { signal } from "@preact/signals";
import { askOnce } from "./api";
import { amount, bytes, count } from "./format";
import { about } from "./looking";
import { change, figures, freshSettings, kind, settings, settingsProblems, start } from "./state";
import type { Arg, Choice } from "./types";

export function Controls() {
  const found = figures.value;
  if (!found) return null;
  const { args, input, batch, device, decisions } = settings.value;
  const isChanged = Object.keys(args).length > 0 || input !== null || batch !== 1 || decisions !== "first";
  const isSpace = kind.value === "space";
  return (
    <section class="controls" aria-label="Settings">
      <h2>
        settings
        {isChanged && (
          <button class="small" onClick={() => change({ ...freshSettings(), device })}>
            as written
          </button>
        )}
      </h2>
      {settingsProblems.value.map((problem) => (
        <p class="problem">{problem}</p>
      ))}
      {!isSpace && found.args.map((arg) => <ArgInput key={arg.name} arg={arg} />)}
      {!isSpace && <Input />}
      <label class="field">
        <span>batch</span>
        <input type="number" min={1} value={batch} onChange={(event) => change({ batch: whole(event.currentTarget.value, 1) })} />
      </label>
      <label class="field">
        <span>device</span>
        <select value={device} onChange={(event) => change({ device: event.currentTarget.value })}>
          <option value="">none</option>
          {start.value.devices.map((name) => (
            <option>{name}</option>
          ))}
        </select>
      </label>
      {isSpace && <Choices choices={found.choices} />}
    </section>
  );
}

function whole(text: string, least: number): number {
  return Math.max(Math.floor(Number(text)) || least, least);
}

function Input() {
  const shape = settings.value.input ?? figures.value!.input;
  const titles = ["channels", "height", "width"];
  return (
    <div class="field" role="group" aria-label="input">
      <span>input</span>
      <span class="three">
        {shape.map((extent, axis) => (
          <input
            type="number"
            min={1}
            value={extent}
            aria-label={titles[axis]}
            title={titles[axis]}
            onChange={(event) => {
              const next = [...shape];
              next[axis] = whole(event.currentTarget.value, 1);
              change({ input: next });
            }}
          />
        ))}
      </span>
    </div>
  );
}

function ArgInput({ arg }: { arg: Arg }) {
  const given = settings.value.args;
  const value = arg.name in given ? given[arg.name] : arg.value;
  const set = (next: unknown) => change({ args: { ...given, [arg.name]: next } });
  return (
    <label class="field" title={arg.doc}>
      <span>{arg.name}</span>
      <Widget schema={arg.schema} value={value} set={set} />
    </label>
  );
}

function Widget({ schema, value, set }: { schema: Arg["schema"]; value: unknown; set: (value: unknown) => void }) {
  if (Array.isArray(schema["enum"])) return <Select options={schema["enum"]} value={value} set={set} />;
  const type = schema["type"];
  if (type === "boolean") return <input type="checkbox" checked={value === true} onChange={(event) => set(event.currentTarget.checked)} />;
  if ((type === "integer" || type === "number") && typeof value === "number")
    return (
      <input
        type="number"
        step={type === "integer" ? 1 : "any"}
        min={schema["minimum"]}
        max={schema["maximum"]}
        value={value}
        onChange={(event) => event.currentTarget.value !== "" && set(Number(event.currentTarget.value))}
      />
    );
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return <input type="text" value={text} spellcheck={false} onChange={(event) => set(read(event.currentTarget.value))} />;
}

/** JSON, or a bare word. */
function read(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function Select({ options, value, set }: { options: unknown[]; value: unknown; set: (value: unknown) => void }) {
  const words = options.map((option) => JSON.stringify(option));
  return (
    <select value={words.indexOf(JSON.stringify(value))} onChange={(event) => set(options[Number(event.currentTarget.value)])}>
      {options.map((option, index) => (
        <option value={index}>{typeof option === "string" ? option : words[index]}</option>
      ))}
    </select>
  );
}

interface Range {
  assignments: number | null;
  networks: number | null;
  ranges: [string, number, number][];
  drawn: number;
}

const range = signal<Range | string | null>(null);

function Choices({ choices }: { choices: Choice[] }) {
  const wanted = settings.value.decisions; // which may be newer than the choices that are shown
  const taken = { ...Object.fromEntries(choices.map((choice) => [choice.key, choice.taken])), ...(typeof wanted === "string" ? {} : wanted) };
  return (
    <>
      <h2>choices</h2>
      <p class="buttons">
        <button onClick={() => change({ decisions: "first" })}>first</button>
        <button onClick={() => change({ decisions: `random:${Math.floor(Math.random() * 1e9)}` })}>random</button>
        <button onClick={() => void weigh()}>range of costs</button>
      </p>
      <Ranges />
      {choices.map((choice) => (
        <label class="field" key={choice.key}>
          <span title={choice.key}>{choice.key}</span>
          <Select options={choice.options} value={choice.taken} set={(option) => change({ decisions: { ...taken, [choice.key]: option } })} />
        </label>
      ))}
    </>
  );
}

async function weigh(): Promise<void> {
  range.value = "…";
  range.value = await askOnce<Range & Record<string, any>>("range", about()).catch((error: Error) => error.message);
}

function Ranges() {
  const found = range.value;
  if (!found) return null;
  if (typeof found === "string") return <p class="faint">{found}</p>;
  const shown = (metric: string, value: number) => (metric === "activations" ? bytes(value) : amount(value));
  return (
    <dl class="ranges">
      <dt>networks</dt>
      <dd>{found.networks !== null ? count(found.networks) : found.assignments !== null ? `at most ${count(found.assignments)}` : "more than are counted"}</dd>
      {found.ranges.map(([metric, least, most]) => (
        <>
          <dt>{metric === "params" ? "parameters" : metric === "macs" ? "MACs" : metric}</dt>
          <dd>{shown(metric, least)} to {shown(metric, most)}</dd>
        </>
      ))}
      {found.drawn > 0 && <dd class="faint">of {found.drawn} drawn at random</dd>}
    </dl>
  );
}

export function forgetRange(): void {
  range.value = null;
}
