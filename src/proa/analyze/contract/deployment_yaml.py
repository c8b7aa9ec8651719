"""YAML of deployment files, read with lines: merges and several documents are followed, foreign tags are text.

``outside.plainyaml`` is for proa's own file and refuses what is unclear; what others wrote is taken as far as it goes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from yaml.nodes import Node

MOST_BYTES = 256 << 10
_MOST_NODES = 20_000
_MOST_DEPTH = 40


class Line(str):
    """A text of a YAML file with the line it stands on."""

    __slots__ = ("line",)
    line: int

    def __new__(cls, text: str, line: int) -> Self:
        """Return a text that knows its line."""
        made = super().__new__(cls, text)
        made.line = line
        return made


def line_of(text: object, default: int = 1) -> int:
    """Return the line of a text that was read from YAML."""
    return text.line if isinstance(text, Line) else default


def read_documents(data: bytes) -> list[Any]:
    r"""Return all documents, every scalar a ``Line``; none where it is no YAML.

    >>> read_documents(b"a: &x {b: 1}\nc: {<<: *x, d: off}")
    [{'a': {'b': '1'}, 'c': {'b': '1', 'd': 'off'}}]
    >>> read_documents(b"{{ .Values.x }}: [")
    []
    """
    import yaml

    if len(data) > MOST_BYTES:
        return []
    try:
        text = data.decode("utf-8-sig")
        nodes = list(yaml.compose_all(text, Loader=yaml.SafeLoader))
        budget = [_MOST_NODES]
        return [_value(node, budget, 0) for node in nodes if node is not None]
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError):
        return []


def _value(node: Node, budget: list[int], depth: int) -> Any:
    from yaml.nodes import MappingNode, ScalarNode, SequenceNode

    budget[0] -= 1
    if budget[0] < 0 or depth > _MOST_DEPTH:
        raise ValueError("stands for too many values")
    if isinstance(node, ScalarNode):
        return Line(node.value, node.start_mark.line + 1)
    if isinstance(node, SequenceNode):
        return [_value(one, budget, depth + 1) for one in node.value]
    found: dict[Any, Any] = {}
    if isinstance(node, MappingNode):
        for key, value in node.value:
            inner = _value(value, budget, depth + 1)
            if key.value == "<<":
                for one in inner if isinstance(inner, list) else [inner]:
                    found = {**one, **found} if isinstance(one, dict) else found
            elif isinstance(key, ScalarNode):
                found[Line(key.value, key.start_mark.line + 1)] = inner
    return found
