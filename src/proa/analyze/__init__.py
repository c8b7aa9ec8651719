"""The first stage: what a project is, what it needs, and what decides its build."""

from proa.analyze.graph import list_graph, modules_of, packages_of
from proa.analyze.key import content_key

__all__ = ["content_key", "list_graph", "modules_of", "packages_of"]
