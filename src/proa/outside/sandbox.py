"""The engines that can confine a program here, and the prober started on one of them.

The job and report of ``proa.outside.prober`` are made and read here; nothing is judged.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import signal
import stat
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from proa.errors import ToolFailed, ToolTimedOut
from proa.outside.command import Run, last_lines, run

ENGINES = ("bubblewrap", "runc", "crun", "namespaces", "process")
"""In order of preference where the engine is ``auto``: by start-up time and how well each is proved. Docker is used
only where it is asked for by name."""
_PROGRAMS = {"bubblewrap": "bwrap", "runc": "runc", "crun": "crun", "docker": "docker", "namespaces": "", "process": ""}
_NEEDS_ROOT = frozenset({"runc", "crun"})
"""Without root they need sub-uid ranges and an installed newuidmap; plain namespaces need neither."""
_SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin")


class Engine(msgspec.Struct, frozen=True, kw_only=True):
    """A way to confine a program that is installed here."""

    name: str
    program: str = ""


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """How a program that is ready is measured; then it is left alone for a moment."""

    connections: int = 4
    seconds: float = 0.4
    """After a fifth of it for warming up; 0: only the rest."""
    rest_s: float = 0.1


class Errand(msgspec.Struct, frozen=True, kw_only=True):
    """What to do with a program that is ready, before it is stopped."""

    requests: tuple[tuple[int, str, str], ...] = ()
    """Port (0: each that speaks HTTP), method and route. ``GET gzip`` is a GET that accepts a compressed answer."""
    most_links: int = 0
    """How many requests may follow links found in answers."""
    health: tuple[str, ...] = ()
    """The image's own health check, run once beside the program; its trace goes to ``trace_file`` + ``.health``."""
    command: str = ""
    """Run by ``/bin/sh -c`` on this machine, within the program's network."""
    command_environment: tuple[tuple[str, str], ...] = ()
    """PROA_URL and PROA_PORT are added to it."""
    command_directory: str = "/"
    ports: tuple[int, ...] = ()
    """Which port comes first, and is PROA_PORT, where several answer; then plain HTTP, then the lowest."""
    timeout_s: float = 60.0
    """For each of: all requests, the health check, the command."""
    load: Load | None = None
    """Where it is set, nothing else of the errand is done."""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the prober is told: what to run, under which limits, what to ask."""

    rootfs: str
    argv: tuple[str, ...]
    """The program, absolute in the image, and its arguments."""
    environment: tuple[tuple[str, str], ...]
    directory: str
    uid: int
    gid: int
    memory_bytes: int
    cpus: float = 0.0
    """0: no limit of processor time."""
    start_timeout_s: float
    stop_timeout_s: float
    stop_signal: int = int(signal.SIGTERM)
    settle_s: float = 0.02
    """How long it is watched after its first good answer."""
    ports: tuple[int, ...] = ()
    routes: tuple[str, ...] = ("/",)
    strace: str = ""
    """The tracer; empty for the timed run."""
    strace_options: tuple[str, ...] = ()
    """Instead of those ``read_trace`` needs."""
    certificate: str = ""
    """Key and certificate (PEM) of a TLS peer on port 443; empty for none."""
    emulator: tuple[str, ...] = ()
    """What the program is started by, and its words; empty where this machine's processor runs it."""

    as_image: bool = False
    """Run as a container runtime runs it: see ``launchers.Sandbox``."""
    groups: tuple[int, ...] = ()
    """More groups of the user, where it is run as an image."""
    volumes: tuple[str, ...] = ()
    """Folders that are made where they are missing."""
    scratch: str = ""
    """A folder of this machine that takes what an image writes into its root, and is empty afterwards. Without it,
    or where the kernel cannot lay one folder over another, ``rootfs`` itself is written."""
    trace_file: str = ""
    """A file of this machine for the whole trace, as ``touched`` reads it; Report.trace stays empty then."""
    errand: Errand | None = None
    """What is done with the program once it is ready."""

    binds: tuple[tuple[str, str], ...] = ()
    """Files and folders of this machine and where they are shown, read-only; a later one may lie in an earlier one."""
    has_network: bool = False
    """Share this machine's network and names, instead of a network with nothing but loopback. Bubblewrap alone."""
    counts_time: bool = False
    """Note how much processor time the family has used, as it goes."""

    @property
    def command(self) -> tuple[str, ...]:
        """Return what is really executed."""
        return (*self.emulator, *self.argv)


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What the prober saw."""

    problem: str = ""
    """Why the sandbox could not be made; everything else is empty then."""
    exec_errno: int = 0
    isolation: str = "full"
    sees_machine: bool = False
    """It had this machine's files and network before it, though not all within its reach."""
    is_user_real: bool = False
    limits_memory_by: str = ""
    limits_cpus: bool = False
    """Processor time was limited as asked."""
    listeners: tuple[tuple[str, int, str, float], ...] = ()
    """Address, port, protocol and seconds after the start."""
    answers: tuple[tuple[int, str, str, int | None], ...] = ()
    """Port, route, what it speaks and the HTTP status, of the last round."""
    listening_s: float | None = None
    ready_s: float | None = None
    ended_s: float | None = None
    """When it ended by itself."""
    ran_s: float | None = None
    stop_s: float | None = None
    was_killed: bool = False
    exit_status: int | None = None
    rss_bytes: int = 0
    steady_bytes: int = 0
    """Of all its processes (VmRSS), just before it was asked to stop."""
    page_faults: int = 0
    """Until it was ready, what made the sandbox included."""
    requests_per_s: float | None = None
    p50_s: float | None = None
    p99_s: float | None = None
    load_failed: int = 0
    """Requests of the load that were not answered well."""
    most_processes: int = 1
    is_over_memory: bool = False
    output: str = ""
    names: dict[str, str] = {}
    """Host names it asked for, with the address each was given."""
    visits: tuple[tuple[int, str, str, int], ...] = ()
    """Port, method, route and HTTP status (0: no answer) of each request of the errand."""
    health_status: int | None = None
    command_status: int | None = None
    """None where it was not run, 124 where its time was up."""
    command_output: str = ""
    trace: str = ""
    times: tuple[tuple[float, float], ...] = ()
    """Seconds after the start and processor seconds of the whole family until then, where they are counted."""
    whole_s: float = 0.0


def find_engines(wanted: str, environ: Mapping[str, str], *, is_root: bool) -> Iterator[Engine]:
    """Yield the engines that are installed, the preferred first; ``wanted`` is a name or ``auto``."""
    for name in ENGINES if wanted == "auto" else (wanted,):
        if name not in _PROGRAMS or (name in _NEEDS_ROOT and not is_root):
            continue
        program = find_program(_PROGRAMS[name], environ)
        if program or not _PROGRAMS[name]:
            yield Engine(name=name, program=program)


def find_program(name: str, environ: Mapping[str, str]) -> str:
    """Return a program's path; the sbin folders are looked through as well, which users lack on PATH."""
    path = os.pathsep.join([environ.get("PATH", os.defpath), *_SBIN])
    return (shutil.which(name, path=path) or "") if name else ""


def probe(engine: Engine, question: Question, *, run: Run = run) -> Report:
    """Run one program in one sandbox and return what was seen.

    A sandbox that cannot be made is a report with ``problem``. An interruption ends prober and program.
    """
    mounts = prepare_root(Path(question.rootfs), question.directory, as_image=question.as_image)
    for volume in question.volumes:
        make_folder(Path(question.rootfs), volume)
    if question.has_network:
        mounts |= {"files": {}, "overlays": []}
    job = msgspec.to_builtins(question) | mounts | {"engine": engine.name, "program": engine.program}
    job["argv"] = question.command
    if question.as_image and question.uid == 0 and os.geteuid() != 0:
        job["mapped_by"] = more_users()
    return with_engines_words(run_prober(job, question, run=run))


def probe_command(question: Question, *, run: Run = run) -> Report:
    """Run a command of this machine as its user would, unconfined, and return what was seen."""
    job = msgspec.to_builtins(question) | {"engine": "command", "argv": question.command}
    return run_prober(job, question, run=run)


def more_users() -> list[list[str]]:
    """Return the commands that give a user's namespace the further users this machine lets him have, if any.

    Source: newuidmap(1), subuid(5).
    """
    commands = []
    for tool, file, own in (("newuidmap", "/etc/subuid", os.geteuid()), ("newgidmap", "/etc/subgid", os.getegid())):
        program = shutil.which(tool, path="/usr/bin:/bin")
        granted = granted_users(_text(file), _names_of(os.geteuid()))
        if not program or not granted:
            return []
        commands.append([program, "0", str(own), "1", "1", str(granted[0]), str(granted[1])])
    return commands


def lacks_users() -> bool:
    """Say whether a sandbox made here has no user but its own."""
    return os.geteuid() != 0 and not more_users()


def granted_users(text: str, names: Sequence[str]) -> tuple[int, int] | None:
    r"""Return the first and the number of the largest range that /etc/subuid grants to one of these names.

    >>> granted_users("ann:100000:65536\nbob:165536:65536\n", ["bob", "1001"])
    (165536, 65536)
    """
    rows = [line.split(":") for line in text.splitlines()]
    found = [(int(row[1]), int(row[2])) for row in rows if len(row) == 3 and row[0] in names and _are_numbers(row[1:])]
    return max(found, key=lambda one: one[1], default=None)


def _are_numbers(words: Sequence[str]) -> bool:
    return all(word.isascii() and word.isdigit() and len(word) < 11 for word in words)


def _names_of(uid: int) -> list[str]:
    import pwd

    with suppress(KeyError):
        return [pwd.getpwuid(uid).pw_name, str(uid)]
    return [str(uid)]


def _text(path: str) -> str:
    with suppress(OSError):
        return Path(path).read_text(encoding="utf-8", errors="replace")
    return ""


def run_prober(job: Mapping[str, Any], question: Question, *, run: Run = run) -> Report:
    """Start the prober with one job and return its report; whatever goes wrong is a report with ``problem``."""
    whole_s = question.start_timeout_s + question.stop_timeout_s + 15.0
    whole_s += 4 * question.errand.timeout_s if question.errand else 0.0
    try:
        ran = run(_prober(), env={"LC_ALL": "C"}, stdin=msgspec.json.encode(job), timeout_s=whole_s, accept=None)
    except (ToolTimedOut, ToolFailed) as error:
        return Report(problem=error.what)
    try:
        return msgspec.json.decode(ran.stdout, type=Report, strict=False)
    except msgspec.MsgspecError:
        return Report(problem=f"the prober ended with {ran.status}: {last_lines(ran.stderr, 1)}")


def with_engines_words(report: Report) -> Report:
    """Read what bubblewrap or runc said of a program or sandbox that could not be started."""
    if report.exec_errno or report.listeners or (report.ended_s is None and not report.problem):
        return report
    number = exec_error(report.output)
    if number:
        return msgspec.structs.replace(report, exec_errno=number, problem="")
    if report.exit_status == 1 and report.output.startswith("bwrap: "):
        return Report(problem=report.output.splitlines()[0])
    if report.problem and report.output.strip():
        return Report(problem=f"{report.problem}: {report.output.strip().splitlines()[-1][:300]}")
    return report


_EXEC_WORDS = re.compile(
    r"^(?:bwrap: execvp|exec) /.*|.*(?:unable to start container process|executable file|exec container process).*",
    re.MULTILINE,
)


def exec_error(output: str) -> int:
    r"""Return the errno of an execve an engine reports to have failed, 0 where it reports none.

    >>> exec_error("bwrap: execvp /app: No such file or directory\n")
    2
    """
    found = _EXEC_WORDS.search(output)
    if not found:
        return 0
    words = found[0].lower()
    known = (
        errno.ENOENT,
        errno.EACCES,
        errno.ENOEXEC,
        errno.ENOTDIR,
        errno.ELOOP,
        errno.EPERM,
        errno.EINVAL,
        errno.ENOMEM,
    )
    return next((number for number in known if os.strerror(number).lower() in words), 0)


def _prober() -> list[str]:
    """Return how the prober is started: no site-packages, so that it starts in a few milliseconds."""
    folder = str(Path(__file__).resolve().parents[2])
    code = f"import sys; sys.path.append({folder!r}); from proa.outside.prober import main; main()"
    return [sys.executable, "-I", "-S", "-c", code]


def prepare_root(rootfs: Path, directory: str = "/", *, as_image: bool = False) -> dict[str, Any]:
    """Make the mount points in an unpacked image that every container runtime makes, and say what goes there.

    ``as_image`` leaves /tmp as the image has it.
    Nothing is made through a symbolic link, which in a foreign image could lead anywhere.
    """
    _make_writable(rootfs)
    for name in ("/proc", "/dev", "/sys"):
        make_folder(rootfs, name)
    tmp = ""
    if not as_image:
        tmp = "/tmp" if make_folder(rootfs, "/tmp") else "/dev/shm"  # noqa: S108 - paths inside
        with suppress(OSError):
            # runc gives its tmpfs the mode of what lies below.
            (rootfs / tmp.lstrip("/")).chmod(0o1777)
    overlays = [(name, f"/etc/{name}") for name in _FILES if _make_file(rootfs, f"/etc/{name}")]
    make_folder(rootfs, directory)
    return {"files": _FILES, "overlays": overlays, "tmp": tmp}


_FILES = {
    "resolv.conf": "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n",
    "hosts": "127.0.0.1\tlocalhost proa-trial\n::1\tlocalhost ip6-localhost ip6-loopback\n",
}
"""What docker and Kubernetes put into every container, here for a network with loopback alone."""


def _make_writable(folder: Path) -> None:
    with suppress(OSError):
        folder.chmod(folder.stat().st_mode | stat.S_IWUSR | stat.S_IXUSR | stat.S_IRUSR)


def make_folder(rootfs: Path, inside: str) -> bool:
    """Make a folder and those above it, 0755; False where a link or a file is in the way."""
    current = rootfs
    for part in Path(inside).parts:
        if part in ("/", "."):
            continue
        if part == "..":
            return False
        parent, current = current, current / part
        if current.is_symlink():
            return False
        if not current.is_dir():
            _make_writable(parent)
            try:
                current.mkdir(mode=0o755)
                current.chmod(0o755)
            except OSError:
                return False
    return True


def _make_file(rootfs: Path, inside: str) -> bool:
    path = rootfs / inside.lstrip("/")
    if not make_folder(rootfs, str(Path(inside).parent)) or path.is_symlink():
        return False
    with suppress(OSError):
        if not path.exists():
            _make_writable(path.parent)
            path.touch(mode=0o644)
        return path.is_file()
    return False


def stop_signal(name: str | None) -> int:
    """Return the number of an image's STOPSIGNAL, SIGTERM where it is absent or unknown.

    >>> stop_signal("SIGINT"), stop_signal("15"), stop_signal(None)
    (2, 15, 15)
    """
    text = (name or "").upper()
    if text.isdigit() and 0 < int(text) < signal.NSIG:
        return int(text)
    known: Sequence[signal.Signals] = list(signal.Signals)
    return next((int(one) for one in known if text in (one.name, one.name.removeprefix("SIG"))), int(signal.SIGTERM))
