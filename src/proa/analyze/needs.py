"""What a program needs at run time, from the uses in the linked program and the source around them.

Each use of a function in ``data/needs.toml`` is judged by looking at the arguments in the source: what is proved not
to need anything is left out with its reason, and every doubt counts as a need. A server's own use of TLS or of the
MIME table is no use of the program's, so it never gets here.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from proa.analyze import repository, trust
from proa.analyze.rules import read_rules
from proa.analyze.sites import Judged, Program, Site
from proa.analyze.syntax import called_name, qualified_name
from proa.analyze.texts import HOLE, SELF, TEMPORARY
from proa.errors import BinaryDamaged
from proa.outside.gobinary import open_go
from proa.records.evidence import LeftOut, Need, NeedKind, Needs
from proa.records.project import Main, Package

if TYPE_CHECKING:
    from tree_sitter import Node

_FALLBACK_ROOTS = "golang.org/x/crypto/x509roots/fallback"
_MOST_LEFT_OUT = 3
"""Reasons for one kind that are told; more say nothing new (arbitrary)."""


def find_needs(binary_file: Path, main: Main, packages: Sequence[Package]) -> Needs:
    """Return what a linked, unstripped program needs, each need with the chain of calls that shows it.

    ``packages`` is the program's import graph. Raises ImageMissing.
    """
    try:
        program = Program(open_go(binary_file), main, packages)
        if not program.graph.can_read:
            return _from_linked(program, "the machine code of this architecture is not read")
        return _from_uses(program)
    except BinaryDamaged as error:
        return _from_nothing(error.what)


def _from_uses(program: Program) -> Needs:
    judged: list[Judged] = []
    inside = _linked_in(program)
    decided: set[NeedKind] = set()
    looked_at: set[NeedKind] = set()
    for site, judge in _sites(program, lambda: "certificates" in decided or "certificates" in inside):
        kind = site.rule.kind
        looked_at.add(kind)
        if kind in inside:
            judged.append(Judged(left_out=LeftOut(kind=kind, reason=inside[kind])))
        elif kind not in decided:
            found = list(judge(site))
            judged += found
            # One reason is enough where nothing more can be learnt from others; the nearest to main comes first.
            decided.update(need.kind for need in _needs(found) if not need.what and need.kind in _WITHOUT_NAMES)
    judged += repository.opened_by_frameworks(program)
    judged += _only_linked(program, looked_at)
    return _summed_up(judged)


_WITHOUT_NAMES: frozenset[NeedKind] = frozenset({"certificates", "zones", "users", "tmp", "mime"})


def _needs(judged: Iterable[Judged]) -> Iterator[Need]:
    return (found.need for found in judged if found.need is not None)


def _sites(program: Program, are_certificates_decided: Callable[[], bool]) -> Iterator[tuple[Site, _Judge]]:
    rules = read_rules()
    for use in program.uses:
        for rule in rules[use.name]:
            yield Site(use, rule, program), _JUDGES[rule.judge]
    if not are_certificates_decided():
        yield from _table_sites(program)


# Judges: what one use means


def _always(site: Site) -> Iterator[Judged]:
    yield site.need()


def _zone(site: Site) -> Iterator[Judged]:
    for text in sorted(site.values()):
        if text in ("", "UTC", "Local"):
            yield site.left_out(f"{text or 'the empty name'} needs no file" if text else "the empty name is UTC")
        elif HOLE in text:
            yield site.need(note="the zone is named at run time")
        elif ".." in text or text.startswith(("/", "\\")):
            yield site.left_out(f"{text!r} is refused as a name")
        else:
            yield site.need(text)


def _folder(site: Site) -> Iterator[Judged]:
    nodes = site.given(site.rule.argument)
    if nodes and site.file is not None and all(_is_beside_file(node, site) for node in nodes):
        yield site.left_out("beside a file it writes, not in /tmp")
        return
    for text in sorted(site.values()):
        if text in ("", TEMPORARY) or text.startswith(TEMPORARY + "/"):
            yield site.need()
        elif text == HOLE:
            yield site.need(note="in a folder named at run time, or the default")
        else:
            yield site.left_out(f"in {text.replace(HOLE, '…')}")


def _is_beside_file(node: Node, site: Site) -> bool:
    file = site.file
    if file is None or node.type not in ("call_expression", "identifier"):
        return False
    made = [node] if node.type == "call_expression" else trust.definitions(node, (node.text or b"").decode())
    return bool(made) and all(
        value.type == "call_expression" and qualified_name(value, file) in ("path/filepath.Dir", "path.Dir")
        for value in made
    )


def _tempdir(site: Site) -> Iterator[Judged]:
    if site.calls and site.file is not None and all(_is_only_shown(call, site) for call in site.calls):
        yield site.left_out("its name is only shown or compared")
    elif not (site.calls and all(_is_given_to_judged(call) for call in site.calls)):
        yield site.need()


def _is_only_shown(call: Node, site: Site) -> bool:
    outer = call.parent.parent if call.parent is not None and call.parent.type == "argument_list" else None
    if call.parent is not None and call.parent.type == "binary_expression":
        operator = call.parent.child_by_field_name("operator")
        return operator is not None and operator.text in (b"==", b"!=")
    if outer is None or outer.type != "call_expression" or site.file is None:
        return call.parent is not None and call.parent.type == "expression_statement"
    name = qualified_name(outer, site.file)
    return name.startswith(("fmt.Print", "fmt.Fprint", "log.", "log/slog.", "strings.Has", "len"))


def _is_given_to_judged(call: Node) -> bool:
    outer = call.parent.parent if call.parent is not None and call.parent.type == "argument_list" else None
    return outer is not None and outer.type == "call_expression" and called_name(outer) in ("CreateTemp", "MkdirTemp")


def _extension(site: Site) -> Iterator[Judged]:
    asked = site.values()
    unknown = [text for text in asked if not _is_builtin(_extension_of(text, is_whole=True), site)]
    if unknown:
        yield site.need(note=_named(unknown))
    else:
        yield site.left_out(f"only {', '.join(sorted(asked))}, which Go knows itself")


def _served(site: Site) -> Iterator[Judged]:
    is_name = site.rule.argument == 2
    names = _names_served(site, is_name=is_name)
    if names is None:
        yield site.need()
        return
    unknown = sorted({name for name in names if not _is_builtin(_extension_of(name), site)})
    if unknown:
        yield site.need(note=_named(unknown))
    else:
        yield site.left_out("every file it serves has a type that Go knows itself")


def _names_served(site: Site, *, is_name: bool) -> list[str] | None:
    """Return the names of the files that can be served, or None where the source does not say."""
    texts = site.values()
    if is_name:
        return None if any(text.endswith(HOLE) for text in texts) else list(texts)
    names: list[str] = []
    for text in texts:
        if HOLE in text:
            embedded = _embedded(site)
            if embedded is None:
                return None
            names += embedded
        else:
            below = repository.files_below(site.program, text)
            if below is None:
                return None
            names += below
    return names


def _embedded(site: Site) -> list[str] | None:
    """Return the files that can be in an embedded file system given at a site, or None where it is no such thing."""
    if site.file is None or site.package is None or not site.is_local:
        return None
    for node in site.given(site.rule.argument):
        if not _is_embedded(node, site):
            return None
    return [name for package in site.program.sources.local for name in package.other_files]


def _is_embedded(node: Node, site: Site, depth: int = 0) -> bool:
    """Say whether an expression is an embedded file system, or http.FS or fs.Sub of one."""
    if site.file is None or site.package is None or depth > 4:
        return False
    if node.type == "call_expression" and qualified_name(node, site.file) in ("net/http.FS", "io/fs.Sub"):
        given = node.child_by_field_name("arguments")
        inner = given.named_children[0] if given is not None and given.named_children else None
        return inner is not None and _is_embedded(inner, site, depth + 1)
    if node.type != "identifier":
        return False
    name = (node.text or b"").decode()
    for file in site.program.sources.files([site.package], "embed.FS"):
        for spec in file.nodes("(var_spec) @it"):
            kind = spec.child_by_field_name("type")
            declared = [child.text for child in spec.children_by_field_name("name")]
            if kind is not None and kind.text == b"embed.FS" and name.encode() in declared:
                return True
    made = trust.definitions(node, name)
    return bool(made) and all(_is_embedded(value, site, depth + 1) for value in made)


def _extension_of(text: str, *, is_whole: bool = False) -> str:
    if is_whole and text.startswith("."):
        return text
    return HOLE if text.endswith(HOLE) else posixpath.splitext(posixpath.basename(text))[1]


def _is_builtin(extension: str, site: Site) -> bool:
    return extension == "" or extension.lower() in builtin_types(site.program.binary.go_version)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_BUILTIN = _words(".avif .css .gif .htm .html .jpeg .jpg .js .json .mjs .pdf .png .svg .wasm .webp .xml")
_BUILTIN_1_26 = _BUILTIN | _words(
    ".ai .apk .apng .bin .bmp .com .csv .doc .docx .ehtml .eml .eps .exe .flac .gz .ico .ics .jfif .m4a .mp3 .mp4 .oga "
    ".ogg .ogv .opus .pjp .pjpeg .ppt .pptx .ps .rdf .rtf .shtml .text .tif .tiff .txt .vtt .wav .webm .xbl .xbm .xht "
    ".xhtml .xls .xlsx .xsl .zip"
)


def builtin_types(go_version: str) -> frozenset[str]:
    """Return the extensions whose type the mime package knows without a file.

    Source: src/mime/type.go of Go 1.20 to 1.25 and of 1.26.

    >>> ".csv" in builtin_types("1.25"), ".csv" in builtin_types("1.26")
    (False, True)
    """
    minor = go_version.partition(".")[2]
    return _BUILTIN_1_26 if minor.isdigit() and int(minor) >= 26 else _BUILTIN


def _named(texts: Iterable[str]) -> str:
    known = [text for text in texts if HOLE not in text]
    return f"for {', '.join(known[:3])}" if known else "for a name that comes at run time"


def _program(site: Site) -> Iterator[Judged]:
    for text in sorted(site.values()):
        if text in (SELF, "/proc/self/exe"):
            yield site.left_out("it starts itself again")
        elif HOLE in text or not text:
            yield site.need(note="the program is named at run time")
        else:
            yield site.need(text)
            if "/" in text and not text.startswith("/"):
                yield from repository.named(site, text)


_Judge = Callable[[Site], Iterator[Judged]]
_JUDGES: Mapping[str, _Judge] = {
    "always": _always,
    "extension": _extension,
    "file": repository.judge_file,
    "folder": _folder,
    "program": _program,
    "proxy": trust.judge_proxy,
    "request": trust.judge_request,
    "served": _served,
    "tempdir": _tempdir,
    "tls": trust.judge_tls,
    "url": trust.judge_url,
    "verify": trust.judge_verify,
    "written": repository.judge_written,
    "zone": _zone,
}


# Uses without a call: method tables and variables


def _table_sites(program: Program) -> Iterator[tuple[Site, _Judge]]:
    """Yield uses shown by data: a client behind an interface, a reverse proxy as handler, the default transport."""
    rules = read_rules()
    client = rules["net/http.(*Client).Do"][0]
    proxy = rules["net/http/httputil.(*ReverseProxy).ServeHTTP"][0]
    is_transport_used = _calls_round_trip(program)
    for use in program.graph.uses_in_tables([*client.functions, *_CLIENT_METHODS, *proxy.functions]):
        if use.name in proxy.functions:
            yield Site(use, proxy, program), trust.judge_proxy
        elif use.name in _CLIENT_METHODS or is_transport_used:
            yield Site(use, client, program), trust.judge_value
    for use in program.graph.uses_of_data() if is_transport_used else ():
        yield Site(use, client, program), trust.judge_value


_CLIENT_METHODS = tuple(f"net/http.(*Client).{name}" for name in ("Do", "Get", "Head", "Post", "PostForm"))


def _calls_round_trip(program: Program) -> bool:
    """Say whether the program itself calls RoundTrip: a transport that is only put into a client does nothing."""
    packages = program.sources.packages.values()
    return any(
        called_name(call) == "RoundTrip"
        for file in program.sources.files(packages, ".RoundTrip(")
        for call in file.calls
    )


# What is in the program itself, and what only looks like a need

_LINKED: tuple[tuple[NeedKind, str, str], ...] = (
    ("certificates", "crypto/x509.loadSystemRoots", "no client of the program's own uses it"),
    ("zones", "time.LoadLocation", "nothing of the program's own loads a zone"),
    ("users", "os/user.lookupUserId", "nothing of the program's own looks up a user"),
    ("tmp", "os.CreateTemp", "only the standard library's form parser does, for uploads larger than memory allows"),
    ("mime", "mime.loadMimeFile", "nothing of the program's own asks for the type of a file"),
    ("program", "os/exec.(*Cmd).Start", "nothing of the program's own starts another"),
)


def _only_linked(program: Program, looked_at: Container[NeedKind]) -> Iterator[Judged]:
    for kind, function, reason in _LINKED:
        if kind not in looked_at and program.binary.holds(function):
            yield Judged(left_out=LeftOut(kind=kind, reason=f"{function} is linked in, but {reason}"))


def _linked_in(program: Program) -> Mapping[NeedKind, str]:
    """Return what the program holds itself, by the kind of need it meets, and why that is so."""
    inside: dict[NeedKind, str] = {}
    if "time/tzdata" in program.import_paths:
        inside["zones"] = "time/tzdata is linked in: the program holds all zones itself"
    if _FALLBACK_ROOTS in program.import_paths:
        inside["certificates"] = f"{_FALLBACK_ROOTS} is linked in: the program holds the certificates itself"
    return inside


def _from_linked(program: Program, why: str) -> Needs:
    """Return needs by what is linked in, where it cannot be seen who calls it: everything that could be needed."""
    found: dict[NeedKind, Need] = {}
    for function, rules in read_rules().items():
        for rule in rules:
            if rule.kind not in ("file", "tmp") and rule.kind not in found and program.binary.holds(function):
                found[rule.kind] = Need(kind=rule.kind, reason=f"{function} is linked in; {why}, so it may be called")
    found["tmp"] = Need(kind="tmp", reason=f"{why}, so a temporary file may be written")
    inside = _linked_in(program)
    judged = [Judged(need=need) for need in found.values() if need.kind not in inside]
    judged += [Judged(left_out=LeftOut(kind=kind, reason=inside[kind])) for kind in inside if kind in found]
    judged += repository.opened_by_frameworks(program)
    return _summed_up(judged)


def _from_nothing(why: str) -> Needs:
    kinds: tuple[NeedKind, ...] = ("certificates", "zones", "users", "tmp", "mime")
    return Needs(needs=tuple(Need(kind=kind, reason=f"it cannot be told: {why}") for kind in kinds))


# Summing up

_ORDER: tuple[NeedKind, ...] = ("certificates", "zones", "users", "tmp", "mime", "program", "file", "libc")


def _summed_up(judged: list[Judged]) -> Needs:
    needs: dict[tuple[NeedKind, str], Judged] = {}
    left_out: dict[NeedKind, list[LeftOut]] = {}
    for found in sorted(judged, key=_plainness):
        if found.need is not None:
            needs.setdefault((found.need.kind, found.need.what), found)
        elif found.left_out is not None:
            told = left_out.setdefault(found.left_out.kind, [])
            if found.left_out not in told:
                told.append(found.left_out)
    if ("zones", "") in needs:
        needs = {key: found for key, found in needs.items() if key[0] != "zones" or key[1] == ""}
    kept = sorted(needs, key=lambda key: (_ORDER.index(key[0]), key[1]))
    kinds = {kind for kind, _ in kept} - {"file"}
    return Needs(
        needs=tuple(need for key in kept if (need := needs[key].need) is not None),
        left_out=tuple(
            reason for kind in _ORDER if kind not in kinds for reason in left_out.get(kind, [])[:_MOST_LEFT_OUT]
        ),
    )


def _plainness(found: Judged) -> tuple[bool, bool, int]:
    """Sort the plainest first: the user's own source, a chain from main, a short one."""
    return not found.is_local, not found.is_reached, len(found.need.evidence) if found.need is not None else 0
