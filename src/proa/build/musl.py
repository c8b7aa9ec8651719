"""zig in a workshop, the same on every machine: where it lies, and where its C library was compiled, shows in DWARF.

zig builds musl, once for each target, from the sources beside it; their paths and the folder it was called in get into
every program's debugging information, and from there into checksums. So it is bound to one place, and called for the
first time in one folder.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from proa.build.driver import COMPILE, LINK, STATIC
from proa.outside.store import Store
from proa.outside.workshop import Workshop
from proa.outside.zig import Compilers, Zig, compilers
from proa.records.platform import Platform

_PROGRAM = b"int main(void) { return 0; }\n"
_CXX_PROGRAM = b"#include <iostream>\nint main() { std::cout << 1; }\n"


def bound_cache(store: Store) -> Path:
    """Return zig's cache for workshops: what it compiled elsewhere has other paths in it, and would be taken."""
    return store.root / "zig" / "bound"


def bind_zig(shop: Workshop, zig: Zig, cache: Path, platform: Platform) -> tuple[Workshop, Compilers]:
    """Return the workshop with zig and its cache at places of their own, and its compilers as they are called there."""
    scripts = shop.folder / "tools"
    for name in ("zig", "zig-cache"):
        (shop.folder / name).mkdir()
    cache.mkdir(parents=True, exist_ok=True)
    inside = msgspec.structs.replace(zig, program=str(shop.place / "zig" / Path(zig.program).name))
    found = compilers(inside, platform, root=scripts)
    moved = {
        name: getattr(found, name).replace(str(shop.folder), str(shop.place), 1)
        for name in ("cc", "cxx", "ar", "ranlib")
    }
    cache_place = str(shop.place / "zig-cache")
    environment = {"ZIG_GLOBAL_CACHE_DIR": cache_place, "ZIG_LOCAL_CACHE_DIR": cache_place}
    bound = {"zig": (Path(zig.program).parent, False), "zig-cache": (cache, True)}
    shop = msgspec.structs.replace(shop, bound=bound)
    return shop, msgspec.structs.replace(found, environment=environment, **moved)


def can_bind(shop: Workshop, zig: Zig | None) -> bool:
    """Say whether zig may be bound: in a confined workshop, and where its library lies beside it, as in its wheel."""
    return bool(shop.confined_by) and zig is not None and (Path(zig.program).parent / "lib" / "libc").is_dir()


def warm(shop: Workshop, found: Compilers, cache: Path, *, flags: Sequence[str], has_cxx: bool) -> None:
    """Let zig build its C library (and C++ library) in the workshop's own folder, where that was not done before.

    What goes wrong here goes wrong again in the build, and is told there.
    """
    chosen = [flag for flag in flags if flag.startswith(("-O", "-m", "-flto", "-fPI", "-fpi"))]
    text = " ".join((found.name, found.machine, "c++" if has_cxx else "c", *chosen))
    mark = cache / f"proa-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    if mark.exists():
        return
    source = shop.folder / "tmp" / ("first.cc" if has_cxx else "first.c")
    source.write_bytes(_CXX_PROGRAM if has_cxx else _PROGRAM)
    words = [
        *COMPILE,
        *chosen,
        *LINK,
        STATIC,
        str(shop.place / "tmp" / source.name),
        "-o",
        str(shop.place / "tmp/first"),
    ]
    ran = shop.call([found.cxx if has_cxx else found.cc, *words], directory=shop.place / "tmp")
    for path in (source, shop.folder / "tmp/first"):
        path.unlink(missing_ok=True)
    if ran.status == 0:
        os.close(os.open(mark, os.O_CREAT | os.O_WRONLY, 0o644))
