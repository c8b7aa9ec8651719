"""The table of commands; each module is imported when its command is called."""

from __future__ import annotations

import click

from proa import __version__
from proa.cli.groups import LazyGroup

_COMMANDS = {
    "ship": "Analyze, build, pack, try and publish: the main job.",
    "analyze": "Say what a project is and what it needs at run time.",
    "preflight": "Contact the services a program needs: are they there, do they let us in?",
    "build": "Build the program, static and proved so.",
    "pack": "Put the program and what it needs into an image.",
    "trial": "Run an image under the limits it is meant for.",
    "inspect": "Say what is in an image, layer by layer, or in a program, package by package.",
    "why": "Say why a package, symbol or file is there, and what leaving it out would save.",
    "diff": "Say what changed between two images, programs or revisions, and judge it by budgets.",
    "compare": "Measure variants, images and commands side by side: size, start-up, memory.",
    "report": "Write one page about an image or a comparison, to show to others.",
    "slim": "Make an existing image small: what it needs in one layer, tried before and after.",
    "ways": "Deploy as a service, a container or a pod: what each takes, measured and counted.",
    "tune": "Find what would make the program smaller, measured.",
    "debug": "Read a crash: fetch or serve the debug file kept beside an image.",
    "store": "Look after the local store.",
    "doctor": "Say which tools were found and what is possible.",
}


@click.group(cls=LazyGroup, table=_COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="proa %(version)s")
def proa() -> None:
    """Take a compiled project from source to the smallest image that provably runs.

    Start with `proa ship` in the project's folder: Go, C, C++ (make, CMake, meson) or Rust (cargo). Results go to
    standard output, everything else to standard error. Exit status: 0 done, 1 a gate said no, 2 wrong usage or
    source, 3 something is missing here, 4 the project does not build, 70 a bug in proa, 130 interrupted.
    """
