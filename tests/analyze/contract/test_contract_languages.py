"""What Node, Python, Java and Rust programs read, from small sources of each usual way."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.analyze.contract.java import read_java
from proa.analyze.contract.javascript import read_javascript
from proa.analyze.contract.python import read_python
from proa.analyze.contract.reading import Contract, SourceFile, masked_default
from proa.analyze.contract.rust import read_rust

Read = Callable[[Iterable[SourceFile]], Contract]


def rows(read: Read, path: str, *texts: str) -> dict[str, tuple[str, str, str]]:
    """Name to type, default and marks: R required, S secret."""
    files = [SourceFile(path.replace("*", str(at)), text.encode()) for at, text in enumerate(texts)]
    return {
        one.name: (one.type, one.default, ("R" if one.is_required else "") + ("S" if one.is_secret else ""))
        for one in read(files).variables
    }


CASES = [
    pytest.param(read_javascript, "src/a*.js", "const p = Number(process.env.PORT || 3000)", {"PORT": ("integer", "3000", "")}, id="node or"),
    pytest.param(read_javascript, "src/a*.js", "const p = process.env['P'] ?? 'x'", {"P": ("text", "x", "")}, id="node index"),
    pytest.param(
        read_javascript, "src/a*.ts",
        "const { A, B: b, C = 'd' } = process.env; if (!A) { throw new Error('A') }",
        {"A": ("unknown", "", "R"), "B": ("unknown", "", ""), "C": ("text", "d", "")}, id="node destructured",
    ),
    pytest.param(
        read_javascript, "src/a*.js",
        "function need(n) { const v = process.env[n]; if (!v) throw new Error(n); return v }\nneed('API_TOKEN')",
        {"API_TOKEN": ("unknown", "", "RS")}, id="node own function",
    ),
    pytest.param(
        read_javascript, "src/a*.js", "const m = ['A', 'B'].filter((k) => !process.env[k]); if (m.length) process.exit(1)",
        {"A": ("unknown", "", "R"), "B": ("unknown", "", "R")}, id="node list",
    ),
    pytest.param(
        read_javascript, "src/a*.ts", "import { cleanEnv, port, str } from 'envalid'\ncleanEnv(process.env, { P: port({ default: 80 }), K: str() })",
        {"P": ("integer", "80", ""), "K": ("text", "", "R")}, id="envalid",
    ),
    pytest.param(
        read_javascript, "src/a*.ts",
        "const S = z.object({ P: z.coerce.number().int().default(3), U: z.string().url(), O: z.string().optional() })\nS.parse(process.env)",
        {"P": ("integer", "3", ""), "U": ("url", "", "R"), "O": ("text", "", "")}, id="zod",
    ),
    pytest.param(
        read_javascript, "src/a*.js",
        "const c = require('convict')({ p: { format: 'port', default: 80, env: 'P', arg: 'port' } })",
        {"P": ("integer", "80", ""), "--port": ("integer", "80", "")}, id="convict",
    ),
    pytest.param(
        read_javascript, "src/a*.js", "require('commander').program.option('-p, --port <n>', 'where', 80).requiredOption('-d, --db <url>')",
        {"--port": ("integer", "80", ""), "--db": ("unknown", "", "R")}, id="commander",
    ),
    pytest.param(
        read_javascript, "src/a*.js", "require('yargs').option('port', { alias: 'p', type: 'number', default: 80 })",
        {"--port": ("number", "80", "")}, id="yargs",
    ),
    pytest.param(read_python, "src/a*.py", "import os\nA = os.environ['A']\nB = int(os.getenv('B', '5'))",
                 {"A": ("unknown", "", "R"), "B": ("integer", "5", "")}, id="os.environ"),
    pytest.param(
        read_python, "src/a*.py", "import os\ntry:\n    A = os.environ['A']\nexcept KeyError:\n    A = None\nos.environ['SET'] = '1'",
        {"A": ("unknown", "", "")}, id="caught, and written to",
    ),
    pytest.param(
        read_python, "src/a*.py", "from os import environ\nD = environ.get('D', 'no').lower() in ('yes', 'true')",
        {"D": ("boolean", "no", "")}, id="a truth",
    ),
    pytest.param(
        read_python, "src/a*.py",
        "from pydantic import Field, SecretStr\nfrom pydantic_settings import BaseSettings, SettingsConfigDict\n"
        "class S(BaseSettings):\n    model_config = SettingsConfigDict(env_prefix='APP_')\n    port: int = 80\n    pin: SecretStr\n"
        "    u: str = Field(..., alias='THE_U')\n",
        {"APP_PORT": ("integer", "80", ""), "APP_PIN": ("text", "", "RS"), "THE_U": ("text", "", "R")}, id="pydantic",
    ),
    pytest.param(
        read_python, "src/a*.py", "import environ\nenv = environ.Env()\nD = env.db()\nX = env.int('X', default=5)",
        {"DATABASE_URL": ("url", "", "RS"), "X": ("integer", "5", "")}, id="django-environ",
    ),
    pytest.param(
        read_python, "src/a*.py", "from decouple import config\nD = config('D', default=False, cast=bool)\nK = config('SECRET_KEY')",
        {"D": ("boolean", "False", ""), "SECRET_KEY": ("unknown", "", "RS")}, id="decouple",
    ),
    pytest.param(
        read_python, "src/a*.py",
        "import click\n@click.option('--listen', '-l', default=':80', envvar='LISTEN')\ndef f(listen): ...",
        {"--listen": ("text", ":80", ""), "LISTEN": ("text", ":80", "")}, id="click",
    ),
    pytest.param(
        read_python, "src/a*.py", "import argparse\np = argparse.ArgumentParser()\np.add_argument('--port', type=int, default=80)",
        {"--port": ("integer", "80", "")}, id="argparse",
    ),
    pytest.param(
        read_java, "src/main/java/A*.java",
        'class A { @Value("${app.time-out:30}") int t; String h = System.getenv().getOrDefault("H", "x"); }',
        {"APP_TIMEOUT": ("integer", "30", ""), "H": ("text", "x", "")}, id="Spring's value",
    ),
    pytest.param(
        read_java, "src/main/java/A*.java",
        '@ConfigurationProperties(prefix = "shop") class P { @NotBlank private String apiKey; private int maxItems = 5; }',
        {"SHOP_APIKEY": ("text", "", "RS"), "SHOP_MAXITEMS": ("integer", "5", "")}, id="Spring's properties",
    ),
    pytest.param(
        read_java, "src/main/resources/application.yml", "server:\n  port: ${PORT:8080}\nmail:\n  password: ${MAIL_PASSWORD}\n",
        {"PORT": ("integer", "8080", ""), "MAIL_PASSWORD": ("unknown", "", "RS")}, id="application.yml",
    ),
    pytest.param(
        read_java, "src/main/java/A*.java", 'class Q { @ConfigProperty(name = "a.my-name", defaultValue = "hi") String n; }',
        {"A_MY_NAME": ("text", "hi", "")}, id="MicroProfile",
    ),
    pytest.param(
        read_rust, "src/a*.rs",
        'fn main() { let a = std::env::var("A").expect("A"); let b: u16 = std::env::var("B").ok().and_then(|s| s.parse::<u16>().ok()).unwrap_or(80); }',
        {"A": ("unknown", "", "R"), "B": ("integer", "80", "")}, id="std::env",
    ),
    pytest.param(
        read_rust, "src/a*.rs",
        'use clap::Parser;\n#[derive(Parser)]\nstruct Args {\n  #[arg(long, env = "PORT", default_value_t = 8080)]\n  port: u16,\n}',
        {"--port": ("integer", "8080", ""), "PORT": ("integer", "8080", "")}, id="clap",
    ),
    pytest.param(
        read_rust, "src/a*.rs",
        '#[derive(Deserialize)]\nstruct C { host: String, opt: Option<u16> }\nfn f() { envy::prefixed("APP_").from_env::<C>(); }',
        {"APP_HOST": ("text", "", "R"), "APP_OPT": ("integer", "", "")}, id="envy",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("read", "path", "text", "expected"), CASES)
def test_every_usual_way_is_read_with_type_default_and_marks(
    read: Read, path: str, text: str, expected: dict[str, tuple[str, str, str]]
) -> None:
    assert rows(read, path, text) == expected


@pytest.mark.parametrize(
    ("read", "path", "text"),
    [
        (read_javascript, "src/a.js", "const x = process.env.A; function ("),
        (read_python, "src/a.py", "import os\nos.environ['A']\ndef ("),
        (read_java, "src/main/java/A.java", 'class A { String a = System.getenv("A"); void ( }'),
        (read_rust, "src/a.rs", 'fn main() { std::env::var("A") ; fn ('),
    ],
)
def test_a_file_with_a_syntax_error_is_skipped_and_told(read: Read, path: str, text: str) -> None:
    found = read([SourceFile(path, text.encode())])
    assert found.variables == ()
    assert [(one.id, one.evidence[0].file) for one in found.findings] == [("analyze.syntax-error", path)]


@pytest.mark.parametrize("path", ["node_modules/x/a.js", "src/a.test.js", "tests/a.js", "dist/a.js", "vendor/a.js"])
def test_what_is_no_source_of_the_program_does_not_count(path: str) -> None:
    assert read_javascript([SourceFile(path, b"process.env.A")]).variables == ()


def test_the_place_of_every_read_is_told() -> None:
    files = [SourceFile("a.py", b"import os\n\nos.environ['A']"), SourceFile("b.py", b"import os\nos.getenv('A')")]
    (found,) = read_python(files).variables
    assert [(one.file, one.line) for one in found.where] == [("a.py", 3), ("b.py", 2)]


def test_the_default_of_a_secret_is_not_kept() -> None:
    found = rows(
        read_javascript,
        "src/a*.js",
        "const a = process.env.DB_PASSWORD || 'hunter2'; const b = process.env.DATABASE_URL || 'postgres://u:hunter2@db/x'",
    )
    assert "hunter2" not in str(found)
    assert found["DATABASE_URL"][1] == "postgres://u:***@db/x"


@given(st.text(alphabet="abcXYZ0189-_.~", min_size=8, max_size=30))
def test_a_password_in_an_address_is_never_shown(password: str) -> None:
    assert password not in masked_default(f"postgres://someone:{password}@somewhere/x").replace("somewhere", "")


@given(st.binary(max_size=300))
def test_any_bytes_are_read_without_an_error(data: bytes) -> None:
    for read, path, word in ((read_javascript, "a.ts", b"process.env"), (read_python, "a.py", b"environ"),
                             (read_java, "A.java", b"getenv"), (read_rust, "a.rs", b"env::")):  # fmt: skip
        read([SourceFile(path, word + b"\n" + data)])
