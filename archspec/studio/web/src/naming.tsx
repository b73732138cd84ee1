// Asking for the name of a spec: to save as another, or to begin a new one.
import { signal } from "@preact/signals";
import { Dialog } from "./dialog";
import { begin, save } from "./filing";
import { opened, SHIPPED, start } from "./state";

type Wish = "save" | "new";
export const wish = signal<Wish | null>(null);
const complaint = signal("");

function suggestion(): string {
  if (wish.value === "new") return "mynet.json";
  const name = opened.value?.name ?? "";
  return name.startsWith(SHIPPED) ? `${name.slice(SHIPPED.length).replace(/.*\//, "")}.json` : name;
}

export function Naming() {
  if (!wish.value) return null;
  const isNew = wish.value === "new";
  return (
    <Dialog title={isNew ? "A new spec" : "Save as"} close={() => ((wish.value = null), (complaint.value = ""))}>
      <form
        onSubmit={async (event) => {
          event.preventDefault();
          const typed = (event.currentTarget.elements.namedItem("name") as HTMLInputElement).value.trim();
          const name = typed.endsWith(".json") ? typed : `${typed}.json`;
          try {
            if (isNew) await begin(name);
            else if (!(await save(name))) return;
            wish.value = null;
          } catch (error) {
            complaint.value = (error as Error).message;
          }
        }}
      >
        <label class="field">
          <span>below {start.value.root}</span>
          <input name="name" type="text" value={suggestion()} spellcheck={false} autocomplete="off" />
        </label>
        {complaint.value && <p class="problem">{complaint.value}</p>}
        <p class="buttons">
          <span class="grow" />
          <button type="button" onClick={() => (wish.value = null)}>cancel</button>
          <button class="main">{isNew ? "begin" : "save"}</button>
        </p>
      </form>
    </Dialog>
  );
}
