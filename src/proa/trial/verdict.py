"""From what was seen to a verdict with its cause and its remedy. Pure.

the sandbox started it? ──no─▶ failed: architecture, loader, missing, not executable
  │yes
within its memory? ──no─▶ failed
  │yes
ended by itself? ──yes─▶ failed or not-ready by its cause · started where it ended well
  │no
a port open? ──no─▶ not-ready by its cause · failed where a server is expected · started
  │yes
reachable from outside? ──no─▶ not-ready
  │yes
answered below 500, not 404? ──yes─▶ ready ──no─▶ not-ready (5xx) · started (404, not HTTP)
"""

from __future__ import annotations

import errno
import re
from collections.abc import Mapping
from typing import NamedTuple

from proa.records.evidence import NeedKind
from proa.records.platform import Platform
from proa.records.trial import Limits, Trial, Verdict
from proa.trial.causes import Cause, find_causes, is_usage
from proa.trial.observations import Observations

_LAST_LINES = 20
_MOST_LINE = 500
"""Characters of a line that are kept; some programs print a whole document as one (arbitrary)."""
_CRASH_SIGNALS = {129: "SIGHUP", 132: "SIGILL", 133: "SIGTRAP", 134: "SIGABRT", 135: "SIGBUS", 136: "SIGFPE",
                  137: "SIGKILL", 139: "SIGSEGV", 159: "SIGSYS"}  # fmt: skip
_SHELLS = frozenset({"sh", "bash", "dash", "ash", "busybox"})
"""Programs whose work is to start others."""


_ABOUT_FILES = frozenset({"certificates", "zone", "user", "program", "library", "read-only", "permission", "file"})


class Judgement(NamedTuple):
    """A verdict and why."""

    verdict: Verdict
    reason: str
    remedy: str = ""


def skip(reason: str, *, limits: Limits) -> Trial:
    """Return the record of a trial that could not be held here."""
    return Trial(verdict="skipped", reason=f"trial skipped: {reason}", limits=limits)


def judge(seen: Observations) -> Trial:
    """Return the trial's record, with the verdict its observations call for."""
    judgement = _judge(seen)
    good = next((answer for answer in reversed(seen.answers) if seen.ready_s is not None), None)
    ports = tuple(dict.fromkeys(one.port for one in seen.listeners))
    traced = seen.traced
    is_measured = not seen.is_emulated
    return Trial(
        verdict=judgement.verdict,
        reason=judgement.reason + ("" if is_measured else " (under emulation, so nothing was measured)"),
        remedy=_join(judgement.remedy, _stubbornness(seen)),
        isolation=seen.isolation,
        engine=seen.engine,
        limits=seen.limits,
        listening_s=seen.listening_s if is_measured else None,
        ready_s=seen.ready_s if is_measured else None,
        rss_bytes=seen.rss_bytes if is_measured else None,
        stop_s=seen.stop_s,
        exit_status=seen.exit_status,
        ports=ports,
        route=good.route if good else "",
        http_status=good.status if good else None,
        environment=seen.environment,
        missed_files=traced.missed_files if traced else (),
        wrote_files=traced.wrote_files if traced else (),
        contacted=traced.contacted if traced else (),
        output="\n".join(_shortened(line) for line in seen.output.rstrip().splitlines()[-_LAST_LINES:]),
        was_traced=traced is not None,
    )


def _shortened(line: str) -> str:
    return line if len(line) <= _MOST_LINE else line[:_MOST_LINE] + "…"


def _join(*sentences: str) -> str:
    return "; ".join(sentence for sentence in sentences if sentence)


def _stubbornness(seen: Observations) -> str:
    if not seen.was_killed:
        return ""
    return (
        f"it did not end within {seen.limits.stop_timeout_s:g} s of SIGTERM and was killed: "
        "handle the signal, or every roll-out waits for it"
    )


def _judge(seen: Observations) -> Judgement:
    if seen.exec_errno:
        return _not_started(seen)
    if seen.is_over_memory:
        return Judgement(
            "failed",
            f"it used more than its memory limit of {_amount(seen.limits.memory_bytes)} and was killed",
            "set trial.memory in proa.yaml to what it needs, or make it need less (GOMEMLIMIT helps the collector)",
        )
    if seen.has_ended:
        return _ended(seen)
    if not seen.listeners:
        return _without_port(seen)
    return _listening(seen)


def _amount(size_bytes: int) -> str:
    return f"{size_bytes / (1 << 20):.0f} MiB"


# It could not be started


def _not_started(seen: Observations) -> Judgement:
    program, number = seen.program, seen.exec_errno
    if not program.is_there:
        return Judgement("failed", f"{program.path} is not in the image", "check image.entrypoint in proa.yaml")
    if program.interpreter and (number == errno.ENOENT or not program.has_interpreter):
        return Judgement(
            "failed",
            f"{program.path} needs {program.interpreter}, which is not in the image",
            "build it static (CGO_ENABLED=0), or choose a base that has the loader: --base REF",
        )
    if number == errno.EACCES:
        return Judgement(
            "failed",
            f"user {seen.limits.user} may not execute {program.path}: permission denied",
            "give it mode 0755, and the folders above it as well",
        )
    if number == errno.ENOEXEC:
        what = (
            f"is built for {program.architecture}" if program.architecture else "is not a program this system can run"
        )
        return Judgement("failed", f"{program.path} {what}", "build it for the platform the image names")
    return Judgement("failed", f"{program.path} could not be started: {errno.errorcode.get(number, number)}")


def wrong_architecture(path: str, found: str, platform: Platform) -> Judgement:
    """Return the judgement on a program built for another machine than its image says."""
    return Judgement(
        "failed",
        f"wrong architecture: the image is for {platform}, but {path} is built for {found}",
        "build it for the platform the image names",
    )


# It ended by itself


def _ended(seen: Observations) -> Judgement:
    how = _how(seen)
    if seen.exit_status == 0:
        return _ended_well(seen)
    for cause in _causes(seen):
        judgement = explain(cause, seen)
        if judgement:
            return judgement
    if seen.traced and seen.traced.lacks_certificates:
        return _certificates(seen)
    if seen.traced and seen.traced.contacted:
        return _outside(f"it {how} after it could not reach {', '.join(seen.traced.contacted[:3])}")
    if is_usage(seen.output) and not seen.expects_port and not _has_crashed(seen):
        return Judgement("started", f"it explains its use and {how}", "give it arguments with trial.args")
    last = _last_line(seen.output)
    if not last:
        return Judgement("failed", f"it {how} and printed nothing", "ship it with --no-trial and run it by hand")
    return Judgement("failed", f"it {how}: {last}", "its own last lines say why")


def _has_crashed(seen: Observations) -> bool:
    is_panic = any(cause.kind == "panic" for cause in find_causes(seen.output))
    return is_panic or (seen.exit_status or 0) in _CRASH_SIGNALS


def _has_forked(seen: Observations) -> bool:
    """Say whether it left its work to another process: seen at it, or a server that starts itself again and ends.

    A script's other processes are its commands, unless something says that it should listen.
    """
    starts_itself = any(left.kind == "program" for left in seen.needs.left_out)
    has_left = seen.most_processes > 1 and (not _is_script(seen) or seen.expects_port is True or seen.may_listen)
    return has_left or (starts_itself and seen.may_listen and not seen.listeners)


def _is_script(seen: Observations) -> bool:
    is_shell = seen.program.path.rpartition("/")[2] in _SHELLS
    return is_shell or bool(seen.program.interpreter and not seen.program.architecture)


def _ended_well(seen: Observations) -> Judgement:
    if _has_forked(seen) and not seen.first_try and seen.expects_port is not False:
        although = " although it should listen" if seen.expects_port else ""
        return Judgement(
            "failed",
            f"it started another process and ended{although}; a container ends with its first process",
            "keep it in the foreground, with image.args where it has a flag for that",
        )
    if seen.expects_port and not seen.first_try:
        return Judgement(
            "failed",
            "it ended with 0 although it should listen",
            "set trial.server: false in proa.yaml where it is no server",
        )
    tried = " ".join(seen.arguments)
    before = f"{seen.first_try} without arguments, and " if seen.first_try else ""
    return Judgement("started", f"{before}exited with 0" + (f" after {tried}" if tried else ""))


def _how(seen: Observations) -> str:
    name = _CRASH_SIGNALS.get(seen.exit_status or 0)
    return f"was ended by {name}" if name else f"exited with {seen.exit_status}"


def _last_line(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    crash = next((line for line in lines if line.startswith(("panic:", "fatal error:", "SIG"))), "")
    return (crash or (lines[-1] if lines else ""))[:300]


# What its own words say


def by_name(text: str, names: Mapping[str, str]) -> str:
    """Return text with the trial's own addresses replaced by the host names they stood for.

    >>> by_name("dial tcp 127.0.1.1:5432: refused", {"127.0.1.1": "db"})
    'dial tcp db:5432: refused'
    """
    return re.sub(r"127\.0\.1\.\d+", lambda found: names.get(found[0], found[0]), text)


def _causes(seen: Observations) -> list[Cause]:
    """Return what both runs said, the timed one first: only there names do not exist."""
    found = list(find_causes(by_name(seen.output, seen.names)))
    if seen.traced and seen.traced.lacks_certificates:
        found = [cause for cause in found if not cause.is_outside]
    return found


def explain(cause: Cause, seen: Observations) -> Judgement | None:
    """Return the judgement one recognised cause calls for; None where it only says that something broke."""
    what = cause.what
    is_unclear = seen.sees_machine or (seen.engine == "process" and what.startswith(("/dev/", "/proc/")))
    if is_unclear and cause.kind in _ABOUT_FILES:
        return Judgement(
            "skipped", f"trial skipped: namespaces are forbidden here, so this tells nothing: {cause.line}"
        )
    match cause.kind:
        case "certificates":
            return _certificates(seen)
        case "zone":
            return Judgement(
                "failed",
                f"the time zone {what} is not in the image" + _evidence(seen, "zones"),
                "add it with image.files, or import time/tzdata in the program",
            )
        case "user":
            return Judgement(
                "failed",
                f"it looks up the user or group {what}, which is not in the image",
                "add /etc/passwd and /etc/group with image.files",
            )
        case "program":
            return Judgement(
                "failed",
                f"it runs {what}, which is not in the image" + _evidence(seen, "program"),
                "choose a base that has it: --base REF",
            )
        case "library":
            return Judgement(
                "failed",
                f"it needs the shared library {what}, which is not in the image",
                "build it static (CGO_ENABLED=0), or choose a base that has it: --base REF",
            )
        case "read-only":
            return Judgement(
                "failed",
                f"it writes to {what or 'the root file system'}, which is read-only",
                "let it write below /tmp, or give the path a volume",
            )
        case "port":
            return Judgement("failed", f"it may not listen on {what}: permission denied", "let it listen above 1024")
        case "permission":
            return Judgement(
                "failed",
                f"user {seen.limits.user} has no permission for {what or 'a file it needs'}: permission denied",
                "set the file's mode or owner in image.files, or let it write below /tmp",
            )
        case "file" if any(
            left.kind == "file" and f"{what} is left out" in left.reason for left in seen.needs.left_out
        ):
            return Judgement(
                "not-ready",
                f"it needs {what}, a secret that is not put into an image",
                "mount it at run time; for the trial, tell the program by trial.env to do without",
            )
        case "file":
            return Judgement(
                "failed",
                f"it needs {what}, which is not in the image",
                "add it with image.files in proa.yaml, give its folder a volume where the program writes it, "
                "or tell the program by trial.env to do without",
            )
        case "setting":
            return _setting(cause)
        case "name" | "refused" | "unreachable":
            return _outside(f"it needs {_reached(cause, seen)}: {_why(cause)}")
        case "taken" if seen.sees_machine:
            return Judgement("skipped", f"trial skipped: without a network of its own, {what} is taken on this machine")
        case "panic" | "taken":
            return None


def _certificates(seen: Observations) -> Judgement:
    return Judgement(
        "failed",
        "it needs CA certificates, and there are none in the image" + _evidence(seen, "certificates"),
        "add /etc/ssl/certs/ca-certificates.crt with image.files, or leave the choice to --base auto",
    )


def _evidence(seen: Observations, kind: NeedKind) -> str:
    """Return where the source says so, in brackets."""
    found = seen.needs.of(kind)
    return f" ({found[0].reason})" if found else ""


def _setting(cause: Cause) -> Judgement:
    what = cause.what
    is_variable = what.isupper()
    name = f"the variable {what}" if is_variable else what or "a setting"
    where = f"trial.env.{what}" if is_variable else "trial.env or trial.args"
    return Judgement("not-ready", f"it needs {name} to be set: {cause.line[:200]}", f"set {where} in proa.yaml")


def _outside(reason: str) -> Judgement:
    return Judgement(
        "not-ready", reason, "nothing outside is there in a trial; let the program wait for it, or set trial.env"
    )


def _reached(cause: Cause, seen: Observations) -> str:
    """Return the neighbour's name with its port, where the trace knows more than the message."""
    known = seen.traced.contacted if seen.traced else ()
    host = cause.what.rpartition(":")[0] or cause.what
    named = [one for one in known if host and one.startswith(f"{host}:")]
    return (named or [cause.what or ", ".join(known[:3]) or "something outside"])[0]


def _why(cause: Cause) -> str:
    return {"name": "no such host", "refused": "connection refused"}.get(cause.kind, "not reachable")


# It runs


def _without_port(seen: Observations) -> Judgement:
    waited = f"{seen.limits.start_timeout_s:g} s"
    for cause in _causes(seen):
        if cause.is_outside and seen.expects_port is not False:
            judgement = explain(cause, seen)
            if judgement:
                return judgement
    if seen.expects_port or (seen.may_listen and seen.expects_port is None):
        if seen.traced and seen.traced.contacted:
            return _outside(
                f"it opened no port within {waited}; it tried to reach {', '.join(seen.traced.contacted[:3])}"
            )
        return Judgement(
            "failed",
            f"it never listened: no port was open after {waited}",
            "check trial.ports, raise trial.start_timeout_s, or set trial.server: false where it is no server",
        )
    return Judgement(
        "started", f"it runs, and opened no port within {waited}" if seen.expects_port is None else "it runs"
    )


def _listening(seen: Observations) -> Judgement:
    if all(one.is_loopback for one in seen.listeners):
        where = ", ".join(map(str, seen.listeners))
        return Judgement(
            "not-ready",
            f"it listens only on {where}, so nothing outside the container can reach it",
            f"let it listen on :{seen.listeners[0].port} (all addresses)",
        )
    if seen.ready_s is not None and seen.answers:
        return _ready(seen)
    where = ", ".join(f"{one.port}/udp" if one.protocol == "udp" else str(one.port) for one in seen.listeners)
    broken = next((answer for answer in seen.answers if answer.status is not None and answer.status >= 500), None)
    if broken:
        return _broken(seen, broken.route, broken.status or 500)
    if any(answer.status == 404 for answer in seen.answers):
        asked = ", ".join(dict.fromkeys(answer.route for answer in seen.answers))
        return Judgement(
            "started", f"it listens on {where} and answers 404 to {asked}", "name a health route in trial.routes"
        )
    if any(answer.speaks == "http2" for answer in seen.answers):
        return Judgement("started", f"it listens on {where} and speaks HTTP/2 only (as gRPC does)")
    if seen.answers and all(answer.speaks == "silent" for answer in seen.answers):
        return Judgement(
            "started", f"it listens on {where}, and gave no answer in time to GET {seen.answers[-1].route}"
        )
    return Judgement("started", f"it listens on {where}, and what it speaks is not HTTP")


def _ready(seen: Observations) -> Judgement:
    good = seen.answers[-1]
    note = ""
    if good.port < 1024:
        note = "a port below 1024 needs docker 20.10 or containerd 2.0; one above works everywhere"
    if seen.traced and seen.traced.lacks_certificates:
        note = _join(note, "it looked for CA certificates in vain: TLS to others will fail")
    scheme = "https " if good.speaks == "https" else ""
    return Judgement("ready", f"{scheme}GET {good.route} on port {good.port} answered {good.status}", note)


def _broken(seen: Observations, route: str, status: int) -> Judgement:
    for cause in _causes(seen):
        judgement = explain(cause, seen)
        if judgement:
            return judgement._replace(reason=f"GET {route} answered {status}; {judgement.reason}")
    if seen.traced and seen.traced.lacks_certificates:
        return _certificates(seen)
    reached = (
        f"; it tried to reach {', '.join(seen.traced.contacted[:3])}" if seen.traced and seen.traced.contacted else ""
    )
    return _outside(f"GET {route} answered {status} until its time was up{reached}")


# Programs that are no servers


def should_try_others(seen: Observations) -> bool:
    """Say whether a program that ended badly deserves ``--version``: it explained its use, or simply said no."""
    if not seen.has_ended or seen.exit_status in (0, None) or seen.exec_errno or seen.is_over_memory:
        return False
    if seen.expects_port or seen.arguments or seen.listeners or seen.exit_status in _CRASH_SIGNALS:
        return False
    if is_usage(seen.output):
        return True
    return seen.exit_status != 2 and next(find_causes(seen.output), None) is None
