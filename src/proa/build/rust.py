"""Rust programs: built by cargo in the source tree, which it cannot write to, into a folder of the store.

Where the musl target is installed it is taken, linked by the linker that comes with the tool chain: the same on every
machine, for every architecture, without a C compiler. Otherwise, on the machine's own architecture, glibc statically.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from proa.build import driver
from proa.build.faults import fault_of, shown_lines
from proa.build.finish import finish
from proa.build.native import KEPT
from proa.errors import BuildFailed, LockBroken, ModuleMissing, NoProgram, ToolMissing, UnknownPlatform
from proa.outside.cargo import Rust, cargo_home, configuration_files, read_toml
from proa.outside.command import last_lines, run
from proa.outside.sourcetree import copy_files
from proa.outside.store import Store
from proa.outside.workshop import PLACE, Workshop, open_workshop
from proa.outside.zig import Compilers
from proa.records.binary import Binary, Libc
from proa.records.configuration import BuildSettings
from proa.records.evidence import Finding
from proa.records.platform import Platform
from proa.records.project import Main, Native

_TRIPLES = {
    "386": "i686-unknown-linux-musl",
    "amd64": "x86_64-unknown-linux-musl",
    "arm": "armv7-unknown-linux-musleabihf",
    "arm64": "aarch64-unknown-linux-musl",
    "loong64": "loongarch64-unknown-linux-musl",
    "ppc64le": "powerpc64le-unknown-linux-musl",
    "riscv64": "riscv64gc-unknown-linux-musl",
    "s390x": "s390x-unknown-linux-musl",
}
"""Source: https://doc.rust-lang.org/rustc/platform-support.html."""
_LIBC_ARCHIVES = ("/usr/lib/*/libc.a", "/usr/lib64/libc.a", "/usr/lib/libc.a")
_PREFIXES = ("CARGO", "RUST")
LINKER_SCRIPT = """\
#!/bin/sh
# Written by proa for one build.
set -f
left=$#
while [ $left -gt 0 ]; do
  word=$1
  shift
  left=$((left - 1))
  case $word in
  -Wl,*) IFS=, && set -- "$@" ${{word#-Wl,}} && unset IFS ;;
  -Xlinker | -pthread | -fuse-ld=* | -static-libgcc | -static-libstdc++) ;;
  *) set -- "$@" "$word" ;;
  esac
done
exec {linker} "$@"
"""
"""What projects and RUSTFLAGS say to a C compiler that links, said to the linker itself."""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """What a program is built for, as rustc calls it."""

    triple: str
    libc: Libc
    findings: tuple[Finding, ...] = ()


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One program to be built for one platform, and all that it is built with."""

    main: Main
    native: Native
    platform: Platform
    settings: BuildSettings
    rust: Rust
    compilers: Compilers | None
    """For C in crates; None where there are none for the platform."""
    host_compilers: Compilers | None
    """For build scripts and macros, where this machine has no cc; None where it has."""
    names: tuple[str, ...]
    """The files of the source tree."""
    environ: Mapping[str, str]
    store: Store
    jobs: int


def choose_target(rust: Rust, platform: Platform, *, archives: Sequence[str] = _LIBC_ARCHIVES) -> Target:
    """Return the target to build for: musl where its standard library is installed.

    ``archives`` are the patterns by which this machine's static C library is found.
    Raises UnknownPlatform, ToolMissing.
    """
    triple = _TRIPLES.get(platform.architecture)
    if platform.os != "linux" or triple is None:
        raise UnknownPlatform(f"Rust programs are not built for {platform}", hint=f"linux/{', linux/'.join(_TRIPLES)}")
    if rust.has_target(triple):
        return Target(triple=triple, libc="musl")
    hint = f"rustup target add {triple}"
    is_own = rust.host == triple.replace("-musl", "-gnu")
    if is_own and any(next(Path("/").glob(pattern[1:]), None) for pattern in archives):
        found = Finding(
            id="build.glibc-static",
            message=f"the Rust target {triple} is not installed: the program is linked statically with glibc instead, "
            "whose name lookup (NSS) needs shared libraries at run time",
            hint=hint,
        )
        return Target(triple=rust.host, libc="glibc", findings=(found,))
    raise ToolMissing(
        f"the Rust target {triple} is not installed",
        hint=f"{hint} (without rustup: your distribution's package of the standard library for musl)",
    )


def build_rust(job: Job) -> Binary:
    """Build one program; its files are in the store afterwards.

    Raises BuildFailed, LibraryMissing, LockBroken, ModuleMissing, NoProgram, ToolMissing, NoSpace, NotWritable.
    """
    target = choose_target(job.rust, job.platform)
    root = Path(job.native.directory)
    output = target_directory(root, job.store)
    with job.store.folder() as folder:
        for name in ("bin", "tmp"):
            (folder / name).mkdir()
        findings = list(target.findings)
        place = root
        shop = open_workshop(folder, {"PATH": job.environ.get("PATH", os.defpath)}, writable=[output, *_caches(job)])
        shop = msgspec.structs.replace(shop, environment=_environment(job, shop.place, target, output))
        if not (root / "Cargo.lock").is_file():
            _lock(job, folder / "source", environ=_own(job))
            place = shop.place / "source"
        _fetch(job, folder / "source" if place != root else root, target)
        _write_scripts(job, shop, target, places=(root, place, output))
        program = _build(job, shop, target, directory=place)
        # `proa store prune` removes what was not used for longest.
        os.utime(output)
        linked = folder / job.main.name
        shutil.copyfile(program, linked)
        if not shop.confined_by:
            findings.append(_unconfined())
        return finish(
            linked,
            name=job.main.name,
            platform=job.platform,
            settings=job.settings,
            store=job.store,
            language="rust",
            libc=target.libc,
            compiler=job.rust.version,
            findings=findings,
        )


def target_directory(root: Path, store: Store) -> Path:
    """Return where cargo keeps what it compiled for a workspace, so that a change compiles only what it touches."""
    return store.root / "cargo" / hashlib.sha256(os.fsencode(root)).hexdigest()[:24]


def deciding_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the caller's variables that cargo and rustc take settings from."""
    places = (
        "CARGO_HOME",
        "CARGO_TARGET_DIR",
        "CARGO_BUILD_TARGET_DIR",
        "CARGO_TERM_",
        "CARGO_MAKEFLAGS",
        "RUSTUP_HOME",
    )
    return {
        name: value
        for name, value in sorted(environ.items())
        if name.startswith(_PREFIXES) and not name.startswith(places) and "WRAPPER" not in name
    }


def _caches(job: Job) -> Iterator[Path]:
    for compilers in (job.compilers, job.host_compilers):
        if compilers is not None and compilers.environment:
            yield from dict.fromkeys(Path(value) for value in compilers.environment.values())


def _own(job: Job) -> dict[str, str]:
    """Return the caller's environment as far as cargo may see it."""
    kept = {name: job.environ[name] for name in (*KEPT, "CARGO_HOME", "RUSTUP_HOME") if name in job.environ}
    return {**kept, **deciding_variables(job.environ), **job.settings.env, "CARGO_TERM_COLOR": "never"}


def _environment(job: Job, place: Path, target: Target, output: Path) -> dict[str, str]:
    path = job.environ.get("PATH", os.defpath)
    upper = target.triple.upper().replace("-", "_")
    profile = _profile(job.settings.arguments).upper().replace("-", "_")
    found = {"CARGO_TARGET_DIR": str(output), "TMPDIR": str(place / "tmp"), "RUSTC_WRAPPER": f"{place}/bin/proa-rustc"}
    found |= {"LC_ALL": "C.UTF-8", "TZ": "UTC", "PATH": f"{place}/bin{os.pathsep}{path}", "CARGO_INCREMENTAL": "0"}
    found |= {"SOURCE_DATE_EPOCH": job.environ.get("SOURCE_DATE_EPOCH") or "315532800"}
    found |= {f"CARGO_PROFILE_{profile}_STRIP": "none"}
    if job.settings.debug:
        found |= {f"CARGO_PROFILE_{profile}_DEBUG": "2", f"CARGO_PROFILE_{profile}_SPLIT_DEBUGINFO": "off"}
    if job.compilers is not None:
        lower = target.triple.replace("-", "_")
        named = driver.variables(f"{place}/bin/target", job.compilers)
        found |= {f"{name}_{lower}": path for name, path in named.items() if name in ("CC", "CXX", "AR", "RANLIB")}
        found |= job.compilers.environment
        found |= {f"PKG_CONFIG_LIBDIR_{lower}": str(place / "tmp"), "PKG_CONFIG_ALL_STATIC": "1"}
    if _takes_own_linker(job, target):
        # Without bubblewrap the folder has another name each time, and cargo would compile everything again.
        linker = f"{place}/bin/rust-lld" if place == PLACE else job.rust.linker
        found |= {f"CARGO_TARGET_{upper}_LINKER": linker}
    # What the user says of a profile wins; so does a linker.
    return {**found, **{name: value for name, value in _own(job).items() if name != "PATH"}}


def _takes_own_linker(job: Job, target: Target) -> bool:
    """Say whether the tool chain's linker is used: for musl, where the project does not name one."""
    if target.libc != "musl" or not job.rust.linker:
        return False
    files = configuration_files(Path(job.native.directory), job.environ)
    return not any(_names_linker(read_toml(file), target.triple) for file in files)


def _names_linker(table: object, triple: str) -> bool:
    targets = table.get("target") if isinstance(table, dict) else None
    one = targets.get(triple) if isinstance(targets, dict) else None
    return isinstance(one, dict) and "linker" in one


def _profile(words: Sequence[str]) -> str:
    """Return the profile that is built.

    >>> _profile(["--features=tls"]), _profile(["--profile", "dist"]), _profile(["--profile=dist"])
    ('release', 'dist', 'dist')
    """
    for at, word in enumerate(words):
        if word.startswith("--profile="):
            return word.partition("=")[2]
        if word == "--profile" and at + 1 < len(words):
            return words[at + 1]
    return "release"


def _write_scripts(job: Job, shop: Workshop, target: Target, *, places: Iterable[Path]) -> None:
    """Write what stands between cargo and rustc: no path of this machine, and a build-id, whatever RUSTFLAGS say."""
    home = cargo_home(job.environ)
    prefixes = {str(place): "." for place in places} | {str(home): "/cargo", str(shop.place): "."}
    prefixes |= {f"{job.rust.sysroot}/lib/rustlib/src/rust": "/rustc"}
    # The last one that fits holds: the most exact.
    mapped = [f"--remap-path-prefix={path}={name}" for path, name in sorted(prefixes.items())]
    is_own = _takes_own_linker(job, target) or "rust-lld" in str(shop.environment.get(_linker_variable(target), ""))
    linked = ["-Clink-arg=--build-id=sha1" if is_own else "-Clink-arg=-Wl,--build-id=sha1"]
    linked += ["-Ctarget-feature=+crt-static"] if target.libc == "glibc" else []
    linked += [f"-Clink-arg={word}" for word in job.settings.ldflags]
    text = (
        "#!/bin/sh\n# Written by proa for one build.\nfor word; do case $word in\n"
        f'  --target | --target=*) exec "$@" {shlex.join(mapped)} {shlex.join(linked)} ;;\nesac; done\n'
        f'exec "$@" {shlex.join(mapped)}\n'
    )
    _write_script(shop.folder / "bin/proa-rustc", text)
    if job.rust.linker:
        _write_script(shop.folder / "bin/rust-lld", LINKER_SCRIPT.format(linker=shlex.quote(job.rust.linker)))
    if job.compilers is not None:
        (shop.folder / "bin/target").mkdir()
        scripts = driver.scripts(job.compilers, job.settings, places=dict(sorted(prefixes.items())))
        for name, script in scripts.items():
            _write_script(shop.folder / "bin/target" / name, script)
    if job.host_compilers is not None:
        _write_script(shop.folder / "bin/cc", f'#!/bin/sh\nexec {shlex.quote(job.host_compilers.cc)} "$@"\n')


def _write_script(file: Path, text: str) -> None:
    file.write_text(text)
    file.chmod(0o755)


def _linker_variable(target: Target) -> str:
    return f"CARGO_TARGET_{target.triple.upper().replace('-', '_')}_LINKER"


def _lock(job: Job, copy: Path, *, environ: Mapping[str, str]) -> None:
    """Lock a workspace that has no Cargo.lock in a copy, where that pins nothing; raise LockBroken where it would."""
    copy_files(Path(job.native.directory), job.names, copy)
    ran = run(["cargo", "generate-lockfile", "--offline"], cwd=copy, env=environ, accept=None)
    lock = copy / "Cargo.lock"
    with suppress(OSError):
        if ran.status == 0 and "\nsource = " not in lock.read_text(encoding="utf-8", errors="replace"):
            return
    raise LockBroken(
        "there is no Cargo.lock: every build would choose the versions of its dependencies anew",
        output=last_lines(ran.stderr) if ran.status else "",
        hint="run `cargo generate-lockfile` and commit Cargo.lock",
    )


def _fetch(job: Job, directory: Path, target: Target) -> None:
    """Make sure that all dependencies are here: without the network where they are."""
    words = ["cargo", "fetch", "--locked", "--target", target.triple]
    if run([*words, "--offline"], cwd=directory, env=_own(job), accept=None).status == 0:
        return
    ran = run(words, cwd=directory, env=_own(job), accept=None)
    if ran.status:
        fault = fault_of("cargo fetch", ran.stderr.decode(errors="replace"))
        if type(fault) is not BuildFailed:
            raise fault
        raise ModuleMissing(
            "a dependency in Cargo.lock cannot be fetched",
            output=fault.output,
            hint="is the registry reachable? `cargo vendor` keeps all dependencies in the tree",
        )


def _build(job: Job, shop: Workshop, target: Target, *, directory: Path) -> Path:
    """Run ``cargo build`` without the network and return the program it names."""
    arguments = job.settings.arguments
    words = ["cargo", "build", "--locked", "--offline", "--target", target.triple, f"-j{job.jobs}"]
    words += [] if any(word.startswith("--profile") for word in arguments) else ["--release"]
    words += ["--package", job.native.package, "--bin", job.main.name, "--message-format=json-render-diagnostics"]
    ran = shop.call([*words, *arguments], directory=directory)
    if ran.status:
        raise _fault(ran.stderr.decode(errors="replace"), target, job, place=str(shop.place))
    for line in reversed(ran.stdout.splitlines()):
        if b'"executable":"' not in line:
            continue
        with suppress(msgspec.DecodeError):
            said = msgspec.json.decode(line, type=_Artifact)
            if said.target.get("name") == job.main.name and said.executable:
                return Path(said.executable)
    raise NoProgram(f"cargo ended well and named no program called {job.main.name}")


class _Artifact(msgspec.Struct, frozen=True):
    """Source: https://doc.rust-lang.org/cargo/reference/external-tools.html#artifact-messages."""

    executable: str | None = None
    target: dict[str, object] = {}


def _fault(text: str, target: Target, job: Job, *, place: str) -> Exception:
    if "linker `cc` not found" in text:
        return ToolMissing(
            "build scripts and macros need a C compiler on this machine, and there is none",
            output=shown_lines(text),
            hint="pip install 'proa[c]', or install gcc",
        )
    if "E0463" in text and "std" in text:
        return ToolMissing(
            f"the Rust target {target.triple} is not whole",
            output=shown_lines(text),
            hint=f"rustup target add {target.triple}",
        )
    fault = fault_of("cargo build", text, place=place)
    fault.output = fault.output.replace(f"{job.native.directory}/", "")
    return fault


def _unconfined() -> Finding:
    return Finding(
        id="build.not-confined",
        message="the build was not confined: its build scripts could have written anywhere this user may",
        hint="install bubblewrap (package bubblewrap), and allow it to make namespaces",
    )
