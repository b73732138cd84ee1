// An ONNX file that is dropped on the page becomes a spec below the folder, under a name that is asked for.
import { signal } from "@preact/signals";
import { upload } from "./api";
import { Dialog } from "./dialog";
import { open } from "./filing";
import { message, start } from "./state";

const LARGEST = 64 * 2 ** 20;

const file = signal<File | null>(null);
const isBusy = signal(false);
const said = signal<string[]>([]);
const made = signal("");
const complaint = signal("");

function take(found: File | undefined): void {
  if (!found) return;
  if (!found.name.toLowerCase().endsWith(".onnx")) {
    message.value = `${found.name} is not an ONNX file; drop one that ends in .onnx`;
    return;
  }
  if (found.size > LARGEST) {
    message.value = `${found.name} has ${Math.ceil(found.size / 2 ** 20)} MiB and the page takes 64; use archspec import onnx in a shell`;
    return;
  }
  file.value = found;
  [said.value, made.value, complaint.value] = [[], "", ""];
}

/** Take files that are dropped anywhere, before the editor takes them for text. */
export function takeDrops(): void {
  const isFile = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
  window.addEventListener("dragover", (event) => isFile(event) && event.preventDefault(), true);
  window.addEventListener(
    "drop",
    (event) => {
      if (!isFile(event)) return;
      event.preventDefault();
      event.stopPropagation();
      if (!document.querySelector("dialog[open]")) take(event.dataTransfer!.files[0]);
    },
    true,
  );
}

/** The same for those who drop nothing. */
export function chooseFile(): void {
  const input = document.createElement("input");
  input.type = "file";
  input.accept = ".onnx";
  input.onchange = () => take(input.files?.[0]);
  input.click();
}

async function read(name: string, weights: boolean): Promise<void> {
  isBusy.value = true;
  complaint.value = "";
  const query = new URLSearchParams({ file: file.value!.name, name, weights: weights ? "1" : "0" });
  try {
    const found = await upload<{ name: string; report: string[] }>(`import?${query}`, file.value!);
    [said.value, made.value] = [found.report, found.name];
  } catch (error) {
    complaint.value = (error as Error).message;
  } finally {
    isBusy.value = false;
  }
}

function show(): void {
  file.value = null;
  open(made.value).catch((error: Error) => (message.value = error.message));
}

export function Importing() {
  const found = file.value;
  if (!found) return null;
  const close = () => (file.value = null);
  return (
    <Dialog title={`Import ${found.name}`} close={close}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (made.value) return show();
          const fields = event.currentTarget.elements;
          const typed = (fields.namedItem("name") as HTMLInputElement).value.trim();
          void read(typed.endsWith(".json") ? typed : `${typed}.json`, (fields.namedItem("weights") as HTMLInputElement).checked);
        }}
      >
        <label class="field">
          <span>below {start.value.root}</span>
          <input name="name" type="text" value={found.name.replace(/\.onnx$/i, ".json")} spellcheck={false} autocomplete="off" disabled={!!made.value} />
        </label>
        <label class="field">
          <span>its weights too</span>
          <input name="weights" type="checkbox" disabled={!!made.value} />
        </label>
        <div role="status" class="said">
          {isBusy.value && "reading it, and comparing what both compute…"}
          {said.value.map((line) => (
            <p>{line}</p>
          ))}
        </div>
        {complaint.value && <p class="problem" role="alert">{complaint.value}</p>}
        <p class="buttons">
          <span class="grow" />
          <button type="button" onClick={close}>close</button>
          <button class="main" disabled={isBusy.value}>{made.value ? `open ${made.value}` : "import"}</button>
        </p>
      </form>
    </Dialog>
  );
}
