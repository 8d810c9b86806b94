"""What is heard of notes together: sonorities, the bass under them, and four voices beside each other.

A piece of one line has no value here but its polyphony; the last seven measures need four tracks of one note at a
time, the highest on average first.
"""

from __future__ import annotations

import numpy as np

from ..theory import CHORD_QUALITIES
from ._base import HIGH, NOT_HERE, Measure, share
from .hearing import Hearing, entropy

FIFTH, OCTAVE = 7, 12
# without the major seventh chord, in which a bare semitone would lie
PLAIN_CHORDS = ("maj", "min", "dim", "7", "min7", "hdim7", "dim7")
PAIRS = ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))  # of four voices
BITS = 1 << np.arange(12)


def _chord_table() -> np.ndarray:
    """Which sets of pitch classes, as bits, lie within a triad or seventh chord, (4096,) bool."""
    sets, fits = np.arange(4096), np.zeros(4096, dtype=bool)
    for quality in PLAIN_CHORDS:
        for root in range(12):
            chord = sum(1 << (root + step) % 12 for step in CHORD_QUALITIES[quality])
            fits |= (sets & ~chord) == 0
    return fits


WITHIN_A_CHORD = _chord_table()


def polyphony(heard: Hearing) -> float:
    """Mean number of notes that sound while anything sounds, 1 and more; as muspy's, but unisons count twice."""
    weights = heard.spans[heard.sounding]
    return float(heard.height[heard.sounding] @ weights / weights.sum())


def dissonance(heard: Hearing) -> float:
    """Share of time with a minor second (or ninth, or major seventh) or a tritone among what sounds, 0 to 1."""
    return _together(heard, _with_interval(heard, 1) | _with_interval(heard, 6))


def semitone_clashes(heard: Hearing) -> float:
    """Share of time with a minor second, minor ninth or major seventh among what sounds, 0 to 1."""
    return _together(heard, _with_interval(heard, 1))


def tritones(heard: Hearing) -> float:
    """Share of time with a tritone among what sounds, 0 to 1."""
    return _together(heard, _with_interval(heard, 6))


def struck_clashes(heard: Hearing) -> float:
    """Share of the felt beats with an onset on which a minor second or major seventh sounds, 0 to 1."""
    return share(_with_interval(heard, 1)[_beats(heard)]) if _is_several(heard) else NOT_HERE


def plain_chords(heard: Hearing) -> float:
    """Share of time whose pitch classes all lie within one triad or seventh chord (but major sevenths), 0 to 1."""
    return _together(heard, WITHIN_A_CHORD[heard.classes @ BITS])


def chord_classes(heard: Hearing) -> float:
    """Mean number of different pitch classes while anything sounds, 1 to 12: 3 are a triad."""
    if not _is_several(heard):
        return NOT_HERE
    weights = heard.spans[heard.sounding]
    return float(heard.classes[heard.sounding].sum(axis=1) @ weights / weights.sum())


def bare(heard: Hearing) -> float:
    """Share of time with at most two different pitch classes: empty fifths, octaves, single notes; 0 to 1."""
    return _together(heard, heard.classes.sum(axis=1) <= 2)


def chord_changes(heard: Hearing) -> float:
    """Changes of the set of pitch classes from one felt beat with an onset to the next, by bars."""
    return _changes(heard).sum() / heard.full_bars if _is_several(heard) else NOT_HERE


def standing_chords(heard: Hearing) -> float:
    """Share of the felt beats with an onset whose pitch classes are those of the beat before, 0 to 1."""
    return share(~_changes(heard)) if _is_several(heard) else NOT_HERE


def bass_entropy(heard: Hearing) -> float:
    """Entropy of the pitch classes of the bass line in bits: 0 is a drone."""
    return entropy(np.bincount(heard.bass.pitch % 12)) if _is_several(heard) else NOT_HERE


def bass_interval(heard: Hearing) -> float:
    """Mean size of the intervals of the bass line in semitones."""
    intervals = heard.bass.intervals
    return float(np.abs(intervals).mean()) if _is_several(heard) and len(intervals) else NOT_HERE


def authentic_close(heard: Hearing) -> float:
    """1 where the bass ends with the dominant going to the tonic, else 0; a repeated tonic counts once."""
    if not _is_several(heard):
        return NOT_HERE
    degrees = (heard.bass.pitch - heard.key.tonic) % 12
    degrees = degrees[np.diff(degrees, prepend=-1) != 0]
    return float(len(degrees) > 1 and degrees[-1] == 0 and degrees[-2] == FIFTH)


def contrary_motion(heard: Hearing) -> float:
    """Of the moments when the top and the bottom both move, the share in which they move apart or together, 0 to 1."""
    if not _is_several(heard):
        return NOT_HERE
    sounding = heard.counts[heard.sounding] > 0
    low, high = sounding.argmax(axis=1), 127 - sounding[:, ::-1].argmax(axis=1)
    moves = np.sign(np.diff(low)) * np.sign(np.diff(high))
    return share(moves[moves != 0] < 0)


def final_chord_classes(heard: Hearing) -> float:
    """Different pitch classes of the last sonority: 3 is a full triad, 1 a unison."""
    return float(heard.classes[heard.final].sum()) if _is_several(heard) else NOT_HERE


def voice_crossing(heard: Hearing) -> float:
    """Share of time in which a voice sounds below the next lower one, 0 to 1."""
    if (voices := heard.voices) is None:
        return NOT_HERE
    both = (voices[:, :-1] > 0) & (voices[:, 1:] > 0)
    return heard.time_share((both & (voices[:, :-1] < voices[:, 1:])).max(axis=1))


def parallel_fifths(heard: Hearing) -> float:
    """Pairs of voices that move the same way from a fifth to a fifth (twelfths too), in 100 changes of chord."""
    return _parallels(heard, FIFTH)


def parallel_octaves(heard: Hearing) -> float:
    """Pairs of voices that move the same way from an octave or unison to one, in 100 changes of chord."""
    return _parallels(heard, 0)


def unisons(heard: Hearing) -> float:
    """Share of time in which two of four voices sing the same pitch, 0 to 1."""
    if (voices := heard.voices) is None:
        return NOT_HERE
    high, low = (voices[:, list(side)] for side in zip(*PAIRS, strict=True))  # (S, 6) each
    return heard.time_share(((high == low) & (low > 0)).any(axis=1))


def wide_spacing(heard: Hearing) -> float:
    """Share of time with more than an octave between soprano and alto or alto and tenor, 0 to 1."""
    if (voices := heard.voices) is None:
        return NOT_HERE
    upper, lower = voices[:, :2], voices[:, 1:3]
    return heard.time_share(((lower > 0) & (upper - lower > OCTAVE)).any(axis=1))


def missing_voices(heard: Hearing) -> float:
    """Share of time in which some of four voices sound and others rest, 0 to 1."""
    return heard.time_share(heard.voices.min(axis=1) == 0) if heard.voices is not None else NOT_HERE


def widest_voice_leap(heard: Hearing) -> float:
    """Widest interval within any of four voices in semitones."""
    if heard.voices is None:
        return NOT_HERE
    lines = [heard.pitch[heard.track == track] for track in np.unique(heard.track)]
    return float(max((int(np.abs(np.diff(line)).max()) for line in lines if len(line) > 1), default=0))


def _is_several(heard: Hearing) -> bool:
    return bool((heard.height > 1).any())


def _together(heard: Hearing, where: np.ndarray) -> float:
    """Share of time of `where` (S,), for music of more than one line."""
    return heard.time_share(where) if _is_several(heard) else NOT_HERE


def _with_interval(heard: Hearing, semitones: int) -> np.ndarray:
    """In which sonorities two pitch classes are `semitones` apart, (S,) bool."""
    return (heard.classes & np.roll(heard.classes, semitones, axis=1)).any(axis=1)


def _beats(heard: Hearing) -> np.ndarray:
    """The sonorities that begin with an onset on a felt beat, (B,)."""
    first = heard.onset_starts
    return np.searchsorted(heard.times, heard.onset[first][heard.place[first] % heard.pulse == 0])


def _changes(heard: Hearing) -> np.ndarray:
    """Whether the pitch classes differ from those of the beat before, (B - 1,) bool."""
    return np.diff(heard.classes[_beats(heard)] @ BITS) != 0


def _parallels(heard: Hearing, interval: int) -> float:
    """Parallels at `interval` (modulo the octave) in 100 changes of chord."""
    if (voices := heard.voices) is None:
        return NOT_HERE
    before, after = voices[:-1], voices[1:]
    sing = (before > 0) & (after > 0)
    moves = np.where(sing, np.sign(after - before), 0)
    changes = int((moves != 0).any(axis=1).sum())
    found = 0
    for high, low in PAIRS:
        alike = (moves[:, high] != 0) & (moves[:, high] == moves[:, low])
        was, now = (np.abs(side[:, high] - side[:, low]) % OCTAVE == interval for side in (before, after))
        found += int((alike & was & now).sum())
    return 100 * found / changes if changes else NOT_HERE


MEASURES = {
    "polyphony": Measure(polyphony, "notes"),
    "dissonance": Measure(dissonance, "share of time"),
    "semitone_clashes": Measure(semitone_clashes, "share of time"),
    "tritones": Measure(tritones, "share of time"),
    "struck_clashes": Measure(struck_clashes, "share of beats", HIGH),
    "plain_chords": Measure(plain_chords, "share of time"),
    "chord_classes": Measure(chord_classes, "pitch classes"),
    "bare": Measure(bare, "share of time"),
    "chord_changes": Measure(chord_changes, "changes by bars"),
    "standing_chords": Measure(standing_chords, "share of beats"),
    "bass_entropy": Measure(bass_entropy, "bits"),
    "bass_interval": Measure(bass_interval, "semitones"),
    "authentic_close": Measure(authentic_close, "0 or 1"),
    "contrary_motion": Measure(contrary_motion, "share of moves"),
    "final_chord_classes": Measure(final_chord_classes, "pitch classes"),
    "voice_crossing": Measure(voice_crossing, "share of time", HIGH),
    "parallel_fifths": Measure(parallel_fifths, "in 100 changes", HIGH),
    "parallel_octaves": Measure(parallel_octaves, "in 100 changes", HIGH),
    "unisons": Measure(unisons, "share of time"),
    "wide_spacing": Measure(wide_spacing, "share of time", HIGH),
    "missing_voices": Measure(missing_voices, "share of time", HIGH),
    "widest_voice_leap": Measure(widest_voice_leap, "semitones", HIGH),
}
