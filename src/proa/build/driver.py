"""The compiler as a project's own build calls it: a script that lays proa's flags around the project's.

A Makefile's ``CFLAGS = …`` wins over the environment, and what is given on make's command line wins over all that a
Makefile adds; many name ``gcc`` outright. So the flags are put where every call comes through: proa's defaults stand
before the project's words, which may change them, and the settings after, which win.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from proa.outside.zig import Compilers
from proa.records.configuration import BuildSettings

COMPILE = ("-O2", "-g", "-ffunction-sections", "-fdata-sections")
LINK = ("-Wl,--gc-sections", "-Wl,--build-id=sha1")
STATIC = "-static"
_NAMES: Mapping[str, tuple[str, ...]] = {
    "cc": (
        "cc",
        "gcc",
        "clang",
        "c99",
        "musl-gcc",
        *(f"{name}-{n}" for name in ("gcc", "clang") for n in range(9, 23)),
    ),
    "cxx": ("c++", "g++", "clang++", *(f"{name}-{n}" for name in ("g++", "clang++") for n in range(9, 23))),
    "ar": ("ar", "gcc-ar", "llvm-ar"),
    "ranlib": ("ranlib", "gcc-ranlib", "llvm-ranlib"),
}
"""What projects call the tools by without asking."""
_SCRIPT = """\
#!/bin/sh
# Written by proa for one build.
{targeted}links=yes
shares=
for word in "$@"; do
  case $word in
  --version | --help | -v | -V | -qversion | -dump* | -print-* | --print-* | '-###') exec {command} "$@" ;;
{asked}  -c | -S | -E | -M | -MM | -fsyntax-only) links= ;;
  -shared | -r | -Wl,-r | -Wl,-shared | -dynamiclib) shares=yes ;;
  esac
done
[ $# -gt 0 ] || exec {command}
if [ -z "$links" ]; then exec {command} {compile} "$@" {compile_after}; fi
if [ -n "$shares" ]; then exec {command} {compile} -Wl,--build-id=sha1 "$@" {compile_after} {link_after}; fi
exec {command} {compile} {link} "$@" {compile_after} {link_after}
"""
_ZIG_TARGET = """\
left=$#
while [ $left -gt 0 ]; do
  word=$1
  shift
  left=$((left - 1))
  case $word in --target=*) ;; *) set -- "$@" "$word" ;; esac
done
"""
"""cargo's cc crate names the target as Rust calls it, which zig does not know; it is decided already."""
_ZIG_LINKER = "  -Wl,--version) echo 'LLD 19.0.0 (compatible with GNU linkers)' && exit 0 ;;\n"
"""meson asks for the linker's name, and 1.0 does not know what zig calls it."""
_NOTHING = "#!/bin/sh\n# proa strips a program itself, and keeps what it takes out.\nexit 0\n"


def scripts(compilers: Compilers, settings: BuildSettings, *, places: Mapping[str, str]) -> dict[str, str]:
    """Return the scripts by name, for a folder that comes first on PATH.

    ``places`` are folders and what they are called in a program, the more exact ones last. With ``build.cc`` a program
    is static only where the settings say so.
    """
    # The last that fits holds.
    mapped = [f"-ffile-prefix-map={path}={name}" for path, name in places.items()]
    linked = [*LINK, *([STATIC] if compilers.libc == "musl" else [])]
    found = {}
    for kind, command in (("cc", compilers.cc), ("cxx", compilers.cxx)):
        for name in _NAMES[kind] if command else ():
            found[name] = _SCRIPT.format(
                command=shlex.quote(command),
                targeted=_ZIG_TARGET if compilers.is_zig else "",
                asked=_ZIG_LINKER if compilers.is_zig else "",
                compile=shlex.join([*COMPILE, *mapped]),
                link=shlex.join(linked),
                compile_after=shlex.join(settings.cflags),
                link_after=shlex.join(settings.ldflags),
            )
    for kind, command in (("ar", compilers.ar), ("ranlib", compilers.ranlib)):
        for name in _NAMES[kind] if command else ():
            found[name] = f'#!/bin/sh\nexec {shlex.quote(command)} "$@"\n'
    return found | {"strip": _NOTHING}


def variables(folder: str, compilers: Compilers) -> dict[str, str]:
    """Return the variables by which build systems name the tools; ``folder`` holds the scripts."""
    named = {"CC": "cc", "CXX": "c++", "AR": "ar", "RANLIB": "ranlib", "STRIP": "strip"}
    present = {"CC": compilers.cc, "CXX": compilers.cxx, "AR": compilers.ar, "RANLIB": compilers.ranlib, "STRIP": "is"}
    return {name: f"{folder}/{script}" for name, script in named.items() if present[name]}
