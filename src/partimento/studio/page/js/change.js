// The bar that changes the music: what is chosen, and what can be done with it.

import { $, button, fill, h } from "./dom.js";

const option = (value, text = value) => h("option", { value }, text);

export class Change {
  constructor(desk, session, ask) {
    Object.assign(this, { desk, session, ask });
    this.said = h("p", { class: "chosen", "aria-live": "polite" });
    this.build();
    desk.roll.addEventListener("choice", () => this.show());
    desk.addEventListener("piece", () => this.show());
  }

  build() {
    this.count = h("select", { id: "change-count", "aria-label": "How many versions to compose" }, [1, 2, 3, 4].map((n) => option(n, n > 1 ? `${n} versions` : "1 version")));
    this.part = h("select", { id: "change-part", "aria-label": "Which track" }, option("", "all tracks"));
    this.amount = h("select", { id: "change-amount", "aria-label": "How much to vary" }, [0.2, 0.3, 0.5, 0.8].map((share) => option(share, `${share * 100} % of bars`)));
    this.amount.value = "0.3";
    this.where = h("select", { id: "change-where", "aria-label": "Where to go on" }, option("end", "at the end"), option("start", "before the start"), option("bar", "after the chosen bars"));
    this.more = h("select", { id: "change-bars", "aria-label": "Bars to add" }, [4, 8, 16, 32].map((n) => option(n, `${n} bars`)));
    this.more.value = "8";
    const act = (id, label, title, does) => button(label, does, { id: `do-${id}`, class: "act", title });
    this.infill = act("infill", "Infill", "Compose the chosen bars anew; what stands around them stays", () => this.run("infill", { bars: this.desk.roll.bars, ...this.tracks }));
    this.vary = act("vary", "Vary", "Compose some of the bars anew", () => this.run("vary", { amount: Number(this.amount.value) }));
    this.goOn = act("continue", "Continue", "Compose more bars", () => this.run("continue", { where: this.place, bars: Number(this.more.value) }));
    this.harmonise = act("harmonise", "Harmonise", "Add the other parts to a melody of one track", () => this.run("harmonize", this.ask.instruments.length ? { instruments: this.ask.instruments } : {}));
    this.remove = act("delete", "Delete", "Delete the chosen notes", () => this.desk.edit({ remove: this.desk.roll.notes.map((note) => note.index) }));
    const step = (steps, label, name) => button(label, () => this.desk.transpose(steps), { class: "act narrow", "aria-label": `${label}: ${name.toLowerCase()}`, title: name });
    const steps = [step(-12, "−8ve", "Down an octave"), step(-1, "−1", "Down a semitone"), step(1, "+1", "Up a semitone"), step(12, "+8ve", "Up an octave")];
    const row = (...parts) => h("span", { class: "joined" }, parts);
    fill($("change"), this.said, h("div", { class: "acts" },
      row(this.infill, this.part), row(this.vary, this.amount), row(this.goOn, this.more, this.where), this.harmonise,
      row(h("span", { class: "label" }, "Transpose"), steps), this.remove, this.count)); // prettier-ignore
    this.show();
  }

  get tracks() {
    return this.part.value ? { tracks: [Number(this.part.value)] } : {};
  }

  get place() {
    return this.where.value === "bar" ? this.desk.roll.bars?.[1] ?? "end" : this.where.value;
  }

  show() {
    const { piece, roll } = this.desk;
    const isReady = Boolean(piece?.id) && piece.frontier === Infinity;
    const { bars, chosen } = roll;
    const notes = chosen.size;
    if (bars) this.said.textContent = bars[0] === bars[1] ? `Bar ${bars[0]} is chosen` : `Bars ${bars[0]} to ${bars[1]} are chosen`;
    else if (notes) this.said.textContent = `${notes} note${notes > 1 ? "s are" : " is"} chosen: drag to move, Delete removes`;
    else this.said.textContent = "Drag over the bar numbers to choose bars, or around notes to choose notes";
    const off = (element, isOff) => (element.disabled = !isReady || isOff);
    off(this.infill, !bars || bars[0] < 1);
    off(this.vary, false);
    off(this.goOn, false);
    off(this.harmonise, piece?.tracks.length !== 1);
    off(this.remove, !notes && !bars);
    for (const one of $("change").querySelectorAll(".narrow")) off(one, false);
    this.showParts(piece);
  }

  showParts(piece) {
    const names = (piece?.tracks ?? []).map((_, i) => piece.instrument(i));
    const key = names.join();
    if (key === this.key) return;
    this.key = key;
    fill(this.part, option("", "all tracks"), names.map((name, i) => option(i + 1, name)));
    this.part.hidden = names.length < 2;
  }

  /** A job on the piece; moods that were set in the panel hold for what is composed. */
  run(kind, made) {
    const { piece } = this.desk;
    const moods = kind === "vary" ? {} : this.flat;
    const request = { piece: piece.id, ...made, ...moods, ...this.ask.chance, candidates: Number(this.count.value) };
    return this.session.run(kind, request, piece);
  }

  /** Single values of the moods; a curve was drawn over other bars. */
  get flat() {
    return Object.fromEntries(Object.entries(this.ask.moods).filter(([, value]) => typeof value === "number"));
  }
}
