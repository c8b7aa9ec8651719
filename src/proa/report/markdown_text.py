r"""Text of others' making in Markdown: no markup, no mention and no link of theirs in somebody's pull request.

Names go into code spans, where GitHub makes nothing of @, # and addresses; prose is escaped sign by sign.
Source: GitHub Flavored Markdown Spec, 6.1 (backslash escapes), 6.3 (code spans) and 4.10 (tables).
"""

from __future__ import annotations

import re

_SPECIAL = re.compile(r"([\\`*_\[\]|~$])")
_MENTION = re.compile(r"@(?=[\w-])")
_REFERENCE = re.compile(r"(?<=#)(?=\d)|(?<=\bGH)(?=-\d)|(?<=:)(?=//)|(?<=www)(?=\.)", re.IGNORECASE)
_APART = "\u200b"
"""A space of no width: what is on both sides is no longer one word."""


def code(text: str, *, most: int = 200) -> str:
    r"""Return a name as a code span; what would end the span or the table's cell is written as ``\x7c``.

    >>> code("a|b`c"), code("@octocat"), code("")
    ('`a\\x7cb\\x60c`', '`@octocat`', '')
    """
    shown = plain(text)
    if len(shown) > most:
        # The end of a path says more than its middle.
        shown = f"{shown[: most // 2]}…{shown[-most // 2 :]}"
    shown = shown.replace("|", "\\x7c").replace("`", "\\x60")
    return f"`{shown}`" if shown.strip() else f"`{shown!r}`" if shown else ""


def prose(text: str, *, most: int = 500) -> str:
    r"""Return text as it is, whatever signs of Markdown or HTML it has.

    >>> prose("see <b>x</b> | [a](b)")
    'see &lt;b&gt;x&lt;/b&gt; \\| \\[a\\](b)'
    """
    shown = plain(text)
    shown = f"{shown[:most]}…" if len(shown) > most else shown
    shown = _MENTION.sub(f"@{_APART}", _REFERENCE.sub(_APART, shown))
    shown = _SPECIAL.sub(r"\\\1", shown)
    return re.sub(r"&(?=[#\w])", "&amp;", shown).replace("<", "&lt;").replace(">", "&gt;")


def plain(text: str) -> str:
    r"""Return text on one line, signs that steer (also the direction of writing) as escapes.

    >>> plain("a\nb\u202e")
    'a\\nb\\u202e'
    """
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)
