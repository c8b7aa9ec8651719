from __future__ import annotations

import pytest

from proa.errors import WrongConfiguration, WrongUsage
from proa.inspect.budget_limits import laid_over, limits_from_words, limits_of, size_of
from proa.inspect.budgets import judge
from proa.inspect.difference import Compared
from proa.outside.configuration import parse_configuration
from proa.records.difference import Delta, Dependency, Difference, Side
from proa.records.evidence import Finding
from proa.records.image_anatomy import AnatomyFinding


def delta(name, before, after, change="changed"):
    return Delta(name=name, before_bytes=before, after_bytes=after, change=change)


def compared(kind="image", **fields):
    layers = (delta("system files", 100, 100, ""), delta("program", 1000, 1100), delta("7", 5, 5, ""))
    given = {
        "program": delta("/app", 2000, 2400),
        "wasted": delta("wasted", 0, 10),
        "new_findings": (),
        "dependencies": (),
        **fields,
    }
    return Compared(
        difference=Difference(
            before=Side(reference="a", kind=kind),
            after=Side(reference="b", kind=kind),
            compressed=delta("compressed", 1105, 1205),
            total=delta("total", 3000, 3300),
            **given,
        ),
        layers=layers,
        modules=(delta("golang.org/x/net", 500, 900), delta("std", 900, 900, "")),
        packages=(delta("golang.org/x/net/http2", 400, 800), delta("golang.org/x/net/idna", 100, 100, "")),
        files=(delta("/app", 2000, 2400), delta("/etc/passwd", 0, 20, "added")),
    )


def verdicts(words, **fields):
    judged, findings = judge(compared(**fields), limits_from_words(words))
    return [(one.measure, one.subject, one.is_within) for one in judged], [one.message for one in findings]


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("20MB", 20_000_000),
        ("20 MB", 20_000_000),
        ("20MiB", 20 << 20),
        ("20Mi", 20 << 20),
        ("512k", 512_000),
        ("1.5GB", 1_500_000_000),
        ("1GiB", 1 << 30),
        ("100b", 100),
    ],
)
def test_sizes_are_read(text, size):
    assert size_of(text, name="x") == size


@pytest.mark.parametrize(
    "text", ["", "MB", "-1", "20XB", "1e6", "20MBB", "0x10", "1.5", "20 %", "٣", "1,5MB", "9" * 40, " 5", "5\n", "NaN"]
)
def test_what_is_no_size_is_refused(text):
    with pytest.raises(WrongConfiguration, match=r"budgets\.image\.max"):
        size_of(text, name="budgets.image.max")


def test_a_wrong_budget_in_proa_yaml_is_named():
    settings = parse_configuration("budgets: {packages: {'golang.org/x/*': {growth: lots}}}").budgets
    with pytest.raises(WrongConfiguration, match=r"budgets\.packages\.golang\.org/x/\*\.growth: 'lots'"):
        limits_of(settings)
    with pytest.raises(WrongConfiguration, match=r"image\.max"):
        limits_of(parse_configuration("budgets: {image: {max: 5%}}").budgets)
    with pytest.raises(WrongConfiguration, match="no_new"):
        parse_configuration("budgets: {no_new: [setuid]}")


def test_numbers_need_no_quotes_in_proa_yaml():
    limits = limits_of(parse_configuration("budgets: {image: {max: 20000000, growth: 0}}").budgets)
    assert [(one.kind, one.bytes) for one in limits] == [("max", 20_000_000), ("growth", 0)]


@pytest.mark.parametrize(
    "word", ["image", "image=", "=5", "disk=5", "image.speed=5", "layer:=5", "no_new=setuid", "no_new=", "image:a=5"]
)
def test_a_wrong_budget_on_the_command_line_is_refused(word):
    with pytest.raises(WrongUsage, match="--budget"):
        limits_from_words([word])


def test_space_around_a_budget_of_the_command_line_means_nothing():
    (one,) = limits_from_words([" image = 20 MB "])
    assert (one.group, one.bytes) == ("image", 20_000_000)
    assert [one.subject for one in limits_from_words(["no_new=set-uid, root-user"])] == ["set-uid", "root-user"]


def test_a_percentage_is_for_growth():
    with pytest.raises(WrongUsage) as caught:
        limits_from_words(["image=5 %"])
    assert "growth" in caught.value.hint


def test_the_command_line_wins_over_proa_yaml_for_the_same_thing():
    configured = limits_of(parse_configuration("budgets: {image: {max: 1MB, growth: 5%}}").budgets)
    both = laid_over(configured, limits_from_words(["image=2MB"]))
    assert [(one.name, one.text) for one in both] == [("image=2MB", "2MB"), ("budgets.image.growth", "5%")]


def test_wholes_are_judged_by_size_and_by_growth():
    words = ["image=1205", "image=1204", "image.growth=100", "unpacked.growth=10%", "unpacked.growth=9.9%"]
    words += ["binary=2399", "binary.growth=20%", "wasted=9"]
    found, told = verdicts(words)
    assert [within for _, _, within in found] == [True, False, True, True, False, False, True, False]
    assert not told


def test_a_percentage_of_nothing_allows_nothing():
    found, _ = verdicts(["file:/etc/passwd.growth=500%"])
    assert found == [("file", "/etc/passwd", False)]


def test_every_match_of_a_pattern_is_judged_on_its_own():
    found, _ = verdicts(["package:golang.org/x/*=500"])
    assert found == [("module", "golang.org/x/net", False), ("package", "golang.org/x/net/http2", False)]
    found, _ = verdicts(["package:golang.org/x/*=900"])
    assert found == [("module", "golang.org/x/net", True)]


def test_layers_are_named_or_numbered_and_a_name_wins():
    assert verdicts(["layer:program.growth=0"])[0] == [("layer", "program", False)]
    assert verdicts(["layer:2=1100"])[0] == [("layer", "program", True)]
    assert verdicts(["layer:7=4"])[0] == [("layer", "7", False)]


@pytest.mark.parametrize("word", ["layer:9=1", "layer:nosuch=1", "package:*/nosuch=1", "file:/nosuch=1", "file:*=1*=1"])
def test_a_budget_that_fits_nothing_is_told(word):
    found, told = verdicts([word])
    assert not found
    assert "fits nothing" in told[0]


def test_budgets_of_images_are_told_not_to_hold_for_programs():
    found, told = verdicts(["image=1", "no_new=set-uid", "binary=1"], kind="binary", wasted=None)
    assert found == [("binary", "", False)]
    assert len(told) == 2


@pytest.mark.parametrize("program", [None, delta("/app", 2000, 0, "removed")])
def test_a_program_that_cannot_be_read_is_not_one_of_no_size(program):
    found, told = verdicts(["binary=1", "package:*.growth=0"], program=program)
    assert not found
    assert all("no program" in message for message in told)


def test_rules_name_what_is_new():
    findings = tuple(
        AnatomyFinding(id=name, severity=severity, path=f"/{name}", message=f"{name} is there")
        for name, severity in (
            ("setuid", "warning"),
            ("setgid", "warning"),
            ("user.root", "warning"),
            ("secret.token", "error"),
            ("world-writable", "warning"),
            ("docs", "info"),
        )
    )
    new = (Dependency(name="m", after="v1"), Dependency(name="n", before="v1", after="v2"))
    rules = ["set-uid", "root-user", "secret", "writable", "error", "dependency", "system-package"]
    judged, _ = judge(
        compared(new_findings=findings, dependencies=new), limits_from_words([f"no_new={','.join(rules)}"])
    )
    subjects = [(one.budget.removeprefix("no_new="), one.subject) for one in judged if not one.is_within]
    assert subjects == [
        ("set-uid", "/setuid"),
        ("set-uid", "/setgid"),
        ("root-user", "/user.root"),
        ("secret", "/secret.token"),
        ("writable", "/world-writable"),
        ("error", "/secret.token"),
        ("dependency", "m"),
    ]


def test_a_rule_about_what_was_not_read_is_told_and_not_taken_for_kept():
    rules = ["no_new=dependency", "no_new=system-package", "no_new=set-uid"]
    unread = (Finding(id="diff.rpm", message="not read"),)
    found, told = verdicts(rules, program=None, findings=unread)
    assert found == [("rule", "", True)]
    assert "no program" in told[0]
    assert "a database of packages is not read" in told[1]
    assert len(verdicts(rules)[0]) == 3


def test_a_pattern_full_of_stars_takes_no_time():
    name = "a" * 3000
    big = compared()
    many = Compared(difference=big.difference, layers=(), modules=(), packages=(), files=(delta(name, 0, 1, "added"),))
    judged, findings = judge(many, limits_from_words([f"file:{'a*' * 200}b=1"]))
    assert not judged
    assert findings
