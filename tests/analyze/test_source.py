from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.analyze.source import below, parse_versioned, split_source
from proa.errors import NoProject, ProaError, WrongUsage


def write(root: Path, **files: str) -> Path:
    for name, text in files.items():
        file = root / name.replace("__", "/").replace("_mod", ".mod").replace("_work", ".work")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Make a workspace of a and ../other, with c beside them that it does not use, and a plain module with a nested one."""
    write(
        tmp_path,
        ws__go_work="go 1.24\nuse (\n\t./a\n\t../other\n)\n",
        ws__a__go_mod="module a",
        ws__a__cmd__x__main="",
        ws__c__go_mod="module c",
        other__go_mod="module other",
        plain__go_mod="module plain",
        plain__cmd__api__main="",
        plain__sub__go_mod="module sub",
        plain__sub__cmd__x__main="",
    )
    return tmp_path.resolve()


def asked(tree: Path, here: str, *words: str, **environ: str) -> list[tuple[str, tuple[str, ...], dict[str, str]]]:
    source = split_source(words, directory=tree / here, environ=environ)
    return [
        (str(place.directory.relative_to(tree)), place.patterns, dict(place.environment)) for place in source.places
    ]


@pytest.mark.parametrize(
    ("here", "words", "expected"),
    [
        pytest.param("plain", (), [("plain", (".",), {})], id="nothing named"),
        pytest.param("plain", ("./...",), [("plain", ("./...",), {})], id="everything"),
        pytest.param("plain", ("...",), [("plain", ("./...",), {})], id="everything, short"),
        pytest.param("plain", ("./cmd/api", "cmd/..."), [("plain", ("./cmd/api", "./cmd/..."), {})], id="several"),
        pytest.param("plain/cmd", (".",), [("plain", ("./cmd",), {})], id="from a folder inside"),
        pytest.param("plain/cmd", ("..",), [("plain", (".",), {})], id="the folder above"),
        pytest.param("plain", ("./sub/cmd/x",), [("plain/sub", ("./cmd/x",), {})], id="nested module"),
        pytest.param("plain", ("example.com/p/cmd",), [("plain", ("example.com/p/cmd",), {})], id="import path"),
        pytest.param("ws", ("./...",), [("ws", ("./a/...", "../other/..."), {})], id="every module of a workspace"),
        pytest.param("ws", (), [("ws", ("./a/...", "../other/..."), {})], id="a workspace by itself"),
        pytest.param("ws/a", (), [("ws", ("./a",), {})], id="a module of a workspace"),
        pytest.param("ws", ("./c",), [("ws/c", (".",), {"GOWORK": "off"})], id="a module its workspace does not use"),
        pytest.param("ws", ("../other",), [("ws", ("../other",), {})], id="a module of the workspace, elsewhere"),
        pytest.param("other", (), [("other", (".",), {})], id="used from elsewhere, but no workspace above"),
        pytest.param(".", ("plain", "ws/a"), [("plain", (".",), {}), ("ws", ("./a",), {})], id="unrelated modules"),
        pytest.param("", ("./plain/...",), [("plain", ("./...",), {})], id="everything in a module, from above"),
    ],
)
def test_words_become_places_to_ask_in(tree, here, words, expected):
    assert asked(tree, here, *words) == expected


def test_a_workspace_can_be_turned_off(tree):
    assert asked(tree, "ws/a", GOWORK="off") == [("ws/a", (".",), {})]


def test_everything_without_a_module_means_the_modules_below(tree):
    places = asked(tree, "", "./...")
    assert [place for place, _, _ in places] == ["other", "plain", "plain/sub", "ws", "ws/c"]


def test_below_a_folder_is_everything_in_its_module(tree):
    assert [place.patterns for place in below(tree / "plain" / "cmd", directory=tree, environ={})] == [("./cmd/...",)]


def test_only_one_folder_by_itself_stands_for_its_program(tree):
    def folder(*words: str) -> Path | None:
        return split_source(words, directory=tree / "plain", environ={}).folder

    assert folder() == folder(".") == tree / "plain"
    assert folder("./cmd") == tree / "plain" / "cmd"
    assert folder("./...") is folder("./cmd", "./sub") is folder("example.com/p") is None


@pytest.mark.parametrize(
    ("word", "error"),
    [
        pytest.param("./nowhere", WrongUsage, id="no folder"),
        pytest.param("./plain/cmd/api/main.go", WrongUsage, id="a file"),
        pytest.param("-x", WrongUsage, id="a flag"),
        pytest.param("", WrongUsage, id="nothing"),
        pytest.param("a\0b", WrongUsage, id="a zero byte"),
        pytest.param(".", NoProject, id="no module"),
    ],
)
def test_what_cannot_be_a_source_is_refused(tree, word, error):
    (tree / "plain/cmd/api/main.go").write_text("package main")
    with pytest.raises(error):
        split_source([word], directory=tree, environ={})


def test_without_a_module_one_below_is_offered(tree):
    with pytest.raises(NoProject) as caught:
        split_source([], directory=tree, environ={})
    assert "proa ship ./other" in caught.value.hint


@pytest.mark.parametrize(
    "word",
    [
        "a@b",
        "foo@",
        "@v1",
        "example.com/a/@v1",
        "example.com//a@v1",
        "example.com/...@v1",
        "example.com/a@v1@v2",
        "example.com/a b@v1",
        "example.com/a@v1;rm",
    ],
)
def test_a_malformed_version_is_refused(word):
    with pytest.raises(WrongUsage, match="not a module path with a version"):
        parse_versioned(word)


@pytest.mark.parametrize(
    "version", ["v1.2.3", "latest", "main", "v0.0.0-20250910200901-e86405a8674e", "v2.0.0+incompatible", "feature/x"]
)
def test_a_version_may_be_anything_that_go_takes(version):
    assert parse_versioned(f"example.com/A_b/c@{version}") == ("example.com/A_b/c", version)


def test_a_folder_with_an_at_sign_is_a_folder(tree):
    write(tree, **{"x@y__go_mod": "module x"})
    assert asked(tree, "", "x@y") == [("x@y", (".",), {})]


@given(st.text(max_size=40))
def test_any_word_is_a_source_or_a_plain_error(tmp_path_factory, word):
    with suppress(ProaError):
        split_source([word], directory=tmp_path_factory.getbasetemp(), environ={"GOWORK": "off"})


def test_a_finished_program_is_not_a_source_but_can_be_shipped(tmp_path: Path) -> None:
    (tmp_path / "hello").write_bytes(b"\x7fELF...")
    for word in ("hello", "./hello"):
        with pytest.raises(WrongUsage, match="is a finished program") as told:
            split_source((word,), directory=tmp_path, environ={})
        assert told.value.hint == f"proa ship --binary {word} makes an image of it"
