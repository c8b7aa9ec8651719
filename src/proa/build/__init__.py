"""From a main package to a program: compiled, linked once with everything, proved, stripped.

Nothing here decides what goes into an image. The only file the user sees of this room is the program itself.
"""

from proa.build.closure import Opened, find_runtime_files, identity, runtime_files_of
from proa.build.compile import build, build_all, words_of
from proa.build.cross import c_compilers, compiler_identity, with_c
from proa.build.finish import finish
from proa.build.prebuilt import Prebuilt, finish_prebuilt, inspect_program
from proa.build.rejoin import Rejoined, rejoin
from proa.build.shell import Shell, find_shell

__all__ = [
    "Opened",
    "Prebuilt",
    "Rejoined",
    "Shell",
    "build",
    "build_all",
    "c_compilers",
    "compiler_identity",
    "find_runtime_files",
    "find_shell",
    "finish",
    "finish_prebuilt",
    "identity",
    "inspect_program",
    "rejoin",
    "runtime_files_of",
    "with_c",
    "words_of",
]
