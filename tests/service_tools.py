"""Make the servers that Debian has no package of: FerretDB (MongoDB's protocol), Kafka, versitygw (S3).

``python tests/service_tools.py`` builds or fetches what is not there yet, through the go command and Maven; the tests
only look. Where: PROA_TEST_TOOLS, or proa-test-tools below the folder for temporary files. Pinned by hand.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest

FERRETDB = ("github.com/FerretDB/FerretDB", "v1.24.2")
"""The last one that keeps its data in SQLite; 2.x needs a PostgreSQL extension."""
VERSITYGW = "github.com/versity/versitygw/cmd/versitygw@v1.8.0"
KAFKA = "4.1.1"
_POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion><groupId>bed</groupId><artifactId>bed</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{}</version></dependency>
  </dependencies>
</project>
"""


def folder(environ: Mapping[str, str]) -> Path:
    """Return where the tools are."""
    return Path(environ.get("PROA_TEST_TOOLS") or Path(tempfile.gettempdir()) / "proa-test-tools")


def program(name: str) -> str:
    """Return a server's program; where it was not made the test is skipped."""
    found = shutil.which(name) or shutil.which(str(folder(os.environ) / name))
    if not found:
        pytest.skip(f"real: {name} is not here; python tests/service_tools.py makes it")
    return found


def kafka_classes() -> str:
    """Return Java's class path of Kafka; where it was not fetched the test is skipped."""
    place = folder(os.environ) / f"kafka-{KAFKA}"
    if not place.is_dir():
        pytest.skip("real: Kafka is not here; python tests/service_tools.py fetches it")
    return f"{place}/*"


def make_ferretdb(tools: Path) -> None:
    """Build it from a copy of its module: it refuses to start without a file that its releases generate."""
    module, version = FERRETDB
    told = subprocess.run(
        ["go", "mod", "download", "-json", f"{module}@{version}"], cwd="/", check=True, capture_output=True, text=True
    )
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "ferretdb"
        shutil.copytree(json.loads(told.stdout)["Dir"], copy, copy_function=shutil.copyfile)
        for place in [copy, *(each for each in copy.rglob("*") if each.is_dir())]:
            place.chmod(0o755)
        (copy / "build" / "version" / "version.txt").write_text(f"{version}\n")
        subprocess.run(["go", "build", "-o", str(tools / "ferretdb"), "./cmd/ferretdb"], cwd=copy, check=True)


def make_kafka(tools: Path) -> None:
    """Fetch its jars from Maven Central."""
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / "pom.xml").write_text(_POM.format(KAFKA))
        argv = ["mvn", "-q", "-B", "dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory=jars"]
        subprocess.run(argv, cwd=scratch, check=True, stdout=subprocess.DEVNULL)
        shutil.copytree(Path(scratch) / "jars", tools / f"kafka-{KAFKA}.part", dirs_exist_ok=True)
    (tools / f"kafka-{KAFKA}.part").rename(tools / f"kafka-{KAFKA}")


def make_versitygw(tools: Path) -> None:
    """Build it."""
    subprocess.run(["go", "install", VERSITYGW], cwd="/", env={**os.environ, "GOBIN": str(tools)}, check=True)


def main() -> None:
    """Make what is missing."""
    tools = folder(os.environ)
    tools.mkdir(parents=True, exist_ok=True)
    for name, make in {"ferretdb": make_ferretdb, f"kafka-{KAFKA}": make_kafka, "versitygw": make_versitygw}.items():
        if not (tools / name).exists():
            sys.stderr.write(f"making {name} in {tools}\n")
            make(tools)


if __name__ == "__main__":
    main()
