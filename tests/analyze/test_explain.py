"""Every fact has a name, a place and what it decides."""

from __future__ import annotations

import pytest

from proa.analyze.explain import explain
from proa.errors import WrongUsage
from proa.records.analysis import Analysis
from proa.records.contract import Variable
from proa.records.environment import Version
from proa.records.evidence import Evidence
from proa.records.preflight import Service
from proa.records.project import Main, Port, Project, Route

PROJECT = Project(
    main=Main(name="a", import_path="x/a", directory="/a", module="x"),
    go_version="1.26",
    toolchain="go1.26.8",
    packages=(),
    modules=(),
    ports=(Port(number=8080, evidence=Evidence(file="main.go", line=3)),),
    routes=(
        Route(path="/", evidence=Evidence(file="main.go", line=4)),
        Route(path="/healthz", is_health=True, evidence=Evidence(file="main.go", line=5)),
    ),
)
ANALYSIS = Analysis(
    name="x/a",
    project=PROJECT,
    environment=(Version(name="go", ecosystem="go", declared="1.26", where=(Evidence(file="go.mod", line=2),)),),
    services=(Service(name="DATABASE_URL", kind="postgres", address="db:5432"),),
    variables=(
        Variable(name="PORT", default="8080", where=(Evidence(file="main.go", line=3),)),
        Variable(name="DATABASE_URL", is_secret=True, default="postgres://u:hunter2@db/x"),
    ),
)


def test_the_word_port_means_the_port_and_a_variables_name_the_variable() -> None:
    assert [(one.fact, str(one.where[0])) for one in explain(ANALYSIS, "port")] == [("ports.8080", "main.go:3")]
    assert [one.fact for one in explain(ANALYSIS, "PORT")] == ["variables.PORT"]


def test_a_variable_that_names_a_service_is_both() -> None:
    facts = {one.fact: one for one in explain(ANALYSIS, "DATABASE_URL")}
    assert set(facts) == {"services.DATABASE_URL", "variables.DATABASE_URL"}
    assert "preflight: its value is the address that is contacted" in facts["variables.DATABASE_URL"].decides
    assert "hunter2" not in repr(facts)


def test_only_a_health_route_is_asked_first() -> None:
    assert [one.fact for one in explain(ANALYSIS, "health")] == ["routes./healthz"]
    assert len(explain(ANALYSIS, "routes")) == 2


@pytest.mark.parametrize("name", ["go", "environment.go", "environment", "Go"])
def test_a_version_goes_by_several_names(name: str) -> None:
    found = explain(ANALYSIS, name)
    assert [one.fact for one in found] == ["environment.go"]
    assert found[0].decides[0] == "build: go1.26.8 is used, the nearest tool chain that go.mod allows"


def test_an_unknown_fact_is_told_with_the_nearest() -> None:
    with pytest.raises(WrongUsage) as caught:
        explain(ANALYSIS, "DATABASE_URI")
    assert caught.value.hint == "did you mean DATABASE_URL?"
