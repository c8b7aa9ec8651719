"""What people read of kept methods."""

from __future__ import annotations

from proa.cli.tune_deadcode import headline, lines, markdown
from proa.records.evidence import Evidence, Finding
from proa.records.platform import Platform
from proa.records.tuning import Cause, Deadcode

LINUX = Platform("linux", "amd64")


def _cause(module: str, *, is_measured: bool = True) -> Cause:
    return Cause(
        symbol="text/template.(*state).evalField",
        module=module,
        version="v1.8.0",
        chain=("main.main", f"{module}.tmpl", "text/template.(*state).evalField"),
        evidence=(Evidence(symbol=f"{module}.tmpl", file="cobra.go", line=184),),
        saving_bytes=2_400_000,
        is_measured=is_measured,
        remedy="raise | it",
    )


def _deadcode(*causes: Cause) -> Deadcode:
    return Deadcode(
        program="a.org/shop",
        platform=LINUX,
        is_eliminating=not causes,
        bytes=10_000_000,
        saving_bytes=2_400_000 if causes else 0,
        causes=causes,
        findings=(Finding(id="tune.x", severity="info", message="all must go"),) if len(causes) > 1 else (),
    )


def test_a_program_without_causes_is_one_line() -> None:
    assert list(lines(_deadcode())) == ["a.org/shop for linux/amd64 (10.0 MB): methods that nobody calls are left out"]


def test_an_estimate_is_said_to_be_one() -> None:
    assert headline(_deadcode(_cause("b.org/c"))).endswith("2.40 MB (24 %) smaller without, measured")
    assert headline(_deadcode(_cause("b.org/c", is_measured=False))).endswith(
        "about 2.40 MB (24 %) smaller without, an estimate"
    )


def test_causes_of_one_root_stand_together() -> None:
    shown = list(lines(_deadcode(_cause("b.org/c"), _cause("d.org/e"))))
    assert shown[1] == "  text/template.(*state).evalField, reached from 2 modules"
    assert sum(line.startswith("  text/template") for line in shown) == 1
    assert "      at b.org/c.tmpl (cobra.go:184)" in shown
    assert "      → d.org/e.tmpl" in shown
    assert shown[-1] == "  info: all must go"


def test_a_table_cell_holds_no_bar_of_its_own() -> None:
    (row,) = [line for line in markdown(_deadcode(_cause("b.org/c"))) if line.startswith("| b.org/c")]
    assert "raise \\| it" in row
