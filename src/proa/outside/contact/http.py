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
from proa.outside.contact.web import Answer, ask, words_of

_FINE = frozenset({405, 406, 415, 422})
"""It is there and spoke HTTP; that this harmless question was not what it likes is no fault of the service."""


def visit(journey: Journey) -> None:
    """Ask without credentials, then with them. Raises Fault."""
    target = journey.target
    if target.tls != "off":
        journey.encrypt()
    journey.enter("protocol")
    without = ask(journey)
    journey.close()
    if target.authentication() == "none":
        journey.enter("authentication" if without.status in (401, 403, 407) else "read")
        journey.asked_for_nothing = True
        judge(journey, without)
        return
    journey.enter("authentication")
    headers = _credentials(journey, target)
    answer = _again(journey, target, headers)
    if answer.status in (401, 407) or (answer.status == 403 and _is_refused_alike(journey)):
        raise journey.fault(words_of(answer), _remedy(target))
    if 300 <= answer.status < 400:
        raise _redirected(journey, answer)
    journey.enter("read")
    judge(journey, answer)
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
        words = code or words_of(answer)
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
        return ask(journey, method="POST", headers=kind, body=urlencode(form).encode())
    pair = f"{quote_plus(target.client_id)}:{quote_plus(target.client_secret.reveal())}"
    basic = {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
    answer = ask(journey, method="POST", headers=kind | basic, body=urlencode(form).encode())
    if answer.status not in (400, 401):
        return answer
    form |= {"client_id": target.client_id, "client_secret": target.client_secret.reveal()}
    another = journey.onward(target)
    try:
        return ask(another, method="POST", headers=kind, body=urlencode(form).encode())
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
    another = journey.beside(endpoint)
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


def _again(journey: Journey, target: Target, headers: Mapping[str, str]) -> Answer:
    another = journey.onward(target)
    try:
        return ask(another, headers=headers)
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
        return Fault("authentication", f"{words_of(answer)}: sent to a login page of {host}", _remedy(journey.target))
    if scheme == "https" and journey.target.tls == "off" and host == journey.target.host:
        return Fault("tls", f"{words_of(answer)}: sent to https", "write https:// in the address")
    hint = "write the address it sends to; credentials are not carried along"
    return Fault("read", f"{words_of(answer)}: sent to {host}", hint)


def _is_refused_alike(journey: Journey) -> bool:
    """Whether 403 means the credentials and not what they allow: any wrong ones get the same."""
    return journey.target.token_target is None and _garbage(journey).status == 403


def _is_accepting_anything(journey: Journey) -> bool:
    status = _garbage(journey).status
    return status not in (401, 403) and not 300 <= status < 400


def _is_fine(status: int) -> bool:
    return 200 <= status < 400 or status in _FINE


def judge(journey: Journey, answer: Answer) -> None:
    """Raise Fault where the answer does not please."""
    if _is_fine(answer.status):
        return
    if answer.status in (401, 403, 407) and journey.layer == "authentication":
        raise journey.fault(words_of(answer), _remedy(journey.target))
    if answer.status == 400 and b"HTTPS" in answer.body.upper():
        journey.layer = "protocol"
        raise journey.fault("the service speaks HTTPS on this port", "write https:// in the address")
    hints = {403: "the credentials are good, but not for this: grant the scope or role", 404: "mend the path"}
    raise journey.fault(words_of(answer), hints.get(answer.status, ""))


def _remedy(target: Target) -> str:
    return {
        "api-key": "set an API key that the service has issued and not revoked",
        "token": "set a token that has not expired",
        "oauth2": "see that the token is for this service (audience, scope)",
        "password": "set the user and password that the service knows",
    }.get(target.authentication(), "it asks for credentials: set an API key, a token or a password")
