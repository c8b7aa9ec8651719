"""From a main package to a program: compiled, linked once with everything, proved, stripped.

Nothing here decides what goes into an image. The only file the user sees of this room is the program itself.
"""

from proa.build.compile import build, build_all, words_of
from proa.build.finish import finish

__all__ = ["build", "build_all", "finish", "words_of"]
