"""Go programs with C in them, compiled by zig and linked statically with musl, tried, and what is said when not."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from real_neighbours import need, zig_cache

pytestmark = pytest.mark.real

PROJECTS = Path(__file__).parents[1] / "projects" / "cgo"
BOTH = "linux/amd64,linux/arm64"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store of this module's own; what zig compiles once for each platform is shared with later runs."""
    need("go")
    if find_spec("ziglang") is None:
        pytest.skip("real: the ziglang wheel is not installed: pip install 'proa[c]'")
    folder = tmp_path_factory.mktemp("store")
    (folder / "zig").mkdir()
    (folder / "zig" / "cache").symlink_to(zig_cache(os.environ))
    return folder


def proa(*words: str, cwd: Path, store: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name not in ("GOFLAGS", "CC", "CXX")}
    return subprocess.run(
        [sys.executable, "-m", "proa", *words],
        cwd=cwd,
        env={**inherited, "PROA_CACHE": str(store), **environ},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


def written(folder: Path, files: dict[str, str]) -> Path:
    for name, text in {"go.mod": "module example.com/small\n\ngo 1.24\n", **files}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def copied(name: str, folder: Path, configuration: str = "") -> Path:
    shutil.copytree(PROJECTS / name, folder)
    if configuration:
        (folder / "proa.yaml").write_text(configuration)
    return folder


@pytest.fixture(scope="module", params=["sqlite", "kafka", "words"])
def shipped(request: pytest.FixtureRequest, store: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Ship a program for two platforms: C from a module, a library ready-made in a module, C++ of its own."""
    folder = copied(request.param, tmp_path_factory.mktemp("shipped") / request.param)
    ran = proa("ship", "--format", "json", "--platform", BOTH, cwd=folder, store=store)
    assert ran.returncode == 0, ran.stderr
    again = proa("ship", "--format", "json", "--platform", BOTH, cwd=folder, store=store)
    return {"name": request.param, "again": json.loads(again.stdout), **json.loads(ran.stdout)}


def test_a_program_with_c_is_static_and_ready_on_both_platforms(shipped: dict[str, Any]) -> None:
    assert [image["platform"] for image in shipped["images"]] == BOTH.split(",")
    for image in shipped["images"]:
        binary = image["binary"]
        assert (binary["is_static"], binary["uses_cgo"], binary["libc"]) == (True, True, "musl")
        assert binary["compiler"].startswith("zig ")
        assert binary["build_id"]
        assert binary["bytes"] < binary["unstripped_bytes"]
        trial = image["trial"]
        assert trial["verdict"] == "ready" or (trial["verdict"] == "skipped" and "qemu" in trial["reason"]), trial
    assert set(shipped["again"]["cache"].values()) == {"hit"}


def test_what_is_built_with_c_and_why_is_said(shipped: dict[str, Any]) -> None:
    (said,) = (one for one in shipped["findings"] if one["id"] == "build.cgo")
    chains = {
        "sqlite": ["example.com/notes", "github.com/mattn/go-sqlite3"],
        "kafka": ["example.com/events", "github.com/confluentinc/confluent-kafka-go/v2/kafka"],
        "words": ["example.com/words"],
    }
    assert [evidence["package"] for evidence in said["evidence"]] == chains[shipped["name"]]
    changed = {one["id"] for one in shipped["findings"] if one["id"].startswith("build.musl-")}
    # librdkafka looks up hosts and loads plug-ins; the other two do nothing that musl does in its own way.
    expected = {"build.musl-resolver", "build.musl-users", "build.musl-dlopen"} if shipped["name"] == "kafka" else set()
    assert changed == expected


@pytest.mark.parametrize(
    ("project", "culprit", "compilers_words", "exit_status"),
    [
        pytest.param("sqlite", "github.com/mattn/go-sqlite3", "went to", 0, id="ko 52"),
        pytest.param("pcap", "github.com/google/gopacket/pcap", "undefined: pcapErrorNotActivated", 2, id="ko 111"),
        pytest.param(
            "kafka",
            "github.com/confluentinc/confluent-kafka-go/v2/kafka",
            "undefined: kafka.NewProducer",
            2,
            id="ko 693",
        ),
    ],
)
def test_without_c_the_culprit_is_named_before_any_compiler(
    project: str, culprit: str, compilers_words: str, exit_status: int, store: Path, tmp_path: Path
) -> None:
    folder = copied(project, tmp_path / project, 'build: {cgo: "off"}\n')
    ran = proa("ship", "--no-trial", cwd=folder, store=store)
    assert ran.returncode == exit_status, ran.stderr
    assert ran.stderr.index(culprit) < ran.stderr.index(compilers_words)
    assert "PROA211" in ran.stderr or project == "sqlite"
    assert "proa[c]" in ran.stderr


def test_a_missing_header_is_named_with_the_package_and_the_chain(store: Path, tmp_path: Path) -> None:
    ran = proa("ship", cwd=copied("pcap", tmp_path / "pcap"), store=store)
    assert ran.returncode == 4
    lines = ran.stderr.splitlines()
    assert lines[0] == "proa: the header pcap.h is missing; github.com/google/gopacket/pcap needs it [PROA402]"
    assert [line.strip() for line in lines[1:4]] == [
        "example.com/sniff",
        "imports example.com/sniff/capture",
        "imports github.com/google/gopacket/pcap",
    ]
    assert "undefined:" not in ran.stderr


ANSWER = """package main

/*
#include "deep/answer.h"
#cgo LDFLAGS: -lm
int twice(int n);
*/
import "C"

import "fmt"

func main() { fmt.Println("answer", int(C.twice(C.HALF))) }
"""
SMALL = {
    "withc/main.go": ANSWER,
    "withc/twice.c": "int twice(int n) { return 2 * n; }\n",
    "withc/deep/answer.h": "#define HALF 21\n",
    "plain/main.go": 'package main\n\nimport "fmt"\n\nfunc main() { fmt.Println("plain") }\n',
}


def built(*words: str, cwd: Path, store: Path, **environ: str) -> dict[str, dict[str, Any]]:
    ran = proa("build", "--format", "json", "-o", "out/", *words, cwd=cwd, store=store, **environ)
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    return {one["name"]: one for one in (found if isinstance(found, list) else [found])}


def output(file: Path) -> str:
    return subprocess.run([file], capture_output=True, text=True, check=True).stdout


def test_of_several_programs_only_the_one_that_needs_c_has_it(store: Path, tmp_path: Path) -> None:
    folder = written(tmp_path / "several", SMALL)
    found = built("./...", cwd=folder, store=store)
    assert {name: binary["uses_cgo"] for name, binary in found.items()} == {"plain": False, "withc": True}
    assert output(folder / "out" / "withc") == "answer 42\n"
    # A header that go build does not look at.
    (folder / "withc" / "deep" / "answer.h").write_text("#define HALF 20\n")
    built("./withc", cwd=folder, store=store)
    assert output(folder / "out" / "withc") == "answer 40\n"


def test_the_same_source_elsewhere_is_the_same_program(store: Path, tmp_path: Path) -> None:
    cache = subprocess.check_output(["go", "env", "GOMODCACHE"], text=True).strip()
    first = built("./withc", cwd=written(tmp_path / "one", SMALL), store=store)["withc"]
    other = tmp_path / "deeper" / "store"
    (other / "zig").mkdir(parents=True)
    (other / "zig" / "cache").symlink_to(zig_cache(os.environ))
    for name in ("home", "tmp"):
        (tmp_path / name).mkdir()
    environ = {"HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path / "tmp"), "GOCACHE": str(tmp_path / "go")}
    folder = written(tmp_path / "another" / "place", SMALL)
    second = built("./withc", cwd=folder, store=other, GOMODCACHE=cache, **environ)["withc"]
    assert (second["digest"], second["unstripped_digest"]) == (first["digest"], first["unstripped_digest"])


def test_a_library_that_is_only_a_shared_object_is_no_help(store: Path, tmp_path: Path) -> None:
    need("gcc")
    folder = written(
        tmp_path / "shared", {"main.go": ANSWER.replace("-lm", "-L${SRCDIR} -lfoo").replace('"deep/', '"')}
    )
    (folder / "answer.h").write_text("#define HALF 1\n")
    subprocess.run(["gcc", "-shared", "-o", folder / "libfoo.so", "-x", "c", "/dev/null"], check=True)
    ran = proa("build", cwd=folder, store=store)
    assert ran.returncode == 4
    assert "the library foo is here only as a shared object" in ran.stderr.splitlines()[0]
    assert "PROA402" in ran.stderr.splitlines()[0]


def test_a_compiler_on_path_is_used_when_asked(store: Path, tmp_path: Path) -> None:
    need("gcc")
    folder = written(tmp_path / "gcc", {**SMALL, "proa.yaml": "build: {cc: gcc}\n"})
    binary = built("./withc", cwd=folder, store=store)["withc"]
    assert (binary["is_static"], binary["libc"]) == (True, "glibc")
    assert binary["compiler"].startswith("gcc ")
    ran = proa("build", "--platform", "linux/arm64", "./withc", cwd=folder, store=store)
    assert (ran.returncode, "PROA206" in ran.stderr) == (2, True)
    (folder / "proa.yaml").write_text("build: {cc: no-such-compiler}\n")
    ran = proa("build", "./withc", cwd=folder, store=store)
    assert (ran.returncode, "no-such-compiler" in ran.stderr) == (3, True)
