"""Programs that are started by a bare name: where sources and settings name them, they stay."""

from __future__ import annotations

from pathlib import Path

import pytest

from proa.records import oci
from proa.slim.closure import close

_TOOL = "#!/bin/sh\n"


def _kept(root: Path, files: dict[str, str]) -> set[str]:
    for path, text in {"usr/bin/ffmpeg": _TOOL, "usr/bin/gcc": _TOOL, "usr/bin/tool2": _TOOL, **files}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
        (root / path).chmod(0o755)
    (root / "var/lib/dpkg/info").mkdir(parents=True)
    (root / "var/lib/dpkg/info/tools.list").write_text("/usr/bin/ffmpeg\n/usr/bin/gcc\n/usr/bin/tool2\n")
    (root / "var/lib/dpkg/status").write_text("Package: tools\nStatus: install ok installed\nVersion: 1\n")
    run = oci.Execution(cmd=("/app/none",), env=("PATH=/usr/bin",))
    return {one.path for one in close(root, oci.Config(architecture="amd64", os="linux", config=run))}


@pytest.mark.parametrize(
    "files",
    [
        {"app/a.py": "import subprocess\nfrom b import T\nsubprocess.run(T)\n", "app/b.py": 'T = ["ffmpeg", "-i"]\n'},
        {"app/a.mjs": 'import {spawn} from "child_process"; const t = {v: "ffmpeg"}; spawn(t.v)\n'},
        {"app/a.pl": "open my $f, '-|', 'ffmpeg', '-version';\n"},
        {"app/a.rb": "puts `ffmpeg -version`\n"},
        {"app/a.php": '<?php shell_exec("tool2 x | ffmpeg -i");\n'},
        {"etc/default/shop": "TOOL=ffmpeg\n"},
        {"etc/cron.d/job": "* * * * * root ffmpeg -i\n"},
        {"app/node_modules/f/package.json": "{}", "app/node_modules/f/i.js": 'require("child_process").spawn("ffmpeg")\n'},
    ],
)  # fmt: skip
def test_a_program_that_the_authors_files_start_by_name_stays(tmp_path: Path, files: dict[str, str]) -> None:
    assert "/usr/bin/ffmpeg" in _kept(tmp_path, files)


def test_a_name_where_nothing_starts_programs_keeps_nothing(tmp_path: Path) -> None:
    assert "/usr/bin/ffmpeg" not in _kept(tmp_path, {"app/a.py": 'T = "ffmpeg"\n'})


def test_a_compiler_that_an_installed_package_names_goes(tmp_path: Path) -> None:
    files = {
        "app/node_modules/f/package.json": "{}",
        "app/node_modules/f/i.js": 'child_process.spawn("gcc"), "tool2"\n',
    }
    found = _kept(tmp_path, files)
    assert "/usr/bin/gcc" not in found
    assert "/usr/bin/tool2" in found
