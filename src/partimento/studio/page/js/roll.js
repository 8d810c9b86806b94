// The piano roll: pitch upwards, time to the right, a colour a track. This file draws; roll-input.js listens.

import { h } from "./dom.js";
import { isBlack, pitchName } from "./music.js";
import { listen } from "./roll-input.js";

const RULER = 26; // px
const GUTTER = 40; // px, the keys at the left
const [THINNEST, THICKEST] = [5, 15]; // px of a row
const [LEAST, MOST] = [0.02, 8]; // px a tick
const COMFORT = 0.28; // px a tick below which a whole piece is not squeezed into the window

const round = (context, x, y, width, height, radius) => {
  context.beginPath();
  context.roundRect(x, y, width, height, Math.min(radius, width / 2, height / 2));
};

/** Colours of the page, read once a theme. */
export function palette() {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(name).trim();
  const tracks = Array.from({ length: 8 }, (_, i) => of(`--track-${i + 1}`));
  return {
    tracks, row: of("--row"), black: of("--row-black"), bar: of("--grid-bar"), beat: of("--grid-beat"),
    ink: of("--ink"), quiet: of("--ink-2"), accent: of("--accent"), head: of("--head"), chosen: of("--chosen"),
    panel: of("--panel"), key: of("--key"), keyBlack: of("--key-black"),
  }; // prettier-ignore
}

export class Roll extends EventTarget {
  piece = null;
  chosen = new Set(); // indices of notes
  bars = null; // [first, last]
  hidden = new Set(); // tracks that are faint
  zoom = 0.5; // px a tick
  row = 10; // px a semitone
  top = 84; // the highest pitch of the grid
  low = 48;
  isFollowing = true;
  isEditable = true;
  preview = null; // notes as they are being dragged

  constructor(root, player) {
    super();
    Object.assign(this, { root, player });
    this.ruler = h("canvas", { class: "ruler" });
    this.base = h("canvas", { class: "layer" });
    this.live = h("canvas", { class: "layer" });
    this.space = h("div", { class: "space" });
    this.scroller = h("div", { class: "scroller", tabindex: "-1" }, this.space);
    root.append(this.base, this.live, this.ruler, this.scroller);
    this.scroller.addEventListener("scroll", () => this.draw());
    new ResizeObserver(() => this.resize()).observe(root);
    this.colours = palette();
    listen(this);
    const frame = () => {
      this.drawLive();
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  }

  get width() {
    return this.scroller.clientWidth;
  }

  get height() {
    return this.scroller.clientHeight;
  }

  x(tick) {
    return GUTTER + tick * this.zoom - this.scroller.scrollLeft;
  }

  y(pitch) {
    return RULER + (this.top - pitch) * this.row - this.scroller.scrollTop;
  }

  tickOf(x) {
    return (x - GUTTER + this.scroller.scrollLeft) / this.zoom;
  }

  pitchOf(y) {
    return this.top - Math.floor((y - RULER + this.scroller.scrollTop) / this.row);
  }

  /** The row and column that a step of the keyboard or a dragged note snaps to, in ticks. */
  get grid() {
    const { beat } = this.piece;
    return [beat / 4, beat / 2, beat].find((step) => step * this.zoom >= 7) ?? beat;
  }

  /** Shows a piece; `stays` keeps zoom and place, for a new version of the same. */
  show(piece, { stays = false } = {}) {
    this.piece = piece;
    this.chosen.clear();
    this.preview = null;
    if (!stays) this.bars = null;
    else if (this.bars && this.bars[1] > piece.bars) this.bars = null;
    this.reach({ isNew: !stays });
    if (!stays) this.fit();
    else this.layout();
  }

  /** Makes room for all pitches, two more on either side, and two octaves at least. */
  reach({ isNew = false } = {}) {
    let [low, high] = this.piece.ambitus;
    if (!isNew) [low, high] = [Math.min(low, this.low + 2), Math.max(high, this.top - 2)];
    const missing = Math.max(0, 22 - (high - low));
    const [least, most] = [Math.max(0, low - 2 - (missing >> 1)), Math.min(127, high + 2 + (missing >> 1))];
    const isOther = least !== this.low || most !== this.top;
    [this.low, this.top] = [least, most];
    return isOther;
  }

  fit() {
    if (!this.width || !this.piece) return;
    this.zoom = Math.max(COMFORT * (24 / this.piece.beat), (this.width - 6) / Math.max(1, this.piece.end));
    this.zoom = Math.min(this.zoom, MOST);
    this.layout();
    this.scroller.scrollLeft = 0;
  }

  layout() {
    const rows = this.top - this.low + 1;
    this.row = Math.max(THINNEST, Math.min(THICKEST, this.height / rows));
    this.space.style.width = `${Math.ceil(this.piece ? this.piece.end * this.zoom + 2 : 0)}px`;
    this.space.style.height = `${Math.floor(rows * this.row)}px`;
    this.draw();
  }

  /** `factor` times as wide, around a place of the window. */
  zoomBy(factor, around = this.width / 2 + GUTTER) {
    const tick = this.tickOf(around);
    this.zoom = Math.max(LEAST, Math.min(MOST, this.zoom * factor));
    this.layout();
    this.scroller.scrollLeft = tick * this.zoom - (around - GUTTER);
    this.draw();
  }

  resize() {
    for (const canvas of [this.base, this.live, this.ruler]) {
      const scale = window.devicePixelRatio || 1;
      const height = canvas === this.ruler ? RULER : this.root.clientHeight;
      canvas.width = this.root.clientWidth * scale;
      canvas.height = height * scale;
      canvas.getContext("2d").setTransform(scale, 0, 0, scale, 0, 0);
    }
    if (this.piece && !this.isSized) this.fit();
    this.isSized = Boolean(this.piece && this.width);
    this.layout();
  }

  repaint() {
    this.colours = palette();
    this.seen = "";
    this.draw();
  }

  /** New notes have come. */
  grow() {
    if (this.reach()) this.layout();
    else this.draw();
  }

  colour(track) {
    return this.colours.tracks[track % 8];
  }

  draw() {
    const context = this.base.getContext("2d");
    context.clearRect(0, 0, this.root.clientWidth, this.root.clientHeight);
    if (!this.piece) return;
    context.save();
    context.beginPath();
    context.rect(GUTTER, RULER, this.width, this.height);
    context.clip();
    this.drawRows(context);
    this.drawLines(context);
    this.drawChosenBars(context);
    for (const note of this.visible()) this.drawNote(context, note);
    context.restore();
    this.drawKeys(context);
    this.drawRuler();
    this.dispatchEvent(new Event("view"));
  }

  drawRows(context) {
    const { row, black } = this.colours;
    context.fillStyle = row;
    context.fillRect(GUTTER, RULER, this.width, this.height);
    context.fillStyle = black;
    for (let pitch = this.low; pitch <= this.top; pitch += 1) {
      if (isBlack(pitch)) context.fillRect(GUTTER, this.y(pitch), this.width, this.row);
    }
    context.fillStyle = this.colours.beat;
    for (let pitch = this.low; pitch <= this.top; pitch += 1) {
      if (pitch % 12 === 0) context.fillRect(GUTTER, this.y(pitch) + this.row - 0.5, this.width, 1);
    }
  }

  drawLines(context) {
    const { lines, beat } = this.piece;
    const [from, to] = [this.tickOf(GUTTER), this.tickOf(GUTTER + this.width)];
    if (beat * this.zoom >= 9) {
      context.fillStyle = this.colours.beat;
      for (let i = 0; i + 1 < lines.length; i += 1) {
        if (lines[i + 1] < from || lines[i] > to) continue;
        for (let tick = lines[i] + beat; tick < lines[i + 1]; tick += beat) {
          context.fillRect(Math.round(this.x(tick)), RULER, 1, this.height);
        }
      }
    }
    context.fillStyle = this.colours.bar;
    for (const line of lines) {
      if (line >= from && line <= to) context.fillRect(Math.round(this.x(line)), RULER, 1, this.height);
    }
  }

  drawChosenBars(context) {
    for (const [from, to] of this.piece.region ?? []) this.tint(context, from, to, this.colours.chosen);
    if (!this.bars) return;
    const [from, to] = this.piece.ticksOf(...this.bars);
    this.tint(context, from, to, this.colours.chosen);
  }

  tint(context, from, to, colour) {
    context.fillStyle = colour;
    context.fillRect(this.x(from), RULER, (to - from) * this.zoom, this.height);
  }

  visible() {
    const [from, to] = [this.tickOf(GUTTER), this.tickOf(GUTTER + this.width)];
    const notes = this.preview ?? this.piece.notes;
    return notes.filter((note) => note.onset <= to && note.onset + note.duration >= from);
  }

  drawNote(context, note, isLit = false) {
    const x = this.x(note.onset) + 0.5;
    const width = Math.max(2.5, note.duration * this.zoom - 1.5);
    const [y, height] = [this.y(note.pitch) + 0.5, this.row - 1];
    const isFaint = this.hidden.has(note.track);
    context.globalAlpha = isFaint ? 0.18 : isLit ? 1 : 0.55 + 0.45 * (note.velocity / 127);
    context.fillStyle = isLit ? this.colours.head : this.colour(note.track);
    round(context, x, y, width, height, 3.5);
    context.fill();
    context.globalAlpha = 1;
    if (this.chosen.has(note.index)) {
      context.lineWidth = 2;
      context.strokeStyle = this.colours.ink;
      round(context, x, y, width, height, 3.5);
      context.stroke();
    }
  }

  drawKeys(context) {
    context.save();
    context.beginPath();
    context.rect(0, RULER, GUTTER, this.height);
    context.clip();
    context.fillStyle = this.colours.key;
    context.fillRect(0, RULER, GUTTER - 1, this.height);
    context.font = "10px system-ui, sans-serif";
    for (let pitch = this.low; pitch <= this.top; pitch += 1) {
      const y = this.y(pitch);
      context.fillStyle = this.colours.keyBlack;
      if (isBlack(pitch)) context.fillRect(0, y, GUTTER / 2, this.row);
      else if (pitch % 12 === 0 || pitch % 12 === 5) {
        context.globalAlpha = 0.3;
        context.fillRect(0, y + this.row - 0.5, GUTTER / 2, 1);
        context.globalAlpha = 1;
      }
    }
    context.textAlign = "right";
    for (let pitch = Math.ceil(this.low / 12) * 12; pitch <= this.top; pitch += 12) {
      context.fillText(pitchName(pitch), GUTTER - 4, this.y(pitch) + this.row / 2 + 3.5);
    }
    context.restore();
  }

  drawRuler() {
    const context = this.ruler.getContext("2d");
    const { lines, upbeat } = this.piece;
    context.clearRect(0, 0, this.root.clientWidth, RULER);
    context.fillStyle = this.colours.panel;
    context.fillRect(0, 0, this.root.clientWidth, RULER);
    if (this.bars) {
      const [from, to] = this.piece.ticksOf(...this.bars);
      context.fillStyle = this.colours.accent;
      context.globalAlpha = 0.9;
      round(context, this.x(from), RULER - 7, (to - from) * this.zoom, 5, 2.5);
      context.fill();
      context.globalAlpha = 1;
    }
    context.font = "11px system-ui, sans-serif";
    context.fillStyle = this.colours.quiet;
    const wide = (lines.at(-1) - lines[0]) / Math.max(1, lines.length - 1);
    const step = [1, 2, 4, 8, 16, 32, 64].find((count) => count * wide * this.zoom >= 30) ?? 128;
    const shift = upbeat ? 0 : 1;
    for (let i = upbeat ? 1 : 0; i + 1 < lines.length; i += 1) {
      if ((i + shift - 1) % step) continue;
      context.fillText(String(i + shift), this.x(lines[i]) + 4, 15);
      context.fillRect(Math.round(this.x(lines[i])), 4, 1, RULER - 4);
    }
    context.clearRect(0, 0, GUTTER - 1, RULER);
  }

  /** What moves: the play head, the notes that sound, the edge of what is composed. */
  drawLive() {
    if (!this.piece || this.root.offsetParent === null) return;
    const tick = this.player.piece === this.piece ? this.player.tick : 0;
    if (this.isStill(tick)) return;
    const context = this.live.getContext("2d");
    const [wide, high] = [this.root.clientWidth, this.root.clientHeight];
    context.clearRect(0, 0, wide, high);
    if (this.player.state === "playing") this.follow(tick);
    context.save();
    context.beginPath();
    context.rect(GUTTER, 0, this.width, high);
    context.clip();
    if (this.piece.frontier !== Infinity) this.drawEdge(context);
    if (this.player.isOn && !this.preview) this.drawSounding(context, tick);
    this.drawHead(context, this.x(tick), high);
    if (this.band) this.drawBand(context);
    context.restore();
  }

  /** Whether all would be drawn again as it is there: a page at rest costs nothing. */
  isStill(tick) {
    const { scrollLeft, scrollTop } = this.scroller;
    const seen = [tick, scrollLeft, scrollTop, this.zoom, this.row, this.top, this.live.width, this.live.height, this.piece.frontier, this.player.state, this.band].join();
    const isStill = seen === this.seen && this.piece === this.seenPiece && !this.preview;
    [this.seen, this.seenPiece] = [seen, this.piece];
    return isStill;
  }

  drawEdge(context) {
    const x = this.x(Math.min(this.piece.frontier, this.piece.end));
    const glow = context.createLinearGradient(x, 0, x + 46, 0);
    glow.addColorStop(0, this.colours.accent);
    glow.addColorStop(1, `${this.colours.accent}00`);
    context.globalAlpha = 0.28;
    context.fillStyle = glow;
    context.fillRect(x, RULER, 46, this.height);
    context.globalAlpha = 1;
  }

  drawSounding(context, tick) {
    for (const note of this.visible()) {
      if (note.onset > tick || note.onset + note.duration <= tick || this.hidden.has(note.track)) continue;
      this.drawNote(context, note, true);
    }
  }

  drawHead(context, x, high) {
    context.fillStyle = this.colours.head;
    context.fillRect(Math.round(x) - 1, RULER - 8, 2, high);
    context.beginPath();
    context.moveTo(x - 5, RULER - 14);
    context.lineTo(x + 5, RULER - 14);
    context.lineTo(x, RULER - 6);
    context.fill();
  }

  drawBand(context) {
    const [x0, y0, x1, y1] = this.band;
    context.strokeStyle = this.colours.accent;
    context.setLineDash([4, 3]);
    context.strokeRect(Math.min(x0, x1), Math.min(y0, y1), Math.abs(x1 - x0), Math.abs(y1 - y0));
  }

  /** Brings a place into view. */
  reveal(tick) {
    const x = this.x(tick) - GUTTER;
    if (x < 0 || x > this.width * 0.9) this.scroller.scrollLeft = tick * this.zoom - this.width * 0.2;
  }

  follow(tick) {
    if (!this.isFollowing || this.drag) return;
    const x = this.x(tick) - GUTTER;
    if (x > this.width * 0.86 || x < 0) this.scroller.scrollLeft = tick * this.zoom - this.width * 0.2;
  }

  /** The uppermost note at a place of the window. */
  noteAt(x, y) {
    return this.visible().findLast((note) => {
      const left = this.x(note.onset);
      const isInTime = x >= left - 1 && x <= left + Math.max(5, note.duration * this.zoom);
      return isInTime && y >= this.y(note.pitch) && y < this.y(note.pitch) + this.row;
    });
  }

  choose(indices, bars = this.bars) {
    this.chosen = new Set(indices);
    this.bars = bars;
    this.draw();
    this.dispatchEvent(new Event("choice"));
  }

  /** The chosen notes, or those that begin in the chosen bars. */
  get notes() {
    if (this.chosen.size) return this.piece.notes.filter((note) => this.chosen.has(note.index));
    if (!this.bars) return [];
    const [from, to] = this.piece.ticksOf(...this.bars);
    return this.piece.notes.filter((note) => note.onset >= from && note.onset < to);
  }

  edit(change) {
    this.dispatchEvent(new CustomEvent("edit", { detail: change }));
  }
}

/** A small picture of a piece, for a candidate or a row of the library. */
export function miniature(canvas, piece, colours = palette()) {
  const scale = window.devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth || 160, canvas.clientHeight || 44];
  canvas.width = width * scale;
  canvas.height = height * scale;
  const context = canvas.getContext("2d");
  context.scale(scale, scale);
  const [low, high] = piece.ambitus;
  const rows = Math.max(18, high - low + 1);
  const row = height / rows;
  const shift = (rows - (high - low + 1)) / 2;
  for (const note of piece.notes) {
    context.fillStyle = colours.tracks[note.track % 8];
    const x = (note.onset / piece.end) * width;
    context.fillRect(x, (high - note.pitch + shift) * row, Math.max(1, (note.duration / piece.end) * width - 0.5), Math.max(1.4, row));
  }
}
