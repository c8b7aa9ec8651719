"""Files of the user's own: those in proa.yaml, those the program opens by name, and ko's ``kodata``.

Nothing is read from outside the tree it was asked for in: a symbolic link is followed only while it stays inside.
"""

from __future__ import annotations

import os
import posixpath
import stat
from collections.abc import Iterator
from pathlib import Path

from proa.errors import NotWritable, UnsafePath, WrongConfiguration
from proa.pack.entries import Entry
from proa.records.configuration import AssetFile
from proa.records.evidence import Need
from proa.records.project import Main

KODATA_PATH = "var/run/ko"
"""Source: https://ko.build/features/static-assets/ (KO_DATA_PATH)."""
_MOST_DEPTH = 128


def configured(files: tuple[AssetFile, ...], directory: Path) -> Iterator[Entry]:
    """Yield what ``image.files`` asks for. Raises WrongConfiguration, UnsafePath, NotWritable."""
    for number, asset in enumerate(files):
        where = f"image.files[{number}]"
        target = image_path(asset.target, where=f"{where}.to")
        uid, gid = _owner(asset.owner, where)
        mode = _mode(asset.mode, where)
        source = inside(directory, asset.source, where=f"{where}.from")
        if asset.target.endswith("/") and not source.is_dir():
            target = f"{target}/{source.name}".lstrip("/")
        yield from tree(source, target, root=directory, reason=f"{where}: {asset.source}", mode=mode, uid=uid, gid=gid)


def needed(needs: tuple[Need, ...], workdir: str, *, main: Main, directory: Path) -> Iterator[Entry]:
    """Yield files the program opens by a relative path, laid out so that it opens them from ``workdir``.

    They are looked for where the program would be started by hand: the repository, its module, its own package.
    Raises UnsafePath where such a path leads out of the repository.
    """
    for need in needs:
        if not need.what or need.what.startswith("/"):
            continue
        source = _first_there(need.what, main, directory)
        if source is not None:
            target = posixpath.normpath(posixpath.join(workdir, need.what)).strip("/")
            yield from tree(source, target, root=directory, reason=need.reason)


def kodata(main: Main, directory: Path) -> Iterator[Entry]:
    """Yield the ``kodata`` folder beside the main package as ko would lay it out. Raises UnsafePath."""
    source = Path(main.directory) / "kodata"
    if main.directory and source.is_dir():
        root = directory if source.is_relative_to(directory) else Path(main.module_directory or main.directory)
        yield from tree(source, KODATA_PATH, root=root, reason="kodata beside the main package (KO_DATA_PATH)")


def tree(
    source: Path, target: str, *, root: Path, reason: str, mode: int | None = None, uid: int = 0, gid: int = 0
) -> Iterator[Entry]:
    """Yield a file, or a folder and all that is in it; links inside ``root`` are followed, as ko and docker do.

    Raises UnsafePath for a link that leads out of ``root`` and for devices, sockets and pipes.
    """
    yield from _walk(source, target, Path(os.path.realpath(root)), (reason, target, mode, uid, gid), ())


def inside(root: Path, relative: str, *, where: str) -> Path:
    """Return a path in a tree. Raises UnsafePath where it leads out, WrongConfiguration where nothing is there."""
    top = Path(os.path.realpath(root))
    path = Path(os.path.normpath(top / relative))
    if not relative or Path(relative).is_absolute() or not path.is_relative_to(top):
        raise UnsafePath(f"{where}: {relative!r} leads out of {root}", hint="give a path inside the project")
    if not os.path.lexists(path):
        raise WrongConfiguration(f"{where}: {relative} does not exist", hint=f"it is looked for in {root}")
    _contained(path, top)
    return path


def image_path(text: str, *, where: str) -> str:
    """Return an absolute path of the image without its slash. Raises WrongConfiguration, UnsafePath.

    >>> image_path("/etc/app/", where="x")
    'etc/app'
    """
    if not text.startswith("/"):
        raise WrongConfiguration(f"{where}: {text!r} is not an absolute path of the image")
    if ".." in text.split("/") or "\0" in text:
        raise UnsafePath(f"{where}: {text!r} may not contain ..")
    path = posixpath.normpath(text).strip("/")
    return "" if path == "." else path


_Look = tuple[str, str, int | None, int, int]


def _walk(path: Path, target: str, top: Path, look: _Look, above: tuple[tuple[int, int], ...]) -> Iterator[Entry]:
    reason, group, mode, uid, gid = look
    if any(0xDC80 <= ord(character) <= 0xDCFF for character in target):
        raise UnsafePath(f"{target!a} is not UTF-8", hint="rename the file: an image's paths are UTF-8")
    real = _contained(path, top)
    try:
        status = real.stat()
    except OSError as error:
        raise NotWritable(f"{path} cannot be read: {error.strerror}") from error
    if stat.S_ISDIR(status.st_mode):
        identity = (status.st_dev, status.st_ino)
        if identity in above or len(above) > _MOST_DEPTH:
            raise UnsafePath(f"{path} leads back to a folder it is in", hint="remove the symbolic link")
        if target:
            yield Entry(
                path=target, kind="folder", mode=_folder_mode(mode), uid=uid, gid=gid, reason=reason, group=group
            )
        try:
            names = sorted((below.name for below in real.iterdir()), key=os.fsencode)
        except OSError as error:
            raise NotWritable(f"{path} cannot be read: {error.strerror}") from error
        for name in names:
            if name != ".git":
                below = f"{target}/{name}" if target else name
                yield from _walk(path / name, below, top, look, (*above, identity))
    elif stat.S_ISREG(status.st_mode):
        kept = mode if mode is not None else (0o555 if status.st_mode & 0o111 else 0o444)
        yield Entry(
            path=target,
            mode=kept,
            uid=uid,
            gid=gid,
            size_bytes=status.st_size,
            source=real,
            reason=reason,
            group=group,
        )
    else:
        raise UnsafePath(f"{path} is a device, socket or pipe", hint="only files and folders can go into an image")


def _contained(path: Path, top: Path) -> Path:
    try:
        real = Path(os.path.realpath(path, strict=True))
    except OSError as error:
        raise UnsafePath(f"{path} leads nowhere: {error.strerror}", hint="remove or mend the symbolic link") from error
    if not real.is_relative_to(top):
        raise UnsafePath(f"{path} leads out of {top}, to {real}", hint="copy what is needed into the project")
    return real


def _first_there(what: str, main: Main, directory: Path) -> Path | None:
    top = Path(os.path.realpath(directory))
    for start in (directory, Path(main.module_directory or directory), Path(main.directory or directory)):
        path = Path(os.path.normpath(Path(os.path.realpath(start)) / what))
        if os.path.lexists(path):
            if not path.is_relative_to(top):
                raise UnsafePath(f"the program opens {what}, which leads out of {directory}")
            return path
    return None


def _folder_mode(mode: int | None) -> int:
    # A folder is entered by whoever may read its files: 0640 becomes 0750.
    return 0o555 if mode is None else mode | (mode & 0o444) >> 2


def _mode(text: str, where: str) -> int | None:
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or not set(text) <= set("01234567") or int(text, 8) > 0o7777:
        raise WrongConfiguration(f"{where}.mode: {text!r} is not an octal mode", hint='write it as "0644"')
    return int(text, 8)


def _owner(text: str, where: str) -> tuple[int, int]:
    if not text:
        return 0, 0
    uid, colon, gid = text.partition(":")
    if not uid.isdecimal() or not text.isascii() or (colon and not gid.isdecimal()) or len(text) > 21:
        raise WrongConfiguration(f"{where}.owner: {text!r} is not numeric uid:gid", hint='write it as "65532:65532"')
    return int(uid), int(gid or 0)
