"""``.env.example`` written from the contract: grouped, commented, and never with the value of a secret."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from proa.records.contract import Variable

_WIDTH = 118
_HEAD = (
    "# Written by `proa analyze --env-example`. Copy it to .env and fill it in; what is commented out has a default."
)


def example_text(variables: Iterable[Variable]) -> str:
    """Return the text of a .env.example: what is required first, then the rest by the first word of its name.

    >>> print(example_text([Variable(name="PORT", type="integer", default="8080")]), end="")
    # Written by `proa analyze --env-example`. Copy it to .env and fill it in; what is commented out has a default.
    <BLANKLINE>
    # ---- Optional ----
    <BLANKLINE>
    # integer, default 8080
    # PORT=8080
    """
    own = sorted((one for one in variables if _belongs(one)), key=lambda one: one.name)
    lines = [_HEAD]
    required = [one for one in own if one.is_required]
    if required:
        lines += ["", "# ---- Required ----", *_entries(required)]
    for title, group in _groups([one for one in own if not one.is_required]):
        lines += ["", f"# ---- {title} ----", *_entries(group)]
    return "\n".join(lines) + "\n"


def _belongs(one: Variable) -> bool:
    is_name = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", one.name) is not None
    return one.kind == "environment" and is_name and not one.by.endswith("env!")


def _groups(variables: list[Variable]) -> Iterator[tuple[str, list[Variable]]]:
    """Yield variables with a common first word together; those alone with it are the rest, and come first."""
    by_word: dict[str, list[Variable]] = {}
    for one in variables:
        by_word.setdefault(one.name.partition("_")[0], []).append(one)
    alone = [one for group in by_word.values() if len(group) < 2 for one in group]
    if alone:
        yield "Optional", alone
    for word, group in by_word.items():
        if len(group) > 1:
            yield word, group


def _entries(variables: list[Variable]) -> Iterator[str]:
    for one in variables:
        yield ""
        for line in _wrapped(one.help):
            yield f"# {line}"
        words: list[str] = [one.type if one.type != "unknown" else "text"]
        words += ["required"] if one.is_required else []
        words += ["secret"] if one.is_secret else []
        # A default with stars in it is an address whose password was left out.
        shown = one.default if not one.is_secret or ("://" in one.default and "***" not in one.default) else ""
        shown = "" if "***" in shown else _line(shown)
        words += [f"default {shown}"] if shown else []
        yield f"# {', '.join(words)}"
        is_plain = re.fullmatch(r"[\w./:@%+,*\[\]~-]*", shown) is not None
        value = shown if is_plain else '"' + shown.replace("\\", "\\\\").replace('"', '\\"') + '"'
        yield f"{'' if one.is_required else '# '}{one.name}={'' if one.is_secret else value}"


def _line(text: str) -> str:
    return "".join(sign if sign.isprintable() else " " for sign in text).strip()[:_WIDTH]


def _wrapped(text: str) -> list[str]:
    import textwrap

    return textwrap.wrap(_line(text[:300]), _WIDTH) if text else []
