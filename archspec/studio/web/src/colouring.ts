// Rows of the picture by the share they have of something: the steps are archspec.plot.palette's.
import { signal } from "@preact/signals";
import { figures, picture, times } from "./state";
import type { Box } from "./types";

export type Metric = "macs" | "params" | "memory" | "time";

export const METRICS: { key: Metric; title: string; legend: string }[] = [
  { key: "macs", title: "MACs", legend: "share of MACs" },
  { key: "params", title: "parameters", legend: "share of parameters" },
  { key: "memory", title: "memory", legend: "share of activations" },
  { key: "time", title: "time", legend: "share of time" },
];

export const colourBy = signal<Metric>("macs");

const LEAST = [0, 1e-9, 0.01, 0.03, 0.08, 0.2];

function step(share: number): number {
  let found = 0;
  LEAST.forEach((least, index) => (share >= least ? (found = index) : 0));
  return found;
}

export function valueOf(name: string, box: Box, metric: Metric): number {
  return metric === "time" ? (times.value?.ms_by_box?.[name] ?? 0) : box[metric];
}

export function totalOf(metric: Metric): number {
  const totals = figures.value?.totals;
  if (metric === "time") return times.value?.ms ?? 0;
  return totals ? totals[metric] : 0;
}

/** Give each row of a drawing the class of its step; the style sheet has the colours, light or dark. */
export function paint(svg: SVGElement): void {
  const boxes = picture.value?.boxes ?? {};
  const metric = colourBy.value;
  const total = totalOf(metric);
  for (const shape of svg.querySelectorAll<SVGElement>("rect.row, text.words")) {
    const name = shape.dataset["node"] ?? "";
    const box = boxes[name];
    const share = box && total ? valueOf(name, box, metric) / total : 0;
    setStep(shape, step(share));
  }
  svg.querySelectorAll("rect.swatch").forEach((swatch, index) => setStep(swatch, index));
  const legend = svg.querySelector("text.legend");
  const title = METRICS.find((one) => one.key === metric)!.legend;
  if (legend && legend.textContent !== title) legend.textContent = title;
}

/** A class that is set, even to what it was, is styled anew. */
function setStep(shape: Element, wanted: number): void {
  const classes = shape.classList;
  if (classes.contains(`s${wanted}`)) return;
  classes.remove(...LEAST.map((_, index) => `s${index}`));
  classes.add(`s${wanted}`);
}
