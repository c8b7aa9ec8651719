"""From a main package to a program: compiled, linked once with everything, proved, stripped.

Nothing here decides what goes into an image. The only file the user sees of this room is the program itself.
"""

from proa.build.compile import build, build_all, words_of
from proa.build.cross import c_compilers, compiler_identity, with_c
from proa.build.finish import finish
from proa.build.rejoin import Rejoined, rejoin

__all__ = [
    "Rejoined",
    "build",
    "build_all",
    "c_compilers",
    "compiler_identity",
    "finish",
    "rejoin",
    "with_c",
    "words_of",
]
