"""The parts of `proa slim`: configuration, record, what a trial missed."""

from __future__ import annotations

import gzip
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.errors import BaseUnfit, HostileArchive, WrongUsage
from proa.inspect.merge import merge_layers
from proa.outside.manifests import digest_of
from proa.pipeline.slim_image import slimmed_config
from proa.pipeline.slim_missed import brought_back
from proa.pipeline.slim_record import by_rule, kept_list, printed
from proa.pipeline.slim_runs import Again
from proa.pipeline.slim_view import FinalView
from proa.records.layer_entry import Entry
from proa.records.platform import Platform
from proa.records.slimming import (
    Kept,
    LeftOutGroup,
    Slimming,
    encode_slimming,
    pack_slimming,
    unpack_slimming,
)
from proa.records.trial import Trial

DIFF_ID = "sha256:" + "1" * 64
CONFIG = {
    "architecture": "amd64",
    "os": "linux",
    "created": "2024-01-02T03:04:05Z",
    "container_config": {"Image": "x"},
    "docker_version": "20.10",
    "os.version": "1",
    "config": {
        "Entrypoint": ["/app"],
        "Cmd": ["serve"],
        "Env": ["A=b"],
        "User": "7:8",
        "WorkingDir": "/srv",
        "ExposedPorts": {"80/tcp": {}},
        "Volumes": {"/data": {}},
        "Labels": {"a": "b"},
        "Healthcheck": {"Test": ["CMD", "x"], "Interval": 30000000000},
        "OnBuild": ["RUN x"],
        "Shell": ["/bin/bash", "-c"],
        "StopSignal": "SIGINT",
    },
    "rootfs": {"type": "layers", "diff_ids": ["sha256:" + "2" * 64]},
    "history": [{"created_by": "a"}],
}


def test_the_configuration_stays_but_for_layers_and_history():
    content = msgspec.json.encode(CONFIG)
    made = slimmed_config(content, DIFF_ID, comment="1 of 2", created_epoch_s=None)
    assert made["config"] == CONFIG["config"]
    assert made["created"] == CONFIG["created"]
    assert made["os.version"] == "1"
    assert made["rootfs"] == {"type": "layers", "diff_ids": [DIFF_ID]}
    assert [step["created_by"] for step in made["history"]] == ["proa slim"]
    assert digest_of(content) in made["history"][0]["comment"]
    assert "container_config" not in made


def test_source_date_epoch_says_when_it_was_made():
    made = slimmed_config(msgspec.json.encode(CONFIG), DIFF_ID, comment="", created_epoch_s=0)
    assert made["created"] == "1970-01-01T00:00:00Z"
    with pytest.raises(WrongUsage):
        slimmed_config(msgspec.json.encode(CONFIG), DIFF_ID, comment="", created_epoch_s=10**15)


def test_a_configuration_that_is_none_is_said():
    with pytest.raises(BaseUnfit):
        slimmed_config(b"[]", DIFF_ID, comment="", created_epoch_s=None)


def slimming(**more):
    given_ = {
        "source": "a", "source_digest": DIFF_ID, "reference": "r", "digest": DIFF_ID,
        "platform": Platform("linux", "arm", "v7"), "before_bytes": 2, "after_bytes": 1,
        "before_unpacked_bytes": 4, "after_unpacked_bytes": 3, "kept_files": 1, "left_out_files": 1,
    }  # fmt: skip
    return Slimming(**(given_ | more))


def test_the_record_comes_back_as_it_was_kept():
    one = slimming(kept=(Kept(path="/a", rule="traced", because="x"),), before=Trial(verdict="ready", reason=""))
    assert unpack_slimming(pack_slimming(one)) == one
    assert unpack_slimming(encode_slimming(one)) == one
    assert msgspec.json.decode(encode_slimming(one))["platform"] == "linux/arm/v7"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[1]",
        b'{"platform": {}}',
        gzip.compress(b"x"),
        gzip.compress(b'{"platform": "linux/amd64"}'),
        pack_slimming(slimming())[:-9],
        b"\x1f\x8b" + b"x" * 30,
    ],
)
def test_a_record_that_is_none_is_said(content):
    with pytest.raises(HostileArchive):
        unpack_slimming(content)


def test_a_record_larger_than_any_honest_one_is_not_unpacked():
    with pytest.raises(HostileArchive, match="larger"):
        unpack_slimming(gzip.compress(bytes(5000)), most_bytes=1000)


def test_what_is_printed_has_the_largest_files_and_first_paths():
    kept = tuple(Kept(path=f"/{n}", bytes=n, rule="library", because="") for n in range(300))
    whole = slimming(kept=kept, left_out=(LeftOutGroup(name="x", files=9, bytes=9, paths=tuple("abcdefghi")),))
    shown = printed(whole)
    assert [one.bytes for one in shown.kept] == list(range(299, 99, -1))
    assert shown.left_out[0].paths == tuple("abcde")


@given(st.lists(st.tuples(st.sampled_from(["library", "traced", "link"]), st.integers(0, 9))))
def test_rules_add_up_to_what_is_kept(pairs):
    kept = [Kept(path="/", rule=rule, bytes=size, because="") for rule, size in pairs]
    sums = by_rule(kept)
    assert sum(one.files for one in sums) == len(kept)
    assert sum(one.bytes for one in sums) == sum(one.bytes for one in kept)
    assert [one.bytes for one in sums] == sorted((one.bytes for one in sums), reverse=True)


def view_of(tmp_path, *entries):
    return FinalView(merge_layers([entries]), tmp_path)


def file(path, size=3):
    return Entry(path=path, kind="file", size_bytes=size, content=path.encode())


def link(path, target):
    return Entry(path=path, kind="symlink", target=target)


def test_what_is_kept_has_its_size_and_reason_and_links_say_so(tmp_path):
    view = view_of(tmp_path, file("usr/bin/a", 5), link("bin", "usr/bin"), file("b"), file("c"))
    kept = kept_list(
        [Kept(path="/bin/a", rule="entrypoint", because="Entrypoint"), Kept(path="/gone", rule="traced", because="")],
        {"/b": ("metadata", "why")},
        {"b": 3, "bin": 0, "usr": 0, "usr/bin": 0, "usr/bin/a": 5},
        view,
    )
    assert [(one.path, one.bytes, one.rule) for one in kept] == [
        ("/b", 3, "metadata"),
        ("/bin", 0, "link"),
        ("/usr/bin/a", 5, "entrypoint"),
    ]


def again(*missed, output=""):
    return Again(after=Trial(verdict="failed", reason="", missed_files=missed, output=output), reason="differs")


def test_what_was_missed_and_is_in_the_original_comes_back(tmp_path):
    view = view_of(
        tmp_path, file("etc/app.conf"), file("usr/lib/libx.so.1"), file("srv/a"), file("srv/b"), file("srv/c/d"),
        file("kept"), link("lib", "usr/lib"),
    )  # fmt: skip
    found = brought_back(
        again(
            "ENOENT /etc/app.conf",
            "ENOENT /not/there",
            "EACCES /kept",
            output="libx.so.1: cannot open shared object file\nno such file: '/usr/../../etc'\nopen /etc/app.conf: no",
        ),
        view,
        {"kept"},
    )
    assert [seed.path for seed in found] == ["/etc/app.conf", "/usr/lib/libx.so.1"]


def test_of_a_folder_that_was_missed_its_own_files_come_back(tmp_path):
    view = view_of(tmp_path, file("srv/www/a"), file("srv/www/b"), file("srv/www/c/d"))
    assert [seed.path for seed in brought_back(again("ENOENT /srv/www"), view, set())] == ["/srv/www/a", "/srv/www/b"]


@given(st.text(max_size=300))
def test_whatever_a_program_says_is_no_error(text):
    view = FinalView(merge_layers([[file("a")]]), Path("/nonexistent"))
    assert all(seed.path == "/a" for seed in brought_back(again(f"ENOENT {text}", output=text), view, set()))


def test_contents_are_read_within_the_copy_only(tmp_path):
    (tmp_path / "secret").write_text("outside")
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc" / "plain").write_text("inside")
    (root / "etc" / "swapped").symlink_to(tmp_path / "secret")
    (root / "moved").symlink_to(tmp_path)
    view = view_of(
        root, file("etc/plain", 6), file("etc/swapped"), file("moved/secret"), file("etc/large", 99), link("l", "etc")
    )
    assert view.read("/l/plain", 10) == b"inside"
    assert view.read("etc/swapped", 10) is None
    assert view.read("moved/secret", 10) is None
    assert view.read("etc/large", 10) is None
    assert view.read("etc", 10) is None
