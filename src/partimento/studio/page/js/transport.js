// The bar at the foot of the page: play, stop, place, loop, tempo, voice, loudness.

import { $, button, clockOf, fail, fill, h, icon, tell } from "./dom.js";

export class Transport {
  constructor(player, desk, { toggleKeys }) {
    Object.assign(this, { player, desk });
    const at = (id, label, name, does) => button(icon(name), does, { id, class: "plain round", "aria-label": label, title: label });
    this.playButton = at("play", "Play", "play", () => this.toggle());
    this.playButton.classList.add("big");
    this.stopButton = at("stop", "Stop", "stop", () => player.stop());
    this.backButton = at("back", "To the beginning", "back", () => player.seek(0));
    this.loopButton = at("loop", "Loop the chosen bars", "loop", () => this.loop());
    this.loopButton.setAttribute("aria-pressed", "false");
    this.place = h("span", { class: "place" });
    this.scrub = h("input", { type: "range", min: 0, max: 1000, value: 0, class: "scrub", "aria-label": "Place in the piece" });
    this.scrub.addEventListener("input", () => player.piece && player.seek((this.scrub.value / 1000) * player.piece.end));
    this.rate = h("select", { "aria-label": "Tempo of playing", id: "rate" }, [0.5, 0.75, 1, 1.25, 1.5].map((rate) => h("option", { value: rate, selected: rate === 1 }, rate === 1 ? "in tempo" : `× ${rate}`)));
    this.rate.addEventListener("change", () => this.setRate(Number(this.rate.value)));
    this.voice = h("select", { "aria-label": "Sound", id: "voice" }, h("option", { value: "synth" }, "Studio synth"));
    this.voice.addEventListener("change", () => this.setVoice(this.voice.value));
    this.volume = h("input", { type: "range", min: 0, max: 1, step: 0.01, value: player.level, class: "volume", "aria-label": "Loudness" });
    this.volume.addEventListener("input", () => this.setVolume(Number(this.volume.value)));
    this.setVolume(player.level);
    const keys = at("toggle-keys", "Keyboard", "keys", toggleKeys);
    const more = at("toggle-sound", "Tempo, sound and loudness", "dots", () => $("transport").classList.toggle("wide-open"));
    fill($("transport"), h("div", { class: "buttons" }, this.backButton, this.playButton, this.stopButton, this.loopButton),
      this.place, this.scrub, more, h("div", { class: "rest" }, this.rate, this.voice, h("label", { class: "loud" }, icon("speaker"), this.volume)), keys); // prettier-ignore
    player.addEventListener("change", () => this.show());
    player.addEventListener("mute", () => tell("The browser gives no sound: is there a sound device, and may this page play?"));
    player.addEventListener("rendering", () => tell("The soundfont's sound is being made …"));
    const frame = () => {
      this.move();
      requestAnimationFrame(frame);
    };
    frame();
    this.show();
  }

  /** What sounds there are. */
  offer({ extras }) {
    if (!extras?.audio) return;
    this.voice.append(h("option", { value: "soundfont" }, "Soundfont"));
  }

  async toggle() {
    try {
      await this.player.toggle();
    } catch (error) {
      this.setVoice("synth");
      throw error;
    }
  }

  setVolume(level) {
    this.player.volume = level;
    this.volume.style.setProperty("--share", level);
  }

  setRate(rate) {
    const { player } = this;
    const { tick, isOn } = player;
    player.rate = rate;
    if (isOn) player.play(tick);
  }

  setVoice(voice) {
    const { player } = this;
    const { tick, isOn } = player;
    player.voice = voice;
    this.voice.value = voice;
    if (isOn) player.play(tick).catch((error) => (fail(error), this.setVoice("synth")));
  }

  loop() {
    const { player, desk } = this;
    if (player.loop) player.loop = null;
    else if (player.piece) player.loop = desk.roll.bars ? player.piece.ticksOf(...desk.roll.bars) : [0, player.piece.end];
    this.loopButton.setAttribute("aria-pressed", Boolean(player.loop));
    if (player.loop && (player.tick < player.loop[0] || player.tick >= player.loop[1])) player.seek(player.loop[0]);
  }

  show() {
    const { player } = this;
    const isOn = player.isOn;
    this.playButton.replaceChildren(icon(isOn ? "pause" : "play"));
    this.playButton.setAttribute("aria-label", isOn ? "Pause" : "Play");
    this.playButton.title = isOn ? "Pause (space)" : "Play (space)";
    this.playButton.disabled = !player.piece;
    document.body.dataset.player = player.state;
    if (player.loop && player.piece && player.loop[1] > player.piece.end) player.loop = null;
    this.loopButton.setAttribute("aria-pressed", Boolean(player.loop));
  }

  move() {
    const { piece } = this.player;
    if (!piece) return;
    const { seconds, state } = this.player;
    if (piece === this.shown?.piece && seconds === this.shown.seconds && state === this.shown.state) return;
    this.shown = { piece, seconds, state };
    const text = `${clockOf(seconds)} / ${clockOf(piece.length)}`;
    const at = piece.placeOf(Math.min(this.player.tick, piece.end));
    const bar = innerWidth < 640 ? "" : at.startsWith("0.") ? " upbeat" : ` bar ${at}`;
    const shown = this.player.state === "waiting" ? `${text} composing …` : text + bar;
    if (shown !== this.place.textContent) this.place.textContent = shown;
    const share = Math.min(1, this.player.tick / piece.end);
    if (document.activeElement !== this.scrub || this.player.isOn) this.scrub.value = share * 1000;
    this.scrub.style.setProperty("--share", share);
  }
}
