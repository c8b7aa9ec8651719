"""Which variants make sense, and what their names mean."""

from __future__ import annotations

import msgspec
import pytest

from proa.compare import Conditions, Facts, names_of, notes, recipe
from proa.errors import WrongUsage
from proa.records.configuration import BuildSettings, Configuration, settings_of
from proa.records.platform import Platform

GO = Facts(language="go", platform=Platform("linux", "amd64"), settings=BuildSettings(), host_compiler="gcc")


def test_the_default_set_of_a_go_program_begins_with_the_dynamic_one():
    assert names_of(GO, variants=(), preset=None) == ("dynamic", "static", "dwarf", "stripped", "zstd")


def test_without_a_compiler_there_is_no_dynamic_one_in_the_default_set():
    facts = msgspec.structs.replace(GO, host_compiler="")

    assert "dynamic" not in names_of(facts, variants=(), preset=None)
    assert "C compiler" in recipe("dynamic", facts).reason


def test_a_profile_a_newer_processor_and_bases_at_hand_are_added():
    facts = msgspec.structs.replace(GO, has_profile=True, levels=("v2", "v3"), bases={"debian": "debian:12-slim"})

    names = names_of(facts, variants=(), preset=None)

    assert names[-4:] == ("pgo", "amd64-v3", "zstd", "debian")
    assert recipe("stripped", facts).overrides["build"]["flags"] == ("-pgo=off",)
    assert recipe("pgo", facts).overrides["build"]["flags"] == ("-pgo=auto",)


def test_presets_are_the_pairs_people_show():
    assert names_of(GO, variants=(), preset="libc") == ("dynamic", "static")
    assert names_of(GO, variants=(), preset="static") == ("dynamic", "static", "stripped")


@pytest.mark.parametrize(
    ("name", "overrides"),
    [
        ("static", {"build": {"cgo": "off", "strip": "none"}}),
        ("dwarf", {"build": {"cgo": "off", "strip": "dwarf"}}),
        ("stripped", {"build": {"cgo": "off", "strip": "all"}}),
        ("pie", {"build": {"cgo": "off", "strip": "all", "flags": ("-buildmode=pie",)}}),
        ("tags:a+b", {"build": {"cgo": "off", "strip": "all", "tags": ("a", "b")}}),
        ("zstd", {"build": {"cgo": "off", "strip": "all"}, "image": {"compression": "zstd"}}),
        ("scratch", {"build": {"cgo": "off", "strip": "all"}, "image": {"base": "scratch"}}),
    ],
)
def test_a_name_means_settings(name, overrides):
    found = recipe(name, GO)

    assert found.overrides == overrides
    settings_of(Configuration(), (), found.overrides)


def test_the_dynamic_one_is_linked_by_the_machines_own_compiler():
    found = recipe("dynamic", GO)

    assert found.overrides["build"]["cgo"] == "on"
    assert found.overrides["build"]["cc"] == "gcc"
    assert "-extldflags=-Wl,-Bdynamic" in found.overrides["build"]["ldflags"]


def test_a_program_that_needs_c_keeps_it_in_its_static_variants():
    facts = msgspec.structs.replace(GO, uses_c=True)

    assert recipe("static", facts).overrides["build"]["cgo"] == "on"


@pytest.mark.parametrize(
    ("name", "facts", "reason"),
    [
        ("pgo", GO, "default.pgo"),
        ("amd64-v3", GO, "processor"),
        ("arm64-v8.1", GO, "arm64"),
        ("alpine", GO, "not in the local store"),
        ("dynamic", msgspec.structs.replace(GO, language="rust"), "statically"),
        ("tags:x", msgspec.structs.replace(GO, language="c"), "Go's"),
        ("single-stage", msgspec.structs.replace(GO, language="c"), "Go programs only"),
    ],
)
def test_what_is_not_at_hand_has_a_reason(name, facts, reason):
    assert reason in recipe(name, facts).reason


def test_a_wrong_name_is_told_with_the_one_that_was_meant():
    with pytest.raises(WrongUsage) as caught:
        recipe("striped", GO)

    assert caught.value.hint == "did you mean stripped?"


def test_a_quiet_machine_has_nothing_to_tell_but_the_page_cache():
    assert list(notes(Conditions(loops_s=(1.0,) * 20, cores=2))) == [
        "page cache not dropped: files were in memory at every start"
    ]


def test_a_noisy_machine_with_swap_and_one_core_is_told():
    seen = Conditions(loops_s=(1.0,) * 8 + (2.0,) * 3, steal=0.05, others=0.5, cores=1, has_swap=True)

    told = " ".join(notes(seen))

    for word in ("100 % longer", "hypervisor took 5 %", "0.5 of 1 cores", "one core", "swap is on"):
        assert word in told
