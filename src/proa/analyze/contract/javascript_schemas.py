"""JavaScript libraries that read the environment by a schema: envalid, zod, t3-env, joi, convict, NestJS, env-var."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from proa.analyze.contract.grammar import Parsed, above
from proa.analyze.contract.javascript_syntax import arguments, called, key_of, literal, properties, written
from proa.analyze.contract.reading import variable
from proa.analyze.syntax import field_text, text_of
from proa.records.contract import InputType, Variable

if TYPE_CHECKING:
    from tree_sitter import Node

_UPPER = re.compile(r"[A-Z][A-Z0-9_]{0,127}")
_TYPES: dict[str, InputType] = {
    "str": "text", "string": "text", "num": "number", "number": "number", "int": "integer", "integer": "integer",
    "port": "integer", "portNumber": "integer", "bool": "boolean", "boolean": "boolean", "url": "url", "uri": "url",
    "host": "address", "hostname": "address", "array": "list", "email": "text", "json": "text", "enum": "text",
    "asPortNumber": "integer", "asInt": "integer", "asIntPositive": "integer", "asFloat": "number", "asBool": "boolean",
    "asBoolStrict": "boolean", "asString": "text", "asUrlString": "url", "asArray": "list", "asJsonObject": "text",
    "Number": "number", "Boolean": "boolean", "String": "text", "nat": "integer", "ipaddress": "address",
    "duration": "duration", "stringbool": "boolean",
}  # fmt: skip
_STRONG = frozenset({"int", "integer", "port", "url", "uri", "boolean", "bool", "stringbool", "array", "hostname"})
_NEST = re.compile(r"(?:this\.)?\w*(?:config|cfg)\w*\.(get|getOrThrow)(?:<.*>)?", re.IGNORECASE)
_ENV_VAR = re.compile(r"(?:env|envVar|from\(.*\))\.get")


def schemas(parsed: Parsed, texts: dict[str, str], *, reads_process: bool) -> Iterator[Variable]:
    """Yield the variables of every schema in a file; zod and joi count where the environment is read as a whole."""
    is_nest = b"ConfigService" in parsed.data
    is_env_var = b"env-var" in parsed.data
    for call in parsed.nodes("call_expression"):
        name, given = called(call), arguments(call)
        last = re.sub(r"<.*", "", name).rpartition(".")[2]
        if last in ("cleanEnv", "customCleanEnv") and len(given) > 1:
            yield from _envalid(parsed, given[1], texts)
        elif last == "parseEnv" and len(given) > 1:
            yield from _chained(parsed, given[1], "znv", texts)
        elif last == "createEnv" and given:
            for part in ("server", "client", "shared"):
                yield from _chained(parsed, properties(given[0]).get(part), "t3-env", texts)
        elif last in ("object", "strictObject", "looseObject", "extend") and given and reads_process:
            by = "joi" if name.lower().startswith("joi") else "zod"
            keys = properties(given[0])
            if keys and sum(_UPPER.fullmatch(key) is not None for key in keys) * 2 > len(keys):
                yield from _chained(parsed, given[0], by, texts)
        elif last == "keys" and given and reads_process and "oi.object" in name:
            yield from _chained(parsed, given[0], "joi", texts)
        elif is_nest and (match := _NEST.fullmatch(name)) and given:
            yield from _nest(parsed, call, match[1], texts)
        elif is_env_var and _ENV_VAR.fullmatch(name) and given:
            yield from _env_var(parsed, call, texts)
    for node in parsed.nodes("object"):
        yield from _convict(parsed, node, texts)


def _envalid(parsed: Parsed, schema: Node, texts: dict[str, str]) -> Iterator[Variable]:
    for pair in schema.named_children:
        value = pair.child_by_field_name("value")
        if pair.type != "pair" or value is None or value.type != "call_expression":
            continue
        given = arguments(value)
        options = properties(given[0] if given else None)
        yield variable(
            key_of(pair), parsed.at(pair, key_of(pair)), by="envalid",
            type=_TYPES.get(re.sub(r"<.*", "", called(value)).rpartition(".")[2], "unknown"),
            default=written(options.get("default"), texts),
            is_required="default" not in options,
            help=literal(options.get("desc")) or "",
        )  # fmt: skip


def _chained(parsed: Parsed, schema: Node | None, by: str, texts: dict[str, str]) -> Iterator[Variable]:
    """Yield schemas written as chains of calls: ``z.coerce.number().default(3000)``."""
    for pair in schema.named_children if schema is not None and schema.type == "object" else ():
        name, value = key_of(pair), pair.child_by_field_name("value")
        if pair.type != "pair" or value is None or not _UPPER.fullmatch(name):
            continue
        words = _chain(value)
        said = [word for word, _ in words]
        kinds = [word for word in said if word in _TYPES]
        kind = next((word for word in kinds if word in _STRONG), kinds[0] if kinds else "")
        default = next((call for word, call in words if word in ("default", "catch", "prefault")), None)
        given = arguments(default) if default is not None else []
        described = next((call for word, call in words if word in ("describe", "description")), None)
        is_open = default is not None or any(word in ("optional", "nullish", "nullable") for word in said)
        yield variable(
            name, parsed.at(pair, name), by=by, type=_TYPES.get(kind, "unknown"),
            default=written(given[0], texts) if given else "",
            is_required=not is_open and (by != "joi" or "required" in said),
            help=literal(arguments(described)[0]) or "" if described is not None and arguments(described) else "",
        )  # fmt: skip


def _chain(node: Node) -> list[tuple[str, Node]]:
    """Return the words of a chain of calls, each with its call."""
    found: list[tuple[str, Node]] = []
    current: Node | None = node
    while current is not None:
        if current.type == "call_expression":
            function = current.child_by_field_name("function")
            if function is None:
                break
            found.append((field_text(function, "property") or text_of(function), current))
            current = function.child_by_field_name("object") if function.type == "member_expression" else None
        elif current.type == "member_expression":
            found.append((field_text(current, "property"), current))
            current = current.child_by_field_name("object")
        else:
            break
    return found[::-1]


def _nest(parsed: Parsed, call: Node, method: str, texts: dict[str, str]) -> Iterator[Variable]:
    given = arguments(call)
    name = literal(given[0], texts)
    if name is None or not _UPPER.fullmatch(name):
        return
    typed = re.search(r"<\s*(\w+)", text_of(call.child_by_field_name("type_arguments")) or text_of(call)[:80])
    default = given[1] if len(given) > 1 and given[1].type != "object" else None
    yield variable(
        name, parsed.at(call, name), by="ConfigService",
        type=_TYPES.get(typed[1], "unknown") if typed else "unknown",
        default=written(default, texts), is_required=method == "getOrThrow",
    )  # fmt: skip


def _env_var(parsed: Parsed, call: Node, texts: dict[str, str]) -> Iterator[Variable]:
    name = literal(arguments(call)[0], texts)
    if name is None or not _UPPER.fullmatch(name):
        return
    top, around = call, above(call, "call_expression")
    while around is not None and text_of(around).startswith(text_of(call)):
        top, around = around, above(around, "call_expression")
    words = dict(_chain(top))
    default = arguments(words["default"]) if "default" in words else []
    yield variable(
        name, parsed.at(call, name), by="env-var",
        type=next((_TYPES[word] for word in reversed(list(words)) if word in _TYPES), "unknown"),
        default=written(default[0], texts) if default else "", is_required="required" in words and not default,
    )  # fmt: skip


def _convict(parsed: Parsed, node: Node, texts: dict[str, str]) -> Iterator[Variable]:
    """Yield ``{ format: 'port', default: 3000, env: 'PORT', arg: 'port' }``, as convict and oclif write it."""
    options = properties(node)
    name = literal(options.get("env"), texts)
    if name is None or not _UPPER.fullmatch(name) or not {"default", "format", "doc", "description"} & set(options):
        return
    format_ = options.get("format")
    word = literal(format_) or text_of(format_)
    default = options.get("default")
    flag = literal(options.get("arg"))
    help_ = literal(options.get("doc")) or literal(options.get("description")) or ""
    is_secret = text_of(options.get("sensitive")) == "true"
    common = {"type": _TYPES.get(word, "unknown"), "default": written(default, texts), "help": help_}
    is_required = default is not None and text_of(default) == "null" and text_of(options.get("nullable")) != "true"
    at = parsed.at(node, name)
    alias = (f"--{flag}",) if flag else ()
    yield variable(name, at, by="convict", is_required=is_required, is_secret=is_secret, aliases=alias, **common)  # type: ignore[arg-type]
    if flag:
        yield variable(f"--{flag}", at, by="convict", kind="flag", is_secret=is_secret, aliases=(name,), **common)  # type: ignore[arg-type]
