"""Who is responsible for kept methods, by which chain, and what helps."""

from __future__ import annotations

import pytest

from proa.records.project import Main, Module, Package
from proa.tune import deadcode
from proa.tune.deadcode import Owners

MAIN = Main(name="shop", import_path="a.org/shop/cmd/shop", directory="/p/cmd/shop", module="a.org/shop")
PACKAGES = (
    Package(import_path="text/template", directory="/go/src/text/template", is_standard=True),
    Package(
        import_path="html/template", directory="/go/src/html/template", is_standard=True, imports=("text/template",)
    ),
    Package(
        import_path="github.com/spf13/cobra",
        directory="/cache/github.com/spf13/cobra@v1.8.0",
        module="github.com/spf13/cobra",
        module_version="v1.8.0",
        imports=("text/template",),
    ),
    Package(
        import_path="a.org/shop/page", directory="/p/page", module="a.org/shop", imports=("github.com/spf13/cobra",)
    ),
    Package(
        import_path="a.org/shop/cmd/shop", directory="/p/cmd/shop", module="a.org/shop", imports=("a.org/shop/page",)
    ),
)
MODULES = (
    Module(path="a.org/shop", is_main=True, directory="/p"),
    Module(path="github.com/spf13/cobra", version="v1.8.0"),
)
OWNERS = Owners(MAIN, PACKAGES, MODULES)
CHAIN = (
    "main.main",
    "github.com/spf13/cobra.tmpl",
    "text/template.(*Template).execute",
    "text/template.(*state).evalField",
)


def test_the_last_module_before_the_standard_library_is_responsible() -> None:
    cause = deadcode.cause_of(CHAIN, OWNERS)
    assert (cause.symbol, cause.module, cause.version) == (CHAIN[-1], "github.com/spf13/cobra", "v1.8.0")
    assert cause.remedy.startswith("go get github.com/spf13/cobra@v1.9.0 or later")


def test_own_code_counts_as_the_main_module() -> None:
    cause = deadcode.cause_of(("main.main", "a.org/shop/page.call"), OWNERS)
    assert (cause.module, cause.version) == ("a.org/shop", "")
    assert cause.remedy.startswith("name the method by a constant")


def test_a_chain_of_the_standard_library_alone_is_nobodys() -> None:
    assert deadcode.cause_of(("net/rpc.init",), OWNERS).module == "std"


def test_a_literal_that_was_inlined_belongs_to_the_module_of_its_file() -> None:
    package = OWNERS.package_of_file("github.com/spf13/cobra@v1.8.0/cobra.go")
    assert package is not None
    assert package.import_path == "github.com/spf13/cobra"
    assert OWNERS.package_of_file("/p/page/page.go") is PACKAGES[3]
    assert OWNERS.package_of_file("") is None


def test_packages_on_the_way_are_given_up_and_no_others() -> None:
    chain = ("main.main", "fmt.Fprint", "main.show", "html/template.(*Template).Execute", *CHAIN[2:])
    assert deadcode.given_up(chain, OWNERS) == ("html/template", "text/template")
    assert deadcode.given_up(("main.main", "fmt.Fprint"), OWNERS) == ()


def test_the_way_to_a_package_is_the_shortest_chain_of_imports() -> None:
    assert OWNERS.import_chain("github.com/spf13/cobra") == (
        "a.org/shop/cmd/shop",
        "a.org/shop/page",
        "github.com/spf13/cobra",
    )
    assert OWNERS.import_chain("plugin") == ()


@pytest.mark.parametrize(
    ("module", "version", "modules", "said"),
    [
        pytest.param("github.com/spf13/cobra", "v1.8.1", (), "go get", id="an older version is raised"),
        pytest.param(
            "github.com/spf13/cobra", "v1.10.2", (), "leave that call out", id="a newer one is called wrongly"
        ),
        pytest.param("go.uber.org/dig", "v1.18.0", (), "go get go.uber.org/dig@v1.18.1", id="dig"),
        pytest.param("golang.org/x/net", "v0.1.0", ("google.golang.org/grpc",), "tag grpcnotrace", id="grpc's trace"),
        pytest.param("golang.org/x/net", "v0.1.0", (), "without a template", id="trace without grpc"),
        pytest.param("github.com/alecthomas/kingpin/v2", "v2.4.0", (), "no version of kingpin", id="kingpin"),
        pytest.param("b.org/c", "v1.0.0", (), "in b.org/c, or do without it", id="somebody else's code"),
    ],
)
def test_remedies(module: str, version: str, modules: tuple[str, ...], said: str) -> None:
    assert said in deadcode.remedy(module, version, CHAIN, modules)


def test_every_remedy_says_something_and_where_it_can_be_read() -> None:
    for one in deadcode.read_remedies().values():
        assert one.fixed_in or one.advice
        assert one.source.startswith("https://")


def test_chains_are_joined_at_the_entry_the_program_uses() -> None:
    known = ("main.main", "a.org/shop/page.old", *CHAIN[2:])
    entry = "html/template.(*Template).ExecuteTemplate"
    assert deadcode.joined(["main.main", "main.show"], entry, known) == ("main.main", "main.show", entry, *CHAIN[2:])
    assert deadcode.joined(["main.main"], "net/rpc.Register", ()) == ("main.main", "net/rpc.Register")
