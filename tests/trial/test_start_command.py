"""Which command a project's files start it by."""

from __future__ import annotations

from fnmatch import fnmatch

import pytest

from proa.trial.start_command import command_of, find_start


class Files:
    def __init__(self, programs=(), **texts: str) -> None:
        self.texts = {name.replace("__slash__", "/").replace("__dot__", "."): text for name, text in texts.items()}
        self.programs = programs

    def text(self, name: str) -> str:
        return self.texts.get(name, "")

    def names(self, pattern: str) -> tuple[str, ...]:
        return tuple(sorted(name for name in self.texts if fnmatch(name, pattern)))

    def has_program(self, name: str) -> bool:
        return name in self.programs


def words(files: dict[str, str], *programs: str) -> tuple[str, ...] | None:
    project = Files(programs)
    project.texts = files
    found = find_start(project)
    return found.words if found else None


@pytest.mark.parametrize(
    ("files", "programs", "expected"),
    [
        ({"package.json": '{"scripts": {"start": "node src/server.js"}}'}, (), ("node", "src/server.js")),
        ({"package.json": '{"main": "index.js"}', "index.js": "x"}, (), ("node", "index.js")),
        ({"package.json": "{}", "server.js": "x"}, (), ("node", "server.js")),
        ({"Procfile": "worker: x\nweb: gunicorn -b :$PORT a:b\n"}, (), ("/bin/sh", "-c", "gunicorn -b :$PORT a:b")),
        ({"manage.py": "x"}, ("python3",), ("python3", "manage.py", "runserver", "--noreload", "127.0.0.1:8000")),
        ({"main.py": "app = FastAPI(title='x')\n"}, ("uvicorn",), ("uvicorn", "main:app")),
        ({"src/app/main.py": "api = FastAPI()\n"}, ("uvicorn",), ("uvicorn", "--app-dir", "src", "app.main:api")),
        ({"app.py": "app = Flask(__name__)\n"}, ("gunicorn",), ("gunicorn", "app:app")),
        ({"app.py": "app = Flask(__name__)\n"}, ("flask",), ("flask", "--app", "app", "run")),
        ({"server.py": "if __name__ == '__main__':\n  x()\n"}, ("python3",), ("python3", "server.py")),
        ({"shop/__main__.py": "x"}, ("python3",), ("python3", "-m", "shop")),
        ({"target/a-1.0-sources.jar": "x", "target/a-1.0.jar": "x"}, (), ("java", "-jar", "target/a-1.0.jar")),
        ({"target/quarkus-app/quarkus-run.jar": "x", "target/a.jar": "x"}, (), ("java", "-jar", "target/quarkus-app/quarkus-run.jar")),
        ({"Cargo.toml": '[package]\nname = "shop"\n', "target/release/shop": "x"}, (), ("target/release/shop",)),
        ({"README.md": "hello"}, (), None),
        ({"package.json": "[1, 2"}, (), None),
        ({"package.json": '"text"', "Cargo.toml": "= ="}, (), None),
    ],
)  # fmt: skip
def test_the_command_is_the_one_the_projects_files_name(files, programs, expected):
    assert words(files, *programs) == expected


@pytest.mark.parametrize("text", ["node a.js && node b.js", "A=1 node .", "node 'x", "npm run build; node ."])
def test_what_only_a_shell_understands_is_given_to_one(text):
    assert command_of(text, "x").words == ("/bin/sh", "-c", text)
