"""Start real neighbours on loopback for the tests marked ``real``; what is missing skips, and says so."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

CRANE = "github.com/google/go-containerregistry/cmd/crane@v0.21.7"
MERMAID = "mermaid@11.4.1"
DELVE = "github.com/go-delve/delve/cmd/dlv@v1.27.2"


def need(*programs: str) -> None:
    """Skip the test where a program is missing."""
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"real: {program} is not on PATH")


def zig_cache(environ: Mapping[str, str]) -> Path:
    """Return where musl and libc++ are kept as zig compiled them, so that every store need not wait for them again."""
    tools = Path(environ.get("PROA_TEST_TOOLS") or Path(tempfile.gettempdir()) / "proa-test-tools")
    (tools / "zig-cache").mkdir(parents=True, exist_ok=True)
    return tools / "zig-cache"


def sharing_zig(store: Path) -> Path:
    """Return a store of a test's own that shares what zig compiled once for each platform."""
    (store / "zig").mkdir(parents=True)
    (store / "zig" / "cache").symlink_to(zig_cache(os.environ))
    return store


def free_port() -> int:
    """Return a port that is free on loopback."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextmanager
def running(argv: list[str], *, log: Path, env: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """Run a daemon for as long as the block lasts."""
    with log.open("wb") as output:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=env)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_for(host: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until a registry answers; skip where it cannot start."""
    for _ in range(200):
        if process.poll() is not None:
            break
        try:
            urllib.request.urlopen(f"http://{host}/v2/", timeout=1).close()
        except urllib.error.HTTPError as answer:
            answer.close()
            return
        except OSError:
            time.sleep(0.05)
        else:
            return
    pytest.skip(f"real: {process.args[0]} did not start: {log.read_text()[-500:]}")  # type: ignore[index]


@contextmanager
def docker_registry(folder: Path, *, options: str = "") -> Iterator[str]:
    """Run Debian's docker-registry; ``options`` is more of its configuration file."""
    need("docker-registry")
    host = f"127.0.0.1:{free_port()}"
    (folder / "config.yml").write_text(
        f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {folder}/data}}}}\n"
        f'http: {{addr: "{host}"}}\n{options}'
    )
    with running(["docker-registry", "serve", str(folder / "config.yml")], log=folder / "log") as process:
        wait_for(host, process, folder / "log")
        yield host


def crane(environ: Mapping[str, str]) -> str:
    """Return the crane command: from PATH or PROA_TEST_TOOLS, else built by go into a cache; else skip."""
    return _go_tool("crane", CRANE, environ)


def delve(environ: Mapping[str, str]) -> str:
    """Return the dlv command, found or built as crane is; Debian's is too old for this Go."""
    return _go_tool("dlv", DELVE, environ)


def _go_tool(name: str, module: str, environ: Mapping[str, str]) -> str:
    tools = Path(environ.get("PROA_TEST_TOOLS") or Path(tempfile.gettempdir()) / "proa-test-tools")
    found = shutil.which(name) or shutil.which(str(tools / name))
    if found:
        return found
    need("go")
    built = subprocess.run(
        ["go", "install", module], env={**environ, "GOBIN": str(tools), "GOFLAGS": ""}, capture_output=True, check=False
    )
    if built.returncode != 0:
        pytest.skip(f"real: {name} could not be built: {built.stderr.decode()[-300:]}")
    return str(tools / name)


@contextmanager
def crane_registry(folder: Path, environ: Mapping[str, str]) -> Iterator[str]:
    """Run ``crane registry serve``."""
    program = crane(environ)
    host = f"127.0.0.1:{free_port()}"
    with running([program, "registry", "serve", "--address", host], log=folder / "log") as process:
        wait_for(host, process, folder / "log")
        yield host


@contextmanager
def dockerd() -> Iterator[str]:
    """Run a docker daemon with its own folders and socket, without network."""
    need("dockerd")
    if os.geteuid() != 0:
        pytest.skip("real: dockerd needs root")
    # A short path: the name of a socket may have 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="proa-docker-"))
    socket_file = folder / "docker.sock"
    arguments = ["-H", f"unix://{socket_file}", "--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec"]
    quiet = ["--pidfile", f"{folder}/pid", "--iptables=false", "--bridge=none", "--storage-driver=vfs"]
    try:
        with running(["dockerd", *arguments, *quiet], log=folder / "log") as process:
            _wait_for_socket(socket_file, process, folder / "log")
            yield f"unix://{socket_file}"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for_socket(file: Path, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.connect(str(file))
            except OSError:
                time.sleep(0.05)
            else:
                client.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
                if b"200" in client.recv(64):
                    return
        if process.poll() is not None:
            break
    pytest.skip(f"real: dockerd is not running: {log.read_text()[-500:]}")


@contextmanager
def small_disk(place: Path) -> Iterator[Path]:
    """Mount a disk of 256 KiB."""
    if os.geteuid() != 0:
        pytest.skip("real: mounting a small disk needs root")
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "none", place], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"real: no tmpfs can be mounted: {mounted.stderr.decode()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


def mermaid(environ: Mapping[str, str]) -> Path:
    """Return Mermaid's one script for browsers, fetched once by npm into the tools' folder; else skip."""
    tools = Path(environ.get("PROA_TEST_TOOLS") or Path(tempfile.gettempdir()) / "proa-test-tools")
    script = tools / f"{MERMAID.replace('@', '-')}.min.js"
    if script.exists():
        return script
    need("npm")
    with tempfile.TemporaryDirectory() as folder:
        words = ["npm", "pack", MERMAID, "--silent", "--pack-destination", folder]
        packed = subprocess.run(words, cwd=folder, capture_output=True, check=False)
        archives = list(Path(folder).glob("*.tgz"))
        if packed.returncode != 0 or not archives:
            pytest.skip(f"real: npm could not fetch {MERMAID}: {packed.stderr.decode()[-300:]}")
        with tarfile.open(archives[0]) as archive:
            member = archive.extractfile("package/dist/mermaid.min.js")
            assert member is not None
            tools.mkdir(parents=True, exist_ok=True)
            script.write_bytes(member.read())
    return script


@contextmanager
def own_groups() -> Iterator[None]:
    """Remove the control groups that came while the block ran; those with processes in them stay."""
    before = set(_groups())
    try:
        yield
    finally:
        for group in sorted(set(_groups()) - before, reverse=True):
            with suppress(OSError):
                Path(group).rmdir()


def _groups() -> Iterator[str]:
    for folder, _, _ in os.walk("/sys/fs/cgroup"):
        yield folder
