"""The stages alone, as their commands call them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from proa import pack
from proa.errors import WrongUsage
from proa.outside.images import fetch_image, located
from proa.outside.machine import copy_file, make_folder, this_platform
from proa.pipeline import steps, trials
from proa.pipeline.plan import Plan, Say, lay_plans, open_bench
from proa.records.binary import Binary
from proa.records.configuration import Configuration, settings_of
from proa.records.platform import Platform
from proa.records.request import Request
from proa.records.trial import Trial


def build_all(
    request: Request, *, output: str, environ: Mapping[str, str], progress: Say
) -> tuple[tuple[Binary, str], ...]:
    """Build every program asked for and put it where ``output`` says; return the records and the paths.

    Several files need a folder to go to; with several platforms each file's name ends in its platform.
    Raises WrongUsage and any ProaError of the way.
    """
    bench = open_bench(request, environ, progress)
    with bench.store.using():
        plans = lay_plans(bench, request, is_image=False)
        steps.build_together(bench, plans, steps.Log())
        pairs = [(plan, number) for plan in plans for number in range(len(plan.platforms))]
        target = Path(request.directory, output or ".")
        if output.endswith("/"):
            make_folder(target)
        is_folder = target.is_dir()
        if len(pairs) > 1 and not is_folder:
            raise WrongUsage(f"--output {output} is one file for {len(pairs)} programs", hint="name a folder")
        built = []
        for plan, number in pairs:
            binary = steps.build_program(steps.Work(bench=bench, plan=plan, log=steps.Log()), number)
            path = target / _file_name(plan, number, binary) if is_folder else target
            copy_file(bench.store.blob_path(binary.digest), path, mode=0o755)
            built.append((binary, str(path)))
    return tuple(built)


def _file_name(plan: Plan, number: int, binary: Binary) -> str:
    name = plan.main.name if plan.native is None else binary.name
    platform = plan.platforms[number]
    suffix = f"-{str(platform).replace('/', '-')}" if len(plan.platforms) > 1 else ""
    return f"{name}{suffix}" + (".exe" if platform.os == "windows" else "")


def dockerfiles(request: Request, *, environ: Mapping[str, str], progress: Say) -> tuple[str, ...]:
    """Return the equivalent multi-stage Dockerfile of every program asked for. Raises WrongUsage for a finished one."""
    if request.binary:
        raise WrongUsage("--binary has no Dockerfile: the program is not built from source")
    bench = open_bench(request, environ, progress)
    found = []
    with bench.store.using():
        for plan in lay_plans(bench, request):
            linked = steps.read_linked(steps.Work(bench=bench, plan=plan, log=steps.Log()))
            settings = plan.settings
            found.append(pack.dockerfile(linked.project, linked.needs, settings.image, build=settings.build))
    return tuple(found)


def try_reference(image: str, request: Request, *, environ: Mapping[str, str], progress: Say) -> Trial:
    """Fetch an image from anywhere, run it under the limits asked for, and return what it showed."""
    bench = open_bench(request, environ, progress)
    settings, _ = settings_of(Configuration(), (), request.overrides)
    platform = Platform.parse(request.platforms[0]) if request.platforms else this_platform()
    with bench.store.using():
        progress(f"fetching {image}")
        manifest = fetch_image(located(image), platform, store=bench.store, access=bench.access)
        limits, probe = trials.limits_of(settings.trial), trials.probe_of(settings.trial)
        progress(f"trying {image}")
        return trials.run_image(bench, manifest, platform, settings.trial.engine, limits=limits, probe=probe)


def encode_records(records: Sequence[msgspec.Struct]) -> bytes:
    """Return records as indented JSON: one alone, several as a list."""
    return encode_list(records) if len(records) != 1 else msgspec.json.format(msgspec.json.encode(records[0])) + b"\n"


def encode_list(records: Sequence[msgspec.Struct]) -> bytes:
    """Return records as an indented JSON list, empty or not."""
    return msgspec.json.format(msgspec.json.encode(list(records))) + b"\n"
