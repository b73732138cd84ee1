// Numbers as archspec's own tables write them.

export function count(value: number): string {
  return value.toLocaleString("en");
}

export function amount(value: number): string {
  const size = Math.abs(value);
  for (const [power, prefix] of [[1e9, "G"], [1e6, "M"], [1e3, "K"]] as const) {
    if (size >= power * 0.9995) {
      const scaled = value / power;
      const near = Math.abs(scaled);
      return `${scaled.toFixed(near < 9.995 ? 2 : near < 99.95 ? 1 : 0)} ${prefix}`;
    }
  }
  return value.toFixed(0);
}

export function bytes(value: number): string {
  const size = Math.abs(value);
  for (const [power, prefix] of [[30, "GiB"], [20, "MiB"], [10, "KiB"]] as const) {
    if (size >= 2 ** power) {
      const scaled = value / 2 ** power;
      return `${scaled.toFixed(Math.abs(scaled) < 100 ? 1 : 0)} ${prefix}`;
    }
  }
  return `${value} B`;
}

export function milliseconds(value: number): string {
  return `${value.toFixed(value >= 100 ? 1 : value >= 10 ? 2 : 3)} ms`;
}

export function share(value: number): string {
  return value ? `${(100 * value).toFixed(1)} %` : "";
}

export function signed(value: number, show: (value: number) => string): string {
  return `${value < 0 ? "−" : "+"}${show(Math.abs(value))}`;
}

/** Whether a text has all words of a search. */
export function fits(text: string, wanted: string): boolean {
  return wanted.toLowerCase().split(/\s+/).every((word) => text.toLowerCase().includes(word));
}
