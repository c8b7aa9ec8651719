"""The contract of Java programs: ``System.getenv``, Spring, Quarkus, Micronaut, picocli."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from proa.analyze.contract.grammar import Parsed, above, holds, of_language, parse_all
from proa.analyze.contract.java_classes import bound_classes
from proa.analyze.contract.java_names import Dialect, is_variable, placeholders, variable_of
from proa.analyze.contract.java_properties import properties_in, property_variables
from proa.analyze.contract.java_syntax import (
    annotation_of,
    arguments,
    called,
    constants_of,
    declared_type,
    literal,
    type_in,
    use,
)
from proa.analyze.contract.reading import Contract, SourceFile, merged, variable
from proa.analyze.syntax import field_text, text_of
from proa.records.contract import Variable
from proa.records.evidence import Finding

_WORDS = re.compile(
    rb"getenv|getProperty|getRequiredProperty|@Value|@ConfigProperty|@ConfigurationProperties|@ConfigMapping|@Property\b|@Option\b"
    rb"|Dotenv|ConfigProvider"
)
_JVM = re.compile(r"(?:java|javax|jdk|sun|os|user|file|line|path|awt)\..*")


def read_java(files: Iterable[SourceFile]) -> Contract:
    """Return what Java sources and their frameworks' settings files read."""
    files = tuple(files)
    findings: list[Finding] = []
    sources = of_language(files, (".java",))
    trees = parse_all(sources, _WORDS, findings)
    shared: dict[str, str] = {}
    for parsed in trees:
        shared |= constants_of(parsed)
    dialect = _dialect(files)
    properties = properties_in(files, findings)
    known_properties = {one.name: one.text for one in properties}
    found = list(property_variables(properties, dialect))
    for parsed in trees:
        constants = {**shared, **constants_of(parsed)}
        found += _calls(parsed, constants, dialect, known_properties)
        found += _annotated(parsed, constants, dialect, known_properties)
        found += _options(parsed, constants)
    found += bound_classes(sources, trees, dialect, known_properties)
    wrappers = dict(_wrappers(trees))
    found += _wrapped(sources, wrappers, shared)
    return Contract(variables=merged(found), findings=tuple(findings))


def _dialect(files: Iterable[SourceFile]) -> Dialect:
    """Return whose rules name variables, as the build files say."""
    builds = [one.data for one in files if re.fullmatch(r"(?:.*/)?(?:pom\.xml|build\.gradle(?:\.kts)?)", one.path)]
    is_other = any(
        word in data for data in builds for word in (b"io.quarkus", b"io.micronaut", b"microprofile", b"io.smallrye")
    )
    return "microprofile" if is_other and not any(b"org.springframework.boot" in data for data in builds) else "spring"


def _calls(
    parsed: Parsed, constants: Mapping[str, str], dialect: Dialect, properties: Mapping[str, str]
) -> Iterator[Variable]:
    for call in parsed.nodes("method_invocation"):
        name, owner, given = called(call), field_text(call, "object"), arguments(call)
        key = literal(given[0], constants) if given else None
        if not key or not re.fullmatch(r"[\w.\-]{1,128}", key):
            continue
        if name == "getenv" or (
            name in ("get", "getOrDefault", "containsKey")
            and owner.endswith(("System.getenv()", "dotenv", "Dotenv.load()"))
        ):
            second = literal(given[1], constants) or text_of(given[1]) if len(given) > 1 else ""
            kind, default, is_required = use(call, constants)
            yield variable(
                key, parsed.at(call, key), by="System.getenv" if "otenv" not in owner else "dotenv", type=kind,
                default=second or default, is_required=is_required and not second,
            )  # fmt: skip
        elif name in ("getProperty", "getBoolean") and owner == "System" and not _JVM.fullmatch(key):
            second = literal(given[1], constants) or "" if len(given) > 1 else ""
            yield variable(f"-D{key}", parsed.at(call, key), by="System.getProperty", kind="flag", default=second)
        elif name in ("getProperty", "getRequiredProperty") and re.search("env", owner, re.IGNORECASE):
            kind = type_in(" ".join(text_of(one) for one in given[1:]))
            last = literal(given[-1], constants) if len(given) > 1 else None
            yield variable(
                variable_of(key, dialect), parsed.at(call, key), by="Environment", type=kind,
                default=last or properties.get(key, ""), aliases=(key,),
                is_required=name == "getRequiredProperty" and key not in properties,
            )  # fmt: skip
        elif name in ("getValue", "getOptionalValue") and re.search("config", owner, re.IGNORECASE) and len(given) == 2:
            yield variable(
                variable_of(key, "microprofile"), parsed.at(call, key), by="ConfigProvider", aliases=(key,),
                type=type_in(text_of(given[1])), default=properties.get(key, ""),
                is_required=name == "getValue" and key not in properties,
            )  # fmt: skip


def _annotated(
    parsed: Parsed, constants: Mapping[str, str], dialect: Dialect, properties: Mapping[str, str]
) -> Iterator[Variable]:
    for node in parsed.nodes("annotation"):
        given = annotation_of(node, constants)
        type_text = declared_type(node)
        kind = type_in(type_text)
        match field_text(node, "name").rpartition(".")[2]:
            case "Value":
                for name, default, has_default in placeholders(given.get("value", "")):
                    own = variable_of(name, dialect)
                    yield variable(
                        own, parsed.at(node, name), by="@Value", type=kind,
                        default=_resolved(default, has_default, properties.get(name, "")),
                        is_required=not has_default and name not in properties,
                        aliases=() if is_variable(name) else (name,),
                    )  # fmt: skip
            case "ConfigProperty" if name := given.get("name", ""):
                is_open = "Optional" in type_text or "defaultValue" in given or name in properties
                yield variable(
                    variable_of(name, "microprofile"), parsed.at(node, name), by="@ConfigProperty", type=kind,
                    default=properties.get(name, "") or given.get("defaultValue", ""), is_required=not is_open,
                    aliases=() if is_variable(name) else (name,),
                )  # fmt: skip
            case "Property" if (name := given.get("name", "")) and "micronaut" in parsed.data[:8192].decode(
                "utf-8", "replace"
            ):
                yield variable(
                    variable_of(name, "microprofile"), parsed.at(node, name), by="@Property", type=kind,
                    default=properties.get(name, "") or given.get("defaultValue", ""), aliases=(name,),
                )  # fmt: skip
            case _:
                continue


def _resolved(default: str, has_default: bool, set_: str) -> str:
    """Return what holds where nothing is set: the settings file before the annotation."""
    plain = set_ if "${" not in set_ else ""
    return plain or (default if has_default and not default.startswith("#{") else "")


def _options(parsed: Parsed, constants: Mapping[str, str]) -> Iterator[Variable]:
    """Yield picocli's flags, with the variables in their defaults."""
    if b"picocli" not in parsed.data:
        return
    for node in parsed.nodes("annotation"):
        if field_text(node, "name").rpartition(".")[2] != "Option":
            continue
        given = annotation_of(node, constants)
        names = [one for one in given.get("names", "").split("\n") if one.startswith("-")]
        if not names or given.get("usageHelp") == "true" or given.get("versionHelp") == "true":
            continue
        long = next((one for one in names if one.startswith("--")), names[0])
        default = given.get("defaultValue", "")
        named = [one for one in placeholders(default) if is_variable(one[0].removeprefix("env:"))]
        type_text = declared_type(node)
        kind = type_in(type_text)
        plain = named[0][1] if named else default
        help_ = given.get("description", "").split("\n")[0]
        at = parsed.at(node, long)
        yield variable(
            long, at, by="picocli", kind="flag", type=kind, default=plain, help=help_,
            is_required=given.get("required") == "true", aliases=(*names, *(name for name, _, _ in named)),
        )  # fmt: skip
        for name, _, _ in named:
            yield variable(name, at, by="picocli", type=kind, default=plain, help=help_, aliases=(long,))


def _wrappers(trees: Iterable[Parsed]) -> Iterator[tuple[str, tuple[int, int, bool]]]:
    """Yield the program's own methods around ``System.getenv``: the parameter that names, that of the default."""
    for parsed in trees:
        for call in parsed.nodes("method_invocation"):
            given = arguments(call)
            if called(call) != "getenv" or not given or given[0].type != "identifier":
                continue
            method = above(call, "method_declaration")
            declared = method.child_by_field_name("parameters") if method is not None else None
            if method is None or declared is None:
                continue
            names = [field_text(one, "name") for one in declared.named_children]
            if text_of(given[0]) in names:
                place = names.index(text_of(given[0]))
                default = next((at for at in range(len(names)) if at != place), -1)
                yield (
                    field_text(method, "name"),
                    (place, default, holds(method.child_by_field_name("body"), "throw_statement")),
                )


def _wrapped(
    sources: Iterable[SourceFile], wrappers: Mapping[str, tuple[int, int, bool]], constants: Mapping[str, str]
) -> Iterator[Variable]:
    if not wrappers:
        return
    words = re.compile(rb"\b(?:" + b"|".join(re.escape(name).encode() for name in wrappers) + rb")\s*\(")
    for parsed in parse_all(sources, words, []):
        known = {**constants, **constants_of(parsed)}
        for call in parsed.nodes("method_invocation"):
            place, at, throws = wrappers.get(called(call), (-1, -1, False))
            given = arguments(call)
            name = literal(given[place], known) if 0 <= place < len(given) else None
            if name and is_variable(name):
                kind, other, _ = use(call, known)
                default = (literal(given[at], known) or "" if 0 <= at < len(given) else "") or other
                is_required = throws and not 0 <= at < len(given)
                yield variable(
                    name, parsed.at(call, name), by=called(call), type=kind, default=default, is_required=is_required
                )  # fmt: skip
