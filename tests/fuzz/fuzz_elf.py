"""Change small ELF files at random and put them through every reader, for as long as is asked.

    python tests/fuzz/fuzz_elf.py --seconds 600 [--seed N] [--keep DIR]

What counts as a finding: an exception that is no ProaError, more than 2 s, more than 256 MiB. Each is kept as a file.
Deterministic for a seed. Coverage-guided tools can call ``read_all`` of ``elf_readers`` as well; this needs nothing.
"""

from __future__ import annotations

import argparse
import random
import resource
import signal
import struct
import sys
import tempfile
import time
import traceback
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"
MOST_S = 2.0
MOST_BYTES = 256 << 20
_VALUES = (0, 1, 2, 3, 4, 7, 8, 16, 0x7F, 0x80, 0xFF, 0xFFFE, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFF0, 0xFFFFFFFF,
           0x7FFFFFFFFFFFFFFF, 0x8000000000000000, 0xFFFFFFFFFFFFFFF0, 0xFFFFFFFFFFFFFFFF)  # fmt: skip


def mutated(data: bytes, rng: random.Random) -> bytes:
    """Return a file changed in one to six places: bits, fields, tables, its end."""
    out = bytearray(data)
    for _ in range(rng.randint(1, 6)):
        if not out:
            return b""
        match rng.randrange(8):
            case 0:
                out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)
            case 1:
                _put(out, rng.choice(_places(out)) + rng.randrange(0, 64, 2), rng)
            case 2:
                _put(out, rng.randrange(len(out)), rng)
            case 3:
                del out[rng.randrange(len(out)) :]
            case 4:
                source, target, size = rng.randrange(len(out)), rng.randrange(len(out)), rng.randrange(1, 128)
                out[target : target + size] = out[source : source + size]
            case 5:
                # One header over another: overlapping, repeated, in a circle.
                source, target = rng.choice(_places(out)), rng.choice(_places(out))
                out[target : target + 56] = out[source : source + 56]
            case 6:
                _put(out, rng.randrange(16, min(64, max(17, len(out)))), rng)
            case _:
                at, size = rng.randrange(len(out)), rng.randrange(1, 64)
                out[at : at + size] = rng.randbytes(size)
    return bytes(out)


def _put(out: bytearray, at: int, rng: random.Random) -> None:
    size = rng.choice((1, 2, 4, 8))
    value = rng.choice((*_VALUES, len(out), len(out) - 1, len(out) + 1, rng.randrange(len(out) + 1)))
    out[at : at + size] = (value & ((1 << 8 * size) - 1)).to_bytes(size, rng.choice(("little", "little", "big")))


def _places(data: bytearray) -> list[int]:
    """Return where the headers of segments and sections and the dynamic entries begin, as the header says."""
    if len(data) < 64:
        return [0]
    order, is_64 = ("<" if data[5] == 1 else ">"), data[4] == 2
    if is_64:
        phoff, shoff = struct.unpack_from(order + "QQ", data, 32)
        phentsize, phnum, shentsize, shnum = struct.unpack_from(order + "HHHH", data, 54)
    else:
        phoff, shoff = struct.unpack_from(order + "II", data, 28)
        phentsize, phnum, shentsize, shnum = struct.unpack_from(order + "HHHH", data, 42)
    found = [0]
    for start, size, count in ((phoff, phentsize, phnum), (shoff, shentsize, shnum)):
        found += [at for number in range(min(count, 64)) if (at := start + number * size) < len(data)]
    return found


class TooSlow(Exception):
    """One file took too long."""


def _alarm(_signal: int, _frame: object) -> None:
    raise TooSlow


def main() -> int:
    """Run for the time asked; return 1 where something was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=Path("findings"))
    asked = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).parent))
    from elf_readers import read_all

    rng = random.Random(asked.seed)
    corpus = [file.read_bytes() for file in sorted(CORPUS.iterdir())]
    signal.signal(signal.SIGALRM, _alarm)
    runs, taken, findings, slowest_s = 0, 0, 0, 0.0
    start_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    end = time.monotonic() + asked.seconds
    with tempfile.TemporaryDirectory() as folder:
        scratch, file = Path(folder) / "scratch", Path(folder) / "program"
        scratch.mkdir()
        while time.monotonic() < end:
            data = mutated(rng.choice(corpus), rng)
            file.unlink(missing_ok=True)
            file.write_bytes(data)
            started = time.monotonic()
            what = ""
            signal.setitimer(signal.ITIMER_REAL, 5 * MOST_S)
            try:
                taken += read_all(file, scratch) > 0
            except TooSlow:
                what = "too slow\n" + traceback.format_exc()
            except Exception:  # noqa: BLE001 - what is looked for is what nobody expects
                what = traceback.format_exc()
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
            runs += 1
            took_s = time.monotonic() - started
            slowest_s = max(slowest_s, took_s)
            if not what and took_s > MOST_S:
                what = f"took {took_s:.1f} s"
            if what:
                findings += 1
                asked.keep.mkdir(exist_ok=True)
                (asked.keep / f"{findings:04}.elf").write_bytes(data)
                (asked.keep / f"{findings:04}.txt").write_text(what)
                sys.stderr.write(f"{what}\n")
                if findings >= 50:
                    break
            peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
            if peak_bytes > MOST_BYTES:
                asked.keep.mkdir(exist_ok=True)
                (asked.keep / "memory.elf").write_bytes(data)
                sys.stderr.write(f"{peak_bytes >> 20} MiB\n")
                findings += 1
                break
    peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    sys.stdout.write(
        f"{runs} files, {taken} taken for sound by a reader, {findings} findings, slowest {slowest_s:.2f} s, "
        f"peak {peak_bytes >> 20} MiB ({start_bytes >> 20} MiB before the first)\n"
    )
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
