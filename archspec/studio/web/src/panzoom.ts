// Panning and zooming one SVG within its frame, by wheel, drag and keys.
const LEAST = 0.05;
const MOST = 8;
const STEP = 48;

export class PanZoom {
  private svg: SVGSVGElement | null = null;
  private factor = 1;
  private x = 0;
  private y = 0;
  private width = 0;
  private height = 0;
  private isFitted = true;
  private room = { width: 0, height: 0 };

  constructor(
    private frame: HTMLElement,
    private tell: (factor: number) => void,
  ) {
    frame.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    frame.addEventListener("pointerdown", (event) => this.drag(event));
    frame.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(([entry]) => {
      // kept, for asking for it right after a drawing was put in would lay that out at once
      this.room = entry!.contentRect;
      if (this.isFitted) this.fit();
    }).observe(frame);
  }

  /** Show another picture where the one before stood. */
  show(svg: SVGSVGElement, width: number, height: number): void {
    const isFirst = !this.svg;
    [this.svg, this.width, this.height] = [svg, width, height];
    if (svg.parentNode !== this.frame) this.frame.replaceChildren(svg);
    if (isFirst || this.isFitted) this.fit();
    else this.place();
  }

  clear(): void {
    this.svg = null;
    this.isFitted = true;
    this.frame.replaceChildren();
  }

  fit(): void {
    const { width, height } = this.room;
    if (!this.width || !width) return;
    this.factor = Math.min(Math.max(Math.min(width / this.width, height / this.height), LEAST), 2);
    this.x = (width - this.width * this.factor) / 2;
    this.y = Math.max((height - this.height * this.factor) / 2, 0);
    this.isFitted = true;
    this.place();
  }

  zoomBy(by: number, at?: { x: number; y: number }): void {
    const center = at ?? { x: this.frame.clientWidth / 2, y: this.frame.clientHeight / 2 };
    const factor = Math.min(Math.max(this.factor * by, LEAST), MOST);
    this.x = center.x - ((center.x - this.x) * factor) / this.factor;
    this.y = center.y - ((center.y - this.y) * factor) / this.factor;
    this.factor = factor;
    this.moved();
  }

  /** Bring a rectangle of the screen into the frame. */
  reveal(box: DOMRect): void {
    const frame = this.frame.getBoundingClientRect();
    const pad = 24;
    if (box.left < frame.left + pad) this.x += frame.left + pad - box.left;
    else if (box.right > frame.right - pad) this.x -= Math.min(box.right - frame.right + pad, box.left - frame.left - pad);
    if (box.top < frame.top + pad) this.y += frame.top + pad - box.top;
    else if (box.bottom > frame.bottom - pad) this.y -= Math.min(box.bottom - frame.bottom + pad, box.top - frame.top - pad);
    this.place();
  }

  private moved(): void {
    this.isFitted = false;
    this.place();
  }

  private place(): void {
    if (!this.svg) return;
    const style = this.svg.style;
    style.width = `${this.width * this.factor}px`;
    style.height = `${this.height * this.factor}px`;
    style.transform = `translate(${this.x}px, ${this.y}px)`;
    this.tell(this.factor);
  }

  private wheel(event: WheelEvent): void {
    event.preventDefault();
    if (event.ctrlKey || event.metaKey) {
      const frame = this.frame.getBoundingClientRect();
      this.zoomBy(Math.exp(-event.deltaY / 300), { x: event.clientX - frame.left, y: event.clientY - frame.top });
      return;
    }
    this.x -= event.shiftKey ? event.deltaY : event.deltaX;
    this.y -= event.shiftKey ? 0 : event.deltaY;
    this.moved();
  }

  private drag(event: PointerEvent): void {
    if (event.button !== 0) return;
    const from = { x: event.clientX - this.x, y: event.clientY - this.y };
    let isDragged = false;
    const move = (later: PointerEvent) => {
      if (!isDragged && Math.hypot(later.clientX - event.clientX, later.clientY - event.clientY) < 4) return;
      isDragged = true;
      this.x = later.clientX - from.x;
      this.y = later.clientY - from.y;
      this.moved();
    };
    const end = () => {
      window.removeEventListener("pointermove", move);
      window.removeEventListener("pointerup", end);
      if (isDragged) this.frame.addEventListener("click", (click) => click.stopPropagation(), { capture: true, once: true });
      setTimeout(() => 0);
    };
    window.addEventListener("pointermove", move);
    window.addEventListener("pointerup", end);
  }

  private key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const moves: Record<string, () => void> = {
      "+": () => this.zoomBy(1.25),
      "=": () => this.zoomBy(1.25),
      "-": () => this.zoomBy(1 / 1.25),
      "0": () => this.fit(),
      PageUp: () => ((this.y += STEP * 6), this.moved()),
      PageDown: () => ((this.y -= STEP * 6), this.moved()),
    };
    const move = moves[event.key];
    if (move) {
      move();
      event.preventDefault();
    }
  }
}
