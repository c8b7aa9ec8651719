"""What a Java program of the image needs: the run-time system beside its launcher, class paths, manifests.

Class files and jars are not looked into for what they use: what the class path names is kept whole.
Source: java(1): -cp, -jar, @argfiles; JAR File Specification, Class-Path; JDK's release layout (JEP 220).
"""

from __future__ import annotations

import io
import posixpath
import re
import zipfile

from proa.slim.growth import Growth
from proa.slim.leftovers import is_left_out

_LAUNCHER = re.compile(r"/bin/java$|/lib(?:/server|/client)?/libjvm\.so$|/lib(?:/[a-z0-9]+)?/server/libjvm\.so$")
_NOT_RUN = re.compile(
    r"/(?:jmods|include|man|demo|sample|legal|docs)(?:/|$)|/(?:src\.zip|lib/src\.zip|lib/ct\.sym|README|NOTICE|THIRD_PARTY_README)$"
    r"|/lib/libjawt\.so$(?<!.)|/bin/(?!java$|keytool$|rmiregistry$|jspawnhelper$)[^/]+$"
)
_MOST_JAR_BYTES = 512 << 20
_MOST_MANIFEST_BYTES = 1 << 20


def follow_java(growth: Growth, path: str) -> None:
    """Keep what a kept launcher, jar or argument file of Java needs."""
    if _LAUNCHER.search(path):
        _keep_home(growth, _home(path), path)
    if path.endswith((".jar", ".war", ".ear")):
        _follow_jar(growth, path)


def keep_class_paths(growth: Growth) -> None:
    """Keep what ``-cp``, ``CLASSPATH`` and argument files name, wildcards among them."""
    for word in (*growth.command_words, *growth.environment.values()):
        for part in word.split(":"):
            _keep_entry(growth, posixpath.join(growth.directory, part), "the class path names it")
        if word.startswith("@"):
            file = posixpath.join(growth.directory, word[1:])
            growth.keep(file, "entrypoint", "the command names it as a file of arguments")
            for one in re.split(r"[\s:\"']+", growth.tree.text(file)):
                if "/" in one or one.endswith((".jar", "*")):
                    _keep_entry(growth, posixpath.join(growth.directory, one), f"{file} names it")


def _keep_entry(growth: Growth, path: str, because: str) -> None:
    if path.endswith("/*"):
        for name, place in growth.tree.names(path[:-2]).items():
            if name.lower().endswith(".jar"):
                growth.keep(place, "module", because)
    elif path.endswith((".jar", ".war", ".jmod", ".zip")):
        growth.keep(path, "module", because)


def _home(path: str) -> str:
    head, found, _ = path.rpartition("/bin/java")
    return head if found else path[: path.rindex("/lib/")]


def _keep_home(growth: Growth, home: str, by: str) -> None:
    """Keep a run-time system: all of it but what builds programs and what is for people."""
    tree = growth.tree
    if not (
        tree.is_file(f"{home}/lib/modules") or tree.is_file(f"{home}/lib/rt.jar") or tree.is_file(f"{home}/lib/jvm.cfg")
    ):
        return
    if not growth.once("java home", home):
        return
    because = f"the run-time system of {by}"
    for path in tree.below(home):
        if not _NOT_RUN.search(path[len(home) :]) and not is_left_out(path):
            growth.keep(path, "module", because)
    # Debian's links lead from there to /etc/java-17-openjdk and back.
    for name, place in tree.names("/etc").items():
        if name.startswith("java-") and name.replace("openjdk", "").strip("-") in home.replace("openjdk", ""):
            growth.keep_below(place, "configuration", f"{by} reads it")
    for path in ("/etc/ssl/certs/java", "/etc/.java", "/usr/share/java/java-atk-wrapper.jar"):
        growth.keep_below(path, "certificates", f"{by} reads it")
    _keep_fonts(growth, home)


def _keep_fonts(growth: Growth, home: str) -> None:
    """Keep the settings of fonts where the run-time system can draw; fonts themselves are what the author installed."""
    if not any(name.startswith("libfontmanager") for name in growth.tree.names(f"{home}/lib")):
        return
    for folder in (
        "/etc/fonts",
        "/usr/share/fontconfig",
        "/usr/share/fonts",
        "/var/cache/fontconfig",
        "/usr/share/X11/fonts",
    ):
        growth.keep_below(folder, "unsure", f"Java in {home} can draw text")


def _follow_jar(growth: Growth, path: str) -> None:
    """Keep the jars that a jar's manifest names."""
    for name in _class_path(growth, path):
        place = posixpath.normpath(posixpath.join(posixpath.dirname(path), name.removeprefix("file:")))
        if growth.tree.is_folder(place):
            growth.keep_below(place, "module", f"the manifest of {path} names it")
        else:
            growth.keep(place, "module", f"the manifest of {path} names it")


def _class_path(growth: Growth, path: str) -> list[str]:
    if not 0 < growth.tree.entries[path].bytes <= _MOST_JAR_BYTES:
        return []
    try:
        with zipfile.ZipFile(growth.tree.here(path)) as jar, jar.open("META-INF/MANIFEST.MF") as manifest:
            text = manifest.read(_MOST_MANIFEST_BYTES).decode("utf-8", "replace")
    except (KeyError, OSError, ValueError, RuntimeError, NotImplementedError, EOFError, zipfile.BadZipFile):
        return []
    return manifest_class_path(text)


def manifest_class_path(text: str) -> list[str]:
    r"""Return the class path of a manifest: lines of 72 bytes are continued by a space.

    >>> manifest_class_path("Manifest-Version: 1.0\r\nClass-Path: lib/a.jar li\r\n b/b.jar\r\n")
    ['lib/a.jar', 'lib/b.jar']
    """
    joined = re.sub(r"\r?\n ", "", text)
    for line in io.StringIO(joined):
        name, _, value = line.partition(":")
        if name.strip().lower() == "class-path":
            return value.split()[:10_000]
    return []
