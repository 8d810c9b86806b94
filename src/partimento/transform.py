"""Whole-score transformations; each returns a new `Score`."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace

import numpy as np

from . import timing
from .errors import BadOption, MusicError
from .instruments import RANGES
from .lines import lowest_sounding
from .score import DEFAULT_METRE, Key, Score, Tempo
from .theory import key_correlations, key_of, parse_key, pitch_class_weights, pitched

ACCENT_SHARE = 0.55  # of bar-line accents that must agree before an upbeat is believed
LOUD_SHARE = (0.02, 0.6)  # of notes that are loudest, for loudness to be an accent
FEWEST_NOTES = 8  # to judge by
TEMPO_RANGE = (10.0, 400.0)  # quarter notes a minute
STRETCH_RANGE = (0.25, 4.0)
FINE = 480  # ticks a beat on which small shifts can be said
NOISE_REACH = 2.5  # standard deviations beyond which no noise goes
RELATIVE_DOUBT, KEY_DOUBT = 0.1, 0.25  # correlation by which notes must speak against a key that a file states
DOMINANT, LEADING, SIXTH = 7, 11, 9  # semitones above the tonic of a major key
TO_MAJOR = {3: 1, 8: 1, 10: 1}  # semitones above the tonic -> what is added to them
TO_MINOR = {4: -1, 9: -1, 11: -1}


def transpose(score: Score, semitones: int) -> Score:
    """Every pitched note and key moved by `semitones`; drums stay."""
    drums = [n for n, track in enumerate(score.tracks) if track.is_drums]
    notes, moves = score.notes.copy(), ~np.isin(score.notes["track"], drums)
    pitch = notes["pitch"].astype(int) + np.where(moves, semitones, 0)
    if len(pitch) and (pitch.min() < 0 or pitch.max() > 127):
        low, high = -int(score.notes["pitch"][moves].min()), 127 - int(score.notes["pitch"][moves].max())
        raise MusicError(f"{semitones:+} semitones leads out of MIDI's 0-127; this music can move {low:+} to {high:+}")
    notes["pitch"] = pitch
    keys = tuple(Key(key.tick, (key.tonic + semitones) % 12, key.mode) for key in score.keys)
    return replace(score, notes=notes, keys=keys)


def resample(score: Score, ticks_per_beat: int) -> Score:
    """The same music on another grid: every time rounded to the nearest new tick, no note shorter than one."""
    if score.ticks_per_beat == ticks_per_beat:
        return score
    return replace(_scaled(score, ticks_per_beat / score.ticks_per_beat), ticks_per_beat=ticks_per_beat)


def _scaled(score: Score, ratio: float) -> Score:
    """Every time in the score times `ratio`, rounded to the nearest tick, no note shorter than one."""

    def at(tick):
        return np.floor(np.asarray(tick) * ratio + 0.5).astype(np.int64)

    notes = score.notes.copy()
    notes["onset"] = at(score.notes["onset"])
    notes["duration"] = np.maximum(1, at(score.notes["onset"] + score.notes["duration"]) - notes["onset"])

    def moved(entries):
        return tuple(replace(entry, tick=int(at(entry.tick))) if entry.tick else entry for entry in entries)

    return replace(
        score, notes=notes, upbeat=int(at(score.upbeat)),
        tempos=moved(score.tempos), metres=moved(score.metres), keys=moved(score.keys),
    )  # fmt: skip


def cut(score: Score, start: int, stop: int) -> Score:
    """The notes that begin in [start, stop), moved to tick 0 and ended by `stop`; maps carried along."""
    inside = (score.notes["onset"] >= start) & (score.notes["onset"] < stop)
    notes = score.notes[inside].copy()
    notes["duration"] = np.minimum(notes["duration"], stop - notes["onset"])
    notes["onset"] -= start

    def carried(entries):
        before = [entry if not entry.tick else replace(entry, tick=0) for entry in entries if entry.tick <= start][-1:]
        return tuple(before + [replace(e, tick=e.tick - start) for e in entries if start < e.tick < stop])

    return replace(
        score, notes=notes, upbeat=max(0, score.upbeat - start), recipe=None,
        tempos=carried(score.tempos), metres=carried(score.metres), keys=carried(score.keys),
    )  # fmt: skip


def without_overlaps(notes: np.ndarray) -> np.ndarray:
    """Notes (N,) in which no note sounds on past the next onset of its own pitch and track; exact doubles go."""
    line = (notes["track"].astype(np.int64) << 8) + notes["pitch"]
    order = np.lexsort((notes["duration"], notes["onset"], line))
    notes, line = notes[order], line[order]
    same = line[1:] == line[:-1]
    double = np.concatenate([same & (notes["onset"][1:] == notes["onset"][:-1]), [False]])[: len(notes)]
    gap = np.diff(notes["onset"])
    limit = same & (gap > 0) & (notes["duration"][:-1] > gap)
    notes["duration"][:-1][limit] = gap[limit]
    return notes[~double]


def find_upbeat(score: Score) -> int:
    """Ticks of the upbeat that a file does not declare; 0 where nothing speaks for one.

    Two things speak: files written from ABC accent the first note of each bar with a higher velocity, so that bars
    begin at the phase of most of the loudest notes; and a hymn or chorale without any metre is in 4/4, ends with a
    full bar, and so what its length has over whole bars stands at the beginning.
    """
    if score.upbeat or len(score.metres) > 1 or len(score.notes) < FEWEST_NOTES:
        return score.upbeat
    if not score.metres:
        over = score.end % timing.bar_ticks(*DEFAULT_METRE, score.ticks_per_beat)
        return over if over % score.ticks_per_beat == 0 else 0
    bar = timing.bar_ticks(score.metres[0].numerator, score.metres[0].denominator, score.ticks_per_beat)
    loudest = score.notes["velocity"] == score.notes["velocity"].max()
    if not LOUD_SHARE[0] < loudest.mean() < LOUD_SHARE[1]:
        return 0
    phases = score.notes["onset"][loudest] % bar
    counts = np.bincount(phases, minlength=bar)
    best = int(counts.argmax())
    return best if counts[best] >= ACCENT_SHARE * len(phases) else 0


def home_key(score: Score) -> Key:
    """The key of the piece: the one it states first, unless its notes speak clearly against it.

    Many files of music in minor state the relative major, having the signature alone, and many state C major where
    nobody said anything; the key found by the notes then has the much better correlation (see `theory`).
    """
    found, notes = key_of(score), pitched(score)
    if not score.keys or not len(notes):
        return score.keys[0] if score.keys else found
    stated, fit = score.keys[0], key_correlations(pitch_class_weights(notes))
    relative = (stated.mode, found.mode) == ("major", "minor") and found.tonic == (stated.tonic + 9) % 12
    doubt = fit[_place(found)] - fit[_place(stated)]
    return found if doubt > (RELATIVE_DOUBT if relative else KEY_DOUBT) else replace(stated, tick=0)


def _place(key: Key) -> int:
    return key.tonic + 12 * (key.mode == "minor")


def to_key(score: Score, key: Key | str) -> Score:
    """The score in another key ("D minor", "Bb" or a `Key`), transposed the shorter way from its `home_key`.

    It goes the longer way round where the shorter takes more notes out of their instruments' ranges. Keys stated
    later in the piece move along. Where the mode differs, stretches in the mode of the home key change theirs: from
    minor to major the low third, sixth and seventh degrees are raised; from major to minor the third, sixth and
    seventh are lowered, but a seventh that leads up to the tonic or stands over the dominant stays raised, as in
    harmonic minor, and so does a sixth that goes up to such a seventh, as in melodic minor. Notes foreign to the key
    keep their place above the tonic.
    """
    wanted, home = parse_key(key) if isinstance(key, str) else key, home_key(score)
    up = (wanted.tonic - home.tonic) % 12
    shift = min((up, up - 12), key=lambda n: (_newly_outside(score, n), abs(n)))
    moved = transpose(replace(score, keys=(home, *score.keys[1:])), shift)
    return moved if wanted.mode == home.mode else _in_other_mode(moved)


def _newly_outside(score: Score, semitones: int) -> int:
    """How many notes a transposition takes out of their instruments' ranges; out of MIDI's counts thousandfold."""
    count = 0
    for number, track in enumerate(score.tracks):
        low, high = RANGES.get(track.program, (0, 127))
        pitch = score.track_notes(number)["pitch"].astype(int)
        moved = pitch if track.is_drums else pitch + semitones
        fitted = (pitch >= low) & (pitch <= high)
        count += int((fitted & ((moved < low) | (moved > high))).sum())
        count += 1000 * int(((moved < 0) | (moved > 127)).sum())
    return count


def _in_other_mode(score: Score) -> Score:
    """Major turned to minor or minor to major wherever the mode is that of the first key."""
    notes = score.notes.copy()
    mode, keys = score.keys[0].mode, []
    other = "minor" if mode == "major" else "major"
    drums = [n for n, track in enumerate(score.tracks) if track.is_drums]
    stops = [*(key.tick for key in score.keys[1:]), max(score.end, score.keys[-1].tick) + 1]
    for key, stop in zip(score.keys, stops, strict=True):
        keys.append(replace(key, mode=other) if key.mode == mode else key)
        if key.mode != mode:
            continue
        chosen = (notes["onset"] >= key.tick) & (notes["onset"] < stop) & ~np.isin(notes["track"], drums)
        degree = (notes["pitch"].astype(int) - key.tonic) % 12
        steps = TO_MINOR if other == "minor" else TO_MAJOR
        change = np.array([steps.get(place, 0) for place in range(12)])[degree]
        if other == "minor":
            change = np.where(_kept_raised(score, np.where(chosen, degree, -1)), 0, change)
        notes["pitch"] = notes["pitch"] + np.where(chosen, change, 0)
    return replace(score, notes=notes, keys=tuple(keys))


def _kept_raised(score: Score, degree: np.ndarray) -> np.ndarray:
    """Which notes keep the raised seventh and sixth of minor, (N,) bool; `degree` (N,) is -1 for what is no matter."""
    notes = score.notes
    heard, bass = degree >= 0, np.full(len(notes), -1)
    bass[heard] = (lowest_sounding(notes[heard]) - notes["pitch"][heard] + degree[heard]) % 12
    seventh = degree == LEADING
    leading = seventh & ((bass == DOMINANT) | _goes_up(score, 1, seventh))
    leading = seventh & np.isin(notes["onset"], notes["onset"][leading])  # all that sound together are alike
    return leading | ((degree == SIXTH) & _goes_up(score, 2, degree == SIXTH, leading))


def _goes_up(score: Score, semitones: int, which: np.ndarray, to: np.ndarray | None = None) -> np.ndarray:
    """Which of the notes marked by `which` (N,) are followed in their track by one `semitones` above (and in `to`)."""
    notes, found = score.notes, np.zeros(len(which), dtype=bool)
    line = (notes["track"].astype(np.int64) << 8) + notes["pitch"]
    onsets: dict[int, list[int]] = {}
    for onset, place, counts in zip(notes["onset"].tolist(), line.tolist(), which if to is None else to, strict=True):
        if to is None or counts:
            onsets.setdefault(place, []).append(onset)
    for n in np.flatnonzero(which):
        later = onsets.get(int(line[n]) + semitones, [])
        after = bisect_right(later, int(notes["onset"][n]))
        within = int(notes["onset"][n] + notes["duration"][n]) + score.ticks_per_beat // 4  # a breath may be between
        found[n] = after < len(later) and later[after] <= within
    return found


def stretch(score: Score, factor: float) -> Score:
    """Every onset and duration times `factor` (0.25-4), metre and tempo kept: 2 is augmentation, 0.5 diminution.

    Changes of tempo, metre and key move along. Where the grid cannot hold the new times, the score goes to 480 ticks
    a beat and they are rounded there.
    """
    _check("stretch", factor, *STRETCH_RANGE)
    times = np.concatenate([score.notes["onset"], score.notes["onset"] + score.notes["duration"], [score.upbeat]])
    if score.ticks_per_beat < FINE and not np.allclose(times * factor, np.rint(times * factor), rtol=0, atol=1e-6):
        score = resample(score, FINE)
    score = _scaled(score, factor)
    first = timing.Clock(score).bars[0]
    bar = timing.bar_ticks(first.numerator, first.denominator, score.ticks_per_beat)
    return replace(score, upbeat=score.upbeat % bar)  # one that has grown to a bar begins with whole bars


def with_tempo(score: Score, bpm: float) -> Score:
    """The score at `bpm` (10-400) quarter notes a minute; where the tempo changes, on average over all beats."""
    _check("tempo", bpm, *TEMPO_RANGE)
    seconds = timing.duration_seconds(score)
    if len({tempo.bpm for tempo in score.tempos}) < 2 or not seconds:
        return replace(score, tempos=(Tempo(0, float(bpm)),))
    return faster(score, bpm / (score.end / score.ticks_per_beat / seconds * 60))


def faster(score: Score, times: float) -> Score:
    """The score at `times` its tempo, wherever that changes."""
    return replace(score, tempos=tuple(replace(tempo, bpm=tempo.bpm * times) for tempo in score.tempos))


def _check(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise BadOption(f"{name} {value:g} is out of range; wanted {low:g} to {high:g}")


def humanise(score: Score, rng: np.random.Generator, *, ticks: float = 6.0, velocity: float = 4.0) -> Score:
    """Small normal noise on onsets and velocities, at 480 ticks a beat, to which the score is brought.

    `ticks` and `velocity` are standard deviations (0 or more); no note goes farther than two and a half of them, and
    notes end where they ended. Of one pitch in one track no two notes change places or come to overlap.
    """
    _check("humanise: ticks", ticks, 0, FINE / 8)
    _check("humanise: velocity", velocity, 0, 40)
    score = resample(score, FINE)
    notes, size = score.notes.copy(), len(score)
    onset, stop = notes["onset"].copy(), notes["onset"] + notes["duration"]
    low, high = _room(notes)
    shift, louder = (np.clip(rng.normal(size=size), -NOISE_REACH, NOISE_REACH) for _ in range(2))
    notes["onset"] = np.clip(onset + np.rint(ticks * shift).astype(np.int64), low, high)
    notes["duration"] = stop - notes["onset"]
    notes["velocity"] = np.clip(np.rint(notes["velocity"] + velocity * louder), 1, 127)
    return score.with_notes(notes)


def _room(notes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How early and how late each of `notes` (N,) may begin without meeting another of its pitch and track."""
    line = (notes["track"].astype(np.int64) << 8) + notes["pitch"]
    onset, stop = notes["onset"], notes["onset"] + notes["duration"]
    low, high = np.zeros(len(notes), np.int64), stop - 1
    order = np.lexsort((onset, line))
    before, after = order[:-1], order[1:]
    same = line[before] == line[after]
    before, after = before[same], after[same]
    middle = (onset[before] + onset[after]) // 2
    low[after] = np.where(stop[before] <= onset[after], stop[before], np.minimum(middle + 1, onset[after]))
    high[before] = np.minimum(high[before], np.maximum(middle, onset[before]))
    return low, high
