// A bar between two parts of the page, moved by mouse or arrows; where it stands is remembered.
interface Bounds {
  variable: string;
  initial: number;
  least: number;
  most: number;
}

const PARTS: Record<string, Bounds> = {
  text: { variable: "--text-share", initial: 34, least: 18, most: 60 },
  table: { variable: "--table-share", initial: 28, least: 8, most: 70 },
};
const STEP = 2;

function stored(name: string): number {
  return Number(localStorage.getItem(`archspec.split:${name}`)) || PARTS[name]!.initial;
}

function put(name: string, share: number): number {
  const part = PARTS[name]!;
  const bounded = Math.min(Math.max(share, part.least), part.most);
  document.documentElement.style.setProperty(part.variable, `${bounded}%`);
  localStorage.setItem(`archspec.split:${name}`, String(bounded));
  return bounded;
}

for (const name of Object.keys(PARTS)) put(name, stored(name));

export function Splitter({ name, axis, label }: { name: string; axis: "x" | "y"; label: string }) {
  const part = PARTS[name]!;
  const isAcross = axis === "x";
  const drag = (event: PointerEvent) => {
    const frame = (event.currentTarget as HTMLElement).parentElement!.getBoundingClientRect();
    const move = (later: PointerEvent) =>
      put(name, isAcross ? ((later.clientX - frame.left) / frame.width) * 100 : ((frame.bottom - later.clientY) / frame.height) * 100);
    const end = () => {
      removeEventListener("pointermove", move);
      removeEventListener("pointerup", end);
    };
    addEventListener("pointermove", move);
    addEventListener("pointerup", end);
    event.preventDefault();
  };
  const key = (event: KeyboardEvent) => {
    const by = { ArrowLeft: -STEP, ArrowRight: STEP, ArrowUp: STEP, ArrowDown: -STEP }[event.key];
    if (by === undefined) return;
    const now = put(name, stored(name) + by);
    (event.currentTarget as HTMLElement).setAttribute("aria-valuenow", String(now));
    event.preventDefault();
  };
  return (
    <div
      class={`splitter ${axis}`}
      role="separator"
      tabIndex={0}
      aria-label={label}
      aria-orientation={isAcross ? "vertical" : "horizontal"}
      aria-valuemin={part.least}
      aria-valuemax={part.most}
      aria-valuenow={stored(name)}
      onPointerDown={drag}
      onKeyDown={key}
    />
  );
}
