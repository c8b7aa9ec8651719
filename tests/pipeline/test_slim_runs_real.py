"""Images of the world, run as they are meant to run: nginx from Debian as root, Python, shell, under bubblewrap and strace."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from proa.errors import ToolFailed
from proa.outside.store import Store
from proa.pipeline.plan import Bench
from proa.pipeline.slim_runs import observe, try_again
from proa.records import oci
from proa.records.configuration import SlimSettings, TrialSettings
from proa.records.platform import Platform
from real_neighbours import need

pytestmark = pytest.mark.real
HERE = Platform("linux", "amd64")


@pytest.fixture(scope="module", autouse=True)
def _tools():
    need("bwrap", "strace")


@pytest.fixture
def bench(tmp_path):
    return Bench(store=Store(tmp_path / "store"), environ=dict(os.environ), access=None, jobs=2, say=lambda _: None)


def copy_in(root: Path, *programs: str) -> None:
    """Copy programs of this machine into a root, with all the libraries they name."""
    for program in programs:
        copy_libraries(root, program, program)


def copy_libraries(root: Path, program: str, *more: str) -> None:
    """Copy the libraries of this machine that a program names into a root."""
    told = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    for file in (*more, *(word for word in told.split() if word.startswith("/"))):
        place = root / os.path.realpath(file).lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.exists():
            shutil.copy2(os.path.realpath(file), place)
        asked = root / file.lstrip("/")
        if not asked.exists() and not asked.is_symlink():
            asked.parent.mkdir(parents=True, exist_ok=True)
            asked.symlink_to(os.path.realpath(file))


def make_root(place: Path) -> Path:
    """Make the root of a small Debian: merged /usr, accounts, a shell."""
    for folder in ("usr/bin", "usr/lib", "usr/lib64", "usr/sbin", "etc", "root", "run", "var/log"):
        (place / folder).mkdir(parents=True)
    for name in ("bin", "lib", "lib64", "sbin"):
        (place / name).symlink_to(f"usr/{name}")
    (place / "tmp").mkdir(mode=0o1777)
    (place / "tmp").chmod(0o1777)
    (place / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\nwww-data:x:33:33::/var/www:/bin/false\n")
    (place / "etc/group").write_text("root:x:0:\nwww-data:x:33:\nadm:x:4:\n")
    copy_in(place, "/bin/dash", "/bin/cat", "/bin/mkdir", "/bin/id")
    (place / "usr/bin/sh").symlink_to("dash")
    place.chmod(0o755)
    return place


def config(**fields):
    return oci.Config(architecture="amd64", os="linux", config=oci.Execution(**fields))


def seen(bench, root, image, *, tests=(), routes=(), **trial):
    return observe(
        bench, root, image, HERE, trial=TrialSettings(**trial), slim=SlimSettings(tests=tests, routes=routes)
    )


def listing(root):
    return sorted((str(one.relative_to(root)), one.lstat().st_size) for one in root.rglob("*") if not one.is_dir())


@pytest.fixture(scope="module")
def nginx(tmp_path_factory):
    """Return Debian's nginx over libraries of this machine: a root its master needs root for."""
    if os.geteuid() != 0:
        pytest.skip("real: nginx's master needs users of its own, which root alone can give it here")
    need("apt-get", "dpkg")
    packages = tmp_path_factory.mktemp("packages")
    # apt's own user may not write there, and would say so.
    argv = ["apt-get", "-o", "APT::Sandbox::User=root", "download", "nginx", "nginx-common"]
    got = subprocess.run(argv, cwd=packages, capture_output=True, text=True, check=False)
    if got.returncode:
        pytest.skip(f"real: apt-get cannot download nginx: {got.stderr[-200:]}")
    root = make_root(tmp_path_factory.mktemp("nginx") / "root")
    unpacked = tmp_path_factory.mktemp("unpacked")
    for package in packages.glob("*.deb"):
        subprocess.run(["dpkg", "-x", package, unpacked], check=True)
    shutil.copytree(unpacked, root, symlinks=True, dirs_exist_ok=True)
    copy_libraries(root, str(unpacked / "usr/sbin/nginx"))
    (root / "etc/nginx/sites-enabled").mkdir(exist_ok=True)
    (root / "etc/nginx/sites-enabled/default").symlink_to("../sites-available/default")
    (root / "var/www/html").mkdir(parents=True)
    (root / "var/www/html/index.html").write_text('<a href="/deep/page.html">more</a><img src="/logo.svg">')
    (root / "var/www/html/deep").mkdir()
    (root / "var/www/html/deep/page.html").write_text("deep")
    (root / "var/www/html/logo.svg").write_text("<svg/>")
    (root / "var/www/html/unseen.html").write_text("never linked")
    (root / "var/log/nginx").mkdir(exist_ok=True)
    (root / "var/log/nginx/error.log").symlink_to("/dev/stderr")
    return root


DAEMON_OFF = config(cmd=("nginx", "-g", "daemon off;"), exposed_ports={"80/tcp": {}}, stop_signal="SIGQUIT",
                    healthcheck={"Test": ["CMD-SHELL", "cat /run/nginx.pid && id -u"]})  # fmt: skip


def test_nginx_runs_as_root_on_port_80_and_what_it_serves_is_seen(bench, nginx):
    before = listing(nginx)

    found = seen(bench, nginx, DAEMON_OFF)

    assert (found.before.verdict, found.before.ports, found.before.limits.user) == ("ready", (80,), "0:0"), found.before
    assert found.before.stop_s is not None
    assert found.before.exit_status == 0
    paths = {seed.path: seed.because for seed in found.seeds}
    assert {"/etc/nginx/mime.types", "/var/www/html/index.html", "/var/www/html/deep/page.html", "/usr/sbin/nginx",
            "/var/www/html/logo.svg", "/etc/nginx/sites-available/default", "/etc/nginx/sites-enabled/default",
            "/var/log/nginx/error.log", "/etc/passwd", "/lib64", "/usr/bin/dash", "/bin"} <= set(paths)  # fmt: skip
    assert paths["/var/lib/nginx"].startswith("run 'probe' made /var/lib/nginx/")
    assert "/var/www/html/unseen.html" not in paths
    assert not [path for path in paths if path.startswith(("/proc", "/dev", "/sys")) or ".." in path]
    assert [run.name for run in found.runs][:2] == ["probe", "healthcheck"]
    assert found.health_status == 0
    assert {(one.method, one.route, one.status) for one in found.visits} >= {
        ("GET", "/deep/page.html", 200), ("GET", "/proa-no-such-page", 404), ("POST", "/", 405), ("HEAD", "/", 200),
    }  # fmt: skip
    # The runs left nothing in the root but mount points.
    assert [one for one in listing(nginx) if one not in before] in ([], [("etc/hosts", 0), ("etc/resolv.conf", 0)])
    assert not list(bench.store.root.rglob("written"))


def test_what_is_missing_in_the_slimmed_image_is_told(bench, nginx, tmp_path):
    observed = seen(bench, nginx, DAEMON_OFF)
    smaller = tmp_path / "smaller"
    shutil.copytree(nginx, smaller, symlinks=True)
    settings = {"trial": TrialSettings(), "slim": SlimSettings()}

    assert try_again(bench, smaller, DAEMON_OFF, HERE, observed, **settings).reason == ""

    (smaller / "var/www/html/deep/page.html").unlink()
    again = try_again(bench, smaller, DAEMON_OFF, HERE, observed, **settings)

    assert again.reason == "GET /deep/page.html on port 80 answered 404, and the original answered 200"
    assert "ENOENT /var/www/html/deep/page.html" in again.after.missed_files

    (smaller / "etc/nginx/mime.types").unlink()
    again = try_again(bench, smaller, DAEMON_OFF, HERE, observed, **settings)

    assert again.reason.startswith("it is failed, and the original ready")
    assert "ENOENT /etc/nginx/mime.types" in again.after.missed_files


def test_a_server_that_goes_to_the_background_fails_as_it_does_in_docker(bench, nginx):
    found = seen(bench, nginx, config(cmd=("nginx",), exposed_ports={"80/tcp": {}}))

    assert (found.before.verdict, "although it should listen" in found.before.reason) == ("failed", True), found.before


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    if not Path("/usr/bin/python3.11").exists():
        pytest.skip("real: /usr/bin/python3.11 is not there")
    root = make_root(tmp_path_factory.mktemp("python") / "root")
    copy_in(root, "/usr/bin/python3.11")
    keep = shutil.ignore_patterns("test", "idlelib", "__pycache__", "dist-packages", "config-3.11*")
    shutil.copytree("/usr/lib/python3.11", root / "usr/lib/python3.11", symlinks=True, ignore=keep)
    (root / "srv").mkdir()
    (root / "srv/page.txt").write_text("page")
    (root / "srv/other.txt").write_text("other")
    return root


IN_HASTE = {"stop_timeout_s": 0.5}
"""Python's server has no handler for SIGTERM, and process 1 without one is not ended by it."""
SERVER = config(cmd=("python3.11", "-m", "http.server", "8000"), user="www-data", working_dir="/srv")


def test_a_users_tests_reach_the_program_and_add_what_they_touch(bench, python):
    test = f"""{sys.executable} -c '
import os, urllib.request
assert os.environ["PROA_PORT"] == "8000"
assert urllib.request.urlopen(os.environ["PROA_URL"] + "/page.txt").read() == b"page"
'"""

    found = seen(bench, python, SERVER, tests=(test,), routes=("/other.txt",), **IN_HASTE)

    assert (found.before.verdict, found.before.limits.user) == ("ready", "33:33")
    paths = {seed.path: seed.because for seed in found.seeds}
    assert {"/usr/lib/python3.11/http/server.py", "/srv/page.txt", "/srv/other.txt"} <= set(paths)
    assert "/usr/lib/python3.11/tkinter/__init__.py" not in paths
    assert [run.name for run in found.runs] == ["probe", test]
    again = try_again(
        bench, python, SERVER, HERE, found, trial=TrialSettings(**IN_HASTE), slim=SlimSettings(tests=(test,))
    )
    assert again.reason == ""


def test_a_test_that_fails_on_the_original_says_so_with_its_last_words(bench, python):
    with pytest.raises(ToolFailed, match=r"fails on the original image already: .* exited with 7") as caught:
        seen(bench, python, SERVER, tests=("echo no luck at $PROA_URL; exit 7",), **IN_HASTE)

    assert caught.value.output == "no luck at http://127.0.0.1:8000"


def shell_image(tmp_path, script, **fields):
    root = make_root(tmp_path / "root")
    (root / "usr/bin/start").write_text(f"#!/bin/sh\nset -e\n{script}")
    (root / "usr/bin/start").chmod(0o755)
    return root, config(entrypoint=("start",), **fields)


def test_a_program_that_is_no_server_is_asked_for_its_help_too(bench, tmp_path):
    script = "cat /etc/app/$1.conf\necho made > /var/made\nmkdir /root/x\ncat /var/made\n"
    root, image = shell_image(tmp_path, script, cmd=("run",))
    (root / "etc/app").mkdir()
    for name in ("run", "--help", "other"):
        (root / f"etc/app/{name}.conf").write_text("x")

    found = seen(bench, root, image, start_timeout_s=5)

    assert (found.before.verdict, found.before.exit_status) == ("started", 0), found.before
    paths = {seed.path for seed in found.seeds}
    assert {
        "/etc/app/run.conf",
        "/etc/app/--help.conf",
        "/usr/bin/start",
        "/bin",
        "/usr/bin/dash",
        "/usr/bin/cat",
    } <= paths
    assert not {"/etc/app/other.conf", "/var/made"} & paths
    assert [run.name for run in found.runs] == ["probe", "--help", "--version"]
    # Written by a run, and not there for the next.
    assert not (root / "var/made").exists()


def test_root_of_an_image_may_do_what_docker_lets_it_and_nothing_to_this_machine(bench, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("real: root's capabilities need root")
    files = ("sys/kernel/hostname", "sys/kernel/core_pattern")
    script = "cat /proc/self/status /proc/self/uid_map\n" + "".join(
        f"(true >> /proc/{file}) 2> /tmp/said || cat /tmp/said\n" for file in files
    )
    root, image = shell_image(tmp_path, script)

    found = seen(bench, root, image, start_timeout_s=5)

    said = found.before.output
    # CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID, SETPCAP, NET_BIND_SERVICE, SYS_CHROOT.
    assert "CapPrm:\t00000000000405fb" in said
    assert "CapEff:\t00000000000405fb" in said
    assert "NoNewPrivs:\t1" in said
    assert said.splitlines()[-3].split() == ["0", "0", str(1 << 31)]
    assert said.count("Read-only file system") == 2


def test_an_image_that_needs_arguments_and_environment_gets_them(bench, tmp_path):
    root, image = shell_image(tmp_path, 'test "$TOKEN" = t && test "$1" = go && echo fine', cmd=("stop",))

    assert seen(bench, root, image, start_timeout_s=5).before.exit_status == 1
    found = seen(bench, root, image, start_timeout_s=5, args=("go",), env={"TOKEN": "t"})
    assert (found.before.exit_status, found.before.output) == (0, "fine")


def test_without_a_sandbox_nothing_is_run_and_that_is_said(bench, tmp_path):
    root, image = shell_image(tmp_path, "true")

    found = seen(bench, root, image, engine="runc")

    assert (found.before.verdict, found.seeds, found.runs) == ("skipped", (), ())
    assert "bubblewrap" in found.before.reason


def test_an_interruption_ends_a_test_and_all_it_started(tmp_path, python):
    state = tmp_path / "state"
    code = f"""
import os
from pathlib import Path
from proa.outside.store import Store
from proa.pipeline.plan import Bench
from proa.pipeline.slim_runs import observe
from proa.records import oci
from proa.records.configuration import SlimSettings, TrialSettings
from proa.records.platform import Platform
image = oci.Config(architecture="amd64", os="linux", config=oci.Execution(
    cmd=("python3.11", "-m", "http.server", "8000"), user="www-data", working_dir="/srv"))
bench = Bench(store=Store(Path({str(tmp_path / "store")!r})), environ=dict(os.environ), access=None, jobs=1, say=lambda _: None)
observe(bench, Path({str(python)!r}), image, Platform("linux", "amd64"), trial=TrialSettings(stop_timeout_s=0.5),
        slim=SlimSettings(tests=("setsid sh -c 'echo $$ > {state}; exec sleep 987' & sleep 988",)))
"""
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    for _ in range(600):
        if state.exists() and state.read_text().strip():
            break
        time.sleep(0.05)
    sleeper = int(state.read_text())

    process.send_signal(signal.SIGINT)
    process.wait(timeout=20)

    for _ in range(100):
        if not Path(f"/proc/{sleeper}").exists():
            break
        time.sleep(0.05)
    assert not Path(f"/proc/{sleeper}").exists()
    assert not list((tmp_path / "store").rglob("upper"))
