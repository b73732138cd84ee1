// The live picture: archspec's own SVG, panned, zoomed, and coloured by what one asks for.
import { effect, signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { colourBy, METRICS, paint } from "./colouring";
import { PanZoom } from "./panzoom";
import { isStale, kind, picture } from "./state";

export const zoom = signal(1);
let stage: PanZoom | null = null;

export function Picture() {
  const holder = useRef<HTMLDivElement>(null);
  useEffect(() => {
    stage = new PanZoom(holder.current!, (factor) => (zoom.value = factor));
    return effect(() => showPicture(stage!));
  }, []);
  return (
    <section class="picture" aria-label="Picture">
      <div class="bar">
        <label>
          colour by{" "}
          <select value={colourBy.value} onChange={(event) => (colourBy.value = event.currentTarget.value as any)}>
            {METRICS.map((metric) => (
              <option value={metric.key}>{metric.title}</option>
            ))}
          </select>
        </label>
        <span class="grow" />
        <button onClick={() => stage?.zoomBy(1 / 1.25)} aria-label="smaller" title="smaller (−)">−</button>
        <output>{Math.round(zoom.value * 100)} %</output>
        <button onClick={() => stage?.zoomBy(1.25)} aria-label="larger" title="larger (+)">+</button>
        <button onClick={() => stage?.fit()} title="show all of it (0)">fit</button>
      </div>
      <div class={`stage ${isStale.value ? "stale" : ""}`} ref={holder} tabIndex={0} role="group" aria-label="The network, drawn" />
      {!picture.value && kind.value === "library" && <p class="empty">A library of templates has no network to draw.</p>}
    </section>
  );
}

function showPicture(stage: PanZoom): void {
  const shown = picture.value;
  if (!shown) {
    stage.clear();
    return;
  }
  const parsed = new DOMParser().parseFromString(shown.svg, "image/svg+xml").documentElement;
  if (parsed.tagName !== "svg") return;
  const svg = document.importNode(parsed, true) as unknown as SVGSVGElement;
  paint(svg);
  stage.show(svg, shown.width, shown.height);
}
