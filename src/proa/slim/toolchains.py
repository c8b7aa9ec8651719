"""Tool chains that no system package owns: what builds programs and is not needed to run them.

Known by their shape, not by where they lie. When a program of one is kept, all of it is.
"""

from __future__ import annotations

import posixpath

from proa.slim.growth import Growth
from proa.slim.tree import Tree


def toolchain_folders(tree: Tree) -> dict[str, str]:
    """Return the folders of tool chains outside system packages, and what each is."""
    found: dict[str, str] = {}
    for path in tree.paths:
        folder, _, name = path.rpartition("/")
        if name == "VERSION" and tree.is_folder(f"{folder}/pkg/tool") and tree.is_folder(f"{folder}/src/runtime"):
            found[folder] = "the Go tool chain"
        elif name == "rustc" and folder.endswith("/bin") and tree.is_folder(f"{posixpath.dirname(folder)}/lib/rustlib"):
            found[posixpath.dirname(folder)] = "the Rust tool chain"
        elif name == "mvn" and folder.endswith("/bin") and tree.is_folder(f"{posixpath.dirname(folder)}/lib"):
            found[posixpath.dirname(folder)] = "Maven"
        elif name == "gradle" and folder.endswith("/bin") and tree.is_folder(f"{posixpath.dirname(folder)}/lib"):
            found[posixpath.dirname(folder)] = "Gradle"
        elif name == "yarn.js" and folder.endswith("/lib"):
            found[posixpath.dirname(folder)] = "yarn"
        elif name == "jvm.cfg" and folder.endswith("/lib"):
            found[posixpath.dirname(folder)] = "Java"
    # A folder that everybody shares is no tool chain's own.
    return {folder: what for folder, what in found.items() if folder not in ("", "/usr", "/usr/local")}


def follow_toolchain(growth: Growth, path: str) -> None:
    """Keep a whole tool chain when one of its programs is kept."""
    if "/bin/" not in path:
        return
    for folder, what in growth.toolchains.items():
        if what != "Java" and path.startswith(f"{folder}/"):
            growth.keep_below(folder, "interpreter", f"{path} is a program of {what}", all_of_it=True)


def keep_go_zones(growth: Growth) -> None:
    """Keep the zones of Go's own tool chain: programs built by it look for them there."""
    for folder, what in growth.toolchains.items():
        if what == "the Go tool chain":
            growth.keep(f"{folder}/lib/time/zoneinfo.zip", "zones", "programs built by this Go look for zones there")
