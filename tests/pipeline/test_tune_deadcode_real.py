"""The doctor on real programs: the right culprit, and a saving that the remedy then really brings."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from proa.pipeline.tune_deadcode import find_deadcode
from proa.records.request import Request
from proa.records.tuning import Deadcode
from real_neighbours import need

pytestmark = pytest.mark.real

PROJECTS = Path(__file__).parents[1] / "projects" / "deadcode"
ROOT = "text/template.(*state).evalField"
Examine = Callable[..., Deadcode]


@pytest.fixture(scope="module")
def examine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Examine]:
    """Return what the doctor says of a project; each is examined once."""
    need("go")
    cache = tmp_path_factory.mktemp("store")
    known: dict[tuple[object, ...], Deadcode] = {}

    def say(project: str | Path, *, should_measure: bool = True, platform: str = "linux/amd64") -> Deadcode:
        key = project, should_measure, platform
        if key not in known:
            request = Request(directory=str(PROJECTS / project), platforms=(platform,))
            environ = {**os.environ, "PROA_CACHE": str(cache), "GOFLAGS": "", "GOWORK": "off"}
            (known[key],) = find_deadcode(
                request, should_measure=should_measure, environ=environ, progress=lambda _what: None
            )
        return known[key]

    yield say
    assert not list((cache / "partial").iterdir()), "something half-made was left behind"


@pytest.mark.parametrize(
    ("project", "module", "version", "caller", "place"),
    [
        pytest.param(
            "cobra-old",
            "github.com/spf13/cobra",
            "v1.8.0",
            "github.com/spf13/cobra.tmpl",
            "github.com/spf13/cobra@v1.8.0/cobra.go",
            id="cobra",
        ),
        pytest.param(
            "fx",
            "go.uber.org/dig",
            "v1.15.0",
            "go.uber.org/dig.Visualize",
            "go.uber.org/dig@v1.15.0/visualize.go",
            id="fx",
        ),
        pytest.param(
            "kingpin",
            "github.com/alecthomas/kingpin/v2",
            "v2.4.0",
            "github.com/alecthomas/kingpin/v2.(*Application).UsageForContextWithTemplate",
            "github.com/alecthomas/kingpin/v2@v2.4.0/usage.go",
            id="kingpin",
        ),
        pytest.param("own-template", "example.com/own-template", "", "main.shop.show", "main.go", id="own template"),
    ],
)
def test_the_right_module_is_responsible(
    examine: Examine, project: str, module: str, version: str, caller: str, place: str
) -> None:
    found = examine(project)
    assert not found.is_eliminating
    (cause,) = found.causes
    assert (cause.symbol, cause.module, cause.version) == (ROOT, module, version)
    assert (cause.chain[0], cause.chain[-1]) == ("main.main", ROOT)
    assert caller in cause.chain
    assert (cause.evidence[0].symbol, cause.evidence[0].file) == (caller, place)
    assert cause.evidence[0].line > 0
    assert cause.is_measured
    assert cause.saving_bytes == found.saving_bytes
    assert cause.remedy


@pytest.mark.parametrize("project", ["clean", "cobra-new", "fx-new"])
def test_nothing_is_said_of_a_program_that_leaves_methods_out(examine: Examine, project: str) -> None:
    found = examine(project)
    assert found.is_eliminating
    assert (found.causes, found.saving_bytes, found.findings) == ((), 0, ())


def _without_template(folder: Path) -> Path:
    source = (PROJECTS / "own-template" / "main.go").read_text()
    for old, new in (
        ('"html/template"', '"fmt"\n\t"html"'),
        ('var page = template.Must(template.New("page").Parse("<h1>{{.Title}}</h1>"))', ""),
        ("err := page.Execute(w, s)", '_, err := fmt.Fprintf(w, "<h1>%s</h1>", html.EscapeString(s.Title))'),
    ):
        assert old in source
        source = source.replace(old, new)
    shutil.copyfile(PROJECTS / "own-template" / "go.mod", folder / "go.mod")
    (folder / "main.go").write_text(source)
    return folder


@pytest.mark.parametrize(("project", "mended"), [("cobra-old", "cobra-new"), ("fx", "fx-new"), ("own-template", "")])
def test_the_remedy_saves_what_was_said_within_five_percent(
    examine: Examine, tmp_path: Path, project: str, mended: str
) -> None:
    before, after = examine(project), examine(mended or _without_template(tmp_path))
    assert after.is_eliminating
    saved = before.bytes - after.bytes
    assert abs(before.saving_bytes - saved) < 0.05 * saved


def test_an_estimate_says_that_it_is_one(examine: Examine) -> None:
    found, measured = examine("own-template", should_measure=False), examine("own-template")
    (cause,) = found.causes
    assert not cause.is_measured
    assert cause.module == "example.com/own-template"
    assert 0.6 < found.saving_bytes / measured.saving_bytes < 1.4
    assert [finding.id for finding in found.findings] == ["tune.deadcode-estimate"]


def test_an_import_of_plugin_is_a_cause_by_itself(examine: Examine) -> None:
    need("gcc")
    found = examine("plugin")
    (cause,) = found.causes
    assert (cause.symbol, cause.module) == ("plugin.Open", "example.com/plugin")
    assert cause.chain == ("main.main", "plugin.Open")
    assert (cause.evidence[0].file, cause.evidence[0].line) == ("main.go", 15)
    assert cause.is_measured
    assert found.saving_bytes > 0.2 * found.bytes


CALLS = """package call

import "reflect"

func Named(v reflect.Value, name string) reflect.Value { return v.MethodByName(name) }

func All(t reflect.Type) (names []string) {
	for i := 0; i < t.NumMethod(); i++ {
		names = append(names, t.Method(i).Name)
	}
	return names
}

func Has(t reflect.Type, name string) bool {
	_, ok := t.MethodByName(name)
	return ok
}

type held struct{ reflect.Type }

func (h held) Find(n string) (reflect.Method, bool) { return h.MethodByName(n) }

func Find(t reflect.Type, n string) bool { _, ok := held{t}.Find(n); return ok }
"""
MAIN = """package main

import (
	"fmt"
	"os"
	"reflect"
	"text/template"

	"example.com/own/call"
)

type T struct{}

func (T) Hello() string { return "hi" }

func main() {
	t := reflect.TypeOf(T{})
	fmt.Println(call.All(t), call.Has(t, os.Args[1]), call.Find(t, os.Args[1]), call.Named(reflect.ValueOf(t), "x"))
	template.Must(template.New("").Parse("{{.}}")).Execute(os.Stdout, os.Args)
}
"""


def test_every_cause_is_found_whatever_it_calls_and_wherever_it_was_inlined(examine: Examine, tmp_path: Path) -> None:
    (tmp_path / "call").mkdir()
    (tmp_path / "go.mod").write_text("module example.com/own\n\ngo 1.20\n")
    (tmp_path / "main.go").write_text(MAIN)
    (tmp_path / "call" / "call.go").write_text(CALLS)
    found = examine(tmp_path)
    symbols = {cause.symbol for cause in found.causes}
    assert symbols >= {"example.com/own/call.All", "example.com/own/call.held.Find", ROOT}
    assert {cause.module for cause in found.causes} == {"example.com/own"}
    assert all(cause.is_measured for cause in found.causes)
    assert found.findings[0].id == "tune.deadcode-all"
    places = {(place.file, place.line) for cause in found.causes for place in cause.evidence}
    assert {("call/call.go", 9), ("call/call.go", 21)} <= places
