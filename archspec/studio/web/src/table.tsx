// What each block or node costs, with bars, sortable; only the rows that are seen are there.
import { signal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import { askOnce } from "./api";
import { jump } from "./editor";
import { amount, bytes, count, milliseconds } from "./format";
import { about } from "./looking";
import { figures, picture, selected, times } from "./state";
import type { Row } from "./types";

const HEIGHT = 25;
const EXTRA = 8;
export const by = signal<"block" | "node">("block");
const order = signal<{ column: number; down: boolean } | null>(null);

interface Column {
  title: string;
  value: (row: Row) => number | string;
  show: (row: Row) => string;
  bar?: boolean;
}

function ms(row: Row): number {
  const known = times.value?.ms_by_node ?? {};
  if (by.value === "node") return known[row[0]] ?? 0;
  return blockTimes(known)[row[0]] ?? 0;
}

let blocksOf: Record<string, number> | null = null;
let blocks: Record<string, number> = {};
function blockTimes(known: Record<string, number>): Record<string, number> {
  if (blocksOf !== known) {
    blocks = {};
    for (const [name, time] of Object.entries(known)) {
      const block = name.split(".")[0]!;
      blocks[block] = (blocks[block] ?? 0) + time;
    }
    blocksOf = known;
  }
  return blocks;
}

const some = (show: (value: number) => string) => (value: number) => (value ? show(value) : "");

function columns(): Column[] {
  const found: Column[] = [
    { title: by.value, value: (row) => row[0], show: (row) => row[0] },
    by.value === "node"
      ? { title: "op", value: (row) => row[1], show: (row) => row[1] }
      : { title: "nodes", value: (row) => row[2], show: (row) => count(row[2]) },
    { title: "output", value: (row) => row[3], show: (row) => row[3] },
    { title: "parameters", value: (row) => row[4], show: (row) => some(count)(row[4]), bar: true },
    { title: "MACs", value: (row) => row[5], show: (row) => some(amount)(row[5]), bar: true },
    { title: "memory", value: (row) => row[6], show: (row) => some(bytes)(row[6]), bar: true },
  ];
  if (times.value?.ms != null) found.push({ title: "time", value: ms, show: (row) => some(milliseconds)(ms(row)), bar: true });
  found.push({ title: "sees", value: (row) => (row[7] === "all" ? Infinity : row[7]), show: (row) => String(row[7]) });
  return found;
}

function sorted(rows: Row[], shown: Column[]): Row[] {
  const wanted = order.value;
  const column = wanted && shown[wanted.column];
  if (!column) return rows;
  const sign = wanted.down ? -1 : 1;
  const compare = (a: number | string, b: number | string) => (a < b ? -1 : a > b ? 1 : 0);
  return [...rows].sort((a, b) => sign * compare(column.value(a), column.value(b)));
}

export function Table() {
  const scroller = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const [room, setRoom] = useState(300);
  useEffect(() => {
    const frame = scroller.current!;
    const watch = new ResizeObserver(() => setRoom(frame.clientHeight));
    watch.observe(frame);
    return () => watch.disconnect();
  }, []);
  const found = figures.value;
  const shown = columns();
  const rows = sorted((by.value === "block" ? found?.blocks : found?.nodes) ?? [], shown);
  const most = shown.map((column) => (column.bar ? Math.max(0, ...rows.map((row) => Number(column.value(row)))) : 0));
  const first = Math.max(0, Math.floor(top / HEIGHT) - EXTRA);
  const seen = rows.slice(first, first + Math.ceil(room / HEIGHT) + 2 * EXTRA);
  return (
    <section class="table" aria-label="Table">
      <div class="bar">
        <Choice />
        <span class="grow" />
        {by.value === "node" && !!found?.left_out && (
          <span>{count(found.left_out)} more nodes are left out; by block shows all</span>
        )}
      </div>
      <div class="rows" ref={scroller} tabIndex={0} role="group" aria-label="Rows" onScroll={(event) => setTop(event.currentTarget.scrollTop)}>
        <table aria-rowcount={rows.length}>
          <thead>
            <tr>
              {shown.map((column, index) => (
                <Head column={column} index={index} />
              ))}
            </tr>
          </thead>
          <tbody>
            {first > 0 && <tr style={{ height: `${first * HEIGHT}px` }} aria-hidden="true" />}
            {seen.map((row) => (
              <tr key={row[0]} class={row[0] === selected.value ? "chosen" : ""} onClick={() => void go(row[0])}>
                {shown.map((column, index) => (
                  <Cell text={column.show(row)} share={most[index] ? Number(column.value(row)) / most[index]! : 0} isFirst={index === 0} name={row[0]} />
                ))}
              </tr>
            ))}
            {rows.length > first + seen.length && (
              <tr style={{ height: `${(rows.length - first - seen.length) * HEIGHT}px` }} aria-hidden="true" />
            )}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Choice() {
  return (
    <span class="segments" role="group" aria-label="Rows by">
      {(["block", "node"] as const).map((one) => (
        <button class="small" aria-pressed={by.value === one} onClick={() => ((by.value = one), (order.value = null))}>
          by {one}
        </button>
      ))}
    </span>
  );
}

function Head({ column, index }: { column: Column; index: number }) {
  const wanted = order.value?.column === index ? order.value : null;
  const sort = !wanted ? "none" : wanted.down ? "descending" : "ascending";
  return (
    <th scope="col" aria-sort={sort} class={index > 0 ? "number" : ""}>
      <button onClick={() => (order.value = wanted ? (wanted.down ? { column: index, down: false } : null) : { column: index, down: true })}>
        {column.title}
        {wanted ? (wanted.down ? " ↓" : " ↑") : ""}
      </button>
    </th>
  );
}

function Cell({ text, share, isFirst, name }: { text: string; share: number; isFirst: boolean; name: string }) {
  if (isFirst)
    return (
      <th scope="row">
        <button onClick={(event) => (event.stopPropagation(), void go(name))}>{text}</button>
      </th>
    );
  return (
    <td>
      {share > 0 && <span class="meter" style={{ width: `${Math.max(share * 100, 1)}%` }} />}
      <span>{text}</span>
    </td>
  );
}

/** Choose a row's box, and go to the line that wrote it. */
async function go(name: string): Promise<void> {
  selected.value = name in (picture.value?.boxes ?? {}) ? name : "";
  const found = await askOnce<{ at?: number }>("locate", { ...about(), node: name }).catch(() => ({ at: undefined }));
  if (found.at === undefined) return;
  const active = document.activeElement as HTMLElement | null;
  jump(found.at);
  active?.focus?.();
}
