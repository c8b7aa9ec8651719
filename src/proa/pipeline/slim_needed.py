"""What the slim room says of an unpacked image."""

from __future__ import annotations

from collections.abc import Sequence

from proa.pipeline.slim_source import Source
from proa.records.configuration import Configuration
from proa.records.slimming import Kept, LeftOutGroup, Seed


def asked_for(source: Source, settings: Configuration) -> tuple[Seed, ...]:
    return tuple(Seed(path=p, rule="asked", because="--keep") for p in settings.slim.keep)


def needed(source: Source, seeds: Sequence[Seed]) -> tuple[Kept, ...]:
    entry = source.config.config.entrypoint or source.config.config.cmd
    return (
        Kept(path=entry[0], rule="entrypoint", because="Entrypoint"),
        *(Kept(path=s.path, rule=s.rule, because=s.because) for s in seeds),
    )


def groups_of(source: Source, left_out: Sequence[str]) -> tuple[LeftOutGroup, ...]:
    if not left_out:
        return ()
    return (
        LeftOutGroup(
            name="/",
            files=len(left_out),
            bytes=sum(map(source.view.bytes_of, left_out)),
            paths=tuple("/" + p for p in left_out),
        ),
    )
