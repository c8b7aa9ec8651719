"""Run every session of tests/sessions and every console block of the documentation as written."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SESSIONS = sorted((ROOT / "tests" / "sessions").glob("*.txt"))
PAGES = [ROOT / "README.md", *sorted(path for path in (ROOT / "docs").rglob("*.md") if "decisions" not in path.parts)]
FENCE = re.compile(r"(?P<before>[^\n]*)\n```console\n(?P<body>.*?)\n```", re.DOTALL)
FIGURE = re.compile(r"\d+(?:[.,]\d+)*")


@dataclass
class Step:
    """One command and what it is expected to do."""

    command: str
    status: int = 0
    stdout: list[str] = field(default_factory=list)
    stderr: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)


def parse(text: str) -> tuple[list[Step], dict[str, str], list[str]]:
    """Return the steps, the files and the programs that are needed."""
    talk, *sections = re.split(r"^-- (\S+) --\n", text, flags=re.MULTILINE)
    files = dict(zip(sections[::2], sections[1::2], strict=True))
    steps: list[Step] = []
    needs: list[str] = []
    for line in talk.splitlines():
        if line.startswith("# real: "):
            needs += line.removeprefix("# real: ").split()
        elif line.startswith("$ "):
            steps.append(Step(line.removeprefix("$ ")))
        elif line.startswith("? "):
            steps[-1].status = int(line.removeprefix("? "))
        elif line.startswith("!! "):
            steps[-1].absent.append(line.removeprefix("!! "))
        elif line.startswith("! "):
            steps[-1].stderr.append(line.removeprefix("! "))
        elif steps:
            steps[-1].stdout.append(line)
    return steps, files, needs


def pattern(line: str) -> str:
    return ".*?".join(re.escape(part) for part in line.split("..."))


def whole(lines: list[str]) -> re.Pattern[str]:
    """Return what standard output must match: every line, ``...`` alone for any lines."""
    return re.compile("".join("(?:.*\n)*" if line == "..." else f"{pattern(line)}\n" for line in lines))


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """The environment of a user with an empty home, go's caches and no network for go."""
    scripts = Path(sys.executable).parent
    path = f"{scripts}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    kept = {"PATH": path, "CI": "true", "LC_ALL": "C.UTF-8", "GOPROXY": "off", "GOTOOLCHAIN": "local", "GOFLAGS": ""}
    if go := shutil.which("go", path=path):
        names = ("GOCACHE", "GOMODCACHE", "GOPATH")
        values = subprocess.run([go, "env", *names], capture_output=True, text=True, check=True).stdout.split()
        kept |= dict(zip(names, values, strict=True))
    return kept


def require(programs: list[str], environment: dict[str, str]) -> None:
    for program in programs:
        if not shutil.which(program, path=environment["PATH"]):
            pytest.skip(f"real: {program} is not on PATH")


def run(command: str, folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    home = folder.parent / "home"
    home.mkdir(exist_ok=True)
    own = {**environment, "HOME": str(home), "PROA_CACHE": str(folder.parent / "store")}
    ran = subprocess.run(
        ["sh", "-ec", command],
        cwd=folder,
        env=own,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert "Traceback" not in ran.stderr, ran.stderr
    return ran


def marked(paths: list[Path]) -> list[object]:
    params = []
    for path in paths:
        text = path.read_text(encoding="utf-8")
        is_real = path.suffix == ".md" or "\n# real: " in f"\n{text}"
        params.append(
            pytest.param(path, id=path.relative_to(ROOT).as_posix(), marks=pytest.mark.real if is_real else ())
        )
    return params


@pytest.mark.parametrize("session", marked(SESSIONS))
def test_session_goes_as_written(session: Path, tmp_path: Path, environment: dict[str, str]) -> None:
    steps, files, needs = parse(session.read_text(encoding="utf-8"))
    require(needs, environment)
    folder = tmp_path / "here"
    folder.mkdir()
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")
    assert steps
    for step in steps:
        ran = run(step.command, folder, environment)
        said = f"$ {step.command}\n{ran.stdout}\n--- stderr\n{ran.stderr}"
        assert ran.returncode == step.status, said
        assert whole(step.stdout).fullmatch(ran.stdout), said
        for line in step.stderr:
            assert re.search(pattern(line), ran.stderr), f"no {line!r} in\n{said}"
        for line in step.absent:
            assert not re.search(pattern(line), ran.stdout + ran.stderr), f"{line!r} in\n{said}"


def blocks(text: str) -> Iterator[str]:
    """Yield the console blocks of a page, but those under an HTML comment that says ``not run``."""
    for found in FENCE.finditer(text):
        if "<!-- not run" not in found["before"]:
            yield found["body"]


def figureless(text: str) -> str:
    return " ".join(FIGURE.sub("0", text).split())


@pytest.mark.parametrize("page", marked([page for page in PAGES if any(blocks(page.read_text(encoding="utf-8")))]))
def test_console_blocks_of_a_page_do_what_they_show(page: Path, tmp_path: Path, environment: dict[str, str]) -> None:
    """Run a page's commands one after the other in a copy of the shop.

    Every line shown must appear, in this order, on either stream; any figure stands for any other.
    """
    require(["go", "bwrap"], environment)
    folder = tmp_path / "shop"
    shutil.copytree(ROOT / "examples" / "shop", folder)
    for block in blocks(page.read_text(encoding="utf-8")):
        steps, _, _ = parse(block)
        for step in steps:
            ran = run(step.command, folder, environment)
            said = f"$ {step.command}\n{ran.stdout}\n--- stderr\n{ran.stderr}"
            assert ran.returncode == step.status, said
            rest = figureless(ran.stderr + ran.stdout)
            for line in step.stdout:
                found = re.search(pattern(figureless(line)), rest)
                assert found, f"no {line!r} from here on in\n{said}"
                rest = rest[found.end() :]
