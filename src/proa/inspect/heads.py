"""What the first bytes of a file show: that it can be started and what that takes, and secrets by their shape.

Called once for every file of an image, so everything cheap comes first. Secrets are named, never kept.
"""

from __future__ import annotations

import posixpath
import re
import struct

import msgspec

from proa.records.layer_entry import ProgramHead, SecretKind, Seen

_ELF = b"\x7fELF"
_PT_INTERP = 3
_MOST_SEGMENTS = 64
#: Source: ELF, e_machine (gabi, "Machine Information"); Go's names from go/build/syslist.
_MACHINES = {3: "386", 8: "mips", 21: "ppc64", 22: "s390x", 40: "arm", 62: "amd64", 183: "arm64", 243: "riscv64"}
_MACHINES[258] = "loong64"
_PRIVATE_KEY = re.compile(rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----")
_KEY_BODY = re.compile(rb"\s*(?:[A-Za-z-]+: [^\n]*\n)*\s*[A-Za-z0-9+/=]{16}")
#: Source: AWS, "IAM identifiers": AKIA are long-term keys, ASIA temporary ones.
_AWS_KEY = re.compile(rb"(?<![A-Za-z0-9/+])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9/+])")
_AWS_SECRET = re.compile(rb"aws_secret_access_key\s*[=:]\s*[\"']?[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+])", re.IGNORECASE)
#: A reference to a variable is no secret.
_NPM_TOKEN = re.compile(rb"(?m)^[^#;\n]*_(?:authToken|auth|password)\s*=\s*\"?(?!\$\{)[^\s\"]{4}")
_TOKEN = re.compile(
    rb"(?<![A-Za-z0-9])(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{60}|glpat-[A-Za-z0-9_-]{20})"
)
_VALUE = re.compile(rb"(?m)^\s*(?:export\s+)?[A-Za-z_][A-Za-z0-9_]*\s*=\s*[^\s#]")
_CREDENTIALS = {
    ".git-credentials": re.compile(rb"://[^\s/:]+:[^\s@]+@"),
    ".netrc": re.compile(rb"\bpassword\s+\S"),
    ".pypirc": re.compile(rb"(?m)^\s*password\s*[:=]\s*\S"),
    ".dockerconfigjson": re.compile(rb"\"(?:auth|identitytoken)\"\s*:\s*\"[^\"]"),
    ".pgpass": re.compile(rb"(?m)^[^#\n]*:[^:\n]*:[^:\n]*:[^:\n]*:\S"),
}
_EXAMPLE_ENDINGS = (".example", ".sample", ".template", ".dist", ".tmpl")


def look(path: str, data: bytes, start: int, end: int) -> Seen | None:
    r"""Return what ``data[start:end]``, the beginning of a file, shows; None for nothing.

    >>> look("bin/run", b"#!/bin/sh -e\n", 0, 13).program.interpreter
    '/bin/sh'
    >>> look("key", b"plain text", 0, 10) is None
    True
    """
    if data.startswith(b"#!", start):
        return Seen(program=_script(data[start : min(end, start + 256)]), secrets=_secrets(path, data, start, end))
    if data.startswith(_ELF, start):
        program = read_elf(data[start:end])
        return Seen(program=program) if program else None
    # Keys and tokens are text; this spares most of an image's bytes the search.
    if not _is_text(data[start : min(end, start + 512)]):
        return None
    secrets = _secrets(path, data, start, end)
    return Seen(secrets=secrets) if secrets else None


def _is_text(head: bytes) -> bool:
    if b"\0" in head:
        return False
    try:
        head.decode()
    except UnicodeDecodeError as error:
        # The cut may go through a character.
        return len(head) == 512 and error.start >= 509
    return True


def _script(head: bytes) -> ProgramHead:
    """Return what a script's first line asks for. Source: Linux, fs/binfmt_script.c."""
    line = head[2:].split(b"\n", 1)[0].strip().decode("utf-8", "backslashreplace")
    interpreter, _, argument = line.partition(" ")
    return ProgramHead(format="script", interpreter=interpreter, argument=argument.strip())


def read_elf(head: bytes) -> ProgramHead | None:
    """Return what an ELF file's headers say; None where they cannot be read from these bytes.

    Source: gABI, "ELF Header" and "Program Header".
    """
    if len(head) < 52 or head[4] not in (1, 2) or head[5] not in (1, 2):
        return None
    is_64, order = head[4] == 2, "<" if head[5] == 1 else ">"
    try:
        (kind, machine) = struct.unpack_from(order + "HH", head, 16)
        (table,) = struct.unpack_from(order + ("Q" if is_64 else "I"), head, 32 if is_64 else 28)
        size, count = struct.unpack_from(order + "HH", head, 54 if is_64 else 42)
    except struct.error:
        return None
    # Executables and position-independent ones; relocatable files and cores are started by nobody.
    if kind not in (2, 3):
        return None
    name = _MACHINES.get(machine, f"machine {machine}")
    if machine in (8, 21, 183, 243):
        name = {("ppc64", "<"): "ppc64le", ("mips", "<"): "mipsle"}.get((name, order), name)
    if name.startswith("mips") and is_64:
        name = name.replace("mips", "mips64")
    segments = _Segments(order=order, is_64=is_64, at=table, size=size, count=min(count, _MOST_SEGMENTS))
    return ProgramHead(format="elf", architecture=name, interpreter=_interpreter(head, segments))


class _Segments(msgspec.Struct, frozen=True, kw_only=True):
    """Where an ELF file's program headers are."""

    order: str
    is_64: bool
    at: int
    size: int
    count: int


def _interpreter(head: bytes, table: _Segments) -> str:
    order = table.order
    form, place, length = (order + "Q", 8, 32) if table.is_64 else (order + "I", 4, 16)
    for number in range(table.count):
        at = table.at + number * table.size
        if at + table.size > len(head) or table.size < length + 8:
            break
        if struct.unpack_from(order + "I", head, at)[0] == _PT_INTERP:
            (offset,) = struct.unpack_from(form, head, at + place)
            (long,) = struct.unpack_from(form, head, at + length)
            return head[offset : offset + min(long, 4096)].split(b"\0", 1)[0].decode("utf-8", "backslashreplace")
    return ""


def _secrets(path: str, data: bytes, start: int, end: int) -> tuple[SecretKind, ...]:
    name = posixpath.basename(path)
    found: list[SecretKind] = []
    if data.find(b"PRIVATE KEY", start, end) >= 0 and _has_private_key(data, start, end):
        found.append("private-key")
    if _has(data, start, end, b"AKIA", b"ASIA") and _AWS_KEY.search(data, start, end):
        found.append("aws-key")
    if _has(data, start, end, b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_", b"github_pat_", b"glpat-"):
        found += ["token"] if _TOKEN.search(data, start, end) else []
    shape = _shape(path, name)
    # Cut out, since ^ would not match at the beginning of what lies in the middle of a buffer.
    if shape is not None and shape[0] not in found and shape[1].search(data[start:end]):
        found.append(shape[0])
    return tuple(found)


def _has(data: bytes, start: int, end: int, *marks: bytes) -> bool:
    return any(data.find(mark, start, end) >= 0 for mark in marks)


def _shape(path: str, name: str) -> tuple[SecretKind, re.Pattern[bytes]] | None:
    """Return what a file of this name would have in it."""
    if name in (".npmrc", "npmrc", ".yarnrc"):
        return "npm-token", _NPM_TOKEN
    if _is_env_file(name):
        return "env-file", _VALUE
    if name == "credentials":
        return "aws-key", _AWS_SECRET
    if path.endswith(".docker/config.json"):
        return "credentials", _CREDENTIALS[".dockerconfigjson"]
    return ("credentials", _CREDENTIALS[name]) if name in _CREDENTIALS else None


def _has_private_key(data: bytes, start: int, end: int) -> bool:
    """Say whether a key follows its own head line: programs that write keys have the line alone."""
    for match in _PRIVATE_KEY.finditer(data, start, end):
        is_first = not data[start : match.start()].strip()
        if is_first or _KEY_BODY.match(data, match.end(), end):
            return True
    return False


def _is_env_file(name: str) -> bool:
    """Say whether a name is that of a file of variables.

    >>> [_is_env_file(name) for name in (".env", ".env.production", "prod.env", ".env.example")]
    [True, True, True, False]
    """
    is_named = name == ".env" or name.startswith(".env.") or name.endswith(".env")
    return is_named and not name.endswith(_EXAMPLE_ENDINGS)
