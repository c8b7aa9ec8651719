"""Build constraints of Go files: read, evaluated, and which of their words are a project's own tags.

A constraint is kept as the steps of a stack machine, because a line may nest parentheses deeper than Python may
recurse. Source: go/build/constraint and go/build of Go 1.26, `go help buildconstraint`.

>>> line = parse_go_build("//go:build !remove_all_sd || (enable_aws_sd && linux)")
>>> line.holds({"linux"}), line.holds({"linux", "remove_all_sd"})
(True, False)
>>> sorted(word for word in line.words if is_custom(word))
['enable_aws_sd', 'remove_all_sd']
"""

from __future__ import annotations

import re
from collections.abc import Container, Sequence

import msgspec

_MOST_OPERANDS = 1000
_MOST_LEGACY = 100
"""Beyond either the go command, too, refuses a line."""
_MOST_CHARACTERS = 64 << 10
"""A line of 1000 operands has at most so many characters if none is longer than 60 (arbitrary)."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


SYSTEMS = _words(
    """aix android darwin dragonfly freebsd hurd illumos ios js linux nacl netbsd openbsd plan9 solaris wasip1
    windows zos"""
)
ARCHITECTURES = _words(
    """386 amd64 amd64p32 arm armbe arm64 arm64be loong64 mips mipsle mips64 mips64le mips64p32 mips64p32le ppc
    ppc64 ppc64le riscv riscv64 s390 s390x sparc sparc64 wasm"""
)
"""Source: internal/syslist of Go 1.26."""
_COMPILERS = _words("gc gccgo gollvm tinygo gopherjs llgo")
"""The first two are the go command's own; the others announce themselves by a word in the same way."""
_MODES = _words("unix cgo race msan asan boringcrypto")
"""Decided by the platform, by CGO_ENABLED and by flags, not by -tags."""
_NEVER = _words("ignore ignored never none tools compiler_bootstrap cmd_go_bootstrap")
"""Words that keep a file out of every build (generators, tools.go), and those only Go's own build sets."""
_DECIDED = re.compile(r"go1(?:\.[0-9]+)?|goexperiment\..*|fips140v.*", re.DOTALL)
"""Versions, and what the go command sets for GOEXPERIMENT and GOFIPS140."""
_TOKEN = re.compile(r"[ \t]*(\(|\)|!|&&|\|\||[\w.]+|$)")
_BINDS = {"||": 1, "&&": 2, "!": 3}


class Expression(msgspec.Struct, frozen=True):
    """A constraint as words and operators in the order a stack machine takes them; no step: always true."""

    steps: tuple[str, ...] = ()

    @property
    def words(self) -> frozenset[str]:
        """Return the words that decide it."""
        return frozenset(step for step in self.steps if step not in _BINDS)

    def holds(self, satisfied: Container[str]) -> bool:
        """Say whether it is true where these words are."""
        stack: list[bool] = []
        for step in self.steps:
            if step == "!":
                stack[-1] = not stack[-1]
            elif step in _BINDS:
                right, left = stack.pop(), stack.pop()
                stack.append(left and right if step == "&&" else left or right)
            else:
                stack.append(step in satisfied)
        return stack[0] if stack else True


def parse_go_build(line: str) -> Expression | None:
    """Return the constraint of a ``//go:build`` line; None for what the go command refuses, too.

    >>> parse_go_build("//go:build a && !b").steps
    ('a', 'b', '!', '&&')
    """
    text = line.strip()
    rest = text.removeprefix("//go:build")
    if rest == text or len(rest) > _MOST_CHARACTERS or not rest[:1].isspace():
        return None
    return _postfix(rest.strip())


def _postfix(text: str) -> Expression | None:
    """Order words and operators by Dijkstra's shunting yard."""
    steps: list[str] = []
    waiting: list[str] = []
    at, operands, wants_word = 0, 0, True
    while (token := _TOKEN.match(text, at)) is not None:
        at, word = token.end(), token[1]
        if not word:
            break
        if wants_word != (word not in ("&&", "||", ")")):
            return None
        if word == "(":
            waiting.append(word)
        elif word == "!":
            if waiting[-1:] == ["!"]:
                return None
            waiting.append(word)
        elif word == ")":
            while waiting and waiting[-1] != "(":
                steps.append(waiting.pop())
            if not waiting:
                return None
            waiting.pop()
        elif word in _BINDS:
            while waiting and waiting[-1] != "(" and _BINDS[waiting[-1]] >= _BINDS[word]:
                steps.append(waiting.pop())
            waiting.append(word)
            wants_word = True
        else:
            operands += 1
            steps.append(word)
            wants_word = False
    if token is None or wants_word or "(" in waiting or operands > _MOST_OPERANDS:
        return None
    return Expression((*steps, *reversed(waiting)))


def parse_plus_build(line: str) -> Expression | None:
    """Return the constraint of a ``// +build`` line: blanks are "or", commas "and"; None for what is none.

    >>> parse_plus_build("// +build linux,!cgo darwin").steps
    ('linux', 'cgo', '!', '&&', 'darwin', '||')
    """
    text = line.strip()
    rest = text.removeprefix("//").strip()
    clauses = rest.removeprefix("+build").split()
    if not text.startswith("//") or not re.match(r"\+build(\s|$)", rest) or len(rest) > _MOST_CHARACTERS:
        return None
    if rest.count(",") + len(clauses) > _MOST_LEGACY + 1 or not clauses:
        return None
    steps: list[str] = []
    for number, clause in enumerate(clauses):
        for place, literal in enumerate(clause.split(",")):
            steps += [*_literal(literal), *(["&&"] if place else [])]
        steps += ["||"] if number else []
    return Expression(tuple(steps))


def _literal(text: str) -> list[str]:
    """Return the steps of one literal; what is no word stands for one that is never set, as in Go."""
    word = text.removeprefix("!")
    if text == "!" or text.startswith("!!"):
        return ["ignore"]
    return [word if re.fullmatch(r"[\w.]+", word) else "ignore", *(["!"] if word != text else [])]


def of_name(name: str) -> Expression:
    """Return the constraint a file's name makes by its last parts.

    >>> [of_name(name).steps for name in ("poll_linux_arm64.s", "linux.go", "a_windows_test.go")]
    [('linux', 'arm64', '&&'), (), ('windows',)]
    """
    parts = name.partition(".")[0].split("_")[1:]
    if parts[-1:] == ["test"]:
        parts.pop()
    if len(parts) >= 2 and parts[-2] in SYSTEMS and parts[-1] in ARCHITECTURES:
        return Expression((parts[-2], parts[-1], "&&"))
    return Expression((parts[-1],)) if parts and parts[-1] in SYSTEMS | ARCHITECTURES else Expression()


def of_file(name: str, lines: Sequence[str]) -> Expression | None:
    """Return the whole constraint of a file with these constraint lines; None where the go command refuses them.

    A ``//go:build`` line wins over ``// +build`` lines, of which all must hold.

    >>> of_file("a_linux.go", ["// +build x", "// +build !y"]).steps
    ('linux', 'x', '&&', 'y', '!', '&&')
    """
    modern = [line for line in lines if line.startswith("//go:build")]
    parts = [of_name(name)]
    if len(modern) > 1:
        return None
    if modern:
        found = parse_go_build(modern[0])
        if found is None:
            return None
        parts.append(found)
    else:
        # A line that is not understood is passed over, as in Go.
        parts += [one for one in map(parse_plus_build, lines) if one is not None]
    steps: list[str] = []
    for part in parts:
        joined = bool(steps) and bool(part.steps)
        steps += [*part.steps, *(["&&"] if joined else [])]
    return Expression(tuple(steps))


def is_custom(word: str) -> bool:
    """Say whether a word is a tag for people to set: no platform, compiler, version, mode, nor never set.

    >>> [is_custom(word) for word in ("nomysql", "linux", "go1.22", "amd64.v3", "goexperiment.jsonv2", "ignore")]
    [True, False, False, False, False, False]
    """
    if word in _NEVER or word in SYSTEMS or word in ARCHITECTURES or word in _COMPILERS or word in _MODES:
        return False
    return not _DECIDED.fullmatch(word) and word.partition(".")[0] not in ARCHITECTURES


def is_settable(word: str) -> bool:
    """Say whether a word can be given to ``-tags`` as one.

    >>> is_settable("no_mysql"), is_settable("-x")
    (True, False)
    """
    return re.fullmatch(r"[\w.]+", word) is not None
