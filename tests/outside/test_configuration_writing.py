"""Settings put into a proa.yaml: what is there stays as it stands."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.errors import NotWritable, WrongConfiguration
from proa.outside import plainyaml
from proa.outside.configuration_writing import Change, edited, plan_change, write_change

STRIP = {"build": {"strip": "all"}}


@pytest.mark.parametrize(
    ("before", "settings", "after"),
    [
        pytest.param("", STRIP, "build:\n  strip: all\n", id="an empty file"),
        pytest.param("# ours\n", STRIP, "# ours\nbuild:\n  strip: all\n", id="comments alone"),
        pytest.param("repo: r", STRIP, "repo: r\nbuild:\n  strip: all\n", id="no line end"),
        pytest.param(
            "build:\n    tags: [a,  b] # two\n    # later\n\nimage:\n    user: '1'\n",
            STRIP,
            "build:\n    tags: [a,  b] # two\n    strip: all\n    # later\n\nimage:\n    user: '1'\n",
            id="its own indent, comments and quotes",
        ),
        pytest.param("build: {tags: [a]}\n", STRIP, "build: {tags: [a], strip: all}\n", id="in braces"),
        pytest.param("build: {} # none\n", STRIP, "build: {strip: all} # none\n", id="in empty braces"),
        pytest.param("{repo: r}\n", STRIP, "{repo: r, build: {strip: all}}\n", id="the whole file in braces"),
        pytest.param(
            "build:\n  # strip: none\nrepo: r\n",
            STRIP,
            "build:\n  strip: all\n  # strip: none\nrepo: r\n",
            id="nothing below",
        ),
        pytest.param("build: ~\n", STRIP, "build: {strip: all}\n", id="null"),
        pytest.param("build:\n  strip: dwarf # why\n", STRIP, "build:\n  strip: all # why\n", id="another value"),
        pytest.param("build:\n  strip:\n  tags: [a]\n", STRIP, "build:\n  strip: all\n  tags: [a]\n", id="no value"),
        pytest.param('build: {strip: "none"}', STRIP, "build: {strip: all}", id="a quoted value in braces"),
        pytest.param(
            "build:\n  cflags:\n  - -O2 # fast\n  - -DX # why\n# end\n",
            {"build": {"cflags": ["-DX", "-Os"]}},
            "build:\n  cflags:\n  - -DX # why\n  - -Os\n# end\n",
            id="a list of one item a line",
        ),
        pytest.param(
            "build:\n  cflags: [-O2, -DX]\n",
            {"build": {"cflags": ("-DX", "-Os")}},
            "build:\n  cflags: [-DX, -Os]\n",
            id="a list on one line",
        ),
        pytest.param(
            "build:\n  env:\n    A: |\n      text\nrepo: r\n",
            {"build": {"env": {"CARGO_PROFILE_RELEASE_LTO": "fat", "LEVEL": "1"}}},
            'build:\n  env:\n    A: |\n      text\n    CARGO_PROFILE_RELEASE_LTO: fat\n    LEVEL: "1"\nrepo: r\n',
            id="below a block of text",
        ),
        pytest.param(
            "build:\r\n  tags: [a]\r\n", STRIP, "build:\r\n  tags: [a]\r\n  strip: all\r\n", id="line ends of Windows"
        ),
        pytest.param("\ufeffrepo: r\n", STRIP, "\ufeffrepo: r\nbuild:\n  strip: all\n", id="a byte order mark"),
        pytest.param(
            "programs:\n  api:\n    image: {user: '1'}\n",
            {"programs": {"api": {"build": {"strip": "all"}}}},
            "programs:\n  api:\n    image: {user: '1'}\n    build:\n      strip: all\n",
            id="one program of several",
        ),
    ],
)
def test_only_what_is_asked_for_changes(before, settings, after):
    assert edited(before, settings) == after


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("build: &b {tags: [a]}\nprograms: {x: {build: *b}}\n", id="an anchor used elsewhere"),
        pytest.param("programs: {x: {build: &b {tags: [a]}}}\nbuild: *b\n", id="an alias"),
    ],
)
def test_what_cannot_be_edited_safely_is_left_and_the_lines_are_shown(text):
    with pytest.raises(WrongConfiguration, match="cannot be added to") as refused:
        edited(text, STRIP)
    assert "strip: all" in refused.value.output


@pytest.mark.parametrize("text", ["build: [", "build: 1\n", "a: 1\na: 2\n", "buidl: {}\n", "- a\n"])
def test_a_file_that_is_not_valid_is_refused(text):
    with pytest.raises(WrongConfiguration):
        edited(text, STRIP)


WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=12)
FILES = st.sampled_from(
    [
        "",
        "build:\n  cflags:\n    - -O2 # c\n    - -g\n  env: {A: b}\n",
        "build: {cflags: [], env: {}}\n",
        "# c\nbuild:\n  env:\n    A: b\n    # c\nrepo: r\n",
    ]
)


@given(text=FILES, cflags=st.lists(WORDS, max_size=4), env=st.dictionaries(WORDS, WORDS, max_size=3))
def test_any_words_are_read_back_as_they_were_given(text, cflags, env):
    made = plainyaml.read_yaml(edited(text, {"build": {"cflags": cflags, "env": env, "strip": "all"}}), name="x").value
    old = (plainyaml.read_yaml(text, name="x").value or {}).get("build", {}).get("env", {})
    assert made["build"]["cflags"] == cflags
    assert made["build"].get("env", {}) == {**old, **env}
    assert all(line in edited(text, STRIP) for line in text.splitlines() if "#" in line)


def test_a_file_is_made_and_its_diff_names_it(tmp_path):
    change = plan_change(tmp_path / "proa.yaml", STRIP)
    assert change.diff.splitlines() == ["--- /dev/null", "+++ proa.yaml", "@@ -0,0 +1,2 @@", "+build:", "+  strip: all"]
    write_change(change)
    assert (tmp_path / "proa.yaml").read_text() == "build:\n  strip: all\n"
    assert [path.name for path in tmp_path.iterdir()] == ["proa.yaml"]


def test_permissions_and_links_stay(tmp_path):
    real = tmp_path / "shared.yaml"
    real.write_text("repo: r\n")
    real.chmod(0o640)
    (tmp_path / "proa.yaml").symlink_to("shared.yaml")
    write_change(plan_change(tmp_path / "proa.yaml", STRIP))
    assert (tmp_path / "proa.yaml").is_symlink()
    assert real.read_text().endswith("strip: all\n")
    assert real.stat().st_mode & 0o777 == 0o640


def test_a_file_changed_meanwhile_is_left_alone(tmp_path):
    file = tmp_path / "proa.yaml"
    change = plan_change(file, STRIP)
    file.write_text("repo: r\n")
    with pytest.raises(WrongConfiguration, match="was changed"):
        write_change(change)
    assert file.read_text() == "repo: r\n"


def test_a_folder_that_is_gone_is_said(tmp_path):
    with pytest.raises(NotWritable):
        write_change(Change(file=tmp_path / "no" / "proa.yaml", before="", after="repo: r\n"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes into everything")
def test_a_read_only_file_is_not_replaced(tmp_path):
    file = tmp_path / "proa.yaml"
    file.write_text("repo: r\n")
    file.chmod(0o444)
    with pytest.raises(NotWritable):
        write_change(plan_change(file, STRIP))
