"""Where images go and what they are called: ko's table, and ours."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.errors import WrongUsage
from proa.publish import chosen_repository, destinations, image_name, pushed_name
from proa.records.project import Main
from proa.records.reference import parse_name
from proa.records.request import Naming


def main(name: str = "api", import_path: str = "") -> Main:
    path = import_path or f"example.com/shop/cmd/{name}"
    return Main(name=name, import_path=path, directory="/p", module="example.com/shop")


def places(mains: list[Main], **flags: object) -> list[list[str]]:
    return [[str(place) for place in found] for found in destinations(mains, **flags)]  # type: ignore[arg-type]


# Source: ko.build, "Naming images"; the hash was computed by coreutils' md5sum.
@pytest.mark.parametrize(
    ("naming", "name"),
    [
        pytest.param("hashed", "r.example/team/app-11c47bc5dc2074f5f6575a5b2d168b61", id="default"),
        pytest.param("base", "r.example/team/app", id="--base-import-paths"),
        pytest.param("preserve", "r.example/team/github.com/my-user/my-repo/cmd/app", id="--preserve-import-paths"),
        pytest.param("bare", "r.example/team", id="--bare"),
    ],
)
def test_names_of_push_are_kos(naming: Naming, name: str) -> None:
    path = "github.com/my-user/my-repo/cmd/app"
    assert pushed_name("r.example/team", path, naming) == name
    assert places([main("app", path)], should_push=True, repository="r.example/team", naming=naming) == [
        [f"docker://{name}:latest"]
    ]


def test_kos_hash_is_of_the_lower_case_import_path() -> None:
    expected = hashlib.md5(b"example.com/myapp").hexdigest()
    assert pushed_name("r", "example.com/MyApp", "hashed") == f"r/myapp-{expected}"


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        pytest.param({}, ["api:latest"], id="the local store"),
        pytest.param({"tags": ["1", "2"]}, ["api:1", "api:2"], id="its tags"),
        pytest.param({"to": ["docker://r.example/{name}:1.4"]}, ["docker://r.example/api:1.4"], id="a template"),
        pytest.param({"to": ["docker://r.example/x"]}, ["docker://r.example/x:latest"], id="the default tag"),
        pytest.param(
            {"to": ["docker://r.example/x:1"], "tags": ["2", "1"]},
            ["docker://r.example/x:1", "docker://r.example/x:2"],
            id="its own tag first",
        ),
        pytest.param({"to": ["oci:out"]}, ["oci:out"], id="a layout needs no tag"),
        pytest.param({"to": ["oci:out"], "tags": ["1"]}, ["oci:out:1"], id="and may have one"),
        pytest.param({"to": ["oci-archive:{name}.tar"]}, ["oci-archive:api.tar"], id="a file"),
        pytest.param({"to": ["docker-archive:a.tar"]}, ["docker-archive:a.tar:api:latest"], id="docker wants a name"),
        pytest.param({"to": ["docker-archive:a.tar:x:1"]}, ["docker-archive:a.tar:x:1"], id="and may be given one"),
        pytest.param({"to": ["docker-daemon:x"]}, ["docker-daemon:x:latest"], id="the daemon"),
        pytest.param({"to": ["oci:a", "docker-daemon:x:1"]}, ["oci:a", "docker-daemon:x:1"], id="several"),
        pytest.param(
            {"should_push": True, "repository": "ko.local", "naming": "base"},
            ["docker-daemon:ko.local/api:latest"],
            id="ko.local",
        ),
        pytest.param(
            {"should_push": True, "repository": "kind.local", "naming": "base"},
            ["kind:kind.local/api:latest"],
            id="kind.local",
        ),
        pytest.param(
            {"should_push": True, "repository": "docker.io/team", "naming": "base"},
            ["docker://registry-1.docker.io/team/api:latest"],
            id="docker hub",
        ),
        pytest.param({"to": ["api@sha256:" + "0" * 64]}, WrongUsage, id="a digest is an outcome"),
        pytest.param({"should_push": True}, WrongUsage, id="push to nowhere"),
        pytest.param({"to": ["oci-archive:a.tar"], "tags": ["1", "2"]}, WrongUsage, id="one file, two tags"),
        pytest.param({"tags": ["not a tag"]}, WrongUsage, id="no tag"),
        pytest.param({"to": ["docker://r.example/UPPER:1"]}, WrongUsage, id="no name"),
        pytest.param({"should_push": True, "repository": "r.example/a:1", "naming": "bare"}, WrongUsage, id="tagged"),
    ],
)
def test_destinations_of_one_program(flags: dict[str, object], expected: object) -> None:
    if expected is WrongUsage:
        with pytest.raises(WrongUsage):
            places([main()], **flags)
    else:
        assert places([main()], **flags) == [expected]


def test_several_programs_need_a_place_each() -> None:
    mains = [main("api"), main("worker")]
    assert places(mains) == [["api:latest"], ["worker:latest"]]
    assert places(mains, to=["oci:out/{name}"]) == [["oci:out/api"], ["oci:out/worker"]]
    with pytest.raises(WrongUsage, match="several programs") as wrong:
        places(mains, to=["docker://r.example/app:1"])
    assert "{name}" in wrong.value.hint
    with pytest.raises(WrongUsage):
        places(mains, should_push=True, repository="r.example/app", naming="bare")


def test_programs_of_one_name_do_not_overwrite_each_other() -> None:
    mains = [main("api", "example.com/a/api"), main("api", "example.com/b/api")]
    with pytest.raises(WrongUsage, match="api:latest"):
        places(mains)
    first, second = places(mains, should_push=True, repository="r.example")
    assert first != second


@given(st.text(max_size=40))
def test_any_program_has_a_name_that_an_image_may_have(program: str) -> None:
    assert parse_name(f"r.example/{image_name(program)}").path == image_name(program)


@pytest.mark.parametrize(
    ("environ", "configured", "chosen"),
    [
        ({}, "", ""),
        ({}, "r.example/a", "r.example/a"),
        ({"KO_DOCKER_REPO": "k"}, "c", "k"),
        ({"PROA_REPO": "p/", "KO_DOCKER_REPO": "k"}, "c", "p"),
    ],
)
def test_the_repository_of_push(environ: dict[str, str], configured: str, chosen: str) -> None:
    assert chosen_repository(environ, configured) == chosen
