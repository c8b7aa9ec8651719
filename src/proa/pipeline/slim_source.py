"""The original of a slimmed image: open, listed, unpacked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from proa import pack
from proa.errors import BaseUnfit, WrongUsage
from proa.inspect.entrypoint import entrypoint_findings
from proa.inspect.heads import look
from proa.inspect.merge import Merged, merge_layers
from proa.outside.image_stream import StreamedImage
from proa.outside.layer_stream import layer_pieces
from proa.outside.layer_workers import read_apart
from proa.pipeline.plan import Bench
from proa.pipeline.slim_view import FinalView
from proa.records.configuration import Configuration
from proa.records.layer_entry import LayerEntries
from proa.records.oci import LAYER_TAR, Config, Execution
from proa.records.reference import Reference

_LIMITS = pack.Limits(total_bytes=64 << 30, allows_absolute=True, skips_devices=True)
_NO_START = ("entrypoint.missing", "entrypoint.not-executable")
_PLAIN = (LAYER_TAR, "application/vnd.docker.image.rootfs.diff.tar")


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """What is made small."""

    reference: Reference
    opened: StreamedImage
    read: tuple[LayerEntries, ...]
    merged: Merged
    view: FinalView
    root: Path
    config: Config
    """As the closure and the runs take it: with the arguments of the trial where it names no program itself."""

    @property
    def compressed_bytes(self) -> int:
        """Return the bytes of the layers as they are stored."""
        return sum(layer.compressed_bytes for layer in self.read)

    @property
    def unpacked_bytes(self) -> int:
        """Return the bytes of the layers as tar archives."""
        return sum(layer.unpacked_bytes for layer in self.read)

    @property
    def is_plain(self) -> bool:
        """Say whether a layer is not compressed where it is: then only tar can be compared with tar."""
        return any(layer.media_type in _PLAIN for layer in self.read)


def open_source(
    bench: Bench, opened: StreamedImage, reference: Reference, root: Path, settings: Configuration
) -> Source:
    """List an image's layers, every digest checked, and unpack it. Raises BaseUnfit, WrongUsage, HostileArchive."""
    place = str(reference)
    if opened.config.os != "linux":
        raise BaseUnfit(f"{place} is for {opened.config.os}: proa slim knows the files of linux only")
    config = _startable(opened.config, settings, place)
    bench.say(f"reading {len(opened.layers)} layers")
    read = read_apart(opened.layers, look, place=place, processes=bench.jobs)
    merged = merge_layers([layer.entries for layer in read])
    _check_start(merged, config, read)
    bench.say("unpacking")
    pack.unpack_layers((layer_pieces(layer, place=place) for layer in opened.layers), root, limits=_LIMITS)
    return Source(
        reference=reference,
        opened=opened,
        read=read,
        merged=merged,
        view=FinalView(merged, root),
        root=root,
        config=config,
    )


def _startable(config: Config, settings: Configuration, place: str) -> Config:
    execution = config.config or Execution()
    if execution.entrypoint or execution.cmd:
        return config
    if not settings.trial.args and not settings.slim.keep:
        raise WrongUsage(
            f"{place} names nothing to start: neither an entrypoint nor a command",
            hint="it is a base for others; name a program with --trial-arg, or what is to stay with --keep",
        )
    return msgspec.structs.replace(config, config=msgspec.structs.replace(execution, cmd=settings.trial.args or None))


def _check_start(merged: Merged, config: Config, read: Sequence[LayerEntries]) -> None:
    """Let nothing pass that cannot be started; what only its run can show is left to that. Raises BaseUnfit."""
    for finding in entrypoint_findings(merged, config, [layer.digest for layer in read]):
        if finding.id in _NO_START:
            raise BaseUnfit(finding.message, hint=finding.hint or "an image that starts nothing has nothing to keep")
