"""What the words of ``proa diff`` mean: a program, an image, the project as it is, a revision, what was published.

``git:REV`` and ``published:[TAG]`` (``@latest``) always work. Without a prefix a path that exists wins, then an image
with its transport, then a git revision, then an image of the local store.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec

from proa.errors import ImageMissing, ToolMissing, WrongUsage
from proa.outside.git_revision import Revision, find_revision
from proa.outside.images import located
from proa.outside.store import Store
from proa.pipeline.inspect import is_program
from proa.pipeline.inspect_binary import is_other_program
from proa.records.reference import Reference, parse_reference

PUBLISHED = "published:"
_GIT = "git:"
_LATEST = "@latest"
_TRANSPORTS = ("docker://", "docker-daemon:", "oci:", "oci-archive:", "docker-archive:", "kind:", "containerd:")
_SHALLOW = "a shallow clone has its newest commit only: `git fetch --unshallow`; fetch-depth: 0 in actions/checkout"
_SEVERAL_KINDS = "git:REV, published:TAG, docker://REGISTRY/NAME:TAG, a file, a folder"


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """One of the two things, found but not read."""

    word: str
    kind: Literal["program", "image", "project", "revision", "published"]
    path: str = ""
    """Of a program or a project."""
    reference: Reference | None = None
    revision: Revision | None = None
    tag: str = ""
    """Of what was published; empty for the newest."""


def target_of(word: str, *, directory: Path, store: Store, environ: Mapping[str, str]) -> Target:
    """Return what a word means; relative paths are as the shell has them. Raises WrongUsage, ImageMissing, ToolMissing.

    ``directory`` is the project's folder: revisions are those of its repository.
    """
    if word == _LATEST or word.startswith(PUBLISHED):
        return Target(word=word, kind="published", tag="" if word == _LATEST else word.removeprefix(PUBLISHED))
    if word.startswith(_GIT):
        name = word.removeprefix(_GIT)
        revision = find_revision(name, directory, environ=environ) if name else None
        if revision is None:
            raise _unknown_revision(name)
        return Target(word=word, kind="revision", revision=revision)
    if (found := _existing(word)) is not None:
        return found
    if word.startswith(_TRANSPORTS):
        return Target(word=word, kind="image", reference=parse_reference(word))
    return _named(word, directory, store, environ)


def _existing(word: str) -> Target | None:
    path = Path(word)
    if not word:
        return None
    try:
        is_folder, is_there = path.is_dir(), path.exists()
    except (OSError, ValueError):
        return None
    if is_folder and not (path / "index.json").is_file():
        return Target(word=word, kind="project", path=word)
    if not is_there:
        return None
    if is_program(word) or is_other_program(word):
        return Target(word=word, kind="program", path=word)
    return Target(word=word, kind="image", reference=located(word))


def _named(word: str, directory: Path, store: Store, environ: Mapping[str, str]) -> Target:
    trouble: WrongUsage | ToolMissing | None = None
    try:
        if (revision := find_revision(word, directory, environ=environ)) is not None:
            return Target(word=word, kind="revision", revision=revision)
    except (WrongUsage, ToolMissing) as error:
        trouble = error
    try:
        reference = parse_reference(word)
    except WrongUsage as error:
        raise _nothing(word, trouble) from error
    name = reference.name
    if name is not None and (name.digest or store.reference(f"{name.repository}:{name.tag or 'latest'}") is not None):
        return Target(word=word, kind="image", reference=reference)
    if name is not None and (name.registry or name.tag):
        raise ImageMissing(f"the local store has no image {word}", hint=f"for one in a registry write docker://{word}")
    raise _nothing(word, trouble)


def _nothing(word: str, trouble: WrongUsage | ToolMissing | None) -> WrongUsage:
    why = f" ({trouble.what.partition(': ')[2] or trouble.what})" if trouble else ""
    return WrongUsage(
        f"{word!r} is no file, no git revision and no image of the local store{why}",
        hint=f"name it as {_SEVERAL_KINDS}" + ("" if trouble else f"; {_SHALLOW}"),
    )


def _unknown_revision(name: str) -> WrongUsage:
    return WrongUsage(
        f"the repository has no revision {name!r}",
        hint=_SHALLOW,
    )
