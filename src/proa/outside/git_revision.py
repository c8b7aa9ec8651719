"""A revision of the repository a folder is in: found, and laid out elsewhere without touching the work tree.

The copy is a repository of its own that borrows the objects of the first one, so nothing is noted there, and whatever
asks git for version, tags and changes (the go command, proa) gets the answers of that revision.
Source: gitrepository-layout(5), ``objects/info/alternates`` and ``shallow``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from proa.errors import WrongUsage
from proa.outside.command import Ran, Run, last_lines, run
from proa.outside.git import ask_git
from proa.outside.store import disk_errors

_PATIENCE_S = 600.0
"""A checkout of the largest repositories takes minutes."""
_QUIET = ("-c", "core.hooksPath=/dev/null", "-c", "advice.detachedHead=false", "-c", "gc.auto=0")
"""No hook of anybody's is run for a copy."""


class Revision(msgspec.Struct, frozen=True, kw_only=True):
    """A commit, and the folder of the repository that was meant."""

    word: str
    """As it was asked for."""
    commit: str
    top: Path
    folder: str
    """Of the project, relative to the top; empty for the top itself."""

    def __str__(self) -> str:
        """Return the word and the commit."""
        return f"{self.word} ({self.commit[:12]})" if not self.commit.startswith(self.word) else self.commit[:12]


def find_revision(word: str, directory: Path, *, environ: Mapping[str, str], run: Run = run) -> Revision | None:
    """Return the commit that a word means in the repository of a folder; None for none.

    Raises WrongUsage outside a repository, ToolMissing.
    """
    if word.startswith("-") or not word.isprintable():
        return None
    place = ask_git(("rev-parse", "--show-toplevel", "--show-prefix"), directory, environ=environ, run=run)
    if place.status:
        raise WrongUsage(
            f"{word!r} cannot be a git revision: {_said(place) or 'this is no git repository'}",
            hint="run it in the project's repository",
        )
    found = ask_git(
        ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{word}^{{commit}}"),
        directory,
        environ=environ,
        run=run,
    )
    commit = found.text.strip()
    if found.status or not commit:
        return None
    top, _, folder = place.text.rstrip("\n").partition("\n")
    return Revision(word=word, commit=commit, top=Path(top), folder=folder.rstrip("/"))


def check_out(revision: Revision, target: Path, *, environ: Mapping[str, str], run: Run = run) -> Path:
    """Lay a revision out in an empty folder and return the project's folder in it. Raises WrongUsage, NoSpace."""

    def ask(*words: str, folder: Path = target, stdin: bytes | None = None) -> Ran:
        return ask_git((*_QUIET, *words), folder, environ=environ, run=run, stdin=stdin, timeout_s=_PATIENCE_S)

    def answer(*words: str) -> str:
        return ask(*words, folder=revision.top).text.strip()

    form = answer("rev-parse", "--show-object-format")
    _succeed(ask("init", "--quiet", "--template=", f"--object-format={form or 'sha1'}", str(target)), revision)
    own = target / ".git"
    with disk_errors(target):
        objects = revision.top / answer("rev-parse", "--git-path", "objects")
        (own / "objects" / "info").mkdir(parents=True, exist_ok=True)
        (own / "objects" / "info" / "alternates").write_text(f"{objects.resolve()}\n")
        shallow = revision.top / answer("rev-parse", "--git-path", "shallow")
        if shallow.is_file():
            (own / "shallow").write_bytes(shallow.read_bytes())
    tags = answer("for-each-ref", "refs/tags", "--format=create %(refname) %(objectname)")
    if tags:
        _succeed(ask("update-ref", "--stdin", stdin=f"{tags}\n".encode()), revision)
    if remote := answer("remote", "get-url", "origin"):
        ask("remote", "add", "origin", remote)
    _succeed(ask("checkout", "--quiet", "--detach", revision.commit, "--"), revision)
    folder = target / revision.folder
    if not folder.is_dir():
        raise WrongUsage(
            f"revision {revision} has no folder {revision.folder}", hint="run it in a folder that both have"
        )
    return folder


def _succeed(ran: Ran, revision: Revision) -> None:
    if ran.status:
        raise WrongUsage(f"revision {revision} cannot be checked out", output=last_lines(ran.stderr))


def _said(ran: Ran) -> str:
    lines = ran.stderr.decode(errors="replace").strip().splitlines()
    return lines[0].removeprefix("fatal: ") if lines else ""
