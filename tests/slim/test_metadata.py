"""Package metadata in its compact form, read back by parsers that know nothing of proa."""

from __future__ import annotations

import email.parser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.slim.metadata import compact


class Files:
    """A view of files by path, with links among folders given apart."""

    def __init__(self, files: dict[str, bytes], links: dict[str, str] | None = None) -> None:
        self.files = files
        self.links = links or {}

    def paths(self):
        return self.files.keys()

    def locate(self, path):
        path = path.strip("/")
        for link, target in self.links.items():
            if path.startswith(f"{link}/"):
                path = f"{target}/{path[len(link) + 1 :]}"
        return path if path in self.files else None

    def read(self, path, most_bytes):
        data = self.files.get(self.locate(path) or "")
        return data if data is None or len(data) <= most_bytes else None


def dpkg(packages: dict[str, list[str]]) -> dict[str, bytes]:
    files, stanzas = {}, []
    for name, paths in packages.items():
        stanzas.append(
            f"Package: {name}\nStatus: install ok installed\nPriority: optional\nInstalled-Size: 12\n"
            f"Maintainer: Somebody <a@b.example>\nArchitecture: amd64\nSource: {name}-src (1.2)\nVersion: 1:1.2-3\n"
            f"Conffiles:\n /etc/{name} 0123\nDescription: short\n long\n .\n longer\n"
        )
        files[f"var/lib/dpkg/info/{name}.list"] = "".join(f"{path}\n" for path in ("/.", "/usr", *paths)).encode()
        files[f"var/lib/dpkg/info/{name}.md5sums"] = "".join(f"{'0' * 32}  {path[1:]}\n" for path in paths).encode()
        files[f"usr/share/doc/{name}/copyright"] = b"GPL"
        files |= {path[1:]: b"x" for path in paths}
    files["var/lib/dpkg/status"] = "\n".join(stanzas).encode()
    files["etc/os-release"] = b"ID=debian\n"
    return files


def debian_packages(status: bytes) -> dict[str, dict[str, str]]:
    """Return the stanzas as the standard library's parser of headers reads them."""
    found = {}
    for stanza in status.decode().split("\n\n"):
        fields = email.parser.Parser().parsestr(stanza.strip("\n"))
        if fields["Package"]:
            found[fields["Package"]] = dict(fields)
    return found


def test_a_scanner_sees_the_packages_of_which_something_is_kept():
    files = dpkg({"libc6": ["/lib/libc.so.6", "/usr/share/man/libc.gz"], "perl": ["/usr/bin/perl"]})
    found = compact(Files(files), {"lib/libc.so.6"})
    packages = debian_packages(found.replaced["var/lib/dpkg/status"])
    assert packages.keys() == {"libc6"}
    assert packages["libc6"]["Version"] == "1:1.2-3"
    assert packages["libc6"]["Source"] == "libc6-src (1.2)"
    assert packages["libc6"]["Status"] == "install ok installed"
    assert packages["libc6"]["Description"] == "short"
    assert "Conffiles" not in packages["libc6"]
    assert found.replaced["var/lib/dpkg/info/libc6.list"] == b"/lib/libc.so.6\n"
    assert found.replaced["var/lib/dpkg/info/libc6.md5sums"] == b"0" * 32 + b"  lib/libc.so.6\n"
    assert found.whole["usr/share/doc/libc6/copyright"][0] == "license"
    assert "etc/os-release" in found.whole
    assert not any("perl" in path for path in (*found.whole, *found.replaced))


def test_files_are_found_where_usr_was_merged():
    files = dpkg({"libc6": ["/lib/libc.so.6"]})
    files["usr/lib/libc.so.6"] = files.pop("lib/libc.so.6")
    found = compact(Files(files, {"lib": "usr/lib"}), {"usr/lib/libc.so.6"})
    assert debian_packages(found.replaced["var/lib/dpkg/status"]).keys() == {"libc6"}


def test_documentation_alone_keeps_no_package():
    files = dpkg({"perl": ["/usr/bin/perl", "/usr/share/doc/perl/README"]})
    found = compact(Files(files), {"usr/share/doc/perl/README"})
    assert debian_packages(found.replaced["var/lib/dpkg/status"]) == {}


def test_a_package_without_a_list_of_files_stays():
    files = dpkg({"strange": ["/usr/bin/strange"]})
    del files["var/lib/dpkg/info/strange.list"]
    assert debian_packages(compact(Files(files), set()).replaced["var/lib/dpkg/status"]).keys() == {"strange"}


def test_a_removed_package_whose_configuration_was_left_is_none():
    files = {
        "var/lib/dpkg/status": b"Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n",
    }
    assert compact(Files(files), set()).replaced["var/lib/dpkg/status"] == b""


@given(
    st.dictionaries(
        st.from_regex(r"[a-z][a-z0-9+.-]{1,6}", fullmatch=True),
        st.lists(st.from_regex(r"/[a-z]{1,3}/[a-z]{1,3}", fullmatch=True), max_size=4),
        max_size=6,
    ),
    st.data(),
)
def test_a_package_is_listed_exactly_if_a_file_of_it_is_kept(packages, data):
    files = dpkg(packages)
    everything = sorted({path for paths in packages.values() for path in paths})
    kept = set(data.draw(st.lists(st.sampled_from(everything)))) if everything else set()
    found = compact(Files(files), {path[1:] for path in kept})
    expected = {name for name, paths in packages.items() if kept & set(paths)}
    assert debian_packages(found.replaced["var/lib/dpkg/status"]).keys() == expected
    for name in expected:
        listed = found.replaced[f"var/lib/dpkg/info/{name}.list"].decode().split()
        assert set(listed) == kept & set(packages[name])


def test_distroless_images_keep_a_file_per_package():
    files = {
        "var/lib/dpkg/status.d/tzdata": b"Package: tzdata\nVersion: 1\n",
        "var/lib/dpkg/status.d/tzdata.md5sums": b"0  usr/share/zoneinfo/UTC\n",
        "var/lib/dpkg/status.d/libc6": b"Package: libc6\nVersion: 2\n",
        "var/lib/dpkg/status.d/libc6.md5sums": b"0  lib/libc.so.6\n",
        "usr/share/zoneinfo/UTC": b"",
        "lib/libc.so.6": b"",
        "usr/share/doc/libc6/copyright": b"LGPL",
    }
    found = compact(Files(files), {"lib/libc.so.6"})
    assert found.whole.keys() == {
        "var/lib/dpkg/status.d/libc6",
        "var/lib/dpkg/status.d/libc6.md5sums",
        "usr/share/doc/libc6/copyright",
    }


APK = b"""C:Q1abc=
P:musl
V:1.2.5-r0
A:x86_64
L:MIT
o:musl
F:lib
R:ld-musl-x86_64.so.1
a:0:0:755
Z:Q1one=
R:libc.musl-x86_64.so.1
a:0:0:777
Z:Q1two=
F:usr/share/doc/musl
R:README

C:Q1def=
P:busybox
V:1.36.1-r0
F:bin
R:busybox
Z:Q1three=

C:Q1ghi=
P:virtual
V:0

"""


def apk_packages(content: bytes) -> dict[str, dict[str, list[str]]]:
    """Return packages with their versions and files, as apk-tools' own format says."""
    found: dict[str, dict[str, list[str]]] = {}
    name = folder = ""
    for line in content.decode().splitlines():
        key, _, value = line.partition(":")
        if key == "P":
            name = value
            found[name] = {"files": []}
        elif key == "V":
            found[name]["version"] = [value]
        elif key == "F":
            folder = value
        elif key == "R":
            found[name]["files"].append(f"{folder}/{value}")
    return found


def test_apk_keeps_the_packages_and_files_that_stay():
    files = {"lib/apk/db/installed": APK, "lib/ld-musl-x86_64.so.1": b"", "bin/busybox": b""}
    found = compact(Files(files), {"lib/ld-musl-x86_64.so.1"})
    content = found.replaced["lib/apk/db/installed"]
    assert apk_packages(content) == {
        "musl": {"version": ["1.2.5-r0"], "files": ["lib/ld-musl-x86_64.so.1"]},
        "virtual": {"version": ["0"], "files": []},
    }
    assert b"Z:Q1one=" in content
    assert b"Z:Q1two=" not in content


def test_apk_leaves_everything_as_it_was_where_all_is_kept():
    paths = {"lib/ld-musl-x86_64.so.1", "lib/libc.musl-x86_64.so.1", "usr/share/doc/musl/README", "bin/busybox"}
    files = {"lib/apk/db/installed": APK, **dict.fromkeys(paths, b"")}
    assert compact(Files(files), paths).replaced["lib/apk/db/installed"].strip() == APK.strip()


def test_rpm_is_kept_whole_and_that_is_said():
    files = {"var/lib/rpm/rpmdb.sqlite": b"SQLite", "usr/lib64/libc.so.6": b"", "app": b""}
    found = compact(Files(files), {"usr/lib64/libc.so.6"})
    assert "var/lib/rpm/rpmdb.sqlite" in found.whole
    assert [one.id for one in found.findings] == ["slim.rpm-whole"]
    assert compact(Files(files), {"app"}).whole == {}


def test_python_distributions_stay_with_their_modules():
    site = "usr/lib/python3/dist-packages"
    files = {
        f"{site}/flask/__init__.py": b"",
        f"{site}/Flask-3.0.dist-info/METADATA": b"Name: Flask\nVersion: 3.0\n",
        f"{site}/Flask-3.0.dist-info/RECORD": b'flask/__init__.py,sha256=x,10\n"flask/a,b.py",,\n',
        f"{site}/yaml/__init__.py": b"",
        f"{site}/PyYAML-6.0.egg-info": b"Name: PyYAML\n",
        f"{site}/left.py": b"",
        f"{site}/left-1.0.dist-info/METADATA": b"",
        f"{site}/left-1.0.dist-info/RECORD": b"left.py,,\nleft-1.0.dist-info/METADATA,,\n",
        f"{site}/six.py": b"",
        f"{site}/six-1.0.egg-info/PKG-INFO": b"",
        f"{site}/six-1.0.egg-info/top_level.txt": b"six\n",
    }
    found = compact(Files(files), {f"{site}/flask/__init__.py", f"{site}/yaml/__init__.py"})
    assert found.whole.keys() == {
        f"{site}/Flask-3.0.dist-info/METADATA",
        f"{site}/Flask-3.0.dist-info/RECORD",
        f"{site}/PyYAML-6.0.egg-info",
    }


def test_node_packages_and_gems_stay_with_their_files():
    files = {
        "app/node_modules/a/package.json": b"{}",
        "app/node_modules/a/node_modules/@s/b/package.json": b"{}",
        "app/node_modules/c/package.json": b"{}",
        "gems/specifications/rack-3.0.gemspec": b"",
        "gems/specifications/rake-1.0.gemspec": b"",
    }
    found = compact(Files(files), {"app/node_modules/a/node_modules/@s/b/lib/x.js", "gems/gems/rack-3.0/lib/rack.rb"})
    assert found.whole.keys() == {
        "app/node_modules/a/package.json",
        "app/node_modules/a/node_modules/@s/b/package.json",
        "gems/specifications/rack-3.0.gemspec",
    }


@pytest.mark.parametrize(
    "path",
    [
        "var/lib/dpkg/status",
        "var/lib/dpkg/status.d/x",
        "lib/apk/db/installed",
        "p/a-1.dist-info/RECORD",
        "p/a-1.egg-info/top_level.txt",
    ],
)
@given(content=st.binary(max_size=200))
def test_nonsense_in_a_database_is_no_error(path, content):
    files = {path: b"Package: a\n" + content, "p/a.py": b"", "var/lib/dpkg/info/a.list": content}
    found = compact(Files(files), {"p/a.py"})
    assert all(isinstance(data, bytes) for data in found.replaced.values())
