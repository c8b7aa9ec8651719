"""S3 and its kin: the beginning of a bucket's list, with no keys in it, signed by us (Signature Version 4).

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html and ErrorResponses.html there.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import quote

from proa.outside.contact.link import Journey
from proa.outside.contact.target import Fault, Target
from proa.outside.contact.web import Answer, ask, host_of, words_of

_NOTHING = hashlib.sha256(b"").hexdigest()
_SKEWED = "RequestTimeTooSkewed"
_REFUSED = {
    "InvalidAccessKeyId": "set an access key that the service has issued and not revoked",
    "SignatureDoesNotMatch": "set the secret key that belongs to the access key",
    "ExpiredToken": "the session token has expired: fetch new credentials",
    "InvalidToken": "set the session token that came with these keys, or none",
    "TokenRefreshRequired": "fetch new credentials",
    "AuthorizationHeaderMalformed": "set AWS_REGION to the bucket's region",
    "AuthorizationQueryParametersError": "set AWS_REGION to the bucket's region",
    "InvalidSecurity": "set the keys the service knows",
    "InvalidRegion": "set AWS_REGION to the bucket's region",
    _SKEWED: "set this machine's clock, or the service's",
}
_READ = {
    "NoSuchBucket": "create the bucket, or mend its name",
    "InvalidBucketName": "mend the bucket's name",
    "AccessDenied": "allow s3:ListBucket on the bucket",
    "AllAccessDisabled": "allow s3:ListBucket on the bucket",
    "SlowDown": "the service is busy: --wait 60s",
    "ServiceUnavailable": "the service is busy: --wait 60s",
    "PermanentRedirect": "set AWS_REGION to the bucket's region, and the address of that region",
}


def visit(journey: Journey) -> None:
    """List nothing of the bucket, or the buckets where none is set. Raises Fault."""
    target = journey.target
    if target.tls != "off":
        journey.encrypt()
    journey.enter("protocol")
    path = f"/{quote(target.database, safe='')}" if target.database else "/"
    query = "list-type=2&max-keys=0" if target.database else ""
    headers = _signed(target, path, query, journey.now()) if target.user else {}
    answer = ask(journey, path=f"{path}?{query}" if query else path, headers=headers)
    code = _code(answer)
    if not _is_of_s3(answer, code):
        raise journey.fault(f"the answer is not S3's: {words_of(answer)}")
    journey.enter("authentication")
    if code in _REFUSED:
        raise journey.fault(_told(journey, answer, code), _REFUSED[code])
    if not target.user:
        journey.asked_for_nothing = True
        if answer.status in (401, 403):
            raise journey.fault(code or words_of(answer), "it asks for keys: set AWS_ACCESS_KEY_ID and its secret")
    journey.enter("read")
    if answer.status in (301, 307):
        region = answer.headers.get("x-amz-bucket-region", "")
        raise journey.fault(f"{code or words_of(answer)}{region and f': the bucket is in {region}'}", _READ[_MOVED])
    if not 200 <= answer.status < 300:
        raise journey.fault(_told(journey, answer, code), _READ.get(code, ""))


_MOVED = "PermanentRedirect"


def _signed(target: Target, path: str, query: str, now: datetime) -> dict[str, str]:
    """Return the headers of a GET with no body, its signature among them."""
    moment = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    region = target.region or "us-east-1"
    headers = {"host": host_of(target), "x-amz-content-sha256": _NOTHING, "x-amz-date": moment}
    if target.token:
        headers["x-amz-security-token"] = target.token.reveal()
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    canonical = f"GET\n{path}\n{_canonical(query)}\n{lines}\n{names}\n{_NOTHING}"
    scope = f"{moment[:8]}/{region}/s3/aws4_request"
    words = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = hmac.new(signing_key(target.password.reveal(), moment[:8], region, "s3"), words.encode(), "sha256")
    told = f"Credential={target.user}/{scope}, SignedHeaders={names}, Signature={signature.hexdigest()}"
    _check(target, region)
    return {name: text for name, text in headers.items() if name != "host"} | {
        "Authorization": f"AWS4-HMAC-SHA256 {told}"
    }


def _check(target: Target, region: str) -> None:
    """Raise Fault where a key would begin another header."""
    for text in (target.user, target.token.reveal(), region):
        if not text.isascii() or not (text.isprintable() or not text):
            raise Fault("authentication", "a key holds what no header can carry", "look for a line end at its end")


def _canonical(query: str) -> str:
    return "&".join(sorted(query.split("&"))) if query else ""


def signing_key(secret: str, day: str, region: str, service: str) -> bytes:
    """Return the key of one day.

    The example of AWS's own documentation ("Deriving a signing key"):

    >>> key = signing_key("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "20120215", "us-east-1", "iam")
    >>> key.hex()[:16]
    'f4780e2d9f65fa89'
    """
    key = f"AWS4{secret}".encode()
    for word in (day, region, service, "aws4_request"):
        key = hmac.digest(key, word.encode(), "sha256")
    return key


def _code(answer: Answer) -> str:
    """Return the error's code; no XML reader is let near an answer nobody vouches for."""
    begin = answer.body.find(b"<Error")
    found = re.search(rb"<Code>\s*([A-Za-z0-9.]{1,60})\s*</Code>", answer.body[begin:]) if begin >= 0 else None
    return found[1].decode() if found else ""


def _is_of_s3(answer: Answer, code: str) -> bool:
    has_words = code != "" or re.search(rb"<(ListBucketResult|ListAllMyBucketsResult)[ >/]", answer.body) is not None
    return has_words or (answer.status != 200 and _has_name(answer.headers))


def _has_name(headers: Mapping[str, str]) -> bool:
    return "x-amz-request-id" in headers or "x-amz-bucket-region" in headers


def _told(journey: Journey, answer: Answer, code: str) -> str:
    found = re.search(rb"<Message>([^<]{1,300})</Message>", answer.body)
    words = ": ".join(
        text for text in (code or words_of(answer), found[1].decode("utf-8", "replace") if found else "") if text
    )
    if code == _SKEWED and (apart := _apart(journey, answer)):
        return f"{words} ({apart})"
    return words


def _apart(journey: Journey, answer: Answer) -> str:
    """Say by how much the clocks differ."""
    try:
        there = parsedate_to_datetime(answer.headers.get("date", ""))
    except ValueError:
        return ""
    if there.tzinfo is None:
        return ""
    seconds = (journey.now() - there).total_seconds()
    return f"this machine's clock is {abs(seconds):.0f} s {'ahead' if seconds > 0 else 'behind'}"
