from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from fakes.images import make_image
from fakes.layers import archive, docker_archive, item
from proa.cli.difference_table import lines
from proa.cli.exits import run_guarded
from proa.errors import (
    BinaryDamaged,
    BudgetExceeded,
    ImageMissing,
    NoProject,
    ProaError,
    WrongConfiguration,
    WrongUsage,
)
from proa.pipeline.diff import Asked, diff, gate
from proa.records.request import Request

DPKG = """Package: base-files
Status: install ok installed
Version: {version}
Description: d
 more: lines

Package: gone
Status: deinstall ok config-files
Version: 9
{more}"""


@pytest.fixture(autouse=True)
def _store(tmp_path, monkeypatch):
    monkeypatch.setenv("PROA_CACHE", str(tmp_path / "store"))
    monkeypatch.chdir(tmp_path)
    for name in ("PROA_REPO", "KO_DOCKER_REPO", "GITHUB_STEP_SUMMARY", "GIT_DIR"):
        monkeypatch.delenv(name, raising=False)


def environ(tmp_path: Path) -> dict[str, str]:
    return {"PROA_CACHE": str(tmp_path / "store"), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}


def compare(tmp_path, *words, budgets=(), **fields):
    asked = Asked(words=tuple(map(str, words)), budgets=tuple(budgets), **fields)
    return diff(asked, Request(), environ=environ(tmp_path), progress=lambda _what: None)


@pytest.fixture
def images(tmp_path):
    """Give two images that differ in everything that is told."""
    old = archive(
        [
            item("etc/passwd", b"root"),
            item("bin/su", b"su", mode=0o755),
            item("same", b"same"),
            item("linked", b"x" * 100),
            item("gone", b"12345"),
            item("var/lib/dpkg/status", DPKG.format(version="1", more="").encode()),
        ]
    )
    new = archive(
        [
            item("etc/passwd", b"toor"),
            item("bin/su", b"su", mode=0o4755),
            item("same", b"same"),
            item("linked", b"x" * 100),
            item("twice", hard="linked"),
            item(
                "var/lib/dpkg/status",
                DPKG.format(version="2", more="\n\nPackage: curl\nStatus: install ok installed\nVersion: 8\n").encode(),
            ),
        ]
    )
    top = archive([item("etc/app.conf", b"a" * 1000)])
    before = docker_archive(
        tmp_path / "a.tar",
        [old],
        execution={"User": "65532", "Entrypoint": ["/app"], "Env": ["API_TOKEN=hunter2", "MODE=a"]},
        history=[{"created_by": "COPY file:" + "a" * 64 + " in /"}],
    )
    after = docker_archive(
        tmp_path / "b.tar",
        [new, top],
        execution={
            "User": "",
            "Entrypoint": ["/app"],
            "Env": ["API_TOKEN=hunter3", "MODE=b"],
            "ExposedPorts": {"80/tcp": {}},
        },
        history=[{"created_by": "COPY file:" + "b" * 64 + " in /"}, {"created_by": "COPY app.conf /etc"}],
    )
    return before, after


def test_what_changed_between_two_images(tmp_path, images):
    difference = compare(tmp_path, *images).difference
    files = {one.name: (one.before_bytes, one.after_bytes, one.change) for one in difference.files}
    assert files["/etc/app.conf"] == (0, 1000, "added")
    assert files["/gone"] == (5, 0, "removed")
    assert files["/etc/passwd"] == (4, 4, "changed")
    assert files["/bin/su"] == (2, 2, "changed")
    assert files["/twice"] == (0, 0, "added")
    assert "/linked" not in files
    assert "/same" not in files
    assert difference.files[0].name == "/etc/app.conf"
    assert difference.changed_files == 2
    assert {one.name: one.change for one in difference.layers} == {
        "COPY file:… in /": "changed",
        "COPY app.conf /etc": "added",
    }
    assert [(one.name, one.before, one.after, one.kind) for one in difference.dependencies] == [
        ("curl", "", "8", "system-package"),
        ("base-files", "1", "2", "system-package"),
    ]
    settings = {one.name: (one.before, one.after) for one in difference.settings}
    assert settings == {
        "user": ("65532", ""),
        "ports": ("", "80/tcp"),
        "env.MODE": ("a", "b"),
        "env.API_TOKEN": ("…", "…"),
    }
    assert {one.id for one in difference.new_findings} == {"setuid", "user.root"}
    assert sum(one.grown_bytes for one in difference.files) == difference.total.grown_bytes


def test_names_of_an_image_steer_no_terminal_and_give_no_command_on_a_line_of_their_own(tmp_path, images, capsys):
    hostile = archive([item("a\n::error::\x1b[31m", b"x", mode=0o4755)])
    docker_archive(tmp_path / "hostile.tar", [hostile])
    assert run_guarded(["diff", str(images[0]), "hostile.tar", "--budget", "no_new=set-uid"]) == 1
    out, err = capsys.readouterr()
    for text in (out, err):
        assert r"/a\n::error::\x1b[31m is set-user-id" in text
        assert "\x1b" not in text
        assert not any(line.strip().startswith("::") for line in text.splitlines())


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["--output", "json=x", "--output", "sarif=./x"], 2, "x cannot carry two results"),
        (["--output", "json=x", "--html", "x"], 2, "x cannot carry two results"),
        (["--output", "json=-", "--output", "junit=-"], 2, "standard output cannot carry two"),
        (["--output", "json=-", "--html", "-"], 2, "standard output cannot carry two"),
        (["--output", "json=none/x"], 3, "none is no folder"),
        (["--html", "none/x"], 3, "none is no folder"),
    ],
)
def test_outputs_that_cannot_be_written_are_refused_before_anything_is_read(tmp_path, capsys, words, status, said):
    assert run_guarded(["diff", "nosuch", "nosuch", *words]) == status
    assert said in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_a_folder_is_no_place_for_an_output(images, capsys):
    assert run_guarded(["diff", *map(str, images), "--output", "json=."]) == 3
    assert ". cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize(("budget", "status"), [("image=1", 1), ("image=1MB", 0)])
def test_budgets_decide_also_where_nobody_reads_the_output(images, budget, status):
    words = [sys.executable, "-m", "proa", "diff", *map(str, images), "--budget", budget]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as ran:
        assert ran.stdout is not None
        assert ran.stderr is not None
        ran.stdout.close()
        said = ran.stderr.read()
    assert ran.returncode == status
    assert b"BrokenPipe" not in said


def test_a_full_disk_below_standard_output_is_said():
    words = [sys.executable, "-m", "proa", "diff", "--help"]
    with Path("/dev/full").open("wb") as full:
        ran = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, check=False)
    assert ran.returncode == 3
    assert b"no space left while writing standard output" in ran.stderr


def test_no_secret_is_in_any_form(images, capsys):
    for form in ("table", "json", "markdown", "sarif", "junit"):
        assert run_guarded(["diff", *map(str, images), "--format", form]) == 0
        out, _ = capsys.readouterr()
        assert "hunter" not in out


@pytest.mark.parametrize("width", [40, 80])
def test_sizes_and_names_are_whole_on_a_narrow_terminal(tmp_path, images, width):
    shown = list(lines(compare(tmp_path, *images).difference, top=10, width=width))
    assert max(map(len, shown)) <= width
    assert any(line.endswith("20.5 kB  +10.2 kB (+100.0 %)") for line in shown)
    assert any("added" in line and line.endswith("/etc/app.conf") for line in shown)


def test_an_image_equals_itself(tmp_path, images):
    difference = compare(tmp_path, images[0], images[0]).difference
    assert not difference.files
    assert not difference.settings
    assert not difference.dependencies
    assert difference.total.grown_bytes == difference.compressed.grown_bytes == 0


@pytest.mark.parametrize(
    ("old", "new", "is_within"),
    [
        (0o755, 0o4755, False),
        (0o755, 0o2755, False),
        (0o4755, 0o6755, False),
        (0o6755, 0o2755, True),
        (0o6755, 0o6711, True),
        (0o4755, 0o755, True),
    ],
)
def test_a_file_is_newly_set_uid_by_each_bit_it_did_not_have(tmp_path, old, new, is_within):
    words = [
        docker_archive(tmp_path / f"{name}.tar", [archive([item("su", b"x")]), archive([item("su", b"x", mode=mode)])])
        for name, mode in (("old", old), ("new", new))
    ]
    difference = compare(tmp_path, *words, budgets=["no_new=set-uid"]).difference
    assert [one.is_within for one in difference.budgets] == [is_within]
    assert difference.changed_files == 1


def test_another_name_of_a_set_uid_file_is_a_new_set_uid_file(tmp_path):
    su = item("su", b"x", mode=0o4755)
    words = [
        docker_archive(tmp_path / "old.tar", [archive([su])]),
        docker_archive(tmp_path / "new.tar", [archive([su, item("sudo", hard="su")])]),
    ]
    difference = compare(tmp_path, *words, budgets=["no_new=set-uid"]).difference
    assert [one.subject for one in difference.exceeded] == ["/sudo"]


def test_budgets_of_proa_yaml_and_flags_make_a_gate(tmp_path, images):
    (tmp_path / "proa.yaml").write_text("budgets:\n  image:\n    growth: 0\n  no_new: [set-uid, root-user]\n")
    answer = compare(tmp_path, *images, budgets=["file:/etc/*=2kB"])
    assert [(one.budget, one.subject, one.is_within) for one in answer.difference.budgets] == [
        ("budgets.image.growth", "", False),
        ("budgets.no_new.set-uid", "/bin/su", False),
        ("budgets.no_new.root-user", "", False),
        ("file:/etc/*=2kB", "/etc/app.conf", True),
    ]
    assert answer.places["budgets.image.growth"].line == 3
    assert answer.places["budgets.no_new.set-uid"].line == 4
    with pytest.raises(BudgetExceeded, match="3 budgets"):
        gate(answer.difference)


def test_places_are_below_the_top_of_the_repository(tmp_path, images, monkeypatch):
    (tmp_path / ".git").mkdir()
    (tmp_path / "service").mkdir()
    (tmp_path / "service" / "proa.yaml").write_text("\nbudgets:\n  image:\n    max: 1\n")
    (tmp_path / "service" / "go.mod").write_text("module m\n\nrequire example.com/a v1.0.0 // indirect\n")
    monkeypatch.chdir(tmp_path / "service")
    places = compare(tmp_path, *images).places
    assert (places["budgets.image.max"].file, places["budgets.image.max"].line) == ("service/proa.yaml", 4)
    assert (places["example.com/a"].file, places["example.com/a"].line) == ("service/go.mod", 3)


def test_everything_is_written_before_the_gate_ends_it(tmp_path, images, capsys, monkeypatch):
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    words = ["diff", *map(str, images), "--budget", "image=1", "--output", "sarif=s.json", "--output", "junit=j.xml"]
    words += ["--output", "summary", "--output", "json=d.json"]
    assert run_guarded(words) == 1
    out, err = capsys.readouterr()
    assert "EXCEEDED" in out
    assert "[PROA104]" in err
    assert json.loads((tmp_path / "s.json").read_text())["runs"][0]["results"]
    assert "<failure" in (tmp_path / "j.xml").read_text()
    assert json.loads((tmp_path / "d.json").read_text())["schema"] == "proa/difference/v1"
    assert summary.read_text().startswith("before\n<!-- proa diff -->")
    assert run_guarded([*words, "--no-gate"]) == 0


def test_standard_output_has_one_form(images, capsys):
    assert run_guarded(["diff", *map(str, images), "--output", "markdown=-"]) == 0
    assert capsys.readouterr().out.startswith("<!-- proa diff -->")


def test_lines_fit_and_control_characters_do_not_pass(tmp_path, capsys):
    evil = archive([item("a\x1b[2J\nb|`<b>", b"x" * 10), item("l" * 99 + "/" + "o" * 99, b"y")])
    image = docker_archive(tmp_path / "evil.tar", [evil])
    empty = docker_archive(tmp_path / "empty.tar", [archive([])])
    for form in ("table", "markdown", "json", "sarif", "junit"):
        assert run_guarded(["diff", str(empty), str(image), "--format", form]) == 0
        out, err = capsys.readouterr()
        assert "\x1b" not in out + err
        if form == "table":
            assert max(len(line) for line in out.splitlines()) <= 120


def test_a_budget_that_was_mistyped_is_told(images, capsys):
    assert run_guarded(["diff", *map(str, images), "--budget", "layer:porgram=1MB"]) == 0
    assert "fits nothing" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("nosuch", "no file, no git revision and no image"),
        ("git:nosuch", "no git repository|not a git repository"),
        ("UPPER:x", "no file, no git revision"),
        ("a\nb", "no file"),
        ("-x", "no file"),
        ("", "no file"),
    ],
)
def test_words_that_mean_nothing_are_refused(tmp_path, images, word, said):
    with pytest.raises(WrongUsage, match=said):
        compare(tmp_path, word, images[1])


def test_a_name_of_a_registry_needs_its_transport(tmp_path, images):
    with pytest.raises(ImageMissing) as caught:
        compare(tmp_path, "registry.example/a/b:1", images[1])
    assert "docker://registry.example/a/b:1" in caught.value.hint


def test_a_damaged_side_is_named(tmp_path, images):
    broken = tmp_path / "broken"
    broken.write_bytes(b"\x7fELF" + bytes(10))
    with pytest.raises(BinaryDamaged, match="broken"):
        compare(tmp_path, broken, images[1])
    cut = tmp_path / "cut.tar"
    cut.write_bytes(images[0].read_bytes()[:9_000])
    with pytest.raises(ProaError, match=r"cut\.tar"):
        compare(tmp_path, images[1], cut)


def test_images_for_two_platforms_are_told_apart(tmp_path, images):
    other = docker_archive(tmp_path / "arm.tar", [archive([item("a", b"b")])], architecture="arm64")
    found = compare(tmp_path, images[0], other).difference.findings
    assert [one.id for one in found] == ["diff.platforms", "diff.uncompressed"]


def test_a_layer_that_both_sides_have_is_read_once_and_counts_for_both(tmp_path):
    from proa.outside.access import Access
    from proa.outside.image_stream import opened_image
    from proa.outside.store import Store
    from proa.pipeline.diff_read import read_image
    from proa.records.reference import Name, Reference

    store = Store(tmp_path / "store")
    base, top = archive([item("data", b"x" * 100), item("app", b"a")]), archive([item("app", b"bb")])
    one, two = make_image(store, base), make_image(store, base, top)

    def read(image, known, *, may_read_base=True):
        reference = Reference(transport="store", name=Name(registry="", path="i", digest=image.digest))
        with opened_image(reference, None, store=store, access=Access()) as opened:
            lowest, *rest = opened.layers
            lowest = lowest if may_read_base else msgspec.structs.replace(lowest, open=None)
            own = msgspec.structs.replace(opened, layers=(lowest, *rest))
            places = {"scratch": tmp_path, "environ": environ(tmp_path)}
            return read_image(own, reference="i", version="", known=known, **places)

    known = {}
    read(one, known)
    assert read(two, known, may_read_base=False) == read(two, {})


def test_a_damaged_layer_is_found_also_where_the_other_side_has_it_whole(tmp_path):
    if shutil.which("skopeo") is None:
        pytest.skip("real: skopeo is not on PATH")
    whole = docker_archive(tmp_path / "whole.tar", [archive([item("data", b"x" * 100)])])
    for name in ("one", "two"):
        words = ["skopeo", "copy", "-q", f"docker-archive:{whole}", f"oci:{tmp_path / name}:1"]
        subprocess.run(words, check=True, capture_output=True)
    layer = max(
        (tmp_path / "two" / "blobs" / "sha256").iterdir(), key=lambda file: file.read_bytes()[:2] == b"\x1f\x8b"
    )
    layer.write_bytes(layer.read_bytes()[:-1] + b"!")
    with pytest.raises(ProaError, match="two"):
        compare(tmp_path, tmp_path / "one", tmp_path / "two")


def test_growth_from_compressed_layers_to_others_is_not_judged(tmp_path):
    layer = archive([item("data", bytes(50_000))])
    before = docker_archive(tmp_path / "compressed.tar", [layer], compress=True)
    after = docker_archive(tmp_path / "plain.tar", [layer])
    budgets = ["image.growth=5%", "layer:1.growth=0", "unpacked.growth=0", "image=10kB"]
    difference = compare(tmp_path, before, after, budgets=budgets).difference
    assert [(one.budget, one.is_within) for one in difference.budgets] == [
        ("unpacked.growth=0", True),
        ("image=10kB", False),
    ]
    assert [(one.id, one.severity) for one in difference.findings] == [
        ("diff.uncompressed", "warning"),
        ("diff.budget-unmatched", "warning"),
        ("diff.budget-unmatched", "warning"),
    ]
    assert "layers are compressed, the other's are not" in difference.findings[1].message
    assert not compare(tmp_path, before, before, budgets=budgets[:1]).difference.findings
    both = compare(tmp_path, after, after, budgets=budgets[:1]).difference
    assert [one.severity for one in both.findings] == ["info"]
    assert both.budgets[0].is_within


def test_a_wrong_budget_ends_it_before_anything_is_read(tmp_path):
    (tmp_path / "own.yaml").write_text("budgets: {image: {max: much}}\n")
    with pytest.raises(WrongConfiguration, match=r"^own\.yaml:1: budgets\.image\.max: 'much'"):
        compare(tmp_path, "nosuch", "nosuch", configuration="own.yaml")


def test_a_wrong_budget_is_named_with_its_line(tmp_path):
    (tmp_path / "own.yaml").write_text("budgets:\n  files:\n    '/a: b':\n      growth: 5\n      max: 5%\n")
    with pytest.raises(WrongConfiguration, match=r"^own\.yaml:5: budgets\.files\./a: b\.max: '5%' is a share"):
        compare(tmp_path, "nosuch", "nosuch", configuration="own.yaml")


def test_a_wrong_platform_ends_it_before_anything_is_built(capsys):
    assert run_guarded(["diff", "nosuch", "nosuch", "--platform", "linux"]) == 2
    assert "proa: 'linux' is not a platform" in capsys.readouterr().err


def test_a_project_below_the_top_of_a_revision_is_found_by_a_hint(repository, tmp_path, monkeypatch):
    monkeypatch.chdir(repository)
    (repository / "sub" / "go.mod").write_text("module example.com/m\n\ngo 1.24\n")
    _git("add", "-A", cwd=repository)
    _git("commit", "-qm", "3", cwd=repository)
    if shutil.which("go") is None:
        pytest.skip("real: go is not on PATH")
    asked, path = Asked(words=("HEAD", ".")), {**environ(tmp_path), "PATH": _path()}
    with pytest.raises(NoProject, match=r"no go\.mod was found in its top folder or above") as caught:
        diff(asked, Request(), environ=path, progress=lambda _what: None)
    assert "proa diff --program ./sub" in caught.value.hint


def test_a_revision_that_is_not_there_has_a_hint_for_shallow_clones(repository, tmp_path, monkeypatch):
    monkeypatch.chdir(repository)
    with pytest.raises(WrongUsage) as caught:
        compare(tmp_path, "HEAD~9", ".")
    assert "fetch-depth: 0" in caught.value.hint


def test_without_a_repository_the_last_published_is_not_known(tmp_path):
    (tmp_path / "go.mod").write_text("module example.com/m\n\ngo 1.24\n")
    (tmp_path / "main.go").write_text("package main\n\nfunc main() {}\n")
    if shutil.which("go") is None:
        pytest.skip("real: go is not on PATH")
    with pytest.raises(WrongUsage, match="published"):
        diff(Asked(words=()), Request(), environ={**environ(tmp_path), "PATH": _path()}, progress=lambda _what: None)


def _path() -> str:
    import os

    return os.environ["PATH"]


def _git(*words: str, cwd: Path) -> str:
    identity = ["-c", "user.name=n", "-c", "user.email=n@example.com"]
    ran = subprocess.run(["git", *identity, *words], cwd=cwd, check=True, capture_output=True, text=True)
    return ran.stdout.strip()


@pytest.fixture
def repository(tmp_path):
    if shutil.which("git") is None:
        pytest.skip("real: git is not on PATH")
    root = tmp_path / "work"
    (root / "sub").mkdir(parents=True)
    _git("init", "-q", "-b", "main", cwd=root)
    for number in (1, 2):
        (root / "sub" / "file").write_text(f"{number}\n")
        _git("add", "-A", cwd=root)
        _git("commit", "-qm", str(number), cwd=root)
        _git("tag", f"v{number}", cwd=root)
    return root


def test_a_revision_is_laid_out_and_the_repository_left_alone(repository, tmp_path):
    from proa.outside.git import read_git
    from proa.outside.git_revision import check_out, find_revision

    (repository / "sub" / "file").write_text("dirty\n")
    (repository / ".git" / "hooks" / "post-checkout").write_text("#!/bin/sh\ntouch /tmp/never\nexit 1\n")
    (repository / ".git" / "hooks" / "post-checkout").chmod(0o755)
    state = _git("status", "--porcelain=v2", "--branch", cwd=repository)
    kept = sorted(str(path) for path in (repository / ".git").rglob("*"))
    revision = find_revision("HEAD~1", repository / "sub", environ=environ(tmp_path))
    assert revision is not None
    (tmp_path / "copy").mkdir()
    folder = check_out(revision, tmp_path / "copy", environ=environ(tmp_path))
    assert folder == tmp_path / "copy" / "sub"
    assert (folder / "file").read_text() == "1\n"
    git = read_git(folder, environ=environ(tmp_path))
    assert (git.revision, git.tag, git.is_dirty) == (revision.commit, "v1", False)
    assert _git("status", "--porcelain=v2", "--branch", cwd=repository) == state
    assert sorted(str(path) for path in (repository / ".git").rglob("*")) == kept


def test_a_commit_that_no_branch_has_is_laid_out_of_a_shallow_clone_as_well(repository, tmp_path):
    from proa.outside.git_revision import check_out, find_revision

    clone = tmp_path / "clone"
    _git("clone", "-q", "--depth=1", repository.as_uri(), str(clone), cwd=tmp_path)
    _git("checkout", "-q", "--detach", cwd=clone)
    (clone / "new").write_text("3\n")
    _git("add", "-A", cwd=clone)
    _git("commit", "-qm", "3", cwd=clone)
    revision = find_revision("HEAD", clone, environ=environ(tmp_path))
    assert revision is not None
    (tmp_path / "copy").mkdir()
    assert (check_out(revision, tmp_path / "copy", environ=environ(tmp_path)) / "new").read_text() == "3\n"
    assert find_revision("HEAD~5", clone, environ=environ(tmp_path)) is None


def test_a_folder_that_a_revision_does_not_have_is_named(repository, tmp_path):
    from proa.outside.git_revision import check_out, find_revision

    (repository / "later").mkdir()
    revision = find_revision("v1", repository / "later", environ=environ(tmp_path))
    assert revision is not None
    (tmp_path / "copy").mkdir()
    with pytest.raises(WrongUsage, match="no folder later"):
        check_out(revision, tmp_path / "copy", environ=environ(tmp_path))


def test_a_file_wins_over_a_revision_of_its_name(repository, tmp_path, images, monkeypatch):
    from proa.outside.store import Store
    from proa.pipeline.diff_targets import target_of

    monkeypatch.chdir(repository)
    store = Store(tmp_path / "store")

    def kind(word: str) -> str:
        return target_of(word, directory=Path(), store=store, environ=environ(tmp_path)).kind

    assert [kind(word) for word in ("v1", "git:v1", "main", ".", "@latest", "published:", "published:1.0")] == [
        "revision", "revision", "revision", "project", "published", "published", "published",
    ]  # fmt: skip
    shutil.copy(images[0], repository / "v1")
    assert [kind(word) for word in ("v1", "git:v1", "docker://h.example/v1:1", "oci:v1")] == [
        "image", "revision", "image", "image",
    ]  # fmt: skip
