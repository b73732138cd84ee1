// What is wrong, as a list beneath the editor: a click goes there.
import { editor, jump } from "./editor";
import { offsetOf } from "./marking";
import { failure, figures, isGone, kind, marks, settingsProblems } from "./state";
import type { Mark } from "./types";

export function Problems() {
  const errors = marks.value.filter((mark) => mark.severity === "error").length;
  const warnings = marks.value.length - errors;
  const words = [many(errors, "problem"), many(warnings, "warning")].filter(Boolean).join(", ");
  return (
    <section class="problems" aria-label="Problems">
      <p class={`verdict ${errors || failure.value ? "bad" : warnings ? "doubtful" : "good"}`} role="status">
        {isGone.value ? "the studio does not answer; your text is kept here" : failure.value || words || good()}
      </p>
      {(marks.value.length > 0 || settingsProblems.value.length > 0) && (
        <ul>
          {settingsProblems.value.map((problem) => (
            <li class="error">
              <span>with these settings: {problem}</span>
            </li>
          ))}
          {marks.value.map((mark) => (
            <Problem mark={mark} />
          ))}
        </ul>
      )}
    </section>
  );
}

function Problem({ mark }: { mark: Mark }) {
  return (
    <li class={mark.severity}>
      <button onClick={() => editor && jump(offsetOf(editor.state, mark.line, mark.column))}>
        <span class="where">{mark.line}</span> {mark.message}
      </button>
    </li>
  );
}

function good(): string {
  if (kind.value === "library") return "ok, a library of templates";
  if (!figures.value) return "…";
  return kind.value === "space" ? "ok, a search space" : "ok";
}

function many(count: number, what: string): string {
  return count ? `${count} ${what}${count > 1 ? "s" : ""}` : "";
}
