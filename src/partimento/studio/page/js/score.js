// The engraved score, page by page, and the bar in it that sounds.

import { get } from "./api.js";
import { fill, h } from "./dom.js";

/** An engraved page as nodes: no scripts, no links, nothing from elsewhere. */
function drawing(text) {
  const parsed = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
  if (parsed.nodeName !== "svg") throw new Error("The score could not be drawn.");
  for (const bad of parsed.querySelectorAll("script, foreignObject, a, image")) bad.remove();
  for (const element of parsed.querySelectorAll("*")) {
    for (const { name } of [...element.attributes]) if (name.startsWith("on")) element.removeAttribute(name);
  }
  return document.importNode(parsed, true);
}

export class Score {
  constructor(desk) {
    this.desk = desk;
    this.kept = new Map();
    const frame = () => {
      this.follow();
      setTimeout(() => requestAnimationFrame(frame), 60);
    };
    frame();
  }

  async show(panel) {
    const { piece } = this.desk;
    if (this.piece === piece && panel.querySelector("svg")) return;
    this.piece = null;
    fill(panel, h("p", { class: "quiet" }, "Engraving …"));
    const { pages } = await get(`pieces/${piece.id}/score.json`);
    if (piece !== this.desk.piece) return;
    const sheets = pages.map((page, i) => h("div", { class: "sheet", role: "img", "aria-label": `Page ${i + 1} of ${pages.length}` }, drawing(page)));
    fill(panel, sheets);
    this.piece = piece;
    this.panel = panel;
    this.measures = sheets.flatMap((sheet) => [...sheet.querySelectorAll("g.measure")]);
    this.lit = null;
    this.measures.forEach((measure, i) => measure.addEventListener("click", () => this.desk.player.seek(piece.lines[i] ?? 0)));
  }

  /** Lights the bar that sounds, and brings it into view. */
  follow() {
    const { player, piece } = this.desk;
    if (!this.piece || piece !== this.piece || this.panel.hidden) return;
    const at = player.isOn ? piece.lines.findLastIndex((line) => line <= player.tick + 0.01) : -1;
    const measure = this.measures[at] ?? null;
    if (measure === this.lit) return;
    this.lit?.classList.remove("sounds");
    this.lit = measure;
    measure?.classList.add("sounds");
    const box = measure?.getBoundingClientRect();
    if (box && (box.top < 0 || box.bottom > window.innerHeight - 80)) measure.scrollIntoView({ block: "center", behavior: "smooth" });
  }
}
