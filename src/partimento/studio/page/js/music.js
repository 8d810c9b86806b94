// A piece as the page holds it: notes in ticks, and clocks between ticks, seconds and bars.

const SHARP = ["C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B"];

/** "C♯4" of a MIDI pitch; middle C is C4. */
export const pitchName = (pitch) => `${SHARP[pitch % 12]}${Math.floor(pitch / 12) - 1}`;

export const isBlack = (pitch) => [1, 3, 6, 8, 10].includes(pitch % 12);

const instruments = new Map(); // program -> name, as the studio has them

export function nameInstruments(list) {
  for (const { program, name } of list) instruments.set(program, name);
}

const byOnset = (a, b) => a.onset - b.onset || a.track - b.track || a.pitch - b.pitch || a.duration - b.duration;

/** Bar lines of metres from `upbeat` on, up to and with `end`. */
function barLines(metres, upbeat, end, beat) {
  const lines = upbeat ? [0, upbeat] : [0];
  const list = metres.length ? metres : [[0, 4, 4]];
  while (lines.at(-1) < end) {
    const at = lines.at(-1);
    const [, over, under] = list.findLast(([tick]) => tick <= at) ?? list[0];
    lines.push(at + Math.max(1, Math.round((over * 4 * beat) / under)));
  }
  return lines;
}

export class Piece {
  /** From the JSON of `GET /api/pieces/{id}` or of an event `plan`. */
  constructor(json) {
    this.json = json;
    this.id = json.id ?? null;
    this.beat = json.ticks_per_beat ?? 24;
    this.tempos = json.tempos?.length ? json.tempos : [[0, 120]];
    this.metres = json.metres?.length ? json.metres : [[0, 4, 4]];
    this.upbeat = json.upbeat ?? 0;
    this.end = json.end;
    this.tracks = (json.track_list ?? json.tracks ?? []).map((track) => ({ ...track }));
    this.notes = (json.note_list ?? []).map(([track, onset, duration, pitch, velocity], index) => ({
      track, onset, duration, pitch, velocity, index,
    })); // prettier-ignore
    const lines = json.bar_starts?.length ? [...json.bar_starts] : barLines(this.metres, this.upbeat, this.end, this.beat);
    if (lines.at(-1) < this.end) lines.push(this.end);
    this.lines = lines;
    this.frontier = Infinity; // up to where it is composed
    this.mapTempo();
  }

  mapTempo() {
    let seconds = 0;
    this.tempoMap = this.tempos.map(([tick, bpm], i) => {
      if (i) seconds += (tick - this.tempos[i - 1][0]) * this.secondsPerTick(this.tempos[i - 1][1]);
      return { tick, seconds, each: this.secondsPerTick(bpm) };
    });
  }

  secondsPerTick(bpm) {
    return 60 / bpm / this.beat;
  }

  /** Seconds from the beginning. */
  secondsAt(tick) {
    if (tick === Infinity) return Infinity;
    const from = this.tempoMap.findLast((one) => one.tick <= tick) ?? this.tempoMap[0];
    return from.seconds + (tick - from.tick) * from.each;
  }

  tickAt(seconds) {
    const from = this.tempoMap.findLast((one) => one.seconds <= seconds) ?? this.tempoMap[0];
    return from.tick + (seconds - from.seconds) / from.each;
  }

  get length() {
    return this.secondsAt(this.end);
  }

  get bars() {
    return this.lines.length - 1 - (this.upbeat ? 1 : 0);
  }

  /** The bar's number of a tick: 1 is the first whole bar, 0 an upbeat. */
  barAt(tick) {
    let at = this.lines.findLastIndex((line) => line <= tick);
    at = Math.max(0, Math.min(at, this.lines.length - 2));
    return this.upbeat ? at : at + 1;
  }

  /** [first tick, end tick] of bars. */
  ticksOf(first, last = first) {
    const shift = this.upbeat ? 0 : 1;
    return [this.lines[Math.max(0, first - shift)], this.lines[Math.min(this.lines.length - 1, last - shift + 1)]];
  }

  /** "3.2" : bar and quarter of it. */
  placeOf(tick) {
    const bar = this.barAt(tick);
    const [from] = this.ticksOf(bar);
    return `${bar}.${Math.floor((tick - from) / this.beat) + 1}`;
  }

  get ambitus() {
    let [low, high] = [127, 0];
    for (const { pitch } of this.notes) {
      low = Math.min(low, pitch);
      high = Math.max(high, pitch);
    }
    return this.notes.length ? [low, high] : [55, 79];
  }

  instrument(track) {
    const one = this.tracks[track];
    return one?.name || one?.instrument || instruments.get(one?.program) || `track ${track + 1}`;
  }
}

/** One candidate while it is composed: notes come, and come again when they have become longer. */
export class Draft extends Piece {
  /** `base` is the piece that it is composed into, `parts` the tracks (from 0) whose old notes give way; none: all. */
  constructor(plan, candidate, base = null, parts = null) {
    super({ ...plan, track_list: plan.tracks });
    this.candidate = candidate;
    this.numbered = new Map();
    this.region = plan.region ?? [];
    this.frontier = 0;
    this.standing = base ? this.keep(base, parts) : [];
    this.notes = [...this.standing];
  }

  /** The notes that stand. Music put before the beginning moves the rest back. */
  keep(base, parts) {
    const [[from, to] = [0, 0]] = this.region;
    const moved = from === 0 && this.end === base.end + to ? to : 0;
    const isInside = (note) => this.region.some(([first, end]) => note.onset >= first && note.onset < end);
    const givesWay = (note) => isInside(note) && (!parts || parts.includes(note.track));
    return base.notes.map((note) => ({ ...note, onset: note.onset + moved })).filter((note) => !givesWay(note));
  }

  hear({ notes, tick }) {
    for (const [number, track, onset, duration, pitch, velocity] of notes) {
      const known = this.numbered.get(number);
      if (known) Object.assign(known, { track, onset, duration, pitch, velocity });
      else this.numbered.set(number, { track, onset, duration, pitch, velocity, isNew: true });
    }
    this.notes = [...this.standing, ...this.numbered.values()].sort(byOnset);
    this.frontier = Math.max(this.frontier, tick);
  }
}
