"""The files of a source tree: listed as version control sees them, hashed, and copied to where a build may write."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from proa.errors import BuildFailed, ToolFailed, ToolMissing, ToolTimedOut
from proa.outside.command import Run, run
from proa.outside.store import disk_errors

ASIDE = frozenset({".git", ".hg", ".svn", ".bzr", ".jj", "__pycache__", "node_modules", ".venv"})
_OUTPUT_MARKS = ("CACHEDIR.TAG", "CMakeCache.txt", "meson-private", "build.ninja")
"""A folder with one of these is some tool's output, wherever there is no version control to say so."""
_MOST_FILES = 500_000
_PATIENCE_S = 60.0
_THREADS = 2
_PRODUCTS = (".o", ".obj", ".lo", ".a", ".la", ".so", ".gch", ".d")
_SOURCE_TIME_S = 315_532_800.0
"""1980: what every copied file is dated, so that no build depends on when it was checked out."""
_PRODUCT_TIME_S = 1.0


def list_files(root: Path, *, environ: Mapping[str, str], run: Run = run) -> tuple[str, ...]:
    """Return the files and links of a tree by path relative to it, sorted.

    In a git work tree: what is tracked or not ignored. Elsewhere everything but version control's own folders and
    those that are clearly a tool's output. Raises BuildFailed for more than half a million.
    """
    asked = _asked_git(root, environ, run)
    names = _walked(root) if asked is None else asked
    found: list[str] = []
    for name in names:
        if len(found) >= _MOST_FILES:
            raise BuildFailed(f"{root} has more than {_MOST_FILES} files", hint="name the project's own folder")
        found.append(name)
    return tuple(sorted(set(found)))


def names_by_git(root: Path, *, environ: Mapping[str, str], run: Run = run) -> list[str] | None:
    """Return what git tracks or does not ignore below a folder, submodules as their folders; None where it cannot say.

    A name may be gone from the disk.
    """
    if not any((folder / ".git").exists() for folder in (root, *root.parents)):
        return None
    words = ["git", "--no-optional-locks", "-c", "core.fsmonitor=false", "ls-files", "-z"]
    words += ["--cached", "--others", "--exclude-standard"]
    env = {name: value for name, value in environ.items() if not name.startswith("GIT_")} | {"LC_ALL": "C"}
    try:
        ran = run(words, cwd=root, env=env, timeout_s=_PATIENCE_S)
    except (ToolMissing, ToolFailed, ToolTimedOut):
        return None
    return [os.fsdecode(name) for name in ran.stdout.split(b"\0") if name]


def _asked_git(root: Path, environ: Mapping[str, str], run: Run) -> list[str] | None:
    names = names_by_git(root, environ=environ, run=run)
    if names is None:
        return None
    found = []
    for name in names:
        path = root / name
        # A submodule is listed as the folder it is.
        if path.is_dir() and not path.is_symlink():
            found += [f"{name}/{inside}" for inside in _walked(path)]
        elif path.is_symlink() or path.exists():
            found.append(name)
    # A tree that is ignored as a whole has nothing to list, and is meant all the same.
    return found or None


def _walked(root: Path) -> Iterator[str]:
    for folder, folders, files in os.walk(root):
        links = [name for name in folders if Path(folder, name).is_symlink()]
        folders[:] = [
            name for name in folders if name not in ASIDE and name not in links and not is_output(Path(folder, name))
        ]
        inside = os.path.relpath(folder, root)
        for name in (*files, *links):
            yield name if inside == "." else f"{inside}/{name}"


def is_output(folder: Path) -> bool:
    """Say whether a folder is clearly some tool's output."""
    return any((folder / mark).exists() for mark in _OUTPUT_MARKS)


def digest_files(root: Path, names: Sequence[str]) -> str:
    """Return the sha256, in hexadecimal, over names, kinds and contents; files are read in pieces.

    Raises BuildFailed where one cannot be read.
    """
    with ThreadPoolExecutor(_THREADS) as pool:
        shares = list(pool.map(lambda start: _digests(root, names[start::_THREADS]), range(_THREADS)))
    whole = hashlib.sha256()
    for at, name in enumerate(names):
        whole.update(name.encode("utf-8", "surrogateescape") + b"\0" + shares[at % _THREADS][at // _THREADS])
    return whole.hexdigest()


def _digests(root: Path, names: Sequence[str]) -> list[bytes]:
    return [_digest(f"{root}/{name}") for name in names]


def _digest(path: str) -> bytes:
    try:
        mode = os.lstat(path).st_mode
        if stat.S_ISLNK(mode):
            return b"l" + hashlib.sha256(os.fsencode(os.readlink(path))).digest()  # noqa: PTH115 - of thousands
        if not stat.S_ISREG(mode):
            return b"?"
        with open(path, "rb") as stream:  # noqa: PTH123 - of thousands
            content = hashlib.file_digest(stream, "sha256").digest()
    except FileNotFoundError:
        return b"-"
    except OSError as error:
        raise BuildFailed(f"{path} cannot be read: {error.strerror}") from error
    # Whether it may be executed decides what a script does.
    return (b"x" if mode & 0o100 else b"f") + content


def copy_files(root: Path, names: Sequence[str], target: Path) -> tuple[str, ...]:
    """Copy files into a folder that is made; return the links that were left out because they lead out of the tree.

    Sources are dated 1980 and what looks like an earlier build's output before that: make then makes it anew where it
    has a rule for it, and takes it as it is where it has none. Raises BuildFailed, NoSpace, NotWritable.
    """
    left_out = []
    made: set[Path] = set()
    with disk_errors(target):
        target.mkdir(parents=True)
        for name in names:
            copy = target / name
            if copy.parent not in made:
                copy.parent.mkdir(parents=True, exist_ok=True)
                made.add(copy.parent)
            if not _copy(root, name, copy):
                left_out.append(name)
    return tuple(left_out)


def _copy(root: Path, name: str, copy: Path) -> bool:
    source = root / name
    try:
        if source.is_symlink():
            link = source.readlink()
            if link.is_absolute() or _leads_out(name, str(link)):
                return False
            copy.symlink_to(link)
        elif source.is_file():
            shutil.copyfile(source, copy)
            is_program = bool(source.stat().st_mode & 0o111)
            copy.chmod(0o755 if is_program else 0o644)
            time_s = _PRODUCT_TIME_S if _is_product(copy, is_program=is_program) else _SOURCE_TIME_S
            os.utime(copy, (time_s, time_s))
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise BuildFailed(f"{source} cannot be read: {error.strerror}") from error
    return True


def _leads_out(name: str, link: str) -> bool:
    """Say whether a relative link leads out of the tree.

    >>> _leads_out("a/b", "../c"), _leads_out("a/b", "../../c")
    (False, True)
    """
    inside = os.path.normpath(f"{os.path.dirname(name)}/{link}" if "/" in name else link)  # noqa: PTH120 - no real path
    return inside == ".." or inside.startswith(("../", "/"))


def _is_product(file: Path, *, is_program: bool) -> bool:
    if file.suffix in _PRODUCTS:
        return True
    if not is_program:
        return False
    with file.open("rb") as stream:
        return stream.read(4) == b"\x7fELF"
