"""OTLP collectors: an export of nothing, over HTTP or gRPC. Source: https://opentelemetry.io/docs/specs/otlp/."""

from __future__ import annotations

from proa.outside.contact import http2
from proa.outside.contact.http import judge
from proa.outside.contact.link import Journey
from proa.outside.contact.web import ask, host_of

_EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_UNIMPLEMENTED, _DENIED, _UNAUTHENTICATED, _UNAVAILABLE = 12, 7, 16, 14


def visit(journey: Journey) -> None:
    """Export nothing. Raises Fault."""
    target = journey.target
    if target.tls != "off":
        journey.encrypt(("h2",) if _is_grpc(journey) else ())
    journey.enter("protocol")
    journey.asked_for_nothing = not target.headers
    if _is_grpc(journey):
        _over_grpc(journey)
    else:
        _over_http(journey)


def _is_grpc(journey: Journey) -> bool:
    return journey.target.mechanism == "grpc" or (not journey.target.mechanism and journey.target.port == 4317)


def _headers(journey: Journey) -> dict[str, str]:
    headers = {name: secret.reveal() for name, secret in journey.target.headers.items()}
    if any(not text.isprintable() or not text.isascii() for pair in headers.items() for text in pair):
        raise journey.fault("a header of the settings holds what no header can carry", "look for a line end in it")
    return headers


def _over_http(journey: Journey) -> None:
    path = journey.target.path.reveal().rstrip("/")
    path = path if path.endswith(("/v1/traces", "/v1/metrics", "/v1/logs")) else path + "/v1/traces"
    headers = {"Content-Type": "application/x-protobuf", **_headers(journey)}
    answer = ask(journey, method="POST", path=path, headers=headers, body=b"")
    journey.enter("authentication" if answer.status in (401, 403) else "read")
    if answer.status == 405:
        raise journey.fault("HTTP 405: exports are not taken here", "mend the path: collectors take /v1/traces")
    judge(journey, answer)


def _over_grpc(journey: Journey) -> None:
    called = http2.call(journey, _EXPORT, host_of(journey.target), _headers(journey))
    if called.status is None:
        raise journey.fault(
            f"it speaks HTTP/2 and no gRPC (HTTP {called.http_status or 'without a status'})",
            "give the port for gRPC, or set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",
        )
    words = f"gRPC status {called.status} {called.message}".strip()
    journey.enter("authentication" if called.status in (_DENIED, _UNAUTHENTICATED) else "read")
    if called.status in (_DENIED, _UNAUTHENTICATED):
        raise journey.fault(words, "set OTEL_EXPORTER_OTLP_HEADERS to what the collector knows")
    hints = {_UNIMPLEMENTED: "it takes no traces: is it a collector?", _UNAVAILABLE: "it may be starting: --wait 60s"}
    if called.status:
        raise journey.fault(words, hints.get(called.status, ""))
