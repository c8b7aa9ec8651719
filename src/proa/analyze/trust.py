"""Whether a TLS client needs the system's certificates: where it goes, and whom it trusts.

A client needs none when every address it is given is plain http to a host that is not on the public network (it
cannot be redirected to https there), or when every client in the source brings its own roots or does not verify.
Any doubt is a need: 150 kB of certificates cost less than a program that cannot connect.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from proa.analyze.sites import Judged, Program, Site, composite, every, fields, local_name
from proa.analyze.syntax import File, arguments, called_name, enclosing, parameter_place, qualified_name
from proa.analyze.texts import HOLE
from proa.records.project import Package

if TYPE_CHECKING:
    from tree_sitter import Node

_PRIVATE_ENDINGS = (".local", ".internal", ".localhost", ".svc", ".test", ".invalid", ".lan", ".home.arpa", ".consul")
"""Names that are not resolved on the public network. Source: RFC 6761, 6762, 8375, 9476; Kubernetes, Consul."""
_DOCUMENTED = ("example.com", "example.org", "example.net", "example")
"""Reserved for documentation. Source: RFC 2606."""
_PLAIN = re.compile(r"(?i)http://(?:[^/@\x00]*@)?(\[[0-9a-f:.]+\]|[^/:?#\x00\[]+)(?=[/:?#]|$)")


def is_plain(text: str) -> bool:
    r"""Say whether an address is surely plain http to a host that is not public.

    >>> [is_plain(text) for text in ("http://127.0.0.1:8080/healthz", f"http://localhost:{HOLE}/", "http://db/x")]
    [True, True, True]
    >>> [is_plain(text) for text in ("https://localhost", "http://go.dev/", f"http://{HOLE}/", f"http://api{HOLE}")]
    [False, False, False, False]
    """
    found = _PLAIN.match(text)
    if found is None:
        return False
    host = found[1].strip("[]").rstrip(".").lower()
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        is_documented = host in _DOCUMENTED or host.endswith(tuple("." + name for name in _DOCUMENTED))
        return "." not in host or host.endswith(_PRIVATE_ENDINGS) or ".svc." in host or is_documented


def judge_url(site: Site) -> Iterator[Judged]:
    """Judge a client call that is given an address."""
    yield _judged(site, addresses=site.values())


def judge_request(site: Site) -> Iterator[Judged]:
    """Judge a client call that is given a request: its address is where the request is made."""
    addresses: set[str] = set()
    for node in site.given(site.rule.argument):
        addresses |= _request_addresses(site, node)
    yield _judged(site, addresses=frozenset(addresses) or frozenset({HOLE}))


def _request_addresses(site: Site, node: Node) -> frozenset[str]:
    if site.file is None or node.text is None:
        return frozenset({HOLE})
    made = [node] if node.type == "call_expression" else definitions(node, node.text.decode())
    found: set[str] = set()
    for call in made:
        place = _REQUEST_ADDRESS.get(qualified_name(call, site.file)) if call.type == "call_expression" else None
        given = arguments(call)
        if place is None or place >= len(given):
            return frozenset({HOLE})
        found |= site.program.sources.values(given[place], site.file)
    return frozenset(found)


_REQUEST_ADDRESS = {"net/http.NewRequest": 1, "net/http.NewRequestWithContext": 2}


def definitions(node: Node, name: str) -> list[Node]:
    """Return the expressions a local name is set to in the function around a node."""
    scope = node.parent
    while scope is not None and scope.type not in ("function_declaration", "method_declaration", "func_literal"):
        scope = scope.parent
    found = []
    for other in every([scope] if scope is not None else []):
        if other.type in ("short_var_declaration", "assignment_statement"):
            left, right = other.child_by_field_name("left"), other.child_by_field_name("right")
            names = [child.text.decode() for child in left.named_children] if left is not None else []
            if name in names and right is not None:
                values = right.named_children
                index = names.index(name)
                found.append(values[index] if len(values) == len(names) else values[0])
        elif other.type == "var_spec":
            value = other.child_by_field_name("value")
            if other.child_by_field_name("name").text.decode() == name and value is not None:
                found.append(value.named_children[0])
    return found


def judge_value(site: Site) -> Iterator[Judged]:
    """Judge a client or transport handed on as a value: where it goes is not seen, only whom it trusts."""
    yield _judged(site, addresses=frozenset({HOLE}))


def judge_proxy(site: Site) -> Iterator[Judged]:
    """Judge a reverse proxy: by the addresses its constructor is given, or by its own literal."""
    if site.use.name.endswith("NewSingleHostReverseProxy"):
        yield _judged(site, addresses=_url_addresses(site, site.given(0)))
        return
    literals = list(_literals(site.program, _packages(site), "net/http/httputil", "ReverseProxy"))
    if not literals and _is_constructed(site):
        # Every proxy comes from NewSingleHostReverseProxy, which is judged where it is called.
        return
    found: set[str] = set()
    for literal, file in literals:
        found |= _directed(site, literal, file)
    yield _judged(site, addresses=frozenset(found) or frozenset({HOLE}))


def _is_constructed(site: Site) -> bool:
    return any(use.name == "net/http/httputil.NewSingleHostReverseProxy" for use in site.program.uses)


def _url_addresses(site: Site, nodes: list[Node]) -> frozenset[str]:
    found: set[str] = set()
    for node in nodes:
        made = definitions(node, node.text.decode()) if node.type == "identifier" and node.text else []
        for value in made or [node]:
            found |= _url_address(site, value)
    return frozenset(found) or frozenset({HOLE})


def _url_address(site: Site, node: Node) -> frozenset[str]:
    if site.file is None:
        return frozenset({HOLE})
    literal = composite(node, f"{local_name(site.file, 'net/url')}.URL")
    if literal is None:
        return site.program.sources.values(node, site.file)
    given = fields(literal)
    values = site.program.sources.values
    return frozenset(
        f"{scheme}://{host}/"
        for scheme in values(given.get("Scheme"), site.file)
        for host in values(given.get("Host"), site.file)
    )


def _directed(site: Site, literal: Node, file: File) -> frozenset[str]:
    """Return where the Director or Rewrite function of a ReverseProxy literal sends requests."""
    values = site.program.sources.values
    schemes: set[str] = set()
    hosts: set[str] = set()
    for node in every([literal]):
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        if node.type == "assignment_statement" and left is not None and right is not None and left.text:
            if left.text.endswith(b".URL.Scheme"):
                schemes |= values(right.named_children[0], file)
            if left.text.endswith(b".URL.Host"):
                hosts |= values(right.named_children[0], file)
        if node.type == "call_expression" and qualified_name(node, file) == "SetURL":
            return _url_addresses(site, arguments(node)) if file is site.file else frozenset({HOLE})
    return frozenset(f"{scheme}://{host}/" for scheme in schemes for host in hosts) or frozenset({HOLE})


def judge_tls(site: Site) -> Iterator[Judged]:
    """Judge a TLS connection made by hand: by the configuration it is given."""
    place = site.rule.argument if site.use.name != "net/smtp.(*Client).StartTLS" else 0
    nodes = site.given(place)
    if nodes and site.file is not None and place >= 0 and all(_is_own(node, site.file) for node in nodes):
        yield site.left_out("with roots of its own, or without verifying")
        return
    is_default = any(node.text == b"nil" for node in nodes)
    yield site.need() if is_default else _judged(site, addresses=frozenset({HOLE}))


def judge_verify(site: Site) -> Iterator[Judged]:
    """Judge a certificate verified by hand: by the roots in its options."""
    file = site.file
    nodes = site.given(0)
    if file is not None and nodes:
        name = f"{local_name(file, 'crypto/x509')}.VerifyOptions"
        for node in nodes:
            made = definitions(node, node.text.decode()) if node.type == "identifier" and node.text else [node]
            literals = [composite(value, name) for value in made]
            if not literals or not all(found is not None and _has(found, "Roots") for found in literals):
                break
        else:
            yield site.left_out("with roots of its own")
            return
    yield site.need()


def _judged(site: Site, *, addresses: frozenset[str]) -> Judged:
    if all(is_plain(text) for text in addresses):
        shown = ", ".join(sorted(text.replace(HOLE, "…") for text in addresses)[:3])
        return site.left_out(f"only {shown}, plain http to a host that is not public")
    if _all_bring_roots(site):
        return site.left_out("every TLS client in the source has roots of its own, or does not verify")
    return site.need()


def _packages(site: Site) -> list[Package]:
    own = list(site.program.sources.local)
    if site.package is not None and site.package not in own:
        own.append(site.package)
    return own


def _all_bring_roots(site: Site) -> bool:
    """Say whether every client that the user's packages and the use's own package make trusts roots of its own."""
    program, packages = site.program, _packages(site)
    if site.package is None or site.file is None:
        return False
    if any(True for _ in program.sources.files(packages, *_DEFAULT_CLIENTS) if _uses_default(_)):
        return False
    clients = list(_literals(program, packages, "net/http", "Client"))
    transports = list(_literals(program, packages, "net/http", "Transport"))
    configurations = list(_literals(program, packages, "crypto/tls", "Config"))
    return (
        all(_has(node, "Transport") or _is_set_later(node, b".Transport") for node, _ in clients)
        and all(_has(node, "TLSClientConfig") or _is_set_later(node, b".TLSClientConfig") for node, _ in transports)
        and any(_brings_roots(node) for node, _ in configurations)
        and all(_brings_roots(node) or _is_for_server(node) for node, _ in configurations)
        and not _makes_empty_client(program, packages)
    )


_DEFAULT_CLIENTS = ("http.DefaultClient", "http.DefaultTransport", "http.Get(", "http.Post", "http.Head(")


def _uses_default(file: File) -> bool:
    """Say whether a file uses the default client, or the default transport without giving it another configuration."""
    name = local_name(file, "net/http")
    for call in file.calls:
        if qualified_name(call, file) in {f"net/http.{verb}" for verb in ("Get", "Post", "PostForm", "Head")}:
            return True
    for node in file.nodes("(selector_expression) @it"):
        if node.text == f"{name}.DefaultClient".encode():
            return True
        if node.text == f"{name}.DefaultTransport".encode() and not _is_set_later(node, b".TLSClientConfig"):
            return True
    return False


def _makes_empty_client(program: Program, packages: list[Package]) -> bool:
    for file in program.sources.files(packages, "http.Client"):
        name = f"{local_name(file, 'net/http')}.Client".encode()
        for node in file.nodes("(var_spec) @it"):
            kind = node.child_by_field_name("type")
            if kind is not None and kind.text == name and node.child_by_field_name("value") is None:
                return True
        if any(qualified_name(call, file) == "new" and name in (call.text or b"") for call in file.calls):
            return True
    return False


def _literals(program: Program, packages: list[Package], import_path: str, kind: str) -> Iterator[tuple[Node, File]]:
    short = import_path.rpartition("/")[2]
    for file in program.sources.files(packages, f'"{import_path}"'):
        name = local_name(file, import_path) or short
        for node in file.nodes("(composite_literal) @it"):
            if composite(node, f"{name}.{kind}") is not None:
                yield node, file


def _is_own(node: Node, file: File) -> bool:
    name = f"{local_name(file, 'crypto/tls')}.Config"
    made = definitions(node, node.text.decode()) if node.type == "identifier" and node.text else [node]
    literals = [composite(value, name) for value in made]
    return bool(literals) and all(found is not None and _brings_roots(found) for found in literals)


def _brings_roots(literal: Node) -> bool:
    given = fields(literal)
    unverified = given.get("InsecureSkipVerify")
    return (
        (_has(literal, "RootCAs") and _is_surely_made(given["RootCAs"]))
        or (unverified is not None and unverified.text == b"true")
        or _is_set_later(literal, b".RootCAs")
        or _is_set_later(literal, b".InsecureSkipVerify")
    )


def _is_for_server(literal: Node) -> bool:
    given = fields(literal)
    return any(name in given for name in ("Certificates", "GetCertificate", "ClientCAs", "ClientAuth"))


def _has(literal: Node, field: str) -> bool:
    value = fields(literal).get(field)
    return value is not None and value.text != b"nil"


def _is_surely_made(value: Node, depth: int = 0) -> bool:
    """Say whether roots cannot be nil, which means the system's: not a field, nor set or given on a condition."""
    if value.type != "identifier":
        return value.type not in ("selector_expression", "nil")
    name = value.text or b""
    scope = enclosing(value)
    position = parameter_place(scope, name.decode()) if scope is not None else None
    if scope is not None and position is not None:
        return depth < _MOST_DEPTH and _is_always_given(scope, position, depth)
    declared = [node for node in every([scope] if scope is not None else []) if node.type == "var_spec"]
    is_nil_at_first = any(
        node.child_by_field_name("value") is None and name in [part.text for part in node.named_children]
        for node in declared
    )
    return not is_nil_at_first or _is_set_later(value, name)


def _is_always_given(function: Node, position: int, depth: int) -> bool:
    """Say whether every call of a function in its file gives roots that cannot be nil, and there is one."""
    name = function.child_by_field_name("name")
    file = list(_above(function))[-1]
    calls = [node for node in every([file]) if node.type == "call_expression"]
    given = [arguments(call) for call in calls if name is not None and called_name(call).encode() == name.text]
    return bool(given) and all(
        position < len(values) and _is_surely_made(values[position], depth + 1) for values in given
    )


def _is_set_later(node: Node, field: bytes) -> bool:
    """Say whether the function around a node always assigns something to a name or field that ends so.

    What only some branch assigns leaves the others as they were.
    """
    scope = enclosing(node)
    for other in every([scope] if scope is not None else []):
        if other.type == "assignment_statement":
            left, right = other.child_by_field_name("left"), other.child_by_field_name("right")
            names = [child.text or b"" for child in left.named_children] if left is not None else []
            if right is not None and any(name.endswith(field) for name in names) and _is_unconditional(other, node):
                return right.text not in (b"nil", b"false") and _names_no_variable(right, field)
    return False


def _names_no_variable(right: Node, field: bytes) -> bool:
    """Say whether a flag is surely set: ``InsecureSkipVerify = *insecure`` is not."""
    if not field.endswith(b".InsecureSkipVerify"):
        return not field.endswith(b".RootCAs") or all(_is_surely_made(node) for node in right.named_children)
    return right.text == b"true"


def _is_unconditional(node: Node, other: Node) -> bool:
    """Say whether a statement runs whenever another place of its function does, as far as branches show it."""
    around = {place.id for place in _above(other)}
    return all(place.id in around for place in _above(node) if place.type in _BRANCHES)


def _above(node: Node) -> Iterator[Node]:
    place = node.parent
    while place is not None:
        yield place
        place = place.parent


_MOST_DEPTH = 3
_BRANCHES = frozenset(
    {"if_statement", "for_statement", "expression_case", "type_case", "default_case", "communication_case",
     "func_literal"}
)  # fmt: skip
