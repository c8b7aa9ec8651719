"""What ``go build`` complains of, turned into the error that says what to do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from proa.errors import BuildFailed, LibraryMissing, NeedsC, NoSpace, NotWritable, ProaError, ToolMissing
from proa.outside.command import last_lines, redact
from proa.outside.golist import read_complaint
from proa.outside.zig import WHEEL_HINT

_NO_C = re.compile(
    r"C compiler \S+ not found|exec: \"[^\"]*(?:gcc|clang|cc)\"|requires external \(cgo\) linking|requires cgo"
    r"|cannot find runtime/cgo|-(?:race|msan|asan) requires"
)
_NO_SPACE = re.compile(r"no space left on device|disk quota exceeded")
_NOT_WRITABLE = re.compile(
    r"GOCACHE is not defined|failed to (?:initialize|trim) build cache|(?:permission denied|read-only file system)"
)
_COMPILED = re.compile(r"^# ", re.MULTILINE)
_NO_MEMORY = re.compile(
    r"signal: killed|signal 9|out of memory|memory exhausted|[Cc]annot allocate memory|OutOfMemory|std::bad_alloc"
)


def error_of(stderr: bytes) -> ProaError:
    r"""Return the error that fits what the go command wrote.

    >>> error_of(b"# a.org/b\n./main.go:3:2: undefined: x").exit_status
    4
    """
    text = redact(stderr.decode(errors="replace"))
    output = last_lines(stderr)
    if _NO_SPACE.search(text):
        return NoSpace("no space left while building", output=output)
    if (missing := missing_library(text, output)) is not None:
        return missing
    if match := _NO_C.search(text):
        return NeedsC(
            f"the build needs C: {match.group(0)}",
            output=output,
            hint=f"{WHEEL_HINT}; or leave `build.cgo: on` (or the flag named above) out",
        )
    # Behind a line "# package", the compiler or the linker speaks: whatever it says, the source is at fault.
    if _COMPILED.search(text):
        return _not_compiled(text, output)
    if _NOT_WRITABLE.search(text):
        return NotWritable("the go command cannot write its caches", output=output, hint="see GOCACHE, GOPATH and HOME")
    return read_complaint(text, output)


def _not_compiled(text: str, output: str) -> ProaError:
    if _NO_MEMORY.search(text):
        who = "the linker" if re.search(r"^\S*link: ", text, re.MULTILINE) else "a compiler"
        return BuildFailed(
            f"{who} ran out of memory, or the system killed it for want of memory",
            output=output,
            hint="pass --jobs 1, or build where there is more memory",
        )
    if _OF_GLIBC.search(text):
        return BuildFailed(
            "a C library in the program was compiled for glibc, and the program is linked with musl",
            output=output,
            hint="build the library with the same compiler, or link with this machine's own: `build: {cc: gcc}`",
        )
    return BuildFailed("go build failed", output=output)


_OF_GLIBC = re.compile(r"undefined (?:symbol:|reference to) [`']?(?:__\w+_chk\b|__isoc\d\d_|gnu_get_libc_|__libc_\w+)")
"""Names that only glibc's headers put into a program. Source: glibc, debug/ and include/features.h."""

_PACKAGE = re.compile(r"^# ([^\s\[]\S*)", re.MULTILINE)
_HEADER = re.compile(r"fatal error: '?([^':\n]+?)'?(?: file not found|: No such file or directory)")
_PKG_CONFIG = re.compile(r"^# \[pkg-config ([^\]\n]*)\]", re.MULTILINE)
_LIBRARY = re.compile(
    r"unable to find (?:static |dynamic )?(?:system )?library ['\"]?(?:-l)?([\w.+-]+)"
    r"|cannot find -l:?([\w.+-]+)|library not found for -l([\w.+-]+)"
)
_DYNAMIC = re.compile(r"attempted static link of dynamic object [`'](\S+?)'")


def missing_library(text: str, output: str, *, places: Sequence[str] | None = None) -> ProaError | None:
    """Return the error for a header or library that the C compiler, the linker or pkg-config did not find.

    ``places`` stands for the folders where this machine keeps headers and libraries of its own.
    """
    if match := _PKG_CONFIG.search(text):
        return _pkg_config(text, output, match)
    if match := _HEADER.search(text):
        name = match.group(1).strip()
        own = _own(name, _INCLUDES if places is None else places)
        return LibraryMissing(
            f"the header {name} is missing", output=output, hint=_hint(own), package=_package_at(text, match.start())
        )
    if match := _DYNAMIC.search(text):
        name = Path(match.group(1)).name.removeprefix("lib").partition(".so")[0]
        return _only_shared(name, match.group(1), output)
    if (match := _LIBRARY.search(text)) is None:
        return None
    name = next(group for group in match.groups() if group)
    libraries = _LIBRARIES if places is None else places
    searched = [*re.findall(r"(?<=\s)-L\s*(\S+)", text), *(str(Path(line).parent) for line in _searched(text))]
    static, shared = _find(name, (*searched, *libraries))
    if shared and not static:
        return _only_shared(name, shared, output)
    return LibraryMissing(
        f"the library {name} is missing: there is no lib{name}.a", output=output, hint=_hint(static), library=name
    )


def _pkg_config(text: str, output: str, match: re.Match[str]) -> ProaError:
    names = " ".join(word for word in match.group(1).split() if not word.startswith("-"))
    package = _package_at(text, match.start())
    who = f", which {package} asks for {names}" if package else ""
    if "executable file not found" in text:
        return ToolMissing(f"pkg-config was not found on PATH{who}", output=output, hint="install pkg-config")
    return LibraryMissing(
        f"pkg-config does not find {names}",
        output=output,
        hint="install its development files, or name the folder of its .pc file in PKG_CONFIG_PATH",
        package=package,
        library=names.split()[0] if names else "",
    )


def _only_shared(name: str, file: str, output: str) -> LibraryMissing:
    return LibraryMissing(
        f"the library {name} is here only as a shared object ({file}), which a static program cannot use",
        output=output,
        hint=f"put lib{name}.a beside it: most libraries make one with --enable-static or BUILD_SHARED_LIBS=OFF",
        library=name,
    )


def _package_at(text: str, at: int) -> str:
    """Return the package that is spoken of at a place: the last heading before it."""
    found = [match.group(1) for match in _PACKAGE.finditer(text, 0, at)]
    return found[-1] if found else ""


def _searched(text: str) -> Iterable[str]:
    _, _, after = text.partition("searched paths:")
    return (line.strip() for line in after.splitlines() if line.strip().startswith("/"))


_INCLUDES = ("/usr/include", "/usr/local/include")
_LIBRARIES = ("/usr/lib", "/usr/local/lib", "/lib", "/usr/lib64")


def _own(name: str, places: Sequence[str]) -> str:
    """Return where this machine has a header of its own, in a plain folder or one for its architecture."""
    for place in places:
        for file in (Path(place, name), *sorted(Path(place).glob(f"*-linux-*/{name}"))):
            if file.is_file():
                return str(file)
    return ""


def _find(name: str, places: Sequence[str]) -> tuple[str, str]:
    """Return where a library is as an archive, and where as a shared object."""
    folders = [folder for place in places for folder in (Path(place), *sorted(Path(place).glob("*-linux-*")))]
    static = next((str(file) for folder in folders if (file := folder / f"lib{name}.a").is_file()), "")
    shared = next((str(found[0]) for folder in folders if (found := sorted(folder.glob(f"lib{name}.so*")))), "")
    return static, shared


def _hint(own: str) -> str:
    if own:
        return (
            f"{own} belongs to this machine's own C library: `build: {{cc: gcc}}` builds with it, static; "
            "for musl, build the library with the same compiler and name its folders in "
            "`build: {env: {CGO_CFLAGS: -I…, CGO_LDFLAGS: -L…}}`"
        )
    return (
        "build or install it for the platform, and name its folders in "
        "`build: {env: {CGO_CFLAGS: -I…, CGO_LDFLAGS: -L…}}`; or choose a package that does without C"
    )
