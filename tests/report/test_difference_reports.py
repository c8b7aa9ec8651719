from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.records.difference import Delta, Dependency, Difference, Judged, Setting, Side
from proa.records.evidence import Finding
from proa.records.image_anatomy import AnatomyFinding
from proa.records.place import Place
from proa.report.junit import junit
from proa.report.markdown_difference import MARKER, MOST_BYTES, markdown
from proa.report.sarif import sarif

HOSTILE = "/a|b\n| --- |\n`<script>alert(1)</script> @octocat #12 [x](https://evil.example) \x1b[2J\x00\u202e\udcff"
HOSTILE_TEXTS = st.text(st.sampled_from("a|`<>@#[]()\n\r\t\\&;*_~$:/.w1\x00\x1b\u202e\ufffe\u2028"), max_size=30)


def judged(budget="budgets.image.max", *, is_within=False, subject="", measure="image", message="too large"):
    return Judged(budget=budget, measure=measure, subject=subject, limit="1MB", is_within=is_within, message=message)


def difference(name="/app", budgets=(), files=1):
    delta = Delta(name=name, before_bytes=100, after_bytes=150, change="changed")
    return Difference(
        before=Side(reference=name, kind="image"),
        after=Side(reference=name, kind="image"),
        compressed=delta,
        total=delta,
        program=delta,
        wasted=delta,
        layers=(delta,),
        modules=(delta,),
        packages=(delta,),
        sections=(delta,),
        files=(delta,) * files,
        dependencies=(Dependency(name=name, before=name), Dependency(name=name, after=name)),
        settings=(Setting(name=name, before=name, after=name),),
        new_findings=(AnatomyFinding(id="setuid", severity="warning", path=name, message=f"{name} is set-user-id"),),
        budgets=budgets,
        findings=(Finding(id="x", message=name),),
    )


def cells(row: str) -> list[str]:
    """Split a table's row as GitHub does: at every bar that no backslash stands before."""
    return re.split(r"(?<!\\)\|", row.strip())[1:-1]


@given(HOSTILE_TEXTS)
def test_no_name_breaks_a_table_or_makes_markup(name):
    text = markdown(difference(f"x{name}", (judged(message=name, budget=f"b{name}", subject=name),)))
    assert text.startswith(MARKER)
    expected = 0
    for line in text.splitlines():
        if line.startswith("|"):
            count = len(cells(line))
            if line.startswith("|--") or expected:
                assert expected in (0, count), line
            expected = expected or count
        else:
            expected = 0
    prose = re.sub(r"`[^`\n]*`", "", text)
    assert not re.search(r"<(?!!-- proa diff -->|/?details( open)?>|/?summary>)", prose)
    assert not re.search(r"@[A-Za-z0-9]", prose)
    assert not re.search(r"(?<!\\)\]\(", prose)
    assert "://" not in prose
    assert all(sign.isprintable() or sign in "\n\u200b" for sign in text)


def test_a_comment_fits_what_github_takes_and_says_what_was_cut():
    long = difference("/x" * 150 + "é" * 300, tuple(judged(f"b{n}", message="é" * 480) for n in range(50)), files=4000)
    setting = Setting(name="é" * 300, before="é" * 300, after="é" * 300)
    text = markdown(msgspec.structs.replace(long, settings=(setting,) * 20), top=4000)
    assert len(text.encode()) <= MOST_BYTES
    assert "cut off" in text
    assert text.count("<details") == text.count("</details>")
    assert "cut off" not in markdown(difference())


def test_a_table_that_is_too_long_is_shortened_and_takes_none_after_it_along():
    long = msgspec.structs.replace(difference("/x" * 100, files=4000), budgets=())
    text = markdown(long, top=4000)
    assert len(text.encode()) <= MOST_BYTES
    assert "Files (4000)" in text
    assert "New findings (1)" in text
    assert "cut off" not in text


def test_nothing_of_others_refers_to_an_issue():
    text = markdown(difference(budgets=(judged(message="GH-12 gh-3 #4 o/r#5 LIGHT-5"),)))
    assert not re.search(r"(?i)gh-\d|#\d", text.replace("LIGHT-5", ""))
    assert "LIGHT-5" in text


def test_what_is_exceeded_stands_first_and_rows_are_counted():
    text = markdown(
        difference(
            budgets=(judged("budgets.wasted.max", is_within=True, message="fine"), judged(message="bad")), files=30
        ),
        top=3,
    )
    assert "1 of 2 budgets exceeded" in text
    assert text.index("bad") < text.index("fine")
    assert "Files (30)" in text
    assert "…and 27 more" in text


REQUIRED = {
    "": ("version", "runs"),
    "run": ("tool", "results"),
    "driver": ("name", "rules"),
    "rule": ("id", "shortDescription"),
    "result": ("message", "ruleId", "ruleIndex", "locations", "partialFingerprints"),
}
"""What SARIF 2.1.0 (3.13, 3.14, 3.19, 3.49, 3.27) or GitHub requires."""


@pytest.mark.parametrize("name", ["/app", HOSTILE])
def test_sarif_has_what_the_standard_and_github_require(name):
    over = judged("budgets.image.max", subject="", message=name)
    new = judged("budgets.no_new.dependency", measure="rule", subject="example.com/m", message=name)
    places = {
        "": Place(file="go.mod"),
        "budgets.image.max": Place(file="ci/my proa.yaml", line=7),
        "example.com/m": Place(file="go.mod", line=9),
    }
    content = sarif(difference(name, (over, new, judged(is_within=True))), version="1.0.0", places=places)
    document = json.loads(content)
    assert all(key in document for key in REQUIRED[""])
    assert document["version"] == "2.1.0"
    (run,) = document["runs"]
    assert all(key in run for key in REQUIRED["run"])
    driver = run["tool"]["driver"]
    assert all(key in driver for key in REQUIRED["driver"])
    ids = [rule["id"] for rule in driver["rules"]]
    assert len(ids) == len(set(ids))
    for rule in driver["rules"]:
        assert all(key in rule for key in REQUIRED["rule"])
        assert rule["shortDescription"]["text"]
    assert len(run["results"]) == 2
    for result in run["results"]:
        assert all(key in result for key in REQUIRED["result"])
        assert ids[result["ruleIndex"]] == result["ruleId"]
        assert result["level"] in ("none", "note", "warning", "error")
        physical = result["locations"][0]["physicalLocation"]
        assert " " not in physical["artifactLocation"]["uri"]
        assert physical["region"]["startLine"] >= 1
        assert "\x1b" not in result["message"]["text"]
    lines = [one["locations"][0]["physicalLocation"]["region"]["startLine"] for one in run["results"]]
    assert lines == [7, 9]
    marks = [one["partialFingerprints"]["proaBudget/v1"] for one in run["results"]]
    assert len(set(marks)) == 2


def test_sarif_without_budgets_has_an_empty_list_of_results():
    document = json.loads(sarif(difference(), version="1", places={}))
    assert document["runs"][0]["results"] == []


@given(HOSTILE_TEXTS)
def test_junit_is_xml_whatever_the_names_are(name):
    text = junit(difference(f"x{name}", (judged(message=name), judged("b", subject=name, is_within=True))))
    root = ET.fromstring(text.encode())
    suite = root.find("testsuite")
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    cases = suite.findall("testcase")
    assert [case.find("failure") is not None for case in cases] == [True, False]
    assert all(case.get("name") for case in cases)


def test_junit_escapes_what_xml_cannot_have():
    text = junit(difference(HOSTILE, (judged(message=HOSTILE),)))
    failure = ET.fromstring(text.encode()).find(".//failure")
    assert failure is not None
    assert r"\x1b[2J\x00\u202e\udcff" in failure.get("message", "")
