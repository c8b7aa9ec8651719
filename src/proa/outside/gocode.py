"""Machine code of a Go program read: who calls whom directly, who mentions which data.

Not a disassembler. A direct call is an instruction whose target is exactly the first byte of a function, and a
mention is one that computes the address of a known piece of data; both are searched for at every place they could
stand, so a byte sequence inside another instruction can look like one (measured: 0.2 % more than the linker lists)
and hardly any is missed. The text is read in windows, so memory stays flat.

Source: Intel SDM volume 2 (CALL, JMP, LEA, MOV); Arm ARM C6.2 (BL, B, ADRP, ADD, LDR); Power ISA 3.1 (b, bl);
System/390 principles of operation (BRASL, BRCL); RISC-V unprivileged ISA (JAL, AUIPC, JALR).
"""

from __future__ import annotations

import mmap
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec

from proa.outside.elf import cut
from proa.outside.gobinary import GoBinary

EM_386, EM_ARM, EM_X86_64, EM_AARCH64 = 3, 40, 62, 183
_WINDOW_BYTES = 4 << 20
_MOST_METHODS = 48
"""Methods of one table that are looked at; the rest of a larger one count as function values (arbitrary)."""
_OVERLAP_BYTES = 16
"""The longest instruction, or pair of them, that is looked for, rounded up."""


class Code(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What the machine code says, as arrays of one row per call or mention."""

    call_addresses: Any
    callers: Any
    callees: Any
    mention_addresses: Any
    mentioned_by: Any
    mentioned: Any
    """Which of the given addresses: an index into them."""


def can_read(binary: GoBinary) -> bool:
    """Say whether the machine code of this architecture can be read."""
    return binary.elf.machine in _READERS


def read_code(binary: GoBinary, data_addresses: Any) -> Code:
    """Return the direct calls, and the mentions of data at the given addresses (ascending, int64).

    Raises BinaryDamaged; KeyError where ``can_read`` says no.
    """
    import numpy as np

    read = _READERS[binary.elf.machine]
    entries = binary.entries
    alignment = int(np.bitwise_or.reduce(entries)) | 1 << 8
    alignment &= -alignment
    text, size = binary.text_address, binary.end_address - binary.text_address
    calls: list[tuple[Any, Any]] = []
    mentions: list[tuple[Any, Any]] = []
    start = binary.elf.offset_of(text)
    content = cut(binary.elf.data, start, size)
    for at in range(0, size, _WINDOW_BYTES):
        window = np.frombuffer(content[at : at + _WINDOW_BYTES + _OVERLAP_BYTES], dtype="u1")
        found_calls, found_mentions = read(window, text + at)
        addresses, targets = found_calls
        near = (targets >= text) & (targets < text + size) & ((targets & (alignment - 1)) == 0)
        calls.append(_exactly(addresses[near], targets[near], entries))
        mentions.append(_exactly(*found_mentions, data_addresses))
        _forget(binary, start + at, _WINDOW_BYTES)
    call_addresses, callees = (np.concatenate(column) for column in zip(*calls, strict=True))
    mention_addresses, mentioned = (np.concatenate(column) for column in zip(*mentions, strict=True))
    call_addresses, callees = _first_of_each(call_addresses, callees)
    callers = entries.searchsorted(call_addresses, side="right") - 1
    # A jump to the function's own start is the retry after its stack was grown.
    other = callers != callees
    return Code(
        call_addresses=call_addresses[other],
        callers=callers[other].astype("i4"),
        callees=callees[other],
        mention_addresses=mention_addresses,
        mentioned_by=(entries.searchsorted(mention_addresses, side="right") - 1).astype("i4"),
        mentioned=mentioned,
    )


def function_values(binary: GoBinary) -> tuple[Any, Any]:
    """Return the addresses of data words that hold a function's address, and the functions' numbers.

    These are what a function value points at, and the method slots of interface tables.
    """
    import numpy as np

    addresses, functions = [], []
    word = binary.pointer_bytes
    text = binary.elf.section(".text")
    for section in binary.elf.sections:
        if not section.is_allocated or section.file_bytes < word or section is text or "pclntab" in section.name:
            continue
        content = binary.elf.content(section)
        for at in range(0, len(content), _WINDOW_BYTES):
            window = content[at : at + _WINDOW_BYTES]
            words = np.frombuffer(window[: len(window) - len(window) % word], dtype=f"{binary.elf.order}u{word}")
            near = np.flatnonzero((words >= binary.text_address) & (words < binary.end_address))
            places, found = _exactly(section.address + at + near * word, words[near].astype("i8"), binary.entries)
            addresses.append(places)
            functions.append(found)
            _forget(binary, section.offset + at, _WINDOW_BYTES)
    if not addresses:
        return np.empty(0, "i8"), np.empty(0, "i4")
    return np.concatenate(addresses), np.concatenate(functions)


def method_tables(binary: GoBinary, places: Any) -> Any:
    """Return for each place that holds a function's address the start of the method table it is in, or the place.

    A method table (itab) is: interface, type, the type's hash (u32), methods. It is told by the hash, which is the
    one in the type it points at; from Go 1.27 on it has no symbol. Source: src/internal/abi/iface.go, type.go of Go.
    """
    import numpy as np

    word, tables = binary.pointer_bytes, places.copy()
    first = 24 if word == 8 else 12
    rows = np.arange(len(places))
    for number in range(_MOST_METHODS):
        starts = places[rows] - first - word * number
        kinds = numbers_at(binary, starts + word, f"u{word}").astype("i8")
        hashes = numbers_at(binary, starts + 2 * word, "u4")
        is_table = (hashes != 0) & (hashes == numbers_at(binary, kinds + 2 * word, "u4")) & (kinds % word == 0)
        tables[rows[is_table]] = starts[is_table]
        before = numbers_at(binary, places[rows] - word * (number + 1), f"u{word}").astype("i8")
        # What stands before another method is a method, or nothing where the linker left that one out.
        follows = (before == 0) | ((before >= binary.text_address) & (before < binary.end_address))
        rows = rows[~is_table & follows]
    return tables


def numbers_at(binary: GoBinary, addresses: Any, kind: str) -> Any:
    """Return the numbers at some addresses; 0 where there is none in the file."""
    import numpy as np

    form = np.dtype(f"{binary.elf.order}{kind}")
    found = np.zeros(len(addresses), form)
    for section in binary.elf.sections:
        if section.is_allocated and section.address and section.file_bytes >= form.itemsize:
            size = section.file_bytes - form.itemsize + 1
            inside = np.flatnonzero((addresses >= section.address) & (addresses < section.address + size))
            if len(inside):
                view: Any = np.ndarray((size,), form, binary.elf.content(section), strides=(1,))
                found[inside] = view[addresses[inside] - section.address]
    return found


def _exactly(addresses: Any, targets: Any, known: Any) -> tuple[Any, Any]:
    """Return the rows whose target is one of ``known`` (ascending), and which of them."""
    import numpy as np

    if not len(known) or not len(targets):
        return addresses[:0], np.empty(0, "i4")
    at = np.minimum(known.searchsorted(targets), len(known) - 1)
    same = known[at] == targets
    return addresses[same], at[same].astype("i4")


def _first_of_each(addresses: Any, values: Any) -> tuple[Any, Any]:
    """Drop what was found twice where two windows overlap."""
    import numpy as np

    _, first = np.unique(addresses, return_index=True)
    return addresses[first], values[first]


def _forget(binary: GoBinary, offset: int, size: int) -> None:
    """Give the pages just read back, so that reading a large program does not fill memory."""
    whole = binary.elf.data.obj
    if isinstance(whole, mmap.mmap):
        start = offset - offset % mmap.PAGESIZE
        with suppress(OSError, ValueError):
            whole.madvise(mmap.MADV_DONTNEED, start, min(size, len(whole) - start))


_Found = tuple[tuple[Any, Any], tuple[Any, Any]]
"""Addresses and targets of calls, then of mentions."""


def _read_x86(window: Any, address: int, *, is_relative: bool) -> _Found:
    import numpy as np

    if len(window) < 8:
        return (np.empty(0, "i8"), np.empty(0, "i8")), (np.empty(0, "i8"), np.empty(0, "i8"))
    # A 32-bit number at every byte: displacements are not aligned.
    numbers: Any = np.ndarray((len(window) - 3,), "<i4", window.data, strides=(1,))
    calls = np.flatnonzero((window[:-4] & 0xFE) == 0xE8)
    call_addresses = calls + address
    call_targets = call_addresses + 5 + numbers[calls + 1]
    # LEA and MOV r, [disp32]: opcode 8D or 8B, then a byte with mode 00 and operand 101.
    mentions = np.flatnonzero(((window[:-5] & 0xF9) == 0x89) & ((window[1:-4] & 0xC7) == 0x05))
    mention_addresses = mentions + address
    targets = numbers[mentions + 2].astype("i8")
    targets = mention_addresses + 6 + targets if is_relative else targets & 0xFFFFFFFF
    return (call_addresses, call_targets), (mention_addresses, targets)


def _read_amd64(window: Any, address: int) -> _Found:
    return _read_x86(window, address, is_relative=True)


def _read_386(window: Any, address: int) -> _Found:
    return _read_x86(window, address, is_relative=False)


def _read_arm64(window: Any, address: int) -> _Found:
    import numpy as np

    words = window[: len(window) - len(window) % 4].view("<u4")
    # BL and B: the same but for the top bit.
    calls = np.flatnonzero((words & 0x7C000000) == 0x14000000)
    offsets = (words[calls].astype("i8") & 0x03FFFFFF) << 2
    call_addresses = calls * 4 + address
    call_targets = call_addresses + offsets - ((offsets & 0x08000000) << 1)
    pages = np.flatnonzero((words[:-1] & 0x9F000000) == 0x90000000)
    first, second = words[pages].astype("i8"), words[pages + 1].astype("i8")
    page = (((first >> 5) & 0x7FFFF) << 2) | ((first >> 29) & 3)
    page = page - ((page & 0x100000) << 1)
    mention_addresses = pages * 4 + address
    within = (second >> 10) & 0xFFF
    # ADD takes the offset as it is; a 64-bit load counts it in eights.
    is_add = (second & 0xFFC00000) == 0x91000000
    is_load = (second & 0xFFC00000) == 0xF9400000
    targets = ((mention_addresses >> 12) + page << 12) + np.where(is_add, within, within << 3)
    pairs = is_add | is_load
    return (call_addresses, call_targets), (mention_addresses[pairs], targets[pairs])


def _read_arm(window: Any, address: int) -> _Found:
    import numpy as np

    words = window[: len(window) - len(window) % 4].view("<u4")
    calls = np.flatnonzero((words & 0xFE000000) == 0xEA000000)
    offsets = (words[calls].astype("i8") & 0x00FFFFFF) << 2
    call_addresses = calls * 4 + address
    call_targets = call_addresses + 8 + offsets - ((offsets & 0x02000000) << 1)
    # Addresses of data stand as words between the functions' instructions.
    places = np.arange(len(words)) * 4 + address
    return (call_addresses, call_targets), (places, words.astype("i8"))


_READERS: dict[int, Callable[[Any, int], _Found]] = {
    EM_386: _read_386,
    EM_ARM: _read_arm,
    EM_X86_64: _read_amd64,
    EM_AARCH64: _read_arm64,
}


def mentions(binary: GoBinary, low: int, high: int) -> tuple[Any, Any]:
    """Return the functions that compute an address in a range, and the addresses, whatever is there.

    Raises BinaryDamaged; KeyError where ``can_read`` says no.
    """
    places, targets = mention_places(binary, low, high)
    return binary.entries.searchsorted(places, side="right") - 1, targets


def mention_places(binary: GoBinary, low: int, high: int) -> tuple[Any, Any]:
    """Return where the code computes an address in a range, and the addresses, whatever is there.

    Raises BinaryDamaged; KeyError where ``can_read`` says no.
    """
    import numpy as np

    read = _READERS[binary.elf.machine]
    text, size = binary.text_address, binary.end_address - binary.text_address
    start = binary.elf.offset_of(text)
    content = cut(binary.elf.data, start, size)
    places, targets = [np.empty(0, "i8")], [np.empty(0, "i8")]
    for at in range(0, size, _WINDOW_BYTES):
        window = np.frombuffer(content[at : at + _WINDOW_BYTES + _OVERLAP_BYTES], dtype="u1")
        found, target = read(window, text + at)[1]
        near = np.flatnonzero((target >= low) & (target < high))
        places.append(found[near])
        targets.append(target[near])
        _forget(binary, start + at, _WINDOW_BYTES)
    return np.concatenate(places), np.concatenate(targets)
