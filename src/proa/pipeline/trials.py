"""Trials: the image of a program run under its limits, each kept in the store like the other steps."""

from __future__ import annotations

import re

import msgspec

from proa import pack
from proa.errors import WrongConfiguration
from proa.pipeline.plan import Bench
from proa.pipeline.steps import Work, kept, key_of
from proa.records.configuration import TrialSettings
from proa.records.evidence import Needs
from proa.records.image import Image
from proa.records.oci import Descriptor
from proa.records.platform import Platform
from proa.records.project import Project
from proa.records.trial import Limits, Probe, Trial

_JVM_START_S = 60.0
"""A framework on a JVM loads ten thousand classes first: 2 to 5 s with two cores, and more under a limit."""


def try_program(work: Work, image: Image, project: Project, needs: Needs, *, run: int = 0) -> Trial:
    """Return what the image did when it was run under its limits; a run that went well is not repeated.

    A ``run`` above 0 is one of several that are compared: each is kept on its own, and none is traced.
    """
    bench, settings = work.bench, work.plan.settings.trial
    is_java = work.plan.main.language == "java"
    limits = limits_of(settings, user=image.user)
    if is_java and settings.start_timeout_s == TrialSettings().start_timeout_s:
        limits = msgspec.structs.replace(limits, start_timeout_s=_JVM_START_S)
    probe = probe_of(
        settings,
        routes=tuple(dict.fromkeys(route.path for route in project.routes if route.is_health)),
        may_listen=bool(project.ports),
        is_java=is_java,
    )
    names = tuple(dict.fromkeys(variable.name for variable in project.environment))

    def make() -> Trial:
        bench.say(f"trying {work.plan.main.name} on {image.platform}")
        return run_image(
            bench,
            image.manifest,
            image.platform,
            settings.engine,
            limits=limits,
            probe=probe,
            names=names,
            needs=needs,
            should_trace=not run,
        )

    return kept(
        work,
        "trial",
        key_of("trial", image.digest, limits, probe, settings.engine, names, needs, *([run] if run else [])),
        kind=Trial,
        make=make,
        is_whole=lambda trial: trial.verdict in ("ready", "started", "not-ready"),
    )


def run_image(
    bench: Bench,
    manifest: Descriptor,
    platform: Platform,
    engine: str,
    *,
    limits: Limits,
    probe: Probe,
    names: tuple[str, ...] = (),
    needs: Needs | None = None,
    should_trace: bool = True,
) -> Trial:
    """Unpack an image of the store and run it under limits; nothing of it is left afterwards."""
    from proa import trial

    with bench.store.folder() as folder:
        root = folder / "root"
        root.mkdir(mode=0o755)
        config = pack.unpack(manifest.digest, root, store=bench.store)
        return trial.try_image(
            root,
            config,
            limits=limits,
            probe=probe,
            platform=platform,
            engine=engine,
            environ=bench.environ,
            environment=names,
            needs=needs,
            should_trace=should_trace,
            progress=bench.say,
        )


def limits_of(settings: TrialSettings, *, user: str = "") -> Limits:
    """Return the limits of a trial run. Raises WrongConfiguration."""
    return Limits(
        user=user or Limits().user,
        memory_bytes=memory_bytes(settings.memory),
        start_timeout_s=settings.start_timeout_s,
        stop_timeout_s=settings.stop_timeout_s,
    )


def probe_of(
    settings: TrialSettings, *, routes: tuple[str, ...] = (), may_listen: bool = False, is_java: bool = False
) -> Probe:
    """Return what is asked of the program: what the settings say, else what its source says."""
    environment = dict(settings.env)
    if is_java:
        # A runtime shows a container its own cgroup; a trial may not, and the JVM would size itself by the machine.
        environment.setdefault("JDK_JAVA_OPTIONS", f"-XX:MaxRAM={memory_bytes(settings.memory)}")
    return Probe(
        arguments=settings.args,
        environment=tuple(sorted(environment.items())),
        ports=settings.ports,
        routes=settings.routes or routes,
        is_server=settings.server,
        may_listen=may_listen,
    )


_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}
"""Source: Kubernetes, "Resource units in Kubernetes"."""


def memory_bytes(text: str, *, name: str = "trial.memory") -> int:
    """Return a size written as Kubernetes writes memory; ``name`` is where it stands. Raises WrongConfiguration.

    >>> memory_bytes("512Mi")
    536870912
    """
    match = re.fullmatch(r"([0-9]{1,15})(k|M|G|Ki|Mi|Gi|)", text.strip())
    if match is None or int(match[1]) == 0:
        raise WrongConfiguration(f"{name}: {text!r} is not a size", hint="write it as 512Mi or 1Gi")
    return int(match[1]) * _UNITS[match[2]]
