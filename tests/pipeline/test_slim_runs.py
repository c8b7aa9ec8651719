"""What runs showed, compared and told; the runs themselves are in test_slim_runs_real."""

from __future__ import annotations

import msgspec
import pytest

from proa.outside.touched import Touched
from proa.pipeline.slim_runs import Observed, Visit, difference, missed_by_closure
from proa.pipeline.slim_seeds import Gathered
from proa.records.slimming import Seed
from proa.records.trial import Trial
from proa.trial.as_image import Attempt

READY = Trial(verdict="ready", reason="GET / answered 200", ports=(80, 40000), exit_status=0, stop_s=0.1)
ONCE = Trial(verdict="started", reason="exited with 0", exit_status=0)
OBSERVED = Observed(
    before=READY,
    visits=(Visit(port=80, method="GET", route="/", status=200), Visit(port=80, method="GET", route="/no", status=404)),
    health_status=0,
)
SAME = Attempt(trial=READY, visits=((80, "GET", "/", 200), (80, "GET", "/no", 404)), health_status=0)


def test_the_same_is_no_difference_nor_is_another_port_that_comes_and_goes():
    assert difference(OBSERVED, SAME) == ""
    assert (
        difference(OBSERVED, msgspec.structs.replace(SAME, trial=msgspec.structs.replace(READY, ports=(80, 41000))))
        == ""
    )
    assert difference(Observed(before=ONCE), Attempt(trial=ONCE)) == ""


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        (
            {"trial": Trial(verdict="failed", reason="libc.so.6 is missing")},
            "it is failed, and the original ready: libc.so.6 is missing",
        ),
        ({"trial": msgspec.structs.replace(READY, ports=(8080,))}, "it does not listen on 80, as the original does"),
        (
            {"visits": ((80, "GET", "/", 200), (80, "GET", "/no", 500))},
            "GET /no on port 80 answered 500, and the original answered 404",
        ),
        ({"visits": ((80, "GET", "/no", 404),)}, "GET / on port 80 gave no answer, and the original answered 200"),
        ({"health_status": 127}, "its health check exited with 127, the original's with 0"),
    ],
)
def test_each_difference_is_told(fields, reason):
    assert difference(OBSERVED, msgspec.structs.replace(SAME, **fields)) == reason


def test_a_program_that_ends_is_compared_by_its_exit_status():
    worse = Trial(verdict="started", reason="exited with 3", exit_status=3)

    assert difference(Observed(before=ONCE), Attempt(trial=worse)).startswith("it exited with 3, the original with 0")


def test_what_only_runs_show_is_told_with_a_few_names():
    seeds = tuple(Seed(path=f"/{name}", rule="traced", because="run 'probe' opened it") for name in "abcdefgh")

    (finding,) = missed_by_closure(Observed(before=READY, seeds=seeds), {"/a"})

    assert finding.message.endswith("/b, /c, /d, /e, /f and 2 more")
    assert missed_by_closure(Observed(before=READY, seeds=seeds), {seed.path for seed in seeds}) == ()


@pytest.fixture
def root(tmp_path):
    for folder in ("etc/app", "usr/lib/python3", "usr/bin", "data/below", "var/log"):
        (tmp_path / folder).mkdir(parents=True)
    for file in (
        "etc/app/a.conf",
        "etc/app/b.conf",
        "usr/lib/python3/os.py",
        "usr/bin/sh",
        "data/below/x",
        "etc/hosts",
    ):
        (tmp_path / file).write_text("")
    (tmp_path / "usr/bin/run").write_text("#!/bin/sh\n")
    (tmp_path / "bin").symlink_to("usr/bin")
    return tmp_path


def seeds_of(root, **uses):
    gathered = Gathered(root)
    count = gathered.add("probe", Touched(uses={path.replace("_", "/"): use for path, use in uses["uses"].items()}))
    return {seed.path: seed.because for seed in gathered.seeds()}, count


def test_a_path_is_kept_by_its_real_name_with_every_link_on_the_way(root):
    found, count = seeds_of(root, uses={"/bin/../bin/sh": "opened"})

    assert found == {"/bin": "run 'probe' went through it to /bin/../bin/sh", "/usr/bin/sh": "run 'probe' opened it"}
    assert count == 1


def test_a_program_brings_what_the_kernel_starts_it_with(root):
    assert set(seeds_of(root, uses={"/usr/bin/run": "executed"})[0]) == {"/usr/bin/run", "/bin", "/usr/bin/sh"}


def test_what_a_run_made_itself_needs_its_folder(root):
    found, count = seeds_of(root, uses={"/var/log/app/x.log": "changed", "/x.pid": "opened"})

    assert (found, count) == ({"/var/log": "run 'probe' made /var/log/app/x.log in it"}, 0)


def test_a_listed_folder_brings_its_own_files_where_it_may_be_data(root):
    found, _ = seeds_of(
        root, uses={"/etc/app": "listed", "/etc/app/a.conf": "opened", "/data": "listed", "/usr/lib/python3": "listed"}
    )

    assert found == {
        "/data": "run 'probe' listed it",
        "/etc/app": "run 'probe' listed it",
        "/etc/app/a.conf": "run 'probe' opened it",
        "/etc/app/b.conf": "run 'probe' listed the folder it is in",
        "/usr/lib/python3": "run 'probe' listed it",
    }


def test_what_every_runtime_puts_there_is_no_need(root):
    assert seeds_of(root, uses={"/etc/hosts": "opened", "/": "listed"})[0] == {}


def test_a_name_that_is_no_utf8_is_written_out(root):
    (root / "data/\udcff").write_text("")

    assert set(seeds_of(root, uses={"/data/\udcff": "opened"})[0]) == {"/data/\\xff"}
