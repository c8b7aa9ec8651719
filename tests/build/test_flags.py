"""Flags: filled in, quoted as the go command reads them, and refused where they would do something else."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from proa.build.flags import link_words, quote, split, words
from proa.build.templates import fields, render
from proa.errors import ProaError, WrongConfiguration, WrongUsage
from proa.records.configuration import BuildSettings
from proa.records.project import Git

GIT = Git(
    revision="0123456789abcdef",
    short_revision="0123456",
    tag="v1.4.0",
    branch="main",
    committed_at="2026-11-23T20:00:00Z",
    committed_epoch_s=1795464000,
)
KNOWN = fields(GIT, {"TITLE": "two words", "HOME": "/root"})


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("{{.Git.Tag}}", "v1.4.0"),
        ("{{ .Git.ShortCommit }}-{{.Git.FullCommit}}", "0123456-0123456789abcdef"),
        ("{{.Git.Branch}}/{{.Git.TreeState}}/{{.Git.IsDirty}}", "main/clean/false"),
        ("{{.Date}} {{.Timestamp}}", "2026-11-23T20:00:00Z 1795464000"),
        ("{{.Git.CommitDate}} {{.Git.CommitTimestamp}}", "2026-11-23T20:00:00Z 1795464000"),
        ("{{.Env.TITLE}}", "two words"),
        ('{{index .Env "TITLE"}}', "two words"),
        ("a {{- .Git.Tag -}} b", "av1.4.0b"),
        ("no fields, }} only", "no fields, }} only"),
    ],
)
def test_fields_are_filled_in(text: str, filled: str) -> None:
    assert render(text, KNOWN, where="x") == filled


@pytest.mark.parametrize(
    ("text", "what", "hint"),
    [
        ("{{.Git.Tagg}}", "no template field {{.Git.Tagg}}", "{{.Git.Tag}}"),
        ("{{.Got.Tag}}", "no template field", "{{.Git}}"),
        ("{{.Git}}", "a group of fields", "Tag"),
        ("{{.Date.Year}}", "Date has no fields", ""),
        ("{{.Env.TITEL}}", "TITEL is not set", "{{.Env.TITLE}}"),
        ("{{.Env.ZZZZZZ}}", "ZZZZZZ is not set", ""),
        ("{{if .Git.Tag}}x{{end}}", "is not understood", "{{.Git.Tag}}"),
        ("{{.Git.Tag", "not closed", ""),
        ("{{}}", "is not understood", ""),
    ],
)
def test_an_unknown_field_is_named_with_the_one_that_was_meant(text: str, what: str, hint: str) -> None:
    with pytest.raises(WrongConfiguration) as caught:
        render(text, KNOWN, where="build.ldflags[0]")
    assert caught.value.what.startswith("build.ldflags[0]: ")
    assert what in caught.value.what
    assert hint in caught.value.hint
    assert "/root" not in caught.value.hint


def test_source_date_epoch_decides_the_date_and_never_the_clock() -> None:
    chosen = fields(GIT, {"SOURCE_DATE_EPOCH": "0"})
    assert render("{{.Date}}", chosen, where="x") == "1970-01-01T00:00:00Z"
    assert render("{{.Git.CommitDate}}", chosen, where="x") == "2026-11-23T20:00:00Z"
    assert render("{{.Timestamp}}", fields(Git(), {}), where="x") == "0"


@pytest.mark.parametrize("epoch", ["soon", "-1", "1e9", "9" * 30, "٣", "999999999999"])
def test_an_epoch_that_is_no_time_is_refused(epoch: str) -> None:
    with pytest.raises(WrongConfiguration, match="SOURCE_DATE_EPOCH"):
        fields(GIT, {"SOURCE_DATE_EPOCH": epoch})


def test_a_value_with_a_space_stays_one_word() -> None:
    assert link_words(["-s", "-X main.title={{.Env.TITLE}}"], KNOWN) == "-s -X 'main.title=two words'"
    assert link_words(["-X 'main.a=b c' -w"], KNOWN) == "-X 'main.a=b c' -w"
    assert link_words(["-X main.v={{ .Git.Tag }}"], KNOWN) == "-X main.v=v1.4.0"


@pytest.mark.parametrize("entry", ["-X main.a=b c", "-X 'main.a", "-X main.title=it's \"{{.Env.TITLE}}"])
def test_a_value_that_lost_its_quotes_is_told(entry: str) -> None:
    with pytest.raises(WrongConfiguration, match=r"build\.ldflags\[0\]|cannot quote"):
        link_words([entry], KNOWN)


@given(st.lists(st.text(alphabet="ab =-'\"\t{}.", max_size=8), max_size=5))
def test_what_is_quoted_splits_into_the_same_words(parts: list[str]) -> None:
    assume(not any("'" in part and '"' in part for part in parts) and not any("{{" in part for part in parts))
    assert split(" ".join(quote(part) for part in parts), where="x") == parts


@pytest.mark.parametrize(
    "flags",
    [
        ("-toolexec=/bin/true",),
        ("--toolexec=/bin/true",),
        ("-toolexec", "/bin/true"),
        ("-tags", "a", "-toolexec=x"),
        ("-trimpath", "-toolexec=x"),
        ("-o", "elsewhere"),
        ("-C", "/"),
        ("-n",),
        ("-buildmode=plugin",),
        ("-buildmode", "c-shared"),
    ],
)
def test_flags_that_do_something_else_are_refused(flags: tuple[str, ...]) -> None:
    with pytest.raises(WrongUsage, match=r"build\.flags"):
        words(BuildSettings(flags=flags), KNOWN)


@pytest.mark.parametrize("goflags", ["-toolexec=x", "-v '-toolexec=/bin/echo a'", "-buildvcs=false --toolexec=x"])
def test_toolexec_is_refused_in_goflags(goflags: str) -> None:
    with pytest.raises(WrongUsage, match="-toolexec in GOFLAGS is refused"):
        words(BuildSettings(), KNOWN, goflags=goflags)
    with pytest.raises(WrongUsage, match="-toolexec in GOFLAGS is refused"):
        words(BuildSettings(env={"GOFLAGS": goflags}), KNOWN)


def test_a_flag_that_only_mentions_toolexec_passes() -> None:
    made = words(BuildSettings(flags=("-tags", "-toolexec", "-v")), KNOWN)
    assert made.flags == ("-trimpath", "-tags", "-toolexec", "-v")


def test_the_users_flags_come_last_and_so_win() -> None:
    made = words(BuildSettings(flags=("-trimpath=false",), tags=("a", "b"), ldflags=("-w",)), KNOWN)
    assert made.flags == ("-trimpath", "-tags=a,b", "-ldflags=-w", "-trimpath=false")


def test_linker_flags_in_two_places_are_refused() -> None:
    with pytest.raises(WrongConfiguration, match=r"beside build\.ldflags") as caught:
        words(BuildSettings(flags=("-ldflags=-s",), ldflags=("-w",)), KNOWN)
    assert caught.value.exit_status == 2


@pytest.mark.parametrize("name", ["CGO_ENABLED", "GOOS", "GOARCH"])
def test_variables_that_proa_decides_are_refused(name: str) -> None:
    with pytest.raises(WrongConfiguration, match=name):
        words(BuildSettings(env={name: "1"}), KNOWN)


def test_fields_without_a_value_are_remembered() -> None:
    made = words(BuildSettings(ldflags=("-X main.v={{.Git.Tag}}",), env={"A": "{{.Date}}"}), fields(Git(), {}))
    assert made.empty_fields == (".Git.Tag",)
    assert made.environment == {"A": "1970-01-01T00:00:00Z"}


@given(st.text(alphabet="{}.-ab \"'`indexEnvGitTag", max_size=30))
def test_any_text_is_filled_in_or_refused(text: str) -> None:
    refused = False
    try:
        made = words(BuildSettings(flags=(text,), ldflags=(text,), env={"A": text}), KNOWN)
    except ProaError:
        refused = True
    assert refused or made.flags[0] == "-trimpath"
