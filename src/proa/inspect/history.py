"""Which step of an image's history made which layer."""

from __future__ import annotations

import re
from collections.abc import Sequence

from proa.records.oci import History

_NOT_RUN = re.compile(r"^/bin/sh -c #\(nop\)\s*")
_RUN = re.compile(r"^(?:RUN )?(?:\|\d+ (?P<arguments>.*?) )?/bin/sh -c (?P<words>.*)$", re.DOTALL)
_WORDS = "TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|API_?KEY|PRIVATE_KEY|ACCESS_KEY|CREDENTIAL"
_NAMED = re.compile(rf"[A-Z0-9_.-]{{0,80}}(?:{_WORDS})[A-Z0-9_.-]{{0,80}}", re.IGNORECASE)
_VALUE = re.compile(rf"((?:{_WORDS})[A-Z0-9_.-]{{0,80}}\s*[=:]\s*)(\"[^\"]*\"|'[^']*'|[^\s,;|&\"']+)", re.IGNORECASE)
_SHAPES = re.compile(
    r"(?:AKIA|ASIA)[A-Z0-9]{16}|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{20}"
    r"|(?<=://)[^\s/@:]{1,200}:[^\s/@]{1,200}(?=@)"
)
_MOST_READ = 8000
_MOST_CHARACTERS = 2000


def is_secret_name(name: str) -> bool:
    """Say whether a variable of this name usually holds a secret.

    >>> is_secret_name("NPM_TOKEN"), is_secret_name("PATH")
    (True, False)
    """
    return _NAMED.fullmatch(name) is not None


def instructions(history: Sequence[History], layers: int) -> tuple[str, ...]:
    """Return the step that made each layer; empty ones where the history does not fit the layers.

    >>> steps = [History(created_by="/bin/sh -c #(nop) ENV A=1", empty_layer=True), History(created_by="COPY a /")]
    >>> instructions(steps, 1)
    ('COPY a /',)
    """
    made = [instruction(step) for step in history if not step.empty_layer]
    # Squashed and appended images keep a history of another length: better nothing than the wrong step.
    return tuple(made) if len(made) == layers else ("",) * layers


def instruction(step: History) -> str:
    """Return a step as a Dockerfile would write it, without values that look secret.

    >>> instruction(History(created_by="/bin/sh -c apt-get update"))
    'RUN apt-get update'
    >>> instruction(History(created_by="RUN |1 NPM_TOKEN=abc /bin/sh -c npm ci # buildkit"))
    'RUN npm ci'
    """
    text = (step.created_by or step.comment or "").strip()[:_MOST_READ]
    plain = _NOT_RUN.sub("", text)
    if plain == text and (match := _RUN.match(text)):
        plain = f"RUN {match['words']}"
    plain = " ".join(plain.removesuffix("# buildkit").split())
    return redacted(plain)[:_MOST_CHARACTERS]


def redacted(text: str) -> str:
    """Return text without the values of secrets.

    >>> redacted("ENV DB_PASSWORD=hunter2 MODE=fast")
    'ENV DB_PASSWORD=… MODE=fast'
    """
    return _SHAPES.sub("…", _VALUE.sub(r"\1…", text))
