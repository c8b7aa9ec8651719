"""Settings written into proa.yaml as a person would: a line changed or added, everything else left as it stands.

The text is edited at the places the YAML parser names, then read again: only a text that holds exactly the old values
and the new ones is written. See docs/decisions/0015-edit-proa-yaml-in-place.md.
"""

from __future__ import annotations

import difflib
import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from proa.errors import NotWritable, WrongConfiguration
from proa.outside import plainyaml
from proa.outside.configuration import parse_configuration
from proa.outside.machine import write_file
from proa.outside.store import disk_errors

if TYPE_CHECKING:
    from yaml.nodes import MappingNode, Node, SequenceNode

_INDENT = 2
_BOM = "\ufeff"


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What writing settings does to a file."""

    file: Path
    before: str
    after: str

    @property
    def diff(self) -> str:
        """Return the change as a unified diff, without line ends of its own."""
        names = ("/dev/null" if not self.before else self.file.name, self.file.name)
        lines = difflib.unified_diff(self.before.splitlines(), self.after.splitlines(), *names, lineterm="")
        return "\n".join(lines)


def plan_change(file: Path, settings: Mapping[str, Any]) -> Change:
    """Return what a file would be with these settings in it; a file that is not there is a new one.

    Raises WrongConfiguration where the file is not valid, or is written in a way that cannot be added to.
    """
    before = _read(file)
    return Change(file=file, before=before, after=edited(before, settings, name=file.name))


def write_change(change: Change) -> None:
    """Write a change, whole or not at all, with the file's permissions kept.

    Raises WrongConfiguration where somebody changed the file in the meantime, NotWritable, NoSpace.
    """
    target = change.file.resolve()
    if _read(change.file) != change.before:
        raise WrongConfiguration(f"{change.file} was changed while proa worked", hint="run it again")
    mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else None
    if mode is not None and not os.access(target, os.W_OK):
        # A rename would replace what its owner made read-only.
        raise NotWritable(f"{change.file} is read-only")
    write_file(target, change.after.encode())
    if mode is not None:
        with disk_errors(target):
            target.chmod(mode)


def _read(file: Path) -> str:
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise WrongConfiguration(f"{file} cannot be read: {error.strerror}") from error
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise WrongConfiguration(f"{file.name} is not UTF-8 text") from error


def edited(text: str, settings: Mapping[str, Any], *, name: str = "proa.yaml") -> str:
    r"""Return the text of a proa.yaml with settings laid over it. Raises WrongConfiguration.

    >>> edited("build: # ours\n  tags: [a]\nrepo: r\n", {"build": {"strip": "all"}})
    'build: # ours\n  tags: [a]\n  strip: all\nrepo: r\n'
    """
    wanted = _merged(plainyaml.read_yaml(text.removeprefix(_BOM), name=name).value or {}, settings)
    ending = "\r\n" if "\r\n" in text else "\n"
    lines = text.removeprefix(_BOM).replace("\r\n", "\n")
    # One setting at a time: each edit moves what the parser said of the rest.
    for path, value in _leaves(settings):
        lines = _set(lines, path, value, name=name)
    if _value(lines) != wanted:
        raise WrongConfiguration(
            f"{name} cannot be added to as it is written", output=block(settings).rstrip(), hint="put these lines in"
        )
    parse_configuration(lines, name=name)
    return (_BOM if text.startswith(_BOM) else "") + lines.replace("\n", ending)


def _value(text: str) -> Any:
    try:
        return plainyaml.read_yaml(text, name="").value
    except WrongConfiguration:
        return None


def _merged(under: Any, over: Mapping[str, Any]) -> dict[str, Any]:
    whole = dict(under) if isinstance(under, Mapping) else {}
    for key, value in over.items():
        if isinstance(value, Mapping):
            if value:
                whole[key] = _merged(whole.get(key), value)
        else:
            whole[key] = list(value) if isinstance(value, tuple) else value
    return whole


def _leaves(settings: Mapping[str, Any], path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    found: list[tuple[tuple[str, ...], Any]] = []
    for key, value in settings.items():
        if isinstance(value, Mapping):
            found += _leaves(value, (*path, key))
        else:
            found.append(((*path, key), value))
    return found


def _set(text: str, path: Sequence[str], value: Any, *, name: str) -> str:
    """Return the text with one setting in it."""
    import yaml

    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if root is None:
        return _on_its_own_line(text) + block(_nested(path, value))
    node: Node = root
    for depth, key in enumerate(path):
        if not isinstance(node, yaml.MappingNode):
            raise WrongConfiguration(f"{name}: {'.'.join(path[:depth]) or 'the file'} is not a mapping")
        pair = next((pair for pair in node.value if pair[0].value == key), None)
        if pair is None:
            return _inserted(text, node, _nested(path[depth:], value))
        is_last = depth == len(path) - 1
        if _is_nothing(pair[1]) and not is_last:
            column = pair[0].start_mark.column + _INDENT
            if node.flow_style or pair[1].value:
                return _replaced(text, pair, _nested(path[depth + 1 :], value))
            return _below(text, pair[0], pair[1], block(_nested(path[depth + 1 :], value), column))
        if is_last:
            return _replaced(text, pair, value)
        node = pair[1]
    return text


def _is_nothing(node: Node) -> bool:
    return node.value == "" or (node.tag == "tag:yaml.org,2002:null")


def _inserted(text: str, node: MappingNode, settings: Mapping[str, Any]) -> str:
    """Put a field behind the last one of a mapping, as that is written: in braces or on a line of its own."""
    if node.flow_style:
        at = node.value[-1][1].end_mark.index if node.value else node.start_mark.index + 1
        comma = ", " if node.value else ""
        return f"{text[:at]}{comma}{flow(settings)[1:-1]}{text[at:]}"
    key, value = node.value[-1]
    return _below(text, key, value, block(settings, key.start_mark.column))


def _below(text: str, key: Node, value: Node, lines: str) -> str:
    """Put lines below the one that a field ends on, its comment included."""
    end = max(key.end_mark.index, _end(value))
    # A block of text ends where the next line begins, anything else on its own.
    newline = end - 1 if text[end - 1 : end] == "\n" else text.find("\n", end)
    at = len(text) if newline < 0 else newline + 1
    return _on_its_own_line(text[:at]) + lines + text[at:]


def _end(node: Node) -> int:
    """Return where a value's own text ends: the parser puts the end of a block behind the comments that follow."""
    import yaml

    if isinstance(node, (yaml.MappingNode, yaml.SequenceNode)) and not node.flow_style and node.value:
        last = node.value[-1]
        return max(_end(one) for one in (last if isinstance(last, tuple) else (last,)))
    return int(node.end_mark.index)


def _replaced(text: str, pair: tuple[Node, Node], value: Any) -> str:
    """Put a value in the place of one; what a list goes on from stays, with its comments."""
    import yaml

    key, old = pair
    if _is_nothing(old):
        at = max(text.find(":", key.end_mark.index) + 1, 1)
        return f"{text[:at]} {flow(value)}{text[_end(old) if old.value else at :]}"
    if isinstance(old, yaml.SequenceNode) and not old.flow_style and old.value and isinstance(value, (list, tuple)):
        gone, more = _difference([node.value for node in old.value], list(value))
        if len(gone) < len(old.value):
            return _relisted(text, old, gone, more)
    return f"{text[: old.start_mark.index]}{flow(value)}{text[_end(old) :]}"


def _difference(old: Sequence[Any], new: Sequence[Any]) -> tuple[list[int], list[Any]]:
    """Return which of a list's items go, by number, and which come behind those that stay.

    >>> _difference(["-O2", "-g", "-DX"], ["-g", "-DX", "-Os"])
    ([0], ['-Os'])
    """
    rest = list(new)
    gone = []
    for number, one in enumerate(old):
        if rest and rest[0] == one:
            del rest[0]
        else:
            gone.append(number)
    return gone, rest


def _relisted(text: str, old: SequenceNode, gone: Sequence[int], more: Sequence[Any]) -> str:
    """Change a list of one item a line."""
    dash = " " * old.start_mark.column + "- "
    last = old.value[-1]
    lines = _below(text, last, last, "".join(f"{dash}{flow(one)}\n" for one in more)).splitlines(keepends=True)
    dropped = {line for at in gone for line in range(old.value[at].start_mark.line, old.value[at].end_mark.line + 1)}
    return "".join(line for number, line in enumerate(lines) if number not in dropped)


def _on_its_own_line(text: str) -> str:
    return text if not text or text.endswith("\n") else text + "\n"


def _nested(path: Sequence[str], value: Any) -> dict[str, Any]:
    whole: Any = value
    for key in reversed(path):
        whole = {key: whole}
    return dict(whole)


def block(settings: Mapping[str, Any], column: int = 0) -> str:
    r"""Return settings as YAML lines, indented by so many columns.

    >>> block({"build": {"strip": "all", "flags": ["-v"]}}, 2)
    '  build:\n    strip: all\n    flags: [-v]\n'
    """
    lines = ""
    for key, value in settings.items():
        if isinstance(value, Mapping) and value:
            lines += f"{' ' * column}{_scalar(key)}:\n{block(value, column + _INDENT)}"
        else:
            lines += f"{' ' * column}{_scalar(key)}: {flow(value)}\n"
    return lines


def flow(value: Any) -> str:
    """Return a value as YAML on one line.

    >>> flow({"env": {"LTO": "1"}, "cflags": ("-Os", "a, b"), "debug": True})
    '{env: {LTO: "1"}, cflags: [-Os, "a, b"], debug: true}'
    """
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_scalar(key)}: {flow(one)}" for key, one in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(flow(one) for one in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return _scalar(value) if isinstance(value, str) else str(value)


def _scalar(text: str) -> str:
    """Return text bare where every reader takes it for text, in double quotes (JSON's) otherwise."""
    import re

    is_plain = re.fullmatch(r"-?[A-Za-z./][A-Za-z0-9_./=+-]*|-Wl,[A-Za-z0-9=-]+", text) is not None
    is_word = text.lower() in ("true", "false", "null", "yes", "no", "on", "off", "y", "n")
    if is_plain and not is_word and "," not in text:
        return text
    return msgspec.json.encode(text).decode()
