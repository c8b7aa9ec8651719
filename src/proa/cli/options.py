"""The flags that several commands share, and their translation into a Request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from proa.errors import WrongUsage
from proa.records.request import Naming, Request

_Command = TypeVar("_Command", bound=Callable[..., Any])

_SOURCE = [
    click.argument("sources", nargs=-1, metavar="[SOURCE]..."),
    click.option("--platform", "platforms", multiple=True, metavar="OS/ARCH,…", help="Platforms to build for."),
    click.option("--build-tags", metavar="TAG,…", help="Go build tags."),
    click.option("--ldflags", multiple=True, metavar="FLAGS", help="Flags for the Go linker."),
    click.option("--strip", type=click.Choice(["none", "dwarf", "all"]), help="What to leave out of the binary."),
    click.option("--keep-symbol", "keep_symbols", multiple=True, metavar="GLOB", help="Keep a symbol at --strip all."),
    click.option("--debug/--no-debug", default=None, help="Keep what was stripped as a debug file; default yes."),
    click.option("-j", "--jobs", type=click.IntRange(min=1), help="Cores to use; default all."),
]
_IMAGE = [
    click.option("--base", metavar="REF", help="auto, scratch or an image to build on."),
    click.option("--image-user", metavar="UID[:GID]", help="The numeric user the image runs as."),
    click.option("--image-label", multiple=True, metavar="KEY=VALUE", help="Add a label."),
    click.option("--image-annotation", multiple=True, metavar="KEY=VALUE", help="Add an annotation."),
    click.option("--env", multiple=True, metavar="KEY=VALUE", help="Set a variable in the image."),
    click.option("--arg", "args", multiple=True, metavar="ARG", help="An argument the program is started with."),
    click.option("--workdir", metavar="PATH", help="The working directory in the image."),
    click.option("--port", "ports", multiple=True, metavar="PORT[/udp]", help="A port to expose."),
    click.option(
        "--file", "files", multiple=True, metavar="FROM:TO[:MODE[:OWNER]]", help="Put a file or folder into the image."
    ),
    click.option("--compression", type=click.Choice(["gzip", "zstd"]), help="How layers are compressed."),
    click.option("--compression-level", type=int, metavar="N", help="Level of the chosen compression."),
]
_BINARY = [
    click.option("--binary", metavar="FILE", help="A finished program, shipped as it is; there is no SOURCE then."),
    click.option("--sysroot", metavar="DIR", help="Where its loader and libraries are, for another architecture."),
]
_WHETHER = click.option("--trial/--no-trial", "should_try", default=True, help="Run the image before it is published.")
_TRIAL = [
    click.option("--require-trial", "requires_trial", is_flag=True, help="Fail where a platform cannot be tried here."),
    click.option(
        "--trial-engine",
        type=click.Choice(["auto", "bubblewrap", "runc", "crun", "namespaces", "docker"]),
        help="What confines the trial run.",
    ),
    click.option("--route", "routes", multiple=True, metavar="PATH", help="A route to ask in the trial run."),
    click.option("--trial-arg", "trial_args", multiple=True, metavar="ARG", help="An argument for the trial run."),
    click.option("--trial-env", multiple=True, metavar="KEY=VALUE", help="A variable for the trial run."),
    click.option("--memory", metavar="SIZE", help="Memory limit, e.g. 512Mi."),
]


def _stack(options: list[Callable[[_Command], _Command]]) -> Callable[[_Command], _Command]:
    def decorate(command: _Command) -> _Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


source_options = _stack(_SOURCE)
image_options = _stack(_IMAGE)
binary_options = _stack(_BINARY)
trial_options = _stack(_TRIAL)
ship_trial_options = _stack([_WHETHER, *_TRIAL])
format_option = click.option(
    "--format", "form", type=click.Choice(["table", "json"]), default="table", help="What standard output carries."
)

format_or_markdown_option = click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "markdown"]),
    default="table",
    help="What standard output carries.",
)


def request(**flags: Any) -> Request:
    """Return what the flags ask for. Raises WrongUsage."""
    if flags.get("sysroot") and not flags.get("binary"):
        raise WrongUsage("--sysroot is for a finished program", hint="name it with --binary FILE")
    return Request(
        sources=tuple(flags.get("sources") or (".",)),
        binary=flags.get("binary") or "",
        platforms=_split(flags.get("platforms") or ()),
        overrides=_overrides(flags),
        to=tuple(flags.get("to") or ()),
        should_push=bool(flags.get("push")),
        naming=_naming(flags),
        tags=_split(flags.get("tags") or ()),
        insecure_registries=(),
        allows_any_insecure=bool(flags.get("insecure_registry")),
        with_referrers=bool(flags.get("with_referrers")),
        should_try=bool(flags.get("should_try", True)),
        requires_trial=bool(flags.get("requires_trial")),
        jobs=flags.get("jobs") or 0,
    )


def _overrides(flags: dict[str, Any]) -> dict[str, Any]:
    laid = {
        "build": {
            "tags": _split([flags.get("build_tags") or ""]),
            "ldflags": flags.get("ldflags"),
            "strip": flags.get("strip"),
            "sysroot": flags.get("sysroot"),
            "keep_symbols": flags.get("keep_symbols"),
            "debug": flags.get("debug"),
        },
        "image": {
            "base": flags.get("base"),
            "user": flags.get("image_user"),
            "labels": pairs("--image-label", flags.get("image_label")),
            "annotations": pairs("--image-annotation", flags.get("image_annotation")),
            "env": pairs("--env", flags.get("env")),
            "args": flags.get("args"),
            "workdir": flags.get("workdir"),
            "ports": flags.get("ports"),
            "files": [_file(text) for text in flags.get("files") or ()],
            "compression": flags.get("compression"),
            "compression_level": flags.get("compression_level"),
        },
        "trial": {
            "engine": flags.get("trial_engine"),
            "routes": flags.get("routes"),
            "args": flags.get("trial_args"),
            "env": pairs("--trial-env", flags.get("trial_env")),
            "memory": flags.get("memory"),
        },
    }
    kept = {
        part: {name: value for name, value in fields.items() if value or value is False}
        for part, fields in laid.items()
    }
    return {part: fields for part, fields in kept.items() if fields}


def _naming(flags: dict[str, Any]) -> Naming:
    words: dict[str, Naming] = {"bare": "bare", "base_import_paths": "base", "preserve_import_paths": "preserve"}
    chosen = [naming for flag, naming in words.items() if flags.get(flag)]
    if len(chosen) > 1:
        raise WrongUsage("--bare, --base-import-paths and --preserve-import-paths exclude each other")
    return chosen[0] if chosen else "hashed"


def _split(texts: Any) -> tuple[str, ...]:
    return tuple(part.strip() for text in texts for part in text.split(",") if part.strip())


def pairs(flag: str, texts: Any) -> dict[str, str]:
    """Return ``KEY=VALUE`` texts as a dict. Raises WrongUsage."""
    pairs: dict[str, str] = {}
    for text in texts or ():
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise WrongUsage(f"{flag} {text!r} is not KEY=VALUE")
        pairs[key] = value
    return pairs


def _file(text: str) -> dict[str, str]:
    source, _, rest = text.partition(":")
    target, _, rest = rest.partition(":")
    mode, _, owner = rest.partition(":")
    if not source or not target.startswith("/"):
        raise WrongUsage(f"--file {text!r} is not FROM:TO", hint="TO is an absolute path in the image")
    return {key: value for key, value in (("from", source), ("to", target), ("mode", mode), ("owner", owner)) if value}
