"""C, C++ and Rust projects with their real tools: shipped, tried, and what is refused.

The C library is compiled once for the whole module: half a minute a platform on an idle machine.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from real_neighbours import need, sharing_zig

pytestmark = pytest.mark.real
PROJECTS = Path(__file__).resolve().parents[1] / "projects" / "native"


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    return sharing_zig(tmp_path_factory.mktemp("store"))


@pytest.fixture
def project(tmp_path):
    """Return a function that copies a project of tests/projects/native and says what its folder is."""

    def copied(name: str) -> Path:
        folder = tmp_path / name
        shutil.copytree(PROJECTS / name, folder)
        return folder

    return copied


def proa(*words: str, cwd: Path, store: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "proa", *words],
        cwd=cwd,
        env={**os.environ, "PROA_CACHE": str(store), **environ},
        capture_output=True,
        text=True,
        timeout=580,
        check=False,
    )


def shipped(*words: str, cwd: Path, store: Path) -> dict:
    before = snapshot(cwd)
    ran = proa("ship", "--format", "json", *words, cwd=cwd, store=store)
    assert ran.returncode == 0, ran.stderr
    assert snapshot(cwd) == before, "the build wrote into the source tree"
    return json.loads(ran.stdout)


def snapshot(folder: Path) -> dict[str, int]:
    return {str(path): path.lstat().st_mtime_ns for path in sorted(folder.rglob("*"))}


def refused(cwd: Path, store: Path, code: str, *words: str) -> str:
    ran = proa("ship", "--no-trial", *words, cwd=cwd, store=store)
    assert f"[{code}]" in ran.stderr, ran.stderr
    assert "Traceback" not in ran.stderr
    return ran.stderr


def write(folder: Path, **files: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)
    return folder


def test_a_makefile_project_is_shipped_static_and_answers(project, store):
    need("make", "bwrap")
    folder = project("make-server")
    record = shipped(cwd=folder, store=store)
    (image,) = record["images"]
    binary = image["binary"]
    assert record["trial"]["verdict"] == "ready"
    assert binary["is_static"]
    assert (binary["name"], binary["language"], binary["libc"]) == ("server", "c", "musl")
    assert binary["bytes"] < 64_000
    assert binary["debug"]["build_id"] == binary["build_id"] != ""
    assert [one["id"] for one in record["findings"]] == ["build.installed-beside"]

    started = time.monotonic()
    again = shipped(cwd=folder, store=store)
    assert set(again["cache"].values()) == {"hit"}
    assert time.monotonic() - started < 2, "an unchanged run does nothing"

    other = folder.with_name("another-name")
    folder.rename(other)
    (other / "unused.txt").write_text("decides the key and not the program\n")
    moved = shipped("--no-trial", cwd=other, store=store)
    assert moved["cache"]["build"] == "miss"
    assert moved["images"][0]["binary"]["bytes"] == binary["bytes"]


def test_a_cmake_project_in_cpp_is_shipped_static_and_runs(project, store):
    need("cmake", "bwrap")
    record = shipped(cwd=project("cmake-shapes"), store=store)
    binary = record["images"][0]["binary"]
    assert record["trial"]["verdict"] == "started"
    assert (record["version"], binary["language"], binary["is_static"]) == ("1.2.3", "c++", True)


def test_a_meson_project_ships_what_it_installs_and_gcc_may_build_it(project, store):
    need("meson", "ninja", "gcc", "bwrap")
    folder = project("meson-greeter")
    record = shipped(cwd=folder, store=store)
    assert (record["trial"]["verdict"], record["images"][0]["binary"]["name"]) == ("started", "greeter")

    (folder / "proa.yaml").write_text("build: {cc: gcc}\n")
    dynamic = shipped(cwd=folder, store=store)
    binary = dynamic["images"][0]["binary"]
    assert dynamic["trial"]["verdict"] == "started"
    assert (binary["libc"], binary["is_static"]) == ("glibc", False)
    assert any(one["path"].endswith("libc.so.6") for one in binary["runtime_files"])


def test_c_is_built_for_another_processor(project, store):
    need("make", "meson", "bwrap", "qemu-aarch64-static")
    for name in ("make-server", "meson-greeter"):
        record = shipped("--platform", "linux/arm64", cwd=project(name), store=store)
        assert record["trial"]["verdict"] in ("ready", "started"), record["trial"]
        assert record["images"][0]["binary"]["is_static"]


def test_a_cargo_workspace_is_shipped_program_by_program_and_platform_by_platform(project, store):
    need("cargo", "bwrap", "qemu-aarch64-static")
    folder = project("cargo-shop")
    several = refused(folder, store, "PROA205")
    assert "./crates/api" in several
    assert "./crates/count" in several
    api = shipped("./crates/api", "--platform", "linux/amd64,linux/arm64", cwd=folder, store=store)
    assert [image["trial"]["verdict"] for image in api["images"]] == ["ready", "ready"]
    for image in api["images"]:
        binary = image["binary"]
        assert (binary["language"], binary["libc"], binary["is_static"]) == ("rust", "musl", True)
        assert binary["debug"]["build_id"] == binary["build_id"] != ""
    both = shipped("./...", "--no-trial", cwd=folder, store=store)
    assert [one["program"].rpartition("/")[2] for one in both["shipments"]] == ["api", "count"]
    assert b"/root/" not in _shipped_bytes(store, both["shipments"][1])


def _shipped_bytes(store: Path, shipment: dict) -> bytes:
    digest = shipment["images"][0]["binary"]["unstripped_digest"]
    return (store / "blobs/sha256" / digest.removeprefix("sha256:")).read_bytes()


def test_a_lock_file_that_does_not_fit_is_refused_and_left_alone(project, store):
    need("cargo")
    folder = project("cargo-shop")
    lock = folder / "Cargo.lock"
    lock.write_text(lock.read_text().replace('name = "itoa"', 'name = "itob"'))
    before = lock.read_text()
    refused(folder, store, "PROA209", "./crates/count")
    assert lock.read_text() == before
    lock.unlink()
    assert "there is no Cargo.lock" in refused(folder, store, "PROA209", "./crates/count")
    assert not lock.exists()


def test_what_a_makefile_does_wrong_is_told(tmp_path, store):
    need("make", "bwrap")
    plain = "int main(void) { return 0; }\n"
    nothing = write(tmp_path / "nothing", Makefile="all:\n\t@echo done\n")
    assert "made no program" in refused(nothing, store, "PROA403")
    several = write(tmp_path / "several", Makefile="all: a b\na b: main.c\n\tgcc -o $@ $<\n", main_c=plain)
    assert "  a\n  b\n" in refused(several, store, "PROA403")
    (several / "proa.yaml").write_text("build: {program: b}\n")
    assert shipped("--no-trial", cwd=several, store=store)["images"][0]["entrypoint"] == ["/app/b"]
    target = tmp_path / "written"
    outside = write(
        tmp_path / "outside", Makefile=f"a: main.c\n\tcc -o a main.c\ninstall: a\n\tcp a {target}\n", main_c=plain
    )
    assert f"tried to write {target}" in refused(outside, store, "PROA401")
    assert not target.exists()
    above = write(tmp_path / "above", Makefile="a: main.c\n\tcc -o a main.c\n\ttouch ../up\n", main_c=plain)
    assert "../up" in refused(above, store, "PROA401")
    link = "a: main.c libown.so\n\tcc -o a main.c -L. -lown\nlibown.so: main.c\n\tcc -shared -fPIC -o $@ $<\n"
    shared = write(tmp_path / "shared", Makefile=link, main_c=plain)
    assert "own (libown.so) exists only as a shared object" in refused(shared, store, "PROA402")
    header = write(tmp_path / "header", Makefile="a: main.c\n\tcc -o a main.c\n", main_c="#include <none-such.h>\n")
    assert "none-such.h" in refused(header, store, "PROA402")


def test_no_compiler_and_no_build_tool_are_told_with_what_to_install(project, tmp_path):
    # Nothing that is kept already may answer.
    store = tmp_path / "store"
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("git", "sh"):
        if found := shutil.which(name):
            (tools / name).symlink_to(found)
    folder = project("make-server")
    ran = proa("ship", cwd=folder, store=store, PATH=str(tools))
    assert (ran.returncode, "[PROA301]" in ran.stderr) == (3, True), ran.stderr
    assert "apt-get install make" in ran.stderr
    (folder / "proa.yaml").write_text("build: {cc: none-such-cc}\n")
    assert "none-such-cc" in refused(folder, store, "PROA301")
    ran = proa("ship", cwd=project("cargo-shop"), store=store, PATH=str(tools))
    assert "rustup.rs" in ran.stderr


def test_a_project_is_analyzed_and_has_a_dockerfile(project, store):
    need("make", "cargo", "bwrap")
    folder = project("make-server")
    assert "c · make · zig" in proa("analyze", cwd=folder, store=store).stdout
    text = proa("pack", "--dockerfile", cwd=folder, store=store).stdout
    assert "FROM alpine" in text
    assert 'ENTRYPOINT ["/app/server"]' in text
    text = proa("pack", "--dockerfile", "./crates/api", cwd=project("cargo-shop"), store=store).stdout
    assert "cargo build --release --locked --package api --bin api" in text
