"""Whether what an image starts can start: there, executable, for its architecture, its interpreter beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from proa.inspect.merge import Merged, Node
from proa.records.image_anatomy import AnatomyFinding
from proa.records.layer_entry import ProgramHead
from proa.records.oci import Config

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Source: Docker and containerd give this where an image has none."""
_MOST_INTERPRETERS = 4
"""Source: Linux, fs/exec.c: a script may name a script, four times over."""
#: What a processor of the first kind runs beside its own programs.
_ALSO_RUNS = {("amd64", "386"), ("arm64", "arm")}


def entrypoint_findings(merged: Merged, config: Config, digests: Sequence[str]) -> Iterator[AnatomyFinding]:
    """Yield what keeps the image's entrypoint from starting; at most one finding."""
    if config.os != "linux":
        return
    execution = config.config
    words = [*((execution and execution.entrypoint) or ()), *((execution and execution.cmd) or ())]
    if not words or not words[0]:
        yield AnatomyFinding(
            id="entrypoint.none",
            severity="info",
            message="the image names nothing to start: it has neither entrypoint nor command",
        )
        return
    yield from Start(merged, config, digests).check(words[0])


class Start:
    """The image as the kernel would find it when it starts a program."""

    def __init__(self, merged: Merged, config: Config, digests: Sequence[str]) -> None:
        self._merged = merged
        self._architecture = config.architecture
        self._digests = digests
        execution = config.config
        variables = dict(line.partition("=")[::2] for line in (execution and execution.env) or ())
        self._path = variables.get("PATH") or _PATH
        self._folder = (execution and execution.working_dir) or "/"

    def check(self, word: str) -> Iterator[AnatomyFinding]:
        """Yield what is wrong with the program a word stands for."""
        place = self.search(word)
        found = self._merged.find(place) if place else None
        if found is None:
            where = "" if "/" in word else f" in {self._path}"
            yield self._finding("missing", place or word, None, f"the entrypoint {word} is not in the image{where}")
            return
        yield from self._startable(place, found[1], depth=0)

    def search(self, word: str) -> str:
        """Return the path a word stands for; empty where no folder of PATH has it."""
        if "/" in word:
            return word if word.startswith("/") else f"{self._folder.rstrip('/')}/{word}"
        for folder in self._path.split(":"):
            place = f"{folder.rstrip('/')}/{word}"
            found = self._merged.find(place)
            if found is not None and found[1].below is None:
                return place
        return ""

    def _startable(self, place: str, node: Node, *, depth: int) -> Iterator[AnatomyFinding]:
        entry = node.entry
        if entry is None or node.below is not None or entry.kind == "device":
            yield self._finding("not-executable", place, node, f"the entrypoint {place} is no file")
        elif not entry.mode & 0o111:
            yield self._finding(
                "not-executable", place, node, f"{place} is not executable ({entry.mode:04o})", hint="COPY --chmod=0755"
            )
        elif (program := entry.seen.program if entry.seen else None) is None:
            yield self._finding(
                "unknown-format", place, node, f"{place} is neither an ELF program nor a script with a #! line"
            )
        elif program.format == "script":
            yield from self._script(place, node, program, depth)
        else:
            yield from self._elf(place, node, program)

    def _elf(self, place: str, node: Node, program: ProgramHead) -> Iterator[AnatomyFinding]:
        here, there = self._architecture, program.architecture
        if there != here and (here, there) not in _ALSO_RUNS:
            yield self._finding(
                "wrong-architecture", place, node, f"{place} is for {there}, and the image says it is for {here}"
            )
        elif program.interpreter and self._merged.find(program.interpreter) is None:
            libc = "musl, as Alpine has it" if "musl" in program.interpreter else "this libc"
            yield self._finding(
                "loader-missing",
                place,
                node,
                f"{place} exists, but its interpreter {program.interpreter} is not in the image",
                hint=f"starting it says `no such file or directory`: link it statically, or take a base with {libc}",
            )

    def _script(self, place: str, node: Node, program: ProgramHead, depth: int) -> Iterator[AnatomyFinding]:
        interpreter = program.interpreter
        found = self._merged.find(interpreter) if interpreter.startswith("/") else None
        wanted = interpreter
        if found is not None and interpreter.endswith("/env"):
            words = [word for word in program.argument.removeprefix("-S").split() if "=" not in word]
            if words and not words[0].startswith("-"):
                wanted = words[0]
                place_of = self.search(wanted)
                found = self._merged.find(place_of) if place_of else None
                interpreter = place_of
        if found is None:
            yield self._finding(
                "interpreter-missing",
                place,
                node,
                f"{place} exists, but its interpreter {wanted or 'after #!'} is not in the image",
                hint="take a base that has it, or start a program instead of a script",
            )
        elif depth < _MOST_INTERPRETERS:
            yield from self._startable(interpreter, found[1], depth=depth + 1)

    def _finding(self, name: str, path: str, node: Node | None, message: str, *, hint: str = "") -> AnatomyFinding:
        return AnatomyFinding(
            id=f"entrypoint.{name}",
            severity="error",
            path=path,
            layer=self._digests[node.layer] if node is not None and node.layer >= 0 else "",
            message=message,
            hint=hint,
        )
