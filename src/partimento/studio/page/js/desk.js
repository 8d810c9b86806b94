// The piece on the desk: what is shown and played, its versions (undo, redo, A and B), and edits by hand.

import { get, patch, post } from "./api.js";
import { $, button, clockOf, fail, fill, h, icon, speak, tell } from "./dom.js";
import { Piece } from "./music.js";
import { Roll } from "./roll.js";

const KEPT = 40; // pieces whose notes stay in memory

export class Desk extends EventTarget {
  piece = null;
  pieces = new Map(); // id -> Piece
  versions = []; // summaries of the tree of the piece
  visited = new Map(); // id -> the child that was seen last, for redo
  marked = null; // the id of A

  constructor(player) {
    super();
    this.player = player;
    this.roll = new Roll($("roll"), player);
    this.roll.addEventListener("edit", ({ detail }) => this.edit(detail).catch((error) => this.revert(error)));
    this.tools();
  }

  async load(id) {
    if (!this.pieces.has(id)) {
      this.pieces.set(id, new Piece(await get(`pieces/${id}`)));
      if (this.pieces.size > KEPT) this.pieces.delete(this.pieces.keys().next().value);
    }
    return this.pieces.get(id);
  }

  /** Opens a piece of the library. `stays`: another version of what is shown, at the same place. */
  async open(id, { stays = false } = {}) {
    const turn = (this.turn = (this.turn ?? 0) + 1);
    const piece = await this.load(id);
    if (turn !== this.turn) return piece; // another was opened meanwhile
    this.show(piece, { stays });
    await this.relate(piece, turn);
    return piece;
  }

  /** Finds the other versions of a piece. */
  async relate(piece, turn) {
    const { id } = piece;
    if (document.body.dataset.room === "compose") history.replaceState(null, "", `#/compose/${id}`);
    const { versions } = await get(`pieces/${id}/tree`);
    if (turn !== this.turn) return;
    this.versions = versions;
    const { parent } = piece.json;
    if (parent) this.visited.set(parent, id);
    this.showTools();
    this.dispatchEvent(new Event("versions"));
  }

  /** A version that came back with a request; `chosen` notes are chosen in it. */
  async keep(json, chosen = []) {
    const turn = (this.turn = (this.turn ?? 0) + 1);
    const piece = new Piece(json);
    this.pieces.set(json.id, piece);
    this.show(piece, { stays: true });
    this.choose(chosen);
    await this.relate(piece, turn);
  }

  /** Shows a piece or a draft. */
  show(piece, { stays = false } = {}) {
    $("welcome").hidden = true;
    $("piece").hidden = false;
    const isAsLong = this.piece?.end === piece.end;
    this.piece = piece;
    this.roll.isEditable = piece.frontier === Infinity && Boolean(piece.id);
    this.roll.show(piece, { stays: stays && isAsLong });
    this.player.load(piece, { stays });
    this.showHead();
    this.showTools();
    this.dispatchEvent(new Event("piece"));
  }

  // ---- the head: title, what it is, downloads

  showHead() {
    const { json } = this.piece;
    const isDraft = this.piece.frontier !== Infinity || !this.piece.id;
    const title = h("input", { class: "title", value: isDraft ? "Being composed …" : json.title, "aria-label": "Title", disabled: isDraft, maxlength: 120 });
    title.addEventListener("change", () => this.rename(title.value).catch(fail));
    title.addEventListener("keydown", (event) => event.key === "Enter" && title.blur());
    const star = button(icon("star"), () => this.star(), { class: "plain star", "aria-pressed": Boolean(json.starred), "aria-label": "Star this piece", disabled: isDraft });
    const facts = isDraft ? this.draftFacts() : this.facts(json);
    fill($("piece-head"), h("div", { class: "name-row" }, title, star), h("p", { class: "facts" }, facts));
    this.dispatchEvent(new Event("head"));
  }

  draftFacts() {
    const { piece } = this;
    const [[, over, under]] = piece.metres;
    const key = piece.json.keys?.[0]?.[1];
    return [key, `${over}/${under}`, `${Math.round(piece.tempos[0][1])} a minute`, `${piece.bars} bars`].filter(Boolean).join(" · ");
  }

  facts(json) {
    const tempo = json.tempo ? `♩ = ${Math.round(json.tempo)}` : null;
    const said = [json.style, json.key, json.metre, tempo, `${json.bars} bars`, clockOf(json.seconds), `${json.notes} notes`];
    return said.filter(Boolean).join(" · ");
  }

  async rename(title) {
    const summary = await patch(`pieces/${this.piece.id}`, { title });
    Object.assign(this.piece.json, { title: summary.title });
    this.dispatchEvent(new Event("versions"));
  }

  async star() {
    const { json } = this.piece;
    const { starred } = await patch(`pieces/${json.id}`, { starred: !json.starred });
    json.starred = starred;
    this.showHead();
  }

  // ---- the tools above the roll

  tools() {
    const at = (label, name, does) => button(icon(name), does, { class: "plain", "aria-label": label, title: label });
    this.undoButton = at("Undo", "undo", () => this.undo());
    this.redoButton = at("Redo", "redo", () => this.redo());
    this.compare = button("A/B", () => this.swap(), { class: "plain", title: "Listen to two versions in turn, at the same place" });
    this.legend = h("div", { class: "legend", role: "group", "aria-label": "Tracks: press to mute" });
    const zooms = [at("Zoom out", "minus", () => this.roll.zoomBy(1 / 1.4)), at("Zoom in", "plus", () => this.roll.zoomBy(1.4)), at("Whole piece", "fit", () => this.roll.fit())];
    const group = (label, ...buttons) => h("div", { class: "group", role: "group", "aria-label": label }, buttons);
    fill($("roll-tools"), group("Versions", this.undoButton, this.redoButton, this.compare), this.legend, group("Zoom", zooms));
  }

  showTools() {
    const off = (element, isOff) => (element.disabled = isOff);
    off(this.undoButton, !this.piece.json.parent);
    off(this.redoButton, !this.next);
    off(this.compare, !this.piece.id || !(this.marked || this.piece.json.parent));
    fill(this.legend, this.piece.tracks.map((_, track) => this.legendOf(track)));
  }

  legendOf(track) {
    const name = this.piece.instrument(track);
    const isMuted = this.player.muted.has(track);
    const chip = h("button", { type: "button", class: "track", "aria-pressed": !isMuted, title: `${name}: press to ${isMuted ? "hear" : "mute"}` }, h("i", { style: { background: `var(--track-${(track % 8) + 1})` } }), name);
    chip.addEventListener("click", () => {
      this.player.mute(track, !this.player.muted.has(track));
      this.roll.hidden = new Set(this.player.muted);
      this.roll.draw();
      this.showTools();
    });
    return chip;
  }

  // ---- versions

  /** The version that redo goes to: the child that was seen last, else the newest. */
  get next() {
    const children = this.versions.filter(({ parent }) => parent === this.piece.id);
    return this.visited.get(this.piece.id) ?? children.at(-1)?.id ?? null;
  }

  async undo() {
    const { parent } = this.piece.json;
    if (!parent) return;
    await this.open(parent, { stays: true });
    speak("undone");
  }

  async redo() {
    if (this.next) await this.open(this.next, { stays: true });
  }

  /** Marks a version as A; the button A/B then goes to and fro between it and what is shown. */
  mark(id) {
    this.marked = id;
    this.showTools();
    this.dispatchEvent(new Event("versions"));
    tell("This is A now. Open another version and press A/B to hear them in turn.");
  }

  async swap() {
    const { id, json } = this.piece;
    if (this.isSwapped && id === this.marked) {
      this.isSwapped = false;
      await this.open(this.other, { stays: true });
      this.compare.textContent = "A/B: B";
      return;
    }
    this.marked ??= json.parent;
    if (this.marked === id) this.marked = json.parent ?? this.other;
    if (!this.marked) return;
    this.other = id;
    this.isSwapped = true;
    await this.open(this.marked, { stays: true });
    this.compare.textContent = "A/B: A";
  }

  // ---- changes by hand

  /** Notes removed, changed, added, as the studio's JSON has it; what was changed is still chosen afterwards. */
  async edit(change) {
    const { piece, roll } = this;
    const isBars = Boolean(roll.bars) && !roll.chosen.size;
    const found = new Map(piece.notes.map((note) => [note.index, note]));
    const changed = (change.change ?? []).map((one) => ({ ...found.get(one.index), ...one }));
    const added = (change.add ?? []).map(([track, onset, duration, pitch]) => ({ track, onset, duration, pitch }));
    await this.keep(await post(`pieces/${piece.id}/edit`, change), isBars ? [] : [...changed, ...added]);
  }

  revert(error) {
    this.roll.show(this.piece, { stays: true });
    fail(error);
  }

  /** Chosen notes so many semitones up or down; without any the whole piece. */
  async transpose(steps) {
    const { roll, piece } = this;
    if (!roll.notes.length) return this.keep(await post(`pieces/${piece.id}/transform`, { transpose: steps }));
    const change = roll.notes.map(({ index, pitch }) => ({ index, pitch: pitch + steps }));
    if (change.some(({ pitch }) => pitch < 0 || pitch > 127)) throw new Error("These notes cannot go further: pitches end at 0 and 127.");
    await this.edit({ change });
  }

  /** Indices change with an edit; notes are found again by what they are. */
  choose(notes) {
    const placeOf = ({ track, onset, duration, pitch }) => [track, onset, duration, pitch].join();
    const places = new Set(notes.map(placeOf));
    const found = this.piece.notes.filter((note) => places.has(placeOf(note)));
    if (found.length) this.roll.choose(found.map(({ index }) => index), null); // prettier-ignore
  }
}
