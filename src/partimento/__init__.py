"""Partimento learns from MIDI files and composes new music."""
