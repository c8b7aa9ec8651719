"""A real program that behaves, or misbehaves, in a real sandbox."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import proa
from proa.outside import landlock, namespaces
from proa.outside.sandbox import find_program
from proa.records import oci
from proa.records.platform import Platform
from proa.records.trial import Limits, Probe
from proa.trial import try_image
from real_neighbours import need

pytestmark = pytest.mark.real
HERE = Platform("linux", "amd64")
SOURCE = Path(__file__).parents[1] / "projects" / "trial-servers"
ENGINES = ("bubblewrap", "namespaces", "runc", "crun")


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    need("go")
    file = tmp_path_factory.mktemp("trial") / "app"
    environment = os.environ | {"CGO_ENABLED": "0", "GOOS": "linux", "GOARCH": "amd64", "GOFLAGS": "-buildvcs=false"}
    subprocess.run(["go", "build", "-o", file, "."], cwd=SOURCE, env=environment, check=True)
    return file


@pytest.fixture
def rootfs(tmp_path, program):
    root = tmp_path / "root"
    root.mkdir(mode=0o755)
    shutil.copy(program, root / "app")
    (root / "secret").write_text("x")
    (root / "secret").chmod(0o600)
    return root


def engine_or_skip(name):
    tool = {"bubblewrap": "bwrap", "runc": "runc", "crun": "crun"}.get(name, "")
    if tool and not find_program(tool, os.environ):
        pytest.skip(f"real: {tool} is not on PATH")
    if name in ("runc", "crun") and os.geteuid() != 0:
        pytest.skip("real: runc and crun are used by root only")
    return name


def attempt(rootfs, mode, *, engine="auto", should_trace=False, limits=None, **fields):
    config = oci.Config(
        architecture="amd64", os="linux",
        config=oci.Execution(entrypoint=("/app",), cmd=(mode,) if mode else None, env=("GREETING=hello",)),
    )  # fmt: skip
    return try_image(
        rootfs,
        config,
        limits=limits or Limits(start_timeout_s=2.0, stop_timeout_s=2.0),
        probe=Probe(**fields),
        platform=HERE,
        engine=engine,
        environ=os.environ,
        should_trace=should_trace,
    )


@pytest.mark.parametrize("engine", ENGINES)
def test_a_good_server_is_ready_and_measured(rootfs, engine):
    tried = attempt(rootfs, "serve", engine=engine_or_skip(engine))

    assert (tried.verdict, tried.engine, tried.isolation) == ("ready", engine, "full")
    assert (tried.route, tried.http_status, tried.ports) == ("/healthz", 200, (8080,))
    assert 0 < tried.listening_s <= tried.ready_s < 1
    assert 2 << 20 < tried.rss_bytes < 60 << 20
    assert tried.stop_s < 1


@pytest.mark.parametrize("engine", ENGINES)
def test_every_limit_holds(rootfs, engine):
    tried = attempt(rootfs, "who", engine=engine_or_skip(engine))

    said = tried.output.splitlines()
    assert "uid 65532 gid 65532 pid 1" in said
    assert [line.split()[-1] for line in said if line.startswith("Cap")] == ["0" * 16] * 5
    assert any(line.split() == ["NoNewPrivs:", "1"] for line in said)
    assert [line for line in said if line.startswith("interface")] == ["interface lo"]
    assert "root open /x: read-only file system" in said
    assert "tmp <nil>" in said
    names = {line.split()[1].partition("=")[0] for line in said if line.startswith("env")}
    assert names <= {"PATH", "HOME", "HOSTNAME", "GREETING", "PWD"}
    assert "env GREETING=hello" in said


@pytest.mark.parametrize(
    ("mode", "verdict", "words"),
    [
        ("low-port", "ready", "port 80 answered 200"),
        ("slow", "ready", "answered 200"),
        ("https", "ready", "https GET /healthz"),
        ("noisy", "ready", "answered 200"),
        ("family", "ready", "answered 200"),
        ("writes-tmp", "ready", "answered 200"),
        ("stubborn", "ready", "answered 200"),
        ("tcp", "started", "not HTTP"),
        ("udp", "started", "5353/udp"),
        ("not-found", "started", "404"),
        ("never", "started", "no port"),
        ("loopback6", "not-ready", "only on [::1]:8080"),
        ("loopback4", "not-ready", "only on 127.0.0.1:8080"),
        ("unhealthy", "not-ready", "503"),
        ("worker-db", "not-ready", "db:5432: connection refused"),
        ("needs-db", "not-ready", "db:5432: connection refused"),
        ("needs-env", "not-ready", "DATABASE_URL"),
        ("crash", "failed", "panic: assignment to entry in nil map"),
        ("exit-3", "failed", "exited with 3: cannot go on"),
        ("daemon", "failed", "ends with its first process"),
        ("needs-zone", "failed", "Europe/Paris"),
        ("needs-shell", "failed", "runs sh"),
        ("needs-file", "failed", "/etc/app/app.yaml"),
        ("writes-root", "failed", "/data.db, which is read-only"),
    ],
)
def test_each_behaviour_has_its_verdict(rootfs, mode, verdict, words):
    tried = attempt(rootfs, mode)

    assert (tried.verdict, words in tried.reason) == (verdict, True), tried.reason
    assert len(tried.output) < 70_000


def test_a_server_that_never_listens_fails(rootfs):
    assert attempt(rootfs, "never", is_server=True).verdict == "failed"


def test_a_program_that_ignores_sigterm_is_killed_and_told(rootfs):
    tried = attempt(rootfs, "stubborn", limits=Limits(start_timeout_s=2, stop_timeout_s=0.3))

    assert tried.stop_s is None
    assert "SIGTERM" in tried.remedy


def test_a_command_is_asked_for_its_version(rootfs):
    tried = attempt(rootfs, "")

    assert (tried.verdict, tried.output) == ("started", "servers 1.0")


@pytest.mark.parametrize("engine", ENGINES)
def test_too_much_memory_ends_it(rootfs, engine):
    tried = attempt(
        rootfs, "hog", engine=engine_or_skip(engine), limits=Limits(memory_bytes=64 << 20, start_timeout_s=5)
    )

    assert tried.verdict == "failed"
    assert "memory limit of 64 MiB" in tried.reason


def test_what_only_root_may_read_is_a_permission_it_lacks(rootfs):
    if os.geteuid() != 0:
        pytest.skip("real: needs root, so that the file belongs to another user than the program")
    assert "no permission for /secret" in attempt(rootfs, "forbidden").reason


def test_a_missing_loader_and_a_missing_program_are_told_apart(rootfs, program):
    (rootfs / "script").write_text("#!/bin/sh\n")
    (rootfs / "script").chmod(0o755)
    for entrypoint, words in (
        ("/script", "/bin/sh, which is not in the image"),
        ("/gone", "/gone is not in the image"),
    ):
        config = oci.Config(architecture="amd64", os="linux", config=oci.Execution(entrypoint=(entrypoint,)))
        for engine in ("bubblewrap", "namespaces"):
            tried = try_image(
                rootfs,
                config,
                limits=Limits(),
                probe=Probe(),
                platform=HERE,
                engine=engine_or_skip(engine),
                environ=os.environ,
            )
            assert (tried.verdict, words in tried.reason) == ("failed", True), tried.reason


def test_another_platform_is_skipped_by_name_and_a_wrong_binary_fails(rootfs):
    config = oci.Config(architecture="s390x", os="linux", config=oci.Execution(entrypoint=("/script",)))
    (rootfs / "script").write_text("#!/app\n")
    arguments = {"limits": Limits(), "probe": Probe(), "environ": os.environ}

    skipped = try_image(rootfs, config, platform=Platform("linux", "s390x"), **arguments)
    (rootfs / "script").unlink()
    wrong = attempt(rootfs, "serve")
    config = oci.Config(architecture="s390x", os="linux", config=oci.Execution(entrypoint=("/app",)))
    wrong = try_image(rootfs, config, platform=Platform("linux", "s390x"), **arguments)

    assert skipped.verdict == "skipped"
    assert "linux/s390x cannot run on linux/amd64" in skipped.reason
    assert (wrong.verdict, "wrong architecture" in wrong.reason) == ("failed", True)


def test_the_trace_tells_what_was_missed_written_and_contacted(rootfs):
    need("strace", "bwrap")

    roots, written, contacted = (
        attempt(rootfs, mode, should_trace=True) for mode in ("needs-roots", "writes-tmp", "needs-db")
    )

    assert (roots.verdict, roots.was_traced) == ("failed", True)
    assert "CA certificates" in roots.reason
    assert roots.contacted == ("api.example.com:443",)
    assert "ENOENT /etc/ssl/certs/ca-certificates.crt" in roots.missed_files
    assert written.wrote_files == ("/tmp/data",)
    assert contacted.contacted == ("db:5432",)


def test_an_engine_that_is_not_there_is_a_visible_skip(rootfs):
    config = oci.Config(architecture="amd64", os="linux", config=oci.Execution(entrypoint=("/app",)))

    tried = try_image(
        rootfs, config, limits=Limits(), probe=Probe(), platform=HERE, engine="docker", environ={"PATH": ""}
    )

    assert tried.verdict == "skipped"
    assert tried.reason.startswith("trial skipped: ")


# Nothing stays behind


def processes_of(rootfs):
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                text = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if str(rootfs).encode() in text or text.startswith(b"/app\0"):
                found.append(int(entry.name))
    return found


def wait_until(condition, seconds=5.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def script(rootfs, mode, engine):
    return (
        "import os; from pathlib import Path; from proa.records import oci; from proa.records.platform import Platform\n"
        "from proa.records.trial import *; from proa.trial import try_image\n"
        f"config = oci.Config(architecture='amd64', os='linux', config=oci.Execution(entrypoint=('/app',), cmd=({mode!r},)))\n"
        f"print(try_image(Path({str(rootfs)!r}), config, limits=Limits(start_timeout_s=20.0), probe=Probe(),\n"
        f"      platform=Platform('linux', 'amd64'), engine={engine!r}, environ=os.environ, should_trace=False).verdict)\n"
    )


def start_in_background(rootfs, engine):
    return subprocess.Popen(
        [sys.executable, "-c", script(rootfs, "never", engine)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


@pytest.mark.parametrize("engine", [*ENGINES, "process"])
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "kill -9"])
def test_an_interrupted_trial_leaves_nothing_behind(rootfs, engine, how):
    engine_or_skip(engine)
    before = set(processes_of(rootfs))
    trial = start_in_background(rootfs, engine)
    wait_until(lambda: set(processes_of(rootfs)) - before - {trial.pid})
    time.sleep(0.3)

    trial.send_signal(how)
    trial.wait(timeout=10)

    wait_until(lambda: not set(processes_of(rootfs)) - before)
    assert "proa-trial" not in Path("/proc/self/mountinfo").read_text()
    wait_until(lambda: not control_groups())


def control_groups():
    # A folder of another trial may go away while it is looked into; os.walk passes over it.
    return [
        name for _, folders, _ in os.walk("/sys/fs/cgroup/memory") for name in folders if name.startswith("proa-trial-")
    ]


# Where namespaces are forbidden


@pytest.mark.parametrize(
    ("mode", "verdict"),
    [("serve", "ready"), ("daemon", "skipped"), ("writes-root", "failed"), ("crash", "failed"), ("hog", "failed")],
)
def test_without_namespaces_root_still_has_a_folder_and_a_user_to_give(rootfs, mode, verdict):
    if os.geteuid() != 0:
        pytest.skip("real: changing root folder and user needs root")
    tried = attempt(rootfs, mode, engine="process", limits=Limits(memory_bytes=64 << 20, start_timeout_s=4))

    assert (tried.verdict, tried.engine, tried.isolation) == (verdict, "process", "partial"), tried.reason


def test_with_nothing_to_confine_it_the_trial_is_skipped(rootfs):
    need("unshare", "setpriv")
    shell = 'echo 0 > /proc/sys/user/max_user_namespaces; exec setpriv --inh-caps=-all --bounding-set=-all "$@"'
    ran = subprocess.run(
        ["unshare", "-Ur", "sh", "-c", shell, "sh", sys.executable, "-c", script(rootfs, "serve", "auto")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert ran.stdout == "skipped\n", ran.stderr


# An ordinary user


def test_an_ordinary_user_gets_the_same_sandbox(tmp_path, program):
    if os.geteuid() != 0:
        pytest.skip("real: needs root to become an ordinary user; otherwise every test here is this one")
    python = shutil.which("python3", path="/usr/bin:/usr/local/bin")
    need("setpriv", "bwrap")
    packages = os.pathsep.join(
        [str(Path(proa.__file__).parents[1]), *(p for p in sys.path if p.endswith("site-packages"))]
    )
    if python is None or not can_import(python, packages):
        pytest.skip("real: no python outside the root user's home that ordinary users may start")
    root = Path("/var/tmp") / f"proa-test-{os.getpid()}"
    root.mkdir()
    try:
        shutil.copy(program, root / "app")
        os.chown(root, 12345, 12345)
        os.chown(root / "app", 12345, 12345)
        for engine in ("bubblewrap", "namespaces", "process"):
            if engine == "process" and not landlock.version():
                continue
            ran = subprocess.run(
                as_user(python, script(root, "serve", engine)), env={"PATH": "/usr/bin:/bin", "PYTHONPATH": packages, "HOME": "/"},
                capture_output=True, text=True, timeout=60, check=False,
            )  # fmt: skip
            assert ran.stdout == "ready\n", ran.stderr
    finally:
        shutil.rmtree(root)


def as_user(python, code):
    return ["setpriv", "--reuid", "12345", "--regid", "12345", "--clear-groups", python, "-B", "-c", code]


def can_import(python, packages):
    ran = subprocess.run(
        as_user(python, "import msgspec, proa.trial"), env={"PYTHONPATH": packages}, capture_output=True, check=False
    )
    return ran.returncode == 0


def test_this_process_is_known_for_what_it_is():
    assert namespaces.is_owned_by_root() is (
        os.geteuid() == 0 and Path("/proc/self/uid_map").read_text().split()[2] == "4294967295"
    )


@pytest.mark.parametrize(
    ("mode", "verdict", "words"),
    [
        ("serve", "ready", "answered 200"),
        ("crash", "failed", "panic"),
        ("needs-db", "not-ready", "db"),
        ("writes-root", "failed", "read-only"),
        ("hog", "failed", "memory limit of 64 MiB"),
    ],
)
def test_docker_gives_the_same_verdicts_when_asked(rootfs, dockerd, mode, verdict, words):
    if os.geteuid() != 0:
        pytest.skip("real: only root can measure inside a docker container")
    config = oci.Config(architecture="amd64", os="linux", config=oci.Execution(entrypoint=("/app",), cmd=(mode,)))
    limits = Limits(memory_bytes=64 << 20, start_timeout_s=3.0, stop_timeout_s=2.0)

    tried = try_image(
        rootfs, config, limits=limits, probe=Probe(), platform=HERE, engine="docker",
        environ=os.environ | {"DOCKER_HOST": dockerd},
    )  # fmt: skip

    assert (tried.verdict, words in tried.reason) == (verdict, True), tried.reason
    assert (tried.engine, tried.isolation) == ("docker", "full")
    left = subprocess.run(
        ["docker", "ps", "--all", "--quiet"], env=os.environ | {"DOCKER_HOST": dockerd}, capture_output=True, check=True
    )
    assert left.stdout == b""
