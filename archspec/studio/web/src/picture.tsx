// The live picture: archspec's own SVG, panned, zoomed, coloured by what one asks for, and linked.
import { effect, signal, untracked } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { browse } from "./browsing";
import { colourBy, type Metric, METRICS, paint } from "./colouring";
import { Info } from "./info";
import { follow, lit } from "./linking";
import { look } from "./looking";
import { PanZoom } from "./panzoom";
import { Drawing } from "./patching";
import { change, isStale, kind, marks, picture, selected, settings, times } from "./state";

const zoom = signal(1);
/** Of a network's time, what a finding must cost to be marked in the picture. */
const NOTABLE = 0.01;
let stage: PanZoom | null = null;
let drawing: Drawing | null = null;

export function Picture() {
  const holder = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const frame = holder.current!;
    stage = new PanZoom(frame, (factor) => (zoom.value = factor));
    browse(frame, (name) => reveal(frame, name));
    effect(() => showPicture(stage!));
    effect(() => recolour(frame));
    effect(() => light(frame));
    effect(() => warn(frame));
  }, []);
  return (
    <section class="picture" aria-label="Picture">
      <div class="bar">
        <label>
          colour by{" "}
          <select value={colourBy.value} onChange={(event) => (colourBy.value = event.currentTarget.value as Metric)}>
            {METRICS.map((metric) => (
              <option value={metric.key}>{metric.title}</option>
            ))}
          </select>
        </label>
        {settings.value.folded.length > 0 && <button onClick={() => change({ folded: [] })}>unfold all</button>}
        <span class="grow" />
        <button class="small" onClick={() => stage?.zoomBy(1 / 1.25)} aria-label="smaller" title="smaller (−)">−</button>
        <output aria-label="zoom">{Math.round(zoom.value * 100)} %</output>
        <button class="small" onClick={() => stage?.zoomBy(1.25)} aria-label="larger" title="larger (+)">+</button>
        <button class="small" onClick={() => (stage?.fit(), look(true))} title="lay it out anew and show all of it (0)">fit</button>
      </div>
      <div
        class={`stage ${isStale.value ? "stale" : ""}`}
        ref={holder}
        tabIndex={0}
        role="application"
        aria-label="The network, drawn: arrows go from box to box, Enter goes to its line, f folds it"
      />
      {!picture.value && kind.value === "library" && <p class="empty">A library of templates has no network to draw.</p>}
      {!picture.value && kind.value === "broken" && marks.value.length > 0 && <p class="empty">There is a picture once the text has no errors.</p>}
      <Info />
    </section>
  );
}

function showPicture(stage: PanZoom): void {
  const shown = picture.value;
  if (!shown) {
    drawing = null;
    stage.clear();
    return;
  }
  if (!drawing?.become(shown.svg)) drawing = Drawing.of(shown.svg);
  if (!drawing) return;
  const { svg } = drawing;
  untracked(() => paint(svg));
  stage.show(svg, shown.width, shown.height);
  untracked(follow);
}

function recolour(frame: HTMLElement): void {
  colourBy.value;
  times.value; // which come after the picture
  const svg = frame.querySelector("svg");
  if (svg) paint(svg);
}

/** Frame what the cursor's text wrote, the chosen box, and where something would run badly. */
function light(frame: HTMLElement): void {
  picture.value;
  const [shown, chosen] = [lit.value, selected.value];
  for (const shape of frame.querySelectorAll<SVGElement>("rect.row, rect.panel, rect.block, .join")) {
    const name = shape.dataset["node"] ?? "";
    shape.classList.toggle("lit", shown.has(name));
    shape.classList.toggle("chosen", name === chosen);
  }
}

/** A dot at the corner of each row that would run badly on the device. */
function warn(frame: HTMLElement): void {
  const boxes = picture.value?.boxes ?? {};
  const found = new Map(times.value?.findings.map((finding) => [finding.node, finding]) ?? []);
  for (const old of frame.querySelectorAll(".bad")) old.remove();
  for (const row of frame.querySelectorAll<SVGRectElement>("rect.row")) {
    const box = boxes[row.dataset["node"] ?? ""];
    const finding = box && found.get(box.span[0]);
    if (!finding || finding.share < NOTABLE) continue;
    const dot = document.createElementNS(row.namespaceURI!, "circle");
    const at = { cx: row.x.baseVal.value + row.width.baseVal.value, cy: row.y.baseVal.value };
    for (const [name, value] of Object.entries({ ...at, r: 3.4, class: "bad" })) dot.setAttribute(name, String(value));
    row.parentNode!.append(dot);
  }
}

function reveal(frame: HTMLElement, name: string): void {
  const shape = [...frame.querySelectorAll<SVGElement>("rect[data-node], circle[data-node]")].find(
    (one) => one.dataset["node"] === name,
  );
  if (shape) stage?.reveal(shape.getBoundingClientRect());
}
