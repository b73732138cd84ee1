// What goes out: pictures, ONNX, source, the normal form, and the command that writes the same.
import { effect, signal } from "@preact/signals";
import { askOnce } from "./api";
import { Dialog } from "./dialog";
import { about } from "./looking";
import { opened, settings, SHIPPED } from "./state";

const KINDS = [
  { key: "svg", title: "picture (SVG)", ending: ".svg" },
  { key: "png", title: "picture (PNG)", ending: ".png" },
  { key: "onnx", title: "ONNX, with random weights", ending: ".onnx" },
  { key: "mindspore", title: "MindSpore source", ending: ".mindspore.py" },
  { key: "torch", title: "PyTorch source", ending: ".torch.py" },
  { key: "normal", title: "normal form (JSON)", ending: ".normal.json" },
];

export const isOut = signal(false);
const kind = signal("svg");
const file = signal("");
const command = signal("");
const said = signal("");
const exists = signal(false);

function fresh(): void {
  const stem = (opened.value?.name ?? "").replace(SHIPPED, "").replace(/\.json$/, "");
  file.value = stem.replace(/^.*\//, opened.value?.name.startsWith(SHIPPED) ? "" : "$&") + KINDS.find((one) => one.key === kind.value)!.ending;
  said.value = "";
  exists.value = false;
}

effect(() => {
  if (isOut.value) {
    kind.value;
    fresh();
  }
});

effect(() => {
  const request = { ...about(), text: "", output: kind.value, file: file.value, settings: settings.value };
  if (isOut.value && file.value)
    askOnce<{ command: string }>("command", request)
      .then((found) => (command.value = found.command))
      .catch(() => (command.value = ""));
});

async function write(over = false): Promise<void> {
  said.value = "writing…";
  exists.value = false;
  const request = { ...about(), output: kind.value, file: file.value, settings: settings.value, over };
  try {
    const found = await askOnce<{ said?: string; exists?: boolean }>("write", request);
    exists.value = found.exists === true;
    said.value = found.exists ? `${file.value} is there already` : (found.said ?? "");
  } catch (error) {
    said.value = (error as Error).message;
  }
}

export function Out() {
  if (!isOut.value) return null;
  return (
    <Dialog title="Write" close={() => (isOut.value = false)}>
      <form onSubmit={(event) => (event.preventDefault(), void write())}>
        <label class="field">
          <span>what</span>
          <select value={kind.value} onChange={(event) => (kind.value = event.currentTarget.value)}>
            {KINDS.map((one) => (
              <option value={one.key}>{one.title}</option>
            ))}
          </select>
        </label>
        <label class="field">
          <span>file</span>
          <input type="text" value={file.value} spellcheck={false} onInput={(event) => (file.value = event.currentTarget.value)} />
        </label>
        <div class="field">
          <span>the same in a shell</span>
          <code class="command">{command.value}</code>
          <button type="button" class="small" onClick={() => void navigator.clipboard.writeText(command.value)}>copy</button>
        </div>
        <p role="status" class="said">{said.value}</p>
        <p class="buttons">
          {exists.value && <button type="button" onClick={() => void write(true)}>write over it</button>}
          <span class="grow" />
          <button type="button" onClick={() => (isOut.value = false)}>close</button>
          <button class="main">write</button>
        </p>
      </form>
    </Dialog>
  );
}
