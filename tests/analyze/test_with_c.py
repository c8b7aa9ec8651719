"""Which programs need C: from graphs made by hand and files on disk, without a go command."""

from __future__ import annotations

from pathlib import Path

import pytest

from proa.analyze.cgo import explain_failure, find_cgo, may_use_cgo, nested_c_files
from proa.analyze.graph import joined, packages_of, part_of
from proa.analyze.stub import declared, lost_names, misses
from proa.analyze.with_c import included_digest, uses_of
from proa.errors import BuildFailed, LibraryMissing, NeedsC
from proa.outside.go import Go
from proa.records.configuration import BuildSettings
from proa.records.platform import Platform
from proa.records.project import CgoUse, Graph, Main, Package

APP = Main(name="app", import_path="a.org/app", directory="/app", module="a.org/app")


def package(path: str, folder: Path, files: dict[str, str], *, with_c: bool, imports: tuple[str, ...] = ()) -> Package:
    """Return a package as it is listed; files that import "C" are only part of it with C."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    cgo = [name for name, text in files.items() if 'import "C"' in text]
    here = [name for name, text in files.items() if name not in cgo and not (with_c and "//go:build !cgo" in text)]
    return Package(
        import_path=path,
        directory=str(folder),
        name=path.rpartition("/")[2],
        files=tuple(here),
        imports=imports,
        cgo_files=tuple(cgo) if with_c else (),
    )


def graphs(tmp_path: Path, files: dict[str, str], main: str = "package main") -> tuple[Graph, Graph]:
    """Return the graph of a program that imports a package b.org/c, with C and without."""
    both = []
    for with_c in (True, False):
        used = package("b.org/c", tmp_path / "c", files, with_c=with_c)
        app = package("a.org/app", tmp_path / "app", {"main.go": main}, with_c=with_c, imports=("b.org/c",))
        both.append(Graph(mains=(APP,), packages=(used, app), modules=()))
    return both[0], both[1]


C = 'package c\n\nimport "C"\n\n'
BIG = "// " + "x" * 2_000 + "\n"


@pytest.mark.parametrize(
    ("files", "main"),
    [
        pytest.param({"c.go": C}, "package main", id="does not exist"),
        pytest.param(
            {
                "c.go": C + BIG,
                "not.go": '//go:build !cgo\n\npackage c\n\nfunc Open() error { return errors.New("no cgo") }\n',
            },
            "package main",
            id="a stub",
        ),
        pytest.param(
            {"c.go": C + "const lost = 1\n", "kept.go": "package c\n\n" + BIG + "func F() int { return lost }\n"},
            "package main",
            id="does not compile",
        ),
        pytest.param(
            {"c.go": C + "func Open() {}\n", "kept.go": "package c\n\n" + BIG + "func F() int { return len(names) }\n"},
            "package main\n\nfunc main() { c.Open() }\n",
            id="its importer does not compile",
        ),
    ],
)
def test_a_program_needs_c_where_a_package(files, main, tmp_path):
    with_c, without = graphs(tmp_path, files, main)
    (use,) = uses_of(APP, with_c, without)
    assert use.chain == ("a.org/app", "b.org/c")
    assert use.evidence.file == "c.go"


@pytest.mark.parametrize(
    "files",
    [
        pytest.param(
            {"c.go": C, "kept.go": "package c\n\n" + BIG + "func F(s []int) int { return len(s) }\n"}, id="more than C"
        ),
        pytest.param(
            {
                "c.go": C + "func Sum(b []byte) (n int) { return 1 }\n",
                "not.go": "//go:build !cgo\n\npackage c\n\nfunc Sum(b []byte) (n int) {\n\tfor range b {\n\t\tn++\n\t}\n\treturn\n}\n",
            },
            id="a twin in Go",
        ),
    ],
)
def test_it_needs_none_where_a_package_has(files, tmp_path):
    with_c, without = graphs(tmp_path, files, "package main\n\nfunc main() { c.Sum(nil) }\n")
    assert uses_of(APP, with_c, without) == ()


def test_a_package_that_only_c_imports_is_no_reason(tmp_path):
    with_c, without = graphs(tmp_path, {"c.go": C})
    app = without.packages[1]
    alone = Graph(
        mains=(APP,),
        packages=(Package(import_path=app.import_path, directory=app.directory, files=app.files),),
        modules=(),
    )
    assert uses_of(APP, with_c, alone) == ()


def test_names_are_those_of_the_whole_package():
    source = b"package a\nconst (\n\tx = iota\n\ty\n)\nvar a, b int\ntype (\n\tT struct{ field int }\n)\nfunc init() {}\nfunc F() { local := 1; _ = local }"
    assert declared(source) == {b"x", b"y", b"a", b"b", b"T", b"F"}


def test_names_with_a_stand_in_are_not_lost(tmp_path):
    (tmp_path / "c.go").write_text("package a\nfunc Both() {}\nfunc Lost() {}\n")
    (tmp_path / "not.go").write_text("package a\nfunc Both() {}\n")
    (tmp_path / "own.go").write_text("package b\nvar x = other.a.Lost\nvar y = a.Lostness\n")
    lost = lost_names(tmp_path, cgo_files=["c.go"], others=["not.go"])
    assert lost == {b"Lost"}
    assert not misses(tmp_path, ["own.go", "gone.go"], lost, qualifier="a")


def test_one_of_two_programs_has_its_own_part(tmp_path):
    other = Main(name="b", import_path="a.org/b", directory="/b", module="a.org/b")
    use = CgoUse(package="b.org/c", chain=("a.org/app", "b.org/c"), is_stub_without=False)
    with_c, _ = graphs(tmp_path, {"c.go": C})
    plain = Graph(mains=(other,), packages=(Package(import_path="a.org/b"),), modules=())
    whole = joined([Graph(mains=with_c.mains, packages=with_c.packages, modules=(), cgo=(use,)), plain])
    assert part_of(APP, whole).cgo == (use,)
    assert part_of(other, whole).cgo == ()
    assert [one.import_path for one in packages_of(other, whole)] == ["a.org/b"]


def test_with_c_on_the_list_itself_says_who_uses_it(tmp_path):
    with_c, _ = graphs(tmp_path, {"c.go": C})
    found = find_cgo(
        APP,
        with_c.packages,
        platform=Platform("linux", "amd64"),
        go=Go(program="never"),
        settings=BuildSettings(cgo="on"),
    )
    assert [(use.package, use.is_stub_without) for use in found] == [("b.org/c", False)]


def test_headers_below_a_package_count_by_content(tmp_path):
    (tmp_path / "include" / ".git").mkdir(parents=True)
    (tmp_path / "own.h").write_text("1")
    (tmp_path / "include" / "a.h").write_text("1")
    (tmp_path / "include" / "a.txt").write_text("1")
    (tmp_path / "include" / ".git" / "b.h").write_text("1")
    names = nested_c_files(tmp_path)
    assert names == ("include/a.h",)
    one = Package(
        import_path="a", directory=str(tmp_path), is_local=True, cgo_files=("c.go",), other_files=("own.h", *names)
    )
    before = included_digest([one])
    (tmp_path / "include" / "a.h").write_text("2")
    assert before != included_digest([one])
    (tmp_path / "include" / "a.h").write_text("1")
    assert before == included_digest([one])
    assert included_digest([Package(import_path="a", directory=str(tmp_path), is_local=True)]) == ""


def test_a_missing_library_is_told_with_who_asks_for_it(tmp_path):
    text = "package c\n\n/*\n#cgo linux LDFLAGS: -L${SRCDIR} -lpcap -lm\n*/\n" + C.partition("\n\n")[2]
    with_c, _ = graphs(tmp_path, {"c.go": text})
    failed = LibraryMissing("the library pcap is missing", output="ld: cannot find -lpcap", library="pcap")
    told = explain_failure(failed, (), mains=[APP], packages=with_c.packages)
    assert told.what == "the library pcap is missing; b.org/c needs it"
    assert told.output.splitlines() == ["a.org/app", "  imports b.org/c", "ld: cannot find -lpcap"]
    assert explain_failure(told, (), mains=[APP], packages=with_c.packages) is told
    unknown = LibraryMissing("the library x is missing", library="cap")
    assert explain_failure(unknown, (), mains=[APP], packages=with_c.packages) is unknown


def test_names_that_went_with_the_c_name_the_package():
    use = CgoUse(
        package="github.com/confluentinc/confluent-kafka-go/v2/kafka", chain=("a", "kafka"), is_stub_without=True
    )
    failed = BuildFailed("go build failed", output="# a\n./main.go:13:25: undefined: kafka.NewProducer")
    told = explain_failure(failed, [use])
    assert isinstance(told, NeedsC)
    assert told.output.startswith("a\n  imports kafka\n# a\n")
    other = BuildFailed("go build failed", output="# a\n./main.go:13:25: undefined: kafkaesque.New")
    assert explain_failure(other, [use]) is other


def test_a_file_for_another_system_does_not_count(tmp_path):
    (tmp_path / "cpu_darwin.go").write_text(C)
    one = Package(import_path="a", directory=str(tmp_path))
    assert may_use_cgo(one)
    assert not may_use_cgo(one, system="linux")
    assert may_use_cgo(one, system="darwin")
    (tmp_path / "cpu_darwin_cgo.go").write_text(C)
    assert may_use_cgo(one, system="linux")
