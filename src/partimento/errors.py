"""Every error that Partimento raises on purpose.

PartimentoError                 something a person can put right; a face prints it and exits with 2
├── FormatError                 a file that cannot be read or written
│   ├── MidiError
│   └── MusicXMLError
├── MusicError                  music that a step cannot hold or do
├── UnknownName                 no style, family, encoding or key of that name
├── BadOption                   an option outside its range, or two that contradict each other
├── ModelError                  a model file that is damaged, too new or does not fit
├── MissingExtra                an optional package is needed; the message is its install line
└── Stopped                     work that was asked to stop, and saved; the message says how to go on
"""


class PartimentoError(Exception):
    """Something a person can put right: names the thing, what was found, what was wanted, the way out."""


class FormatError(PartimentoError):
    """A file that cannot be read or written."""


class MidiError(FormatError):
    """A MIDI file that breaks the standard or asks for the absurd."""


class MusicXMLError(FormatError):
    """A MusicXML file that breaks the standard or asks for the absurd."""


class MusicError(PartimentoError):
    """Music that a step of the way cannot hold or do."""


class UnknownName(PartimentoError):
    """No style, family, encoding, key or file kind of that name."""


class BadOption(PartimentoError):
    """An option outside its range, or two options that contradict each other."""


class ModelError(PartimentoError):
    """A model file that is damaged, too new or does not fit what is asked of it."""


class MissingExtra(PartimentoError):
    """An optional package is needed; the message says its install line."""


class Stopped(PartimentoError):
    """Work that was asked to stop; all is saved, and the message says how to go on."""
