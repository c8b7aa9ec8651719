"""Findings: each leftover, secret and broken entrypoint is named, and honest images are left alone."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest

from fakes.layers import archive, docker_archive, item
from proa.outside.access import Access
from proa.outside.image_stream import opened_image
from proa.outside.images import located
from proa.outside.store import Store
from proa.pipeline.inspect import dissect
from proa.records.image_anatomy import ImageAnatomy, encode_anatomy

KEY = b"-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEAsecretsecretsecret\n-----END RSA PRIVATE KEY-----\n"


def elf(*, machine: int = 62, interpreter: bytes = b"") -> bytes:
    """Return the headers of a 64-bit ELF program."""
    count = 1 if interpreter else 0
    head = b"\x7fELF\x02\x01\x01" + bytes(9)
    head += struct.pack("<HHIQQQIHHHHHH", 2, machine, 1, 0, 64, 0, 0, 64, 56, count, 0, 0, 0)
    table = struct.pack("<IIQQQQQQ", 3, 4, 120, 0, 0, len(interpreter) + 1, 0, 1) if count else b""
    return head + table + interpreter + b"\0" * 8


def anatomy_of(tmp_path: Path, *layers: list[Any], **execution: Any) -> ImageAnatomy:
    history = execution.pop("history", None)
    started = {"User": "65532", "Entrypoint": ["/app"], **execution}
    file = docker_archive(tmp_path / "i.tar", [archive(layer) for layer in layers], execution=started, history=history)
    with opened_image(located(str(file)), None, store=Store(tmp_path / "store"), access=Access()) as opened:
        return dissect(opened, place="i.tar")


APP = item("app", elf(), mode=0o755)


def test_an_honest_image_has_no_finding(tmp_path: Path) -> None:
    layer = [APP, item("etc/ssl/cert.pem", b"-----BEGIN CERTIFICATE-----\nMII\n"), item("tmp", mode=0o1777)]
    assert anatomy_of(tmp_path, layer).findings == ()


@pytest.mark.parametrize(
    ("path", "content", "mode", "expected"),
    [
        ("root/.ssh/id_rsa", KEY, 0o600, "secret.private-key"),
        ("home/a/.aws/credentials", b"[default]\naws_access_key_id = AKIAABCDEFGHIJKLMNOP\n", 0o600, "secret.aws-key"),
        ("srv/.env", b"DB=hunter2\n", 0o600, "secret.env-file"),
        ("root/.npmrc", b"//registry.npmjs.org/:_authToken=npm_abcdef123456\n", 0o600, "secret.npm-token"),
        ("root/.docker/config.json", b'{"auths":{"r":{"auth":"YTpi"}}}', 0o600, "secret.credentials"),
        ("srv/ci.sh", b"#!/bin/sh\ncurl -H ghp_" + b"a" * 36, 0o644, "secret.token"),
        ("usr/bin/su", b"x", 0o4755, "setuid"),
        ("usr/bin/wall", b"x", 0o2755, "setgid"),
        ("srv/open", b"x", 0o666, "world-writable"),
        ("usr/sbin/sshd", b"x", 0o755, "ssh.server"),
        ("var/lib/apt/lists/deb_main_Packages", b"x", 0o644, "cache.apt"),
        ("var/cache/apt/archives/a.deb", b"x", 0o644, "cache.apt"),
        ("var/cache/apk/APKINDEX.tar.gz", b"x", 0o644, "cache.apk"),
        ("var/cache/dnf/x", b"x", 0o644, "cache.dnf"),
        ("root/.cache/pip/http/a", b"x", 0o644, "cache.pip"),
        ("root/.npm/_cacache/index", b"x", 0o644, "cache.npm"),
        ("root/go/pkg/mod/a", b"x", 0o644, "cache.go"),
        ("root/.cargo/registry/a", b"x", 0o644, "cache.cargo"),
        ("root/.m2/repository/a.jar", b"x", 0o644, "cache.java"),
        ("usr/bin/gcc-12", b"x", 0o755, "build.compiler"),
        ("usr/include/stdio.h", b"x", 0o644, "build.headers"),
        ("usr/share/man/man1/ls.1.gz", b"x", 0o644, "docs"),
        ("srv/.git/HEAD", b"ref", 0o644, "vcs"),
    ],
)
def test_each_leftover_is_named(tmp_path: Path, path: str, content: bytes, mode: int, expected: str) -> None:
    anatomy = anatomy_of(tmp_path, [APP], [item(path, content, mode=mode)])
    (finding,) = anatomy.findings
    assert finding.id == expected
    assert finding.layer == anatomy.layers[1].digest
    assert f"/{path}".startswith(finding.path)


def test_a_file_that_is_set_user_id_and_set_group_id_is_told_as_both(tmp_path: Path) -> None:
    anatomy = anatomy_of(tmp_path, [APP, item("usr/bin/su", b"x", mode=0o6755)])
    assert [finding.id for finding in anatomy.findings] == ["setgid", "setuid"]


@pytest.mark.parametrize(
    ("user", "is_root"),
    [(user, True) for user in ("", "0", "0:0", "root", "root:1000", ":5", "000", "+0")]
    + [(user, False) for user in ("1000", "1000:0", "nobody", "rooted", "10")],
)
def test_root_is_known_however_it_is_written(tmp_path: Path, user: str, is_root: bool) -> None:
    assert [finding.id for finding in anatomy_of(tmp_path, [APP], User=user).findings] == ["user.root"] * is_root


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("root/.npmrc", b"//registry.npmjs.org/:_authToken=${NPM_TOKEN}\n"),
        ("srv/.env.example", b"DB=hunter2\n"),
        ("usr/lib/tool", b"\x7fELF..-----BEGIN RSA PRIVATE KEY-----"),
        ("usr/lib/writer.py", b'HEAD = "-----BEGIN PRIVATE KEY-----"\nprint(HEAD)\n'),
        ("usr/share/doc/libc6/copyright", b"GPL"),
        ("var/lib/apt/lists/lock", b""),
        ("srv/id.txt", b"XAKIAABCDEFGHIJKLMNOPQ"),
    ],
)
def test_what_only_looks_like_one_is_not(tmp_path: Path, path: str, content: bytes) -> None:
    assert anatomy_of(tmp_path, [APP, item(path, content)]).findings == ()


def test_a_secret_that_was_deleted_is_still_there_and_never_printed(tmp_path: Path) -> None:
    history = [
        {"created_by": "RUN |1 NPM_TOKEN=hunter2 /bin/sh -c npm ci"},
        {"created_by": "ENV DB_PASSWORD=hunter2", "empty_layer": True},
        {"created_by": "RUN curl https://bob:hunter2@example.com"},
    ]
    key = KEY.replace(b"secret", b"hunter2")
    anatomy = anatomy_of(
        tmp_path, [APP, item("k", key)], [item(".wh.k", b"")], history=history, Env=["DB_PASSWORD=hunter2"]
    )
    found = {finding.id: finding for finding in anatomy.findings}
    assert "can still read it" in found["secret.private-key"].message
    assert "DB_PASSWORD" in found["secret.environment"].message
    assert b"hunter2" not in encode_anatomy(anatomy)


@pytest.mark.parametrize("user", ["", "0", "root", "0:0"])
def test_root_is_told(tmp_path: Path, user: str) -> None:
    assert [finding.id for finding in anatomy_of(tmp_path, [APP], User=user).findings] == ["user.root"]


LOADER = b"/lib64/ld-linux-x86-64.so.2"
STARTS: dict[str, tuple[list[Any], list[str], str, str]] = {
    "its loader is missing": (
        [item("app", elf(interpreter=LOADER), mode=0o755)],
        ["/app"],
        "entrypoint.loader-missing",
        "/app exists, but its interpreter /lib64/ld-linux-x86-64.so.2 is not in the image",
    ),
    "its loader is there, through a link": (
        [
            item("app", elf(interpreter=LOADER), mode=0o755),
            item("lib64", link="usr/lib"),
            item("usr/lib/ld-linux-x86-64.so.2", elf(), mode=0o755),
        ],
        ["app"],
        "entrypoint.missing",
        "the entrypoint app is not in the image in",
    ),
    "for arm64": (
        [item("app", elf(machine=183), mode=0o755)],
        ["/app"],
        "entrypoint.wrong-architecture",
        "/app is for arm64, and the image says it is for amd64",
    ),
    "not executable": ([item("app", elf())], ["/app"], "entrypoint.not-executable", "/app is not executable (0644)"),
    "not there": ([APP], ["/other"], "entrypoint.missing", "the entrypoint /other is not in the image"),
    "a link to nowhere": ([item("app", link="gone")], ["/app"], "entrypoint.missing", "/app is not in the image"),
    "a link in a circle": ([item("app", link="app")], ["/app"], "entrypoint.missing", "/app is not in the image"),
    "a folder": ([item("app")], ["/app"], "entrypoint.not-executable", "/app is no file"),
    "a script without its shell": (
        [item("app", b"#!/bin/bash\n", mode=0o755)],
        ["/app"],
        "entrypoint.interpreter-missing",
        "/app exists, but its interpreter /bin/bash is not in the image",
    ),
    "a script whose env finds nothing": (
        [item("app", b"#!/usr/bin/env python3\n", mode=0o755), item("usr/bin/env", elf(), mode=0o755)],
        ["/app"],
        "entrypoint.interpreter-missing",
        "its interpreter python3 is not",
    ),
    "a script whose shell lacks its loader": (
        [item("app", b"#!/bin/sh\n", mode=0o755), item("bin/sh", elf(interpreter=b"/lib/ld-musl"), mode=0o755)],
        ["/app"],
        "entrypoint.loader-missing",
        "/bin/sh exists, but its interpreter /lib/ld-musl",
    ),
    "a shell form without a shell": ([APP], ["/bin/sh", "-c", "app"], "entrypoint.missing", "/bin/sh is not in"),
    "text": ([item("app", b"hello", mode=0o755)], ["/app"], "entrypoint.unknown-format", "neither an ELF"),
    "nothing named": ([APP], [], "entrypoint.none", "names nothing to start"),
}


@pytest.mark.parametrize("name", STARTS)
def test_an_entrypoint_that_cannot_start_is_told(tmp_path: Path, name: str) -> None:
    layer, words, expected, message = STARTS[name]
    (finding,) = anatomy_of(tmp_path, layer, Entrypoint=words).findings
    assert finding.id == expected
    assert message in finding.message


def test_entrypoints_that_start_are_left_alone(tmp_path: Path) -> None:
    layer = [
        item("usr/bin/run", b"#!/bin/sh\n", mode=0o755),
        item("bin", link="usr/bin"),
        item("usr/bin/sh", elf(interpreter=LOADER), mode=0o755),
        item("lib64/ld-linux-x86-64.so.2", elf(), mode=0o755),
        APP,
    ]
    assert anatomy_of(tmp_path, layer, Entrypoint=["run"]).findings == ()
    assert anatomy_of(tmp_path, layer, Entrypoint=None, Cmd=["./app"], WorkingDir="/").findings == ()
