"""What a Go expression can be, as its source shows it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.analyze.files import Sources
from proa.analyze.syntax import arguments, enclosing_function
from proa.analyze.texts import HOLE, SELF
from proa.records.project import Package


def sources(folder: Path, **files: str) -> Sources:
    packages = []
    for name, text in files.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name / "x.go").write_text(text)
        packages.append(
            Package(
                import_path=f"example.com/{name}",
                directory=str(folder / name),
                module="example.com",
                is_local=True,
                files=("x.go",),
            )
        )
    return Sources(packages, main="example.com/app")


def values_of_use(found: Sources) -> set[str]:
    """Return what the argument of the one call of use(…) in package app can be."""
    file = found.file(found.packages["example.com/app"], "x.go")
    (call,) = [call for call in file.calls if call.child_by_field_name("function").text == b"use"]
    return set(found.values(arguments(call)[0], file))


CASES = [
    pytest.param('use("a" + "b")', {"ab"}, id="literals joined"),
    pytest.param('const c = "x"; use(c)', {"x"}, id="local constant"),
    pytest.param("use(global)", {"g"}, id="constant of the package"),
    pytest.param("use(changed)", {"one", "two"}, id="variable of the package, assigned again"),
    pytest.param('v := "a"; if b { v = "b" }; use(v)', {"a", "b"}, id="either of two"),
    pytest.param("use(parameter)", {HOLE}, id="parameter of a function nobody calls"),
    pytest.param('use("http://" + host() + "/x")', {f"http://{HOLE}/x"}, id="unknown in the middle"),
    pytest.param('use(fmt.Sprintf("%s:%d/%v", "a", 5, x))', {f"a:5/{HOLE}"}, id="format"),
    pytest.param('use(filepath.Join("a", "..", "b", "c"))', {"b/c"}, id="path"),
    pytest.param("use(other.Name)", {"from other"}, id="constant of another package"),
    pytest.param('use(pick("A", "fallback"))', {HOLE, "fallback"}, id="own function with a default"),
    pytest.param('for _, v := range []string{"a", "b"} { use(v) }', {"a", "b"}, id="element of a literal"),
    pytest.param("use(os.Args[0])", {SELF}, id="the program itself"),
    pytest.param('p := flag.String("n", "d", ""); use(*p)', {HOLE, "d"}, id="flag"),
    pytest.param('var p string; flag.StringVar(&p, "n", "d", ""); use(p)', {"", HOLE, "d"}, id="flag by pointer"),
    pytest.param("use(cfg.path)", {HOLE, "field"}, id="field set by a literal"),
    pytest.param(r'use("tab\there \u00e9 \x41")', {"tab\there é A"}, id="escapes"),
    pytest.param("use(`raw\\n`)", {"raw\\n"}, id="raw literal"),
    pytest.param('x := "a"; x += "b"; use(x)', {"a", HOLE}, id="appended to"),
    pytest.param("use(loop)", set(), id="a name that means itself"),
    pytest.param('func() { use("inner") }()', {"inner"}, id="inside a closure"),
]


@pytest.mark.parametrize(("body", "expected"), CASES)
def test_values_are_those_the_source_shows(body, expected, tmp_path):
    text = f"""package app
import ("flag"; "fmt"; "os"; "path/filepath"; "example.com/other")
const global = "g"
var changed = "one"
var loop = loop
type config struct {{ path string }}
var cfg = config{{path: "field"}}
func init() {{ changed = "two" }}
func pick(name, fallback string) string {{
	if value := os.Getenv(name); value != "" {{ return value }}
	return fallback
}}
func main(parameter string, b bool) {{ {body} }}
"""
    found = sources(tmp_path, app=text, other='package other\nconst Name = "from " + "other"\n')
    assert values_of_use(found) == expected


def test_parameter_is_what_every_caller_gives(tmp_path):
    text = 'package app\nfunc open(path string) { use(path) }\nfunc main() { open("a"); open("b" + ".txt") }\n'
    assert values_of_use(sources(tmp_path, app=text)) == {"a", "b.txt"}


def test_recursion_ends(tmp_path):
    text = "package app\nfunc f(p string) string { use(p); return f(f(p)) }\n"
    assert values_of_use(sources(tmp_path, app=text)) <= {HOLE}


def test_functions_are_named_as_the_linker_names_them(tmp_path):
    text = (
        "package app\nfunc (t *T[K]) M() { a() }\nfunc (v V) M() { a() }\nfunc F() { func() { a() }() }\nvar x = a()\n"
    )
    found = sources(tmp_path, app=text)
    file = found.file(found.packages["example.com/app"], "x.go")
    names = [enclosing_function(call, "app") for call in file.calls if call.text == b"a()"]
    assert names == ["app.(*T).M", "app.V.M", "app.F", ""]


@given(st.binary(max_size=400))
def test_any_bytes_can_be_a_file(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("any")
    (folder / "x.go").write_bytes(b"package app\nfunc main() { use(" + data + b") }\n")
    package = Package(import_path="example.com/app", directory=str(folder), is_local=True, files=("x.go",))
    found = Sources([package], main="example.com/app")
    file = found.file(package, "x.go")
    for call in file.calls:
        for node in arguments(call):
            assert isinstance(found.values(node, file), frozenset)
