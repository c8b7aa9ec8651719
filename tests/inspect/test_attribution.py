"""The interval map, and programs that are small, foreign or hostile."""

from __future__ import annotations

import random
import struct
import tempfile
import time
from pathlib import Path

import deflate
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.elf_files import Form, program
from proa.errors import BinaryDamaged, DebugMismatch, ProaError, WrongUsage
from proa.inspect.attribution import Layers, Names, Ranges, voted
from proa.inspect.attribution_native import group_of
from proa.inspect.compression import BLOCK_BYTES, block_sizes, compressed_shares, whole
from proa.inspect.modules import BuildInfo, module_of, owner_of, read_build_info
from proa.pipeline.inspect_binary import inspect_binary

_SPANS = st.lists(st.tuples(st.integers(-20, 220), st.integers(-5, 60), st.integers(0, 5)), max_size=12)


def anatomy_of(content: bytes, folder: Path, **more):
    file = folder / "program"
    file.write_bytes(content)
    return inspect_binary(file, debug=None, environ={"PROA_CACHE": str(folder / "store")}, jobs=1, **more)


def adds_up(anatomy) -> bool:
    owned, rest = sum(one.bytes for one in anatomy.packages), sum(one.bytes for one in anatomy.sections)
    assert anatomy.attributed_bytes == owned
    assert all(one.text + one.rodata + one.data + one.pclntab == one.bytes for one in anatomy.packages)
    packed = sum(one.compressed_bytes for one in (*anatomy.packages, *anatomy.sections))
    return owned + rest == anatomy.total_bytes and packed == anatomy.compressed_bytes


@given(st.lists(_SPANS, max_size=5))
def test_every_byte_has_the_owner_of_the_first_layer_that_covers_it(laid):
    """Against one byte at a time; overlaps within a layer go to the range that starts first."""
    layers, truth = Layers(200), [-1] * 200
    for spans in laid:
        layers.lay(
            [a for a, _, _ in spans],
            [a + n for a, n, _ in spans],
            [o for _, _, o in spans],
            kind="text",
            known="symbols",
        )
        own = [-1] * 200
        cut = [(max(a, 0), min(a + n, 200), o) for a, n, o in spans]
        for start, end, owner in sorted(cut, key=lambda span: span[0]):
            for at in range(start, end):
                own[at] = owner if own[at] == -1 else own[at]
        truth = [mine if old == -1 else old for old, mine in zip(truth, own, strict=True)]
    layers.lay([0], [200], -2, kind="none", known="none")
    ranges = layers.resolved()
    assert int(ranges.sizes.sum()) == 200
    assert np.repeat(ranges.owners, ranges.sizes).tolist() == [-2 if owner == -1 else owner for owner in truth]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 4)), min_size=1))
def test_a_place_goes_to_whom_most_refer_to_it(votes):
    places, owners = voted([p for p, _ in votes], [o for _, o in votes], [1] * len(votes))
    for place, owner in zip(places.tolist(), owners.tolist(), strict=True):
        counts = [votes.count((place, other)) for other in range(5)]
        assert owner == counts.index(max(counts))


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=50))
def test_rounded_shares_add_up(shares):
    total = round(sum(shares))
    assert abs(int(whole(np.array(shares), total).sum()) - total) <= 0


@pytest.mark.parametrize(
    ("symbol", "owner"),
    [
        ("type:.eq.[4]github.com/a/b.T", "github.com/a/b"),
        ("type:.hash.struct { net/http.x int }", "net/http"),
        ("go:itab.*os.File,io.Reader", "os"),
        ("main.main.func1.2", "main"),
        ("a.example/b/v2.Map[go.shape.string,go.shape.int].Get", "a.example/b/v2"),
        ("runtime.memequal", "runtime"),
    ],
)
def test_what_the_linker_makes_of_a_type_is_of_its_package(symbol, owner):
    assert owner_of(symbol) == owner


def test_a_package_is_of_the_longest_module_that_holds_it():
    info = BuildInfo(go_version="1.26.8", main="m.example/x", modules={"m.example/x": "(devel)", "a.b/c": "v1"})
    assert module_of("a.b/c/d", info) == ("a.b/c", "v1")
    assert module_of("a.b/cd", info) == ("", "")
    assert module_of("vendor/golang.org/x/net/idna", info) == ("std", "1.26.8")
    assert module_of("main", info) == ("m.example/x", "(devel)")


@pytest.mark.parametrize(
    ("symbol", "group"),
    [
        ("_RNvNtCsbDqzXfLQacH_4core3fmt5write", "core"),
        ("_ZN53_$LT$core..fmt..Error$u20$as$u20$core..fmt..Debug$GT$3fmt17h0123456789abcdefE", "core"),
        ("_ZN5clap_7builder3arg17h0123456789abcdefE", "clap_"),
        ("_ZNK4YAML4Node4sizeEv", "YAML"),
        ("_ZTVN4YAML4NodeE", "YAML"),
        ("printf", ""),
    ],
)
def test_crates_and_namespaces_are_read_from_mangled_names(symbol, group):
    assert group_of(symbol) == group


@pytest.mark.parametrize("is_64", [True, False])
@pytest.mark.parametrize("is_little", [True, False])
def test_bytes_of_every_class_and_order_add_up(is_64, is_little, tmp_path):
    anatomy = anatomy_of(program(Form(is_64=is_64, is_little=is_little, trailing=b"carried along" * 9)), tmp_path)
    assert adds_up(anatomy)
    assert any(one.name == "(outside sections)" and one.bytes >= 117 for one in anatomy.sections)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_damaged_program_ends_well_or_with_an_error_of_ours(data):
    content = bytearray(program(Form(table_first=data.draw(st.booleans()))))
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(4, len(content) - 1))] = data.draw(st.sampled_from((0, 1, 0x7F, 0x80, 0xFF)))
    end = data.draw(st.integers(1, len(content)))
    with tempfile.TemporaryDirectory() as folder:
        try:
            assert adds_up(anatomy_of(bytes(content[:end]), Path(folder)))
        except ProaError as error:
            assert error.exit_status == 2  # noqa: PT017


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"\0asm\1\0\0\0", "WebAssembly"),
        (b"\x00\x00\x8a\x97" + bytes(60), "Plan 9"),
        (b"#!/bin/sh\n", "script"),
        (b"hello, this is a text", "no program"),
        (b"\xca\xfe\xba\xbe" + bytes(40), "universal"),
    ],
)
def test_what_is_no_program_says_what_it_is(content, what, tmp_path):
    with pytest.raises(WrongUsage, match=what):
        anatomy_of(content, tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x7fELF",
        b"MZ" + bytes(10),
        b"MZ" + bytes(58) + struct.pack("<I", 1 << 31),
        b"\xcf\xfa\xed\xfe" + struct.pack("<IIIIII", 0x0100000C, 0, 2, 1 << 20, 16, 0),
        b"\xcf\xfa\xed\xfe" + struct.pack("<IIIIIIIII", 0x0100000C, 0, 2, 1, 16, 0, 0, 0x19, 4) + bytes(8),
    ],
)
def test_headers_cut_short_or_lying_are_damage(content, tmp_path):
    with pytest.raises(BinaryDamaged):
        anatomy_of(content, tmp_path)


def test_a_program_packed_by_upx_says_so(tmp_path):
    bare = bytearray(program(Form(table_first=False)))
    bare[0x28:0x30] = bytes(8)
    bare[0x3A:0x40] = bytes(6)
    anatomy = anatomy_of(bytes(bare) + b"UPX!" + bytes(32), tmp_path)
    assert [one.id for one in anatomy.findings] == ["inspect.packed"]
    assert adds_up(anatomy)
    assert not anatomy.packages


def test_a_debug_file_of_another_build_is_refused(tmp_path):
    (tmp_path / "other").write_bytes(program(Form(build_id=b"another build id 123")))
    (tmp_path / "one").write_bytes(program(Form()))
    with pytest.raises(DebugMismatch):
        inspect_binary(tmp_path / "one", debug=tmp_path / "other", environ={})


def test_names_are_numbered_apart():
    names = Names()
    assert (names.package("a"), names.package(""), names.section("s", "x"), names.package("a")) == (0, -1, -2, 0)


class _Program:
    """As much of an ELF file as has build information."""

    def __init__(self, text: str) -> None:
        marked = bytes(16) + text.encode() + bytes(16)
        size = bytes([len(marked) & 0x7F | 0x80, len(marked) >> 7])
        self._content = b"\xff Go buildinf:\x08\x02" + bytes(16) + b"\x08go1.26.8" + size + marked

    def section(self, name):
        return name

    def content(self, _section):
        return self._content


def test_what_a_module_is_replaced_by_is_known():
    lines = [
        "mod\tm\t(devel)\t",
        "dep\ta\tv1",
        "=>\tb\tv1\th1:x",
        "dep\tc\tv1",
        "=>\t../c\t(devel)\t",
        "dep\td\tv2\th1:y",
    ]
    info = read_build_info(_Program("\n".join(lines)))
    assert info.modules == {"m": "(devel)", "a": "v1", "c": "(devel)", "d": "v2"}
    assert info.replacements == {"a": "b v1", "c": "../c"}


@pytest.mark.parametrize("jobs", [1, 2])
def test_compressed_bytes_of_all_owners_add_up_to_those_of_the_blocks(jobs):
    noise = random.Random(7).randbytes(BLOCK_BYTES // 2)
    content = memoryview(noise + bytes(BLOCK_BYTES) + noise)
    edges = np.array([0, len(noise), len(noise) + BLOCK_BYTES, len(content)])
    ranges = Ranges(starts=edges, owners=np.arange(3), kinds=np.zeros(3, "u1"), known=np.zeros(3, "u1"))
    with block_sizes(content, jobs=jobs) as sizes:
        blocks = sizes()
    assert blocks == [len(deflate.deflate_compress(content[at : at + BLOCK_BYTES], 6)) for at in (0, BLOCK_BYTES)]
    shares = compressed_shares(content, ranges, 3, np.array([0, 1, 2]), sizes=blocks, jobs=jobs)
    assert shares.sum() == sum(blocks)
    # What is noise takes nearly what it has, what is empty little: each of its bytes has a bit in this estimate.
    assert min(shares[0], shares[2]) > 0.85 * len(noise)
    assert shares[1] < 0.15 * BLOCK_BYTES


def test_blocks_are_left_alone_once_nobody_wants_their_sizes(monkeypatch):
    asked = []
    monkeypatch.setattr(
        deflate, "deflate_compress", lambda block, level: asked.append(level) or time.sleep(0.01) or b""
    )
    content = memoryview(bytes(1000 * BLOCK_BYTES))
    with pytest.raises(KeyError), block_sizes(content, jobs=2):
        raise KeyError
    assert len(asked) < 100
