"""What a program is configured by, read from its source, and what its deployment files set of that.

One module per language, each a pure function from files to a ``Contract``. Nothing here reads a disk or an environment.
"""
