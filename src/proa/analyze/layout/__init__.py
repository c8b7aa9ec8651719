"""How a project is laid out: what each top-level folder is for, and the files that have a meaning of their own.

Told by names first, because people choose them for that, and by content where a name says nothing or says too much:
a tracked ``build/`` full of Go is source. Bounded: names are counted, and of a few files the beginning is read.
"""

from proa.analyze.layout.reading import read_layout

__all__ = ["read_layout"]
