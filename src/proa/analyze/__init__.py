"""The first stage: what a project is, what it needs, and what decides its build."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from proa.analyze.cgo import explain_failure, may_use_cgo
    from proa.analyze.elfneeds import find_elf_needs
    from proa.analyze.facts import read_facts
    from proa.analyze.graph import list_graph, modules_of, packages_of, part_of
    from proa.analyze.jvm import find_jvm_needs
    from proa.analyze.key import content_key, imports_key
    from proa.analyze.native import cargo_mains, find_system, folder_of, native_main, unused_settings
    from proa.analyze.needs import find_needs
    from proa.analyze.project import read_project
    from proa.analyze.with_c import Asked, WithC, included_digest, list_graph_with_c

__all__ = [
    "Asked",
    "WithC",
    "cargo_mains",
    "content_key",
    "explain_failure",
    "find_elf_needs",
    "find_jvm_needs",
    "find_needs",
    "find_system",
    "folder_of",
    "imports_key",
    "included_digest",
    "list_graph",
    "list_graph_with_c",
    "may_use_cgo",
    "modules_of",
    "native_main",
    "packages_of",
    "part_of",
    "read_facts",
    "read_project",
    "unused_settings",
]

_HOMES = {
    "Asked": "proa.analyze.with_c",
    "WithC": "proa.analyze.with_c",
    "cargo_mains": "proa.analyze.native",
    "content_key": "proa.analyze.key",
    "explain_failure": "proa.analyze.cgo",
    "find_elf_needs": "proa.analyze.elfneeds",
    "find_jvm_needs": "proa.analyze.jvm",
    "find_needs": "proa.analyze.needs",
    "find_system": "proa.analyze.native",
    "folder_of": "proa.analyze.native",
    "imports_key": "proa.analyze.key",
    "included_digest": "proa.analyze.with_c",
    "list_graph": "proa.analyze.graph",
    "list_graph_with_c": "proa.analyze.with_c",
    "may_use_cgo": "proa.analyze.cgo",
    "modules_of": "proa.analyze.graph",
    "native_main": "proa.analyze.native",
    "packages_of": "proa.analyze.graph",
    "part_of": "proa.analyze.graph",
    "read_facts": "proa.analyze.facts",
    "read_project": "proa.analyze.project",
    "unused_settings": "proa.analyze.native",
}


def __getattr__(name: str) -> Any:
    """Import a name when it is first used: where nothing changed, most of this room never is."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
