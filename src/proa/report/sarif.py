"""Budgets that are not kept as SARIF 2.1.0, which code hosts show beside the lines it names.

Source: OASIS, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0"; GitHub, "SARIF support for code
scanning" (what it requires beyond the standard).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from proa.records.difference import Difference, Judged, Measure
from proa.records.place import Place
from proa.report.markdown_text import plain

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_HOME = "https://github.com/proa-dev/proa"
_HELP = f"{_HOME}/blob/main/docs/how-to/size-in-ci.md"
_RULES: dict[Measure, str] = {
    "image": "The image's compressed layers are larger than their budget allows.",
    "unpacked": "The image's contents are larger than their budget allows.",
    "binary": "The program's file is larger than its budget allows.",
    "wasted": "The image stores more that it does not show than its budget allows.",
    "layer": "A layer is larger than its budget allows.",
    "module": "A module takes more of the program than its budget allows.",
    "package": "A package takes more of the program than its budget allows.",
    "file": "A file is larger than its budget allows.",
    "rule": "Something is new where nothing new is allowed.",
}
_MOST_RESULTS = 5_000
"""Source: GitHub shows the first 5000 results of a run."""
_NOWHERE = Place(file="proa.yaml")


def sarif(difference: Difference, *, version: str, places: Mapping[str, Place]) -> bytes:
    """Return the document: one rule for each kind of budget, one result for each budget that is not kept.

    ``places`` are by budget and by dependency, the one under the empty name is for results with neither.
    """
    over = difference.exceeded[:_MOST_RESULTS]
    measures = list(_RULES)
    document: dict[str, Any] = {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "proa",
                        "version": version,
                        "semanticVersion": version,
                        "informationUri": _HOME,
                        "rules": [_rule(measure) for measure in measures],
                    }
                },
                "automationDetails": {"id": "proa-diff/"},
                "columnKind": "unicodeCodePoints",
                "results": [_result(one, measures.index(one.measure), places) for one in over],
            }
        ],
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def _rule(measure: Measure) -> dict[str, Any]:
    return {
        "id": f"budget/{measure}",
        "name": f"Budget{measure.capitalize()}",
        "shortDescription": {"text": _RULES[measure]},
        "fullDescription": {"text": f"{_RULES[measure]} `proa why` says what brings it in."},
        "helpUri": _HELP,
        "help": {"text": f"See {_HELP}"},
        "defaultConfiguration": {"level": "error"},
        "properties": {"tags": ["size"] if measure != "rule" else ["size", "security"]},
    }


def _result(judged: Judged, rule: int, places: Mapping[str, Place]) -> dict[str, Any]:
    # What is about the whole has no subject, and the empty name is for what has no place of its own.
    names = (*([judged.subject] if judged.subject else []), judged.budget, "")
    place = next((places[name] for name in names if name in places), _NOWHERE)
    same = hashlib.sha256(f"{judged.budget}\0{judged.subject}".encode("utf-8", "backslashreplace")).hexdigest()
    return {
        "ruleId": f"budget/{judged.measure}",
        "ruleIndex": rule,
        "level": "error",
        "message": {"text": plain(f"{judged.budget}: {judged.message}")},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": quote(place.file), "uriBaseId": "%SRCROOT%"},
                    "region": {"startLine": max(place.line, 1)},
                }
            }
        ],
        "partialFingerprints": {"proaBudget/v1": same},
    }
