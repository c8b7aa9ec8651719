"""Programs linked again without some packages: what they lose, and that nothing else happens."""

from __future__ import annotations

import io
import os
import random
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from proa.errors import NotInTarget
from proa.pipeline import steps
from proa.pipeline.deadcode_link import Case
from proa.pipeline.plan import lay_plans, open_bench
from proa.pipeline.why_verify import Verification, Verified, verify
from proa.records.request import Request
from real_neighbours import need

pytestmark = pytest.mark.real

SHOP = Path(__file__).parents[1] / "projects" / "why" / "shop"
STORE, TABLE = "example.com/shop/store", "example.com/shop/store/internal/table"
WORDS_BYTES = 300_000


@contextmanager
def _case(directory: Path, cache: Path, environ: Mapping[str, str] = {}) -> Iterator[Case]:
    own = {"PROA_CACHE": str(cache), "GOFLAGS": "", "GOWORK": "off", **environ}
    request = Request(directory=str(directory), platforms=("linux/amd64",))
    bench = open_bench(request, {**os.environ, **own}, lambda _what: None)
    (plan,) = lay_plans(bench, request, is_image=False)
    work = steps.Work(bench=bench, plan=plan, log=steps.Log())
    with bench.store.using(), bench.store.folder() as folder:
        yield Case(work, 0, folder)


def _content(folder: Path) -> dict[str, bytes]:
    return {str(file): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def _make_shop(folder: Path) -> Path:
    shutil.copytree(SHOP, folder)
    (folder / "store" / "internal" / "table" / "words.txt").write_bytes(b"words " * (WORDS_BYTES // 6))
    return folder


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Verification]:
    """Return a program whose one package has everything that is hard to stub."""
    need("go")
    place = tmp_path_factory.mktemp("why")
    directory = _make_shop(place / "shop")
    before = _content(directory)
    with _case(directory, place / "store") as case:
        yield Verification(case)
    assert _content(directory) == before
    assert not list((place / "store" / "partial").iterdir()), "something half-made was left behind"


@pytest.fixture(scope="module")
def without_store(shop: Verification) -> Verified:
    return shop.without([STORE])


def test_every_kind_of_declaration_can_be_left_out(without_store: Verified) -> None:
    assert without_store.depth == "named"
    assert not without_store.findings
    assert without_store.real_bytes is not None
    # The embedded words, and regexp, text/template and encoding/xml, which nobody else imports.
    assert WORDS_BYTES + 400_000 < without_store.real_bytes < without_store.before_bytes


def test_imports_that_only_bodies_and_values_name_go_too(without_store: Verified) -> None:
    # The interface's method has a mutex; the constant is of time's type. The embedded row and the embedded files name
    # packages that are imported by way of this one alone, so they are stubbed as well.
    assert without_store.kept_imports == ("sync", "time", "unsafe")


def test_the_plain_difference_of_the_files_is_off_by_no_more_than_their_filling(without_store: Verified) -> None:
    assert without_store.real_bytes is not None
    assert abs(without_store.file_bytes - without_store.real_bytes) < 3 * 4096


def test_a_package_of_one_body_saves_its_data_alone(shop: Verification) -> None:
    real_bytes = shop.without([TABLE]).real_bytes
    assert real_bytes is not None
    assert WORDS_BYTES < real_bytes < WORDS_BYTES + 20_000


def test_packages_together_save_at_least_what_the_larger_saves(shop: Verification, without_store: Verified) -> None:
    both = shop.without([TABLE, STORE])
    assert both.packages == (TABLE, STORE)
    assert both.real_bytes is not None
    assert without_store.real_bytes is not None
    assert both.real_bytes >= without_store.real_bytes


def test_a_package_of_the_standard_library_can_be_left_out(shop: Verification) -> None:
    found = shop.without(["text/template"])
    assert found.depth == "named"
    assert found.real_bytes is not None
    assert found.real_bytes > 100_000


def test_what_the_runtime_is_made_of_cannot_be_left_out(shop: Verification) -> None:
    found = shop.without(["internal/abi"])
    assert found.real_bytes is None
    assert [one.id for one in found.findings] == ["why.not-verified"]
    assert "runtime is made of it" in found.findings[0].message


def test_what_is_not_imported_is_said(shop: Verification) -> None:
    with pytest.raises(NotInTarget, match="does not import encoding/csv"):
        shop.without(["encoding/csv"])


def test_a_name_the_linker_alone_is_told_of_is_kept_in_a_second_try(tmp_path: Path) -> None:
    need("go")
    directory = _make_shop(tmp_path / "shop")
    (directory / "pull.go").write_text(
        'package main\n\nimport _ "unsafe"\n\n//go:linkname lookUp example.com/shop/store.lookUp\n'
        "func lookUp() (any, bool)\n\nfunc init() { lookUp() }\n"
    )
    (directory / "pull.s").write_text("")
    with _case(directory, tmp_path / "store") as case:
        found = verify(case, [STORE])
    assert found.depth == "declared"
    assert [one.id for one in found.findings] == ["why.verified-coarsely"]
    assert found.real_bytes is not None
    assert found.real_bytes > WORDS_BYTES


def test_a_build_that_fails_without_it_is_told_with_its_last_lines(tmp_path: Path) -> None:
    need("go")
    with _case(_make_shop(tmp_path / "shop"), tmp_path / "store") as case:
        go, plan = case.work.plan.go, case.work.plan

        def failing(argv, **rest):  # type: ignore[no-untyped-def]
            # An unknown flag: the go command itself complains.
            is_stubbed = any(word.startswith("-overlay=") for word in argv)
            return go.run([*argv[:2], "-nonsense", *argv[2:]] if is_stubbed else argv, **rest)

        plan = msgspec.structs.replace(plan, go=msgspec.structs.replace(go, run=failing))
        case.work = msgspec.structs.replace(case.work, plan=plan)
        found = verify(case, [STORE])
    assert found.real_bytes is None
    assert [one.id for one in found.findings] == ["why.not-verified"]
    assert "-nonsense" in found.findings[0].message


def test_an_interruption_leaves_nothing_behind(tmp_path: Path) -> None:
    need("go")
    directory = _make_shop(tmp_path / "shop")
    before = _content(directory)

    def stop() -> None:
        with _case(directory, tmp_path / "store") as case:
            go, plan = case.work.plan.go, case.work.plan

            def interrupted(argv, **rest):  # type: ignore[no-untyped-def]
                if any(word.startswith("-overlay=") for word in argv):
                    raise KeyboardInterrupt
                return go.run(argv, **rest)

            plan = msgspec.structs.replace(plan, go=msgspec.structs.replace(go, run=interrupted))
            case.work = msgspec.structs.replace(case.work, plan=plan)
            verify(case, [STORE])

    with pytest.raises(KeyboardInterrupt):
        stop()
    assert _content(directory) == before
    assert not list((tmp_path / "store" / "partial").iterdir())


def _proxy(folder: Path) -> None:
    """Write a module proxy with one module that is older than go.mod files."""
    name, version = "example.org/old", "v1.0.0"
    versions = folder / name / "@v"
    versions.mkdir(parents=True)
    packed = io.BytesIO()
    noise = random.Random(5).randbytes(60_000).hex()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(
            f"{name}@{version}/old.go",
            f'package old\n\nvar noise = "{noise}"\n\nfunc Words() string {{ return noise }}\n',
        )
    (versions / f"{version}.zip").write_bytes(packed.getvalue())
    (versions / f"{version}.mod").write_text(f"module {name}\n")
    (versions / f"{version}.info").write_text(f'{{"Version": "{version}", "Time": "2026-01-01T00:00:00Z"}}')


def test_a_cached_module_is_left_as_it_is(tmp_path: Path) -> None:
    need("go")
    _proxy(tmp_path / "proxy")
    directory = tmp_path / "user"
    directory.mkdir()
    (directory / "main.go").write_text(
        'package main\n\nimport "example.org/old"\n\nfunc main() { println(old.Words()) }\n'
    )
    (directory / "go.mod").write_text("module example.com/user\n\ngo 1.21\n\nrequire example.org/old v1.0.0\n")
    environ = {
        "GOPROXY": (tmp_path / "proxy").as_uri(),
        "GONOSUMDB": "*",
        "GOMODCACHE": str(tmp_path / "modules"),
        # A cache that cannot be written cannot be removed by pytest either.
        "GOFLAGS": "-mod=mod -modcacherw",
    }
    with _case(directory, tmp_path / "store", environ) as case:
        cached, own = _content(tmp_path / "modules" / "example.org"), _content(directory)
        found = verify(case, ["example.org/old"])
    assert _content(tmp_path / "modules" / "example.org") == cached
    assert _content(directory) == own
    assert found.real_bytes is not None, found.findings
    # The call is a jump now, where it was inlined before.
    assert 119_000 < found.real_bytes < 121_000
