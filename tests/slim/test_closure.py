"""What is kept of an image by its files alone: one small image per rule, and what holds for all of them."""

from __future__ import annotations

import os
import subprocess
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proa.records import oci
from proa.records.slimming import Kept, Seed
from proa.slim.closure import close
from real_neighbours import need

SYSTEM = {
    "etc/passwd": "root:x:0:0::/root:/bin/bash\n", "etc/os-release": "ID=debian\n", "bin/sh": "\x7fno shell",
    "usr/share/doc/thing/README": "words", "usr/lib/unused/file": "nobody needs it",
}  # fmt: skip


def image(
    root: Path, files: Mapping[str, str | bytes], *, packages: Mapping[str, tuple[str, ...]] | None = None
) -> Path:
    """Write an unpacked image: ``-> TARGET`` is a link, ``#!`` makes a file executable; what is listed is a package's."""
    everything: dict[str, str | bytes] = {**SYSTEM, **files}
    for path, content in everything.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str) and content.startswith("-> "):
            file.symlink_to(content[3:])
            continue
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        file.chmod(0o755 if content[:2] in ("#!", b"#!", "\x7f") or "bin/" in path else 0o644)
    owned = {"base": tuple(SYSTEM), **(packages or {})}
    info = root / "var/lib/dpkg/info"
    info.mkdir(parents=True)
    status = ""
    for described, paths in owned.items():
        name, _, depends = described.partition(" depends ")
        status += f"Package: {name}\nStatus: install ok installed\nVersion: 1\nDepends: {depends}\n\n"
        (info / f"{name}.list").write_text("/.\n" + "".join(f"/{path}\n" for path in paths))
    (root / "var/lib/dpkg/status").write_text(status)
    return root


def config(*command: str, directory: str = "/", env: tuple[str, ...] = (), **more: object) -> oci.Config:
    run = oci.Execution(cmd=command or None, working_dir=directory, env=env or None, **more)  # type: ignore[arg-type]
    return oci.Config(architecture="amd64", os="linux", config=run)


def kept(root: Path, how: oci.Config, *seeds: str) -> dict[str, Kept]:
    return {
        one.path: one for one in close(root, how, [Seed(path=seed, rule="asked", because="a test") for seed in seeds])
    }


def test_what_nothing_needs_is_left_out_and_what_every_system_has_stays(tmp_path: Path) -> None:
    found = kept(image(tmp_path, {}), config())
    assert "/etc/passwd" in found
    assert "/etc/os-release" in found
    assert not {"/usr/lib/unused/file", "/usr/share/doc/thing/README", "/var/lib/dpkg/status"} & set(found)


def test_an_entrypoint_script_keeps_its_interpreter_and_every_program_it_names(tmp_path: Path) -> None:
    files = {
        "start.sh": '#!/usr/bin/env bash\nset -e\nif [ -f /etc/tool.conf ]; then gosu app "$@"; fi\nexec sort < /etc/tool.conf\n',
        "usr/bin/env": "x", "usr/bin/bash": "x", "usr/bin/gosu": "x", "usr/bin/sort": "x", "usr/bin/other": "x",
        "etc/tool.conf": "data=/usr/lib/tool/data\n", "usr/lib/tool/data": "x", "usr/bin/serve": "x",
    }  # fmt: skip
    owned = tuple(path for path in files if path != "start.sh")
    found = kept(image(tmp_path, files, packages={"tool": owned}), config("/start.sh", "serve"))
    assert {"/usr/bin/bash", "/usr/bin/env", "/usr/bin/gosu", "/usr/bin/sort", "/usr/bin/serve", "/etc/tool.conf",
            "/usr/lib/tool/data"} <= set(found)  # fmt: skip
    assert "/usr/bin/other" not in found
    assert found["/usr/bin/bash"].because == "the first line of /start.sh"


def test_the_shell_form_and_the_health_check_are_read(tmp_path: Path) -> None:
    files = {"usr/sbin/server": "x", "usr/bin/curl": "x", "usr/bin/vim": "x"}
    how = config(
        "/bin/sh",
        "-c",
        "exec server -g 'daemon off;'",
        healthcheck={"Test": ["CMD-SHELL", "curl -f http://x || exit 1"]},
    )
    found = kept(image(tmp_path, files, packages={"p": tuple(files)}), how)
    assert {"/bin/sh", "/usr/sbin/server", "/usr/bin/curl"} <= set(found)
    assert "/usr/bin/vim" not in found


def test_every_link_on_the_way_and_every_folder_is_kept(tmp_path: Path) -> None:
    files = {
        "usr/bin/a": "-> ../../etc/alternatives/a",
        "etc/alternatives/a": "-> /usr/lib/real/a",
        "usr/lib/real/a": "x",
    }
    found = kept(image(tmp_path, files, packages={"p": tuple(files)}), config("a"))
    assert {"/usr/bin/a", "/etc/alternatives/a", "/usr/lib/real/a", "/usr/lib/real", "/usr/lib"} <= set(found)
    assert found["/usr/lib/real/a"].rule == "entrypoint"
    assert found["/etc/alternatives/a"].rule == "link"


def test_the_authors_folders_stay_whole_but_for_what_builds_leave(tmp_path: Path) -> None:
    files = {"app/a.txt": "1", "app/.git/HEAD": "1", "opt/x/deep/b": "1", "root/.cache/pip/x": "1", "etc/own.yaml": "1",
             "usr/local/go/VERSION": "go1.26", "usr/local/go/pkg/tool/x": "1", "usr/local/go/src/runtime/a.go": "1",
             "go/pkg/mod/m/a.go": "1", "usr/bin/cc": "-> /etc/alternatives/cc"}  # fmt: skip
    found = kept(image(tmp_path, files), config())
    assert {"/app/a.txt", "/opt/x/deep/b", "/etc/own.yaml"} <= set(found)
    assert not [
        path for path in found if "/.git" in path or "/.cache/" in path or "/go/" in path or path == "/usr/bin/cc"
    ]


def test_paths_among_a_programs_strings_are_kept_also_where_strings_touch(tmp_path: Path) -> None:
    program = b"\x7fELF junk Go buildinf: zzz/etc/mime.confinternal error/usr/share/tool/datasome\0"
    files: dict[str, str | bytes] = {
        "usr/bin/prog": program,
        "etc/mime.conf": "1",
        "usr/share/tool/data": "1",
        "etc/mimic": "1",
    }
    root = image(tmp_path, files, packages={"p": tuple(files)})
    from proa.slim.growth import Growth
    from proa.slim.packages import Packages
    from proa.slim.references import paths_in_program
    from proa.slim.tree import Tree

    tree = Tree(root)
    assert list(paths_in_program(Growth(tree, Packages(tree), {}, "/"), "/usr/bin/prog")) == [
        "/etc/mime.conf",
        "/usr/share/tool/data",
    ]


def test_modules_a_configuration_names_and_the_folder_of_a_programs_name_are_kept(tmp_path: Path) -> None:
    files = {"usr/sbin/nginx": "x", "etc/nginx/nginx.conf": "include /etc/nginx/on/*.conf;", "etc/nginx/on/a.conf": "-> /usr/share/nginx/a.conf",
             "usr/share/nginx/a.conf": "load_module modules/ngx_a_module.so;", "usr/lib/other/ngx_a_module.so": "x",
             "usr/lib/other/ngx_b_module.so": "x"}  # fmt: skip
    packages = {"nginx": ("usr/sbin/nginx",), "more": tuple(files)[1:5], "b": ("usr/lib/other/ngx_b_module.so",)}
    found = kept(image(tmp_path, files, packages=packages), config("nginx"))
    assert {"/etc/nginx/on/a.conf", "/usr/share/nginx/a.conf", "/usr/lib/other/ngx_a_module.so"} <= set(found)
    assert "/usr/lib/other/ngx_b_module.so" not in found


def test_a_packages_data_and_the_data_it_depends_on_come_with_its_program(tmp_path: Path) -> None:
    files = {"usr/bin/tool": "x", "usr/bin/tool-admin": "x", "usr/share/tool/t": "x", "usr/share/man/man1/tool.1": "x",
             "usr/share/data/d": "x", "usr/bin/editor": "x"}  # fmt: skip
    packages = {
        "tool depends data (>= 1), editor": tuple(files)[:4],
        "data": ("usr/share/data/d",),
        "editor": ("usr/bin/editor",),
    }
    found = kept(image(tmp_path, files, packages=packages), config("tool"))
    assert {"/usr/share/tool/t", "/usr/share/data/d"} <= set(found)
    assert not {"/usr/bin/tool-admin", "/usr/share/man/man1/tool.1", "/usr/bin/editor"} & set(found)


SITE = "opt/venv/lib/python3.11/site-packages"
PYTHON = {
    "usr/bin/python3.11": "x", "usr/bin/python3": "-> python3.11", "usr/lib/python3.11/os.py": "import tkinter\n",
    "usr/lib/python3.11/json/__init__.py": "", "usr/lib/python3.11/test/test_os.py": "", "usr/lib/python3.11/idlelib/a.py": "",
}  # fmt: skip


def _distribution(name: str, text: str = "", requires: str = "") -> dict[str, str]:
    needs = f"Requires-Dist: {requires} (>=1) ; extra == 'x'\n" if requires else ""
    info = f"{SITE}/{name}-1.dist-info"
    return {f"{SITE}/{name}/__init__.py": text, f"{info}/METADATA": f"Name: {name}\n{needs}\n", f"{info}/top_level.txt": name,
            f"{info}/RECORD": f"{name}/__init__.py,,\n{name}-1.dist-info/METADATA,,\n"}  # fmt: skip


def test_python_keeps_its_library_and_the_distributions_that_something_names(tmp_path: Path) -> None:
    files = {**PYTHON, **_distribution("flask", "def late():\n    import extra\n", "jinja"), **_distribution("jinja"),
             **_distribution("extra"), **_distribution("plugin"), **_distribution("pip"), **_distribution("pytest"),
             "opt/venv/pyvenv.cfg": "home = /usr/bin\n", "opt/venv/bin/python": "-> /usr/bin/python3",
             "app/main.py": "from flask import x\nWORKER = 'plugin'\nimport subprocess\nsubprocess.run(['convert', '-x'])\n",
             "usr/bin/convert": "x", "usr/bin/gcc": "x"}  # fmt: skip
    root = image(tmp_path, files, packages={"python3.11": (*PYTHON, "usr/bin/convert", "usr/bin/gcc")})
    found = kept(root, config("/opt/venv/bin/python", "main.py", directory="/app"))
    names = {path.removeprefix(f"/{SITE}/").split("/")[0] for path in found if path.startswith(f"/{SITE}/")}
    assert {"flask", "jinja", "extra", "plugin"} <= names
    assert not {"pip", "pytest"} & names
    assert {"/usr/lib/python3.11/json/__init__.py", "/usr/bin/convert", "/usr/bin/python3"} <= set(found)
    assert not {"/usr/lib/python3.11/test/test_os.py", "/usr/lib/python3.11/idlelib/a.py", "/usr/bin/gcc"} & set(found)


def test_node_keeps_packages_by_dependency_and_by_name_and_npm_only_when_it_starts_the_program(tmp_path: Path) -> None:
    files = {
        "usr/bin/node": "x", "app/server.js": "require('express'); app.set('view engine', 'pug')",
        "app/package.json": '{"dependencies": {"express": "1"}, "devDependencies": {"jest": "1", "pug": "1"}, "scripts": {"start": "tool x"}}',
        "app/node_modules/express/package.json": '{"dependencies": {"@a/b": "1"}}', "app/node_modules/express/index.js": "",
        "app/node_modules/@a/b/index.js": "", "app/node_modules/jest/index.js": "", "app/node_modules/pug/index.js": "",
        "app/node_modules/tool/cli.js": "#!/usr/bin/node\n", "app/node_modules/.bin/tool": "-> ../tool/cli.js",
        "usr/lib/node_modules/npm/bin/npm-cli.js": "#!/usr/bin/node\n", "usr/bin/npm": "-> ../lib/node_modules/npm/bin/npm-cli.js",
        "usr/lib/node_modules/npm/lib/a.js": "",
    }  # fmt: skip
    root = image(tmp_path, files, packages={"node": ("usr/bin/node",)})
    plain = kept(root, config("node", "server.js", directory="/app"))
    assert {
        "/app/node_modules/express/index.js",
        "/app/node_modules/@a/b/index.js",
        "/app/node_modules/pug/index.js",
    } <= set(plain)
    assert not {
        "/app/node_modules/jest/index.js",
        "/app/node_modules/tool/cli.js",
        "/usr/lib/node_modules/npm/lib/a.js",
    } & set(plain)
    by_npm = kept(root, config("npm", "start", directory="/app"))
    assert {
        "/usr/lib/node_modules/npm/lib/a.js",
        "/app/node_modules/tool/cli.js",
        "/app/node_modules/.bin/tool",
    } <= set(by_npm)


def test_java_keeps_the_run_time_system_and_what_class_paths_and_manifests_name(tmp_path: Path) -> None:
    home = "usr/lib/jvm/java-17"
    files: dict[str, str | bytes] = {
        f"{home}/bin/java": "x", f"{home}/bin/javac": "x", f"{home}/lib/modules": "x", f"{home}/lib/ct.sym": "x", f"{home}/jmods/a.jmod": "x",
        "usr/bin/java": f"-> /{home}/bin/java", "usr/share/java/lib.jar": "x", "usr/share/java/other.jar": "x", "usr/share/java/cp.jar": "x",
    }  # fmt: skip
    root = image(tmp_path, files, packages={"openjdk-17-jre": tuple(files)})
    (root / "app").mkdir()
    with zipfile.ZipFile(root / "app/app.jar", "w") as jar:
        jar.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\nClass-Path: ../usr/share/java/lib.jar\n")
    found = kept(root, config("java", "-jar", "/app/app.jar", env=("CLASSPATH=/usr/share/java/cp.jar",)))
    assert {f"/{home}/lib/modules", "/usr/share/java/lib.jar", "/usr/share/java/cp.jar"} <= set(found)
    assert not {
        f"/{home}/bin/javac",
        f"/{home}/lib/ct.sym",
        f"/{home}/jmods/a.jmod",
        "/usr/share/java/other.jar",
    } & set(found)


def test_zones_are_kept_once_and_certificates_with_what_they_link_to(tmp_path: Path) -> None:
    zones = {f"usr/share/zoneinfo/{folder}Europe/Paris": "TZif" for folder in ("", "posix/", "right/")}
    certificates = {
        "etc/ssl/certs/a.pem": "-> /usr/share/ca-certificates/a.crt",
        "usr/share/ca-certificates/a.crt": "x",
    }
    found = kept(image(tmp_path, {**zones, **certificates}, packages={"p": (*zones, *certificates)}), config())
    assert {"/usr/share/zoneinfo/Europe/Paris", "/usr/share/ca-certificates/a.crt"} <= set(found)
    assert not [path for path in found if "/posix/" in path or "/right/" in path]


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({"a": "-> b", "b": "-> a", "start": "-> a"}, id="a loop of links"),
        pytest.param({"start": "-> ../../../../../../etc/hostname-of-the-machine"}, id="a link that leads out"),
        pytest.param({"start": b"\x7fELF" + bytes(range(256)) * 4}, id="an ELF file of garbage"),
        pytest.param({"start": b"\x7fELF"}, id="an ELF file of four bytes"),
        pytest.param({"start": b"#!" + b"x" * 10_000}, id="a first line that does not end"),
        pytest.param({"start": b"#!/bin/sh\n" + b"word$(( ${a:-b} ' " * 100_000}, id="a script of two megabytes"),
        pytest.param({"start": "#!/start"}, id="a script that interprets itself"),
        pytest.param({"start": "x", "app/package.json": "[" * 100_000, "app/node_modules/a/b": "x"}, id="a package.json of brackets"),
        pytest.param({"start": "x", "var/lib/dpkg/status.d/x": "Package: \xff\n", "lib/apk/db/installed": "P:\nF:../..\nR:x\n"}, id="databases of nonsense"),
        pytest.param({"start": "x", "app/a.jar": b"PK\x03\x04" + b"\0" * 50}, id="a jar of garbage"),
    ],
)  # fmt: skip
def test_hostile_images_are_read_to_the_end(tmp_path: Path, files: dict[str, str | bytes]) -> None:
    found = kept(image(tmp_path, files), config("/start", "@start", "../../start"))
    assert "/etc/passwd" in found
    assert all((tmp_path / path.lstrip("/")).is_symlink() or (tmp_path / path.lstrip("/")).exists() for path in found)


def test_names_that_are_no_text_and_pipes_do_no_harm(tmp_path: Path) -> None:
    root = image(tmp_path, {"app/a": "x"})
    (root / os.fsdecode(b"app/\xff\xfe")).write_text("x")
    os.mkfifo(root / "app/pipe")
    assert {"/app/pipe", os.fsdecode(b"/app/\xff\xfe")} <= set(kept(root, config("/app/pipe")))


def test_what_a_seed_names_is_kept_with_its_reason(tmp_path: Path) -> None:
    found = kept(image(tmp_path, {}), config("/missing"), "/usr/lib/unused/file")
    assert (found["/usr/lib/unused/file"].rule, found["/usr/lib/unused/file"].because) == ("asked", "a test")


@pytest.mark.real
def test_a_compiled_program_keeps_its_loader_and_its_own_libraries(tmp_path: Path) -> None:
    need("gcc")
    root = image(tmp_path / "root", {"usr/lib/spare/libb.so": "x"})
    (root / "opt/lib").mkdir(parents=True)
    library, program = tmp_path / "a.c", tmp_path / "p.c"
    library.write_text("int a(void) { return 3; }")
    program.write_text(
        '#include <stdio.h>\nint a(void);\nint main(void) { puts("libb.so"); puts("/etc/tool.conf"); return a(); }'
    )
    (root / "etc/tool.conf").write_text("x")
    folder = root / "opt/lib"
    subprocess.run(["gcc", "-shared", "-o", folder / "liba.so", library], check=True)
    subprocess.run(
        ["gcc", "-o", root / "opt/prog", program, f"-L{folder}", "-la", "-Wl,-rpath,$ORIGIN/lib"], check=True
    )
    found = kept(root, config("/opt/prog"))
    assert found["/opt/lib/liba.so"].rule == "library"
    assert found["/etc/tool.conf"].because == "/opt/prog names it"


NAMES = st.sampled_from(
    ["a", "b", "bin/sh", "etc/x.conf", "app/run", "usr/bin/tool", "usr/lib/t/data", "usr/lib/t/more", "opt/l"]
)
CONTENTS = st.one_of(
    st.sampled_from(["x", "#!/bin/sh\nexec /usr/bin/tool\n", "#!/usr/bin/env tool\n", "see /usr/lib/t/data\n", "-> /usr/lib/t",
                     "-> ../opt/l", "-> b", "-> a", "-> nowhere"])
)  # fmt: skip
SEEDS = st.lists(
    st.sampled_from(["/a", "/b", "/app/run", "/usr/lib/t", "/usr/lib/t/", "/usr/bin/tool", "/opt/l", "/none"]),
    max_size=4,
)


@settings(max_examples=40, deadline=None)
@given(files=st.dictionaries(NAMES, CONTENTS, max_size=7), seeds=SEEDS, more=SEEDS, owned=st.booleans())
def test_more_seeds_keep_more_and_what_was_kept_adds_nothing(
    files: dict[str, str], seeds: list[str], more: list[str], owned: bool
) -> None:
    files = {path: content for path, content in files.items() if path != "bin/sh"}
    if {"opt/l"} & set(files) and files["opt/l"].startswith("->"):
        files["opt/l"] = "x"
    with tempfile.TemporaryDirectory() as folder:
        root = image(Path(folder), files, packages={"p": tuple(files)} if owned else None)
        few = kept(root, config("tool"), *seeds)
        many = kept(root, config("tool"), *seeds, *more)
        again = close(
            root, config("tool"), [Seed(path=one.path, rule=one.rule, because="again") for one in many.values()]
        )
        assert set(few) <= set(many)
        assert {one.path for one in again} == set(many)
        assert close(root, config("tool"), [])[:5] == close(root, config("tool"), [])[:5]
        for path in many:
            here = root / path.lstrip("/")
            if here.is_symlink() and here.exists():
                target = "/" + os.path.relpath(os.path.realpath(here), os.path.realpath(root))
                if not target.startswith("/.."):
                    assert target in many or target == "/."
