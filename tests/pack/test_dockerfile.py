"""The Dockerfile: golden files, to be read as a reviewer would."""

from __future__ import annotations

import msgspec
import pytest

from proa.errors import WrongConfiguration, WrongUsage
from proa.pack import dockerfile
from proa.records.configuration import AssetFile, BuildSettings, ImageSettings
from proa.records.evidence import Need, Needs

KINDS = ("certificates", "zones", "users", "tmp", "mime")


def test_a_program_alone(project, golden) -> None:
    golden("alone.dockerfile", dockerfile(project, Needs(), ImageSettings()))


def test_a_program_with_everything(project, tree, golden) -> None:
    (tree / "cmd/shop/kodata").mkdir()
    needs = Needs(
        needs=(
            *(Need(kind=kind, reason=f"main.run needs {kind} (main.go:7)") for kind in KINDS),
            Need(kind="file", what="templates", reason="main.load opens it"),
        )
    )
    settings = ImageSettings(
        args=("--say", 'it "loud"'),
        env={"PRICE": '$5 "net"'},
        files=(AssetFile(source="run.sh", target="/bin/", mode="0755", owner="1:2"),),
        ports=("8080", "53/udp"),
        user="10001",
    )
    build = BuildSettings(
        strip="all", tags=("netgo", "prod"), ldflags=("-X main.version=1",), env={"GOEXPERIMENT": "x"}
    )
    golden("everything.dockerfile", dockerfile(project, needs, settings, build=build))


def test_one_zone_on_a_given_base(project, golden) -> None:
    needs = Needs(needs=(Need(kind="zones", what="Europe/Paris", reason="main.when loads it"),))
    golden("base.dockerfile", dockerfile(project, needs, ImageSettings(base="docker://debian:12-slim")))


def test_a_module_version_is_fetched_not_copied(project, golden) -> None:
    main = msgspec.structs.replace(project.main, module_version="v2.26.0", import_path="example.com/bin/v2/cmd/bin")
    golden("version.dockerfile", dockerfile(msgspec.structs.replace(project, main=main), Needs(), ImageSettings()))


def test_what_a_dockerfile_cannot_say_is_an_error(project) -> None:
    with pytest.raises(WrongConfiguration, match="line break"):
        dockerfile(project, Needs(), ImageSettings(env={"A": "1\n2"}))
    with pytest.raises(WrongUsage, match="not a number"):
        dockerfile(project, Needs(), ImageSettings(user="app"))
