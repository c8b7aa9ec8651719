"""What viper and koanf read: variables of bound keys, of AutomaticEnv with its prefix and replacer, and files.

AutomaticEnv reads a variable for every key the program asks for: those it has a default for, those bound to flags and
those it gets by name. All instances of viper in a program are taken together; a key that the program sets itself,
outside any condition, is read from nowhere.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from proa.analyze.contract.go_found import Found
from proa.analyze.contract.go_source import GoSource, Use
from proa.analyze.syntax import File, arguments, called_name, field_text, qualified_name, text_of, walk
from proa.records.contract import Variable

if TYPE_CHECKING:
    from tree_sitter import Node

_VIPER = "github.com/spf13/viper"
_KOANF = "github.com/knadh/koanf"
_GETS = (
    "Get", "GetString", "GetBool", "GetInt", "GetInt32", "GetInt64", "GetUint", "GetUint16", "GetUint32", "GetUint64",
    "GetFloat64", "GetTime", "GetDuration", "GetIntSlice", "GetStringSlice", "GetStringMap", "GetStringMapString",
    "GetStringMapStringSlice", "GetSizeInBytes", "IsSet",
)  # fmt: skip
_OTHERS = (
    "SetDefault", "BindEnv", "MustBindEnv", "BindPFlag", "BindPFlags", "BindFlagValue", "SetEnvPrefix", "AutomaticEnv",
    "SetEnvKeyReplacer", "EnvKeyReplacer", "SetConfigName", "SetConfigFile", "SetConfigType", "AddConfigPath", "Set",
    "KeyDelimiter",
)  # fmt: skip
_WORDS = re.compile(rb"\b(?:" + "|".join((*_GETS, *_OTHERS)).encode() + rb")\(")
_PROVIDERS = re.compile(rb"\b(?:Provider|ProviderWithValue)\(")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class _Viper:
    """What the calls of one program say together."""

    def __init__(self, source: GoSource) -> None:
        self.source = source
        self.prefix = ""
        self.is_automatic = False
        self.replaced: list[str] = []
        self.keys: dict[str, Variable] = {}
        self.bound: list[tuple[str, list[str], Use]] = []
        self.set: set[str] = set()
        self.flags: dict[str, str] = {}
        """Keys bound to a flag of another name."""
        self.binds_all = False
        self.names: dict[str, Use] = {}
        self.folders: list[str] = []
        self.extension = ""
        self.files: dict[str, Use] = {}

    def take(self, call: Node, use: Use) -> None:
        """Note what one call says."""
        name, given = called_name(call), arguments(call)
        texts = self.source.texts(given[0], use) if given else []
        text = texts[0] if len(texts) == 1 else ""
        if name == "SetEnvPrefix":
            self.prefix = text or self.prefix
        elif name == "AutomaticEnv":
            self.is_automatic = True
        elif name in ("SetEnvKeyReplacer", "EnvKeyReplacer"):
            self.replaced = self._replacements(given, use)
        elif name in ("BindEnv", "MustBindEnv"):
            self.bound += [
                (key, [one for node in given[1:] for one in self.source.texts(node, use)], use) for key in texts
            ]
        elif name == "BindPFlags":
            self.binds_all = True
        elif name == "Set":
            self.set.update(text for text in texts if not _is_conditional(call))
        elif name in ("SetConfigName", "SetConfigFile", "SetConfigType", "AddConfigPath"):
            self._file(name, texts, use)
        else:
            for key in texts:
                self._key(key, call, use)

    def _file(self, name: str, texts: list[str], use: Use) -> None:
        if name == "SetConfigName":
            self.names.update(dict.fromkeys(texts, use))
        elif name == "SetConfigFile":
            self.files.update(dict.fromkeys(texts, use))
        elif name == "SetConfigType":
            self.extension = texts[0] if texts else self.extension
        else:
            self.folders += texts

    def _key(self, key: str, call: Node, use: Use) -> None:
        name, given = called_name(call), arguments(call)
        default = self.source.default(given[1], use) if name == "SetDefault" and len(given) > 1 else ""
        known = self.keys.get(key.lower())
        if name == "BindPFlag" and len(given) > 1:
            flag = next(
                (found for node in walk(given[1]) if node.type == "call_expression" and called_name(node) == "Lookup"
                 for inner in arguments(node)[:1] for found in self.source.texts(inner, use)), "",
            )  # fmt: skip
            self.flags[key.lower()] = flag or key
        if known is None or (default and not known.default):
            self.keys[key.lower()] = Variable(
                name=key, default=default, by="viper", where=(self.source.evidence(key, use),)
            )

    def _replacements(self, given: list[Node], use: Use) -> list[str]:
        for node in walk(given[0] if given else None):
            if node.type == "call_expression" and called_name(node) == "NewReplacer":
                return [self.source.text(one, use) for one in arguments(node)]
        return []

    def variable(self, key: str) -> str:
        """Return the variable of a key. Source: viper's mergeWithEnvPrefix() and getEnv()."""
        name = (f"{self.prefix}_{key}" if self.prefix else key).upper()
        for old, new in zip(self.replaced[::2], self.replaced[1::2], strict=False):
            name = name.replace(old, new) if old else name
        return name


def read_viper(source: GoSource, found: Found) -> None:
    """Gather what viper reads; call it after flags were gathered, as keys are bound to them."""
    packages = [package for package in source.own if _VIPER in package.imports]
    viper = _Viper(source)
    for file in source.files_of(packages, _WORDS):
        for call in file.around(_WORDS, "call_expression"):
            if _is_viper(call, file):
                for use in source.uses(file, call, *arguments(call)[:1]):
                    viper.take(call, use)
    _add_bound(viper, found)
    if viper.is_automatic:
        _add_automatic(viper, found)
    _add_files(viper, found)
    _read_koanf(source, found)


def _is_viper(call: Node, file: File) -> bool:
    """Say whether a call is viper's: by the package's name, or a method in a file that imports it."""
    function = call.child_by_field_name("function")
    if function is None or function.type != "selector_expression" or _VIPER not in file.imports.values():
        return False
    operand = field_text(function, "operand")
    if operand in file.imports:
        return file.imports[operand] == _VIPER
    # A flag set has GetString("x") as well: cmd.Flags().GetString, and a request's header Get and Set.
    is_other = re.search(r"(?i)flag|header|query|\bcmd\b|command|session|cache|ctx|context|params|\bfs\b", operand)
    return is_other is None


def _add_bound(viper: _Viper, found: Found) -> None:
    for key, names, use in viper.bound:
        default = viper.keys[key.lower()].default if key.lower() in viper.keys else ""
        for name in names or [viper.variable(key)]:
            if _NAME.fullmatch(name):
                where = (viper.source.evidence(name, use),)
                found.add(Variable(name=name, default=default, by="viper", where=where))


def _add_automatic(viper: _Viper, found: Found) -> None:
    flags = {flag.name.lstrip("-").lower(): flag for flag in found.of("flag") if flag.by == "pflag"}
    keys = dict(viper.keys)
    for name, flag in flags.items() if viper.binds_all else ():
        keys.setdefault(name, msgspec.structs.replace(flag, name=flag.name.lstrip("-")))
    for key, variable in keys.items():
        name = viper.variable(variable.name)
        if key in viper.set or not _NAME.fullmatch(name):
            continue
        bound = flags.get(viper.flags.get(key, key if viper.binds_all else "").lower())
        found.add(
            Variable(
                name=name,
                type=bound.type if bound is not None else "unknown",
                default=variable.default or (bound.default if bound is not None else ""),
                help=bound.help if bound is not None else "",
                by="viper",
                aliases=(bound.name,) if bound is not None else (),
                where=variable.where,
            )
        )
        if bound is not None:
            found.add(Variable(name=bound.name, kind="flag", aliases=(name,)))


def _add_files(viper: _Viper, found: Found) -> None:
    for path, use in viper.files.items():
        if path:
            found.add(
                Variable(name=path, kind="file", type="path", by="viper", where=(viper.source.evidence(path, use),))
            )
    for name, use in viper.names.items():
        ending = f".{viper.extension}" if viper.extension and not name.endswith("." + viper.extension) else ""
        places = [posixpath.join(folder, name + ending) for folder in viper.folders] or [name + ending]
        for path in places if name else ():
            where = (viper.source.evidence(path, use),)
            found.add(Variable(name=posixpath.normpath(path), kind="file", type="path", by="viper", where=where))


def _is_conditional(call: Node) -> bool:
    node = call.parent
    while node is not None and node.type not in ("function_declaration", "method_declaration"):
        if node.type in ("if_statement", "for_statement", "expression_switch_statement"):
            return True
        node = node.parent
    return False


def _read_koanf(source: GoSource, found: Found) -> None:
    packages = [package for package in source.own if any(path.startswith(_KOANF) for path in package.imports)]
    for file in source.files_of(packages, _PROVIDERS):
        for call in file.around(_PROVIDERS, "call_expression"):
            path = qualified_name(call, file).rpartition(".")[0]
            if path.startswith(f"{_KOANF}/providers/env"):
                for name, use in _koanf_prefixes(call, file, source):
                    found.add(Variable(name=f"{name}*", by="koanf", where=(source.evidence(f"{name}*", use),)))
            elif path.startswith(f"{_KOANF}/providers/file"):
                for use in source.uses(file, call, *arguments(call)[:1]):
                    for text in source.texts(arguments(call)[0], use):
                        where = (source.evidence(text, use),)
                        found.add(Variable(name=text, kind="file", type="path", by="koanf", where=where))


def _koanf_prefixes(call: Node, file: File, source: GoSource) -> Iterator[tuple[str, Use]]:
    given = arguments(call)
    node: Node | None = given[0] if given else None
    for element in walk(call.child_by_field_name("arguments")):
        if element.type == "keyed_element" and text_of(element.named_children[0]) == "Prefix":
            value = element.named_children[-1]
            node = value.named_children[0] if value.named_children else value
    for use in source.uses(file, call, node):
        yield from ((text, use) for text in source.texts(node, use) if _NAME.fullmatch(text))
