"""How a project starts itself: the command its own files name. Judgement over file texts only."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from typing import Protocol

import msgspec

_SHELL = re.compile(r"[|&;<>()$`*?\[\]#~!{}\n]|^\s*\w+=")
_PYTHON_FILES = ("main.py", "app.py", "asgi.py", "wsgi.py", "server.py", "run.py", "app/main.py", "app/__init__.py",
                 "src/main.py", "src/app.py", "src/app/main.py")  # fmt: skip
_MADE_BY = re.compile(
    r"^(\w+)(?:\s*:\s*[\w.]+)?\s*=\s*(?:[\w.]+\.)?(FastAPI|Starlette|Litestar|Quart|Flask)\(", re.MULTILINE
)
_FACTORY = re.compile(r"^def (create_app|make_app)\(\s*\)", re.MULTILINE)
_RUNS_ITSELF = re.compile(r"^if __name__ == ['\"]__main__['\"]", re.MULTILINE)
_ASGI = frozenset({"FastAPI", "Starlette", "Litestar", "Quart"})
_NO_JAR = re.compile(r"(?:-sources|-javadoc|-plain|-tests)\.jar$|(?:^|/)original-")
_PROCFILE_PORT = "5000"
"""Source: the Procfile format of foreman and Heroku: the first process is given port 5000."""


class Files(Protocol):
    """The files of a project."""

    def text(self, name: str) -> str:
        """Return a file's text; empty where there is none."""

    def names(self, pattern: str) -> tuple[str, ...]:
        """Return the files that match, sorted, relative to the project."""

    def has_program(self, name: str) -> bool:
        """Say whether a program would be found if it were started there."""


class StartCommand(msgspec.Struct, frozen=True, kw_only=True):
    """How a project is started."""

    words: tuple[str, ...]
    shown: str
    """As its own file has it."""
    source: str
    """Which file says so: ``package.json scripts.start``."""
    environment: tuple[tuple[str, str], ...] = ()
    """What the command itself asks for."""


def find_start(files: Files) -> StartCommand | None:
    """Return the command a project is started by; None where nothing names one."""
    return next(_commands(files), None)


def _commands(files: Files) -> Iterator[StartCommand]:
    yield from _procfile(files)
    yield from _node(files)
    yield from _python(files)
    yield from _java(files)
    yield from _rust(files)


def command_of(text: str, source: str, *, environment: tuple[tuple[str, str], ...] = ()) -> StartCommand:
    """Return a command line as words, by a shell only where it needs one.

    >>> command_of("node src/server.js", "x").words, command_of("A=1 node .", "x").words
    (('node', 'src/server.js'), ('/bin/sh', '-c', 'A=1 node .'))
    """
    text = text.strip()
    words: tuple[str, ...] = ()
    if not _SHELL.search(text):
        try:
            words = tuple(shlex.split(text))
        except ValueError:
            words = ()
    return StartCommand(words=words or ("/bin/sh", "-c", text), shown=text, source=source, environment=environment)


def _procfile(files: Files) -> Iterator[StartCommand]:
    found = re.search(r"^web:\s*(\S.*)$", files.text("Procfile"), re.MULTILINE)
    if found:
        yield command_of(found[1], "Procfile", environment=(("PORT", _PROCFILE_PORT),))


def _node(files: Files) -> Iterator[StartCommand]:
    try:
        package = json.loads(files.text("package.json") or "null")
    except (ValueError, RecursionError):
        return
    if not isinstance(package, dict):
        return
    scripts = package.get("scripts")
    start = scripts.get("start") if isinstance(scripts, dict) else None
    if isinstance(start, str) and start.strip():
        yield command_of(start, "package.json scripts.start")
    main = package.get("main")
    for name in (main if isinstance(main, str) else "", "server.js"):
        # npm's own default for `npm start` is server.js.
        if name and files.text(name):
            yield StartCommand(words=("node", name), shown=f"node {name}", source=f"package.json ({name})")


def _python(files: Files) -> Iterator[StartCommand]:
    python = "python3" if files.has_program("python3") else "python"
    if files.text("manage.py"):
        yield _started((python, "manage.py", "runserver", "--noreload", "127.0.0.1:8000"), "manage.py")
    for name in _PYTHON_FILES:
        text = files.text(name)
        if not text:
            continue
        module = re.sub(r"/__init__$", "", name.removesuffix(".py")).removeprefix("src/").replace("/", ".")
        where = ("--app-dir", "src") if name.startswith("src/") else ()
        made, factory = _MADE_BY.search(text), _FACTORY.search(text)
        if made and made[2] in _ASGI and files.has_program("uvicorn"):
            yield _started(("uvicorn", *where, f"{module}:{made[1]}"), name)
        elif made and files.has_program("gunicorn") and made[2] == "Flask" and not where:
            yield _started(("gunicorn", f"{module}:{made[1]}"), name)
        elif ((made and made[2] == "Flask") or factory) and files.has_program("flask"):
            yield _started(("flask", "--app", name.removesuffix(".py").replace("/", "."), "run"), name)
        elif _RUNS_ITSELF.search(text):
            yield _started((python, name), name)
    packages = [name for name in files.names("*/__main__.py") if not name.startswith(("test", "."))]
    if packages:
        yield _started((python, "-m", packages[0].partition("/")[0]), packages[0])
    for name in ("main.py", "app.py", "server.py"):
        if files.text(name):
            yield _started((python, name), name)


def _java(files: Files) -> Iterator[StartCommand]:
    for pattern in ("target/quarkus-app/quarkus-run.jar", "target/*.jar", "build/libs/*.jar"):
        jars = [name for name in files.names(pattern) if not _NO_JAR.search(name)]
        if jars:
            yield _started(("java", "-jar", jars[0]), jars[0])


def _rust(files: Files) -> Iterator[StartCommand]:
    try:
        cargo = tomllib.loads(files.text("Cargo.toml"))
    except tomllib.TOMLDecodeError:
        return
    package, programs = cargo.get("package"), cargo.get("bin")
    named = [one.get("name") for one in programs if isinstance(one, dict)] if isinstance(programs, list) else []
    named.append(package.get("name") if isinstance(package, dict) else None)
    for name in named:
        for kind in ("release", "debug"):
            if isinstance(name, str) and name and files.names(f"target/{kind}/{name}"):
                yield _started((f"target/{kind}/{name}",), "Cargo.toml")


def _started(words: tuple[str, ...], source: str) -> StartCommand:
    return StartCommand(words=words, shown=shlex.join(words), source=source)
