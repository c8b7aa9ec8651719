"""A JDK on this machine: which one, the modules that classes use, and run-time systems reduced to some modules.

Source: jdeps(1), jlink(1), jimage(1); the ``release`` file of JEP 220; JEP 493 (jlink without jmods since 24).
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from proa.errors import JdkMissing, ToolFailed
from proa.outside.command import Run, run

_MOST_RELEASE_BYTES = 64 << 10
_JDEPS_TIMEOUT_S = 300.0
_JLINK_TIMEOUT_S = 600.0
_SHORT_TIMEOUT_S = 60.0
_INSTALL = "install one (Debian: apt-get install default-jdk-headless), or name it in JAVA_HOME"
_WORD = re.compile(r'^([A-Z_]{1,40})="([^"]*)"$', re.MULTILINE)
_SUMMARY = re.compile(r"^(?P<by>\S.*?) -> (?P<module>(?:java|jdk|javafx)\.[a-z0-9.]+)$", re.MULTILINE)
_PLAIN = {"LC_ALL": "C.UTF-8"}


class Jdk(msgspec.Struct, frozen=True, kw_only=True):
    """One JDK."""

    home: str
    version: str
    """``17.0.15``."""
    feature: int
    """``17``: the first number, or the second of ``1.8``."""
    vendor: str = ""
    modules: tuple[str, ...] = ()
    """All that it has."""
    has_jmods: bool = True

    def tool(self, name: str) -> str:
        """Return the path of one of its programs."""
        return str(Path(self.home, "bin", name))


def find_jdk(environ: Mapping[str, str]) -> Jdk:
    """Return the JDK of JAVA_HOME, else the one whose javac or java is on PATH. Raises JdkMissing."""
    asked = environ.get("JAVA_HOME", "")
    if asked:
        if not Path(asked, "bin", "java").is_file():
            raise JdkMissing(f"JAVA_HOME is {asked}, where there is no bin/java", hint=_INSTALL)
        return _checked(Path(asked).absolute())
    search = environ.get("PATH", "")
    found = next((path for name in ("jlink", "javac", "java") if (path := shutil.which(name, path=search))), "")
    if not found:
        raise JdkMissing("a jar needs a JDK to make its run time from, and there is none here", hint=_INSTALL)
    # /usr/bin/jlink is a link through /etc/alternatives to the JDK's own.
    return _checked(Path(found).resolve().parent.parent)


def _checked(home: Path) -> Jdk:
    jdk = _described(home)
    if jdk.feature < 9:
        raise JdkMissing(f"{home} is Java {jdk.version}, which has no modules and no jlink", hint=_INSTALL)
    lacks = [name for name in ("java", "jdeps", "jlink", "jimage") if not Path(home, "bin", name).is_file()]
    if lacks:
        raise JdkMissing(f"{home} is a run time without {', '.join(lacks)}, not a whole JDK", hint=_INSTALL)
    if not jdk.has_jmods and jdk.feature < 24:
        raise JdkMissing(f"{home} has no jmods folder, which jlink copies modules from", hint=_INSTALL)
    return jdk


def _described(home: Path) -> Jdk:
    """Return what a JDK's own release file says. Raises JdkMissing."""
    try:
        with (home / "release").open("rb") as stream:
            text = stream.read(_MOST_RELEASE_BYTES).decode("utf-8", "replace")
    except OSError as error:
        raise JdkMissing(f"{home} has no file `release`, so it is no JDK: {error.strerror}", hint=_INSTALL) from error
    words = release_words(text)
    version = words.get("JAVA_VERSION", "")
    return Jdk(
        home=str(home),
        version=version,
        feature=feature_of(version),
        vendor=words.get("IMPLEMENTOR", ""),
        modules=tuple(sorted(words.get("MODULES", "").split())),
        has_jmods=(home / "jmods" / "java.base.jmod").is_file(),
    )


def release_words(text: str) -> dict[str, str]:
    r"""Return what a release file says.

    >>> release_words('JAVA_VERSION="17.0.15"\nLIBC="gnu"\n')
    {'JAVA_VERSION': '17.0.15', 'LIBC': 'gnu'}
    """
    return dict(_WORD.findall(text))


def feature_of(version: str) -> int:
    """Return the number that people call a Java by; 0 where it is none.

    >>> feature_of("17.0.15"), feature_of("1.8.0_402"), feature_of("25")
    (17, 8, 25)
    """
    numbers = [int(one) for one in re.findall(r"[0-9]{1,6}", version)[:2]]
    return (numbers[1] if numbers[0] == 1 and len(numbers) > 1 else numbers[0]) if numbers else 0


def used_modules(jdk: Jdk, places: Sequence[Path], *, run: Run = run) -> dict[str, str]:
    """Return the JDK's modules that classes in folders use, each with the name of one folder whose classes do.

    Raises ToolFailed, ToolMissing, ToolTimedOut.
    """
    if not places:
        return {}
    command = [jdk.tool("jdeps"), "-s", *map(str, places)]
    return summary_modules(run(command, env=_PLAIN, timeout_s=_JDEPS_TIMEOUT_S).text)


def summary_modules(text: str) -> dict[str, str]:
    r"""Return the modules of a summary of jdeps, each with who uses it.

    >>> summary_modules("a.jar -> java.sql\na.jar -> not found\nb.jar -> java.sql\na.jar -> b.jar\n")
    {'java.sql': 'a.jar'}
    """
    found: dict[str, str] = {}
    for line in sorted(_SUMMARY.finditer(text), key=lambda one: (one["module"], one["by"])):
        found.setdefault(line["module"], Path(line["by"]).name)
    return found


def packages(jdk: Jdk, *, run: Run = run) -> dict[str, str]:
    """Return the module of every package the JDK has. Raises ToolFailed, ToolMissing, ToolTimedOut."""
    command = [jdk.tool("jimage"), "list", str(Path(jdk.home, "lib", "modules"))]
    return image_packages(run(command, env=_PLAIN, timeout_s=_SHORT_TIMEOUT_S).text)


def image_packages(text: str) -> dict[str, str]:
    r"""Return packages and their modules from what jimage lists.

    >>> image_packages("jimage: m\n\nModule: java.sql\n    java/sql/Array.class\n    module-info.class\n")
    {'java.sql': 'java.sql'}
    """
    found: dict[str, str] = {}
    module = ""
    for line in text.splitlines():
        if line.startswith("Module:"):
            module = line.partition(":")[2].strip()
        elif module and line.endswith(".class") and "/" in line:
            found.setdefault(line.strip().rpartition("/")[0].replace("/", "."), module)
    return found


def link(jdk: Jdk, modules: Sequence[str], target: Path, *, run: Run = run) -> None:
    """Write a run-time system with these modules and what they need to ``target``; the same bytes every time.

    Raises JdkMissing, ToolFailed, ToolMissing, ToolTimedOut.
    """
    # The layer is compressed as a whole, which is smaller, and nothing is inflated when classes are loaded.
    compress = "zip-0" if jdk.feature >= 21 else "0"
    command = [
        jdk.tool("jlink"),
        *(["--module-path", str(Path(jdk.home, "jmods"))] if jdk.has_jmods else []),
        # Sorted: the release file lists them in the order they were asked for.
        *("--add-modules", ",".join(sorted(modules))),
        *("--strip-debug", "--no-header-files", "--no-man-pages", f"--compress={compress}"),
        *("--output", str(target)),
    ]
    try:
        run(command, env=_PLAIN, timeout_s=_JLINK_TIMEOUT_S)
    except ToolFailed as error:
        if "jmods" in error.output or "module path" in error.output.lower():
            raise JdkMissing(f"jlink of {jdk.home} cannot link", output=error.output, hint=_INSTALL) from error
        raise
