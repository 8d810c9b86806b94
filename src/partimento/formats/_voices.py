"""Voices of one staff: chords where notes begin and end together, at most four voices where they overlap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..errors import MusicXMLError

MOST_VOICES = 4  # that notation programs have on a staff
MOST_AT_ONCE = 128  # notes sounding together on one staff: beyond this it is no music to be read
LISTENED = 24  # of the chords sounding on, how many are compared with a new one


@dataclass
class Event:
    """What begins and ends together: ticks, and the notes by their place in the score."""

    start: int
    end: int
    notes: list[int]
    height: float = 0.0
    others: list[float] = field(default_factory=list)  # heights of what overlaps


def chords(notes: Sequence[tuple[int, int, int, int]]) -> list[Event]:
    """Notes (onset, end, pitch, place) as chords in order of onset, the higher first."""
    found: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for onset, end, pitch, place in notes:
        found.setdefault((onset, end), []).append((pitch, place))
    events = [
        Event(start, end, [place for _, place in sorted(group)], sum(pitch for pitch, _ in group) / len(group))
        for (start, end), group in found.items()
    ]
    return sorted(events, key=lambda event: (event.start, -event.height, event.end))


def voices(notes: Sequence[tuple[int, int, int, int]], name: str) -> list[list[Event]]:
    """The chords of each voice (1 to 4 lists), none overlapping within a voice.

    What a fifth voice would hold is cut at every onset and end and tied. Raises `MusicXMLError` where more than 128
    notes sound at once; `name` is what the error calls the part.
    """
    events = chords(notes)
    _meet(events)
    found: list[list[Event]] = [[]]
    crowded: set[int] = set()
    for event in events:
        voice = _voice_of(event, found)
        if voice == len(found):
            found.append([])
        if found[voice] and found[voice][-1].end > event.start:
            crowded.add(voice)
        found[voice].append(event)
    pitches = {place: pitch for _, _, pitch, place in notes} if crowded else {}
    return [_sliced(voice, pitches, name) if n in crowded else voice for n, voice in enumerate(found)]


def _meet(events: Sequence[Event]) -> None:
    """Note for each chord the heights of those that overlap it."""
    active: list[Event] = []
    for event in events:
        active = [other for other in active if other.end > event.start][-LISTENED:]
        for other in active:
            other.others.append(event.height)
            event.others.append(other.height)
        active.append(event)


def _voice_of(event: Event, found: list[list[Event]]) -> int:
    """The voice for a chord: the upper (0) or lower (1) of its company where that is free, else the next free one."""
    wanted = 0
    if event.others and event.height < sum(event.others) / len(event.others):
        wanted = 1
    order = (0, 1, 2, 3) if wanted == 0 else (1, 0, 3, 2)
    ends = [voice[-1].end if voice else 0 for voice in found]
    for voice in order:
        if voice < len(ends) and ends[voice] <= event.start:
            return voice
        if voice == len(ends) and voice < MOST_VOICES:
            return voice
    nearest = [abs(voice[-1].height - event.height) for voice in found]
    return len(ends) if len(ends) < MOST_VOICES else nearest.index(min(nearest))


def _sliced(voice: Sequence[Event], pitches: dict[int, int], name: str) -> list[Event]:
    """One voice of overlapping chords cut at each onset and end: the pieces of a note are tied."""
    spans = sorted((event.start, event.end, note) for event in voice for note in event.notes)
    edges = sorted({at for start, end, _ in spans for at in (start, end)})
    found: list[Event] = []
    sounding: list[tuple[int, int, int]] = []
    waiting = iter([*spans, (edges[-1], 0, 0)])
    coming = next(waiting)
    for place, at in enumerate(edges[:-1]):
        sounding = [span for span in sounding if span[1] > at]
        while coming[0] == at:
            sounding.append(coming)
            coming = next(waiting)
        if len(sounding) > MOST_AT_ONCE:
            raise MusicXMLError(f"{name}: {len(sounding)} notes sound at once at tick {at}; no staff can show that")
        if sounding:
            notes = [span[2] for span in sorted(sounding, key=lambda span: pitches[span[2]])]
            found.append(Event(at, edges[place + 1], notes, sum(pitches[note] for note in notes) / len(notes)))
    return found
