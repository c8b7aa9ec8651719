"""The loader and libraries of a dynamic program as a layer."""

from __future__ import annotations

import pytest

from proa.errors import UnsafePath
from proa.pack.bases import Files, choose_base
from proa.pack.libraries import library_entries
from proa.records.binary import Binary, RuntimeFile
from proa.records.configuration import ImageSettings
from proa.records.evidence import Needs
from proa.records.platform import Platform

DIGEST = "sha256:" + "1" * 64
LOADER = RuntimeFile(path="/lib64/ld-linux-x86-64.so.2", digest=DIGEST, bytes=3, reason="the loader")
LINK = RuntimeFile(path="/lib/liba.so.1", target="liba.so.1.2", reason="needed")
FILE = RuntimeFile(path="/lib/liba.so.1.2", digest=DIGEST, bytes=5, reason="needed")


def binary(*files: RuntimeFile) -> Binary:
    return Binary(
        name="app",
        platform=Platform("linux", "amd64"),
        digest=DIGEST,
        bytes=1,
        unstripped_digest=DIGEST,
        unstripped_bytes=1,
        strip="none",
        is_static=False,
        interpreter=LOADER.path,
        runtime_files=files,
    )


def test_files_can_be_executed_and_links_stay_links() -> None:
    entries = library_entries(binary(LOADER, LINK, FILE), Files())
    assert [(one.path, one.kind, one.mode, one.target) for one in entries] == [
        ("lib64/ld-linux-x86-64.so.2", "file", 0o555, ""),
        ("lib/liba.so.1", "symlink", 0o777, "liba.so.1.2"),
        ("lib/liba.so.1.2", "file", 0o555, ""),
    ]


def test_what_a_base_has_is_left_to_it_wherever_it_lies() -> None:
    base = Files(root={"usr": {"lib64": {"ld-linux-x86-64.so.2": None}}})
    assert [one.path for one in library_entries(binary(LOADER, FILE), base)] == ["lib/liba.so.1.2"]


@pytest.mark.parametrize("path", ["/../etc/passwd", "/lib/../x", "/", "/lib//x"])
def test_a_path_that_leads_elsewhere_is_refused(path: str) -> None:
    with pytest.raises(UnsafePath):
        library_entries(binary(RuntimeFile(path=path, digest=DIGEST, reason="r")), Files())


def test_an_empty_base_does_for_a_program_with_its_libraries() -> None:
    choice = choose_base(Needs(), binary(LOADER, LINK, FILE), ImageSettings())
    assert choice.reference == "scratch"
    assert choice.reason.startswith("dynamic, with its loader and 1 library")
