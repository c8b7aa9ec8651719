"""Layers and images as other programs read them: gzip, GNU tar, Go's own library, skopeo."""

from __future__ import annotations

import os
import random
import subprocess
from pathlib import Path

import msgspec
import pytest

import real_neighbours
from proa.outside.store import Store
from proa.pack import pack, unpack
from proa.pack.compress import MEMBER_BYTES
from proa.records.configuration import ImageSettings
from proa.records.evidence import Need, Needs
from proa.records.image import Image
from proa.records.oci import Descriptor, Index

pytestmark = pytest.mark.real

NEEDS = Needs(needs=tuple(Need(kind=kind, reason="r") for kind in ("certificates", "zones", "users", "tmp", "mime")))
LISTING = """package main

import ("archive/tar"; "compress/gzip"; "fmt"; "io"; "os")

func main() {
	layer, err := gzip.NewReader(os.Stdin)
	if err != nil { panic(err) }
	for archive := tar.NewReader(layer); ; {
		header, err := archive.Next()
		if err == io.EOF { return }
		if err != nil { panic(err) }
		n, err := io.Copy(io.Discard, archive)
		if err != nil { panic(err) }
		fmt.Println(header.Name, n, header.Mode, header.Uid, header.ModTime.Unix())
	}
}
"""


@pytest.fixture
def large(binary, store):
    """Make a program of several gzip members."""
    content = random.Random(2).randbytes(1 << 20) + bytes(3 * MEMBER_BYTES)
    return msgspec.structs.replace(binary, digest=store.put_blob(content), bytes=len(content))


@pytest.fixture(params=["gzip", "zstd"])
def packed(request, large, project, store, tree) -> Image:
    settings = ImageSettings(compression=request.param)
    return pack(large, NEEDS, settings, project=project, base=None, store=store, directory=tree, jobs=2).image


def layout(image: Image, store: Store, folder: Path) -> None:
    """Lay the store's blobs out as skopeo reads them."""
    (folder / "blobs").mkdir(parents=True)
    (folder / "blobs" / "sha256").symlink_to(store.root / "blobs" / "sha256")
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    named = msgspec.structs.replace(image.manifest, annotations={"org.opencontainers.image.ref.name": "t"})
    manifests: tuple[Descriptor, ...] = (named,)
    (folder / "index.json").write_bytes(msgspec.json.encode(Index(schema_version=2, manifests=manifests)))


def test_skopeo_copies_the_image(packed: Image, store: Store, tmp_path: Path) -> None:
    real_neighbours.need("skopeo")
    layout(packed, store, tmp_path / "layout")
    targets = [f"oci:{tmp_path}/copy:t"]
    if packed.layers[0].media_type.endswith("gzip"):
        # skopeo turns every image into Docker's own format there, which has no zstd.
        targets.append(f"docker-archive:{tmp_path}/image.tar:a/b:t")
    for target in targets:
        subprocess.run(["skopeo", "copy", f"oci:{tmp_path}/layout:t", target], check=True, capture_output=True)
    copied = Path(tmp_path, "copy", "blobs", "sha256", packed.digest.removeprefix("sha256:"))
    assert copied.read_bytes() == store.read_blob(packed.digest)


def test_gzip_and_tar_find_one_valid_stream(packed: Image, store: Store) -> None:
    real_neighbours.need("gzip", "zstd", "tar")
    for layer in packed.layers:
        blob = store.blob_path(layer.digest)
        tool = "gzip" if layer.media_type.endswith("gzip") else "zstd"
        with blob.open("rb") as stream:
            subprocess.run([tool, "-t"], stdin=stream, check=True)
        argv = ["tar", "--list", "--verbose", f"--{tool}", f"--file={blob}"]
        listing = subprocess.run(argv, check=True, capture_output=True, env={**os.environ, "TZ": "UTC"})
        lines = listing.stdout.decode().splitlines()
        assert all(" 0/0 " in line and "1970-01-01 00:00" in line for line in lines)
        if layer.holds == "program":
            assert lines[-1].startswith("-r-xr-xr-x")


def test_go_reads_every_member(packed: Image, store: Store, tmp_path: Path) -> None:
    real_neighbours.need("go")
    if not packed.layers[0].media_type.endswith("gzip"):
        return  # Go has no zstd in its library
    (tmp_path / "go.mod").write_text("module listing\n\ngo 1.21\n")
    (tmp_path / "main.go").write_text(LISTING)
    subprocess.run(["go", "build", "-o", "listing", "."], cwd=tmp_path, check=True, capture_output=True)
    found: dict[str, list[str]] = {}
    for layer in packed.layers:
        with store.open_blob(layer.digest) as stream:
            ran = subprocess.run([tmp_path / "listing"], stdin=stream, check=True, capture_output=True)
        found |= {line.split()[0]: line.split()[1:] for line in ran.stdout.decode().splitlines()}
    assert found["app/shop"][1:] == [str(0o555), "0", "0"]
    assert found["tmp/"][1] == str(0o1777)
    assert len(found) > 600


SAID = """\
Europe/Paris 01:00
America/New_York 19:00
US/Eastern 19:00
certificates true
epub application/epub+zip
user nonroot 65532
temporary true
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the program that uses every system file."""
    real_neighbours.need("go")
    out = tmp_path_factory.mktemp("program") / "files"
    source = Path(__file__).parent.parent / "projects" / "pack-files"
    environment = {**os.environ, "CGO_ENABLED": "0"}
    argv = ["go", "build", "-trimpath", "-o", str(out), "."]
    subprocess.run(argv, cwd=source, env=environment, check=True, capture_output=True)
    return out


def run_in(root: Path) -> subprocess.CompletedProcess[bytes]:
    """Run the program with a folder as its root and no other file in sight."""
    argv = ["bwrap", "--bind", str(root), "/", "--unshare-all", "--clearenv", "/app/files"]
    return subprocess.run(argv, capture_output=True, check=False)


@pytest.mark.parametrize("missing", ["", "certificates", "zones", "users", "tmp", "mime"])
def test_go_finds_every_file_and_misses_each_that_is_taken_away(
    missing: str, program: Path, binary, project, store: Store, tree: Path, tmp_path: Path
) -> None:
    real_neighbours.need("bwrap")
    content = program.read_bytes()
    built = msgspec.structs.replace(binary, name="files", digest=store.put_blob(content), bytes=len(content))
    needs = Needs(needs=tuple(need for need in NEEDS.needs if need.kind != missing))
    settings = ImageSettings(compression_level=1)
    made = pack(built, needs, settings, project=project, base=None, store=store, directory=tree, jobs=2)
    unpack(made.image.digest, tmp_path / "root", store=store)
    ran = run_in(tmp_path / "root")
    assert (ran.stdout.decode() == SAID) is (not missing), ran
