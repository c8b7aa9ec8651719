"""The linker's -dumpdep read as a stream: turns, marks, chains, and lines nobody expects."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proa.errors import ToolFailed
from proa.outside.dumpdep import Reached, complaint, dumping, dumping_flags, read_dumpdep

CAPTURED = """\
# example.com/shop
_ -> _rt0_amd64_linux
_rt0_amd64_linux -> runtime.main
runtime.main -> main.main
main.main -> example.com/page.Show
main.main -> type:main.T <UsedInIface>
type:main.T <UsedInIface> -> type:.eqfunc8
type:int8 -> runtime.memequal8·f
example.com/page.Show -> example.com/page.call <ReflectMethod>
type:main.T <UsedInIface> -> main.T.Close
type:reflect.Value <UsedInIface> -> reflect.(*Value).Method <ReflectMethod>
main.T.Close -> os.Remove
type:*main.U <UsedInIface> -> main.(*U).Late
"""


@pytest.fixture(autouse=True)
def _own_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("dumps")))


def _reached(text: str | bytes) -> Reached:
    with tempfile.NamedTemporaryFile(delete=False) as file:
        file.write(text if isinstance(text, bytes) else text.encode())
    return read_dumpdep(Path(file.name))


def test_only_what_was_marked_before_methods_were_given_up_is_a_cause() -> None:
    reached = _reached(CAPTURED)
    assert reached.marked() == ("example.com/page.call",)
    assert reached.turn(b"reflect.(*Value).Method") == 1
    assert reached.turn(b"main.(*U).Late") == 2
    assert reached.turn(b"no.such") == -1


def test_a_chain_leads_from_a_root_to_the_symbol() -> None:
    reached = _reached(CAPTURED)
    assert reached.chain("example.com/page.call") == (
        "_rt0_amd64_linux",
        "runtime.main",
        "main.main",
        "example.com/page.Show",
        "example.com/page.call",
    )
    assert reached.chain("no.such") == ()


def test_a_cause_behind_an_interface_is_found_in_its_own_turn() -> None:
    text = (
        "_ -> main.main\nmain.main -> type:main.T <UsedInIface>\n"
        "type:main.T <UsedInIface> -> main.T.Run\nmain.T.Run -> main.call <ReflectMethod>\n"
        "type:reflect.Value <UsedInIface> -> reflect.(*Value).Method <ReflectMethod>\n"
    )
    assert _reached(text).marked() == ("main.call",)


def test_arrows_in_a_struct_tag_do_not_cut_a_name() -> None:
    name = 'type:struct { A int "json:\\"a -> b\\"" }'
    text = f"_ -> main.main\nmain.main -> {name}\n{name} -> main.f <ReflectMethod>\n"
    reached = _reached(text)
    assert reached.chain("main.f") == ("main.main", name, "main.f")


def test_a_line_without_end_is_left_out_and_the_next_one_read() -> None:
    text = b"main.a -> " + b"x" * (3 << 20) + b"\n_ -> main.main\nmain.main -> main.f <ReflectMethod>\n"
    assert _reached(text).marked() == ("main.f",)


def test_a_loop_of_parents_cannot_be_made() -> None:
    reached = _reached("a -> b\nb -> a\nb -> c <ReflectMethod>\na -> b\n")
    assert reached.chain("c") == ("a", "b", "c")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from([b"a", b"b", b" -> ", b"\n", b"<UsedInIface>", b"type:T ", b"_", b"\xff", b"\0"])))
def test_nothing_in_the_stream_is_believed(pieces: list[bytes]) -> None:
    reached = _reached(b"".join(pieces))
    for symbol in reached.marked():
        assert reached.chain(symbol)[-1] == symbol


def test_ldflags_of_the_user_are_kept() -> None:
    assert dumping_flags(["-ldflags", "-s -w", "-v"]) == ["-ldflags", "-s -w -dumpdep", "-v"]
    assert dumping_flags(["--ldflags=-X 'a.b=c d'"]) == ["--ldflags=-X 'a.b=c d' -dumpdep"]


def _program(folder: Path, body: str) -> str:
    file = folder / "go"
    file.write_text(f"#!{sys.executable}\nimport sys\n{body}\n")
    file.chmod(0o755)
    return str(file)


def test_a_build_is_run_with_the_flag_and_its_words_go_to_the_file(tmp_path: Path) -> None:
    go = _program(tmp_path, "print(' '.join(sys.argv[1:])); print('_ -> main.main', file=sys.stderr)")
    ran = dumping(tmp_path / "dump", flags=["-overlay=x"])([go, "build", "-v", "-o", "out/", "--", "."])
    assert ran.stdout == ran.stderr == b""
    lines = sorted((tmp_path / "dump").read_text().splitlines())
    assert lines == ["_ -> main.main", "build -v -ldflags=-dumpdep -overlay=x -o out/ -- ."]


def test_a_failed_build_answers_with_what_the_compiler_said(tmp_path: Path) -> None:
    go = _program(tmp_path, "print('a -> b'); print('./main.go:3:2: undefined: x'); sys.exit(1)")
    runner = dumping(tmp_path / "dump")
    ran = runner([go, "build", "-o", "out/"], accept=None)
    assert (ran.status, ran.stderr) == (1, b"./main.go:3:2: undefined: x")
    with pytest.raises(ToolFailed) as caught:
        runner([go, "build", "-o", "out/"])
    assert "undefined: x" in caught.value.output


def test_other_commands_are_run_as_they_are(tmp_path: Path) -> None:
    go = _program(tmp_path, "print(sys.argv[1])")
    assert dumping(tmp_path / "dump")([go, "version"]).text == "version\n"
    assert not (tmp_path / "dump").exists()


def test_a_complaint_is_bounded(tmp_path: Path) -> None:
    file = tmp_path / "dump"
    file.write_bytes(b"a -> b\n" * 100_000 + b"undefined: x\n")
    assert complaint(file) == b"undefined: x"
