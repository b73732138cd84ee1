// The picture by mouse and keys: hover, choose, fold; arrows go from box to box.
import { choose, holdersOf, hovered, toggleFold } from "./linking";
import { picture, selected } from "./state";

function nameAt(target: EventTarget | null): string {
  return (target as Element | null)?.closest?.("[data-node]")?.getAttribute("data-node") ?? "";
}

export function browse(stage: HTMLElement, reveal: (name: string) => void): void {
  stage.addEventListener("pointerover", (event) => (hovered.value = nameAt(event.target)));
  stage.addEventListener("pointerleave", () => (hovered.value = ""));
  stage.addEventListener("click", (event) => {
    const name = nameAt(event.target);
    if (name) choose(name);
    else selected.value = "";
  });
  stage.addEventListener("dblclick", (event) => toggleFold(nameAt(event.target)));
  stage.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const moves: Record<string, () => string> = {
      ArrowDown: () => step(1),
      ArrowRight: () => step(1),
      ArrowUp: () => step(-1),
      ArrowLeft: () => around(selected.value) || step(-1),
      Home: () => names()[0] ?? "",
      End: () => names().at(-1) ?? "",
    };
    const move = moves[event.key];
    if (move) {
      choose(move());
      reveal(selected.value);
    } else if (event.key === "Enter" && selected.value) choose(selected.value, true);
    else if (event.key === "f" && selected.value) toggleFold(selected.value);
    else if (event.key === "Escape") selected.value = "";
    else return;
    event.preventDefault();
  });
}

function names(): string[] {
  return Object.keys(picture.value?.boxes ?? {});
}

function step(by: number): string {
  const all = names();
  const at = all.indexOf(selected.value);
  if (at < 0) return all[by > 0 ? 0 : all.length - 1] ?? "";
  return all[Math.min(Math.max(at + by, 0), all.length - 1)] ?? "";
}

/** The block around a box. */
function around(name: string): string {
  const boxes = picture.value?.boxes ?? {};
  return holdersOf(name).reverse().find((outer) => boxes[outer]?.block) ?? "";
}
