"""The steps' own judgement: keys, what is kept, limits, and what a trial lets pass."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.errors import TrialFailed, TrialRequired, WrongConfiguration, WrongUsage
from proa.outside.access import Access
from proa.outside.store import Store
from proa.pipeline import steps, trials
from proa.pipeline.plan import Bench
from proa.pipeline.ship import judge
from proa.records.configuration import TrialSettings
from proa.records.evidence import LeftOut
from proa.records.trial import Trial


def work(root: Path) -> steps.Work:
    bench = Bench(store=Store(root), environ={}, access=Access(), jobs=1, say=lambda _what: None)
    # The plan is not looked at by what is tested here.
    return steps.Work(bench=bench, plan=None, log=steps.Log())  # type: ignore[arg-type]


def test_a_step_is_done_once_for_a_key(tmp_path):
    done = []

    def make() -> LeftOut:
        done.append(1)
        return LeftOut(kind="tmp", reason="r")

    first, second = work(tmp_path), work(tmp_path)
    for one in (first, second):
        assert steps.kept(one, "s", "key", kind=LeftOut, make=make) == LeftOut(kind="tmp", reason="r")
    assert len(done) == 1
    assert (first.log.cache, second.log.cache) == ({"s": "miss"}, {"s": "hit"})


def test_a_kept_result_whose_blobs_are_gone_is_made_again(tmp_path):
    made = iter([LeftOut(kind="tmp", reason="old"), LeftOut(kind="tmp", reason="new")])
    for _ in range(2):
        found = steps.kept(
            work(tmp_path), "s", "k", kind=LeftOut, make=lambda: next(made), is_whole=lambda one: one.reason == "new"
        )
    assert found.reason == "new"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"kind": "nonsense", "reason": ""}', b"\xff\xfe"])
def test_a_damaged_result_is_made_again(tmp_path, content):
    one = work(tmp_path)
    one.bench.store.set_stage("s", "k", content)
    assert steps.kept(one, "s", "k", kind=LeftOut, make=lambda: LeftOut(kind="tmp", reason="r")).reason == "r"


def test_a_step_that_fails_keeps_nothing(tmp_path):
    def fail() -> LeftOut:
        raise WrongUsage("no")

    with pytest.raises(WrongUsage):
        steps.kept(work(tmp_path), "s", "k", kind=LeftOut, make=fail)
    assert work(tmp_path).bench.store.stage("s", "k") is None


def test_one_miss_makes_the_stage_a_miss():
    log = steps.Log()
    for state in ("hit", "miss", "hit"):
        log.note("build", state)
    assert log.cache == {"build": "miss"}


@given(st.lists(st.text(), max_size=4), st.lists(st.text(), max_size=4))
def test_different_inputs_have_different_keys(one, other):
    assert (steps.key_of(*one) == steps.key_of(*other)) == (one == other)


@pytest.mark.parametrize(
    ("text", "expected"), [("1", 1), ("512Mi", 512 << 20), ("1Gi", 1 << 30), ("2G", 2 * 10**9), (" 64Ki ", 65536)]
)
def test_memory_is_written_as_kubernetes_writes_it(text, expected):
    assert trials.memory_bytes(text) == expected


@pytest.mark.parametrize("text", ["", "0", "-1", "1.5Gi", "512MB", "lots", "1" * 40, "٣Mi"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(WrongConfiguration, match=r"trial\.memory"):
        trials.memory_bytes(text)


@pytest.mark.parametrize("text", ["now", "-1", "1.5", "9" * 12, "٣"])
def test_a_source_date_that_is_no_number_is_refused(text):
    with pytest.raises(WrongUsage, match="SOURCE_DATE_EPOCH"):
        steps.source_date({"SOURCE_DATE_EPOCH": text})


def test_what_the_settings_say_of_the_trial_goes_before_what_the_source_says():
    asked = trials.probe_of(TrialSettings(routes=("/mine",), server=False), routes=("/found",), may_listen=True)
    found = trials.probe_of(TrialSettings(), routes=("/found",), may_listen=True)
    assert (asked.routes, asked.is_server) == (("/mine",), False)
    assert found.routes == ("/found",)


def test_a_failed_trial_stops_everything_and_says_the_cause():
    failed = Trial(verdict="failed", reason="no zone", remedy="add it", output="unknown time zone")
    with pytest.raises(TrialFailed) as caught:
        judge([("a", Trial(verdict="ready", reason="")), ("b", failed)], requires_trial=False)
    assert (caught.value.what, caught.value.hint, caught.value.output) == (
        "the trial of b failed: no zone",
        "add it",
        "unknown time zone",
    )


@pytest.mark.parametrize("trial", [None, Trial(verdict="skipped", reason="no sandbox")], ids=["off", "skipped"])
def test_a_required_trial_that_did_not_run_stops_everything(trial):
    with pytest.raises(TrialRequired):
        judge([("a", trial)], requires_trial=True)
    judge([("a", trial)], requires_trial=False)


@pytest.mark.parametrize("verdict", ["ready", "started", "not-ready"])
def test_other_verdicts_let_the_image_pass(verdict):
    judge([("a", Trial(verdict=verdict, reason=""))], requires_trial=True)


def test_a_bare_base_is_in_a_registry():
    assert str(steps.base_reference("localhost:5000/base:1")) == "docker://localhost:5000/base:1"
    assert msgspec.structs.asdict(steps.base_reference("docker-daemon:base:1"))["transport"] == "docker-daemon"
