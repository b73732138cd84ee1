// The page: a bar above; the gallery, or the editor, the picture and the numbers beside each other.
import { keymap } from "@codemirror/view";
import { useEffect, useRef } from "preact/hooks";
import { Budgets } from "./budgets";
import { authoring } from "./completing";
import { Compare, startComparing } from "./compare";
import { Conflict } from "./conflict";
import { Controls } from "./controls";
import { mountEditor, text } from "./editor";
import { noteChange, open, save, watchDisk } from "./filing";
import { Importing, takeDrops } from "./dropping";
import { fill, Gallery } from "./gallery";
import { hints, showHints } from "./hinting";
import { follow } from "./linking";
import { lookAt } from "./looking";
import { showMarks } from "./marking";
import { Naming, wish } from "./naming";
import { Numbers } from "./numbers";
import { isOut, Out } from "./out";
import { Outline, Renaming, showOutline, startRenaming, TextBar } from "./outline";
import { Picture } from "./picture";
import { Problems } from "./problems";
import { Run, runName } from "./runs";
import { Splitter } from "./splitter";
import { isDirty, isShipped, message, opened, SHIPPED, view } from "./state";
import { Table } from "./table";
import { ThemeButton } from "./theme";

export function Layout() {
  return (
    <>
      <Bar />
      <Edit />
      {view.value === "gallery" && <Gallery />}
      {view.value === "run" && <Run />}
      <Naming />
      <Conflict />
      <Out />
      <Importing />
      <Compare />
      <Outline />
      <Renaming />
    </>
  );
}

function saveOrName(): void {
  if (isShipped.value) wish.value = "save";
  else void save();
}

function saveByKey(event: KeyboardEvent): void {
  const isMeant = (event.ctrlKey || event.metaKey) && event.key === "s" && view.value === "edit";
  if (!isMeant || event.defaultPrevented || document.querySelector("dialog[open]")) return;
  event.preventDefault();
  saveOrName();
}

function Bar() {
  const isEditing = view.value === "edit";
  return (
    <header>
      <h1>
        <a href="#" onClick={(event) => (event.preventDefault(), showGallery())}>archspec studio</a>
      </h1>
      {isEditing && opened.value && (
        <span class="file">
          {opened.value.name.replace(SHIPPED, "")}
          {isShipped.value && <span class="faint">shipped</span>}
          {isDirty.value && <span class="dot" title="not saved" role="img" aria-label="not saved" />}
        </span>
      )}
      {isEditing && runName.value && <button onClick={() => (location.hash = `#run/${encodeURIComponent(runName.value)}`)}>back to the run</button>}
      <span class="grow" />
      <span class="message" role="status">{message.value}</span>
      {isEditing && (
        <>
          <button class="main" onClick={saveOrName} disabled={!isDirty.value && !isShipped.value} title="Ctrl-S">save</button>
          <button onClick={() => (wish.value = "save")}>save as</button>
          <button onClick={() => void startComparing()}>compare…</button>
          <button onClick={() => (isOut.value = true)}>write…</button>
        </>
      )}
      <ThemeButton />
    </header>
  );
}

export function showGallery(): void {
  view.value = "gallery";
  document.title = "archspec studio";
  if (location.hash) history.pushState(null, "", location.pathname);
  void fill();
}

const keys = keymap.of([
  { key: "Mod-Shift-o", preventDefault: true, run: () => (showOutline(), true) },
  { key: "F2", run: () => (startRenaming(), true) },
]);

function Edit() {
  const holder = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const go = (name: string, at: number) => void open(name, at).catch((error: Error) => (message.value = error.message));
    mountEditor(holder.current!, { changed: noteChange, moved: follow, save: saveOrName }, [authoring(go), hints, keys]);
    lookAt(text);
    showMarks();
    showHints();
    watchDisk();
    takeDrops();
    window.addEventListener("keydown", saveByKey); // the text itself has the same key
  }, []);
  return (
    <main class="edit" hidden={view.value !== "edit"}>
      <section class="text" aria-label="Text">
        <TextBar />
        <div class="editor" ref={holder} />
        <Problems />
      </section>
      <Splitter name="text" axis="x" label="width of the text" />
      <div class="middle">
        <Picture />
        <Splitter name="table" axis="y" label="height of the table" />
        <Table />
      </div>
      <aside aria-label="Numbers and settings" tabIndex={0}>
        <Numbers />
        <Budgets />
        <Controls />
      </aside>
    </main>
  );
}
