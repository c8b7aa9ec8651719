from __future__ import annotations

import time

import pytest

from proa.records.evidence import Evidence
from proa.records.project import Main, Package
from proa.records.tuning import Tag
from proa.tune import tags as judge
from proa.tune.weights import Weights

MAIN = Main(name="app", import_path="example.com/app", directory="/src/app", module="example.com/app")
LINUX = frozenset({"linux", "amd64", "gc", "unix", "go1.21"})


def places(**files: str) -> list[judge.Constrained]:
    """Return files of one package of a dependency, by name, with their constraint lines."""
    package = Package(
        import_path="example.com/dep/sub", directory="/mod/dep/sub", module="example.com/dep", module_version="v1.2.0"
    )
    lines = {name.replace("__", "."): [(1, line)] for name, line in files.items()}
    return judge.constrained(package, lines, main=MAIN, root="/src/app")


def found(own: tuple[str, ...] = (), words: frozenset[str] = LINUX, **files: str) -> dict[str, judge.Found]:
    return {one.name: one for one in judge.find_tags(places(**files), words=words | set(own), own=own)}


def test_a_tag_is_named_with_the_module_and_the_file_that_declare_it():
    tag = found(mysql__go="//go:build !nomysql")["nomysql"]
    assert tag.modules == ("example.com/dep@v1.2.0",)
    assert [str(one) for one in tag.evidence] == ["example.com/dep/sub (example.com/dep@v1.2.0/sub/mysql.go:1)"]
    assert tag.reason == ""


def test_a_file_of_the_project_is_named_by_its_path():
    package = Package(import_path="example.com/app/web", directory="/src/app/web", module="example.com/app")
    place = judge.constrained(package, {"ui.go": [(3, "//go:build !noui")]}, main=MAIN, root="/src/app")[0]
    assert (place.module, place.evidence.file, place.evidence.line) == ("example.com/app", "web/ui.go", 3)


def test_the_program_of_a_module_version_is_named_with_it():
    main = Main(name="a", import_path="m.org/a", directory="/x", module="m.org/a", module_version="v3.0.0")
    assert judge.module_label(Package(import_path="m.org/a/b", module="m.org/a"), main) == "m.org/a@v3.0.0"
    assert judge.module_label(Package(import_path="net", is_standard=True), main) == "std"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        pytest.param("//go:build extra", "only adds files (1)", id="only adds"),
        pytest.param("//go:build !nofoo && windows", "the platform", id="for another platform"),
        pytest.param("//go:build a && !a", "other reasons", id="contradiction"),
        pytest.param("//go:build !mine", "set already", id="set already"),
        pytest.param("//go:build !faketime", "playground", id="not for programs that ship"),
        pytest.param("//go:build !netgo", "without cgo", id="only with cgo"),
    ],
)
def test_why_a_tag_cannot_make_the_program_smaller(line, reason):
    tags = found(own=("mine",), x__go=line)
    assert len(tags) == 1
    assert reason in next(iter(tags.values())).reason


def test_a_tag_that_matters_beside_another_says_so():
    tags = found(aws__go="//go:build !remove_all_sd || enable_aws_sd", gce__go="//go:build !remove_all_sd")
    assert tags["remove_all_sd"].reason == ""
    assert tags["enable_aws_sd"].beside == ("remove_all_sd",)
    assert "only beside remove_all_sd" in tags["enable_aws_sd"].reason
    assert tags["enable_aws_sd"].meaning == "beside remove_all_sd it brings in example.com/dep@v1.2.0/sub/aws.go"


def test_files_that_a_tag_changes_come_first_as_evidence():
    files = {f"a{number}__go": "//go:build !tag && windows" for number in range(30)}
    tag = found(**files, z__go="//go:build !tag")["tag"]
    assert len(tag.evidence) == judge.MOST_EVIDENCE
    assert tag.evidence[0].file.endswith("z.go")


def test_the_names_of_platforms_of_other_compilers_are_no_tags():
    assert found(little__go="//go:build 386 || amd64 || alpha || arm64") == {}
    assert found(alpha__go="//go:build !alpha").keys() == {"alpha"}


def test_what_only_the_standard_library_knows_is_listed_where_it_can_change_something():
    package = Package(import_path="net/http", directory="/go/src/net/http", is_standard=True)
    lines = {"h2.go": [(1, "//go:build !nethttpomithttp2")], "x.go": [(1, "//go:build faketime")]}
    read = judge.constrained(package, lines, main=MAIN, root="/src/app")
    tags = judge.find_tags(read, words=LINUX, own=())
    assert [(tag.name, tag.modules) for tag in tags] == [("nethttpomithttp2", ("std",))]


def test_hostile_constraints_end_in_bounded_time():
    words = " && ".join(f"!w{number}" for number in range(300))
    started = time.process_time()
    assert len(found(a__go=f"//go:build {words}", b__go=f"//go:build !({words})")) == 300
    assert time.process_time() - started < 5


def test_a_difference_names_packages_and_files():
    before = [
        Package(import_path="a", files=("x.go", "y.go"), other_files=("z.s",)),
        Package(import_path="b", files=("b.go",)),
    ]
    after = [Package(import_path="a", files=("x.go", "n.go")), Package(import_path="c")]
    change = judge.difference(before, after)
    assert (change.left_out, change.added) == (("b",), ("c",))
    assert change.files_left_out == (("a", "y.go"), ("a", "z.s"))
    assert change.files_added == (("a", "n.go"),)
    assert change.can_shrink
    assert judge.difference(before, before) == judge.SAME


def test_the_expected_saving_is_what_is_lost_now():
    change = judge.Difference(left_out=("b", "unlinked"), files_left_out=(("a", "y.go"),))
    weights = Weights(packages={"a": 100, "b": 30}, files={("a", "y.go"): 7, ("a", "x.go"): 93})
    assert judge.expected_bytes(change, weights) == 37


def measured(name: str, saving: int, *left_out: str, state="measured", files=1) -> Tag:
    return Tag(name=name, modules=("m",), left_out=left_out, saving_bytes=saving, state=state, files_left_out=files)


def test_only_tags_that_leave_packages_out_and_save_are_joined():
    tags = [
        measured("nomysql", 500, "mysql"),
        measured("purego", 900, "internal/impl"),
        measured("files_only", 100),
        measured("larger", -5, "x"),
        measured("grpcnotrace", 10),
        measured("noise", 9, "x"),
        measured("broken", 0, "x", state="failed"),
    ]
    joined = judge.join_together(tags, program_bytes=90_000)
    assert joined == ("nomysql", "grpcnotrace")
    assert judge.may_join(tags, joined) == ("files_only",)


def test_what_is_gone_is_named_by_module_then_by_package():
    before = [
        Package(import_path="example.com/app", module="example.com/app"),
        Package(import_path="x.org/m/a", module="x.org/m"),
        Package(import_path="net/http", is_standard=True),
        Package(import_path="example.com/app/web", module="example.com/app"),
    ]
    gone = judge.difference(before, before[:1])
    assert judge.meaning_of("t", gone, before, before[:1]) == "nothing of x.org/m is in the program any more"
    inside = judge.difference(before, before[:2])
    assert judge.meaning_of("t", inside, before, before[:2]) == "without example.com/app/web"
    files = judge.Difference(files_left_out=(("x.org/m/a", "v.go"),))
    assert judge.meaning_of("t", files, before, before) == "files of x.org/m/a are left out, and none stands in"
    assert judge.meaning_of("purego", inside, before, before[:2]).startswith("no assembly")


def test_evidence_of_vendored_packages_keeps_their_version():
    package = Package(
        import_path="x.org/m/a", directory="/src/app/vendor/x.org/m/a", module="x.org/m", module_version="v1.0.0"
    )
    place = judge.constrained(package, {"f.go": [(1, "//go:build !t")]}, main=MAIN, root="/src/app")[0]
    assert place.evidence == Evidence(package="x.org/m/a", file="x.org/m@v1.0.0/a/f.go", line=1)
