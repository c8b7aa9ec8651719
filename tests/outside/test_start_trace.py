"""What a trace of a start says: lines as strace 6.1 wrote them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from proa.outside.start_trace import Seen, read_start

BEGIN = '9 100.000000 execve("/usr/bin/bwrap", ["bwrap"], 0x1 /* 1 var */) = 0 <0.000300>\n'
EXEC = '9 100.500000 execve("/app", ["/app"], 0x1 /* 3 vars */) = 0 <0.000300>\n'


def read(text: str, program: str = "/app", directory: str = "/srv") -> Seen:
    return read_start((BEGIN + EXEC + text).splitlines(keepends=True), program=program, directory=directory)


def told(seen: Seen) -> list[tuple[str, float, float | None, str, str]]:
    return [(one.kind, one.at_s, one.ended_s, one.what, one.error) for one in seen.events]


def test_time_begins_with_the_programs_own_execve():
    assert told(read('9 100.750000 openat(AT_FDCWD, "config.yaml", O_RDONLY|O_CLOEXEC) = 3 <0.000020>')) == [
        ("open", 0.25, 0.25002, "/srv/config.yaml", "")
    ]


def test_a_trace_in_which_the_program_never_starts_shows_nothing():
    seen = read('9 100.7 openat(AT_FDCWD, "x", O_RDONLY) = 3 <0.00002>', program="/other")
    assert (seen.has_started, seen.events) == (False, ())


def test_a_file_that_is_not_there_has_its_error():
    assert told(
        read('9 100.6 openat(AT_FDCWD, "/a.yaml", O_RDONLY) = -1 ENOENT (No such file or directory) <0.1>')
    ) == [("open", 0.1, 0.2, "/a.yaml", "ENOENT")]


def test_a_refused_connection_in_the_background_ends_where_it_is_asked_for():
    seen = read(
        "9 100.600000 socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC|SOCK_NONBLOCK, IPPROTO_IP <unfinished ...>\n"
        '8 100.600100 write(1, "x", 1) = 1 <0.000010>\n'
        "9 100.600200 <... socket resumed>) = 5 <0.000200>\n"
        '9 100.601000 connect(5, {sa_family=AF_INET, sin_port=htons(5432), sin_addr=inet_addr("127.0.0.1")}, 16) = -1 '
        "EINPROGRESS (Operation now in progress) <0.000100>\n"
        "9 100.602000 getsockopt(5, SOL_SOCKET, SO_ERROR,  <unfinished ...>\n"
        "9 100.602100 <... getsockopt resumed>[ECONNREFUSED], [4]) = 0 <0.000100>\n"
        "9 100.603000 close(5) = 0 <0.000010>\n"
    )
    assert told(seen) == [("connect", 0.101, 0.1021, "127.0.0.1:5432", "ECONNREFUSED")]


def test_a_connection_that_is_made_ends_with_its_first_data():
    seen = read(
        "9 100.6 socket(AF_INET6, SOCK_STREAM, IPPROTO_TCP) = 5 <0.00001>\n"
        "9 100.61 connect(5, {sa_family=AF_INET6, sin6_port=htons(6379), sin6_flowinfo=htonl(0), "
        'inet_pton(AF_INET6, "::1", &sin6_addr), sin6_scope_id=0}, 28) = -1 EINPROGRESS (Operation now in progress) '
        "<0.00001>\n"
        '9 100.65 write(5, "PING\\r\\n", 6) = 6 <0.00001>\n'
    )
    assert told(seen) == [("connect", 0.11, 0.15, "[::1]:6379", "")]


def test_a_connection_that_is_closed_before_it_is_made_was_given_up():
    seen = read(
        "9 100.6 socket(AF_INET, SOCK_STREAM, IPPROTO_TCP) = 5 <0.00001>\n"
        '9 100.6 connect(5, {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("10.0.0.1")}, 16) = -1 EINPROGRESS '
        "(Operation now in progress) <0.00001>\n"
        "9 103.6 close(5) = 0 <0.00001>\n"
    )
    assert told(seen) == [("connect", 0.1, 3.1, "10.0.0.1:80", "given up")]


def test_sorting_addresses_by_a_datagram_socket_is_no_connection():
    seen = read(
        "9 100.6 socket(AF_INET, SOCK_DGRAM|SOCK_CLOEXEC, IPPROTO_IP) = 5 <0.00001>\n"
        '9 100.6 connect(5, {sa_family=AF_INET, sin_port=htons(5432), sin_addr=inet_addr("10.0.0.1")}, 16) = 0 <0.00001>\n'
        "9 100.6 close(5) = 0 <0.00001>\n"
    )
    assert seen.events == ()


def test_a_name_is_looked_up_from_its_question_until_the_socket_is_closed():
    seen = read(
        "9 100.6 socket(AF_INET, SOCK_DGRAM|SOCK_CLOEXEC|SOCK_NONBLOCK, IPPROTO_IP) = 3 <0.00001>\n"
        '9 100.6 connect(3, {sa_family=AF_INET, sin_port=htons(53), sin_addr=inet_addr("10.0.0.53")}, 16) = 0 <0.00001>\n'
        '9 100.61 sendmmsg(3, [{msg_hdr={msg_name=NULL, msg_namelen=0, msg_iov=[{iov_base="E\\r\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0'
        '\\2db\\7example\\10internal\\0\\0\\1\\0\\1", iov_len=37}], msg_iovlen=1, msg_controllen=0, msg_flags=0}, '
        "msg_len=37}], 2, MSG_NOSIGNAL) = 2 <0.00001>\n"
        "9 105.61 close(3) = 0 <0.00001>\n"
    )
    assert told(seen) == [("resolve", 0.11, 5.11, "db.example.internal", "")]


def test_threads_share_descriptors_and_children_inherit_them():
    answer = '{} 100.{} write(7, "HTTP/1.1 200 OK\\r\\n", 17) = 17 <0.00001>\n'
    seen = read(
        "9 100.60 socket(AF_INET, SOCK_STREAM, IPPROTO_TCP) = 3 <0.00001>\n"
        '9 100.60 bind(3, {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("0.0.0.0")}, 16) = 0 <0.00001>\n'
        "9 100.61 listen(3, 128) = 0 <0.00001>\n"
        "9 100.62 clone(child_stack=0x1, flags=CLONE_VM|CLONE_FILES|CLONE_THREAD) = 2 <0.0>\n"
        "12 100.63 accept4(3, NULL, NULL, SOCK_CLOEXEC) = 7 <0.00001>\n"
        "9 100.64 fork() = 3 <0.00001>\n" + answer.format(9, 70) + answer.format(13, 71)
    )
    assert [(one.kind, one.what) for one in seen.events] == [
        ("listen", "0.0.0.0:80"),
        ("answer", "200"),
        ("answer", "200"),
    ]


def test_of_what_is_sent_to_a_service_only_changes_of_tables_are_kept():
    seen = read(
        "9 100.6 socket(AF_INET, SOCK_STREAM, IPPROTO_TCP) = 5 <0.00001>\n"
        '9 100.6 connect(5, {sa_family=AF_INET, sin_port=htons(5432), sin_addr=inet_addr("10.0.0.1")}, 16) = 0 <0.00001>\n'
        '9 100.7 write(5, "p\\0\\0\\0\\22hunter2-secret\\0", 19) = 19 <0.00001>\n'
        '9 100.8 write(5, "Q\\0\\0\\0>CREATE TABLE IF NOT EXISTS \\"orders\\" (id int)\\0", 63) = 63 <0.00001>\n'
    )
    assert [(one.kind, one.what, one.peer) for one in seen.events] == [
        ("connect", "10.0.0.1:5432", ""),
        ("query", "CREATE TABLE orders", "10.0.0.1:5432"),
    ]
    assert "hunter2" not in repr(seen)


def test_the_programs_end_is_told_and_that_of_its_children_is_not():
    seen = read("9 100.6 fork() = 13 <0.00001>\n13 100.7 exit_group(3) = ?\n9 100.8 exit_group(7) = ?\n")
    assert seen.exit_status == 7
    assert [(one.kind, one.what) for one in seen.events] == [("exit", "7")]


def test_paths_are_relative_to_where_a_process_went():
    seen = read('9 100.6 chdir("deep") = 0 <0.00001>\n9 100.7 openat(AT_FDCWD, ".env", O_RDONLY) = 3 <0.00001>')
    assert [one.what for one in seen.events] == ["/srv/deep/.env"]


LINES = st.one_of(
    st.text(max_size=200),
    st.builds(
        "9 100.{} {}({}) = {} <0.1>".format,
        st.integers(0, 10**6),
        st.sampled_from(["openat", "connect", "write", "close", "socket", "clone", "bind", "listen", "sendto", "dup2"]),
        st.text(max_size=80),
        st.integers(-1, 9),
    ),
)


@given(st.lists(LINES, max_size=30))
def test_no_line_whatever_it_holds_stops_the_reader(lines):
    assert read("\n".join(lines)).has_started


def test_a_child_that_speaks_before_its_parent_knows_of_it_is_the_parents():
    seen = read(
        '9 100.60 chdir("deep") = 0 <0.00001>\n'
        "9 100.61 clone(child_stack=0x1, flags=CLONE_VM|CLONE_FILES|CLONE_THREAD <unfinished ...>\n"
        '12 100.62 openat(AT_FDCWD, "a.yaml", O_RDONLY) = 3 <0.00001>\n'
        "9 100.63 <... clone resumed>) = 2 <0.0>\n"
        "9 100.64 fork() = 3 <0.00001>\n"
        '13 100.65 openat(AT_FDCWD, "b.yaml", O_RDONLY) = 3 <0.00001>\n'
    )
    assert [one.what for one in seen.events] == ["/srv/deep/a.yaml", "/srv/deep/b.yaml"]
