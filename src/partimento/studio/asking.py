"""What requests may hold, checked as they come in; the schemas of `/openapi.json` follow from it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from .settings import Limits

LIMITS = Limits()
MOST_POINTS = 500
LARGEST = 2**40  # of a tick


def _storable(text: str) -> str:
    """Text that can be written as UTF-8 and shown in a line."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError("there are characters in it that are none") from error
    return "".join(letter if letter.isprintable() else " " for letter in text)


Text = Annotated[str, Field(max_length=200), AfterValidator(_storable)]
LongText = Annotated[str, Field(max_length=4000), AfterValidator(_storable)]
PieceId = Annotated[str, Field(pattern="^p[0-9a-f]{16}$", description="a piece's id")]
SetId = Annotated[str, Field(pattern="^s[0-9a-f]{16}$", description="a set's id")]
Tick = Annotated[int, Field(ge=0, le=LARGEST)]
Length = Annotated[int, Field(ge=1, le=LARGEST)]
Pitch = Annotated[int, Field(ge=0, le=127)]
Velocity = Annotated[int, Field(ge=1, le=127)]
TrackNumber = Annotated[int, Field(ge=0, le=65535)]
Program = Annotated[int, Field(ge=0, le=128)]
Point = tuple[Annotated[float, Field(ge=-1, le=LIMITS.bars + 1)], Annotated[float, Field(ge=-100, le=100)]]
Curve = float | Annotated[list[Point], Field(min_length=1, max_length=MOST_POINTS)]
Instrument = Program | Text
Note = tuple[TrackNumber, Tick, Length, Pitch, Velocity]


class Asked(BaseModel):
    """A request: fields that are not known are refused, and numbers are numbers."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Music(Asked):
    """What every composing job may be asked; what is left out is left to the style."""

    style: Text | None = Field(None, description="a style's id, or a mix: 'folk:0.7,song:0.3'")
    happiness: Curve | None = Field(None, description="1-10: a number, or points [bar, value]; bar -1 is the last")
    excitement: Curve | None = Field(None, description="1-10, likewise")
    complexity: Curve | None = Field(None, description="0-1, likewise")
    density: Curve | None = Field(None, description="0-1, likewise")
    chords: LongText | None = Field(None, description="'Dm G7 C', one a bar, or with bar lines: 'Dm G7 | C'")
    guidance: float | None = Field(None, ge=0, le=10, description="how strongly controls are heard")
    candidates: int | None = Field(None, ge=1, le=LIMITS.candidates, description="composed side by side")
    seed: int | None = Field(None, ge=0, le=2**53, description="the same seed gives the same piece")
    temperature: float | None = Field(None, ge=0, le=10)
    top_p: float | None = Field(None, ge=0, le=1)
    top_k: int | None = Field(None, ge=0, le=10**6)
    min_p: float | None = Field(None, ge=0, le=1)


class Compose(Music):
    """A new piece."""

    bars: int | None = Field(None, ge=1, le=LIMITS.bars)
    seconds: float | None = Field(None, ge=1, le=LIMITS.seconds)
    key: Text | None = Field(None, description="'G major', 'F# minor'")
    metre: Text | None = Field(None, description="'6/8'")
    tempo: float | None = Field(None, ge=10, le=400, description="quarter notes a minute")
    instruments: list[Instrument] | None = Field(None, max_length=16, description="names or programs")
    ending: bool | None = None
    form: bool | None = None
    expression: bool | None = Field(None, description="shape tempo and dynamics by rule")
    title: Text | None = None


class OnPiece(Music):
    """A job on a piece of the library."""

    piece: PieceId


class Infill(OnPiece):
    """Bars composed anew."""

    bars: tuple[Annotated[int, Field(ge=1, le=20000)], Annotated[int, Field(ge=1, le=20000)]]
    tracks: list[Annotated[int, Field(ge=1, le=65536)]] | None = Field(None, max_length=100)


class Continue(OnPiece):
    """New bars behind the end, before the start, or behind a bar."""

    where: Literal["end", "start"] | Annotated[int, Field(ge=1, le=20000)] | None = None
    bars: int | None = Field(None, ge=1, le=LIMITS.bars)
    seconds: float | None = Field(None, ge=1, le=LIMITS.seconds)
    ending: bool | None = None


class Vary(OnPiece):
    """A share of the bars composed anew."""

    amount: float | None = Field(None, gt=0, le=1)


class Harmonize(OnPiece):
    """Other parts beside a melody."""

    instruments: list[Instrument] | None = Field(None, max_length=16)
    ending: bool | None = None


class Played(Asked):
    """A note as it was played."""

    onset: float = Field(ge=0, le=600)
    duration: float = Field(gt=0, le=600)
    pitch: Pitch
    velocity: Velocity | None = None


class Answer(Music):
    """A phrase to be answered."""

    notes: list[Played] = Field(min_length=1, max_length=2000)
    unit: Literal["seconds", "beats"] = "seconds"
    tempo: float | None = Field(None, ge=10, le=400)
    metre: Text | None = None
    program: Annotated[int, Field(ge=0, le=127)] | None = None
    bars: int | None = Field(None, ge=1, le=64)
    ending: bool | None = None


class Map(Asked):
    """Where pieces lie in a latent space."""

    style: Text
    pieces: list[PieceId] | None = Field(None, min_length=1, max_length=500)


class At(Asked):
    """A place of a map."""

    style: Text
    x: float = Field(ge=-1e6, le=1e6)
    y: float = Field(ge=-1e6, le=1e6)
    bars: int | None = Field(None, ge=1, le=64)
    seed: int | None = Field(None, ge=0, le=2**53)


class Morph(Asked):
    """The way from one piece to another."""

    style: Text
    first: PieceId
    last: PieceId
    steps: int | None = Field(None, ge=2, le=64)
    bars: int | None = Field(None, ge=1, le=64)


class Explain(Asked):
    """A window to be looked into."""

    piece: PieceId
    style: Text | None = None
    bar: int | None = Field(None, ge=1, le=20000)
    bars: int | None = Field(None, ge=1, le=64)
    top: int | None = Field(None, ge=1, le=20, description="likeliest classes that are named")


class Check(Asked):
    """A set to be looked through."""

    set: SetId


Setting = bool | int | float | Text | Annotated[list[int | float | Text], Field(max_length=64)]
Settings = Annotated[
    dict[Annotated[str, Field(pattern="^[a-z_]{1,40}$")], Setting], Field(max_length=40)
]  # fmt: skip


class Train(Asked):
    """A training on a set."""

    set: SetId
    name: Annotated[str, Field(min_length=1, max_length=80), AfterValidator(_storable)]
    minutes: float | None = Field(None, gt=0, le=10000)
    epochs: float | None = Field(None, gt=0, le=100000)
    steps: int | None = Field(None, gt=0, le=10**7)
    preset: Text | None = None
    family: Text | None = None
    encoding: Text | None = None
    start: Text | None = Field(None, alias="from", description="a style's id to go on from")
    settings: Settings | None = None


class Compare(Asked):
    """Kinds of model to be compared, on a set or on pieces that a style composes to be learnt from."""

    models: list[Text] = Field(min_length=2, max_length=6, description="presets or families, 'vae:voices'")
    set: SetId | None = None
    style: Text | None = Field(None, description="a style's id, instead of a set")
    minutes: float | None = Field(None, gt=0, le=600, description="of training, for each")
    steps: int | None = Field(None, gt=0, le=10**7, description="instead of minutes")
    bars: int | None = Field(None, ge=1, le=64, description="of the piece that each composes")
    seed: int | None = Field(None, ge=0, le=2**31)
    settings: Settings | None = None


class Named(Asked):
    """A new set."""

    name: Annotated[str, Field(min_length=1, max_length=80), AfterValidator(_storable)]


class Changed(Asked):
    """What is changed about a piece."""

    title: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_storable)] | None = None
    starred: bool | None = None


class NoteChange(Asked):
    """A note changed by hand; `index` is its place in the piece's `note_list`."""

    index: int = Field(ge=0, le=10**7)
    track: TrackNumber | None = None
    onset: Tick | None = None
    duration: Length | None = None
    pitch: Pitch | None = None
    velocity: Velocity | None = None


class Edit(Asked):
    """Notes changed by hand."""

    remove: list[Annotated[int, Field(ge=0, le=10**7)]] = Field(default=[], max_length=LIMITS.notes)
    change: list[NoteChange] = Field(default=[], max_length=LIMITS.notes)
    add: list[Note] = Field(default=[], max_length=LIMITS.notes)
    title: Text | None = None


class Transform(Asked):
    """A whole piece changed; applied in this order."""

    transpose: int | None = Field(None, ge=-127, le=127)
    to_key: Text | None = None
    stretch: float | None = Field(None, ge=0.25, le=4)
    arrange: list[Instrument] | None = Field(None, min_length=1, max_length=16)
    tempo: float | None = Field(None, ge=10, le=400)
    express: bool | Annotated[float, Field(ge=1, le=10)] | None = None
    humanise: bool | None = None
    seed: int | None = Field(None, ge=0, le=2**53)
    bars: tuple[Annotated[int, Field(ge=1, le=20000)], Annotated[int, Field(ge=1, le=20000)]] | None = None


def plain(asked: Asked) -> dict[str, Any]:
    """A request as JSON has it, without what was left out."""
    return asked.model_dump(mode="json", exclude_none=True, by_alias=True)
