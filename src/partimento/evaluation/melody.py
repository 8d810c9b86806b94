"""What is heard of pitch: key and scale, the melody on top, and the note that it ends on."""

from __future__ import annotations

import numpy as np

from ..score import TICKS_PER_BEAT
from ..theory import MAJOR_PROFILE, MINOR_PROFILE, SCALES, TRIADS, in_key_pitch_classes, key_correlations
from ._base import HIGH, LOW, NOT_HERE, SPAN, Measure, share
from .hearing import Hearing, entropy, longest_run, mixed

STEP, LEAP, FIFTH = 2, 5, 7  # semitones: the largest step, above which a leap asks for an answer, a wide leap
LOOPS = range(1, 9)  # notes of a figure that may be stuck
MOTIF = 4  # notes
WINDOW = 4  # bars in which a key can be heard
MUSPY_SCALES = np.array(
    [np.roll(np.isin(np.arange(12), SCALES[mode]), root) for mode in ("major", "minor") for root in range(12)]
)


def in_key(heard: Hearing) -> float:
    """Share of notes in the key of the piece (in minor both sixths and sevenths), 0 to 1."""
    return share(_key_classes(heard)[heard.pitch % 12])


def scale_consistency(heard: Hearing) -> float:
    """Best share of notes in one of the 24 major and natural minor scales, 7/12 to 1 for any music but random.

    muspy's definition; Mogren 2016, "C-RNN-GAN".
    """
    counts = np.bincount(heard.pitch % 12, minlength=12)
    return float((MUSPY_SCALES @ counts).max() / counts.sum())


def pitch_class_entropy(heard: Hearing) -> float:
    """Entropy of the twelve pitch classes, each note counted once, in bits: 0 to 3.58 (muspy's definition)."""
    return entropy(np.bincount(heard.pitch % 12))


def key_clarity(heard: Hearing) -> float:
    """Correlation of the durations of the pitch classes with the best of 24 key profiles, -1 to 1."""
    return float(key_correlations(_class_weights(heard, np.ones(len(heard.notes), dtype=bool))).max())


def key_at_worst(heard: Hearing) -> float:
    """Lowest correlation of four bars in a row, taken every fourth bar, with the home key: how far music wanders."""
    windows = heard.bar // WINDOW
    return min(_home_fit(heard, windows == number) for number in np.unique(windows))


def key_at_end(heard: Hearing) -> float:
    """Correlation of the last four bars with the key of the whole, -1 to 1: whether the music comes home."""
    return _home_fit(heard, heard.bar > heard.bar[-1] - WINDOW)


def pitch_range(heard: Hearing) -> float:
    """Semitones from the lowest note to the highest."""
    return float(heard.pitch.max() - heard.pitch.min())


def mean_pitch(heard: Hearing) -> float:
    """Mean MIDI pitch of the notes, 0 to 127."""
    return float(heard.pitch.mean())


def pitch_drift(heard: Hearing) -> float:
    """Semitones by which the notes of the second half lie higher on average: music that climbs or sinks away."""
    late = heard.onset >= heard.end / 2
    return float(heard.pitch[late].mean() - heard.pitch[~late].mean()) if 0 < late.sum() < len(late) else NOT_HERE


def top_range(heard: Hearing) -> float:
    """Semitones from the lowest to the highest note of the top line."""
    return float(heard.top.pitch.max() - heard.top.pitch.min())


def mean_interval(heard: Hearing) -> float:
    """Mean size of the intervals of the top line in semitones."""
    intervals = heard.top.intervals
    return float(np.abs(intervals).mean()) if len(intervals) else NOT_HERE


def repeated_pitches(heard: Hearing) -> float:
    """Share of the top line's intervals that repeat the note, 0 to 1."""
    return share(heard.top.intervals == 0)


def steps(heard: Hearing) -> float:
    """Share of the top line's intervals of one or two semitones, 0 to 1."""
    return share((heard.top.intervals != 0) & (np.abs(heard.top.intervals) <= STEP))


def leaps(heard: Hearing) -> float:
    """Share of the top line's intervals wider than a fifth (7 semitones), 0 to 1."""
    return share(np.abs(heard.top.intervals) > FIFTH)


def largest_leap(heard: Hearing) -> float:
    """Widest interval of the top line in semitones."""
    intervals = heard.top.intervals
    return float(np.abs(intervals).max()) if len(intervals) else NOT_HERE


def tritone_leaps(heard: Hearing) -> float:
    """Share of the top line's intervals of six, ten or eleven semitones: what singers call unsingable; 0 to 1."""
    return share(np.isin(np.abs(heard.top.intervals), (6, 10, 11)))


def leap_answers(heard: Hearing) -> float:
    """Share of the top line's leaps of more than a fourth after which the melody turns back, 0 to 1."""
    intervals = heard.top.intervals
    leap = np.abs(intervals[:-1]) > LEAP
    return share(np.sign(intervals[1:])[leap] == -np.sign(intervals[:-1])[leap])


def turns(heard: Hearing) -> float:
    """Share of the top line's moves that change direction (repeated notes left out), 0 to 1: 1 is a zigzag."""
    moves = heard.top.intervals[heard.top.intervals != 0]
    return share(np.sign(moves[1:]) != np.sign(moves[:-1]))


def longest_climb(heard: Hearing) -> float:
    """Moves of the top line's longest run in one direction: a scale that forgets to turn."""
    intervals = heard.top.intervals
    return float(max(longest_run(intervals > 0), longest_run(intervals < 0)))


def interval_entropy(heard: Hearing) -> float:
    """Entropy of the top line's intervals in bits: 0 where all are the same."""
    intervals = heard.top.intervals
    return entropy(np.unique(intervals, return_counts=True)[1]) if len(intervals) else NOT_HERE


def longest_repeat(heard: Hearing) -> float:
    """How often one pitch is struck in a row in one track: the longest run over its onsets; 1 is never twice."""
    order = np.lexsort((heard.onset, heard.track))
    track, onset, pitch = heard.track[order], heard.onset[order], heard.pitch[order]
    rank = np.cumsum((np.diff(onset, prepend=-1) != 0) | (np.diff(track, prepend=-1) != 0))
    order = np.lexsort((rank, pitch, track))
    again = (np.diff(rank[order]) == 1) & (np.diff(pitch[order]) == 0) & (np.diff(track[order]) == 0)
    return 1.0 + longest_run(again)


def longest_loop(heard: Hearing) -> float:
    """Notes of the longest stretch of the top line in which a figure of one to eight pitches goes round and round.

    Counted are the notes that equal the note one figure before, less the figure: 0 where nothing loops twice.
    """
    pitch = heard.top.pitch
    found = [longest_run(pitch[length:] == pitch[:-length]) - length for length in LOOPS if length < len(pitch)]
    return float(max([0, *found]))


def motif_returns(heard: Hearing) -> float:
    """Share of the top line's figures of four notes (intervals and gaps) that occurred before, 0 to 1."""
    line = heard.top
    if len(line.pitch) < MOTIF + 1:
        return NOT_HERE
    moves = mixed(line.intervals, np.diff(line.onset))
    count = len(moves) - MOTIF + 2
    figures = mixed(*(moves[n : n + count] for n in range(MOTIF - 1)))
    return 1 - len(np.unique(figures)) / count


def climax(heard: Hearing) -> float:
    """Where the first of the top line's highest notes stands, from 0 (the beginning) to 1 (the end)."""
    first, last = int(heard.top.onset[0]), int(heard.top.onset[-1])
    highest = int(heard.top.onset[heard.top.pitch.argmax()])
    return (highest - first) / (last - first) if last > first else NOT_HERE


def leading_notes(heard: Hearing) -> float:
    """Share of the top line's leading notes (a semitone below the tonic) that go up to the tonic, 0 to 1."""
    line = heard.top
    leading = (line.pitch[:-1] - heard.key.tonic) % 12 == 11
    return share(line.intervals[leading] == 1)


def final_in_key(heard: Hearing) -> float:
    """1 where every pitch class of the last sonority is in the key, else 0; a Picardy third is no fault."""
    at_home = _key_classes(heard)
    at_home[(heard.key.tonic + TRIADS["major"][1]) % 12] = True
    return float(at_home[heard.classes[heard.final]].all())


def final_is_tonic(heard: Hearing) -> float:
    """1 where the bass (or the only note) of the last sonority is the tonic, else 0."""
    return float(heard.final_bass % 12 == heard.key.tonic)


def final_top_in_triad(heard: Hearing) -> float:
    """1 where the last note of the top line is in the tonic triad, major or minor, else 0."""
    degree = (int(heard.top.pitch[-1]) - heard.key.tonic) % 12
    return float(degree in TRIADS["major"] + TRIADS["minor"])


def final_interval(heard: Hearing) -> float:
    """Size of the top line's last interval in semitones: an end is mostly reached by step."""
    intervals = heard.top.intervals
    return float(abs(int(intervals[-1]))) if len(intervals) else NOT_HERE


def final_slowing(heard: Hearing) -> float:
    """Length of the last note of the top line, to the end of the piece, by the mean gap between its onsets."""
    line = heard.top
    if len(line.onset) < 2:
        return NOT_HERE
    return (heard.end - int(line.onset[-1])) / float(np.diff(line.onset).mean())


def first_degree(heard: Hearing) -> float:
    """Scale degree of the first bass note, semitones above the tonic, 0 to 11."""
    return float((int(heard.bass.pitch[0]) - heard.key.tonic) % 12)


def longest_top_gap(heard: Hearing) -> float:
    """Quarter notes of the longest wait of the top line for its next onset: a melody that stops."""
    gaps = np.diff(heard.top.onset)
    return int(gaps.max()) / TICKS_PER_BEAT if len(gaps) else NOT_HERE


def _key_classes(heard: Hearing) -> np.ndarray:
    return in_key_pitch_classes(heard.key.tonic, heard.key.mode)


def _class_weights(heard: Hearing, where: np.ndarray) -> np.ndarray:
    return np.bincount(heard.pitch[where] % 12, weights=heard.duration[where], minlength=12)


def _home_fit(heard: Hearing, where: np.ndarray) -> float:
    """Correlation of the notes of `where` (N,) with the profile of the home key, -1 to 1."""
    profile = np.roll(MAJOR_PROFILE if heard.key.mode == "major" else MINOR_PROFILE, heard.key.tonic)
    weights = _class_weights(heard, where)
    profile, weights = profile - profile.mean(), weights - weights.mean()
    scale = float(np.linalg.norm(profile) * np.linalg.norm(weights))
    return float(profile @ weights) / scale if scale else 0.0


MEASURES = {
    "in_key": Measure(in_key, "share of notes"),
    "scale_consistency": Measure(scale_consistency, "share of notes"),
    "pitch_class_entropy": Measure(pitch_class_entropy, "bits"),
    "key_clarity": Measure(key_clarity, "correlation"),
    "key_at_worst": Measure(key_at_worst, "correlation", LOW, SPAN),
    "key_at_end": Measure(key_at_end, "correlation", LOW),
    "pitch_range": Measure(pitch_range, "semitones", scope=SPAN),
    "mean_pitch": Measure(mean_pitch, "MIDI pitch"),
    "pitch_drift": Measure(pitch_drift, "semitones"),
    "top_range": Measure(top_range, "semitones", scope=SPAN),
    "mean_interval": Measure(mean_interval, "semitones"),
    "repeated_pitches": Measure(repeated_pitches, "share of intervals"),
    "steps": Measure(steps, "share of intervals"),
    "leaps": Measure(leaps, "share of intervals"),
    "largest_leap": Measure(largest_leap, "semitones", scope=SPAN),
    "tritone_leaps": Measure(tritone_leaps, "share of intervals", HIGH),
    "leap_answers": Measure(leap_answers, "share of leaps"),
    "turns": Measure(turns, "share of moves"),
    "longest_climb": Measure(longest_climb, "moves", scope=SPAN),
    "interval_entropy": Measure(interval_entropy, "bits", scope=SPAN),
    "longest_repeat": Measure(longest_repeat, "strikes", HIGH, SPAN),
    "longest_loop": Measure(longest_loop, "notes", HIGH, SPAN),
    "motif_returns": Measure(motif_returns, "share of figures", scope=SPAN),
    "climax": Measure(climax, "place in the piece"),
    "leading_notes": Measure(leading_notes, "share of leading notes"),
    "final_in_key": Measure(final_in_key, "0 or 1", LOW),
    "final_is_tonic": Measure(final_is_tonic, "0 or 1", LOW),
    "final_top_in_triad": Measure(final_top_in_triad, "0 or 1", LOW),
    "final_interval": Measure(final_interval, "semitones"),
    "final_slowing": Measure(final_slowing, "mean gaps"),
    "first_degree": Measure(first_degree, "semitones above the tonic"),
    "longest_top_gap": Measure(longest_top_gap, "quarter notes", HIGH, SPAN),
}
