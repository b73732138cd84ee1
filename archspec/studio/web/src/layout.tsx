// The page: a bar above, the editor, the picture and the numbers beside each other.
import { useEffect, useRef } from "preact/hooks";
import { mountEditor, text } from "./editor";
import { noteChange, save } from "./filing";
import { lookAt } from "./looking";
import { showMarks } from "./marking";
import { Numbers } from "./numbers";
import { Picture } from "./picture";
import { Problems } from "./problems";
import { isDirty, message, opened, SHIPPED } from "./state";
import { ThemeButton } from "./theme";

export function Layout() {
  const holder = useRef<HTMLDivElement>(null);
  useEffect(() => {
    mountEditor(holder.current!, { changed: noteChange, moved: () => 0, save: () => void save() }, []);
    lookAt(text);
    showMarks();
  }, []);
  return (
    <>
      <header>
        <h1>archspec studio</h1>
        <span class="file">
          {opened.value?.name.replace(SHIPPED, "") ?? ""}
          {isDirty.value && <span class="dot" title="not saved" aria-label="not saved" />}
        </span>
        <span class="grow" />
        <span class="message" role="status">{message.value}</span>
        <button class="main" onClick={() => void save()} disabled={!isDirty.value}>Save</button>
        <ThemeButton />
      </header>
      <main class="edit">
        <section class="text" aria-label="Text">
          <div class="editor" ref={holder} />
          <Problems />
        </section>
        <Picture />
        <aside>
          <Numbers />
        </aside>
      </main>
    </>
  );
}
