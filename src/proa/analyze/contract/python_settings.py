"""The fields of pydantic's settings classes, as the variables they are read from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

import msgspec

from proa.analyze.contract.grammar import Parsed
from proa.analyze.contract.python_syntax import Module, arguments, literal, written
from proa.analyze.contract.reading import variable
from proa.analyze.syntax import field_text, text_of, walk
from proa.records.contract import InputType, Variable

if TYPE_CHECKING:
    from tree_sitter import Node

_TYPES: dict[str, InputType] = {
    "int": "integer", "PositiveInt": "integer", "NonNegativeInt": "integer", "conint": "integer", "float": "number",
    "Decimal": "number", "bool": "boolean", "StrictBool": "boolean", "str": "text", "SecretStr": "text",
    "AnyUrl": "url", "AnyHttpUrl": "url", "HttpUrl": "url", "PostgresDsn": "url", "RedisDsn": "url", "AmqpDsn": "url",
    "MongoDsn": "url", "MySQLDsn": "url", "KafkaDsn": "url", "NatsDsn": "url", "MariaDBDsn": "url", "Path": "path",
    "FilePath": "path", "DirectoryPath": "path", "timedelta": "duration", "list": "list", "List": "list",
    "set": "list", "Set": "list", "tuple": "list", "Tuple": "list", "Sequence": "list", "IPvAnyAddress": "address",
}  # fmt: skip
_SECRETS = ("SecretStr", "SecretBytes", "Secret")
_MOST_DEPTH = 4


class _Options(msgspec.Struct, frozen=True):
    prefix: str = ""
    delimiter: str = ""
    env_files: tuple[str, ...] = ()


def settings_classes(modules: Iterable[Module], constants: Mapping[str, str]) -> Iterator[Variable]:
    """Yield the variables of every settings class; what only other classes derive from counts through them."""
    classes: dict[str, tuple[Node, Parsed, Mapping[str, str], tuple[str, ...]]] = {}
    for module in modules:
        for node in module.parsed.nodes("class_definition"):
            known = {**constants, **module.constants}
            classes.setdefault(field_text(node, "name"), (node, module.parsed, known, _bases(node)))
    reader = _Reader(classes)
    parents = {base for name in classes if reader.is_settings(name) for base in classes[name][3]}
    for name in classes:
        if reader.is_settings(name) and name not in parents:
            yield from reader.variables(name)


def _bases(node: Node) -> tuple[str, ...]:
    given = node.child_by_field_name("superclasses")
    return tuple(
        text_of(child).rpartition(".")[2].split("[")[0]
        for child in (given.named_children if given is not None else ())
        if child.type in ("identifier", "attribute", "subscript")
    )


class _Reader:
    def __init__(self, classes: Mapping[str, tuple[Node, Parsed, Mapping[str, str], tuple[str, ...]]]) -> None:
        self.classes = classes

    def is_settings(self, name: str, depth: int = 0) -> bool:
        if name not in self.classes:
            return name == "BaseSettings"
        return depth < 8 and any(self.is_settings(base, depth + 1) for base in self.classes[name][3])

    def variables(self, name: str) -> Iterator[Variable]:
        options = self.options(name)
        yield from self.fields(name, options.prefix, options.delimiter, 0)
        node, parsed, _, _ = self.classes[name]
        for file in options.env_files:
            yield variable(file, parsed.at(node), by="pydantic-settings", kind="file", type="path")

    def options(self, name: str, depth: int = 0) -> _Options:
        """Return what ``model_config`` or ``class Config`` say, those of the nearest class first."""
        if name not in self.classes or depth > 8:
            return _Options()
        node, _, known, bases = self.classes[name]
        words: dict[str, Node] = {}
        body = node.child_by_field_name("body")
        for statement in body.named_children if body is not None else ():
            if statement.type == "class_definition" and field_text(statement, "name") == "Config":
                words |= {
                    field_text(one, "left"): right
                    for one in walk(statement)
                    if one.type == "assignment" and (right := one.child_by_field_name("right")) is not None
                }
            for one in statement.named_children[:1]:
                if one.type == "assignment" and field_text(one, "left") == "model_config":
                    words |= _config(one.child_by_field_name("right"))
        above = next((found for base in bases if (found := self.options(base, depth + 1)) != _Options()), _Options())
        files = words.get("env_file")
        listed = files.named_children if files is not None and files.type in ("tuple", "list") else [files]
        return _Options(
            prefix=literal(words.get("env_prefix"), known) or above.prefix,
            delimiter=literal(words.get("env_nested_delimiter"), known) or above.delimiter,
            env_files=tuple(text for one in listed if (text := literal(one, known))) or above.env_files,
        )

    def fields(self, name: str, prefix: str, delimiter: str, depth: int) -> Iterator[Variable]:
        if name not in self.classes or depth > _MOST_DEPTH:
            return
        node, parsed, known, bases = self.classes[name]
        for base in bases:
            yield from self.fields(base, prefix, delimiter, depth + 1)
        body = node.child_by_field_name("body")
        for statement in body.named_children if body is not None else ():
            one = statement.named_children[0] if statement.type == "expression_statement" else None
            if one is not None and one.type == "assignment" and one.child_by_field_name("type") is not None:
                yield from self.field(one, _Spot(parsed, known, prefix, delimiter, depth))

    def field(self, node: Node, spot: _Spot) -> Iterator[Variable]:
        own, annotation = field_text(node, "left"), node.child_by_field_name("type")
        words = _type_words(annotation)
        if own.startswith("_") or own == "model_config" or "ClassVar" in words:
            return
        given = _given(node, annotation)
        names, default, has_default = _names(own, given, spot)
        inner = next((word for word in words if word in self.classes and not self.is_settings(word)), "")
        if inner and "BaseModel" in self.ancestry(inner):
            if spot.delimiter:
                yield from self.fields(inner, f"{names[0]}{spot.delimiter}", spot.delimiter, spot.depth + 1)
            return
        described = literal(given[1].get("description"), spot.known) or ""
        yield variable(
            names[0],
            spot.parsed.at(node, own),
            by="pydantic-settings",
            type=next((_TYPES[word] for word in words if word in _TYPES), "unknown"),
            default=default,
            is_required=not has_default,
            is_secret=any(word in _SECRETS for word in words),
            help=described,
            aliases=names[1:],
        )

    def ancestry(self, name: str, depth: int = 0) -> set[str]:
        bases = self.classes[name][3] if name in self.classes and depth < 8 else ()
        return {name, *bases}.union(*(self.ancestry(base, depth + 1) for base in bases))


class _Spot(msgspec.Struct, frozen=True):
    """Where a field stands: its file, what is known there, and what is put before its name."""

    parsed: Parsed
    known: Mapping[str, str]
    prefix: str
    delimiter: str
    depth: int


def _config(node: Node | None) -> dict[str, Node]:
    if node is None:
        return {}
    if node.type == "call":
        return arguments(node)[1]
    pairs = [one for one in node.named_children if one.type == "pair"] if node.type == "dictionary" else []
    return {field_text(one, "key").strip("'\""): value for one in pairs if (value := one.child_by_field_name("value"))}


def _type_words(annotation: Node | None) -> list[str]:
    return [text_of(one) for one in walk(annotation) if one.type == "identifier"]


def _given(node: Node, annotation: Node | None) -> tuple[Node | None, dict[str, Node]]:
    """Return the default's expression and the words of ``Field(…)``, wherever it stands."""
    right = node.child_by_field_name("right")
    words: dict[str, Node] = {}
    for call in (one for one in walk(annotation) if one.type == "call"):
        words |= arguments(call)[1]
    if right is not None and right.type == "call" and field_text(right, "function").rpartition(".")[2] == "Field":
        places, more = arguments(right)
        words |= more
        right = places[0] if places else words.get("default", words.get("default_factory"))
    elif right is None:
        right = words.get("default", words.get("default_factory"))
    return right, words


def _names(own: str, given: tuple[Node | None, dict[str, Node]], spot: _Spot) -> tuple[tuple[str, ...], str, bool]:
    """Return a field's variables, its default and whether it has one; an alias is taken without the prefix."""
    default, words = given
    alias = words.get("validation_alias") or words.get("alias") or words.get("env")
    texts: tuple[str, ...] = ()
    if alias is not None and spot.depth == 0:
        listed = (
            arguments(alias)[0]
            if alias.type == "call"
            else alias.named_children
            if alias.type in ("list", "tuple")
            else [alias]
        )
        texts = tuple(text.upper() for one in listed if (text := literal(one, spot.known)))
    has_default = default is not None and text_of(default) != "..."
    return texts or (f"{spot.prefix}{own}".upper(),), written(default, spot.known), has_default
