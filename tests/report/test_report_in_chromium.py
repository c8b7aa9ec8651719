"""A report, opened from its file in Debian's Chromium with the network cut: clicked, on a phone, on paper, by ear."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

from proa.records.comparison import Variant
from proa.records.evidence import Finding
from proa.records.report import ImageReport, Report
from proa.report.report_page import report_page
from real_neighbours import need
from report.browsing import Browser, chromium, watched
from report.reports import a_comparison, a_report, a_tree, an_image_report

pytestmark = pytest.mark.real
LONG = "github.com/an-organisation-with-a-long-name/a-repository-with-a-long-name/v2/internal/service-without-a-break"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    need("chromium", "chromedriver")
    return tmp_path_factory.mktemp("reports")


@pytest.fixture(scope="module")
def pages(folder) -> dict[str, Path]:
    whole = a_report()
    long = Variant(name=f"docker://{LONG}:1@sha256:{'0' * 64}", verdict="does-not-build", reason=f"{LONG}: {'x' * 300}")
    comparison = a_comparison()
    stretched = msgspec.structs.replace(comparison, variants=(*comparison.variants, long))
    unknown = ImageReport(
        **{
            name: getattr(an_image_report(), name)
            for name in ("reference", "digest", "platform", "compressed_bytes", "unpacked_bytes", "anatomy")
        },
        findings=tuple(Finding(id=f"secret.{n}", severity="error", message=f"{LONG}/{n}") for n in range(30)),
        unknown=("No record is kept beside it.",),
    )
    texts = {
        "whole": report_page(whole, tree=a_tree()),
        "comparison": report_page(Report(made_at=whole.made_at, comparison=stretched)),
        "unknown": report_page(Report(made_at=whole.made_at, image=unknown), tree=a_tree()),
    }
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


def test_what_is_folded_opens_by_click_and_the_map_goes_in(browser, pages):
    browser.open(pages["whole"], prefers_reduced_motion="reduce")
    assert "\N{CHECK MARK} ready in its trial" in browser.text("header")
    assert not browser.js("return document.querySelector('.step details').open")
    browser.click(".step summary", "the call path, 2 places")
    assert browser.js("return document.querySelector('.step details').open")
    assert browser.texts(".calls li") == ["main.main (main.go:5)", "main.fetch (main.go:12)"]
    browser.click("#measures .option", "compressed")
    browser.click(".row", "etc/")
    assert browser.texts("#crumbs li")[:2] == ["All", "etc"]


def test_a_link_to_a_part_leads_there_and_leaves_the_map_where_it_is(browser, pages):
    browser.open(pages["whole"], "#view=files&at=etc", prefers_reduced_motion="reduce")
    browser.click("nav a", "Earlier shipments")
    browser.wait(
        lambda: browser.js("return document.querySelector('#history').getBoundingClientRect().top < innerHeight")
    )
    assert browser.texts("#crumbs li") == ["All", "etc"]


def test_the_drawn_path_is_one_line_from_the_program_to_its_base(browser, pages):
    for width in (390, 1280):
        browser.open(pages["whole"], width=width)
        pieces = browser.js(
            "return [...document.querySelectorAll('.way .piece')].map((one) => {"
            " const lines = [...one.querySelectorAll('line.trunk')].map((line) => line.getBoundingClientRect());"
            " return [Math.min(...lines.map((box) => box.top)), Math.max(...lines.map((box) => box.bottom))]; })"
        )
        assert len(pieces) == 7
        for (_, end), (start, _) in pairwise(pieces):
            assert abs(end - start) < 1.5


def test_a_plots_marks_are_where_its_figures_say(browser, pages):
    browser.open(pages["comparison"], width=1280)
    shown = browser.js(
        "const plot = [...document.querySelectorAll('.plot')].find((one) => one.textContent.includes('Cold start'));"
        "return [...plot.querySelectorAll('.bar-row')].map((row) => { const line = row.querySelector('svg').getBoundingClientRect();"
        " const middle = (one) => { const box = one.getBoundingClientRect(); return (box.left + box.right) / 2 - line.left; };"
        " return [middle(row.querySelector('.dot')) / line.width, [...row.querySelectorAll('.whisker')].map((one) => middle(one) / line.width)]; })"
    )
    (dynamic, whiskers), (static, _) = shown
    assert dynamic / static == pytest.approx(0.012 / 0.009, rel=0.02)
    assert whiskers[1] / whiskers[2] == pytest.approx(0.0114 / 0.0126, rel=0.02)


def test_on_a_phone_nothing_is_wider_than_the_screen(browser, pages):
    for name, page in pages.items():
        browser.open(page, width=390, height=844)
        browser.js("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert browser.js("return document.documentElement.scrollWidth") <= 390, name
        wide = browser.js(
            "return [...document.querySelectorAll('main *, header *')].filter((one) => { const box = one.getBoundingClientRect();"
            " return box.width && (box.right > 391 || box.left < -1) && !one.closest('.scroll, .block, pre, thead, #tip'); })"
            ".slice(0, 5).map((one) => one.outerHTML.slice(0, 120))"
        )
        assert wide == [], name


def test_axe_finds_nothing_serious_light_or_dark(browser, pages):
    looks = [(name, scheme, 1280) for name in pages for scheme in ("light", "dark")]
    for name, scheme, width in [*looks, ("whole", "dark", 390)]:
        browser.open(pages[name], width=width, prefers_color_scheme=scheme)
        browser.js("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        passed, violations = browser.violations()
        assert passed > 15
        assert violations == [], (name, scheme, width)


def test_the_keyboard_reaches_the_report_the_folds_and_the_map(browser, pages):
    from selenium.webdriver.common.keys import Keys

    browser.open(pages["whole"])
    reached = []
    for _ in range(60):
        browser.press(Keys.TAB)
        reached.append(browser.js("const one = document.activeElement; return one.tagName + '.' + one.className"))
    assert reached[0] == "A.skip"
    assert any(one.startswith("SUMMARY") for one in reached)
    assert any(one.startswith("BUTTON.block") for one in reached)


def test_printed_all_that_is_folded_is_there(browser, pages):
    browser.open(pages["whole"])
    printed = base64.b64decode(browser.cdp("Page.printToPDF", printBackground=True, preferCSSPageSize=True)["data"])
    pages_made = len(re.findall(rb"/Type\s*/Page\b", printed)) or printed.count(b"/MediaBox")
    assert 2 <= pages_made <= 8
    # What print would lay out: the same style on a sheet of its width.
    browser.cdp("Emulation.setEmulatedMedia", media="print")
    hidden = browser.js(
        "return [...document.querySelectorAll('.calls li, .samples, pre')].filter((one) => !one.getBoundingClientRect().height)"
        ".length"
    )
    browser.cdp("Emulation.setEmulatedMedia", media="")
    assert hidden == 0


def test_nothing_moves_for_those_who_asked_for_that(browser, pages):
    browser.open(pages["whole"], prefers_reduced_motion="reduce")
    assert browser.js("return getComputedStyle(document.documentElement).scrollBehavior") == "auto"
    moving = browser.js(
        "return [...document.querySelectorAll('*')].filter((one) => { const style = getComputedStyle(one);"
        " return style.transitionDuration !== '0s' || style.animationName !== 'none'; }).length"
    )
    assert moving == 0
