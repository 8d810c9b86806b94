"""General MIDI: the names of the 128 programs and the pitches that each instrument can play."""

from __future__ import annotations

from difflib import get_close_matches

from .errors import UnknownName
from .score import DRUM_PROGRAM, Track

NAMES = (
    "acoustic grand piano", "bright acoustic piano", "electric grand piano", "honky-tonk piano",
    "electric piano 1", "electric piano 2", "harpsichord", "clavinet",
    "celesta", "glockenspiel", "music box", "vibraphone",
    "marimba", "xylophone", "tubular bells", "dulcimer",
    "drawbar organ", "percussive organ", "rock organ", "church organ",
    "reed organ", "accordion", "harmonica", "bandoneon",
    "nylon guitar", "steel guitar", "jazz guitar", "clean electric guitar",
    "muted electric guitar", "overdriven guitar", "distortion guitar", "guitar harmonics",
    "acoustic bass", "fingered bass", "picked bass", "fretless bass",
    "slap bass 1", "slap bass 2", "synth bass 1", "synth bass 2",
    "violin", "viola", "cello", "double bass",
    "tremolo strings", "pizzicato strings", "harp", "timpani",
    "string ensemble 1", "string ensemble 2", "synth strings 1", "synth strings 2",
    "choir aahs", "voice oohs", "synth voice", "orchestra hit",
    "trumpet", "trombone", "tuba", "muted trumpet",
    "French horn", "brass section", "synth brass 1", "synth brass 2",
    "soprano saxophone", "alto saxophone", "tenor saxophone", "baritone saxophone",
    "oboe", "English horn", "bassoon", "clarinet",
    "piccolo", "flute", "recorder", "pan flute",
    "bottle", "shakuhachi", "whistle", "ocarina",
    "square lead", "sawtooth lead", "calliope lead", "chiff lead",
    "charang lead", "voice lead", "fifths lead", "bass and lead",
    "new age pad", "warm pad", "polysynth pad", "choir pad",
    "bowed pad", "metallic pad", "halo pad", "sweep pad",
    "rain", "soundtrack", "crystal", "atmosphere",
    "brightness", "goblins", "echoes", "sci-fi",
    "sitar", "banjo", "shamisen", "koto",
    "kalimba", "bagpipe", "fiddle", "shanai",
    "tinkle bell", "agogo", "steel drums", "woodblock",
    "taiko drum", "melodic tom", "synth drum", "reverse cymbal",
    "guitar fret noise", "breath noise", "seashore", "bird tweet",
    "telephone", "helicopter", "applause", "gunshot",
)  # fmt: skip

ANY = (21, 108)  # a piano's keys, for what has no range of its own (synthesisers, effects)
# Lowest and highest sounding MIDI pitch that a good player has at hand, by ranges of programs (first, last).
_RANGES = {
    (0, 5): (21, 108), (6, 6): (29, 89), (7, 7): (29, 88),
    (8, 8): (60, 108), (9, 9): (79, 108), (10, 10): (60, 96), (11, 11): (53, 89),
    (12, 12): (45, 96), (13, 13): (65, 108), (14, 14): (60, 77), (15, 15): (48, 88),
    (16, 20): (36, 96), (21, 21): (41, 93), (22, 22): (60, 96), (23, 23): (36, 93),
    (24, 31): (40, 86), (32, 39): (28, 67),
    (40, 40): (55, 103), (41, 41): (48, 91), (42, 42): (36, 81), (43, 43): (28, 67),
    (44, 45): (28, 100), (46, 46): (23, 103), (47, 47): (36, 57), (48, 51): (28, 103),
    (52, 54): (40, 84), (56, 56): (54, 84), (57, 57): (40, 74), (58, 58): (26, 65),
    (59, 59): (54, 84), (60, 60): (34, 77), (61, 63): (34, 84),
    (64, 64): (56, 88), (65, 65): (49, 81), (66, 66): (44, 76), (67, 67): (36, 69),
    (68, 68): (58, 91), (69, 69): (52, 81), (70, 70): (34, 75), (71, 71): (50, 94),
    (72, 72): (74, 108), (73, 73): (60, 96), (74, 74): (60, 98), (75, 79): (60, 96),
    (104, 104): (48, 84), (105, 105): (48, 84), (106, 106): (45, 84), (107, 107): (43, 84),
    (108, 108): (60, 84), (109, 109): (55, 84), (110, 110): (55, 103), (111, 111): (60, 91),
    (112, 112): (72, 108), (114, 114): (52, 88),
}  # fmt: skip
RANGES: dict[int, tuple[int, int]] = dict.fromkeys(range(len(NAMES)), ANY) | {
    program: span for (first, last), span in _RANGES.items() for program in range(first, last + 1)
}
RANGES[DRUM_PROGRAM] = (0, 127)  # a drum's pitch names the drum, it has no range

CHOIR = NAMES.index("choir aahs")


def instrument_name(program: int) -> str:
    """The General MIDI name of `program` (0-127), "drums" for 128, "program N" for anything else."""
    if program == DRUM_PROGRAM:
        return "drums"
    return NAMES[program] if 0 <= program < len(NAMES) else f"program {program}"


def label(track: Track) -> str:
    """What to call a track: its name without what LilyPond adds after a colon ("up:one"), else its instrument."""
    return track.name.split(":")[0].strip() or instrument_name(track.program)


def find_program(text: str) -> int:
    """The General MIDI program (0-127) that "violin", "Flute" or "40" names; raises `UnknownName` with what is near."""
    wanted = text.strip().lower()
    if wanted.isdecimal() and int(wanted) < len(NAMES):
        return int(wanted)
    lowered = [name.lower() for name in NAMES]
    if wanted in lowered:
        return lowered.index(wanted)
    partly = [n for n, name in enumerate(lowered) if wanted and wanted in name]
    if partly:
        return partly[0]  # "piano" is the acoustic grand
    near = get_close_matches(wanted, lowered, n=3, cutoff=0.4)
    raise UnknownName(f"no instrument {text!r}; {'near to it: ' + ', '.join(near) if near else 'a program is 0-127'}")
