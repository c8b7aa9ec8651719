"""What the tests of the pack room share: a store, and images made of raw tar members."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import pytest

from proa.outside.store import Store
from proa.records.binary import Binary
from proa.records.oci import CONFIG, LAYER_GZIP, MANIFEST, Config, Descriptor, Execution, Manifest, RootFs
from proa.records.platform import Platform
from proa.records.project import Git, Main, Port, Project


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def member() -> Callable[..., tuple[tarfile.TarInfo, bytes]]:
    """Make one tar member with whatever name and type, honest or not."""

    def make(name: str, content: bytes = b"", *, kind: bytes = tarfile.REGTYPE, mode: int = 0o644, link: str = ""):
        info = tarfile.TarInfo(name)
        info.type, info.mode, info.linkname, info.size = kind, mode, link, len(content)
        return info, content

    return make


@pytest.fixture
def archive() -> Callable[..., bytes]:
    """Write members as they are."""

    def write(*members: tuple[tarfile.TarInfo, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=form) as tar:
            for info, content in members:
                tar.addfile(info, io.BytesIO(content))
        return out.getvalue()

    return write


@pytest.fixture
def image(store: Store) -> Callable[..., Descriptor]:
    """Store an image of these uncompressed layers and return its manifest's descriptor."""

    def make(
        *layers: bytes,
        media_type: str = LAYER_GZIP,
        compress: Callable[[bytes], bytes] = lambda data: gzip.compress(data, mtime=0),
        diff_ids: Sequence[str] | None = None,
        os: str = "linux",
        architecture: str = "amd64",
        execution: Execution | None = None,
    ) -> Descriptor:
        blobs = [compress(layer) for layer in layers]
        config = Config(
            os=os,
            architecture=architecture,
            config=execution,
            rootfs=RootFs(
                diff_ids=tuple(diff_ids or (f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in layers))
            ),
        )
        written = msgspec.json.encode(config)
        manifest = Manifest(
            schema_version=2,
            media_type=MANIFEST,
            config=Descriptor(media_type=CONFIG, digest=store.put_blob(written), size=len(written)),
            layers=tuple(
                Descriptor(media_type=media_type, digest=store.put_blob(blob), size=len(blob)) for blob in blobs
            ),
        )
        data = msgspec.json.encode(manifest)
        return Descriptor(media_type=MANIFEST, digest=store.put_blob(data), size=len(data))

    return make


@pytest.fixture
def binary(store: Store) -> Binary:
    """Stand in for a static program of a few kilobytes."""
    content = b"\x7fELF" + bytes(range(256)) * 20
    digest = store.put_blob(content)
    return Binary(
        name="shop",
        platform=Platform("linux", "amd64"),
        digest=digest,
        bytes=len(content),
        unstripped_digest=digest,
        unstripped_bytes=len(content),
        strip="dwarf",
        is_static=True,
    )


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Lay out a small repository with a main package below cmd/shop."""
    root = tmp_path / "repository"
    (root / "cmd" / "shop").mkdir(parents=True)
    (root / "templates").mkdir()
    (root / "templates" / "index.html").write_text("<p>")
    (root / "run.sh").write_text("#!/bin/sh\n")
    (root / "run.sh").chmod(0o755)
    return root


@pytest.fixture
def project(tree: Path) -> Project:
    main = Main(
        name="shop",
        import_path="example.com/shop/cmd/shop",
        directory=str(tree / "cmd" / "shop"),
        module="example.com/shop",
        module_directory=str(tree),
    )
    git = Git(
        revision="a" * 40,
        tag="v1.2.3",
        committed_epoch_s=1_700_000_000,
        remote="https://example.com/shop",
    )
    return Project(
        main=main,
        go_version="1.24",
        toolchain="go1.26.8",
        packages=(),
        modules=(),
        ports=(Port(number=8080),),
        git=git,
    )
