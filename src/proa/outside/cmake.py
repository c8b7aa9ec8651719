"""CMake, asked in a workshop: configured, built and installed out of the source tree."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from proa.outside.command import Ran
from proa.outside.workshop import Workshop
from proa.records.platform import Platform

PROCESSORS = {
    "386": "i686",
    "amd64": "x86_64",
    "arm": "arm",
    "arm64": "aarch64",
    "loong64": "loongarch64",
    "ppc64le": "ppc64le",
    "riscv64": "riscv64",
    "s390x": "s390x",
}
"""What ``uname -m`` says there, which CMake and meson call the processor by."""


def configure(
    shop: Workshop,
    *,
    source: Path,
    build: Path,
    tools: Mapping[str, str],
    platform: Platform | None,
    root: Path | None,
    words: Sequence[str],
) -> Ran:
    """Configure a project; ``platform`` only where it is another than this machine's.

    ``root`` is where libraries and headers of the platform are looked for, and nowhere else; None for the machine's
    own. Downloads that a project asks for here (FetchContent) may use the network.
    """
    defined = {
        # -O2 -g -DNDEBUG; a project or build.arguments may say otherwise.
        "CMAKE_BUILD_TYPE": "RelWithDebInfo",
        "CMAKE_INSTALL_PREFIX": "/usr",
        "BUILD_SHARED_LIBS": "OFF",
        "CMAKE_EXPORT_NO_PACKAGE_REGISTRY": "ON",
    }
    names = {"CC": "CMAKE_C_COMPILER", "CXX": "CMAKE_CXX_COMPILER", "AR": "CMAKE_AR", "RANLIB": "CMAKE_RANLIB"}
    defined |= {names[name]: path for name, path in tools.items() if name in names}
    if platform is not None:
        processor = PROCESSORS.get(platform.architecture, platform.architecture)
        defined |= {"CMAKE_SYSTEM_NAME": "Linux", "CMAKE_SYSTEM_PROCESSOR": processor}
    if root is not None:
        defined |= {"CMAKE_FIND_ROOT_PATH": str(root)}
        defined |= {f"CMAKE_FIND_ROOT_PATH_MODE_{kind}": "ONLY" for kind in ("LIBRARY", "INCLUDE", "PACKAGE")}
    has_ninja = shutil.which("ninja", path=shop.environment.get("PATH")) is not None
    generator = "Ninja" if has_ninja else "Unix Makefiles"
    given = [f"-D{name}={value}" for name, value in defined.items()]
    argv = ["cmake", "-S", str(source), "-B", str(build), "-G", generator, *given, *words]
    return shop.call(argv, directory=shop.place, has_network=True)


def build_all(shop: Workshop, *, build: Path, jobs: int) -> Ran:
    """Build what was configured."""
    return shop.call(["cmake", "--build", str(build), "--parallel", str(jobs)], directory=shop.place)


def install(shop: Workshop, *, build: Path, stage: Path) -> Ran:
    """Install what was built into a folder that stands for the root."""
    return shop.call(["cmake", "--install", str(build)], directory=shop.place, environment={"DESTDIR": str(stage)})
