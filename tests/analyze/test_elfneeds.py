"""What a program that is not Go needs, from its imports, its libraries' and the paths in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from fakes.dynamic_files import GLIBC, dynamic_file, put_file
from proa.analyze.elfneeds import find_elf_needs
from proa.records.evidence import Needs


def needs(folder: Path, *, libraries: dict[str, bytes] | None = None, **words: object) -> Needs:
    words.setdefault("imports", ["puts"])
    program = put_file(folder, "app", dynamic_file(interpreter=GLIBC, needed=["libc.so.6"], **words))  # type: ignore[arg-type]
    files = {path: put_file(folder, path, content) for path, content in (libraries or {}).items()}
    return find_elf_needs(program, "app", files)


def kinds(found: Needs) -> list[tuple[str, str]]:
    return [(need.kind, need.what) for need in found.needs]


def test_a_plain_program_needs_nothing(tmp_path: Path) -> None:
    assert kinds(needs(tmp_path)) == []


@pytest.mark.parametrize(
    ("call", "kind", "what"),
    [
        ("SSL_CTX_set_default_verify_paths", "certificates", ""),
        ("gnutls_certificate_set_x509_system_trust", "certificates", ""),
        ("getpwnam_r", "users", ""),
        ("mkstemp", "tmp", ""),
        ("system", "program", "/bin/sh"),
        ("execvp", "program", ""),
        ("getaddrinfo", "libc", ""),
    ],
)
def test_a_call_shows_a_need_and_is_its_evidence(tmp_path: Path, call: str, kind: str, what: str) -> None:
    found = needs(tmp_path, imports=[call])
    assert kinds(found) == [(kind, what)]
    assert found.needs[0].evidence[0].symbol == call
    assert found.needs[0].reason.startswith(f"app calls {call}: ")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (b"\0/etc/ssl/certs/ca-certificates.crt\0", "certificates"),
        (b"\0/etc/mime.types\0", "mime"),
        (b"\0/usr/share/zoneinfo/\0", "zones"),
        (b"\0/tmp/sock\0", "tmp"),
    ],
)
def test_a_path_in_the_program_shows_a_need(tmp_path: Path, text: bytes, kind: str) -> None:
    assert kinds(needs(tmp_path, text=text)) == [(kind, "")]


def test_a_librarys_calls_count_and_its_paths_do_not(tmp_path: Path) -> None:
    library = dynamic_file(soname="liba.so", imports=["mkdtemp"], text=b"/etc/mime.types")
    found = needs(tmp_path, libraries={"/lib/liba.so": library})
    assert [need.reason for need in found.needs] == ["liba.so calls mkdtemp: it writes temporary files"]


def test_what_libc_calls_itself_does_not_count(tmp_path: Path) -> None:
    library = dynamic_file(soname="libstdc++.so.6", imports=["getpwnam", "mkstemp"])
    assert kinds(needs(tmp_path, libraries={"/lib/libstdc++.so.6": library})) == []


def test_openssls_own_place_is_asked_for_too(tmp_path: Path) -> None:
    crypto = dynamic_file(soname="libcrypto.so.3", text=b'\0OPENSSLDIR: "/usr/lib/ssl"\0')
    found = needs(tmp_path, libraries={"/lib/libcrypto.so.3": crypto}, imports=["SSL_CTX_set_default_verify_paths"])
    assert kinds(found) == [("certificates", ""), ("certificates", "/usr/lib/ssl/cert.pem")]


def test_local_time_is_left_out_with_its_reason(tmp_path: Path) -> None:
    found = needs(tmp_path, imports=["localtime_r"])
    assert kinds(found) == []
    assert [one.kind for one in found.left_out] == ["zones"]


def test_a_damaged_program_may_need_everything(tmp_path: Path) -> None:
    file = put_file(tmp_path, "app", dynamic_file(interpreter=GLIBC)[:100])
    assert ("certificates", "") in kinds(find_elf_needs(file, "app", {}))
