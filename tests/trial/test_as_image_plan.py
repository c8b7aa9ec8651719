"""How docker would start an image, from its configuration and its accounts."""

from __future__ import annotations

import pytest

from proa.outside.launchers import Sandbox, bubblewrap_arguments
from proa.records import oci
from proa.records.trial import Probe
from proa.trial.as_image import health_command, missing_tools, plan_as_image


@pytest.fixture
def rootfs(tmp_path):
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text("root:x:0:0:r:/root:/bin/sh\nwww-data:x:33:34::/var/www:/bin/false\nbroken\n")
    (tmp_path / "etc/group").write_text("www-data:x:34:\nssl:x:112:www-data\nmail:x:8:www-data,root\n")
    return tmp_path


def configured(**fields):
    return oci.Config(architecture="amd64", os="linux", config=oci.Execution(**fields))


def plan(rootfs, *, probe=None, arguments=None, **fields):
    return plan_as_image(rootfs, configured(**fields), probe=probe or Probe(), arguments=arguments)


@pytest.mark.parametrize(
    ("user", "uid", "gid", "home", "groups"),
    [
        (None, 0, 0, "/root", (8,)),
        ("root", 0, 0, "/root", (8,)),
        ("www-data", 33, 34, "/var/www", (112, 8)),
        ("33", 33, 34, "/var/www", (112, 8)),
        ("www-data:ssl", 33, 112, "/var/www", ()),
        ("33:7", 33, 7, "/var/www", ()),
        ("4242", 4242, 0, "/", ()),
        (":112", 0, 112, "/root", ()),
    ],
)
def test_the_user_is_who_docker_takes_for_it(rootfs, user, uid, gid, home, groups):
    start, more = plan(rootfs, user=user, cmd=("x",))

    assert (start.uid, start.gid, start.environment["HOME"], more) == (uid, gid, home, groups)


@pytest.mark.parametrize("user", ["nobody", "www-data:nogroup", "99999999999", "-1"])
def test_a_user_that_docker_would_not_find_is_told(rootfs, user):
    assert "is not in its /etc/passwd" in plan(rootfs, user=user, cmd=("x",))


def test_arguments_go_where_docker_puts_them(rootfs):
    both = {"entrypoint": ("/e", "-a"), "cmd": ("b",)}

    assert plan(rootfs, **both)[0].argv == ("/e", "-a", "b")
    assert plan(rootfs, probe=Probe(arguments=("c",)), **both)[0].argv == ("/e", "-a", "c")
    assert plan(rootfs, arguments=("--help",), **both)[0].argv == ("/e", "-a", "--help")
    assert plan(rootfs, arguments=("--help",), cmd=("node", "app.js"))[0].argv == ("node", "--help")
    assert plan(rootfs) == "the image names no program to start"


@pytest.mark.parametrize(
    ("check", "words"),
    [
        ({"Test": ["CMD", "curl", "-f", "http://localhost/"]}, ("curl", "-f", "http://localhost/")),
        ({"Test": ["CMD-SHELL", "curl -f localhost || exit 1"]}, ("/bin/sh", "-c", "curl -f localhost || exit 1")),
        ({"Test": ["NONE"]}, ()),
        ({"Test": []}, ()),
        ({"Test": "CMD"}, ()),
        ({"Test": ["CMD", 3]}, ()),
        ({}, ()),
        (None, ()),
    ],
)
def test_a_health_check_is_read_as_docker_reads_it(check, words):
    assert health_command(configured(healthcheck=check)) == words


def test_a_tool_that_is_missing_and_an_engine_that_cannot_trace_are_told(tmp_path):
    assert "runc" in missing_tools({}, engine="runc")
    assert missing_tools({"PATH": str(tmp_path)}, engine="bubblewrap") in (
        "",  # found in sbin
        "bubblewrap and strace are not installed here",
    )


def words(**fields):
    sandbox = Sandbox(root="/r", argv=("/x",), environment=(), directory="/", gid=0, as_image=True, **fields)
    return bubblewrap_arguments(sandbox, status_fd=3).decode().split("\0")


def test_only_root_of_an_image_has_capabilities_and_never_those_of_the_machine():
    root, other = words(uid=0, has_users=True), words(uid=33)

    assert "CAP_SETUID" in root
    assert not {"CAP_SYS_ADMIN", "CAP_NET_ADMIN", "CAP_SYS_PTRACE", "CAP_MKNOD", "CAP_SYS_MODULE"} & set(root)
    assert "--cap-add" not in other
    assert "--unshare-user" in other
    for one in (root, other):
        assert one[one.index("--cap-drop") + 1] == "ALL"
        assert "--unshare-pid" in one
