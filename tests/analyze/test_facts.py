"""What the source says of variables, ports and routes."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from proa.analyze.facts import read_facts
from proa.records.project import Facts, Main, Package


def facts(folder: Path, body: str, *, top: str = "") -> Facts:
    text = f'package main\nimport ("cmp"; "flag"; "fmt"; "net"; "net/http"; "os")\n{top}\nfunc main() {{\n{body}\n}}\n'
    (folder / "main.go").write_text(text)
    package = Package(
        import_path="example.com/app",
        directory=str(folder),
        module="example.com/app",
        is_local=True,
        files=("main.go",),
    )
    main = Main(
        name="app",
        import_path="example.com/app",
        directory=str(folder),
        module="example.com/app",
        module_directory=str(folder),
    )
    return read_facts(main, [package])


@pytest.mark.parametrize(
    ("body", "top", "expected"),
    [
        pytest.param('os.Getenv("A")', "", {"A": ""}, id="read"),
        pytest.param('v, ok := os.LookupEnv("A"); _ = v', "", {"A": ""}, id="looked up"),
        pytest.param('_ = cmp.Or(os.Getenv("A"), "x")', "", {"A": "x"}, id="or"),
        pytest.param('p := os.Getenv("A")\nif p == "" {\np = "x"\n}', "", {"A": "x"}, id="set where empty"),
        pytest.param('os.ExpandEnv("$A/${B}/c")', "", {"A": "", "B": ""}, id="expanded"),
        pytest.param(
            'get("A", "x"); get("B", "")',
            'func get(name, other string) string { if v := os.Getenv(name); v != "" { return v }; return other }',
            {"A": "x", "B": ""},
            id="own function",
        ),
        pytest.param("os.Getenv(name)", "const name = `A`", {"A": ""}, id="constant"),
        pytest.param("os.Getenv(unknown())", "", {}, id="unknown"),
    ],
)
def test_variables_that_are_read(body, top, expected, tmp_path):
    assert {found.name: found.default for found in facts(tmp_path, body, top=top).environment} == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param('http.ListenAndServe(":8080", nil)', [8080], id="http"),
        pytest.param('net.Listen("tcp", "127.0.0.1:9090")', [9090], id="listener"),
        pytest.param('net.Listen("unix", "/run/x.sock")', [], id="no port"),
        pytest.param('_ = &http.Server{Addr: ":8443"}', [8443], id="server"),
        pytest.param('a := flag.String("addr", ":8081", "where"); http.ListenAndServe(*a, nil)', [8081], id="flag"),
        pytest.param('p := flag.Int("port", 8082, "which"); _ = p', [8082], id="number of a flag"),
        pytest.param('http.ListenAndServe(":"+cmp.Or(os.Getenv("PORT"), "8083"), nil)', [8083], id="variable"),
        pytest.param(
            'p := os.Getenv("PORT")\nif p == "" {\np = "8084"\n}\nhttp.ListenAndServe(":"+p, nil)', [8084], id="set"
        ),
        pytest.param('http.ListenAndServe(fmt.Sprintf("%s:%d", "", 8085), nil)', [8085], id="format"),
        pytest.param('http.ListenAndServe(net.JoinHostPort("", "8086"), nil)', [8086], id="joined"),
        pytest.param('r := gin.Default(); r.Run(":8087")', [8087], id="gin"),
        pytest.param('flags.Add(":9100")', [9100], id="only mentioned"),
        pytest.param('http.ListenAndServe(":0", nil)', [], id="any free port"),
        pytest.param('http.ListenAndServe(":99999", nil)', [], id="no port number"),
    ],
)
def test_ports_that_are_listened_on(body, expected, tmp_path):
    assert [found.number for found in facts(tmp_path, body).ports] == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param('http.HandleFunc("/healthz", h)', [("", "/healthz", True)], id="plain"),
        pytest.param('m.HandleFunc("GET /readyz", h)', [("GET", "/readyz", True)], id="with method"),
        pytest.param('m.Handle("POST example.com/items/{id}", h)', [("POST", "/items/{id}", False)], id="with host"),
        pytest.param('r.GET("/ping", h)', [("GET", "/ping", True)], id="gin"),
        pytest.param('r.Get("/-/healthy", h)', [("GET", "/-/healthy", True)], id="chi"),
        pytest.param('c.Get("/not-a-route")', [], id="look-up"),
        pytest.param('http.Post("/x", "text/plain", nil)', [], id="request"),
        pytest.param('g := r.Group("/api"); g.GET("/health", h)', [("GET", "/api/health", True)], id="group"),
        pytest.param(
            'r.Route("/v1", func(r chi.Router) { r.Get("/items", h) })', [("GET", "/v1/items", False)], id="nested"
        ),
        pytest.param('r.HandleFunc("/x", h).Methods("PUT")', [("PUT", "/x", False)], id="gorilla"),
        pytest.param('m.HandleFunc("/" + name(), h)', [], id="unknown"),
        pytest.param('r.POST("/health", h)', [("POST", "/health", False)], id="no health by POST"),
    ],
)
def test_routes_that_are_served(body, expected, tmp_path):
    assert [(found.method, found.path, found.is_health) for found in facts(tmp_path, body).routes] == expected


def test_evidence_is_the_line(tmp_path):
    found = facts(tmp_path, '\n\nos.Getenv("A")').environment[0]
    assert (found.evidence.file, found.evidence.line) == ("main.go", 7)


def test_packages_of_others_say_nothing(tmp_path):
    (tmp_path / "x.go").write_text('package x\nimport "os"\nvar v = os.Getenv("A")\n')
    other = Package(import_path="other.org/x", directory=str(tmp_path), module="other.org/x", files=("x.go",))
    main = Main(name="app", import_path="example.com/app", directory=str(tmp_path), module="example.com/app")
    assert read_facts(main, [other]) == Facts()


def test_missing_and_broken_files_say_nothing(tmp_path):
    (tmp_path / "x.go").write_bytes(b"package x\nfunc Getenv(\xff\xfe os.Getenv(")
    package = Package(
        import_path="example.com/app", directory=str(tmp_path), is_local=True, files=("x.go", "missing.go")
    )
    main = Main(name="app", import_path="example.com/app", directory=str(tmp_path), module="example.com/app")
    facts = read_facts(main, [package])
    assert msgspec.structs.replace(facts, findings=()) == Facts()
    assert [found.evidence[0].file for found in facts.findings] == ["x.go"]
