"""``proa ways``: one build as an archive with a unit and as an image, both started in turn, and what each takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from pathlib import Path

import msgspec

from proa.compare.figures import interval_of
from proa.compare.pod import PodWanted
from proa.compare.unit import Unit, environment_text, install_text, makes_code, unit_name, unit_text
from proa.compare.ways import Traits, advise, effort_of
from proa.errors import ProaError, WrongUsage
from proa.outside import systemd
from proa.outside.kubectl import Cluster
from proa.outside.machine import copy_file, make_folder, this_platform
from proa.outside.sandbox import find_program
from proa.outside.variables import folder_variables
from proa.pack.compress import choose_method, write_layer
from proa.pack.entries import Entry, file_entry, with_parents
from proa.pack.tar import tar, tar_bytes
from proa.pipeline import ship, steps, trials
from proa.pipeline.compare import MEASURING
from proa.pipeline.plan import Bench, Say, lay_plans, open_bench
from proa.pipeline.ways_pod import Started, start_pods
from proa.pipeline.ways_service import ENGINE, Asking, service
from proa.preflight.variables import services_in
from proa.records.binary import Binary
from proa.records.image import Image
from proa.records.project import Project
from proa.records.request import Request
from proa.records.trial import Trial
from proa.records.ways import Way, WayName, Ways

_BARE = "process"
_NO_SYSTEMD = "started as a bare process: without the milliseconds that systemd itself takes (as root: --systemd)"


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What the user asked for."""

    request: Request
    output: str = "."
    runs: int = 9
    with_systemd: bool = False
    """Start the service under this machine's systemd."""
    cluster: Cluster = Cluster()
    pod: str = ""
    """The image as the cluster pulls it, by the digest of this build; empty: no pod is started."""
    namespace: str = "default"


class _Made(msgspec.Struct, frozen=True, kw_only=True):
    """One build, and what is known of it."""

    work: steps.Work
    project: Project
    image: Image
    binary: Binary
    trial: Trial


def ways(asked: Asked, *, environ: Mapping[str, str], progress: Say) -> Ways:
    """Build once, write the archive, start both, and say what each way takes.

    Raises WrongUsage where there are several programs, TrialFailed, and any ProaError of building.
    """
    if asked.with_systemd:
        systemd.check_manager()
    bench = open_bench(asked.request, environ, progress)
    with bench.store.using():
        plans = lay_plans(bench, asked.request)
        if len(plans) != 1:
            names = ", ".join(plan.main.name for plan in plans)
            raise WrongUsage(f"ways takes one program, and there are {len(plans)}: {names}", hint="name its package")
        made = _made(steps.Work(bench=bench, plan=plans[0], log=steps.Log()))
        if asked.pod and not asked.pod.endswith(f"@{made.image.digest}"):
            hint = f"publish it with proa ship --to, and name it …@{made.image.digest}"
            raise WrongUsage("--pod names an image that is not of this build", hint=hint)
        unit = _unit(made)
        archive, digest = _archive(made, unit, asked.output, bench)
        progress("asking whether a cluster answers")
        has_cluster = _answers(asked.cluster)
        # Two that measure at once would measure each other; `proa compare` waits here too.
        with bench.store.lock(MEASURING):
            found = _measured(made, asked, archive.stat().st_size, unit)
        found = (*found, _pod(made, asked, unit, has_cluster=has_cluster))
        with bench.store.folder() as folder:
            file = folder / f"{unit.name}.service"
            file.write_text(unit_text(unit), encoding="utf-8")
            hardening = systemd.score(file)
    advice, why = advise(_traits(made, environ, has_cluster=has_cluster))
    return Ways(
        program=made.project.main.import_path,
        archive=str(archive),
        archive_digest=digest,
        image_digest=made.image.digest,
        unit=unit_text(unit),
        hardening=hardening,
        ways=found,
        advice=advice,
        why=why,
    )


def _made(work: steps.Work) -> _Made:
    if str(work.plan.platforms[0]) != str(this_platform()):
        raise WrongUsage(f"ways starts what it builds, and {work.plan.platforms[0]} does not run here")
    shipment, _ = ship.prepare(work, should_try=True, requires_trial=True)
    image = shipment.images[0]
    if image.binary is None or image.trial is None:
        raise WrongUsage("ways needs a program that is built and tried here")
    return _Made(work=work, project=steps.analyze_source(work), image=image, binary=image.binary, trial=image.trial)


def _unit(made: _Made) -> Unit:
    name = unit_name(made.work.plan.main.name)
    return Unit(
        name=name,
        description=f"{made.work.plan.main.name} ({made.project.main.import_path})",
        arguments=made.work.plan.settings.trial.args,
        ports=made.trial.ports,
        rss_bytes=made.trial.rss_bytes,
        writes=bool(made.trial.wrote_files),
        makes_code=makes_code(package.import_path for package in made.project.packages),
        stop_timeout_s=made.work.plan.settings.trial.stop_timeout_s,
    )


def _variables(made: _Made) -> tuple[str, ...]:
    return tuple(dict.fromkeys(variable.name for variable in made.project.environment))


def _archive(made: _Made, unit: Unit, output: str, bench: Bench) -> tuple[Path, str]:
    """Write the archive, the same bytes for the same build; return its place and digest."""
    top = f"{unit.name}-{str(made.binary.platform).replace('/', '-')}"
    variables = _variables(made)
    notes = install_text(unit, digest=made.binary.digest, variables=variables)
    texts = {f"{unit.name}.service": unit_text(unit), "INSTALL.md": notes, "env.example": environment_text(variables)}
    program = Entry(
        path=f"{top}/bin/{unit.name}",
        mode=0o755,
        size_bytes=made.binary.bytes,
        blob=made.binary.digest,
        reason="program",
    )
    files = [file_entry(f"{top}/{name}", text.encode(), reason=name) for name, text in texts.items()]
    entries = with_parents([program, *files])
    size = tar_bytes(entries)
    blob = write_layer(
        tar(entries, store=bench.store, mtime_s=0),
        method=choose_method("gzip", 9, size_bytes=size),
        size_bytes=size,
        store=bench.store,
        jobs=bench.jobs,
    )
    folder = Path(output)
    make_folder(folder)
    target = folder / f"{top}.tar.gz"
    copy_file(bench.store.blob_path(blob.digest), target, mode=0o644)
    return target, blob.digest


def _measured(made: _Made, asked: Asked, archive_bytes: int, unit: Unit) -> tuple[Way, ...]:
    """Start service and container in turn, so that what else the machine does hits both alike."""
    trials_of: dict[WayName, list[Trial]] = {"service": [], "container": []}
    with ExitStack() as stack:
        starts: dict[WayName, Callable[[], Trial]] = {
            "service": stack.enter_context(_service(made, unit))
            if asked.with_systemd
            else partial(_start, made, _BARE),
            "container": partial(_start, made, made.work.plan.settings.trial.engine),
        }
        for number in range(asked.runs + 1):
            for name, start in starts.items():
                made.work.bench.say(f"starting the {name}, {number} of {asked.runs}")
                tried = start()
                if number:  # the first warms up
                    trials_of[name].append(tried)
    named = {"name": unit.name, "ports": unit.ports, "is_static": made.binary.is_static}
    count = len(_variables(made))
    bytes_of = {"service": archive_bytes, "container": made.image.compressed_bytes}
    found = [
        _way(name, tried, bytes_of[name], effort=effort_of(name, variables=count, **named))  # type: ignore[arg-type]
        for name, tried in trials_of.items()
    ]
    return tuple(found)


def _service(made: _Made, unit: Unit) -> AbstractContextManager[Callable[[], Trial]]:
    settings = made.work.plan.settings.trial
    return service(
        unit,
        made.work.bench.store.blob_path(made.binary.digest),
        environment=tuple(sorted(settings.env.items())),
        asking=Asking(
            port=next(iter(made.trial.ports), 0), route=made.trial.route, timeout_s=made.trial.limits.start_timeout_s
        ),
    )


def _pod(made: _Made, asked: Asked, unit: Unit, *, has_cluster: bool) -> Way:
    """Return the pod's way: started where a cluster answers and the image is named as it pulls it."""
    settings = made.work.plan.settings.trial
    started = Started(problem="no cluster answers from here (kubectl)")
    if has_cluster and not asked.pod:
        started = Started(problem="not started: --pod names the image in a registry that the cluster pulls from")
    elif has_cluster:
        wanted = PodWanted(
            name="proa-ways",
            namespace=asked.namespace,
            image=asked.pod,
            arguments=settings.args,
            environment=tuple(sorted(settings.env.items())),
            port=next(iter(made.trial.ports), 0),
            route=made.trial.route,
            memory_bytes=made.trial.limits.memory_bytes,
        )
        started = start_pods(wanted, runs=asked.runs, cluster=asked.cluster, progress=made.work.bench.say)
    named = {"name": unit.name, "ports": unit.ports, "is_static": made.binary.is_static}
    return Way(
        name="pod",
        is_measured=bool(started.seconds),
        reason=started.problem or _WHOLE_SECONDS,
        engine="cluster" if started.seconds else "",
        ready_s=interval_of(started.seconds) if started.seconds else None,
        transfer_bytes=made.image.compressed_bytes,
        effort=effort_of("pod", variables=len(_variables(made)), **named),  # type: ignore[arg-type]
    )


_WHOLE_SECONDS = "scheduling is in it, and the cluster asks whether it is ready once a second"


def _start(made: _Made, engine: str) -> Trial:
    settings = made.work.plan.settings.trial
    routes = tuple(dict.fromkeys(route.path for route in made.project.routes if route.is_health))
    return trials.run_image(
        made.work.bench,
        made.image.manifest,
        made.image.platform,
        engine,
        limits=trials.limits_of(settings, user=made.image.user),
        probe=trials.probe_of(settings, routes=routes, may_listen=bool(made.project.ports)),
        should_trace=False,
    )


def _way(name: WayName, tried: list[Trial], transfer_bytes: int, *, effort: object) -> Way:
    good = [one for one in tried if one.ready_s is not None or one.listening_s is not None]
    times = [one.ready_s or one.listening_s or 0.0 for one in good]
    peaks = [one.rss_bytes for one in good if one.rss_bytes is not None]
    reason = _NO_SYSTEMD if name == "service" and tried and tried[-1].engine != ENGINE else ""
    if not good:
        reason = f"not measured: {tried[-1].reason}" if tried else "not measured"
    return Way(
        name=name,
        is_measured=bool(good),
        reason=reason,
        engine=tried[-1].engine if tried else "",
        ready_s=interval_of(times) if times else None,
        rss_bytes=interval_of(peaks) if peaks else None,
        transfer_bytes=transfer_bytes,
        effort=effort,  # type: ignore[arg-type]
    )


def _answers(cluster: Cluster) -> bool:
    try:
        return isinstance(cluster.get("/version"), dict)
    except ProaError:
        return False


def _traits(made: _Made, environ: Mapping[str, str], *, has_cluster: bool) -> Traits:
    return Traits(
        is_server=bool(made.trial.ports),
        is_static=made.binary.is_static,
        writes_files=bool(made.trial.wrote_files),
        needs_files=any(layer.holds == "assets" for layer in made.image.layers),
        has_cluster=has_cluster,
        has_runtime=any(find_program(name, environ) for name in ("docker", "podman", "nerdctl")),
        services=len(services_in(folder_variables(made.work.plan.directory, ""))),
    )
