"""Traces in the words of strace 6.1, and whatever else may stand in such a file."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.outside.touched import lines_of, read_touched

START = b'7 execve("/app", [...], 0x7ffe /* 2 vars */) = 0'


def touched(*lines, directory="/srv"):
    return read_touched([START, *(line.encode() + b"\n" for line in lines)], program="/app", directory=directory)


def used(*lines, directory="/srv"):
    found = dict(touched(*lines, directory=directory).uses)
    assert found.pop("/app") == "executed"
    return found


def test_nothing_counts_before_the_program_itself():
    before = b'6 openat(AT_FDCWD</>, "/etc/shadow", O_RDONLY) = 3</etc/shadow>\n'
    after = b'6 openat(AT_FDCWD</>, "/etc/gshadow", O_RDONLY) = 3</etc/gshadow>\n'

    assert read_touched([before, START, after], program="/app").uses == {"/app": "executed"}
    assert not read_touched([before, after], program="/app").has_started


@pytest.mark.parametrize(
    ("line", "path", "use"),
    [
        pytest.param('openat(AT_FDCWD</srv>, "a/b", O_RDONLY) = 3</srv/a/b>', "/srv/a/b", "opened", id="relative"),
        pytest.param('openat(5</usr/share>, "doc", O_RDONLY) = 3</usr/share/doc>', "/usr/share/doc", "opened", id="by descriptor"),
        pytest.param('openat(AT_FDCWD, "x", O_RDONLY) = 3</srv/x>', "/srv/x", "opened", id="older strace"),
        pytest.param('stat("//etc/./x//", {st_mode=S_IFREG|0644, ...}) = 0', "/etc/x", "looked at", id="untidy"),
        pytest.param('openat(AT_FDCWD</srv>, "/l/../x", O_RDONLY) = 3</y>', "/l/../x", "opened", id="may follow a link"),
        pytest.param('readlink("/etc", 0x7ff, 4095) = -1 EINVAL (Invalid argument)', "/etc", "looked at", id="no link"),
        pytest.param('mkdir("/run/x", 0755) = -1 EEXIST (File exists)', "/run/x", "changed", id="exists"),
        pytest.param('access("/etc/secret", R_OK) = -1 EACCES (Permission denied)', "/etc/secret", "looked at", id="denied"),
        pytest.param('statx(AT_FDCWD</srv>, "/x", AT_STATX_SYNC_AS_STAT, STATX_ALL, {stx_mask=0}) = 0', "/x", "looked at", id="statx"),
        pytest.param("getdents64(3</etc/conf.d>, 0x55 /* 4 entries */, 32768) = 144", "/etc/conf.d", "listed", id="listed"),
        pytest.param('bind(3<socket:[9]>, {sa_family=AF_UNIX, sun_path="/run/s"}, 9) = 0', "/run/s", "changed", id="bound"),
        pytest.param('execveat(3</opt/tool>, "go", [...], 0x7f, 0) = 0', "/opt/tool/go", "executed", id="execveat"),
        pytest.param(r'unlink("/tmp/a\"b\\\n\303\251\74") = 0', '/tmp/a"b\\\né<', "changed", id="escapes"),
        pytest.param(r'openat(AT_FDCWD</a\76b>, "c", O_RDONLY) = 3</a\76b/c>', "/a>b/c", "opened", id="escaped folder"),
        pytest.param('newfstatat(6</tmp/zz>(deleted), "x", 0x7f, 0) = 0', "/tmp/zz/x", "looked at", id="removed folder"),
    ],
)  # fmt: skip
def test_each_way_to_use_a_path_is_seen(line, path, use):
    assert used(f"7 {line}") == {path: use}


@pytest.mark.parametrize(
    "line",
    [
        'execve("/usr/local/bin/sh", [...], 0x7f /* 2 vars */) = -1 ENOENT (No such file or directory)',
        'openat(AT_FDCWD</srv>, "/proc/self/maps", O_RDONLY) = 3</proc/7/maps>',
        'openat(AT_FDCWD</srv>, "/dev/null", O_RDONLY) = 3</dev/null>',
        'newfstatat(3</etc/x>, "", {st_mode=S_IFREG|0644, ...}, AT_EMPTY_PATH) = 0',
        'bind(3<socket:[9]>, {sa_family=AF_UNIX, sun_path=@"abs"}, 6) = 0',
        "utimensat(3</etc/x>, NULL, NULL, 0) = 0",
        'openat(AT_FDCWD</srv>, "/killed", O_RDONLY) = ?',
        'openat(AT_FDCWD</srv>, "/cut',
        "--- SIGCHLD {si_signo=SIGCHLD} ---",
        "+++ exited with 0 +++",
        "",
    ],
)  # fmt: skip
def test_what_was_not_there_or_is_not_the_images_is_left_out(line):
    assert used(f"7 {line}") == {}


def test_what_was_missed_is_told_apart():
    assert touched('7 stat("conf", 0x7f) = -1 ENOENT (No such file or directory)').missed == ("/srv/conf",)


def test_a_renamed_file_counts_by_both_names():
    assert set(used('7 renameat2(AT_FDCWD</srv>, "a", 4</b>, "c", 0) = 0')) == {"/srv/a", "/b/c"}
    assert set(used('7 rename("a", "/c") = 0')) == {"/srv/a", "/c"}


def test_of_a_new_link_only_its_place_counts():
    assert set(used('7 symlinkat("../to", 4</b>, "c") = 0', '7 symlink("to", "/d") = 0')) == {"/b/c", "/d"}


def test_the_strongest_use_counts_whatever_the_order():
    lines = ['7 stat("/x", {...}) = 0', '7 openat(AT_FDCWD</srv>, "/x", O_RDONLY) = 3</x>']

    assert used(*lines) == used(*reversed(lines)) == {"/x": "opened"}


def test_calls_cut_in_two_by_another_process_are_joined():
    found = used(
        '7 openat(AT_FDCWD</srv>, "a", O_RDONLY <unfinished ...>',
        '8 access("b", R_OK <unfinished ...>',
        "7 <... openat resumed>)              = 3</srv/a>",
        "8 <... access resumed>)              = -1 ENOENT (No such file or directory)",
    )

    assert found == {"/srv/a": "opened"}


CHDIR = '7 chdir("/etc") = 0'


@pytest.mark.parametrize(
    ("lines", "directory"),
    [
        pytest.param([CHDIR, "7 clone(child_stack=NULL, flags=SIGCHLD) = 2 /* 8 in strace's PID NS */"], "/etc", id="inherited"),
        pytest.param(["7 fork() = 8", CHDIR], "/srv", id="its parent moves later"),
        pytest.param(["7 clone3({flags=CLONE_VM|CLONE_FS|CLONE_THREAD}, 88) = 8", CHDIR], "/etc", id="threads move together"),
        pytest.param([CHDIR, "7 vfork( <unfinished ...>"], "/etc", id="it speaks before its parent's call returns"),
        pytest.param(["7 fork() = 8", "8 fchdir(3</var/lib>) = 0"], "/var/lib", id="fchdir"),
        pytest.param(["7 fork() = 8", '8 chroot("/jail") = 0', '8 chdir("/in") = 0'], "/jail/in", id="chroot"),
    ],
)  # fmt: skip
def test_relative_paths_start_where_the_process_is(lines, directory):
    assert f"{directory}/x" in used(*lines, '8 access("x", R_OK) = 0')


def test_a_child_that_spoke_first_is_set_right_once_its_parent_is_known():
    found = used(
        "7 fork() = 8", '8 chdir("/eight") = 0', "7 vfork( <unfinished ...>", "8 vfork( <unfinished ...>",
        '9 access("early", R_OK) = 0',
        "7 <... vfork resumed>) = 9", "8 <... vfork resumed>) = 10",
        '9 access("nine", R_OK) = 0', '10 access("ten", R_OK) = 0',
    )  # fmt: skip

    assert {"/srv/nine", "/eight/ten"} <= set(found)


def test_a_thread_that_executes_takes_its_leaders_number():
    found = used(
        "7 clone(flags=CLONE_FS) = 8", '8 execve("tool", [...], 0x7f <unfinished ...>',
        "7 +++ superseded by execve in pid 8 +++", "7 <... execve resumed>) = 0",
    )  # fmt: skip

    assert found == {"/srv/tool": "executed"}


def test_a_line_without_end_keeps_its_beginning_and_memory_stays_bounded():
    trace = io.BytesIO(b'7 access("/x", R_OK' + b"x" * 1_000_000 + b"\n" + b'7 access("/y", R_OK) = 0\n')

    lines = list(lines_of(trace))

    assert max(map(len, lines)) <= 64 << 10
    assert lines[-1] == b'7 access("/y", R_OK) = 0\n'


PIECES = st.sampled_from(
    [b"7", b"8", b" ", b"execve(", b"openat(", b"vfork(", b"<... vfork resumed>", b"<unfinished ...>", b") = 0", b") = 9",
     b"AT_FDCWD", b"</srv>", b', "', b'"', b"\\", b"\\3", b"/x", b"..", b"= -1 ENOENT (x)", b"NULL", b"+++ exited", b"8 +++ superseded by execve in pid 7",
     b"getdents64(3<", b">", b"chdir(", b"chroot(", b'"/a"', b"bind(", b"sun_path=", b"symlinkat("]
)  # fmt: skip


@given(st.lists(st.one_of(st.lists(PIECES).map(b"".join), st.binary(max_size=40)), max_size=30))
def test_whatever_the_lines_hold_every_path_is_absolute_and_tidy(lines):
    found = read_touched([START, *lines], program="/app")

    assert found.has_started
    for path in (*found.uses, *found.missed):
        assert path.startswith("/")
        assert not {"", "."} & set(path.split("/")[1:]) or path == "/"


NAMES = st.binary(min_size=1, max_size=12).filter(lambda name: not {0, 47} & set(name) and name not in (b".", b".."))


def quoted(raw: bytes) -> str:
    """Write a path as strace does: everything that is not plain in octal, or behind a backslash."""
    return "".join(chr(one) if 32 <= one < 127 and one not in b'"\\<>' else f"\\{one:03o}" for one in raw)


@given(NAMES, NAMES)
def test_any_name_comes_back_as_it_was(folder, name):
    found = used(f'7 openat(3</{quoted(folder)}>, "{quoted(name)}", O_RDONLY) = 4</>')

    assert [path.encode("utf-8", "surrogateescape") for path in found] in (
        [b"/%s/%s" % (folder, name)],
        [],
    ) or folder in (b"proc", b"sys", b"dev")
    assert found or folder in (b"proc", b"sys", b"dev")
