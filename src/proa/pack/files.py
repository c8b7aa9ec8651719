"""The system files an image may need, made from pinned Python packages: no network, no base image.

Certificates come from ``certifi`` (Mozilla's list), zones from ``tzdata`` (IANA), media types from a table of our
own; the rest is a few lines each. Every file is there for a need, and says which.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.resources import files as resources
from importlib.resources.abc import Traversable

from proa.pack.entries import Entry, file_entry
from proa.records.evidence import Finding, Need, Needs

CERTIFICATES_PATH = "etc/ssl/certs/ca-certificates.crt"
"""The first place Go, OpenSSL on Debian and curl look at. Source: crypto/x509/root_linux.go."""
ZONES_PATH = "usr/share/zoneinfo"
"""The first place Go looks at. Source: time/zoneinfo_unix.go."""
MIME_PATH = "etc/mime.types"
"""Source: mime/type_unix.go, typeFiles."""
_NOBODY = 65534
"""Source: the overflow user of Linux (kernel.overflowuid), which every distribution calls nobody."""


def system_files(needs: Needs, *, user: tuple[int, int], is_libc_linked: bool = False) -> tuple[Entry, ...]:
    """Return the files these needs ask for, each with its reason; none where nothing is needed."""
    found: list[Entry] = []
    if reason := _reason(needs.of("certificates")):
        found.append(certificates(reason))
        found += certificate_links(needs.of("certificates"))
    found += zones(needs.of("zones"))
    if reason := _reason(needs.of("users")):
        found += users(user, reason)
    if reason := _reason(needs.of("tmp")):
        found.append(Entry(path="tmp", kind="folder", mode=0o1777, reason=reason))
    if reason := _reason(needs.of("mime")):
        table = (resources("proa.pack") / "data" / "mime.types").read_bytes()
        found.append(file_entry(MIME_PATH, table, reason=reason))
    if is_libc_linked:
        # Go's own resolver asks files and then DNS without it; glibc's, linked in, does not.
        switch = b"passwd: files\ngroup: files\nhosts: files dns\n"
        found.append(file_entry("etc/nsswitch.conf", switch, reason="libc is linked in and looks names up by it"))
    return tuple(found)


def zone_findings(needs: Needs) -> tuple[Finding, ...]:
    """Return a finding for every zone the program names that does not exist."""
    known = _zone_files()
    return tuple(
        Finding(
            id="pack.zone-unknown",
            message=f"there is no time zone {need.what!r}",
            hint="all zones were added; see https://data.iana.org/time-zones/ for their names",
            evidence=need.evidence,
        )
        for need in needs.of("zones")
        if need.what and need.what not in known
    )


def certificates(reason: str) -> Entry:
    """Return the bundle of certificate authorities, without certifi's comments."""
    import certifi

    text = (resources("certifi") / "cacert.pem").read_text(encoding="ascii")
    return file_entry(
        CERTIFICATES_PATH, bare_certificates(text).encode(), reason=f"{reason}; certifi {certifi.__version__}"
    )


def certificate_links(needs: tuple[Need, ...]) -> Iterator[Entry]:
    """Yield a link to the bundle for every other place where it is looked for: OpenSSL's is compiled in."""
    for need in needs:
        path = need.what.lstrip("/")
        if path and path != CERTIFICATES_PATH:
            yield Entry(path=path, kind="symlink", mode=0o777, target=f"/{CERTIFICATES_PATH}", reason=need.reason)


def bare_certificates(bundle: str) -> str:
    r"""Return a bundle's PEM blocks in their own order, without what stands between them.

    >>> bare_certificates("# x\n-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----\n\n")
    '-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----\n'
    """
    kept: list[str] = []
    is_inside = False
    for line in bundle.splitlines():
        is_inside = is_inside or line.startswith("-----BEGIN ")
        if is_inside:
            kept.append(line)
        is_inside = is_inside and not line.startswith("-----END ")
    return "\n".join(kept) + "\n"


def zones(needs: tuple[Need, ...]) -> tuple[Entry, ...]:
    """Return the zones that are named, or all of them where one need names none (or none that exists)."""
    if not needs:
        return ()
    import tzdata

    known = _zone_files()
    version = f"tzdata {tzdata.IANA_VERSION}"
    if all(need.what in known for need in needs):
        named = {need.what: need.reason for need in needs}
        return tuple(
            file_entry(f"{ZONES_PATH}/{name}", known[name].read_bytes(), reason=f"{named[name]}; {version}")
            for name in sorted(named)
        )
    reason = next(need.reason for need in needs if need.what not in known)
    return tuple(_all_zones(known, f"{reason}; {version}, all zones"))


def users(user: tuple[int, int], reason: str) -> tuple[Entry, Entry]:
    """Return passwd and group with root, nobody and the user the image runs as.

    Those who drop rights look nobody up, and its group by the name it has in Debian or in Fedora.
    """
    uid, gid = user
    accounts = [
        "root:x:0:0:root:/root:/sbin/nologin",
        f"nobody:x:{_NOBODY}:{_NOBODY}:nobody:/nonexistent:/sbin/nologin",
    ]
    groups = ["root:x:0:", f"nogroup:x:{_NOBODY}:", f"nobody:x:{_NOBODY}:"]
    if uid:
        accounts.append(f"nonroot:x:{uid}:{gid}:nonroot:/:/sbin/nologin")
    if gid:
        groups.append(f"nonroot:x:{gid}:")
    return (
        file_entry("etc/passwd", "".join(f"{line}\n" for line in accounts).encode(), reason=reason),
        file_entry("etc/group", "".join(f"{line}\n" for line in groups).encode(), reason=reason),
    )


def _reason(needs: tuple[Need, ...]) -> str:
    return needs[0].reason if needs else ""


def _all_zones(known: Mapping[str, Traversable], reason: str) -> Iterator[Entry]:
    """Yield every zone; of those with the same content the first by name is a file, the others hard links to it."""
    first: dict[bytes, str] = {}
    for name in sorted(known):
        data = known[name].read_bytes()
        path = f"{ZONES_PATH}/{name}"
        if data in first:
            yield Entry(path=path, kind="hardlink", mode=0o644, target=first[data], reason=reason, group=ZONES_PATH)
            continue
        first[data] = path
        yield file_entry(path, data, reason=reason, group=ZONES_PATH)


def _zone_files() -> dict[str, Traversable]:
    """Return the zones by name, as tzdata's own list has them."""
    folder = resources("tzdata") / "zoneinfo"
    names = (resources("tzdata") / "zones").read_text(encoding="ascii").split()
    return {name: folder.joinpath(*name.split("/")) for name in names}
