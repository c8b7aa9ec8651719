"""Go: go.mod, go.work, the module cache, and the tool chain that answers. Source: https://go.dev/ref/mod."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from proa.analyze.environment.found import Dependency, Found, Names, at, framework, limited
from proa.outside.gomod import parse_mod
from proa.outside.projecttree import Tree
from proa.records.environment import Framework, Version
from proa.records.evidence import Evidence
from proa.records.project import Module, Package

NAMES: Names = {
    "github.com/gin-gonic/gin": ("gin", "web"),
    "github.com/labstack/echo": ("echo", "web"),
    "github.com/gofiber/fiber": ("fiber", "web"),
    "github.com/go-chi/chi": ("chi", "web"),
    "github.com/gorilla/mux": ("gorilla/mux", "web"),
    "github.com/gorilla/websocket": ("gorilla/websocket", "web"),
    "github.com/julienschmidt/httprouter": ("httprouter", "web"),
    "github.com/valyala/fasthttp": ("fasthttp", "web"),
    "github.com/beego/beego": ("Beego", "web"),
    "github.com/gobuffalo/buffalo": ("Buffalo", "application"),
    "github.com/go-kit/kit": ("Go kit", "application"),
    "github.com/go-kratos/kratos": ("Kratos", "application"),
    "go.uber.org/fx": ("Fx", "application"),
    "google.golang.org/grpc": ("gRPC", "rpc"),
    "connectrpc.com/connect": ("Connect", "rpc"),
    "github.com/twitchtv/twirp": ("Twirp", "rpc"),
    "github.com/99designs/gqlgen": ("gqlgen", "rpc"),
    "gorm.io/gorm": ("GORM", "data"),
    "github.com/jackc/pgx": ("pgx", "data"),
    "github.com/jmoiron/sqlx": ("sqlx", "data"),
    "entgo.io/ent": ("ent", "data"),
    "github.com/redis/go-redis": ("go-redis", "data"),
    "github.com/spf13/cobra": ("Cobra", "other"),
    "github.com/spf13/viper": ("Viper", "other"),
    "github.com/alecthomas/kong": ("kong", "other"),
    "github.com/urfave/cli": ("urfave/cli", "other"),
    "github.com/stretchr/testify": ("Testify", "test"),
}
_MAJOR = re.compile(r"/v\d+$")


def read_go(tree: Tree, *, toolchain: str, modules: Sequence[Module] = (), packages: Sequence[Package] = ()) -> Found:
    """Return what the tree's go.mod files say; of a listed program also what was chosen and what it imports.

    ``toolchain`` is the version that answers here, empty where none does.
    """
    names, found = limited(tree.names("go.mod"), "go.mod files")
    chosen = {module.path: module for module in modules}
    for name in names:
        text = tree.text(name)
        mod = parse_mod(text)
        where = [at(text, name, "\ngo ") if "\ngo " in text else Evidence(file=name, line=1)]
        if mod.go:
            where = [Evidence(file=name, line=_line(text, "go"))]
        if mod.toolchain:
            where.append(Evidence(file=name, line=_line(text, "toolchain")))
        version = Version(
            name="go",
            ecosystem="go",
            declared=mod.go,
            locked=mod.toolchain.removeprefix("go"),
            installed=toolchain.removeprefix("go"),
            where=tuple(where),
        )
        indirect = _indirect(text)
        dependencies = [
            _dependency(path, required, at(text, name, f"{path} "), chosen)
            for path, required in mod.requires
            if path not in indirect or path in chosen
        ]
        found += Found(
            versions=(version,),
            frameworks=tuple(
                one for each in dependencies if (one := _framework(each)) and each.package not in indirect
            ),
        )
    if standard := _standard(packages, toolchain):
        found += Found(frameworks=(standard,))
    return found


def _line(text: str, verb: str) -> int:
    match = re.search(rf"^{verb}\s", text, re.MULTILINE)
    return text.count("\n", 0, match.start()) + 1 if match else 1


def _indirect(text: str) -> frozenset[str]:
    """Return the modules the project does not import itself: go mod tidy marks them."""
    found = (
        line.replace("require ", "", 1).split() for line in text.splitlines() if line.rstrip().endswith("// indirect")
    )
    return frozenset(words[0] for words in found if words)


def _dependency(path: str, required: str, where: Evidence, chosen: Mapping[str, Module]) -> Dependency:
    module = chosen.get(path)
    is_here = module is not None and bool(module.directory) and Path(module.directory).is_dir()
    return Dependency(
        package=path,
        declared=required,
        # go.mod is its own lock: the version chosen for the build is the highest that anything in it requires.
        locked=module.version if module is not None else required,
        installed=module.version if module is not None and is_here else "",
        where=where,
    )


def _framework(one: Dependency) -> Framework | None:
    found = framework(_without_major(one), NAMES, "go")
    if found is None:
        return None
    return Framework(
        name=found.name,
        package=one.package,
        ecosystem="go",
        role=found.role,
        declared=one.declared,
        locked=one.locked,
        installed=one.installed,
        where=(one.where,),
    )


def _without_major(one: Dependency) -> Dependency:
    return Dependency(package=_MAJOR.sub("", one.package), where=one.where)


def _standard(packages: Sequence[Package], toolchain: str) -> Framework | None:
    """Return net/http where the program's own packages import it."""
    importer = next((one for one in packages if one.is_local and "net/http" in one.imports), None)
    if importer is None:
        return None
    version = toolchain.removeprefix("go")
    return Framework(
        name="net/http",
        package="net/http",
        ecosystem="go",
        locked=version,
        installed=version,
        where=(Evidence(package=importer.import_path),),
    )
