"""The screen of `proa slim`."""

from __future__ import annotations

import pytest

from proa.cli import slim_table
from proa.records.evidence import Finding
from proa.records.platform import Platform
from proa.records.slimming import LeftOutGroup, RuleSum, Slimming, SlimRun
from proa.records.trial import Trial

DIGEST = "sha256:" + "1" * 64


def slimming(**more):
    given = {
        "source": "app:1", "source_digest": DIGEST, "reference": f"app-slim@{DIGEST}", "digest": DIGEST,
        "platform": Platform("linux", "amd64"), "before_bytes": 400_000_000, "after_bytes": 20_000_000,
        "before_unpacked_bytes": 900_000_000, "after_unpacked_bytes": 50_000_000, "kept_files": 7,
        "left_out_files": 9000, "rules": (RuleSum(rule="library", files=5, bytes=49_000_000),),
        "runs": (SlimRun(name="probe", verdict="ready", touched=12, requests=9),),
        "before": Trial(verdict="ready", reason="GET / answered 200"),
        "after": Trial(verdict="ready", reason="GET / answered 200"),
    }  # fmt: skip
    return Slimming(**(given | more))


def shown(capsys, one):
    slim_table.show(one)
    out, err = capsys.readouterr()
    assert out == ""
    return err


def test_it_says_before_and_after_and_the_words_to_bring_things_back(capsys):
    groups = (
        LeftOutGroup(name="debian:perl-base", files=900, bytes=8_000_000),
        LeftOutGroup(name="/", files=1, bytes=5),
        *(LeftOutGroup(name=f"/opt/{n}/", files=2, bytes=n) for n in range(20)),
    )
    text = shown(capsys, slimming(left_out=groups))
    assert "400 MB → 20.0 MB compressed, 95.0 % less" in text
    assert "debian:perl-base 900 files · --keep debian:perl-base" in text
    assert "5 B  / 1 file" in text
    assert "--keep / " not in text
    assert "and 12 more" in text
    assert f"app-slim@{DIGEST}" in text
    assert "probe: ready, 9 requests, 12 files touched" in text


def test_a_dry_run_went_nowhere(capsys):
    assert "nowhere (--dry-run)" in shown(capsys, slimming(reference=""))


@pytest.mark.parametrize("name", ["/a\x1b[31m/", "/[bold]/", "/x\ny/"])
def test_names_of_the_image_steer_no_terminal(capsys, name):
    group = LeftOutGroup(name=name, files=1, bytes=1)
    text = shown(capsys, slimming(left_out=(group,), findings=(Finding(id="a", message=name),), source=name))
    assert "\x1b" not in text
    assert "[bold]" in text or name != "/[bold]/"
    assert "x\ny" not in text
