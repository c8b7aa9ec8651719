"""Files of the user's repository that the program opens by a literal path.

A relative path counts when it leads to something in the repository, seen from where people start the program: its
module or its main package. Secrets are never put into an image silently, nor is the whole source tree.
"""

from __future__ import annotations

import fnmatch
import posixpath
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from proa.analyze.sites import Judged, Program, Site
from proa.analyze.syntax import File, arguments, called_name, enclosing_function, qualified_name
from proa.analyze.texts import HOLE, TEMPORARY, Values
from proa.records.evidence import Evidence, LeftOut, Need, NeedKind

if TYPE_CHECKING:
    from tree_sitter import Node

_SECRETS = (
    ".env", ".env.*", "*.key", "*-key.pem", "*_key.pem", "key.pem", "privkey*.pem", "id_rsa*", "id_ed25519*",
    "id_ecdsa*", "*.p12", "*.pfx", "*.jks", "*.keystore", ".netrc", ".npmrc", ".pgpass", ".htpasswd", "credentials*",
    "secret*.y*ml",
    "secret*.json", "secrets*", "*.kubeconfig", "kubeconfig", "service-account*.json", "service_account*.json",
)  # fmt: skip
"""Names that people give to secrets (collected by hand; a file that holds a private key counts by its content)."""
_PRIVATE_KEY = b"PRIVATE KEY-----"
_LOOKED_AT_BYTES = 65_536
_SOURCE = ("*.go", "go.mod", "go.sum", "go.work", "go.work.sum", "Dockerfile", "Makefile", ".git", ".gitignore")
"""Read by tools that look at source, and never by a program at work in its image."""
_MOST_MATCHES = 2_000
_SYSTEM: tuple[tuple[str, NeedKind], ...] = (
    ("/etc/ssl/certs", "certificates"), ("/etc/ssl/cert.pem", "certificates"), ("/etc/pki/tls", "certificates"),
    ("/usr/share/zoneinfo", "zones"), ("/etc/passwd", "users"), ("/etc/group", "users"),
    ("/etc/mime.types", "mime"), ("/usr/share/mime", "mime"), (TEMPORARY, "tmp"),
)  # fmt: skip
"""What the image is given for a need, by the path it has there."""

_KERNEL = ("/proc/", "/sys/", "/dev/")
_FRAMEWORKS: dict[str, int] = {
    "LoadHTMLGlob": 0, "LoadHTMLFiles": -1, "Static": 1, "StaticFile": 1, "File": -1, "FileFromFS": 0,
    "SetConfigFile": 0, "SendFile": 0, "Attachment": 0, "Favicon": 0, "HTMLRender": -1,
}  # fmt: skip
"""Methods of gin, echo, fiber, viper and such that open a file, and which argument names it."""
_FOLDERS: dict[str, tuple[str, ...]] = {
    "LocalFile": ("github.com/gin-contrib/static",),
    "New": ("github.com/gofiber/template/",),
    "SetStaticPath": ("github.com/beego/beego", "github.com/astaxie/beego"),
    "NewOSFileSystemLoader": ("github.com/CloudyKit/jet",),
    "MustNewLocalFileSystemLoader": ("github.com/flosch/pongo2",),
    "NewLocalFileSystemLoader": ("github.com/flosch/pongo2",),
    "Up": ("github.com/pressly/goose",),
}
"""Functions of dependencies that are given a folder by a bare name, and in which packages they are."""
_SETTINGS_TYPES = ("json", "toml", "yaml", "yml", "properties", "props", "prop", "hcl", "tfvars", "env", "ini")
"""What viper tries after a name. Source: github.com/spf13/viper, SupportedExts, without its dotenv."""


def judge_file(site: Site) -> Iterator[Judged]:
    """Judge a file opened by name; only in the user's own packages, as others have no files in the repository."""
    if not site.is_local or _is_written(site):
        return
    for text in sorted(site.values()):
        for kind, what, note in _meant(site.program, text):
            yield site.need(what, note, kind) if not note or what or kind != "file" else site.left_out(note)


def _is_written(site: Site) -> bool:
    """Say whether a file is opened only to be written: then it need not be there before."""
    flags = [node.text or b"" for node in site.given(1)] if site.use.name == "os.OpenFile" else []
    return bool(flags) and all(b"O_WRONLY" in flag or b"O_TRUNC" in flag or b"O_EXCL" in flag for flag in flags)


def named(site: Site, text: str) -> Iterator[Judged]:
    """Yield the file of the repository that a path in a use leads to, if any."""
    for kind, what, note in _meant(site.program, text):
        if what:
            yield site.need(what, note, kind)


def judge_written(site: Site) -> Iterator[Judged]:
    """Judge a file created by name: below /tmp it needs the folder."""
    for text in sorted(site.values()):
        if text == TEMPORARY or text.startswith(TEMPORARY + "/"):
            yield site.need(note=f"it creates {text.replace(HOLE, '…')}")


def _meant(program: Program, text: str) -> Iterator[tuple[NeedKind, str, str]]:
    """Yield what a path means: kind, what and note; ``what`` is empty for a file that is left out."""
    if text.startswith("/"):
        yield from _system(text)
        return
    if not text.strip() or "://" in text:
        return
    path = posixpath.normpath(_pattern(text) if HOLE in text else text)
    if path == "." and HOLE in text:
        return
    if path == ".":
        yield "file", "", "the working directory as a whole; name the files it needs in proa.yaml"
        return
    for what in _found(program, path):
        if what.startswith("../"):
            yield "file", "", f"{what} lies outside the module"
        elif reason := _secrecy(program, what):
            yield "file", "", f"{what} is left out: {reason}; mount it at run time, or name it in proa.yaml"
        elif not any(fnmatch.fnmatch(posixpath.basename(what), pattern) for pattern in _SOURCE):
            yield "file", what, ""


def _pattern(text: str) -> str:
    r"""Return what a path known in part can be: the files of its folder that end as it does, or the folder.

    >>> [_pattern(text) for text in (f"pages/{HOLE}.md", f"./data/{HOLE}", f"{HOLE}/a.txt", f"page-{HOLE}")]
    ['pages/**/*.md', './data', '.', '.']
    """
    folder = text.partition(HOLE)[0].rpartition("/")[0]
    ending = text.rpartition(HOLE)[2]
    if folder.strip("./") and ending and "/" not in ending:
        return f"{folder}/**/*{ending}"
    return folder if folder.strip("./") and not ending else "."


def _system(text: str) -> Iterator[tuple[NeedKind, str, str]]:
    for prefix, kind in _SYSTEM:
        if text == prefix or text.startswith(prefix + "/"):
            what = text.removeprefix(prefix + "/") if kind == "zones" and HOLE not in text and text != prefix else ""
            yield kind, what, f"it opens {text.replace(HOLE, '…')}"
            return
    if HOLE not in text and not text.startswith(_KERNEL):
        yield "file", "", f"{text} is no file of the repository; mount it at run time, or add it in proa.yaml"


def _found(program: Program, path: str) -> list[str]:
    """Return what a path or pattern leads to in the repository, relative to where the program is started."""
    for base in _bases(program):
        if any(mark in path for mark in "*?["):
            matches = _matches(base, path)
            if matches:
                return matches
        elif (base / path).exists():
            return [path]
    return []


def _matches(base: Path, pattern: str) -> list[str]:
    if pattern.startswith(".."):
        return []
    try:
        found = [match for match, _ in zip(base.glob(pattern), range(_MOST_MATCHES), strict=False)]
    except (ValueError, NotImplementedError, OSError):
        return []
    return sorted(match.relative_to(base).as_posix() for match in found)


def _bases(program: Program) -> list[Path]:
    main = Path(program.main.directory)
    return [program.root, main] if main != program.root else [main]


def _there(program: Program, what: str) -> Path | None:
    if what.startswith("/") or "\0" in what or len(what) > 1024:
        return None
    return next((base / what for base in _bases(program) if (base / what).exists()), None)


def _secrecy(program: Program, what: str) -> str:
    """Return why a file looks like a secret, or an empty string."""
    name = posixpath.basename(what)
    if any(fnmatch.fnmatch(name.lower(), pattern) for pattern in _SECRETS) and not name.endswith((".example", ".go")):
        return "by its name it is a secret"
    path = _there(program, what)
    if path is None or not path.is_file():
        return ""
    try:
        with path.open("rb") as stream:
            return "it holds a private key" if _PRIVATE_KEY in stream.read(_LOOKED_AT_BYTES) else ""
    except OSError:
        return ""


def files_below(program: Program, what: str) -> list[str] | None:
    """Return the names of the files in a folder of the repository, or None where there is no such folder."""
    place = _there(program, posixpath.normpath(what)) if what and not what.startswith("/") else None
    if place is None:
        return None
    if place.is_file():
        return [place.name]
    found = []
    for path, _ in zip(place.rglob("*"), range(_MOST_MATCHES), strict=False):
        if path.is_file():
            found.append(path.name)
    return found if len(found) < _MOST_MATCHES else None


# What is opened on behalf of a framework, or by a name that a flag has as default


def opened_by_frameworks(program: Program) -> Iterator[Judged]:
    """Yield files a dependency is given by name: ``router.LoadHTMLGlob("templates/*")``, ``http.Dir("static")``."""
    yield from _viper_files(program)
    for package in program.sources.local:
        for name in package.files:
            if not _may_name_file(program, program.sources.text(package, name)):
                continue
            file = program.sources.file(package, name)
            if file is not None:
                yield from _framework_calls(program, file)


def _viper_files(program: Program) -> Iterator[Judged]:
    """Yield the files viper looks for: every folder it is told of with every name, and any of its types."""
    folders: set[str] = set()
    names: list[tuple[File, Node]] = []
    for file in program.sources.files(program.sources.local, "AddConfigPath", "SetConfigName", "ReadInConfig"):
        for call in file.calls:
            if not program.is_linked(enclosing_function(call, program.symbol_package(file.package))):
                continue
            if called_name(call) == "AddConfigPath":
                folders |= {text for node in arguments(call)[:1] for text in program.sources.values(node, file)}
            elif called_name(call) in ("SetConfigName", "ReadInConfig", "MergeInConfig"):
                names.append((file, call))
    for file, call in names:
        given = arguments(call)
        texts = program.sources.values(given[0], file) if given else frozenset({"config"})
        patterns = _settings_files(folders, texts)
        yield from _opened(program, file, call.start_point[0] + 1, called_name(call), patterns)


def _settings_files(folders: Iterable[str], names: Iterable[str]) -> Values:
    """Return the patterns of viper's files below relative folders.

    >>> sorted(_settings_files(["."], ["app"]))[:2]
    ['./app.env', './app.hcl']
    """
    shown = [name.replace(HOLE, "*") for name in names if name.strip(HOLE)]
    relative = [folder for folder in folders if not folder.startswith("/") and HOLE not in folder]
    return frozenset(f"{folder}/{name}.{kind}" for folder in relative for name in shown for kind in _SETTINGS_TYPES)


def _may_name_file(program: Program, text: bytes) -> bool:
    """Say whether a file is worth parsing: it calls a method that opens files, or names a file that is there."""
    return _OPENING.search(text) is not None or any(
        _names_file(program, found[1].decode("utf-8", "replace")) for found in _NAMING.finditer(text)
    )


_DEFAULTS = ("String", "StringVar", "StringP", "StringVarP", "SetDefault")
"""Functions of flag, pflag and viper that name a setting and its value until the user says otherwise."""
_OPENING = re.compile(
    rb"\b(?:Dir|DirFS|" + "|".join([*_FRAMEWORKS, *_DEFAULTS, *_FOLDERS]).encode() + rb")\("
    rb'|["`](?:\./|file:|/tmp/)'
)
_NAMING = re.compile(rb'\((?:[^()\n]*, )?"(?:file://)?([\w./-]+\.\w{1,12})"')
"""A call with a literal that could name a file."""


def _framework_calls(program: Program, file: File) -> Iterator[Judged]:
    for call in file.calls:
        texts = _given_to_framework(program, file, call)
        if texts and program.is_linked(enclosing_function(call, program.symbol_package(file.package))):
            yield from _opened(program, file, call.start_point[0] + 1, called_name(call), texts)


def _given_to_framework(program: Program, file: File, call: Node) -> Values | None:
    name, qualified = called_name(call), qualified_name(call, file)
    given = arguments(call)
    values = program.sources.values
    if qualified in ("net/http.Dir", "os.DirFS"):
        return values(given[0], file) if given else None
    if name in _DEFAULTS:
        literals = [node for node in given if node.type in ("interpreted_string_literal", "raw_string_literal")]
        texts = {text for node in literals[1:2] for text in values(node, file)}
        return frozenset(text for text in texts if text.strip("./") and _there(program, text) is not None)
    if name in _FRAMEWORKS and qualified == name:
        # gin's File takes the path alone, echo's a route before it.
        place = _FRAMEWORKS[name] if name != "File" or len(given) < 2 else 1
        wanted = given if place < 0 else given[place : place + 1]
        return frozenset().union(*(values(node, file) for node in wanted))
    imported = qualified.rpartition(".")[0]
    package = program.sources.packages.get(imported)
    if qualified != "database/sql.Open" and (package is None or package.import_path in program.local_paths):
        return None
    is_folder = any(imported.startswith(prefix) for prefix in _FOLDERS.get(name, ()))
    # A dependency's function given the literal name of a file that is there: toml.DecodeFile("app.toml", &c).
    literals = [node for node in given if node.type in ("interpreted_string_literal", "raw_string_literal")]
    texts = {text for node in literals for text in values(node, file)}
    return frozenset(_bare(text) for text in texts if _names_something(program, text, is_folder=is_folder))


def _bare(text: str) -> str:
    """Return a path without what a data source puts around it.

    >>> _bare("file:/tmp/app.db?cache=shared"), _bare("file://migrations")
    ('/tmp/app.db', 'migrations')
    """
    return text.removeprefix("file:").removeprefix("//").partition("?")[0] if text.startswith("file:") else text


def _names_something(program: Program, text: str, *, is_folder: bool) -> bool:
    """Say whether a literal given to a dependency is a file that is there, a folder written as one, or below /tmp."""
    path = _bare(text)
    if path.startswith(TEMPORARY + "/") or _names_file(program, path):
        return True
    if path.startswith(("/", "..")) or not path.strip("./"):
        return False
    place = _there(program, posixpath.normpath(path))
    is_written_so = is_folder or path.startswith("./") or path != text
    return is_written_so and place is not None and place.is_dir()


def _names_file(program: Program, text: str) -> bool:
    if not 0 < len(text) < 200 or text.startswith(("/", "..")) or ("." not in text.strip("./") and "/" not in text):
        return False
    place = _there(program, posixpath.normpath(text))
    return place is not None and place.is_file()


def _opened(program: Program, file: File, line: int, name: str, texts: Values) -> Iterator[Judged]:
    place = program.place(file.package, file.name)
    package = program.symbol_package(file.package)
    for text in sorted(texts):
        for kind, what, note in _meant(program, text):
            sentence = f"{package} gives {text!r} to {name} ({place}:{line})"
            reason = f"{sentence}: {note}" if note else sentence
            evidence = Evidence(package=file.package.import_path, symbol=name, file=place, line=line)
            if kind == "file" and not what:
                yield Judged(left_out=LeftOut(kind=kind, reason=reason))
            else:
                yield Judged(need=Need(kind=kind, what=what, reason=reason, evidence=(evidence,)))
