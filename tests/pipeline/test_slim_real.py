"""`proa slim` of a small Debian-like image with Python in it, run before and after."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import msgspec
import pytest

from fakes.elf_files import Form, program
from fakes.layers import archive, docker_archive, item
from proa.errors import TrialFailed
from proa.outside.store import Store
from proa.pipeline.slim import Wish, slim
from proa.pipeline.stages import try_reference
from proa.records.oci import Manifest
from proa.records.request import Request
from real_neighbours import need

pytestmark = pytest.mark.real

SERVER = b"""
import http.server, json

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/lazy":
            import fractions, csv
            text = str(fractions.Fraction(1, 3))
        elif self.path == "/file":
            text = open("/srv/data/" + "words.txt").read()
        elif self.path == "/":
            text = json.dumps({"ok": True})
        else:
            return self.send_error(404)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(text.encode())

http.server.HTTPServer(("", 8080), Handler).serve_forever()
"""
PACKAGES = ("libc6", "libexpat1", "zlib1g", "python3.11-minimal", "libpython3.11-minimal", "libpython3.11-stdlib",
            "perl-base")  # fmt: skip


def debian_layer() -> bytes:
    """Return a layer of this machine's own packages, as Debian installs them, without what only people read."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for link in ("bin", "sbin", "lib", "lib64"):
            archive.addfile(item(link, link=f"usr/{link}")[0])
        listed = subprocess.run(["dpkg", "-L", *PACKAGES], capture_output=True, text=True, check=True).stdout
        kinds = sorted({f"{os.path.realpath(Path(path).parent)}/{Path(path).name}"
                        for path in listed.splitlines() if path.startswith("/") and path != "/."})  # fmt: skip
        status = subprocess.run(["dpkg-query", "-s", *PACKAGES], capture_output=True, check=True).stdout
        for path in kinds:
            if not re.match(r"/usr/(share/(man|locale)|include)/", path) and os.path.lexists(path):
                archive.add(path, recursive=False)
        for package in PACKAGES:
            for file in Path("/var/lib/dpkg/info").glob(f"{package}*.list"):
                archive.add(file, recursive=False)
        members = {"var/lib/dpkg/status": status, "etc/os-release": Path("/etc/os-release").read_bytes()}
        for name, content in members.items():
            info, _ = item(name, content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def application_layer() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for info, content in (
            item("srv/app.py", SERVER),
            item("srv/data/words.txt", b"one two"),
            item("etc/passwd", b"app:x:1000:1000::/srv:/usr/sbin/nologin\n"),
            item("tmp", mode=0o1777),
        ):
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    need("bwrap", "strace", "dpkg")
    if not Path("/usr/bin/python3.11").exists() or sys.platform != "linux":
        pytest.skip("real: Debian's python3.11 is not here")
    execution = {
        "User": "app",
        "Entrypoint": ["/usr/bin/python3.11", "/srv/app.py"],
        "ExposedPorts": {"8080/tcp": {}},
        "WorkingDir": "/srv",
    }
    file = tmp_path_factory.mktemp("slim") / "app.tar"
    return docker_archive(file, [debian_layer(), application_layer()], execution=execution, compress=True)


@pytest.fixture(scope="module")
def slimmed(image):
    return run(image, image.parent, "small:1")


def run(image, folder, to, **more):
    environ = {**os.environ, "PROA_CACHE": str(folder / "store")}
    request = Request(directory=str(folder), to=(to,), **more)
    return slim(str(image), request, Wish(), environ=environ, progress=lambda _what: None)


def test_it_does_the_same_and_is_much_smaller(slimmed):
    assert (slimmed.before.verdict, slimmed.after.verdict) == ("ready", "ready")
    assert slimmed.after_bytes < 0.75 * slimmed.before_bytes
    assert [one.name for one in slimmed.runs] == ["probe"]


@pytest.mark.parametrize("route", ["/lazy", "/file"])
def test_what_no_run_asked_for_works_too(slimmed, image, route):
    environ = {**os.environ, "PROA_CACHE": str(image.parent / "store")}
    trial = {"routes": [route], "ports": [8080]}
    tried = try_reference("small:1", Request(overrides={"trial": trial}), environ=environ, progress=lambda _what: None)
    assert (tried.verdict, tried.route, tried.http_status) == ("ready", route, 200)


def test_scanners_see_what_is_there_and_not_what_is_gone(slimmed, image, tmp_path):
    store = Store(image.parent / "store")
    manifest = msgspec.json.decode(store.read_blob(slimmed.digest), type=Manifest)
    with tarfile.open(store.blob_path(manifest.layers[0].digest)) as archive:
        archive.extract("var/lib/dpkg/status", tmp_path, filter="data")
        names = set(archive.getnames())
    listed = subprocess.run(
        ["dpkg-query", f"--admindir={tmp_path}/var/lib/dpkg", "-W", "-f", "${Package} ${Version} ${db:Status-Status}\\n"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    found = {line.split()[0] for line in listed.splitlines()}
    assert found >= {"libc6", "python3.11-minimal", "libpython3.11-stdlib"}
    assert all(line.endswith(" installed") for line in listed.splitlines())
    assert "perl-base" not in found
    assert "usr/bin/perl" not in names
    assert "etc/os-release" in names


def test_an_original_that_does_not_run_is_refused(image, tmp_path):
    crashing = archive([item("crash", program(Form()), mode=0o755)])
    broken = docker_archive(image.parent / "broken.tar", [crashing], execution={"Entrypoint": ["/crash"]})
    with pytest.raises(TrialFailed, match="does not get to work here"):
        run(broken, tmp_path, f"oci:{tmp_path / 'small'}", overrides={"trial": {"start_timeout_s": 2.0}})
    assert not (tmp_path / "small").exists()
