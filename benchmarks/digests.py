"""Claim: the same source gives the same digest on what might be another machine.

Each difference is tried alone, on a store of its own, with the build cache shared; then all together with an empty
build cache, so that nothing can be the same only because it was kept.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from measure import copy_shop, environment, finish, go, header, run, ship

header("one digest whatever the path, user, umask, clock, time zone, cores and locale (examples/shop)")
results = []
with tempfile.TemporaryDirectory() as scratch:
    place = Path(scratch)
    shop = copy_shop(place)
    kept = {
        name: run([go(), "env", name], env=environment()).stdout.strip() for name in ("GOMODCACHE", "GOCACHE", "GOPATH")
    }

    def elsewhere() -> Path:
        """Clone the shop to a longer path, its files as young as the clone."""
        folder = place / "another" / "machine's" / "long path" / "shop"
        if not folder.exists():
            folder.parent.mkdir(parents=True)
            run(["git", "clone", "--quiet", str(shop), str(folder)], env=environment())
        return folder

    def home() -> str:
        """Return another user's empty home."""
        folder = place / "home"
        folder.mkdir(exist_ok=True)
        return str(folder)

    # Inside a user namespace this process is somebody else; the files stay readable.
    user = ("unshare", "--user", "--map-user=1234", "--map-group=1234")
    clock = ("faketime", "2031-05-06 07:08:09")
    core = ("taskset", "--cpu-list", str(min(os.sched_getaffinity(0))))
    umask = ("sh", "-c", 'umask 0077; exec "$@"', "sh")
    words = {"LC_ALL": "C", "LANG": "tr_TR.UTF-8", "TZ": "Pacific/Chatham"}
    differences: dict[str, tuple[Path, tuple[str, ...], dict[str, str]]] = {
        "nothing": (shop, (), {}),
        "path": (elsewhere(), (), {}),
        "user and home": (shop, user, {**kept, "HOME": home()}),
        "umask": (shop, umask, {}),
        "clock": (shop, clock, {}),
        "time zone": (shop, (), {"TZ": words["TZ"]}),
        "cores": (shop, core, {}),
        "locale": (shop, (), {"LC_ALL": words["LC_ALL"], "LANG": words["LANG"]}),
        "all of it, empty build cache": (
            elsewhere(),
            (*user, *(clock if shutil.which(clock[0]) else ()), *core, *umask),
            {**kept, **words, "HOME": home(), "GOCACHE": str(place / "gocache")},
        ),
    }
    expected = ship(["--no-trial"], cwd=shop, store=place / "store").record["digest"]
    print(f"       {expected}")
    for number, (what, (folder, under, changes)) in enumerate(differences.items()):
        missing = [tool for tool in under if tool in ("faketime", "unshare", "taskset") and not shutil.which(tool)]
        if missing:
            print(f"skip   {what}: {', '.join(missing)} is not installed")
            continue
        digest = ship(["--no-trial"], cwd=folder, store=place / f"store-{number}", under=under, **changes).record[
            "digest"
        ]
        results.append(digest == expected)
        print(f"{'ok  ' if digest == expected else 'FAIL'}   {what}{'' if digest == expected else f': {digest}'}")
finish(results)
