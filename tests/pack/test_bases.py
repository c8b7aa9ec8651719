"""What an image starts from: the judgement in tables, and bases as they come."""

from __future__ import annotations

import tarfile

import msgspec
import pytest

from proa.errors import BaseUnfit, NotStatic
from proa.pack import Base, choose_base, list_files
from proa.pack.bases import Files, check_base, read_base
from proa.records.binary import Binary
from proa.records.configuration import ImageSettings
from proa.records.evidence import Evidence, Need, Needs
from proa.records.platform import Platform

SHELL = Need(kind="program", what="sh", reason="main.run starts sh (main.go:9)", evidence=(Evidence(line=9),))
CERTIFICATES = Need(kind="certificates", reason="r")


@pytest.mark.parametrize(
    ("base", "needs", "reference", "reason", "findings"),
    [
        pytest.param("auto", (), "scratch", "static, and nothing", 0, id="a static program needs nothing"),
        pytest.param("auto", (CERTIFICATES,), "scratch", "only CA certificates", 0, id="exactly what is needed"),
        pytest.param("scratch", (CERTIFICATES,), "scratch", "asked for: scratch", 0, id="scratch by name"),
        pytest.param("auto", (SHELL,), "scratch", "are not there: sh", 1, id="a shell is missing"),
        pytest.param("alpine:3", (SHELL,), "alpine:3", "asked for: alpine:3", 0, id="a given base"),
    ],
)
def test_the_choice_follows_the_evidence(base, needs, reference, reason, findings, binary) -> None:
    choice = choose_base(Needs(needs=needs), binary, ImageSettings(base=base))
    assert choice.reference == reference
    assert reason in choice.reason
    assert "\n" not in choice.reason
    assert len(choice.findings) == findings


def test_a_missing_program_is_named_with_its_evidence_and_a_base_that_has_it(binary) -> None:
    finding = choose_base(Needs(needs=(SHELL,)), binary, ImageSettings()).findings[0]
    assert finding.id == "pack.program-missing"
    assert "main.go:9" in finding.message
    assert "alpine" in finding.hint
    assert finding.evidence == SHELL.evidence


@pytest.mark.parametrize(
    ("loader", "suggests"), [("/lib64/ld-linux-x86-64.so.2", "debian"), ("/lib/ld-musl-x86_64.so.1", "alpine")]
)
def test_a_program_that_needs_libc_is_not_put_on_nothing(loader: str, suggests: str, binary: Binary) -> None:
    linked = msgspec.structs.replace(binary, is_static=False, interpreter=loader, libraries=("libc.so.6",))
    why = Need(kind="libc", what="libc.so.6", reason="main imports C")
    with pytest.raises(NotStatic, match=loader) as caught:
        choose_base(Needs(needs=(why,)), linked, ImageSettings())
    assert "--base" in caught.value.hint
    assert suggests in caught.value.hint
    assert "main imports C" in caught.value.hint


@pytest.fixture
def debian(image, archive, member):
    """Make a base in Debian's shape: merged /usr, a loader, a shell, passwd."""
    return image(
        archive(
            member("usr/bin/", kind=tarfile.DIRTYPE, mode=0o755),
            member("usr/bin/dash", b"x", mode=0o755),
            member("usr/bin/sh", kind=tarfile.SYMTYPE, link="dash"),
            member("usr/bin/broken", kind=tarfile.SYMTYPE, link="/nowhere"),
            member("bin", kind=tarfile.SYMTYPE, link="usr/bin"),
            member("lib64", kind=tarfile.SYMTYPE, link="usr/lib64"),
            member("usr/lib64/ld-linux-x86-64.so.2", b"x"),
            member("etc/passwd", b"root:x:0:0::/:/bin/sh\napp:x:7:8::/:/bin/sh\n"),
        )
    )


def test_a_base_that_has_the_program_is_enough(debian, binary, store) -> None:
    base = Base(reference="debian:12", manifest=debian)
    linked = msgspec.structs.replace(binary, is_static=False, interpreter="/lib64/ld-linux-x86-64.so.2")
    git = Need(kind="program", what="git", reason="r")
    named = Need(kind="program", what="/bin/sh", reason="r")
    broken = Need(kind="program", what="broken", reason="r")
    findings = check_base(base, read_base(base, store), linked, Needs(needs=(SHELL, named, git, broken)))
    assert [finding.message.split()[3].rstrip(",") for finding in findings] == ["git", "broken"]


def test_a_base_without_the_loader_is_not_enough(debian, binary, store) -> None:
    base = Base(reference="debian:12", manifest=debian)
    linked = msgspec.structs.replace(binary, is_static=False, interpreter="/lib/ld-musl-x86_64.so.1")
    with pytest.raises(NotStatic, match="debian:12"):
        check_base(base, read_base(base, store), linked, Needs())


@pytest.mark.parametrize("platform", [Platform("linux", "arm64"), Platform("windows", "amd64")])
def test_a_base_for_another_platform_is_unfit(platform, debian, binary, store) -> None:
    base = Base(reference="debian:12", manifest=debian)
    other = msgspec.structs.replace(binary, platform=platform)
    with pytest.raises(BaseUnfit, match=f"not for {platform}"):
        check_base(base, read_base(base, store), other, Needs())


def test_a_listing_is_read_once(debian, store) -> None:
    first = list_files(debian.digest, store=store)
    for digest in list(store.digests()):
        path = store.blob_path(digest)
        if path.read_bytes()[:2] == b"\x1f\x8b":
            path.unlink()
    assert list_files(debian.digest, store=store) == first
    assert "app:x:7:8" in first.passwd


@pytest.mark.parametrize(
    ("path", "there"),
    [
        ("/bin/sh", True),
        ("usr/bin/dash", True),
        ("/usr/bin/broken", False),
        ("/bin/nothing", False),
        ("/", True),
        ("/bin/sh/x", False),
    ],
)
def test_links_are_followed_when_a_file_is_looked_for(path: str, there: bool, debian, store) -> None:
    assert list_files(debian.digest, store=store).has(path) is there


def test_a_loop_of_links_is_no_file() -> None:
    assert not Files(root={"a": "b", "b": "a"}).has("a")
