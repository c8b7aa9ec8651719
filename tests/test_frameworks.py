"""The frameworks of examples/frameworks are the same service, from the published packages that the page names."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from real_neighbours import free_port, need, running

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "frameworks"
POM = "{http://maven.apache.org/POM/4.0.0}"
COORDINATES = {
    "spring": {
        "org.springframework.boot:spring-boot-starter-parent:3.5.7",
        "org.springframework.boot:spring-boot-starter-web:",
    },
    "quarkus": {"io.quarkus:quarkus-bom:${quarkus.version}", "io.quarkus:quarkus-rest-jackson:"},
    "micronaut": {
        "io.micronaut.platform:micronaut-parent:4.10.8",
        "io.micronaut:micronaut-http-server-netty:",
        "io.micronaut.serde:micronaut-serde-jackson:",
        "ch.qos.logback:logback-classic:",
    },
}


def coordinates(pom: ET.Element) -> set[str]:
    """Return ``group:artifact:version`` of the parent and all dependencies, managed ones included."""
    named = [*pom.iterfind(f"{POM}parent"), *pom.iter(f"{POM}dependency")]
    return {":".join(one.findtext(POM + part, "") for part in ("groupId", "artifactId", "version")) for one in named}


def answers(argv: list[str], log: Path) -> dict[str, object]:
    """Start a service and return what it answers to each question."""
    port = free_port()
    questions = ["/healthz", "/hello", "/hello?name=", f"/hello?name={urllib.parse.quote('Zoë & Łukasz')}", "/nothing"]
    with running(argv, log=log, env={**os.environ, "PORT": str(port)}) as process:
        until = time.monotonic() + 60
        while ask(port, "/healthz") is None:
            assert process.poll() is None, log.read_text(encoding="utf-8")
            assert time.monotonic() < until, log.read_text(encoding="utf-8")
            time.sleep(0.05)
        return {question: ask(port, question) for question in questions}


def ask(port: int, question: str) -> object:
    """Return the decoded answer, the status of a refusal, or None where nobody listens."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{question}", timeout=10) as answer:
            assert answer.headers.get_content_type() == "application/json"
            return json.load(answer)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code
    except OSError:
        return None


@pytest.mark.parametrize("name", COORDINATES)
def test_every_pom_names_its_published_packages_and_makes_hello(name: str) -> None:
    pom = ET.parse(EXAMPLE / name / "pom.xml").getroot()
    assert pom.tag == f"{POM}project"
    assert coordinates(pom) == COORDINATES[name]
    assert pom.findtext(f"{POM}build/{POM}finalName") == "hello"


@pytest.mark.real
def test_go_and_micronaut_answer_the_same(tmp_path: Path) -> None:
    need("go", "mvn", "java", "javac")
    for folder in ("go", "micronaut"):
        shutil.copytree(EXAMPLE / folder, tmp_path / folder, ignore=shutil.ignore_patterns("target"))
    built = subprocess.run(
        ["go", "build", "-buildvcs=false", "-o", "hello", "."],
        cwd=tmp_path / "go", env={**os.environ, "CGO_ENABLED": "0"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    maven = ["mvn", "--quiet", "--batch-mode", "--no-transfer-progress", "package"]
    for words in ([*maven, "--offline"], maven):  # What is in ~/.m2 needs no network.
        packed = subprocess.run(
            words, cwd=tmp_path / "micronaut", capture_output=True, text=True, timeout=400, check=False
        )
        if packed.returncode == 0:
            break
    assert packed.returncode == 0, packed.stdout[-4000:]

    go = answers([str(tmp_path / "go" / "hello")], tmp_path / "go.log")
    micronaut = answers(["java", "-jar", str(tmp_path / "micronaut" / "target" / "hello.jar")], tmp_path / "java.log")
    assert go == {
        "/healthz": {"status": "up"},
        "/hello": {"message": "Hello, world!"},
        "/hello?name=": {"message": "Hello, world!"},
        "/hello?name=Zo%C3%AB%20%26%20%C5%81ukasz": {"message": "Hello, Zoë & Łukasz!"},
        "/nothing": 404,
    }
    assert micronaut == go
