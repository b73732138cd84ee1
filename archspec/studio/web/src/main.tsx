// Where the page begins.
import { render } from "preact";
import { get } from "./api";
import { open } from "./filing";
import { Layout } from "./layout";
import { type Start, message, start } from "./state";

async function begin(): Promise<void> {
  render(<Layout />, document.getElementById("page")!);
  start.value = await get<Start>("start");
  const wanted = decodeURIComponent(location.hash.replace(/^#edit\//, "")) || start.value.spec;
  if (wanted) await open(wanted);
}

begin().catch((error: Error) => (message.value = error.message));
