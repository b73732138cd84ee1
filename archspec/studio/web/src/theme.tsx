// Light or dark: as the system has it until one says otherwise.
import { effect, signal } from "@preact/signals";

type Theme = "light" | "dark";
const KEY = "archspec.theme";
const system = matchMedia("(prefers-color-scheme: dark)");
const chosen = signal(localStorage.getItem(KEY) as Theme | null);
const ofSystem = signal<Theme>(system.matches ? "dark" : "light");
system.addEventListener("change", () => (ofSystem.value = system.matches ? "dark" : "light"));

export function theme(): Theme {
  return chosen.value ?? ofSystem.value;
}

effect(() => {
  document.documentElement.dataset["theme"] = theme();
});

export function ThemeButton() {
  const other: Theme = theme() === "dark" ? "light" : "dark";
  return (
    <button
      onClick={() => {
        chosen.value = other;
        localStorage.setItem(KEY, other);
      }}
    >
      {other}
    </button>
  );
}
