"""A score in a notebook: its piano roll, and a player where sound can be rendered."""

from __future__ import annotations

import base64
import tempfile
from html import escape
from pathlib import Path

from ..errors import FormatError, MissingExtra
from ..score import Score
from ..timing import duration_seconds
from . import audio, roll

LONGEST_SOUND = 120  # seconds; a notebook keeps what it shows, 15 MB a minute as text


def html(score: Score) -> str:
    """The roll as inline SVG, then an <audio> player, or a sentence that says how to get one."""
    try:
        picture = roll.svg(score, width=1000)
    except FormatError as error:
        picture = f"<p>{escape(str(error))}</p>"
    return f'<div class="partimento">{picture}{_player(score)}</div>'


def _player(score: Score) -> str:
    if not len(score):
        return ""
    if duration_seconds(score) > LONGEST_SOUND:
        return f"<p>Longer than {LONGEST_SOUND // 60} minutes: <code>save(score, 'piece.wav')</code> to hear it.</p>"
    try:
        with tempfile.TemporaryDirectory(prefix="partimento-") as folder:
            path = Path(folder) / "sound.wav"
            audio.write(score, path)
            sound = base64.b64encode(path.read_bytes()).decode()
    except (FormatError, MissingExtra) as error:
        return f"<p>No sound: {escape(str(error))}</p>"
    return f'<audio controls src="data:audio/wav;base64,{sound}"></audio>'
