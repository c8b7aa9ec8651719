"""What a comparison is made of: the program an image starts, names of layers, packages of a distribution, settings."""

from __future__ import annotations

import pytest

from proa.inspect.difference import Contents, compare
from proa.inspect.image_settings import changed_settings, settings_of
from proa.inspect.layer_names import named_layers
from proa.inspect.merge import merge_layers
from proa.inspect.started import program_of
from proa.inspect.system_packages import is_database, packages_in
from proa.inspect.tree import tree_of
from proa.records.difference import Side
from proa.records.layer_entry import Entry, ProgramHead, Seen
from proa.records.oci import Config, Execution, History, RootFs

ELF = Seen(program=ProgramHead(format="elf", architecture="amd64"))
SCRIPT = Seen(program=ProgramHead(format="script", interpreter="/bin/sh"))


def file(path, seen=None, size=1, content=b""):
    return Entry(path=path, kind="file", mode=0o755, size_bytes=size, seen=seen, content=content or path.encode())


def link(path, target):
    return Entry(path=path, kind="symlink", target=target)


LAYERS = [
    [file("bin/busybox", ELF), link("bin/sh", "/bin/busybox"), file("sbin/tini", ELF), file("etc/conf", size=5)],
    [file("usr/bin/app", ELF), file("entry.sh", SCRIPT), link("app", "usr/bin/app"), file("usr/bin/serve", ELF)],
]


@pytest.mark.parametrize(
    ("entrypoint", "cmd", "started"),
    [
        (["/usr/bin/app"], [], "usr/bin/app"),
        (["app"], ["serve"], "usr/bin/app"),
        (["/app"], [], "usr/bin/app"),
        (["/sbin/tini", "--"], ["app", "-v"], "usr/bin/app"),
        (["/sbin/tini", "-g", "-s", "--", "/entry.sh"], ["serve"], "usr/bin/serve"),
        (["/entry.sh"], ["app"], "usr/bin/app"),
        (["/bin/sh", "-c"], ["exec app"], "bin/busybox"),
        ([], ["app"], "usr/bin/app"),
        (["/missing"], ["app"], None),
        (["/etc/conf"], [], None),
        (["/entry.sh"], [], None),
        ([], [], None),
        ([""], [], None),
    ],
)
def test_the_program_that_an_image_starts(entrypoint, cmd, started):
    config = Config(architecture="amd64", os="linux", config=Execution(entrypoint=tuple(entrypoint), cmd=tuple(cmd)))
    found = program_of(merge_layers(LAYERS), config)
    assert (found.shown_at if found else None) == started


def test_a_tree_has_every_name_and_each_content_once():
    layers = [[file("a", size=7), Entry(path="b", kind="hardlink", target="a")], [file("d/c", size=3), link("l", "a")]]
    tree = tree_of(merge_layers(layers), ["sha256:0", "sha256:1"])
    assert [(one.path, one.kind, one.bytes, one.layer) for one in tree.files] == [
        ("/a", "file", 7, 0),
        ("/b", "file", 0, 0),
        ("/d/c", "file", 3, 1),
        ("/l", "symlink", 0, 1),
    ]


def layers(*contents, history=None):
    config = Config(
        architecture="amd64",
        os="linux",
        rootfs=RootFs(diff_ids=contents),
        history=tuple(History(created_by=step) for step in history) if history else None,
    )
    return named_layers(config, tuple(range(10, 10 + len(contents))))


def compared(before, after):
    def side(found):
        return Contents(
            side=Side(reference="", kind="image"),
            platform="",
            compressed_bytes=sum(one.bytes for one in found),
            total_bytes=0,
            layers=found,
        )

    return compare(side(before), side(after)).difference


def test_layers_with_only_a_number_are_the_same_where_their_content_is():
    difference = compared(layers("x", "y"), layers("new", "x", "y"))
    assert {one.name: one.change for one in difference.layers if one.change} == {"layer 1": "added"}
    assert sum(one.grown_bytes for one in difference.layers) == difference.compressed.grown_bytes


def test_two_layers_of_one_step_have_two_names():
    found = layers("a", "b", "c", history=["RUN x", "COPY y /", "RUN x"])
    assert [one.name for one in found] == ["RUN x", "COPY y /", "RUN x (2)"]


def test_a_history_that_does_not_fit_names_nothing():
    assert [one.name for one in layers("a", "b", history=["RUN x"])] == ["layer 1", "layer 2"]


def test_packages_of_a_distribution_are_read_from_what_it_keeps():
    apk = b"C:Q1abc=\nP:musl\nV:1.2.5-r0\nA:x86_64\n\nP:busybox\nV:1.36-r2\n"
    assert packages_in("lib/apk/db/installed", apk) == {"musl": "1.2.5-r0", "busybox": "1.36-r2"}
    assert packages_in("var/lib/dpkg/status.d/base", b"Package: base-files\nVersion: 12\n") == {"base-files": "12"}
    assert packages_in("var/lib/dpkg/status", b"Package: x\nVersion: 1\nStatus: purge ok not-installed\n") == {}
    assert packages_in("var/lib/dpkg/status", b"\xff\0\n: \n\n\nPackage:\n") == {}
    assert [
        path for path in ("var/lib/dpkg/status", "usr/lib/apk/db/installed", "etc/passwd") if is_database(path)
    ] == [
        "var/lib/dpkg/status",
        "usr/lib/apk/db/installed",
    ]


def test_what_is_secret_is_told_to_have_changed_and_not_shown():
    def settings(**env):
        lines = tuple(f"{name}={value}" for name, value in env.items())
        execution = Execution(env=lines, cmd=("run", "--url=https://me:pass1234@host"), labels={"a": "b"})
        return settings_of(Config(architecture="amd64", os="linux", config=execution))

    found = changed_settings(
        settings(DB_PASSWORD="one", URL="https://u:pw@h/", A="1"), settings(DB_PASSWORD="two", A="")
    )
    assert [(one.name, one.before, one.after) for one in found] == [
        ("env.A", "1", '""'),
        ("env.DB_PASSWORD", "…", "…"),
        ("env.URL", "https://…@h/", ""),
    ]
