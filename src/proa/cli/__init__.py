"""Words in, words out: one file per command, each turns flags into records and records into text.

Nothing is decided here and nothing but a terminal is reached from here.
"""
