"""The phrases programs end with, as they really say them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.trial.causes import find_causes, is_usage, read_line


@pytest.mark.parametrize(
    ("line", "kind", "what"),
    [
        ("2026/01/02 15:04:05 dial tcp 10.0.0.1:5432: connect: connection refused", "refused", "10.0.0.1:5432"),
        ("dial tcp: lookup db on 127.0.0.11:53: no such host", "name", "db"),
        ("dial tcp: lookup db.prod.svc: no such host", "name", "db.prod.svc"),
        ('psql: could not translate host name "db" to address: Name or service not known', "name", "db"),
        ("Error: connect ECONNREFUSED 127.0.0.1:6379", "refused", ""),
        ("dial tcp 10.1.1.1:443: connect: network is unreachable", "unreachable", "10.1.1.1:443"),
        ("dial tcp 10.1.1.1:443: i/o timeout", "unreachable", "10.1.1.1:443"),
        ("panic: time: unknown time zone Asia/Tokyo", "zone", "Asia/Tokyo"),
        ("tls: failed to verify certificate: x509: failed to load system roots and no roots provided", "certificates", ""),
        ("user: unknown userid 65532", "user", "65532"),
        ("group: unknown group www-data", "user", "www-data"),
        ("open : no such file or directory", "setting", ""),
        ("unable to open database file (14)", "read-only", ""),
        ("fork/exec /bin/bash: no such file or directory", "program", "/bin/bash"),
        ("/app: error while loading shared libraries: libsqlite3.so.0: cannot open shared object file", "library", "libsqlite3.so.0"),
        ("mkdir /var/lib/app: read-only file system", "read-only", "/var/lib/app"),
        ("mkdir: cannot create directory '/data': Read-only file system", "read-only", "/data"),
        ("open /etc/shadow: permission denied", "permission", "/etc/shadow"),
        ("listen tcp 0.0.0.0:443: bind: permission denied", "port", "0.0.0.0:443"),
        ("required key PORT missing value", "setting", "PORT"),
        ('env: required environment variable "API_KEY" is not set', "setting", "API_KEY"),
        ("missing DATABASE_URL", "setting", "DATABASE_URL"),
        ("DATABASE_URL must be set", "setting", "DATABASE_URL"),
        ('Error: required flag(s) "config" not set', "setting", "config"),
        ("stat templates/index.html: no such file or directory", "file", "templates/index.html"),
        ("panic: runtime error: index out of range [1] with length 0", "panic", "runtime error: index out of range [1] with length 0"),
    ],
)  # fmt: skip
def test_a_telling_line_is_read(line, kind, what):
    cause = read_line(line)

    assert cause is not None
    assert (cause.kind, cause.what) == (kind, what)


@pytest.mark.parametrize(
    "line",
    [
        "listening on :8080",
        "INFO server started",
        "GET /healthz 200",
        "the user is required to log in",
        "HTTP 404 not found",
    ],
)
def test_ordinary_lines_tell_nothing(line):
    assert read_line(line) is None


def test_what_was_said_last_counts():
    cause = next(find_causes("cache: connection refused, going on without\nunknown time zone Mars/Base\n"))

    assert cause is not None
    assert cause.kind == "zone"


@given(st.text())
def test_any_output_can_be_read(text):
    list(find_causes(text))
    is_usage(text)
