"""From what was seen to a verdict: one row per thing that happens to people."""

from __future__ import annotations

import errno

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.records.evidence import LeftOut, Need, Needs
from proa.records.platform import Platform
from proa.records.trial import Limits
from proa.trial.observations import Answer, Listener, Observations, Traced
from proa.trial.program import Program
from proa.trial.verdict import judge, should_try_others, wrong_architecture

APP = Program(path="/app", is_there=True, is_executable=True, architecture="amd64")
OPEN = (Listener(address="::", port=8080),)


def seen(**fields):
    plain = Observations(program=APP, limits=Limits(), engine="bubblewrap", isolation="full")
    return msgspec.structs.replace(plain, **fields)


def ended(output, *, status=1, **fields):
    return seen(has_ended=True, exit_status=status, output=output, **fields)


def answered(status, *, speaks="http", **fields):
    answers = (Answer(port=8080, route="/healthz", speaks=speaks, status=status),)
    return seen(listeners=OPEN, answers=answers, listening_s=0.01, **fields)


@pytest.mark.parametrize(
    ("observed", "verdict", "words"),
    [
        pytest.param(answered(200, ready_s=0.02), "ready", "GET /healthz on port 8080 answered 200", id="healthy"),
        pytest.param(answered(401, ready_s=0.02), "ready", "answered 401", id="asks for a password"),
        pytest.param(answered(404), "started", "answers 404", id="no such route"),
        pytest.param(answered(503), "not-ready", "answered 503", id="unhealthy"),
        pytest.param(answered(None, speaks="http2"), "started", "HTTP/2 only", id="gRPC"),
        pytest.param(answered(None, speaks="silent"), "started", "gave no answer in time to GET /healthz", id="busy or waiting"),
        pytest.param(answered(None, speaks="other"), "started", "not HTTP", id="another protocol"),
        pytest.param(
            seen(listeners=(Listener(address="::1", port=8080),), ready_s=0.01,
                 answers=(Answer(port=8080, route="/", speaks="http", status=200),)),
            "not-ready", "listens only on [::1]:8080", id="loopback",
        ),
        pytest.param(seen(), "started", "opened no port", id="a worker"),
        pytest.param(ended("", status=139), "failed", "and printed nothing", id="dies in silence"),
        pytest.param(seen(expects_port=True), "failed", "never listened", id="a server that never listens"),
        pytest.param(seen(output="dial tcp: lookup db on 127.0.0.1:53: no such host"), "not-ready", "db", id="waits for its database"),
        pytest.param(seen(exec_errno=errno.ENOENT, program=Program(path="/app")), "failed", "/app is not in the image", id="no program"),
        pytest.param(
            seen(exec_errno=errno.ENOENT, program=Program(path="/app", is_there=True, interpreter="/lib64/ld-linux-x86-64.so.2")),
            "failed", "/lib64/ld-linux-x86-64.so.2, which is not in the image", id="no loader",
        ),
        pytest.param(seen(exec_errno=errno.EACCES), "failed", "may not execute /app", id="not executable"),
        pytest.param(seen(exec_errno=errno.ENOEXEC), "failed", "/app is built for amd64", id="not runnable"),
        pytest.param(seen(is_over_memory=True, has_ended=True, exit_status=137), "failed", "memory limit of 512 MiB", id="memory"),
        pytest.param(ended("", status=0), "started", "exited with 0", id="ends well"),
        pytest.param(ended("", status=0, expects_port=True), "failed", "should listen", id="a server that ends"),
        pytest.param(ended("", status=0, most_processes=2), "failed", "ends with its first process", id="goes to the background"),
        pytest.param(ended("", status=0, most_processes=2, program=Program(path="/start", is_there=True, interpreter="/bin/sh")),
                     "started", "exited with 0", id="a script's commands"),
        pytest.param(ended("", status=0, most_processes=2, expects_port=True, program=Program(path="/bin/sh", architecture="amd64")),
                     "failed", "ends with its first process", id="a shell that should have started a server"),
        pytest.param(ended("panic: boom\n\ngoroutine 1 [running]:\n", status=2), "failed", "panic: boom", id="panic"),
        pytest.param(ended("", status=139), "failed", "SIGSEGV", id="segmentation fault"),
        pytest.param(ended("unknown time zone Europe/Paris"), "failed", "time zone Europe/Paris", id="zone"),
        pytest.param(ended("open /data.db: read-only file system"), "failed", "/data.db, which is read-only", id="read-only"),
        pytest.param(ended("open /secret: permission denied"), "failed", "no permission for /secret", id="permission"),
        pytest.param(ended("listen tcp :80: bind: permission denied"), "failed", "may not listen on :80", id="low port"),
        pytest.param(ended('exec: "sh": executable file not found in $PATH'), "failed", "runs sh", id="no shell"),
        pytest.param(ended("open /etc/app.yaml: no such file or directory"), "failed", "needs /etc/app.yaml", id="no file"),
        pytest.param(ended("DATABASE_URL is required"), "not-ready", "variable DATABASE_URL", id="no setting"),
        pytest.param(
            ended("dial tcp 127.0.1.1:5432: connect: connection refused", names={"127.0.1.1": "db"}),
            "not-ready", "db:5432: connection refused", id="database by name",
        ),
        pytest.param(
            ended("cannot start", traced=Traced(contacted=("db:5432",))),
            "not-ready", "could not reach db:5432", id="only the trace tells",
        ),
        pytest.param(
            ended("dial tcp 127.0.1.1:443: connect: connection refused", traced=Traced(lacks_certificates=True)),
            "failed", "CA certificates", id="no certificates",
        ),
        pytest.param(
            ended("", status=0, arguments=("--version",), first_try="exited with 2", expects_port=None),
            "started", "exited with 2 without arguments, and exited with 0 after --version", id="a command",
        ),
    ],
)  # fmt: skip
def test_each_thing_that_happens_has_its_verdict(observed, verdict, words):
    tried = judge(observed)

    assert tried.verdict == verdict
    assert words in tried.reason
    assert (
        tried.remedy
        or tried.verdict in ("ready", "started")
        or tried.exit_status == 139
        or observed.exec_errno == errno.EIO
    )


def test_a_program_that_ignores_sigterm_keeps_its_verdict_and_is_told():
    tried = judge(answered(200, ready_s=0.02, was_killed=True, exit_status=137))

    assert tried.verdict == "ready"
    assert tried.stop_s is None
    assert "SIGTERM" in tried.remedy


def test_emulated_figures_are_not_reported():
    tried = judge(answered(200, ready_s=0.02, rss_bytes=30 << 20, is_emulated=True))

    assert (tried.listening_s, tried.ready_s, tried.rss_bytes) == (None, None, None)


def test_the_source_explains_a_missing_zone():
    needs = Needs(needs=(Need(kind="zones", reason="main.main loads Europe/Paris (main.go:9)"),))

    tried = judge(ended("unknown time zone Europe/Paris", needs=needs))

    assert tried.reason.endswith("(main.main loads Europe/Paris (main.go:9))")


def test_another_machines_program_is_the_images_fault():
    judgement = wrong_architecture("/app", "arm64", Platform("linux", "amd64"))

    assert judgement.verdict == "failed"
    assert "linux/amd64" in judgement.reason


@pytest.mark.parametrize(
    ("observed", "expected"),
    [
        pytest.param(ended("Usage: tool COMMAND", status=2), True, id="explains its use"),
        pytest.param(ended("need one argument", status=1), True, id="says no"),
        pytest.param(ended("panic: x", status=2), False, id="panics"),
        pytest.param(ended("connection refused", status=1), False, id="needs something outside"),
        pytest.param(ended("Usage: tool", status=2, expects_port=True), False, id="a server"),
        pytest.param(ended("Usage: tool", status=2, arguments=("serve",)), False, id="was given arguments"),
        pytest.param(ended("", status=0), False, id="ended well"),
    ],
)
def test_only_a_command_that_refused_is_asked_for_its_version(observed, expected):
    assert should_try_others(observed) is expected


@given(st.text(max_size=400), st.integers(0, 255), st.booleans(), st.sampled_from([None, True, False]))
def test_whatever_a_program_says_there_is_a_verdict(output, status, has_ended, expects):
    tried = judge(seen(output=output, has_ended=has_ended, exit_status=status, expects_port=expects))

    assert tried.verdict in ("started", "not-ready", "failed")
    assert tried.reason


def test_a_program_that_only_explains_its_use_is_not_the_images_fault() -> None:
    assert judge(ended("usage: tool COMMAND")).verdict == "started"
    assert judge(ended("usage: tool COMMAND", expects_port=True)).verdict == "failed"
    assert judge(ended("panic: nil map\nusage: tool COMMAND", status=2)).verdict == "failed"


def test_a_server_that_starts_itself_again_and_ends_has_gone_to_the_background() -> None:
    itself = Needs(left_out=(LeftOut(kind="program", reason="it starts itself again"),))
    trial = judge(ended("", status=0, may_listen=True, needs=itself))
    assert (trial.verdict, "a container ends with its first process" in trial.reason) == ("failed", True)
    assert judge(ended("", status=0, may_listen=False, needs=itself)).verdict == "started"


def test_a_line_without_end_is_cut() -> None:
    assert len(judge(ended("x" * 70_000)).output) < 1000


def test_a_secret_left_out_of_the_image_is_something_outside() -> None:
    secret = LeftOut(
        kind="file", reason="main.main calls x (main.go:1): tls.key is left out: by its name it is a secret"
    )
    trial = judge(ended("open tls.key: no such file or directory", needs=Needs(left_out=(secret,))))
    assert (trial.verdict, trial.reason) == ("not-ready", "it needs tls.key, a secret that is not put into an image")
    assert judge(ended("open tls.key: no such file or directory")).verdict == "failed"
