"""The unit of a service: its text, what it leaves to a program, and arguments that nothing may be made of."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.compare.unit import Unit, environment_text, install_text, quoted, unit_name, unit_text

GOLDEN = Path(__file__).parent / "shop.service"
SHOP = Unit(
    name="shop", description="shop (example.com/shop)", arguments=("-addr", ":8080"), ports=(8080,), rss_bytes=13 << 20,
    writes=True, stop_timeout_s=10,
)  # fmt: skip


def settings(unit: Unit) -> dict[str, str]:
    """Return the unit's directives; what is set twice is joined."""
    found: dict[str, str] = {}
    for line in unit_text(unit).splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found[name] = f"{found[name]} {value}" if name in found else value
    return found


def test_the_unit_is_as_it_was_reviewed() -> None:
    assert unit_text(SHOP) == GOLDEN.read_text()


def test_a_port_below_1024_is_the_one_right_that_is_left() -> None:
    low = settings(msgspec.structs.replace(SHOP, ports=(443,)))
    assert low["CapabilityBoundingSet"] == low["AmbientCapabilities"] == "CAP_NET_BIND_SERVICE"
    assert "PrivateUsers" not in low
    assert settings(SHOP)["CapabilityBoundingSet"] == ""


def test_a_program_that_compiles_while_it_runs_may_run_what_it_wrote() -> None:
    assert "MemoryDenyWriteExecute" not in settings(msgspec.structs.replace(SHOP, makes_code=True))
    assert settings(SHOP)["MemoryDenyWriteExecute"] == "yes"


def test_only_a_program_that_writes_gets_a_folder() -> None:
    assert settings(SHOP)["StateDirectory"] == "shop"
    assert "StateDirectory" not in settings(msgspec.structs.replace(SHOP, writes=False))


@pytest.mark.parametrize(("peak", "limit"), [(1 << 20, "64M"), (100 << 20, "200M"), (None, None)])
def test_twice_the_memory_it_took_is_allowed(peak: int | None, limit: str | None) -> None:
    assert settings(msgspec.structs.replace(SHOP, rss_bytes=peak)).get("MemoryMax") == limit


@given(st.lists(st.text(), max_size=4), st.text())
def test_no_argument_or_description_adds_a_line(arguments: list[str], description: str) -> None:
    plain = unit_text(msgspec.structs.replace(SHOP, arguments=("x",)))
    strange = unit_text(msgspec.structs.replace(SHOP, arguments=tuple(arguments), description=description))
    assert len(strange.split("\n")) == len(plain.split("\n"))


@given(st.text(st.characters(exclude_categories=["C", "Z"]) | st.sampled_from(" \t\n\"\\%$'"), min_size=1))
def test_an_argument_is_read_back_as_it_was(word: str) -> None:
    assert as_systemd_reads(quoted(word)) == word


def as_systemd_reads(text: str) -> str:
    """Return one word of ExecStart as systemd takes it: quotes, escapes of C, then specifiers and variables."""
    if text.startswith('"'):
        known = {"n": "\n", "t": "\t", "r": "\r"}
        text = re.sub(r"\\(.)", lambda match: known.get(match[1], match[1]), text[1:-1])
    return text.replace("%%", "%").replace("$$", "$")


@given(st.text(max_size=100))
def test_any_program_s_name_becomes_one_of_a_unit(name: str) -> None:
    assert re.fullmatch(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?", unit_name(name).rstrip("-._"))


def test_the_notes_name_every_command_and_variable() -> None:
    notes = install_text(SHOP, digest="sha256:0", variables=("PORT", "DATABASE_URL"))
    assert "systemctl enable --now shop" in notes
    assert "- `DATABASE_URL`" in notes
    assert "8080" in notes


def test_only_names_of_variables_are_written_into_the_example() -> None:
    assert environment_text(("A", "B\nEVIL=1", "1C")).splitlines()[1:] == ["#A="]
