"""Which files need a file, and which system package has it."""

from __future__ import annotations

import pytest

from proa.errors import NotInTarget, WrongUsage
from proa.inspect.file_reasons import find_file, needed_by, owning_package, way_from
from proa.inspect.merge import merge_layers
from proa.records.layer_entry import Entry

FILES = [
    Entry(path="usr", kind="folder"),
    Entry(path="usr/lib", kind="folder"),
    Entry(path="lib", kind="symlink", target="usr/lib"),
    Entry(path="usr/lib/libz.so.1.2", kind="file", size_bytes=5, content=b"z"),
    Entry(path="usr/lib/libz.so.1", kind="symlink", target="libz.so.1.2"),
    Entry(path="usr/lib/libpng.so", kind="file", size_bytes=6, content=b"p"),
    Entry(path="bin/app", kind="file", size_bytes=7, content=b"a"),
    Entry(path="etc/app", kind="file", size_bytes=8, content=b"e"),
]
NEEDS = {"/bin/app": ("libpng.so",), "/usr/lib/libpng.so": ("libz.so.1",)}


@pytest.fixture
def merged():
    return merge_layers([FILES])


def test_a_library_is_needed_under_the_name_of_a_link_to_it(merged):
    assert needed_by("/usr/lib/libz.so.1.2", merged, NEEDS) == ("/usr/lib/libpng.so",)


def test_the_way_goes_from_what_is_started(merged):
    way = way_from("/bin/app", "/usr/lib/libz.so.1.2", NEEDS, merged)
    assert way == ("/bin/app", "/usr/lib/libpng.so", "/usr/lib/libz.so.1.2")
    assert way_from("/bin/app", "/etc/app", NEEDS, merged) == ()


def test_a_file_is_found_by_its_path_or_by_a_name_that_is_only_its_own(merged):
    assert find_file(merged, "/lib/libpng.so", image="i") == "/lib/libpng.so"
    assert find_file(merged, "libpng.so", image="i") == "/usr/lib/libpng.so"
    with pytest.raises(WrongUsage):
        find_file(merged, "app", image="i")
    with pytest.raises(NotInTarget) as caught:
        find_file(merged, "/usr/lib/libpgn.so", image="i")
    assert "/usr/lib/libpng.so" in caught.value.hint


def test_the_owner_is_read_from_what_dpkg_and_apk_keep():
    dpkg = {"var/lib/dpkg/info/zlib1g:amd64.list": b"/.\n/lib\n/lib/libz.so.1\n"}
    assert owning_package(["/usr/lib/libz.so.1"], dpkg) == "zlib1g"
    apk = {"lib/apk/db/installed": b"P:musl\nF:lib\nR:libc.so\n\nP:busybox\nF:bin\nR:busybox\n"}
    assert owning_package(["/bin/busybox"], apk) == "busybox"
    assert owning_package(["/etc/passwd"], {**dpkg, **apk}) == ""
