"""YAML read into plain values, with the line of every one: bounded, no tags, nothing guessed.

Only what is plainly a number, ``true``, ``false`` or ``null`` is one. YAML 1.1 would make a boolean of ``off``, 493 of
``0755`` and 60600 of ``1010:00``; here they stay the text they are. Source: https://yaml.org/spec/1.2.2/, chapter 10.3.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from proa.errors import WrongConfiguration

if TYPE_CHECKING:
    from yaml.nodes import MappingNode, Node, ScalarNode

MOST_BYTES = 256 << 10
_MOST_NODES = 20_000
"""Values after aliases are followed: a few lines of aliases can stand for billions."""
_MOST_DEPTH = 50

Path = tuple[str | int, ...]

_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?")
_PLAIN = "tag:yaml.org,2002:"
_GUESSED = frozenset({"int", "float", "bool", "null", "timestamp", "value", "merge"})
"""Tags that PyYAML gives to plain words."""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a value stands and how it is written there."""

    line: int
    raw: str = ""


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A YAML document: its value, and where every part of it stands, by path."""

    value: Any
    places: dict[Path, Place]


def read_yaml(text: str, *, name: str) -> Document:
    """Read one document; an empty one is None. ``name`` is the file's, for errors. Raises WrongConfiguration.

    >>> read_yaml("a: [off, 0755, 1.10]", name="x").value
    {'a': ['off', '0755', 1.1]}
    """
    import yaml

    if len(text) > MOST_BYTES:
        raise WrongConfiguration(f"{name} is larger than {MOST_BYTES >> 10} KiB")
    try:
        # The parser in Python: the one in C has no bound on nesting in every version.
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        raise _syntax(name, text, error) from error
    except yaml.YAMLError as error:
        raise WrongConfiguration(f"{name} is not valid YAML: {str(error).splitlines()[0]}") from error
    except RecursionError as error:
        raise WrongConfiguration(f"{name} is nested too deeply") from error
    except (ValueError, OverflowError) as error:
        # PyYAML lets a few through, such as a \U escape beyond Unicode.
        raise WrongConfiguration(f"{name} is not valid YAML: {error}") from error
    reader = _Reader(name)
    value = reader.value(node, ()) if node is not None else None
    return Document(value=value, places=reader.places)


def _syntax(name: str, text: str, error: Any) -> WrongConfiguration:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 1
    lines = text.splitlines()
    # Tabs are named where they are, because YAML's own words for them are hard to read.
    shown = lines[line - 1] if line <= len(lines) else ""
    has_tab = "\t" in shown[: len(shown) - len(shown.lstrip())] or "\\t" in (error.problem or "")
    problem = error.problem or error.context or "cannot be read"
    return WrongConfiguration(
        f"{name}:{line}: {problem}",
        output=shown[:200],
        hint="YAML is indented by spaces, never by tabs" if has_tab else "",
    )


class _Reader:
    """Turn nodes into values, counting them and remembering where they stood."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.places: dict[Path, Place] = {}

    def value(self, node: Node, path: Path) -> Any:
        from yaml.nodes import MappingNode, ScalarNode, SequenceNode

        self.places[path] = Place(line=node.start_mark.line + 1, raw=node.value if isinstance(node, ScalarNode) else "")
        if len(self.places) > _MOST_NODES or len(path) > _MOST_DEPTH:
            raise self._wrong(node, "the file stands for too many values (aliases inside aliases, or nesting)")
        match node:
            case MappingNode():
                return self._mapping(node, path)
            case SequenceNode():
                self._check_tag(node, "seq")
                return [self.value(item, (*path, at)) for at, item in enumerate(node.value)]
            case ScalarNode():
                return self._scalar(node)
            case _:
                raise self._wrong(node, "this is no value")

    def _mapping(self, node: MappingNode, path: Path) -> dict[str, Any]:
        self._check_tag(node, "map")
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag == f"{_PLAIN}merge":
                raise self._wrong(key_node, "<< is not understood: write the fields out")
            if not isinstance(key_node.value, str):
                raise self._wrong(key_node, "a field's name is a plain word")
            if key_node.value in found:
                raise self._wrong(key_node, f"{dotted((*path, key_node.value))} is given twice")
            found[key_node.value] = self.value(value_node, (*path, key_node.value))
        return found

    def _scalar(self, node: ScalarNode) -> Any:
        text: str = node.value
        if node.style or node.tag == f"{_PLAIN}str":
            self._check_tag(node, "str")
            return text
        if node.tag.removeprefix(_PLAIN) not in _GUESSED:
            self._check_tag(node, "str")
        word = text.lower()
        if word in ("", "~", "null"):
            return None
        if word in ("true", "false"):
            return word == "true"
        if _INTEGER.fullmatch(text):
            return int(text)
        return float(text) if _FLOAT.fullmatch(text) else text

    def _check_tag(self, node: Node, expected: str) -> None:
        if node.tag != _PLAIN + expected:
            raise self._wrong(node, f"the tag {node.tag.replace(_PLAIN, '!!')} is not understood")

    def _wrong(self, node: Node, what: str) -> WrongConfiguration:
        return WrongConfiguration(f"{self.name}:{node.start_mark.line + 1}: {what}")


def dotted(path: Path) -> str:
    """Return a path as people write it.

    >>> dotted(("image", "files", 0, "from"))
    'image.files[0].from'
    """
    words = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return words.removeprefix(".")
