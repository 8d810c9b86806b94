"""Standard MIDI files: read with symusic behind our own checks, written byte by byte (same score, same bytes).

Beyond the standard: a score's recipe is a text event `partimento:{...}` at tick 0, and an upbeat is a first metre of
its own length (1/4, then 4/4 where the first full bar begins), or where no metre has that length the metre said twice.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import symusic

from .. import timing
from ..errors import MidiError
from ..score import DEFAULT_METRE, DRUM_PROGRAM, NOTE, Key, Metre, Score, Tempo, Track
from ..theory import MODES, fifths_of
from . import _limits as limits
from . import _midi_check as checks
from ._files import read_bytes

MOST_CHANGES = 200_000  # of tempo, of metre or of key
FINEST_DENOMINATOR = 64
RECIPE_MARK = "partimento:"
LARGEST_RECIPE = 64 << 10  # bytes
NO_TITLE = ("control track", "conductor", "conductor track", "tempo", "tempo track", "untitled", "new song")
TEXT, TRACK_NAME, TEMPO, METRE, KEY = 0x01, 0x03, 0x51, 0x58, 0x59  # types of meta events
PITCHED_CHANNELS = tuple(channel for channel in range(16) if channel != 9)
DRUM_CHANNEL = 9
LONGEST_WAIT = 2**28 - 1  # ticks between two events, all that the file format can say


# --- reading


def read(path: str | Path) -> Score:
    """The music of a MIDI file; raises `MidiError` where it is missing, damaged or absurd.

    At most 32 MB, 2,000,000 notes, 20,000 bars and 12 hours. A note without an end is left out, as every player does.
    """
    return from_bytes(read_bytes(Path(path), checks.LARGEST_FILE, MidiError), str(path))


def from_bytes(data: bytes, name: str = "MIDI data") -> Score:
    """As `read`, from bytes; `name` is what an error calls them."""
    if len(data) > checks.LARGEST_FILE:
        raise MidiError(f"{name}: larger than {checks.LARGEST_FILE >> 20} MB; split it")
    checked = checks.check(data, name)
    try:
        parsed: Any = symusic.Score.from_midi(checked.data)
    except (RuntimeError, ValueError) as error:
        place = checks.fault(checked) or f"the parser says {str(error)!r}; the file is damaged"
        raise MidiError(f"{name}: {place}") from error
    changes = max(map(len, (parsed.tempos, parsed.time_signatures, parsed.key_signatures)))
    if changes > MOST_CHANGES:
        raise MidiError(
            f"{name}: {changes:,} changes of tempo, metre or key, more than {MOST_CHANGES:,}; it is damaged"
        )
    notes, tracks = _notes(parsed, name)
    tempos = (Tempo(0, checked.smpte_bpm),) if checked.smpte_bpm else _tempos(parsed)
    metres, upbeat = _upbeat(_metres(parsed), parsed.tpq)
    title, recipe = _words(checked)
    score = Score(
        notes, _with_names_decoded(tracks, checked), parsed.tpq, tempos, metres, _keys(parsed), upbeat, title, recipe
    )
    limits.refuse_absurd(score, name, MidiError)
    return score


def _notes(parsed: Any, name: str) -> tuple[np.ndarray, list[Track]]:
    """All notes as one array, and the tracks that hold any."""
    sounding = [track for track in parsed.tracks if track.notes]
    columns = [track.notes.numpy() for track in sounding]
    sizes = [len(column["time"]) for column in columns]
    if sum(sizes) > limits.MOST_NOTES:
        raise MidiError(f"{name}: {sum(sizes):,} notes, more than {limits.MOST_NOTES:,}; split the file")
    if not sounding:
        return np.empty(0, NOTE), [Track()]
    notes = np.empty(sum(sizes), NOTE)
    for field, source in (("onset", "time"), ("duration", "duration"), ("pitch", "pitch"), ("velocity", "velocity")):
        notes[field] = np.concatenate([column[source] for column in columns])
    notes["track"] = np.repeat(np.arange(len(sizes)), sizes)
    if notes["onset"].min() < 0 or notes["duration"].min() < 0:
        raise MidiError(f"{name}: a note lies beyond tick {limits.MOST_TICKS:,}; the file is damaged")
    np.maximum(notes["duration"], 1, out=notes["duration"])  # a note of no length still is a note
    return notes, [Track(track.name, DRUM_PROGRAM if track.is_drum else track.program) for track in sounding]


def _last_of_each_tick(entries: Iterable) -> tuple:
    """Of several entries at one tick the last is in force."""
    return tuple({entry.tick: entry for entry in entries if entry.tick >= 0}.values())


def _tempos(parsed: Any) -> tuple[Tempo, ...]:
    return _last_of_each_tick(Tempo(entry.time, _bpm(entry.mspq)) for entry in parsed.tempos if entry.mspq > 0)


def _bpm(microseconds: int) -> float:
    """Quarter notes a minute of a tempo event, as the roundest number that such an event may stand for."""
    exact = timing.MICROSECONDS_A_MINUTE / microseconds
    for digits in range(3):
        # some writers cut the fraction of a microsecond off, where others round
        if abs(timing.MICROSECONDS_A_MINUTE / (round(exact, digits) or 0.1) - microseconds) <= 1:
            return round(exact, digits)
    return exact


def _metres(parsed: Any) -> tuple[Metre, ...]:
    """The metres that make sense; a zero or a denominator beyond 1/64 does not."""
    return _last_of_each_tick(
        Metre(entry.time, entry.numerator, entry.denominator)
        for entry in parsed.time_signatures
        if entry.numerator > 0 and 0 < entry.denominator <= FINEST_DENOMINATOR
    )


def _keys(parsed: Any) -> tuple[Key, ...]:
    return _last_of_each_tick(
        Key(entry.time, (entry.key * 7 + 9 * entry.tonality) % 12, MODES[entry.tonality])
        for entry in parsed.key_signatures
        if -7 <= entry.key <= 7 and entry.tonality in (0, 1)
    )


def _upbeat(metres: tuple[Metre, ...], ticks_per_beat: int) -> tuple[tuple[Metre, ...], int]:
    """The metres without the short bar's own, and the length of that bar (0: there is none)."""
    if len(metres) < 2 or metres[0].tick:
        return metres, 0
    short, real, *later = metres
    first = timing.bar_ticks(short.numerator, short.denominator, ticks_per_beat)
    full = timing.bar_ticks(real.numerator, real.denominator, ticks_per_beat)
    said_twice = replace(real, tick=0) == short and real.tick < full
    single = first == real.tick < full and all(replace(metre, tick=0) != short for metre in later)
    if not (said_twice or single):
        return metres, 0
    return (replace(real, tick=0), *later), real.tick


def _text(raw: bytes) -> str:
    """Text of an event: UTF-8 as today's programs write it, else Latin-1."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _words(checked: checks.Bytes) -> tuple[str, dict | None]:
    """Title and recipe: the name of a first track that holds no music, and the text event that carries our mark."""
    metas, conducts = checks.opening(checked.data, *checked.tracks[0])
    name = _text(metas.get(TRACK_NAME, [b""])[0]).strip("\0 \n\r\t") if conducts else ""
    recipe = next((raw for raw in metas.get(TEXT, []) if raw.startswith(RECIPE_MARK.encode())), b"")
    return "" if name.lower() in NO_TITLE else name, _recipe(recipe[len(RECIPE_MARK) :])


def _recipe(raw: bytes) -> dict | None:
    if not raw or len(raw) > LARGEST_RECIPE:
        return None
    try:
        recipe = json.loads(raw)
    except (ValueError, RecursionError):  # not ours, or damaged: the music is whole without it
        return None
    return recipe if isinstance(recipe, dict) else None


def _with_names_decoded(tracks: list[Track], checked: checks.Bytes) -> tuple[Track, ...]:
    """The tracks with names that the parser could not read as UTF-8 read as Latin-1."""
    if not any("\ufffd" in track.name for track in tracks):
        return tuple(tracks)
    names = [raw for place in checked.tracks for raw in checks.opening(checked.data, *place)[0].get(TRACK_NAME, [])]
    decoded = {raw.decode("utf-8", "replace"): _text(raw) for raw in names}
    return tuple(replace(track, name=decoded.get(track.name, track.name)) for track in tracks)


# --- writing


def write(score: Score, path: str | Path) -> None:
    """Write `score` as a MIDI file of format 1; raises `MidiError` where MIDI cannot say it."""
    Path(path).write_bytes(to_bytes(score))


def to_bytes(score: Score, ring: int = 0) -> bytes:
    """The score as a MIDI file: first a track of tempo, metre, key and words, then one track for each of its own.

    `ring` is how many ticks the file lasts beyond the last note, for sound to die away in.
    Raises `MidiError` for what the format cannot say: tempi below 3.6 a minute, metres whose denominator is no power
    of two, more than 32,767 ticks a beat. A velocity of 0 is written as 1, since 0 would end the note.
    """
    if not 1 <= score.ticks_per_beat <= 32767:
        raise MidiError(f"{score.ticks_per_beat} ticks a beat; MIDI has 1 to 32767: use transform.resample first")
    chunks = [_chunk(_conductor(score), score.end + ring if ring else 0)]
    channels = _channels(score.tracks)
    for number, (track, channel) in enumerate(zip(score.tracks, channels, strict=True)):
        chunks.append(_chunk(_part(track, channel, score.notes[score.notes["track"] == number])))
    return checks.HEADER.pack(b"MThd", 6, 1, len(chunks), score.ticks_per_beat) + b"".join(chunks)


def _channels(tracks: tuple[Track, ...]) -> list[int]:
    """A channel for every track: its own while there are enough, else one for each program, as far as they go."""
    pitched = [number for number, track in enumerate(tracks) if not track.is_drums]
    own = len(pitched) <= len(PITCHED_CHANNELS)
    slots: dict[int, int] = {}  # what shares a channel -> its place among the pitched channels
    channels = [DRUM_CHANNEL] * len(tracks)
    for number in pitched:
        slot = slots.setdefault(number if own else tracks[number].program, len(slots))
        channels[number] = PITCHED_CHANNELS[slot % len(PITCHED_CHANNELS)]
    return channels


def _part(track: Track, channel: int, notes: np.ndarray) -> list[tuple[int, bytes]]:
    """Events of one track. At one tick notes end before others begin, so that none swallows the next."""
    events = [(0, _meta(TRACK_NAME, track.name.encode()))] if track.name else []
    if not track.is_drums:
        if not 0 <= track.program <= 127:
            raise MidiError(f"track {track.name!r} has program {track.program}; there are 0-127, and 128 for drums")
        events.append((0, bytes([0xC0 | channel, track.program])))
    timed = []
    for onset, duration, pitch, velocity, _ in notes.tolist():
        timed.append((onset, 1, bytes([0x90 | channel, pitch, max(1, velocity)])))
        timed.append((onset + duration, 0, bytes([0x80 | channel, pitch, 64])))
    timed.sort(key=lambda event: event[:2])  # stable: of two equal notes the first to begin is the first to end
    return events + [(tick, message) for tick, _, message in timed]


def _conductor(score: Score) -> list[tuple[int, bytes]]:
    events = [(0, _meta(TRACK_NAME, score.title.encode()))] if score.title else []
    if score.recipe is not None:
        events.append((0, _meta(TEXT, RECIPE_MARK.encode() + _recipe_bytes(score.recipe))))
    events += [(metre.tick, _metre(metre)) for metre in _metres_with_upbeat(score)]
    for key in score.keys:
        events.append((key.tick, _meta(KEY, struct.pack(">bB", fifths_of(key.tonic, key.mode), MODES.index(key.mode)))))
    events += [(tempo.tick, _tempo(tempo)) for tempo in score.tempos]
    return sorted(events, key=lambda event: event[0])


def _recipe_bytes(recipe: dict) -> bytes:
    try:
        raw = json.dumps(recipe, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise MidiError(f"the recipe cannot be written as JSON: {error}; keep to text, numbers and lists") from error
    if len(raw) > LARGEST_RECIPE:
        raise MidiError(f"the recipe takes {len(raw):,} bytes, more than {LARGEST_RECIPE:,}; save without it")
    return raw


def _metres_with_upbeat(score: Score) -> list[Metre]:
    """The metres as other programs read bar lines from them: the upbeat's own first."""
    if not score.upbeat:
        return list(score.metres)
    early = [metre for metre in score.metres if metre.tick <= score.upbeat] or list(score.metres[:1])
    real = replace(early[-1], tick=score.upbeat) if early else Metre(score.upbeat, *DEFAULT_METRE)
    later = [metre for metre in score.metres if metre.tick > score.upbeat and metre is not early[-1]]
    short = _metre_of(score.upbeat, score.ticks_per_beat)
    if short is None or any(replace(metre, tick=0) == short for metre in later):
        short = replace(real, tick=0)  # said twice: the second begins the first full bar
    return [short, real, *later]


def _metre_of(ticks: int, ticks_per_beat: int) -> Metre | None:
    """The metre whose bar lasts just `ticks`, in the largest unit from a quarter down; `None` where there is none."""
    for denominator in (4, 8, 16, 32, 64):
        numerator, rest = divmod(ticks * denominator, 4 * ticks_per_beat)
        if not rest and numerator <= 255:
            return Metre(0, numerator, denominator)
    return None


def _metre(metre: Metre) -> bytes:
    power = metre.denominator.bit_length() - 1
    if metre.denominator != 1 << power or power > 6 or not 1 <= metre.numerator <= 255:
        raise MidiError(f"metre {metre.numerator}/{metre.denominator}; MIDI has 1-255 over 1, 2, 4 ... 64")
    clocks = min(255, timing.pulse_ticks(metre.numerator, metre.denominator, 24))  # 24 MIDI clocks a quarter note
    return _meta(METRE, bytes([metre.numerator, power, clocks, 8]))


def _tempo(tempo: Tempo) -> bytes:
    microseconds = round(timing.MICROSECONDS_A_MINUTE / tempo.bpm) if tempo.bpm > 0 else 0
    if not 1 <= microseconds < 1 << 24:
        raise MidiError(f"{tempo.bpm:g} quarter notes a minute; MIDI has 3.6 to 60,000,000")
    return _meta(TEMPO, microseconds.to_bytes(3, "big"))


def _meta(kind: int, body: bytes) -> bytes:
    return bytes([checks.META, kind]) + _number(len(body)) + body


def _number(value: int) -> bytes:
    """A variable-length number: seven bits a byte, the last without the top bit."""
    digits = [value & 0x7F]
    while value := value >> 7:
        digits.append(0x80 | value & 0x7F)
    return bytes(reversed(digits))


def _chunk(events: list[tuple[int, bytes]], end: int = 0) -> bytes:
    """A track chunk of events (tick, message), in order of their ticks, that lasts until `end` at least."""
    parts, now = [], 0
    events = [*events, (max([end, *(tick for tick, _ in events[-1:])]), _meta(checks.END_OF_TRACK, b""))]
    for tick, message in events:
        if not 0 <= tick - now <= LONGEST_WAIT:
            raise MidiError(f"nothing happens from tick {now:,} to {tick:,}; MIDI waits {LONGEST_WAIT:,} at most")
        parts += [_number(tick - now), message]
        now = tick
    body = b"".join(parts)
    return checks.CHUNK.pack(b"MTrk", len(body)) + body
