"""``proa why`` of programs that go builds here: chains, dominators, bytes against a real build, images, bad input."""

from __future__ import annotations

import json
import os
import tarfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from proa.cli.commands import proa
from proa.outside.command import run
from real_neighbours import need

pytestmark = pytest.mark.real
FILES = {
    "go.mod": "module example.com/shop\n\ngo 1.24\n",
    "main.go": """package main

import (
	"fmt"

	"example.com/shop/page"
)

func main() { fmt.Println(page.Show("orders")) }
""",
    "page/page.go": """package page

import (
	"strings"

	"example.com/shop/unused"
	"example.com/shop/words"
)

func Show(name string) string { return strings.ToUpper(words.Join(name)) + unused.Mark }
""",
    "unused/unused.go": 'package unused\n\nconst Mark = "!"\n',
    "words/words.go": """package words

import (
	"bytes"
	"encoding/xml"
)

type order struct { Name string }

//go:noinline
func Join(name string) string {
	var out bytes.Buffer
	_ = xml.NewEncoder(&out).Encode(order{name})
	return out.String()
}
""",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    need("go")
    folder = tmp_path_factory.mktemp("shop")
    for name, text in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    for name, flags in (("shop", "-w"), ("bare", "-s -w")):
        env = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false", "GOWORK": "off"}
        run(["go", "build", "-trimpath", f"-ldflags={flags}", "-o", f"/{folder}/{name}"], cwd=folder, env=env)
    return folder


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("elsewhere")


def ask(target: Path, *words: str, status: int = 0, store: Path | None = None):
    environ = {"PROA_CACHE": str(store or target.parent / "store")}
    result = CliRunner().invoke(proa, ["why", str(target), *words], env=environ)
    assert (result.exit_code or 0) == status or result.exception is not None, result.output
    return result


def answer(target: Path, *words: str):
    result = ask(target, *words, "--format", "json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def error_of(target: Path, *words: str) -> Exception:
    result = ask(target, *words, status=1)
    assert result.exception is not None
    return result.exception


def test_with_the_source_at_hand_the_chain_is_of_import_statements(folder, monkeypatch):
    monkeypatch.chdir(folder)
    found = answer(folder / "shop", "encoding/xml")
    assert found["known_by"] == "source"
    assert found["chain"] == ["example.com/shop", "example.com/shop/page", "example.com/shop/words", "encoding/xml"]
    assert found["dominator"] == "example.com/shop/words"
    assert [(one["file"], one["line"]) for one in found["evidence"]] == [
        ("main.go", 6),
        ("page/page.go", 7),
        ("words/words.go", 5),
    ]
    assert found["references"][0] == "main.main"
    assert "example.com/shop/words.Join" in found["references"]


@pytest.mark.parametrize("program", ["shop", "bare"])
def test_the_program_alone_gives_a_chain_and_the_dominator(folder, elsewhere, monkeypatch, program):
    monkeypatch.chdir(elsewhere)
    found = answer(folder / program, "xml")
    assert found["known_by"] == "binary"
    assert (found["chain"][0], found["chain"][-1]) == ("main", "encoding/xml")
    assert found["dominator"] == "example.com/shop/words"
    assert found["bytes"] > 50_000
    assert found["exclusive_bytes"] >= 0.5 * found["bytes"]
    assert sum(size for _, size in found["exclusive"]) <= found["exclusive_bytes"]


def test_what_goes_with_a_package_is_what_a_build_without_it_loses(folder, monkeypatch):
    monkeypatch.chdir(folder)
    found = answer(folder / "shop", "example.com/shop/words", "--verify")
    assert found["verified_bytes"] is not None, found["findings"]
    assert abs(found["exclusive_bytes"] - found["verified_bytes"]) <= 0.15 * found["verified_bytes"]


def test_a_package_that_was_imported_and_dropped_is_told_so(folder, monkeypatch):
    monkeypatch.chdir(folder)
    error = error_of(folder / "shop", "unused")
    assert "imported by example.com/shop/page, but the linker kept nothing of it" in str(error)


def test_names_that_are_not_there_and_sources_that_are_not_it(folder, elsewhere, monkeypatch):
    monkeypatch.chdir(elsewhere)
    assert "encoding/xml" in error_of(folder / "shop", "encoding/xlm").hint
    (elsewhere / "go.mod").write_text("module example.com/other\n\ngo 1.24\n")
    (elsewhere / "main.go").write_text("package main\n\nfunc main() {}\n")
    wrong = error_of(folder / "shop", "encoding/xml", "--source", str(elsewhere))
    assert "was built from example.com/shop" in str(wrong)
    assert "source is not at hand" in str(error_of(folder / "shop", "encoding/xml", "--verify"))
    (elsewhere / "text").write_text("no program\n")
    assert "[PROA" in str(error_of(elsewhere / "text", "fmt"))
    whole = (folder / "shop").read_bytes()
    (elsewhere / "short").write_bytes(whole[: len(whole) // 2])
    assert "[PROA213]" in str(error_of(elsewhere / "short", "fmt"))


def test_an_image_is_asked_about_its_program_and_its_files(folder, elsewhere, monkeypatch):
    monkeypatch.chdir(elsewhere)
    image = elsewhere / "image.tar"
    blobs = elsewhere / "blobs"
    blobs.mkdir()
    with tarfile.open(blobs / "layer.tar", "w") as layer:
        layer.add(folder / "bare", "app/shop")
        layer.add(folder / "go.mod", "app/note.txt")
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Entrypoint": ["/app/shop"]},
        "rootfs": {"type": "layers", "diff_ids": [_digest(blobs / "layer.tar")]},
        "history": [{"created_by": "COPY shop /app/"}],
    }
    (blobs / "config.json").write_text(json.dumps(config))
    manifest = [{"Config": "config.json", "RepoTags": ["shop:latest"], "Layers": ["layer.tar"]}]
    (blobs / "manifest.json").write_text(json.dumps(manifest))
    with tarfile.open(image, "w") as archive:
        for name in ("config.json", "manifest.json", "layer.tar"):
            archive.add(blobs / name, name)
    program = answer(image, "encoding/xml")
    assert (program["subject"], program["chain"][-1]) == ("package", "encoding/xml")
    file = answer(image, "note.txt")
    assert (file["name"], file["known_by"]) == ("/app/note.txt", "record")
    assert file["placed"]["instruction"] == "COPY shop /app/"
    assert answer(image, "/app/shop")["chain"] == ["/app/shop"]


def _digest(file: Path) -> str:
    import hashlib

    return "sha256:" + hashlib.sha256(file.read_bytes()).hexdigest()
