"""`proa preflight` against real services, good and broken in every way of tests/service_cases.py."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import service_bed
import service_stores
from proa.outside.contact.visit import contact
from proa.preflight.variables import services_in
from real_neighbours import free_port, need
from service_bed import answering, made_certificates, make_cluster, postgres_server, scratch
from service_cases import CASES, WRONG, Bed, Case, cases_of, common_environment, node_values, secrets_in, whole_bed
from service_oauth import API_KEY

pytestmark = pytest.mark.real

NODE = Path(__file__).parent.parent / "projects" / "preflight-node"
THREE = ("DATABASE_URL", "QUEUE_API_URL", "CACHE_API_URL")
TIMEOUT_S = 4
"""For each service; the machine of a test may be busy."""


def environment(**more: str) -> dict[str, str]:
    """Return an environment with nothing of this machine's in it: each variable could name a service."""
    return {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "CI": "true", "NO_COLOR": "1", **more}


def preflight(folder: Path, *words: str, timeout_s: float = TIMEOUT_S, **variables: str) -> Any:
    return subprocess.run(
        [sys.executable, "-m", "proa", "preflight", "--timeout", f"{timeout_s}s", *words],
        cwd=folder,
        env=environment(PROA_CACHE=str(folder / ".store"), **variables),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def services_of(ran: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert ran.stdout, ran.stderr
    return {service["name"]: service for service in json.loads(ran.stdout)["services"]}


@pytest.fixture(scope="module")
def bed() -> Iterator[Bed]:
    with whole_bed() as running:
        yield running


@pytest.fixture(scope="module")
def asked(bed: Bed, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Any]:
    """Run proa once with all cases of a service, the first time somebody asks for one of them."""
    runs: dict[str, Any] = {}

    def run(service: str) -> Any:
        if service not in runs:
            variables = {name: value for case in cases_of(service) for name, value in case.environment(bed).items()}
            folder = tmp_path_factory.mktemp("project")
            runs[service] = preflight(folder, "--format", "json", **common_environment(bed), **variables)
        return runs[service]

    return run


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.service}: {case.name}")
def test_the_right_layer_is_blamed(case: Case, asked: Callable[[str], Any]) -> None:
    contact = services_of(asked(case.service))[case.key]
    assert (contact["failed_layer"], contact["is_reachable"]) == (case.layer, case.layer is None), contact
    assert bool(contact["hint"]) is (case.layer is not None)


@pytest.mark.parametrize("case", [case for case in CASES if case.layer is None], ids=lambda case: case.key)
def test_a_good_service_is_described(case: Case, asked: Callable[[str], Any]) -> None:
    contact = services_of(asked(case.service))[case.key]
    assert contact["authentication"] == case.authentication
    assert contact["is_authenticated"] is True
    assert contact["latency_s"] > 0
    assert ("tls" in contact["layers_s"]) is case.uses_tls
    assert bool(contact["certificate_expires"]) is case.uses_tls


@pytest.mark.parametrize("case", [case for case in CASES if case.layer == "authentication"], ids=lambda case: case.key)
def test_who_is_not_let_in_is_not_called_authenticated(case: Case, asked: Callable[[str], Any]) -> None:
    assert services_of(asked(case.service))[case.key]["is_authenticated"] is False


@pytest.mark.parametrize("service", sorted({case.service for case in CASES}))
def test_one_broken_service_is_enough_to_fail_and_no_secret_is_shown(service: str, asked: Callable[[str], Any]) -> None:
    ran = asked(service)
    assert ran.returncode == 1, ran.stderr
    assert secrets_in(ran.stdout + ran.stderr) == []
    assert "Traceback" not in ran.stderr


def good_variables(bed: Bed) -> dict[str, str]:
    good = [case for case in CASES if case.layer is None]
    return {name: value for case in good for name, value in case.environment(bed).items()}


@pytest.mark.parametrize("form", ["table", "markdown"])
def test_all_good_services_pass_and_are_listed_without_their_secrets(bed: Bed, tmp_path: Path, form: str) -> None:
    ran = preflight(tmp_path, "--format", form, **common_environment(bed), **good_variables(bed))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "GOOD_REDIS_URL" in ran.stdout.replace("…", "")
    assert secrets_in(ran.stdout + ran.stderr) == []


def test_broken_services_are_listed_without_their_secrets(bed: Bed, tmp_path: Path) -> None:
    broken = [case for case in CASES if case.layer in {"authentication", "read", "tls"}]
    variables = {name: value for case in broken for name, value in case.environment(bed).items()}
    ran = preflight(tmp_path, **common_environment(bed), **variables)
    assert ran.returncode == 1
    assert secrets_in(ran.stdout + ran.stderr) == []


def test_hanging_services_are_waited_for_at_the_same_time(bed: Bed, tmp_path: Path) -> None:
    hanging = {f"NUMBER_{n}_REDIS_URL": f"redis://localhost:{bed.faults.silent}/0" for n in range(20)}
    started = time.monotonic()
    ran = preflight(tmp_path, "--format", "json", timeout_s=2, **hanging)
    # One after the other would take 40 s; the slowest alone 2 s and proa's own start.
    assert time.monotonic() - started < 20
    assert {service["failed_layer"] for service in services_of(ran).values()} == {"protocol"}


def test_a_gateway_that_finds_our_clock_wrong_is_understood(bed: Bed) -> None:
    values = {
        "S3_ENDPOINT": f"http://localhost:{bed.s3.plain}", "S3_BUCKET": "orders", "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": service_stores.S3_KEY, "AWS_SECRET_ACCESS_KEY": service_stores.S3_SECRET,
    }  # fmt: skip
    (found,) = services_in(values)
    told = contact(found, timeout_s=TIMEOUT_S, environ={}, now=lambda: datetime.now(UTC) - timedelta(hours=2))
    assert (told.failed_layer, told.is_authenticated) == ("authentication", False)
    assert told.message.startswith("RequestTimeTooSkewed")
    assert "s behind" in told.message


def test_wait_meets_a_database_that_starts_later(tmp_path: Path) -> None:
    with scratch() as folder:
        certificates = made_certificates(folder)
        data, port = make_cluster(folder), free_port()
        secret = "pg%40Zebra%2F7%25k%3Aq"
        url = f"postgresql://app:{secret}@localhost:{port}/orders?sslmode=verify-full&sslrootcert={certificates.ca}"
        waiting = subprocess.Popen(
            [sys.executable, "-m", "proa", "preflight", "--wait", "60s", "--format", "json"],
            cwd=tmp_path,
            env=environment(PROA_CACHE=str(tmp_path / "store"), DATABASE_URL=url),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with waiting:
            time.sleep(2)
            assert waiting.poll() is None, waiting.communicate()
            with postgres_server(folder, data, port=port, certificate=certificates.localhost):
                stdout, stderr = waiting.communicate(timeout=90)
    assert waiting.returncode == 0, stdout + stderr
    (contact,) = json.loads(stdout)["services"]
    assert contact["attempts"] > 1


def test_wait_ends_when_its_time_is_over(bed: Bed, tmp_path: Path) -> None:
    started = time.monotonic()
    ran = preflight(tmp_path, "--wait", "2s", DATABASE_URL=f"postgresql://app:x@localhost:{bed.faults.closed}/orders")
    assert ran.returncode == 1
    assert 2 <= time.monotonic() - started < 30


def test_an_optional_service_that_is_away_fails_nothing(bed: Bed, tmp_path: Path) -> None:
    url = f"redis://localhost:{bed.faults.closed}/0"
    assert preflight(tmp_path, "--optional", "REDIS_URL", REDIS_URL=url).returncode == 0
    assert preflight(tmp_path, REDIS_URL=url).returncode == 1


DEAD_DNS = """
import os, socket, subprocess, sys
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
subprocess.run(["mount", "--bind", sys.argv[1], "/etc/resolv.conf"], check=True)
silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
silent.bind(("127.0.0.1", 53))
sys.exit(subprocess.run(sys.argv[2:]).returncode)
"""


@pytest.mark.parametrize("url", ["redis://cache.example.com:6379/0", "mongodb+srv://app:x@db.example.com/orders"])
def test_name_servers_that_never_answer_are_given_up(tmp_path: Path, url: str) -> None:
    need("unshare", "ip", "mount")
    if os.geteuid() != 0:
        pytest.skip("real: a network and a resolv.conf of its own need root")
    (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:30 attempts:3\n")
    proa = [sys.executable, "-m", "proa", "preflight", "--timeout", "2s", "--format", "json"]
    started = time.monotonic()
    ran = subprocess.run(
        ["unshare", "--net", "--mount", sys.executable, "-c", DEAD_DNS, str(tmp_path / "resolv.conf"), *proa],
        cwd=tmp_path,
        env=environment(PROA_CACHE=str(tmp_path / "store"), STORE_URL=url),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    # The resolver alone would take 90 s.
    assert time.monotonic() - started < 30
    assert services_of(ran)["STORE_URL"]["failed_layer"] == "dns", ran.stderr


@pytest.fixture(scope="module")
def node_environment(bed: Bed) -> dict[str, str]:
    return {**node_values(bed), **common_environment(bed)}


def node_project(folder: Path, values: dict[str, str]) -> Path:
    """Copy the example, with its values in the file ``.env`` that dotenv reads."""
    project = folder / "shop"
    shutil.copytree(NODE, project)
    (project / ".env").write_text("".join(f"{name}={value}\n" for name, value in values.items()))
    return project


def test_the_articles_example_shows_two_good_services_and_the_one_that_refuses_its_key(
    tmp_path: Path, node_environment: dict[str, str]
) -> None:
    project = node_project(tmp_path, node_environment)
    ran = preflight(project, "--format", "json")
    assert ran.returncode == 1, ran.stderr
    services = services_of(ran)
    shown = {
        name: (services[name]["is_reachable"], services[name]["authentication"], services[name]["failed_layer"])
        for name in THREE
    }
    assert shown == {
        "DATABASE_URL": (True, "password", None),
        "QUEUE_API_URL": (False, "api-key", "authentication"),
        "CACHE_API_URL": (True, "oauth2", None),
    }


def test_the_articles_example_is_all_right_with_the_right_key(tmp_path: Path, node_environment: dict[str, str]) -> None:
    project = node_project(tmp_path, {**node_environment, "QUEUE_API_KEY": API_KEY})
    ran = preflight(project)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    for name in THREE:
        assert name in ran.stdout
    assert secrets_in(ran.stdout + ran.stderr) == []


def test_the_table_marks_what_is_there_and_what_is_not(tmp_path: Path, node_environment: dict[str, str]) -> None:
    table = preflight(node_project(tmp_path, node_environment), "--format", "table").stdout
    marks = {name: ("✓" in row_of(table, name), "✗" in row_of(table, name)) for name in THREE}
    assert marks == {"DATABASE_URL": (True, False), "QUEUE_API_URL": (False, True), "CACHE_API_URL": (True, False)}
    assert WRONG not in table


def row_of(table: str, name: str) -> str:
    """Return the first line that has a word."""
    return next(line for line in table.splitlines() if name in line.split())


def test_a_server_that_hangs_up_in_the_middle_of_the_answer_is_blamed_for_its_protocol(tmp_path: Path) -> None:
    with answering(lambda peer: peer.sendall(b"+PON")) as port:
        ran = preflight(tmp_path, "--format", "json", REDIS_URL=f"redis://localhost:{port}/0")
    assert services_of(ran)["REDIS_URL"]["failed_layer"] == "protocol"


def test_the_bed_leaves_no_process_behind(tmp_path: Path) -> None:
    with scratch() as folder:
        certificates = made_certificates(folder)
        with service_bed.redis(folder, certificates), service_bed.nats(folder, certificates):
            assert processes_of(folder) > 0
        assert processes_of(folder) == 0
    assert not folder.exists()


def processes_of(folder: Path) -> int:
    """Count the processes that work in a folder."""
    count = 0
    for place in Path("/proc").glob("[0-9]*/cwd"):
        try:
            count += place.readlink() == folder
        except OSError:
            continue
    return count
