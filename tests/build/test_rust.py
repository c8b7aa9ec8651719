"""Which target a Rust program is built for, and which variables decide it."""

from __future__ import annotations

from pathlib import Path

import pytest

from proa.build.rust import LINKER_SCRIPT, choose_target, deciding_variables
from proa.errors import ToolMissing, UnknownPlatform
from proa.outside.cargo import Rust
from proa.outside.command import run
from proa.records.platform import Platform

AMD64 = Platform("linux", "amd64")


def rust(sysroot: Path, *targets: str, host: str = "x86_64-unknown-linux-gnu") -> Rust:
    for target in targets:
        folder = sysroot / "lib/rustlib" / target / "lib"
        folder.mkdir(parents=True)
        (folder / "libstd-0123.rlib").touch()
    return Rust(version="rustc 1.95.0", host=host, sysroot=str(sysroot))


def test_musl_is_taken_where_its_standard_library_is_installed(tmp_path):
    target = choose_target(rust(tmp_path, "x86_64-unknown-linux-musl"), AMD64)
    assert (target.triple, target.libc, target.findings) == ("x86_64-unknown-linux-musl", "musl", ())


def test_a_target_that_is_missing_is_named_with_how_to_add_it(tmp_path):
    found = rust(tmp_path, "x86_64-unknown-linux-musl")
    with pytest.raises(ToolMissing) as refused:
        choose_target(found, Platform("linux", "arm64"))
    assert "rustup target add aarch64-unknown-linux-musl" in refused.value.hint


def test_without_musl_the_machines_own_libc_is_linked_statically_and_that_is_told(tmp_path):
    archive = tmp_path / "libc.a"
    with pytest.raises(ToolMissing):
        choose_target(rust(tmp_path), AMD64, archives=[str(archive)])
    archive.touch()
    target = choose_target(rust(tmp_path), AMD64, archives=[str(archive)])
    assert (target.triple, target.libc) == ("x86_64-unknown-linux-gnu", "glibc")
    assert "rustup target add x86_64-unknown-linux-musl" in target.findings[0].hint


def test_a_platform_that_rust_programs_are_not_built_for_is_refused(tmp_path):
    with pytest.raises(UnknownPlatform):
        choose_target(rust(tmp_path), Platform("linux", "mips"))


def test_profiles_and_flags_decide_and_places_and_wrappers_do_not():
    environ = {
        "CARGO_PROFILE_RELEASE_LTO": "true",
        "RUSTFLAGS": "-C opt-level=s",
        "CARGO_HOME": "/c",
        "CARGO_TARGET_DIR": "/t",
        "RUSTC_WRAPPER": "sccache",
        "HOME": "/h",
    }
    assert set(deciding_variables(environ)) == {"CARGO_PROFILE_RELEASE_LTO", "RUSTFLAGS"}


def test_words_for_a_c_compiler_that_links_reach_the_linker_as_its_own(tmp_path):
    script, real = tmp_path / "rust-lld", tmp_path / "the real one"
    real.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    script.write_text(LINKER_SCRIPT.format(linker=f"'{real}'"))
    for file in (script, real):
        file.chmod(0o755)
    words = [
        "-flavor",
        "gnu",
        "a b.o",
        "-Wl,-z,now",
        "-Xlinker",
        "-x",
        "-fuse-ld=mold",
        "-pthread",
        "*",
        "-Wl,--as-needed",
    ]
    said = run([str(script), *words]).text.splitlines()
    assert said == ["-flavor", "gnu", "a b.o", "-z", "now", "-x", "*", "--as-needed"]
