"""The action for GitHub and the workflows of the documentation, their steps run as GitHub runs them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from fakes.layers import archive, docker_archive, item
from proa.outside.configuration import parse_configuration

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "how-to" / "size-in-ci.md"
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
SIZE, COMMENT = (yaml.safe_load(block) for block in BLOCKS[1:])
EXPRESSION = re.compile(r"\$\{\{ ([\w.-]+) \}\}")


def steps() -> list[tuple[str, dict[str, Any]]]:
    """Return every step there is, and where it is from."""
    found = [("action", step) for step in ACTION["runs"]["steps"]]
    for workflow in (SIZE, COMMENT):
        found += [(workflow["name"], step) for job in workflow["jobs"].values() for step in job["steps"]]
    return found


def test_the_budgets_of_the_page_are_valid():
    budgets = parse_configuration(BLOCKS[0]).budgets
    assert budgets.image.growth == "5%"


@pytest.mark.parametrize(("where", "step"), steps())
def test_shell_blocks_parse_and_take_nothing_from_outside_into_their_text(where, step):
    if "run" not in step:
        assert "uses" in step
        return
    if where == "action":
        assert step["shell"] == "bash"
    assert "${{" not in step["run"], "an expression in a script's text is where others' commands come in"
    ran = subprocess.run(["bash", "-n"], input=step["run"], text=True, capture_output=True, check=False)
    assert ran.returncode == 0, ran.stderr


def test_every_input_and_output_of_the_action_is_used_and_known():
    text = (ROOT / "action.yml").read_text(encoding="utf-8")
    inputs = set(re.findall(r"inputs\.([\w-]+)", text))
    assert inputs == set(ACTION["inputs"])
    written = set(re.findall(r'echo "(\w+)=', text))
    assert set(re.findall(r"steps\.diff\.outputs\.(\w+)", text)) <= written
    for step in SIZE["jobs"]["size"]["steps"]:
        if step.get("uses", "").startswith("proa-dev/proa@"):
            assert set(step["with"]) <= set(ACTION["inputs"])


def test_the_first_workflow_may_only_read_and_the_second_checks_nothing_out():
    assert SIZE["permissions"] == {"contents": "read"}
    assert SIZE[True] == "pull_request"
    checkout = next(
        step for step in SIZE["jobs"]["size"]["steps"] if step.get("uses", "").startswith("actions/checkout")
    )
    assert checkout["with"]["persist-credentials"] is False
    assert COMMENT["permissions"] == {}
    assert list(COMMENT[True]) == ["workflow_run"]
    assert COMMENT[True]["workflow_run"]["workflows"] == [SIZE["name"]]
    assert not any("uses" in step for step in COMMENT["jobs"]["comment"]["steps"])


class Runner:
    """As much of GitHub's runner as these steps see."""

    def __init__(self, folder: Path, values: dict[str, str], path: Path) -> None:
        self.values = values
        self.folder = folder
        self.files = {
            name: folder / name.lower()
            for name in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT", "GITHUB_PATH", "GITHUB_ENV")
        }
        for file in self.files.values():
            file.write_text("")
        (folder / "temp").mkdir()
        self.environ = {
            "PATH": f"{path}:{os.environ['PATH']}",
            "HOME": str(folder),
            "PROA_CACHE": str(folder / "store"),
            "RUNNER_TEMP": str(folder / "temp"),
            **{name: str(file) for name, file in self.files.items()},
        }

    def filled(self, text: str) -> str:
        return EXPRESSION.sub(lambda found: self.values[found[1]], text)

    def run(self, step: dict[str, Any], **more: str) -> subprocess.CompletedProcess[str]:
        """Run a step and take its outputs over."""
        environ = {name: self.filled(str(value)) for name, value in {**more, **step.get("env", {})}.items()}
        ran = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=self.folder / self.filled(step.get("working-directory", ".")),
            env={**self.environ, **environ},
            capture_output=True,
            text=True,
            check=False,
        )
        for line in self.files["GITHUB_OUTPUT"].read_text().splitlines():
            name, _, value = line.partition("=")
            self.values[f"steps.{step.get('id', '')}.outputs.{name}"] = value
        return ran


@pytest.fixture
def action(tmp_path):
    """Give the action as it is started with these inputs: a function that returns the runner and its steps' results."""
    small, large = (
        docker_archive(tmp_path / f"{name}.tar", [archive([item("data", bytes(size), mode=mode)])])
        for name, size, mode in (("small", 1000, 0o755), ("large", 90_000, 0o4755))
    )
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "proa").write_text(f'#!/bin/sh\nexec {sys.executable} -m proa "$@"\n')
    (programs / "proa").chmod(0o755)

    def start(**inputs: str) -> tuple[Runner, dict[str, subprocess.CompletedProcess[str]]]:
        given = {"before": str(small), "after": str(large), "proa": "installed", **inputs}
        values = {f"inputs.{name}": one.get("default", "") for name, one in ACTION["inputs"].items()}
        values |= {f"inputs.{name.replace('_', '-')}": value for name, value in given.items()}
        values["github.action_path"] = str(ROOT)
        runner = Runner(tmp_path, values, programs)
        results = {}
        for step in ACTION["runs"]["steps"]:
            if "run" in step:
                results[step["name"]] = runner.run(step)
                if results[step["name"]].returncode:
                    break
        return runner, results

    return start


def test_the_action_writes_everything_and_then_fails_the_job(action, tmp_path):
    budgets = "image=20kB\n\nno_new=set-uid,root-user\n"
    runner, results = action(budgets=budgets, json="d.json", junit="j.xml", sarif="s.json", markdown="size.md")
    assert results["Compare"].returncode == 0, results["Compare"].stderr
    assert results["Judge"].returncode == 1
    assert "::error" in results["Judge"].stdout
    summary = runner.files["GITHUB_STEP_SUMMARY"].read_text()
    assert summary == (tmp_path / "size.md").read_text()
    assert "2 of 3 budgets exceeded" in summary
    assert runner.values["steps.diff.outputs.exceeded"] == "true"
    assert len(json.loads((tmp_path / "s.json").read_text())["runs"][0]["results"]) == 2
    assert json.loads((tmp_path / "d.json").read_text())["budgets"]
    assert (tmp_path / "j.xml").read_text().count("<failure") == 2


def test_the_action_tells_and_passes_where_it_may_not_fail(action):
    runner, results = action(budgets="image=1", fail="false", upload_sarif="true")
    assert [ran.returncode for ran in results.values()] == [0, 0, 0]
    assert Path(runner.values["steps.diff.outputs.sarif"]).is_file()


def test_without_budgets_the_action_passes(action):
    runner, results = action()
    assert [ran.returncode for ran in results.values()] == [0, 0, 0]
    assert runner.values["steps.diff.outputs.exceeded"] == "false"


def test_what_is_wrong_ends_the_action_with_its_own_status(action):
    _, results = action(before="$(touch pwned); nosuch `id`")
    assert results["Compare"].returncode == 2
    assert "no git revision" in results["Compare"].stderr
    assert "Judge" not in results


GH = r"""#!/bin/sh
# A stand-in for gh: says what it was asked and answers as GitHub would.
echo "$@" >> "$GH_LOG"
case "$*" in
  "api --method GET "*) [ "$HEAD_SHA" = abc ] && echo 7 ;;
  "run download "*) mkdir -p size && cp "$GH_ARTIFACT" size/size.md ;;
  "api --paginate "*) cat "$GH_COMMENTS" ;;
esac
exit 0
"""


@pytest.fixture
def comment(tmp_path):
    """Run the second workflow's steps on an artifact; gives what gh was asked, and the comment."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "gh").write_text(GH)
    (programs / "gh").chmod(0o755)

    def start(artifact: bytes, *, sha: str = "abc", comments: str = "") -> tuple[str, str, list[int]]:
        (tmp_path / "artifact.md").write_bytes(artifact)
        (tmp_path / "comments").write_text(comments)
        values = {
            "github.token": "t",
            "github.repository": "o/r",
            "github.event.workflow_run.id": "12",
            "github.event.workflow_run.head_repository.owner.login": "fork",
            "github.event.workflow_run.head_branch": "x;id",
            "github.event.workflow_run.head_sha": sha,
        }
        runner = Runner(tmp_path, values, programs)
        job = COMMENT["jobs"]["comment"]
        stand_in = {"GH_LOG": "log", "GH_ARTIFACT": "artifact.md", "GH_COMMENTS": "comments"}
        statuses = []
        for step in job["steps"]:
            if "if" in step and not runner.values.get("steps.find.outputs.number"):
                continue
            ran = runner.run(step, **job["env"], **stand_in)
            statuses.append(ran.returncode)
            if ran.returncode:
                break
        written = tmp_path / "comment.md"
        return (tmp_path / "log").read_text(), written.read_text() if written.exists() else "", statuses

    return start


def test_the_comment_is_made_and_then_kept_up_to_date(comment):
    log, text, statuses = comment(
        b"<!-- proa diff -->\n### Size\n\n<details open><summary>a &lt; b</summary>\n</details>\n"
    )
    assert statuses == [0, 0, 0]
    assert "-f head=fork:x;id" in log
    assert "api --method POST repos/o/r/issues/7/comments -F body=@comment.md" in log
    assert text == "<!-- proa diff -->\n### Size\n\n<details open><summary>a &lt; b</summary>\n</details>\n"


def test_an_old_comment_is_replaced(comment):
    log, _, _ = comment(b"<!-- proa diff -->\n", comments="55\n66\n")
    assert "--method PATCH repos/o/r/issues/comments/55 " in log
    assert "POST" not in log


def test_a_run_of_another_commit_comments_nowhere(comment):
    log, _, statuses = comment(b"<!-- proa diff -->\n", sha="other")
    assert "comments" not in log
    assert statuses == [0]


def test_an_artifact_that_was_made_up_mentions_links_and_hides_nothing(comment):
    evil = (
        "<!-- proa diff -->\n@octocat &#64;octocat &commat;x [a](https://evil.example) ![b](c) [d][e]\n[e]: x\n#12 "
        "www.evil.example a@b.example <img src=x> <!-- hidden --> https&colon;//y\x1b\n"
    )
    _, text, statuses = comment(evil.encode())
    assert statuses == [0, 0, 0]
    assert not re.search(r"@\w|://|www\.|#\d|<(?!!-- proa diff -->)|\x1b|\][(\[:]", text)
    assert not re.search(r"&(?!(?:lt|gt|amp);)", text)


def test_an_artifact_without_the_mark_is_refused(comment):
    log, _, statuses = comment(b"hello\n")
    assert statuses == [0, 1]
    assert "POST" not in log


@pytest.mark.real
def test_the_action_installs_itself(tmp_path):
    """Take about 20 seconds: a virtual environment, and proa with what it needs from PyPI."""
    if shutil.which("python3") is None:
        pytest.skip("real: python3 is not on PATH")
    (tmp_path / "none").mkdir()
    values = {"inputs.proa": "", "github.action_path": str(ROOT)}
    runner = Runner(tmp_path, values, tmp_path / "none")
    ran = runner.run(ACTION["runs"]["steps"][0])
    assert ran.returncode == 0, ran.stderr
    (folder,) = runner.files["GITHUB_PATH"].read_text().split()
    said = subprocess.run([f"{folder}/proa", "--version"], capture_output=True, text=True, check=True)
    assert said.stdout.startswith("proa ")
