"""From a package's import path to its module and version, as the program's build information has them."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from proa.outside.elf import Elf

_MOST_BYTES = 4 << 20
_MARK_BYTES = 16
"""Of the runtime's marks before and behind the text. Source: src/cmd/go/internal/modload/build.go of Go."""
_PLACE = re.compile(r"(?:[\w~%+.-]+/)*[\w~%+-][\w~%+.-]*?(?=\.)")
_OPERATIONS = ("type:.eq.", "type:.hash.", "type..eq.", "type..hash.", "go:itab.", "go.itab.", "type:", "type.")

_MADE = (
    "type:",
    "type..",
    "type.*",
    "go:",
    "go.itab.",
    "go.string.",
    "go.func.",
    "go.shape.",
    "struct {",
    "interface {",
)
"""How the names of what the linker makes begin; ``go.uber.org/zap`` and ``type.example.com/a`` are packages."""


class BuildInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What ``go version -m`` prints."""

    go_version: str = ""
    """``1.26.8``."""
    path: str = ""
    """Import path of the main package."""
    main: str = ""
    modules: Mapping[str, str] = {}
    """Version by path; a replaced one has that of its replacement."""
    replacements: Mapping[str, str] = {}
    """Of those that are replaced, by what: another module and its version, or a folder."""
    settings: Mapping[str, str] = {}


def read_build_info(elf: Elf) -> BuildInfo:
    """Return the build information; empty where there is none or it is damaged. Source: src/debug/buildinfo of Go."""
    section = elf.section(".go.buildinfo")
    if section is not None:
        content = bytes(elf.content(section)[:_MOST_BYTES])
    else:
        # PE files keep it at the start of their data.
        data = elf.section(".data")
        content = bytes(elf.content(data)[:_MOST_BYTES]) if data is not None else b""
    at = content.find(b"\xff Go buildinf:")
    if at < 0 or at + 33 > len(content) or not content[at + 15] & 2:
        return BuildInfo()
    version, at = _text(content, at + 32)
    text, _ = _text(content, at)
    return _parsed(version, text[_MARK_BYTES:-_MARK_BYTES] if len(text) > 2 * _MARK_BYTES else b"")


def _text(content: bytes, at: int) -> tuple[bytes, int]:
    size = shift = 0
    while at < len(content) and shift < 35:
        byte = content[at]
        size, shift, at = size | (byte & 0x7F) << shift, shift + 7, at + 1
        if byte < 0x80:
            break
    return content[at : at + size], at + size


def _parsed(version: bytes, text: bytes) -> BuildInfo:
    modules: dict[str, str] = {}
    replacements: dict[str, str] = {}
    settings: dict[str, str] = {}
    path = main = last = ""
    for line in text.decode("utf-8", "replace").splitlines():
        key, *rest = line.split("\t")
        if key == "path" and rest:
            path = rest[0]
        elif key in ("mod", "dep") and rest:
            last = rest[0]
            main = last if key == "mod" else main
            modules[last] = rest[1] if len(rest) > 1 else ""
        elif key == "=>" and last:
            modules[last] = rest[1] if len(rest) > 1 and rest[1] else f"=> {rest[0]}" if rest else ""
            replacements[last] = " ".join(word for word in rest[:2] if word != "(devel)").strip()
        elif key == "build" and rest:
            name, _, value = rest[0].partition("=")
            settings[name] = value
    number = version.decode("utf-8", "replace").removeprefix("go").split(" ")[0]
    return BuildInfo(
        go_version=number, path=path, main=main, modules=modules, replacements=replacements, settings=settings
    )


def module_of(package: str, info: BuildInfo) -> tuple[str, str]:
    """Return a package's module and version; ``std`` for Go's own, empty ones where the program does not say.

    >>> modules = {"example.com/a": "v1", "example.com/a/b": "v2"}
    >>> info = BuildInfo(go_version="1.26", main="example.com/a", modules=modules)
    >>> module_of("example.com/a/b/c", info), module_of("net/http", info), module_of("main", info)
    (('example.com/a/b', 'v2'), ('std', '1.26'), ('example.com/a', 'v1'))
    """
    if package == "main" or package.startswith("main."):
        return info.main, info.modules.get(info.main, "")
    path = package.removesuffix("_test")
    while path:
        if path in info.modules:
            return path, info.modules[path]
        path = path.rpartition("/")[0]
    first = package.partition("/")[0]
    if "." not in first and " " not in package:
        return "std", info.go_version
    return "", ""


def owner_of(symbol: str) -> str:
    """Return the package of a function or variable; for what the linker makes of a type, that of the type.

    >>> owner_of("type:.eq.example.com/a/b.T"), owner_of("go:itab.*gopkg.in/yaml%2ev3.T,io.Reader")
    ('example.com/a/b', 'gopkg.in/yaml.v3')
    >>> owner_of("net/http.(*Client).Do"), owner_of("slices.Sort[go.shape.[]a/b.T]"), owner_of("memeqbody")
    ('net/http', 'slices', '')
    >>> owner_of("go.uber.org/zap.(*Logger).Info"), owner_of("go:(*struct { net/http.Flusher }).Flush")
    ('go.uber.org/zap', 'net/http')
    """
    from proa.outside.gobinary import package_of, unescape

    if not symbol.startswith(_MADE):
        return package_of(symbol)
    for operation in _OPERATIONS:
        if symbol.startswith(operation):
            found = _PLACE.search(symbol, len(operation))
            return unescape(found[0]) if found else "runtime"
    if symbol.startswith(_MADE):
        found = _PLACE.search(symbol, 3)
        return unescape(found[0]) if found and found[0] not in ("string", "shape") else ""
    return package_of(symbol)
