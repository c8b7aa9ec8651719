from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.analyze.cgo import cgo_findings, explain_failure, import_chain, may_use_cgo, what_to_do
from proa.analyze.stub import is_excuse, is_stub
from proa.errors import BuildFailed, NeedsC
from proa.records.project import CgoUse, Package

SQLITE = CgoUse(
    package="github.com/mattn/go-sqlite3",
    chain=("example.com/app", "example.com/app/store", "github.com/mattn/go-sqlite3"),
    is_stub_without=True,
)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("func F() {}", id="nothing"),
        pytest.param('func F() error { return errors.New("no cgo") }', id="an error"),
        pytest.param("func (t *T) F() (int, error) { return 0, ErrNoCgo }", id="a known error"),
        pytest.param('func F() { panic("no cgo") }', id="panic"),
        pytest.param("func F() *T { return &T{} }", id="an empty value"),
        pytest.param("func F() (t T, err error) {\n// why\nreturn t, pkg.Err\n}", id="with a comment"),
        pytest.param('func init() { sql.Register("x", &T{}) }\nfunc F() bool { return false }', id="registered only"),
        pytest.param("const Enabled = false", id="a constant"),
    ],
)
def test_what_only_excuses_itself_is_a_stub(body):
    assert is_excuse(f"//go:build !cgo\n\npackage a\n\n{body}\n".encode())


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("func Add(a, b int) int { return a + b }", id="an expression"),
        pytest.param("func F(b []byte) []byte { return other.Encode(b) }", id="a call elsewhere"),
        pytest.param("func F() (n int) { for i := range 9 { n += i }; return n }", id="a loop"),
        pytest.param("func F() {}\nfunc G() error { x := open(); return x.Close() }", id="one of two"),
    ],
)
def test_what_does_the_work_in_go_is_a_twin(body):
    assert not is_excuse(f"package a\n\n{body}\n".encode())


@given(st.binary(max_size=100))
def test_any_bytes_can_be_looked_at(source):
    assert is_excuse(source) in (True, False)


def test_where_nothing_stands_in_it_depends_on_what_is_left(tmp_path):
    (tmp_path / "c.go").write_text("x" * 1000)
    (tmp_path / "small.go").write_text("x" * 100)
    (tmp_path / "large.go").write_text("x" * 5000)
    assert is_stub(tmp_path, stand_ins=[], cgo_files=["c.go"], kept=["small.go"])
    assert not is_stub(tmp_path, stand_ins=[], cgo_files=["c.go"], kept=["small.go", "large.go"])


def test_a_stand_in_of_a_few_lines_for_thousands_is_a_stub(tmp_path):
    (tmp_path / "c.go").write_text("x" * 9000)
    (tmp_path / "n.go").write_text("package a\nfunc F() int { return g() }\n")
    assert is_stub(tmp_path, stand_ins=["n.go"], cgo_files=["c.go"], kept=[])


@pytest.mark.parametrize(
    ("package", "words"),
    [
        ("github.com/mattn/go-sqlite3", "modernc.org/sqlite"),
        ("github.com/confluentinc/confluent-kafka-go/v2/kafka", "franz-go"),
        ("github.com/google/gopacket/pcap", "afpacket"),
        ("gopkg.in/gographics/imagick.v3/imagick", "imaging"),
        ("example.com/unheard/of", "proa[c]"),
    ],
)
def test_what_can_be_done_is_said(package, words):
    assert words in what_to_do(package)


def test_a_stub_is_told_with_the_whole_chain():
    (finding,) = cgo_findings([SQLITE, CgoUse(package="x", chain=("x",), is_stub_without=False)])
    assert (finding.id, finding.severity) == ("analyze.cgo-stub", "error")
    assert "example.com/app → example.com/app/store → github.com/mattn/go-sqlite3" in finding.message
    assert "modernc.org/sqlite" in finding.hint


def test_undefined_names_in_a_package_without_its_c_are_explained():
    output = "# github.com/mattn/go-sqlite3\n./sqlite3.go:3:2: undefined: Conn"
    explained = explain_failure(BuildFailed("go build failed", output=output), [SQLITE])
    assert isinstance(explained, NeedsC)
    assert "undefined: Conn" in explained.output
    assert "example.com/app/store" in explained.output


def test_a_fault_elsewhere_stays_what_it_is():
    failed = BuildFailed(
        "go build failed", output="# example.com/app\n./main.go:3:2: undefined: github.com/mattn/go-sqlite3"
    )
    assert explain_failure(failed, [SQLITE]) is failed


def test_a_file_that_is_left_out_shows_that_c_may_be_used(tmp_path):
    (tmp_path / "a.go").write_text("package a\n")
    package = Package(import_path="a", directory=str(tmp_path), files=("a.go",))
    assert not may_use_cgo(package)
    (tmp_path / "a_test.go").write_text('package a\nimport "C"\n')
    assert not may_use_cgo(package)
    (tmp_path / "c.go").write_text('package a\nimport "C"\n')
    assert may_use_cgo(package)
    assert not may_use_cgo(Package(import_path="a", directory=str(tmp_path / "gone"), files=("a.go",)))
    assert not may_use_cgo(Package(import_path="net", directory=str(tmp_path), is_standard=True))


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.lists(st.sampled_from("abcdef"), max_size=4)),
    st.sampled_from("abcdef"),
)
def test_a_chain_leads_from_main_by_imports_and_repeats_nothing(imports, target):
    chain = import_chain(["a"], target, imports)
    assert chain[-1] == target
    assert len(set(chain)) == len(chain)
    assert all(following in imports[one] for one, following in pairwise(chain))


def test_a_circle_has_an_end():
    assert import_chain(["a"], "z", {"a": ["b"], "b": ["a"]}) == ("z",)


def test_the_table_names_no_path_twice_and_no_version():
    import tomllib

    import proa.analyze

    file = Path(next(iter(proa.analyze.__path__))) / "data" / "pure_go.toml"
    table = tomllib.loads(file.read_text())
    assert not any("/v2" in path for path in table["instead"])
    assert all(table["instead"].values())
