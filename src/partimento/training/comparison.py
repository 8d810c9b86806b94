"""A comparison of models as a table for a terminal, and as a page that fetches nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from ..formats import page as pages
from .comparing import HEARD

Row = Mapping[str, Any]
COLUMNS = (  # head, of a finished model
    ("bits a note", lambda row: bits(row, "bits")),
    ("notes alone", lambda row: bits(row, "bits_alone")),
    ("untold", lambda row: bits(row, "bits_untold")),
    ("hears", lambda row: share(row.get("hears"))),
    ("s/epoch", lambda row: number(row.get("seconds_per_epoch"), 1)),
    ("epochs", lambda row: number(row.get("epochs"), 1)),
    ("parameters", lambda row: f"{row.get('parameters', 0):,}"),
    ("MB", lambda row: number(row.get("bytes", 0) / 1e6, 1)),
    ("notes/s", lambda row: number(row.get("notes_per_second"), 0)),
    ("typical", lambda row: number(row.get("typicality"), 2)),
    ("unlike", lambda row: number((row.get("composed") or {}).get("unlike"), 1)),
    ("copied", lambda row: share((row.get("composed") or {}).get("copied"))),
)
STYLE = """
body { max-width: 66rem; } .piece { margin: 2rem 0; } .piece svg { width: 100%; border: 1px solid var(--line); }
tr.apart td { color: var(--soft); } td.why { text-align: left; } audio { width: 100%; }
"""
HOW = (
    "Bits a note: the surprise of everything that a model chooses in the held-out music, all its steps together, "
    "divided by the notes of that music. A step may be a note, a sixteenth or a word; the music is the same, and with "
    "it the count that is divided by. Fewer is better; one bit fewer means twice the chance for every note.",
    "Notes alone: the same without velocities, instruments and parts, which not every encoding says. Told: style, "
    "key, tempo, metre, place in the bar and bars to come, as far as the encoding tells them; untold: none of these.",
    "Hears: the share of the held-out notes that come back from the encoding at their time, pitch and duration. Below "
    "99 % the bits are those of a poorer piece and are not compared: such models stand below, in brackets.",
    "s/epoch: seconds of training to hear as much music as there is, judging left out. notes/s: notes composed a "
    "second of processor time. Typical: 0 to 1 by the listening measures beside real pieces. Unlike: how far repetition"
    " is off, in spreads of real pieces. Copied: share of the composed notes in runs of twelve that stand in the "
    "training music.",
)


def ranked(models: Sequence[Row]) -> tuple[list[Row], list[Row], list[Row]]:
    """Models whose bits can be compared, the likeliest first; those whose cannot; those that failed."""
    fine = [row for row in models if not row["failed"] and "bits" in row]
    mine = sorted((row for row in fine if row["comparable"]), key=lambda row: row["bits_alone"])
    return mine, [row for row in fine if not row["comparable"]], [row for row in models if row["failed"]]


def bits(row: Row, name: str) -> str:
    """Bits a note; in brackets where they are not to be compared, with a sign where they are a bound or an estimate."""
    if row.get(name) is None:
        return "-"
    sign = {"at most": "≤ ", "estimated": "~ "}.get(row["likelihood"], "")
    found = f"{sign}{row[name]:.3f}"
    return found if row["comparable"] else f"({found})"


def number(value: float | None, places: int) -> str:
    return "-" if value is None else f"{value:,.{places}f}"


def share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.0f} %"


def why(row: Row) -> str:
    """What keeps a model's bits from being compared, or what is to be said of them."""
    said = []
    hears, onsets = row.get("hears"), row.get("hears_onsets")
    if hears is not None and hears < HEARD:
        said.append(f"its encoding gives back {100 * hears:.0f} % of the notes whole")
        if onsets is not None and onsets > hears + 0.01:
            said[-1] += f", {100 * onsets:.0f} % at their time and pitch"
    if row.get("unknown"):
        said.append(f"{100 * row['unknown']:.1f} % of the words are unknown and cost nothing")
    if row.get("why"):
        said.append(row["why"])
    return "; ".join(said)


def real_of(models: Sequence[Row]) -> Mapping[str, Any]:
    """What was heard of real pieces, by a model whose encoding holds them."""
    good = [row["real"] for row in models if row.get("real")]
    best = [row["real"] for row in models if row.get("real") and row["comparable"]]
    return (best or good or [{}])[0]


# --- for a terminal


def lines(found: Row) -> list[str]:
    """The comparison as aligned lines."""
    mine, others, failed = ranked(found["models"])
    head = ("model", *(name for name, _ in COLUMNS))
    rows = [head, *((row["name"], *(cell(row) for _, cell in COLUMNS)) for row in (*mine, *others))]
    if mine or others:
        rows.append(("real pieces", *_real_cells(found)))
    widths = [max(len(row[n]) for row in rows) for n in range(len(head))]
    table = [
        "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    ]
    said = [f"{found['budget']} each; held out ({found['split']}): {_held_out(found)}", "", *table, ""]
    said += [f"{row['name']}: {why(row)}" for row in (*mine, *others) if why(row)]
    said += [f"{row['name']}: {row['verdict']}" for row in (*mine, *others) if row.get("verdict")]
    return said + [f"failed: {row['name']}: {row['failed']}" for row in failed]


def _held_out(found: Row) -> str:
    if not found["held_out"]:
        return "no whole work; bits a note are not compared. More pieces, at least three works, are needed"
    of = f" of {found['held_out_of']}" * (found["held_out_of"] > found["held_out"])
    left = ", those that every encoding holds" * (found["held_out_of"] > found["held_out"])
    return f"{found['held_out']}{of} piece{'s' * (found['held_out_of'] != 1)}{left}"


def _real_cells(found: Row) -> list[str]:
    """The figures of real pieces, in the columns that have them."""
    real = real_of(found["models"])
    known = {
        "typical": number(found["real_typicality"], 2), "unlike": number(real.get("unlike"), 1),
        "copied": share(real.get("copied")),
    }  # fmt: skip
    return [known.get(name, "") for name, _ in COLUMNS]


# --- as a page


def page(found: Row, folder: Path) -> str:
    """The comparison as HTML; pieces stand in the models' folders beside the page."""
    mine, others, failed = ranked(found["models"])
    heads = ("model", *(name for name, _ in COLUMNS))
    rows = [_row(row, "") for row in mine] + [_row(row, "apart") for row in others]
    rows.append(pages.row("real pieces", *_real_cells(found)))
    waiting = [row["name"] for row in found["models"] if not row["failed"] and "bits" not in row]
    parts = [
        "<h1>Models beside each other</h1>",
        f'<p class="soft">{escape(found["budget"])} each, seed {found["seed"]}; held out ({escape(found["split"])}): '
        f"{escape(_held_out(found))}. <code>{escape(found['command'])}</code></p>",
        pages.table(heads, rows), *_chart(mine),
        *(f"<p><b>{escape(row['name'])}</b>: {escape(why(row))}.</p>" for row in (*mine, *others) if why(row)),
        *(f"<p>Not done yet: {escape(', '.join(waiting))}.</p>" for _ in waiting[:1]),
        *(f'<p class="verdict bad"><b>{escape(row["name"])}</b> failed: {escape(row["failed"])}</p>' for row in failed),
        *(f'<p class="soft">{escape(text)}</p>' for text in HOW), "<h2>A piece of each</h2>",
    ]  # fmt: skip
    for row in (*mine, *others):
        parts += _piece(row, folder)
    return pages.document("Models beside each other", parts, STYLE)


def _row(row: Row, kind: str) -> str:
    name = f'<td>{escape(row["name"])}<br><span class="soft">{escape(row["about"])}</span></td>'
    return f'<tr class="{kind}">{name}' + "".join(f"<td>{escape(cell(row))}</td>" for _, cell in COLUMNS) + "</tr>"


def _chart(models: Sequence[Row]) -> Iterator[str]:
    """Bars of the bits a note of comparable models, by what is chosen."""
    if not models:
        return
    names = list(dict.fromkeys(name for row in models for name in row["bits_by_field"]))
    top, tall = max(sum(row["bits_by_field"].values()) for row in models), 26
    parts = [f'<svg viewBox="0 0 900 {tall * len(models) + 40}" role="img" aria-label="bits a note by field">']
    for place, row in enumerate(models):
        x, y = 230.0, 8 + tall * place
        parts.append(f'<text x="222" y="{y + 14}" text-anchor="end">{escape(row["name"])}</text>')
        for number_, name in enumerate(names):
            wide = 560 * row["bits_by_field"].get(name, 0.0) / top
            colour = pages.COLOURS[number_ % len(pages.COLOURS)]
            title = f"<title>{escape(name)}: {row['bits_by_field'].get(name, 0.0):.3f} bits a note</title>"
            parts.append(
                f'<rect x="{x:.1f}" y="{y}" width="{max(0.0, wide):.1f}" height="18" fill="{colour}">{title}</rect>'
            )
            x += wide
        parts.append(f'<text x="{x + 6:.1f}" y="{y + 14}">{row["bits"]:.2f}</text>')
    at = 230.0
    for number_, name in enumerate(names):
        y = tall * len(models) + 22
        parts.append(
            f'<rect x="{at:.0f}" y="{y}" width="9" height="9" fill="{pages.COLOURS[number_ % len(pages.COLOURS)]}"/>'
        )
        parts.append(f'<text x="{at + 13:.0f}" y="{y + 9}">{escape(name)}</text>')
        at += 26 + 7 * len(name)
    yield "".join([*parts, "</svg>"])


def _piece(row: Row, folder: Path) -> Iterator[str]:
    """A model's piece: its roll, its sound or why there is none, and the MIDI file."""
    if "midi" not in row:
        return
    where = escape(row["folder"], quote=True)
    yield f'<div class="piece"><h3>{escape(row["name"])}</h3>'
    if row.get("verdict"):
        yield f"<p>{escape(row['verdict'])}</p>"
    picture = folder / row["folder"] / "piece.svg"
    if picture.is_file():
        yield picture.read_text("utf-8")
    if row["sound"]:
        yield f'<audio controls preload="none" src="{where}/{escape(row["sound"])}"></audio>'
    else:
        yield f'<p class="soft">No sound: {escape(row["silent"])}</p>'
    yield f'<p><a href="{where}/{escape(row["midi"])}">{escape(row["midi"])}</a> (MIDI)</p></div>'
