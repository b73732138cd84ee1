// One line on the box under the pointer, or the chosen one.
import { amount, bytes, count, milliseconds, share } from "./format";
import { hovered } from "./linking";
import { figures, picture, selected, times } from "./state";

export function Info() {
  const name = hovered.value || selected.value;
  const box = picture.value?.boxes[name];
  const totals = figures.value?.totals;
  if (!box || !totals) return <p class="info faint">click a box to see its line; double-click folds a block</p>;
  const sees = figures.value?.nodes.find((row) => row[0] === box.span[1])?.[7];
  const ms = times.value?.ms_by_box?.[name];
  const findings = (times.value?.findings ?? []).filter((one) => one.node === box.span[0] || one.node === name);
  const parts = [
    box.copies > 1 ? `${box.copies} copies` : "",
    box.count > 1 ? `${count(box.count)} nodes` : "",
    `out ${box.output}`,
    box.params ? `${count(box.params)} parameters` : "",
    box.macs ? `${amount(box.macs)} MACs, ${share(box.macs / totals.macs)}` : "",
    bytes(box.memory),
    ms ? milliseconds(ms) : "",
    sees === undefined ? "" : `sees ${sees}`,
    ...findings.map((one) => `${one.rule}: ${one.what}`),
  ];
  return (
    <p class="info" role="status">
      <b>{name}</b> {parts.filter(Boolean).join(" · ")}
    </p>
  );
}
