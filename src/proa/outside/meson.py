"""meson, asked in a workshop: set up, compiled and installed out of the source tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from proa.outside.cmake import PROCESSORS
from proa.outside.command import Ran
from proa.outside.workshop import Workshop
from proa.records.platform import Platform

_FAMILIES = {"386": "x86", "amd64": "x86_64", "arm64": "aarch64", "ppc64le": "ppc64", "loong64": "loongarch64"}


def cross_file(tools: Mapping[str, str], platform: Platform, *, pkg_config: str = "pkg-config") -> str:
    """Return a meson cross file. Source: https://mesonbuild.com/Cross-compilation.html.

    >>> print(cross_file({"CC": "/b/cc"}, Platform("linux", "arm64")).splitlines()[1])
    c = '/b/cc'
    """
    names = {"CC": "c", "CXX": "cpp", "AR": "ar", "RANLIB": "ranlib", "STRIP": "strip"}
    binaries = [f"{names[name]} = '{path}'" for name, path in tools.items() if name in names]
    processor = PROCESSORS.get(platform.architecture, platform.architecture)
    family = _FAMILIES.get(platform.architecture, platform.architecture)
    machine = f"system = 'linux'\ncpu_family = '{family}'\ncpu = '{processor}'\n"
    machine += f"endian = '{'big' if platform.architecture == 's390x' else 'little'}'\n"
    lines = "\n".join([*binaries, f"pkgconfig = '{pkg_config}'"])
    return f"[binaries]\n{lines}\n[host_machine]\n{machine}"


def setup(
    shop: Workshop, *, source: Path, build: Path, cross: Path | None, prefers_static: bool, words: Sequence[str]
) -> Ran:
    """Set a project up; wraps that it downloads may use the network."""
    given = {"prefix": "/usr", "buildtype": "debugoptimized", "default_library": "static"}
    if prefers_static:
        given["prefer_static"] = "true"
    said = " ".join(words)
    options = [
        f"-D{name}={value}" for name, value in given.items() if f"-D{name}=" not in said and f"--{name}" not in said
    ]
    crossed = ["--cross-file", str(cross)] if cross is not None else []
    argv = ["meson", "setup", *options, *crossed, *words, str(build), str(source)]
    return shop.call(argv, directory=shop.place, has_network=True)


def build_all(shop: Workshop, *, build: Path, jobs: int) -> Ran:
    """Compile what was set up."""
    return shop.call(["meson", "compile", "-C", str(build), "-j", str(jobs)], directory=shop.place)


def install(shop: Workshop, *, build: Path, stage: Path) -> Ran:
    """Install what was compiled into a folder that stands for the root."""
    environment = {"DESTDIR": str(stage)}
    return shop.call(
        ["meson", "install", "-C", str(build), "--no-rebuild"], directory=shop.place, environment=environment
    )
