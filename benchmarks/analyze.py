"""Claim: `proa analyze` of caddy, when nothing has changed, takes at most 2.5 times `go list -deps -json` alone.

Both on the same copy of caddy's module in a folder that can be written, so that nothing is told from its being a module
version; the program was linked, read and started once before. A tree of 200,000 generated files is analyzed as well:
it must be done within 30 s.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

from measure import Spent, alternate, environment, finish, go, header, proa, run, verdict, walls
from peers import programs

_ROUNDS = 7
_FILES = 200_000
_LARGE_S = 30.0


def main() -> None:
    header("proa analyze of caddy, warm, <= 2.5 x go list -deps -json; 200,000 files within 30 s")
    caddy = next(one for one in programs(["caddy"]))
    with tempfile.TemporaryDirectory(prefix="proa-bench-") as scratch:
        results = [_warm(caddy.package, caddy.version, Path(scratch)), _large(Path(scratch))]
    finish(results)


def _warm(package: str, version: str, scratch: Path) -> bool:
    module = package.partition("/cmd/")[0]
    folder = scratch / "caddy"
    env = environment(GOFLAGS="", PROA_CACHE=str(scratch / "store"), CI="true")
    found = json.loads(run([go(), "mod", "download", "-json", f"{module}@{version}"], env=env, cwd=scratch).stdout)
    shutil.copytree(found["Dir"], folder, copy_function=shutil.copyfile)
    for path in (folder, *folder.rglob("*")):
        if path.is_dir():
            path.chmod(0o755)

    def analyzed() -> Spent:
        return run([proa(), "analyze", "--format", "json", "./cmd/caddy"], cwd=folder, env=env)

    def listed() -> Spent:
        return run([go(), "list", "-deps", "-json", "./cmd/caddy"], cwd=folder, env=env)

    first = analyzed()
    analyzed()
    ours, theirs = alternate(analyzed, listed, rounds=_ROUNDS)
    document = json.loads(ours[-1].stdout)
    print(f"first    {first.wall_s:.1f} s: linked, read and started")
    print(f"analyze  {walls(ours)} s warm; {len(document['variables'])} variables, {len(document['startup'])} steps")
    print(f"go list  {walls(theirs)} s")
    return verdict("proa analyze / go list -deps -json", walls(ours).median / walls(theirs).median, 2.5)


def _large(scratch: Path) -> bool:
    folder = scratch / "monorepo"
    for service in range(200):
        for part in range(20):
            place = folder / f"services/s{service}/src/p{part}"
            place.mkdir(parents=True)
            for number in range(_FILES // 4000):
                (place / f"f{number}.js").write_text("export const a = process.env.PORT;\n", encoding="utf-8")
        manifest = f'{{"name": "s{service}", "engines": {{"node": ">=20"}}, "dependencies": {{"express": "^4.18.2"}}}}'
        (folder / f"services/s{service}/package.json").write_text(manifest, encoding="utf-8")
    # A link in a circle must not be followed.
    (folder / "services/again").symlink_to("..")
    env = environment(PROA_CACHE=str(scratch / "store"), CI="true")
    for arrangement in ("without git", "in git"):
        if arrangement == "in git":
            run(["git", "init", "--quiet"], cwd=folder, env=env)
        spent = run([proa(), "analyze", "--no-trial", "--format", "json"], cwd=folder, env=env)
        files = sum(one["files"] for one in json.loads(spent.stdout)["layout"] if one["path"].endswith("/"))
        print(f"large    {spent.wall_s:.1f} s for {files} files {arrangement}")
        if not verdict(f"{_FILES} files {arrangement}", spent.wall_s, _LARGE_S, unit=" s"):
            return False
    return True


if __name__ == "__main__":
    sys.exit(main())
