"""git: which revision a source tree is at, and whether it was changed since."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from proa.errors import ToolFailed, ToolMissing, ToolTimedOut
from proa.outside.command import Ran, Run, run
from proa.records.project import Git

_PATIENCE_S = 20.0
"""A status of the largest trees takes seconds; longer means a hanging file system (arbitrary)."""


_COMMON = ("--no-optional-locks", "-c", "core.fsmonitor=false", "-c", "log.showSignature=false")
"""No lock taken for a refreshed index, and no command from the repository's own configuration started."""
_COMMIT = ("log", "-1", "--format=%H%x00%h%x00%ct%x00%D%x00%(describe:tags=true)", "--decorate=full")
_STATUS = ("status", "--porcelain=v2", "--branch", "-z", "--untracked-files=normal")
_REMOTE = ("remote", "get-url", "origin")
_SET_BY_HOOKS = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR")


def read_git(directory: Path, *, environ: Mapping[str, str], run: Run = run) -> Git:
    """Return what git says of the tree a folder is in; an empty record without git, a repository or a commit.

    Three processes at once: the commit with its tags, the state of the tree (untracked files count as changes, as
    they do for ``go build``), the remote. ``why_not`` says why a record is empty.
    """
    from concurrent.futures import ThreadPoolExecutor

    if not _in_repository(directory):
        return Git()
    with ThreadPoolExecutor(3) as pool:
        answers = pool.map(lambda words: _git(words, directory, environ, run), (_COMMIT, _STATUS, _REMOTE))
        commit, status, remote = (answer.text if answer and answer.status == 0 else "" for answer in answers)
    if not commit or not status:
        return Git()
    revision, short, epoch, refs, described = (*commit.strip("\n").split("\0"), "", "", "", "", "")[:5]
    branch, is_dirty = parse_status(status)
    epoch_s = int(epoch) if epoch.isdigit() else 0
    return Git(
        revision=revision,
        short_revision=short,
        tag=pick_tag(refs, described),
        branch=branch,
        committed_at=datetime.fromtimestamp(epoch_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        committed_epoch_s=epoch_s,
        is_dirty=is_dirty,
        remote=clean_remote(remote.strip()),
    )


def why_not(directory: Path, *, environ: Mapping[str, str], run: Run = run) -> str:
    """Return why there is nothing to read; empty where all is well, or where there is no repository."""
    if not _in_repository(directory):
        return ""
    ran = _git(("log", "-1", "--format=%H"), directory, environ, run)
    if ran is None:
        return "git is not installed, or did not answer"
    lines = ran.stderr.decode(errors="replace").strip().splitlines()
    return lines[0].removeprefix("fatal: ") if ran.status and lines else ""


def pick_tag(refs: str, described: str) -> str:
    """Return the tag that points at a commit, the highest version of several; else what ``git describe`` says.

    >>> pick_tag("HEAD -> refs/heads/main, tag: refs/tags/v1.9.0, tag: refs/tags/v1.10.0", "v1.9.0")
    'v1.10.0'
    >>> pick_tag("HEAD -> refs/heads/main", "v1.10.0-3-g57f21a8")
    'v1.10.0-3-g57f21a8'
    """
    tags = [ref.removeprefix("tag: refs/tags/") for ref in refs.split(", ") if ref.startswith("tag: refs/tags/")]
    if tags:
        return max(tags, key=_version_order)
    # A git before 2.32 does not know the placeholder and prints it.
    return "" if described.startswith("%") else described


def parse_status(text: str) -> tuple[str, bool]:
    r"""Return branch (empty when detached) and whether anything differs from the commit.

    Source: `git help status`, porcelain format version 2.

    >>> parse_status("# branch.oid 57f2\0# branch.head main\0? new.go\0")
    ('main', True)
    """
    branch, is_dirty = "", False
    for entry in text.split("\0"):
        if entry.startswith("# branch.head "):
            branch = entry.removeprefix("# branch.head ")
        elif entry and not entry.startswith(("# ", "! ")):
            is_dirty = True
    return ("" if branch == "(detached)" else branch), is_dirty


# user@host:path, the form that scp takes; a port cannot be given in it.
_SCP = re.compile(r"^(?:[^@/\s]+@)?([A-Za-z0-9][A-Za-z0-9.-]*):(?!//)(.+)$")


def clean_remote(remote: str) -> str:
    """Return a remote as an https address without user, password, query or port of another protocol.

    Empty for a folder on this machine, which means nothing to anybody else.

    >>> clean_remote("git@github.com:proa-dev/proa.git")
    'https://github.com/proa-dev/proa'
    >>> clean_remote("https://me:secret@git.example.com:8443/a/b.git")
    'https://git.example.com:8443/a/b'
    """
    if "://" not in remote and (match := _SCP.match(remote)):
        host, path, port = match.group(1), match.group(2), None
    else:
        try:
            parts = urlsplit(remote)
            host, path, port = (
                parts.hostname or "",
                parts.path,
                parts.port if parts.scheme in ("http", "https") else None,
            )
        except ValueError:
            return ""
        if parts.scheme not in ("https", "http", "ssh", "git", "git+ssh", "ssh+git"):
            return ""
    path = path.strip("/").removesuffix(".git")
    if not host or not path:
        return ""
    place = f"[{host}]" if ":" in host else host
    return f"https://{place}{f':{port}' if port else ''}/{path}"


def _version_order(tag: str) -> tuple[list[int], bool, str]:
    """Order tags as versions: by their numbers, a release before its candidates, then by name."""
    numbers, _, rest = tag.partition("-")
    return [int(number) for number in re.findall(r"\d{1,9}", numbers)], not rest, tag


def _in_repository(directory: Path) -> bool:
    return any((folder / ".git").exists() for folder in (directory, *directory.parents))


def _git(words: tuple[str, ...], directory: Path, environ: Mapping[str, str], run: Run) -> Ran | None:
    """Return what git answers, whatever its status; None where there is no git or it does not answer."""
    try:
        return ask_git(words, directory, environ=environ, run=run)
    except (ToolMissing, ToolFailed, ToolTimedOut):
        return None


def ask_git(
    words: Sequence[str],
    directory: Path,
    *,
    environ: Mapping[str, str],
    run: Run = run,
    stdin: bytes | None = None,
    timeout_s: float = _PATIENCE_S,
) -> Ran:
    """Return what git answers for a folder, whatever its status. Raises ToolMissing, ToolFailed, ToolTimedOut."""
    # Inside a hook these point at another tree than the folder that was asked for.
    env = {name: value for name, value in environ.items() if name not in _SET_BY_HOOKS} | {"LC_ALL": "C"}
    return run(["git", *_COMMON, *words], cwd=directory, env=env, stdin=stdin, accept=None, timeout_s=timeout_s)
