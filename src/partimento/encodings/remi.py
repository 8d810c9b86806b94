"""Music as REMI tokens (Huang and Yang 2020, "Pop Music Transformer"), as MidiTok makes them: for comparison."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from ..errors import MissingExtra
from ..score import Score


def remi(score: Score) -> list[list[str]]:
    """The tokens of each track that has notes: "Bar_None", "Position_0", "Pitch_60", "Velocity_79", "Duration_1.0.8".

    MidiTok's REMI with the settings that it has by itself. Raises `MissingExtra` where it is not installed.
    """
    try:
        miditok = importlib.import_module("miditok")
    except ModuleNotFoundError as error:
        raise MissingExtra("REMI tokens are made by MidiTok: pip install 'partimento[benchmark]'") from error
    found = miditok.REMI()(_symusic(score))
    return [list(track.tokens) for track in (found if isinstance(found, list) else [found])]


def _symusic(score: Score) -> Any:
    """The score as symusic's, which MidiTok takes."""
    symusic = importlib.import_module("symusic")
    made = symusic.Score(score.ticks_per_beat)
    for number, track in enumerate(score.tracks):
        notes = score.track_notes(number)
        if not len(notes):
            continue
        part = symusic.Track(track.name, 0 if track.is_drums else track.program, track.is_drums)
        columns = [notes[name].astype(np.int32) for name in ("onset", "duration")]
        columns += [notes[name].astype(np.int8) for name in ("pitch", "velocity")]
        part.notes = symusic.Note.from_numpy(*columns, "tick")
        made.tracks.append(part)
    for tempo in score.tempos:
        made.tempos.append(symusic.Tempo(tempo.tick, qpm=tempo.bpm))
    for metre in score.metres:
        made.time_signatures.append(symusic.TimeSignature(metre.tick, metre.numerator, metre.denominator))
    return made
