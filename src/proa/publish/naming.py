"""Where images go and what they are called there: a pure judgement over flags and names.

The naming flags are ko's. Source: https://ko.build/configuration/#naming-images (and pkg/commands/options/publish.go).
"""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import assert_never

import msgspec

from proa.errors import WrongUsage
from proa.records.project import Main
from proa.records.reference import Name, Reference, parse_name, parse_reference
from proa.records.request import Naming

DEFAULT_TAG = "latest"
_PLACE = "{name}"
_FILES = frozenset({"oci-archive", "docker-archive"})


def chosen_repository(environ: Mapping[str, str], configured: str = "") -> str:
    """Return where ``--push`` goes: PROA_REPO, else KO_DOCKER_REPO, else proa.yaml's ``repo``; empty for nowhere.

    >>> chosen_repository({"KO_DOCKER_REPO": "ghcr.io/team"}, "other.example")
    'ghcr.io/team'
    """
    return (environ.get("PROA_REPO") or environ.get("KO_DOCKER_REPO") or configured).rstrip("/")


def image_name(program: str) -> str:
    """Return a program's name as an image may be called.

    >>> image_name("My_App..v2"), image_name("-x-")
    ('my_app.v2', 'x')
    """
    lowered = re.sub(r"[^a-z0-9._-]+", "-", program.lower())
    single = re.sub(r"\.{2,}", ".", re.sub(r"_{3,}", "__", lowered))
    # Different separators side by side are not in the grammar of names.
    return re.sub(r"(?:[.]+[_-]+|[_-]+[.]+|_+-+|-+_+)+", "-", single).strip("._-") or "program"


def pushed_name(repository: str, import_path: str, naming: Naming) -> str:
    """Return the name ko would push a program under, without tag.

    >>> pushed_name("r.example", "example.com/shop/cmd/API", "preserve")
    'r.example/example.com/shop/cmd/api'
    """
    # ko lowers the import path before it hashes it.
    path = import_path.lower()
    match naming:
        case "hashed":
            # A name, not a secret: the hash is ko's, so that both tools push to the same place.
            digest = hashlib.md5(path.encode(), usedforsecurity=False).hexdigest()
            return posixpath.join(repository, f"{posixpath.basename(path)}-{digest}")
        case "bare":
            return repository
        case "base":
            return posixpath.join(repository, posixpath.basename(path))
        case "preserve":
            return posixpath.join(repository, path)
        case _:
            assert_never(naming)


def destinations(
    mains: Sequence[Main],
    *,
    to: Sequence[str] = (),
    should_push: bool = False,
    repository: str = "",
    naming: Naming = "hashed",
    tags: Sequence[str] = (),
) -> tuple[tuple[Reference, ...], ...]:
    """Return every program's destinations, in the order of ``mains``; never none: the local store is the default.

    ``{name}`` in ``to`` stands for the program's name. A destination's own tag comes before ``tags``.
    Raises WrongUsage where two programs would meet in one place.
    """
    if should_push and not repository:
        raise WrongUsage(
            "--push does not know where to", hint="set PROA_REPO or KO_DOCKER_REPO, or use --to docker://…"
        )
    for text in to:
        if len(mains) > 1 and _PLACE not in text:
            names = ", ".join(main.name for main in mains)
            raise WrongUsage(f"--to {text} is one place for several programs ({names})", hint="put {name} into it")
    found = tuple(
        tuple(
            dict.fromkeys(
                place
                for template in _templates(main, to, should_push, repository, naming)
                for place in _tagged(template, tags, main)
            )
        )
        for main in mains
    )
    _check_apart(mains, found)
    return found


def _templates(main: Main, to: Sequence[str], should_push: bool, repository: str, naming: Naming) -> list[Reference]:
    places = [parse_reference(text.replace(_PLACE, image_name(main.name))) for text in to]
    if should_push:
        places.append(_pushed(pushed_name(repository, main.import_path, naming)))
    return places or [Reference(transport="store", name=Name(registry="", path=image_name(main.name)))]


def _pushed(name: str) -> Reference:
    """Return where a name of ``--push`` is: ``ko.local`` is the docker daemon, ``kind.local`` the kind cluster."""
    first = name.partition("/")[0]
    if first == "ko.local":
        return Reference(transport="docker-daemon", name=parse_name(name))
    if first == "kind.local":
        return Reference(transport="kind", name=parse_name(name))
    reference = parse_reference(f"docker://{name}")
    if reference.tag or (reference.name and reference.name.digest):
        raise WrongUsage(f"{name} has a tag or digest", hint="the repository of --push has none; use --tags")
    return reference


def _tagged(place: Reference, tags: Sequence[str], main: Main) -> tuple[Reference, ...]:
    if place.name and place.name.digest:
        raise WrongUsage(f"{place} names a digest", hint="a digest is what comes out; name a tag")
    wanted = tuple(dict.fromkeys((*((place.tag,) if place.tag else ()), *tags)))
    if not wanted and place.transport not in ("oci", "oci-archive"):
        wanted = (DEFAULT_TAG,)
    if len(wanted) > 1 and place.transport in _FILES:
        raise WrongUsage(f"{place} is one file and takes one tag, not {', '.join(wanted)}")
    name = place.name or Name(registry="", path="")
    if place.transport == "docker-archive" and not name.path:
        name = Name(registry="", path=image_name(main.name))
    if not wanted:
        return (place,)
    return tuple(_with_tag(place, name, tag) for tag in wanted)


def _with_tag(place: Reference, name: Name, tag: str) -> Reference:
    checked = parse_name(f"{name.repository or 'name'}:{tag}")
    return msgspec.structs.replace(place, name=msgspec.structs.replace(name, tag=checked.tag))


def _check_apart(mains: Sequence[Main], found: Sequence[Sequence[Reference]]) -> None:
    counted = Counter(str(place) for places in found for place in places)
    for main, places in zip(mains, found, strict=True):
        for place in places:
            if counted[str(place)] > 1:
                raise WrongUsage(
                    f"several programs would go to {place} ({main.import_path} is one)",
                    hint="ship them one by one under different names, or push with --preserve-import-paths",
                )
