// A drawing whose text has each shape on a line of its own, changed where its lines have changed: to
// parse, style and lay out all of a large one anew takes longer than a keystroke may.

type Shapes = Element[];

export class Drawing {
  private constructor(
    readonly svg: SVGSVGElement,
    private lines: string[],
    /** What each line gave; none at all where lines are not what shapes are separated by. */
    private shapes: Shapes[],
  ) {}

  /** Null where the text is no SVG. */
  static of(text: string): Drawing | null {
    const lines = text.trimEnd().split("\n");
    const svg = parse(lines);
    return svg && new Drawing(svg, lines, shapesOf(svg, lines.length));
  }

  /** Become another drawing; false, and nothing is changed, where most of it is another. */
  become(text: string): boolean {
    if (!this.shapes.length) return false;
    const lines = text.trimEnd().split("\n");
    const changes = changesBetween(this.lines, lines);
    const fresh = changes.flatMap((change) => lines.slice(change.at, change.at + change.now));
    if (fresh.length > lines.length / 2) return false;
    const parsed = parse([lines[0]!, ...fresh, "</svg>"]);
    if (!parsed) return false;
    const shapes = shapesOf(parsed, fresh.length + 2).slice(1, -1);
    if (shapes.length !== fresh.length) return false;
    for (const { name, value } of parsed.attributes) {
      if (this.svg.getAttribute(name) !== value) this.svg.setAttribute(name, value);
    }
    for (const change of changes) this.replace(change.at, change.before, shapes.splice(0, change.now));
    this.lines = lines;
    return true;
  }

  private replace(at: number, count: number, shapes: Shapes[]): void {
    const old = this.shapes.splice(at, count, ...shapes);
    const next = this.shapes.slice(at + shapes.length).find((later) => later.length)?.[0] ?? null;
    for (const shape of shapes.flat()) this.svg.insertBefore(shape, next);
    for (const shape of old.flat()) shape.remove();
  }
}

function parse(lines: readonly string[]): SVGSVGElement | null {
  const parsed = new DOMParser().parseFromString(lines.join("\n"), "image/svg+xml").documentElement;
  if (parsed.tagName !== "svg") return null;
  const svg = document.importNode(parsed, true) as unknown as SVGSVGElement;
  // the page has the typeface that texts were measured in; holding them to a width costs time
  for (const words of svg.querySelectorAll("text")) words.removeAttribute("textLength");
  return svg;
}

function shapesOf(svg: SVGSVGElement, lines: number): Shapes[] {
  const found: Shapes[] = [[]];
  for (const child of svg.childNodes) {
    if (child instanceof Element) found.at(-1)!.push(child);
    else for (const _ of child.nodeValue?.matchAll(/\n/g) ?? []) found.push([]);
  }
  return found.length === lines ? found : [];
}

interface Change {
  /** The line it begins at, in the text that comes to be. */
  at: number;
  before: number;
  now: number;
}

/** From the first to the last, each with those before it made; the first line, which is not a shape's,
 *  and the last are left out. */
function changesBetween(before: readonly string[], now: readonly string[]): Change[] {
  if (before.length === now.length) {
    const others = now.flatMap((line, at) => (line === before[at] ? [] : [at]));
    return others.filter((at) => at > 0).map((at) => ({ at, before: 1, now: 1 }));
  }
  const shorter = Math.min(before.length, now.length);
  let first = 1;
  while (first < shorter && before[first] === now[first]) first += 1;
  let last = 1;
  while (last < shorter - first && before.at(-last - 1) === now.at(-last - 1)) last += 1;
  return [{ at: first, before: before.length - last - first, now: now.length - last - first }];
}
