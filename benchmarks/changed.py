"""Claim: with one source file of examples/shop changed, ``proa ship`` takes at most 0.70 of ko's wall time.

Every run of either tool gets a change no compiler has seen before, so neither profits from the other's build
cache. Trial off, both to an OCI layout. The claim is about ko as it comes; KOCACHE is printed beside it.
"""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path

from measure import alternate, copy_shop, finish, header, ship, verdict, walls
from peers import ko_with_base

ROUNDS = 7

header("proa ship <= 0.70 of ko build (examples/shop, one source file changed, trial off, OCI layout, wall)")
with ko_with_base() as ko, tempfile.TemporaryDirectory() as scratch:
    place = Path(scratch)
    shop = copy_shop(place)
    source = shop / "shop.go"
    original = source.read_text(encoding="utf-8")
    edits = itertools.count(1)

    def edit():
        changed = original.replace('[]byte("ok\\n")', f'[]byte("ok, edit {next(edits)} of {scratch}\\n")')
        if changed == original:
            raise SystemExit("the health route's answer was not found in shop.go")
        source.write_text(changed, encoding="utf-8")

    def proa_changed():
        edit()
        return ship(["--no-trial", "--to", f"oci:{place / 'ours'}"], cwd=shop, store=place / "store").spent

    def ko_changed(**env: str):
        edit()
        return ko.build(".", directory=shop, layout=place / "theirs", env=env)

    def ko_cached():
        return ko_changed(KOCACHE=str(place / "kocache"))

    for first in (proa_changed, ko_changed, ko_cached):
        print(f"first    {first.__name__}: {first().wall_s:.2f} s")
    own, plain = (walls(spent) for spent in alternate(proa_changed, ko_changed, rounds=ROUNDS))
    again, cached = (walls(spent) for spent in alternate(proa_changed, ko_cached, rounds=ROUNDS))
print(f"proa ship         {own} s, then {again} s\nko build          {plain} s\nko build, KOCACHE {cached} s")
print(f"info     proa / ko with KOCACHE: {again.median / cached.median:.3f}")
finish([verdict("proa / ko", own.median / plain.median, 0.70)])
