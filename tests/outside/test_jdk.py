"""Which JDK is taken, and what is said where there is none, or only a part of one."""

from __future__ import annotations

from pathlib import Path

import pytest

from proa.errors import JdkMissing
from proa.outside.jdk import find_jdk


def jdk(home: Path, version: str = "17.0.15", *, tools: tuple[str, ...] = ("java", "jdeps", "jlink", "jimage")) -> Path:
    (home / "bin").mkdir(parents=True)
    for name in tools:
        (home / "bin" / name).write_text("#!/bin/sh\n")
        (home / "bin" / name).chmod(0o755)
    (home / "jmods").mkdir()
    (home / "jmods" / "java.base.jmod").touch()
    (home / "release").write_text(f'JAVA_VERSION="{version}"\nMODULES="java.base java.sql"\n')
    return home


def test_the_jdk_of_java_home_comes_before_that_of_path(tmp_path: Path) -> None:
    first, second = jdk(tmp_path / "a", "21.0.1"), jdk(tmp_path / "b")
    found = find_jdk({"JAVA_HOME": str(first), "PATH": str(second / "bin")})
    assert (found.home, found.feature, found.modules) == (str(first), 21, ("java.base", "java.sql"))


def test_a_link_on_path_leads_to_the_jdk(tmp_path: Path) -> None:
    home = jdk(tmp_path / "jdk")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "jlink").symlink_to(home / "bin" / "jlink")
    assert find_jdk({"PATH": str(tmp_path / "bin")}).home == str(home)


def test_no_java_at_all_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(JdkMissing) as caught:
        find_jdk({"PATH": str(tmp_path)})
    assert (caught.value.exit_status, "default-jdk-headless" in caught.value.hint) == (3, True)


def test_a_jre_is_not_enough(tmp_path: Path) -> None:
    home = jdk(tmp_path / "jre", tools=("java",))
    with pytest.raises(JdkMissing, match="without jdeps, jlink, jimage"):
        find_jdk({"JAVA_HOME": str(home)})


def test_jmods_may_be_missing_since_java_24_only(tmp_path: Path) -> None:
    for version in ("21.0.1", "25.0.1"):
        (jdk(tmp_path / version, version) / "jmods" / "java.base.jmod").unlink()
    with pytest.raises(JdkMissing, match="no jmods"):
        find_jdk({"JAVA_HOME": str(tmp_path / "21.0.1")})
    assert not find_jdk({"JAVA_HOME": str(tmp_path / "25.0.1")}).has_jmods


def test_java_8_and_a_wrong_java_home_are_told(tmp_path: Path) -> None:
    with pytest.raises(JdkMissing, match=r"1\.8\.0"):
        find_jdk({"JAVA_HOME": str(jdk(tmp_path / "8", "1.8.0_402"))})
    with pytest.raises(JdkMissing, match="no bin/java"):
        find_jdk({"JAVA_HOME": str(tmp_path / "nowhere")})
