"""What every test may use: golden files, and real neighbours started once per session."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Tests import the working models of tests/fakes and the helpers beside this file by their plain names.
sys.path.insert(0, str(Path(__file__).parent))

import real_neighbours

# How long one example takes says how busy the machine is; what must be quick has a benchmark.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

# A shell starts background jobs with SIGINT ignored, and every child would inherit that: tests that interrupt
# a program would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write golden files anew; then read `git diff`")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare text with ``golden/NAME`` beside the test, or write it with --update-golden."""

    def compare(name: str, text: str) -> None:
        file = request.path.parent / "golden" / name
        if request.config.getoption("--update-golden"):
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
        assert text == file.read_text()

    return compare


@pytest.fixture(scope="session")
def docker_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Debian's docker-registry on loopback; it lacks the referrers API. Gives host:port."""
    with real_neighbours.docker_registry(tmp_path_factory.mktemp("registry")) as host:
        yield host


@pytest.fixture(scope="session")
def crane_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run crane's registry on loopback; it has the referrers API. Gives host:port."""
    with real_neighbours.crane_registry(tmp_path_factory.mktemp("crane"), os.environ) as host:
        yield host


@pytest.fixture(scope="session")
def dockerd() -> Iterator[str]:
    """Run a docker daemon of our own, without network. Gives the address for DOCKER_HOST."""
    with real_neighbours.dockerd() as address:
        yield address
