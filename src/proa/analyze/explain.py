"""Every fact of an analysis by name: where it was found, and what later stages do with it."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from proa.errors import WrongUsage
from proa.records.analysis import Analysis
from proa.records.evidence import Evidence
from proa.records.explanation import Explanation
from proa.records.project import Project

_RECORD = "the shipment's record, kept beside the image: it is there for whoever deploys it"
_GROUPS = (
    "environment", "frameworks", "layout", "services", "variables", "settings_found", "ports", "routes", "needs",
    "cgo", "startup",
)  # fmt: skip
_SYNONYMS = {
    "port": "ports", "route": "routes", "health": "routes", "service": "services", "variable": "variables",
    "env": "variables", "framework": "frameworks", "version": "environment", "versions": "environment",
    "need": "needs", "base": "needs", "start": "startup", "c": "cgo",
}  # fmt: skip


def explain(analysis: Analysis, fact: str) -> tuple[Explanation, ...]:
    """Return the facts that a name means: one, or all of a group (``port``, ``environment``).

    Raises WrongUsage where nothing is known by that name, with what is.
    """
    asked = fact.strip()
    known = tuple(_facts(analysis))
    group = _SYNONYMS.get(asked.lower(), asked.lower())
    chosen = [one for one in known if one.fact == asked]
    chosen = chosen or [one for one in known if one.fact.partition(".")[2] == asked]
    # The word port means the ports, even where a variable is called PORT.
    chosen = chosen or [one for one in known if one.fact.partition(".")[0] == group]
    chosen = chosen or [one for one in known if asked.lower().rstrip("/") in _called(one)]
    if asked.lower() == "health":
        chosen = [one for one in chosen if "asked first" in " ".join(one.decides)]
    if not chosen:
        names = dict.fromkeys(one.fact.partition(".")[2] for one in known)
        near = difflib.get_close_matches(asked, names, n=3, cutoff=0.6)
        groups = sorted({one.fact.partition(".")[0] for one in known})
        hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(groups)}, and what is in them"
        raise WrongUsage(f"nothing is known of {asked[:80]!r} in {analysis.name}", hint=hint)
    return tuple(chosen)


def _called(one: Explanation) -> frozenset[str]:
    """Return the names a fact may go by, in small letters."""
    group, _, name = one.fact.partition(".")
    short = name.rstrip("/").lower()
    return frozenset({short, f"{group}.{short}"}) | ({one.value.lower()} if group == "frameworks" else frozenset())


def _facts(analysis: Analysis) -> Iterator[Explanation]:
    for version in analysis.environment:
        shown = (("declared", version.declared), ("locked", version.locked), ("installed", version.installed))
        yield Explanation(
            fact=f"environment.{version.name}",
            value=", ".join(f"{word} {said}" for word, said in shown if said) or "nothing says which",
            where=version.where,
            decides=_of_version(version.name, analysis.project),
        )
    for framework in analysis.frameworks:
        version_text = framework.locked or framework.installed or framework.declared
        yield Explanation(
            fact=f"frameworks.{framework.package}",
            value=f"{framework.name} {version_text}".strip(),
            where=framework.where,
            decides=(_RECORD,),
        )
    for entry in analysis.layout:
        yield Explanation(
            fact=f"layout.{entry.path}",
            value=f"{entry.role}: {entry.reason}" if entry.reason else entry.role,
            where=(Evidence(file=entry.path),),
        )
    for service in analysis.services:
        yield Explanation(
            fact=f"services.{service.name}",
            value=f"{service.kind} {service.address}, authentication: {service.authentication}".replace(" ,", ","),
            where=service.where,
            decides=("preflight: contacted, with what lets it in",),
        )
    yield from _of_variables(analysis)
    if analysis.project is not None:
        yield from _of_project(analysis, analysis.project)
    for step in analysis.startup:
        yield Explanation(
            fact=f"startup.{step.what or step.kind}",
            value=f"{step.at_s:.3f} s: {step.step}" + (f" ({step.message})" if step.message else ""),
            where=step.evidence,
        )


def _of_variables(analysis: Analysis) -> Iterator[Explanation]:
    services = {service.name for service in analysis.services}
    for variable in analysis.variables:
        words = [variable.kind, variable.type if variable.type != "unknown" else ""]
        words += ["required" if variable.is_required else "", "secret" if variable.is_secret else ""]
        default = "" if variable.is_secret or not variable.default else f", default {variable.default}"
        decides = []
        if variable.kind == "environment":
            decides += ["image: set by --env or image.env", "trial: set by --trial-env or trial.env"]
        if variable.name in services:
            decides.append("preflight: its value is the address that is contacted")
        if variable.is_secret:
            decides.append("its value is shown nowhere, and its default is not recorded")
        yield Explanation(
            fact=f"variables.{variable.name}",
            value=", ".join(word for word in words if word) + default,
            where=variable.where,
            decides=(*decides, _RECORD),
        )
    for setting in analysis.settings_found:
        meant = f", {setting.meant} was meant" if setting.meant else ""
        yield Explanation(fact=f"settings_found.{setting.name}", value=f"{setting.state}{meant}", where=setting.where)


def _of_version(name: str, project: Project | None) -> tuple[str, ...]:
    if project is None:
        return (_RECORD,) if name in ("go", "rustc") else ()
    if name == "go" and project.native is None:
        return (f"build: {project.toolchain} is used, the nearest tool chain that go.mod allows", _RECORD)
    if name in ("rustc", "cargo") and project.native is not None and project.native.system == "cargo":
        return ("build: cargo starts the compiler that the project's own files choose", _RECORD)
    return (_RECORD,)


def _of_project(analysis: Analysis, project: Project) -> Iterator[Explanation]:
    settings = analysis.settings
    for port in project.ports:
        image = "image: not exposed, image.ports is set" if settings.image.ports else "image: the port it exposes"
        yield Explanation(
            fact=f"ports.{port.number}",
            value=port.address or str(port.number),
            where=(port.evidence,),
            decides=(image, "trial: the program is expected to listen, and its ports are asked"),
        )
    for route in project.routes:
        is_asked = route.is_health and not settings.trial.routes
        yield Explanation(
            fact=f"routes.{route.path}",
            value=f"{route.method} {route.path}".strip() + (", a health route" if route.is_health else ""),
            where=(route.evidence,),
            decides=("trial: asked first, and the program is ready when it answers",) if is_asked else (),
        )
    for need in analysis.needs.needs:
        yield Explanation(
            fact=f"needs.{need.kind}",
            value=f"{need.what}: {need.reason}" if need.what else need.reason,
            where=need.evidence,
            decides=("image: put into it beside the program, or the base that has it is chosen",),
        )
    for use in project.cgo:
        yield Explanation(
            fact=f"cgo.{use.package}",
            value=" → ".join(use.chain),
            where=(use.evidence,),
            decides=("build: compiled with C, linked statically", "base: what the linked program still needs of it"),
        )
