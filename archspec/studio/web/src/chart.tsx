// A diagram in the page's own colours: lines, and points that one can choose.
import type { ComponentChildren } from "preact";

export type Point = [number, number];

export interface Curve {
  name: string;
  points: Point[];
  /** The class that colours it. */
  look: string;
}

const [NARROW, WIDE] = [[460, 300], [920, 560]] as const;
const [LEFT, RIGHT, TOP, BOTTOM] = [58, 14, 16, 38];

export interface Frame {
  x(value: number): number;
  y(value: number): number;
}

/** Round numbers within a range. */
function ticks(low: number, high: number): [number, string][] {
  const rough = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((one) => one >= rough)!;
  const first = Math.ceil(low / step - 1e-9);
  return Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, index) => [(first + index) * step, short((first + index) * step, step)]);
}

/** As short as it differs from what is a `step` away. */
export function short(value: number, step = 0): string {
  const size = Math.abs(value);
  const digits = step && size ? Math.min(Math.max(3, Math.ceil(Math.log10(size / step)) + 2), 12) : 3;
  for (const [least, unit] of [[1e9, " G"], [1e6, " M"], [1e3, " K"]] as const) {
    if (size >= least) return Number((value / least).toPrecision(digits)) + unit;
  }
  return size && size < 1e-3 ? value.toExponential(1) : String(Number(value.toPrecision(digits)));
}

function range(values: number[]): [number, number] {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    [low, high] = [Math.min(low, value), Math.max(high, value)];
  }
  if (low > high) return [0, 1];
  const room = high > low ? (high - low) * 0.04 : Math.abs(low) / 2 || 1;
  return [low - room, high + room];
}

interface ChartProps {
  title: string;
  x: string;
  y: string;
  curves: Curve[];
  /** Whether it has the page to itself. */
  wide?: boolean;
  /** Points beside those of the curves, which have their room too. */
  others?: Point[];
  children?: (frame: Frame) => ComponentChildren;
}

export function Chart({ title, x, y, curves, wide = false, others = [], children }: ChartProps) {
  const [width, height] = wide ? WIDE : NARROW;
  const top = y === title ? TOP : TOP + 14; // beneath the name of the axis
  const all = [...curves.flatMap((curve) => curve.points), ...others];
  const [left, right] = range(all.map((point) => point[0]));
  const [low, high] = range(all.map((point) => point[1]));
  const frame: Frame = {
    x: (value) => LEFT + ((value - left) / (right - left)) * (width - LEFT - RIGHT),
    y: (value) => height - BOTTOM - ((value - low) / (high - low)) * (height - top - BOTTOM),
  };
  return (
    <figure class="chart">
      <figcaption>
        <b>{title}</b>
        {curves.map((curve) => (
          <span class={`named ${curve.look}`}>{curve.name}</span>
        ))}
      </figcaption>
      <svg viewBox={`0 0 ${width} ${height}`} role={children ? "group" : "img"} aria-label={`${title}: ${y} over ${x}`}>
        {ticks(low, high).map(([value, words]) => (
          <g>
            <path class="grid" d={`M${LEFT} ${frame.y(value)}H${width - RIGHT}`} />
            <text x={LEFT - 7} y={frame.y(value) + 4} text-anchor="end">{words}</text>
          </g>
        ))}
        {ticks(left, right).map(([value, words]) => (
          <text x={frame.x(value)} y={height - BOTTOM + 16} text-anchor="middle">{words}</text>
        ))}
        <text x={width - RIGHT} y={height - 5} text-anchor="end">{x}</text>
        {y !== title && <text x={4} y={11}>{y}</text>}
        {curves.map((curve) => (
          <path class={`curve ${curve.look}`} d={curve.points.map(([a, b], index) => `${index ? "L" : "M"}${frame.x(a).toFixed(1)} ${frame.y(b).toFixed(1)}`).join("")} />
        ))}
        {children?.(frame)}
      </svg>
    </figure>
  );
}
