"""The docker engine: its answers, its address, and the real one."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

import pytest

import real_neighbours
from fakes.images import make_image, make_index, tar
from proa.errors import DaemonUnreachable, ImageMissing
from proa.outside.access import Access
from proa.outside.docker import find_engine, load_trouble
from proa.outside.images import fetch_image, write_image
from proa.outside.machine import this_platform
from proa.outside.store import Store
from proa.records.reference import parse_reference


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def test_the_address_is_dockers_own_choice(tmp_path: Path) -> None:
    assert find_engine(Access()).address == "unix:///var/run/docker.sock"
    assert find_engine(Access(environ={"DOCKER_HOST": "tcp://10.0.0.1:2375"})).address == "tcp://10.0.0.1:2375"
    (tmp_path / "config.json").write_text('{"currentContext": "rootless"}')
    meta = tmp_path / "contexts" / "meta" / hashlib.sha256(b"rootless").hexdigest()
    meta.mkdir(parents=True)
    (meta / "meta.json").write_text(
        json.dumps({"Endpoints": {"docker": {"Host": "unix:///run/user/1000/docker.sock"}}})
    )
    environ = {"DOCKER_CONFIG": str(tmp_path)}
    assert find_engine(Access(environ=environ)).address == "unix:///run/user/1000/docker.sock"
    assert find_engine(Access(environ={**environ, "DOCKER_HOST": "unix:///x"})).address == "unix:///x"
    assert (
        find_engine(Access(environ={**environ, "DOCKER_CONTEXT": "default"})).address == "unix:///var/run/docker.sock"
    )


@pytest.mark.parametrize("address", ["ssh://me@host", "nonsense", "tcp://"])
def test_an_address_that_needs_more_is_told(address: str) -> None:
    with pytest.raises(DaemonUnreachable):
        find_engine(Access(environ={"DOCKER_HOST": address}))


def test_no_daemon_is_unreachable_with_what_to_do(store: Store, tmp_path: Path) -> None:
    access = Access(environ={"DOCKER_HOST": f"unix://{tmp_path}/none.sock"})
    with pytest.raises(DaemonUnreachable, match="No such file") as stopped:
        write_image(make_image(store), parse_reference("docker-daemon:api:1"), store=store, access=access)
    assert "oci:DIR" in stopped.value.hint
    assert stopped.value.exit_status == 3


@pytest.mark.parametrize(
    ("status", "content", "trouble"),
    [
        pytest.param(200, b'{"stream":"Loaded image: a:1\\n"}\n', "", id="loaded"),
        pytest.param(200, b'{"errorDetail":{"message":"full"},"error":"full"}\n', "full", id="an error after 200"),
        pytest.param(500, b'{"message":"broken"}', "broken", id="an error"),
        pytest.param(500, b"", "HTTP 500", id="nothing said"),
        pytest.param(200, b"\xff\n[[[", "", id="noise"),
    ],
)
def test_what_the_engine_says_of_a_load(status: int, content: bytes, trouble: str) -> None:
    assert load_trouble(status, content) == trouble


@pytest.mark.real
@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_an_image_goes_into_the_daemon_and_comes_back(
    dockerd: str, store: Store, tmp_path: Path, compression: str
) -> None:
    access = Access(environ={"DOCKER_HOST": dockerd})
    layer = tar(a=b"a" * 2_000_000)
    here = this_platform()
    image = make_image(store, layer, architecture=here.architecture, compression=compression)
    target = parse_reference(f"docker-daemon:proa/{compression}:1")
    for _ in range(2):
        assert write_image(image, target, store=store, access=access) == f"proa/{compression}:1"
    fetched = fetch_image(target, here, store=Store(tmp_path / "other"), access=access)
    assert fetched.size > 0
    with pytest.raises(ImageMissing):
        fetch_image(parse_reference("docker-daemon:proa/none:1"), here, store=store, access=access)


@pytest.mark.real
def test_an_index_goes_into_the_daemon_as_this_machines_platform(dockerd: str, store: Store) -> None:
    here = this_platform().architecture
    other = "arm64" if here == "amd64" else "amd64"
    index = make_index(store, **{name: make_image(store, architecture=name) for name in (here, other)})
    access = Access(environ={"DOCKER_HOST": dockerd})
    assert (
        write_image(index, parse_reference("docker-daemon:proa/both"), store=store, access=access) == "proa/both:latest"
    )


@pytest.mark.real
def test_docker_pulls_what_was_pushed(dockerd: str, docker_registry: str, store: Store) -> None:
    real_neighbours.need("docker")
    image = make_image(store, architecture=this_platform().architecture)
    target = f"{docker_registry}/pulled-by-docker:1"
    printed = write_image(image, parse_reference(f"docker://{target}"), store=store, access=Access())
    subprocess.run(["docker", "-H", dockerd, "pull", "-q", printed], check=True, capture_output=True)


@pytest.mark.real
def test_docker_loads_an_archive(dockerd: str, store: Store, tmp_path: Path) -> None:
    real_neighbours.need("docker")
    for compression in ("gzip", "zstd"):
        image = make_image(store, tar(a=b"x"), architecture=this_platform().architecture, compression=compression)
        target = parse_reference(f"docker-archive:{tmp_path}/{compression}.tar:loaded/{compression}:1")
        write_image(image, target, store=store, access=Access())
        load = ["docker", "-H", dockerd, "load", "-i", f"{tmp_path}/{compression}.tar"]
        ran = subprocess.run(load, check=True, capture_output=True, text=True)
        assert f"Loaded image: loaded/{compression}:1" in ran.stdout
