"""Everything a Go program reads of how it is configured: variables, flags and files, from its source alone.

What counts (ADR 0031): what the program's own packages read, that is those of its module, its workspace and other
local folders, as far as the program imports them, and the flags that libraries register for it. Test files are not
among a package's files. Files are searched for words first; only those that hold any are parsed.
"""

from __future__ import annotations

from collections.abc import Sequence

from proa.analyze.contract.go_cli import read_literals
from proa.analyze.contract.go_environment import read_environment
from proa.analyze.contract.go_files import read_files
from proa.analyze.contract.go_flags import read_flags
from proa.analyze.contract.go_found import Found
from proa.analyze.contract.go_kong import read_structs
from proa.analyze.contract.go_libraries import read_libraries
from proa.analyze.contract.go_source import GoSource
from proa.analyze.contract.go_structs import Structs
from proa.analyze.contract.go_tags import read_tags
from proa.analyze.contract.go_viper import read_viper
from proa.analyze.contract.reading import Contract
from proa.analyze.files import Sources
from proa.records.project import Main, Package

_STEPS = 60
"""How far a value is followed (arbitrary; caddy's contract is read in half a second)."""


def go_contract(main: Main, packages: Sequence[Package], *, system: str = "linux") -> Contract:
    """Return what a program reads of its configuration, and the files that could not be read.

    ``packages`` are those of its import graph; ``system`` is the operating system as Go names it.
    """
    return read_go(Sources(packages, main=main.import_path, steps=_STEPS), main, system=system)


def read_go(sources: Sources, main: Main, *, system: str = "linux") -> Contract:
    """Return the same from sources that are at hand."""
    source, found = GoSource(sources, main, system=system), Found()
    structs = Structs(source)
    read_environment(source, found)
    read_tags(source, structs, found)
    read_flags(source, found)
    read_literals(source, found)
    read_structs(source, structs, found)
    read_libraries(source, found)
    read_viper(source, found)
    read_files(source, found)
    return Contract(variables=found.variables(), findings=source.findings)
