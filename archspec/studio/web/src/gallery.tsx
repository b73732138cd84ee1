// What there is to begin with: the folder's specs and the shipped ones, with pictures and costs.
import { signal } from "@preact/signals";
import { ask } from "./api";
import { chooseFile } from "./dropping";
import { amount, count, fits } from "./format";
import { wish } from "./naming";
import { message, SHIPPED, start } from "./state";
import { open } from "./filing";

interface Card {
  name: string;
  kind: string;
  params: number | null;
  macs: number | null;
  doc: string;
}

const cards = signal<Card[]>([]);
const wanted = signal("");
let isAsked = false;

/** Ask for all cards again; they come one by one. */
export async function fill(): Promise<void> {
  if (isAsked) return;
  isAsked = true;
  const found: Card[] = [];
  let painted = 0;
  await ask("cards", {}, (part) => {
    if (!part["name"]) return;
    found.push(part as Card);
    const now = performance.now();
    if (now - painted > 150) {
      painted = now;
      cards.value = [...found];
    }
  }).catch((error: Error) => (message.value = error.message));
  cards.value = found;
  isAsked = false;
}

export function Gallery() {
  const fitting = cards.value.filter((card) => fits(`${card.name} ${card.doc}`, wanted.value));
  const runs = fitting.filter(isRun);
  const own = fitting.filter((card) => !card.name.startsWith(SHIPPED) && !isRun(card));
  const shipped = fitting.filter((card) => card.name.startsWith(SHIPPED));
  return (
    <main class="gallery">
      <p class="search">
        <input type="search" placeholder="find a network" aria-label="find a network" value={wanted.value} onInput={(event) => (wanted.value = event.currentTarget.value)} />
        <button class="main" onClick={() => (wish.value = "new")}>new</button>
        <button onClick={chooseFile}>import ONNX…</button>
      </p>
      {runs.length > 0 && <Shelf title="trainings and searches" cards={runs} />}
      {own.length > 0 && <Shelf title={start.value.root} cards={own} />}
      <Shelf title="shipped with archspec" cards={shipped} />
    </main>
  );
}

function Shelf({ title, cards }: { title: string; cards: Card[] }) {
  return (
    <section aria-label={title}>
      <h2>{title}</h2>
      <ul class="cards">
        {cards.map((card) => (
          <li key={`${card.kind} ${card.name}`}>
            {isRun(card) ? <RunFace card={card} /> : <Face card={card} />}
          </li>
        ))}
      </ul>
    </section>
  );
}

function isRun(card: Card): boolean {
  return card.kind === "training" || card.kind === "search";
}

/** Of a run, its name and what it is; it may be growing, so nothing of it is counted here. */
function RunFace({ card }: { card: Card }) {
  return (
    <button class="card run" onClick={() => (location.hash = `#run/${encodeURIComponent(card.name)}`)}>
      <b>{card.name === "." ? "this folder" : card.name}</b>
      <span class="costs">{card.kind}</span>
      <span class="doc">{card.doc}</span>
    </button>
  );
}

function Face({ card }: { card: Card }) {
  const name = card.name.replace(SHIPPED, "");
  return (
    <button class="card" onClick={() => void open(card.name).catch((error: Error) => (message.value = error.message))}>
      <span class="thumb">
        {card.params === null ? <span class="faint">{card.kind === "library" ? "templates" : "no picture"}</span> : <img loading="lazy" alt="" src={`api/card?name=${encodeURIComponent(card.name)}`} />}
      </span>
      <b>{name}</b>
      <span class="costs">
        {card.params === null ? card.kind : `${count(card.params)} parameters · ${amount(card.macs ?? 0)} MACs`}
        {card.kind === "space" ? " · a space" : ""}
      </span>
      <span class="doc">{card.doc}</span>
    </button>
  );
}
