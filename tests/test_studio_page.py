"""The studio's page in a real browser, with the real server: what a musician does with it, press by press.

Skipped without Playwright or a Chromium (`pip install playwright`; Debian: `apt-get install chromium`, else
PARTIMENTO_CHROMIUM names one). PARTIMENTO_SLOW_TESTS=1 also trains a style and compares; PARTIMENTO_SCREENSHOTS=1 makes
the pictures of docs/studio.md.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import partimento.api
from music import score_of
from partimento.transform import transpose
from studio_browser import CHROMIUM, FLAGS, PATIENCE, Visit, studio, wait_until
from tiny import write_tunes

playwright = pytest.importorskip("playwright.sync_api")
pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "src" / "partimento" / "studio" / "page"
IMAGES = ROOT / "docs" / "images"
TUNE = score_of(
    "C4 quarter, D4 quarter, E4 quarter, F4 quarter, G4 half, E4 half, "
    "A4 quarter, G4 quarter, F4 quarter, E4 quarter, D4 half, C4 half"
)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """The studio's folder."""
    return tmp_path_factory.mktemp("studio")


@pytest.fixture(scope="module")
def address(home) -> Iterator[str]:
    with studio(home) as one:
        yield one


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as running:
        one = running.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield one
        one.close()


@pytest.fixture
def visit(browser, address) -> Iterator[Visit]:
    """A tab; a test fails where a script of the page did, or where something was asked of another host."""
    one = Visit(browser, address)
    yield one
    one.context.close()
    assert not one.mistakes
    assert one.hosts <= {urlsplit(address).netloc, ""}


def tune(folder: Path, name: str = "tune.mid", score=TUNE) -> Path:
    path = folder / name
    partimento.save(score, path)
    return path


# ---- composing


def test_notes_are_seen_and_heard_before_the_piece_is_finished(visit):
    visit.compose(bars=8)
    visit.until("studio.desk.piece?.notes.length > 3 && studio.desk.piece.frontier < studio.desk.piece.end")
    assert visit.value("studio.desk.piece.id") is None  # no piece of the library yet
    visit.until("studio.player.loudness > 0.005")
    visit.finished()
    assert visit.value("studio.desk.piece.bars") == 8
    visit.page.click("#stop")
    visit.until("studio.player.loudness < 0.001")
    visit.page.click("#play")
    visit.until("studio.player.loudness > 0.005 && studio.player.seconds > 0.2")


def test_candidates_stand_side_by_side_ranked_with_reasons_and_each_can_be_heard(visit):
    visit.compose(bars=2, candidates=3)
    first = visit.finished()
    cards = visit.page.locator(".candidate")
    assert cards.count() == 3
    assert cards.first.locator("strong").inner_text() == "Best"
    assert all(cards.nth(i).locator(".why li").count() for i in range(3))
    others = [i for i in range(3) if cards.nth(i).get_attribute("aria-checked") != "true"]
    cards.nth(others[0]).click()
    visit.until(f"studio.desk.piece.id && studio.desk.piece.id !== '{first}'")


def test_composing_can_be_stopped_and_what_there_was_is_kept(visit):
    visit.compose(bars=200)
    visit.until("studio.desk.piece?.notes.length > 20")
    visit.page.click("#compose")  # now it says Stop composing
    visit.finished()
    assert visit.value("studio.desk.piece.json.kind") == "stopped"
    assert len(visit.notes()) > 20
    assert visit.page.inner_text("#compose") == "Compose"


def test_a_file_that_is_opened_meanwhile_stays_on_the_desk(visit, tmp_path):
    visit.compose(bars=200)
    visit.until("studio.desk.piece?.notes.length > 4")
    visit.page.set_input_files("#file", tune(tmp_path))
    visit.finished()
    assert visit.value("studio.desk.piece.json.kind") == "upload"
    wait_until(lambda: visit.page.inner_text("#compose") == "Compose", "composing has ended")
    assert visit.notes()[0] == [0, 0, 24, 60]


def test_a_curve_drawn_with_the_keyboard_is_what_is_asked(visit):
    visit.page.fill("#ask-bars", "8")
    visit.page.click("[aria-label='Draw happiness over the bars']")
    visit.page.locator(".curve circle").last.focus()
    for _ in range(5):
        visit.page.keyboard.press("PageUp")
    assert visit.value("studio.ask.request.happiness") == [[1, 5.5], [8, 10]]
    visit.page.keyboard.press("Insert")  # a point between
    assert [bar for bar, _ in visit.value("studio.ask.request.happiness")] == [1, 5, 8]
    visit.page.click("[aria-label='Leave happiness to the style']")
    assert "happiness" not in visit.value("studio.ask.request")


def test_two_tabs_compose_at_once(browser, address, visit):
    other = Visit(browser, address)
    visit.compose(bars=4)
    other.compose(bars=4)
    assert visit.finished() != other.finished()
    assert not other.mistakes
    other.context.close()


# ---- changing


def test_bars_are_infilled_around_what_stands_and_undone(visit, tmp_path):
    visit.page.set_input_files("#file", tune(tmp_path))
    before = visit.finished()
    notes = visit.notes()
    visit.page.focus("#roll")
    visit.page.keyboard.press("Shift+ArrowRight")
    visit.page.keyboard.press("Shift+ArrowRight")
    assert visit.page.inner_text(".chosen") == "Bars 1 to 2 are chosen"
    visit.page.click("#do-infill")
    visit.until(f"studio.desk.piece.id && studio.desk.piece.id !== '{before}'")
    after = visit.notes()
    assert [note for note in after if note[1] >= 192] == [note for note in notes if note[1] >= 192]
    visit.page.click("[aria-label='Undo']")
    visit.until(f"studio.desk.piece.id === '{before}'")
    assert visit.notes() == notes
    visit.page.click("[aria-label='Redo']")
    visit.until("studio.desk.piece.json.kind === 'infill'")
    visit.until("document.querySelectorAll('.version').length === 2")


def test_notes_are_moved_and_deleted_on_the_roll(visit, tmp_path):
    visit.page.set_input_files("#file", tune(tmp_path))
    visit.finished()
    visit.page.focus("#roll")
    visit.page.keyboard.press("ArrowRight")  # chooses the first note
    visit.page.keyboard.press("Alt+ArrowUp")
    visit.page.keyboard.press("Alt+ArrowUp")
    visit.until("studio.desk.piece.json.kind === 'edit'")
    assert visit.notes()[0] == [0, 0, 24, 62]
    drag(visit, visit.notes()[4], up=3)
    visit.until("studio.desk.piece.notes[4].pitch === 70")
    visit.page.keyboard.press("Delete")
    visit.until("studio.desk.piece.notes.length === 11")
    visit.page.keyboard.press("Control+z")
    visit.until("studio.desk.piece.notes.length === 12")


def drag(visit: Visit, note: list, *, up: int) -> None:
    """Takes a note of the roll and lifts it by `up` rows."""
    _, onset, duration, pitch = note
    box = visit.page.locator("#roll").bounding_box()
    x = box["x"] + visit.value(f"studio.desk.roll.x({onset + duration / 3})")
    y = box["y"] + visit.value(f"studio.desk.roll.y({pitch}) + studio.desk.roll.row / 2")
    row = visit.value("studio.desk.roll.row")
    visit.page.mouse.move(x, y)
    visit.page.mouse.down()
    visit.page.mouse.move(x, y - up * row, steps=4)
    visit.page.mouse.up()


def test_a_played_phrase_is_answered(visit):
    visit.page.click("#toggle-keys")
    for key in "zxcv":
        visit.page.keyboard.down(key)
        visit.until("studio.player.loudness > 0.003")
        visit.page.keyboard.up(key)
    visit.page.click("#answer")
    visit.finished()
    assert visit.value("studio.desk.piece.json.kind") == "answer"
    assert [pitch for *_, pitch in visit.notes()[:4]] == [48, 50, 52, 53]


MIDI = """(() => {
    const keyboard = (name) => ({ name, onmidimessage: null });
    const inputs = new Map([["a", keyboard("Toy piano")]]);
    const access = { inputs, onstatechange: null };
    const press = (id, ...data) => inputs.get(id).onmidimessage({ data });
    window.midi = { press, plug: (name) => (inputs.set(name, keyboard(name)), access.onstatechange()) };
    Object.defineProperty(navigator, "requestMIDIAccess", { value: async () => access });
})()"""  # a browser's Web MIDI with one keyboard, and `midi.plug` for another


def test_a_phrase_played_on_a_midi_keyboard_is_answered(visit):
    visit.page.evaluate(MIDI)
    visit.page.click("#toggle-keys")
    visit.page.click("text='Use a MIDI keyboard'")
    assert "Listening to Toy piano" in visit.toast()
    visit.page.evaluate("midi.plug('Other')")
    offs = {60: (0x80, 64), 64: (0x91, 0), 67: (0x81, 0)}  # a note ends by its own message, or by velocity 0
    for pitch, (end, velocity) in offs.items():
        where = "Other" if pitch == 67 else "a"
        visit.page.evaluate(f"midi.press('{where}', 0x91, {pitch}, 100)")
        visit.until("studio.player.loudness > 0.003")
        visit.page.evaluate(f"midi.press('{where}', {end}, {pitch}, {velocity})")
    assert visit.value("studio.keys.held.size") == 0
    visit.page.click("#answer")
    visit.finished()
    assert visit.value("studio.desk.piece.json.kind") == "answer"
    assert [pitch for *_, pitch in visit.notes()[:3]] == [60, 64, 67]


# ---- learning


@pytest.fixture(scope="module")
def vae(home, tmp_path_factory) -> str:
    """A style of a variational autoencoder that has learnt next to nothing."""
    pytest.importorskip("torch")
    folder = write_tunes(tmp_path_factory.mktemp("tunes") / "waves", range(6))
    size = {"size": 4, "hidden": [16], "step_width": 8, "head_width": 8}
    request = partimento.api.TrainingRequest(
        (folder,), home / "models" / "waves.partimento", "vae", "voices", steps=4, workers=0,
        work=tmp_path_factory.mktemp("run"), settings={**size, "batch": 4, "window": 64, "evaluations": 1},
    )  # fmt: skip
    for _ in partimento.api.train(request):
        pass
    return "waves/waves"


def test_the_map_of_a_latent_space_is_pressed_and_dragged_over(vae, visit, tmp_path):
    for name, score in (("low.mid", TUNE), ("high.mid", transpose(TUNE, 12))):
        visit.page.set_input_files("#file", tune(tmp_path, name, score))
        visit.until(f"studio.desk.piece?.json.title === '{name[:-4]}'")
    visit.page.click("[data-view=learn]")
    visit.page.select_option("#map-style", vae)
    visit.page.click("#map-go")
    visit.until("document.querySelectorAll('.latent circle').length >= 2")
    visit.page.evaluate("document.querySelector('.latent').scrollIntoView({ block: 'center' })")
    visit.page.mouse.click(*at_of(visit, "rect", 0.02))  # the corner, where no piece is
    visit.until("studio.desk.piece?.json?.kind === 'point'")
    visit.until("studio.player.loudness > 0.003")
    low, high = (at_of(visit, f"circle[aria-label={name}]") for name in ("low", "high"))
    visit.page.mouse.move(*low)
    visit.page.mouse.down()
    visit.page.mouse.move(*high, steps=4)
    assert visit.value("document.querySelector('.way').getAttribute('visibility')") == "visible"
    visit.page.mouse.up()
    visit.until("studio.desk.piece?.json?.kind === 'morph'")


def at_of(visit: Visit, part: str, share: float = 0.5) -> tuple[float, float]:
    """A place on the screen inside a part of the map."""
    box = visit.page.locator(f".latent {part}").first.bounding_box()
    return box["x"] + share * box["width"], box["y"] + share * box["height"]


@pytest.mark.skipif(not os.environ.get("PARTIMENTO_SLOW_TESTS"), reason="trains; PARTIMENTO_SLOW_TESTS=1 runs it")
def test_kinds_of_model_are_compared_and_a_piece_of_each_is_heard(visit, tmp_path):
    pytest.importorskip("torch")
    visit.page.click("[data-view=learn]")
    visit.page.set_input_files("#compare-files", sorted(write_tunes(tmp_path / "waves", range(6)).iterdir()))
    visit.until("document.getElementById('compare-music').value.startsWith('set:')")
    for number, kind in enumerate(("markov", "recurrent", ""), 1):
        visit.page.select_option(f"#compare-kind-{number}", kind)
    visit.value("studio.learn.compare.extra = { steps: 2, bars: 2, settings: { batch: 4, window: 48 } }")
    visit.page.click("#compare-go")
    wait_until(lambda: visit.page.locator(".compare tbody tr").count() == 2, "two kinds are compared", 3 * PATIENCE)
    visit.until("studio.learn.compare.job === null")
    assert "2 steps each" in visit.page.inner_text(".compare [role=status]")
    visit.page.click("[aria-label='Hear what markov composed']")
    visit.until("studio.desk.piece?.json?.title === 'markov, compared' && studio.player.isOn")


# ---- files and the library


def test_a_broken_file_is_refused_in_a_sentence_that_names_it(visit, tmp_path):
    broken = tmp_path / "broken.mid"
    broken.write_bytes(tune(tmp_path).read_bytes()[:20])
    visit.page.set_input_files("#file", broken)
    assert "broken.mid" in visit.toast()
    letter = tmp_path / "letter.txt"
    letter.write_text("Dear Clara")
    visit.page.set_input_files("#file", letter)
    wait_until(lambda: "letter.txt cannot be read here" in visit.toast(), "the letter is refused")
    assert visit.value("studio.desk.piece") is None


def test_a_piece_is_found_again_after_the_page_was_closed(browser, address, visit, tmp_path):
    visit.page.set_input_files("#file", tune(tmp_path, "evening.mid"))
    visit.finished()
    visit.page.fill("input.title", "Evening song")
    visit.page.keyboard.press("Enter")
    visit.until("studio.desk.piece.json.title === 'Evening song'")
    later = Visit(browser, address)
    later.page.click("[data-view=library]")
    later.page.fill("#library-search", "Evening")
    later.page.click(".piece-row .open")
    later.finished()
    assert later.notes() == visit.notes()
    with later.page.expect_download() as download:
        later.page.click("role=tab[name='Files']")
        later.page.click("text='MIDI'")
    download.value.save_as(tmp_path / "taken.mid")
    assert len(partimento.load(tmp_path / "taken.mid")) == len(TUNE)
    later.context.close()


# ---- for everyone


def test_the_page_fits_a_phone_and_every_control_has_a_name(browser, address, tmp_path):
    phone = Visit(browser, address, viewport={"width": 390, "height": 800}, has_touch=True)
    phone.page.set_input_files("#file", tune(tmp_path))
    phone.finished()
    for view in ("compose", "library", "train", "learn"):
        phone.page.click(f"[data-view={view}]")
        assert phone.value("document.documentElement.scrollWidth") <= 390, view
    nameless = """[...document.querySelectorAll("button, input, select")]
        .filter((one) => !(one.getAttribute("aria-label") || one.textContent.trim() || one.labels?.length))
        .map((one) => one.outerHTML)"""
    assert phone.value(nameless) == []
    phone.context.close()


SCROLLED = """[...document.querySelectorAll("*")]
    .filter((one) => one.clientHeight && one.scrollHeight > one.clientHeight + 1)
    .filter((one) => /auto|scroll/.test(getComputedStyle(one).overflowY)).map((one) => one.id || one.className)"""


@pytest.mark.parametrize("size", [(1280, 800), (390, 844)])
def test_nothing_scrolls_but_the_page(visit, tmp_path, size):
    visit.page.set_viewport_size(dict(zip(("width", "height"), size, strict=True)))
    visit.page.set_input_files("#file", tune(tmp_path))
    visit.finished()
    for view in ("compose", "library", "train", "learn"):
        visit.page.click(f"[data-view={view}]")
        assert visit.value(SCROLLED) == [], view
    visit.page.click("[data-view=compose]")
    visit.page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    assert visit.page.locator("#compose").bounding_box()["y"] < size[1] or size[0] < 640  # never out of sight beside it


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_stands_out_from_its_ground(theme):
    colours = theme_colours(theme)
    for text in ("ink", "ink-2", "accent", "bad"):
        for ground in ("panel", "raised", "ground"):
            assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
    assert contrast(colours["accent-ink"], colours["accent"]) >= 4.5
    for track in range(1, 9):
        assert contrast(colours[f"track-{track}"], colours["row"]) >= 3, track


def theme_colours(theme: str) -> dict[str, str]:
    """The colours of studio.css by their names; the dark ones where they differ."""
    css = (PAGE / "studio.css").read_text("utf-8")
    blocks = [css[css.index(":root {") :], css[css.index(':root[data-theme="dark"] {') :]]
    found = {}
    for block in blocks[: 2 if theme == "dark" else 1]:
        found |= dict(re.findall(r"--([\w-]+): (#[0-9a-fA-F]{6})", block[: block.index("}")]))
    return found


def contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG 2.2, 1 to 21."""

    def luminance(colour: str) -> float:
        channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return sum(share * c for share, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_nothing_is_loaded_from_elsewhere_and_no_script_stands_in_the_page():
    html = (PAGE / "index.html").read_text("utf-8")
    assert re.findall(r"<script(?![^>]*\bsrc=)", html) == []
    assert re.findall(r"\bon\w+=", html) == []
    for path in PAGE.rglob("*.*"):
        addresses = re.findall(r"https?://[^\s\"'`)]+", path.read_text("utf-8"))
        assert [one for one in addresses if not one.startswith("http://www.w3.org/")] == [], path.name


# ---- training, and the pictures of the docs: when asked for


@pytest.mark.skipif(not os.environ.get("PARTIMENTO_SLOW_TESTS"), reason="trains; PARTIMENTO_SLOW_TESTS=1 runs it")
def test_a_tiny_style_is_trained_and_composed_with(visit, tmp_path):
    pytest.importorskip("torch")
    train_tiny(visit, tmp_path)
    visit.page.click("#train-compose")
    assert visit.value("studio.ask.request.style") == "tiny/tiny"
    visit.compose(bars=2)
    visit.finished()
    assert visit.value("studio.desk.piece.json.style").endswith("tiny")


def train_tiny(visit: Visit, folder: Path) -> None:
    """A model of a few steps on a dozen transpositions and inversions of a tune."""
    files = []
    for at in range(12):
        notes = TUNE.notes.copy()
        notes["pitch"] = notes["pitch"].astype(int) + at - 6
        notes["pitch"][: at // 2] += 2
        files.append(tune(folder, f"tune{at}.mid", partimento.Score(notes, tracks=TUNE.tracks)))
    visit.page.click("[data-view=train]")
    visit.page.set_input_files("#train-files", files)
    visit.until("document.querySelectorAll('.verdicts tbody tr').length >= 12")
    visit.page.fill("#train-name", "tiny")
    visit.value("studio.train.extra = { minutes: null, steps: 20, settings: { width: 32, layers: 1, every: 10 } }")
    visit.page.click("#train-go")
    wait_until(lambda: visit.page.locator("#train-compose").count(), "the training ends", 10 * PATIENCE)


@pytest.mark.skipif(not os.environ.get("PARTIMENTO_SCREENSHOTS"), reason="PARTIMENTO_SCREENSHOTS=1 makes the pictures")
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("light", {"viewport": {"width": 1180, "height": 800}}),
        ("dark", {"viewport": {"width": 1180, "height": 800}, "color_scheme": "dark"}),
        ("phone", {"viewport": {"width": 390, "height": 844}, "has_touch": True}),
    ],
)
def test_pictures_for_the_docs(browser, address, name, options):
    one = Visit(browser, address, **options)
    one.value("document.getElementById('style-strings').click()")
    one.value("studio.ask.seed.value = 11")
    one.compose(bars=12, candidates=3)
    if name == "light":
        one.until("studio.desk.piece?.frontier > 500")
        one.page.screenshot(path=IMAGES / "studio-composing.png")
    one.finished()
    one.until("document.querySelector('#wave svg')")
    one.value("document.getElementById('toasts').replaceChildren()")
    one.page.click("#stop")
    one.page.mouse.move(2, 2)
    one.value("studio.player.seek(400)")
    one.value("studio.desk.roll.choose([], [7, 8])")
    one.page.screenshot(path=IMAGES / f"studio-{name}.png")
    one.context.close()
