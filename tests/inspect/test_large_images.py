"""Images of many files and of large layers: all of it counted, in bounded memory."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

MOST_MIB = 300
_MEASURED = """
import resource, sys
from proa.cli.main import main
try:
    status = main(sys.argv[1:])
finally:
    own = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM:"))
    print(own + resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(status)
"""


def layout(folder: Path, layers: list[Path]) -> str:
    """An OCI layout of uncompressed layers that are there already, linked and not copied."""
    blobs = folder / "blobs/sha256"
    blobs.mkdir(parents=True)

    def document(value: object, media_type: str) -> dict[str, object]:
        content = json.dumps(value).encode()
        digest = hashlib.sha256(content).hexdigest()
        (blobs / digest).write_bytes(content)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}

    described = []
    for layer in layers:
        with layer.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        described.append({"digest": f"sha256:{digest}", "size": layer.stat().st_size})
        layer.rename(blobs / digest)
    config = {"architecture": "amd64", "os": "linux", "config": {"Entrypoint": ["/app"]}}
    config["rootfs"] = {"type": "layers", "diff_ids": [one["digest"] for one in described]}
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": document(config, "application/vnd.oci.image.config.v1+json"),
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", **one} for one in described],
    }
    index = {"schemaVersion": 2, "manifests": [document(manifest, str(manifest["mediaType"]))]}
    (folder / "index.json").write_text(json.dumps(index))
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    return f"oci:{folder}"


def inspected(image: str, tmp_path: Path) -> tuple[dict, float]:
    ran = subprocess.run(
        [sys.executable, "-c", _MEASURED, "inspect", image, "--format", "json"],
        env={"PROA_CACHE": str(tmp_path / "store"), "PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        timeout=300,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr.decode()
    return json.loads(ran.stdout), int(ran.stderr.split()[-1]) / 1024


@pytest.mark.slow
def test_a_layer_of_two_gibibytes_takes_no_more_memory_than_a_small_one(tmp_path):
    size = 2 << 30
    large, small = tmp_path / "large.tar", tmp_path / "small.tar"
    member = tarfile.TarInfo("var/data.bin")
    member.size = size
    with large.open("wb") as file:
        file.write(member.tobuf())
        file.truncate(512 + size + 1024)  # a hole: nothing is written
    member.size = 0
    small.write_bytes(member.tobuf() + bytes(1024))
    anatomy, peak_mib = inspected(layout(tmp_path / "image", [large, small]), tmp_path)
    assert anatomy["stored_bytes"] == size
    assert anatomy["wasted_bytes"] == size
    assert peak_mib <= MOST_MIB


@pytest.mark.slow
def test_a_hundred_thousand_files_are_all_counted(tmp_path):
    layers = []
    for number in range(4):
        layers.append(tmp_path / f"{number}.tar")
        with layers[-1].open("wb") as out:
            for file in range(25_000):
                # Every layer writes a thousand files of its own again that the first has, too.
                owner = 0 if file < 1000 else number
                member = tarfile.TarInfo(f"srv/{owner}/{file // 100}/file-{file}")
                member.size = 600
                content = b"%d %d " % (number, file)
                out.write(member.tobuf() + content.ljust(1024, b"."))
            out.write(bytes(1024))
    anatomy, peak_mib = inspected(layout(tmp_path / "image", layers), tmp_path)
    assert anatomy["stored_bytes"] == 100_000 * 600
    assert anatomy["wasted_bytes"] == 3 * 1000 * 600
    assert [layer["changed"]["files"] for layer in anatomy["layers"]] == [0, 1000, 1000, 1000]
    assert peak_mib <= MOST_MIB
