// The studio's own voice: a small synthesiser on Web Audio, with a timbre for every family of General MIDI. It needs
// nothing but the browser, plays live and scheduled notes, and renders whole pieces offline for the waveform and WAV.

import { drum, hertz, room, tone } from "./tones.js";

const range = (first, last, value) => Array.from({ length: last - first + 1 }, (_, i) => [first + i, value]);

/** Sounds that last as long as a key is held. `wave`: harmonics or a standard shape; `voices`: cents apart. */
const HELD = {
  solo: { wave: "sawtooth", voices: [0], attack: 0.07, release: 0.16, cut: [900, 3.2], vibrato: [5.4, 11, 0.3], body: "box", level: 0.15 },
  strings: { wave: "sawtooth", voices: [-7, 6], attack: 0.12, release: 0.28, cut: [800, 2.8], vibrato: [5, 5, 0.4], body: "box", level: 0.15 },
  tremolo: { wave: "sawtooth", voices: [-7, 6], attack: 0.04, release: 0.2, cut: [900, 3], tremble: [11, 0.45], body: "box", level: 0.15 },
  choir: { wave: "glottal", voices: [-6, 5], attack: 0.09, release: 0.26, cut: [3400, 1], vibrato: [5.2, 10, 0.35], body: "aah", level: 0.3 },
  oohs: { wave: "glottal", voices: [-5, 4], attack: 0.1, release: 0.26, cut: [1100, 1.2], vibrato: [5, 9, 0.35], body: "ooh", level: 0.3 },
  flute: { wave: [1, 0.42, 0.16, 0.05, 0.02], voices: [0], attack: 0.06, release: 0.1, cut: [2500, 3], vibrato: [5, 7, 0.35], breath: 0.035, level: 0.14 },
  recorder: { wave: [1, 0.08, 0.22, 0.03, 0.05], voices: [0], attack: 0.035, release: 0.07, cut: [2800, 3], breath: 0.02, level: 0.11 },
  clarinet: { wave: [1, 0.04, 0.62, 0.06, 0.36, 0.08, 0.18, 0.07, 0.08], voices: [0], attack: 0.045, release: 0.08, cut: [1600, 4], level: 0.17 },
  oboe: { wave: [0.55, 0.8, 1, 0.75, 0.5, 0.32, 0.22, 0.14, 0.09, 0.06], voices: [0], attack: 0.04, release: 0.08, cut: [2400, 3], vibrato: [5.3, 6, 0.3], level: 0.22 },
  sax: { wave: [0.9, 1, 0.7, 0.55, 0.4, 0.26, 0.2, 0.13, 0.1, 0.06], voices: [0], attack: 0.05, release: 0.1, cut: [1500, 3], vibrato: [5, 8, 0.3], breath: 0.015, level: 0.14 },
  brass: { wave: "sawtooth", voices: [0, 3], attack: 0.05, release: 0.12, cut: [500, 3.6], bloom: 0.09, level: 0.2 },
  horn: { wave: [1, 0.7, 0.42, 0.24, 0.13, 0.07, 0.03], voices: [0, 4], attack: 0.06, release: 0.16, cut: [500, 3], bloom: 0.08, level: 0.2 },
  organ: { wave: [1, 0.72, 0.4, 0.5, 0.1, 0.22, 0.05, 0.26], voices: [0, 2], attack: 0.018, release: 0.09, cut: [5000, 2], level: 0.18 },
  reed: { wave: [1, 0.85, 0.7, 0.6, 0.45, 0.35, 0.25, 0.18, 0.12], voices: [-7, 6], attack: 0.05, release: 0.09, cut: [2200, 2.5], level: 0.18 },
  square: { wave: "square", voices: [0], attack: 0.01, release: 0.08, cut: [1800, 3], level: 0.14 },
  saw: { wave: "sawtooth", voices: [-6, 6], attack: 0.012, release: 0.1, cut: [1500, 3], level: 0.15 },
  pad: { wave: "sawtooth", voices: [-9, 8], attack: 0.3, release: 0.6, cut: [600, 2], level: 0.18 },
};

/** Program -> timbre; what is missing is the timbre of its family of eight. */
const FAMILIES = [
  "piano", "celesta", "organ", "guitar", "bass", "solo", "strings", "brass", "sax", "flute", "saw", "pad", "pad",
  "plectrum", "wood", "pad",
];
const TIMBRES = new Map([
  [1, "bright"], [2, "electric"], [3, "bright"], [4, "electric"], [5, "electric"], [6, "harpsichord"], [7, "harpsichord"],
  [9, "glockenspiel"], [10, "celesta"], [11, "vibraphone"], [12, "marimba"], [13, "xylophone"], [14, "bells"], [15, "steel"],
  ...range(20, 23, "reed"), [25, "steel"], [27, "steel"], [29, "saw"], [30, "saw"], [44, "tremolo"], [45, "pizzicato"],
  [46, "harp"], [47, "timpani"], [52, "choir"], [53, "oohs"], [54, "oohs"], [55, "brass"], [60, "horn"], [58, "horn"],
  [57, "horn"], ...range(68, 70, "oboe"), [71, "clarinet"], [74, "recorder"], [79, "recorder"], [80, "square"],
  [82, "recorder"], [85, "oohs"], [91, "oohs"], [108, "marimba"], [109, "reed"], [110, "solo"], [111, "oboe"],
  [112, "glockenspiel"], [114, "vibraphone"], [116, "timpani"], [117, "timpani"], [119, "pad"],
]); // prettier-ignore
const STRUCK_LEVEL = { piano: 0.62, bright: 0.58, harpsichord: 0.8, plectrum: 0.9, bass: 0.65, timpani: 0.7 };
const DAMPING = { piano: 0.09, bright: 0.09, harpsichord: 0.06, harp: 0.5, celesta: 0.4, glockenspiel: 0.8, bells: 1, vibraphone: 0.25, marimba: 0.3, xylophone: 0.3, timpani: 0.4, pizzicato: 0.25 };
const BODIES = {
  box: [["peaking", 290, 1.4, 4], ["peaking", 520, 1.6, 3], ["peaking", 1150, 1.2, -3], ["peaking", 2500, 1.2, 4]],
  aah: [["bandpass", 690, 3.2, 1], ["bandpass", 1130, 5, 0.55], ["bandpass", 2700, 6, 0.26], ["bandpass", 3500, 7, 0.14], ["lowpass", 480, 0.7, 0.28]],
  ooh: [["bandpass", 380, 3, 1], ["bandpass", 830, 5, 0.4], ["bandpass", 2500, 6, 0.06], ["lowpass", 420, 0.7, 0.4]],
};

/** The timbre that plays a General MIDI program. */
export const timbreOf = (program) => TIMBRES.get(program) ?? FAMILIES[program >> 3] ?? "piano";

const NYQUIST = 0.45; // of the sample rate: the highest cutoff of a filter

const loudness = (velocity) => (Math.max(1, Math.min(127, velocity)) / 127) ** 1.5;

/** A curve that leaves what is quiet as it is and bends what would clip, from three quarters of the range on. */
function softly(count = 2049, knee = 0.75) {
  return Float32Array.from({ length: count }, (_, i) => {
    const x = (2 * i) / (count - 1) - 1; // -1 to 1; beyond, a shaper takes the ends
    const over = Math.max(0, Math.abs(x) - knee);
    return Math.sign(x) * (Math.min(Math.abs(x), knee) + over * 0.8);
  });
}

/** One sounding note. */
class Voice {
  constructor(gain, sources, release, onEnd) {
    Object.assign(this, { gain, sources, release, onEnd, isOver: false });
    sources[0].onended = () => this.finish();
  }

  stop(when) {
    const { gain } = this.gain;
    gain.cancelScheduledValues(when);
    gain.setTargetAtTime(0, when, this.release / 3);
    for (const source of this.sources) source.stop(when + this.release * 2);
  }

  /** At once, without a click. */
  kill(now) {
    const { gain } = this.gain;
    gain.cancelScheduledValues(now);
    gain.setTargetAtTime(0, now, 0.008);
    for (const source of this.sources) source.stop(now + 0.06);
  }

  finish() {
    if (this.isOver) return;
    this.isOver = true;
    this.gain.disconnect();
    this.onEnd(this);
  }
}

/** What one track plays through: its timbre, its body, its place and loudness. */
class Channel {
  constructor(synth, program, isDrum, pan) {
    Object.assign(this, { synth, isDrum, timbre: isDrum ? "drum" : timbreOf(program) });
    const { context } = synth;
    this.input = context.createGain();
    this.out = context.createGain();
    const place = context.createStereoPanner();
    place.pan.value = pan;
    this.place(this.input, HELD[this.timbre]?.body);
    this.out.connect(place);
    place.connect(synth.dry);
    place.connect(synth.send);
    this.wobble = this.vibrato(HELD[this.timbre]);
  }

  place(input, body) {
    if (!body) return void input.connect(this.out);
    const { context } = this.synth;
    let chain = input;
    for (const [type, frequency, q, gain] of BODIES[body]) {
      const filter = context.createBiquadFilter();
      Object.assign(filter, { type });
      filter.frequency.value = frequency;
      filter.Q.value = q;
      if (type === "peaking") {
        filter.gain.value = gain;
        chain.connect(filter);
        chain = filter;
      } else {
        const share = context.createGain();
        share.gain.value = gain * (type === "bandpass" ? 1.7 : 1);
        input.connect(filter).connect(share).connect(this.out);
      }
    }
    if (chain !== input) chain.connect(this.out);
  }

  vibrato(held) {
    if (!held?.vibrato && !held?.tremble) return null;
    const wobble = this.synth.context.createOscillator();
    wobble.frequency.value = (held.vibrato ?? held.tremble)[0];
    wobble.start();
    return wobble;
  }

  set volume(value) {
    this.out.gain.setTargetAtTime(value, this.synth.context.currentTime, 0.015);
  }

  close() {
    this.wobble?.stop();
    this.out.disconnect();
  }
}

export class Synth {
  /** On an AudioContext or OfflineAudioContext, into `destination`. */
  constructor(context, destination) {
    this.context = context;
    this.highest = context.sampleRate * NYQUIST;
    this.voices = new Set();
    this.dry = context.createGain();
    this.send = context.createGain();
    this.send.gain.value = 0.3;
    const hall = context.createConvolver();
    hall.buffer = room(context.sampleRate);
    const squeeze = context.createDynamicsCompressor();
    squeeze.threshold.value = -14;
    squeeze.ratio.value = 3;
    squeeze.attack.value = 0.004;
    this.master = context.createGain();
    this.master.gain.value = 0.8;
    this.dry.connect(squeeze);
    this.send.connect(hall).connect(squeeze);
    const guard = new WaveShaperNode(context, { curve: softly(), oversample: "none" });
    squeeze.connect(this.master).connect(guard).connect(destination);
    this.waves = new Map();
  }

  channel(program, isDrum = false, pan = 0) {
    return new Channel(this, program, isDrum, pan);
  }

  /** Begins a note at `when` (seconds of the context) and returns its Voice; `stop(when)` ends it. */
  start(channel, pitch, velocity, when = this.context.currentTime) {
    const held = HELD[channel.timbre];
    const voice = held
      ? this.hold(channel, held, pitch, velocity, when)
      : this.strike(channel, pitch, velocity, when);
    this.voices.add(voice);
    return voice;
  }

  note(channel, pitch, velocity, when, duration) {
    const voice = this.start(channel, pitch, velocity, when);
    voice.stop(when + Math.max(0.03, duration));
    return voice;
  }

  strike(channel, pitch, velocity, when) {
    const { context } = this;
    const { timbre, isDrum } = channel;
    const { buffer, rate } = isDrum ? drum(pitch) : tone(timbre, pitch);
    const source = new AudioBufferSourceNode(context, { buffer, playbackRate: rate });
    const filter = new BiquadFilterNode(context, { type: "lowpass", Q: 0.4 });
    const open = isDrum ? 14000 : 700 * 2 ** ((velocity / 127) * 4) + hertz(pitch) * 2.2;
    filter.frequency.value = Math.min(14000, open, this.highest);
    const gain = new GainNode(context, { gain: loudness(velocity) * (STRUCK_LEVEL[timbre] ?? 0.55) });
    source.connect(filter).connect(gain).connect(channel.input);
    source.start(when);
    const release = isDrum ? 1.2 : (DAMPING[timbre] ?? 0.12) * 2;
    return new Voice(gain, [source], release, (voice) => this.voices.delete(voice));
  }

  hold(channel, held, pitch, velocity, when) {
    const { context } = this;
    const frequency = hertz(pitch);
    const loud = loudness(velocity);
    const peak = (held.level * (0.25 + 0.75 * loud)) / Math.sqrt(held.voices.length);
    const gain = new GainNode(context, { gain: 0 });
    const attack = held.attack * (1.25 - 0.5 * loud);
    gain.gain.setValueAtTime(0, when);
    gain.gain.linearRampToValueAtTime(peak, when + attack);
    gain.gain.setTargetAtTime(peak * 0.82, when + attack, 0.5);
    const filter = new BiquadFilterNode(context, { type: "lowpass", Q: 0.3 });
    const open = Math.min(12000, this.highest, (held.cut[0] + frequency * held.cut[1]) * (0.6 + 0.8 * loud));
    filter.frequency.setValueAtTime(held.bloom ? open * 0.35 : open, when);
    if (held.bloom) filter.frequency.setTargetAtTime(open, when, held.bloom);
    filter.connect(gain).connect(channel.input);
    const sources = held.voices.map((cents) => this.oscillator(held, frequency, cents, when, filter));
    if (held.vibrato) this.waver(channel, held, sources, when);
    if (held.tremble) this.tremble(channel, held, filter);
    if (held.breath) sources.push(this.breath(held.breath, frequency, when, gain));
    return new Voice(gain, sources, held.release, (voice) => this.voices.delete(voice));
  }

  oscillator(held, frequency, cents, when, into) {
    const source = this.context.createOscillator();
    if (typeof held.wave === "string" && held.wave !== "glottal") source.type = held.wave;
    else source.setPeriodicWave(this.wave(held.wave));
    source.frequency.value = frequency;
    source.detune.value = cents;
    source.connect(into);
    source.start(when);
    return source;
  }

  wave(harmonics) {
    const key = String(harmonics);
    if (!this.waves.has(key)) {
      // the glottis: a pulse whose harmonics fall by a little more than a saw's
      const list = harmonics === "glottal" ? Array.from({ length: 40 }, (_, k) => (k + 1) ** -1.25) : harmonics;
      const imaginary = new Float32Array([0, ...list]);
      const wave = this.context.createPeriodicWave(new Float32Array(imaginary.length), imaginary);
      this.waves.set(key, wave);
    }
    return this.waves.get(key);
  }

  waver(channel, held, sources, when) {
    const [, depth, delay] = held.vibrato;
    const amount = this.context.createGain();
    amount.gain.setValueAtTime(0, when);
    amount.gain.setValueAtTime(0, when + delay * 0.5);
    amount.gain.linearRampToValueAtTime(depth, when + delay * 1.6);
    channel.wobble.connect(amount);
    for (const source of sources) amount.connect(source.detune);
    sources[0].addEventListener("ended", () => channel.wobble.disconnect(amount));
  }

  tremble(channel, held, filter) {
    const amount = new GainNode(this.context, { gain: filter.frequency.value * held.tremble[1] });
    channel.wobble.connect(amount).connect(filter.frequency);
  }

  breath(amount, frequency, when, into) {
    this.air ??= room(this.context.sampleRate, 3);
    const source = new AudioBufferSourceNode(this.context, { buffer: this.air, loop: true, loopStart: 0.02, loopEnd: 0.5 });
    const filter = new BiquadFilterNode(this.context, { type: "bandpass", frequency: Math.min(frequency * 2, this.highest), Q: 0.8 });
    const gain = new GainNode(this.context, { gain: amount * 4 });
    source.connect(filter).connect(gain).connect(into);
    source.start(when);
    return source;
  }

  /** Silences everything at once. */
  silence() {
    for (const voice of this.voices) voice.kill(this.context.currentTime);
  }
}
