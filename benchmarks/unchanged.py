"""Claim: ``proa ship`` again, with nothing changed, takes at most 0.35 of the wall time of ``ko build`` again.

Both write an OCI layout of examples/shop; proa's run includes the trial, answered from its store. The claim is
about ko as it comes. What it takes with KOCACHE, which spares it the link, is printed beside it, without a limit.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from measure import alternate, copy_shop, finish, header, ship, verdict, walls
from peers import ko_with_base

ROUNDS = 9

header("proa ship again <= 0.35 of ko build again (examples/shop, nothing changed, OCI layout, wall)")
with ko_with_base() as ko, tempfile.TemporaryDirectory() as scratch:
    place = Path(scratch)
    shop = copy_shop(place)

    def proa_again():
        return ship(["--to", f"oci:{place / 'ours'}"], cwd=shop, store=place / "store").spent

    def ko_again(**env: str):
        return ko.build(".", directory=shop, layout=place / "theirs", env=env)

    def ko_cached():
        return ko_again(KOCACHE=str(place / "kocache"))

    for first in (proa_again, ko_again, ko_cached):
        print(f"first    {first.__name__}: {first().wall_s:.2f} s")
    own, plain = (walls(spent) for spent in alternate(proa_again, ko_again, rounds=ROUNDS))
    again, cached = (walls(spent) for spent in alternate(proa_again, ko_cached, rounds=ROUNDS))
print(f"proa ship         {own} s, then {again} s\nko build          {plain} s\nko build, KOCACHE {cached} s")
print(f"info     proa / ko with KOCACHE: {again.median / cached.median:.3f}")
finish([verdict("proa / ko", own.median / plain.median, 0.35)])
