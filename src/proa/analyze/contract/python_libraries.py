"""Python libraries that read the environment by a call: environs, django-environ, decouple, starlette, dotenv."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from proa.analyze.contract.grammar import above
from proa.analyze.contract.python_syntax import CASTS, Module, arguments, literal, target, use, written
from proa.analyze.contract.reading import is_secret_name, variable
from proa.analyze.syntax import field_text, text_of
from proa.records.contract import InputType, Variable

if TYPE_CHECKING:
    from tree_sitter import Node

_ENVS = {
    "environs.Env()": "environs",
    "environs.FileAwareEnv()": "environs",
    "environ.Env()": "django-environ",
    "environ.FileAwareEnv()": "django-environ",
}
_TYPES: dict[str, InputType] = {
    "str": "text", "int": "integer", "float": "number", "decimal": "number", "bool": "boolean", "list": "list",
    "tuple": "list", "url": "url", "path": "path", "timedelta": "duration", "json": "text", "dict": "text",
    "log_level": "text", "uuid": "text", "enum": "text", "date": "text", "datetime": "text", "bytes": "text",
    "unicode": "text", "get_value": "unknown", "db": "url", "db_url": "url", "cache": "url", "cache_url": "url",
    "email": "url", "email_url": "url", "search_url": "url", "dj_db_url": "url", "dj_email_url": "url",
    "dj_cache_url": "url", "channels": "url", "channels_url": "url", "time": "text",
}  # fmt: skip
_USUAL = {
    "db": "DATABASE_URL", "db_url": "DATABASE_URL", "cache": "CACHE_URL", "cache_url": "CACHE_URL",
    "email": "EMAIL_URL", "email_url": "EMAIL_URL", "search_url": "SEARCH_URL", "channels": "CHANNELS_URL",
    "channels_url": "CHANNELS_URL",
}  # fmt: skip
"""What django-environ's methods read where no name is given. Source: https://django-environ.readthedocs.io."""
_DECOUPLE = ("decouple.config", "decouple.AutoConfig()", "decouple.Config()", "prettyconf.config")
_STARLETTE = "starlette.config.Config()"
_DOTENV = ("dotenv.load_dotenv", "dotenv.dotenv_values", "load_dotenv")


def libraries(module: Module, known: dict[str, str]) -> Iterator[Variable]:
    """Yield what one file reads through the usual libraries."""
    for call in module.parsed.nodes("call"):
        function = call.child_by_field_name("function")
        said = module.meaning(function)
        owner, _, method = said.rpartition(".")
        if said in _ENVS:
            yield from _env(module, call, "get_value", _ENVS[said], known)
        elif owner in _ENVS and method in _TYPES:
            yield from _env(module, call, method, _ENVS[owner], known)
        elif said in ("environ.Env", "environ.FileAwareEnv"):
            yield from _schemed(module, call, known)
        elif said in (*_DECOUPLE, _STARLETTE):
            by = "starlette" if said == _STARLETTE else "decouple"
            yield from _cast(module, call, by, known)
        elif said in _DOTENV or (method == "read_env" and f"{owner.removesuffix('()')}()" in _ENVS):
            yield from _dotenv(module, call, known)
        elif said == "dj_database_url.config":
            yield from _database(module, call, known)
        elif method == "from_envvar" and (name := _first(call, known)):
            yield variable(name, module.parsed.at(call, name), by="Flask", type="path", is_required=True)


def _first(call: Node, known: dict[str, str]) -> str | None:
    places, words = arguments(call)
    return literal(places[0] if places else words.get("env", words.get("var", words.get("name"))), known)


def _env(module: Module, call: Node, method: str, by: str, known: dict[str, str]) -> Iterator[Variable]:
    places, words = arguments(call)
    name = _first(call, known) or (_USUAL.get(method) if by == "django-environ" and not places else None)
    if name is None:
        return
    second = places[-1] if len(places) > 1 and (by == "environs" or method not in ("__call__", "get_value")) else None
    default = words.get("default", second)
    kind = _TYPES[method]
    if method == "get_value":
        cast = words.get("cast") or (places[1] if by == "django-environ" and len(places) > 1 else None)
        kind = CASTS.get(text_of(cast).rpartition(".")[2], "unknown")
        default = words.get("default") or (places[1] if by == "environs" and len(places) > 1 else None)
    yield variable(
        f"{_prefix(call, known)}{name}",
        module.parsed.at(call, name),
        by=by,
        type=kind,
        default=written(default, known),
        is_required=default is None and not _has_scheme(module, name),
        is_secret=is_secret_name(target(call)) and kind in ("unknown", "text"),
    )


def _prefix(call: Node, known: dict[str, str]) -> str:
    """Return what ``with env.prefixed("APP_"):`` puts before a name."""
    prefix = ""
    around = above(call, "with_statement")
    while around is not None:
        for item in around.named_children[0].named_children if around.named_children else ():
            value = item.child_by_field_name("value")
            inner = value.named_children[0] if value is not None and value.type == "as_pattern" else value
            if inner is not None and inner.type == "call" and field_text(inner, "function").endswith(".prefixed"):
                prefix = (_first(inner, known) or "") + prefix
        around = above(around, "with_statement")
    return prefix


def _schemes(call: Node) -> dict[str, tuple[InputType, Node | None]]:
    found: dict[str, tuple[InputType, Node | None]] = {}
    for name, value in arguments(call)[1].items():
        parts = value.named_children if value.type == "tuple" else [value]
        cast = CASTS.get(text_of(parts[0]), "unknown")
        found[name] = (cast, parts[1] if len(parts) > 1 else None)
    return found


def _schemed(module: Module, call: Node, known: dict[str, str]) -> Iterator[Variable]:
    """Yield django-environ's scheme: ``environ.Env(DEBUG=(bool, False))``."""
    for name, (kind, default) in _schemes(call).items():
        if name.isupper():
            at = module.parsed.at(call, name)
            yield variable(name, at, by="django-environ", type=kind, default=written(default, known))


def _has_scheme(module: Module, name: str) -> bool:
    for call in module.parsed.nodes("call"):
        if module.meaning(call.child_by_field_name("function")) == "environ.Env":
            scheme = _schemes(call).get(name)
            if scheme is not None and scheme[1] is not None:
                return True
    return False


def _cast(module: Module, call: Node, by: str, known: dict[str, str]) -> Iterator[Variable]:
    places, words = arguments(call)
    name = _first(call, known)
    if name is None:
        return
    default = words.get("default") or (places[1] if by == "decouple" and len(places) > 1 else None)
    if by == "starlette" and len(places) > 2:
        default = places[2]
    cast = words.get("cast") or (places[1] if by == "starlette" and len(places) > 1 else None)
    word = text_of(cast.child_by_field_name("function") if cast is not None and cast.type == "call" else cast)
    kind, other, _ = use(call, known)
    yield variable(
        name,
        module.parsed.at(call, name),
        by=by,
        type=CASTS.get(word.rpartition(".")[2], kind),
        default=written(default, known) or other,
        is_required=default is None,
        is_secret=word.endswith("Secret") or (is_secret_name(target(call)) and not word),
    )


def _dotenv(module: Module, call: Node, known: dict[str, str]) -> Iterator[Variable]:
    places, words = arguments(call)
    path = places[0] if places else words.get("dotenv_path", words.get("path"))
    name = literal(path, known) if path is not None else ".env"
    if name:
        yield variable(name, module.parsed.at(call), by="dotenv", kind="file", type="path")


def _database(module: Module, call: Node, known: dict[str, str]) -> Iterator[Variable]:
    _, words = arguments(call)
    name = literal(words.get("env"), known) or "DATABASE_URL"
    default = written(words.get("default"), known)
    yield variable(name, module.parsed.at(call, name), by="dj-database-url", type="url", default=default)
