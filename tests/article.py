"""The article's Node project, installed by npm, with its three services really there: one refuses its API key."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

import service_bed
import service_oauth
from real_neighbours import free_port, need
from service_cases import common_environment, node_values

PROJECT = Path(__file__).parent / "projects" / "preflight-node"


@dataclass(frozen=True)
class Article:
    """The project's folder with its .env, and the variables proa is run with."""

    folder: Path
    port: int
    environ: Mapping[str, str]


def installed_modules(environ: Mapping[str, str]) -> Path:
    """Return the folder with node_modules and the lock file as npm made them, once into the tools' folder; else skip."""
    tools = Path(environ.get("PROA_TEST_TOOLS") or Path(tempfile.gettempdir()) / "proa-test-tools")
    made = tools / "article-node"
    if (made / "node_modules" / "express").is_dir():
        return made
    need("node", "npm")
    tools.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=tools) as name:
        folder = Path(name)
        shutil.copy(PROJECT / "package.json", folder)
        words = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--engine-strict=false"]
        ran = subprocess.run(words, cwd=folder, capture_output=True, check=False)
        if ran.returncode != 0:
            pytest.skip(f"real: npm could not install express: {ran.stderr.decode()[-300:]}")
        shutil.rmtree(made, ignore_errors=True)
        made.mkdir()
        for part in ("node_modules", "package-lock.json"):
            shutil.move(folder / part, made / part)
    return made


@contextmanager
def article() -> Iterator[Article]:
    """Start the database and the two APIs, and lay the project out, as long as the block lasts."""
    modules = installed_modules(os.environ)
    with ExitStack() as stack:
        place = stack.enter_context(service_bed.scratch())
        certificates = service_bed.made_certificates(place)
        bed = SimpleNamespace(
            certificates=certificates,
            postgres=stack.enter_context(service_bed.postgres(place, certificates)),
            oauth=stack.enter_context(service_oauth.oauth(certificates)),
        )
        name = stack.enter_context(tempfile.TemporaryDirectory())
        Path(name).chmod(0o755)
        folder = Path(name) / "shop"
        shutil.copytree(PROJECT, folder)
        for part in ("node_modules", "package-lock.json"):
            copy = shutil.copytree if (modules / part).is_dir() else shutil.copy
            copy(modules / part, folder / part)
        port = free_port()
        values = {
            **node_values(bed),  # type: ignore[arg-type]
            **common_environment(bed),  # type: ignore[arg-type]
            "PORT": str(port),
            "NODE_EXTRA_CA_CERTS": str(certificates.ca),
        }
        (folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in values.items()))
        environ = {"PATH": os.environ["PATH"], "HOME": name, "CI": "true", "PROA_CACHE": f"{name}/store"}
        yield Article(folder=folder, port=port, environ=environ)
