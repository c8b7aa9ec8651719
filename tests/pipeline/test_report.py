"""Reports of images in a store, in a registry and of nobody's making; what is no report's target."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from fakes.images import make_image, make_index, tar
from fakes.layers import archive, docker_archive, item
from fakes.registry import FakeRegistry
from proa.cli.commands import proa
from proa.errors import WrongUsage
from proa.outside.access import Access
from proa.outside.images import write_image
from proa.outside.store import Store
from proa.pipeline.report import make_report, read_comparison
from proa.publish import attach_shipment
from proa.records.image import Image, ImageFile, Layer
from proa.records.platform import Platform
from proa.records.reference import parse_reference
from proa.records.request import Request
from proa.records.shipment import Shipment, document
from proa.records.trial import Trial

LINUX = Platform("linux", "amd64")


def ship(store: Store, version: str, to: str = "", *, created: str, is_index: bool = False) -> str:
    """Store an image of a version with its record; return the digest of the platform's image."""
    annotations = {"org.opencontainers.image.created": created}
    image = make_image(store, tar(hello=version.encode() * 50), annotations=annotations)
    whole = image
    if is_index:
        whole = make_index(store, amd64=image, arm64=make_image(store, tar(hello=b"arm"), architecture="arm64"))
    layer = Layer(digest="sha256:l", diff_id="", media_type="", bytes=len(version) * 100, unpacked_bytes=10_240,
                  holds="program", files=(ImageFile(path="/hello", bytes=50, reason="the program, static"),))  # fmt: skip
    trial = Trial(verdict="ready", reason="GET / on port 8080 answered 200", ready_s=0.01, rss_bytes=9_000_000)
    shipment = Shipment(
        program="example.com/hello",
        reference=f"hello@{whole.digest}",
        digest=whole.digest,
        version=version,
        images=(
            Image(platform=LINUX, digest=image.digest, manifest=image, base="scratch", base_reason="static",
                  user="65532:65532", entrypoint=("/hello",), layers=(layer,), trial=trial),
        ),
        trial=trial,
    )  # fmt: skip
    record = attach_shipment(msgspec.json.encode(document(shipment)), whole, store=store)
    store.set_reference(f"hello:{version}", whole)
    if to:
        write_image(
            whole, parse_reference(to), store=store, access=Access(allows_any_insecure=True), referrers=(record,)
        )
    return image.digest


def made(target: str, cache: Path, **fields: object) -> dict[str, object]:
    request = Request(allows_any_insecure=True, **fields)
    whole = make_report(
        [target], request, environ={"PROA_CACHE": str(cache)}, made_at="2026-11-29T01:00:00Z", progress=lambda _: None
    )
    assert whole.report.image is not None
    return msgspec.to_builtins(whole.report.image)


def test_of_the_store_it_tells_the_base_the_trial_and_the_earlier_ones(tmp_path):
    store = Store(tmp_path / "store")
    for day, version in ((1, "v1.0.0"), (2, "v1.1.0"), (3, "v1.2.0")):
        digest = ship(store, version, created=f"2026-01-0{day}T00:00:00Z")
    image = made("hello:v1.2.0", tmp_path / "store")
    assert (image["digest"], image["is_shipped"], image["unknown"]) == (
        digest,
        True,
        ("What is in its program is not known: it starts none that could be read.",),
    )
    assert image["decision"]["files"][0]["reason"] == "the program, static"
    assert image["trial"]["ready_s"] == 0.01
    assert [(one["version"], one["name"], one["is_this"]) for one in image["history"]] == [
        ("v1.0.0", "hello:v1.0.0", False),
        ("v1.1.0", "hello:v1.1.0", False),
        ("v1.2.0", "hello:v1.2.0", True),
    ]


@pytest.mark.parametrize("has_referrers", [True, False])
def test_of_a_registry_it_finds_records_and_earlier_tags_with_an_empty_store(tmp_path, has_referrers):
    with FakeRegistry(has_referrers=has_referrers) as registry:
        store = Store(tmp_path / "first")
        for day, version in ((1, "v1.0.0"), (2, "v1.1.0")):
            ship(store, version, f"docker://{registry.host}/team/hello:{version}", created=f"2026-01-0{day}T00:00:00Z",
                 is_index=version == "v1.1.0")  # fmt: skip
        image = made(f"docker://{registry.host}/team/hello:v1.1.0", tmp_path / "second", platforms=("linux/amd64",))
    assert image["is_shipped"]
    assert [(one["version"], one["name"]) for one in image["history"]] == [("v1.0.0", "v1.0.0"), ("v1.1.0", "v1.1.0")]
    assert image["history_places"] == ("the local store", f"docker://{registry.host}/team/hello")


def test_an_image_of_somebody_else_is_told_with_what_is_not_known(tmp_path):
    status = b"Package: base-files\nStatus: install ok installed\nVersion: 12.4\n\n"
    image = docker_archive(
        tmp_path / "theirs.tar",
        [archive([item("var/lib/dpkg/status", status), item("srv/app.py", b"print()")])],
        execution={"Cmd": ["/usr/bin/python3", "/srv/app.py"]},
    )
    report = made(str(image), tmp_path / "store")
    assert (report["is_shipped"], report["decision"], report["trial"], report["history"]) == (False, None, None, ())
    assert report["bill"]["system_packages"] == ({"name": "base-files", "version": "12.4"},)
    assert report["user"] == ""
    assert "No record of `proa ship` is kept beside this image" in report["unknown"][0]
    page = CliRunner().invoke(proa, ["report", str(image)], env={"PROA_CACHE": str(tmp_path / "store")})
    assert page.exit_code == 0
    assert page.stdout.startswith("<!doctype html>")
    assert "root" in page.stdout


def test_two_reports_at_once_into_one_folder_are_both_whole(tmp_path):
    ship(Store(tmp_path / "store"), "v1.0.0", created="2026-01-01T00:00:00Z")
    from proa.cli.page_file import write_page
    from proa.report.report_page import report_page

    def write() -> None:
        whole = make_report(["hello:v1.0.0"], Request(), environ={"PROA_CACHE": str(tmp_path / "store")},
                            made_at="2026-11-29T01:00:00Z", progress=lambda _: None)  # fmt: skip
        write_page(report_page(whole.report, tree=whole.tree), str(tmp_path / "out.html"))

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.html", "store"]
    assert (tmp_path / "out.html").read_text().rstrip().endswith("</html>")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'{"schema":"proa/shipment/v1"}', "holds 'proa/shipment/v1'"),
        (b"{}", "is no record of proa's"),
        (b'{"schema":"proa/comparison/v1","baseline":1}', "is no record of a comparison"),
        (b'{"schema"', "is no record of a comparison"),
        (b"{" + b'"a":{' * 5_000, "is no record of a comparison"),
    ],
)
def test_a_file_that_is_no_comparison_is_told_as_what_it_is(tmp_path, content, told):
    file = tmp_path / "x.json"
    file.write_bytes(content)
    with pytest.raises(WrongUsage, match=told):
        read_comparison(file)


@pytest.mark.parametrize(("content", "told"), [(b"", "is no record of a comparison"), (None, "No such file")])
def test_a_file_named_as_a_record_is_none_of_an_image_though_it_be_empty_or_missing(tmp_path, content, told):
    file = tmp_path / "x.json"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(WrongUsage, match=told):
        make_report([str(file)], Request(), environ={}, made_at="", progress=lambda _: None)


def test_words_that_make_no_report_are_wrong_usage(tmp_path):
    with pytest.raises(WrongUsage, match="one image, one comparison, or one of each"):
        make_report(["a:1", "b:1"], Request(), environ={}, made_at="", progress=lambda _: None)


def test_a_comparison_alone_is_written_in_each_form(tmp_path):
    file = tmp_path / "matrix.json"
    file.write_text(json.dumps({"schema": "proa/comparison/v1", "baseline": "a", "subject": "shop",
                                "variants": [{"name": "a", "verdict": "measured", "binary_bytes": 5}]}))  # fmt: skip
    for form, begins in (("html", "<!doctype html>"), ("markdown", "# `shop` side by side"), ("json", "{")):
        out = tmp_path / form
        result = CliRunner().invoke(proa, ["report", str(file), "--format", form, "-o", str(out)])
        assert (result.exit_code, result.stdout) == (0, "")
        assert out.read_text().startswith(begins)
