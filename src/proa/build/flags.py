"""The words of ``go build``: the user's flags, checked and filled in, and proa's own before them."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from proa.build import templates
from proa.errors import WrongConfiguration, WrongUsage
from proa.records.configuration import BuildSettings

_REFUSED = {
    "toolexec": "it would run another program in place of every compiler call",
    "o": "proa chooses where the program is written",
    "C": "proa runs the go command in the module's own folder",
    "n": "it would print the commands and build nothing",
    "json": "proa reads the compiler's own lines",
    "i": "it is gone since Go 1.20",
}
_INSTEAD = {"CGO_ENABLED": "use build.cgo: on or off"}
_DECIDED = frozenset({"CGO_ENABLED", "GOOS", "GOARCH"})
"""Variables that proa sets itself; a value of the user's would be overruled without a word."""
_NOT_PROGRAMS = frozenset({"archive", "c-archive", "c-shared", "plugin", "shared"})
_SWITCHES = frozenset(
    ("a", "n", "v", "x", "work", "race", "msan", "asan", "cover", "trimpath", "linkshared", "modcacherw", "json", "i")
)
"""Flags that take no word after them. Source: `go help build`."""
_LINK_SWITCHES = frozenset((
    "V", "a", "asan", "aslr", "bindnow", "c", "checklinkname", "compressdwarf", "d", "debugnosplit", "dumpdep", "e",
    "f", "g", "h", "linkshared", "msan", "n", "pruneweakmap", "race", "s", "v", "w",
))  # fmt: skip
"""Flags of the linker that take no word after them. Source: `go tool link`."""


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """Flags and environment of one ``go build``."""

    flags: tuple[str, ...]
    environment: dict[str, str]
    empty_fields: tuple[str, ...] = ()
    """Template fields that were used and have no value here."""


def words(settings: BuildSettings, known: templates.Fields, *, goflags: str = "", is_static_c: bool = False) -> Words:
    """Return the flags and environment for these settings; ``goflags`` is the user's GOFLAGS.

    ``is_static_c``: a C compiler links, statically; the user's own flags for the linker are joined with that.
    ``-trimpath`` comes first, so that a user who wants paths can say ``-trimpath=false``.
    Raises WrongUsage for what is refused, WrongConfiguration for what cannot be understood.
    """
    filled = tuple(templates.render(text, known, where=f"build.flags[{at}]") for at, text in enumerate(settings.flags))
    environment = {
        name: templates.render(text, known, where=f"build.env.{name}") for name, text in settings.env.items()
    }
    for name in sorted(_DECIDED & environment.keys()):
        raise WrongConfiguration(f"build.env.{name} is decided elsewhere", hint=_INSTEAD.get(name, "use --platform"))
    ldflags = link_words(settings.ldflags, known)
    refuse(filled, where="build.flags")
    always = split(environment.get("GOFLAGS", goflags), where="GOFLAGS")
    refuse(always, where="GOFLAGS")
    if ldflags and "ldflags" in _names(filled):
        raise WrongConfiguration("build.flags has -ldflags beside build.ldflags", hint="keep one of them")
    if is_static_c:
        theirs = ldflags or _plain_ldflags(filled, "build.flags") or _plain_ldflags(always, "GOFLAGS")
        ldflags = static_link(theirs)
        filled = tuple(without(filled, "ldflags"))
    own = ["-trimpath"]
    own += [f"-tags={','.join(settings.tags)}"] if settings.tags else []
    own += [f"-ldflags={ldflags}"] if ldflags else []
    return Words(flags=(*own, *filled), environment=environment, empty_fields=_empty(settings, known))


def refuse(flags: Sequence[str], *, where: str) -> None:
    """Raise WrongUsage where a flag would change what proa does, or run another program.

    >>> refuse(["-race", "-p=2"], where="build.flags")
    """
    for name, value in _names(flags).items():
        if name in _REFUSED:
            raise WrongUsage(f"-{name} in {where} is refused: {_REFUSED[name]}")
        if name == "buildmode" and value in _NOT_PROGRAMS:
            raise WrongUsage(f"-buildmode={value} in {where} makes no program that can be run")


def _names(flags: Sequence[str], switches: frozenset[str] = _SWITCHES) -> dict[str, str]:
    """Return the flags by name with their values; a switch has none."""
    found: dict[str, str] = {}
    waiting = ""
    for word in flags:
        if waiting:
            found[waiting] = word
            waiting = ""
        elif word.startswith("-"):
            name, equals, value = word.removeprefix("-").removeprefix("-").partition("=")
            found[name] = value
            waiting = "" if equals or name in switches else name
    return found


def tags_of(flags: Sequence[str]) -> tuple[str, ...]:
    """Return the build tags among flags.

    >>> tags_of(["-v", "-tags", "a,b"])
    ('a', 'b')
    """
    return tuple(re.split(r"[,\s]+", _names(flags).get("tags", "").strip(", "))) if _names(flags).get("tags") else ()


def without(flags: Sequence[str], left_out: str) -> list[str]:
    """Return flags without those of one name, however they are written.

    >>> without(["-tags", "a", "-v", "--tags=b"], "tags")
    ['-v']
    """
    found: list[str] = []
    is_value = False
    for word in flags:
        name, equals, _ = word.lstrip("-").partition("=")
        if is_value:
            is_value = False
        elif word.startswith("-") and name == left_out:
            is_value = not equals
        else:
            found.append(word)
    return found


def _plain_ldflags(flags: Sequence[str], where: str) -> str:
    """Return the value of -ldflags for the main package. Raises WrongConfiguration for another pattern."""
    value = _names(flags).get("ldflags", "").strip()
    if value and not value.startswith("-"):
        pattern, _, value = value.partition("=")
        if pattern != "all":
            raise WrongConfiguration(
                f"-ldflags={pattern}=… in {where} cannot be joined with the flags that link C",
                hint="put what the main package needs into build.ldflags",
            )
    return value


def static_link(ldflags: str) -> str:
    """Return the value of -ldflags with which the C compiler links, and links statically; the user's own stays.

    >>> static_link("-s -extldflags=-Wl,-z,now")
    "-linkmode=external -s '-extldflags=-static -Wl,-z,now'"
    """
    words = split(ldflags, where="-ldflags")
    named = _names(words, _LINK_SWITCHES)
    theirs = split(named.get("extldflags", ""), where="-extldflags")
    is_chosen = any(word in ("-static", "--static", "-static-pie", "-Wl,-Bdynamic") for word in theirs)
    extern = " ".join(quote(word) for word in (theirs if is_chosen else ["-static", *theirs]))
    mode = [] if "linkmode" in named else ["-linkmode=external"]
    return " ".join(quote(word) for word in [*mode, *without(words, "extldflags"), f"-extldflags={extern}"])


def link_words(entries: Sequence[str], known: templates.Fields) -> str:
    """Return the linker's flags as one value of ``-ldflags``, quoted as the go command reads them.

    Each entry is split first and filled in afterwards, so a tag with a space in it stays one word.

    >>> link_words(["-s -w", "-X main.name={{.Name}}"], {"Name": "two words"})
    "-s -w -X 'main.name=two words'"
    """
    found: list[str] = []
    for at, entry in enumerate(entries):
        where = f"build.ldflags[{at}]"
        parts = [templates.render(word, known, where=where) for word in split(entry, where=where)]
        _check_definitions(parts, where)
        found += parts
    return " ".join(quote(word) for word in found)


def _check_definitions(parts: Sequence[str], where: str) -> None:
    """Raise WrongConfiguration where a value of -X seems to have lost its quotes."""
    for before, word, after in zip(parts, parts[1:], [*parts[2:], "-"], strict=False):
        if before == "-X" and not after.startswith("-"):
            raise WrongConfiguration(
                f"{where}: {after!r} stands alone after -X {word}",
                hint="a value with a space needs quotes: -X 'main.name=two words'",
            )


def split(text: str, *, where: str) -> list[str]:
    """Split a list of flags by the go command's own rules: quotes around a whole word, nothing escaped.

    White space inside ``{{ }}`` does not separate. Raises WrongConfiguration.
    Source: https://go.dev/src/cmd/internal/quoted/quoted.go.

    >>> split("-X 'main.a=b c' -s", where="")
    ['-X', 'main.a=b c', '-s']
    """
    found: list[str] = []
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        if text[at] in "'\"":
            end = text.find(text[at], at + 1)
            if end < 0:
                raise WrongConfiguration(f"{where}: a quote in {text!r} is not closed")
            found.append(text[at + 1 : end])
            at = end + 1
            continue
        end = _end_of_word(text, at)
        found.append(text[at:end])
        at = end
    return found


def _end_of_word(text: str, at: int) -> int:
    while at < len(text) and not text[at].isspace():
        closed = text.find("}}", at) if text.startswith("{{", at) else -1
        at = closed + 2 if closed >= 0 else at + 1
    return at


def quote(word: str) -> str:
    """Return a word so that the go command reads it as one. Raises WrongConfiguration.

    >>> quote("plain"), quote("two words")
    ('plain', "'two words'")
    """
    if word and not any(sign.isspace() for sign in word) and word[0] not in "'\"":
        return word
    for mark in "'\"":
        if mark not in word:
            return f"{mark}{word}{mark}"
    raise WrongConfiguration(
        f"the go command cannot quote {word!r}", hint="it has white space and both kinds of quotes"
    )


def _empty(settings: BuildSettings, known: templates.Fields) -> tuple[str, ...]:
    texts = (*settings.flags, *settings.ldflags, *settings.env.values())
    used = dict.fromkeys(action for text in texts for action in templates.named(text))
    return tuple(action for action in used if not templates.render("{{" + action + "}}", known, where="build"))
