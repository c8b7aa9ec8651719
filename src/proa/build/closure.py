"""Which loader and libraries a dynamic program needs, and where they must lie in an image that has nothing else.

The loader's own search is followed, requester by requester, with its rules for RPATH and RUNPATH. What it finds here
only through its cache or LD_LIBRARY_PATH, or below /tmp, moves to its first default folder: an image has neither.
Source: ld.so(8) and elf/dl-load.c of glibc 2.36; ldso/dynlink.c of musl 1.2.5.
"""

from __future__ import annotations

import os
import posixpath
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import msgspec

from proa.errors import ImageMissing, LibraryMissing, NotWritable
from proa.outside.dynamic import Dynamic, find_bytes, imported_names, read_dynamic
from proa.outside.elf import Elf, is_elf, open_elf
from proa.outside.loader import Folder, Loader, fitting, inside, read_loader, real_file
from proa.outside.store import Store
from proa.records.binary import RuntimeFile
from proa.records.platform import Platform

PROGRAM_FOLDER = "/app"
"""Where the program lies in the image: what $ORIGIN stands for there. The same as pack's own."""
_VOLATILE = "/tmp"  # noqa: S108 - a path in the image
_READ_BYTES = 1 << 20
_MOST_LIBRARIES = 1_000
_MOST_LINKS = 8
_PLATFORMS = {62: "x86_64", 183: "aarch64", 3: "i686", 40: "v7l", 21: "power9", 22: "z14", 243: "riscv64"}
"""By machine: $PLATFORM, what the kernel calls the processor (AT_PLATFORM)."""
_MUSL_ITSELF = tuple(f"lib{name}." for name in ("c", "pthread", "rt", "m", "dl", "util", "xnet"))
"""Source: reserved names in load_library() of musl."""
_UNWINDS = ("pthread_cancel", "pthread_exit", "backtrace")
_LOOKS_UP = ("getaddrinfo", "gethostbyname", "gethostbyname_r", "getpwnam", "getpwnam_r", "getpwuid", "getpwuid_r",
             "getgrnam", "getgrnam_r", "getgrgid", "getgrgid_r", "getservbyname")  # fmt: skip


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """A library that a program opens while it runs."""

    name: str
    """The file's own name."""
    paths: tuple[str, ...] = ()
    """Where it was looked for in the image; empty where only the name is known."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """One file or link for the image, and where it is here."""

    path: str
    target: str = ""
    here: Path
    reason: str


class _Loaded(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A file that the loader would have mapped."""

    name: str
    elf: Elf
    dynamic: Dynamic
    origin: Folder
    by: _Loaded | None = None

    def requesters(self) -> Iterator[_Loaded]:
        """Yield the file itself, what needed it, and so on up to the program."""
        one: _Loaded | None = self
        while one is not None:
            yield one
            one = one.by


def runtime_files_of(
    file: Path,
    *,
    platform: Platform,
    store: Store,
    sysroot: Path = Path("/"),
    extra: Sequence[Opened] = (),
    library_path: Sequence[str] = (),
    origin: Path | None = None,
    name: str = "",
) -> tuple[RuntimeFile, ...]:
    """Return the loader and libraries of a program, their bytes in the store; none for a static one.

    ``extra`` are libraries it opens while it runs, ``library_path`` the folders of LD_LIBRARY_PATH, ``origin`` the
    folder that $ORIGIN stands for where the program was moved here from another, and ``name`` what it was called.
    Raises LibraryMissing, BinaryDamaged, NotWritable, NoSpace.
    """
    found = find_runtime_files(
        file, platform=platform, sysroot=sysroot, extra=extra, library_path=library_path, origin=origin, name=name
    )
    return tuple(_kept(one, store) for one in found)


def _kept(found: Found, store: Store) -> RuntimeFile:
    if found.target:
        return RuntimeFile(path=found.path, target=found.target, reason=found.reason)
    try:
        with found.here.open("rb") as stream, store.write_blob() as writer:
            while data := stream.read(_READ_BYTES):
                writer.write(data)
    except FileNotFoundError as error:
        raise ImageMissing(f"{found.here} is gone while it was read") from error
    except PermissionError as error:
        raise NotWritable(f"{found.here} cannot be read: {error.strerror}") from error
    return RuntimeFile(path=found.path, digest=writer.digest, bytes=writer.bytes, reason=found.reason)


def identity(found: Sequence[Found]) -> tuple[tuple[str, ...], ...]:
    """Return what names these files as they are now: another size or time is another file."""
    rows = []
    for one in found:
        status = one.here.stat()
        rows.append((one.path, one.target, str(one.here), str(status.st_size), str(status.st_mtime_ns)))
    return tuple(rows)


def find_runtime_files(
    file: Path,
    *,
    platform: Platform,
    sysroot: Path = Path("/"),
    extra: Sequence[Opened] = (),
    library_path: Sequence[str] = (),
    origin: Path | None = None,
    name: str = "",
) -> tuple[Found, ...]:
    """Return the same as ``runtime_files_of`` with nothing copied yet: the loader first, then in loading order.

    Raises LibraryMissing, BinaryDamaged.
    """
    if not is_elf(file):
        return ()
    elf = open_elf(file)
    dynamic = read_dynamic(elf)
    if not dynamic.interpreter and not dynamic.needed:
        return ()
    program = _Loaded(
        name=name or file.name,
        elf=elf,
        dynamic=dynamic,
        origin=Folder(origin or file.resolve().parent, PROGRAM_FOLDER),
    )
    search = _Search(program, platform, sysroot, library_path)
    search.add_loader()
    search.follow(program)
    search.add_opened(extra)
    search.add_unnamed()
    return tuple(search.found.values())


class _Search:
    """One program's search: what is loaded already, by name, and the files found for the image, by path."""

    def __init__(self, program: _Loaded, platform: Platform, sysroot: Path, library_path: Sequence[str]) -> None:
        self.program = program
        self.platform = platform
        self.sysroot = sysroot
        self.library_path = tuple(library_path)
        self.loader: Loader = read_loader(program.dynamic.interpreter, program.elf, sysroot=sysroot)
        self.found: dict[str, Found] = {}
        self.loaded: dict[str, _Loaded] = {}

    def add_loader(self) -> None:
        """Add the loader under the very path the kernel looks for it. Raises LibraryMissing."""
        asked = self.program.dynamic.interpreter
        if not asked:
            raise LibraryMissing(
                f"{self.program.name} needs {', '.join(self.program.dynamic.needed[:5])} and names no loader",
                hint="it is a shared library, or was linked with -shared: link it as a program",
            )
        here = real_file(self.sysroot, asked) if asked.startswith("/") else None
        elf = fitting(here, self.program.elf) if here else None
        if here is None or elf is None:
            raise LibraryMissing(
                f"{self.program.name} is started by the loader {asked}, which is not {self._where()}",
                hint=self._loader_hint(),
            )
        path = posixpath.normpath(asked)
        self.found[path] = Found(path=path, here=here, reason=f"the loader that {self.program.name} names (PT_INTERP)")
        loader = _Loaded(
            name=PurePosixPath(asked).name,
            elf=elf,
            dynamic=read_dynamic(elf),
            origin=Folder(here.parent, posixpath.dirname(path)),
            by=self.program,
        )
        for name in (loader.name, loader.dynamic.soname, here.name):
            self.loaded[name] = loader

    def follow(self, first: _Loaded, *, how: str = "DT_NEEDED") -> None:
        """Add everything that a file needs, breadth first as the loader does. Raises LibraryMissing."""
        todo = deque([first])
        while todo:
            by = todo.popleft()
            for name in by.dynamic.needed:
                if self._is_there(name):
                    continue
                library = self._find(name, by)
                if library is None:
                    raise self._missing(name, by)
                todo.append(self._add(name, *library, by, reason=f"{name} is needed by {by.name} ({how})"))

    def add_opened(self, extra: Sequence[Opened]) -> None:
        """Add libraries that were asked for while the program ran, and what they need."""
        for one in extra:
            library = None if self._is_there(one.name) else self._find_opened(one)
            if library is not None:
                reason = f"{one.name} is opened by {self.program.name} at run time (seen in the trial)"
                self.follow(self._add(one.name, *library, self.program, reason=reason))

    def _find_opened(self, opened: Opened) -> tuple[Folder, Path, Elf] | None:
        """Return a library as the loader would find it by name, else as it lies at a path that was tried."""
        asked = {posixpath.dirname(path) for path in opened.paths}
        for by in (self.program, *dict.fromkeys(self.loaded.values())):
            is_searched = not asked or not asked.isdisjoint(folder.name for folder in self._folders(by))
            if is_searched and (library := self._find(opened.name, by)) is not None:
                return library
        for path in opened.paths:
            for here in self._places(path):
                if (elf := fitting(here, self.program.elf)) is not None:
                    return Folder(here.parent, posixpath.dirname(path)), here, elf
        return None

    def _places(self, path: str) -> Iterator[Path]:
        """Yield where a file that was looked for in the image may be here: there, or beside the program."""
        if (here := real_file(self.sysroot, path)) is not None:
            yield here
        origin = self.program.origin
        yield origin.here / path.removeprefix(f"{origin.name}/").lstrip("/")

    def add_unnamed(self) -> None:
        """Add what glibc opens by itself for things that the program does."""
        if self.loader.kind != "glibc":
            return
        own = [one for one in dict.fromkeys(self.loaded.values()) if not one.name.startswith(("ld-", "libc.so"))]
        for name in _UNWINDS:
            user = next((one for one in (self.program, *own) if name in imported_names(one.elf)), None)
            if user is not None:
                self._add_by_glibc("libgcc_s.so.1", f"glibc opens it for {name}(), which {user.name} uses")
        libc = self.loaded.get("libc.so.6")
        if libc is None or find_bytes(libc.elf, b"GLIBC_2.34\0", 0, len(libc.elf.data)) >= 0:
            # Looking up names and users is part of libc itself since 2.34.
            return
        for name in _LOOKS_UP:
            if any(name in imported_names(one.elf) for one in (self.program, *own)):
                for library in ("libnss_files.so.2", "libnss_dns.so.2"):
                    self._add_by_glibc(library, f"glibc opens it for {name}()")
                return

    def _add_by_glibc(self, name: str, reason: str) -> None:
        library = None if self._is_there(name) else self._find(name, self.program)
        if library is not None:
            self.follow(self._add(name, *library, self.program, reason=reason))

    def _is_there(self, name: str) -> bool:
        is_musl_itself = self.loader.kind == "musl" and name.startswith(_MUSL_ITSELF)
        return name in self.loaded or is_musl_itself

    def _find(self, name: str, by: _Loaded) -> tuple[Folder, Path, Elf] | None:
        """Return the folder, file and content of the library that the loader would take."""
        for folder, base in self._candidates(name, by):
            file = folder.here / base
            real = self._real(file)
            if real is not None and (elf := fitting(real, self.program.elf)) is not None:
                return folder, file, elf
        return None

    def _candidates(self, name: str, by: _Loaded) -> Iterator[tuple[Folder, str]]:
        if "/" in name:
            folder = self._expanded(posixpath.dirname(name), by)
            if folder is not None:
                yield folder, posixpath.basename(name)
            return
        folders = list(self._folders(by))
        for folder in folders:
            yield folder, name
        # What needs a newer processor is taken only where there is nothing else: the image may run on another one.
        for folder in folders:
            for below in self.loader.capabilities:
                yield Folder(folder.here / below, f"{folder.name}/{below}"), name

    def _folders(self, by: _Loaded) -> Iterator[Folder]:
        """Yield where a library without a path is looked for, in the loader's order."""
        is_musl = self.loader.kind == "musl"
        if is_musl:
            yield from self._from_environment()
        if is_musl or not by.dynamic.runpath:
            for one in by.requesters():
                told = (one.dynamic.runpath or one.dynamic.rpath) if is_musl else one.dynamic.rpath
                if is_musl or not one.dynamic.runpath:
                    yield from self._told(told, one)
        if not is_musl:
            yield from self._from_environment()
            yield from self._told(by.dynamic.runpath, by)
        for name in self.loader.searched:
            if name in self.loader.built_in:
                if not by.dynamic.has_no_default:
                    yield self._under_root(name)
            else:
                yield Folder(self._under_root(name).here, self.loader.built_in[0])

    def _told(self, folders: Sequence[str], by: _Loaded) -> Iterator[Folder]:
        yield from (self._lasting(place, by) for one in folders if (place := self._expanded(one, by)) is not None)

    def _lasting(self, folder: Folder, by: _Loaded) -> Folder:
        """Return where a folder's libraries go: not below /tmp, empty where the root is read-only."""
        if PurePosixPath(folder.name).is_relative_to(_VOLATILE) and not by.dynamic.has_no_default:
            return Folder(folder.here, self.loader.built_in[0])
        return folder

    def _from_environment(self) -> Iterator[Folder]:
        yield from (Folder(Path(one).absolute(), self.loader.built_in[0]) for one in self.library_path if one)

    def _under_root(self, name: str) -> Folder:
        place = real_file(self.sysroot, name)
        return Folder(place or self.sysroot / name.lstrip("/"), posixpath.normpath(name))

    def _expanded(self, text: str, by: _Loaded) -> Folder | None:
        """Return a folder as a file tells it, its words replaced; None where it is not one the loader can find."""
        if self.loader.kind == "glibc":
            library_folder = self.loader.built_in[0].strip("/")
            words = {"LIB": library_folder, "PLATFORM": _PLATFORMS.get(self.program.elf.machine, "")}
            for word, value in words.items():
                text = text.replace(f"${{{word}}}", value).replace(f"${word}", value)
        for word in ("${ORIGIN}", "$ORIGIN"):
            if text == word or text.startswith(f"{word}/"):
                rest = text[len(word) :].lstrip("/")
                name = posixpath.normpath(f"{by.origin.name}/{rest}")
                return Folder(Path(os.path.normpath(by.origin.here / rest)), name)
        # A relative folder is one of wherever the program is started: nothing that can be put into an image.
        if "$" in text or not text.startswith("/"):
            return None
        return self._under_root(text)

    def _real(self, file: Path) -> Path | None:
        if file.is_relative_to(self.sysroot):
            return real_file(self.sysroot, inside(self.sysroot, file))
        return file.resolve() if file.exists() else None

    def _add(self, name: str, folder: Folder, file: Path, elf: Elf, by: _Loaded, *, reason: str) -> _Loaded:
        if len(self.loaded) > _MOST_LIBRARIES:
            raise LibraryMissing(f"{self.program.name} needs more than {_MOST_LIBRARIES} libraries")
        dynamic = read_dynamic(elf)
        loaded = _Loaded(name=PurePosixPath(name).name, elf=elf, dynamic=dynamic, origin=folder, by=by)
        self.loaded[name] = loaded
        if dynamic.soname:
            self.loaded.setdefault(dynamic.soname, loaded)
        for one in self._files(folder, file, reason):
            self.found.setdefault(one.path, one)
        return loaded

    def _files(self, folder: Folder, file: Path, reason: str) -> Iterator[Found]:
        """Yield links within one folder as links, and what they lead to as a file."""
        here, path = file, f"{folder.name.rstrip('/')}/{file.name}"
        for _ in range(_MOST_LINKS):
            target = str(here.readlink()) if here.is_symlink() else ""
            if not target or "/" in target or target in (".", ".."):
                break
            yield Found(path=path, target=target, here=here, reason=reason)
            reason = f"what the link {PurePosixPath(path).name} leads to"
            here, path = here.with_name(target), posixpath.join(posixpath.dirname(path), target)
        yield Found(path=path, here=self._real(here) or here, reason=reason)

    # What is said where something is not there

    def _missing(self, name: str, by: _Loaded) -> LibraryMissing:
        chain = " → ".join(one.name for one in reversed(list(by.requesters())))
        looked = dict.fromkeys(str(folder.here) for folder in self._folders(by)) if "/" not in name else {}
        return LibraryMissing(
            f"{by.name} needs the shared library {name}, which is not {self._where()}",
            output=f"needed by: {chain} → {name}\n" + "".join(f"looked in: {one}\n" for one in looked),
            hint="install the package that has it, name its folder in LD_LIBRARY_PATH, or link the program statically",
        )

    def _where(self) -> str:
        return "on this machine" if self.sysroot == Path("/") else f"below {self.sysroot}"

    def _loader_hint(self) -> str:
        if self.sysroot == Path("/"):
            package = "install musl, or " if self.loader.kind == "musl" else ""
            return (
                f"{package}name the root folder of a system for {self.platform} that has it: --sysroot DIR; "
                "or link it statically"
            )
        return f"--sysroot names the root folder of a {self.platform} system"
