"""How ``go build`` is called, by a stand-in that records the words and writes a small program."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from fakes import elf_files
from fakes.elf_files import Form
from proa.build import build, build_all
from proa.build.compile import together
from proa.build.complaints import error_of
from proa.errors import (
    BuildFailed,
    LockBroken,
    ModuleMissing,
    NeedsC,
    NoSpace,
    NotWritable,
    ProaError,
    UnknownPlatform,
    WrongUsage,
)
from proa.outside.command import Ran
from proa.outside.go import Go
from proa.outside.store import Store
from proa.records.configuration import BuildSettings
from proa.records.platform import Platform
from proa.records.project import Git, Main

AMD64, ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64")
GIT = Git(revision="0123456789", short_revision="0123456", tag="v1.4.0", committed_epoch_s=1795464000)


def _main(name: str, **changes: Any) -> Main:
    path = f"example.com/shop/cmd/{name}"
    return Main(
        **{
            "name": name,
            "import_path": path,
            "directory": f"/src/cmd/{name}",
            "module": "example.com/shop",
            "module_directory": "/src",
        }
        | changes
    )


class FakeGo:
    """Record every call; answer as ``answers`` says, one after the other, and then write programs."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = list(answers)
        self.calls: list[tuple[list[str], dict[str, str], Path]] = []
        self.lock = threading.Lock()

    def __call__(self, argv: Sequence[str], *, cwd: Any = None, env: Any = None, **_: Any) -> Ran:
        with self.lock:
            self.calls.append((list(argv), dict(env), cwd))
            complaint = self.answers.pop(0) if self.answers else b""
        if not complaint:
            folder = Path(argv[argv.index("-o") + 1])
            folder.mkdir()
            machine = {"amd64": 62, "arm64": 183}[env["GOARCH"]]
            for path in argv[argv.index("--") + 1 :]:
                (folder / path.rpartition("/")[2]).write_bytes(elf_files.program(Form(machine=machine)))
        return Ran(argv=tuple(argv), status=1 if complaint else 0, stdout=b"", stderr=complaint, seconds=0.0)

    def go(self, **environment: str) -> Go:
        return Go(environment={"GOENV": "off", **environment}, run=self)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def test_both_files_are_in_the_store_and_can_be_run(store: Store) -> None:
    binary = build(_main("api"), AMD64, BuildSettings(), git=Git(), go=FakeGo().go(), store=store, jobs=2)
    assert binary.is_static
    assert binary.bytes < binary.unstripped_bytes == len(elf_files.program(Form()))
    for digest, size in ((binary.digest, binary.bytes), (binary.unstripped_digest, binary.unstripped_bytes)):
        assert store.blob_path(digest).stat().st_size == size
        assert store.blob_path(digest).stat().st_mode & 0o777 == 0o755
    assert not list((store.root / "partial").iterdir()), "no scratch folder is left"


def test_one_link_serves_every_level_of_stripping(store: Store) -> None:
    fake = FakeGo()
    for level in ("none", "dwarf", "all"):
        build(_main("api"), AMD64, BuildSettings(strip=level), git=Git(), go=fake.go(), store=store, jobs=1)
    assert len({tuple(word for word in argv if "partial" not in word) for argv, _, _ in fake.calls}) == 1


def test_the_environment_decides_the_platform_and_cgo(store: Store) -> None:
    fake = FakeGo()
    go = fake.go(GOPRIVATE="corp.example", GOARCH="mips", CGO_ENABLED="1")
    build(_main("api"), ARM64, BuildSettings(env={"GOEXPERIMENT": "x"}), git=Git(), go=go, store=store, jobs=1)
    _, environment, directory = fake.calls[0]
    assert directory == Path("/src")
    assert environment["GOPRIVATE"] == "corp.example"
    assert (environment["GOOS"], environment["GOARCH"], environment["CGO_ENABLED"]) == ("linux", "arm64", "0")
    assert environment["GOEXPERIMENT"] == "x"
    build(_main("api"), ARM64, BuildSettings(cgo="on"), git=Git(), go=go, store=store, jobs=1)
    assert fake.calls[1][1]["CGO_ENABLED"] == "1"


@pytest.mark.parametrize(
    ("git", "stamp", "flag"),
    [
        pytest.param(GIT, True, "-buildvcs=auto", id="a repository"),
        pytest.param(GIT, False, "-buildvcs=false", id="stamping is off"),
        pytest.param(Git(), True, "-buildvcs=false", id="no repository, or no git"),
    ],
)
def test_stamping_is_asked_for_where_git_answers(store: Store, git: Git, stamp: bool, flag: str) -> None:
    fake = FakeGo()
    build(_main("api"), AMD64, BuildSettings(stamp=stamp), git=git, go=fake.go(), store=store, jobs=1)
    assert flag in fake.calls[0][0]


def test_a_failing_stamp_is_left_out_and_told(store: Store) -> None:
    fake = FakeGo(b"error obtaining VCS status: exit status 128\n\tUse -buildvcs=false to disable VCS stamping.\n")
    binary = build(_main("api"), AMD64, BuildSettings(), git=GIT, go=fake.go(), store=store, jobs=1)
    assert "-buildvcs=false" in fake.calls[1][0]
    assert [finding.id for finding in binary.findings] == ["build.not-stamped"]


def test_an_empty_template_field_is_told(store: Store) -> None:
    settings = BuildSettings(ldflags=("-X main.version={{.Git.Tag}}",))
    fake = FakeGo()
    binary = build(_main("api"), AMD64, settings, git=Git(), go=fake.go(), store=store, jobs=1)
    assert [finding.id for finding in binary.findings] == ["build.template-empty"]
    assert "-ldflags=-X main.version=" in fake.calls[0][0]


def test_programs_of_one_place_are_built_by_one_command_for_each_platform(store: Store) -> None:
    fake = FakeGo()
    mains = [_main("api"), _main("worker"), _main("tool", module_version="v1.0.0", module_directory="/other")]
    built = build_all(mains, [AMD64, ARM64, AMD64], BuildSettings(), git=Git(), go=fake.go(), store=store, jobs=4)
    assert {(binary.name, binary.platform) for binary in built.values()} == {
        (main.name, platform) for main in mains for platform in (AMD64, ARM64)
    }
    assert len(fake.calls) == 4
    assert sorted(len(argv) - argv.index("--") - 1 for argv, _, _ in fake.calls) == [1, 1, 2, 2]
    assert all("-p=1" in argv for argv, _, _ in fake.calls), "four commands share four cores"


def test_two_programs_of_one_name_are_built_apart() -> None:
    one, two = _main("api"), _main("api", import_path="example.com/shop/v2/api")
    assert together([one, two, one, _main("worker")]) == [[one, _main("worker")], [two]]


def test_a_program_asked_for_by_version_brings_its_own_flags(store: Store) -> None:
    fake = FakeGo()
    main = _main("api", module_version="v1.2.3", go_flags=("-mod=mod",), go_environment=(("GOWORK", "off"),))
    build(main, AMD64, BuildSettings(), git=GIT, go=fake.go(), store=store, jobs=1)
    argv, environment, _ = fake.calls[0]
    assert "-mod=mod" in argv
    assert environment["GOWORK"] == "off"
    assert "-buildvcs=false" in argv, "the repository around is not this program's"


def test_toolexec_is_refused_before_anything_runs(store: Store, tmp_path: Path) -> None:
    fake = FakeGo()
    written = tmp_path / "env"
    written.write_text("GOFLAGS=-toolexec=/bin/true\n")
    for go in (fake.go(GOFLAGS="-toolexec=/bin/true"), fake.go(GOENV=str(written))):
        with pytest.raises(WrongUsage, match="-toolexec in GOFLAGS"):
            build(_main("api"), AMD64, BuildSettings(), git=Git(), go=go, store=store, jobs=1)
    assert not fake.calls


def test_one_failure_of_several_platforms_is_the_failure(store: Store) -> None:
    fake = FakeGo(b"", b"# example.com/shop/cmd/api\ncmd/api/main.go:3:2: undefined: x\n")
    with pytest.raises(BuildFailed) as caught:
        build_all([_main("api")], [AMD64, ARM64], BuildSettings(), git=Git(), go=fake.go(), store=store, jobs=1)
    assert "undefined: x" in caught.value.output


_COMPLAINTS: list[tuple[str, type[ProaError]]] = [
    ("# a.org/b\n./main.go:3:2: undefined: x", BuildFailed),
    ("# a.org/b\n./main.go:3:2: undefined: x509: dial tcp: checksum mismatch", BuildFailed),
    ("# a.org/b\nlink: write /tmp/x: no space left on device", NoSpace),
    ("go: creating work dir: mkdir /tmp/go-build1: no space left on device", NoSpace),
    ('# runtime/cgo\ncgo: C compiler "gcc" not found: exec: "gcc": executable file not found in $PATH', NeedsC),
    ("go: -race requires cgo; enable cgo by setting CGO_ENABLED=1", NeedsC),
    ("loadinternal: cannot find runtime/cgo\n# a.org/b\nlink: -linkmode=external requires external (cgo) linking, but cgo is not enabled", NeedsC),
    ("verifying a.org/b@v1.0.0: checksum mismatch\n\tdownloaded: h1:x\n\tgo.sum: h1:y\n\nSECURITY ERROR", LockBroken),
    ("main.go:3:8: missing go.sum entry for module providing package a.org/b", LockBroken),
    ("go: a.org/b@v9.9.9: reading https://proxy.golang.org/a.org/b/@v/v9.9.9.mod: 404 Not Found", ModuleMissing),
    ("go: unsupported GOOS/GOARCH pair linux/vax", UnknownPlatform),
    ("build cache is required, but could not be located: GOCACHE is not defined and neither $XDG_CACHE_HOME nor $HOME are defined", NotWritable),
    ("open /root/.cache/go-build/x: permission denied", NotWritable),
]  # fmt: skip


@pytest.mark.parametrize(("text", "kind"), _COMPLAINTS, ids=lambda value: str(value)[:40])
def test_every_complaint_becomes_the_error_that_helps(text: str, kind: type[ProaError]) -> None:
    error = error_of(text.encode())
    assert type(error) is kind
    assert error.output.splitlines()[-1] == text.splitlines()[-1]


@pytest.mark.parametrize("wrap", [lambda url: url, lambda url: f'"{url}"'])
def test_credentials_in_addresses_are_not_repeated(wrap: Callable[[str], str]) -> None:
    for secret in ("me:s3cret", "s3cret", "me:s3@cret"):
        text = f"go: a.org/b@v1.0.0: reading {wrap(f'https://{secret}@proxy.example/a.org/b/@v/v1.0.0.mod')}: 401"
        error = error_of(text.encode())
        assert "s3" not in error.output + error.what
        assert "proxy.example/a.org/b/@v/v1.0.0.mod" in error.output


def test_a_compiler_that_was_killed_is_told_apart() -> None:
    assert "memory" in error_of(b"# a.org/b\n/go/compile: signal: killed\n").hint


def test_the_go_command_compiles_in_the_store_unless_told_where(store: Store) -> None:
    asked = FakeGo()
    build(_main("api"), AMD64, BuildSettings(), git=GIT, go=asked.go(), store=store, jobs=1)
    assert asked.calls[-1][1]["GOTMPDIR"].startswith(f"{store.root}/partial/")
    build(_main("api"), AMD64, BuildSettings(), git=GIT, go=asked.go(GOTMPDIR="/work"), store=store, jobs=1)
    assert asked.calls[-1][1]["GOTMPDIR"] == "/work"
    build(_main("api"), AMD64, BuildSettings(env={"GOTMPDIR": "/w"}), git=GIT, go=asked.go(), store=store, jobs=1)
    assert asked.calls[-1][1]["GOTMPDIR"] == "/w"
