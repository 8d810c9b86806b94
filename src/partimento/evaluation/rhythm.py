"""What is heard of time: lengths, silence, metre, bars that return, and how the piece begins and ends."""

from __future__ import annotations

import numpy as np

from ..score import TICKS_PER_BEAT
from ._base import HIGH, LOW, NOT_HERE, SPAN, Measure, share
from .hearing import Hearing, entropy, mixed

SIXTEENTH = TICKS_PER_BEAT // 4
PHRASE = 4  # bars


def bars(heard: Hearing) -> float:
    """Bars, an upbeat not counted; 1 and more."""
    return float(heard.full_bars)


def notes_per_bar(heard: Hearing) -> float:
    """Notes by bars, above 0."""
    return len(heard.notes) / heard.full_bars


def onsets_per_beat(heard: Hearing) -> float:
    """Distinct onsets by quarter notes from the first onset to the end; above 0."""
    return len(heard.onset_starts) * TICKS_PER_BEAT / (heard.end - int(heard.onset[0]))


def onsets_per_second(heard: Hearing) -> float:
    """Distinct onsets by seconds: how fast the piece feels; above 0. Many files carry a nominal tempo."""
    first, last = heard.clock.seconds(int(heard.onset[0])), heard.clock.seconds(heard.end)
    return len(heard.onset_starts) / (float(last) - float(first))


def median_length(heard: Hearing) -> float:
    """Median length of the notes in quarter notes."""
    return float(np.median(heard.duration)) / TICKS_PER_BEAT


def mean_length(heard: Hearing) -> float:
    """Mean length of the notes in quarter notes."""
    return float(heard.duration.mean()) / TICKS_PER_BEAT


def longest_note(heard: Hearing) -> float:
    """Length of the longest note in quarter notes."""
    return int(heard.duration.max()) / TICKS_PER_BEAT


def shortest_note(heard: Hearing) -> float:
    """Length of the shortest note in quarter notes."""
    return int(heard.duration.min()) / TICKS_PER_BEAT


def distinct_lengths(heard: Hearing) -> float:
    """Different note lengths by notes: near 0 a regular rhythm, 1 no two notes of one length."""
    return len(np.unique(heard.duration)) / len(heard.notes)


def length_entropy(heard: Hearing) -> float:
    """Entropy of the note lengths in bits: 0 where all are equal."""
    return entropy(np.unique(heard.duration, return_counts=True)[1])


def longest_silence(heard: Hearing) -> float:
    """Quarter notes of the longest silence between the first sound and the last."""
    return int(np.where(heard.sounding, 0, heard.spans).max()) / TICKS_PER_BEAT


def silence(heard: Hearing) -> float:
    """Share of the time between the first sound and the last in which nothing sounds, 0 to 1."""
    return float(heard.spans[~heard.sounding].sum() / heard.spans.sum())


def starts_with_rest(heard: Hearing) -> float:
    """Quarter notes of silence before the first note."""
    return int(heard.onset[0]) / TICKS_PER_BEAT


def upbeat(heard: Hearing) -> float:
    """Quarter notes before the first bar line; 0 where the piece begins on it."""
    return heard.score.upbeat / TICKS_PER_BEAT


def empty_bars(heard: Hearing) -> float:
    """Share of bars in which no note begins, 0 to 1."""
    return 1 - len(heard.filled_bars[0]) / len(heard.clock.bars)


def downbeats(heard: Hearing) -> float:
    """Share of full bars that have an onset on their first beat, 0 to 1."""
    return len(np.unique(heard.bar[heard.place == 0])) / heard.full_bars


def off_beat(heard: Hearing) -> float:
    """Share of distinct onsets that are not on a felt beat (a dotted one in 6/8, 9/8 and 12/8), 0 to 1."""
    return share(heard.place[heard.onset_starts] % heard.pulse != 0)


def off_sixteenths(heard: Hearing) -> float:
    """Share of distinct onsets between two sixteenths: triplets, or music that has lost the beat; 0 to 1."""
    return share(heard.place[heard.onset_starts] % SIXTEENTH != 0)


def tied_over(heard: Hearing) -> float:
    """Share of notes that sound on across a bar line, 0 to 1."""
    ends = np.array([bar.end for bar in heard.clock.bars])
    return share(heard.stop > ends[heard.bar])


def groove_consistency(heard: Hearing) -> float:
    """1 - the mean Hamming distance of the onset patterns of neighbouring bars by ticks of a bar, 0 to 1.

    muspy's definition at 24 ticks a quarter note: bars of the first metre from tick 0, up to the one that the end
    of the music lies in (an empty one, where it ends on a bar line). Wu and Yang 2020, "The Jazz Transformer on the
    Front Line".
    """
    count = heard.end // heard.bar_length + 1
    if count < 2:
        return NOT_HERE
    patterns = np.zeros(count * heard.bar_length, dtype=bool)
    patterns[heard.onset] = True
    rows = patterns.reshape(count, -1)
    return 1 - float((rows[1:] != rows[:-1]).mean())


def place_entropy(heard: Hearing) -> float:
    """Entropy in bits of where in the bar the distinct onsets stand: 0 where all stand at one place."""
    return entropy(np.unique(heard.place[heard.onset_starts], return_counts=True)[1])


def density_spread(heard: Hearing) -> float:
    """Standard deviation of the onsets of full bars by their mean: 0 where every bar is as busy as the next."""
    counts = np.bincount(heard.bar[heard.onset_starts], minlength=len(heard.clock.bars))
    counts = counts[1:] if heard.score.upbeat and len(counts) > 1 else counts
    return float(counts.std() / counts.mean()) if counts.any() else NOT_HERE


def density_drift(heard: Hearing) -> float:
    """Octaves (log2) by which the second half holds more onsets than the first: -1 half as many, 1 twice as many."""
    late = int((heard.onset[heard.onset_starts] >= heard.end / 2).sum())
    return float(np.log2((late + 0.5) / (len(heard.onset_starts) - late + 0.5)))


def exact_repeats(heard: Hearing) -> float:
    """Share of bars that occurred before, note by note, 0 to 1; bars in which nothing begins are left out."""
    return _returning(_bar_prints(heard, heard.pitch))


def moved_repeats(heard: Hearing) -> float:
    """Share of bars that occurred before, perhaps higher or lower (sequences), 0 to 1."""
    starts = heard.filled_bars[1]
    first = heard.pitch[np.repeat(starts, np.diff(np.append(starts, len(heard.notes))))]
    return _returning(_bar_prints(heard, heard.pitch - first))


def rhythm_repeats(heard: Hearing) -> float:
    """Share of bars whose onsets occurred before, whatever the pitches, 0 to 1."""
    return _returning(_rhythm_prints(heard))


def rhythm_1(heard: Hearing) -> float:
    """Share of bars with the same onsets as the bar before, 0 to 1."""
    return _equal_after(_rhythm_prints(heard), 1)


def rhythm_2(heard: Hearing) -> float:
    """Share of bars with the same onsets as two bars before, 0 to 1."""
    return _equal_after(_rhythm_prints(heard), 2)


def rhythm_4(heard: Hearing) -> float:
    """Share of bars with the same onsets as four bars before: phrases answer each other; 0 to 1."""
    return _equal_after(_rhythm_prints(heard), 4)


def rhythm_8(heard: Hearing) -> float:
    """Share of bars with the same onsets as eight bars before: parts answer each other; 0 to 1."""
    return _equal_after(_rhythm_prints(heard), 8)


def exact_4(heard: Hearing) -> float:
    """Share of bars that are, note by note, the bar of four bars before, 0 to 1."""
    return _equal_after(_bar_prints(heard, heard.pitch), 4)


def exact_8(heard: Hearing) -> float:
    """Share of bars that are, note by note, the bar of eight bars before, 0 to 1."""
    return _equal_after(_bar_prints(heard, heard.pitch), 8)


def breath(heard: Hearing) -> float:
    """How long the last melody note of every fourth bar is (to the next onset), the mean melody note being 1.

    Above 1 the music breathes at the ends of phrases; the very end is left out.
    """
    onset = heard.top.onset
    if len(onset) < 2:
        return NOT_HERE
    gaps = np.diff(onset)
    first = int(bool(heard.score.upbeat))
    marks = heard.clock.bar_starts[first + PHRASE :: PHRASE]
    last = np.searchsorted(onset, marks) - 1
    last = last[(last >= 0) & (last < len(gaps))]
    return float(gaps[last].mean() / gaps.mean()) if len(last) else NOT_HERE


def last_bar_filled(heard: Hearing) -> float:
    """1 where a note begins in the last bar, 0 where it only rings on."""
    return float(heard.onset[-1] >= heard.clock.bars[-1].start)


def end_gap(heard: Hearing) -> float:
    """Quarter notes from the end of the last sound to the end of its bar (what an upbeat took stands here too)."""
    return (heard.clock.bars[-1].end - heard.end) / TICKS_PER_BEAT


def final_length(heard: Hearing) -> float:
    """Length of the last sonority, from the last onset to the end, in bars; above 0."""
    return (heard.end - int(heard.onset[-1])) / heard.bar_length


def final_place(heard: Hearing) -> float:
    """Quarter notes from the bar line to the last onset: 0 where the piece ends on a first beat."""
    return int(heard.place[-1]) / TICKS_PER_BEAT


def velocity_spread(heard: Hearing) -> float:
    """Standard deviation of the velocities: 0 where all notes are as loud."""
    return float(heard.notes["velocity"].std())


def velocity_jump(heard: Hearing) -> float:
    """Mean change of velocity from a note to the next in order of onsets: how restless the loudness is."""
    steps = np.abs(np.diff(heard.notes["velocity"].astype(np.int64)))
    return float(steps.mean()) if len(steps) else NOT_HERE


def _bar_prints(heard: Hearing, pitch: np.ndarray) -> np.ndarray:
    """One number for the notes that begin in each bar, 0 where there are none, (bars,)."""
    filled, starts = heard.filled_bars
    prints = np.zeros(len(heard.clock.bars), dtype=np.uint64)
    prints[filled] = np.add.reduceat(mixed(heard.place, heard.duration, pitch, heard.track), starts)
    return prints


def _rhythm_prints(heard: Hearing) -> np.ndarray:
    """One number for the onsets of each bar, 0 where there are none, (bars,)."""
    bar, place = heard.bar[heard.onset_starts], heard.place[heard.onset_starts]
    starts = np.flatnonzero(np.diff(bar, prepend=-1))
    prints = np.zeros(len(heard.clock.bars), dtype=np.uint64)
    prints[bar[starts]] = np.add.reduceat(mixed(place), starts)
    return prints


def _returning(prints: np.ndarray) -> float:
    """Share of the bars with notes whose print occurred before."""
    filled = prints[prints != 0]
    return 1 - len(np.unique(filled)) / len(filled)


def _equal_after(prints: np.ndarray, distance: int) -> float:
    """Share of the bars with notes that equal the bar `distance` before."""
    late, early = prints[distance:], prints[:-distance]
    return share((late == early)[late != 0])


MEASURES = {
    "bars": Measure(bars, "bars"),
    "notes_per_bar": Measure(notes_per_bar, "notes by bars"),
    "onsets_per_beat": Measure(onsets_per_beat, "onsets by quarter notes"),
    "onsets_per_second": Measure(onsets_per_second, "onsets by seconds"),
    "median_length": Measure(median_length, "quarter notes"),
    "mean_length": Measure(mean_length, "quarter notes"),
    "longest_note": Measure(longest_note, "quarter notes", scope=SPAN),
    "shortest_note": Measure(shortest_note, "quarter notes", scope=SPAN),
    "distinct_lengths": Measure(distinct_lengths, "lengths by notes", scope=SPAN),
    "length_entropy": Measure(length_entropy, "bits"),
    "longest_silence": Measure(longest_silence, "quarter notes", HIGH, SPAN),
    "silence": Measure(silence, "share of time", HIGH),
    "starts_with_rest": Measure(starts_with_rest, "quarter notes", HIGH),
    "upbeat": Measure(upbeat, "quarter notes"),
    "empty_bars": Measure(empty_bars, "share of bars", HIGH),
    "downbeats": Measure(downbeats, "share of bars"),
    "off_beat": Measure(off_beat, "share of onsets"),
    "off_sixteenths": Measure(off_sixteenths, "share of onsets", HIGH),
    "tied_over": Measure(tied_over, "share of notes", HIGH),
    "groove_consistency": Measure(groove_consistency, "0 to 1"),
    "place_entropy": Measure(place_entropy, "bits"),
    "density_spread": Measure(density_spread, "deviation by mean"),
    "density_drift": Measure(density_drift, "octaves"),
    "exact_repeats": Measure(exact_repeats, "share of bars", scope=SPAN),
    "moved_repeats": Measure(moved_repeats, "share of bars", scope=SPAN),
    "rhythm_repeats": Measure(rhythm_repeats, "share of bars", scope=SPAN),
    "rhythm_1": Measure(rhythm_1, "share of bars"),
    "rhythm_2": Measure(rhythm_2, "share of bars"),
    "rhythm_4": Measure(rhythm_4, "share of bars"),
    "rhythm_8": Measure(rhythm_8, "share of bars", scope=SPAN),
    "exact_4": Measure(exact_4, "share of bars"),
    "exact_8": Measure(exact_8, "share of bars", scope=SPAN),
    "breath": Measure(breath, "mean notes"),
    "last_bar_filled": Measure(last_bar_filled, "0 or 1", LOW),
    "end_gap": Measure(end_gap, "quarter notes"),
    "final_length": Measure(final_length, "bars"),
    "final_place": Measure(final_place, "quarter notes"),
    "velocity_spread": Measure(velocity_spread, "velocity"),
    "velocity_jump": Measure(velocity_jump, "velocity"),
}
