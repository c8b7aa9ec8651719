"""Traces as strace 6.1 wrote them of a static Go program under bubblewrap."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.outside.strace import CERTIFICATE_FILES, parse_calls, read_trace

CAPTURED = Path(__file__).parent / "captured"


def captured(name: str) -> str:
    return (CAPTURED / f"strace-{name}.txt").read_text()


def test_certificates_looked_for_in_vain_are_all_named():
    trace = read_trace(captured("needs-roots"), program="/app", names={"127.0.1.1": "api.example.com"})

    assert trace.has_started
    assert trace.lacks_certificates
    assert {f"ENOENT {path}" for path in CERTIFICATE_FILES} <= set(trace.missed_files)
    assert trace.contacted == ("api.example.com:443",)


def test_a_zone_looked_for_in_vain_is_named_in_every_place():
    trace = read_trace(captured("needs-zone"), program="/app")

    assert "ENOENT /usr/share/zoneinfo/Europe/Paris" in trace.missed_files
    assert not trace.lacks_certificates


def test_written_files_are_named_and_the_sandboxs_own_work_is_not():
    trace = read_trace(captured("writes-tmp"), program="/app", own_ports=[8080])

    assert trace.wrote_files == ("/tmp/data",)
    assert trace.missed_files == ()
    assert trace.contacted == ()


def test_a_neighbour_is_told_by_the_name_it_was_asked_for():
    trace = read_trace(captured("needs-db"), program="/app", names={"127.0.1.1": "db"})

    assert trace.contacted == ("db:5432",)


def test_nothing_counts_before_the_program_itself():
    trace = read_trace(captured("needs-db"), program="/never")

    assert not trace.has_started
    assert trace.missed_files == trace.contacted == ()


@pytest.mark.parametrize(
    ("line", "missed"),
    [
        ('openat(AT_FDCWD, "conf/app.yaml", O_RDONLY) = -1 ENOENT (No such file or directory)', "ENOENT /srv/conf/app.yaml"),
        ('mkdir("/var/lib/app", 0755) = -1 EROFS (Read-only file system)', "EROFS /var/lib/app"),
        ('openat(AT_FDCWD, "/secret", O_RDONLY) = -1 EACCES (Permission denied)', "EACCES /secret"),
        ('newfstatat(AT_FDCWD, "/a\\"b", 0xc0, 0) = -1 ENOENT (No such file or directory)', 'ENOENT /a\\"b'),
        ('openat(5, "relative", O_RDONLY) = -1 ENOENT (No such file or directory)', None),
        ('openat(AT_FDCWD, "/etc/localtime", O_RDONLY) = -1 ENOENT (No such file or directory)', None),
        ('openat(AT_FDCWD, "/proc/1/mem", O_RDONLY) = -1 EACCES (Permission denied)', None),
        ('connect(3, {sa_family=AF_UNIX, sun_path="/run/nscd/socket"}, 110) = -1 ENOENT (No such file or directory)', None),
    ],
)  # fmt: skip
def test_misses_are_told_from_a_runtimes_own_looking_round(line, missed):
    text = f'1 execve("/app", ["/app"], 0x1 /* 2 vars */) = 0\n1 {line}\n'

    assert read_trace(text, program="/app", directory="/srv").missed_files == ((missed,) if missed else ())


@pytest.mark.parametrize(
    ("address", "peer"),
    [
        ('sa_family=AF_INET6, sin6_port=htons(6379), sin6_flowinfo=htonl(0), inet_pton(AF_INET6, "2001:db8::1", &sin6_addr)', ("[2001:db8::1]:6379",)),
        ('sa_family=AF_UNIX, sun_path="/var/run/docker.sock"', ("unix:/var/run/docker.sock",)),
        ('sa_family=AF_INET, sin_port=htons(53), sin_addr=inet_addr("127.0.0.1")', ()),
        ('sa_family=AF_INET, sin_port=htons(9), sin_addr=inet_addr("127.0.1.1")', ()),
        ("sa_family=AF_UNSPEC", ()),
    ],
)  # fmt: skip
def test_peers_of_every_family_are_named(address, peer):
    text = (
        f'1 execve("/app", [], 0x1) = 0\n1 connect(3, {{{address}}}, 16) = -1 EINPROGRESS (Operation now in progress)\n'
    )

    assert read_trace(text, program="/app").contacted == peer


def test_calls_cut_in_two_are_joined():
    text = (
        '1 openat(AT_FDCWD, "/x", O_RDONLY <unfinished ...>\n'
        "2 close(3)                          = 0\n"
        "1 <... openat resumed>)             = -1 ENOENT (No such file or directory)\n"
    )

    assert [(call.name, call.error) for call in parse_calls(text)] == [("close", ""), ("openat", "ENOENT")]


@given(st.text())
def test_any_text_can_be_read(text):
    read_trace(f'1 execve("/app", [], 0x1) = 0\n{text}', program="/app")
