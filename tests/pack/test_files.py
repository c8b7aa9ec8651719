"""Synthesised files: exactly what is needed, complete, and found where Go looks."""

from __future__ import annotations

import re
import ssl
from importlib.resources import files as resources

import pytest

from proa.pack.entries import Entry
from proa.pack.files import MIME_PATH, ZONES_PATH, system_files, zone_findings
from proa.records.evidence import Evidence, Need, Needs


def made(*needs: Need, **options: bool) -> dict[str, Entry]:
    return {entry.path: entry for entry in system_files(Needs(needs=needs), user=(65532, 65532), **options)}


def need(kind: str, what: str = "") -> Need:
    return Need(kind=kind, what=what, reason=f"main.run needs {kind} {what}".strip())


def test_nothing_needed_is_nothing_made() -> None:
    assert made() == {}


def test_the_bundle_holds_every_certificate_of_certifi_in_order() -> None:
    bundle = made(need("certificates"))["etc/ssl/certs/ca-certificates.crt"].data.decode()
    source = (resources("certifi") / "cacert.pem").read_text()
    blocks = re.compile("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
    assert blocks.findall(bundle) == blocks.findall(source)
    assert "#" not in bundle
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=bundle)
    assert len(context.get_ca_certs()) > 100


def test_named_zones_are_the_only_ones() -> None:
    found = made(need("zones", "Europe/Paris"), need("zones", "US/Eastern"))
    assert sorted(found) == [f"{ZONES_PATH}/Europe/Paris", f"{ZONES_PATH}/US/Eastern"]
    assert all(entry.kind == "file" and entry.data.startswith(b"TZif") for entry in found.values())
    assert "Europe/Paris; tzdata 20" in found[f"{ZONES_PATH}/Europe/Paris"].reason


def test_one_need_without_a_name_brings_all_zones_each_once() -> None:
    found = made(need("zones", "Europe/Paris"), need("zones"))
    names = (resources("tzdata") / "zones").read_text().split()
    assert set(found) == {f"{ZONES_PATH}/{name}" for name in names}
    contents = [entry.data for entry in found.values() if entry.kind == "file"]
    assert len(contents) == len(set(contents))
    for entry in found.values():
        if entry.kind == "hardlink":
            assert found[entry.target].kind == "file"
            name = entry.path.removeprefix(f"{ZONES_PATH}/")
            assert (resources("tzdata") / "zoneinfo").joinpath(name).read_bytes() == found[entry.target].data


@pytest.mark.parametrize("name", ["Europe/Atlantis", "../../etc/passwd", "__init__.py", "Europe"])
def test_a_zone_that_does_not_exist_is_told_and_all_are_added(name: str) -> None:
    needs = Needs(needs=(Need(kind="zones", what=name, reason="r", evidence=(Evidence(symbol="main.x"),)),))
    finding = zone_findings(needs)[0]
    assert name in finding.message
    assert finding.evidence[0].symbol == "main.x"
    assert len(system_files(needs, user=(1, 1))) > 500


def test_users_are_root_nobody_and_the_images_own() -> None:
    found = made(need("users"))
    assert found["etc/passwd"].data == (
        b"root:x:0:0:root:/root:/sbin/nologin\n"
        b"nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\n"
        b"nonroot:x:65532:65532:nonroot:/:/sbin/nologin\n"
    )
    assert found["etc/group"].data == b"root:x:0:\nnogroup:x:65534:\nnobody:x:65534:\nnonroot:x:65532:\n"


def test_the_temporary_folder_is_everybodys() -> None:
    folder = made(need("tmp"))["tmp"]
    assert (folder.kind, folder.mode) == ("folder", 0o1777)


def test_the_media_types_are_well_formed_and_each_extension_has_one() -> None:
    extensions: list[str] = []
    for line in made(need("mime"))[MIME_PATH].data.decode().splitlines():
        if line and not line.startswith("#"):
            kind, *names = line.split()
            assert re.fullmatch(r"[a-z]+/[a-z0-9.+-]+", kind)
            assert names
            extensions += names
    assert len(extensions) == len(set(extensions))
    assert {"html", "svg", "wasm", "pdf"} <= set(extensions)


def test_a_name_service_switch_is_for_linked_in_libc_only() -> None:
    assert "etc/nsswitch.conf" not in made(need("certificates"))
    assert made(is_libc_linked=True)["etc/nsswitch.conf"].data.endswith(b"hosts: files dns\n")


def test_every_file_says_why_it_is_there() -> None:
    for entry in made(*(need(kind) for kind in ("certificates", "zones", "users", "tmp", "mime"))).values():
        assert entry.reason
        assert (entry.uid, entry.gid) == (0, 0)
