"""What in an image is worth telling: leftovers, secrets, files with too many rights, an entrypoint that cannot start.

Secrets are looked for in every stored file, shown or not: who has the image has all its layers. All else is about the
final view.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

import msgspec

from proa.inspect.entrypoint import entrypoint_findings
from proa.inspect.history import is_secret_name
from proa.inspect.merge import Merged, Node, Stored
from proa.records.evidence import Severity
from proa.records.image_anatomy import AnatomyFinding
from proa.records.layer_entry import SecretKind
from proa.records.oci import Config

_MOST_OF_ONE_ID = 50
_ORDER: dict[Severity, int] = {"error": 0, "warning": 1, "info": 2}
_SECRETS: dict[SecretKind, str] = {
    "private-key": "a private key",
    "env-file": "a file of variables, which usually has secrets in it",
    "aws-key": "an AWS access key",
    "npm-token": "an npm token",
    "credentials": "a stored password or login",
    "token": "an access token of a code host",
}


_SET_ID = ((0o4000, "setuid", "set-user-id", "u"), (0o2000, "setgid", "set-group-id", "g"))
_ROOT = re.compile(r"|root|[+-]?0+")
"""Source: moby/sys/user, GetExecUser: a name, or a number as Go's strconv.Atoi reads it."""


class _Leftover(msgspec.Struct, frozen=True, kw_only=True):
    """Files that a program seldom needs: one finding for each folder they are in."""

    id: str
    pattern: re.Pattern[str]
    """Its first group is the folder, or the file, that the finding names."""
    what: str
    hint: str
    severity: Severity = "warning"


def _leftover(id_: str, pattern: str, what: str, hint: str, severity: Severity = "warning") -> _Leftover:
    return _Leftover(id=id_, pattern=re.compile(pattern), what=what, hint=hint, severity=severity)


_LEFTOVERS = (
    _leftover(
        "cache.apt",
        r"^(var/lib/apt/lists|var/cache/apt)/(?!lock$|partial$).+",
        "package lists and archives of apt",
        "remove /var/lib/apt/lists/* in the same RUN, or mount a cache",
    ),
    _leftover("cache.apk", r"^(var/cache/apk|etc/apk/cache)/.+", "the cache of apk", "use `apk add --no-cache`"),
    _leftover(
        "cache.dnf",
        r"^(var/cache/(?:dnf|yum|libdnf5|zypp))/.+",
        "the cache of dnf or yum",
        "`dnf clean all` in the same RUN",
    ),
    _leftover(
        "cache.pip",
        r"^((?:root|home/[^/]+|.*/)?/?\.cache/(?:pip|uv|pypoetry))/.+",
        "the cache of pip",
        "use `pip install --no-cache-dir`",
    ),
    _leftover(
        "cache.npm",
        r"^((?:.*/)?(?:\.npm/_cacache|\.cache/yarn|\.yarn/cache|\.local/share/pnpm/store|usr/local/share/\.cache))/.+",
        "the cache of npm, yarn or pnpm",
        "`npm cache clean --force` in the same RUN, or mount a cache",
    ),
    _leftover(
        "cache.go", r"^((?:.*/)?(?:\.cache/go-build|go/pkg/mod))/.+", "Go's caches", "build in a stage of its own"
    ),
    _leftover(
        "cache.cargo", r"^((?:.*/)?\.?cargo/(?:registry|git))/.+", "cargo's registry", "build in a stage of its own"
    ),
    _leftover(
        "cache.java",
        r"^((?:.*/)?(?:\.m2/repository|\.gradle/(?:caches|wrapper)))/.+",
        "the cache of Maven or Gradle",
        "build in a stage of its own",
    ),
    _leftover(
        "cache.other",
        r"^((?:.*/)?\.(?:bundle/cache|composer/cache|cache/composer))/.+",
        "a package manager's cache",
        "remove it in the same RUN",
    ),
    _leftover(
        "build.compiler",
        r"^((?:usr/)?(?:local/)?bin/(?:[a-z0-9_]+-linux-[a-z]+-)?(?:gcc|g\+\+|cc|c\+\+|clang|clang\+\+|rustc|javac|as|ld)(?:-[0-9.]+)?"
        r"|usr/lib(?:exec)?/gcc/.+/cc1(?:plus)?|usr/local/go/bin/go|usr/lib/go[^/]*/bin/go)$",
        "a compiler or linker",
        "build in a stage of its own and copy the result",
    ),
    _leftover(
        "build.headers",
        r"^(usr/include|usr/local/include|usr/local/go/src)/.+",
        "header or source files for compiling",
        "build in a stage of its own and copy the result",
    ),
    _leftover(
        "docs",
        r"^(usr/(?:local/)?share/(?:doc|man|info|gtk-doc))/(?!.*/copyright$).+",
        "documentation",
        "leave it out: `--nodocs`, or dpkg's path-exclude",
        "info",
    ),
    _leftover("vcs", r"^((?:.*/)?\.(?:git|hg|svn|bzr))/.+", "the history of a source tree", "name it in .dockerignore"),
    _leftover(
        "ssh.server",
        r"^((?:usr/)?(?:local/)?s?bin/(?:sshd|dropbear|tinysshd))$",
        "an SSH server",
        "use `kubectl debug` or `docker exec` instead",
    ),
)
#: One search tells that no pattern can match: most paths of an image are spared the fourteen.
_ANY = re.compile(
    r"cache|apt/lists|go/pkg/mod|cargo/|\.m2/|\.gradle/|bin/|/cc1|include/|/share/|go/src/|\.git/|\.hg/|\.svn/|\.bzr/|pnpm"
)


def find_all(
    merged: Merged, config: Config, digests: Sequence[str], *, most_of_one_id: int = _MOST_OF_ONE_ID
) -> tuple[AnatomyFinding, ...]:
    """Return every finding, the most severe first; of each id the first fifty. ``digests`` are the layers'."""
    names = list(digests)
    visible = list(merged.walk())
    found = [
        *entrypoint_findings(merged, config, names),
        *_secrets(merged, names),
        *_configured(config),
        *_rights(visible, names),
        *_leftovers(visible, names),
    ]
    counted: dict[str, int] = {}
    kept = []
    for finding in sorted(found, key=lambda one: (_ORDER[one.severity], one.id, one.path)):
        counted[finding.id] = counted.get(finding.id, 0) + 1
        if counted[finding.id] <= most_of_one_id:
            kept.append(finding)
    return tuple(kept)


def _secrets(merged: Merged, digests: Sequence[str]) -> Iterator[AnatomyFinding]:
    for stored in merged.stored:
        for kind in stored.entry.seen.secrets if stored.entry.seen else ():
            yield _secret(stored, kind, digests)


def _secret(stored: Stored, kind: SecretKind, digests: Sequence[str]) -> AnatomyFinding:
    path = f"/{stored.entry.path}"
    gone = "" if stored.shown_at else "; a later layer hides the file, but whoever has the image can still read it"
    # Software brings test keys and samples along: told, not cried out.
    is_sample = re.search(r"(?:^|/)(?:tests?|testdata|examples?|doc|docs)/", stored.entry.path) is not None
    return AnatomyFinding(
        id=f"secret.{kind}",
        severity="warning" if is_sample or kind == "env-file" else "error",
        path=path,
        layer=digests[stored.layer],
        message=f"{path} has {_SECRETS[kind]}{gone}",
        hint="revoke it, and give it to the build by `RUN --mount=type=secret` or to the container at run time",
    )


def _configured(config: Config) -> Iterator[AnatomyFinding]:
    execution = config.config
    user = (execution and execution.user) or ""
    if config.os == "linux" and _ROOT.fullmatch(user.partition(":")[0]):
        yield AnatomyFinding(
            id="user.root",
            severity="warning",
            message="the image runs as root" + ("" if user else ": it names no user"),
            hint="USER 65532:65532, or another number that is not 0",
        )
    for line in (execution and execution.env) or ():
        name, _, value = line.partition("=")
        if value and is_secret_name(name) and not value.startswith("/"):
            yield AnatomyFinding(
                id="secret.environment",
                severity="error",
                message=f"the variable {name} is set in the image and looks like a secret",
                hint="give it to the container at run time",
            )


def _rights(visible: Sequence[tuple[str, Node]], digests: Sequence[str]) -> Iterator[AnatomyFinding]:
    for path, node in visible:
        entry = node.entry
        if entry is None or entry.kind == "symlink" or not entry.mode & 0o6002:
            continue
        layer = digests[node.layer]
        for bit, name, which, whose in _SET_ID if entry.kind == "file" else ():
            if entry.mode & bit:
                yield AnatomyFinding(
                    id=name,
                    severity="warning",
                    path=f"/{path}",
                    layer=layer,
                    message=f"/{path} is {which} ({entry.mode:04o})",
                    hint=f"chmod {whose}-s, or run with no-new-privileges",
                )
        # A folder of mode 1777, as /tmp is, lets nobody remove what is another's.
        if entry.mode & 0o002 and entry.kind != "device" and not (entry.kind == "folder" and entry.mode & 0o1000):
            yield AnatomyFinding(
                id="world-writable",
                severity="warning",
                path=f"/{path}",
                layer=layer,
                message=f"everybody may write to /{path} ({entry.mode:04o})",
                hint="chmod o-w",
            )


def _leftovers(visible: Sequence[tuple[str, Node]], digests: Sequence[str]) -> Iterator[AnatomyFinding]:
    groups: dict[tuple[int, str], list[tuple[int, int]]] = {}
    for path, node in visible:
        if node.below is not None or not _ANY.search(path):
            continue
        for number, leftover in enumerate(_LEFTOVERS):
            if match := leftover.pattern.match(path):
                size = node.stored.entry.size_bytes if node.stored else 0
                groups.setdefault((number, match[1]), []).append((size, node.layer))
                break
    for (number, place), files in groups.items():
        yield _left(_LEFTOVERS[number], place, files, digests)


def _left(leftover: _Leftover, place: str, files: list[tuple[int, int]], digests: Sequence[str]) -> AnatomyFinding:
    total = sum(size for size, _ in files)
    by_layer: dict[int, int] = {}
    for size, layer in files:
        by_layer[layer] = by_layer.get(layer, 0) + size
    most: Callable[[int], tuple[int, int]] = lambda layer: (by_layer[layer], layer)  # noqa: E731
    counted = f"{len(files)} file{'' if len(files) == 1 else 's'}, {total} bytes"
    return AnatomyFinding(
        id=leftover.id,
        severity=leftover.severity,
        path=f"/{place}",
        layer=digests[max(by_layer, key=most)],
        message=f"/{place} is {leftover.what} ({counted})",
        hint=leftover.hint,
    )
