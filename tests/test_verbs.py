"""The editing verbs as the command has them: what they write and say, and every wrong word in a line."""

from __future__ import annotations

import io
import re
import shlex
from dataclasses import replace

import pytest

from partimento import api, formats
from partimento.formats.midi import to_bytes
from partimento.score import DRUM_PROGRAM, Score, Track, note_array
from partimento.timing import Clock
from tunes import duet, tune, with_kit

pytest_plugins = ["tiny"]
NO_SCORE = Score(note_array([]))


@pytest.fixture
def desk(tmp_path, monkeypatch, tiny):
    """A folder with a duet, a tune, drums, an empty piece and the small model, which is where one works."""
    monkeypatch.chdir(tmp_path)
    formats.save(replace(duet(2), title="Duet"), "duet.mid")
    formats.save(duet(2), "duet.musicxml")
    formats.save(tune(1), "tune.mid")
    formats.save(replace(tune(1), tracks=(Track("Kit", DRUM_PROGRAM),)), "drums.mid")
    formats.save(with_kit(duet(2)), "kit.mid")
    formats.save(NO_SCORE, "silence.mid")
    (tmp_path / "nothing.mid").touch()
    (tmp_path / "words.txt").write_text("no music")
    (tmp_path / "pair.partimento").symlink_to(tiny.pair)
    return tmp_path


@pytest.fixture
def verb(command, desk):
    """Runs a line of words with the small model and one candidate; exit code, what was said, what was complained of."""

    def run(line: str, *, model: str = "--model pair.partimento", style: str = "--style duets"):
        more = "--candidates 1 --no-roll --seed 3" if not line.startswith("reproduce") else ""
        style = "" if line.startswith("reproduce") or "--style" in line else style
        return command(*shlex.split(f"{line} {model if '--model' not in line else ''} {style} {more}"))

    return run


def bars(file: str) -> int:
    score = formats.load(file)
    return len(Clock(score).bars) - bool(score.upbeat)


# --- what they write and say

DONE = {
    "continue duet.mid": ("duet-continue-3.mid", 16, "duet.mid, gone on from bar 8 as duets, seed 3: 16 bars of 4/4"),
    "continue duet.mid --bars 2": ("duet-continue-3.mid", 10, "gone on from bar 8"),
    "continue duet.mid --seconds 5": ("duet-continue-3.mid", 10, "gone on from bar 8"),
    "continue duet.mid --from start --bars 1": ("duet-continue-3.mid", 9, "gone on before its start"),
    "continue duet.musicxml --from 3 --bars 2": ("duet-continue-3.mid", 5, "gone on from bar 3 as duets"),
    "infill duet.mid --bars 2-3": ("duet-infill-3.mid", 8, "duet.mid, bars 2-3 composed as duets, seed 3: 8 bars"),
    "infill duet.mid --bars 8 --tracks 2": ("duet-infill-3.mid", 8, "bar 8 composed"),
    "vary duet.mid --amount 0.5": (
        "duet-vary-3.mid",
        8,
        r"duet.mid, bars \d(-\d)?(, \d(-\d)?)* varied as duets",
    ),
    "harmonize tune.mid": ("tune-harmonize-3.mid", 8, "tune.mid, harmonised as duets, seed 3: 8 bars"),
}


@pytest.mark.parametrize("line", DONE)
def test_a_verb_writes_the_piece_here_and_says_what_is_new_in_it(verb, line):
    file, count, said = DONE[line]
    code, output, complaint = verb(line)
    assert (code, complaint) == (0, "") and re.search(said, output) and output.endswith(f"wrote {file}\n")
    assert bars(file) == count
    before, after = formats.load(line.split()[1]), formats.load(file)
    assert after.title == before.title and after.recipe["verb"] == line.split()[0]
    assert {track.name for track in before.tracks} <= {track.name for track in after.tracks}


def test_the_style_most_like_the_piece_is_the_default(verb):
    assert "as duets, seed 3" in verb("infill duet.mid --bars 2", style="")[1]
    assert "as tunes, seed 3" in verb("infill tune.mid --bars 2", style="")[1]


def test_what_stands_is_not_shaped_anew_unless_it_is_asked_for(verb):
    verb("continue duet.mid --bars 2 -o plain.mid")
    verb("continue duet.mid --bars 2 --expression -o shaped.mid")
    before, plain, shaped = (formats.load(name) for name in ("duet.mid", "plain.mid", "shaped.mid"))
    assert plain.tempos == before.tempos and len(shaped.tempos) > 8
    assert set(plain.notes["velocity"][: len(before)].tolist()) == set(before.notes["velocity"].tolist())


def test_several_files_of_one_piece_and_controls_that_are_heard(verb):
    _, said, _ = verb("vary duet.mid --amount 1 --happiness 9 --density 2->9 -o a.mid --density 0.2->0.9")
    assert re.search(r"asked and heard: happiness 9: \d+\.\d, density 0.2->0.9: \d\.\d\d$", said, re.MULTILINE)
    verb("infill duet.mid --bars 1-2 -o a.mid -o a.musicxml")
    assert len(formats.load("a.musicxml")) >= len(formats.load("a.mid")) > 0


# --- again


@pytest.mark.parametrize("suffix", ["mid", "musicxml"])
@pytest.mark.parametrize(
    ("line", "source"),
    [
        ("compose --bars 4", ""),
        ("compose --bars 4 --no-expression --excitement 2->9", ""),
        ("compose --bars 3 --excitement 9 --tempo 90.5 --key Am --chords 'Am Dm | E7'", ""),
        ("compose --seconds 12.5 --style tunes:0.7,duets:0.3 --instrument oboe", ""),
        ("continue duet.mid --bars 2 --no-ending", "duet.mid"),
        ("continue duet.musicxml --from 3 --bars 2 --expression", "duet.musicxml"),
        ("continue duet.mid --from start --bars 2", "duet.mid"),
        ("infill duet.mid --bars 3-4 --tracks 1 --complexity 0.3", "duet.mid"),
        ("vary duet.mid --amount 0.4", "duet.mid"),
        ("harmonize tune.mid --instrument viola --temperature 0.7", "tune.mid"),
    ],
)  # fmt: skip
def test_a_piece_is_reproduced_to_the_byte(verb, desk, line, source, suffix):
    code, _, complaint = verb(f"{line} -o a.{suffix}")
    assert (code, complaint) == (0, "")
    code, said, complaint = verb(f"reproduce a.{suffix} {'--input ' * bool(source)}{source}")
    assert (code, said, complaint) == (0, f"wrote a-again.{suffix}: the same to the byte\n", "")
    assert (desk / f"a-again.{suffix}").read_bytes() == (desk / f"a.{suffix}").read_bytes()


def test_a_piece_is_reproduced_as_another_kind_of_file(verb):
    verb("compose --bars 2 -o a.mid -o a.musicxml")
    assert verb("reproduce a.mid -o b.musicxml")[1] == "wrote b.musicxml\n"
    assert verb("reproduce a.musicxml -o c.musicxml")[1].endswith("the same to the byte\n")


def test_a_file_that_was_changed_since_is_not_the_same(verb):
    verb("compose --bars 2 -o a.mid")
    score = formats.load("a.mid")
    formats.save(score.with_notes(score.notes[1:]), "a.mid")
    assert verb("reproduce a.mid")[1] == "wrote a-again.mid: not the same bytes as a.mid\n"


def test_a_transformed_piece_is_reproduced_as_it_was_composed(verb, command, desk):
    verb("compose --bars 2 -o a.mid")
    before = (desk / "a.mid").read_bytes()
    command("transform", "a.mid", "--transpose", 3, "-o", "b.mid")
    assert "b.mid, which was transformed since it was composed" in verb("reproduce b.mid -o c.mid")[1]
    assert (desk / "c.mid").read_bytes() == before


# --- wrong words

REFUSED = {
    "continue duet.mid --happiness 11": "happiness 11 is out of range; wanted 1 to 10",
    "continue duet.mid --complexity -1": "complexity -1 is out of range; wanted 0 to 1",
    "continue duet.mid --density nan": "density nan is out of range",
    "continue duet.mid --happiness 2->": "no curve '2->'; write a number",
    "continue duet.mid --excitement 8:9,1:2": "no curve '8:9,1:2'",
    "continue duet.mid --style polka": "no style 'polka' in pair.partimento; there are duets, tunes",
    "continue duet.mid --style polka:1,tunes:1": "no style 'polka'",
    "continue duet.mid --chords 'Dm Xx'": "Xx",
    "continue duet.mid --axis warm=x": "axis 'warm' is 'x'; wanted a number",
    "continue duet.mid --axis warm=3": "no axis 'warm'",
    "continue duet.mid --from 0": "there is no bar 0 to go on from; the piece has bars 1 to 8",
    "continue duet.mid --from 9": "there is no bar 9 to go on from",
    "continue duet.mid --from middle": "cannot go on from 'middle'; wanted end, start or the number of a bar",
    "continue duet.mid --from 99999999999999999999": "cannot go on from '99999999999999999999'",
    "continue duet.mid --from -1": "cannot go on from '-1'",
    "continue duet.mid --bars x": "invalid value for '--bars'",
    "continue duet.mid --bars 0": "bars 0 is out of range",
    "continue duet.mid --bars 4 --seconds 10": "bars, seconds and sixteenths are alternatives",
    "continue duet.mid --key D": "no such option '?--key",
    "continue duet.mid --model none.partimento": "none.partimento: there is no such model file",
    "continue duet.mid --model words.txt": "words.txt: not a model file",
    "continue duet.mid -o a.mp5": "a.mp5.*there are .mid",
    "continue duet.mid -o none/a.mid": "there is no folder none",
    "continue none.mid": "none.mid: there is no such file",
    "continue nothing.mid": "nothing.mid: the file is empty",
    "continue words.txt": "words.txt: cannot read '.txt'",
    "continue silence.mid": "continue: there is no note in the piece",
    "continue drums.mid": "continue: every note is drums, which models do not compose; wanted music with pitches",
    "vary drums.mid": "vary: every note is drums",
    "infill drums.mid --bars 2": "infill: every note is drums",
    "infill kit.mid --bars 2 --tracks 1,3": "track 3 is drums, which stay as they are; name tracks with pitches",
    "continue": "missing argument 'FILE'",
    "infill duet.mid": "missing option '--bars'",
    "infill duet.mid --bars x": "no bars 'x'; write the first and the last, like 5-8",
    "infill duet.mid --bars 4-": "no bars '4-'",
    "infill duet.mid --bars 7-9": "there are no bars 7-9 to fill; the piece has bars 1 to 8",
    "infill duet.mid --bars 5-3": "there are no bars 5-3 to fill",
    "infill duet.mid --bars 0-3": "there are no bars 0-3 to fill",
    "infill duet.mid --bars 1-2 --tracks 9": "there is no track 9; the piece has 2",
    "infill duet.mid --bars 1-2 --tracks 0": "there is no track 0",
    "infill duet.mid --bars 1-2 --tracks one": "no tracks 'one'; write their numbers from 1, like 1,2",
    "vary duet.mid --amount 0": "amount 0 is out of range; wanted more than 0, at most 1",
    "vary duet.mid --amount 2": "amount 2 is out of range",
    "vary duet.mid --amount nan": "amount nan is out of range",
    "harmonize drums.mid": "there is nothing to harmonise: every note is drums; wanted a melody",
    "harmonize duet.mid": "a melody has one track, this has 2",
    "harmonize tune.mid --style tunes": "style 'tunes' has one part only",
    "harmonize tune.mid --instrument kazoophone": "no instrument 'kazoophone'",
    "reproduce duet.mid": "duet.mid: there is no recipe in it; pieces that Partimento composed carry one",
    "reproduce none.mid": "none.mid: there is no such file",
    "compose --bars 4 --seconds 10": "bars, seconds and sixteenths are alternatives",
    "compose --happiness 11": "happiness 11 is out of range",
    "compose --complexity -1": "complexity -1 is out of range",
    "compose --excitement calm": "no curve 'calm'",
    "compose --happiness 1:2,99:5 --bars 8": "happiness has a point at bar 99; wanted bars 1 to 8, those composed",
    "infill duet.mid --bars 5-6 --density 5:0.2": "density has a point at bar 5; wanted bars 1 to 2",
    "compose --instrument kazoophone": "no instrument 'kazoophone'",
    "compose --chords H": "H",
}


def one_line(code: int, said: str, complaint: str) -> str:
    """The line with which a command ends in exit code 2; click's own begins with its usage."""
    assert code == 2 and said == "" and "Traceback" not in complaint
    lines = complaint.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("partimento: "), complaint
    return lines[-1]


@pytest.mark.parametrize("line", REFUSED)
def test_a_wrong_word_is_one_line_and_exit_code_2(verb, desk, line):
    there = sorted(path.name for path in desk.iterdir())
    assert re.search(REFUSED[line], one_line(*verb(line)))
    assert sorted(path.name for path in desk.iterdir()) == there


@pytest.mark.parametrize(
    "line",
    [
        "continue duet.mid --bars 2 -o duet.mid", "continue duet.mid --bars 2 -o new.mid -o ./duet.mid",
        "continue duet.mid --bars 2 -o linked.mid", "infill linked.mid --bars 2 -o duet.mid",
        "vary duet.mid -o duet.mid", "harmonize duet.mid -o duet.mid", "transform duet.mid --transpose 1 -o duet.mid",
        "transform duet.mid --tempo 90 -o sub/../duet.mid", "morph tune.mid duet.mid -o duet.mid",
        "morph tune.mid duet-2.mid --each --steps 3 -o duet.mid", "convert duet.mid duet.mid",
        "reproduce duet.mid -o duet.mid", "reproduce tune.mid --input duet.mid -o duet.mid",
    ],
)  # fmt: skip
def test_the_file_that_is_read_is_never_written_over(command, desk, line):
    (desk / "sub").mkdir()
    (desk / "linked.mid").symlink_to("duet.mid")
    (desk / "duet-2.mid").symlink_to("duet.mid")
    before = (desk / "duet.mid").read_bytes()
    said = one_line(*command(*line.split()))
    assert "this is the file that is read, which stays as it is; name another one" in said
    assert (desk / "duet.mid").read_bytes() == before and not (desk / "new.mid").exists()


def test_a_file_with_other_music_may_be_written_over(command, desk):
    assert command("transform", "duet.mid", "--transpose", 1, "-o", "tune.mid")[0] == 0
    assert len(formats.load("tune.mid")) == len(duet(2))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("compsoe", "there is no command 'compsoe'; did you mean compose\\?; see partimento --help"),
        ("compose --brs 4", "no such option '--brs'.*see partimento compose --help"),
        ("compose --bars many", "invalid value for '--bars': 'many' is not a valid integer; see partimento compose"),
        ("convert a.mid", r"missing argument 'TARGET'; wanted: partimento convert \[OPTIONS\] SOURCE TARGET"),
        ("corpus scn", "'scn'.*see partimento corpus --help"),
    ],
)
def test_a_mistyped_command_line_is_one_line_with_the_way_out(command, desk, line, words):
    assert re.search(words, one_line(*command(*line.split())))


def test_the_card_of_a_style_is_of_that_style_alone(command, desk):
    code, said, _ = command("styles", "--card", "strings")
    assert code == 0 and "**Heard** in `strings`" in said and "styles --card base.partimento" in said
    assert "folk, test" not in said and "**Heard** in `folk`" not in said
    assert "Credits" in command("styles", "--card", "base.partimento")[1]


def test_a_style_of_four_voices_cannot_compose_into_music(command, desk, monkeypatch, tiny):
    """A model of the encoding `voices` is refused before anything is composed."""
    chorales = tiny.root / "voices.partimento"
    if not chorales.exists():
        hymn = [duet(n) for n in range(12)]
        folder = tiny.root / "hymns"
        folder.mkdir()
        for number, score in enumerate(hymn):
            notes = [score.track_notes(0).copy() for _ in range(4)]
            for voice, part in enumerate(notes):
                part["track"], part["pitch"] = voice, part["pitch"] - (0, 7, 12, 24)[voice]
            whole = note_array([row for part in notes for row in part.tolist()])
            formats.save(replace(score, notes=whole, tracks=(Track("", 52),) * 4), folder / f"{number:02}.mid")
        for _ in api.train(tiny.request(chorales, folders=(folder,), encoding="voices", encoding_options={})):
            pass
    for line in ("continue tune.mid", "infill tune.mid --bars 1", "vary tune.mid", "harmonize tune.mid"):
        said = one_line(*command(*line.split(), "--model", chorales, "--style", "hymns"))
        assert "style 'hymns' is of the encoding 'voices', which cannot compose into music" in said


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model": "0" * 12}, "by the model 000000000000, and pair.partimento is another one; name its file: --model"),
        ({"asked": {"style": "polka"}}, "no style 'polka' in .*; there are duets, tunes"),
        ({"asked": {"style": "duets", "bars": 10**30}}, "its bars is 1000"),
        ({"asked": {"style": "duets", "mix": [["duets", 1], ["polka", 1]]}}, "no style 'polka'"),
        ({"verb": "improvise"}, "its verb is 'improvise'"),
        ({"bars": 4}, "it holds 'bars', which no recipe has"),
        ({"rank": 99}, "its rank is 99 of"),
    ],
    ids=str,
)
def test_a_foreign_recipe_is_one_line_and_exit_code_2(verb, change, said):
    verb("compose --bars 2 -o a.mid")
    score = formats.load("a.mid")
    formats.save(replace(score, recipe={**score.recipe, **change}), "a.mid")
    assert re.search(said, one_line(*verb("reproduce a.mid")))


def test_reproducing_wants_the_music_that_was_composed_into(verb):
    verb("vary duet.mid -o a.mid")
    assert "which is missing; name its file: --input" in one_line(*verb("reproduce a.mid"))
    assert "which is not that music" in one_line(*verb("reproduce a.mid --input tune.mid"))


# --- asked and answered


@pytest.fixture
def asked(command, desk, monkeypatch):
    """`compose --ask` with the small model, answered by lines; exit code, what was said, what was complained of."""

    def run(*answers: str, options: str = "--style duets --seed 3"):
        monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{answer}\n" for answer in answers)))
        words = f"compose --ask --model pair.partimento --candidates 1 --no-roll {options}"
        return command(*shlex.split(words))

    return run


def test_the_conversation_asks_composes_and_asks_again(asked):
    first, second = ("8", "2->9", "0.2", "3", "", "one.mid", "y"), ("", "", "", "8s", "", "", "n")
    code, said, complaint = asked(*first, *second)
    assert (code, complaint) == (0, "")
    for words in ("Happiness", "Excitement", "Complexity", "Length in bars", "A file to go on from", "Output file"):
        assert len(re.findall(words, said)) == 2
    assert re.search(r"Happiness.*\[5\].*Happiness.*\[8\]", said, re.DOTALL)  # the last answer is the next default
    assert "wrote one.mid" in said and "wrote piece-1.mid" in said
    assert bars("one.mid") == 3 and 6 < Clock(formats.load("piece-1.mid")).seconds(formats.load("piece-1.mid").end) < 9
    recipes = [formats.load(name).recipe["asked"] for name in ("one.mid", "piece-1.mid")]
    expected = {"happiness": 8.0, "excitement": [[1.0, 2.0], [-1.0, 9.0]], "complexity": 0.2}
    assert all({name: one[name] for name in expected} == expected for one in recipes)
    assert [one["seed"] for one in recipes] == [3, 4]


def test_the_conversation_goes_on_from_a_file(asked):
    code, said, complaint = asked("", "", "", "2", "duet.mid", "duet.mid", "long.mid", "n")
    assert (code, complaint) == (0, "") and bars("long.mid") == 10
    assert "duet.mid: this is the file that is read" in said
    assert formats.load("long.mid").tempos == formats.load("duet.mid").tempos


def test_a_wrong_answer_is_asked_again_with_the_reason(asked):
    answers = ("11", "glad", "7", "", "", "a while", "0", "2", "none.mid", "", "a.mp5", "a.mid", "n")
    code, said, complaint = asked(*answers)
    assert code == 0 and bars("a.mid") == 2 and formats.load("a.mid").recipe["asked"]["happiness"] == 7
    wrong = re.findall("Error: (.*)", said + complaint)
    reasons = ("happiness 11 is out", "no curve 'glad'", "no length 'a while'", "no length '0'", "none.mid", "a.mp5")
    assert len(wrong) == len(reasons) and all(reason in line for reason, line in zip(reasons, wrong, strict=True))


def test_what_cannot_be_composed_is_a_line_and_the_conversation_goes_on(asked):
    code, _, complaint = asked(*("",) * 5, "a.mid", "y", *("",) * 5, "b.mid", options="--style polka")
    assert code == 0 and complaint.count("partimento: no style 'polka'") == 2 and "Traceback" not in complaint


def test_the_end_of_what_is_piped_in_ends_the_conversation(asked):
    assert asked("", "", "", "1", "", "a.mid")[0] == 0 and bars("a.mid") == 1
    code, _, complaint = asked("5", "5")
    assert code == 1 and "Traceback" not in complaint


def test_the_same_answers_as_options_give_the_same_piece(asked, verb, desk):
    asked("8", "3", "0.5", "2", "", "a.mid", "n")
    verb("compose --happiness 8 --excitement 3 --complexity 0.5 --bars 2 -o b.mid")
    assert (desk / "a.mid").read_bytes() == (desk / "b.mid").read_bytes()
    assert to_bytes(formats.load("a.mid")) == (desk / "a.mid").read_bytes()
