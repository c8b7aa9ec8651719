"""The chain: what is tried for each language, which step is kept, and what is written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.records.configuration import BuildSettings, Configuration, settings_of
from proa.records.platform import Platform
from proa.records.trial import Trial
from proa.records.tuning import Step
from proa.tune import chain
from proa.tune.chain import Link, Measured

AMD64 = Platform("linux", "amd64")
READY = Trial(verdict="ready", reason="it answers")
FAILED = Trial(verdict="failed", reason="it ended with SIGILL")


def measured(size: int = 900, **fields: object) -> Measured:
    given = {"bytes": size, "loaded_bytes": size // 2, "compressed_bytes": size // 3, "is_static": True}
    return Measured(**{**given, **fields})  # type: ignore[arg-type]


def step(**fields: object) -> Step:
    given = {"name": "before", "bytes": 1000, "loaded_bytes": 500, "compressed_bytes": 333}
    return Step(**{**given, **fields})  # type: ignore[arg-type]


def names(language: str, platform: Platform = AMD64, **settings: object) -> list[str]:
    return [link.name for link in chain.chain(language, platform, BuildSettings(**settings))]  # type: ignore[arg-type]


def walked(links: tuple[Link, ...], settings: BuildSettings) -> dict[str, dict]:
    """Return the settings of every step where each is kept that may be."""
    under: dict = {}
    found = {}
    for link in links:
        found[link.name] = chain.laid(under, link, settings)
        under = under if link.cost else found[link.name]
    return found


def test_go_begins_as_the_go_command_builds_and_ends_with_what_is_never_chosen():
    assert names("go") == [
        "go build",
        "-trimpath",
        "strip: dwarf",
        "strip: all",
        "-buildmode=pie",
        "GOAMD64=v2",
        "GOAMD64=v3",
        "zstd layers",
    ]


@pytest.mark.parametrize(
    ("platform", "levels"),
    [
        ("linux/amd64/v2", ["GOAMD64=v3"]),
        ("linux/amd64/v3", []),
        ("linux/arm64", ["GOARM64=v8.1", "GOARM64=v9.0"]),
        ("linux/arm/v7", []),
        ("linux/riscv64", []),
    ],
)
def test_only_levels_above_the_platform_are_tried(platform, levels):
    assert [name for name in names("go", Platform.parse(platform)) if name.startswith("GO")] == levels


def test_what_changes_more_than_the_size_says_so():
    everything = [
        *chain.chain("go", AMD64, BuildSettings()),
        *chain.chain("rust", AMD64, BuildSettings()),
        *chain.chain("c", AMD64, BuildSettings(), host_compiler="gcc"),
    ]
    costly = {link.name for link in everything if link.cost}
    assert costly == {"-buildmode=pie", "GOAMD64=v2", "GOAMD64=v3", "zstd layers", "panic = abort", "--icf=all"}


def test_settings_grow_from_step_to_step_and_leave_out_what_is_never_chosen():
    steps = walked(chain.chain("c", AMD64, BuildSettings(), host_compiler="gcc"), BuildSettings())
    assert steps["gcc -O2 -g, dynamic"]["build"]["cc"] == "gcc"
    assert steps["-flto"]["build"]["cflags"] == ("-fno-function-sections", "-fno-data-sections", "-Os", "-flto")
    assert steps["zstd layers"] == {
        "build": {"strip": "all", "cflags": ("-Os", "-flto"), "ldflags": ("-flto", "-Wl,--icf=safe")},
        "image": {"compression": "zstd"},
    }


def test_the_users_own_flags_stay_and_their_level_is_where_it_starts():
    mine = BuildSettings(cflags=("-O3", "-DFAST"), ldflags=("-lz",), cc="clang")
    steps = walked(chain.chain("c", AMD64, mine, host_compiler="gcc"), mine)
    assert next(iter(steps)) == "clang -O3 -g"
    assert steps["-Os"]["build"]["cflags"] == ("-DFAST", "-fno-function-sections", "-fno-data-sections", "-Os")
    assert steps["strip: all"]["build"]["ldflags"] == ("-lz", "-flto", "-Wl,--icf=safe")


@pytest.mark.parametrize("arguments", [("--profile", "dist-small"), ("--profile=dist-small",)])
def test_the_profile_that_cargo_builds_is_the_one_that_is_tuned(arguments):
    steps = walked(chain.chain("rust", AMD64, BuildSettings(arguments=arguments)), BuildSettings(arguments=arguments))
    assert steps["lto = fat"]["build"]["env"] == {
        "CARGO_PROFILE_DIST_SMALL_OPT_LEVEL": "z",
        "CARGO_PROFILE_DIST_SMALL_LTO": "fat",
    }


def test_paths_that_the_user_asked_for_are_measured_without():
    mine = BuildSettings(flags=("-race", "-trimpath=false"))
    steps = walked(chain.chain("go", AMD64, mine), mine)
    assert steps["go build"]["build"]["flags"] == ("-race", "-trimpath=false")
    assert steps["strip: all"]["build"]["flags"] == ("-race", "-trimpath")


def test_c_in_a_go_program_is_a_step_of_its_own():
    assert "-Os for C" in [link.name for link in chain.chain("go", AMD64, BuildSettings(), uses_c=True)]


@pytest.mark.parametrize("language", ["go", "c", "c++", "rust", "unknown"])
def test_every_step_is_settings_that_proa_yaml_takes(language):
    links = chain.chain(language, AMD64, BuildSettings(), host_compiler="gcc", uses_c=True)
    for overrides in walked(links, BuildSettings()).values():
        settings_of(Configuration(), (), overrides)


@pytest.mark.parametrize(
    ("link", "given", "is_kept", "reason"),
    [
        pytest.param(Link(name="x"), {}, True, "", id="smaller"),
        pytest.param(Link(name="x"), {"size": 1000}, False, "saves nothing here", id="the same"),
        pytest.param(Link(name="x", is_usual=True), {"size": 1200}, True, "", id="done anyway"),
        pytest.param(Link(name="x", cost="needs a newer processor"), {}, False, "needs a newer", id="changes more"),
        pytest.param(Link(name="x"), {"trial": FAILED}, False, "does not run: it ended with SIGILL", id="does not run"),
        pytest.param(Link(name="x"), {"complaint": "the benchmark exited with 1"}, False, "exited", id="benchmark"),
        pytest.param(
            Link(name="x"), {"is_static": False, "interpreter": "/lib/ld"}, False, "needs /lib/ld", id="loader"
        ),
        pytest.param(
            Link(name="x"), {"size": 1100, "loaded_bytes": 400}, True, "what runs is 100 bytes smaller", id="more DWARF"
        ),
        pytest.param(
            Link(name="x"), {"loaded_bytes": 600}, False, "what runs is not smaller", id="less DWARF, more code"
        ),
    ],
)
def test_a_step_is_kept_where_it_only_makes_the_program_smaller(link, given, is_kept, reason):
    judged = chain.judge(link, {}, measured(**given), before=step(), first=READY)
    assert judged.is_kept is is_kept
    assert reason in judged.reason
    assert judged.saved_bytes == 1000 - judged.bytes


def test_what_fails_as_it_is_says_nothing_of_a_step():
    first = chain.judge(
        Link(name="a"), {}, measured(trial=FAILED, complaint="the benchmark exited with 1"), before=None, first=None
    )
    assert (first.state, first.is_kept) == ("measured", True)
    later = chain.judge(Link(name="b"), {}, measured(trial=FAILED), before=step(), first=FAILED)
    assert later.is_kept
    told = [finding.id for finding in chain.findings([first, later], later, FAILED, BuildSettings(ldflags=("-s -w",)))]
    assert told == ["tune.not-tried", "tune.benchmark", "tune.linker-strips"]


def test_a_static_program_may_follow_a_dynamic_one_but_not_the_other_way():
    dynamic = step(is_on_empty_base=False)
    assert chain.judge(Link(name="x"), {}, measured(is_static=False), before=dynamic, first=None).is_kept
    assert chain.judge(Link(name="x"), {}, measured(), before=dynamic, first=None).is_kept


SIZES = st.integers(1, 1 << 30)


@given(st.lists(st.tuples(SIZES, SIZES, st.booleans(), st.sampled_from(["", "costs"])), max_size=8), SIZES)
def test_the_winner_is_kept_and_nothing_kept_is_smaller(rest, first):
    steps = [chain.judge(Link(name="0"), {}, measured(first), before=None, first=None)]
    for number, (size, loaded, is_static, cost) in enumerate(rest, 1):
        before = [one for one in steps if one.is_kept][-1]
        found = measured(max(size, loaded), loaded_bytes=loaded, is_static=is_static)
        steps.append(chain.judge(Link(name=str(number), cost=cost), {}, found, before=before, first=None))
    best = chain.winner(steps)
    assert best.is_kept
    assert best.is_on_empty_base
    assert not best.cost
    assert all(best.loaded_bytes <= one.loaded_bytes for one in steps if one.is_kept and one.is_on_empty_base)


@pytest.mark.parametrize(
    ("mine", "overrides", "written"),
    [
        ({}, {"build": {"strip": "all"}}, {"build": {"strip": "all"}}),
        ({"strip": "all"}, {"build": {"strip": "all"}}, {}),
        ({}, {"build": {"strip": "dwarf", "cflags": (), "debug": True}}, {}),
        ({"cflags": ("-Os",)}, {"build": {"strip": "all", "cflags": ("-Os",)}}, {"build": {"strip": "all"}}),
        (
            {"env": {"A": "1"}},
            {"build": {"env": {"A": "1", "CARGO_PROFILE_RELEASE_LTO": "fat"}}},
            {"build": {"env": {"CARGO_PROFILE_RELEASE_LTO": "fat"}}},
        ),
    ],
)
def test_only_what_differs_is_written(mine, overrides, written):
    settings = Configuration(build=BuildSettings(**mine))
    assert chain.settings_of_winner(step(overrides=overrides), settings) == written


def test_a_slower_winner_is_told():
    first, best = step(name="a", benchmark_s=(1.0, 1.1)), step(name="b", benchmark_s=(1.3, 1.4))
    (told,) = chain.findings([first, best], best, READY, BuildSettings())
    assert told.message == "b is 29% slower on the benchmark than a"
    assert chain.slowdown(first, step(benchmark_s=(1.05, 1.4))) == 0.0
