// What is wrong, as a list beneath the editor: a click goes there, another mends it.
import { isBehind, draft, leaveDraft, showConflict, takeDraft } from "./filing";
import { editor, jump } from "./editor";
import { mend } from "./marking";
import { failure, figures, isGone, kind, marks, settingsProblems } from "./state";
import type { Mark } from "./types";

export function Problems() {
  const errors = marks.value.filter((mark) => mark.severity === "error").length;
  const warnings = marks.value.length - errors;
  const words = [many(errors, "problem"), many(warnings, "warning")].filter(Boolean).join(", ");
  const isBad = errors > 0 || !!failure.value || isGone.value;
  return (
    <section class="problems" aria-label="Problems">
      <Notes />
      <p class={`verdict ${isBad ? "bad" : warnings ? "doubtful" : "good"}`} role="status">
        {isGone.value ? "the studio does not answer; your text is kept in this browser" : failure.value || words || good()}
      </p>
      {marks.value.length > 0 && (
        <ul>
          {marks.value.map((mark) => (
            <Problem mark={mark} />
          ))}
        </ul>
      )}
    </section>
  );
}

function Notes() {
  if (draft.value !== null)
    return (
      <p class="note" role="alert">
        There are changes to this spec that were never saved.
        <button class="small" onClick={takeDraft}>take them</button>
        <button class="small" onClick={leaveDraft}>drop them</button>
      </p>
    );
  if (isBehind.value)
    return (
      <p class="note" role="alert">
        Another program has changed this file.
        <button class="small" onClick={() => void showConflict()}>show both</button>
      </p>
    );
  return null;
}

function Problem({ mark }: { mark: Mark }) {
  return (
    <li class={mark.severity}>
      <button class="plain" onClick={() => jump(mark.from)}>
        <span class="where">{mark.line}</span> {mark.message}
      </button>
      {mark.fixes.map((fix) => (
        <button class="small" onClick={() => editor && mend(editor, fix)}>{fix.title}</button>
      ))}
    </li>
  );
}

function good(): string {
  if (kind.value === "library") return "ok, a library of templates";
  if (!figures.value) return settingsProblems.value.length ? "these settings give no network" : "…";
  return kind.value === "space" ? "ok, a search space; its network is as the choices say" : "ok";
}

function many(count: number, what: string): string {
  return count ? `${count} ${what}${count > 1 ? "s" : ""}` : "";
}
