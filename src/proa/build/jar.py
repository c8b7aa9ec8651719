"""From an executable jar to a program that starts on an empty base.

With it go a run time of the modules it uses, made by jlink, the C libraries which that run time needs, and what lies
beside the jar. Nothing of the jar is run. The same jar, JDK and C libraries give the same files.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from proa.build import java
from proa.build.closure import Found, Opened, find_runtime_files
from proa.build.proof import platform_of
from proa.errors import JarUnfit, LibraryMissing
from proa.outside.dynamic import read_dynamic
from proa.outside.elf import open_elf
from proa.outside.jar import class_feature, read_jar, unpack_classes
from proa.outside.jdk import Jdk, link, used_modules
from proa.outside.loader import kind_of
from proa.outside.store import Store, disk_errors
from proa.records.binary import Binary, RuntimeFile
from proa.records.evidence import Finding
from proa.records.platform import Platform

_MOST_BESIDE = 50_000
_JRE_FORMAT = "jre/v2"
_NOT_RUN = frozenset({"bin", "lib/jexec", "lib/jrt-fs.jar", "lib/classlist", "lib/ct.sym", "lib/src.zip"})
"""Tools and what only they read; of ``bin`` the launcher stays."""
_SCREEN = frozenset({"libawt_xawt.so", "libsplashscreen.so", "libjsound.so", "libjawt.so"})
"""What needs X11 or ALSA; java.awt.headless is set."""


class Beside(msgspec.Struct, frozen=True, kw_only=True):
    """A file beside the jar that comes along at the same relative place."""

    path: str
    here: Path
    reason: str


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """An executable jar, read."""

    file: Path
    shape: java.Shape
    beside: tuple[Beside, ...] = ()
    findings: tuple[Finding, ...] = ()


def inspect_jar(file: Path, jdk: Jdk) -> Program:
    """Read an executable jar and what it names beside it. Raises JarUnfit."""
    jar = read_jar(file)
    shape = java.shape_of(jar, name=file.name)
    start = jar.manifest.get("start-class", "")
    places = (
        shape.main_class.replace(".", "/"),
        shape.nested.rpartition("lib/")[0] + "classes/" + start.replace(".", "/"),
    )
    for place in places:
        wanted = class_feature(file, f"{place}.class")
        if wanted > jdk.feature:
            raise JarUnfit(
                f"{file.name} is compiled for Java {wanted}, and the JDK here is {jdk.version}",
                hint=f"name a JDK of {wanted} or newer in JAVA_HOME ({jdk.home} was found)",
            )
    findings: list[Finding] = []
    beside = tuple(_beside(file, shape, findings))
    return Program(file=file, shape=shape, beside=beside, findings=tuple(findings))


def _beside(file: Path, shape: java.Shape, findings: list[Finding]) -> Iterator[Beside]:
    """Yield every file once: what the Class-Path names, then what a framework's launcher reads."""
    seen: set[str] = set()
    wanted = [(one, f"the Class-Path of {file.name} names it") for one in shape.class_path]
    wanted += [(one, f"{shape.framework} reads its folder {one}/") for one in shape.folders]
    for path, reason in wanted:
        place = file.parent / path
        if not place.exists():
            findings.append(
                Finding(
                    id="build.class-path",
                    message=f"{file.name} names {path} beside it, which is not there",
                    hint="java passes over it; classes in it will be missing",
                )
            )
            continue
        for here in _files(place):
            name = here.relative_to(file.parent).as_posix()
            if name in seen or name == file.name:
                continue
            seen.add(name)
            if len(seen) > _MOST_BESIDE:
                raise JarUnfit(f"beside {file.name} are more than {_MOST_BESIDE} files that it names")
            yield Beside(path=name, here=here, reason=reason)


def _files(place: Path) -> Iterator[Path]:
    if place.is_file():
        yield place
    for folder, folders, names in os.walk(place):
        folders.sort()
        yield from (Path(folder, name) for name in sorted(names) if Path(folder, name).is_file())


def identity_of(program: Program, jdk: Jdk) -> tuple[object, ...]:
    """Return what decides all that is made of a jar, but for the modules that trials add."""
    return (
        [(name, _digest(here)) for name, here in _own(program)],
        _identity_of(jdk),
        [(str(one.here), one.here.stat().st_size, one.here.stat().st_mtime_ns) for one in _libraries(jdk.home)[0]],
    )


def _identity_of(jdk: Jdk) -> tuple[object, ...]:
    parts = [Path(jdk.home, name) for name in ("release", "lib/modules", "jmods/java.base.jmod", "bin/java")]
    return (jdk, [(one.stat().st_size, one.stat().st_mtime_ns) for one in parts if one.is_file()])


def _own(program: Program) -> Iterator[tuple[str, Path]]:
    yield program.file.name, program.file
    yield from ((one.path, one.here) for one in program.beside)


def _digest(file: Path) -> str:
    with disk_errors(file), file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def platform_of_jdk(jdk: Jdk) -> Platform:
    """Return what the JDK's run times run on. Raises BinaryDamaged."""
    return platform_of(open_elf(Path(jdk.tool("java"))))


def finish_jar(program: Program, jdk: Jdk, *, added: Sequence[java.Module] = (), store: Store) -> Binary:
    """Return a jar with its run time as a program; all files are in the store.

    ``added`` are modules that trials showed to be missing.
    Raises JarUnfit, LibraryMissing, JdkMissing, ToolFailed, ToolTimedOut, NoSpace, NotWritable.
    """
    needed = {one.name: one for one in (*added, *_modules(program, jdk, store))}
    modules = [needed[name] for name in sorted(needed)]
    run_time = _run_time(jdk, modules, store)
    jar = _stored(program.file, program.file.name, "", store)
    beside = [
        msgspec.structs.replace(
            _stored(one.here, one.path, one.reason, store), holds=java.layer_of(one.path, program.shape)
        )
        for one in program.beside
    ]
    launcher = read_dynamic(open_elf(Path(jdk.tool("java"))))
    return Binary(
        name=program.file.name,
        platform=platform_of_jdk(jdk),
        digest=jar.digest,
        bytes=jar.bytes,
        unstripped_digest=jar.digest,
        unstripped_bytes=jar.bytes,
        strip="none",
        is_static=False,
        interpreter=launcher.interpreter,
        libraries=launcher.needed,
        language="java",
        libc=kind_of(launcher.interpreter),
        compiler=f"JDK {jdk.version}",
        runtime_files=(*run_time.files, *beside),
        command=java.command_of(program.file.name, needed),
        findings=(*program.findings, *run_time.findings),
    )


def _stored(here: Path, path: str, reason: str, store: Store, mode: int = 0o444) -> RuntimeFile:
    with disk_errors(here), here.open("rb") as stream, store.write_blob() as writer:
        shutil.copyfileobj(stream, writer, 1 << 20)
    return RuntimeFile(path=f"/app/{path}", digest=writer.digest, bytes=writer.bytes, reason=reason, mode=mode)


def _modules(program: Program, jdk: Jdk, store: Store) -> tuple[java.Module, ...]:
    """Return the modules of the JDK that the classes use; jdeps takes seconds, so its word is kept."""
    jars = [(name, here) for name, here in _own(program) if name.endswith(".jar")]
    decides = [_JRE_FORMAT, program.shape, [_digest(here) for _, here in jars], _identity_of(jdk)]
    key = hashlib.sha256(msgspec.json.encode(decides)).hexdigest()
    content = store.stage("jdeps", key)
    if content is not None:
        return msgspec.json.decode(content, type=tuple[java.Module, ...])
    with store.folder() as folder:
        places = [
            place
            for number, (_, here) in enumerate(jars)
            for place in unpack_classes(
                here, folder / str(number), feature=jdk.feature, nested=program.shape.nested if number == 0 else ""
            )
        ]
        used = used_modules(jdk, places)
        names = (
            Path(folder_name).relative_to(place).as_posix() + "/x"
            for place in places
            for folder_name, _, files in os.walk(place)
            if files
        )
        found = java.modules_of(used, names, feature=jdk.feature, available=jdk.modules)
    store.set_stage("jdeps", key, msgspec.json.encode(found))
    return found


class _RunTime(msgspec.Struct, frozen=True, kw_only=True):
    """A run time made by jlink, with the C libraries it needs."""

    files: tuple[RuntimeFile, ...]
    findings: tuple[Finding, ...] = ()


def _run_time(jdk: Jdk, modules: Sequence[java.Module], store: Store) -> _RunTime:
    """Return a run time with these modules: the same one for every jar that uses the same ones."""
    names = [one.name for one in modules]
    libraries, _ = _libraries(jdk.home)
    now = [(str(one.here), one.here.stat().st_size, one.here.stat().st_mtime_ns) for one in libraries]
    key = hashlib.sha256(msgspec.json.encode([_JRE_FORMAT, names, _identity_of(jdk), now])).hexdigest()
    content = store.stage("jre", key)
    made = msgspec.json.decode(content, type=_RunTime) if content is not None else None
    if made is None or not all(store.has_blob(one.digest) for one in made.files if one.digest):
        with store.folder() as folder:
            home = folder / "jre"
            link(jdk, names, home)
            made = _taken(home, store)
        store.set_stage("jre", key, msgspec.json.encode(made))
    why = "modules: " + "; ".join(f"{one.name}: {one.reason}" for one in modules)
    return msgspec.structs.replace(
        made,
        files=tuple(
            msgspec.structs.replace(one, reason=why) if one.path == f"{java.HOME}/lib/modules" else one
            for one in made.files
        ),
    )


def _taken(home: Path, store: Store) -> _RunTime:
    libraries, left_out = _libraries(str(home))
    files: list[RuntimeFile] = []
    for one in libraries:
        if one.target:
            files.append(RuntimeFile(path=one.path, target=one.target, reason=one.reason))
        else:
            kept = _stored(one.here, "", one.reason, store)
            files.append(msgspec.structs.replace(kept, path=one.path, mode=0o555))
    for here in _files(home):
        name = here.relative_to(home).as_posix()
        if _is_left_out(name) or here.name in left_out:
            continue
        kept = _link_or_file(here, name, store)
        files.append(msgspec.structs.replace(kept, path=f"{java.HOME}/{name}", holds="run time"))
    findings = tuple(
        Finding(id="build.run-time-part", severity="info", message=f"{name} of the run time is left out: {why}")
        for name, why in sorted(left_out.items())
    )
    return _RunTime(files=tuple(files), findings=findings)


def _is_left_out(name: str) -> bool:
    if name == "bin/java":
        return False
    return name in _NOT_RUN or name.partition("/")[0] in _NOT_RUN or Path(name).name in _SCREEN


def _link_or_file(here: Path, name: str, store: Store) -> RuntimeFile:
    is_started = name == "bin/java" or name.endswith((".so", "jspawnhelper"))
    if here.is_symlink():
        return RuntimeFile(path=name, target=str(here.readlink()), reason=_about(name))
    return _stored(here, name, _about(name), store, 0o555 if is_started else 0o444)


def _about(name: str) -> str:
    if name.startswith("legal/"):
        return "licence texts of the run time"
    if name.startswith("conf/"):
        return "settings that the run time reads"
    if name == "lib/server/libjvm.so":
        return "the virtual machine"
    return "the launcher" if name == "bin/java" else "part of the run time (jlink)"


def _libraries(home: str) -> tuple[tuple[Found, ...], dict[str, str]]:
    """Return the loader and C libraries of a run time, and the parts of it that lack theirs, with the reason."""
    top = Path(home).resolve()
    own = sorted(one for one in (top / "lib").rglob("*.so") if one.name not in _SCREEN)
    try:
        return _found(top, own), {}
    except LibraryMissing:
        left_out: dict[str, str] = {}
    fit: list[Path] = []
    for one in own:
        try:
            _found(top, [one])
            fit.append(one)
        except LibraryMissing as error:
            if one.name in ("libjvm.so", "libjava.so", "libjli.so", "libnet.so", "libnio.so", "libzip.so"):
                raise
            left_out[one.name] = error.what
    return _found(top, fit), left_out


def _found(top: Path, own: Sequence[Path]) -> tuple[Found, ...]:
    launcher = top / "bin" / "java"
    found = find_runtime_files(
        launcher,
        platform=platform_of(open_elf(launcher)),
        extra=[Opened(name=one.name) for one in own],
        library_path=[str(top / "lib"), str(top / "lib" / "server")],
        origin=launcher.parent,
        name="java",
    )
    return tuple(one for one in found if not one.here.is_relative_to(top))
