"""Cheap checks of a MIDI file's bytes before a native parser sees them, and a walk that names the place of a fault.

The checks look at the header and the chunks alone (a microsecond a track). What is odd but clear is put right: a
last chunk that says it is longer than the file, chunks of other kinds, a wrong count of tracks, SMPTE time.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from ..errors import MidiError

LARGEST_FILE = 32 << 20  # bytes
MOST_TRACKS = 4096
FARTHEST_WALK = 4_000_000  # bytes that are searched for a fault: two seconds
HEADER = struct.Struct(">4sIHHH")
CHUNK = struct.Struct(">4sI")
SMPTE_RATES = {24: 24.0, 25: 25.0, 29: 30000 / 1001, 30: 30.0}  # frames a second by the header's code
DATA_BYTES = {0x8: 2, 0x9: 2, 0xA: 2, 0xB: 2, 0xC: 1, 0xD: 1, 0xE: 2}  # by the upper half of the status
SYSTEM_DATA_BYTES = {0xF1: 1, 0xF2: 2, 0xF3: 1, 0xF6: 0, 0xF8: 0, 0xFA: 0, 0xFB: 0, 0xFC: 0, 0xFE: 0}
META, END_OF_TRACK, LONG_MESSAGES = 0xFF, 0x2F, (0xF0, 0xF7)


@dataclass(frozen=True)
class Bytes:
    """Checked MIDI bytes: `tracks` are (start, end) of each track's messages; `smpte_bpm` replaces every tempo."""

    data: bytes
    tracks: list[tuple[int, int]]
    smpte_bpm: float | None = None


class CutShortError(Exception):
    """The bytes end inside a message; never leaves this module."""


def check(data: bytes, name: str) -> Bytes:
    """The bytes with header and chunks put right; raises `MidiError` where they are beyond that."""
    if data[:4] != b"MThd":
        raise MidiError(f"{name}: begins with {data[:4]!r}, a MIDI file with b'MThd'; it is a file of another kind")
    if len(data) < HEADER.size:
        raise MidiError(f"{name}: stops inside its header at byte {len(data)}; the file is cut short")
    _, header_length, form, declared, division = HEADER.unpack_from(data)
    if header_length < 6:
        raise MidiError(f"{name}: header of {header_length} bytes, there must be 6; the file is damaged")
    if form > 2:
        raise MidiError(f"{name}: MIDI format {form}, there are 0, 1 and 2; the file is damaged")
    if form == 2:
        raise MidiError(f"{name}: MIDI format 2 holds several songs in one file; split it into one file a song")
    tracks, plain = _chunks(data, 8 + header_length, name)
    ticks, smpte_bpm = _ticks_per_beat(division, name)
    if plain and header_length == 6 and declared == len(tracks) and (form or declared == 1) and not smpte_bpm:
        return Bytes(data, tracks)
    return _rebuilt(data, tracks, ticks, smpte_bpm)


def _chunks(data: bytes, at: int, name: str) -> tuple[list[tuple[int, int]], bool]:
    """The tracks' (start, end), and whether every chunk is a whole track with nothing odd in between."""
    tracks, plain = [], True
    while at + 8 <= len(data):
        kind, length = CHUNK.unpack_from(data, at)
        start, end = at + 8, at + 8 + length
        if kind == b"MTrk":
            tracks.append((start, min(end, len(data))))
            if len(tracks) > MOST_TRACKS:
                raise MidiError(f"{name}: more than {MOST_TRACKS} tracks; this is no piece of music")
        elif not tracks and not kind.isalnum():
            raise MidiError(f"{name}: chunk {kind!r} at byte {at} where a track should begin; the file is damaged")
        plain = plain and kind == b"MTrk" and end <= len(data)
        at = end
    if not tracks:
        raise MidiError(f"{name}: holds no track; the file is cut short or empty of music")
    return tracks, plain


def _ticks_per_beat(division: int, name: str) -> tuple[int, float | None]:
    """Ticks a quarter note; SMPTE time becomes quarter notes of (about) one second and their tempo."""
    if division & 0x8000:
        code, per_frame = 256 - (division >> 8), division & 0xFF
        if code not in SMPTE_RATES or not per_frame:
            raise MidiError(f"{name}: time in {code} frames of {per_frame} ticks; there are 24, 25, 29, 30 frames")
        frames = round(SMPTE_RATES[code])
        return frames * per_frame, 60.0 * SMPTE_RATES[code] / frames
    if not division:
        raise MidiError(f"{name}: 0 ticks a quarter note; the file is damaged")
    return division, None


def _rebuilt(data: bytes, tracks: list[tuple[int, int]], ticks: int, smpte_bpm: float | None) -> Bytes:
    parts, places, at = [HEADER.pack(b"MThd", 6, int(len(tracks) > 1), len(tracks), ticks)], [], HEADER.size
    for start, end in tracks:
        parts += [CHUNK.pack(b"MTrk", end - start), data[start:end]]
        places.append((at + 8, at + 8 + end - start))
        at += 8 + end - start
    return Bytes(b"".join(parts), places, smpte_bpm)


def _number(data: bytes, at: int, end: int) -> tuple[int, int]:
    """A variable-length number and the place after it."""
    value = 0
    for place in range(at, min(at + 4, end)):
        value = value << 7 | data[place] & 0x7F
        if data[place] < 0x80:
            return value, place + 1
    raise CutShortError if end < at + 4 else ValueError("a number longer than 4 bytes")


def _message(data: bytes, at: int, end: int, running: int) -> tuple[int, int]:
    """Walk over the message at `at`: the running status after it and the place after it."""
    status = data[at]
    if status == META or status in LONG_MESSAGES:
        length, body = _number(data, at + 1 + (status == META), end)
        if body + length > end:
            raise CutShortError
        return running, body + length
    if status < 0x80:
        status, at = running, at - 1  # running status: the byte is the first of the data
    size = DATA_BYTES.get(status >> 4, SYSTEM_DATA_BYTES.get(status))
    if size is None:
        raise ValueError(f"data {data[at + 1]:#04x} without status" if not status else f"unknown status {status:#04x}")
    if at + 1 + size > end:
        raise CutShortError
    if max(data[at + 1 : at + 1 + size], default=0) > 0x7F:
        raise ValueError("a data byte above 127")
    return (status if status < 0xF0 else running), at + 1 + size


def fault(checked: Bytes) -> str:
    """Where and how the first broken message breaks, "" where none is found; slow (a walk in Python)."""
    data = checked.data
    for number, (start, end) in enumerate(checked.tracks, 1):
        at, running = start, 0
        while at < min(end, FARTHEST_WALK):
            begins = at
            try:
                _, at = _number(data, at, end)
                if at >= end:
                    raise CutShortError
                if data[at] == META and data[at + 1 : at + 2] == bytes([END_OF_TRACK]):
                    break
                running, at = _message(data, at, end, running)
            except CutShortError:
                return f"track {number} stops inside a message at byte {begins}; the file is cut short"
            except ValueError as error:
                return f"track {number} has {error} at byte {begins}; the file is damaged"
    return ""


def opening(data: bytes, start: int, end: int, most: int = 64) -> tuple[dict[int, list[bytes]], bool]:
    """The metas that open a track, by type, and whether nothing but metas was found (of the first `most`)."""
    metas: dict[int, list[bytes]] = {}
    at = start
    for _ in range(most):
        try:
            _, at = _number(data, at, end)
            if at + 2 > end or data[at] != META or data[at + 1] == END_OF_TRACK:
                return metas, at + 1 < end and data[at] == META
            kind, (length, body) = data[at + 1], _number(data, at + 2, end)
        except (CutShortError, ValueError):
            return metas, False  # the parser itself will say what is wrong
        metas.setdefault(kind, []).append(data[body : min(body + length, end)])
        at = body + length
    return metas, True
