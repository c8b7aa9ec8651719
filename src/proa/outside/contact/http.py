"""HTTP services: asked without credentials, with them, and where both please, with wrong ones; OAuth2 token endpoints.

One request per connection. Source: RFC 9112 (messages), RFC 6749, sections 2.3.1, 4.4 and 5 (client credentials).
"""

from __future__ import annotations

import base64
import json
import re
import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote_plus, urlencode

import msgspec

from proa.outside.contact.link import Journey
from proa.outside.contact.target import Fault, Secret, Target, masked

_MOST_BODY = 64 << 10
_MOST_HEADERS = 100
_FINE = frozenset({405, 406, 415, 422})
"""It is there and spoke HTTP; that this harmless question was not what it likes is no fault of the service."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came back."""

    status: int
    reason: str = ""
    headers: dict[str, str] = {}
    body: bytes = b""


def visit(journey: Journey) -> None:
    """Ask without credentials, then with them. Raises Fault."""
    target = journey.target
    if target.tls != "off":
        journey.encrypt()
    journey.enter("protocol")
    without = _ask(journey)
    journey.close()
    if target.authentication() == "none":
        journey.enter("authentication" if without.status in (401, 403, 407) else "read")
        journey.asked_for_nothing = True
        _judge(journey, without)
        return
    journey.enter("authentication")
    headers = _credentials(journey, target)
    answer = _again(journey, target, headers)
    if answer.status in (401, 407) or (answer.status == 403 and _is_refused_alike(journey)):
        raise journey.fault(_words(answer), _remedy(target))
    if 300 <= answer.status < 400:
        raise _redirected(journey, answer)
    journey.enter("read")
    _judge(journey, answer)
    if _is_fine(without.status) and not 300 <= without.status < 400:
        journey.asked_for_nothing = True
    elif target.token_target is None and not _is_accepting_anything(journey):
        journey.is_proved = True
    elif target.token_target is not None:
        journey.is_proved = without.status in (401, 403)


def visit_token(journey: Journey) -> None:
    """Fetch a token. Raises Fault."""
    if journey.target.tls != "off":
        journey.encrypt()
    token = fetch_token(journey)
    if not token:
        journey.asked_for_nothing = True


def visit_otlp(journey: Journey) -> None:
    """Export nothing: an empty request of OTLP/HTTP, or the first words of gRPC's HTTP/2.

    Source: https://opentelemetry.io/docs/specs/otlp/ and RFC 9113, sections 3.4 and 6.5.
    """
    if journey.target.tls != "off":
        journey.encrypt()
    journey.enter("protocol")
    journey.asked_for_nothing = True
    if journey.target.port == 4317:
        journey.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0")
        if journey.exactly(9)[3] != 4:
            raise journey.fault("the answer is not HTTP/2")
        return
    path = journey.target.path.reveal().rstrip("/")
    path = path if path.endswith("/v1/traces") else path + "/v1/traces"
    answer = _ask(journey, method="POST", path=path, headers={"Content-Type": "application/x-protobuf"}, body=b"")
    journey.enter("authentication" if answer.status in (401, 403) else "read")
    _judge(journey, answer)


def fetch_token(journey: Journey) -> str:
    """Return an access token; empty where no client is set and it was only asked. Raises Fault."""
    journey.enter("protocol")
    target = journey.target
    answer = _token_answer(journey, target)
    told = _told(answer)
    journey.enter("authentication")
    if not target.client_id and answer.status in (400, 401):
        return ""
    code = str(told.get("error", ""))
    if answer.status in (401, 403) or code in ("invalid_client", "unauthorized_client", "access_denied"):
        words = code or _words(answer)
        raise journey.fault(f"the client is refused: {words}", "set the client id and secret the server knows")
    journey.enter("read")
    if answer.status != 200:
        reason = f"HTTP {answer.status} {code}".strip()
        hint = "ask for a scope this client may have" if code == "invalid_scope" else ""
        raise journey.fault(reason, hint)
    token = told.get("access_token")
    if not isinstance(token, str) or not token.isprintable() or not token:
        journey.layer = "protocol"
        raise journey.fault("the answer holds no access_token: this is no token endpoint")
    return token


def _token_answer(journey: Journey, target: Target) -> Answer:
    """Ask with the secret in a header; where that is refused, with the secret in the form (both are allowed)."""
    form = {"grant_type": "client_credentials"} | ({"scope": target.scope} if target.scope else {})
    kind = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    if not target.client_id:
        return _ask(journey, method="POST", headers=kind, body=urlencode(form).encode())
    pair = f"{quote_plus(target.client_id)}:{quote_plus(target.client_secret.reveal())}"
    basic = {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
    answer = _ask(journey, method="POST", headers=kind | basic, body=urlencode(form).encode())
    if answer.status not in (400, 401):
        return answer
    form |= {"client_id": target.client_id, "client_secret": target.client_secret.reveal()}
    another = _onward(journey, target)
    try:
        return _ask(another, method="POST", headers=kind, body=urlencode(form).encode())
    finally:
        another.close()


def _told(answer: Answer) -> Mapping[str, Any]:
    try:
        told = json.loads(answer.body)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _credentials(journey: Journey, target: Target) -> dict[str, str]:
    if target.token_target is not None:
        return {"Authorization": "Bearer " + _fetched(journey, target.token_target)}
    if target.api_key:
        return {"X-API-Key": _plain(journey, target.api_key)}
    if target.token:
        return {"Authorization": "Bearer " + _plain(journey, target.token)}
    pair = f"{target.user}:{target.password.reveal()}"
    return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


def _plain(journey: Journey, secret: Secret) -> str:
    """Return a secret as a header's value; a line end in it would begin another header."""
    text = secret.reveal()
    if not text.isprintable() or not text.isascii():
        raise journey.fault("the secret holds what no header can carry", "look for a line end at its end")
    return text


def _fetched(journey: Journey, endpoint: Target) -> str:
    another = _onward(journey, endpoint, connects=False)
    try:
        another.connect()
        if endpoint.tls != "off":
            another.encrypt()
        token = fetch_token(another)
    except Fault as fault:
        words = f"no token from {endpoint.service.address} ({fault.layer}): {masked(fault.message, endpoint.secrets())}"
        raise Fault("authentication", words, fault.hint) from fault
    finally:
        another.close()
    return token


def _onward(journey: Journey, target: Target, *, connects: bool = True) -> Journey:
    """Return another contact with the same end of time."""
    another = Journey(target, timeout_s=journey.timeout_s, environ=journey.environ, clock=journey.clock)
    another.deadline = journey.deadline
    if connects:
        another.connect()
        if target.tls != "off":
            another.encrypt()
        another.enter(journey.layer)
    return another


def _again(journey: Journey, target: Target, headers: Mapping[str, str]) -> Answer:
    another = _onward(journey, target)
    try:
        return _ask(another, headers=headers)
    finally:
        another.close()


def _garbage(journey: Journey) -> Answer:
    """Ask with credentials that nobody gave out."""
    target = journey.target
    wrong = Secret(secrets.token_urlsafe(24))
    impostor = msgspec.structs.replace(
        target,
        api_key=wrong if target.api_key else Secret(),
        token=wrong if target.token else Secret(),
        password=wrong if target.password else Secret(),
    )
    return _again(journey, impostor, _credentials(journey, impostor))


def _redirected(journey: Journey, answer: Answer) -> Fault:
    """Return what a redirect means where credentials were shown: a login page says no."""
    from urllib.parse import urlsplit

    place = answer.headers.get("location", "")
    try:
        parts = urlsplit(place)
        host, scheme, path = parts.hostname or journey.target.host, parts.scheme, parts.path
    except ValueError:
        host, scheme, path = "", "", ""
    if re.search(r"log-?in|sign-?in|oauth|authori[sz]e|sso|/auth\b", f"{host}{path}", re.IGNORECASE):
        return Fault("authentication", f"{_words(answer)}: sent to a login page of {host}", _remedy(journey.target))
    if scheme == "https" and journey.target.tls == "off" and host == journey.target.host:
        return Fault("tls", f"{_words(answer)}: sent to https", "write https:// in the address")
    hint = "write the address it sends to; credentials are not carried along"
    return Fault("read", f"{_words(answer)}: sent to {host}", hint)


def _is_refused_alike(journey: Journey) -> bool:
    """Whether 403 means the credentials and not what they allow: any wrong ones get the same."""
    return journey.target.token_target is None and _garbage(journey).status == 403


def _is_accepting_anything(journey: Journey) -> bool:
    status = _garbage(journey).status
    return status not in (401, 403) and not 300 <= status < 400


def _is_fine(status: int) -> bool:
    return 200 <= status < 400 or status in _FINE


def _judge(journey: Journey, answer: Answer) -> None:
    if _is_fine(answer.status):
        return
    if answer.status in (401, 403, 407) and journey.layer == "authentication":
        raise journey.fault(_words(answer), _remedy(journey.target))
    if answer.status == 400 and b"HTTPS" in answer.body.upper():
        journey.layer = "protocol"
        raise journey.fault("the service speaks HTTPS on this port", "write https:// in the address")
    hints = {403: "the credentials are good, but not for this: grant the scope or role", 404: "mend the path"}
    raise journey.fault(_words(answer), hints.get(answer.status, ""))


def _words(answer: Answer) -> str:
    return f"HTTP {answer.status} {answer.reason}".strip()


def _remedy(target: Target) -> str:
    return {
        "api-key": "set an API key that the service has issued and not revoked",
        "token": "set a token that has not expired",
        "oauth2": "see that the token is for this service (audience, scope)",
        "password": "set the user and password that the service knows",
    }.get(target.authentication(), "it asks for credentials: set an API key, a token or a password")


def _ask(
    journey: Journey,
    *,
    method: str = "GET",
    path: str = "",
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
) -> Answer:
    target = journey.target
    host = f"[{target.host}]" if ":" in target.host else target.host
    standard = target.port == (443 if target.tls != "off" else 80)
    lines = [
        f"{method} {path or target.path.reveal()} HTTP/1.1",
        f"Host: {host}" if standard else f"Host: {host}:{target.port}",
    ]
    lines += ["User-Agent: proa-preflight", "Accept: */*", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items() if name != "Accept"]
    lines += [f"Content-Length: {len(body)}"] if body is not None else []
    journey.send("\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n" + (body or b""))
    return _answer(journey)


def _answer(journey: Journey) -> Answer:
    first = journey.line(4096).decode("latin-1")
    words = first.split(" ", 2)
    if not words[0].startswith("HTTP/1.") or len(words) < 2 or not (words[1].isdecimal() and len(words[1]) == 3):
        raise journey.fault("the answer is not HTTP")
    headers: dict[str, str] = {}
    for _ in range(_MOST_HEADERS):
        line = journey.line(16384).decode("latin-1")
        if not line:
            break
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    reason = words[2] if len(words) > 2 else ""
    return Answer(status=int(words[1]), reason=reason, headers=headers, body=_body(journey, headers))


def _body(journey: Journey, headers: Mapping[str, str]) -> bytes:
    """Return the beginning of the body; one that breaks off is taken as it is."""
    data = b""
    try:
        if headers.get("transfer-encoding", "").lower() == "chunked":
            while len(data) < _MOST_BODY and (size := int(journey.line(64).split(b";")[0], 16)):
                data += journey.exactly(size)
                journey.line(64)
            return data
        wanted = int(headers.get("content-length", _MOST_BODY))
        while len(data) < min(wanted, _MOST_BODY):
            data += journey.more()
    except (Fault, ValueError):
        pass
    return data[:_MOST_BODY]
