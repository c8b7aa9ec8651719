"""`proa why` of an image that `proa slim` made, asked on another machine: the record is beside the image."""

from __future__ import annotations

import pytest

from fakes.layers import archive, docker_archive, item
from fakes.registry import FakeRegistry
from proa.errors import NotInTarget
from proa.pipeline.slim import Wish, slim
from proa.pipeline.why import why
from proa.pipeline.why_program import Ask
from proa.records.request import Request


@pytest.fixture
def image(tmp_path):
    files = [
        item("bin/app", b"#!/bin/sh\n", mode=0o755),
        item("bin/sh", b"\x7fELF", mode=0o755),
        item("usr/share/man/man1/other.1", b"x" * 100_000),
    ]
    return docker_archive(tmp_path / "app.tar", [archive(files)], execution={"Entrypoint": ["/bin/app"]})


def asked(image, path, folder):
    folder.mkdir(exist_ok=True)
    environ = {"PROA_CACHE": str(folder), "PATH": "/usr/bin:/bin"}
    return why(Ask(target=image, name=path), Request(), environ=environ, progress=lambda _: None)


@pytest.mark.parametrize("kind", ["layout", "registry"])
def test_reasons_come_from_the_record_beside_the_image(image, tmp_path, kind):
    environ = {"PROA_CACHE": str(tmp_path / "maker"), "PATH": "/usr/bin:/bin"}
    with FakeRegistry() as registry:
        place = {"layout": f"oci:{tmp_path / 'small'}:1", "registry": f"docker://{registry.host}/small:1"}[kind]
        request = Request(directory=str(tmp_path), to=(place,))
        slim(str(image), request, Wish(should_run=False), environ=environ, progress=lambda _: None)
        reader = tmp_path / "reader"
        found = asked(place, "/bin/sh", reader)
        assert found.placed is not None
        assert (found.placed.rule, found.placed.reason) == ("interpreter", "the first line of /bin/app")
        with pytest.raises(NotInTarget, match="`proa slim` left it out") as gone:
            asked(place, "/usr/share/man/man1/other.1", reader)
        assert gone.value.hint.endswith("--keep /usr/share/man/man1/other.1")
        with pytest.raises(NotInTarget) as absent:
            asked(place, "/never/there", reader)
        assert "left it out" not in absent.value.what
