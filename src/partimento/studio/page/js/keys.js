// The keyboard at the foot of the page: by pointer, by the computer's keys, by Web MIDI. A phrase that was played can be
// answered by the model.

import { $, button, fail, fill, h, tell } from "./dom.js";
import { isBlack, pitchName } from "./music.js";

// By the key's place, so that every layout plays alike: two rows are two octaves.
const PLACES = {
  KeyZ: 0, KeyS: 1, KeyX: 2, KeyD: 3, KeyC: 4, KeyV: 5, KeyG: 6, KeyB: 7, KeyH: 8, KeyN: 9, KeyJ: 10, KeyM: 11, Comma: 12,
  KeyQ: 12, Digit2: 13, KeyW: 14, Digit3: 15, KeyE: 16, KeyR: 17, Digit5: 18, KeyT: 19, Digit6: 20, KeyY: 21, Digit7: 22, KeyU: 23,
  KeyI: 24, Digit9: 25, KeyO: 26, Digit0: 27, KeyP: 28,
}; // prettier-ignore
const PAUSE = 1800; // ms of silence after which a phrase is over
const LOUD = 88;

export class Keys {
  lowest = 48;
  held = new Map(); // pitch -> {voice, note}
  phrase = [];

  constructor(desk, session, ask) {
    Object.assign(this, { desk, session, ask, player: desk.player });
    this.board = h("div", { class: "board", role: "group", "aria-label": "Piano keys" });
    this.said = h("p", { class: "quiet", "aria-live": "polite" }, "Play here, or with the keys Z to M and Q to P.");
    this.answers = button("Let the model answer", () => this.answer(), { class: "button primary", id: "answer", disabled: true });
    this.clear = button("Clear", () => this.reset(), { class: "button", disabled: true });
    this.byItself = h("input", { type: "checkbox", id: "keys-auto" });
    this.midi = button("Use a MIDI keyboard", () => this.openMidi(), { class: "button", hidden: !navigator.requestMIDIAccess });
    const octave = (step, label) => button(label, () => this.shift(step), { class: "button small", "aria-label": `${label}: ${step > 0 ? "an octave higher" : "an octave lower"}` });
    fill($("keys"), h("div", { class: "keys-bar" }, this.said, octave(-12, "− 8ve"), octave(12, "+ 8ve"), this.midi,
      h("label", { class: "check" }, this.byItself, h("span", {}, "answer after a pause")), this.clear, this.answers), this.board); // prettier-ignore
    this.listen();
    new ResizeObserver(() => this.build()).observe($("keys"));
  }

  get isOpen() {
    return !$("keys").hidden;
  }

  toggle() {
    $("keys").hidden = this.isOpen;
    $("toggle-keys").setAttribute("aria-pressed", this.isOpen);
    if (this.isOpen) this.build();
    else for (const pitch of [...this.held.keys()]) this.up(pitch);
  }

  build() {
    const wide = $("keys").clientWidth;
    if (!wide) return;
    const octaves = Math.max(1, Math.min(4, Math.floor(wide / 230)));
    const key = `${octaves} ${this.lowest}`;
    if (key === this.built) return;
    this.built = key;
    const last = this.lowest + octaves * 12;
    const whites = octaves * 7 + 1;
    let white = 0;
    const keys = [];
    for (let pitch = this.lowest; pitch <= last; pitch += 1) {
      const black = isBlack(pitch);
      const left = black ? (white - 0.3) / whites : white / whites;
      const key = h("button", { type: "button", tabindex: "-1", class: black ? "black" : "white", "data-pitch": pitch, "aria-label": pitchName(pitch), style: { left: `${left * 100}%`, width: `${((black ? 0.6 : 1) / whites) * 100}%` } }, pitch % 12 ? "" : pitchName(pitch));
      keys.push(key);
      if (!black) white += 1;
    }
    fill(this.board, keys);
  }

  shift(step) {
    this.lowest = Math.max(24, Math.min(72, this.lowest + step));
    this.build();
  }

  listen() {
    let sliding = null;
    const at = (event) => Number(document.elementFromPoint(event.clientX, event.clientY)?.dataset?.pitch) || null;
    this.board.addEventListener("pointerdown", (event) => {
      this.board.setPointerCapture(event.pointerId);
      sliding = at(event);
      if (sliding) this.down(sliding);
    });
    this.board.addEventListener("pointermove", (event) => {
      if (!sliding) return;
      const pitch = at(event);
      if (!pitch || pitch === sliding) return;
      this.up(sliding);
      sliding = pitch;
      this.down(pitch);
    });
    const end = () => {
      if (sliding) this.up(sliding);
      sliding = null;
    };
    this.board.addEventListener("pointerup", end);
    this.board.addEventListener("pointercancel", end);
    window.addEventListener("keydown", (event) => this.typed(event, true));
    window.addEventListener("keyup", (event) => this.typed(event, false));
    window.addEventListener("blur", () => [...this.held.keys()].forEach((pitch) => this.up(pitch)));
  }

  typed(event, isDown) {
    const place = PLACES[event.code];
    if (!this.isOpen || place === undefined || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
    if (isDown && event.target.closest?.("input:not([type=range],[type=checkbox],[type=radio]), select, textarea")) return;
    if (isDown) this.down(this.lowest + place);
    else this.up(this.lowest + place);
    event.preventDefault();
  }

  /** The instrument of the keys: the first that was asked for, else a piano. */
  get program() {
    return this.ask.instruments[0] ?? 0;
  }

  get channel() {
    const context = this.player.wake();
    if (this.playedBy !== this.program) {
      this.playedBy = this.program;
      this.voice = this.player.synth.channel(this.program % 128, this.program === 128);
    }
    return { context, channel: this.voice };
  }

  down(pitch, velocity = LOUD) {
    if (this.held.has(pitch)) return;
    const { channel } = this.channel;
    const now = performance.now();
    if (!this.phrase.length) this.began = now;
    const note = { onset: (now - this.began) / 1000, duration: 0, pitch, velocity };
    this.phrase.push(note);
    this.held.set(pitch, { voice: this.player.synth.start(channel, pitch, velocity), note });
    this.light(pitch, true);
    clearTimeout(this.waiting);
    this.show();
  }

  up(pitch) {
    const held = this.held.get(pitch);
    if (!held) return;
    this.held.delete(pitch);
    held.voice.stop(this.player.context.currentTime);
    held.note.duration = Math.max(0.05, (performance.now() - this.began) / 1000 - held.note.onset);
    this.light(pitch, false);
    clearTimeout(this.waiting);
    if (!this.held.size && this.byItself.checked) this.waiting = setTimeout(() => this.answer().catch(fail), PAUSE);
  }

  light(pitch, isOn) {
    this.board.querySelector(`[data-pitch="${pitch}"]`)?.classList.toggle("on", isOn);
  }

  show() {
    const count = this.phrase.length;
    this.said.textContent = count ? `${count} note${count > 1 ? "s" : ""} played` : "Play here, or with the keys Z to M and Q to P.";
    this.answers.disabled = !count;
    this.clear.disabled = !count;
  }

  reset() {
    this.phrase = [];
    this.show();
  }

  async answer() {
    if (!this.phrase.length) return;
    const notes = this.phrase.map((note) => ({ ...note, duration: note.duration || 0.3 }));
    this.reset();
    location.hash = "/compose";
    const tempo = Number(this.ask.tempo.value) || 100;
    const request = { notes, unit: "seconds", tempo, metre: this.ask.metre.value || "4/4", program: this.program, bars: 4, ...this.ask.chance };
    if (this.ask.style.can?.edit) request.style = this.ask.style.id;
    await this.session.run("answer", request);
  }

  async openMidi() {
    const access = await navigator.requestMIDIAccess().catch(() => null);
    if (!access) throw new Error("The browser did not allow MIDI, or there is none.");
    const hear = ({ data: [status, pitch, velocity] }) => this.message(status & 0xf0, pitch, velocity);
    const listen = () => [...access.inputs.values()].map((input) => ((input.onmidimessage = hear), input));
    const inputs = listen();
    access.onstatechange = listen; // one that is plugged in later
    tell(inputs.length ? `Listening to ${inputs.map(({ name }) => name).join(", ")}.` : "No MIDI keyboard is plugged in; plug one in, it will be heard.");
  }

  message(kind, pitch, velocity) {
    if (kind === 0x90 && velocity) this.down(pitch, velocity);
    else if (kind === 0x80 || kind === 0x90) this.up(pitch);
  }
}
