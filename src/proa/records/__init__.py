"""Frozen records, one file per noun: what the stages hand to each other.

No I/O and no judgement in here; only what a value of the kind can say about itself. Units are in the
names: ``_bytes``, ``_s``, ``_percent``, ``_ratio``. Every record is immutable and keyword-only.
"""
