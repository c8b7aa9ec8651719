"""An image packed and tried, and packed again with the libraries that the trial saw the program open.

What a program opens by name while it runs (dlopen) is in none of its tables. The trial's trace, or the loader's own
words, name what was asked for and not there; what this machine has of it is added. What was found is kept, so that an
unchanged program is packed with it at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import msgspec

from proa import build, pack
from proa.errors import LibraryMissing
from proa.pipeline import steps, trials
from proa.pipeline.prebuilt import library_path
from proa.pipeline.steps import Work, key_of
from proa.records.binary import Binary
from proa.records.evidence import Finding, Needs
from proa.records.project import Project
from proa.records.trial import Trial

MOST_ROUNDS = 3
"""A library that is opened may open others."""
_MOST_OPENED = 64
_LIBRARY = re.compile(r"[^/\s]{1,200}\.so(?:\.[0-9][0-9A-Za-z.]{0,30})?")
_MISSED = re.compile(r"^ENOENT (/.+)$")
_SAID = (
    re.compile(r"(?P<what>[^\s'\"`]+\.so[0-9.]*): cannot open shared object file"),
    re.compile(r"Error loading shared library (?P<what>[^\s:]+): No such file"),
)
"""Source: dlerror(3) of glibc (elf/dl-load.c) and musl (ldso/dynlink.c)."""


def pack_and_try(
    work: Work,
    number: int,
    binary: Binary,
    needs: Needs,
    *,
    project: Project,
    base: pack.Base | None,
    should_try: bool,
) -> tuple[Binary, Needs, pack.Packed, Trial | None]:
    """Return the image, its trial, and the program and needs with what was added on the way."""
    if binary.language == "java":
        from proa.pipeline import jar

        whole, packed, tried = jar.pack_and_try(work, binary, needs, project=project, base=base, should_try=should_try)
        return whole, needs, packed, tried
    if not binary.runtime_files:
        packed = steps.pack_image(work, binary, needs, project=project, base=base)
        return binary, needs, packed, trials.try_program(work, packed.image, project, needs) if should_try else None
    key = key_of("opened", binary, work.plan.settings.trial)
    opened = _kept(work, key)
    whole = _extended(work, binary, opened)
    for rounds_left in range(MOST_ROUNDS, -1, -1):
        if whole is not binary:
            needs = steps.find_needs(work, number, whole)
        packed = steps.pack_image(work, whole, needs, project=project, base=base)
        if not should_try:
            return whole, needs, packed, None
        tried = trials.try_program(work, packed.image, project, needs)
        more = _merged(opened, asked_for(tried))
        extended = _extended(work, binary, more) if more != opened and rounds_left else whole
        if extended.runtime_files == whole.runtime_files:
            return whole, needs, packed, tried
        opened, whole = more, extended
        work.bench.store.set_stage("opened", key, msgspec.json.encode(opened))
    raise AssertionError("the last round returns")


def _kept(work: Work, key: str) -> tuple[build.Opened, ...]:
    content = work.bench.store.stage("opened", key)
    try:
        return msgspec.json.decode(content, type=tuple[build.Opened, ...]) if content else ()
    except msgspec.MsgspecError:
        return ()


def asked_for(trial: Trial) -> Iterator[build.Opened]:
    """Yield the libraries that a program asked for in its trial and that were not there.

    >>> from proa.records.trial import Limits
    >>> one = Trial(verdict="failed", reason="", limits=Limits(), missed_files=("ENOENT /lib/a.so", "ENOENT /x"))
    >>> [opened.name for opened in asked_for(one)]
    ['a.so']
    """
    paths: dict[str, list[str]] = {}
    for missed in trial.missed_files:
        if found := _MISSED.match(missed):
            paths.setdefault(PurePosixPath(found[1]).name, []).append(found[1])
    for pattern in _SAID:
        for found in pattern.finditer(trial.output):
            what = found["what"]
            places = paths.setdefault(PurePosixPath(what).name, [])
            if "/" in what and (path := "/" + what.lstrip("./")) not in places:
                places.append(path)
    for name, places in list(paths.items())[:_MOST_OPENED]:
        if _LIBRARY.fullmatch(name):
            yield build.Opened(name=name, paths=tuple(places))


def _merged(known: Sequence[build.Opened], more: Iterator[build.Opened]) -> tuple[build.Opened, ...]:
    found = {one.name: one for one in known}
    for one in more:
        found.setdefault(one.name, one)
    return tuple(found.values())[:_MOST_OPENED]


def _extended(work: Work, binary: Binary, opened: Sequence[build.Opened]) -> Binary:
    """Return a program with the libraries it opens, as far as this machine has them."""
    if not opened:
        return binary
    plan, store = work.plan, work.bench.store
    is_finished = plan.native is not None and plan.native.system == "binary"
    file = Path(plan.native.file) if plan.native and is_finished else store.blob_path(binary.unstripped_digest)
    try:
        files = build.runtime_files_of(
            file,
            platform=binary.platform,
            store=store,
            sysroot=Path(plan.settings.build.sysroot or "/").absolute(),
            extra=opened,
            library_path=library_path(work.bench),
            origin=file.resolve().parent if is_finished else Path(plan.main.directory),
            name=binary.name,
        )
    except LibraryMissing as error:
        told = Finding(id="build.opened-unfit", message=f"what it opens at run time is not added: {error.what}")
        return msgspec.structs.replace(binary, findings=(*binary.findings, told))
    present = {one.path for one in binary.runtime_files}
    added = tuple(one for one in files if one.path not in present)
    return msgspec.structs.replace(binary, runtime_files=(*binary.runtime_files, *added)) if added else binary
