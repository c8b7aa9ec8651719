"""Which loader and libraries a program needs, by the rules of both loaders, in made-up systems."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.dynamic_files import GLIBC, MUSL, dynamic_file, glibc_root, put_file
from proa.build.closure import Found, Opened, find_runtime_files, runtime_files_of
from proa.errors import LibraryMissing
from proa.outside.store import Store
from proa.records.platform import Platform

AMD64 = Platform("linux", "amd64")
LIBC = "/lib/x86_64-linux-gnu/libc.so.6"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return glibc_root(tmp_path / "root")


def app(tmp_path: Path, interpreter: str = GLIBC, **words: object) -> Path:
    return put_file(tmp_path, "p/bin/app", dynamic_file(interpreter=interpreter, **words))  # type: ignore[arg-type]


def paths(found: tuple[Found, ...]) -> list[str]:
    return [one.path for one in found]


def search(file: Path, root: Path, **words: object) -> list[str]:
    return paths(find_runtime_files(file, platform=AMD64, sysroot=root, **words))  # type: ignore[arg-type]


def test_the_loader_comes_first_and_every_library_once(tmp_path: Path, root: Path) -> None:
    put_file(root, "/usr/lib/liba.so.1", dynamic_file(soname="liba.so.1", needed=["libc.so.6", "libb.so"]))
    put_file(root, "/lib/libb.so", dynamic_file(needed=["liba.so.1"]))
    file = app(tmp_path, needed=["liba.so.1", "libc.so.6"])
    assert search(file, root) == [GLIBC, "/usr/lib/liba.so.1", LIBC, "/lib/libb.so"]


def test_a_static_program_needs_none(tmp_path: Path, root: Path) -> None:
    assert search(put_file(tmp_path, "app", dynamic_file()), root) == []


def test_origin_is_where_the_program_is_in_the_image(tmp_path: Path, root: Path) -> None:
    put_file(tmp_path, "p/lib/libfoo.so", dynamic_file(needed=["libbar.so"], runpath="${ORIGIN}/more"))
    put_file(tmp_path, "p/lib/more/libbar.so", dynamic_file())
    file = app(tmp_path, needed=["libfoo.so"], runpath="$ORIGIN/../lib")
    assert search(file, root) == [GLIBC, "/lib/libfoo.so", "/lib/more/libbar.so"]


def test_runpath_is_not_handed_on_and_rpath_is(tmp_path: Path, root: Path) -> None:
    put_file(tmp_path, "p/lib/libfoo.so", dynamic_file(needed=["libbar.so"]))
    put_file(tmp_path, "p/lib/libbar.so", dynamic_file())
    with pytest.raises(LibraryMissing, match=r"libfoo\.so needs the shared library libbar\.so") as missing:
        search(app(tmp_path, needed=["libfoo.so"], runpath="$ORIGIN/../lib"), root)
    assert "app → libfoo.so → libbar.so" in missing.value.output
    assert search(app(tmp_path, needed=["libfoo.so"], rpath="$ORIGIN/../lib"), root) == [
        GLIBC,
        "/lib/libfoo.so",
        "/lib/libbar.so",
    ]


def test_a_runpath_switches_the_rpath_off(tmp_path: Path, root: Path) -> None:
    put_file(root, "/one/liba.so", dynamic_file())
    put_file(root, "/two/liba.so", dynamic_file())
    assert search(app(tmp_path, needed=["liba.so"], rpath="/one", runpath="/two"), root)[1:] == ["/two/liba.so"]


def test_what_lies_below_tmp_moves_to_where_containers_keep_it(tmp_path: Path, root: Path) -> None:
    put_file(root, "/tmp/build/liba.so", dynamic_file(needed=["libb.so"], runpath="$ORIGIN/sub"))
    put_file(root, "/tmp/build/sub/libb.so", dynamic_file())
    folder = "/lib/x86_64-linux-gnu"
    for told in ({"rpath": "/tmp/build"}, {"runpath": "/tmp/build"}):
        found = search(app(tmp_path, needed=["liba.so"], **told), root)
        assert found[1:] == [f"{folder}/liba.so", f"{folder}/sub/libb.so"]
    # By its path it is found nowhere else.
    assert search(app(tmp_path, needed=["/tmp/build/liba.so"]), root)[1:][0] == "/tmp/build/liba.so"


def test_rpath_comes_before_the_environment_and_that_before_runpath(tmp_path: Path, root: Path) -> None:
    for folder in ("own", "told"):
        put_file(root, f"/{folder}/liba.so", dynamic_file())
    told = [str(root / "told")]
    by_rpath = app(tmp_path, needed=["liba.so"], rpath="/own")
    assert search(by_rpath, root, library_path=told)[1:] == ["/own/liba.so"]
    by_runpath = app(tmp_path, needed=["liba.so"], runpath="/own")
    # An image has no LD_LIBRARY_PATH: the library moves to where the loader looks by itself.
    assert search(by_runpath, root, library_path=told)[1:] == ["/lib/x86_64-linux-gnu/liba.so"]


def test_lib_and_platform_are_the_systems_words(tmp_path: Path, root: Path) -> None:
    put_file(root, "/opt/lib/x86_64-linux-gnu/x86_64/liba.so", dynamic_file())
    found = search(app(tmp_path, needed=["liba.so"], runpath="/opt/$LIB/${PLATFORM}"), root)
    assert found[1:] == ["/opt/lib/x86_64-linux-gnu/x86_64/liba.so"]


def test_folders_of_ld_so_conf_are_searched_and_moved(tmp_path: Path, root: Path) -> None:
    put_file(root, "/etc/ld.so.conf", b"include /etc/ld.so.conf.d/*.conf\n# a remark\n")
    put_file(root, "/etc/ld.so.conf.d/own.conf", b"/opt/own  # here\n")
    put_file(root, "/opt/own/liba.so", dynamic_file())
    assert search(app(tmp_path, needed=["liba.so"]), root)[1:] == ["/lib/x86_64-linux-gnu/liba.so"]


def test_a_file_that_includes_itself_ends(tmp_path: Path, root: Path) -> None:
    put_file(root, "/etc/ld.so.conf", b"include ld.so.conf\n")
    assert search(app(tmp_path, needed=["libc.so.6"]), root)[1:] == [LIBC]


def test_nodeflib_leaves_the_default_folders_out(tmp_path: Path, root: Path) -> None:
    with pytest.raises(LibraryMissing):
        search(app(tmp_path, needed=["libc.so.6"], flags_1=0x800), root)


def test_another_machines_library_is_passed_over(tmp_path: Path, root: Path) -> None:
    put_file(root, "/one/liba.so", dynamic_file(machine=183))
    put_file(root, "/two/liba.so", dynamic_file())
    assert search(app(tmp_path, needed=["liba.so"], runpath="/one:/two"), root)[1:] == ["/two/liba.so"]


def test_a_library_for_newer_processors_is_the_last_choice(tmp_path: Path, root: Path) -> None:
    newer = "/lib/x86_64-linux-gnu/glibc-hwcaps/x86-64-v3/liba.so"
    put_file(root, newer, dynamic_file())
    file = app(tmp_path, needed=["liba.so"])
    assert search(file, root)[1:] == [newer]
    put_file(root, "/usr/lib/liba.so", dynamic_file())
    assert search(file, root)[1:] == ["/usr/lib/liba.so"]


def test_links_in_one_folder_stay_links(tmp_path: Path, root: Path) -> None:
    put_file(root, "/usr/lib/liba.so.1.2", dynamic_file(soname="liba.so.1"))
    (root / "usr/lib/liba.so.1").symlink_to("liba.so.1.2")
    found = find_runtime_files(app(tmp_path, needed=["liba.so.1"]), platform=AMD64, sysroot=root)
    assert [(one.path, one.target) for one in found[1:]] == [
        ("/usr/lib/liba.so.1", "liba.so.1.2"),
        ("/usr/lib/liba.so.1.2", ""),
    ]


def test_links_do_not_lead_out_of_a_sysroot(tmp_path: Path, root: Path) -> None:
    put_file(tmp_path, "outside/liba.so", dynamic_file())
    (root / "usr/lib").mkdir(parents=True)
    (root / "usr/lib/liba.so").symlink_to(tmp_path / "outside/liba.so")
    (root / "usr/lib/libb.so").symlink_to("../../../outside/liba.so")
    for name in ("liba.so", "libb.so"):
        with pytest.raises(LibraryMissing):
            search(app(tmp_path, needed=[name]), root)


def test_links_in_a_circle_are_not_there(tmp_path: Path, root: Path) -> None:
    (root / "usr/lib").mkdir(parents=True)
    (root / "usr/lib/liba.so").symlink_to("libb.so")
    (root / "usr/lib/libb.so").symlink_to("liba.so")
    with pytest.raises(LibraryMissing):
        search(app(tmp_path, needed=["liba.so"]), root)


def test_the_loader_must_be_a_program_of_this_machine(tmp_path: Path, root: Path) -> None:
    put_file(root, "/etc/shadow", b"root:secret")
    with pytest.raises(LibraryMissing, match="loader /etc/shadow"):
        search(app(tmp_path, interpreter="/etc/shadow"), root)
    with pytest.raises(LibraryMissing, match=r"/lib/ld-none\.so") as missing:
        search(app(tmp_path, interpreter="/lib/ld-none.so"), Path("/"))
    assert "--sysroot" in missing.value.hint


def test_musl_is_its_own_libc_and_hands_runpath_on(tmp_path: Path) -> None:
    root = tmp_path / "root"
    put_file(root, MUSL, dynamic_file(soname="libc.so"))
    put_file(tmp_path, "p/lib/libfoo.so", dynamic_file(needed=["libbar.so", "libc.musl-x86_64.so.1"]))
    put_file(tmp_path, "p/lib/libbar.so", dynamic_file())
    file = app(tmp_path, interpreter=MUSL, needed=["libfoo.so", "libc.so", "libm.so.6"], runpath="$ORIGIN/../lib")
    assert search(file, root) == [MUSL, "/lib/libfoo.so", "/lib/libbar.so"]


def test_musls_own_path_file_replaces_its_folders(tmp_path: Path) -> None:
    root = tmp_path / "root"
    put_file(root, MUSL, dynamic_file())
    put_file(root, "/etc/ld-musl-x86_64.path", b"/opt/a\n/opt/b\n")
    put_file(root, "/opt/b/liba.so", dynamic_file())
    put_file(root, "/lib/liba.so", dynamic_file(soname="other"))
    file = app(tmp_path, interpreter=MUSL, needed=["liba.so"])
    found = find_runtime_files(file, platform=AMD64, sysroot=root)
    assert [(one.path, one.here) for one in found[1:]] == [("/lib/liba.so", root / "opt/b/liba.so")]


@pytest.mark.parametrize("call", ["pthread_cancel", "pthread_exit", "backtrace"])
def test_libgcc_comes_along_where_glibc_opens_it(tmp_path: Path, root: Path, call: str) -> None:
    put_file(root, "/lib/x86_64-linux-gnu/libgcc_s.so.1", dynamic_file())
    file = app(tmp_path, needed=["libc.so.6"], imports=[call])
    assert search(file, root)[1:] == [LIBC, "/lib/x86_64-linux-gnu/libgcc_s.so.1"]


def test_an_old_glibc_opens_its_name_services(tmp_path: Path) -> None:
    root = glibc_root(tmp_path / "old", libc_version=b"GLIBC_2.31\0")
    for name in ("libnss_files.so.2", "libnss_dns.so.2", "libresolv.so.2"):
        needed = ["libresolv.so.2"] if name == "libnss_dns.so.2" else []
        put_file(root, f"/lib/x86_64-linux-gnu/{name}", dynamic_file(needed=needed))
    file = app(tmp_path, needed=["libc.so.6"], imports=["getaddrinfo"])
    names = [Path(one).name for one in search(file, root)[2:]]
    assert names == ["libnss_files.so.2", "libnss_dns.so.2", "libresolv.so.2"]
    new = glibc_root(tmp_path / "new")
    assert search(file, new)[1:] == [LIBC]


def test_what_was_opened_is_found_as_the_loader_would(tmp_path: Path, root: Path) -> None:
    put_file(tmp_path, "p/lib/plug.so", dynamic_file(needed=["libx.so"]))
    put_file(root, "/usr/lib/libx.so", dynamic_file())
    file = app(tmp_path, needed=["libc.so.6"], runpath="$ORIGIN/../lib")
    opened = Opened(name="plug.so", paths=("/lib/plug.so", "/lib/x86_64-linux-gnu/plug.so"))
    assert search(file, root, extra=[opened])[2:] == ["/lib/plug.so", "/usr/lib/libx.so"]


def test_what_was_opened_by_path_stays_there(tmp_path: Path, root: Path) -> None:
    put_file(tmp_path, "p/bin/plugins/a.so", dynamic_file())
    put_file(root, "/opt/b.so", dynamic_file())
    file = app(tmp_path, needed=["libc.so.6"])
    asked = [Opened(name="a.so", paths=("/plugins/a.so",)), Opened(name="b.so", paths=("/opt/b.so",))]
    assert search(file, root, extra=[*asked, Opened(name="none.so")])[2:] == ["/plugins/a.so", "/opt/b.so"]


def test_contents_are_in_the_store_and_the_program_is_named(tmp_path: Path, root: Path) -> None:
    store = Store(tmp_path / "store")
    file = app(tmp_path, needed=["libc.so.6"])
    loader, libc = runtime_files_of(file, platform=AMD64, store=store, sysroot=root, name="shop")
    assert store.read_blob(libc.digest) == (root / LIBC.lstrip("/")).read_bytes()
    assert libc.bytes == len(store.read_blob(libc.digest))
    assert libc.reason == "libc.so.6 is needed by shop (DT_NEEDED)"
    assert loader.reason == "the loader that shop names (PT_INTERP)"


@settings(max_examples=25, deadline=None)
@given(edges=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=18))
def test_exactly_what_can_be_reached_is_found(
    tmp_path_factory: pytest.TempPathFactory, edges: list[tuple[int, int]]
) -> None:
    root = glibc_root(tmp_path_factory.mktemp("graph"))
    below: dict[int, set[int]] = {}
    for one, other in edges:
        below.setdefault(one, set()).add(other)
    for number in range(1, 6):
        needed = [f"lib{other}.so" for other in sorted(below.get(number, ())) if other]
        put_file(root, f"/usr/lib/lib{number}.so", dynamic_file(needed=needed))
    reached, todo = set(), {0}
    while todo:
        reached |= todo
        todo = {other for one in todo for other in below.get(one, ())} - reached
    file = put_file(root, "app", dynamic_file(interpreter=GLIBC, needed=[f"lib{n}.so" for n in below.get(0, ()) if n]))
    assert set(search(file, root)) == {GLIBC, *(f"/usr/lib/lib{number}.so" for number in reached - {0})}
