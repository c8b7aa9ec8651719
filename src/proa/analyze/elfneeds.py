"""What a program that is not Go needs at run time, from the functions it and its libraries call and the paths in it.

A dynamic program's imports say what it calls; a static one's symbols say what is linked in; where it was stripped,
only the paths in it speak. Every need names the symbol or path that shows it, and the file that has it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

import msgspec

from proa.errors import BinaryDamaged
from proa.outside.dynamic import defined_names, find_bytes, holds_text, imported_names
from proa.outside.elf import Elf, open_elf
from proa.records.evidence import Evidence, LeftOut, Need, NeedKind, Needs


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """By what one kind of need is recognised."""

    kind: NeedKind
    calls: frozenset[str] = frozenset()
    paths: tuple[bytes, ...] = ()
    what: str = ""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


RULES = (
    Rule(
        kind="certificates",
        calls=_words(
            "SSL_CTX_set_default_verify_paths X509_STORE_set_default_paths SSL_CTX_set_default_verify_dir "
            "SSL_CTX_set_default_verify_file gnutls_certificate_set_x509_system_trust "
            "gnutls_x509_trust_list_add_system_trust curl_easy_perform curl_multi_perform "
            "wolfSSL_CTX_load_system_CA_certs"
        ),
        paths=(b"/etc/ssl/certs/ca-certificates.crt", b"/etc/pki/tls/certs/ca-bundle.crt", b"/etc/ssl/cert.pem"),
    ),
    Rule(
        kind="zones",
        calls=_words("tzalloc _ZNSt6chrono11locate_zoneESt17basic_string_viewIcSt11char_traitsIcEE"),
        paths=(b"/usr/share/zoneinfo",),
    ),
    Rule(
        kind="users",
        calls=_words(
            "getpwnam getpwnam_r getpwuid getpwuid_r getgrnam getgrnam_r getgrgid getgrgid_r getpwent getgrent "
            "initgroups getgrouplist"
        ),
    ),
    Rule(
        kind="tmp",
        calls=_words("mkstemp mkstemp64 mkostemp mkostemp64 mkstemps mkdtemp tmpfile tmpfile64 tmpnam tempnam mktemp"),
        paths=(b"/tmp/",),
    ),
    Rule(kind="mime", paths=(b"/etc/mime.types",)),
    Rule(kind="program", calls=_words("system popen"), what="/bin/sh"),
    Rule(
        kind="program",
        calls=_words("execvp execvpe execlp execl execle execv execve posix_spawn posix_spawnp fexecve"),
    ),
    Rule(
        kind="libc",
        calls=_words("getaddrinfo gethostbyname gethostbyname2 gethostbyname_r gethostbyaddr getnameinfo"),
    ),
)
_ABOUT = {
    "certificates": "checks certificates against the system's",
    "zones": "loads time zones",
    "users": "looks up users or groups",
    "tmp": "writes temporary files",
    "mime": "reads the table of media types",
    "program": "starts another program",
    "libc": "looks up host names through libc",
}
_C_LIBRARIES = ("libc.so", "libc.musl-", "ld-", "libm.so", "libpthread.so", "libdl.so", "librt.so", "libresolv.so",
                "libgcc_s.so", "libstdc++.so", "libnss_", "libnsl.so", "libutil.so", "libc++")  # fmt: skip
"""What these call they call for others: it counts where a program calls them."""
_OWN = {"certificates": ("libssl", "libcrypto", "libgnutls", "libp11-kit")}
"""Libraries that offer what a rule looks for, and so have it whoever uses them."""
_OPENSSL_DIRECTORY = b'OPENSSLDIR: "'
_LOCAL_TIME = _words("localtime localtime_r tzset mktime")


class _File(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A program or library and the functions it uses."""

    name: str
    elf: Elf
    calls: frozenset[str]
    is_program: bool = False


def find_elf_needs(file: Path, name: str, libraries: Mapping[str, Path]) -> Needs:
    """Return what a program needs; ``libraries`` are the files it is loaded with, by their paths in the image.

    Raises ImageMissing.
    """
    try:
        return _read(file, name, libraries)
    except BinaryDamaged as error:
        kinds: tuple[NeedKind, ...] = ("certificates", "users", "tmp")
        return Needs(needs=tuple(Need(kind=kind, reason=f"it cannot be told: {error.what}") for kind in kinds))


def _read(file: Path, name: str, libraries: Mapping[str, Path]) -> Needs:
    elf = open_elf(file)
    imported = imported_names(elf)
    calls = imported or defined_names(elf)
    files = [_File(name=name, elf=elf, calls=calls, is_program=True)]
    for path, library in libraries.items():
        base = PurePosixPath(path).name
        if not base.startswith(_C_LIBRARIES):
            one = open_elf(library)
            files.append(_File(name=base, elf=one, calls=imported_names(one)))
    needs: dict[tuple[NeedKind, str], Need] = {}
    for rule in RULES:
        need = next(_by_rule(rule, files, is_static=not imported), None)
        if need is not None:
            needs.setdefault((need.kind, need.what), need)
    if ("certificates", "") in needs:
        places = _openssl_places([elf, *(open_elf(path) for path in libraries.values())])
        needs |= {
            ("certificates", place): Need(kind="certificates", what=place, reason=f"OpenSSL in it looks for {place}")
            for place in places
        }
    return Needs(needs=tuple(needs.values()), left_out=tuple(_left_out(files, needs)))


def _by_rule(rule: Rule, files: list[_File], *, is_static: bool) -> Iterator[Need]:
    about = _ABOUT[rule.kind]
    # Every libc has the zones' folder in it.
    paths = () if is_static and rule.kind == "zones" else rule.paths
    for one in files:
        if one.name.startswith(_OWN.get(rule.kind, ("\0",))):
            continue
        if called := sorted(rule.calls & one.calls):
            reason = f"{one.name} {'has' if is_static else 'calls'} {called[0]}: it {about}"
            yield Need(
                kind=rule.kind, what=rule.what, reason=reason, evidence=(Evidence(file=one.name, symbol=called[0]),)
            )
        # What a library has in it need not be used; a program's own paths are.
        elif one.is_program and (path := _path(paths, one.elf)):
            yield Need(
                kind=rule.kind,
                what=rule.what,
                reason=f"{path} is in {one.name}: it {about}",
                evidence=(Evidence(file=one.name, symbol=path),),
            )


def _path(paths: tuple[bytes, ...], elf: Elf) -> str:
    return next((path.decode() for path in paths if holds_text(elf, path)), "")


def _openssl_places(files: list[Elf]) -> Iterator[str]:
    """Yield the file that OpenSSL opens by itself, from the words it has of its own build."""
    for elf in files:
        at = find_bytes(elf, _OPENSSL_DIRECTORY, 0, len(elf.data))
        if at >= 0:
            text = bytes(elf.data[at + len(_OPENSSL_DIRECTORY) : at + 256]).partition(b'"')[0].decode("ascii", "ignore")
            if text.startswith("/") and ".." not in text and text.isprintable():
                yield f"{text.rstrip('/')}/cert.pem"
                return


def _left_out(files: list[_File], needs: Mapping[tuple[NeedKind, str], Need]) -> Iterator[LeftOut]:
    if not any(kind == "zones" for kind, _ in needs):
        user = next((one for one in files if one.calls & _LOCAL_TIME), None)
        if user is not None:
            called = min(user.calls & _LOCAL_TIME)
            yield LeftOut(kind="zones", reason=f"{called} in {user.name} takes UTC where there is no /etc/localtime")
