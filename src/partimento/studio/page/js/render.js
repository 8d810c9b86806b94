// Renders a piece with the studio's own synthesiser faster than it plays: for the waveform and a WAV file.

import { Synth } from "./synth.js";

const TAIL = 1.6; // seconds for the last notes to ring
const LONGEST = 900; // seconds; beyond, memory would be asked for by the gigabyte

/** The sound of a piece as an AudioBuffer. */
export async function render(piece, { rate = 44100, muted = new Set() } = {}) {
  const length = Math.min(piece.length, LONGEST) + TAIL;
  const context = new OfflineAudioContext(2, Math.ceil(length * rate), rate);
  const synth = new Synth(context, context.destination);
  const { tracks } = piece;
  const channels = tracks.map((track, i) => {
    const pan = tracks.length > 1 ? 0.5 * (i / (tracks.length - 1) - 0.5) : 0;
    return synth.channel(track.program, Boolean(track.drum) || track.program === 128, pan);
  });
  for (const note of piece.notes) {
    const from = piece.secondsAt(note.onset);
    if (muted.has(note.track) || !channels[note.track] || from > LONGEST) continue;
    const lasting = piece.secondsAt(note.onset + note.duration) - from;
    synth.note(channels[note.track], note.pitch, note.velocity, from, lasting);
  }
  return context.startRendering();
}

/** Highest and lowest sample of each of `count` stretches of the first `share` of it, as [low, high]. */
export function peaks(buffer, count, share = 1) {
  const samples = buffer.getChannelData(0);
  const step = (samples.length * share) / count;
  return Array.from({ length: count }, (_, i) => {
    let [low, high] = [0, 0];
    for (let at = Math.floor(i * step); at < Math.floor((i + 1) * step); at += 3) {
      if (samples[at] < low) low = samples[at];
      else if (samples[at] > high) high = samples[at];
    }
    return [low, high];
  });
}

/** A 16-bit WAV file (RIFF, PCM) of an AudioBuffer. */
export function wavOf(buffer) {
  const { length, numberOfChannels: count, sampleRate } = buffer;
  const view = new DataView(new ArrayBuffer(44 + length * count * 2));
  const word = (at, text) => [...text].forEach((letter, i) => view.setUint8(at + i, letter.charCodeAt(0)));
  word(0, "RIFF");
  view.setUint32(4, 36 + length * count * 2, true);
  word(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, count, true);
  view.setUint32(24, sampleRate, true);
  view.setUint32(28, sampleRate * count * 2, true);
  view.setUint16(32, count * 2, true);
  view.setUint16(34, 16, true);
  word(36, "data");
  view.setUint32(40, length * count * 2, true);
  const channels = Array.from({ length: count }, (_, i) => buffer.getChannelData(i));
  let at = 44;
  for (let i = 0; i < length; i += 1) {
    for (const samples of channels) {
      view.setInt16(at, Math.max(-1, Math.min(1, samples[i])) * 32767, true);
      at += 2;
    }
  }
  return new Blob([view.buffer], { type: "audio/wav" });
}
