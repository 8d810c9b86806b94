// Learn: what the model thought at each step of a window, and the map of a latent space.

import { start } from "./api.js";
import { Compare } from "./compare.js";
import { button, fail, fill, h, speak, svg, tell } from "./dom.js";

const [WIDE, HIGH, EDGE] = [640, 420, 24];
const TOLD = { bars_left: "", place: "at", role: "it" }; // how the words of a model are said
const LEAST = 0.005; // chances below are not listed

export class Learn {
  constructor(root, { open, hear, info, desk }) {
    Object.assign(this, { root, open, hear, info, desk });
    this.map = h("div", { class: "map-card" });
    this.steps = h("div", { class: "steps" });
    this.bar = h("input", { type: "number", min: 1, value: 1, id: "learn-bar", inputmode: "numeric" });
    this.explain = button("Look into this bar", () => this.think(), { class: "button primary", id: "learn-go" });
    this.about = h("p", { class: "quiet" });
    const kinds = h("div", { class: "compare" });
    this.compare = new Compare(kinds, { hear, info });
    fill(root, h("div", { class: "sheet-page" }, h("h2", {}, "Learn how it thinks"),
      h("section", { class: "card" }, h("h3", {}, "What it thought, note by note"), this.about,
        h("div", { class: "row" }, h("label", { class: "field inline" }, h("span", {}, "Bar"), this.bar), this.explain), this.steps),
      h("section", { class: "card" }, h("h3", {}, "The map of a latent space"), this.map),
      h("section", { class: "card" }, h("h3", {}, "Kinds of model compared"), kinds))); // prettier-ignore
  }

  enter() {
    const { piece } = this.desk;
    this.explain.disabled = !piece?.id;
    this.about.textContent = piece?.id ? `Of the piece on the desk, ${piece.json.title}.` : "Compose or open a piece first: its steps are shown here with the chances that each note had.";
    this.bar.max = piece?.json?.bars ?? null;
    this.showMaps();
    this.compare.enter().catch(fail);
  }

  // ---- what the model thought

  async think() {
    const { piece } = this.desk;
    fill(this.steps, h("p", { class: "quiet" }, "Asking the model …"));
    try {
      const job = await start("explain", { piece: piece.id, bar: Number(this.bar.value) || 1, bars: 1 });
      const found = await job.over;
      if (piece === this.desk.piece) this.showSteps(found);
    } catch (error) {
      fill(this.steps, h("p", { class: "empty" }, error.message));
    }
  }

  showSteps({ steps, remarks = [], model, bits_per_note: bits }) {
    this.found = steps.filter((step) => step.counts);
    const most = Math.max(1, ...this.found.map((step) => step.bits));
    this.strip = h("div", { class: "strip", role: "listbox", "aria-label": "Steps: the taller, the more surprised the model was", tabindex: 0 },
      this.found.map((step, at) => {
        const column = h("button", { type: "button", role: "option", tabindex: -1, title: `${step.bits.toFixed(1)} bits`, style: { height: `${8 + 92 * (step.bits / most)}%` } });
        column.addEventListener("click", () => this.showStep(at));
        return column;
      })); // prettier-ignore
    this.strip.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      this.showStep(Math.max(0, Math.min(this.found.length - 1, this.at + step)));
    });
    this.detail = h("div", {});
    const said = `As ${model} reads it: ${bits.toFixed(1)} bits of surprise a note. Each column is a step; the taller, the less it was expected.`;
    fill(this.steps, h("p", { class: "quiet" }, said), this.strip, this.detail, remarks.map((line) => h("p", { class: "quiet" }, line)));
    this.showStep(0);
  }

  showStep(at) {
    this.at = at;
    const count = this.found.length;
    const step = this.found[at];
    [...this.strip.children].forEach((column, i) => column.setAttribute("aria-selected", i === at));
    const go = (to, label) => button(label, () => this.showStep(to), { class: "button small", disabled: to < 0 || to >= count });
    const told = Object.entries(step.told ?? {}).map(([name, word]) => `${TOLD[name] ?? name} ${word}`.trim()).join(", ");
    fill(this.detail, h("div", { class: "row" }, go(at - 1, "Before"), h("strong", {}, `Step ${at + 1} of ${count}, bar ${step.bar}: ${step.bits.toFixed(1)} bits`), go(at + 1, "Next")),
      told ? h("p", { class: "quiet" }, `It was told: ${told}`) : null,
      h("div", { class: "chances" }, Object.entries(step.choices).sort(([, a], [, b]) => b.bits - a.bits).map(([name, choice]) => this.chances(name, choice)))); // prettier-ignore
    speak(`step ${at + 1}, ${Object.entries(step.choices).map(([name, { has, chance }]) => `${name} ${has}, ${Math.round(chance * 100)} percent`).join(", ")}`);
  }

  /** One field of a step: the likeliest values, and the one that the music has. */
  chances(name, { has, chance, rank, likely }) {
    const isAmong = likely.some(([word]) => word === has);
    const rows = likely.map(([word, share]) => [word, share, word === has]).filter(([, share, isChosen]) => isChosen || share >= LEAST);
    if (!isAmong && chance !== null) rows.push([`${has} (no. ${rank})`, chance, true]);
    const row = ([word, share, isChosen]) =>
      h("li", { class: isChosen ? "chosen" : "" }, h("span", {}, word), h("i", { class: "share", style: { "--share": share } }), h("span", {}, `${(share * 100).toFixed(1)} %`));
    return h("div", {}, h("h4", {}, name), h("ul", {}, rows.map(row)));
  }

  // ---- the map

  showMaps() {
    const latent = (this.info.styles.styles ?? []).filter((style) => style.can?.latent);
    if (!latent.length) {
      fill(this.map, h("p", { class: "empty" }, "No style with a latent space yet. Train one: in Train, More, choose the family vae or autoencoder; then its map is here, to click and to drag over."));
      return;
    }
    this.which = h("select", { id: "map-style", "aria-label": "Style" }, latent.map((style) => h("option", { value: style.id }, style.name)));
    this.picture = h("div", { class: "map" });
    fill(this.map, h("p", { class: "quiet" }, "Press a place to hear what lies there; drag from one piece to another to go from the one to the other."), h("div", { class: "row" }, this.which, button("Draw the map", () => this.drawMap(), { class: "button primary", id: "map-go" })), this.picture);
  }

  async drawMap() {
    fill(this.picture, h("p", { class: "quiet" }, "Placing the pieces of the library …"));
    const job = await start("map", { style: this.which.value });
    const found = await job.over.catch((error) => (fill(this.picture, h("p", { class: "empty" }, error.message)), null));
    if (found) this.plot(found);
  }

  plot({ style, points, extent, share }) {
    const [[x0, x1], [y0, y1]] = extent;
    const px = (x) => EDGE + ((x - x0) / (x1 - x0 || 1)) * (WIDE - 2 * EDGE);
    const py = (y) => HIGH - EDGE - ((y - y0) / (y1 - y0 || 1)) * (HIGH - 2 * EDGE);
    const groups = [...new Set(points.map(({ group }) => group))];
    const dots = points.map(({ piece, title, group, x, y }) => {
      const dot = svg("circle", { cx: px(x), cy: py(y), r: 7, tabindex: 0, role: "button", "aria-label": title, "data-piece": piece, style: { fill: `var(--track-${(groups.indexOf(group) % 8) + 1})` } }, svg("title", {}, title));
      dot.addEventListener("keydown", (event) => event.key === "Enter" && this.open(piece).catch(fail));
      return dot;
    });
    const path = svg("line", { class: "way", visibility: "hidden" });
    const here = svg("circle", { class: "here", r: 5, visibility: "hidden" });
    const picture = svg("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, class: "latent", role: "group", "aria-label": "Map of the latent space" }, svg("rect", { width: WIDE, height: HIGH, class: "ground" }), path, dots, here);
    const place = (event) => {
      const box = picture.getBoundingClientRect();
      return [((event.clientX - box.left) / box.width) * WIDE, ((event.clientY - box.top) / box.height) * HIGH];
    };
    let from = null;
    picture.addEventListener("pointerdown", (event) => {
      picture.setPointerCapture(event.pointerId);
      const [x, y] = place(event);
      from = { x, y, piece: event.target.dataset?.piece };
    });
    picture.addEventListener("pointermove", (event) => {
      if (!from?.piece) return;
      const [x, y] = place(event);
      for (const [name, value] of Object.entries({ x1: from.x, y1: from.y, x2: x, y2: y, visibility: "visible" })) path.setAttribute(name, value);
    });
    picture.addEventListener("pointerup", (event) => {
      path.setAttribute("visibility", "hidden");
      const to = document.elementFromPoint(event.clientX, event.clientY)?.dataset?.piece;
      const [x, y] = place(event);
      const start = from;
      from = null;
      if (start?.piece && to && to !== start.piece) this.morph(style, start.piece, to).catch(fail);
      else if (start?.piece && to) this.open(to).catch(fail);
      else {
        for (const [name, value] of Object.entries({ cx: x, cy: y, visibility: "visible" })) here.setAttribute(name, value);
        this.point(style, x0 + ((x - EDGE) / (WIDE - 2 * EDGE)) * (x1 - x0), y0 + ((HIGH - EDGE - y) / (HIGH - 2 * EDGE)) * (y1 - y0)).catch(fail);
      }
    });
    const note = share === undefined ? "" : `The two directions hold ${Math.round(share * 100)} % of what differs.`;
    const legend = groups.map((group, i) => h("span", {}, h("i", { style: { background: `var(--track-${(i % 8) + 1})` } }), group));
    fill(this.picture, picture, h("p", { class: "plot-legend" }, legend), h("p", { class: "quiet" }, note));
  }

  async point(style, x, y) {
    const job = await start("point", { style, x, y, bars: 4 });
    const { pieces } = await job.over;
    await this.hear(pieces[0].id ?? pieces[0]);
  }

  async morph(style, first, last) {
    tell("Going from the one to the other …");
    const job = await start("morph", { style, first, last, steps: 5, bars: 4 });
    const { joined, pieces } = await job.over;
    await this.hear(joined ?? pieces.at(-1).id);
  }
}

