"""The documentation is up to date and leads nowhere that is not there."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType

import pytest

from proa.records.image import Image
from proa.records.oci import Descriptor
from proa.records.platform import Platform
from proa.records.shipment import Shipment, document

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")])
LINK = re.compile(r"\]\((?!https?://)(?P<target>[^)#\s]+)")


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_pages_are_up_to_date(generator: ModuleType) -> None:
    differing = [path.name for path, text in generator.pages().items() if path.read_text(encoding="utf-8") != text]
    assert not differing, "run `make docs` and commit the result"


def test_no_page_of_the_reference_is_left_over(generator: ModuleType) -> None:
    written = set(generator.pages())
    schemas = set((ROOT / "docs" / "reference" / "schemas").iterdir())
    assert schemas <= written


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_to_files_that_are_there(page: Path) -> None:
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_published_schema_has_the_fields_that_are_printed() -> None:
    """The printed document has fields the record has not; the schema must know them all and no more."""
    digest = "sha256:" + "0" * 64
    image = Image(
        platform=Platform("linux", "amd64"),
        digest=digest,
        manifest=Descriptor(media_type="application/vnd.oci.image.manifest.v1+json", digest=digest, size=2),
        base="scratch",
        user="65532:65532",
        entrypoint=("/app",),
        layers=(),
    )
    printed = document(Shipment(program="example.com/hello", reference="hello", digest=digest, images=(image,)))
    path = ROOT / "docs" / "reference" / "schemas" / "shipment.schema.json"
    schema = json.loads(path.read_text(encoding="utf-8"))
    assert set(schema["$defs"]["Shipment"]["properties"]) == set(printed)
    assert set(schema["$defs"]["Image"]["properties"]) == set(printed["images"][0])


def test_make_bench_runs_every_claim_and_the_page_lists_it() -> None:
    claims = {path.stem for path in (ROOT / "benchmarks").glob("*.py")} - {"measure", "peers"}
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    listed = re.search(r"^CLAIMS = (.*)$", makefile, re.MULTILINE)
    assert listed is not None
    too_long = {"frameworks"}  # A table, and minutes of Maven.
    assert set(listed[1].split()) == claims - too_long
    page = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\| \[(\w+)\.py\]", page)) == claims


def test_make_help_names_every_word() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    words = set(re.findall(r"@echo 'make (\w+)", makefile))
    targets = set(re.findall(r"^(\w+):", makefile, re.MULTILINE)) - {"help", "develop", "check"}
    assert words == targets


def test_readme_lists_every_exit_status(generator: ModuleType) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    listed = {int(status) for status in re.findall(r"^\| (\d+) \|", readme, re.MULTILINE)}
    assert listed == set(generator._EXITS)
