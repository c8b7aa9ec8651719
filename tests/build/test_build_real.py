"""Real programs, built by the real go command."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from proa.build import build, build_all
from proa.build.split import split
from proa.errors import BuildFailed, LockBroken, ModuleMissing, ToolMissing
from proa.outside import elf
from proa.outside.go import Go, find_go
from proa.outside.store import Store
from proa.records.binary import Binary, Strip
from proa.records.configuration import BuildSettings
from proa.records.platform import Platform
from proa.records.project import Git, Main
from real_neighbours import need

pytestmark = pytest.mark.real

AMD64 = Platform("linux", "amd64")
HELLO = """package main

import "fmt"

var version = "unset"

func main() {
	fmt.Println("hello", version)
	if len(version) == 1 {
		panic("as asked")
	}
}
"""


@pytest.fixture
def go() -> Go:
    need("go")
    # As on a user's machine: nothing of ours in GOFLAGS.
    return find_go({name: value for name, value in os.environ.items() if name != "GOFLAGS"})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def _project(folder: Path, files: Mapping[str, str], *, module: str = "example.com/hello") -> Main:
    for name, text in {"go.mod": f"module {module}\n\ngo 1.21\n", **files}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    name = module.rpartition("/")[2]
    return Main(name=name, import_path=module, directory=str(folder), module=module, module_directory=str(folder))


def _build(
    main: Main, go: Go, store: Store, *, settings: BuildSettings | None = None, git: Git | None = None
) -> Binary:
    return build(main, AMD64, settings or BuildSettings(), git=git or Git(), go=go, store=store, jobs=2)


def _output(*argv: str | Path) -> str:
    ran = subprocess.run([str(word) for word in argv], capture_output=True, text=True, check=False)
    return ran.stdout + ran.stderr


def test_a_program_is_static_runs_and_knows_its_version(tmp_path: Path, go: Go, store: Store) -> None:
    main = _project(tmp_path / "src", {"main.go": HELLO})
    settings = BuildSettings(ldflags=("-X 'main.version=two words'",))
    binary = _build(main, go, store, settings=settings)
    assert binary.is_static
    assert binary.build_id
    assert binary.go_version.startswith("go1.")
    for digest in (binary.digest, binary.unstripped_digest):
        assert _output(store.blob_path(digest)) == "hello two words\n"
        assert "CGO_ENABLED=0" in _output(go.program, "version", "-m", store.blob_path(digest))


def test_the_same_source_elsewhere_is_the_same_program(tmp_path: Path, go: Go) -> None:
    built = []
    for name, umask, jobs in (("one", 0o022, 1), ("a/deeper/two", 0o077, 2)):
        main = _project(tmp_path / name / "src", {"main.go": HELLO})
        before = os.umask(umask)
        try:
            store = Store(tmp_path / name / "store")
            built.append(build(main, AMD64, BuildSettings(), git=Git(), go=go, store=store, jobs=jobs))
        finally:
            os.umask(before)
    assert built[0] == built[1]


def test_the_commit_is_stamped_into_the_program(tmp_path: Path, go: Go, store: Store) -> None:
    need("git")
    main = _project(tmp_path / "src", {"main.go": HELLO})
    identity = ["-c", "user.name=n", "-c", "user.email=n@example.com"]
    for words in (["init", "-q"], ["add", "."], [*identity, "commit", "-qm", "first"]):
        subprocess.run(["git", *words], cwd=tmp_path / "src", check=True)
    revision = _output("git", "-C", tmp_path / "src", "rev-parse", "HEAD").strip()
    git = Git(revision=revision, short_revision=revision[:7])
    stamped = _build(main, go, store, git=git)
    said = _output(go.program, "version", "-m", store.blob_path(stamped.digest))
    assert f"vcs.revision={revision}" in said
    assert "vcs.modified=false" in said
    plain = _build(main, go, store, git=git, settings=BuildSettings(stamp=False))
    assert "vcs." not in _output(go.program, "version", "-m", store.blob_path(plain.digest))


def test_a_git_that_fails_does_not_fail_the_build(tmp_path: Path, go: Go, store: Store) -> None:
    main = _project(tmp_path / "src", {"main.go": HELLO})
    (tmp_path / "src" / ".git").mkdir()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "git").write_text("#!/bin/sh\necho 'fatal: detected dubious ownership' >&2\nexit 128\n")
    (tmp_path / "bin" / "git").chmod(0o755)
    broken = Go(
        program=go.program,
        environment={**go.environment, "PATH": f"{tmp_path / 'bin'}:{go.environment['PATH']}"},
        version=go.version,
    )
    binary = _build(main, broken, store, git=Git(revision="0" * 40))
    assert [finding.id for finding in binary.findings] == ["build.not-stamped"]


_NORMAL = re.compile(r"0x[0-9a-f]+|goroutine \d+")
_QEMU = {"arm": "arm", "arm64": "aarch64", "ppc64le": "ppc64le", "s390x": "s390x", "riscv64": "riscv64", "mips": "mips"}


def _link(folder: Path, go: Go, architecture: str, *, ldflags: str, mode: str = "exe") -> Path:
    name = f"{architecture}-{mode}-{ldflags.replace(' ', '')}"
    go.call(
        ["build", "-trimpath", f"-buildmode={mode}", f"-ldflags=-X main.version=1 {ldflags}", "-o", name, "."],
        directory=folder,
        environment={"GOARCH": architecture, "GOOS": "linux", "CGO_ENABLED": "0"},
    )
    return folder / name


def _run(program: Path, architecture: str) -> str:
    emulator = f"qemu-{_QEMU.get(architecture, '')}-static"
    if architecture not in ("amd64", "386") and shutil.which(emulator) is None:
        return "cannot run here"
    said = _output(program) if architecture in ("amd64", "386") else _output(emulator, program)
    return _NORMAL.sub("", said)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("architecture", "mode"),
    [
        ("amd64", "exe"),
        ("amd64", "pie"),
        ("386", "exe"),
        ("arm", "exe"),
        ("arm64", "exe"),
        ("s390x", "exe"),
        ("mips", "exe"),
    ],
)
def test_stripping_does_what_the_linkers_own_flags_do(tmp_path: Path, go: Go, architecture: str, mode: str) -> None:
    need("readelf")
    _project(tmp_path, {"main.go": HELLO})
    linked = _link(tmp_path, go, architecture, ldflags="", mode=mode)
    levels: list[tuple[Strip, str]] = [("dwarf", "-w"), ("all", "-s -w")]
    for level, ldflags in levels:
        stripped = tmp_path / f"ours-{level}"
        assert split(linked, stripped, level).reason == ""
        stripped.chmod(0o755)
        theirs = _link(tmp_path, go, architecture, ldflags=ldflags, mode=mode)
        assert stripped.stat().st_size <= theirs.stat().st_size * 1.01
        assert _run(stripped, architecture) == _run(linked, architecture)
        assert "readelf:" not in _output("readelf", "-aW", stripped)
        assert elf.notes(elf.open_elf(stripped)) == elf.notes(elf.open_elf(linked))
        ours, whole = (_output(go.program, "version", "-m", file).splitlines()[1:] for file in (stripped, linked))
        assert ours == whole
    assert _output(go.program, "tool", "nm", tmp_path / "ours-dwarf") == _output(go.program, "tool", "nm", linked)


def test_platforms_are_built_side_by_side(tmp_path: Path, go: Go, store: Store) -> None:
    main = _project(tmp_path / "src", {"main.go": HELLO})
    platforms = [AMD64, Platform("linux", "arm", "v7"), Platform("windows", "amd64")]
    built = build_all([main], platforms, BuildSettings(), git=Git(), go=go, store=store, jobs=2)
    assert [built[main, platform].is_static for platform in platforms] == [True, True, False]
    assert [finding.id for finding in built[main, platforms[2]].findings] == ["build.not-stripped"]
    said = _output(go.program, "version", "-m", store.blob_path(built[main, platforms[1]].digest))
    assert "GOARM=7" in said


def test_a_mistake_in_the_source_is_told_in_the_compilers_words(tmp_path: Path, go: Go, store: Store) -> None:
    main = _project(tmp_path / "src", {"main.go": "package main\n\nfunc main() { handler() }\n"})
    with pytest.raises(BuildFailed) as caught:
        _build(main, go, store)
    assert "main.go:3:15: undefined: handler" in caught.value.output
    assert not list((store.root / "partial").iterdir())


def test_cgo_without_a_compiler_is_told(tmp_path: Path, go: Go, store: Store) -> None:
    source = 'package main\n\n// static void hello(void) {}\nimport "C"\n\nfunc main() { C.hello() }\n'
    main = _project(tmp_path / "src", {"main.go": source})
    settings = BuildSettings(cgo="on", env={"CC": "no-such-compiler"})
    with pytest.raises(ToolMissing, match="no-such-compiler"):
        _build(main, go, store, settings=settings)


def test_a_program_with_libraries_is_not_called_static(tmp_path: Path, go: Go, store: Store) -> None:
    need("gcc")
    source = 'package main\n\n// static int one(void) { return 1; }\nimport "C"\n\nfunc main() { println(C.one()) }\n'
    main = _project(tmp_path / "src", {"main.go": source})
    settings = BuildSettings(cgo="on", cc="gcc", ldflags=("-extldflags=-Wl,-Bdynamic",), strip="all")
    binary = _build(main, go, store, settings=settings)
    assert not binary.is_static
    assert binary.uses_cgo
    assert binary.interpreter
    assert "libc.so.6" in binary.libraries
    assert binary.bytes < binary.unstripped_bytes
    assert _output(store.blob_path(binary.digest)) == "1\n"


def _proxy(folder: Path, module: str, version: str, files: Mapping[str, str]) -> None:
    """Lay out a module as a proxy on disk has it."""
    place = folder / module / "@v"
    place.mkdir(parents=True)
    go_mod = files.get("go.mod", f"module {module}\n\ngo 1.21\n")
    (place / "list").write_text(f"{version}\n")
    (place / f"{version}.info").write_text(f'{{"Version":"{version}"}}')
    (place / f"{version}.mod").write_text(go_mod)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as written:
        for name, text in {"go.mod": go_mod, **files}.items():
            written.writestr(f"{module}@{version}/{name}", text)
    (place / f"{version}.zip").write_bytes(archive.getvalue())


def _private(go: Go, folder: Path, **more: str) -> Go:
    environment = {
        **go.environment,
        "GOPROXY": f"file://{folder / 'proxy'}",
        "GONOSUMDB": "corp.example",
        "GOMODCACHE": str(folder / "modules"),
        "GOFLAGS": "-modcacherw",
        **more,
    }
    return Go(program=go.program, environment=environment, version=go.version)


_USES = 'package main\n\nimport "corp.example/words"\n\nfunc main() { println(words.Hello()) }\n'
_WORDS = 'package words\n\nfunc Hello() string { return "hello" }\n'
_REQUIRES = "module example.com/hello\n\ngo 1.21\n\nrequire corp.example/words v1.2.3\n"


def test_a_private_module_comes_through_the_users_environment(tmp_path: Path, go: Go, store: Store) -> None:
    _proxy(tmp_path / "proxy", "corp.example/words", "v1.2.3", {"words.go": _WORDS})
    main = _project(tmp_path / "src", {"go.mod": _REQUIRES, "main.go": _USES})
    private = _private(go, tmp_path)
    with pytest.raises(LockBroken) as caught:
        _build(main, private, store)
    assert "go.sum" in caught.value.output
    private.call(["mod", "tidy"], directory=tmp_path / "src")
    binary = _build(main, private, store)
    assert _output(store.blob_path(binary.digest)) == "hello\n"
    private.call(["mod", "vendor"], directory=tmp_path / "src")
    offline = _private(go, tmp_path, GOPROXY="off", GOMODCACHE=str(tmp_path / "empty"))
    vendored = _build(main, offline, store)
    assert _output(store.blob_path(vendored.digest)) == "hello\n"


def test_a_version_of_a_module_shows_itself(tmp_path: Path, go: Go, store: Store) -> None:
    _proxy(tmp_path / "proxy", "corp.example/tool", "v1.2.3", {"main.go": HELLO})
    wrapper = "module proa.invalid/program\n\ngo 1.21\n\nrequire corp.example/tool v1.2.3\n"
    (tmp_path / "wrapper").mkdir()
    (tmp_path / "wrapper" / "go.mod").write_text(wrapper)
    main = Main(
        name="tool",
        import_path="corp.example/tool",
        directory=str(tmp_path / "modules" / "corp.example" / "tool@v1.2.3"),
        module="corp.example/tool",
        module_version="v1.2.3",
        module_directory=str(tmp_path / "wrapper"),
        go_flags=("-mod=mod",),
        go_environment=(("GOWORK", "off"),),
    )
    binary = _build(main, _private(go, tmp_path), store)
    said = _output(go.program, "version", "-m", store.blob_path(binary.digest))
    assert re.search(r"mod\s+corp\.example/tool\s+v1\.2\.3", said)


def test_the_password_of_a_proxy_is_not_repeated(tmp_path: Path, go: Go, store: Store) -> None:
    main = _project(tmp_path / "src", {"go.mod": _REQUIRES, "main.go": _USES})
    closed = _private(go, tmp_path, GOPROXY="https://me:s3cret@127.0.0.1:1", GOFLAGS="-mod=mod -modcacherw")
    with pytest.raises(ModuleMissing) as caught:
        _build(main, closed, store)
    assert "127.0.0.1:1" in caught.value.output
    assert "s3cret" not in caught.value.what + caught.value.output + caught.value.hint
