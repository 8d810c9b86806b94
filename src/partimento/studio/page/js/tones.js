// Struck, plucked and beaten sounds, computed once per pitch zone: sums of decaying partials (modal synthesis; see
// Fletcher and Rossing, The Physics of Musical Instruments) with a little noise at the onset.

const RATE = 32000; // enough for partials up to 14 kHz, and half the work of 48 kHz
const ZONE = 3; // semitones that share a computed tone, replayed faster or slower by one at most
const LONGEST = 4.5; // seconds
const SILENT = 1.17; // a partial is dropped at -70 dB: so many times its time to -60 dB

/** Frequency in Hz of a MIDI pitch. */
export const hertz = (pitch) => 440 * 2 ** ((pitch - 69) / 12);

/** A generator of its own (mulberry32), so that a tone sounds alike each time. */
function noiseOf(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (((mixed ^ (mixed >>> 14)) >>> 0) / 2147483648) - 1;
  };
}

/** Adds one decaying partial: a damped resonator, two products a sample. `sixty` is the time to -60 dB in seconds. */
function ring(out, frequency, amplitude, sixty, phase = 0) {
  if (frequency > RATE * 0.44 || amplitude < 1e-4) return;
  const turn = (2 * Math.PI * frequency) / RATE;
  const loss = Math.exp(-6.91 / (sixty * RATE));
  const first = 2 * loss * Math.cos(turn);
  const second = loss * loss;
  let now = amplitude * Math.sin(phase);
  let before = (amplitude * Math.sin(phase - turn)) / loss;
  const last = Math.min(out.length, Math.ceil(sixty * SILENT * RATE));
  for (let i = 0; i < last; i += 1) {
    out[i] += now;
    const next = first * now - second * before;
    before = now;
    now = next;
  }
}

/** Adds noise that dies away: `colour` 0 is dark, 1 white. */
function burst(out, amplitude, seconds, colour, seed, from = 0) {
  const noise = noiseOf(seed);
  const last = Math.min(out.length, from + Math.ceil(seconds * 5 * RATE));
  let smooth = 0;
  for (let i = from; i < last; i += 1) {
    smooth += (noise() - smooth) * (0.04 + 0.96 * colour);
    out[i] += smooth * amplitude * Math.exp(-(i - from) / (seconds * RATE));
  }
}

function finish(channels, peak) {
  let most = 1e-9;
  for (const out of channels) for (let i = 0; i < out.length; i += 1) most = Math.max(most, Math.abs(out[i]));
  const fade = Math.min(channels[0].length, Math.floor(0.08 * RATE));
  for (const out of channels) {
    for (let i = 0; i < out.length; i += 1) out[i] *= peak / most;
    for (let i = 0; i < fade; i += 1) out[out.length - 1 - i] *= i / fade;
  }
}

const seconds = (length) => new Float32Array(Math.ceil(Math.min(LONGEST, length) * RATE));

/** A piano tone: two strings a hair apart, stiff (the partials stretch), struck at an eighth of their length. */
function piano(pitch, { stretch = 1, bright = 1 } = {}) {
  const base = hertz(pitch);
  const sixty = 17 * 2 ** (-(pitch - 21) / 27);
  const [left, right] = [seconds(sixty * 0.75), seconds(sixty * 0.75)];
  const stiff = 0.00011 * stretch * 2 ** ((pitch - 45) / 13);
  const tilt = (1500 + base * 1.6) * bright;
  for (let k = 1; k <= 44; k += 1) {
    const frequency = k * base * Math.sqrt(1 + stiff * k * k);
    if (frequency > 9500) break;
    const comb = 0.15 + Math.abs(Math.sin((Math.PI * k) / 8.1));
    const amplitude = (comb / k ** 0.55) * Math.exp(-frequency / tilt);
    const lasting = sixty / (1 + 0.55 * (frequency / 1300) ** 1.15);
    const apart = 1 + 0.00022 * (1 + (k % 3) * 0.2);
    ring(left, frequency, amplitude, lasting);
    ring(right, frequency * apart, amplitude, lasting * 0.72, 0.1 * k);
    ring(left, frequency / apart, amplitude * 0.28, lasting * 1.7, 0.2);
  }
  for (const [out, seed] of [[left, 3], [right, 5]]) {
    burst(out, 0.5, 0.008, 0.12 + pitch / 400, pitch * seed);
    ring(out, 98, 0.06, 0.12);
    ring(out, 173, 0.05, 0.09);
  }
  return [left, right];
}

/** A plucked string: `at` is where along its length, `dull` in Hz how soon its partials weaken. */
function plucked(pitch, { at, dull, sixty, partials = 30, pick = 0.2, slope = 1 }) {
  const base = hertz(pitch);
  const lasting = sixty * 2 ** (-(pitch - 52) / 26);
  const out = seconds(lasting);
  for (let k = 1; k <= partials; k += 1) {
    const frequency = k * base * (1 + 0.00003 * k * k);
    const amplitude = (Math.abs(Math.sin(Math.PI * k * at)) / k ** slope) * Math.exp(-frequency / dull);
    ring(out, frequency, amplitude, lasting / (1 + 0.35 * (frequency / 900) ** 0.9), 0.3 * k);
    ring(out, frequency * 1.0006, amplitude * 0.3, (lasting * 1.4) / (1 + 0.35 * (frequency / 900)), 1);
  }
  burst(out, pick, 0.004, 0.5, pitch * 7);
  return [out];
}

/** A bar, bell or skin: partials as [ratio, amplitude, seconds at middle C]. */
function beaten(pitch, { partials, knock = 0.1, colour = 0.3, shorter = 30 }) {
  const base = hertz(pitch);
  const scale = 2 ** (-(pitch - 60) / shorter);
  const out = seconds(Math.max(...partials.map(([, , time]) => time)) * scale);
  for (const [ratio, amplitude, time] of partials) ring(out, base * ratio, amplitude, time * scale);
  burst(out, knock, 0.006, colour, pitch * 11);
  return [out];
}

const TONES = {
  piano: [piano, {}, 0.9],
  bright: [piano, { bright: 1.5, stretch: 1.3 }, 0.85],
  electric: [beaten, { partials: [[1, 1, 3], [2, 0.18, 2.2], [3, 0.1, 1], [14.2, 0.1, 0.25], [21, 0.03, 0.1]] }, 0.8],
  harpsichord: [plucked, { at: 0.09, dull: 6500, sixty: 3.6, partials: 36, pick: 0.5, slope: 0.55 }, 0.6],
  guitar: [plucked, { at: 0.21, dull: 2300, sixty: 3.2 }, 0.85],
  steel: [plucked, { at: 0.14, dull: 4200, sixty: 4 }, 0.75],
  harp: [plucked, { at: 0.34, dull: 2100, sixty: 4.5, pick: 0.1 }, 0.85],
  pizzicato: [plucked, { at: 0.3, dull: 1500, sixty: 0.9, pick: 0.25 }, 0.9],
  bass: [plucked, { at: 0.24, dull: 1100, sixty: 4, pick: 0.15 }, 0.95],
  plectrum: [plucked, { at: 0.07, dull: 5200, sixty: 1.6, pick: 0.5, slope: 0.7 }, 0.65],
  marimba: [beaten, { partials: [[1, 1, 1.1], [3.93, 0.22, 0.35], [9.2, 0.06, 0.12]], knock: 0.2 }, 0.85],
  xylophone: [beaten, { partials: [[1, 1, 0.5], [3, 0.35, 0.25], [6.1, 0.15, 0.12]], knock: 0.4, colour: 0.6 }, 0.7],
  vibraphone: [beaten, { partials: [[1, 1, 4.5], [4, 0.2, 1.6], [10.3, 0.05, 0.3]] }, 0.75],
  celesta: [beaten, { partials: [[1, 1, 2.4], [2.01, 0.1, 1], [4.1, 0.12, 0.6], [8.2, 0.03, 0.2]] }, 0.65],
  glockenspiel: [beaten, { partials: [[1, 1, 3.6], [2.76, 0.3, 1.5], [5.4, 0.12, 0.6]], knock: 0.2, colour: 0.8 }, 0.5],
  bells: [beaten, { partials: [[0.5, 0.4, 5], [1, 1, 4], [1.19, 0.5, 3], [1.5, 0.35, 2.5], [2, 0.6, 2], [2.74, 0.25, 1]] }, 0.6],
  timpani: [beaten, { partials: [[1, 1, 1.6], [1.5, 0.6, 1.2], [1.99, 0.35, 0.9], [2.44, 0.2, 0.6]], knock: 0.8, colour: 0.05 }, 0.95],
  wood: [beaten, { partials: [[1, 1, 0.12], [2.7, 0.5, 0.08]], knock: 0.5, colour: 0.5 }, 0.8],
};

/** The GM drums: pitch -> [partials as [Hz, amplitude, seconds], noise amplitude, noise seconds, colour]. */
const SKINS = {
  kick: [[[52, 1, 0.32], [78, 0.5, 0.12]], 0.5, 0.006, 0.1],
  snare: [[[185, 0.6, 0.16], [330, 0.35, 0.1]], 1.1, 0.07, 0.8],
  stick: [[[1700, 0.8, 0.05], [2500, 0.4, 0.03]], 0.4, 0.008, 0.9],
  clap: [[], 1, 0.05, 0.6],
  closed: [[[6300, 0.1, 0.05], [8900, 0.1, 0.04]], 0.7, 0.022, 1],
  open: [[[6300, 0.1, 0.3], [8900, 0.1, 0.25]], 0.7, 0.13, 1],
  low: [[[92, 1, 0.5], [150, 0.4, 0.25]], 0.5, 0.01, 0.2],
  mid: [[[130, 1, 0.42], [210, 0.4, 0.2]], 0.5, 0.01, 0.2],
  high: [[[180, 1, 0.36], [290, 0.4, 0.18]], 0.5, 0.01, 0.25],
  crash: [[[3100, 0.15, 1.2], [4700, 0.15, 1], [7300, 0.1, 0.8]], 0.9, 0.45, 1],
  ride: [[[3400, 0.3, 0.9], [5200, 0.25, 0.7], [540, 0.1, 0.3]], 0.4, 0.14, 1],
  bell: [[[840, 0.7, 0.5], [1260, 0.6, 0.4]], 0.1, 0.01, 0.9],
  block: [[[900, 1, 0.09], [1800, 0.3, 0.05]], 0.3, 0.004, 0.6],
  shaker: [[], 0.7, 0.03, 1],
};
const KIT = {
  35: "kick", 36: "kick", 37: "stick", 38: "snare", 39: "clap", 40: "snare", 41: "low", 42: "closed", 43: "low",
  44: "closed", 45: "mid", 46: "open", 47: "mid", 48: "high", 49: "crash", 50: "high", 51: "ride", 52: "crash",
  53: "bell", 54: "shaker", 55: "crash", 56: "bell", 57: "crash", 58: "shaker", 59: "ride", 60: "high", 61: "mid",
  62: "high", 63: "high", 64: "low", 65: "high", 66: "mid", 67: "bell", 68: "bell", 69: "shaker", 70: "shaker",
  75: "stick", 76: "block", 77: "block", 80: "bell", 81: "bell", 82: "shaker",
}; // prettier-ignore

const made = new Map();

function buffer(channels) {
  const audio = new AudioBuffer({ length: channels[0].length, numberOfChannels: channels.length, sampleRate: RATE });
  channels.forEach((samples, at) => audio.copyToChannel(samples, at));
  return audio;
}

/** Whether `name` is a sound of this file. */
export const isTone = (name) => name in TONES;

/** The sound of `name` for `pitch`: {buffer, rate}; rate is how fast to replay it. Computed at the first call. */
export function tone(name, pitch) {
  const zone = Math.round(pitch / ZONE) * ZONE;
  const key = `${name} ${zone}`;
  if (!made.has(key)) {
    const [maker, options, peak] = TONES[name];
    const channels = maker(zone, options);
    finish(channels, peak);
    made.set(key, buffer(channels));
  }
  return { buffer: made.get(key), rate: 2 ** ((pitch - zone) / 12) };
}

/** The sound of a General MIDI drum. */
export function drum(pitch) {
  const name = KIT[pitch] ?? "block";
  if (!made.has(name)) {
    const [partials, loud, lasting, colour] = SKINS[name];
    const out = seconds(Math.max(lasting * 5, ...partials.map(([, , time]) => time)));
    for (const [frequency, amplitude, time] of partials) ring(out, frequency, amplitude, time);
    burst(out, loud, lasting, colour, name.length * 977);
    finish([out], 0.8);
    made.set(name, buffer([out]));
  }
  return { buffer: made.get(name), rate: 1 };
}

/** Two channels of dying noise: the room in which everything sounds. */
export function room(rate, length = 1.9) {
  const count = Math.ceil(rate * length);
  const audio = new AudioBuffer({ length: count, numberOfChannels: 2, sampleRate: rate });
  for (let side = 0; side < 2; side += 1) {
    const noise = noiseOf(17 + side * 31);
    const out = new Float32Array(count);
    let smooth = 0;
    for (let i = 0; i < count; i += 1) {
      const at = i / count;
      smooth += (noise() - smooth) * (0.75 - 0.62 * at); // air takes the high sounds first
      out[i] = smooth * Math.exp(-6.2 * at) * Math.min(1, i / (0.012 * rate));
    }
    audio.copyToChannel(out, side);
  }
  return audio;
}
