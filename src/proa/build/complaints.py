"""What ``go build`` complains of, turned into the error that says what to do."""

from __future__ import annotations

import re

from proa.errors import BuildFailed, NeedsC, NoSpace, NotWritable, ProaError
from proa.outside.command import last_lines, redact
from proa.outside.golist import read_complaint

_NO_C = re.compile(
    r"C compiler \S+ not found|exec: \"[^\"]*(?:gcc|clang|cc)\"|requires external \(cgo\) linking|requires cgo"
    r"|cannot find runtime/cgo|-(?:race|msan|asan) requires"
)
_NO_SPACE = re.compile(r"no space left on device|disk quota exceeded")
_NOT_WRITABLE = re.compile(
    r"GOCACHE is not defined|failed to (?:initialize|trim) build cache|(?:permission denied|read-only file system)"
)
_COMPILED = re.compile(r"^# ", re.MULTILINE)


def error_of(stderr: bytes) -> ProaError:
    r"""Return the error that fits what the go command wrote.

    >>> error_of(b"# a.org/b\n./main.go:3:2: undefined: x").exit_status
    4
    """
    text = redact(stderr.decode(errors="replace"))
    output = last_lines(stderr)
    if _NO_SPACE.search(text):
        return NoSpace("no space left while building", output=output)
    if match := _NO_C.search(text):
        return NeedsC(
            f"the build needs C: {match.group(0)}",
            output=output,
            hint="install a C compiler, or leave `build.cgo: on` (or the flag named above) out",
        )
    # Behind a line "# package", the compiler or the linker speaks: whatever it says, the source is at fault.
    if _COMPILED.search(text):
        return BuildFailed("go build failed", output=output, hint=_hint(text))
    if _NOT_WRITABLE.search(text):
        return NotWritable("the go command cannot write its caches", output=output, hint="see GOCACHE, GOPATH and HOME")
    return read_complaint(text, output)


def _hint(text: str) -> str:
    if "signal: killed" in text:
        return "the system killed a compiler, most likely for want of memory: pass --jobs 1 or add memory"
    return ""
