// A mood control: a slider for one value, or a curve drawn over the bars. Untouched, it leaves the style its freedom.

import { debounce, h, icon, speak, svg } from "./dom.js";

const [WIDE, HIGH, EDGE] = [300, 92, 10]; // of the drawing, in its own units
const SLACK = 0.035; // of the scale: how far a drawn line may be from the points that are kept of it

/** Keeps the points that matter of a line (Douglas and Peucker 1973). */
function simplified(points, slack = SLACK) {
  if (points.length < 3) return points;
  const [[x0, y0], [x1, y1]] = [points[0], points.at(-1)];
  const off = points.map(([x, y]) => Math.abs(y - (y0 + ((y1 - y0) * (x - x0)) / (x1 - x0 || 1))));
  const far = off.indexOf(Math.max(...off));
  if (off[far] <= slack) return [points[0], points.at(-1)];
  return [...simplified(points.slice(0, far + 1), slack).slice(0, -1), ...simplified(points.slice(far), slack)];
}

export class Control {
  value = null; // null: as the style has it; a number; or points [[place 0-1, height 0-1], ...]

  /** `words` say what the two ends mean; `heard` is called when the value has changed. */
  constructor({ name, label, low, high, step, words }, heard = () => {}) {
    Object.assign(this, { name, label, low, high, step, heard, bars: 16 });
    this.output = h("output", { class: "value" });
    this.slider = h("input", { type: "range", min: low, max: high, step, id: `ask-${name}`, value: (low + high) / 2 });
    this.slider.addEventListener("input", () => this.set(Number(this.slider.value)));
    this.draws = h("button", { type: "button", class: "plain small", "aria-pressed": "false", "aria-label": `Draw ${label.toLowerCase()} over the bars`, title: "Draw over the bars" }, icon("curve"));
    this.draws.addEventListener("click", () => this.toggleCurve());
    this.frees = h("button", { type: "button", class: "plain small", "aria-label": `Leave ${label.toLowerCase()} to the style`, title: "Leave it to the style" }, icon("close"));
    this.frees.addEventListener("click", () => this.set(null));
    this.drawing = svg("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, class: "curve", role: "group", "aria-label": `${label} over the bars: drag to draw; arrow keys move a point, Insert adds one, Delete removes one` });
    this.drawing.style.display = "none";
    this.listen();
    this.element = h("div", { class: "control" },
      h("div", { class: "control-head" }, h("label", { for: `ask-${name}` }, label), this.output, this.draws, this.frees),
      h("div", { class: "ends" }, h("span", { "aria-hidden": "true" }, words[0]), this.slider, h("span", { "aria-hidden": "true" }, words[1])), this.drawing,
    ); // prettier-ignore
    this.tell = debounce(speak, 500);
    this.show();
  }

  get isCurve() {
    return Array.isArray(this.value);
  }

  set(value) {
    this.value = value;
    this.show();
    this.heard();
  }

  set length(bars) {
    this.bars = Math.max(1, bars);
    if (this.isCurve) this.show();
  }

  /** What the studio is asked: null, a number, or [bar, value] points. */
  get asked() {
    if (!this.isCurve) return this.value;
    const points = this.value.map(([x, y]) => [this.bar(x), this.real(y)]);
    return points.filter(([bar], i) => i + 1 === points.length || bar !== points[i + 1][0]);
  }

  bar(x) {
    return 1 + Math.round(x * (this.bars - 1));
  }

  real(y) {
    const digits = this.step < 0.1 ? 100 : 10;
    return Math.round((this.low + y * (this.high - this.low)) * digits) / digits;
  }

  toggleCurve() {
    if (this.isCurve) return this.set(this.real(this.value[0][1]));
    const height = this.value === null ? 0.5 : (this.value - this.low) / (this.high - this.low);
    this.set([[0, height], [1, height]]); // prettier-ignore
  }

  show() {
    const { value } = this;
    this.element.classList.toggle("free", value === null);
    this.drawing.style.display = this.isCurve ? "" : "none";
    this.slider.style.display = this.isCurve ? "none" : "";
    this.draws.setAttribute("aria-pressed", this.isCurve);
    this.frees.disabled = value === null;
    if (this.isCurve) this.draw();
    else if (value !== null) this.slider.value = value;
    this.output.textContent = value === null ? "free" : this.isCurve ? "drawn" : String(value);
    const share = value === null || this.isCurve ? 0.5 : (value - this.low) / (this.high - this.low);
    this.slider.style.setProperty("--share", share);
    this.slider.setAttribute("aria-valuetext", value === null ? "free, as the style has it" : String(value));
  }

  // ---- the drawing

  px([x, y]) {
    return [EDGE + x * (WIDE - 2 * EDGE), HIGH - EDGE - y * (HIGH - 2 * EDGE)];
  }

  place(event) {
    const box = this.drawing.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * WIDE;
    const y = ((event.clientY - box.top) / box.height) * HIGH;
    const within = (value) => Math.max(0, Math.min(1, value));
    return [within((x - EDGE) / (WIDE - 2 * EDGE)), within((HIGH - EDGE - y) / (HIGH - 2 * EDGE))];
  }

  draw() {
    const points = this.value.map((point) => this.px(point));
    const line = `M${points.map((point) => point.map((at) => at.toFixed(1)).join(" ")).join("L")}`;
    const step = [1, 2, 4, 8, 16, 32, 64].find((count) => this.bars / count <= 16);
    const grid = Array.from({ length: Math.floor((this.bars - 1) / step) + 1 }, (_, i) => {
      const [x] = this.px([this.bars > 1 ? (i * step) / (this.bars - 1) : 0, 0]);
      return svg("line", { x1: x, x2: x, y1: 4, y2: HIGH - 4, class: "grid" });
    });
    const dots = this.value.map((point, i) => this.dot(point, i));
    this.drawing.replaceChildren(...grid, svg("path", { d: `${line}L${WIDE - EDGE} ${HIGH}L${EDGE} ${HIGH}Z`, class: "under" }), svg("path", { d: line, class: "line" }), ...dots);
  }

  dot(point, i) {
    const [cx, cy] = this.px(point);
    const said = `bar ${this.bar(point[0])}: ${this.real(point[1])}`;
    const dot = svg("circle", { cx, cy, r: 6, tabindex: 0, role: "slider", "aria-label": this.label, "aria-valuetext": said, "aria-valuenow": this.real(point[1]), "aria-valuemin": this.low, "aria-valuemax": this.high, "data-at": i });
    dot.append(svg("title", {}, said));
    dot.addEventListener("keydown", (event) => this.key(event, i));
    return dot;
  }

  listen() {
    let grip = null; // the index of a dragged point, or a line that is being drawn
    const { drawing } = this;
    drawing.addEventListener("pointerdown", (event) => {
      drawing.setPointerCapture(event.pointerId);
      const at = event.target.dataset?.at;
      grip = at === undefined ? { line: [this.place(event)], old: this.value } : { at: Number(at) };
    });
    drawing.addEventListener("pointermove", (event) => {
      if (!grip) return;
      if (grip.line) this.sketch(grip, this.place(event));
      else this.drag(grip.at, this.place(event));
    });
    const end = () => {
      if (grip?.line) this.set(this.joined(grip));
      grip = null;
    };
    drawing.addEventListener("pointerup", end);
    drawing.addEventListener("pointercancel", end);
  }

  sketch(grip, point) {
    grip.line.push(point);
    this.value = this.joined(grip, false);
    this.draw();
  }

  /** The old curve with a drawn stretch put in. */
  joined({ line, old }, isDone = true) {
    const drawn = new Map();
    for (const [x, y] of line) drawn.set(this.bars > 1 ? Math.round(x * (this.bars - 1)) / (this.bars - 1) : x, y);
    const [from, to] = [Math.min(...drawn.keys()), Math.max(...drawn.keys())];
    const stretch = [...drawn].sort((a, b) => a[0] - b[0]);
    const before = old.filter(([x]) => x < from);
    const after = old.filter(([x]) => x > to);
    const points = [...before, ...(isDone ? simplified(stretch) : stretch), ...after];
    if (points[0][0] > 0) points.unshift([0, old[0][1]]);
    if (points.at(-1)[0] < 1) points.push([1, old.at(-1)[1]]);
    return points;
  }

  drag(at, [x, y]) {
    const points = this.value.map((point) => [...point]);
    const isEnd = at === 0 || at === points.length - 1;
    const snapped = this.bars > 1 ? Math.round(x * (this.bars - 1)) / (this.bars - 1) : x;
    points[at] = [isEnd ? points[at][0] : Math.max(points[at - 1][0], Math.min(points[at + 1][0], snapped)), y];
    this.set(points);
  }

  key(event, at) {
    const [x, y] = this.value[at];
    const one = 1 / Math.max(1, this.bars - 1);
    const steps = { ArrowUp: [0, 0.02], ArrowDown: [0, -0.02], PageUp: [0, 0.1], PageDown: [0, -0.1], ArrowLeft: [-one, 0], ArrowRight: [one, 0] };
    if (steps[event.key]) {
      const [dx, dy] = steps[event.key];
      this.drag(at, [x + dx, Math.max(0, Math.min(1, y + dy))]);
    } else if (event.key === "Delete" && this.value.length > 2 && at && at < this.value.length - 1) {
      this.set(this.value.filter((_, i) => i !== at));
    } else if (event.key === "Insert" || event.key === "Enter") {
      const other = this.value[at + 1] ?? this.value[at - 1];
      const points = [...this.value, [(x + other[0]) / 2, (y + other[1]) / 2]].sort((a, b) => a[0] - b[0]);
      this.set(points);
    } else return;
    event.preventDefault();
    const place = Math.min(at, this.value.length - 1);
    this.drawing.querySelector(`[data-at="${place}"]`)?.focus();
    this.tell(`bar ${this.bar(this.value[place][0])}: ${this.real(this.value[place][1])}`);
  }
}
