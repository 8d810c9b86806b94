"""Sound: a score rendered with a soundfont by midirenderer, as WAV, FLAC (48 kHz, 16 bit, stereo), MP3 or Ogg Vorbis.

What is not WAV is packed by libsndfile (the package soundfile), a block at a time. The renderer
is native code that may hang or panic, so it works in a child process, on bytes of our own writing.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
import wave
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import BadOption, FormatError, MissingExtra
from ..score import Score
from ..timing import Clock, duration_seconds
from . import midi
from ._limits import refuse_absurd

RELEASE = 1.5  # seconds in which the last notes die away
FADE = 0.5  # seconds at the very end that fade to silence
PEAK = 10 ** (-1 / 20)  # -1 dBFS
MOST_SECONDS = 3600
BLOCK = 1 << 16  # frames held in memory at a time; libsndfile's Vorbis encoder overflows its stack on very long ones
MP3 = {"bitrate_mode": "VARIABLE", "compression_level": 0.2}
PACKED: dict[str, tuple[str, dict[str, Any]]] = {".flac": ("FLAC", {}), ".mp3": ("MP3", MP3), ".ogg": ("OGG", {})}
SOUNDFONT_VARIABLE = "PARTIMENTO_SOUNDFONT"
SYSTEM_FOLDERS = ("/usr/share/sounds/sf2", "/usr/share/soundfonts", "/usr/local/share/soundfonts")
INSTALL = "pip install 'partimento[audio]'"
CHILD = """
import sys
from pathlib import Path
from midirenderer import render_wave_from
font, score, out = map(Path, sys.argv[1:])
out.write_bytes(render_wave_from(font.read_bytes(), score.read_bytes()))
"""


def find_soundfont(soundfont: str | Path | None = None) -> Path:
    """The soundfont to play with: the one given, else PARTIMENTO_SOUNDFONT's, the system's, or pretty_midi's.

    Raises `BadOption` where the one asked for is no .sf2 file, `MissingExtra` where there is none at all.
    """
    for origin, asked in (("soundfont", soundfont), (SOUNDFONT_VARIABLE, os.environ.get(SOUNDFONT_VARIABLE))):
        if asked:
            return _checked(Path(asked), origin)
    found = [path for folder in SYSTEM_FOLDERS for path in sorted(Path(folder).glob("*.sf2"))]
    package = importlib.util.find_spec("pretty_midi")  # not imported: that takes a second
    if package and package.origin:
        found.append(Path(package.origin).with_name("TimGM6mb.sf2"))
    for path in found:
        if path.is_file():
            return path
    raise MissingExtra(f"there is no soundfont to play with: {INSTALL}, or name one in {SOUNDFONT_VARIABLE}")


def _checked(path: Path, origin: str) -> Path:
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except OSError as error:
        raise BadOption(f"{origin} {path}: {error.strerror}; name a .sf2 file") from error
    if head[:4] != b"RIFF" or head[8:] != b"sfbk":
        raise BadOption(f"{origin} {path} is no SoundFont 2 file; name a .sf2 file")
    return path


def available(suffix: str = ".wav") -> bool:
    """Whether sound of a kind can be written here, by the packages and soundfonts that are installed."""
    try:
        find_soundfont()
        check(Path(f"sound{suffix}"))
    except (MissingExtra, BadOption):
        return False
    return True


def check(path: Path) -> None:
    """Raise `MissingExtra` where a package is missing that a sound file of this suffix needs."""
    if importlib.util.find_spec("midirenderer") is None:
        raise MissingExtra(f"rendering audio needs midirenderer: {INSTALL}")
    if path.suffix.lower() in PACKED and importlib.util.find_spec("soundfile") is None:
        raise MissingExtra(f"writing {path.suffix} needs soundfile: {INSTALL}")


def write(score: Score, path: str | Path, soundfont: str | Path | None = None) -> None:
    """Render `score` as WAV, FLAC, MP3 or Ogg by suffix: peak at -1 dBFS, 1.5 seconds of release at the end.

    Raises `MissingExtra` without renderer, packer or soundfont, `FormatError` for music beyond an hour or where the
    renderer fails or takes longer than a fifth of the music's length and half a minute.
    """
    refuse_absurd(score, "audio")
    seconds = duration_seconds(score)
    if seconds > MOST_SECONDS:
        raise FormatError(f"audio: {seconds / 60:,.0f} minutes, at most 60; use transform.cut first")
    check(Path(path))
    font = find_soundfont(soundfont)
    ring = max(1, Clock(score).tick(seconds + RELEASE) - score.end)
    with tempfile.TemporaryDirectory(prefix="partimento-") as folder:
        source, raw = Path(folder) / "score.mid", Path(folder) / "raw.wav"
        source.write_bytes(midi.to_bytes(replace(score, recipe=None), ring))
        _render(font, source, raw, 30 + seconds / 5)
        _finish(raw, Path(path))


def _render(font: Path, source: Path, out: Path, timeout: float) -> None:
    try:
        child = subprocess.run(
            [sys.executable, "-c", CHILD, font, source, out], capture_output=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise FormatError(
            f"audio: the renderer did not finish in {timeout:.0f} seconds; try a shorter piece"
        ) from error
    if child.returncode or not out.is_file():
        words = child.stderr.decode(errors="replace").strip().splitlines()
        reason = words[-1] if words else f"exit code {child.returncode}"
        raise FormatError(f"audio: the renderer failed with {font.name} ({reason}); try another soundfont")


def _blocks(source: wave.Wave_read) -> Iterator[np.ndarray]:
    """The frames of a file, a block at a time, (frames, channels)."""
    source.rewind()
    while raw := source.readframes(BLOCK):
        yield np.frombuffer(raw, "<i2").reshape(-1, source.getnchannels())


def _finish(raw: Path, path: Path) -> None:
    """Copy the WAV as a file of the suffix of `path`, with its peak at -1 dBFS and a fade at its end."""
    with wave.open(str(raw), "rb") as source, _sink(source, path) as write_frames:
        peak = max((int(np.abs(block.astype(np.int32)).max()) for block in _blocks(source)), default=0)
        gain = PEAK * 32767 / peak if peak else 1.0
        left = source.getnframes()
        fade = FADE * source.getframerate()
        for block in _blocks(source):
            ramp = np.minimum(1.0, np.arange(left, left - len(block), -1) / fade)[:, None]
            write_frames(np.round(block * gain * ramp).astype("<i2"))
            left -= len(block)


def _sink(source: wave.Wave_read, path: Path) -> AbstractContextManager[Callable[[np.ndarray], object]]:
    """Where the frames of `source` go, (frames, channels) at a time."""
    return _packed(source, path) if path.suffix.lower() in PACKED else _plain(source, path)


@contextmanager
def _plain(source: wave.Wave_read, path: Path) -> Iterator[Callable[[np.ndarray], object]]:
    with path.open("wb") as file, wave.open(file, "wb") as target:
        target.setparams(source.getparams())
        yield lambda frames: target.writeframes(frames.tobytes())


@contextmanager
def _packed(source: wave.Wave_read, path: Path) -> Iterator[Callable[[np.ndarray], object]]:
    """A file of libsndfile; raises `MissingExtra` where the one installed is too old for this kind."""
    import soundfile

    kind, options = PACKED[path.suffix.lower()]
    if kind not in soundfile.available_formats():
        version = soundfile.__libsndfile_version__
        raise MissingExtra(f"libsndfile {version} writes no {kind}; it needs 1.1 or newer: {INSTALL}")
    rate, channels = source.getframerate(), source.getnchannels()
    with (
        path.open("wb") as file,  # opened here, so that failures of the disk are told as ours
        soundfile.SoundFile(file, "w", rate, channels, format=kind, **options) as target,
    ):
        if kind == "FLAC":
            yield target.write
        else:  # libsndfile 1.2.2 makes noise of whole numbers that it packs as MP3
            yield lambda frames: target.write((frames / 32768).astype(np.float32))
