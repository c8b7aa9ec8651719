"""What a program or library of the image needs of the loader: its interpreter, its libraries, what libc opens itself.

Every candidate that the loader could take is kept, also those for newer processors: which one it takes is decided
where the image runs. A file that cannot be read as ELF is passed over: the loader would pass over it as well.
Source: ld.so(8), dlopen(3), nss(5); elf/dl-load.c of glibc 2.36; ldso/dynlink.c of musl 1.2.5.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from proa.errors import ProaError
from proa.outside.dynamic import Dynamic, imported_names, read_dynamic
from proa.outside.elf import Elf, open_elf
from proa.outside.loader import Loader, kind_of, read_loader
from proa.records.slimming import KeepRule
from proa.slim.growth import Growth
from proa.slim.references import libraries_named
from proa.slim.started import follow_starts

_NAME = re.compile(rb"[A-Za-z0-9_+-][A-Za-z0-9_+.-]{1,80}\Z")
_ENDS = re.compile(rb"\.so(?:\.[0-9]+)*\0")
_MOST_OPENED = 10_000
_PLATFORMS = {62: "x86_64", 183: "aarch64", 3: "i686", 40: "v7l", 21: "power9", 22: "z14", 243: "riscv64"}
_RUNS_SHELL = frozenset({"system", "popen"})
_LOOKS_UP = frozenset({"getaddrinfo", "gethostbyname", "gethostbyname_r", "getpwnam", "getpwnam_r", "getpwuid",
                       "getpwuid_r", "getgrnam", "getgrgid", "getservbyname", "getgrouplist",
                       "initgroups"})  # fmt: skip
_CONVERTS = frozenset({"iconv_open"})
_USUAL_CHARSETS = ("UTF-16", "UTF-32", "UTF-7", "ISO8859-1", "ISO8859-15", "CP1252", "UNICODE", "EUC-JP", "SJIS", "GBK",
                   "GB18030", "BIG5", "EUC-KR", "KOI8-R", "IBM850")  # fmt: skip
_NAME_SERVICES = ("libnss_files.so.2", "libnss_dns.so.2")
_MOST_STRINGS_BYTES = 64 << 20


class Libraries:
    """Follows ELF files of one image; remembers what a loader searches."""

    def __init__(self, growth: Growth) -> None:
        self._growth = growth
        self._tree = growth.tree
        self._loaders: dict[tuple[str, int, bool], Loader] = {}

    def follow(self, path: str) -> bool:
        """Keep what the ELF file at a path needs; say whether it is one."""
        try:
            elf = open_elf(self._tree.here(path))
            dynamic = read_dynamic(elf)
        except (ProaError, OSError, ValueError, OverflowError):
            return False
        if dynamic.interpreter:
            self._growth.keep(dynamic.interpreter, "loader", f"{path} is started by it")
        if dynamic.is_dynamic:
            self._needed(path, elf, dynamic)
            self._opened(path, elf, dynamic)
        return True

    def _needed(self, path: str, elf: Elf, dynamic: Dynamic) -> None:
        folders = list(self._folders(path, elf, dynamic))
        for name in dynamic.needed:
            if "/" in name:
                self._growth.keep(name, "library", f"{path} needs it")
            elif not self._keep_from(folders, name, "library", f"{path} needs {name}"):
                # The program that loads it may say where: what has that name is kept wherever it is.
                for place in libraries_named(self._growth, name):
                    self._growth.keep(place, "library", f"{path} needs {name}")

    def _keep_from(self, folders: list[str], name: str, rule: KeepRule, because: str) -> bool:
        found = False
        for folder in folders:
            place = f"{folder.rstrip('/')}/{name}"
            if self._tree.is_file(place):
                self._growth.keep(place, rule, because)
                found = True
        return found

    def _folders(self, path: str, elf: Elf, dynamic: Dynamic) -> Iterator[str]:
        """Yield every folder where a library that a file needs may be found."""
        loader = self._loader(dynamic.interpreter, elf)
        seen: set[str] = set()
        told = [self._expanded(one, path, elf) for one in (*dynamic.rpath, *dynamic.runpath)]
        environment = self._growth.environment.get("LD_LIBRARY_PATH", "").split(":")
        for folder in (*told, *environment, *loader.searched, *loader.built_in):
            place = posixpath.join(self._growth.directory, folder) if folder else ""
            if not place or place in seen:
                continue
            seen.add(place)
            yield place
            for capability in loader.capabilities:
                if self._tree.is_folder(f"{place}/{capability}"):
                    yield f"{place}/{capability}"

    def _expanded(self, folder: str, path: str, elf: Elf) -> str:
        origin = posixpath.dirname(path)
        words = {"ORIGIN": origin, "LIB": "lib", "PLATFORM": _PLATFORMS.get(elf.machine, "")}
        for word, value in words.items():
            folder = folder.replace(f"${{{word}}}", value).replace(f"${word}", value)
        return folder

    def _loader(self, interpreter: str, elf: Elf) -> Loader:
        asked = interpreter or self._usual_loader(elf)
        key = (asked, elf.machine, elf.is_64)
        if key not in self._loaders:
            try:
                self._loaders[key] = read_loader(asked, elf, sysroot=self._tree.root)
            except ProaError:
                folders = ("/lib", "/usr/lib", "/lib64", "/usr/lib64")
                self._loaders[key] = Loader(kind=kind_of(asked), built_in=folders, searched=folders)
        return self._loaders[key]

    def _usual_loader(self, elf: Elf) -> str:
        """Return a loader that the image has: a library names none."""
        places = [*self._tree.names("/lib64").values(), *self._tree.names("/lib").values()]
        names = [path for path in places if re.match(r"ld-(?:linux|musl).*\.so\.", posixpath.basename(path))]
        is_wide = [path for path in names if ("64" in path or "s390x" in path) is elf.is_64]
        return (is_wide or names or ["/lib64/ld-linux-x86-64.so.2"])[0]

    def _opened(self, path: str, elf: Elf, dynamic: Dynamic) -> None:
        """Keep what a file opens while it runs: by what it imports, by names among its strings."""
        try:
            imports = imported_names(elf)
        except ProaError:
            imports = frozenset()
        folders = list(self._folders(path, elf, dynamic))
        if imports & {"pthread_cancel", "pthread_exit", "backtrace"}:
            self._keep_from(folders, "libgcc_s.so.1", "library", f"glibc opens it when {path} ends a thread")
        if imports & _LOOKS_UP:
            for name in _NAME_SERVICES:
                self._keep_from(folders, name, "library", f"{path} looks up names")
            self._configured_services(folders)
        if imports & _RUNS_SHELL:
            self._growth.keep("/bin/sh", "unsure", f"{path} can run commands through it")
        follow_starts(self._growth, path, imports)
        if imports & _CONVERTS and not posixpath.basename(path).startswith("libc."):
            self._conversions(path)
        if posixpath.basename(path).startswith("libcrypto.so"):
            self._openssl(path)
        if self._growth.packages.owner(path) is None or not posixpath.basename(path).startswith(("libc.", "ld-")):
            self._named(path, folders)

    def _configured_services(self, folders: list[str]) -> None:
        if self._growth.once("nsswitch"):
            for line in self._tree.text("/etc/nsswitch.conf").splitlines():
                for word in line.partition("#")[0].partition(":")[2].split():
                    self._keep_from(folders, f"libnss_{word}.so.2", "library", "/etc/nsswitch.conf names it")

    def _conversions(self, path: str) -> None:
        """Keep the tables of iconv for usual character sets; all of them where a program asks by itself.

        An interpreter's scripts, or a program that asks by itself, may name any.
        """
        is_program = ".so" not in posixpath.basename(path)
        for folder in [one for one in self._tree.paths if one.endswith("/gconv") and self._tree.is_folder(one)]:
            for name, place in self._tree.names(folder).items():
                if is_program or name.startswith("gconv-modules") or name.removesuffix(".so") in _USUAL_CHARSETS:
                    self._growth.keep(place, "unsure", f"{path} converts character sets")
            self._growth.keep_below(f"{folder}/gconv-modules.d", "unsure", f"{path} converts character sets")

    def _openssl(self, path: str) -> None:
        for name in ("ossl-modules", "engines-3", "engines-1.1"):
            folder = f"{posixpath.dirname(path)}/{name}"
            self._growth.keep_below(folder, "library", f"{path} opens its providers and engines there")
        for name in ("/usr/lib/ssl", "/etc/ssl", "/usr/local/ssl"):
            if self._tree.is_folder(name):
                self._growth.keep(name, "configuration", f"{path} looks for its settings there")
                for below in self._tree.names(name).values():
                    self._growth.keep(below, "configuration", f"{path} looks for its settings there")

    def _named(self, path: str, folders: list[str]) -> None:
        """Keep libraries that a file names among its strings: it may open them."""
        data = self._tree.read(path, _MOST_STRINGS_BYTES)
        for name in sorted(opened_names(data)):
            self._keep_from(folders, name, "unsure", f"{path} names {name}: it may open it")


def opened_names(data: bytes) -> set[str]:
    r"""Return names of libraries that occur as strings of their own in a file.

    >>> sorted(opened_names(b"\0libssl.so.3\0see also.so\0/usr/lib/libz.so\0"))
    ['also.so', 'libssl.so.3', 'libz.so']
    """
    found: set[str] = set()
    # Only the end is searched for: a pattern that starts with any letter would try every byte of the code.
    at = data.find(b".so")
    while at >= 0 and len(found) < _MOST_OPENED:
        end = _ENDS.match(data, at)
        name = _NAME.search(data[max(at - 80, 0) : at]) if end else None
        if end and name:
            found.add((name[0] + end[0][:-1]).decode("ascii"))
        at = data.find(b".so", at + 3)
    return found
