from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.errors import (
    BuildFailed,
    LockBroken,
    ModuleMissing,
    ProaError,
    ToolFailed,
    ToolTooOld,
    UnknownPlatform,
    WrongConfiguration,
)
from proa.outside.command import Ran
from proa.outside.go import Go
from proa.outside.golist import (
    build_environment,
    check_platform,
    list_flags,
    list_packages,
    parse_packages,
    read_complaint,
)
from proa.records.configuration import BuildSettings
from proa.records.platform import Platform

CAPTURED = Path(__file__).parent / "captured"


class Answering:
    """A runner that keeps what it was asked and gives one answer."""

    def __init__(self, stdout: bytes = b"", stderr: bytes = b"", status: int = 0) -> None:
        self.ran = Ran(argv=(), status=status, stdout=stdout, stderr=stderr, seconds=0)
        self.argv: list[str] = []
        self.env: dict[str, str] = {}

    def __call__(self, argv, *, cwd=None, env=None, stdin=None, timeout_s=None, accept=(0,)) -> Ran:
        self.argv, self.env = list(argv), dict(env or {})
        return self.ran


def test_what_go_list_wrote_is_read():
    missing, unsafe, bytealg, app = parse_packages((CAPTURED / "go_list_missing_sum.json").read_bytes())
    assert missing.error is not None
    assert "missing go.sum entry" in missing.error.err
    assert unsafe.standard
    assert bytealg.other_files == bytealg.s_files != []
    assert (app.name, app.dep_only, app.imports) == ("main", False, ["golang.org/x/text/language"])
    assert app.module is not None
    assert app.module.main


def test_nothing_listed_is_no_package():
    assert parse_packages(b"") == ()


@given(st.binary(max_size=200))
def test_what_is_no_list_fails_plainly(output):
    with suppress(ToolFailed):
        parse_packages(output)


def test_one_call_names_its_fields_and_never_stamps():
    answer = Answering(stdout=b'{\n\t"ImportPath": "a"\n}\n')
    go = Go(environment={"GOFLAGS": "-buildvcs=true"}, run=answer)
    list_packages(["./..."], go=go, directory=Path("/"), environment={"GOOS": "linux"}, flags=["-tags=x"])
    assert answer.argv[:4] == ["go", "list", "-e", "-deps"]
    assert "-buildvcs=false" in answer.argv
    assert answer.argv[-3:] == ["-tags=x", "--", "./..."]
    fields = next(word for word in answer.argv if word.startswith("-json=")).removeprefix("-json=").split(",")
    assert {"Dir", "CFiles", "CXXFiles", "SwigCXXFiles", "EmbedFiles", "SysoFiles", "Error"} <= set(fields)
    assert "Stale" not in fields
    assert answer.env == {"GOFLAGS": "-buildvcs=true", "GOOS": "linux"}


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        pytest.param(
            "go: go.mod requires go >= 1.99 (running go 1.26.8; GOTOOLCHAIN=local)", ToolTooOld, "1.26.8", id="too new"
        ),
        pytest.param(
            "go: module ./a listed in go.work file requires go >= 1.99 (running go 1.26.8)",
            ToolTooOld,
            "1.99",
            id="work",
        ),
        pytest.param(
            "go: download go1.99 for linux/amd64: toolchain not available", ToolTooOld, "newer", id="no fetch"
        ),
        pytest.param("go: unsupported GOOS/GOARCH pair linux/x", UnknownPlatform, "linux/x", id="platform"),
        pytest.param(
            "main.go:3:2: missing go.sum entry for module providing package b.org/c (imported by a); to add:\n\tgo get a",
            LockBroken,
            "go mod tidy",
            id="missing sum",
        ),
        pytest.param(
            "main.go:3:2: no required module provides package b.org/c; to add it:\n\tgo get b.org/c",
            LockBroken,
            "go mod tidy",
            id="missing requirement",
        ),
        pytest.param(
            "go: updates to go.mod needed; to update it:\n\tgo mod tidy", LockBroken, "go mod tidy", id="updates"
        ),
        pytest.param(
            "go: inconsistent vendoring in /a:\n\tb@v1: is explicitly", LockBroken, "go mod vendor", id="vendor"
        ),
        pytest.param(
            "a.go:3:2: cannot find module providing package b: import lookup disabled by -mod=vendor",
            LockBroken,
            "go mod vendor",
            id="not vendored",
        ),
        pytest.param(
            "verifying a@v1.0.0: checksum mismatch\n\tdownloaded: h1:", LockBroken, "do not trust", id="wrong sum"
        ),
        pytest.param("malformed go.sum:\n/a/go.sum:1: wrong number of fields 1", LockBroken, "restore", id="malformed"),
        pytest.param("go: errors parsing go.mod:\ngo.mod:1: unknown directive: modul", LockBroken, "mend", id="go.mod"),
        pytest.param(
            "go: cannot load module x listed in go.work file: open x/go.mod: no such file",
            LockBroken,
            "use",
            id="go.work",
        ),
        pytest.param("go: a@v1.0.0: module lookup disabled by GOPROXY=off", ModuleMissing, "GOPROXY", id="offline"),
        pytest.param(
            'go: a@v1.0.0: Get "https://proxy/a": dial tcp: lookup proxy: no such host',
            ModuleMissing,
            "",
            id="no network",
        ),
        pytest.param("main.go:1:1: expected 'package', found x", BuildFailed, "expected", id="syntax"),
        pytest.param("main.go:3:2: package foo/bar is not in std (/usr/go/src/foo/bar)", BuildFailed, "std", id="std"),
        pytest.param("main.go:5:12: pattern static/*: no matching files found", BuildFailed, "static", id="embed"),
        pytest.param("import cycle not allowed", BuildFailed, "cycle", id="cycle"),
    ],
)
def test_a_complaint_becomes_the_error_that_fits(text, kind, words):
    error = read_complaint(text)
    assert type(error) is kind
    assert words in f"{error.what} {error.hint} {error.output}"
    assert error.output.strip() == text.strip()


@given(st.text(max_size=300))
def test_any_complaint_is_an_error_of_the_catalogue(text):
    assert isinstance(read_complaint(text), ProaError)


def test_a_tool_chain_that_cannot_be_fetched_names_no_version_to_look_for():
    error = read_complaint("go: download go1.99.0 for linux/amd64: toolchain not available")
    assert isinstance(error, ToolTooOld)
    assert error.wanted == ""


@pytest.mark.parametrize(
    "text",
    [
        "go: parsing $GOFLAGS: unknown flag -bogus",
        'go: invalid GOTOOLCHAIN "bogus"',
        "go: unknown GOEXPERIMENT bogus",
        "go: -race requires cgo; enable cgo by setting CGO_ENABLED=1",
        "flag provided but not defined: -bogus\nusage: go list [-f format]",
    ],
)
def test_settings_that_go_refuses_are_no_fault_of_the_source(text):
    assert isinstance(read_complaint(text), WrongConfiguration)


def test_a_failing_list_raises_what_it_complains_of():
    go = Go(run=Answering(stderr=b"go: updates to go.mod needed", status=1))
    with pytest.raises(LockBroken):
        list_packages(["."], go=go, directory=Path("/"), environment={})


@pytest.mark.parametrize(
    "platform", ["linux/amd64", "linux/arm/v7", "linux/arm64/v8", "linux/amd64/v3", "windows/amd64"]
)
def test_a_known_platform_costs_no_process(platform):
    answer = Answering()
    check_platform(Platform.parse(platform), Go(run=answer))
    assert answer.argv == []


@pytest.mark.parametrize(
    "platform", ["linux/quantum", "linux/amd46", "plan9/arm64", "linux/arm/v9", "linux/amd64/v7", "x/y"]
)
def test_an_unknown_platform_is_refused(platform):
    with pytest.raises(UnknownPlatform, match=platform) as caught:
        check_platform(Platform.parse(platform), Go(run=Answering(stdout=b"linux/amd64\n")))
    assert "go tool dist list" in caught.value.hint


def test_a_platform_newer_than_proa_is_asked_for():
    check_platform(Platform.parse("linux/newchip"), Go(run=Answering(stdout=b"linux/amd64\nlinux/newchip\n")))


@pytest.mark.parametrize(("cgo", "value"), [("auto", "0"), ("off", "0"), ("on", "1")])
def test_cgo_is_always_said(cgo, value):
    environment = build_environment(Platform.parse("linux/arm/v7"), BuildSettings(cgo=cgo, env={"GOEXPERIMENT": "x"}))
    assert environment == {"GOEXPERIMENT": "x", "GOOS": "linux", "GOARCH": "arm", "GOARM": "7", "CGO_ENABLED": value}


def test_only_flags_that_change_the_graph_are_listed_with():
    flags = ("-v", "-ldflags=-s", "--tags=b", "-race", "-gcflags", "all=-N", "-mod", "mod", "-overlay=o.json")
    assert list_flags(BuildSettings(flags=flags, tags=("a",))) == [
        "-tags=a",
        "-tags=b",
        "-race",
        "-mod=mod",
        "-overlay=o.json",
    ]
