"""The first stage: what a project is, what it needs, and what decides its build."""

from proa.analyze.cgo import explain_failure
from proa.analyze.facts import read_facts
from proa.analyze.graph import list_graph, modules_of, packages_of
from proa.analyze.key import content_key, imports_key
from proa.analyze.needs import find_needs
from proa.analyze.project import read_project

__all__ = [
    "content_key",
    "explain_failure",
    "find_needs",
    "imports_key",
    "list_graph",
    "modules_of",
    "packages_of",
    "read_facts",
    "read_project",
]
