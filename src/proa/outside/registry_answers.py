"""What registries and token servers say, parsed: pure functions over headers and bodies, any bytes will do."""

from __future__ import annotations

from email.utils import parsedate_to_datetime

import msgspec

MOST_DELAY_S = 30.0
"""However long a registry asks us to wait, this is enough."""


class Challenge(msgspec.Struct, frozen=True, kw_only=True):
    """One way to log in that a registry offers."""

    scheme: str
    """Lower case: ``bearer`` or ``basic``."""
    parameters: dict[str, str] = {}


def parse_challenges(header: str) -> tuple[Challenge, ...]:
    """Return the challenges of a ``WWW-Authenticate`` header; what cannot be read is left out.

    Source: RFC 9110, section 11.6.1.

    >>> parse_challenges('Bearer realm="https://a/t",service="r", Basic realm=x')[0].parameters
    {'realm': 'https://a/t', 'service': 'r'}
    """
    found: list[Challenge] = []
    rest = header[:8192].strip()
    while rest:
        word, _, after = rest.partition(" ")
        if "=" in word or not word:
            _, _, rest = rest.partition(",")
            rest = rest.strip()
            continue
        parameters, rest = _parameters(after.strip())
        found.append(Challenge(scheme=word.rstrip(",").lower(), parameters=parameters))
    return tuple(found)


def _parameters(text: str) -> tuple[dict[str, str], str]:
    parameters: dict[str, str] = {}
    while text:
        key, equals, after = text.partition("=")
        if not equals or " " in key.strip() or "," in key:
            return parameters, text
        value, text = _quoted(after) if after.startswith('"') else _bare(after)
        parameters[key.strip().lower()] = value
        text = text.lstrip()
        if text.startswith(","):
            text = text[1:].lstrip()
    return parameters, text


def _quoted(text: str) -> tuple[str, str]:
    value = []
    position = 1
    while position < len(text) and text[position] != '"':
        position += text[position] == "\\"
        value.append(text[position : position + 1])
        position += 1
    return "".join(value), text[position + 1 :]


def _bare(text: str) -> tuple[str, str]:
    end = min((at for at in (text.find(","), text.find(" ")) if at >= 0), default=len(text))
    return text[:end], text[end:]


def retry_after_s(header: str, *, now_s: float) -> float | None:
    """Return the seconds a ``Retry-After`` header asks for, between 0 and 30; None where it says nothing.

    >>> retry_after_s("7", now_s=0.0), retry_after_s("soon", now_s=0.0), retry_after_s("86400", now_s=0.0)
    (7.0, None, 30.0)
    """
    header = header.strip()
    if header.isascii() and header.isdigit():
        return min(float(header[:9]), MOST_DELAY_S)
    try:
        return min(max(parsedate_to_datetime(header).timestamp() - now_s, 0.0), MOST_DELAY_S)
    except (ValueError, TypeError, OverflowError):
        return None


def read_token(content: bytes) -> str:
    """Return the token in a token server's answer, or an empty string.

    >>> read_token(b'{"access_token": "abc"}')
    'abc'
    """

    class Answer(msgspec.Struct):
        token: str = ""
        access_token: str = ""

    try:
        answer = msgspec.json.decode(content, type=Answer)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""
    token = answer.token or answer.access_token
    return token if token.isascii() and token.isprintable() else ""


class _Error(msgspec.Struct):
    code: str = ""
    message: str = ""


class _Errors(msgspec.Struct):
    errors: tuple[_Error, ...] = ()


def read_errors(content: bytes) -> str:
    """Return a registry's own words for an error: its JSON's codes and messages, else the text itself.

    >>> read_errors(b'{"errors":[{"code":"DENIED","message":"no such right"}]}')
    'DENIED: no such right'
    """
    try:
        found = msgspec.json.decode(content, type=_Errors).errors
        text = "\n".join(": ".join(part for part in (error.code, error.message) if part) for error in found)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        text = content.decode(errors="replace")
    return "".join(sign for sign in text if sign.isprintable() or sign == "\n").strip()
