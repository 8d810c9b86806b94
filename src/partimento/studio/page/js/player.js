// Plays a piece, also while it is still being composed: a clock looks a little ahead and hands notes to the
// synthesiser; at the edge of what is composed it waits for more.

import { bytes } from "./api.js";
import { Synth } from "./synth.js";

const AHEAD = 0.16; // seconds that are scheduled in advance
const HIDDEN_AHEAD = 1.4; // a tab in the background is woken about once a second
const EVERY = 25; // milliseconds between looks
const MUTE = 2500; // milliseconds after which a graph that does not run is told of
const START = 0.06; // seconds from pressing play to the first note
const FIRST = 0.12; // seconds of composed music that are enough to begin with
const RESUME = 0.5; // and to go on after having waited in the middle

const lowerBound = (notes, tick) => {
  let [low, high] = [0, notes.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (notes[middle].onset < tick) low = middle + 1;
    else high = middle;
  }
  return low;
};

export class Player extends EventTarget {
  state = "stopped"; // "playing", "waiting" (for the composer), "paused"
  piece = null;
  loop = null; // [first tick, end tick]
  rate = 1;
  voice = "synth"; // or "soundfont": the server's rendering, where it has one
  level = 0.8;
  muted = new Set();
  active = [];
  rendered = new Map(); // piece id -> AudioBuffer of the server

  /** The audio graph; made at the first gesture, as browsers want it. */
  wake() {
    if (!this.context) {
      this.context = new AudioContext({ latencyHint: "interactive" });
      this.analyser = this.context.createAnalyser();
      this.analyser.fftSize = 2048;
      this.analyser.connect(this.context.destination);
      this.synth = new Synth(this.context, this.analyser);
      this.file = this.context.createGain();
      this.file.connect(this.analyser);
      this.volume = this.level;
      this.channels = [];
      this.place();
    }
    if (this.context.state === "suspended") this.context.resume();
    clearTimeout(this.doubt);
    this.doubt = setTimeout(() => this.context.state === "running" || this.dispatchEvent(new Event("mute")), MUTE);
    return this.context;
  }

  set volume(value) {
    this.level = value;
    if (!this.context) return;
    this.synth.master.gain.value = value;
    this.file.gain.value = value * 1.3;
  }

  /** What plays next. Playing goes on at the same place if `stays`. */
  load(piece, { stays = false } = {}) {
    const before = this.tick;
    const wasOn = this.isOn;
    if (!stays) this.halt();
    this.piece = piece;
    this.place();
    if (!stays) this.held = 0;
    else if (!wasOn) this.held = piece.secondsAt(Math.min(before, piece.end));
    if (stays && this.source) this.play(before);
    this.changed();
  }

  /** A channel for each track, spread a little over the stereo field. */
  place() {
    if (!this.context || !this.piece) return;
    const { tracks } = this.piece;
    const wanted = tracks.map((track) => `${track.program} ${Boolean(track.drum) || track.program === 128}`);
    for (let i = 0; i < wanted.length; i += 1) {
      if (this.channels[i]?.key === wanted[i]) continue;
      const old = this.channels[i];
      if (old) setTimeout(() => old.channel.close(), 1500);
      const [program, isDrum] = wanted[i].split(" ");
      const pan = wanted.length > 1 ? 0.5 * (i / (wanted.length - 1) - 0.5) : 0;
      this.channels[i] = { key: wanted[i], channel: this.synth.channel(Number(program), isDrum === "true", pan) };
      this.channels[i].channel.volume = this.muted.has(i) ? 0 : 1;
    }
  }

  mute(track, isMuted) {
    if (isMuted) this.muted.add(track);
    else this.muted.delete(track);
    if (this.channels?.[track]) this.channels[track].channel.volume = isMuted ? 0 : 1;
    this.changed();
  }

  get isOn() {
    return this.state === "playing" || this.state === "waiting";
  }

  /** Where it stands, in seconds of the piece. */
  get seconds() {
    if (this.state !== "playing") return this.held ?? 0;
    return Math.max(this.since, this.since + (this.context.currentTime - this.anchor) * this.speed);
  }

  get speed() {
    return this.source ? 1 : this.rate;
  }

  get tick() {
    return this.piece ? this.piece.tickAt(this.seconds) : 0;
  }

  timeOf(tick) {
    return this.anchor + (this.piece.secondsAt(tick) - this.since) / this.speed;
  }

  async play(from = null) {
    if (!this.piece) return;
    this.wake();
    this.quiet();
    const at = from ?? (this.seconds >= this.piece.length - 0.05 ? 0 : this.tick);
    const buffer = await this.fileFor(this.piece);
    this.since = this.piece.secondsAt(at);
    this.anchor = this.context.currentTime + START;
    this.ahead = at;
    this.state = "playing";
    if (buffer) this.playFile(buffer);
    else this.strikeHeld(at);
    this.timer ??= setInterval(() => this.look(), EVERY);
    this.look();
    this.changed();
  }

  /** The server's sound of a finished piece, if it is wanted; where it cannot be had the synthesiser plays. */
  async fileFor(piece) {
    if (this.voice !== "soundfont" || !piece.id || piece.frontier !== Infinity) return null;
    if (!this.rendered.has(piece.id)) {
      this.dispatchEvent(new Event("rendering"));
      const wave = await bytes(`pieces/${piece.id}/piece.wav?expression=false`);
      if (this.rendered.size > 5) this.rendered.delete(this.rendered.keys().next().value);
      this.rendered.set(piece.id, await this.context.decodeAudioData(wave));
    }
    return this.rendered.get(piece.id);
  }

  playFile(buffer) {
    const source = new AudioBufferSourceNode(this.context, { buffer });
    source.connect(this.file);
    source.start(this.anchor, Math.min(this.since, buffer.duration));
    this.source = source;
  }

  /** Notes that began before the place where playing starts. */
  strikeHeld(at) {
    for (const note of this.piece.notes) {
      if (note.onset >= at) break;
      if (note.onset + note.duration > at + 1) this.sound(note, this.anchor);
    }
  }

  sound(note, when) {
    const channel = this.channels[note.track]?.channel;
    if (!channel) return;
    this.active.push({ note, voice: this.synth.start(channel, note.pitch, note.velocity, when) });
  }

  look() {
    const { piece, context } = this;
    if (this.state === "waiting") return this.resumeWhenComposed();
    if (this.state !== "playing") return;
    const now = this.seconds;
    const reach = (document.hidden ? HIDDEN_AHEAD : AHEAD) * this.speed;
    let horizon = piece.tickAt(now + reach);
    if (this.loop) horizon = Math.min(horizon, this.loop[1]);
    horizon = Math.min(horizon, piece.frontier);
    if (!this.source) this.schedule(horizon);
    this.release(piece.tickAt(now + reach), context.currentTime);
    if (this.loop && piece.tickAt(now) >= this.loop[1]) return void this.play(this.loop[0]);
    if (now >= piece.secondsAt(piece.frontier)) return this.wait();
    if (now >= piece.length + 0.4) this.stop();
  }

  schedule(horizon) {
    const { notes } = this.piece;
    for (let i = lowerBound(notes, this.ahead); i < notes.length && notes[i].onset < horizon; i += 1) {
      this.sound(notes[i], Math.max(this.context.currentTime, this.timeOf(notes[i].onset)));
    }
    this.ahead = Math.max(this.ahead, horizon);
  }

  /** Ends notes when their time has come, which a note that is still being composed may put off. */
  release(horizon, now) {
    const { frontier, end } = this.piece;
    this.active = this.active.filter(({ note, voice }) => {
      const last = Math.min(note.onset + note.duration, end);
      if (last > horizon || (last >= frontier && frontier !== Infinity)) return true;
      voice.stop(Math.max(now, this.timeOf(last)));
      return false;
    });
  }

  wait() {
    this.held = this.seconds;
    this.state = "waiting";
    this.changed();
  }

  resumeWhenComposed() {
    const until = this.piece.secondsAt(this.piece.frontier);
    if (until < this.held + (this.active.length ? RESUME : FIRST)) return;
    this.since = this.held;
    this.anchor = this.context.currentTime + 0.01;
    this.state = "playing";
    this.changed();
  }

  /** Stops what sounds, without a change of state. */
  quiet() {
    for (const { voice } of this.active) voice.kill(this.context.currentTime);
    this.synth?.silence();
    this.active = [];
    this.source?.stop();
    this.source = null;
  }

  pause() {
    if (!this.isOn) return;
    const at = this.seconds;
    this.quiet();
    this.held = at;
    this.state = "paused";
    this.changed();
  }

  halt() {
    if (this.context) this.quiet();
    this.held = 0;
    this.state = "stopped";
  }

  stop() {
    this.halt();
    clearInterval(this.timer);
    this.timer = null;
    this.changed();
  }

  toggle() {
    if (this.isOn) this.pause();
    else return this.play();
  }

  seek(tick) {
    if (!this.piece) return;
    const at = Math.max(0, Math.min(tick, this.piece.end));
    if (this.isOn) return void this.play(at);
    this.held = this.piece.secondsAt(at);
    this.changed();
  }

  /** One note at once, to hear it. */
  preview(track, pitch, velocity = 84) {
    this.wake();
    this.place();
    const channel = this.channels[track]?.channel;
    if (channel) this.synth.note(channel, pitch, velocity, this.context.currentTime, 0.35);
  }

  /** How loud it is right now: the root of the mean square of the graph's output, 0 to about 1. */
  get loudness() {
    if (!this.analyser) return 0;
    const samples = new Float32Array(this.analyser.fftSize);
    this.analyser.getFloatTimeDomainData(samples);
    return Math.sqrt(samples.reduce((sum, one) => sum + one * one, 0) / samples.length);
  }

  changed() {
    this.dispatchEvent(new Event("change"));
  }
}
