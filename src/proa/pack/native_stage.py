"""The build stage of a Dockerfile for a project that the go command does not build: on Alpine, whose C library is musl.

The flags are those of ``proa ship``; where the program lies after the build is found by its name, as install targets
and build folders differ.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping

from proa.errors import WrongUsage
from proa.records.configuration import BuildSettings
from proa.records.project import Native, Project

ALPINE_PACKAGES = {"certificates": "ca-certificates", "zones": "tzdata", "mime": "mailcap"}
"""What holds the system files there."""
_TOOLS: Mapping[str, str] = {
    "make": "build-base linux-headers",
    "cmake": "build-base linux-headers cmake samurai",
    "meson": "build-base linux-headers meson",
    "cargo": "build-base",
}
_COMPILE = "-O2 -g -ffunction-sections -fdata-sections"
_LINK = "-static -Wl,--gc-sections"
_STRIP = {"none": "true", "dwarf": "strip --strip-debug", "all": "strip --strip-all"}


def native_stage(project: Project, native: Native, build: BuildSettings, *, target: str) -> Iterator[str]:
    """Yield the lines that build the program and put it at ``target``. Raises WrongUsage."""
    if native.system not in _TOOLS:
        raise WrongUsage("a program that was built already has no Dockerfile that builds it")
    if build.cc or build.cxx:
        raise WrongUsage(
            "a Dockerfile is written for the default compiler, static with musl, and build.cc names another",
            hint="leave build.cc out, or write the stage by hand",
        )
    version = project.toolchain.removeprefix("rustc ")
    image = f"rust:{version or 1}-alpine" if native.system == "cargo" else "alpine:3.22"
    yield f"FROM {image} AS build"
    yield f"RUN apk add --no-cache {_TOOLS[native.system]}"
    yield "WORKDIR /src"
    yield "COPY . ."
    compile_flags = " ".join([_COMPILE, *build.cflags])
    link_flags = " ".join([_LINK, *build.ldflags])
    exported = {"CFLAGS": compile_flags, "CXXFLAGS": compile_flags, "LDFLAGS": link_flags}
    exported = {} if native.system == "cargo" else exported
    for name, value in {**exported, **build.env}.items():
        yield f"ENV {name}={shlex.quote(value)}"
    for line in _commands(project, native, build, flags=f"{compile_flags} {link_flags}"):
        yield f"RUN {line}"
    name, place = shlex.quote(project.main.name), shlex.quote(target)
    found = f"$(find /stage /build /src/target /src -type f -perm -u+x -name {name} 2>/dev/null | head -n 1)"
    yield f'RUN install -D -m 0555 "{found}" {place} && {_STRIP[build.strip]} {place}'


def _commands(project: Project, native: Native, build: BuildSettings, *, flags: str) -> Iterator[str]:
    words = "".join(f" {shlex.quote(word)}" for word in build.arguments)
    if native.system == "cargo":
        chosen = f"--package {shlex.quote(native.package)} --bin {shlex.quote(project.main.name)}"
        yield f"cargo build --release --locked {chosen}{words}"
    elif native.system == "cmake":
        yield f"cmake -S . -B /build -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DBUILD_SHARED_LIBS=OFF{words}"
        yield "cmake --build /build && DESTDIR=/stage cmake --install /build"
    elif native.system == "meson":
        options = "-Dbuildtype=debugoptimized -Ddefault_library=static -Dprefer_static=true -Dprefix=/usr"
        built = "meson compile -C /build && DESTDIR=/stage meson install -C /build"
        yield f"meson setup {options}{words} /build && {built}"
    else:
        # A Makefile's own CFLAGS would win over the environment.
        tools = f"CC={shlex.quote(f'gcc {flags}')} CXX={shlex.quote(f'g++ {flags}')}"
        yield f"make -j$(nproc) {tools}{words}"
        yield f"if make -n install >/dev/null 2>&1; then make install {tools} DESTDIR=/stage PREFIX=/usr{words}; fi"
