"""Run an unpacked image under runc as docker would, without any network but its own loopback, and ask it."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fat_images import unpack_layer
from fat_requests import Ask

_CAPABILITIES = [
    f"CAP_{name}" for name in (
        "CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP", "SETPCAP",
        "NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE",
    )
]  # fmt: skip
"""Source: docker, oci/caps/defaults.go."""
_VOLATILE = ("date", "keep-alive", "connection")
"""Besides, the order in Allow is chance where a program keeps methods as a set, as Flask does."""
_CLIENT = Path(__file__).with_name("fat_client.py")


@dataclass(frozen=True)
class Answer:
    """What an image said to one request; volatile headers are left out."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body_sha256: str
    start: str
    """Of the body, for people who read a failure."""


def blob(layout: Path, digest: str) -> Path:
    return layout / "blobs" / "sha256" / digest.removeprefix("sha256:")


def read(layout: Path, digest: str) -> Any:
    return json.loads(blob(layout, digest).read_text())


def manifest_of(layout: Path) -> Any:
    """Return the manifest of the layout's only image, through an index of platforms where there is one."""
    found = json.loads((layout / "index.json").read_text())
    while "manifests" in found:
        found = read(layout, found["manifests"][0]["digest"])
    return found


def stored_bytes(layout: Path) -> int:
    """Return the bytes of the compressed layers, what a pull transfers."""
    return sum(layer["size"] for layer in manifest_of(layout)["layers"])


@contextmanager
def unpacked(layout: Path, scratch: Path) -> Iterator[Path]:
    """Show the image's merged files below an overlay; what is written there is thrown away."""
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=scratch))
    lowers = []
    for number, layer in enumerate(manifest_of(layout)["layers"]):
        unpack_layer(blob(layout, layer["digest"]), folder / str(number))
        lowers.append(str(folder / str(number)))
    for name in ("upper", "work", "rootfs"):
        (folder / name).mkdir()
    options = (
        f"lowerdir={':'.join(reversed([*lowers, str(folder / 'empty')]))},upperdir={folder}/upper,workdir={folder}/work"
    )
    (folder / "empty").mkdir()
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, folder / "rootfs"], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder / "rootfs"], check=True)
        shutil.rmtree(folder)


def shown_bytes(folder: Path) -> int:
    """Return the contents of the regular files that the image shows; hard links once."""
    seen, total = set(), 0
    for path in (folder / "rootfs").rglob("*"):
        state = path.lstat()
        if path.is_file() and not path.is_symlink() and state.st_ino not in seen:
            seen.add(state.st_ino)
            total += state.st_size
    return total


@contextmanager
def started(folder: Path, config: Any) -> Iterator[int]:
    """Run the image's own command; give a process id inside its network."""
    (folder / "hosts").write_text("127.0.0.1 localhost shop\n")
    (folder / "resolv.conf").write_text("")
    subprocess.run(["runc", "spec", "--bundle", folder], check=True)
    (folder / "config.json").write_text(json.dumps(_spec(folder, config)))
    name = f"fat-{os.getpid()}-{folder.name}"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            ["runc", "run", "--bundle", folder, "--pid-file", folder / "pid", name],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            yield _process_id(folder, process)
        finally:
            subprocess.run(["runc", "kill", name, "KILL"], check=False, capture_output=True)
            process.wait(timeout=20)
            subprocess.run(["runc", "delete", "--force", name], check=False, capture_output=True)


def _process_id(folder: Path, process: subprocess.Popen[bytes]) -> int:
    for _ in range(600):
        with contextlib.suppress(OSError, ValueError):
            return int((folder / "pid").read_text())
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise RuntimeError(f"the image did not start: {(folder / 'log').read_text(errors='replace')[-1000:]}")


def _spec(folder: Path, config: Any) -> Any:
    """Return runc's own default bundle with the image's command, user and environment, and docker's capabilities."""
    spec = json.loads((folder / "config.json").read_text())
    said = config["config"]
    uid, gid, home = _user(folder / "rootfs", said.get("User") or "0")
    environment = [*(said.get("Env") or []), f"HOME={home}"]
    process = spec["process"]
    process |= {
        "terminal": False, "args": [*(said.get("Entrypoint") or []), *(said.get("Cmd") or [])], "env": environment,
        "cwd": said.get("WorkingDir") or "/", "user": {"uid": uid, "gid": gid},
        "capabilities": dict.fromkeys(("bounding", "effective", "permitted"), _CAPABILITIES if uid == 0 else []),
        "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 4096, "soft": 4096}],
    }  # fmt: skip
    process["capabilities"]["bounding"] = _CAPABILITIES
    spec["root"] = {"path": "rootfs", "readonly": False}
    spec["mounts"] += [
        {"destination": f"/etc/{name}", "type": "bind", "source": str(folder / name), "options": ["bind", "ro"]}
        for name in ("hosts", "resolv.conf")
    ]
    return spec


def _user(rootfs: Path, user: str) -> tuple[int, int, str]:
    """Return uid, gid and home as docker finds them in the image's own files."""
    name, _, group = user.partition(":")
    entries = [line.split(":") for line in _lines(rootfs / "etc/passwd")]
    found = next((entry for entry in entries if name in (entry[0], entry[2])), [name, "", name, "0", "", "/"])
    if not found[2].isdecimal():
        raise RuntimeError(f"unable to find user {name}: no matching entries in passwd file")
    gid = group or found[3]
    named = next((entry.split(":")[2] for entry in _lines(rootfs / "etc/group") if entry.split(":")[0] == gid), gid)
    return int(found[2]), int(named), found[5]


def _lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


def answers(layout: Path, asks: Sequence[Ask], *, port: int, scratch: Path) -> list[Answer]:
    """Start the image, send it every request and return what it said."""
    with unpacked(layout, scratch) as folder:
        return ask_unpacked(folder, layout, asks, port=port)


def ask_unpacked(folder: Path, layout: Path, asks: Sequence[Ask], *, port: int) -> list[Answer]:
    config = read(layout, manifest_of(layout)["config"]["digest"])
    wanted = [
        {"path": ask.path, "method": ask.method, "headers": dict(ask.headers), "body": base64.b64encode(ask.body).decode(),
         "port": ask.port or port, "tls": ask.tls}
        for ask in asks
    ]  # fmt: skip
    with started(folder, config) as process:
        asked = subprocess.run(
            ["nsenter", f"--net=/proc/{process}/ns/net", sys.executable, _CLIENT, str(port)],
            input=json.dumps(wanted), capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
    if asked.returncode:
        log = (folder / "log").read_text(errors="replace")[-2000:]
        raise RuntimeError(f"{asked.stderr[-1000:]}\nthe program said:\n{log}")
    return [_answer(said) for said in json.loads(asked.stdout)]


def _answer(said: dict[str, Any]) -> Answer:
    body = base64.b64decode(said["body"])
    kept = tuple(
        (name, ", ".join(sorted(value.split(", "))) if name.lower() == "allow" else value)
        for name, value in said["headers"]
        if name.lower() not in _VOLATILE
    )
    return Answer(
        status=said["status"],
        headers=kept,
        body_sha256=hashlib.sha256(body).hexdigest(),
        start=body[:160].decode(errors="replace"),
    )
