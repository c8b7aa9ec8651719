"""The root folder a project's own start command sees: this machine's programs, the project, and nothing else.

What is shown is read-only. ``/tmp`` is its own; nobody's home is there, but for the run times that are kept in one.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from proa.outside.sandbox import make_folder

_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix/store", "/snap")
_SETTINGS = (
    "alternatives", "ca-certificates", "ca-certificates.conf", "crypto-policies", "debian_version", "fonts", "gai.conf",
    "group", "host.conf", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "mime.types", "nsswitch.conf",
    "os-release", "passwd", "pki", "protocols", "services", "ssl", "timezone",
)  # fmt: skip
"""What run times read of /etc; passwords and settings of other services are not among them."""
_NAMES = ("resolv.conf", "hosts")
_PARTS = ("bin", "sbin", "shims", "lib", "lib64", "libexec", "versions", "conf", "jmods", "plugins", "completions",
          "pyvenv.cfg", "release")  # fmt: skip
"""What a run time outside the system's folders consists of; the rest of a home is not shown with it."""
_MOST_BINDS = 80


def find_program(name: str, folder: Path, environ: Mapping[str, str]) -> str:
    """Return the path of a program as a project starts it, its own tools first; empty where there is none."""
    if "/" in name:
        found = folder / name
        return str(found) if found.is_file() and os.access(found, os.X_OK) else ""
    return shutil.which(name, path=search_path(folder, environ)) or ""


def search_path(folder: Path, environ: Mapping[str, str]) -> str:
    """Return PATH as npm and an activated virtual environment have it."""
    own = [folder / "node_modules" / ".bin", *(folder / one / "bin" for one in (".venv", "venv", "env"))]
    return os.pathsep.join([*(str(one) for one in own if one.is_dir()), environ.get("PATH", os.defpath)])


def lay_out(
    root: Path,
    folder: Path,
    *,
    program: str,
    environ: Mapping[str, str],
    values: Mapping[str, str],
    has_network: bool,
) -> tuple[tuple[str, str], ...]:
    """Make the mount points in an empty ``root`` and return what is shown where, as ``Question.binds`` wants it.

    ``values`` are the program's own variables: files they name are shown as well.
    """
    binds: dict[str, str] = {}
    for place in _SYSTEM:
        path = Path(place)
        if path.is_symlink():
            (root / place.lstrip("/")).symlink_to(path.readlink())
        elif path.is_dir():
            binds[place] = place
    for name in (*_SETTINGS, *(_NAMES if has_network else ()), *_of_java()):
        path = Path("/etc", name)
        if path.exists() and os.access(path, os.R_OK):
            binds[str(path)] = os.path.realpath(path)
    shown = [*binds, str(folder)]
    for place in _run_times(program, folder, environ):
        if len(binds) < _MOST_BINDS and not _is_below(place, shown):
            binds[place] = place
            shown.append(place)
    binds[str(folder)] = str(folder)
    binds |= {file: file for file in _named_files(values) if not _is_below(file, shown)}
    made = [target for target, source in binds.items() if _make_target(root, target, source)]
    return tuple((binds[target], target) for target in sorted(made, key=lambda one: one.count("/")))


def _named_files(values: Mapping[str, str]) -> list[str]:
    """Return the files that variables name, as SSL_CERT_FILE does."""
    words = [one for one in values.values() if one.startswith("/") and len(one) < _MOST_PATH and "\0" not in one]
    return [os.path.normpath(one) for one in words if os.path.isfile(one)][:_MOST_FILES]  # noqa: PTH113


_MOST_PATH, _MOST_FILES = 4096, 32


def name_files(root: Path) -> tuple[tuple[str, str], ...]:
    """Make the mount points of this machine's names in an unpacked image, and return what is shown where."""
    targets = [f"/etc/{name}" for name in _NAMES]
    found = [(os.path.realpath(target), target) for target in targets if Path(target).exists()]
    return tuple(
        (source, target) for source, target in found
        if not (root / target[1:]).is_symlink() and _make_target(root, target, source)
    )  # fmt: skip


def _of_java() -> list[str]:
    """Return Debian's folders of Java's own settings, which its installation links to."""
    return [path.name for path in Path("/etc").glob("java*") if path.is_dir()]


def _make_target(root: Path, target: str, source: str) -> bool:
    if Path(source).is_dir():
        return make_folder(root, target)
    if not make_folder(root, str(Path(target).parent)):
        return False
    (root / target.lstrip("/")).touch()
    return True


def _is_below(place: str, folders: Sequence[str]) -> bool:
    return any(place == one or place.startswith(f"{one}/") for one in folders)


def _run_times(program: str, folder: Path, environ: Mapping[str, str]) -> Iterator[str]:
    """Yield the folders of programs on PATH, and of what ``program`` is a link to, with their libraries."""
    words = [*search_path(folder, environ).split(os.pathsep), os.path.dirname(program)]  # noqa: PTH120 - text
    if home := environ.get("JAVA_HOME", ""):
        words.append(f"{home}/bin")
    words += [os.path.dirname(path) for path in _links(program)]  # noqa: PTH120
    for word in dict.fromkeys(words):
        path = Path(word)
        if not path.is_absolute() or not path.is_dir() or path == Path("/"):
            continue
        if path.name not in ("bin", "sbin", "shims"):
            yield os.path.normpath(word)
            continue
        for part in _PARTS:
            if (path.parent / part).exists():
                yield os.path.normpath(path.parent / part)


def _links(program: str) -> Iterator[str]:
    """Yield every path on the way of links from a program to its file."""
    path = Path(program)
    for _ in range(20):
        yield str(path)
        if not path.is_symlink():
            return
        path = path.parent / path.readlink()
        yield os.path.realpath(path)


class ProjectFiles:
    """The files of a project, as ``trial.start_command`` looks at them."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self._folder = folder
        self._environ = environ

    def text(self, name: str) -> str:
        """Return a file's text; empty where there is none, or it is outside, or larger than a megabyte."""
        path = self._folder / name
        try:
            if not path.is_file() or path.stat().st_size > _MOST_TEXT:
                return ""
            if not path.resolve().is_relative_to(self._folder.resolve()):
                return ""
            return path.read_text(encoding="utf-8", errors="replace")
        except (OSError, ValueError, RuntimeError):
            return ""

    def names(self, pattern: str) -> tuple[str, ...]:
        """Return the files that match a pattern of one or two folders, sorted."""
        try:
            found = [path for path in self._folder.glob(glob_safe(pattern)) if path.is_file()]
        except (OSError, ValueError, NotImplementedError):
            return ()
        return tuple(sorted(path.relative_to(self._folder).as_posix() for path in found))

    def has_program(self, name: str) -> bool:
        """Say whether a program would be found if it were started there."""
        return bool(find_program(name, self._folder, self._environ))


_MOST_TEXT = 1 << 20


def glob_safe(pattern: str) -> str:
    """Return a pattern that leads nowhere but down."""
    return "/".join(part for part in pattern.split("/") if part not in ("", ".", ".."))
