"""Jars read with bounds: manifests, class files for a newer Java, names that lead out, zip bombs."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from proa.errors import JarUnfit
from proa.outside.jar import class_feature, is_jar, main_section, read_jar, unpack_classes

JAVA_17 = b"\xca\xfe\xba\xbe\x00\x00\x00\x3d"


def jar(file: Path, **entries: bytes) -> Path:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return file


def test_a_manifest_ends_at_its_first_blank_line_and_long_lines_go_on() -> None:
    text = "Manifest-Version: 1.0\r\nClass-Path: lib/a.jar li\r\n b/b.jar\r\n\r\nName: x\r\nMain-Class: no\r\n"
    assert main_section(text) == {"manifest-version": "1.0", "class-path": "lib/a.jar lib/b.jar"}


def test_a_jar_says_its_main_class_and_whether_it_is_signed(tmp_path: Path) -> None:
    file = jar(tmp_path / "a.jar", **{"META-INF/MANIFEST.MF": b"Main-Class: a.B\n", "META-INF/X.RSA": b""})
    read = read_jar(file)
    assert (read.manifest["main-class"], read.is_signed) == ("a.B", True)


def test_the_java_of_a_class_is_told(tmp_path: Path) -> None:
    file = jar(tmp_path / "a.jar", **{"B.class": JAVA_17, "C.class": b"nothing"})
    assert class_feature(file, "B.class") == 17
    assert class_feature(file, "D.class") == 0
    with pytest.raises(JarUnfit, match="no class file"):
        class_feature(file, "C.class")


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "a\\..\\b"])
def test_a_name_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(JarUnfit, match="leads out"):
        read_jar(jar(tmp_path / "a.jar", **{name: b""}))


def test_a_bomb_is_refused_before_anything_is_unpacked(tmp_path: Path) -> None:
    file = jar(tmp_path / "a.jar", **{"B.class": bytes(80 << 20)})
    with pytest.raises(JarUnfit, match="zip bomb"):
        unpack_classes(file, tmp_path / "out", feature=17)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut short", b"not a zip at all"])
def test_what_is_no_archive_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.jar").write_bytes(content)
    assert is_jar(tmp_path / "a.jar")
    with pytest.raises(JarUnfit, match=r"a\.jar is damaged"):
        read_jar(tmp_path / "a.jar")


def test_a_program_named_like_a_jar_is_no_jar(tmp_path: Path) -> None:
    (tmp_path / "a.jar").write_bytes(b"\x7fELF")
    assert not is_jar(tmp_path / "a.jar")


def test_of_several_versions_of_a_class_the_newest_that_fits_is_unpacked(tmp_path: Path) -> None:
    file = jar(
        tmp_path / "a.jar",
        **{
            "p/A.class": b"8",
            "META-INF/versions/11/p/A.class": b"11",
            "META-INF/versions/21/p/A.class": b"21",
            "module-info.class": b"",
            "text.txt": b"",
        },
    )
    (folder,) = unpack_classes(file, tmp_path / "out", feature=17)
    assert [(one.name, one.read_bytes()) for one in folder.rglob("*") if one.is_file()] == [("A.class", b"11")]


def test_jars_in_a_jar_are_unpacked_beside_its_own_classes(tmp_path: Path) -> None:
    inner = jar(tmp_path / "inner.jar", **{"lib/L.class": b"l"}).read_bytes()
    file = jar(tmp_path / "a.jar", **{"BOOT-INF/classes/a/A.class": b"a", "BOOT-INF/lib/inner.jar": inner})
    folders = unpack_classes(file, tmp_path / "out", feature=17, nested="BOOT-INF/lib/")
    assert [one.name for one in folders] == ["a.jar", "inner.jar"]
    assert (folders[0] / "a" / "A.class").is_file()
    assert (folders[1] / "lib" / "L.class").is_file()
