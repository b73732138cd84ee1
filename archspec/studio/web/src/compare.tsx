// Two networks side by side, with what differs coloured and said.
import { effect, signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { askOnce, get } from "./api";
import { Dialog } from "./dialog";
import { about } from "./looking";
import { PanZoom } from "./panzoom";
import { isDirty, isShipped, opened, settings, SHIPPED } from "./state";

interface Side {
  name: string;
  svg: string;
  width: number;
  height: number;
  marks: Record<string, string>;
  about: Record<string, number[]>;
}

interface Compared {
  old: Side;
  new: Side;
  changes: { where: string; text: string }[];
  left_out: number;
  total: string;
}

const SAVED = "";
const WORDS = ["removed", "changed", "added"];

export const isComparing = signal(false);
const other = signal(SAVED);
const specs = signal<string[]>([]);
const compared = signal<Compared | null>(null);
const complaint = signal("");
/** The change whose boxes are framed, -1 for none. */
const chosen = signal(-1);

let asked = 0;

export async function startComparing(): Promise<void> {
  isComparing.value = true;
  const found = await get<{ own: string[]; shipped: string[] }>("specs");
  specs.value = [...found.own, ...found.shipped].filter((name) => name !== opened.value?.name);
  if (!isDirty.value && !specs.value.includes(other.value)) other.value = specs.value[0] ?? SAVED;
  if (isDirty.value) other.value = SAVED;
}

async function compare(name: string): Promise<void> {
  const number = ++asked;
  const here = opened.value!;
  const request = { ...about(), settings: settings.value, other: name || here.name, before: name ? null : here.saved };
  try {
    const found = await askOnce<Compared & Record<string, any>>("compare", request);
    if (number === asked) [compared.value, complaint.value] = [found, ""];
  } catch (error) {
    if (number === asked) [compared.value, complaint.value] = [null, (error as Error).message];
  }
}

effect(() => {
  if (!isComparing.value || !opened.value) return;
  chosen.value = -1;
  void compare(other.value);
});

export function Compare() {
  if (!isComparing.value) return null;
  const found = compared.value;
  return (
    <Dialog title="Compare" wide close={() => ((isComparing.value = false), (compared.value = null))}>
      <div class="bar">
        <label>
          with{" "}
          <select value={other.value} onChange={(event) => (other.value = event.currentTarget.value)}>
            <option value={SAVED}>{isShipped.value ? "it as it is shipped" : "what was saved"}</option>
            {specs.value.map((name) => (
              <option value={name}>{name.replace(SHIPPED, "")}</option>
            ))}
          </select>
        </label>
        <span class="grow" />
        {WORDS.map((word) => (
          <span class={`key ${word}`}>{word}</span>
        ))}
        <button class="small" onClick={() => (isComparing.value = false)}>close</button>
      </div>
      {complaint.value && <p class="problem" role="alert">{complaint.value}</p>}
      <div class="pair">
        {found && <Half side={found.old} label={`before: ${found.old.name}`} />}
        {found && <Half side={found.new} label={`now: ${found.new.name}`} />}
      </div>
      <p class="total" role="status">{found?.total ?? "…"}</p>
      <ul class="changes" tabIndex={0} aria-label="what differs">
        {found?.changes.map((change, index) => (
          <li>
            <button class="plain" aria-pressed={chosen.value === index} onClick={() => (chosen.value = chosen.value === index ? -1 : index)}>{change.text}</button>
          </li>
        ))}
        {!!found?.left_out && <li class="faint">and {found.left_out.toLocaleString("en")} more</li>}
      </ul>
    </Dialog>
  );
}

function Half({ side, label }: { side: Side; label: string }) {
  const holder = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const frame = holder.current!;
    const stage = new PanZoom(frame, () => {});
    const parsed = new DOMParser().parseFromString(side.svg, "image/svg+xml").documentElement;
    const svg = document.importNode(parsed, true) as unknown as SVGSVGElement;
    for (const words of svg.querySelectorAll("text")) words.removeAttribute("textLength");
    for (const shape of svg.querySelectorAll<SVGElement>("rect.row, text.words, circle.join")) {
      const mark = side.marks[shape.dataset["node"] ?? ""] ?? "same";
      shape.setAttribute("class", `${shape.classList[0]} d-${mark}`);
    }
    // the scale of shares says nothing here
    for (const extra of svg.querySelectorAll(".legend, .swatch, .swatch + text")) extra.remove();
    stage.show(svg, side.width, side.height);
    return effect(() => frameChosen(svg, side, stage));
  }, [side]);
  return (
    <figure>
      <figcaption>{label}</figcaption>
      <div class="stage" ref={holder} tabIndex={0} role="application" aria-label={`${label}, drawn: plus and minus zoom, 0 shows all of it`} />
    </figure>
  );
}

function frameChosen(svg: SVGSVGElement, side: Side, stage: PanZoom): void {
  let first: Element | null = null;
  for (const shape of svg.querySelectorAll<SVGElement>("rect.row, circle.join")) {
    const isIn = side.about[shape.dataset["node"] ?? ""]?.includes(chosen.value) ?? false;
    shape.classList.toggle("chosen", isIn);
    if (isIn) first ??= shape;
  }
  if (first) stage.reveal(first.getBoundingClientRect());
}
