"""What a Python interpreter of the image and the program it runs need.

The standard library is kept without its tests and tools for people. Of installed distributions those are kept that
something kept imports, names or requires; each as a whole. Imports are found by their words, not by running anything,
so one within a comment counts as well.
Source: PEP 376 (RECORD), PEP 566 (METADATA), PEP 405 (pyvenv.cfg); the site module.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

import msgspec

from proa.slim.environments import is_dependency
from proa.slim.growth import Growth
from proa.slim.leftovers import is_left_out
from proa.slim.tree import Tree

_INTERPRETER = re.compile(r"/(?:python|pypy)(?:3(?:\.\d+)?)?$|/libpython3(?:\.\d+)?\.so[.0-9]*$")
_LIBRARY = re.compile(r"^(?P<folder>.*/(?:python|pypy)3(?:\.\d+)?)/os\.py$")
_NOT_RUN = re.compile(
    r"/(?:(?:test|idlelib|turtledemo|ensurepip|lib2to3/tests|distutils/tests|unittest/test|sqlite3/test|ctypes/test"
    r"|tkinter/test|config-3[^/]*)(?:/|$)|turtle\.py$|LICENSE\.txt$|pydoc_data/topics\.py$)"
)
_IMPORTS = re.compile(
    rb"(?:^|[;:\n])[ \t]*(?:from[ \t]+([\w.]+)[ \t]+import|import[ \t]+([\w.]+(?:[ \t]+as[ \t]+\w+)?"
    rb"(?:[ \t]*,[ \t]*[\w.]+"
    rb"(?:[ \t]+as[ \t]+\w+)?)*))"
)
_BY_NAME = re.compile(rb"(?:import_module|__import__|find_spec|importorskip|entry_points|run_module)\(\s*[\"']([\w.]+)")
_RUNS = re.compile(
    rb"(?:run|Popen|call|check_call|check_output|getoutput|getstatusoutput|system|popen|which|exec[lv]p?e?"
    rb"|spawn[lv]p?e?"
    rb"|create_subprocess_(?:exec|shell)|run_process|startfile)\(\s*(?:f|r)?[\[(]?\s*(?:f|r)?[\"']([^\"'\n]{1,200})"
)
_STRINGS = re.compile(rb"[\"']([A-Za-z_][\w.+:/-]{1,80})[\"']")
_MOST_SOURCE_BYTES = 4 << 20
_REQUIRES = re.compile(r"^Requires-Dist:\s*([A-Za-z0-9][A-Za-z0-9._-]*)", re.MULTILINE)


class Distribution(msgspec.Struct, frozen=True, kw_only=True):
    """One installed distribution in one folder."""

    name: str
    """Normalised: ``typing-extensions``."""
    site: str
    files: tuple[str, ...]
    modules: tuple[str, ...]
    """Names that can be imported."""
    requires: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    """Of its entry points: what others find it by."""


def normal(name: str) -> str:
    """Return a distribution's name as it is compared.

    >>> normal("Typing_Extensions")
    'typing-extensions'
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def follow_python(growth: Growth, path: str) -> None:
    """Keep what a kept interpreter or source file needs."""
    if _INTERPRETER.search(path):
        _keep_standard_library(growth, path)
        if growth.once("python"):
            _keep_started(growth)
    if path.endswith(".py") or _is_python_script(growth.tree, path):
        _follow_source(growth, path)
    if path.endswith("/pyvenv.cfg"):
        _keep_environment(growth, path)


def _is_python_script(tree: Tree, path: str) -> bool:
    entry = tree.entries[path]
    return entry.is_executable and b"python" in tree.read(path, 128).split(b"\n", 1)[0] and tree.read(path, 2) == b"#!"


# The interpreter


def _keep_standard_library(growth: Growth, path: str) -> None:
    """Keep the library beside an interpreter; all of them where it does not say which."""
    prefix = path.partition("/bin/")[0] if "/bin/" in path else path.partition("/lib/")[0]
    version = re.search(r"3\.\d+", posixpath.basename(path))
    for folder in _libraries(growth.tree):
        is_its = folder.startswith(f"{prefix}/lib") and (version is None or folder.endswith(version[0]))
        if is_its and growth.once("python library", folder):
            for below in growth.tree.below(folder):
                if not is_dependency(below) and not _is_not_run(growth, below, folder):
                    growth.keep(below, "module", f"the standard library of {path}")
    zipped = f"{prefix}/lib/python{(version[0] if version else '3').replace('.', '')}.zip"
    growth.keep(zipped, "module", f"the standard library of {path}")
    _keep_loose(growth)
    growth.keep(f"{prefix}/pyvenv.cfg", "configuration", f"{path} reads it")
    for name, place in growth.tree.names("/etc").items():
        if name.startswith("python3"):
            growth.keep_below(place, "configuration", f"{path} reads it")


def _has_tk(growth: Growth) -> bool:
    """Say whether the image has Tk, without which none of its modules can be imported."""
    found = growth.memory.get("tk")
    if found is None:
        names = (path.rpartition("/")[2] for path in growth.tree.paths)
        found = growth.memory["tk"] = any(name.startswith("libtk") and ".so" in name for name in names)
    return bool(found)


def _libraries(tree: Tree) -> list[str]:
    return [match["folder"] for path in tree.paths if path.endswith("/os.py") and (match := _LIBRARY.match(path))]


def _is_not_run(growth: Growth, path: str, folder: str) -> bool:
    inner = path[len(folder) :]
    if is_left_out(path) or _NOT_RUN.match(inner) or inner.endswith((".a", ".o", ".la")):
        return True
    if inner.startswith(("/tkinter", "/lib-dynload/_tkinter")):
        return not _has_tk(growth)
    if "/__pycache__/" in inner:
        return _NOT_RUN.match(inner.replace("/__pycache__", "")) is not None
    return False


# Distributions


class Distributions:
    """The distributions of an image, found once."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self.sites = [path for path in tree.paths if path.endswith(("/site-packages", "/dist-packages"))]
        self.sites = [path for path in self.sites if tree.entries[path].kind == "folder"]
        self.all = [one for site in self.sites for one in self._in(site)]
        self.by_name: dict[str, list[Distribution]] = {}
        self.by_module: dict[str, list[Distribution]] = {}
        self.of_file: dict[str, Distribution] = {}
        for one in self.all:
            self.by_name.setdefault(one.name, []).append(one)
            for module in one.modules:
                self.by_module.setdefault(module, []).append(one)
            for path in one.files:
                self.of_file.setdefault(path, one)

    def _in(self, site: str) -> Iterator[Distribution]:
        for name, path in self._tree.names(site).items():
            if name.endswith((".dist-info", ".egg-info", ".egg-link")):
                yield self._read(site, name, path)

    def _read(self, site: str, name: str, path: str) -> Distribution:
        is_folder = self._tree.is_folder(path)
        record = self._tree.text(f"{path}/RECORD", 16 << 20) if is_folder else ""
        described = self._tree.text(f"{path}/METADATA" if is_folder else path) or self._tree.text(f"{path}/PKG-INFO")
        own = re.search(r"^Name:\s*(\S+)", described, re.MULTILINE)
        title = own[1] if own else name.rpartition(".")[0].split("-")[0]
        files = [posixpath.normpath(f"{site}/{line.rsplit(',', 2)[0].strip(chr(34))}") for line in record.splitlines()]
        top = self._tree.text(f"{path}/top_level.txt").split() if is_folder else []
        modules = {_module(one[len(site) + 1 :]) for one in files if one.startswith(f"{site}/")} | set(top)
        if not files:
            modules |= {title, title.replace("-", "_"), title.lower().replace("-", "_"), title.removeprefix("python-")}
            listed = [one for module in sorted(modules) for one in self._of_module(site, module)]
            files = [*listed, path, *self._tree.below(path)]
        found = tuple(one for one in dict.fromkeys(files) if one in self._tree.entries)
        groups = (
            re.findall(r"^\[([^\]]+)\]", self._tree.text(f"{path}/entry_points.txt"), re.MULTILINE) if is_folder else []
        )
        return Distribution(
            name=normal(title),
            site=site,
            files=found,
            modules=tuple(sorted(modules - {"", "__pycache__", ".."})),
            requires=tuple(normal(word) for word in _REQUIRES.findall(described.partition("\n\n")[0])),
            groups=tuple(one for one in groups if one not in ("console_scripts", "gui_scripts")),
        )

    def _of_module(self, site: str, module: str) -> Iterator[str]:
        for name, path in self._tree.names(site).items():
            if name == module or name.split(".")[0] == module:
                yield path
                yield from self._tree.below(path)


def _module(path: str) -> str:
    first, _, rest = path.partition("/")
    if first.endswith((".dist-info", ".egg-info", ".data", ".pth")):
        return ""
    return first if rest else first.partition(".")[0]


def distributions(growth: Growth) -> Distributions:
    """Return the image's distributions; read when first asked for."""
    found = growth.memory.get("python")
    if not isinstance(found, Distributions):
        found = growth.memory["python"] = Distributions(growth.tree)
    return found


def _keep_started(growth: Growth) -> None:
    """Keep modules that the image's words name: ``-m NAME``, ``app.main:app``, ``DJANGO_SETTINGS_MODULE``."""
    for word in (*growth.command_words, *growth.environment.values()):
        for part in re.split(r"[^\w.]+", word):
            _keep_module(growth, part.split(".")[0], "the image's command or environment names it")


def _keep_module(growth: Growth, name: str, because: str) -> None:
    for one in distributions(growth).by_module.get(name, ()):
        keep_distribution(growth, one, because)


def keep_distribution(growth: Growth, one: Distribution, because: str) -> None:
    """Keep a distribution as a whole, and those it requires that are installed."""
    if not growth.once("distribution", f"{one.site} {one.name}"):
        return
    for path in one.files:
        if not path.endswith((".opt-1.pyc", ".opt-2.pyc")):
            growth.keep(path, "module", because)
            _keep_compiled(growth, path, because)
    for wanted in one.requires:
        for other in distributions(growth).by_name.get(wanted, ()):
            keep_distribution(growth, other, f"{one.name} requires it")


def _keep_compiled(growth: Growth, path: str, because: str) -> None:
    """Keep what Python made of a source file: without it, it starts slower wherever it cannot write."""
    if not path.endswith(".py"):
        return
    folder, _, name = path.rpartition("/")
    for found, place in growth.tree.names(f"{folder}/__pycache__").items():
        if found.startswith(f"{name[:-3]}.") and ".opt-" not in found:
            growth.keep(place, "module", because)


def _keep_loose(growth: Growth) -> None:
    """Keep files of a site folder that no distribution lists, and what starts with the interpreter (``.pth``)."""
    known = distributions(growth)
    for site in known.sites:
        if not growth.once("loose", site):
            continue
        for path in growth.tree.below(site):
            name = posixpath.basename(path)
            is_top = posixpath.dirname(path) == site
            if (is_top and name.endswith(".pth")) or name in ("sitecustomize.py", "usercustomize.py"):
                growth.keep(path, "module", "the interpreter reads it when it starts")
            elif path not in known.of_file and growth.packages.owner(path) is None and not _belongs(known, site, path):
                growth.keep(path, "unsure", "no distribution says that it is its own")


def is_of_distribution(growth: Growth, path: str) -> bool:
    """Say whether a file was put there by a distribution: a command of it, data."""
    if re.search(r"/bin/(?:pip[0-9.]*|easy_install[-0-9.]*|wheel|idle[0-9.]*|pydoc[0-9.]*|2to3[-0-9.]*)$", path):
        return True
    return path in distributions(growth).of_file


def _belongs(known: Distributions, site: str, path: str) -> bool:
    """Say whether a path is below a module that a distribution has."""
    if "/__pycache__" in path or ".dist-info" in path or ".egg-info" in path:
        return True
    first = path[len(site) + 1 :].partition("/")[0]
    return first.partition(".")[0] in known.by_module or first in known.by_module or first.endswith("-info")


def _keep_environment(growth: Growth, path: str) -> None:
    """Keep what a virtual environment is made from."""
    for line in growth.tree.text(path).splitlines():
        name, _, value = line.partition("=")
        if name.strip() in ("home", "executable") and value.strip().startswith("/"):
            for program in ("python3", "python"):
                growth.keep(posixpath.join(value.strip(), program), "interpreter", f"{path} names it")


# Sources


def _follow_source(growth: Growth, path: str) -> None:
    """Keep what a source file imports, names, and runs."""
    text = growth.tree.read(path, _MOST_SOURCE_BYTES)
    names = set()
    for match in _IMPORTS.finditer(text):
        for word in (match[1] or match[2] or b"").split(b","):
            names.add(word.split()[0].split(b".")[0] if word.split() else b"")
    names |= {match.split(b".")[0] for match in _BY_NAME.findall(text)}
    known = distributions(growth)
    is_own = not is_dependency(path) and not growth.packages.owner(path)
    if is_own:
        # What is loaded by name is often only named: "gevent", "postgresql+psycopg2://".
        for found in _STRINGS.findall(text):
            names |= {part for part in re.split(rb"[^\w]", found) if part}
    for name in sorted(names):
        for one in known.by_module.get(name.decode("utf-8", "surrogateescape"), ()):
            if path not in one.files:
                keep_distribution(growth, one, f"{path} imports or names {name.decode('utf-8', 'replace')}")
    if is_own:
        from proa.slim.start import keep_words
        from proa.slim.words import words

        for found in _RUNS.findall(text):
            keep_words(growth, words(found.decode("utf-8", "surrogateescape")), "reference", f"{path} runs it")
