// Totals, with what changed since the last save.
import { amount, bytes, count, milliseconds, signed } from "./format";
import { figures, isStale, settings, times } from "./state";

interface Line {
  title: string;
  value: number;
  before: number | undefined;
  show: (value: number) => string;
  precise?: boolean;
}

export function Numbers() {
  const found = figures.value;
  if (!found) return null;
  const { totals, saved } = found;
  const batch = settings.value.batch;
  const lines: Line[] = [
    { title: "parameters", value: totals.params, before: saved?.params, show: count },
    { title: batch > 1 ? `MACs of ${batch}` : "MACs", value: totals.macs, before: saved?.macs, show: amount },
    { title: "activations", value: totals.memory, before: saved?.memory, show: bytes },
    { title: "most at once", value: totals.peak, before: saved?.peak, show: bytes },
    { title: "nodes", value: totals.nodes, before: saved?.nodes, show: count },
  ];
  const time = times.value;
  if (time?.ms != null)
    lines.splice(2, 0, { title: `time on ${time.device}`, value: time.ms, before: time.saved_ms ?? undefined, show: milliseconds });
  return (
    <section class="numbers" aria-label="Numbers">
      {isStale.value && <p class="faint">of the last text without errors</p>}
      <dl>
        {lines.map((line) => (
          <div key={line.title}>
            <dt>{line.title}</dt>
            <dd>
              <b>{line.show(line.value)}</b>
              <Change {...line} />
            </dd>
          </div>
        ))}
        {Object.entries(found.outputs).slice(0, 4).map(([name, shape]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{shape}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function Change({ value, before, show }: Line) {
  if (before === undefined || before === value) return null;
  const difference = value - before;
  return <span class={difference > 0 ? "more" : "less"}>{signed(difference, show)}</span>;
}
