"""Sound: the right length, the right pitch, and a sentence where something is missing."""

from __future__ import annotations

import importlib.util
import subprocess
import wave

import numpy as np
import pytest

from music import score_of
from partimento import formats
from partimento.errors import BadOption, FormatError, MissingExtra
from partimento.formats import audio, notebook
from partimento.score import Score, Tempo, note_array

needs_audio = pytest.mark.skipif(not audio.available(), reason="needs pip install 'partimento[audio]'")


def samples(path) -> tuple[np.ndarray, int]:
    """Mono samples from -1 to 1, (N,), and the rate."""
    with wave.open(str(path)) as file:
        assert (file.getsampwidth(), file.getnchannels()) == (2, 2)
        frames = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
        return frames.mean(axis=1) / 32768, file.getframerate()


@needs_audio
def test_an_a_sounds_at_440_hertz_for_its_length(tmp_path):
    formats.save(score_of("A4 whole"), tmp_path / "a.wav")  # two seconds at 120 a minute
    sound, rate = samples(tmp_path / "a.wav")
    assert len(sound) / rate == pytest.approx(2 + audio.RELEASE, abs=0.05)
    spectrum = np.abs(np.fft.rfft(sound[rate // 10 : rate]))
    loudest = np.argmax(spectrum) * rate / len(sound[rate // 10 : rate])
    assert loudest / 440 == pytest.approx(round(loudest / 440), abs=0.02) and loudest < 900  # A4 or its octave
    assert np.abs(sound[-rate // 100 :]).max() < 0.001  # faded out


@needs_audio
def test_the_peak_is_one_decibel_below_full_and_tempo_counts(tmp_path):
    formats.save(score_of("A4 whole", velocity=20, tempos=(Tempo(0, 240),)), tmp_path / "a.wav")
    with wave.open(str(tmp_path / "a.wav")) as file:
        peak = np.abs(np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(int)).max()
        assert file.getnframes() / file.getframerate() == pytest.approx(1 + audio.RELEASE, abs=0.05)
    assert 20 * np.log10(peak / 32768) == pytest.approx(-1, abs=0.05)


@needs_audio
@pytest.mark.parametrize(("suffix", "least"), [(".flac", 1.0), (".mp3", 0.99), (".ogg", 0.99)])
def test_packed_sound_is_the_sound_of_the_wav(tmp_path, suffix, least):
    soundfile = pytest.importorskip("soundfile")
    tune = score_of("A4 quarter, E5 quarter")
    formats.save(tune, tmp_path / "a.wav")
    formats.save(tune, tmp_path / f"a{suffix}")
    plain, rate = soundfile.read(tmp_path / "a.wav")
    packed, packed_rate = soundfile.read(tmp_path / f"a{suffix}")
    assert packed.shape == plain.shape and packed_rate == rate
    assert np.corrcoef(packed[:, 0], plain[:, 0])[0, 1] >= least - 1e-9
    assert (tmp_path / f"a{suffix}").stat().st_size < (tmp_path / "a.wav").stat().st_size / 2


def test_a_missing_packer_is_named_before_anything_is_composed(tmp_path, monkeypatch):
    there = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "soundfile" else there(name) or name)
    with pytest.raises(MissingExtra, match=r"writing .mp3 needs soundfile: pip install 'partimento\[audio\]'"):
        formats.check_target(tmp_path / "a.mp3")


@needs_audio
def test_silence_is_silent(tmp_path):
    formats.save(Score(note_array([])), tmp_path / "a.wav")
    sound, _ = samples(tmp_path / "a.wav")
    assert not np.abs(sound).max(initial=0)


@needs_audio
def test_a_renderer_that_hangs_or_fails_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(audio, "CHILD", "raise SystemExit('panicked at soundfont')")
    with pytest.raises(FormatError, match="panicked"):
        formats.save(score_of("A4 quarter"), tmp_path / "a.wav")

    def hangs(*arguments, **options):
        raise subprocess.TimeoutExpired("child", options["timeout"])

    monkeypatch.setattr(subprocess, "run", hangs)
    with pytest.raises(FormatError, match="did not finish in 30 seconds"):
        formats.save(score_of("A4 quarter"), tmp_path / "a.wav")
    assert not list(tmp_path.iterdir())


def test_more_than_an_hour_is_refused(tmp_path):
    with pytest.raises(FormatError, match="at most 60"):
        formats.save(Score(note_array([(0, 24 * 7300, 69, 80, 0)])), tmp_path / "a.wav")


def test_a_soundfont_that_is_none_is_refused(tmp_path, monkeypatch):
    (tmp_path / "text.sf2").write_text("no soundfont")
    for path, message in ((tmp_path / "gone.sf2", "No such file"), (tmp_path / "text.sf2", "no SoundFont")):
        with pytest.raises(BadOption, match=message):
            audio.find_soundfont(path)
        monkeypatch.setenv(audio.SOUNDFONT_VARIABLE, str(path))
        with pytest.raises(BadOption, match=audio.SOUNDFONT_VARIABLE):
            audio.find_soundfont()


def without_packages(monkeypatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(audio, "SYSTEM_FOLDERS", ())
    monkeypatch.delenv(audio.SOUNDFONT_VARIABLE, raising=False)


def test_what_is_missing_names_its_install_line(tmp_path, monkeypatch):
    without_packages(monkeypatch)
    assert not audio.available()
    with pytest.raises(MissingExtra, match=r"pip install 'partimento\[audio\]'"):
        formats.save(score_of("A4 quarter"), tmp_path / "a.wav")
    with pytest.raises(MissingExtra, match=r"pip install 'partimento\[audio\]'"):
        audio.find_soundfont()


def test_a_notebook_shows_the_roll_and_says_how_to_hear_it(monkeypatch):
    without_packages(monkeypatch)
    shown = notebook.html(score_of("A4 quarter"))
    assert shown.startswith('<div class="partimento"><svg') and "partimento[audio]" in shown and "<audio" not in shown


@needs_audio
def test_a_notebook_plays():
    assert '<audio controls src="data:audio/wav;base64,UklGR' in score_of("A4 quarter")._repr_html_()
