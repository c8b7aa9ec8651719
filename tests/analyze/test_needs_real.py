"""What find_needs says of real linked programs: no need missed, none invented, each with its reason."""

from __future__ import annotations

from pathlib import Path

import pytest

import needs_projects
from proa.outside.gobinary import open_go
from proa.records.platform import Platform

pytestmark = pytest.mark.real
MANIFEST = needs_projects.manifest()


@pytest.mark.parametrize("name", MANIFEST)
def test_exactly_what_the_manifest_names_is_needed(name, built):
    found = built[name].needs()
    assert sorted((need.kind, need.what) for need in found.needs) == sorted(MANIFEST[name].needs)


@pytest.mark.parametrize("name", [name for name, wanted in MANIFEST.items() if wanted.needs])
def test_every_need_names_the_place_that_shows_it(name, built):
    for need in built[name].needs().needs:
        last = need.evidence[-1]
        line = (needs_projects.FOLDER / name / last.file).read_text().splitlines()[last.line - 1]
        assert line.strip(), need
        assert f"{last.file}:{last.line}" in need.reason
        if " calls " in need.reason:
            used = need.reason.partition(" calls ")[2].partition(" (main.go")[0].partition(" (remote")[0]
            assert used.rpartition(".")[2] in line, (need, line)


def test_chain_leads_from_main_to_the_use(built):
    (need,) = built["zone-constant"].needs().needs
    assert [place.symbol for place in need.evidence] == ["main.main", "main.in"]
    assert need.reason == "main.in calls time.LoadLocation (main.go:12)"


def test_use_behind_a_value_is_said_to_be_so(built):
    (need,) = built["certificates-value"].needs().needs
    assert "remote.Fetch calls net/http.(*Client).Head (remote/remote.go:" in need.reason


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("plain-server", "certificates", "crypto/x509.loadSystemRoots is linked in, but no client"),
        ("plain-server", "mime", "mime.loadMimeFile is linked in, but"),
        ("own-roots", "certificates", "roots of its own"),
        ("health-check", "certificates", "only http://127.0.0.1:…/healthz"),
        ("zones-inside", "zones", "time/tzdata is linked in"),
        ("zone-utc", "zones", "UTC needs no file"),
        ("program-self", "program", "it starts itself again"),
        ("tmp-elsewhere", "tmp", "in /data"),
        ("mime-builtin", "mime", "Go knows itself"),
    ],
)
def test_what_only_looks_needed_is_left_out_with_a_reason(name, kind, words, built):
    left_out = built[name].needs().left_out
    assert any(found.kind == kind and words in found.reason for found in left_out), left_out


@pytest.mark.parametrize("architecture", ["arm64", "arm/v7", "386"])
@pytest.mark.parametrize("name", ["certificates-interface", "certificates-transport", "plain-server", "zone-literal"])
def test_other_architectures_say_the_same(name, architecture, tmp_path):
    platform = Platform.parse(f"linux/{architecture}")
    one = needs_projects.build(
        needs_projects.FOLDER / name, tmp_path, go=needs_projects.go_or_skip(), platform=platform
    )
    assert [(need.kind, need.what) for need in one.needs().needs] == list(MANIFEST[name].needs)


def test_unread_architecture_needs_what_is_linked_in(tmp_path):
    one = needs_projects.build(
        needs_projects.FOLDER / "zones-any",
        tmp_path,
        go=needs_projects.go_or_skip(),
        platform=Platform.parse("linux/mips64le"),
    )
    zones = one.needs().of("zones")
    assert "the machine code of this architecture is not read" in zones[0].reason


def test_stripped_program_still_shows_its_calls(tmp_path):
    one = needs_projects.build(
        needs_projects.FOLDER / "certificates-get", tmp_path, go=needs_projects.go_or_skip(), flags=("-ldflags=-s -w",)
    )
    assert [need.kind for need in one.needs().needs] == ["certificates"]


def test_position_independent_program_says_the_same(tmp_path):
    one = needs_projects.build(
        needs_projects.FOLDER / "certificates-value",
        tmp_path,
        go=needs_projects.go_or_skip(),
        flags=("-buildmode=pie",),
    )
    assert [need.kind for need in one.needs().needs] == ["certificates"]


def test_what_is_no_go_program_needs_whatever_could_be(tmp_path: Path, built):
    broken = tmp_path / "broken"
    whole = built["plain-server"].binary.read_bytes()
    broken.write_bytes(whole[: len(whole) // 3])
    one = needs_projects.Built(broken, built["plain-server"].main, built["plain-server"].graph)
    assert {need.kind for need in one.needs().needs} == {"certificates", "zones", "users", "tmp", "mime"}


def test_reads_the_version_of_go(built):
    version = open_go(built["plain-server"].binary).go_version
    assert version.startswith("1.")
