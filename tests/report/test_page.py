"""The page has every number of its record once, and no name on it is anything but text; the tree fits and adds up."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from fakes.layers import archive, docker_archive, item
from proa.cli import page_file
from proa.cli.commands import proa
from proa.cli.tree_lines import tree_lines
from proa.errors import WrongUsage
from proa.records.binary_anatomy import BinaryAnatomy, PackageBytes, SectionBytes, SymbolBytes
from proa.records.difference import Delta, Difference, Side
from proa.records.evidence import Finding
from proa.records.image_anatomy import ImageAnatomy, LayerAnatomy, WastedFile
from proa.records.image_tree import ImageTree, TreeFile
from proa.records.platform import Platform
from proa.report.branches import binary_branches, image_branches, shared_out
from proa.report.page import binary_page, difference_page, image_page

HOSTILE = "</script><script>alert(1)</script><!--\u2028\u202e\x1b[2J&quot;'\""


def package(name: str, module: str, size: int, **parts: int) -> PackageBytes:
    return PackageBytes(
        name=name, module=module, version="v1.2.0", bytes=size, compressed_bytes=size // 3, known_by="symbols", **parts
    )


def program(file: str = "bin/shop") -> BinaryAnatomy:
    packages = (
        package("example.com/shop/cart", "example.com/shop", 5_000, text=3_000, rodata=500, data=500, pclntab=1_000),
        package("main", "example.com/shop", 700, text=700),
        package("runtime", "std", 2_000, text=2_000),
        package("C", "", 11, text=11),
    )
    sections = (SectionBytes(name=".debug_info", bytes=1_200, compressed_bytes=1_100, meaning="DWARF"),)
    return BinaryAnatomy(
        file=file,
        format="elf",
        architecture="amd64",
        language="go",
        go_version="1.26.8",
        total_bytes=8_911,
        compressed_bytes=3_669,
        attributed_bytes=7_711,
        loaded_bytes=7_711,
        packages=packages,
        sections=sections,
        symbols=(
            SymbolBytes(
                name="example.com/shop/cart.(*Cart).Add", package="example.com/shop/cart", bytes=900, kind="text"
            ),
            SymbolBytes(name="example.com/shop/cart.prices", package="example.com/shop/cart", bytes=400, kind="data"),
            # More than the package has: in .bss.
            SymbolBytes(name="runtime.heap", package="runtime", bytes=50_000, kind="data"),
        ),
        findings=(Finding(id="inspect.note", message=HOSTILE),),
    )


def image(*paths: tuple[str, int, int], program_bytes: int = 0) -> tuple[ImageAnatomy, ImageTree]:
    files = [TreeFile(path=path, kind="file", bytes=size, layer=layer) for path, size, layer in paths]
    if program_bytes:
        files.append(TreeFile(path="/app", kind="file", bytes=program_bytes, layer=1))
    files.append(TreeFile(path="/link", kind="symlink", content=b"app", layer=1))
    hidden = WastedFile(path="/old", bytes=77, layer="sha256:0", reason="removed", hidden_by="sha256:1")
    layers = []
    for number in range(2):
        shown = sum(file.bytes for file in files if file.layer == number)
        wasted = 77 if number == 0 else 0
        layers.append(
            LayerAnatomy(
                digest=f"sha256:{number}",
                diff_id=f"sha256:d{number}",
                media_type="",
                stored_bytes=shown + wasted,
                compressed_bytes=(shown + wasted) // 2 + 1,
                unpacked_bytes=shown + 4096,
                wasted_bytes=wasted,
                instruction=f"RUN step {number}",
            )
        )
    stored = sum(layer.stored_bytes for layer in layers)
    anatomy = ImageAnatomy(
        reference="oci:shop:1",
        digest="sha256:m",
        platform=Platform("linux", "amd64"),
        layers=tuple(layers),
        stored_bytes=stored,
        compressed_bytes=sum(layer.compressed_bytes for layer in layers),
        visible_bytes=stored - 77,
        wasted_bytes=77,
        duplicate_bytes=0,
        efficiency=(stored - 77) / stored,
        files=(hidden,),
        wasted_files=1,
    )
    return anatomy, ImageTree(layers=("sha256:0", "sha256:1"), files=tuple(sorted(files, key=lambda file: file.path)))


FILES = (
    ("/usr/bin/env", 48_000, 0),
    ("/usr/lib/libc.so", 1_900_000, 0),
    ("/etc/passwd", 93, 0),
    ("/漢字/e\u0301", 12, 1),
)


class _Parts(HTMLParser):
    """What a browser finds: elements, and the text of scripts and styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: dict[str, list[str]] = {"script": [], "style": [], "title": []}
        self._inside = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag in self.texts:
            self._inside = tag
            self.texts[tag].append("")

    def handle_endtag(self, tag):
        self._inside = ""

    def handle_data(self, data):
        if self._inside:
            self.texts[self._inside][-1] += data


def data_of(page: str):
    return json.loads(_Parts(page).texts["script"][0])


def leaves(nodes, above=()):
    for node in nodes:
        if isinstance(node[1], list):
            yield from leaves(node[1], (*above, node[0]))
        else:
            yield (*above, node[0]), node


def difference(*files: Delta, **fields) -> Difference:
    return Difference(
        before=Side(reference="a", kind="image"),
        after=Side(reference="b", kind="image"),
        compressed=Delta(name="compressed", before_bytes=5, after_bytes=7),
        total=Delta(name="total", before_bytes=10, after_bytes=20),
        files=files,
        **fields,
    )


def test_a_programs_page_has_every_package_section_and_named_symbol_and_adds_up():
    anatomy = program()
    data = data_of(binary_page(anatomy))
    rows = dict(leaves(data["views"][0]["below"]))
    assert sum(node[1] for node in rows.values()) == anatomy.total_bytes
    assert sum(node[2] for node in rows.values()) == sum(
        one.compressed_bytes for one in (*anatomy.packages, *anatomy.sections)
    )
    cart = {
        path[2]: node[1] for path, node in rows.items() if path[:2] == ("example.com/shop", "example.com/shop/cart")
    }
    assert cart == {
        "(*Cart).Add": 900,
        "prices": 400,
        "other code": 2_100,
        "other data": 600,
        "function and line tables": 1_000,
    }
    assert rows[("std", "runtime", "other code")][1] == 2_000
    assert rows[("what no package owns", ".debug_info")][1:3] == [1_200, 1_100]
    assert rows[("C",)][1] == 11
    assert [amount for _, amount in data["facts"]] == [8_911, 3_669, 7_711, 7_711]


def test_an_images_page_has_every_file_with_its_layer_and_the_layers_figures():
    anatomy, tree = image(*FILES)
    data = data_of(image_page(anatomy, tree))
    rows = {"/" + "/".join(path): node for path, node in leaves(data["views"][0]["below"])}
    assert {path: node[1] for path, node in rows.items()} == {file.path: file.bytes for file in tree.files}
    assert rows["/漢字/e\u0301"][3] == 1
    for layer, told in zip(anatomy.layers, data["layers"], strict=True):
        assert (told["stored"], told["wasted"], told["compressed"], told["by"]) == (
            layer.stored_bytes,
            layer.wasted_bytes,
            layer.compressed_bytes,
            layer.instruction,
        )
    assert data["layers"][0]["hidden"] == [["/old", 77, "removed, layer 2"]]
    assert [amount for _, amount in data["facts"]] == [
        anatomy.compressed_bytes,
        anatomy.stored_bytes,
        anatomy.visible_bytes,
        77,
        0,
    ]


def test_the_packages_of_the_started_program_hang_below_its_file_and_take_its_bytes():
    inside = program()
    anatomy, tree = image(*FILES, program_bytes=inside.total_bytes)
    branches = image_branches(anatomy, tree, program=inside, program_path="/app")
    app = next(one for one in branches if one.name == "app")
    assert app.bytes == sum(one.bytes for one in app.below) == inside.total_bytes
    assert app.compressed_bytes == sum(one.compressed_bytes for one in app.below) > 0
    assert {"example.com/shop", "std", "what no package owns"} <= {one.name for one in app.below}
    # Another file than the one that was read: nothing of it is claimed.
    assert not any(
        one.below for one in image_branches(anatomy, tree, program=inside, program_path="/link") if one.name == "link"
    )


def test_a_comparisons_page_has_every_change_and_says_what_came_and_went():
    files = (
        Delta(name="/usr/new", before_bytes=0, after_bytes=9, change="added"),
        Delta(name="/usr", before_bytes=4, after_bytes=0, change="removed"),
        Delta(name="/etc/same", before_bytes=3, after_bytes=3, change="changed"),
    )
    packages = (
        Delta(name="a.example/m/x", before_bytes=1, after_bytes=8),
        Delta(name="net/http", before_bytes=8, after_bytes=2),
        Delta(name="C", before_bytes=0, after_bytes=1, change="added"),
    )
    modules = (
        Delta(name="a.example/m", before_bytes=1, after_bytes=8),
        Delta(name="std", before_bytes=8, after_bytes=2),
    )
    record = difference(
        *files, packages=packages, modules=modules, sections=(Delta(name=".text", before_bytes=2, after_bytes=1),)
    )
    views = data_of(difference_page(record))["views"]
    assert dict(leaves(views[0]["below"])) == {
        ("usr", "new"): ["new", 0, 9, 1],
        ("usr",): ["usr", 4, 0, 2],
        ("etc", "same"): ["same", 3, 3, 3],
    }
    assert dict(leaves(views[1]["below"])) == {
        ("a.example/m", "a.example/m/x"): ["a.example/m/x", 1, 8],
        ("std", "net/http"): ["net/http", 8, 2],
        ("C",): ["C", 0, 1, 1],
        ("what no package owns", ".text"): [".text", 2, 1],
    }


def test_hostile_names_are_data_and_never_markup():
    anatomy, tree = image((f"/{HOSTILE}/{HOSTILE}\ud800", 5, 0))
    pages = [
        binary_page(program(HOSTILE)),
        image_page(anatomy, tree),
        difference_page(difference(Delta(name=HOSTILE, before_bytes=0, after_bytes=1))),
    ]
    for page in pages:
        parts = _Parts(page)
        assert parts.tags.count("script") == 2
        assert "<script>alert" not in page
        assert "\u2028" not in page
        assert "\u202e" not in page
        assert not [name for name, _ in parts.attributes if name.startswith("on")]
        page.encode()
    (path, _), *_ = leaves(data_of(pages[1])["views"][0]["below"])
    assert "/".join(path) == f"{HOSTILE}/{HOSTILE}\ud800"


@given(st.lists(st.tuples(st.text(min_size=1, max_size=12), st.integers(0, 10**12)), max_size=30))
def test_any_names_come_back_as_they_were_and_every_level_adds_up(names):
    paths = {f"/{name.strip('/') or 'x'}": size for name, size in names}
    anatomy, tree = image(*((path, size, 0) for path, size in paths.items()))
    rows = list(leaves(data_of(image_page(anatomy, tree))["views"][0]["below"]))
    assert sum(node[1] for _, node in rows) == anatomy.visible_bytes
    assert sum(node[2] for _, node in rows) <= anatomy.compressed_bytes
    assert sorted("/" + "/".join(path) for path, _ in rows) == sorted(file.path for file in tree.files)


def test_a_folder_of_a_thousand_levels_is_a_short_stack():
    anatomy, tree = image(("/a" * 2_000, 5, 0))
    rows = [path for path, _ in leaves(data_of(image_page(anatomy, tree))["views"][0]["below"])]
    assert "/" + "/".join(rows[0]) == "/a" * 2_000
    assert len(rows[0]) == 101


@given(st.integers(0, 10**12), st.lists(st.integers(0, 10**9), max_size=50))
def test_shares_add_up_and_none_is_negative(whole, weights):
    shares = shared_out(whole, weights)
    assert sum(shares) == (whole if sum(weights) else 0)
    assert all(share >= 0 for share in shares)


def test_the_policy_allows_this_script_and_this_style_and_no_request():
    page = binary_page(program())
    parts = _Parts(page)
    policy = next(value for name, value in parts.attributes if name == "content" and "default-src" in (value or ""))
    for directive, text in (("script-src", parts.texts["script"][1]), ("style-src", parts.texts["style"][0])):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    assert not re.search(r"https?://|@import|url\(|\beval\b|innerHTML|document\.write", page)
    assert not {name for name, _ in parts.attributes} & {"src", "href", "style"}


def test_the_fixed_part_is_below_60_kb_and_60_000_files_below_6_mb():
    anatomy, tree = image(*((f"/usr/share/folder-{n % 600}/some-file-{n}.txt", n * 37, n % 2) for n in range(60_000)))
    page = image_page(anatomy, tree)
    fixed = len(page) - len(_Parts(page).texts["script"][0])
    assert fixed < 60_000
    assert len(page) < 6_000_000


# The tree in the terminal


def drawn(branches, **fields) -> list[str]:
    return list(tree_lines(branches, **{"top": 10, "depth": 3, "width": 80, "whole": "all", **fields}))


def test_a_programs_tree(golden):
    golden("program-tree.txt", "\n".join(drawn(binary_branches(program()), top=2, width=100)) + "\n")


def test_an_images_tree_in_40_columns(golden):
    anatomy, tree = image(*FILES, ("/usr/share/zoneinfo/Europe/a-rather-long-name", 700, 1))
    golden("image-tree-40.txt", "\n".join(drawn(image_branches(anatomy, tree), width=40)) + "\n")


def test_wide_and_hostile_names_fit_and_steer_nothing():
    names = ("漢" * 60, "e\u0301" * 90, HOSTILE + "x" * 99, "a\nb")
    anatomy, tree = image(*((f"/{name.replace('/', '')}/{number}", 5, 0) for number, name in enumerate(names)))
    for width in (40, 61, 100):
        for line in drawn(image_branches(anatomy, tree), width=width):
            assert cell_len(line) <= width
            assert line.isprintable()


@pytest.mark.parametrize("top", [0, 1, 2, 5])
def test_each_level_adds_up_with_what_is_not_shown(top):
    branches = binary_branches(program())
    sizes = [int(line.split(" B")[0]) for line in drawn(binary_branches(small()), top=top, depth=1)]
    assert sum(sizes[1:]) == sizes[0] == sum(one.bytes for one in binary_branches(small()))
    hidden = [line for line in drawn(branches, top=top, depth=1) if "more" in line]
    assert len(hidden) == (top < len(branches))


def small() -> BinaryAnatomy:
    return BinaryAnatomy(
        file="x",
        format="elf",
        architecture="amd64",
        total_bytes=600,
        attributed_bytes=600,
        packages=tuple(package(name, "", size) for name, size in (("a", 100), ("b", 200), ("c", 297), ("d", 3))),
    )


# The command


@pytest.fixture
def saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PROA_CACHE", str(tmp_path / "store"))
    monkeypatch.chdir(tmp_path)
    layers = [
        archive([item("usr/lib/libc.so", b"c" * 9_000), item("tmp/cache", b"z" * 500)]),
        archive([item("tmp/.wh.cache", b"")]),
    ]
    return docker_archive(tmp_path / "saved.tar", layers)


@pytest.mark.parametrize(
    "words", [["{}", "--html"], ["--html", "{}"], ["{}", "--html", "-"], ["--html", "-", "{}"]], ids=" ".join
)
def test_without_a_file_standard_output_has_the_page_and_nothing_else(saved, words):
    ran = CliRunner().invoke(proa, ["inspect", *(word.format(saved) for word in words)], catch_exceptions=False)
    assert ran.stdout.startswith("<!doctype html>")
    assert ran.stdout.endswith("</html>\n")
    assert data_of(ran.stdout)["kind"] == "image"


def test_with_a_file_the_page_stands_beside_what_is_printed(saved):
    ran = CliRunner().invoke(
        proa, ["inspect", str(saved), "--html", "page.html", "--format", "json"], catch_exceptions=False
    )
    record = json.loads(ran.stdout)
    data = data_of(Path("page.html").read_text())
    assert [layer["stored"] for layer in data["layers"]] == [layer["stored_bytes"] for layer in record["layers"]]
    assert dict(data["facts"])["wasted"] == record["wasted_bytes"] == 500
    assert "wrote page.html" in ran.stderr
    assert sorted(path.name for path in Path().iterdir()) == ["page.html", "saved.tar", "store"]


def test_a_tree_of_an_image_is_what_is_visible(saved):
    ran = CliRunner().invoke(proa, ["inspect", str(saved), "--tree"], catch_exceptions=False)
    assert ran.stdout.splitlines()[0].startswith(" 9.00 kB 100.0 %")
    assert "libc.so" in ran.stdout
    assert "cache" not in ran.stdout
    assert "\x1b" not in ran.stdout


@pytest.mark.parametrize(
    "words",
    [
        ["--html", "."],
        ["--html", ""],
        ["--html", "-", "--format", "json"],
        ["--html", "-", "--tree"],
        ["--tree", "--format", "json"],
        ["--depth", "2"],
    ],
    ids=" ".join,
)
def test_what_cannot_be_done_together_is_said(saved, words):
    ran = CliRunner().invoke(proa, ["inspect", str(saved), *words])
    assert isinstance(ran.exception, WrongUsage)
    assert ran.stdout == ""


def test_a_page_that_cannot_be_written_leaves_nothing(saved):
    ran = CliRunner().invoke(proa, ["inspect", str(saved), "--html", "missing/page.html"])
    assert "does not exist" in str(ran.exception)
    assert sorted(path.name for path in Path().iterdir()) == ["saved.tar", "store"]


def test_a_terminal_gets_a_file_named_after_what_it_shows(monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    assert page_file.place_of(page_file.NO_NAME, "table", "docker://ghcr.io/o/shop:1.4") == "shop-1.4.html"
