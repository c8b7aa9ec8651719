"""The page, opened from its file and clicked in Debian's Chromium with the network cut."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fakes.layers import archive, docker_archive, item
from proa.cli import options
from proa.cli.amounts import bytes_text
from proa.outside.command import run
from proa.pipeline.diff import Asked, diff
from proa.pipeline.inspect_binary import inspect_binary
from proa.pipeline.inspect_whole import inspect_whole_image
from proa.records.image_anatomy import ImageAnatomy, LayerAnatomy
from proa.records.image_tree import ImageTree, TreeFile
from proa.records.platform import Platform
from proa.report.page import binary_page, difference_page, image_page
from real_neighbours import need
from report.browsing import READY, Browser, chromium, watched

pytestmark = pytest.mark.real
HOSTILE = "<img src=x onerror=alert(1)>"
SERVER = """package main

import (
	"fmt"
	"net/http"
	"os"
)

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, os.Args) })
	http.ListenAndServe(":8080", nil)
}
"""
PRINTER = """package main

import (
	"encoding/json"
	"encoding/xml"
	"os"
)

func main() {
	json.NewEncoder(os.Stdout).Encode(os.Args)
	xml.NewEncoder(os.Stdout).Encode(os.Args)
}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    need("chromium", "chromedriver", "go")
    return tmp_path_factory.mktemp("pages")


@pytest.fixture(scope="module")
def environ(folder) -> dict[str, str]:
    return {**os.environ, "PROA_CACHE": str(folder / "store")}


@pytest.fixture(scope="module")
def programs(folder) -> dict[str, Path]:
    built = {}
    for name, source in (("server", SERVER), ("printer", PRINTER)):
        place = folder / name
        place.mkdir()
        (place / "go.mod").write_text("module example.com/shop\n\ngo 1.24\n")
        (place / "main.go").write_text(source)
        env = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false", "GOWORK": "off"}
        run(["go", "build", "-trimpath", "-o", "shop", "."], cwd=place, env=env, timeout_s=300)
        built[name] = place / "shop"
    return built


@pytest.fixture(scope="module")
def images(folder, programs) -> dict[str, Path]:
    """Two images whose programs, files and rights differ."""
    shared = [
        item("usr/share/doc/manual", b"m" * 900_000),
        item("etc/motd", b"old"),
        item("var/cache/apt/x", b"c" * 300_000),
    ]
    made = {}
    for name, program in programs.items():
        second = [
            item("app", program.read_bytes(), mode=0o755),
            item("var/cache/apt/.wh.x", b""),
            item(HOSTILE, b"h" * 200_000),
        ]
        second += [item("etc/motd", b"new"), item("srv/data", b"d" * 800_000)] if name == "server" else []
        history = [{"created_by": "RUN apt-get install"}, {"created_by": f"COPY {name} /app"}]
        made[name] = docker_archive(folder / f"{name}.tar", [archive(shared), archive(second)], history=history)
    return made


@pytest.fixture(scope="module")
def anatomy(programs, environ):
    return inspect_binary(programs["server"], debug=None, environ=environ, most_symbols=2_000, jobs=1)


@pytest.fixture(scope="module")
def pages(folder, programs, images, anatomy, environ) -> dict[str, Path]:
    def quiet(_: str) -> None:
        return None

    request = options.request()
    whole = inspect_whole_image(str(images["server"]), request, environ=environ, progress=quiet, with_program=True)
    texts = {
        "binary": binary_page(anatomy),
        "image": image_page(whole.anatomy, whole.tree, program=whole.program, program_path=whole.program_path),
    }
    for name, pair in (("programs", programs), ("images", images)):
        asked = Asked(words=(str(pair["printer"]), str(pair["server"])))
        texts[name] = difference_page(diff(asked, request, environ=environ, progress=quiet).difference)
    for name, text in texts.items():
        (folder / f"{name}.html").write_text(text)
    return {name: folder / f"{name}.html" for name in texts}


@pytest.fixture(scope="module")
def driver(folder) -> Iterator[Any]:
    with chromium(folder / "profile") as started:
        yield started


@pytest.fixture
def browser(driver) -> Iterator[Browser]:
    with watched(driver) as one:
        yield one


def test_a_click_on_a_block_goes_in_and_the_breadcrumb_leads_back(browser, pages, anatomy):
    browser.open(pages["binary"])
    assert browser.text("#facts dd") == bytes_text(anatomy.total_bytes)
    top = {row[0]: row[1] for row in browser.rows()}
    standard = sum(one.bytes for one in anatomy.packages if one.module == "std")
    assert top["std"] == bytes_text(standard)
    browser.click(".block", "std ")
    assert browser.texts("#crumbs li") == ["All", "std"]
    assert browser.text("#here").startswith(bytes_text(standard))
    shown = {row[0]: row[1] for row in browser.rows()}
    by_name = {one.name: one for one in anatomy.packages if one.module == "std"}
    assert shown["net/http"] == bytes_text(by_name["net/http"].bytes)
    browser.click(".block", "net/http ")
    assert browser.texts("#crumbs li") == ["All", "std", "net/http"]
    assert "function and line tables" in [row[0] for row in browser.rows()]
    browser.driver.back()
    browser.wait(lambda: browser.texts("#crumbs li") == ["All", "std"])
    browser.click(".crumb", "All")
    assert browser.texts("#crumbs li") == ["All"]


def test_the_switch_changes_every_figure_to_the_records_compressed_one(browser, pages, anatomy):
    browser.open(pages["binary"], "#view=packages&at=std")
    packages = {one.name: one for one in anatomy.packages if one.module == "std"}
    raw, compressed = (sum(getattr(one, size) for one in packages.values()) for size in ("bytes", "compressed_bytes"))
    assert browser.text("#here").startswith(f"{bytes_text(raw)} in the file")
    browser.click("#measures .option", "compressed")
    assert browser.text("#here").startswith(f"{bytes_text(compressed)} compressed")
    sizes = browser.js(
        "return [...document.querySelectorAll('.block')].map((one) => one.getAttribute('aria-label').split(', ')[0].split('; ').pop())"
    )
    words = [text.removeprefix("\u25c6 ").split(" ", 1) for text in sizes]
    shown = {name: size for name, size in words if name in packages}
    assert len(shown) > 5
    assert shown == {name: bytes_text(packages[name].compressed_bytes) for name in shown}
    rows = {row[0]: row[2] for row in browser.rows()}
    assert rows["runtime"] == bytes_text(packages["runtime"].compressed_bytes)


def test_a_search_marks_what_it_finds_and_lists_it(browser, pages, anatomy):
    browser.open(pages["binary"])
    browser.press("/")
    browser.press("tls")
    browser.wait(lambda: "found" in browser.text("#found"))
    names = [one.name for one in anatomy.packages if "tls" in one.name.lower()]
    browser.wait(lambda: any("crypto/tls" in text for text in browser.texts(".hit-name")))
    assert set(names) <= set(browser.texts(".hit-name"))
    marked = browser.js(
        "return [...document.querySelectorAll('.block.hit')].map((one) => one.getAttribute('aria-label'))"
    )
    assert any("crypto/tls " in label or "std " in label for label in marked)
    assert "find=tls" in browser.driver.current_url
    browser.click(".hit-button", "crypto/tls")
    browser.wait(lambda: "std" in browser.texts("#crumbs li"))
    browser.driver.refresh()
    browser.wait(lambda: browser.js(READY) == "yes")
    assert "std" in browser.texts("#crumbs li")
    assert browser.js("return document.querySelector('#search').value") == "tls"


def test_the_keyboard_alone_reaches_everything(browser, pages):
    from selenium.webdriver.common.keys import Keys

    browser.open(pages["binary"])
    focused = "return document.activeElement.getAttribute('aria-label') || document.activeElement.textContent"
    for _ in range(6):
        browser.press(Keys.TAB)
        if browser.js("return document.activeElement.classList.contains('block')"):
            break
    else:
        pytest.fail("Tab does not reach the map")
    first = browser.js(focused)
    assert not browser.js("return document.querySelector('#tip').hidden")
    assert first.split(",")[0].rsplit(" ", 2)[0] in browser.text("#tip")
    assert browser.js("return getComputedStyle(document.activeElement).outlineStyle") != "none"
    seen = {first}
    for key in (Keys.ARROW_RIGHT, Keys.ARROW_DOWN, Keys.ARROW_LEFT, Keys.ARROW_UP):
        browser.press(key)
        seen.add(browser.js(focused))
    assert len(seen) >= 3
    browser.press(Keys.HOME)
    assert browser.js(focused) == first
    browser.press(Keys.ENTER)
    assert len(browser.texts("#crumbs li")) > 1
    assert browser.js("return document.activeElement.classList.contains('block')")
    browser.press(Keys.ESCAPE)
    assert browser.js("return document.querySelector('#tip').hidden")
    browser.press(Keys.BACKSPACE)
    assert browser.texts("#crumbs li") == ["All"]
    assert browser.js(focused) == first
    # The table: from a heading, which sorts, to a row, which goes in.
    browser.js("document.querySelector('#head button').focus()")
    browser.press(Keys.ENTER)
    assert browser.js("return document.querySelector('#head th').getAttribute('aria-sort')") == "ascending"
    names = [row[0].lower() for row in browser.rows()]
    assert names == sorted(names)


def test_an_image_has_its_program_inside_and_its_layers_with_what_is_wasted(browser, pages, anatomy):
    browser.open(pages["image"], "#view=files&at=app/std")
    assert browser.texts("#crumbs li") == ["All", "app", "std"]
    standard = sum(one.bytes for one in anatomy.packages if one.module == "std")
    assert browser.text("#here").startswith(bytes_text(standard))
    browser.click("#views .option", "Layers")
    assert [row[:2] for row in browser.rows()] == [
        ["layer 2", bytes_text(anatomy.total_bytes + 200_000 + 800_000 + 3)],
        ["layer 1", bytes_text(900_000 + 300_000 + 3)],
    ]
    browser.click(".row", "layer 1")
    assert "RUN apt-get install" in browser.text("#here")
    assert {row[0]: row[1] for row in browser.rows()}["stored and not shown"] == bytes_text(300_003)
    browser.click(".block", "stored and not shown")
    assert ["var/cache/apt/x", bytes_text(300_000)] in [row[:2] for row in browser.rows()]
    assert "300 kB wasted" in browser.text(".layers")
    assert "COPY server /app" in browser.text(".layers")


def test_names_from_an_image_are_shown_as_text(browser, pages):
    browser.open(pages["image"])
    assert HOSTILE in [row[0] for row in browser.rows()]
    assert browser.js("return document.images.length") == 0


def test_each_changed_block_says_without_colour_what_happened(browser, pages):
    signs = {"▲": "grown", "▼": "shrunk", "≠": "changed, of equal size", "+": "new", "−": "gone"}  # noqa: RUF001
    for name, fragment in (
        ("programs", ""),
        ("images", "#view=files"),
        ("images", "#view=files&by=1"),
        ("images", "#view=packages"),
    ):
        browser.open(pages[name], fragment, forced_colors="active")
        found = browser.js(
            "return [...document.querySelectorAll('.block')].map((one) => [one.textContent[0], one.getAttribute('aria-label'),"
            " getComputedStyle(one).borderTopStyle, one.classList.contains('more')])"
        )
        assert len(found) >= 2
        for sign, label, border, is_more in found:
            assert sign in signs
            assert signs[sign] in label
            if not is_more:
                # In forced colours, too, the border tells growth from shrinkage.
                assert border == {"▲": "solid", "+": "solid", "▼": "dashed", "−": "dashed", "≠": "dotted"}[sign]  # noqa: RUF001
    browser.open(pages["images"], "#view=files")
    rows = {row[0]: row[1] for row in browser.rows()}
    assert rows["▲ srv"] == "+800 kB"
    assert "≠ etc" in rows


def test_at_360_pixels_nothing_is_cut_off(browser, pages):
    for name in pages:
        browser.open(pages[name], width=360, height=740)
        assert browser.js("return document.documentElement.scrollWidth") <= 360
        # Drawn again when the scroll bar has taken its place.
        browser.wait(lambda: browser.js("return document.querySelector('#map').clientWidth") <= 345)
        outside = (
            "const map = document.querySelector('#map').getBoundingClientRect();"
            "return [...document.querySelectorAll('.block')].map((one) => [one.getBoundingClientRect(), one.textContent])"
            ".filter(([box]) => box.left < map.left - 1 || box.right > map.right + 1 || box.bottom > map.bottom + 1)"
        )
        browser.wait(lambda script=outside: browser.js(script) == [], told=lambda script=outside: browser.js(script))
        assert browser.js("return document.querySelectorAll('.block').length") >= 2


def test_axe_finds_nothing_serious(browser, pages):
    for name, page in pages.items():
        for scheme in ("light", "dark"):
            browser.open(page, prefers_color_scheme=scheme)
            browser.js("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
            passed, violations = browser.violations()
            assert passed > 15
            assert violations == [], (name, scheme)


def test_sixty_thousand_files_are_drawn_and_stay_quick(browser, folder):
    files = tuple(
        TreeFile(
            path=f"/usr/lib/p{n % 300}/d{n % 7}/file-{n}.so", kind="file", bytes=10 + (n * 7919) % 90_000, layer=n % 2
        )
        for n in range(60_000)
    )
    layers = tuple(
        LayerAnatomy(
            digest=f"sha256:{number}",
            diff_id="",
            media_type="",
            stored_bytes=sum(file.bytes for file in files if file.layer == number),
            compressed_bytes=10**8,
            unpacked_bytes=0,
            wasted_bytes=0,
        )
        for number in range(2)
    )
    whole = sum(layer.stored_bytes for layer in layers)
    anatomy = ImageAnatomy(
        reference="oci:large",
        digest="",
        platform=Platform("linux", "amd64"),
        layers=layers,
        stored_bytes=whole,
        compressed_bytes=2 * 10**8,
        visible_bytes=whole,
        wasted_bytes=0,
        duplicate_bytes=0,
        efficiency=1.0,
    )
    page = folder / "large.html"
    page.write_text(image_page(anatomy, ImageTree(layers=("sha256:0", "sha256:1"), files=files)))
    browser.open(page)
    paint = "return performance.getEntriesByType('paint').map((one) => one.startTime).pop()"
    browser.wait(lambda: browser.js(paint))
    painted_ms = browser.js(paint)
    assert 50 < browser.js("return document.querySelectorAll('.block').length") <= 2_000
    zoomed_ms = browser.js(
        "const start = performance.now(); location.hash = '#view=files&at=usr/lib/p7'; dispatchEvent(new Event('hashchange'));"
        "document.body.offsetHeight; return performance.now() - start;"
    )
    assert browser.texts("#crumbs li") == ["All", "usr", "lib", "p7"]
    searched_ms = browser.js(
        "const start = performance.now(); location.hash = '#view=files&find=file-59999';"
        "dispatchEvent(new Event('hashchange')); document.body.offsetHeight; return performance.now() - start;"
    )
    assert browser.text("#found").startswith("1 found")
    figures = f"first paint {painted_ms:.0f} ms, zoom {zoomed_ms:.0f} ms, search {searched_ms:.0f} ms, {page.stat().st_size:,} bytes"
    print(f"60,000 files: {figures}")  # noqa: T201
