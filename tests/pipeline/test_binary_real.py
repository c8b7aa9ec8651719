"""Finished programs compiled by gcc: shipped on an empty base with exactly what their loader needs, and tried."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from proa.errors import LibraryMissing
from proa.pipeline.plan import open_bench
from proa.pipeline.ship import ship
from proa.records.image import Image
from proa.records.request import Request
from proa.records.shipment import Shipment, encode_shipments
from proa.records.trial import Limits, Probe
from real_neighbours import need

pytestmark = pytest.mark.real

_APP = """
#include <stdio.h>
#include <dlfcn.h>
double half(double);
int main(int argc, char **argv) {
    printf("%f\\n", half(argc));
#ifdef PLUGIN
    void *plugin = dlopen(PLUGIN, RTLD_NOW);
    if (!plugin) { fprintf(stderr, "%s\\n", dlerror()); return 3; }
    ((void (*)(void))dlsym(plugin, "hello"))();
#endif
    return 0;
}
"""
_LIBRARY = "#include <math.h>\ndouble half(double x) { return sin(x) / 2; }\n"
_PLUGIN = '#include <stdio.h>\nvoid hello(void) { puts("hello from the plugin"); }\n'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compile an app with a private library beside it, and the same with a plugin."""
    need("gcc", "bwrap")
    root = tmp_path_factory.mktemp("c")
    for name, text in (("app.c", _APP), ("half.c", _LIBRARY), ("plugin.c", _PLUGIN)):
        (root / name).write_text(text)
    (root / "lib").mkdir()
    (root / "bin").mkdir()
    runpath = "-Wl,-rpath,$ORIGIN/../lib,--enable-new-dtags"
    for words in (
        ["-shared", "-fPIC", "-o", "lib/libhalf.so", "half.c", "-lm"],
        ["-shared", "-fPIC", "-o", "lib/libplugin.so", "plugin.c"],
        ["-g", "-o", "bin/app", "app.c", "-Llib", "-lhalf", runpath],
        ["-g", '-DPLUGIN="libplugin.so"', "-o", "bin/plugged", "app.c", "-Llib", "-lhalf", runpath],
        ["-static", "-o", "bin/static", "app.c", "half.c", "-lm"],
    ):
        subprocess.run(["gcc", "-O1", *words], cwd=root, check=True, timeout=60)
    return root


@pytest.fixture(scope="module")
def environ(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return {**os.environ, "PROA_CACHE": str(tmp_path_factory.mktemp("cache"))}


def shipped(file: Path, environ: dict[str, str], said: list[str] | None = None) -> Shipment:
    request = Request(binary=file.name, directory=str(file.parent))
    return ship(request, environ=environ, progress=(said if said is not None else []).append)[0]


def names(image: Image) -> list[str]:
    return sorted(Path(file.path).name for layer in image.layers for file in layer.files)


def test_an_image_has_the_program_its_loader_and_its_libraries(folder: Path, environ: dict[str, str]) -> None:
    shipment = shipped(folder / "bin" / "app", environ)
    image = shipment.images[0]
    loader = Path(image.binary.interpreter).name if image.binary else ""
    assert names(image) == sorted(["app", loader, "libc.so.6", "libhalf.so", "libm.so.6"])
    assert shipment.trial is not None
    assert (shipment.trial.verdict, shipment.trial.exit_status) == ("started", 0)
    document: dict[str, Any] = json.loads(encode_shipments([shipment]))
    assert document["images"][0]["binary"]["is_static"] is False
    assert document["images"][0]["binary"]["debug"]["build_id"]
    assert document["images"][0]["base"] == "scratch"


def test_without_any_one_of_its_files_it_does_not_run(folder: Path, environ: dict[str, str]) -> None:
    image = shipped(folder / "bin" / "app", environ).images[0]
    bench = open_bench(Request(), environ, lambda _: None)
    from proa import pack, trial

    paths = [one.path for one in image.binary.runtime_files] if image.binary else []
    assert len(paths) == 4
    for path in paths:
        with bench.store.folder() as place:
            root = place / "root"
            root.mkdir(mode=0o755)
            config = pack.unpack(image.digest, root, store=bench.store)
            (root / path.lstrip("/")).unlink()
            tried = trial.try_image(
                root, config, limits=Limits(), probe=Probe(), platform=image.platform, environ=environ
            )
        assert tried.verdict == "failed", path


def test_what_it_opens_at_run_time_is_added_and_remembered(folder: Path, environ: dict[str, str]) -> None:
    first = shipped(folder / "bin" / "plugged", environ)
    assert "libplugin.so" in names(first.images[0])
    reasons = [file.reason for layer in first.images[0].layers for file in layer.files]
    assert "libplugin.so is opened by plugged at run time (seen in the trial)" in reasons
    assert first.trial is not None
    assert "hello from the plugin" in first.trial.output
    said: list[str] = []
    again = shipped(folder / "bin" / "plugged", environ, said)
    assert again.digest == first.digest
    assert {again.cache[stage] for stage in ("build", "pack", "trial")} == {"hit"}
    assert not [line for line in said if line.startswith("trying")]


def test_a_static_program_goes_alone(folder: Path, environ: dict[str, str]) -> None:
    image = shipped(folder / "bin" / "static", environ).images[0]
    assert names(image) == ["static"]
    assert image.trial is not None
    assert image.trial.verdict == "started"


def test_a_library_that_is_gone_is_named_with_who_needs_it(
    folder: Path, environ: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "bin").mkdir()
    shutil.copy(folder / "bin" / "app", tmp_path / "bin" / "app")
    with pytest.raises(LibraryMissing, match=r"app needs the shared library libhalf\.so") as missing:
        shipped(tmp_path / "bin" / "app", environ)
    assert "app → libhalf.so" in missing.value.output
