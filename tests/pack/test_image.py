"""Whole images: what is in them, how they start, and that the same input is the same digest."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import msgspec
import pytest

from proa.errors import HostileArchive, UnsafePath, WrongConfiguration, WrongUsage
from proa.outside.store import Store
from proa.pack import Base, index, pack, unpack
from proa.pack.documents import read_config, read_manifest
from proa.pack.image import Packed
from proa.records.binary import Binary
from proa.records.configuration import AssetFile, ImageSettings
from proa.records.evidence import Need, Needs
from proa.records.oci import CONFIG, DOCKER_LAYER, INDEX, LAYER_GZIP, LAYER_ZSTD, MANIFEST, Execution, Index
from proa.records.platform import Platform
from proa.records.project import Project

EVERYTHING = Needs(
    needs=tuple(Need(kind=kind, reason=f"needs {kind}") for kind in ("certificates", "zones", "users", "tmp", "mime"))
)
NOTHING = Needs()
KEY = "org.opencontainers.image."


@pytest.fixture
def packed(binary: Binary, project: Project, store: Store, tree: Path):
    def call(needs: Needs = NOTHING, under: Base | None = None, /, **changes) -> Packed:
        options = {name: changes.pop(name) for name in ("jobs", "created_epoch_s") if name in changes}
        program = msgspec.structs.replace(binary, **changes.pop("binary", {}))
        of = changes.pop("project", project)
        return pack(
            program,
            needs,
            ImageSettings(**changes),
            project=of,
            base=under,
            store=store,
            directory=tree,
            **{"jobs": 2, **options},
        )

    return call


def started(result: Packed, store: Store) -> Execution:
    return read_config(read_manifest(result.image.digest, store), store).config


def test_a_program_alone_is_one_layer_with_one_file(packed, store) -> None:
    image = packed().image
    assert [(layer.holds, [file.path for file in layer.files]) for layer in image.layers] == [
        ("program", ["/app/shop"])
    ]
    assert (image.base, image.user, image.entrypoint) == ("scratch", "65532:65532", ("/app/shop",))


def test_what_was_packed_unpacks_to_the_same(packed, binary, store, tmp_path, tree) -> None:
    result = packed(EVERYTHING, files=(AssetFile(source="templates", target="/srv/templates"),))
    root = tmp_path / "root"
    config = unpack(result.image.digest, root, store=store)
    assert (root / "app/shop").read_bytes() == store.read_blob(binary.digest)
    assert (root / "app/shop").stat().st_mode & 0o7777 == 0o555
    assert (root / "srv/templates/index.html").read_text() == "<p>"
    assert (root / "tmp").stat().st_mode & 0o7777 == 0o1777
    assert (root / "usr/share/zoneinfo/Europe/Paris").read_bytes()[:4] == b"TZif"
    assert config.config.user == "65532:65532"


def test_layers_stand_in_the_order_of_their_rate_of_change(packed) -> None:
    layers = packed(EVERYTHING, files=(AssetFile(source="run.sh", target="/run.sh"),)).image.layers
    assert [layer.holds for layer in layers] == ["system files", "assets", "program"]
    for layer in layers:
        assert all(file.reason and file.path.startswith("/") for file in layer.files)


def test_media_types_are_oci_and_sizes_are_right(packed, store) -> None:
    for compression, media_type in (("gzip", LAYER_GZIP), ("zstd", LAYER_ZSTD)):
        image = packed(compression=compression).image
        manifest = read_manifest(image.digest, store)
        assert (manifest.media_type, manifest.config.media_type) == (MANIFEST, CONFIG)
        assert [layer.media_type for layer in manifest.layers] == [media_type]
        for blob in (manifest.config, *manifest.layers):
            assert blob.size == store.blob_path(blob.digest).stat().st_size
        config = read_config(manifest, store)
        assert config.rootfs.diff_ids == tuple(layer.diff_id for layer in image.layers)
        assert len([step for step in config.history if not step.empty_layer]) == len(manifest.layers)


def test_neither_jobs_clock_umask_nor_store_change_the_digest(packed, binary, project, tree, tmp_path, store) -> None:
    settings = ImageSettings(files=(AssetFile(source="templates", target="/t"),))
    first = packed(EVERYTHING, files=settings.files, jobs=1).image.digest
    other = Store(tmp_path / "other")
    other.put_blob(store.read_blob(binary.digest))
    os.utime(tree / "templates" / "index.html", (1, 1))
    before = os.umask(0o077)
    zone = os.environ.get("TZ")
    os.environ["TZ"] = "Asia/Kathmandu"
    time.tzset()
    try:
        again = pack(
            binary, EVERYTHING, settings, project=project, base=None, store=other, directory=tree, jobs=7
        ).image.digest
    finally:
        os.umask(before)
        os.environ.pop("TZ") if zone is None else os.environ.__setitem__("TZ", zone)
        time.tzset()
    assert again == first


def test_another_process_under_another_locale_makes_the_same_layer(tmp_path) -> None:
    program = (
        "import sys; from pathlib import Path; from proa.outside.store import Store\n"
        "from proa.pack.compress import Method; from proa.pack.entries import *; from proa.pack.layers import make_layer\n"
        "es = with_parents([file_entry(n, n.encode(), reason='r') for n in ('ä/b', 'a/z', 'Z', 'a/B')])\n"
        "print(make_layer(es, holds='x', method=Method(compression='gzip', level=6), mtime_s=0,"
        " store=Store(Path(sys.argv[1])), jobs=2).diff_id)"
    )
    digests = set()
    for number, extra in enumerate(({"LC_ALL": "C"}, {"LC_ALL": "de_DE.UTF-8", "PYTHONHASHSEED": "1", "TZ": "EST"})):
        argv = [sys.executable, "-c", program, str(tmp_path / str(number))]
        digests.add(subprocess.run(argv, env=os.environ | extra, check=True, capture_output=True).stdout)
    assert len(digests) == 1


def test_what_was_compressed_before_is_not_compressed_again(packed, store) -> None:
    first = packed(EVERYTHING).image
    kept = {layer.digest: store.blob_path(layer.digest).stat().st_ino for layer in first.layers}
    again = packed(EVERYTHING).image
    assert again == first
    assert {layer.digest: store.blob_path(layer.digest).stat().st_ino for layer in again.layers} == kept
    store.blob_path(first.layers[0].digest).write_bytes(b"cut short")
    assert packed(EVERYTHING).image == first
    assert store.blob_path(first.layers[0].digest).stat().st_size == first.layers[0].bytes


def test_a_commit_changes_the_configuration_and_no_layer(packed, project) -> None:
    later = msgspec.structs.replace(
        project, git=msgspec.structs.replace(project.git, revision="b" * 40, committed_epoch_s=1_800_000_000)
    )
    first, second = packed().image, packed(project=later).image
    assert first.digest != second.digest
    assert first.layers == second.layers


def test_labels_come_from_git_and_settings_win(packed, store) -> None:
    result = packed(labels={f"{KEY}title": "Shop", "team": "a"}, annotations={f"{KEY}vendor": "V"})
    labels = started(result, store).labels
    assert labels == {
        f"{KEY}created": "2023-11-14T22:13:20Z",
        f"{KEY}revision": "a" * 40,
        f"{KEY}source": "https://example.com/shop",
        f"{KEY}title": "Shop",
        f"{KEY}version": "v1.2.3",
        "team": "a",
    }
    annotations = read_manifest(result.image.digest, store).annotations
    assert annotations[f"{KEY}title"] == "shop"
    assert annotations[f"{KEY}vendor"] == "V"


def test_a_dirty_tree_does_not_pass_for_its_tag(packed, project, store) -> None:
    dirty = msgspec.structs.replace(project, git=msgspec.structs.replace(project.git, is_dirty=True))
    assert started(packed(project=dirty), store).labels[f"{KEY}version"] == "v1.2.3+dirty"


def test_a_module_version_speaks_for_itself_not_for_the_folder_it_was_asked_in(packed, project, store) -> None:
    main = msgspec.structs.replace(project.main, module="github.com/a/b", module_version="v2.0.0")
    labels = started(packed(project=msgspec.structs.replace(project, main=main)), store).labels
    assert labels[f"{KEY}version"] == "v2.0.0"
    assert labels[f"{KEY}source"] == "https://github.com/a/b"
    assert f"{KEY}revision" not in labels


def test_source_date_epoch_is_the_time_of_everything(packed, store) -> None:
    result = packed(created_epoch_s=1_600_000_000)
    config = read_config(read_manifest(result.image.digest, store), store)
    assert config.created == "2020-09-13T12:26:40Z"
    assert {step.created for step in config.history} == {config.created}
    with store.open_blob(result.image.layers[0].digest) as blob, tarfile.open(fileobj=blob) as archive:
        assert {member.mtime for member in archive} == {1_600_000_000}


def test_the_image_starts_as_the_settings_say(packed, store) -> None:
    found = started(
        packed(
            entrypoint=("/app/shop", "serve"),
            args=("--port", "1"),
            env={"B": "2", "A": "x=y"},
            workdir="/data",
            ports=("8080", "53/udp"),
            user="10001:10002",
        ),
        store,
    )
    assert found.entrypoint == ("/app/shop", "serve")
    assert found.cmd == ("--port", "1")
    assert found.env[1:] == ("B=2", "A=x=y")
    assert found.env[0].startswith("PATH=/usr/local/sbin:")
    assert (found.working_dir, found.user) == ("/data", "10001:10002")
    assert found.exposed_ports == {"8080/tcp": {}, "53/udp": {}}


def test_ports_are_those_of_the_source_where_none_are_given(packed, store) -> None:
    assert started(packed(), store).exposed_ports == {"8080/tcp": {}}


def test_relative_files_open_from_the_working_folder(packed, store, tmp_path) -> None:
    result = packed(Needs(needs=(Need(kind="file", what="templates/index.html", reason="r"),)))
    folder = started(result, store).working_dir
    unpack(result.image.digest, tmp_path / "root", store=store)
    assert (tmp_path / "root" / folder.lstrip("/") / "templates/index.html").is_file()


def test_kodata_is_where_ko_data_path_says(packed, store, tree, tmp_path) -> None:
    (tree / "cmd/shop/kodata").mkdir()
    (tree / "cmd/shop/kodata/a.txt").write_text("a")
    result = packed()
    environment = dict(line.split("=", 1) for line in started(result, store).env)
    unpack(result.image.digest, tmp_path / "root", store=store)
    assert (tmp_path / "root" / environment["KO_DATA_PATH"].lstrip("/") / "a.txt").read_text() == "a"


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"user": "nobody"}, WrongUsage, "not a number"),
        ({"user": "1:x"}, WrongUsage, "not a number"),
        ({"user": "4294967295"}, WrongUsage, "larger"),
        ({"ports": ("http",)}, WrongConfiguration, "not a port"),
        ({"ports": ("70000",)}, WrongConfiguration, "not a port"),
        ({"workdir": "data"}, WrongConfiguration, "workdir"),
        ({"workdir": "/a/../b"}, UnsafePath, "workdir"),
        ({"files": (AssetFile(source="run.sh", target="/app/shop"),)}, WrongConfiguration, "program itself"),
        ({"files": (AssetFile(source="run.sh", target="/app"),)}, WrongConfiguration, "lies below it"),
        ({"compression_level": 40}, WrongConfiguration, "levels"),
        ({"binary": {"platform": Platform("windows", "amd64")}}, WrongUsage, "Linux"),
        ({"base": "alpine"}, WrongUsage, "not fetched"),
    ],
)
def test_a_wrong_setting_is_named(changes, error, says, packed) -> None:
    with pytest.raises(error, match=says):
        packed(**changes)


def test_root_is_possible_and_told(packed) -> None:
    assert [finding.id for finding in packed(user="0").findings] == ["pack.root"]


@pytest.fixture
def base(image, archive, member) -> Base:
    layer = archive(
        member("etc/ssl/certs/ca-certificates.crt", b"the base's own"),
        member("etc/passwd", b"root:x:0:0::/:/bin/sh\napp:x:7:8::/:/bin/sh\n"),
        member("usr/share/", kind=tarfile.DIRTYPE, mode=0o700),
        member("srv", kind=tarfile.SYMTYPE, link="data"),
        member("data/", kind=tarfile.DIRTYPE),
    )
    descriptor = image(
        layer,
        media_type=DOCKER_LAYER,
        execution=Execution(
            env=("PATH=/own/bin", "LANG=C.UTF-8"),
            entrypoint=("/bin/server",),
            cmd=("run",),
            labels={f"{KEY}title": "Base", "maintainer": "someone"},
            exposed_ports={"80/tcp": {}},
            stop_signal="SIGQUIT",
            working_dir="/home",
            user="app",
        ),
    )
    return Base(reference="docker://registry.example/base:1", manifest=descriptor)


def test_a_given_base_stays_below_and_is_named(packed, base, store, tmp_path) -> None:
    result = packed(EVERYTHING, base, base="docker://registry.example/base:1")
    manifest = read_manifest(result.image.digest, store)
    assert manifest.layers[0].digest == read_manifest(base.manifest.digest, store).layers[0].digest
    assert {layer.media_type for layer in manifest.layers} == {LAYER_GZIP}
    assert manifest.annotations[f"{KEY}base.name"] == "registry.example/base:1"
    assert manifest.annotations[f"{KEY}base.digest"] == base.manifest.digest
    assert (result.image.base, result.image.base_digest) == (base.reference, base.manifest.digest)
    assert [layer.holds for layer in result.image.layers] == ["base", "system files", "program"]
    root = tmp_path / "root"
    unpack(result.image.digest, root, store=store)
    assert (root / "etc/ssl/certs/ca-certificates.crt").read_bytes() == b"the base's own"
    assert (root / "etc/mime.types").is_file()
    assert (root / "usr/share").stat().st_mode & 0o777 == 0o700


def test_a_base_from_a_folder_has_a_digest_but_no_name(packed, base, store) -> None:
    local = msgspec.structs.replace(base, reference="oci:/home/me/base:1")
    annotations = read_manifest(packed(NOTHING, local, base="x").image.digest, store).annotations
    assert annotations[f"{KEY}base.digest"] == base.manifest.digest
    assert f"{KEY}base.name" not in annotations


def test_a_file_does_not_replace_a_folder_of_the_base(packed, base) -> None:
    with pytest.raises(WrongConfiguration, match="folder of the base"):
        packed(NOTHING, base, base="x", files=(AssetFile(source="run.sh", target="/etc"),))


def test_of_a_base_only_environment_and_folder_stay(packed, base, store) -> None:
    found = started(packed(NOTHING, base, base="x"), store)
    assert found.env == ("PATH=/own/bin", "LANG=C.UTF-8")
    assert (found.entrypoint, found.cmd, found.working_dir) == (("/app/shop",), None, "/home")
    assert found.user == "65532:65532"
    assert found.exposed_ports == {"8080/tcp": {}}
    assert found.stop_signal is None
    assert found.labels[f"{KEY}title"] == "shop"
    assert "maintainer" not in found.labels


def test_a_user_named_in_the_base_becomes_a_number(packed, base) -> None:
    assert packed(NOTHING, base, base="x", user="app").image.user == "7:8"


def test_a_link_in_the_base_is_written_through_not_over(packed, base, store, tmp_path) -> None:
    needs = Needs(needs=(Need(kind="file", what="templates", reason="r"),))
    unpack(packed(needs, base, base="x").image.digest, tmp_path / "root", store=store)
    assert (tmp_path / "root/srv").is_symlink()
    assert (tmp_path / "root/data/templates/index.html").is_file()


def test_a_hostile_base_is_refused(packed, image, archive, member) -> None:
    hostile = Base(reference="evil", manifest=image(archive(member("../../etc/cron.d/x", b"x"))))
    with pytest.raises(HostileArchive):
        packed(NOTHING, hostile, base="evil")


def test_an_index_has_the_platforms_in_the_order_given(packed, store) -> None:
    platforms = [Platform("linux", "arm", "v7"), Platform("linux", "amd64")]
    images = [packed(binary={"platform": platform}).image for platform in platforms]
    descriptor = index(images, annotations={"b": "2", "a": "1"}, store=store)
    document = msgspec.json.decode(store.read_blob(descriptor.digest), type=Index)
    assert [entry.platform.platform for entry in document.manifests] == platforms
    assert (descriptor.media_type, document.schema_version) == (INDEX, 2)
    assert list(document.annotations) == ["a", "b"]
    assert descriptor.size == len(store.read_blob(descriptor.digest))
