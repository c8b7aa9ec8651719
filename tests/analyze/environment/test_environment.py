"""Versions declared, locked and installed, of five ecosystems, from files alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from proa.analyze.environment import Known, read_environment
from proa.analyze.environment.found import Found
from proa.outside.projecttree import read_tree

NODE_LOCK = '{"lockfileVersion": 3, "packages": {"": {}, "node_modules/express": {"version": "%s"}}}'
NODE = '{"engines": {"node": "18.17.0", "npm": "9.6.7"}, "dependencies": {"express": "^4.18.2"}}'


def found_in(folder: Path, files: Mapping[str, str], **known: object) -> Found:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return read_environment(read_tree(folder, environ={"PATH": ""}), Known(today="2026-11-29", **known))


def versions(found: Found) -> dict[str, tuple[str, str, str]]:
    return {one.name: (one.declared, one.locked, one.installed) for one in found.versions}


def frameworks(found: Found) -> dict[str, tuple[str, str, str]]:
    return {one.name: (one.declared, one.locked, one.installed) for one in found.frameworks}


def ids(found: Found) -> set[str]:
    return {one.id for one in found.findings}


def test_the_articles_node_example_is_told_three_times(tmp_path: Path) -> None:
    files = {
        "package.json": NODE,
        "package-lock.json": NODE_LOCK % "4.18.2",
        "node_modules/express/package.json": '{"version": "4.18.1"}',
        ".nvmrc": "v18.17.0\n",
    }
    found = found_in(tmp_path, files, installed={"node": "20.20.2", "npm": "9.6.7"})
    assert versions(found) == {"node": ("18.17.0", "18.17.0", "20.20.2"), "npm": ("9.6.7", "", "9.6.7")}
    assert frameworks(found) == {"Express": ("^4.18.2", "4.18.2", "4.18.1")}
    node, npm = found.versions
    assert (node.is_satisfied, npm.is_satisfied, node.end_of_life) == (False, True, "2025-04-30")
    assert ids(found) == {"environment.end-of-life", "environment.unsatisfied"}
    assert {(place.file, place.line) for place in node.where} == {("package.json", 1), (".nvmrc", 1)}


@pytest.mark.parametrize(
    ("lock", "text"),
    [
        ("package-lock.json", '{"lockfileVersion": 1, "dependencies": {"express": {"version": "4.18.2"}}}'),
        ("package-lock.json", NODE_LOCK % "4.18.2"),
        ("yarn.lock", 'express@^4.18.2:\n  version "4.18.2"\n'),
        ("yarn.lock", '"express@npm:^4.18.2":\n  version: 4.18.2\n  resolution: "express@npm:4.18.2"\n'),
        ("pnpm-lock.yaml", "lockfileVersion: 5.4\nspecifiers:\n  express: ^4.18.2\ndependencies:\n  express: 4.18.2\n"),
        (
            "pnpm-lock.yaml",
            (
                "lockfileVersion: '9.0'\nimporters:\n  .:\n    dependencies:\n      express:\n"
                "        specifier: ^4.18.2\n        version: 4.18.2\npackages:\n  express@4.18.2: {a: &x [*y]}\n"
            ),
        ),
    ],
)
def test_every_form_of_nodes_lock_files_is_read(tmp_path: Path, lock: str, text: str) -> None:
    found = found_in(tmp_path, {"package.json": NODE, lock: text})
    assert frameworks(found)["Express"] == ("^4.18.2", "4.18.2", "")
    assert "environment.lock-out-of-step" not in ids(found)


@pytest.mark.parametrize("locked", ["3.0.0", "5.1.0"])
def test_a_lock_that_holds_another_version_is_out_of_step(tmp_path: Path, locked: str) -> None:
    found = found_in(tmp_path, {"package.json": NODE, "package-lock.json": NODE_LOCK % locked})
    message = next(one.message for one in found.findings if one.id == "environment.lock-out-of-step")
    assert message == f"package.json asks for express ^4.18.2, and package-lock.json has {locked}"


def test_without_a_lock_or_a_version_both_are_told(tmp_path: Path) -> None:
    found = found_in(tmp_path, {"package.json": '{"dependencies": {"koa": "^2"}}'})
    assert ids(found) == {"environment.no-lock", "environment.undeclared"}


PYTHON_LOCK = '[[package]]\nname = "Flask"\nversion = "3.0.3"\n'


@pytest.mark.parametrize("lock", ["uv.lock", "poetry.lock", "pdm.lock"])
def test_a_python_project_and_its_own_environment(tmp_path: Path, lock: str) -> None:
    files = {
        "pyproject.toml": '[project]\nname = "a"\nrequires-python = ">=3.8,<3.9"\ndependencies = ["flask>=3"]\n',
        lock: PYTHON_LOCK,
        ".venv/pyvenv.cfg": "version = 3.8.18\n",
        ".venv/lib/python3.8/site-packages/flask-3.0.3.dist-info/METADATA": "",
    }
    found = found_in(tmp_path, files, installed={"python": "3.11.7"})
    assert versions(found)["python"] == (">=3.8,<3.9", "", "3.8.18")
    assert frameworks(found) == {"Flask": (">=3", "3.0.3", "3.0.3")}
    assert found.versions[0].end_of_life == "2024-10-07"


def test_a_requirements_file_with_exact_versions_is_its_own_lock(tmp_path: Path) -> None:
    found = found_in(tmp_path, {"requirements.txt": "Django==4.2.1 --hash=sha256:00\n", ".python-version": "3.12.1\n"})
    assert frameworks(found) == {"Django": ("==4.2.1", "4.2.1", "")}
    assert versions(found)["python"] == ("", "3.12.1", "")
    assert "environment.no-lock" not in ids(found)


def test_pipfile_and_its_lock(tmp_path: Path) -> None:
    files = {
        "Pipfile": '[packages]\nfastapi = "*"\n[requires]\npython_version = "3.12"\n',
        "Pipfile.lock": '{"default": {"fastapi": {"version": "==0.115.0"}}}',
    }
    found = found_in(tmp_path, files)
    assert versions(found)["python"] == ("3.12", "", "")
    assert frameworks(found) == {"FastAPI": ("", "0.115.0", "")}


PARENT = (
    "<project><groupId>a</groupId><artifactId>top</artifactId><version>1</version><properties>"
    "<java.version>17</java.version><quarkus.v>3.33.2</quarkus.v></properties></project>"
)
CHILD = (
    "<project xmlns='http://maven.apache.org/POM/4.0.0'><parent><groupId>a</groupId><artifactId>top</artifactId>"
    "<version>1</version></parent><artifactId>app</artifactId><dependencies><dependency><groupId>io.quarkus</groupId>"
    "<artifactId>quarkus-rest</artifactId><version>${quarkus.v}</version></dependency></dependencies></project>"
)


def test_a_pom_takes_versions_from_its_parents_properties(tmp_path: Path) -> None:
    found = found_in(tmp_path, {"pom.xml": PARENT, "app/pom.xml": CHILD}, installed={"java": "21.0.1"})
    assert frameworks(found) == {"Quarkus": ("3.33.2", "3.33.2", "")}
    assert versions(found)["java"] == ("17", "", "21.0.1")


def test_a_pom_takes_versions_from_a_bill_of_materials_of_the_local_repository(tmp_path: Path) -> None:
    home = tmp_path / "home"
    bom = home / ".m2/repository/b/bom/2/bom-2.pom"
    managed = "<dependencyManagement><dependencies><dependency><groupId>{}</groupId><artifactId>{}</artifactId>{}"
    end = "</dependency></dependencies></dependencyManagement>"
    bom.parent.mkdir(parents=True)
    named = managed.format("org.springframework.boot", "spring-boot-starter-web", "<version>3.5.7</version>")
    bom.write_text(f"<project>{named}{end}</project>", encoding="utf-8")
    imported = managed.format("b", "bom", "<version>2</version><type>pom</type><scope>import</scope>")
    pom = (
        f"<project><artifactId>x</artifactId>{imported}{end}<dependencies><dependency>"
        "<groupId>org.springframework.boot</groupId><artifactId>spring-boot-starter-web</artifactId>"
        "</dependency></dependencies></project>"
    )
    found = found_in(tmp_path / "project", {"pom.xml": pom}, home=home)
    assert frameworks(found) == {"Spring Boot": ("3.5.7", "3.5.7", "")}
    assert next(one.end_of_life for one in found.frameworks) == "2026-06-30"


def test_xml_entities_are_refused_and_said_so(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2", encoding="utf-8")
    pom = f'<!DOCTYPE p [<!ENTITY x SYSTEM "file://{secret}">]><project><artifactId>&x;</artifactId></project>'
    found = found_in(tmp_path / "project", {"pom.xml": pom})
    assert [one.message for one in found.findings if one.id == "environment.unreadable"] == [
        "pom.xml was skipped: it declares XML entities, which are not expanded"
    ]
    assert "hunter2" not in repr(found)


def test_gradle_with_a_version_catalogue_a_lock_and_a_wrapper(tmp_path: Path) -> None:
    files = {
        "build.gradle.kts": 'plugins { // id("org.springframework.boot") version "1.0"\n alias(libs.plugins.boot)\n}\n'
        "java { toolchain { languageVersion = JavaLanguageVersion.of(21) } }\n"
        'dependencies { implementation("io.javalin:javalin:6.3.0") }\n',
        "gradle/libs.versions.toml": '[versions]\nb = "3.2.0"\n[plugins]\n'
        'boot = { id = "org.springframework.boot", version.ref = "b" }\n',
        "gradle.lockfile": "io.javalin:javalin:6.3.1=runtimeClasspath\n",
        "gradle/wrapper/gradle-wrapper.properties": "distributionUrl=https\\://x/gradle-8.14.3-bin.zip\n",
    }
    found = found_in(tmp_path, files)
    assert frameworks(found) == {"Spring Boot": ("3.2.0", "3.2.0", ""), "Javalin": ("6.3.0", "6.3.1", "")}
    assert versions(found) == {"java": ("21", "", ""), "gradle": ("", "8.14.3", "")}
    assert {"environment.lock-out-of-step", "environment.end-of-life"} <= ids(found)


def test_rust_with_its_toolchain_and_a_lock_out_of_step(tmp_path: Path) -> None:
    files = {
        "Cargo.toml": '[package]\nname="a"\nversion="1.0.0"\nrust-version="1.75"\n[dependencies]\naxum="0.8"\nrocket="0.5"\n',
        "Cargo.lock": '[[package]]\nname="axum"\nversion="0.8.4"\n[[package]]\nname="axum"\nversion="0.7.1"\n',
        "rust-toolchain.toml": '[toolchain]\nchannel = "1.80.0"\n',
    }
    found = found_in(tmp_path, files, installed={"rustc": "1.95.0", "cargo": "1.95.0"})
    assert versions(found)["rustc"] == ("1.75", "1.80.0", "1.95.0")
    assert frameworks(found)["axum"] == ("0.8", "0.8.4", "")
    assert [one.message for one in found.findings if one.id == "environment.lock-out-of-step"] == [
        "Cargo.toml asks for rocket 0.5, and Cargo.lock has no such version"
    ]


def test_go_says_the_least_version_and_the_one_that_answers(tmp_path: Path) -> None:
    mod = "module a\n\ngo 1.24\n\nrequire (\n\tgithub.com/go-chi/chi/v5 v5.1.0\n\tgoogle.golang.org/grpc v1.60.0 // indirect\n)\n"
    found = found_in(tmp_path, {"go.mod": mod}, toolchain="go1.26.8")
    assert versions(found) == {"go": ("1.24", "", "1.26.8")}
    assert frameworks(found) == {"chi": ("v5.1.0", "v5.1.0", "")}
    assert found.versions[0].where[0].line == 3


def test_several_ecosystems_in_one_tree_and_one_broken_file(tmp_path: Path) -> None:
    files = {"go.mod": "module a\ngo 1.26\n", "web/package.json": NODE, "api/pyproject.toml": "[project\n"}
    found = found_in(tmp_path, files)
    assert set(versions(found)) >= {"go", "node", "npm"}
    broken = next(one for one in found.findings if one.id == "environment.unreadable")
    assert (broken.evidence[0].file, broken.evidence[0].line) == ("api/pyproject.toml", 1)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("package.json", "[" * 100_000),
        ("package.json", '{"engines": 3, "dependencies": ["x"], "volta": "a", "packageManager": {}}'),
        ("pyproject.toml", "a = " + "[" * 5_000),
        ("Cargo.toml", '[package]\nname = 3\n[dependencies]\naxum = ["x"]\n'),
        ("pom.xml", "<project><parent/><dependencies><dependency/></dependencies></project>"),
        ("pom.xml", "<a>" * 50_000),
        ("go.mod", "go go go\nrequire (\n"),
        ("build.gradle", "id 'x' version '" + "1" * 100_000),
        ("requirements.txt", "==\n\0\n@ x\n"),
    ],
)
def test_no_file_makes_it_fail(tmp_path: Path, name: str, text: str) -> None:
    found_in(tmp_path, {name: text})
