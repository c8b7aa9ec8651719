"""What keeps unused methods alive in a Go program: who is responsible, by which chain, and what helps.

The linker leaves a method out unless it is called, can be called through an interface, or can be looked up by
reflection. The last it knows for certain as long as no reachable function calls ``reflect.Value.Method``,
``MethodByName`` with a name not known to the compiler, or their like of ``reflect.Type``; and as long as the program
cannot load plugins. One such function keeps every exported method of every type that is ever in an interface.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from importlib.resources import files

import msgspec

from proa.outside.go import version_key
from proa.outside.gobinary import package_of
from proa.records.evidence import Evidence
from proa.records.project import Main, Module, Package
from proa.records.tuning import Cause

STANDARD = "std"
ENTRIES: Mapping[str, tuple[str, ...]] = {
    "text/template": ("text/template.(*Template).Execute", "text/template.(*Template).ExecuteTemplate"),
    "html/template": ("html/template.(*Template).Execute", "html/template.(*Template).ExecuteTemplate"),
    "net/rpc": (
        "net/rpc.Register",
        "net/rpc.RegisterName",
        "net/rpc.(*Server).Register",
        "net/rpc.(*Server).RegisterName",
    ),
    "reflect": ("reflect.Value.Methods", "reflect.(*rtype).Methods"),
}
"""By which exported functions a package of the standard library comes to look methods up by a name not known
beforehand. Source: calls of Method and MethodByName in Go 1.21 to 1.26."""
ESTIMATE_RATIO = 1.8
"""Bytes of a shipped program per byte of machine code of methods kept: their types, names and tables go as well.
Measured on four programs: 1.54 to 1.87 (docs/decisions/0017-dead-code.md)."""


_LOOKUPS = frozenset({"reflect.Value.Method", "reflect.Value.MethodByName"})
_AT_VERSION = re.compile(r"@[^/]*")
_INIT = re.compile(r"(?:map\.)?init(?:\.[0-9]+)?")


class Owners:
    """Which package and module a symbol of one program belongs to."""

    def __init__(self, main: Main, packages: Iterable[Package], modules: Iterable[Module]) -> None:
        self._main = main
        self._packages = {package.import_path: package for package in packages}
        self._folders = {package.directory: package for package in self._packages.values()}
        self._modules = {module.path: module for module in modules}

    def package(self, symbol: str) -> Package | None:
        """Return the package of a function; None for types, generated symbols and unknown packages."""
        path = package_of(symbol)
        return self._packages.get(self._main.import_path if path == "main" else path)

    def package_of_file(self, file: str) -> Package | None:
        """Return the package of a file as the compiler wrote it, a path or ``module@version/…/file.go``.

        A function literal that was inlined has the name of the function it was inlined into, and its own file.
        """
        folder = file.rpartition("/")[0]
        return self._folders.get(folder) or self._packages.get(_AT_VERSION.sub("", folder))

    def is_own(self, symbol: str) -> bool:
        """Say whether a function is of the program or a dependency rather than of the standard library."""
        package = self.package(symbol)
        return package is not None and not package.is_standard

    def module(self, package: Package | None) -> tuple[str, str]:
        """Return path and version of the module a package belongs to."""
        if package is None or package.is_standard:
            return STANDARD, ""
        module = self._modules.get(package.module)
        is_main = module is None or module.is_main
        if is_main and not self._main.module_version:
            return package.module or self._main.module, ""
        return package.module, package.module_version or (self._main.module_version if is_main else "")

    @property
    def main_module(self) -> str:
        """Return the path of the program's own module."""
        return self._main.module

    @property
    def paths(self) -> tuple[str, ...]:
        """Return the paths of all modules in the program."""
        return tuple(self._modules)

    def importers(self, path: str) -> tuple[Package, ...]:
        """Return the packages outside the standard library that import another."""
        return tuple(one for one in self._packages.values() if path in one.imports and not one.is_standard)

    def import_chain(self, path: str) -> tuple[str, ...]:
        """Return the shortest chain of imports from the main package to another; empty where there is none."""
        parents: dict[str, str] = {self._main.import_path: ""}
        queue = [self._main.import_path]
        for one in queue:
            for name in self._packages[one].imports if one in self._packages else ():
                if name not in parents:
                    parents[name] = one
                    queue.append(name)
        chain = [path] if path in parents else []
        while chain and parents[chain[-1]]:
            chain.append(parents[chain[-1]])
        return tuple(reversed(chain))


def trimmed(chain: Sequence[str]) -> tuple[str, ...]:
    """Return a chain from ``main.main`` or an init function on, function values by their functions' own names.

    >>> trimmed(("_rt0", "runtime.main", "runtime.main_main·f", "main.main", "main.f·f", "main.f"))
    ('main.main', 'main.f')
    """
    starts = [at for at, name in enumerate(chain) if name == "main.main" or is_init(name)]
    named = [name.removesuffix("·f") for name in chain[starts[0] if starts else 0 :]]
    return tuple(name for at, name in enumerate(named) if at == 0 or name != named[at - 1])


def asking(chain: tuple[str, ...]) -> tuple[str, ...]:
    """Return a chain to the function that looks a method up rather than to reflect's own.

    Before Go 1.22 the compiler marked those of ``reflect.Value`` instead of their callers; since Go 1.26 the function
    literals in reflect's iterators over methods are marked.

    >>> asking(("main.main", "main.call", "reflect.Value.MethodByName"))
    ('main.main', 'main.call')
    """
    if len(chain) > 2 and chain[-2].startswith("reflect.") and chain[-2].endswith(".Methods"):
        return chain[:-1]
    return chain[:-1] if len(chain) > 1 and chain[-1] in _LOOKUPS else chain


def is_init(symbol: str) -> bool:
    """Say whether a function sets variables or is an init function.

    >>> is_init("example.com/a.init.0"), is_init("example.com/a.initial"), is_init("example.com/a.init.0.func1")
    (True, False, False)
    """
    return _INIT.fullmatch(symbol.rpartition("/")[2].partition(".")[2]) is not None


def last_own(chain: Sequence[str], owners: Owners) -> int:
    """Return the place of the last symbol on a chain that is not of the standard library; -1 where all are."""
    return max((at for at, name in enumerate(chain) if owners.is_own(name)), default=-1)


def given_up(chain: Sequence[str], owners: Owners) -> tuple[str, ...]:
    """Return the packages of the standard library that a program must do without to be rid of the last symbol.

    They are those on the chain after the last symbol of the program's own that are known to look methods up.
    """
    tail = chain[last_own(chain, owners) + 1 :]
    found = dict.fromkeys(package_of(name) for name in tail)
    return tuple(path for path in found if path in ENTRIES)


def only_functions(package: str) -> frozenset[str]:
    """Return the only functions of a package to be given up; empty for all of it: a program can do without it."""
    return frozenset({"Methods"}) if package == "reflect" else frozenset()


def entries(packages: Collection[str]) -> tuple[str, ...]:
    """Return the exported functions by which these packages look methods up."""
    return tuple(name for path in packages for name in ENTRIES.get(path, ()))


def joined(head: Sequence[str], entry: str, known: Sequence[str]) -> tuple[str, ...]:
    """Return one chain of a way to an entry of the standard library and the linker's way on from there.

    >>> joined(["main.main"], "t.Execute", ["main.x", "t.execute", "t.walk"])
    ('main.main', 't.Execute', 't.execute', 't.walk')
    """
    path = package_of(entry)
    inner = [at for at, name in enumerate(known) if package_of(name) == path]
    if not known:
        return (*head, entry)
    if entry in known:
        inner = [known.index(entry) + 1]
    elif not inner:
        # Its package is not on that way: whatever it calls of the last one's package is.
        inner = [at for at, name in enumerate(known) if package_of(name) == package_of(known[-1])]
    return (*head, entry, *known[inner[0] :]) if inner else (*head, entry)


def cause_of(
    chain: tuple[str, ...],
    owners: Owners,
    *,
    evidence: Sequence[Evidence] = (),
    responsible: Package | None = None,
    modules: Collection[str] = (),
) -> Cause:
    """Return a cause for a chain; the module is that of the last symbol outside the standard library.

    ``responsible`` overrules that. ``modules`` are the paths of all in the program.
    """
    at = last_own(chain, owners)
    package = responsible or (owners.package(chain[at]) if at >= 0 else None)
    module, version = owners.module(package)
    return Cause(
        symbol=chain[-1],
        module=module,
        version=version,
        chain=chain,
        evidence=tuple(evidence),
        remedy=remedy(module, version, chain, modules, is_own=module == owners.main_module),
    )


class Remedy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry of ``data/remedies.toml``."""

    module: str
    source: str
    fixed_in: str = ""
    unless: str = ""
    tag: str = ""
    through: str = ""
    advice: str = ""


class _Remedies(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    remedy: tuple[Remedy, ...]


@lru_cache(maxsize=1)
def read_remedies() -> Mapping[str, Remedy]:
    """Return the known remedies by module.

    >>> read_remedies()["golang.org/x/net"].tag
    'grpcnotrace'
    """
    text = files("proa.tune").joinpath("data/remedies.toml").read_bytes()
    return {one.module: one for one in msgspec.toml.decode(text, type=_Remedies).remedy}


def remedy(module: str, version: str, chain: Sequence[str], modules: Collection[str], *, is_own: bool = False) -> str:
    """Return what helps, in one sentence: a newer version, a tag, or what to write instead."""
    known = read_remedies().get(module)
    if known is not None and known.fixed_in:
        unless = f" unless {known.unless}" if known.unless else ""
        if is_older(version, known.fixed_in):
            return f"go get {module}@{known.fixed_in} or later, which does without{unless}"
        return f"since {known.fixed_in} {module} does without{unless}: leave that call out"
    if known is not None and known.tag and known.through in modules:
        return f"build with the tag {known.tag}: {known.advice}"
    if known is not None and not known.tag:
        return known.advice
    # Only the user's own code is the user's to write otherwise.
    where = f"in {module}, or do without it: " if version and not is_own else ""
    return where + _advice(chain)


def is_older(version: str, than: str) -> bool:
    """Say whether a module's version is before another; an unknown one is.

    >>> is_older("v1.8.1", "v1.9.0"), is_older("v1.10.2", "v1.9.0"), is_older("v1.9.0-rc.1", "v1.9.0")
    (True, False, True)
    """
    plain, _, early = version.partition("-")
    key, least = version_key(plain.removeprefix("v")), version_key(than.removeprefix("v"))
    return key < least or (key == least and bool(early))


def _advice(chain: Sequence[str]) -> str:
    packages = {package_of(name) for name in chain}
    if "html/template" in packages or "text/template" in packages:
        return (
            "write the output without a template: code generated from it (github.com/a-h/templ, "
            "github.com/valyala/quicktemplate) or plain fmt and html.EscapeString"
        )
    if "net/rpc" in packages:
        return "net/rpc looks methods up when a receiver is registered: use HTTP handlers or generated code instead"
    if chain[-1].startswith("plugin"):
        return "do without package plugin (a process of its own with pipes or gRPC), or put its use behind a build tag"
    return (
        'name the method by a constant (MethodByName("Name")), call it through an interface, '
        "or keep a map from names to functions"
    )
