"""How a JVM framework's properties are named as environment variables."""

from __future__ import annotations

import re
from typing import Literal

Dialect = Literal["spring", "microprofile"]
"""Spring leaves dashes out; MicroProfile (Quarkus) and Micronaut make an underscore of each."""


def variable_of(name: str, dialect: Dialect) -> str:
    """Return the variable that sets a property.

    Sources: https://docs.spring.io/spring-boot/reference/features/external-config.html (relaxed binding),
    https://github.com/eclipse/microprofile-config (environment variable mapping rules).

    >>> variable_of("app.mail-server.hosts[0]", "spring"), variable_of("greeting.my-name", "microprofile")
    ('APP_MAILSERVER_HOSTS_0', 'GREETING_MY_NAME')
    """
    if is_variable(name):
        return name
    if dialect == "spring":
        plain = re.sub(r"\[(\d+)\]", r"_\1", name).replace("-", "")
        return re.sub(r"[^A-Za-z0-9]+", "_", plain).strip("_").upper()
    return re.sub(r"[^A-Za-z0-9]", "_", name).rstrip("_").upper()


def other_names(name: str, dialect: Dialect) -> tuple[str, ...]:
    """Return a property's own name, and the variable that Spring also takes for one with dashes.

    >>> other_names("app.my-name", "spring"), other_names("app.name", "spring")
    (('app.my-name', 'APP_MY_NAME'), ('app.name',))
    """
    older = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_").upper()
    return (name, older) if dialect == "spring" and "-" in name else (name,)


def is_variable(name: str) -> bool:
    """Say whether a name is a variable's already."""
    return re.fullmatch(r"[A-Z][A-Z0-9_]*", name) is not None


def kebab(name: str) -> str:
    """Return a Java name as properties write it.

    >>> kebab("maxPoolSize")
    'max-pool-size'
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower()


def placeholders(text: str) -> list[tuple[str, str, bool]]:
    """Return what ``${NAME:default}`` name, their defaults, and whether they have one; nested ones on their own.

    >>> placeholders("jdbc://${HOST:db}:${PORT}/x"), placeholders("${A:${B:c}}")
    ([('HOST', 'db', True), ('PORT', '', False)], [('A', '', True), ('B', 'c', True)])
    """
    found: list[tuple[str, str, bool]] = []
    at = text.find("${")
    while at >= 0 and len(found) < 100:
        depth, end = 1, at + 2
        while end < len(text) and depth:
            depth += (text[end] == "{") - (text[end] == "}")
            end += 1
        inner = text[at + 2 : end - 1]
        name, colon, default = inner.partition(":")
        if re.fullmatch(r"[A-Za-z_][\w.\-\[\]]*", name.strip()):
            # picocli and shells write ``:-``.
            plain = default.removeprefix("-") if "${" not in default else ""
            found.append((name.strip(), plain.strip("`"), bool(colon)))
        at = text.find("${", at + 2)
    return found
