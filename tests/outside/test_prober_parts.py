"""The parts of the prober that need no sandbox: reading /proc, asking servers, answering names, groups."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.outside import asking, cgroups, launchers, peers, processes
from proa.outside.launchers import Sandbox

SANDBOX = Sandbox(
    root="/r", argv=("/app", "serve"), environment=(("PASSWORD", "a b"),), directory="/srv", uid=7, gid=8,
    overlays=(("/mnt/hosts", "/etc/hosts"),), memory_bytes=1 << 20,
)  # fmt: skip


def test_ipv6_listeners_are_read():
    table = (
        "head\n 0: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 5 1\n"
    )

    assert processes.parse_sockets(table) == [processes.Listener("::1", 8080, 5)]


def test_a_clients_datagram_socket_is_no_listener():
    row = " 0: 00000000:{} 00000000:0000 07 0:0 0:0 0 0 0 5 1\n"
    table = "head\n" + row.format("14E9") + row.format("C350")

    assert [one.port for one in processes.parse_sockets(table, protocol="udp")] == [5353]


def test_the_kernel_and_proc_name_the_same_listeners():
    with socket.socket() as first, socket.socket(socket.AF_INET6) as second:
        first.bind(("127.0.0.1", 0))
        second.bind(("::1", 0))
        for one in (first, second):
            one.listen()
        expected = {("127.0.0.1", first.getsockname()[1]), ("::1", second.getsockname()[1])}

        asked = {(one.address, one.port) for one in processes.listeners()}
        read = {
            (one.address, one.port)
            for name in ("tcp", "tcp6")
            for one in processes.parse_sockets(Path(f"/proc/self/net/{name}").read_text())
        }

    assert expected <= asked
    assert expected <= read


@given(st.binary(max_size=200))
def test_any_answer_of_the_kernel_can_be_read(data):
    processes.parse_diag(data)


def test_this_process_is_measured_and_belongs_to_its_own_family():
    now, peak = processes.memory(os.getpid())

    assert 0 < now <= peak
    assert os.getpid() in processes.family(os.getpid())
    assert processes.memory(2**22 + 1) == (0, 0)


@given(st.text())
def test_any_table_can_be_read(text):
    processes.parse_memory(text.replace("VmRSS:", "").replace("VmHWM:", ""))
    asking.classify(text.encode())


@pytest.mark.parametrize(
    ("received", "speaks", "status"),
    [
        (b"HTTP/1.1 204 No Content\r\n", "http", 204),
        (b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n", "tls", None),
        (b"\x15\x03\x01\x00\x02\x02\x46", "tls", None),
        (b"-ERR unknown command\r\n", "other", None),
        (b"HTTP/1.1 nonsense\r\n", "other", None),
        (b"", "closed", None),
    ],
)
def test_a_servers_first_words_say_what_it_speaks(received, speaks, status):
    assert asking.classify(received) == asking.Answer(speaks, status)


def test_a_silent_server_is_called_silent_and_a_closed_port_refused():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        assert asking.ask("127.0.0.1", port, "/", timeout_s=0.1).speaks == "refused"
        listener.listen()
        assert asking.ask("127.0.0.1", port, "/", timeout_s=0.05).speaks == "silent"


def test_a_server_that_answers_in_pieces_is_understood():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def serve():
            link, _ = listener.accept()
            with link:
                link.recv(1000)
                for piece in (b"HTT", b"P/1.1 2", b"00 OK\r\n"):
                    link.sendall(piece)

        thread = threading.Thread(target=serve)
        thread.start()
        answer = asking.ask("127.0.0.1", listener.getsockname()[1], "/", timeout_s=2)
        thread.join()

    assert answer == asking.Answer("http", 200)


def question(name: bytes, kind: int = 1) -> bytes:
    labels = b"".join(bytes([len(label)]) + label for label in name.split(b"."))
    return b"\x12\x34\x01\x00" + struct.pack("!HHHH", 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", kind, 1)


@pytest.fixture
def names():
    server = peers.NameServer.__new__(peers.NameServer)
    server.names = {}
    return server


def test_every_name_gets_an_address_of_its_own(names):
    first, second = names.reply(question(b"db")), names.reply(question(b"cache.local"))

    assert names.names == {"db": "127.0.1.1", "cache.local": "127.0.1.2"}
    assert first.endswith(bytes([127, 0, 1, 1]))
    assert second.endswith(bytes([127, 0, 1, 2]))


def test_a_name_has_no_ipv6_address_but_exists(names):
    reply = names.reply(question(b"db", kind=28))

    assert reply[3] & 15 == 0
    assert struct.unpack("!H", reply[6:8]) == (0,)


@given(st.binary(max_size=300))
def test_a_hostile_question_is_refused_or_answered(data):
    server = peers.NameServer.__new__(peers.NameServer)
    server.names = {}
    try:
        server.reply(data)
    except (IndexError, ValueError, struct.error):
        return


@pytest.mark.parametrize(
    ("mounts", "membership", "folder"),
    [
        ("35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory", "4:memory:/a/b", ("/sys/fs/cgroup/memory/a/b", 1)),
        ("35 31 0:32 /docker/x /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory", "4:memory:/docker/x", ("/sys/fs/cgroup/memory", 1)),
        ("41 31 0:38 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw", "0::/", ("/sys/fs/cgroup", 2)),
        ("1 0 0:1 / / rw - ext4 /dev/sda rw", "0::/", ("", 0)),
        ("", "", ("", 0)),
    ],
)  # fmt: skip
def test_the_memory_group_is_found(mounts, membership, folder):
    assert cgroups.parse_folder(mounts, membership) == folder


def test_no_value_of_the_environment_reaches_a_command_line():
    options = launchers.bubblewrap_arguments(SANDBOX, status_fd=9).split(b"\0")

    place = options.index(b"--setenv")
    assert options[place : place + 3] == [b"--setenv", b"PASSWORD", b"a b"]
    assert b"--as-pid-1" in options
    assert options[options.index(b"--uid") + 1] == b"7"
    assert b"/app" not in options


def test_a_runtimes_configuration_carries_every_limit():
    configuration = launchers.runtime_configuration(SANDBOX)

    process = configuration["process"]
    assert process["noNewPrivileges"] is True
    assert set(map(tuple, process["capabilities"].values())) == {()}
    assert configuration["root"]["readonly"] is True
    assert configuration["linux"]["resources"]["memory"]["limit"] == 1 << 20
    assert {"type": "network"} not in configuration["linux"]["namespaces"]


def test_the_prober_needs_nothing_but_the_standard_library():
    source = Path(launchers.__file__).resolve().parents[2]
    code = f"import sys; sys.path.append({str(source)!r}); import proa.outside.prober; print('msgspec' in sys.modules)"

    ran = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)

    assert ran.stdout == "False\n"
