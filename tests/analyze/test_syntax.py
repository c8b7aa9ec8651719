"""What a Go expression can be, as its source shows it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.analyze.files import Sources
from proa.analyze.syntax import arguments, called_name, enclosing_function
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


def test_text_made_from_itself_is_not_known(tmp_path):
    text = 'package app\nfunc main() { v := "a"; v = v + "b"; use(v) }\n'
    assert values_of_use(sources(tmp_path, app=text)) == {"a", "ab", HOLE}


def test_function_that_calls_itself_with_more_each_time_is_not_known(tmp_path):
    text = (
        'package app\nfunc f(n string) string { if b { return n }; return f(n + "x") }\nfunc main() { use(f("a")) }\n'
    )
    assert HOLE in values_of_use(sources(tmp_path, app=text))


def test_functions_that_call_each_other_are_given_what_either_is_given(tmp_path):
    text = """package app
func first(p string) { second(p); open(p) }
func second(q string) { first(q); useSecond(q) }
func open(r string) { use(r) }
func main() { first("a") }
"""
    found = sources(tmp_path, app=text)
    assert values_of_use(found) == {"a"}
    file = found.file(found.packages["example.com/app"], "x.go")
    (call,) = [call for call in file.calls if called_name(call) == "useSecond"]
    # The first answer went around the circle; what it saw of it on the way is not the whole.
    assert found.values(arguments(call)[0], file) == {"a"}


def fan_out(wide: int) -> str:
    calls = "\n".join(
        f"func c{n}() {{ open(name{n}()) }}\nfunc name{n}() string {{ return host{n}() }}" for n in range(wide)
    )
    return f"package app\nfunc open(p string) {{ use(p) }}\n{calls}\nfunc main() {{}}\n"


def deep_chain(deep: int) -> str:
    calls = "\n".join(f"func f{n}(p string) {{ f{n + 1}(p); f{n + 1}(p + {chr(34)}x{chr(34)}) }}" for n in range(deep))
    return f'package app\n{calls}\nfunc f{deep}(p string) {{ use(p) }}\nfunc main() {{ f0("a") }}\n'


def mutual_callers(count: int) -> str:
    """Every function calls every other with what it was given."""
    bodies = (" ".join(f"f{other}(p + p{n});" for other in range(count)) for n in range(count))
    calls = "\n".join(
        f"var p{n} = f{n}(p{n})\nfunc f{n}(p string) string {{ {body} return p }}" for n, body in enumerate(bodies)
    )
    return f"package app\n{calls}\nfunc open(p string) {{ use(p) }}\nfunc main() {{ open(f0(p0)) }}\n"


def doubled(times: int) -> str:
    lines = "\n".join(f"var v{n + 1} = v{n} + v{n}" for n in range(times))
    return f'package app\nvar v0 = "{"x" * 100}"\n{lines}\nfunc main() {{ use(v{times}) }}\n'


def long_body(lines: int) -> str:
    body = "\n".join(f"v{n} := v{n - 1} + other" for n in range(1, lines))
    return f"package app\nfunc main() {{ v0 := start()\n{body}\nuse(v{lines - 1}) }}\n"


PATHOLOGICAL = [
    pytest.param(fan_out(4000), id="a function with 4000 callers"),
    pytest.param(deep_chain(300), id="300 functions that hand a parameter on, twice each"),
    pytest.param(mutual_callers(60), id="60 functions that call each other"),
    pytest.param(doubled(60), id="60 doublings"),
    pytest.param(long_body(8000), id="a function of 8000 lines"),
    pytest.param(f"package app\nfunc main() {{ use({'(' * 3000}x{')' * 3000}) }}\n", id="3000 parentheses"),
]


@pytest.mark.parametrize("text", PATHOLOGICAL)
def test_no_program_makes_an_answer_long_and_what_was_cut_short_is_not_known(text, tmp_path):
    found = sources(tmp_path, app=text)
    began_s = time.process_time()
    assert any(HOLE in answer for answer in values_of_use(found))
    assert time.process_time() - began_s < 2.0  # measured: the slowest takes a fifth


def test_no_program_makes_all_answers_together_long(tmp_path):
    text = fan_out(500) + "\n".join(f"func a{n}(p string) {{ b{n}(p) }}" for n in range(3000))
    found = Sources(sources(tmp_path, app=text).packages.values(), main="example.com/app", steps=40)
    file = found.file(found.packages["example.com/app"], "x.go")
    began_s = time.process_time()
    answers = [found.values(arguments(call)[0], file) for call in file.calls if arguments(call)]
    assert time.process_time() - began_s < 3.0  # measured: a third
    assert len(answers) > 3000
    assert all(HOLE in answer for answer in answers)


def test_literal_is_known_when_the_budget_is_used_up(tmp_path):
    text = 'package app\nvar n = first()\nfunc main() { f(n, n+n); use("a") }\n'
    packages = sources(tmp_path, app=text).packages.values()
    found = Sources(packages, main="example.com/app", steps=0)
    file = found.file(found.packages["example.com/app"], "x.go")
    calls = {called_name(call): arguments(call) for call in file.calls}
    assert found.values(calls["f"][0], file) == {HOLE}
    assert found.values(calls["use"][0], file) == {"a"}


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
