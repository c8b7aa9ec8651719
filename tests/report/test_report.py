"""A report has what its records have, in Markdown, as a page and as JSON, and no name in it is anything but text."""

from __future__ import annotations

import base64
import hashlib
import json
from html.parser import HTMLParser
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from proa.records.comparison import Comparison
from proa.records.image_tree import ImageTree, TreeFile
from proa.records.report import Release, Report, encode_report
from proa.records.shipment import document, read_document
from proa.report.decision import decision_of
from proa.report.markdown_report import markdown
from proa.report.plots import axis_of
from proa.report.releases import MOST_RELEASES, in_order
from proa.report.report_page import MOST_BYTES, report_page
from report.reports import THIS, a_comparison, a_report, a_shipment, a_tree, an_image, an_image_report

HOSTILE = "</script><script>alert(1)</script><img src=x>\u202e|`"


class Page(HTMLParser):
    """What a browser would make of a page, as far as it is asked here."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.identifiers: list[str] = []
        self.links: list[str] = []
        self.parts: dict[str, str] = {}
        self.words = ""
        self.policy = ""
        self._in = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        self._in = tag
        if given.get("id"):
            self.identifiers.append(given["id"] or "")
        if tag == "a":
            self.links.append(given.get("href") or "")
        if given.get("http-equiv"):
            self.policy = given.get("content") or ""
        assert not [name for name in given if name.startswith("on") or name == "style"]

    def handle_data(self, data: str) -> None:
        if self._in in ("script", "style"):
            self.parts[self._in] = self.parts.get(self._in, "") + data if self._in == "style" else data
        else:
            self.words += data + " "

    def handle_endtag(self, tag: str) -> None:
        self._in = ""


def test_markdown_of_an_image_and_a_comparison(golden):
    golden("report.md", markdown(a_report()))


def test_markdown_of_what_is_not_known_says_so():
    report = a_report()
    bare = msgspec.structs.replace(
        an_image_report(),
        decision=None,
        trial=None,
        history=(),
        findings=(),
        unknown=("nobody wrote it down",),
        user="",
    )
    text = markdown(msgspec.structs.replace(report, image=bare, comparison=None))
    assert "- nobody wrote it down" in text
    assert "No other shipment of this program is known." in text
    assert "| user | root |" in text
    assert "## Trial" not in text


def test_the_page_has_every_part_and_each_link_leads_to_one():
    page = Page(report_page(a_report(), tree=a_tree()))
    assert len(page.links) >= 10
    assert [link for link in page.links if link.removeprefix("#") not in page.identifiers] == []
    assert len(set(page.identifiers)) == len(page.identifiers)
    for words in ("3.07 MB", "12.3 ms", "main.fetch (main.go:12)", "Mozilla's list, certifi 2026.1.4", "v0.21.0",
                  "replaced by ../text", "does not start", "0.75 times (0.70 to 0.80)", "no difference shown",
                  "base: scratch", "this one", "it is shared", "proa compare --variants dynamic,static"):  # fmt: skip
        assert words in page.words, words


def test_its_policy_allows_its_own_script_and_style_and_nothing_else():
    page = Page(report_page(a_report(), tree=a_tree()))
    for part, directive in (("script", "script-src"), ("style", "style-src")):
        digest = base64.b64encode(hashlib.sha256(page.parts[part].encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in page.policy
    assert page.policy.startswith("default-src 'none'; ")
    alone = Page(report_page(Report(made_at="2026-11-29T01:00:00Z", comparison=a_comparison())))
    assert "script" not in alone.tags
    assert "script-src" not in alone.policy


def test_no_name_is_ever_markup():
    text = msgspec.json.encode(a_report()).decode()
    written = json.dumps(HOSTILE)[1:-1]
    for known in (
        "example.com/shop",
        "golang.org/x/text",
        "dynamic",
        "main.fetch",
        "it is shared",
        "shop:1.2",
        "/app/shop",
    ):
        text = text.replace(known, written)
    report = msgspec.json.decode(text, type=Report)
    tree = ImageTree(layers=("sha256:0",), files=(TreeFile(path=f"/{HOSTILE}", kind="file", bytes=9, layer=0),))
    page = Page(report_page(report, tree=tree))
    assert page.tags.count("script") == 2
    assert "img" not in page.tags
    assert "alert(1)" in page.words
    assert "\u202e" not in page.words
    shown = markdown(report)
    drawn = MarkdownIt("commonmark").enable("table").render(shown)
    assert "<script" not in drawn
    assert "<img" not in drawn
    assert "\u202e" not in shown


def test_a_page_stays_below_five_megabytes_whatever_the_image_has():
    files = tuple(
        TreeFile(path=f"/usr/{n % 40}/{'long-' * 60}{n}.so", kind="file", bytes=n + 1, layer=n % 2)
        for n in range(30_000)
    )
    text = report_page(a_report(), tree=ImageTree(layers=("sha256:0", "sha256:1"), files=files))
    assert len(text.encode()) <= MOST_BYTES
    data = json.loads(text.split('type="application/json">')[1].split("</script>")[0])

    def total(node: list[object]) -> int:
        return sum(total(one) for one in node[1]) if isinstance(node[1], list) else int(str(node[1]))

    assert sum(total(one) for view in data["views"] for one in view["below"]) == sum(file.bytes for file in files)
    assert "smaller ones" in text


def test_json_is_the_record_itself():
    written = json.loads(encode_report(a_report()))
    assert written["schema"] == "proa/report/v1"
    assert written["image"]["anatomy"]["platform"] == "linux/amd64"
    assert msgspec.convert(written["comparison"], Comparison) == a_comparison()
    assert written["image"]["history"][-1]["is_this"] is True


def test_a_shipment_is_read_from_what_it_was_written_as():
    shipment = a_shipment()
    again = read_document(msgspec.json.encode(document(shipment)))
    assert again is not None
    assert again.needs == shipment.needs
    assert again.images[0].platform == shipment.images[0].platform
    assert (again.images[0].compressed_bytes, again.trial) == (shipment.images[0].compressed_bytes, shipment.trial)


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b'{"images":[1]}', b'{"images":[{"platform":"x"}]}', b"\xff", b"[" * 9_999]
)
def test_what_is_no_shipment_is_none(content):
    assert read_document(content) is None


def test_the_way_to_the_base_has_each_need_with_its_path_and_what_was_not_needed():
    decision = decision_of(an_image(), a_shipment())
    assert [(step.kind, step.answer) for step in decision.steps] == [
        ("start", ""),
        ("question", "no"),
        ("question", "1 kind of thing"),
        ("need", "yes"),
        ("unneeded", "no"),
        ("question", "yes"),
        ("end", ""),
    ]
    assert decision.steps[3].path == ("main.main (main.go:5)", "main.fetch (main.go:12)")
    assert [file.path for file in decision.files] == ["/etc/ssl/certs/ca-certificates.crt", "/app/shop"]


def test_releases_are_ordered_by_date_where_all_have_one_and_this_one_always_stays():
    made = [
        Release(
            version=f"v1.{n}.0", digest=f"d{n}", compressed_bytes=1, created=f"2026-01-01T00:{n:02}:00Z", is_this=n == 0
        )
        for n in range(59)
    ]
    ordered = in_order(reversed(made))
    assert len(ordered) == MOST_RELEASES
    assert ordered[0].is_this
    assert ordered[-1].version == "v1.58.0"
    assert all(a.created < b.created for a, b in pairwise(ordered))
    undated = in_order([*made, Release(version="v1.2.5", digest="x", compressed_bytes=1)])
    versions = [one.version for one in undated]
    assert versions.index("v1.20.0") < versions.index("v1.30.0")


def test_of_two_records_of_one_image_the_tried_one_counts():
    plain = Release(version="v1", digest=THIS, compressed_bytes=1)
    tried = msgspec.structs.replace(plain, ready_s=0.01)
    assert in_order([plain, tried]) == in_order([tried, plain]) == (tried,)


@given(st.lists(st.floats(min_value=1e-6, max_value=1e12), min_size=1, max_size=20))
def test_every_value_is_on_its_axis_and_larger_is_further_right(values):
    axis = axis_of(values)
    shares = [axis.share(value) for value in sorted(values)]
    assert all(-1e-9 <= share <= 1 for share in shares)
    assert all(a <= b + 1e-12 for a, b in pairwise(shares))
    ticks = axis.ticks()
    assert 1 <= len(ticks) <= 8
    assert all(axis.low - 1e-12 <= tick <= axis.high * 1.0000001 for tick in ticks)
