"""Fat images as people's Dockerfiles make them, built without docker: Debian from mmdebstrap, steps in overlay mounts.

``tests/projects/slim/NAME/Dockerfile`` is a Dockerfile that docker would build as well (the base is ``debian:bookworm``;
``COPY --from=golang`` is a named build context). Each step is kept in a cache folder under a key made of all before it,
so a second run only links blobs. Needs root, mmdebstrap, overlay mounts and Debian's mirror; else it skips.

``python tests/fat_images.py FOLDER [NAME…]`` writes ``FOLDER/NAME``, OCI layouts tagged ``NAME:latest``.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shlex
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

PROJECTS = Path(__file__).parent / "projects" / "slim"
NAMES = ("go", "nginx", "node", "python", "java")
_KEY = "1"
"""Another number makes every image anew."""
_CREATED = "2026-11-01T00:00:00Z"
_MEMBER_BYTES = 64 << 20
_MIRRORS = (
    "deb http://deb.debian.org/debian bookworm main",
    "deb http://deb.debian.org/debian bookworm-updates main",
    "deb http://deb.debian.org/debian-security bookworm-security main",
)
_STEP = """
set -e
mount -t overlay overlay -o "$OVERLAY" "$ROOT"
mount -t proc proc "$ROOT/proc"
mount --rbind /dev "$ROOT/dev"
mount -t tmpfs tmpfs "$ROOT/tmp"
mount --bind "$TRUST" "$ROOT/mnt"
mount --bind /etc/resolv.conf "$ROOT/etc/resolv.conf"
mount --bind /etc/hosts "$ROOT/etc/hosts"
"""
"""What a step of docker build sees; the roots this machine trusts are at /mnt for the step alone."""


_AS_DOCKER_HAS_IT = {
    "etc/dpkg/dpkg.cfg.d/docker-apt-speedup": "force-unsafe-io\n",
    "etc/apt/apt.conf.d/docker-no-languages": 'Acquire::Languages "none";\n',
    "etc/apt/apt.conf.d/docker-clean": 'DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true"; };\n',
    "usr/sbin/policy-rc.d": "#!/bin/sh\nexit 101\n",
}
"""Source: debuerreotype, scripts/.docker-image.sh and debuerreotype-minimizing-config."""


def cache_folder(environ: Mapping[str, str]) -> Path:
    """Return where built images are kept from one session to the next."""
    tools = Path(environ.get("PROA_TEST_TOOLS") or Path(tempfile.gettempdir()) / "proa-test-tools")
    (tools / "fat-images").mkdir(parents=True, exist_ok=True)
    return tools / "fat-images"


@dataclass(frozen=True)
class Layer:
    """One step's result, in the cache under its blob's digest."""

    digest: str
    diff_id: str
    size: int


@dataclass(frozen=True)
class Building:
    """An image between two steps."""

    key: str
    layers: tuple[Layer, ...] = ()
    history: tuple[dict[str, Any], ...] = ()
    config: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Workshop:
    """Where one image is built: the cache, and the unpacked layers of this build."""

    cache: Path
    scratch: Path
    contexts: Mapping[str, Path]

    def blob(self, digest: str) -> Path:
        return self.cache / "blobs" / "sha256" / digest.removeprefix("sha256:")

    def lower(self, layer: Layer) -> Path:
        """Return the layer as a folder that overlay mounts take: whiteouts are devices."""
        folder = self.scratch / layer.digest[7:19]
        if not folder.exists():
            unpack_layer(self.blob(layer.digest), folder)
        return folder


def need_root() -> None:
    """Skip where no image can be built."""
    if os.geteuid() != 0:
        pytest.skip("real: building fat images needs root")
    for program in ("mmdebstrap", "unshare", "tar", "runc"):
        if shutil.which(program) is None:
            pytest.skip(f"real: {program} is not on PATH")


def build(name: str, *, cache: Path, into: Path) -> Path:
    """Build one of the five images and write it as an OCI layout tagged NAME:latest; return the layout.

    One at a time in one cache, whoever asks.
    """
    context = PROJECTS / name
    with _alone(cache), tempfile.TemporaryDirectory(prefix="fat-", dir=cache) as scratch:
        workshop = Workshop(cache=cache, scratch=Path(scratch), contexts=_contexts(context))
        built = Building(key=_KEY)
        for word, rest in instructions((context / "Dockerfile").read_text()):
            built = _step(built, word, rest, workshop)
        return _write_layout(name, built, workshop, into)


@contextmanager
def _alone(cache: Path) -> Iterator[None]:
    with (cache / "lock").open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def instructions(dockerfile: str) -> Iterator[tuple[str, str]]:
    """Give (instruction, its text) with continued lines joined."""
    lines = [line for line in dockerfile.splitlines() if line.strip() and not line.startswith("#")]
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        word, _, rest = line.strip().partition(" ")
        yield word.upper(), " ".join(rest.split())


def _contexts(context: Path) -> dict[str, Path]:
    """Return the folders that COPY reads: the image's own, and the Go SDK of this machine."""
    found: dict[str, Path] = {"": context}
    if "from=golang" in (context / "Dockerfile").read_text():
        if shutil.which("go") is None:
            pytest.skip("real: go is not on PATH")
        said = subprocess.run(["go", "env", "GOROOT"], cwd="/", capture_output=True, text=True, check=True)
        found["golang"] = Path(said.stdout.strip())
    return found


def _step(built: Building, word: str, rest: str, workshop: Workshop) -> Building:
    config = dict(built.config)
    match word:
        case "FROM":
            key = _key(built.key, *_MIRRORS, *_AS_DOCKER_HAS_IT.values())
            layer = _cached(key, workshop, _debian)
            built = _with_layer(replace(built, key=key), layer, "debuerreotype bookworm")
            return replace(built, environment={"PATH": _PATH})
        case "ENV":
            pairs = dict(pair.split("=", 1) for pair in shlex.split(rest))
            return _with_history(replace(built, environment={**built.environment, **pairs}), f"ENV {rest}")
        case "RUN":
            key = _key(
                built.key,
                "RUN",
                rest,
                json.dumps(built.environment),
                config.get("WorkingDir", "/"),
                config.get("User", ""),
            )
            layer = _cached(key, workshop, lambda upper: _run(upper, rest, built, workshop))
            return _with_layer(replace(built, key=key), layer, f"RUN /bin/sh -c {rest} # buildkit")
        case "COPY":
            copy = _copy_words(rest)
            source = workshop.contexts[copy.context]
            key = _key(
                built.key,
                "COPY",
                rest,
                *(_content(source / path.strip("/"), source=copy.context) for path in copy.sources),
            )
            layer = _cached(key, workshop, lambda upper: _copy(upper, copy, source, config.get("WorkingDir", "/")))
            return _with_layer(replace(built, key=key), layer, f"COPY {rest} # buildkit")
        case "WORKDIR":
            key = _key(built.key, "WORKDIR", rest)
            layer = _cached(key, workshop, lambda upper: (upper / rest.strip("/")).mkdir(parents=True))
            built = _with_layer(replace(built, key=key), layer, f"WORKDIR {rest}")
            return replace(built, config={**config, "WorkingDir": rest})
        case "USER" | "STOPSIGNAL":
            config["User" if word == "USER" else "StopSignal"] = rest
        case "EXPOSE":
            config["ExposedPorts"] = {f"{port}/tcp": {} for port in rest.split()}
        case "ENTRYPOINT" | "CMD":
            config[word.capitalize()] = json.loads(rest)
        case "LABEL":
            config["Labels"] = dict(pair.split("=", 1) for pair in shlex.split(rest))
        case _:
            raise AssertionError(f"{word}: not one of the instructions these images use")
    return _with_history(replace(built, config=config), f"{word} {rest}")


_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def _with_layer(built: Building, layer: Layer, by: str) -> Building:
    entry = {"created": _CREATED, "created_by": by, "comment": "buildkit.dockerfile.v0"}
    return replace(built, layers=(*built.layers, layer), history=(*built.history, entry))


def _with_history(built: Building, by: str) -> Building:
    entry = {"created": _CREATED, "created_by": by, "comment": "buildkit.dockerfile.v0", "empty_layer": True}
    return replace(built, history=(*built.history, entry))


def _key(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _content(path: Path, *, source: str) -> str:
    """Return what decides a copied tree: its contents; the Go SDK is known by its version."""
    if source == "golang":
        return (path / "VERSION").read_text()
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    return _key(*(f"{file.relative_to(path)} {hashlib.sha256(file.read_bytes()).hexdigest()}" for file in files))


def _cached(key: str, workshop: Workshop, make: Any) -> Layer:
    """Return the step's layer from the cache, or make it in an empty folder and pack that."""
    kept = workshop.cache / "steps" / key
    if kept.exists():
        layer = Layer(**json.loads(kept.read_text()))
        if workshop.blob(layer.digest).exists():
            return layer
    upper = workshop.scratch / f"upper-{key[:12]}"
    upper.mkdir()
    make(upper)
    layer = _pack(upper, workshop)
    upper.rename(workshop.scratch / layer.digest[7:19])
    kept.parent.mkdir(exist_ok=True)
    kept.write_text(json.dumps(layer.__dict__))
    return layer


def _debian(upper: Path) -> None:
    """Write Debian as its own image has it: no devices, no machine's names, the host's time."""
    listed = "\n".join(_MIRRORS) + "\n"
    made = subprocess.run(
        ["mmdebstrap", "--quiet", "--variant=minbase", "--format=tar", "bookworm", "-", "-"],
        input=listed.encode(), capture_output=True, check=False, timeout=400, env={**os.environ, "SOURCE_DATE_EPOCH": "1793491200"},
    )  # fmt: skip
    if made.returncode:
        pytest.skip(f"real: mmdebstrap could not make Debian: {made.stderr.decode()[-300:]}")
    subprocess.run(["tar", "-x", "-C", upper, "--exclude=./dev/*"], input=made.stdout, check=True)
    for name, text in _AS_DOCKER_HAS_IT.items():
        (upper / name).write_text(text)
    (upper / "usr/sbin/policy-rc.d").chmod(0o755)
    for name in ("resolv.conf", "hosts", "hostname"):
        (upper / "etc" / name).unlink(missing_ok=True)
        (upper / "etc" / name).touch()


def _run(upper: Path, command: str, built: Building, workshop: Workshop) -> None:
    """Run one RUN in an overlay of the layers so far; what it writes lands in ``upper``."""
    root, work, trust = (workshop.scratch / name for name in ("root", "work", "trust"))
    for folder in (root, work, trust):
        folder.mkdir(exist_ok=True)
    lowers = ":".join(str(workshop.lower(layer)) for layer in reversed(built.layers))
    env = {
        "OVERLAY": f"lowerdir={lowers},upperdir={upper},workdir={work}", "ROOT": str(root), "TRUST": str(trust), "PATH": _PATH,
    }  # fmt: skip
    user = ["--userspec", built.config["User"]] if built.config.get("User") else []
    inside = {**built.environment, "HOME": "/root", "DEBIAN_FRONTEND": "noninteractive", **_trust(trust)}
    directory = shlex.quote(built.config.get("WorkingDir", "/"))
    argv = ["chroot", *user, str(root), "env", "-i", *(f"{name}={value}" for name, value in inside.items()),
            "/bin/sh", "-c", f"cd {directory} && {command}"]  # fmt: skip
    ran = subprocess.run(
        ["unshare", "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child", "sh", "-c", f"{_STEP}exec {shlex.join(argv)}"],
        env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=540,
    )  # fmt: skip
    shutil.rmtree(work)
    if ran.returncode:
        raise RuntimeError(f"RUN {command}: exit {ran.returncode}\n{ran.stdout.decode(errors='replace')[-3000:]}")


def _trust(folder: Path) -> dict[str, str]:
    """Put the roots that this machine trusts where a step finds them, and return the settings that name them."""
    settings = {}
    bundle, java = Path("/etc/ssl/certs/ca-certificates.crt"), Path("/etc/ssl/certs/java/cacerts")
    if bundle.exists():
        shutil.copy(bundle, folder / "ca.crt")
        names = ("PIP_CERT", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "npm_config_cafile", "GIT_SSL_CAINFO")
        settings = dict.fromkeys(names, "/mnt/ca.crt")
    if java.exists():
        shutil.copy(java, folder / "cacerts")
        settings["MAVEN_OPTS"] = "-Djavax.net.ssl.trustStore=/mnt/cacerts"
    proxy = {
        name: os.environ[name] for name in ("GOPROXY", "http_proxy", "https_proxy", "no_proxy") if name in os.environ
    }
    return {**settings, **proxy}


@dataclass(frozen=True)
class _Copy:
    context: str
    sources: tuple[str, ...]
    target: str
    owner: str


def _copy_words(rest: str) -> _Copy:
    flags = dict(word[2:].split("=", 1) for word in rest.split() if word.startswith("--"))
    *sources, target = [word for word in rest.split() if not word.startswith("--")]
    return _Copy(context=flags.get("from", ""), sources=tuple(sources), target=target, owner=flags.get("chown", ""))


def _copy(upper: Path, copy: _Copy, source: Path, directory: str) -> None:
    target = upper / str(Path(directory) / copy.target).strip("/")
    for path in copy.sources:
        origin = source / path.strip("/")
        if origin.is_dir():
            shutil.copytree(origin, target, symlinks=True, dirs_exist_ok=True)
        else:
            place = target / origin.name if copy.target.endswith("/") or len(copy.sources) > 1 else target
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(origin, place)
    user, _, group = (copy.owner or "0:0").partition(":")
    subprocess.run(["chown", "-R", f"{user}:{group or user}", target], check=True)
    subprocess.run(["chmod", "-R", "go-w,a+rX", target], check=True)


def _pack(upper: Path, workshop: Workshop) -> Layer:
    """Write what overlayfs left in ``upper`` as a layer, compressed as docker does: gzip at level 6."""
    with tempfile.TemporaryFile(dir=workshop.scratch) as plain:
        with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for path in sorted(upper.rglob("*"), key=lambda path: path.parts):
                _add(archive, path, path.relative_to(upper))
        plain.seek(0)
        return _compress(plain, workshop)


def _add(archive: tarfile.TarFile, path: Path, name: Path) -> None:
    state = path.lstat()
    if stat.S_ISCHR(state.st_mode) and state.st_rdev == 0:
        archive.addfile(tarfile.TarInfo(str(name.parent / f".wh.{name.name}")))
        return
    if stat.S_ISSOCK(state.st_mode):
        return
    archive.add(path, str(name), recursive=False)
    if stat.S_ISDIR(state.st_mode) and _is_opaque(path):
        archive.addfile(tarfile.TarInfo(str(name / ".wh..wh..opq")))


def _is_opaque(path: Path) -> bool:
    try:
        return os.getxattr(path, "trusted.overlay.opaque") == b"y"
    except OSError:
        return False


def _compress(plain: Any, workshop: Workshop) -> Layer:
    """Compress in members of 64 MiB with libdeflate, several times faster than zlib and as small at the same level."""
    import deflate

    plain_sum, packed_sum, size = hashlib.sha256(), hashlib.sha256(), 0
    (workshop.cache / "blobs" / "sha256").mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=workshop.scratch, delete=False) as out:
        while chunk := plain.read(_MEMBER_BYTES):
            packed = bytes(deflate.gzip_compress(chunk, 6))
            plain_sum.update(chunk)
            packed_sum.update(packed)
            size += out.write(packed)
    layer = Layer(digest=f"sha256:{packed_sum.hexdigest()}", diff_id=f"sha256:{plain_sum.hexdigest()}", size=size)
    Path(out.name).chmod(0o644)
    Path(out.name).rename(workshop.blob(layer.digest))
    return layer


def unpack_layer(blob: Path, folder: Path) -> None:
    """Unpack a gzip layer as a lower folder of overlay mounts."""
    folder.mkdir()
    subprocess.run(
        ["tar", "-xpzf", blob, "-C", folder, "--xattrs", "--xattrs-include=*", "--numeric-owner"], check=True
    )
    for mark in [*folder.rglob(".wh.*")]:
        hidden = mark.with_name(mark.name.removeprefix(".wh."))
        mark.unlink()
        if hidden.name == ".wh..opq":
            os.setxattr(mark.parent, "trusted.overlay.opaque", b"y")
        else:
            os.mknod(hidden, stat.S_IFCHR, 0)


def _write_layout(name: str, built: Building, workshop: Workshop, into: Path) -> Path:
    """Write the OCI layout; blobs are hard links into the cache where that is on the same disk."""
    layout = into / name
    shutil.rmtree(layout, ignore_errors=True)
    blobs = layout / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    for layer in built.layers:
        place = blobs / layer.digest[7:]
        if not place.exists():
            try:
                place.hardlink_to(workshop.blob(layer.digest))
            except OSError:
                shutil.copy(workshop.blob(layer.digest), place)

    def put(content: dict[str, Any], media_type: str) -> dict[str, Any]:
        data = json.dumps(content).encode()
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}

    environment = [f"{name}={value}" for name, value in built.environment.items()]
    config = {
        "created": _CREATED, "architecture": "amd64", "os": "linux",
        "config": {**built.config, "Env": environment},
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in built.layers]},
        "history": list(built.history),
    }  # fmt: skip
    oci = "application/vnd.oci.image"
    layers = [
        {"mediaType": f"{oci}.layer.v1.tar+gzip", "digest": layer.digest, "size": layer.size} for layer in built.layers
    ]
    manifest = {
        "schemaVersion": 2, "mediaType": f"{oci}.manifest.v1+json",
        "config": put(config, f"{oci}.config.v1+json"), "layers": layers,
    }  # fmt: skip
    entry = {**put(manifest, f"{oci}.manifest.v1+json"), "platform": {"architecture": "amd64", "os": "linux"},
             "annotations": {"org.opencontainers.image.ref.name": "latest"}}  # fmt: skip
    index = {"schemaVersion": 2, "mediaType": f"{oci}.index.v1+json", "manifests": [entry]}
    (layout / "index.json").write_text(json.dumps(index))
    (layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    return layout


def main(folder: Path, names: list[str]) -> None:
    """Build the images named, or all, and say how long each took."""
    for name in names or NAMES:
        started = time.monotonic()
        layout = build(name, cache=cache_folder(os.environ), into=folder)
        stored = sum(blob.stat().st_size for blob in (layout / "blobs" / "sha256").iterdir())
        sys.stdout.write(f"{layout}: {stored / 1e6:.0f} MB compressed, {time.monotonic() - started:.0f} s\n")


if __name__ == "__main__":
    Path(sys.argv[1]).mkdir(parents=True, exist_ok=True)
    main(Path(sys.argv[1]), sys.argv[2:])
