"""Variables from .env files and from the files that NAME_FILE variables name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from proa.errors import WrongUsage

_MOST_BYTES = 1 << 20
_MOST_SECRET = 64 << 10
_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_.]*)\s*[=:]\s*(.*)", re.DOTALL)


def parse_env(text: str) -> dict[str, str]:
    r"""Return the variables of a .env file: quotes, ``export``, comments; no interpolation, no lines over lines.

    >>> parse_env("A=1 # one\nexport B='x # y'\nC=\"a\\nb\"\n# D=4\nE=a#b")
    {'A': '1', 'B': 'x # y', 'C': 'a\nb', 'E': 'a#b'}
    """
    found: dict[str, str] = {}
    for line in text.splitlines():
        if line.lstrip().startswith("#") or (match := _LINE.fullmatch(line)) is None:
            continue
        found[match[1]] = _value(match[2].strip())
    return found


def _value(text: str) -> str:
    if text[:1] in ("'", '"', "`") and (end := text.find(text[0], 1)) > 0:
        inner = text[1:end]
        return inner.replace("\\n", "\n").replace('\\"', '"') if text[0] == '"' else inner
    return re.sub(r"(^|\s+)#.*$", "", text).strip()


def read_env(file: Path) -> dict[str, str]:
    """Return the variables of a file. Raises WrongUsage; its message says nothing of the content."""
    try:
        with file.open("rb") as stream:
            content = stream.read(_MOST_BYTES + 1)
    except OSError as error:
        raise WrongUsage(f"{file} cannot be read: {error.strerror}") from error
    if len(content) > _MOST_BYTES:
        raise WrongUsage(f"{file} is larger than 1 MiB")
    try:
        return parse_env(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise WrongUsage(f"{file} is not UTF-8 text") from None


def folder_variables(folder: Path, environment: str) -> dict[str, str]:
    """Return those of .env, overlaid by .env.ENVIRONMENT's. Raises WrongUsage where a named environment has no file."""
    found = read_env(folder / ".env") if (folder / ".env").is_file() else {}
    if not environment:
        return found
    if not re.fullmatch(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*", environment):
        raise WrongUsage("an environment's name is made of letters, digits, - and _")
    file = folder / f".env.{environment}"
    if not file.is_file():
        named = sorted(path.name.removeprefix(".env.") for path in folder.glob(".env.*"))
        hint = f"known here: {', '.join(named[:10])}" if named else "write one, or leave the name out"
        raise WrongUsage(f"there is no {file.name} in {folder}", hint=hint)
    return found | read_env(file)


def with_files(values: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Return the values with ``NAME`` read from the file that ``NAME_FILE`` names, where NAME itself is not set."""
    found = dict(values)
    for name, value in values.items():
        base = name.removesuffix("_FILE")
        if base == name or base in values or not _MAY_BE_SECRET.search(base):
            continue
        file = folder / value
        try:
            if value and file.is_file() and file.stat().st_size <= _MOST_SECRET:
                found[base] = file.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, ValueError):
            continue
    return found


_MAY_BE_SECRET = re.compile(r"PASS|SECRET|TOKEN|KEY|URL|URI|DSN|USER|CREDENTIAL|CLIENT_ID", re.IGNORECASE)
