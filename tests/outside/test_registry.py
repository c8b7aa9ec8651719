"""Pushing and pulling: the same contract on the working model and on real registries; then what goes wrong."""

from __future__ import annotations

import hashlib
import json
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

import real_neighbours
from fakes.images import make_image, make_index, tar
from fakes.registry import FakeRegistry, Handler
from proa.errors import BaseUnfit, ImageMissing, NoSpace, RegistryRefused, RegistryUnreachable
from proa.outside.access import Access
from proa.outside.images import fetch_image, write_image
from proa.outside.registry import fallback_tag, list_referrers
from proa.outside.store import Store
from proa.publish import SHIPMENT, attach_shipment
from proa.records.oci import INDEX, Descriptor, Index
from proa.records.platform import Platform
from proa.records.reference import Name, parse_reference

AMD64 = Platform("linux", "amd64")


def access(**changes: object) -> Access:
    return msgspec.structs.replace(Access(sleep=lambda _: None), **changes)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def empty(tmp_path: Path) -> Store:
    return Store(tmp_path / "other")


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with FakeRegistry() as registry:
        yield registry


@pytest.fixture(
    params=[
        "fake",
        "fake without referrers",
        pytest.param("docker-registry", marks=pytest.mark.real),
        pytest.param("crane", marks=pytest.mark.real),
    ]
)
def host(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param in ("docker-registry", "crane"):
        yield request.getfixturevalue(f"{request.param.partition('-')[0]}_registry")
        return
    with FakeRegistry(has_referrers=request.param == "fake") as registry:
        yield registry.host


@pytest.fixture
def repository(host: str) -> str:
    return f"{host}/shop/{uuid.uuid4().hex}"


# The contract


def test_what_is_pushed_comes_back_the_same(repository: str, store: Store, empty: Store) -> None:
    image = make_image(store, tar(a=b"a" * 3_000_000), tar(b=b"b"))
    printed = write_image(image, parse_reference(f"docker://{repository}:1"), store=store, access=access())
    assert printed == f"{repository}@{image.digest}"
    for reference in (f"docker://{repository}:1", f"docker://{printed}"):
        fetched = fetch_image(parse_reference(reference), AMD64, store=empty, access=access())
        assert fetched == image
    assert set(empty.digests()) == set(store.digests())


def test_an_index_goes_whole_and_one_platform_comes_back(repository: str, store: Store, empty: Store) -> None:
    images = {arch: make_image(store, tar(x=arch.encode()), architecture=arch) for arch in ("amd64", "arm64")}
    index = make_index(store, **images)
    write_image(index, parse_reference(f"docker://{repository}:1"), store=store, access=access())
    arm = fetch_image(
        parse_reference(f"docker://{repository}:1"), Platform("linux", "arm64"), store=empty, access=access()
    )
    assert arm.digest == images["arm64"].digest
    with pytest.raises(BaseUnfit) as refused:
        fetch_image(
            parse_reference(f"docker://{repository}:1"), Platform("linux", "s390x"), store=empty, access=access()
        )
    assert "linux/amd64, linux/arm64" in refused.value.hint


def test_a_tag_moves_to_the_new_image(repository: str, store: Store, empty: Store) -> None:
    for text in (b"old", b"new"):
        image = make_image(store, tar(x=text))
        write_image(image, parse_reference(f"docker://{repository}:1"), store=store, access=access())
        assert fetch_image(parse_reference(f"docker://{repository}:1"), AMD64, store=empty, access=access()) == image


def test_the_shipment_is_found_as_a_referrer(repository: str, store: Store) -> None:
    image = make_image(store)
    record = attach_shipment(b'{"schema":"proa/shipment/v1"}', image, store=store)
    for _ in range(2):
        write_image(
            image, parse_reference(f"docker://{repository}:1"), store=store, access=access(), referrers=[record]
        )
    name = parse_reference(f"docker://{repository}").name
    assert name is not None
    found = list_referrers(name, image.digest, access=access())
    assert [(each.digest, each.artifact_type) for each in found] == [(record.digest, SHIPMENT)]


def test_a_name_that_is_not_there_is_missing(repository: str, store: Store) -> None:
    with pytest.raises(ImageMissing):
        fetch_image(parse_reference(f"docker://{repository}:nothing"), AMD64, store=store, access=access())


@pytest.mark.real
@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_skopeo_reads_what_was_pushed_and_its_push_is_read(
    docker_registry: str, store: Store, empty: Store, tmp_path: Path, compression: str
) -> None:
    real_neighbours.need("skopeo")
    image = make_image(store, compression=compression)
    repository = f"{docker_registry}/{uuid.uuid4().hex}"
    write_image(image, parse_reference(f"docker://{repository}:1"), store=store, access=access())
    insecure = ["--src-tls-verify=false", "--dest-tls-verify=false"]
    copy = ["skopeo", "copy", "--insecure-policy", *insecure, f"docker://{repository}:1", f"docker://{repository}:2"]
    subprocess.run(copy, check=True, capture_output=True)
    fetched = fetch_image(parse_reference(f"docker://{repository}:2"), AMD64, store=empty, access=access())
    assert fetched.digest == image.digest


# What is not sent


def test_a_second_push_sends_nothing(fake: FakeRegistry, store: Store) -> None:
    image = make_image(store)
    record = attach_shipment(b"{}", image, store=store)
    target = parse_reference(f"docker://{fake.host}/a:1")
    write_image(image, target, store=store, access=access(), referrers=[record])
    fake.requests.clear()
    write_image(image, target, store=store, access=access(), referrers=[record])
    assert not fake.asked("PUT")
    assert not fake.asked("POST")


def test_the_tag_is_written_last(fake: FakeRegistry, store: Store) -> None:
    index = make_index(store, amd64=make_image(store), arm64=make_image(store, architecture="arm64"))
    record = attach_shipment(b"{}", index, store=store)
    write_image(index, parse_reference(f"docker://{fake.host}/a:1"), store=store, access=access(), referrers=[record])
    assert fake.asked("PUT")[-1] == "PUT /v2/a/manifests/1"


def test_layers_of_a_base_in_the_same_registry_are_mounted(fake: FakeRegistry, store: Store) -> None:
    base = make_image(store, tar(base=b"base"))
    write_image(base, parse_reference(f"docker://{fake.host}/base:1"), store=store, access=access())
    fake.requests.clear()
    image = make_image(
        store, tar(base=b"base"), tar(x=b"x"), annotations={"org.opencontainers.image.base.name": f"{fake.host}/base:1"}
    )
    write_image(image, parse_reference(f"docker://{fake.host}/app:1"), store=store, access=access())
    assert len(fake.asked("PUT", "/blobs/uploads/")) == 2, "the new layer and the configuration"


def test_a_digest_that_is_in_the_store_needs_no_registry(fake: FakeRegistry, store: Store, empty: Store) -> None:
    image = make_image(store)
    written = write_image(image, parse_reference(f"docker://{fake.host}/a:1"), store=store, access=access())
    fetch_image(parse_reference(f"docker://{written}"), AMD64, store=empty, access=access())
    fake.requests.clear()
    assert fetch_image(parse_reference(f"docker://{written}"), AMD64, store=empty, access=access()) == image
    assert fake.requests == []


# Referrers by the fallback tag


def test_other_tools_entries_under_the_fallback_tag_stay(store: Store) -> None:
    with FakeRegistry(has_referrers=False) as fake:
        image = make_image(store)
        theirs = Descriptor(
            media_type="application/vnd.oci.image.manifest.v1+json", digest="sha256:" + "5" * 64, size=7
        )
        index = msgspec.json.encode(Index(schema_version=2, media_type=INDEX, manifests=(theirs,)))
        fake.manifests["a", fallback_tag(image.digest)] = (INDEX, index)
        record = attach_shipment(b"{}", image, store=store)
        write_image(
            image, parse_reference(f"docker://{fake.host}/a:1"), store=store, access=access(), referrers=[record]
        )
        listed = fake.manifest("a", fallback_tag(image.digest))["manifests"]
        assert [entry["digest"] for entry in listed] == [theirs.digest, record.digest]
        assert listed[1]["artifactType"] == SHIPMENT


def test_a_fallback_tag_that_is_an_image_is_left_alone(store: Store) -> None:
    with FakeRegistry(has_referrers=False) as fake:
        image = make_image(store)
        write_image(
            image, parse_reference(f"docker://{fake.host}/a:{fallback_tag(image.digest)}"), store=store, access=access()
        )
        record = attach_shipment(b"{}", image, store=store)
        with pytest.raises(RegistryRefused, match="no index of referrers"):
            write_image(
                image, parse_reference(f"docker://{fake.host}/a:1"), store=store, access=access(), referrers=[record]
            )
        assert ("a", "1") not in fake.manifests


# Logging in


def docker_config(folder: Path, **settings: object) -> dict[str, str]:
    (folder / "config.json").write_text(json.dumps(settings))
    return {"DOCKER_CONFIG": str(folder)}


def basic(user: str, password: str) -> str:
    import base64

    return base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize("auth", ["basic", "bearer"])
def test_a_push_logs_in(auth: str, store: Store, empty: Store, tmp_path: Path) -> None:
    with FakeRegistry(auth=auth) as fake:
        environ = docker_config(tmp_path, auths={fake.host: {"auth": basic(fake.user, fake.password)}})
        image = make_image(store)
        target = parse_reference(f"docker://{fake.host}/a/b:1")
        write_image(image, target, store=store, access=access(environ=environ))
        assert fetch_image(target, AMD64, store=empty, access=access(environ=environ)) == image
        if auth == "bearer":
            assert "scope=repository%3Aa%2Fb%3Apull%2Cpush" in fake.asked("GET", "/token")[0]


def test_an_identity_token_is_exchanged(store: Store, tmp_path: Path) -> None:
    with FakeRegistry(auth="bearer") as fake:
        environ = docker_config(tmp_path, auths={fake.host: {"auth": basic("<token>", fake.password)}})
        write_image(
            make_image(store), parse_reference(f"docker://{fake.host}/a:1"), store=store, access=access(environ=environ)
        )
        assert fake.asked("POST", "/token")
        assert fake.password not in " ".join(fake.requests)


@pytest.mark.parametrize("auth", ["basic", "bearer"])
def test_a_wrong_password_is_refused_and_never_shown(auth: str, store: Store, tmp_path: Path) -> None:
    secret = "do-not-show-me"
    with FakeRegistry(auth=auth) as fake:
        environ = docker_config(tmp_path, auths={fake.host: {"auth": basic("ann", secret)}})
        with pytest.raises(RegistryRefused) as refused:
            write_image(
                make_image(store),
                parse_reference(f"docker://{fake.host}/a:1"),
                store=store,
                access=access(environ=environ),
            )
        shown = f"{refused.value} {refused.value.output} {refused.value.hint}"
        assert "docker login" in shown
        assert secret not in shown
        assert basic("ann", secret) not in shown


@pytest.mark.parametrize("auth", ["basic", "bearer"])
def test_nobody_logged_in_is_refused_with_what_to_do(auth: str, store: Store, tmp_path: Path) -> None:
    with FakeRegistry(auth=auth) as fake:
        environ = docker_config(tmp_path, credsStore="not-installed-anywhere")
        with pytest.raises(RegistryRefused, match="answered 401") as refused:
            fetch_image(
                parse_reference(f"docker://{fake.host}/a:1"), AMD64, store=store, access=access(environ=environ)
            )
        assert "docker-credential-not-installed-anywhere was not found" in refused.value.hint


def test_a_login_does_not_follow_a_redirect_to_another_host(
    fake: FakeRegistry, store: Store, empty: Store, tmp_path: Path
) -> None:
    with FakeRegistry(auth="basic") as front:
        environ = docker_config(tmp_path, auths={front.host: {"auth": basic(front.user, front.password)}})
        image = make_image(store)
        target = parse_reference(f"docker://{front.host}/a:1")
        write_image(image, target, store=store, access=access(environ=environ))
        fake.blobs.update(front.blobs)

        def elsewhere(handler: Handler) -> bool:
            if handler.command != "GET" or "/blobs/" not in handler.path:
                return False
            handler.answer(307, headers={"Location": f"http://{fake.host}{handler.path}"})
            return True

        front.faults.append(elsewhere)
        assert fetch_image(target, AMD64, store=empty, access=access(environ=environ)) == image
        assert len(fake.asked("GET", "/blobs/")) == 2
        assert set(fake.authorizations) == {""}


# What goes wrong


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
@pytest.mark.parametrize("part", ["GET /v2/ ", "HEAD", "POST", "PUT /v2/a/blobs", "PUT /v2/a/manifests"])
def test_a_passing_fault_is_tried_again(fake: FakeRegistry, store: Store, status: int, part: str) -> None:
    fake.fail(2, status, part=part)
    image = make_image(store)
    written = write_image(image, parse_reference(f"docker://{fake.host}/a:1"), store=store, access=access())
    assert written.endswith(image.digest)


def test_retry_after_is_honoured(fake: FakeRegistry, store: Store) -> None:
    waited: list[float] = []
    fake.fail(1, 429, part="HEAD", headers={"Retry-After": "7"})
    write_image(
        make_image(store), parse_reference(f"docker://{fake.host}/a:1"), store=store, access=access(sleep=waited.append)
    )
    assert waited == [7.0]


def test_too_many_requests_for_ever_is_refused(fake: FakeRegistry, store: Store) -> None:
    fake.fail(10**6, 429, part="HEAD", body=b'{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}')
    with pytest.raises(RegistryRefused, match="answered 429"):
        write_image(make_image(store), parse_reference(f"docker://{fake.host}/a:1"), store=store, access=access())
    assert not fake.manifests


def test_a_registry_that_stays_broken_is_unreachable(fake: FakeRegistry, store: Store) -> None:
    fake.fail(10**6, 503, part="PUT", body=b"the disk is on fire")
    with pytest.raises(RegistryUnreachable, match="answered 503") as stopped:
        write_image(make_image(store), parse_reference(f"docker://{fake.host}/a:1"), store=store, access=access())
    assert "the disk is on fire" in stopped.value.output
    assert not fake.manifests


def test_a_refusal_carries_the_registrys_own_words(fake: FakeRegistry, store: Store) -> None:
    body = b'{"errors":[{"code":"DENIED","message":"your plan has no such right"}]}'
    fake.fail(1, 403, part="POST", body=body)
    with pytest.raises(RegistryRefused) as refused:
        write_image(make_image(store), parse_reference(f"docker://{fake.host}/a:1"), store=store, access=access())
    assert "DENIED: your plan has no such right" in refused.value.output
    assert refused.value.exit_status == 3


def test_an_upload_that_dies_half_way_is_begun_anew(fake: FakeRegistry, store: Store, empty: Store) -> None:
    image = make_image(store, tar(x=bytes(range(256)) * 8192), compression="zstd")
    fake.break_off(2, part="PUT /v2/a/blobs", after=20)
    target = parse_reference(f"docker://{fake.host}/a:1")
    write_image(image, target, store=store, access=access())
    assert fetch_image(target, AMD64, store=empty, access=access()) == image


def test_a_registry_that_dies_for_good_leaves_the_old_tag(fake: FakeRegistry, store: Store, empty: Store) -> None:
    target = parse_reference(f"docker://{fake.host}/a:1")
    old, new = make_image(store, tar(x=b"old")), make_image(store, tar(x=b"new"))
    write_image(old, target, store=store, access=access())
    fake.break_off(10**6, part="PUT /v2/a/blobs", after=5)
    with pytest.raises(RegistryUnreachable, match="5 tries"):
        write_image(new, target, store=store, access=access())
    assert fetch_image(target, AMD64, store=empty, access=access()) == old


def test_pieces_are_sent_where_a_proxy_refuses_the_whole(fake: FakeRegistry, store: Store, empty: Store) -> None:
    def too_large(handler: Handler) -> bool:
        if handler.command != "PUT" or "/blobs/" not in handler.path or handler.headers.get("Content-Length") == "0":
            return False
        handler.drain()
        handler.answer(413)
        return True

    fake.faults.append(too_large)
    image = make_image(store)
    target = parse_reference(f"docker://{fake.host}/a:1")
    write_image(image, target, store=store, access=access())
    assert fake.asked("PATCH")
    assert fetch_image(target, AMD64, store=empty, access=access()) == image


def test_nobody_there_is_unreachable(store: Store) -> None:
    host = f"127.0.0.1:{real_neighbours.free_port()}"
    with pytest.raises(RegistryUnreachable, match="Connection refused"):
        write_image(make_image(store), parse_reference(f"docker://{host}/a:1"), store=store, access=access())


# Hostile answers


def pushed(fake: FakeRegistry, store: Store) -> Descriptor:
    image = make_image(store)
    write_image(image, parse_reference(f"docker://{fake.host}/a:1"), store=store, access=access())
    return image


@pytest.mark.parametrize("kind", ["blobs", "manifests"])
def test_other_content_than_the_digest_says_is_refused(
    fake: FakeRegistry, store: Store, empty: Store, kind: str
) -> None:
    image = pushed(fake, store)
    if kind == "blobs":
        fake.blobs = {key: bytes(len(content)) for key, content in fake.blobs.items()}
    else:
        fake.manifests["a", image.digest] = (image.media_type, b" " + store.read_blob(image.digest))
    with pytest.raises(RegistryRefused, match="sent sha256:"):
        fetch_image(parse_reference(f"docker://{fake.host}/a@{image.digest}"), AMD64, store=empty, access=access())
    assert all(empty.read_blob(digest) == store.read_blob(digest) for digest in empty.digests())


def test_a_body_without_end_is_cut_off(fake: FakeRegistry, store: Store, empty: Store) -> None:
    pushed(fake, store)
    sent = [0]

    def endless(handler: Handler) -> bool:
        if handler.command != "GET" or "/blobs/" not in handler.path:
            return False
        handler.send_response(200)
        handler.send_header("Connection", "close")
        handler.end_headers()
        while sent[0] < 1 << 30:
            handler.wfile.write(bytes(1 << 16))
            sent[0] += 1 << 16
        return True

    fake.faults.append(endless)
    with pytest.raises(RegistryRefused, match="longer than"):
        fetch_image(parse_reference(f"docker://{fake.host}/a:1"), AMD64, store=empty, access=access())
    assert sent[0] < 1 << 28


def test_a_huge_manifest_is_refused(fake: FakeRegistry, store: Store) -> None:
    fake.manifests["a", "1"] = (INDEX, b" " * (5 << 20))
    with pytest.raises(RegistryRefused, match="more than"):
        fetch_image(parse_reference(f"docker://{fake.host}/a:1"), AMD64, store=store, access=access())


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"<html>", id="a page"),
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param(
            b'{"schemaVersion":2,"manifests":[{"mediaType":"x","digest":"sha256:../../x","size":1}]}', id="path"
        ),
        pytest.param(b'{"schemaVersion":2,"manifests":[{"mediaType":"x","digest":7,"size":1}]}', id="wrong types"),
        pytest.param(b'{"schemaVersion":1,"fsLayers":[]}', id="schema 1"),
        pytest.param(b'{"schemaVersion":2,"manifests":[]}', id="empty index"),
        pytest.param(b"\xff\xfe", id="no text"),
    ],
)
def test_what_is_no_image_is_unfit(fake: FakeRegistry, store: Store, document: bytes) -> None:
    fake.manifests["a", "1"] = (INDEX, document)
    with pytest.raises(BaseUnfit):
        fetch_image(parse_reference(f"docker://{fake.host}/a:1"), AMD64, store=store, access=access())


def test_a_layer_larger_than_the_disk_is_not_begun(fake: FakeRegistry, store: Store, empty: Store) -> None:
    image = pushed(fake, store)
    document = msgspec.json.decode(store.read_blob(image.digest))
    document["layers"][0]["size"] = 1 << 60
    content = msgspec.json.encode(document)
    fake.manifests["a", "1"] = (image.media_type, content)
    with pytest.raises(NoSpace):
        fetch_image(parse_reference(f"docker://{fake.host}/a:1"), AMD64, store=empty, access=access())


def test_redirects_without_end_are_refused(fake: FakeRegistry, store: Store) -> None:
    def around(handler: Handler) -> bool:
        if "/manifests/" in handler.path:
            handler.answer(302, headers={"Location": handler.path})
            return True
        return False

    fake.faults.append(around)
    with pytest.raises(RegistryRefused, match="redirects"):
        fetch_image(parse_reference(f"docker://{fake.host}/a:1"), AMD64, store=store, access=access())


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://x/", "http://[", ""])
def test_an_address_that_is_no_http_is_refused(fake: FakeRegistry, store: Store, location: str) -> None:
    fake.fail(10**6, 302, part="/manifests/", headers={"Location": location})
    with pytest.raises((RegistryRefused, RegistryUnreachable)):
        fetch_image(parse_reference(f"docker://{fake.host}/a:1"), AMD64, store=store, access=access())


def test_offline_the_digest_of_a_known_tag_is_named(fake: FakeRegistry, store: Store, empty: Store) -> None:
    image = pushed(fake, store)
    target = parse_reference(f"docker://{fake.host}/a:1")
    fetch_image(target, AMD64, store=empty, access=access())
    fake.fail(10**6, 503)
    with pytest.raises(RegistryUnreachable) as stopped:
        fetch_image(target, AMD64, store=empty, access=access())
    pinned = stopped.value.hint.split()[-1]
    assert fetch_image(parse_reference(pinned), AMD64, store=empty, access=access()).digest == image.digest


def test_names_and_digests_agree() -> None:
    digest = f"sha256:{hashlib.sha256(b'').hexdigest()}"
    assert fallback_tag(digest) == digest.replace(":", "-")
    assert str(Name(registry="r.example", path="a", digest=digest)).endswith(digest)
