"""Real fat images of five kinds, made small by `proa slim`, answer 200 requests as they did; few of them were traced.

The first run builds the images from Debian's packages and the registries, and takes minutes; later ones find them in
the cache of `fat_images`. While one is made small and asked, the next is built.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

import fat_images
import fat_requests
from fat_slimming import LESS, Compared, compare, proa

pytestmark = [pytest.mark.real, pytest.mark.slow]

SOUGHT = {
    "go": "libc6",
    "nginx": "nginx",
    "node": "nodejs",
    "python": "python3.11-minimal",
    "java": "openjdk-17-jre-headless",
}
"""A package of Debian that the image cannot be without."""


@pytest.fixture(scope="module")
def building(request: pytest.FixtureRequest) -> Iterator[Mapping[str, Future[Path]]]:
    """Build the images that this session asks for, one after the other, beside the tests."""
    fat_images.need_root()
    here = [item for item in request.session.items if item.path == request.path and isinstance(item, pytest.Function)]
    names = dict.fromkeys(str(item.callspec.params["compared"]) for item in here)
    cache = fat_images.cache_folder(os.environ)
    pool = ThreadPoolExecutor(1)
    try:
        yield {name: pool.submit(fat_images.build, name, cache=cache, into=cache / "layouts") for name in names}
    finally:
        pool.shutdown(cancel_futures=True)


# The one that is built soonest comes first.
@pytest.fixture(scope="module", params=sorted(fat_images.NAMES, key=lambda name: name != "nginx"))
def compared(
    request: pytest.FixtureRequest, building: Mapping[str, Future[Path]], tmp_path_factory: pytest.TempPathFactory
) -> Compared:
    building[request.param].result()
    return compare(request.param, tmp_path_factory.mktemp(f"fat-{request.param}"))


def test_slimmed_image_is_smaller_by_what_was_promised(compared: Compared) -> None:
    assert compared.less >= LESS[compared.name], (
        f"{compared.name}: {compared.less:.1%} smaller, in {compared.seconds:.0f} s"
    )
    assert compared.less_unpacked >= LESS[compared.name]


def test_200_requests_are_answered_as_by_the_original(compared: Compared) -> None:
    """Most were never traced: the runs ask a route or two of each image, and no test command is given."""
    assert len(compared.asks) >= fat_requests.COUNT
    assert sum(run["requests"] for run in compared.record["runs"]) <= fat_requests.COUNT // 2
    assert len({answer.status for answer in compared.before}) > 5
    assert compared.differences() == []


def test_inspect_finds_nothing_missing_in_the_slimmed_image(compared: Compared) -> None:
    said = json.loads(proa("inspect", f"oci:{compared.slimmed}:latest", "--format", "json", environ={}))
    assert [one for one in said["findings"] if one["id"].startswith("entrypoint.")] == []
    assert len(said["layers"]) == 1
    assert said["wasted_bytes"] == 0


def test_package_database_of_the_slimmed_image_lists_what_is_kept(compared: Compared) -> None:
    named = {line.split()[0] for line in compared.packages}
    assert all(line.endswith(" installed") for line in compared.packages)
    assert {SOUGHT[compared.name], "base-files", "libc6"} <= named
    assert "gcc-12" not in named
