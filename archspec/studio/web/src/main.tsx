// Where the page begins.
import { render } from "preact";
import { get } from "./api";
import { jumpToLine } from "./editor";
import { open } from "./filing";
import { Layout, showGallery } from "./layout";
import { showRun } from "./runs";
import { message, type Start, start } from "./state";

function complain(error: Error): void {
  message.value = error.message;
}

/** Show what the address says. */
async function go(): Promise<void> {
  const match = /^#edit\/(.+?)(?::(\d+))?$/.exec(location.hash);
  if (match) {
    await open(decodeURIComponent(match[1]!));
    if (match[2]) jumpToLine(Number(match[2]));
  } else if (location.hash.startsWith("#run/")) showRun(decodeURIComponent(location.hash.slice(5)));
  else showGallery();
}

async function begin(): Promise<void> {
  render(<Layout />, document.getElementById("page")!);
  start.value = await get<Start>("start");
  window.addEventListener("popstate", () => void go().catch(complain));
  await go();
}

begin().catch((error: Error) => {
  complain(error);
  showGallery();
});
