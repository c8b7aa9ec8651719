"""Programs that others start by a bare name, found along PATH: in sources, in configuration of services, in ELF files.

A name alone proves nothing: ``test`` is a word as well. So names count only where something starts programs at all,
and what is small by error is kept with the reason ``unsure``.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping

from proa.slim.environments import is_dependency
from proa.slim.growth import Growth
from proa.slim.start import keep_interpreter, run, search_path
from proa.slim.words import words

_SOURCE = re.compile(r"\.(?:py|pyw|[cm]?js|[cm]?ts|jsx|tsx|rb|ru|rake|erb|p[lm]|psgi|t|php|phtml|lua|tcl|exs?|R)$")
_LANGUAGE = re.compile(rb"#!.*(?:python|pypy|node|ruby|perl|php|lua|tclsh|Rscript|elixir)")
_SERVICES = re.compile(
    r"^/etc/(?:cron[^/]*|default|supervisor[^/]*|s6[^/]*|service|services\.d|sv|runit|cont-init\.d|conf\.d|monit)(?:/|$)"
    r"|^/var/spool/cron/|\.(?:service|sh|bash|env)$|/(?:Procfile|supervisord\.conf|crontab|\.env)$"
)
"""Texts whose words are commands, or the settings of scripts."""
_STARTS = re.compile(
    rb"subprocess|os\.(?:system|popen|exec|spawn|posix_spawn)|\bpty\.spawn|child_process|execa|\bzx\b|Bun\.(?:spawn|\$)"
    rb"|shell_exec|proc_open|passthru|popen|\bsystem\b|\bexec\b|\bspawn\b|Open3|IPC::|qx\W|%x\W|-\||\|-|`"
)
_QUOTED = re.compile(rb"[\"'`({\[]\s*([A-Za-z0-9][A-Za-z0-9_.+-]{0,60})(?=[\"'`\s)}\]])")
"""The first word of a string, or of what is between brackets: ``qw(git log)``."""
_PIPED = re.compile(rb"(?:\||&&|;|\$\()\s*([A-Za-z0-9][A-Za-z0-9_.+-]{0,60})(?=[\"'`\s);])")
"""Further commands of a string that a shell reads."""
_OF_A_LANGUAGE = re.compile(
    r"/lib(?:64)?/(?:python3|pypy|ruby/|php|perl)[^/]*/(?!(?:site|dist)-packages/|gems/)|/(?:setuptools|pip|wheel|distutils|pkg_resources|_distutils_hack)/|/node_modules/(?:npm|corepack)/"
)
"""Libraries and installers that name many programs, of which no service starts one."""
_GEM = re.compile(r"/gems/[^/]+-[0-9][^/]*/")
_TOOLS = re.compile(
    r"(?:.*-)?(?:gcc|g\+\+|cc|c\+\+|cpp|clang|ld|as|ar|nm|make|ninja|cmake|objdump|strip|gfortran|rustc|cargo|go|javac"
    r"|mvn|gradle|pip3?|npm|npx|yarn|apt|apt-get|apk|dnf|yum|dpkg|rpm|ldconfig|install|man|pager|sudo|su)[-.\d]*"
)
"""What a package that is installed might name for the machine of a developer."""
_HAS_RULES = re.compile(
    r"/(?:(?:ba|da|a|k|z|mk)?sh|busybox|env|python[.\d]*|pypy[.\d]*|node(?:js)?|java|perl[.\d]*|ruby[.\d]*|php[^/]*)$"
)
_FOR_LIBC = frozenset(
    {"execl", "execv", "execvp", "execlp", "execvpe", "posix_spawnp", "system", "popen", "g_spawn_async"}
)
_HELPERS = frozenset({"gzip", "bzip2", "xz", "zstd", "lz4", "lzip", "lzma", "lzop", "unzip", "ssh", "gpg", "openssl"})
_MOST_SOURCE_BYTES = 4 << 20


class _Named:
    """What the author's own sources say: one may hold the names, another start them."""

    def __init__(self) -> None:
        self.start = False
        self.names: dict[str, str] = {}


def follow_sources(growth: Growth, path: str) -> None:
    """Keep programs that a kept source, or the configuration of a service, names."""
    if _OF_A_LANGUAGE.search(path) or any(path.startswith(f"{folder}/") for folder in growth.toolchains):
        return
    is_packed = is_dependency(path) or _GEM.search(path) is not None
    if growth.packages.owner(path) is not None:
        return
    if _SERVICES.search(path) and not is_packed:
        _keep(growth, words(growth.tree.text(path), growth.environment), path)
    elif _is_source(growth, path):
        _follow(growth, path, is_packed=is_packed)


def _is_source(growth: Growth, path: str) -> bool:
    if _SOURCE.search(path):
        return not path.endswith((".d.ts", ".min.js"))
    return growth.tree.entries[path].is_executable and _LANGUAGE.match(growth.tree.read(path, 128)) is not None


def _follow(growth: Growth, path: str, *, is_packed: bool) -> None:
    text = growth.tree.read(path, _MOST_SOURCE_BYTES)
    starts = _STARTS.search(text) is not None
    if is_packed and not starts:
        return
    there = programs(growth)
    matches = _QUOTED.findall(text) + ([] if is_packed else _PIPED.findall(text))
    names = {name for match in matches if (name := match.decode("ascii")) in there}
    if is_packed:
        _keep(growth, sorted(name for name in names if not _TOOLS.fullmatch(name)), path)
        return
    own = growth.memory.setdefault("named programs", _Named())
    assert isinstance(own, _Named)  # noqa: S101 - nobody else has this name
    own.start |= starts
    own.names |= dict.fromkeys(sorted(names), path)
    if own.start:
        for name, by in own.names.items():
            _keep(growth, (name,), by)


def programs(growth: Growth) -> Mapping[str, str]:
    """Return every program that PATH leads to, by its name."""
    found = growth.memory.get("programs")
    if not isinstance(found, dict):
        found = dict[str, str]()
        growth.memory["programs"] = found
        for folder in reversed(search_path(growth)):
            for name, place in growth.tree.names(folder).items():
                real = growth.tree.real(place)
                if real is not None and growth.tree.entries[real].is_executable:
                    found[name] = f"{folder.rstrip('/')}/{name}"
    return found


def _keep(growth: Growth, names: Iterable[str], by: str) -> None:
    there = programs(growth)
    for name in names:
        if name in there and growth.once("named program", name):
            run(growth, there[name], "unsure", f"{by} names {name}: it may start it")
            keep_interpreter(growth, there[name])


def follow_starts(growth: Growth, path: str, imports: frozenset[str]) -> None:
    """Keep programs that a program names as strings of their own, where it imports what looks along PATH."""
    if not imports & _FOR_LIBC or _HAS_RULES.search(path) or not growth.tree.entries[path].is_executable:
        return
    if ".so" in posixpath.basename(path):
        return
    there = programs(growth)
    data = growth.tree.read(path, 64 << 20)
    strings = set(re.findall(rb"(?<=\0)[A-Za-z0-9][A-Za-z0-9_.+-]{1,40}(?=[\0 ])", data))
    is_own = growth.packages.owner(path) is None
    names = {one.decode("ascii") for one in strings} & there.keys()
    # Git has words such as "ruby" and "size" for other reasons: of a package's programs the usual helpers count,
    # also as the end of a longer string, where linkers put them: tar's "gzip" is the end of "ungzip".
    helpers = {name for name in _HELPERS & there.keys() if data.find(f"{name}\0".encode()) >= 0}
    _keep(growth, sorted(names | helpers if is_own else helpers), path)


def follow_packed(growth: Growth, path: str) -> None:
    """Keep programs that a Go or Rust program refers to: address and length, as their strings have no end."""
    from proa.outside.strings import referred_strings

    data = growth.tree.read(path, 16)
    if data[:4] != b"\x7fELF" or growth.packages.owner(path) is not None:
        return
    if any(path.startswith(f"{folder}/") for folder in growth.toolchains):
        return
    names = referred_strings(growth.tree.here(path), programs(growth).keys())
    _keep(growth, sorted(name for name in names if not _TOOLS.fullmatch(name)), path)
