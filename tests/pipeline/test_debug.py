"""Debug files found again: from every place, by image, build-id, core and program; and what goes wrong."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from fakes.debugging import build_id, debug_file, make_binary, make_core, make_shipped, stripped
from fakes.elf_files import BUILD_ID, Form, program
from fakes.images import make_image, make_index, tar
from fakes.registry import FakeRegistry, Handler
from proa import publish
from proa.errors import BinaryDamaged, DebugMismatch, DebugMissing, ImageMissing, ProaError, WrongUsage
from proa.outside.access import Access
from proa.outside.images import write_image
from proa.outside.store import Store
from proa.pipeline.debug import Ask, get_debug
from proa.pipeline.debug_image import make_debug_image
from proa.pipeline.debug_rejoin import rejoin
from proa.records.binary import DebugFile
from proa.records.debugging import Symbols
from proa.records.oci import Descriptor
from proa.records.reference import parse_reference

ACCESS = Access(sleep=lambda _: None)


@pytest.fixture
def home(tmp_path: Path) -> Store:
    """The store of whoever shipped."""
    return Store(tmp_path / "home")


@pytest.fixture(
    params=[
        "fake",
        "fake without referrers",
        pytest.param("docker", marks=pytest.mark.real),
        pytest.param("crane", marks=pytest.mark.real),
    ]
)
def repository(request: pytest.FixtureRequest) -> Iterator[str]:
    """A registry of each kind, with and without the referrers API."""
    if request.param in ("docker", "crane"):
        yield f"{request.getfixturevalue(f'{request.param}_registry')}/shop/{uuid.uuid4().hex}"
        return
    with FakeRegistry(has_referrers=request.param == "fake") as registry:
        yield f"{registry.host}/shop/api"


def ship(home: Store, image: Descriptor, to: str, *artifacts: Descriptor, lists: bool = False) -> None:
    place = parse_reference(to)
    write_image(image, place, store=home, access=ACCESS, referrers=artifacts, lists_referrers=lists)


def get(tmp_path: Path, target: str, *sources: str, store: str = "away", platform: str = "", **more: object) -> Symbols:
    """Fetch with a store of its own, as somebody else would."""
    environ = {"PROA_CACHE": str(tmp_path / store)}
    more.setdefault("output", str(tmp_path / "out.debug"))
    ask = Ask(target=target, sources=sources, platform=platform)
    return get_debug(ask, environ=environ, progress=lambda _: None, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["oci", "oci-archive"])
@pytest.mark.parametrize("lists", [False, True], ids=["unlisted", "listed"])
def test_layouts_and_archives_give_it_back(home: Store, tmp_path: Path, kind: str, lists: bool) -> None:
    image, artifact, _ = make_shipped(home)
    ship(home, image, f"{kind}:{tmp_path}/out:1", artifact, lists=lists)
    found = get(tmp_path, f"{kind}:{tmp_path}/out:1")
    assert Path(found.path).read_bytes() == debug_file()
    assert (found.build_id, found.image, found.platform) == (build_id(), image.digest, "linux/amd64")
    # By its path alone, and now from the store.
    assert get(tmp_path, f"{tmp_path}/out").place == "the local store"


def test_registries_give_it_back_by_tag_digest_and_build_id(home: Store, tmp_path: Path, repository: str) -> None:
    image, artifact, _ = make_shipped(home)
    others = [make_shipped(home, number) for number in (1, 2, 3)]
    for number, (other, beside, _) in enumerate([(image, artifact, None), *others]):
        ship(home, other, f"docker://{repository}:v{number}", beside)
    for number, target in enumerate((f"docker://{repository}:v0", f"docker://{repository}@{image.digest}")):
        found = get(tmp_path, target, store=f"by image {number}")
        assert (Path(found.path).read_bytes(), found.image) == (debug_file(), image.digest)
    found = get(tmp_path, build_id(3)[:8], f"docker://{repository}", store="by build-id")
    assert Path(found.path).read_bytes() == debug_file(3)
    by_digest = get(tmp_path, image.digest, f"docker://{repository}", store="by digest")
    assert by_digest.build_id == build_id()


def test_shipping_again_sends_nothing(home: Store) -> None:
    image, artifact, _ = make_shipped(home)
    for has_referrers in (True, False):
        with FakeRegistry(has_referrers=has_referrers) as registry:
            ship(home, image, f"docker://{registry.host}/api:1", artifact)
            registry.requests.clear()
            ship(home, image, f"docker://{registry.host}/api:1", artifact)
            assert not registry.asked("PUT")
            assert not registry.asked("POST")


def test_the_tag_moves_after_the_debug_file_is_there(home: Store) -> None:
    image, artifact, binary = make_shipped(home)
    with FakeRegistry() as registry:
        ship(home, image, f"docker://{registry.host}/api:1", artifact)
        written = registry.asked("PUT")
        assert written[-1].endswith("/manifests/1")
        assert any(artifact.digest in line for line in written[:-1])
        assert binary.debug is not None
        assert ("api", binary.debug.digest) in registry.blobs


def test_an_index_is_asked_for_its_platform(home: Store, tmp_path: Path) -> None:
    amd64, one, _ = make_shipped(home)
    arm64, two, _ = make_shipped(home, 1, architecture="arm64")
    index = make_index(home, amd64=amd64, arm64=arm64)
    ship(home, index, f"oci:{tmp_path}/out:1", one, two)
    assert get(tmp_path, f"oci:{tmp_path}/out:1", platform="linux/arm64").build_id == build_id(1)
    assert get(tmp_path, f"oci:{tmp_path}/out:1", platform="linux/amd64").build_id == build_id()
    by_digest = get(tmp_path, f"oci:{tmp_path}/out@{arm64.digest}", platform="linux/arm64", store="fresh")
    assert by_digest.build_id == build_id(1)
    with pytest.raises(ProaError, match="s390x") as caught:
        get(tmp_path, f"oci:{tmp_path}/out:1", platform="linux/s390x")
    assert "linux/arm64" in caught.value.hint


def test_a_core_and_the_program_itself_lead_to_it(home: Store, tmp_path: Path) -> None:
    image, artifact, _ = make_shipped(home)
    ship(home, image, f"oci:{tmp_path}/out:1", artifact)
    (tmp_path / "core.1").write_bytes(make_core(bytes([0]) + BUILD_ID[1:]))
    (tmp_path / "hello").write_bytes(stripped())
    for number, name in enumerate(("core.1", "hello")):
        found = get(tmp_path, str(tmp_path / name), f"oci:{tmp_path}/out", store=f"away{number}")
        assert found.build_id == build_id()


def test_an_image_copied_without_its_referrers_is_known_by_its_program(home: Store, tmp_path: Path) -> None:
    image, artifact, _ = make_shipped(home)
    ship(home, image, f"docker-archive:{tmp_path}/copy.tar")
    ship(home, image, f"oci:{tmp_path}/out:1", artifact)
    found = get(tmp_path, f"docker-archive:{tmp_path}/copy.tar", f"oci:{tmp_path}/out")
    assert found.build_id == build_id()


@pytest.mark.real
def test_an_image_in_the_docker_daemon_is_known_by_its_program(home: Store, tmp_path: Path, dockerd: str) -> None:
    image, artifact, _ = make_shipped(home)
    access = Access(environ={**os.environ, "DOCKER_HOST": dockerd})
    name = f"docker-daemon:proa-debug-{uuid.uuid4().hex}:1"
    write_image(image, parse_reference(name), store=home, access=access)
    ship(home, image, f"oci:{tmp_path}/out:1", artifact)
    environ = {**os.environ, "DOCKER_HOST": dockerd, "PROA_CACHE": str(tmp_path / "away")}
    ask = Ask(target=name, sources=(f"oci:{tmp_path}/out",))
    found = get_debug(ask, output=str(tmp_path / "out.debug"), environ=environ, progress=lambda _: None)
    assert found.build_id == build_id()


def test_the_shipped_program_is_fetched_from_the_image(home: Store, tmp_path: Path) -> None:
    image, artifact, _ = make_shipped(home)
    ship(home, image, f"oci:{tmp_path}/out:1", artifact)
    found = get(tmp_path, build_id(), f"oci:{tmp_path}/out", with_program=True, output=str(tmp_path / "api.debug"))
    assert found.program_path == str(tmp_path / "api")
    assert Path(found.program_path).read_bytes() == stripped()
    assert Path(found.program_path).stat().st_mode & 0o777 == 0o755


def test_install_arranges_files_as_gdb_looks_for_them(home: Store, tmp_path: Path) -> None:
    image, artifact, _ = make_shipped(home)
    ship(home, image, f"oci:{tmp_path}/out:1", artifact)
    get(tmp_path, f"oci:{tmp_path}/out:1", output="", install=str(tmp_path / "debug"), with_program=True)
    folder = tmp_path / "debug" / ".build-id" / build_id()[:2]
    assert (folder / f"{build_id()[2:]}.debug").read_bytes() == debug_file()
    assert (folder / build_id()[2:]).read_bytes() == stripped()


def test_what_is_nowhere_says_where_it_was_looked_for(home: Store, tmp_path: Path) -> None:
    image, _, _ = make_shipped(home)
    ship(home, image, f"oci:{tmp_path}/bare:1")
    with pytest.raises(DebugMissing) as caught:
        get(tmp_path, build_id(9), f"oci:{tmp_path}/bare")
    assert "the local store" in caught.value.output
    assert "bare" in caught.value.output
    assert not (tmp_path / "out.debug").exists()
    with pytest.raises(ImageMissing):
        get(tmp_path, f"oci:{tmp_path}/bare:2")


def test_several_builds_with_one_beginning_are_listed(home: Store, tmp_path: Path) -> None:
    for number in (0, 1):
        image, _, binary = make_shipped(home, number)
        assert binary.debug is not None
        other = DebugFile(**{**msgspec.structs.asdict(binary.debug), "build_id": f"deadbeef{number:02}"})
        changed = msgspec.structs.replace(binary, debug=other)
        publish.attach_debug(changed, image, program="/hello", store=home)
    with pytest.raises(WrongUsage, match="2 debug files") as caught:
        get(tmp_path, "deadbeef", store="home")
    assert caught.value.output.split() == ["deadbeef00", "deadbeef01"]


def test_a_debug_file_of_another_build_is_refused_and_not_kept(home: Store, tmp_path: Path) -> None:
    image, _, binary = make_shipped(home)
    other = home.put_blob(debug_file(5))
    assert binary.debug is not None
    wrong = msgspec.structs.replace(binary, debug=msgspec.structs.replace(binary.debug, digest=other))
    artifact = publish.attach_debug(wrong, image, program="/hello", store=home)
    assert artifact is not None
    ship(home, image, f"oci:{tmp_path}/out:1", artifact)
    with pytest.raises(DebugMismatch, match=build_id(5)):
        get(tmp_path, f"oci:{tmp_path}/out:1")
    assert not (tmp_path / "out.debug").exists()
    assert not list(Store(tmp_path / "away").all_referrers())


def test_a_debug_file_that_is_no_elf_file_is_damaged(home: Store, tmp_path: Path) -> None:
    image, _, binary = make_shipped(home)
    assert binary.debug is not None
    junk = msgspec.structs.replace(binary.debug, digest=home.put_blob(b"junk"), bytes=4)
    artifact = publish.attach_debug(msgspec.structs.replace(binary, debug=junk), image, program="/h", store=home)
    assert artifact is not None
    ship(home, image, f"oci:{tmp_path}/out:1", artifact)
    with pytest.raises(BinaryDamaged):
        get(tmp_path, f"oci:{tmp_path}/out:1")


def test_a_download_that_breaks_off_leaves_nothing(home: Store, tmp_path: Path) -> None:
    image, artifact, binary = make_shipped(home)
    assert binary.debug is not None
    with FakeRegistry() as registry:
        ship(home, image, f"docker://{registry.host}/api:1", artifact)
        registry.blobs["api", binary.debug.digest] = registry.blobs["api", binary.debug.digest][:-1] + b"x"
        with pytest.raises(ProaError):
            get(tmp_path, f"docker://{registry.host}/api:1")
    assert not (tmp_path / "out.debug").exists()
    away = Store(tmp_path / "away")
    assert not away.has_blob(binary.debug.digest)
    assert not list((away.root / "partial").glob("*"))


def test_a_registry_that_names_another_images_artifact_is_not_believed(home: Store, tmp_path: Path) -> None:
    image, _, _ = make_shipped(home)
    other, stranger, _ = make_shipped(home, 1)
    with FakeRegistry() as registry:
        ship(home, image, f"docker://{registry.host}/api:1")
        ship(home, other, f"docker://{registry.host}/api:2", stranger)

        def lie(handler: Handler) -> bool:
            if f"/referrers/{image.digest}" in handler.path:
                handler.path = handler.path.replace(image.digest, other.digest)
            return False

        registry.faults.append(lie)
        with pytest.raises(DebugMissing):
            get(tmp_path, f"docker://{registry.host}/api:1")


def test_a_program_that_was_only_built_is_found_by_its_build_id(home: Store, tmp_path: Path) -> None:
    _, _, binary = make_shipped(home, 4)
    away = Store(tmp_path / "away")
    for digest in (binary.digest, binary.debug.digest if binary.debug else ""):
        away.put_blob(home.read_blob(digest))
    away.set_stage("build", "key", msgspec.json.encode(binary))
    found = get(tmp_path, build_id(4)[:10], with_program=True, output=str(tmp_path / "x.debug"))
    assert Path(found.program_path).read_bytes() == stripped(4)


def test_files_of_different_builds_are_not_joined(tmp_path: Path) -> None:
    (tmp_path / "hello").write_bytes(stripped())
    (tmp_path / "other.debug").write_bytes(debug_file(1))
    with pytest.raises(DebugMismatch) as caught:
        rejoin(
            Ask(target=str(tmp_path / "hello")),
            str(tmp_path / "other.debug"),
            output=str(tmp_path / "whole"),
            environ={"PROA_CACHE": str(tmp_path / "store")},
            progress=lambda _: None,
        )
    assert caught.value.exit_status == 2
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["hello", "other.debug"]


def test_a_file_that_is_nothing_of_the_kind_is_told_so(tmp_path: Path) -> None:
    (text := tmp_path / "main.c").write_text("int main(){}")
    with pytest.raises(WrongUsage, match=r"main\.c is neither an ELF program or core nor"):
        get(tmp_path, str(text))


def test_a_platform_is_checked_where_it_does_not_matter(tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match="'sparc' is not a platform"):
        get(tmp_path, build_id(), platform="sparc")


def test_a_program_that_was_not_stripped_needs_no_debug_file(tmp_path: Path) -> None:
    (tmp_path / "hello").write_bytes(debug_file())
    with pytest.raises(DebugMissing) as told:
        get(tmp_path, str(tmp_path / "hello"))
    assert "was not stripped" in told.value.hint


def test_of_one_build_stripped_to_two_levels_the_one_that_goes_with_the_program_is_taken(
    home: Store, tmp_path: Path
) -> None:
    images = {}
    for name, level in {"dwarf": Form(debug=False), "all": Form(debug=False, symbols=False)}.items():
        (tmp_path / name).write_bytes(shipped := program(level))
        (tmp_path / f"{name}.debug").write_bytes(symbols := program(Form()) + name.encode())
        binary = msgspec.structs.replace(
            make_binary(home),
            digest=home.put_blob(shipped),
            debug=DebugFile(
                digest=home.put_blob(symbols), bytes=len(symbols), name="hello.debug", build_id=BUILD_ID.hex()
            ),
        )
        image = make_image(home, tar(hello=shipped))
        artifact = publish.attach_debug(binary, image, program="/hello", store=home)
        assert artifact is not None
        ship(home, image, f"oci:{tmp_path}/out:{name}", artifact)
        images[name] = image
    for name in images:
        for store in (f"asks for {name}", "asks for both", "home"):
            found = get(tmp_path, str(tmp_path / name), f"oci:{tmp_path}/out", store=store)
            assert Path(found.path).read_bytes() == (tmp_path / f"{name}.debug").read_bytes()
    # The larger one has what the other has.
    found = get(tmp_path, BUILD_ID.hex(), store="asks for both")
    assert Path(found.path).read_bytes().endswith(b"dwarf")


@pytest.mark.parametrize("place", ["store", "oci", "docker"])
def test_the_debug_image_of_another_platform_needs_no_word_for_it(home: Store, tmp_path: Path, place: str) -> None:
    image, artifact, _ = make_shipped(home, architecture="arm64")
    (shell := tmp_path / "sh").write_bytes(program(Form(machine=183, debug=False)))
    with FakeRegistry() as registry:
        name = {"store": "shop:1", "oci": f"oci:{tmp_path}/out:1", "docker": f"docker://{registry.host}/shop:1"}[place]
        ship(home, make_index(home, arm64=image), name, artifact)
        made = make_debug_image(
            Ask(target=name), to="", shell=str(shell), environ={"PROA_CACHE": str(home.root)}, progress=lambda _: None
        )
    assert (made.platform, made.image) == ("linux/arm64", image.digest)
